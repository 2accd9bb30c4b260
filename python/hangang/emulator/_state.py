"""The memory of one emulator: counters, keys, rate windows, and the services' stores."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

from ._controls import Controls
from ._replies import Replies
from ._requests import RequestLog

if TYPE_CHECKING:
    from ._run import Run
    from .exaone import StoredFile
    from .rag import Collection as RagCollection

MOST_KEPT = 1_000  # contexts, sessions and tasks: memory stays flat under load


def _bound(kept: dict[str, int]) -> None:
    """Make room for one more by forgetting the oldest."""
    while len(kept) >= MOST_KEPT:
        del kept[next(iter(kept))]


class State:
    """The memory of one emulator.

    Attributes:
        controls: the controls of requests that bring none.
        keys: the accepted keys; None accepts every key of a documented form but the magic ones.
        requests_per_minute: the limit of each key, or None.
        open_streams: answers being sent now.
        connections: open connections; None under another ASGI server, which does not report them.
        requests: the last requests.
        replies: the answers that a test chose.
    """

    def __init__(
        self,
        *,
        controls: Controls,
        keys: Collection[str] | None = None,
        requests_per_minute: int | None = None,
        replies: Replies | None = None,
    ) -> None:
        self.controls = controls
        self.replies: Replies = Replies(None) if replies is None else replies
        self.keys: frozenset[str] | None = None if keys is None else frozenset(keys)
        self.requests_per_minute = requests_per_minute
        self.open_streams = 0
        self.connections: int | None = None
        self.requests: RequestLog = RequestLog()
        self.served: Counter[str] = Counter()
        self.runs: dict[str, Run] = {}
        self.files: dict[str, StoredFile] = {}
        self.collections: dict[str, RagCollection] = {}
        self.work: set[asyncio.Future[None]] = set()
        self._session = 730
        self._sessions: dict[str, int] = {}
        self._turns: dict[str, int] = {}
        self._clock = 0
        self._tags: Counter[str] = Counter()
        self._windows: dict[str, tuple[float, int]] = {}
        self._ids = Random(f"ids/{controls.seed}")

    def new_id(self) -> str:
        """The next identifier, a UUID; the same series for the same seed."""
        return str(uuid.UUID(int=self._ids.getrandbits(128), version=4))

    def new_timestamp(self) -> str:
        """The next moment: a clock of its own, so that a run can be repeated byte for byte."""
        self._clock += 1
        moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(milliseconds=7 * self._clock)
        return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def new_session(self) -> int:
        """The next chat session of Gov's first agent profile."""
        self._session += 1
        return self._session

    def session_of(self, context: str) -> int:
        """The session of a context (an older form of that profile)."""
        if context not in self._sessions:
            _bound(self._sessions)
            self._sessions[context] = self.new_session()
        return self._sessions[context]

    def next_turn(self, context: str) -> int:
        """Which message of a conversation this is, from 1."""
        if context not in self._turns:
            _bound(self._turns)
        self._turns[context] = self._turns.get(context, 0) + 1
        return self._turns[context]

    def keep_run(self, run: Run) -> None:
        """Remember a task; of many the oldest finished ones are forgotten."""
        if run.id not in self.runs and len(self.runs) >= MOST_KEPT:
            old = next((known for known in self.runs.values() if known.done), None)
            if old is not None:
                del self.runs[old.id]
        self.runs[run.id] = run

    def keep_work(self, work: asyncio.Future[None]) -> None:
        """Hold on to an agent's work until it is done."""
        self.work.add(work)
        work.add_done_callback(self.work.discard)

    async def close(self) -> None:
        """Cancel the work of agents."""
        for work in list(self.work):
            work.cancel()
        await asyncio.gather(*self.work, return_exceptions=True)

    def faults_are_over(self, controls: Controls) -> bool:
        """Count a request of a tag; True if its faults have been injected often enough."""
        if controls.times is None:
            return False
        tag = controls.tag or ""
        self._tags[tag] += 1
        return self._tags[tag] > controls.times

    def use(self, key: str, limit: int) -> tuple[int, float]:
        """Count a request of a key in its minute.

        Returns:
            How many requests are left (negative when there are too many), and the seconds until
            the minute is over.
        """
        now = time.monotonic()
        start, used = self._windows.get(key, (now, 0))
        if now - start >= 60:
            start, used = now, 0
        self._windows[key] = (start, used + 1)
        return limit - used - 1, 60 - (now - start)

    def report(self) -> dict[str, Any]:
        """Counters of what is open and what was served."""
        return {
            "open_streams": self.open_streams,
            "connections": self.connections,
            "requests": self.requests.total,
            "served": dict(sorted(self.served.items())),
            "agents_running": sum(not run.done for run in self.runs.values()),
            "files": len(self.files),
            "collections": len(self.collections),
        }
