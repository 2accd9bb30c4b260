"""Answers sent under the controls: pacing, fragments, keep-alives and faults.

`Answer` is the only response class that services use, for streams and one-shot bodies alike. It
runs the frames of a service through these steps, in this order: faults that change frames
(`error`, `malformed`, `no_end`), pacing, line ends, faults that have a place in the bytes
(`stall`, `cut`, `truncate`, `reset`), and the cut into fragments.

How a connection ends early: under `hangang.emulator`'s own server the protocol puts itself into
the ASGI scope (`extensions["hangang.connection"]`). `cut` flushes what was sent and closes the
transport without the last HTTP chunk; `reset` sets SO_LINGER to zero and aborts, which sends RST.
Under another ASGI server neither is reachable, so `Answer` raises `ConnectionCut`, and a server
such as plain uvicorn closes the connection, also without the last chunk (and logs the exception).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Protocol

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ._controls import Controls, Malformed, Place
from ._fragments import Fragmenter
from ._state import State

CONNECTION = "hangang.connection"


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


@dataclass(frozen=True, slots=True)
class Framing:
    """How a service frames events: its line ends, and its keep-alive (None: the service has none)."""

    newline: str = "lf"
    comment: Callable[[], bytes] | None = None


def keep_alive_comment() -> bytes:
    """The keep-alive of vLLM ([openai §6])."""
    return b": keep-alive\n\n"


SSE = Framing(comment=keep_alive_comment)
BODY = Framing(newline="body")


class Answer(Response):
    """A response whose body is a series of frames.

    Args:
        frames: the events; an asynchronous source paces itself.
        controls: the request's controls.
        state: where open streams are counted.
        framing: line ends and keep-alive.
        error_frames: the service's in-stream error for a code.
        random: the source of fragment sizes.
        status: HTTP status.
        headers: response headers; one-shot bodies bring their own Content-Length.
    """

    def __init__(
        self,
        frames: Iterable[Frame] | AsyncIterable[Frame],
        *,
        controls: Controls,
        state: State,
        framing: Framing = SSE,
        error_frames: Callable[[str | None], Iterable[Frame]] | None = None,
        random: Random | None = None,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status_code = status
        self.background: Any = None
        self.init_headers(headers)
        self._frames = frames
        self._controls = controls
        self._state = state
        self._framing = framing
        self._error_frames = error_frames
        self._random = random or Random(controls.seed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer; stop at once if the client leaves."""
        self._state.open_streams += 1
        # The request's body has been read, so the next message can only be the disconnect.
        leaving = asyncio.ensure_future(_until_disconnect(receive))
        sending = asyncio.ensure_future(self._send(scope, send))
        try:
            await asyncio.wait((leaving, sending), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._state.open_streams -= 1
            await _stop(leaving)
            await _stop(sending)
        if not sending.cancelled():
            sending.result()

    async def _send(self, scope: Scope, send: Send) -> None:
        if self._controls.delay:
            await asyncio.sleep(self._controls.delay)
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        connection: Connection | None = scope.get("extensions", {}).get(CONNECTION)
        writer = _Writer(send, self._controls, self._framing, self._random, connection)
        if not await writer.begin():
            return
        frames = self._planned()
        if isinstance(self._frames, AsyncIterable):
            frames = writer.lively(frames)
        interval = 1 / self._controls.rate if self._controls.rate else 0.0
        clock = asyncio.get_running_loop().time
        due = clock()
        async for frame in frames:
            if interval and frame.paced:
                if due > clock():
                    await writer.wait(due - clock())
                # After a stall the rate continues from now: the lost time is not made up for.
                due = max(due + interval, clock())
            if not await writer.frame(frame.data):
                return
        await writer.finish()

    async def _planned(self) -> AsyncIterator[Frame]:
        """The frames after `error`, `malformed` and `no_end`."""
        controls = self._controls
        error = controls.error if self._error_frames is not None else None
        count = 0
        async for frame in _each(self._frames):
            if error is not None and self._error_frames is not None and count == error.after:
                for failed in self._error_frames(error.code):
                    yield failed
                return
            if controls.no_end and frame.end:
                continue
            count += 1
            if controls.malformed is not None and controls.malformed.event == count:
                yield replace(frame, data=spoil(frame.data, controls.malformed))
            else:
                yield frame


def one_shot(
    body: bytes,
    *,
    controls: Controls,
    state: State,
    media_type: str = "application/json",
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """A whole body with its Content-Length; fragments and places apply to it as to a stream."""
    if controls.malformed is not None and controls.malformed.event == 1:
        body = spoil(body, controls.malformed)
    end = controls.truncate
    if end is not None and end.bytes is not None and not controls.cut and not controls.reset:
        body = body[: end.bytes]
    plan = replace(controls, error=None, no_end=False, malformed=None, truncate=None)
    return Answer(
        [Frame(body, paced=False)],
        controls=plan,
        state=state,
        framing=BODY,
        status=status,
        headers={
            **(headers or {}),
            "content-type": media_type,
            "content-length": str(len(body)),
        },
    )


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


class _Writer:
    """Puts bytes on the wire: fragments, keep-alives, and faults that have a place."""

    def __init__(
        self,
        send: Send,
        controls: Controls,
        framing: Framing,
        random: Random,
        connection: Connection | None,
    ) -> None:
        self._ended = False
        self._send = send
        self._framing = framing
        self._newline = _newline(controls.newline, framing)
        self._fragmenter = Fragmenter(controls.fragments, random)
        self._random = random
        self._connection = connection
        self._keepalive = controls.keepalive if framing.comment is not None else None
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
        await self._put(self._with_newlines(data))
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

    async def lively(self, frames: AsyncIterator[Frame]) -> AsyncIterator[Frame]:
        """The same frames; while the source is silent, a keep-alive at each interval."""
        if not self._keepalive:
            async for frame in frames:
                yield frame
            return
        while True:
            step = asyncio.ensure_future(anext(frames, None))
            try:
                while not (await asyncio.wait((step,), timeout=self._keepalive))[0]:
                    await self._comment()
            finally:
                await _stop(step)
            found = step.result()
            if found is None:
                return
            yield found

    async def _places(self) -> None:
        """Act on every fault whose place has been reached."""
        for name, place in list(self._pending):
            if self._ended:
                return
            if place.bytes == self._bytes or place.events == self._events:
                self._pending.remove((name, place))
                await self._act(name)

    async def _comment(self) -> None:
        if self._framing.comment is None or self._ended:
            return
        await self._put(self._with_newlines(self._framing.comment()))
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
        elif name == "truncate":
            await self.finish()
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
            # Nothing more is sent; the disconnect that follows ends this answer.
            await asyncio.Event().wait()

    async def _flush(self) -> None:
        await self._write(self._fragmenter.flush())

    async def _write(self, fragments: list[bytes]) -> None:
        for fragment in fragments:
            await self._send({"type": "http.response.body", "body": fragment, "more_body": True})
            # Let the event loop put this write on the socket before the next one is made.
            await asyncio.sleep(0)

    def _with_newlines(self, data: bytes) -> bytes:
        if self._newline == b"\n":
            return data
        return data.replace(b"\n", self._newline)


def _newline(control: str | None, framing: Framing) -> bytes:
    names = {"lf": b"\n", "crlf": b"\r\n", "cr": b"\r", "none": b""}
    if framing.newline == "body":  # a one-shot body is sent as it is
        return b"\n"
    if control == "none" and framing.newline != "none":
        return names[framing.newline]  # SSE cannot do without line ends
    return names[control or framing.newline]


async def _each(frames: Iterable[Frame] | AsyncIterable[Frame]) -> AsyncIterator[Frame]:
    if isinstance(frames, AsyncIterable):
        async for frame in frames:
            yield frame
    else:
        for frame in frames:
            yield frame


async def _until_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _stop(task: asyncio.Future[Any]) -> None:
    if not task.done():
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
