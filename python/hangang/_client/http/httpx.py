"""Adapters for httpx and httpx2, written against what both share. No type of theirs leaves this module.

- All clients of a process share one TLS context: making one reads every trusted certificate, which takes
  50 ms. Nothing of a client is in it.
- No cookie is kept: it would go out with the requests of another user of the same client.
- The key is put into a request after the library has built it: building can fail, and its frames would show
  the key in a traceback. See also `tracebacks`.
"""

from __future__ import annotations

import functools
import os
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from http.cookiejar import CookieJar
from typing import TYPE_CHECKING, Any, Self, cast
from urllib.parse import urlsplit

from .. import tracebacks
from . import decode
from .guard import Connecting, GuardedChunks, Reads, guarded, is_on_asyncio
from .interface import AsyncReply, Auth, HTTPRequest, Reason, Reply, SyncReply, Timeouts, is_loopback
from .loops import PerLoop

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["AsyncHTTPX", "SyncHTTPX", "make", "wrap"]


def make(library: ModuleType, is_async: bool, base_url: str) -> SyncHTTPX | AsyncHTTPX:
    """An adapter with a client object of its own."""
    # A proxy from the environment would carry a plain loopback request to another host.
    trust_env = not is_loopback(urlsplit(base_url).hostname or "")
    tls = _tls_context(library, trust_env, os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))

    def client() -> Any:
        return (library.AsyncClient if is_async else library.Client)(
            verify=tls,
            # A stream holds its connection for as long as the answer takes: no cap on how many.
            limits=library.Limits(max_connections=None, max_keepalive_connections=100),
            follow_redirects=False,
            trust_env=trust_env,
            cookies=_NoCookies(),
        )

    first = client()  # raises early
    if not is_async:
        return SyncHTTPX(library, first)
    return AsyncHTTPX(library, first, PerLoop(client, lambda made: made.aclose(), first))


class _NoCookies(CookieJar):
    """A jar that stays empty; the header is not even parsed."""

    def extract_cookies(self, response: Any, request: Any) -> None:
        """Keep nothing."""


def wrap(library: ModuleType, client: Any, is_async: bool) -> SyncHTTPX | AsyncHTTPX:
    """An adapter for a client object of the library; TypeError if it is of the other kind."""
    if hasattr(client, "aclose") != is_async:
        wanted = "AsyncClient" if is_async else "Client"
        raise TypeError(f"http_client must be a {library.__name__}.{wanted} here")
    return (AsyncHTTPX if is_async else SyncHTTPX)(library, client)


@functools.lru_cache(maxsize=8)
def _tls_context(library: ModuleType, trust_env: bool, _file: str | None, _folder: str | None) -> Any:
    # The two variables are part of the key because the library reads them.
    return library.create_ssl_context(trust_env=trust_env)


class _HTTPX:
    """What the sync and the async adapter share."""

    def __init__(self, library: ModuleType, client: Any) -> None:
        self.name = library.__name__
        self.http = client
        self._library = library
        self._request_error: Any = library.RequestError
        self._url: Any = library.URL
        self._invalid_url: type[Exception] = library.InvalidURL
        self.failures: tuple[type[Exception], ...] = (self._request_error, library.StreamError, OSError)
        self.timeouts: tuple[type[Exception], ...] = (library.TimeoutException, TimeoutError)
        self.unreachable: tuple[type[Exception], ...] = (library.ConnectError, library.ProxyError)

    def own_timeouts(self) -> Timeouts:
        """The time limits of the client object."""
        limits: Timeouts = self.http.timeout.as_dict()
        return limits

    def host_of(self, url: str) -> str:
        """See `Adapter.host_of`."""
        try:
            host: bytes = self._url(url).raw_host
        except self._invalid_url as error:
            raise ValueError(str(error)) from None
        return host.decode("ascii")

    def reason(self, error: BaseException) -> Reason | None:
        """See `Adapter.reason`."""
        library = self._library
        if isinstance(error, library.RemoteProtocolError):
            words = str(error)
            if words.startswith("Server disconnected"):
                return Reason.NO_ANSWER
            return Reason.CUT_SHORT if words.startswith("peer closed") else Reason.NOT_HTTP
        if isinstance(error, library.ConnectTimeout):
            return Reason.CONNECTING
        if isinstance(error, library.WriteTimeout):
            return Reason.SENDING
        return Reason.NOTHING if isinstance(error, library.ReadTimeout) else None

    def _build(self, http: Any, request: HTTPRequest, auth: Auth) -> Any:
        built = http.build_request(
            request.method,
            request.url,
            headers=request.headers,
            content=request.content,
            extensions={"timeout": dict(request.timeouts)},
        )
        auth.put_into(built.headers)
        return built

    def _reply(self, response: Any, chunks: Any, close: Any) -> Any:
        def attach_request(error: Exception) -> None:
            # The library's own iterators do this. We read below them: see `_chunks_of`.
            if isinstance(error, self._request_error):
                cast("Any", error).request = response.request

        def interrupt() -> None:
            connection = response.extensions.get("network_stream")
            sock = None if connection is None else connection.get_extra_info("socket")
            if isinstance(sock, socket.socket):
                with suppress(OSError):
                    # Not `sock.shutdown`: a TLS socket's own would take its state from the thread that reads.
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)

        return Reply(response.status_code, response.headers, chunks, close, attach_request, interrupt)


class SyncHTTPX(_HTTPX):
    """Sends by blocking."""

    def send(self, request: HTTPRequest, auth: Auth) -> SyncReply:
        """See `Adapter.send`."""
        built, handled = self._build(self.http, request, auth), sys.exception()
        try:
            response = self.http.send(built, stream=True, follow_redirects=False)
        except BaseException as error:  # Ctrl-C too
            tracebacks.cut(error, handled)
            raise
        chunks: Iterator[bytes]
        if _is_unencoded(response):
            response.is_stream_consumed = True
            chunks = iter(response.stream)
        elif _was_read(response):
            chunks = response.iter_bytes()
        else:
            chunks = decode.decoded(response.iter_raw(), response.headers["content-encoding"])
        reply: SyncReply = self._reply(response, chunks, response.close)
        return reply

    def close(self) -> None:
        """Close the client object."""
        self.http.close()


@functools.cache
def _content_of(library: ModuleType) -> Any:
    """The class of a body that is sent. The library's own is a generator: trio warns if one is left early."""

    class Content(library.AsyncByteStream):  # type: ignore[misc,name-defined]
        def __init__(self, content: bytes) -> None:
            self._waiting: list[bytes] = []
            self._content = content

        def __aiter__(self) -> Self:
            self._waiting = [self._content]
            return self

        async def __anext__(self) -> bytes:
            if not self._waiting:
                raise StopAsyncIteration
            return self._waiting.pop()

    return Content


class AsyncHTTPX(_HTTPX):
    """Sends by awaiting."""

    def __init__(self, library: ModuleType, client: Any, clients: PerLoop | None = None) -> None:
        super().__init__(library, client)
        self._clients = clients  # ours; None for one of the caller's, which is for one loop
        self._content: Any = _content_of(library)

    async def send(self, request: HTTPRequest, auth: Auth) -> AsyncReply:
        """See `Adapter.send`."""
        handled = sys.exception()
        if self._clients is not None:
            self.http = await self._clients.here()
        http = self.http
        built = self._build(http, request, auth)
        if request.content:
            built.stream = self._content(request.content)
        connecting = Connecting()
        built.extensions.setdefault("trace", connecting.trace)
        try:
            sending = http.send(built, stream=True, follow_redirects=False)
            response = await guarded(sending, connecting=connecting)
        except BaseException as error:  # cancellation too
            tracebacks.cut(error, handled)
            raise
        body: AsyncIterator[bytes]
        if _is_unencoded(response):
            response.is_stream_consumed = True
            body = aiter(response.stream)
        elif _was_read(response):
            body = response.aiter_bytes()
        else:
            body = decode.adecoded(response.aiter_raw(), response.headers["content-encoding"])
        reads = self._reads(built.extensions["timeout"])
        chunks = GuardedChunks(body, reads)

        async def close() -> None:
            try:
                await guarded(response.aclose(), from_start=True)
            finally:
                # A transport of the caller's may have no connection: then its body could be read on.
                await chunks.finish("network_stream" in response.extensions)

        reply: AsyncReply = self._reply(response, chunks, close)
        if reads is not None:
            reply.interrupt = reads.end
        return reply

    def _reads(self, timeouts: dict[str, float | None]) -> Reads | None:
        """Take over the limit of each read on asyncio. httpx looks at `timeouts` when it reads the body."""
        if not is_on_asyncio():
            return None
        limit = timeouts.get("read")
        timeouts["read"] = None
        return Reads(limit, lambda: self._library.ReadTimeout("nothing arrived"))

    async def close(self) -> None:
        """Close the client object."""
        await (self.http.aclose() if self._clients is None else self._clients.close())


def _is_unencoded(response: Any) -> bool:
    """Whether `response.stream` yields the body itself: nothing to decompress, and nothing was read before.

    It yields the same chunks as `iter_raw` and costs 5 % less of the library's time. `iter_raw` also closes
    the response at its end, which our callers do, and names the request on errors: see `attach_request`.
    """
    return decode.is_identity(response.headers.get("content-encoding", "")) and not _was_read(response)


def _was_read(response: Any) -> bool:
    """Whether the body is in memory already: a hook of the client object, or a transport, has read it."""
    return bool(response.is_stream_consumed or response.is_closed)
