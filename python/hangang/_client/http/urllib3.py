"""The adapter for urllib3, which costs about what a bare socket costs. No type of its leaves this module.

Where urllib3 must be helped:
- `stream()` gives a whole chunk of HTTP at a time, and without chunked encoding a whole buffer: an event may
  wait for the next one. `read1` gives what has arrived.
- A size that no chunk can have raises an OverflowError, or is taken for the rest of the body.
- A head that is cut short looks like a whole one without a body.
- It has no time limit of its own for writing: the one for connecting applies.
- A pool must not be used on both sides of a fork: the child makes its own.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from .. import tracebacks
from . import decode
from .environment import Proxies, tls_context
from .interface import Auth, HTTPRequest, Reason, Reply, SyncReply, Timeouts

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["SyncURLLib3", "make", "wrap"]

_MOST = 1 << 16  # bytes of a chunk
_IDLE = 100  # connections of a host that are kept for later


def make(library: ModuleType, is_async: bool, base_url: str) -> SyncURLLib3:
    """An adapter with pools of its own."""
    adapter = SyncURLLib3(library, None)
    adapter.manager(base_url)  # raises early
    return adapter


def wrap(library: ModuleType, client: Any, is_async: bool) -> SyncURLLib3:
    """An adapter for a `PoolManager` of the caller, or a `ProxyManager`."""
    if not isinstance(client, library.PoolManager):
        raise TypeError(f"http_client must be a urllib3.PoolManager, not a {type(client).__name__}")
    return SyncURLLib3(library, client)


class SyncURLLib3:
    """Sends by blocking."""

    name = "urllib3"

    def __init__(self, library: ModuleType, manager: Any) -> None:
        self._library = library
        self.http = manager
        self._is_ours = manager is None
        self._closed = False
        self._proxies = Proxies()
        self._managers: dict[str | None, Any] = {}
        self._inherited: list[Any] = []
        self._process = os.getpid()
        errors = library.exceptions
        self.failures: tuple[type[Exception], ...] = (errors.HTTPError, OSError)
        self.timeouts: tuple[type[Exception], ...] = (errors.TimeoutError, TimeoutError)
        self.unreachable: tuple[type[Exception], ...] = (
            errors.NewConnectionError,
            errors.ProxyError,
            errors.SSLError,
        )

    def own_timeouts(self) -> Timeouts:
        """The limits that the manager gives its pools."""
        given = self.http.connection_pool_kw.get("timeout")
        if given is None:
            return {}
        if not isinstance(given, self._library.Timeout):
            given = self._library.Timeout.from_float(given)
        return {"connect": given.connect_timeout, "read": given.read_timeout}

    def host_of(self, url: str) -> str:
        """See `Adapter.host_of`."""
        host: str | None = self._library.util.parse_url(url).host
        return (host or "").strip("[]")

    def reason(self, error: BaseException) -> Reason | None:
        """See `Adapter.reason`."""
        errors = self._library.exceptions
        if isinstance(error, errors.ProtocolError):
            words = str(error)
            if "without response" in words:
                return Reason.NO_ANSWER
            return Reason.CUT_SHORT if "IncompleteRead" in words else Reason.NOT_HTTP
        if isinstance(error, errors.ConnectTimeoutError):
            return Reason.CONNECTING
        if isinstance(error, errors.ReadTimeoutError):
            return Reason.NOTHING
        return Reason.SENDING if isinstance(error, TimeoutError) else None

    def send(self, request: HTTPRequest, auth: Auth) -> SyncReply:
        """See `Adapter.send`."""
        handled, limits = sys.exception(), request.timeouts
        manager = self.manager(request.url)
        try:
            response = manager.urlopen(
                request.method,
                request.url,
                body=request.content,
                headers=_Headers(request.headers, auth),
                redirect=False,
                retries=False,
                preload_content=False,
                timeout=self._library.Timeout(connect=limits.get("connect"), read=limits.get("read")),
            )
        except BaseException as error:  # Ctrl-C too
            tracebacks.cut(error, handled)
            if isinstance(error, self._library.exceptions.ProtocolError) and isinstance(
                error.args[-1], TimeoutError
            ):
                raise TimeoutError(Reason.SENDING) from error
            raise
        chunks = _Chunks(self._library, response)
        headers = self._library.HTTPHeaderDict()
        for name, value in response.headers.items():
            headers[name.lower()] = value
        encoding = headers.get("content-encoding", "")
        body = chunks if decode.is_identity(encoding) else decode.decoded(chunks, encoding)
        return Reply(response.status, headers, body, response.close, _ignore, chunks.interrupt)

    def manager(self, url: str) -> Any:
        """The manager for an address."""
        if not self._is_ours:
            return self.http
        if self._closed:
            raise RuntimeError("cannot send a request: the client was closed")
        if self._process != os.getpid():
            # The sockets are the parent's too. They stay open here: closing TLS would tell the server.
            self._inherited.append(self._managers)
            self._managers, self._process = {}, os.getpid()
        proxy = self._proxies.for_url(url)
        address = None if proxy is None else proxy.url
        manager = self._managers.get(address)
        if manager is None:
            context = tls_context()
            if proxy is None:
                made = self._library.PoolManager(maxsize=_IDLE, ssl_context=context)
            else:
                made = self._library.ProxyManager(
                    proxy.url,
                    proxy_headers=proxy.headers,
                    maxsize=_IDLE,
                    ssl_context=context,
                    proxy_ssl_context=context,
                )
            self.http = manager = self._managers.setdefault(address, made)  # another thread may be first
        return manager

    def close(self) -> None:
        """Close the connections that nobody uses."""
        self._closed = True
        for manager in self._managers.values() if self._process == os.getpid() else ():
            # `clear` alone leaves them to the garbage collection of the pools, which an error that the caller
            # keeps prevents: its frames hold the response, and the response its pool.
            for key in manager.pools.keys():  # noqa: SIM118  # the container cannot be iterated
                if (pool := manager.pools.get(key)) is not None:
                    pool.close()
            manager.clear()


class _Headers(dict[str, str]):
    """The headers of a request, with those that hold a key. Its repr shows none."""

    def __init__(self, headers: Mapping[str, str], auth: Auth) -> None:
        super().__init__(headers)
        auth.put_into(self)

    def __repr__(self) -> str:
        return "<headers>"


class _Chunks:
    """The body in the pieces that arrive."""

    def __init__(self, library: ModuleType, response: Any) -> None:
        self._response = response
        self._read1: Any = response.read1
        self._broken: Any = library.exceptions.ProtocolError
        # The end of the connection ends the head too, wherever it is: then nothing says that there is a body.
        self._may_lack_head = (
            "content-length" not in response.headers
            and "transfer-encoding" not in response.headers
            and response.headers.get("connection", "").lower() != "close"
            and response.status not in (204, 304)
        )

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        try:
            chunk: bytes | None = self._read1(_MOST, False)
        except (OverflowError, AttributeError, ValueError) as error:
            # A size beyond every integer; or another thread closed the response in the middle of this read.
            raise self._broken(f"Connection broken: {type(error).__name__}") from None
        if not chunk:
            if self._may_lack_head:
                raise self._broken("Remote end closed connection without response")
            raise StopIteration
        self._may_lack_head = False
        return chunk

    def interrupt(self) -> None:
        """Make a read of another thread fail."""
        # By its number: a connection that ends with its answer has given the socket away. And not by
        # `response.shutdown`: a TLS socket's own would take its state from the thread that reads.
        with (
            suppress(OSError, ValueError, AttributeError),  # it is closed
            socket.socket(fileno=os.dup(self._response.fileno())) as sock,
        ):
            sock.shutdown(socket.SHUT_RDWR)


def _ignore(_: Exception) -> None:
    pass
