"""A task of an agent: its events, its readers, and the work that makes them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from ._a2a import RPCError, error_number
from ._call import JSON
from ._controls import Controls
from ._state import State
from .fake_answers import Script


class Run:
    """A task that is being worked on; any number of streams read its events."""

    def __init__(self, state: State, context: str, metadata: JSON | None) -> None:
        self.id: str = state.new_id()
        self.context = context
        self.metadata = metadata
        self.status: JSON = {"state": "TASK_STATE_SUBMITTED"}
        self.history: list[JSON] = []
        self.artifacts: list[JSON] = []
        self.events: list[JSON | RPCError] = []
        self.done: bool = False
        self.size = 0
        self.work: asyncio.Task[None] | None = None
        self._state = state
        self._changed = asyncio.Event()

    def task(self, history: int | None = None) -> JSON:
        """The task as it is now."""
        found: JSON = {"id": self.id, "contextId": self.context, "status": self.status}
        if self.artifacts:
            found["artifacts"] = [
                {**artifact, "parts": list(artifact["parts"])} for artifact in self.artifacts
            ]
        kept = self.history if history is None else self.history[len(self.history) - history :]
        if kept:
            found["history"] = list(kept)
        if self.metadata:
            found["metadata"] = self.metadata
        return found

    def emit(self, event: JSON | RPCError) -> None:
        """Add an event and wake the readers."""
        self.events.append(event)
        self._wake()

    def end(self) -> None:
        """No more events will be added."""
        self.done = True
        self._wake()

    def stop(self) -> None:
        """End the task: it was canceled, or is forgotten because newer ones were kept."""
        if self.work is not None:
            self.work.cancel()
        self.end()

    def set_status(self, name: str, text: str | None = None) -> None:
        """Change the state, with progress text or without, and tell the readers."""
        if "message" in self.status:
            self.history.append(self.status["message"])
        self.status = {"state": f"TASK_STATE_{name}"}
        if text is not None:
            self.status["message"] = {
                "messageId": self._state.new_id(),
                "contextId": self.context,
                "taskId": self.id,
                "role": "ROLE_AGENT",
                "parts": [{"text": text}],
            }
        self.status["timestamp"] = self._state.new_timestamp()
        self.emit({"statusUpdate": {"taskId": self.id, "contextId": self.context, "status": self.status}})

    def add_artifact(self, ident: str, name: str, parts: list[JSON], *, append: bool, last: bool) -> None:
        """Add parts to an artifact, new or old, and tell the readers."""
        if append:
            kept = next(found for found in self.artifacts if found["artifactId"] == ident)
            kept["parts"].extend(parts)
        else:
            self.artifacts.append({"artifactId": ident, "name": name, "parts": list(parts)})
        update: JSON = {"taskId": self.id, "contextId": self.context}
        update["artifact"] = {"artifactId": ident, "name": name, "parts": parts}
        update |= {flag: True for flag, is_set in (("append", append), ("lastChunk", last)) if is_set}
        self.emit({"artifactUpdate": update})

    async def follow(self, start: int = 0) -> AsyncIterator[JSON | RPCError]:
        """The events from one on, to the end of the work."""
        index = start
        while True:
            while index < len(self.events):
                yield self.events[index]
                index += 1
            if self.done:
                return
            await self._changed.wait()

    def _wake(self) -> None:
        waiting, self._changed = self._changed, asyncio.Event()
        waiting.set()


_MIXED: list[JSON] = [
    {"data": {"n": 1.0, "f": 1.5}, "mediaType": "application/json"},
    {"raw": "AAFoaQ==", "filename": "a.bin", "mediaType": "application/octet-stream"},
    {"url": "https://example.com/x.pdf", "filename": "x.pdf", "mediaType": "application/pdf"},
]


async def work(run: Run, word: str, script: Script, controls: Controls) -> None:
    """What the agent does with a message, steered by a word; always ends the run."""
    try:
        run.set_status("WORKING", "처리 중")
        if word == "fail":
            return run.set_status("FAILED", "실패")
        if word == "input":
            return run.set_status("INPUT_REQUIRED", "더 알려 주세요")
        if word == "crash":
            return run.emit(RPCError(-32603, "unexpected crash"))
        pieces = ["".join(script.content[i : i + 2]) for i in range(0, len(script.content), 2)]
        # A task that continues after `input` already has artifacts; each turn adds its own.
        ident = f"art-{len(run.artifacts) + 1}"
        for index, piece in enumerate(pieces):
            if controls.rate:
                await asyncio.sleep(2 / controls.rate)
            last = index == len(pieces) - 1
            run.add_artifact(ident, "answer", [{"text": piece}], append=index > 0, last=last)
            await asyncio.sleep(0)
        if script.error is not None:
            code, message = script.error
            number = error_number(code)
            return run.emit(RPCError(-32603 if 400 <= number <= 599 else number, message))
        if word == "data":
            mixed = f"art-{len(run.artifacts) + 1}"
            run.add_artifact(mixed, "mixed", _MIXED, append=False, last=True)
        run.set_status("COMPLETED")
    finally:
        run.end()
