"""A client object for each event loop: connections belong to the loop that opened them.

So a client of ours can be made anywhere, and `asyncio.run` may be called with it as often as one likes. Each
client object is closed at the end of its loop, which tells the server so at once. A loop that only stops, or
is closed without its async generators, does not do that: its client objects are dropped later.
"""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from typing import Any

from .guard import is_on_asyncio

__all__ = ["PerLoop"]


_Kept = tuple[Any, Any, AsyncGenerator[None] | None]  # loop, client object, its keeper


class PerLoop:
    """Makes, keeps and closes the client objects of one adapter.

    Args:
        make: makes one, in the loop that will use it.
        close: closes one, in that loop.
        first: one that was made already, for the first loop.
        drop: gives one up whose loop does not run, if its library complains of those that are not closed.
    """

    def __init__(
        self,
        make: Callable[[], Any],
        close: Callable[[Any], Awaitable[None]],
        first: Any = None,
        drop: Callable[[Any], None] | None = None,
    ) -> None:
        self._make = make
        self._close = close
        self._first = first
        self._drop = drop
        self._lock = threading.Lock()
        self._begin()
        self._parents: list[Any] = []  # closing these would break connections of the process that forked us
        self._is_closed = False

    def _begin(self) -> None:
        """Keep nothing yet, in this process."""
        self._process = os.getpid()
        self._kept: list[_Kept] = []
        if self._drop is not None:
            weakref.finalize(self, _drop_all, self._kept, self._drop, self._process)

    async def here(self) -> Any:
        """The client object of the running loop.

        Raises:
            RuntimeError: it was closed.
        """
        running = _running()
        with self._lock:
            if self._is_closed:
                raise RuntimeError("cannot send a request: the client was closed")
            if self._process == os.getpid():
                for loop, client, _ in self._kept:
                    if loop is running:
                        return client
            ended = self._ended()
            client, self._first = self._first, None
            if client is None:
                client = self._make()
            # trio warns of each async generator that is collected.
            keeper = _keeper(client, self._close) if is_on_asyncio() else None
            self._kept.append((running, client, keeper))
        if keeper is not None:
            await anext(keeper)
        await self._close_all(ended)
        return client

    async def close(self) -> None:
        """Close what can be closed here: the client object of this loop, and one that no loop has used.

        Those of loops that run in other threads are closed with their loops.
        """
        running = _running()
        with self._lock:
            self._is_closed = True
            ended = self._ended()
            mine = [kept for kept in self._kept if kept[0] is running]
            self._kept[:] = [kept for kept in self._kept if kept[0] is not running]
            first, self._first = self._first, None
        for _, client, keeper in mine:
            await (self._close(client) if keeper is None else keeper.aclose())
        if first is not None:
            await self._close(first)
        await self._close_all(ended)

    def _ended(self) -> list[Any]:
        """Take out the client objects of loops that are over, and put those of the parent process aside."""
        if self._process != os.getpid():
            self._parents += self._kept
            self._begin()
        ended = [client for loop, client, _ in self._kept if _has_ended(loop)]
        self._kept[:] = [kept for kept in self._kept if kept[1] not in ended]
        return ended

    async def _close_all(self, ended: list[Any]) -> None:
        """Close client objects whose loop was closed before its async generators: nothing waits any more."""
        for client in ended:
            with suppress(RuntimeError):  # httpx uses the loop
                await self._close(client)


def _drop_all(kept: list[_Kept], drop: Callable[[Any], None], process: int) -> None:
    """Drop the client objects whose loop does not run. Of one that runs, the keeper closes them."""
    if process != os.getpid():
        return  # their sockets, and what their loop waits for, are the parent's
    for loop, client, _ in kept:
        if not loop.is_running():
            drop(client)


async def _keeper(client: Any, close: Callable[[Any], Awaitable[None]]) -> AsyncGenerator[None]:
    """Closes a client object when it is closed itself.

    A loop closes the async generators that were begun in it: `asyncio.run` does so before it ends, and the
    loop also when one is collected.
    """
    try:
        yield
    finally:
        await close(client)


def _running() -> Any:
    """The running loop; on trio the token of the run."""
    if is_on_asyncio():
        return asyncio.get_running_loop()
    from trio.lowlevel import current_trio_token

    return current_trio_token()


def _has_ended(loop: Any) -> bool:
    if isinstance(loop, asyncio.AbstractEventLoop):
        return loop.is_closed()
    try:
        loop.run_sync_soon(_nothing)
    except RuntimeError:  # trio's RunFinishedError
        return True
    return False


def _nothing() -> None:
    pass
