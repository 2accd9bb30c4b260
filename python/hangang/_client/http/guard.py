"""Cancellation on asyncio that leaves no connection busy.

`Task.cancel()` raises in whatever the task awaits, and a second call raises in the code that cleans up after
the first. httpx's pool then keeps a connection that nobody uses and nobody closes; the shields of anyio do
not help, because they only keep anyio's own cancellation out. So what httpx awaits is driven from here: the
first cancellation reaches it, and those that follow wait until it has cleaned up.

On trio everything passes through unchanged: there a shield is one.
"""

from __future__ import annotations

import asyncio
import types
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import suppress
from time import monotonic
from typing import Any, Self, TypeVar, cast

__all__ = ["Connecting", "GuardedChunks", "Reads", "guarded", "is_on_asyncio"]

T = TypeVar("T")

_END = object()
_NOT_BEGUN = object()
_CLEANUP_SECONDS = 5.0  # what has not cleaned up by then is cancelled again


def is_on_asyncio() -> bool:
    """Whether an event loop of asyncio runs here, and not trio."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class Connecting:
    """Follows a request of httpx to the moment when its connection is complete but not in use.

    httpx has to wait for a lock there. A cancellation at that wait would leave the connection in the pool for
    good: it counts as new, so it is neither used again nor closed.
    """

    __slots__ = ("is_between",)

    def __init__(self) -> None:
        self.is_between = False

    async def trace(self, event: str, _: Any) -> None:
        """httpx's request extension of this name; it is called at the steps of a request."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            self.is_between = True
        elif event.endswith(("start_tls.started", "send_request_headers.started")):
            self.is_between = False


class Reads:
    """Ends the reads of a body on asyncio: one that waits longer than `limit`, or any on `end`.

    It has one timer for all of them: httpx starts and cancels one for each read, at 7 % of its whole time.
    """

    __slots__ = (
        "_cancelling", "_error", "_limit", "_loop", "_timer", "_was_ended", "since", "task", "waited",
    )  # fmt: skip

    def __init__(self, limit: float | None, error: Callable[[], Exception]) -> None:
        self._limit = limit
        self._error = error
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._cancelling = 0  # requests to cancel the task when a read was ended
        self._was_ended = False
        self.task: weakref.ref[Any] | None = None  # which reads; None: see `begin`
        self.since: float | None = None  # since when a read waits
        self.waited: Any = None  # for this future

    def begin(self) -> None:
        """A read is the first, or the first after a pause. Not called for each: `current_task` is slow."""
        task = asyncio.current_task()
        self.task = None if task is None else weakref.ref(task)
        if self._timer is None and self._limit is not None:
            self._timer = self._loop.call_later(self._limit, self._check)

    def _check(self) -> None:
        self._timer = None
        if self.since is None or self._limit is None:
            self.task = None  # the next read begins anew: a timer of its own would outlive its stream
            return
        left = self.since + self._limit - monotonic()
        if left > 0:
            self._timer = self._loop.call_later(left, self._check)
        else:
            self.end()

    def end(self) -> None:
        """End a read that waits."""
        if self.since is None or self._was_ended:  # the limit of a read and `total_timeout` may pass together
            return
        if self.waited is None:  # `sleep(0)`
            self._loop.call_soon(self.end)
            return
        task = None if self.task is None else self.task()
        self._cancelling = 0 if task is None else task.cancelling()
        self._was_ended = self.waited.cancel()

    def stop(self) -> None:
        """Nothing is read any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def error(self) -> Exception | None:
        """What a read that was cancelled raises instead, unless its task was cancelled too."""
        task = asyncio.current_task()
        is_ours = self._was_ended and (task is None or task.cancelling() <= self._cancelling)
        return self._error() if is_ours else None


@types.coroutine
def guarded(
    work: Awaitable[T] | Generator[Any, Any, T],
    from_start: bool = False,
    connecting: Connecting | None = None,
    reads: Reads | None = None,
) -> Generator[Any, Any, T]:
    """Await `work`. With `from_start` even the first cancellation waits until it is done."""
    inner: Any = work if isinstance(work, types.GeneratorType) else cast("Any", work).__await__()
    try:
        waited = inner.send(None)
        if from_start and (waited is None or isinstance(waited, asyncio.Future)):
            result: T = yield from _shielded(inner, waited, None)
            return result
        while True:
            if reads is not None:
                reads.waited, reads.since = waited, monotonic()
                if reads.task is None:
                    reads.begin()
            try:
                sent = yield waited
            except asyncio.CancelledError as error:
                if connecting is not None and connecting.is_between and waited is None:
                    waited = inner.send(None)
                    if isinstance(waited, asyncio.Future):
                        waited.cancel()
                waited = inner.throw(error)
                if not _is_of_anyio(error):
                    result = yield from _shielded(inner, waited, error)
                    return result
            except GeneratorExit:
                inner.close()
                raise
            except BaseException as error:  # trio's cancellation
                waited = inner.throw(error)
            else:
                waited = inner.send(sent)
    except StopIteration as end:
        result = end.value
        return result
    except asyncio.CancelledError:
        if reads is not None and (instead := reads.error()) is not None:
            raise instead from None
        raise
    finally:
        if reads is not None:
            reads.since = None


def _shielded(inner: Any, waited: Any, first: asyncio.CancelledError | None) -> Generator[Any, Any, Any]:
    """Drive a coroutine to its end, even if its task is cancelled; then raise what was held back.

    `waited` is what the coroutine yielded. A future cannot be passed on to the task, which would cancel it:
    the task waits for another one, which is set when this one is done.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + _CLEANUP_SECONDS
    held_back = first
    while True:
        passed_on: asyncio.CancelledError | None = None
        if waited is None:  # `sleep(0)`
            try:
                yield None
            except asyncio.CancelledError as error:
                if _is_of_anyio(error):
                    passed_on = error
                else:
                    held_back = held_back or error
        else:
            waited._asyncio_future_blocking = False  # what its own `await` in a task would do
            while not waited.done():
                woken = loop.create_future()
                wake = _waker(woken)
                waited.add_done_callback(wake)
                try:
                    yield from woken
                except asyncio.CancelledError as error:
                    if _is_of_anyio(error) or loop.time() > until:
                        waited.cancel()
                        passed_on = error
                        break
                    held_back = held_back or error
                finally:
                    waited.remove_done_callback(wake)
        try:
            waited = inner.send(None) if passed_on is None else inner.throw(passed_on)
        except StopIteration as end:
            if held_back is not None:
                raise held_back from None
            return end.value


def _is_of_anyio(error: asyncio.CancelledError) -> bool:
    """Whether a cancel scope raised it. Those inside need it to end; those outside respect shields."""
    return bool(error.args) and "cancel scope" in str(error.args[0])


def _waker(woken: asyncio.Future[None]) -> Any:
    def wake(_: object) -> None:
        if not woken.done():
            woken.set_result(None)

    return wake


@types.coroutine
def _steps(chunks: Any) -> Generator[Any, Any, None]:
    """The chunks of an async iterator, before each of them what it waits for, and `_END` from the end on.

    To drive the iterator in here costs half of what it costs to send to each of its steps: there a chunk is
    an exception that must be caught.
    """
    try:
        while True:
            yield (yield from anext(chunks))
    except StopAsyncIteration:
        while True:
            yield _END


def _chunk(steps: Generator[Any, Any, None], waited: Any) -> Generator[Any, Any, bytes]:
    """The next chunk of `steps`, for `guarded`; `waited`: what it waits for, if it has begun."""
    item: Any = steps.send(None) if waited is _NOT_BEGUN else waited
    while type(item) is not bytes:
        if item is _END:
            raise StopAsyncIteration
        if isinstance(item, bytes | bytearray | memoryview):  # of a transport of the caller's
            return bytes(cast("bytes", item))
        try:
            sent = yield item
        except GeneratorExit:
            steps.close()
            raise
        except BaseException as error:  # a cancellation
            item = steps.throw(error)
        else:
            item = steps.send(sent)
    return item


class GuardedChunks:
    """An async iterator, each of whose steps is `guarded`.

    Not for `anext(chunks, default)`, which awaits a step anew each time that it is resumed.
    """

    __slots__ = ("_chunks", "_reads", "_steps", "_waited", "step")

    def __init__(self, chunks: AsyncIterator[bytes], reads: Reads | None) -> None:
        self._chunks: Any = chunks
        # `types.coroutine` lets it await, and remains a generator, which its type does not say.
        self._steps: Generator[Any, Any, None] = cast("Any", _steps(chunks))
        self._waited: Any = _NOT_BEGUN  # see `begun`
        self._reads = reads
        #: `step(None)` is the next chunk, if that arrived together with the one before it. Whatever else it
        #: returns goes to `begun`. To await a chunk that needs no wait costs three times as much.
        self.step: Callable[[None], Any] = self._steps.send

    def __aiter__(self) -> Self:
        return self

    def __anext__(self) -> Awaitable[bytes]:
        waited, self._waited = self._waited, _NOT_BEGUN
        return guarded(_chunk(self._steps, waited), reads=self._reads)

    def begun(self, waited: Any) -> None:
        """Take what `step` returned in the place of a chunk.

        The next chunk must be awaited at once: its read has begun, perhaps within a scope of anyio.
        """
        self._waited = waited

    async def finish(self, is_disconnected: bool) -> None:
        """Close the iterator; what runs in another task is left alone.

        Closing a generator leaves those inside it to the collector: trio warns of each, asyncio makes a task
        for each. After its connection was closed nothing is left to read, and a step ends them all.
        """
        if self._reads is not None:
            self._reads.stop()
        with suppress(Exception):  # the error of a closed connection
            while is_disconnected:
                await guarded(self._chunks.__anext__(), from_start=True)
        with suppress(RuntimeError):
            await guarded(self._chunks.aclose(), from_start=True)
