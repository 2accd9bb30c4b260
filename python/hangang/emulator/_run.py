"""A task of an agent: the events of its turn, each with the time at which it happens.

Nothing runs in the background. A message's events are made when it arrives; a reader waits for the time of
each one, and a task is what its past events have made of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator

from ._a2a import TERMINAL, RPCError, error_number
from ._call import JSON
from ._state import State
from .fake_answers import Script
from .json_types import member

_MIXED: list[JSON] = [
    {"data": {"n": 1.0, "f": 1.5}, "mediaType": "application/json"},
    {"raw": "AAFoaQ==", "filename": "a.bin", "mediaType": "application/octet-stream"},
    {"url": "https://example.com/x.pdf", "filename": "x.pdf", "mediaType": "application/pdf"},
]


class Run:
    """A task, to which each message adds a turn; any number of streams read the events of one."""

    def __init__(self, state: State, context: str, metadata: JSON | None) -> None:
        self.id: str = state.new_id()
        self.context = context
        self.size = 0
        self._metadata = metadata
        self._state = state
        self._begun: JSON = {"status": {"state": "TASK_STATE_SUBMITTED"}}  # the task before its turn
        self._events: list[tuple[float, JSON | RPCError]] = []
        self._canceled = asyncio.Event()

    def begin(self, message: JSON, word: str, script: Script, rate: float) -> None:
        """Begin the turn of a message."""
        now = self.task()
        self._begun = {**now, "history": [*now.get("history", []), message]}
        self._events = []
        due = time.monotonic()
        self._events = [(due, {"task": self.task()})]
        for wait, event in self._turn(word, script, 2 / rate if rate else 0.0):
            due += wait
            self._events.append((due, event))

    def past(self) -> list[JSON | RPCError]:
        """The events of the turn that have happened."""
        now = time.monotonic()
        return [event for due, event in self._events if due <= now]

    @property
    def is_working(self) -> bool:
        """Whether an event is still to come."""
        return len(self.past()) < len(self._events)

    def task(self, history: int | None = None) -> JSON:
        """The task as it is now, with that many of its last messages."""
        status, messages = self._begun["status"], list(self._begun.get("history", []))
        artifacts = {
            kept["artifactId"]: {**kept, "parts": list(kept["parts"])}
            for kept in self._begun.get("artifacts", [])
        }
        for event in self.past():
            if (update := member(event, "statusUpdate")) is not None:
                messages += [status["message"]] if "message" in status else []
                status = update["status"]
            elif (added := member(event, "artifactUpdate", "artifact")) is not None:
                kept = artifacts.setdefault(added["artifactId"], {**added, "parts": []})
                kept["parts"].extend(added["parts"])
        if history is not None:
            messages = messages[max(len(messages) - history, 0) :]
        lists = {"artifacts": list(artifacts.values()), "history": messages, "metadata": self._metadata}
        shown = {name: value for name, value in lists.items() if value}
        return {"id": self.id, "contextId": self.context, "status": status, **shown}

    @property
    def state(self) -> str:
        """The state as it is now."""
        return str(self.task()["status"]["state"])

    def refuse_if_ended(self, *, late: bool) -> None:
        """Raise an RPCError if the task is in a terminal state."""
        if self.state in TERMINAL:
            raise RPCError(-32004, f"Task {self.id} is in terminal state: {self.state}", late=late)

    def cancel(self) -> None:
        """End the task now."""
        del self._events[len(self.past()) :]
        self._events.append((time.monotonic(), self._status("CANCELED")))
        self._canceled.set()

    async def follow(self, start: int = 0) -> AsyncIterator[JSON | RPCError]:
        """The events of the turn from one on, each at its time."""
        events = self._events  # of this turn, also when the next one begins
        while start < len(events):
            due, event = events[start]
            left = due - time.monotonic()
            if left > 0:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._canceled.wait(), left)
                continue  # a canceled task has another event there
            yield event
            start += 1

    def _turn(self, word: str, script: Script, interval: float) -> Iterator[tuple[float, JSON | RPCError]]:
        """What the agent does with a message, steered by a word: seconds to wait, and an event."""
        yield 0, self._status("WORKING", "처리 중")
        if word == "fail":
            yield 0, self._status("FAILED", "실패")
            return
        if word == "input":
            yield 0, self._status("INPUT_REQUIRED", "더 알려 주세요")
            return
        if word == "crash":
            yield 0, RPCError(-32603, "unexpected crash")
            return
        # A task that continues after `input` already has artifacts; each turn adds its own.
        number = len(self._begun.get("artifacts", [])) + 1
        pieces = ["".join(script.content[i : i + 2]) for i in range(0, len(script.content), 2)]
        for index, piece in enumerate(pieces):
            flags = {"append": index > 0, "lastChunk": index == len(pieces) - 1}
            yield interval, self._artifact(number, "answer", [{"text": piece}], flags)
        if script.error is not None:
            code, message = error_number(script.error[0]), script.error[1]
            yield 0, RPCError(-32603 if 400 <= code <= 599 else code, message)
            return
        if word == "data":
            yield 0, self._artifact(number + bool(pieces), "mixed", _MIXED, {"lastChunk": True})
        yield 0, self._status("COMPLETED")

    def _status(self, name: str, text: str | None = None) -> JSON:
        """A change of the state, with progress text or without."""
        where = {"contextId": self.context, "taskId": self.id}
        status: JSON = {"state": f"TASK_STATE_{name}"}
        if text is not None:
            said = {
                "messageId": self._state.new_id(),
                **where,
                "role": "ROLE_AGENT",
                "parts": [{"text": text}],
            }
            status["message"] = said
        status["timestamp"] = self._state.new_timestamp()
        return {"statusUpdate": {"taskId": self.id, "contextId": self.context, "status": status}}

    def _artifact(self, number: int, name: str, parts: list[JSON], flags: dict[str, bool]) -> JSON:
        artifact = {"artifactId": f"art-{number}", "name": name, "parts": parts}
        shown = {flag: True for flag, is_set in flags.items() if is_set}
        return {
            "artifactUpdate": {"taskId": self.id, "contextId": self.context, "artifact": artifact, **shown}
        }
