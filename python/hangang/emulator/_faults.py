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
        async with self._writing:  # a keep-alive that is being written is finished first
            if self._ticker is not None:
                self._ticker.cancel()
                self._ticker = None
            is_over = await self._planned(self._plan, message)
        if is_over:
            self.over.set_result(None)
            await asyncio.Event().wait()  # until the application is stopped
        if self._writer is not None and self._plan.controls.keepalive and self._plan.comment is not None:
            self._ticker = asyncio.ensure_future(self._tick(self._writer, self._plan.controls.keepalive))

    def close(self) -> None:
        """The answer has ended, in whatever way."""
        if self._plan is not None:
            self._plan.state.open_streams -= 1
        if self._ticker is not None:
            self._ticker.cancel()

    async def _tick(self, writer: _Writer, interval: float) -> None:
        """While the application is silent, a keep-alive at each interval."""
        while True:
            await asyncio.sleep(interval)
            async with self._writing:
                await writer.comment()

    async def _planned(self, plan: Plan, message: Message) -> bool:
        """Send a message by the plan; True if a fault ends the answer before the application does."""
        if message["type"] == "http.response.start":
            self._start = message
            if plan.controls.delay:
                await asyncio.sleep(plan.controls.delay)
            return not plan.whole and not await self._begin(plan)
        body: bytes = message.get("body", b"")
        if plan.whole:
            body = _whole(plan.controls, body)
            MutableHeaders(scope=self._start)["content-length"] = str(len(body))
            controls = replace(plan.controls, error=None, no_end=False, malformed=None, truncate=None)
            self._plan = plan = replace(plan, controls=controls)
            if not await self._begin(plan):
                return True
        if body and not await self._frame(
            plan, message.get(FRAME) or Frame(body, paced=not plan.whole), body
        ):
            return True
        if not message.get("more_body", False) and self._writer is not None:
            await self._writer.finish()
        return False

    async def _begin(self, plan: Plan) -> bool:
        await self._send(self._start)
        self._due = asyncio.get_running_loop().time()
        self._writer = _Writer(self._send, plan, self._extensions.get(CONNECTION))
        return await self._writer.begin()

    async def _frame(self, plan: Plan, frame: Frame, body: bytes) -> bool:
        """Send a frame after `error`, `malformed` and `no_end`, at its time; False when the body is over."""
        controls, writer = plan.controls, self._writer
        assert writer is not None
        if (
            plan.error_frames is not None
            and controls.error is not None
            and self._count == controls.error.after
        ):
            for failed in plan.error_frames(controls.error.code):
                if not await self._paced(controls, writer, failed, failed.data):
                    return False
            await writer.finish()
            return False
        if controls.no_end and frame.end:
            return True
        self._count += 1
        if controls.malformed is not None and controls.malformed.event == self._count:
            body = spoil(body, controls.malformed)
        return await self._paced(controls, writer, frame, body)

    async def _paced(self, controls: Controls, writer: _Writer, frame: Frame, body: bytes) -> bool:
        if controls.rate and frame.paced:
            clock = asyncio.get_running_loop().time
            if self._due > clock():
                await writer.wait(self._due - clock())
            # After a stall the rate continues from now: the lost time is not made up for.
            self._due = max(self._due + 1 / controls.rate, clock())
        return await writer.frame(body)


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
    """Puts bytes on the wire: fragments, keep-alives, and faults that have a place."""

    def __init__(self, send: Send, plan: Plan, connection: Connection | None) -> None:
        controls = plan.controls
        self._ended = False
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
        self._stall_seconds = controls.stall.seconds if controls.stall else None
        # In the order in which they act if several share one place.
        self._pending: list[tuple[str, Place]] = [
            (name, place)
            for name, place in (
                ("stall", controls.stall.place if controls.stall else None),
                ("truncate", controls.truncate),
                ("cut", controls.cut),
                ("reset", controls.reset),
            )
            if place is not None
        ]

    async def begin(self) -> bool:
        """Act on faults before the first byte; False when the body is over."""
        await self._places()
        return not self._ended

    async def frame(self, data: bytes) -> bool:
        """Write one event; False when the body is over."""
        if self._keepalive == 0:
            await self.comment()
        await self._put(data.replace(b"\n", self._newline))
        if not self._ended:
            self._events += 1
            self._at_boundary = True
            await self._places()
        return not self._ended

    async def finish(self) -> None:
        """Write what is held back and end the body."""
        await self._flush()
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        self._ended = True

    async def wait(self, seconds: float | None) -> None:
        """Wait (None: until the client leaves), with a keep-alive at each interval."""
        if self._fragmenter.mode == "random" and self._random.random() < 0.5:
            await self._flush()  # what is held back need not always wait for the next token
        loop = asyncio.get_running_loop()
        end = None if seconds is None else loop.time() + seconds
        while not self._ended and (end is None or loop.time() < end):
            left = 3600.0 if end is None else end - loop.time()
            if not self._keepalive or not self._at_boundary:
                await asyncio.sleep(left)
                continue
            await asyncio.sleep(min(left, self._keepalive))
            if left > self._keepalive:
                await self.comment()

    async def _places(self) -> None:
        """Act on every fault whose place has been reached."""
        for name, place in list(self._pending):
            if self._ended:
                return
            if place.bytes == self._bytes or place.events == self._events:
                self._pending.remove((name, place))
                await self._act(name)

    async def comment(self) -> None:
        """Write a keep-alive."""
        if self._comment_of is None or self._ended:
            return
        await self._put(self._comment_of().replace(b"\n", self._newline))
        if self._keepalive and self._fragmenter.mode != "whole":
            await self._flush()  # nothing is held any more when the body has ended

    async def _put(self, data: bytes) -> None:
        """Write bytes, stopping at each place inside them."""
        while data and not self._ended:
            places = [
                place.bytes - self._bytes
                for _, place in self._pending
                if place.bytes is not None and place.bytes > self._bytes
            ]
            size = min([len(data), *places])
            self._at_boundary = size == len(data)
            await self._write(self._fragmenter.feed(data[:size]))
            self._bytes += size
            data = data[size:]
            if data or places:
                await self._places()

    async def _act(self, name: str) -> None:
        await self._flush()
        if name == "stall":
            await self.wait(self._stall_seconds)
            return
        if name == "truncate":
            await self.finish()
            return
        self._ended = True
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
