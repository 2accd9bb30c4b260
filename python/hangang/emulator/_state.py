"""The memory of one emulator: counters, rate windows, and a store for each kind of thing."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from ._controls import Controls
from ._replies import Replies
from ._requests import Request
from ._store import Store


class State:
    """The memory of one emulator.

    Attributes:
        controls: the controls of requests that bring none.
        keys: the accepted keys; None accepts every key of a documented form but the magic ones.
        requests_per_minute: the limit of each key, or None.
        open_streams: answers being sent now.
        connections: open connections; None under another ASGI server, which does not report them.
        requests: the last requests; `received` counts all there ever were.
        replies: the answers that a test chose.
        listening: the host that the server listens on, if that is known.
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
        self.replies: Replies = replies or Replies(None)
        self.keys: frozenset[str] | None = None if keys is None else frozenset(keys)
        self.requests_per_minute = requests_per_minute
        self.listening: str | None = None
        self.open_streams = 0
        self.connections: int | None = None
        self.requests: Store[Request] = Store()
        self.received = 0
        self.served: Counter[str] = Counter()
        self._stores: dict[str, Store[Any]] = {}
        self._session = 730
        self._clock = 0
        self._ids = Random(f"ids/{controls.seed}")

    def store(self, name: str) -> Store[Any]:
        """The store of that name: `files`, `tasks`, …"""
        return self._stores.setdefault(name, Store())

    def count(self, name: str, key: str) -> int:
        """How often this was called with this name and key, from 1."""
        counts: Store[int] = self.store(name)
        count = (counts.get(key) or 0) + 1
        counts.put(key, count)
        return count

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
        sessions: Store[int] = self.store("sessions")
        if sessions.get(context) is None:
            sessions.put(context, self.new_session())
        return sessions.get(context) or 0

    def controls_for(self, headers: Iterable[tuple[str, str]]) -> Controls:
        """The controls of a request; without faults, if its tag has had them `times` times.

        Raises:
            ControlError: a header has a value that its control cannot have.
        """
        controls = self.controls.with_headers(headers)
        if controls.times is None or self.count("tags", controls.tag or "") <= controls.times:
            return controls
        return controls.without_faults()

    def use(self, key: str, limit: int) -> tuple[int, float]:
        """Count a request of a key in its minute.

        Returns:
            How many requests are left (negative when there are too many), and the seconds until
            the minute is over.
        """
        windows: Store[tuple[float, int]] = self.store("windows")
        now = time.monotonic()
        start, used = windows.get(key) or (now, 0)
        if now - start >= 60:
            start, used = now, 0
        windows.put(key, (start, used + 1))
        return limit - used - 1, 60 - (now - start)

    def report(self) -> dict[str, Any]:
        """Counters of what is open and what was served."""
        return {
            "open_streams": self.open_streams,
            "connections": self.connections,
            "requests": self.received,
            "served": dict(sorted(self.served.items())),
            "agents_running": sum(run.is_working for run in self.store("tasks")),
            "files": len(self.store("files")),
            "collections": len(self.store("collections")),
        }
