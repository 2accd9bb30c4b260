"""The controls as ASGI middleware: pacing, keep-alives, line ends, faults, and the cut into fragments.

Handlers below it are plain: each `http.response.body` message is one frame. `Frames` sends the `Plan` of an
answer in its first message (`PLAN`), and what pacing and `no_end` must know of a frame beside it (`FRAME`).
An answer without a plan passes as it is.

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


def keep_alive_comment() -> bytes:
    """The keep-alive of vLLM ([openai §6])."""
    return b": keep-alive\n\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the middleware must know of an answer.

    `newline` is the service's line end, `body` for bytes that are sent as they are; `comment` makes its
    keep-alive (None: it has none), `error_frames` its in-stream error for a code.
    """

    controls: Controls
    state: State
    random: Random
    newline: str = "lf"
    comment: Callable[[], bytes] | None = keep_alive_comment
    error_frames: Callable[[str | None], Iterable[Frame]] | None = None


class Frames(Response):
    """An answer of frames, each one body message; an asynchronous source paces itself."""

    def __init__(
        self,
        frames: Iterable[Frame] | AsyncIterable[Frame],
        headers: Mapping[str, str],
        plan: Plan,
        status: int = 200,
    ) -> None:
        self.status_code = status
        self.background = None
        self.init_headers(headers)
        self._frames = frames
        self._plan = plan

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the frames."""
        start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        await send({**start, PLAN: self._plan})
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


def one_shot(body: bytes, headers: Mapping[str, str], plan: Plan, status: int = 200) -> Frames:
    """An answer of one frame. Faults that change its length act here: its header has the length."""
    controls = plan.controls
    if controls.malformed is not None and controls.malformed.event == 1:
        body = spoil(body, controls.malformed)
    if controls.truncate is not None:
        body = body[: controls.truncate.bytes]
    controls = replace(controls, malformed=None, truncate=None)
    plan = replace(plan, controls=controls, newline="body", comment=None)
    return Frames([Frame(body, paced=False)], {**headers, "content-length": str(len(body))}, plan, status)


class Faults:
    """The middleware. The application runs in a task of its own, which is stopped when the client leaves."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the application's answer by its plan."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answer = _Answer(send, scope.get("extensions", {}).get(CONNECTION))
        working = asyncio.ensure_future(self.app(scope, receive, answer.take))
        tasks: set[asyncio.Future[Any]] = {working}
        try:
            await asyncio.wait((working, answer.begun), return_when=asyncio.FIRST_COMPLETED)
            # The request's body has been read, so the next message can only be the disconnect.
            tasks.add(asyncio.ensure_future(_until_disconnect(receive)))
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await answer.close()
            for task in tasks:
                await _stop(task)
        if not working.cancelled():
            with contextlib.suppress(_Over):
                working.result()


async def _until_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _stop(task: asyncio.Future[Any]) -> None:
    if not task.done():
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


class _Over(Exception):
    """A fault ended the body; raised through the application, which it ends."""


class _Answer:
    """One answer on its way; `begun` when its first message was sent."""

    def __init__(self, send: Send, connection: Connection | None) -> None:
        self.begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._send = send
        self._connection = connection
        self._writer: _Writer | None = None

    async def take(self, message: Message) -> None:
        """Take a message of the application."""
        if not self.begun.done():
            self.begun.set_result(None)
        plan: Plan | None = message.pop(PLAN, None)
        if plan is not None:
            self._writer = _Writer(self._send, plan, self._connection)
            await self._writer.start(message)
        elif self._writer is None:
            await self._send(message)
        elif FRAME in message:
            await self._writer.frame(message[FRAME])
        else:
            await self._writer.finish()

    async def close(self) -> None:
        """The answer has ended, in whatever way."""
        if self._writer is not None:
            await self._writer.close()


_NEWLINES = {"lf": b"\n", "crlf": b"\r\n", "cr": b"\r", "none": b"", "body": b"\n"}


class _Writer:
    """Sends frames by a plan.

    Raises:
        _Over: a fault ended the body, so that nothing more can be written.
    """

    def __init__(self, send: Send, plan: Plan, connection: Connection | None) -> None:
        controls = plan.controls
        self._send = send
        self._plan = plan
        self._controls = controls
        self._connection = connection
        # A body is sent as it is, and SSE cannot do without line ends.
        changes = plan.newline != "body" and (controls.newline != "none" or plan.newline == "none")
        self._newline = _NEWLINES[controls.newline if changes and controls.newline else plan.newline]
        self._fragmenter = Fragmenter(controls.fragments, plan.random)
        # In the order in which they act if several share one place.
        faults = {name: getattr(controls, name) for name in ("stall", "truncate", "cut", "reset")}
        self._pending: dict[str, Place] = {name: place for name, place in faults.items() if place}
        self._frames = 0  # of the service
        self._events = 0  # sent, the error event too
        self._bytes = 0
        self._clock = asyncio.get_running_loop().time
        self._due = self._sent = 0.0
        self._writing = asyncio.Lock()
        self._ended = False
        self._keeper: asyncio.Future[None] | None = None
        plan.state.open_streams += 1

    async def start(self, message: Message) -> None:
        """Send the status line and the headers."""
        await asyncio.sleep(self._controls.delay)
        await self._send(message)
        self._due = self._sent = self._clock()
        if self._controls.keepalive and self._plan.comment is not None:
            self._keeper = asyncio.ensure_future(self._keep_alive(self._controls.keepalive))
        await self._places()

    async def frame(self, frame: Frame) -> None:
        """Send a frame after `error`, `no_end` and `malformed`, at its time."""
        error, malformed, body = self._controls.error, self._controls.malformed, frame.data
        error_frames = self._plan.error_frames
        if error is not None and error_frames is not None and error.after == self._frames:
            for failed in error_frames(error.code):
                await self._event(failed.data, paced=failed.paced)
            await self.finish()
            raise _Over
        if self._controls.no_end and frame.end:
            return
        self._frames += 1
        if malformed is not None and malformed.event == self._frames:
            body = spoil(body, malformed)
        await self._event(body, paced=frame.paced)

    async def finish(self) -> None:
        """Write what is held back and end the body."""
        async with self._writing:
            await self._finish()

    async def close(self) -> None:
        """Stop what is left of the answer."""
        self._plan.state.open_streams -= 1
        if self._keeper is not None:
            await _stop(self._keeper)

    async def _event(self, data: bytes, *, paced: bool) -> None:
        if paced and self._controls.rate:
            await self._turn(1 / self._controls.rate)
        if self._controls.keepalive == 0:
            await self._comment()
        async with self._writing:
            await self._put(data)
        self._events += 1
        await self._places()

    async def _turn(self, interval: float) -> None:
        """Wait for the next turn by the rate."""
        if self._due > self._clock():
            if self._fragmenter.mode == "random" and self._plan.random.random() < 0.5:
                await self._write(self._fragmenter.flush())  # what is held back need not always wait
            await asyncio.sleep(self._due - self._clock())
        # After a stall the rate continues from now: the lost time is not made up for.
        self._due = max(self._due + interval, self._clock())

    async def _keep_alive(self, interval: float) -> None:
        """A comment after each interval without an event, as long as the answer lasts."""
        with contextlib.suppress(_Over):  # the application's next message meets it too
            while True:
                await asyncio.sleep(max(self._sent + interval - self._clock(), 0))
                if self._clock() >= self._sent + interval:
                    await self._comment()

    async def _comment(self) -> None:
        """Write a keep-alive."""
        if self._plan.comment is not None:
            async with self._writing:
                await self._put(self._plan.comment())
                if self._controls.keepalive and self._fragmenter.mode != "whole":
                    await self._write(self._fragmenter.flush())
                await self._places()

    async def _put(self, data: bytes) -> None:
        """Write an event or a comment with the answer's line ends, stopping at each place inside."""
        data = data.replace(b"\n", self._newline)
        while data:
            if self._ended:
                raise _Over
            starts = (place.bytes for place in self._pending.values())
            ahead = [start - self._bytes for start in starts if start is not None]
            size = min([len(data), *(left for left in ahead if left > 0)])
            await self._write(self._fragmenter.feed(data[:size]))
            self._bytes += size
            self._sent = self._clock()
            data = data[size:]
            if data:
                await self._places()

    async def _places(self) -> None:
        """Act on every fault whose place has been reached."""
        for name, place in list(self._pending.items()):
            if place.bytes == self._bytes or place.events == self._events:
                del self._pending[name]
                await self._act(name)

    async def _act(self, name: str) -> None:
        await self._write(self._fragmenter.flush())
        if name == "truncate":
            await self._finish()
            raise _Over
        if name == "stall":
            if self._controls.stall is not None and self._controls.stall.seconds is not None:
                await asyncio.sleep(self._controls.stall.seconds)
                return
        else:
            self._ended = True
            if self._connection is None:
                raise ConnectionCut(f"x-hangang-{name}")
            if name == "cut":
                self._connection.cut()
            else:
                # RST may overtake what the client has not read yet, so let it read first.
                await asyncio.sleep(0.02)
                self._connection.reset()
        # Nothing more is sent; the client's disconnect ends this answer.
        await asyncio.Event().wait()

    async def _finish(self) -> None:
        if not self._ended:
            self._ended = True
            await self._write(self._fragmenter.flush())
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _write(self, fragments: list[bytes]) -> None:
        for fragment in fragments:
            await self._send({"type": "http.response.body", "body": fragment, "more_body": True})
            # Let the event loop put this write on the socket before the next one is made.
            await asyncio.sleep(0)


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
