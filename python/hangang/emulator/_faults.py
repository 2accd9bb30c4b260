"""The controls as ASGI middleware: pacing, keep-alives, line ends, faults, and the cut into fragments.

Handlers below it are plain: each `http.response.body` message is one frame. A handler that wants controls
puts a `Plan` into the scope's extensions (`PLAN`), and `Frames` sends what pacing and `no_end` must know of
a frame beside it (`FRAME`). An answer without a plan passes as it is.

The steps, in this order: faults that change frames (`error`, `malformed`, `no_end`), pacing, line ends,
faults that have a place in the bytes (`stall`, `cut`, `truncate`, `reset`), and the cut into fragments.

How a connection ends early: under `hangang.emulator`'s own server the protocol puts itself into the scope's
extensions (`CONNECTION`). `cut` flushes what was sent and closes the transport without the last HTTP chunk;
`reset` sends RST. Under another ASGI server neither is reachable, so the middleware raises `ConnectionCut`,
and a server such as plain uvicorn closes the connection, also without the last chunk (and logs the
exception).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Protocol

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ._controls import Controls, Malformed, Place
from ._fragments import Fragmenter
from ._state import State

CONNECTION = "hangang.connection"
PLAN = "hangang.plan"
FRAME = "hangang.frame"


class ConnectionCut(Exception):
    """Raised to make another ASGI server drop the connection."""


class Connection(Protocol):
    """How an answer controls its connection under the emulator's own server."""

    def cut(self) -> None:
        """Send what was written, then close without ending HTTP."""

    def reset(self) -> None:
        """Drop the connection with RST."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One event as it goes on the wire, its line ends as LF.

    `paced` frames wait for their turn by the token rate. `end` frames are what `no_end` leaves out.
    """

    data: bytes
    paced: bool = True
    end: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the middleware must know of an answer.

    `newline` is the service's line end, `body` for bytes that are sent as they are; `comment` makes its
    keep-alive (None: it has none), `error_frames` its in-stream error for a code. A `whole` answer has a
    Content-Length.
    """

    controls: Controls
    state: State
    random: Random
    whole: bool = False
    newline: str = "body"
    comment: Callable[[], bytes] | None = None
    error_frames: Callable[[str | None], Iterable[Frame]] | None = None


class Frames(Response):
    """A stream of frames, each one body message; an asynchronous source paces itself."""

    def __init__(self, frames: Iterable[Frame] | AsyncIterable[Frame], headers: Mapping[str, str]) -> None:
        self.status_code = 200
        self.background = None
        self.init_headers(headers)
        self._frames = frames

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the frames."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async for frame in _each(self._frames):
            await send({"type": "http.response.body", "body": frame.data, "more_body": True, FRAME: frame})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _each(frames: Iterable[Frame] | AsyncIterable[Frame]) -> AsyncIterator[Frame]:
    if isinstance(frames, AsyncIterable):
        async for frame in frames:
            yield frame
    else:
        for frame in frames:
            yield frame


class Faults:
    """The middleware. The application runs in a task of its own, which is stopped when the client leaves."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the application's answer by its plan."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answer = _Answer(scope, send)
        working = asyncio.ensure_future(self.app(scope, receive, answer.send))
        tasks: set[asyncio.Future[Any]] = {working, answer.over}
        try:
            await asyncio.wait((working, answer.begun), return_when=asyncio.FIRST_COMPLETED)
            # The request's body has been read, so the next message can only be the disconnect.
            tasks.add(asyncio.ensure_future(_until_disconnect(receive)))
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            answer.close()
            for task in tasks:
                await _stop(task)
        if not working.cancelled():
            working.result()


class _Over(Exception):
    """A fault ended the body."""


class _Answer:
    """One answer on its way. `begun`: its first message was sent; `over`: a fault ended it."""

    def __init__(self, scope: Scope, send: Send) -> None:
        loop = asyncio.get_running_loop()
        self.begun: asyncio.Future[None] = loop.create_future()
        self.over: asyncio.Future[None] = loop.create_future()
        self._extensions: dict[str, Any] = scope.setdefault("extensions", {})
        self._send = send
        self._plan: Plan | None = None
        self._start: Message = {}
        self._writer: _Writer | None = None
        self._ticker: asyncio.Future[None] | None = None
        self._writing = asyncio.Lock()
        self._count = 0
        self._due = 0.0

    async def send(self, message: Message) -> None:
        """Take a message of the application."""
        if not self.begun.done():
            self.begun.set_result(None)
            self._plan = self._extensions.get(PLAN)
            if self._plan is not None:
                self._plan.state.open_streams += 1
        if self._plan is None:
            await self._send(message)
            return
        try:
            async with self._writing:  # a keep-alive that is being written is finished first
                if self._ticker is not None:
                    self._ticker.cancel()
                    self._ticker = None
                await self._planned(self._plan, message)
        except _Over:
            self.over.set_result(None)
            await asyncio.Event().wait()  # until the application is stopped
        interval = self._plan.controls.keepalive
        if interval and self._plan.comment is not None and self._writer is not None:
            self._ticker = asyncio.ensure_future(self._tick(self._writer, interval))

    def close(self) -> None:
        """The answer has ended, in whatever way."""
        if self._plan is not None:
            self._plan.state.open_streams -= 1
        if self._ticker is not None:
            self._ticker.cancel()

    async def _tick(self, writer: _Writer, interval: float) -> None:
        """While the application is silent, a keep-alive at each interval."""
        with contextlib.suppress(_Over):  # the application's next message meets it too
            while not writer.ended:
                await asyncio.sleep(interval)
                async with self._writing:
                    await writer.comment()

    async def _planned(self, plan: Plan, message: Message) -> None:
        """Send a message by the plan."""
        if message["type"] == "http.response.start":
            self._start = message
            if plan.controls.delay:
                await asyncio.sleep(plan.controls.delay)
            if not plan.whole:
                await self._begin(plan)
            return
        body: bytes = message.get("body", b"")
        if plan.whole:
            body = _whole(plan.controls, body)
            MutableHeaders(scope=self._start)["content-length"] = str(len(body))
            controls = replace(plan.controls, error=None, no_end=False, malformed=None, truncate=None)
            self._plan = plan = replace(plan, controls=controls)
            await self._begin(plan)
        assert self._writer is not None
        if body:
            frame = message.get(FRAME) or Frame(body, paced=not plan.whole)
            await self._frame(plan, self._writer, frame, body)
        if not message.get("more_body", False):
            await self._writer.finish()

    async def _begin(self, plan: Plan) -> None:
        await self._send(self._start)
        self._due = asyncio.get_running_loop().time()
        self._writer = _Writer(self._send, plan, self._extensions.get(CONNECTION))
        await self._writer.places()

    async def _frame(self, plan: Plan, writer: _Writer, frame: Frame, body: bytes) -> None:
        """Send a frame after `error`, `malformed` and `no_end`, at its time."""
        controls = plan.controls
        if (
            controls.error is not None
            and self._count == controls.error.after
            and plan.error_frames is not None
        ):
            for failed in plan.error_frames(controls.error.code):
                await self._paced(controls, writer, failed, failed.data)
            await writer.finish()
            raise _Over
        if controls.no_end and frame.end:
            return
        self._count += 1
        if controls.malformed is not None and controls.malformed.event == self._count:
            body = spoil(body, controls.malformed)
        await self._paced(controls, writer, frame, body)

    async def _paced(self, controls: Controls, writer: _Writer, frame: Frame, body: bytes) -> None:
        if controls.rate and frame.paced:
            clock = asyncio.get_running_loop().time
            if self._due > clock():
                await writer.wait(self._due - clock())
            # After a stall the rate continues from now: the lost time is not made up for.
            self._due = max(self._due + 1 / controls.rate, clock())
        await writer.frame(body)


def _whole(controls: Controls, body: bytes) -> bytes:
    """A body with the faults that change its length, which its header must have."""
    if controls.malformed is not None and controls.malformed.event == 1:
        body = spoil(body, controls.malformed)
    end = controls.truncate
    if end is not None and end.bytes is not None and not controls.cut and not controls.reset:
        body = body[: end.bytes]
    return body


def spoil(data: bytes, malformed: Malformed) -> bytes:
    """The same frame with one fault in its payload; its end stays where it was."""
    if malformed.kind == "bracket":
        head, bracket, tail = data.rpartition(b"}")
        return head + b"]" + tail if bracket else b"nope" + data
    start = data.find(b"{")
    if start < 0:
        start = data.find(b"data:") + 5 if data.startswith(b"data:") else 0
        return data[:start] + (b"\xff" if malformed.kind == "utf8" else b"nope") + data[start:]
    if malformed.kind == "utf8":
        quote = data.find(b'"', start) + 1
        return data[:quote] + b"\xff" + data[quote:]
    colon = data.find(b":", start) + 1
    return data[:colon] + b"nope," + b'"spoiled":' + data[colon:]


_NEWLINES = {"lf": b"\n", "crlf": b"\r\n", "cr": b"\r", "none": b"", "body": b"\n"}


class _Writer:
    """Puts bytes on the wire: fragments, keep-alives, and faults that have a place.

    Raises:
        _Over: a fault ended the body, so that nothing more can be written.
    """

    def __init__(self, send: Send, plan: Plan, connection: Connection | None) -> None:
        controls = plan.controls
        self.ended = False
        self._send = send
        self._comment_of = plan.comment
        # A body is sent as it is, and SSE cannot do without line ends.
        changes = plan.newline != "body" and (controls.newline != "none" or plan.newline == "none")
        self._newline = _NEWLINES[controls.newline if changes and controls.newline else plan.newline]
        self._fragmenter = Fragmenter(controls.fragments, plan.random)
        self._random = plan.random
        self._connection = connection
        self._keepalive = controls.keepalive if plan.comment is not None else None
        self._bytes = 0
        self._events = 0
        self._at_boundary = True
        self._stall = controls.stall
        # In the order in which they act if several share one place.
        faults = {
            "stall": self._stall and self._stall.place,
            "truncate": controls.truncate,
            "cut": controls.cut,
            "reset": controls.reset,
        }
        self._pending: dict[str, Place] = {name: place for name, place in faults.items() if place}

    async def frame(self, data: bytes) -> None:
        """Write one event."""
        if self.ended:
            raise _Over
        if self._keepalive == 0:
            await self.comment()
        await self._put(data)
        self._events += 1
        self._at_boundary = True
        await self.places()

    async def finish(self) -> None:
        """Write what is held back and end the body."""
        if self.ended:
            return
        await self._flush()
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        self.ended = True

    async def wait(self, seconds: float | None) -> None:
        """Wait (None: until the client leaves), with a keep-alive at each interval."""
        if self._fragmenter.mode == "random" and self._random.random() < 0.5:
            await self._flush()  # what is held back need not always wait for the next token
        loop = asyncio.get_running_loop()
        end = None if seconds is None else loop.time() + seconds
        while end is None or loop.time() < end:
            left = 3600.0 if end is None else end - loop.time()
            if not self._keepalive or not self._at_boundary:
                await asyncio.sleep(left)
                continue
            await asyncio.sleep(min(left, self._keepalive))
            if left > self._keepalive:
                await self.comment()

    async def places(self) -> None:
        """Act on every fault whose place has been reached."""
        for name, place in list(self._pending.items()):
            if place.bytes == self._bytes or place.events == self._events:
                del self._pending[name]
                await self._act(name)

    async def comment(self) -> None:
        """Write a keep-alive."""
        if self._comment_of is None or self.ended:
            return
        await self._put(self._comment_of())
        if self._keepalive and self._fragmenter.mode != "whole":
            await self._flush()  # nothing is held any more when the body has ended

    async def _put(self, data: bytes) -> None:
        """Write bytes with the line ends of the answer, stopping at each place inside them."""
        data = data.replace(b"\n", self._newline)
        while data:
            starts = (place.bytes for place in self._pending.values())
            places = [start - self._bytes for start in starts if start is not None and start > self._bytes]
            size = min([len(data), *places])
            self._at_boundary = size == len(data)
            await self._write(self._fragmenter.feed(data[:size]))
            self._bytes += size
            data = data[size:]
            if data or places:
                await self.places()

    async def _act(self, name: str) -> None:
        await self._flush()
        if name == "stall":
            await self.wait(self._stall.seconds if self._stall else None)
            return
        if name == "truncate":
            await self.finish()
            raise _Over
        self.ended = True
        if self._connection is None:
            raise ConnectionCut(f"x-hangang-{name}")
        if name == "cut":
            self._connection.cut()
        else:
            # RST may overtake what the client has not read yet, so let it read first.
            await asyncio.sleep(0.02)
            self._connection.reset()
        # Nothing more is sent; the disconnect that follows ends this answer.
        await asyncio.Event().wait()

    async def _flush(self) -> None:
        await self._write(self._fragmenter.flush())

    async def _write(self, fragments: list[bytes]) -> None:
        for fragment in fragments:
            await self._send({"type": "http.response.body", "body": fragment, "more_body": True})
            # Let the event loop put this write on the socket before the next one is made.
            await asyncio.sleep(0)


async def _until_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _stop(task: asyncio.Future[Any]) -> None:
    if not task.done():
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
