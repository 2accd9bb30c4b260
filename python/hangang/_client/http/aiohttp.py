"""The adapter for aiohttp, which costs about what a bare socket costs. No type of its leaves this module.

Where aiohttp must be helped:
- A `ClientSession` can only be made in the event loop it belongs to. See `PerLoop`.
- Bad chunked encoding closes the connection, but does not end a read that waits; nor does `sock_read`.
  `_Chunks` watches the connection.
- A body without a length ends with its connection. aiohttp takes a connection that was reset for such an end.
- An exception that a broken connection sets hides what arrived before it. `_Chunks` delivers that first.
- `sock_read` starts a timer anew with each read. It is used for the head; `_Chunks` has one timer a stream.
- asyncio, but not uvloop, allocates 256 KiB for each `recv`, which the allocator gets from the system and
  gives back: that took half of a live event's CPU. `_Chunks` makes it 64 KiB.
- `ClientResponseError` shows the request with its headers, in its repr: it is replaced.
- A session that nobody closes is an error in the log, also where its loop has ended. See `_drop`.

What cannot be helped: bytes that arrive in one piece with the head are lost if bytes after them, in the same
piece, are not valid HTTP. The call then fails before any event.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, Self

from .. import tracebacks
from . import decode
from .environment import Proxies, tls_context
from .interface import AsyncReply, Auth, HTTPRequest, Reason, Reply, Timeouts
from .loops import PerLoop

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["AsyncAIOHTTP", "make", "wrap"]

_HEADER_BYTES = 100 * 1024  # longest line of a head, as in httpx
_HEADERS = 1000
_PIECE = 1 << 16  # bytes of a request's body that are written under one time limit
_READ = 1 << 16  # bytes that are received at a time, at most


def make(library: ModuleType, is_async: bool, base_url: str) -> AsyncAIOHTTP:
    """An adapter with sessions of its own."""
    tls = tls_context()

    def session() -> Any:
        return library.ClientSession(
            # A stream holds its connection for as long as the answer takes: no cap on how many.
            connector=library.TCPConnector(limit=0, ssl=tls, keepalive_timeout=5.0),
            cookie_jar=library.DummyCookieJar(),
            trust_env=False,
        )

    adapter = AsyncAIOHTTP(library, None, PerLoop(session, lambda made: made.close(), drop=_drop))
    adapter.proxies.for_url(base_url)  # raises early
    return adapter


def _drop(session: Any) -> None:
    """Close a session whose loop does not run: nothing can be awaited."""
    connector = session.connector
    session.detach()
    if connector is not None:
        connector.__exit__(None, None, None)  # `close` would make a task of the loop


def wrap(library: ModuleType, client: Any, is_async: bool) -> AsyncAIOHTTP:
    """An adapter for a session of the caller."""
    if not isinstance(client, library.ClientSession):
        raise TypeError(f"http_client must be an aiohttp.ClientSession, not a {type(client).__name__}")
    return AsyncAIOHTTP(library, client)


class AsyncAIOHTTP:
    """Sends by awaiting, on asyncio and uvloop."""

    name = "aiohttp"

    def __init__(self, library: ModuleType, session: Any, sessions: PerLoop | None = None) -> None:
        self._library = library
        self._url: Any = importlib.import_module("yarl").URL
        self.http = session
        self._sessions = sessions  # ours; None for one of the caller's, which is for one loop
        self.proxies = Proxies()
        self.failures: tuple[type[Exception], ...] = (library.ClientError, OSError)
        self.timeouts: tuple[type[Exception], ...] = (TimeoutError,)
        self.unreachable: tuple[type[Exception], ...] = (library.ClientConnectorError, ProxyError)

    def own_timeouts(self) -> Timeouts:
        """The session's `sock_connect` and `sock_read`. Its `total`, by default 300 s, would cut streams."""
        limits = self.http.timeout
        return {
            "connect": limits.sock_connect,
            "read": limits.sock_read,
            "write": None,
            "pool": limits.connect,
        }

    def host_of(self, url: str) -> str:
        """See `Adapter.host_of`."""
        return self._url(url).raw_host or ""

    def reason(self, error: BaseException) -> Reason | None:
        """See `Adapter.reason`."""
        library = self._library
        if isinstance(error, library.ServerDisconnectedError):
            return Reason.NO_ANSWER
        if isinstance(error, library.ClientPayloadError):
            words = str(error)
            return Reason.CUT_SHORT if "Not enough data" in words else Reason.NOT_HTTP
        if isinstance(error, library.ConnectionTimeoutError):
            return Reason.CONNECTING
        if isinstance(error, library.SocketTimeoutError):
            return Reason.NOTHING
        return Reason.SENDING if isinstance(error, TimeoutError) else None

    async def send(self, request: HTTPRequest, auth: Auth) -> AsyncReply:
        """See `Adapter.send`."""
        handled, library = sys.exception(), self._library
        session, proxy = self.http, None
        if self._sessions is not None:
            session, proxy = await self._sessions.here(), self.proxies.for_url(request.url)
            self.http = session
        url = self._url(request.url, encoded=request.url.isascii())
        limits = request.timeouts
        timeout = library.ClientTimeout(
            total=None,
            connect=limits.get("pool"),
            sock_connect=limits.get("connect"),
            sock_read=limits.get("read"),
        )
        refusal, words = library.ClientPayloadError, str(Reason.NOT_HTTP)
        for _ in range(2):
            # The loop may not have seen yet that the server closed a connection of the pool: let it look.
            await asyncio.sleep(0)
        try:
            async with asyncio.timeout(None) as writing:
                response = await session.request(
                    request.method,
                    url,
                    headers=_Headers(request.headers, auth, proxy if url.scheme == "http" else None),
                    data=_body(request, writing),
                    allow_redirects=False,
                    raise_for_status=False,
                    auto_decompress=False,
                    timeout=timeout,
                    max_line_size=_HEADER_BYTES,
                    max_field_size=_HEADER_BYTES,
                    max_headers=_HEADERS,
                    proxy=None if proxy is None else proxy.url,
                    proxy_headers=None if proxy is None else proxy.headers,
                )
        except library.ClientResponseError as error:
            if isinstance(error, library.ClientHttpProxyError):
                refusal = ProxyError
                words = f"the proxy refused the connection with status {error.status}"
            response = None
        except BaseException as error:  # cancellation too
            tracebacks.cut(error, handled)
            raise
        if response is None:  # here, so that the error that shows the request is not the context of this one
            raise refusal(words)
        chunks = _Chunks(library, response, limits.get("read"))
        headers = _merged(response.headers)
        encoding = headers.get("content-encoding", "")
        body = chunks if decode.is_identity(encoding) else decode.adecoded(chunks, encoding)
        return Reply(response.status, headers, body, chunks.close, _ignore, chunks.interrupt)

    async def close(self) -> None:
        """Close the session."""
        await (self.http.close() if self._sessions is None else self._sessions.close())


class ProxyError(OSError):
    """The proxy made no tunnel. Its name is in the message, as with the other libraries."""


class _Headers(dict[str, str]):
    """The headers of a request, with those that hold a key. Its repr shows none."""

    def __init__(self, headers: Mapping[str, str], auth: Auth, proxy: Any) -> None:
        super().__init__(headers)
        auth.put_into(self)
        if proxy is not None:
            self.update(proxy.headers)

    def __repr__(self) -> str:
        return "<headers>"


def _body(request: HTTPRequest, writing: asyncio.Timeout) -> Any:
    """A long body in pieces, each with the time limit for writing, which aiohttp does not have."""
    content, limit = request.content, request.timeouts.get("write")
    if content is None or len(content) <= _PIECE or limit is None:
        return content
    return _pieces(content, limit, writing)


async def _pieces(content: bytes, limit: float, writing: asyncio.Timeout) -> AsyncIterator[bytes]:
    time = asyncio.get_running_loop().time
    for at in range(0, len(content), _PIECE):
        writing.reschedule(time() + limit)
        yield content[at : at + _PIECE]
    writing.reschedule(None)


class _Chunks:
    """The body in the pieces that arrive."""

    def __init__(self, library: ModuleType, response: Any, limit: float | None) -> None:
        self._response = response
        self._content: Any = response.content
        self._readany: Any = response.content.readany
        self._payload_error: Any = library.ClientPayloadError
        self._timeout_error: Any = library.SocketTimeoutError
        self._limit = limit
        self._since: float | None = None  # since when a read waits
        self._timer: asyncio.TimerHandle | None = None
        self._gone: Any = None
        loop = asyncio.get_running_loop()
        self._time = loop.time
        self._call_at = loop.call_at
        connection = response.connection
        if connection is None:
            return  # the body came with the head
        protocol = connection.protocol
        protocol.read_timeout = None
        protocol.start_timeout()  # that is: stop it
        transport = connection.transport
        if getattr(transport, "max_size", 0) > _READ:
            transport.max_size = _READ
        self._gone = protocol.closed
        if self._gone is not None:
            self._gone.add_done_callback(self._lost)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        self._since = self._time()
        if self._timer is None and self._limit is not None:
            self._timer = self._call_at(self._since + self._limit, self._check)
        try:
            chunk: bytes = await self._readany()
        except Exception as error:
            chunk = self._arrived_before(error)
            if not chunk:
                self._explain(error)
                raise
        finally:
            self._since = None
        if chunk:
            return chunk
        if (lost := self._cause()) is not None:
            raise self._payload_error("the connection was lost") from lost
        raise StopAsyncIteration

    def _arrived_before(self, error: Exception) -> bytes:
        """What arrived before an error. The next read raises the error again."""
        if self._response.closed and self._gone is None:
            return b""
        content = self._content
        content.set_exception(None)
        try:
            arrived: bytes = content.read_nowait()
        finally:
            content.set_exception(error)
        return arrived

    def _explain(self, error: Exception) -> None:
        """Make the system's error the cause of the one that is raised: aiohttp keeps only its text."""
        if (lost := self._cause()) is not None and error.__cause__ is not lost:
            error.__cause__ = lost

    def _cause(self) -> BaseException | None:
        """The system's error if the connection broke, None if it was closed or lives."""
        gone = self._gone
        if gone is None or not gone.done() or gone.cancelled() or (error := gone.exception()) is None:
            return None
        cause: BaseException = error.__cause__ or error
        return cause

    def _lost(self, gone: asyncio.Future[None]) -> None:
        """The connection is closed: end a read that aiohttp leaves waiting."""
        if not gone.cancelled():
            gone.exception()  # seen
        content = self._content
        if not content.is_eof() and content.exception() is None:
            content.set_exception(self._payload_error("Response payload is not valid"))

    def _check(self) -> None:
        """End a read that has waited too long; else look again when it will have."""
        self._timer = None
        if self._since is None or self._limit is None:
            return  # the next read starts the timer again: one that starts itself would keep a dropped stream
        until = self._since + self._limit
        if until <= self._time():
            if self._content.exception() is None:
                self._content.set_exception(self._timeout_error("Timeout on reading data from socket"))
        else:
            self._timer = self._call_at(until, self._check)

    def interrupt(self) -> None:
        """End a read that waits."""
        if not self._content.is_eof() and self._content.exception() is None:
            self._content.set_exception(self._payload_error("interrupted"))

    async def close(self) -> None:
        """Close the connection unless the body was read to its end. Nothing in it can be cancelled."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._gone is not None:
            self._gone.remove_done_callback(self._lost)
        connection = self._response.connection
        if connection is not None and connection.transport is not None:
            connection.transport.abort()  # `close` would wait for the other side of a TLS connection
        self._response.close()


def _merged(headers: Any) -> Mapping[str, str]:
    """The headers under lower-case names; lines of the same name joined, as in httpx."""
    merged: Any = importlib.import_module("multidict").CIMultiDict()
    for name, value in headers.items():
        name = name.lower()
        merged[name] = f"{merged[name]}, {value}" if name in merged else value
    found: Mapping[str, str] = merged
    return found


def _ignore(_: Exception) -> None:
    pass
