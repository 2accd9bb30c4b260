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


Messages = asyncio.Queue["Message | Exception | None"]


class Faults:
    """The middleware. The application runs in a task of its own, which stops when the client leaves."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the application's answer by its plan."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        messages: Messages = asyncio.Queue(1)

        async def work() -> None:
            try:
                await self.app(scope, receive, messages.put)
                await messages.put(None)
            except Exception as error:
                await messages.put(error)

        working = asyncio.ensure_future(work())
        try:
            start = await _next(messages)
            plan: Plan | None = scope.get("extensions", {}).get(PLAN)
            if plan is not None and start is not None:
                await _answer(plan, scope, receive, send, start, messages)
                return
            while start is not None:
                await send(start)
                start = await _next(messages)
        finally:
            await _stop(working)


async def _next(messages: Messages) -> Message | None:
    found = await messages.get()
    if isinstance(found, Exception):
        raise found
    return found


async def _answer(
    plan: Plan, scope: Scope, receive: Receive, send: Send, start: Message, messages: Messages
) -> None:
    plan.state.open_streams += 1
    # The request's body has been read, so the next message can only be the disconnect.
    leaving = asyncio.ensure_future(_until_disconnect(receive))
    sending = asyncio.ensure_future(_send(plan, scope, send, start, messages))
    try:
        await asyncio.wait((leaving, sending), return_when=asyncio.FIRST_COMPLETED)
    finally:
        plan.state.open_streams -= 1
        await _stop(leaving)
        await _stop(sending)
    if not sending.cancelled():
        sending.result()


async def _send(plan: Plan, scope: Scope, send: Send, start: Message, messages: Messages) -> None:
    controls = plan.controls
    if controls.delay:
        await asyncio.sleep(controls.delay)
    body: list[Frame] = []
    if plan.whole:
        data = _whole(controls, (await _next(messages) or {}).get("body", b""))
        MutableHeaders(scope=start)["content-length"] = str(len(data))
        body = [Frame(data, paced=False)]
        controls = replace(controls, error=None, no_end=False, malformed=None, truncate=None)
    await send(start)
    writer = _Writer(send, replace(plan, controls=controls), scope.get("extensions", {}).get(CONNECTION))
    if not await writer.begin():
        return
    frames = _each(body) if plan.whole else writer.received(messages)
    interval = 1 / controls.rate if controls.rate else 0.0
    clock = asyncio.get_running_loop().time
    due = clock()
    async for frame in _planned(frames, controls, plan):
        if interval and frame.paced:
            if due > clock():
                await writer.wait(due - clock())
            # After a stall the rate continues from now: the lost time is not made up for.
            due = max(due + interval, clock())
        if not await writer.frame(frame.data):
            return
    await writer.finish()


def _whole(controls: Controls, body: bytes) -> bytes:
    """A body with the faults that change its length, which its header must have."""
    if controls.malformed is not None and controls.malformed.event == 1:
        body = spoil(body, controls.malformed)
    end = controls.truncate
    if end is not None and end.bytes is not None and not controls.cut and not controls.reset:
        body = body[: end.bytes]
    return body


async def _planned(frames: AsyncIterator[Frame], controls: Controls, plan: Plan) -> AsyncIterator[Frame]:
    """The frames after `error`, `malformed` and `no_end`."""
    count = 0
    async for frame in frames:
        if plan.error_frames is not None and controls.error is not None and count == controls.error.after:
            for failed in plan.error_frames(controls.error.code):
                yield failed
            return
        if controls.no_end and frame.end:
            continue
        count += 1
        if controls.malformed is not None and controls.malformed.event == count:
            yield replace(frame, data=spoil(frame.data, controls.malformed))
        else:
            yield frame


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
            await self._comment()
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
                await self._comment()

    async def received(self, messages: Messages) -> AsyncIterator[Frame]:
        """The application's frames; while it is silent, a keep-alive at each interval."""
        while (message := await self._next(messages)) is not None:
            if message.get("body"):
                yield message.get(FRAME) or Frame(message["body"])

    async def _next(self, messages: Messages) -> Message | None:
        if not self._keepalive:
            return await _next(messages)
        step = asyncio.ensure_future(_next(messages))
        try:
            while not (await asyncio.wait((step,), timeout=self._keepalive))[0]:
                await self._comment()
        finally:
            await _stop(step)
        return step.result()

    async def _places(self) -> None:
        """Act on every fault whose place has been reached."""
        for name, place in list(self._pending):
            if self._ended:
                return
            if place.bytes == self._bytes or place.events == self._events:
                self._pending.remove((name, place))
                await self._act(name)

    async def _comment(self) -> None:
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
