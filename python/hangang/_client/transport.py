"""Sends the requests of a client, and waits for their answers: by blocking, or by awaiting.

- Everything that is not a wait is in `Transport`, which both kinds share.
- A key is checked once, sent in a header, and removed from every text that a service sends back. No variable
  holds it in a frame that a request's exception can leave in a traceback.
- `total_timeout` covers a whole call. Each attempt gets what is left of it. The body of an error has a
  deadline of its own: it may arrive a byte at a time, each within the limit of a read.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Self, cast
from urllib.parse import urlsplit

import hangang._backend as backend
from hangang._errors import APIConnectionError, APIError, APITimeoutError, HangangError
from hangang._version import __version__

from . import logs, observer, tracebacks
from .attempt import AttemptOptions
from .deadline import Deadline, DeadlineError, done_before
from .errors import ERROR_BODY, WAS_RESET, Secrets, ServiceError, error_of
from .http.choose import adapter_for, require_retry_library
from .http.guard import is_on_asyncio
from .http.interface import Adapter, AsyncReply, Auth, HTTPRequest, SyncReply
from .options import (
    DEFAULT_TIMEOUTS,
    ConnectionOptions,
    Settings,
    check_options,
    checked_base_url,
    checked_headers,
    insecure_is_allowed,
)
from .request import Call, Service, encoded, with_query
from .response import Response, response_of
from .retry import async_retrying, retrying

__all__ = [
    "AsyncTransport",
    "Prepared",
    "SyncTransport",
    "Transport",
    "aclose_reply",
    "close_reply",
]

_LONGEST_ADDRESS = 65_536
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f-\x9f\ud800-\udfff]")  # spaces, control characters, surrogates
_ERROR_SECONDS = 10.0  # for the whole of it; what has arrived by then is kept

USER_AGENT = f"hangang/{__version__} ({backend.BACKEND}; python {sys.version_info[0]}.{sys.version_info[1]})"


_NETWORK_ERRORS = frozenset(
    {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL, errno.EMFILE}
)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A call, encoded once for all its attempts, with the settings that apply to it."""

    call: Call
    request: HTTPRequest
    settings: Settings


class Transport:
    """Address, settings, headers and errors of a client. The subclasses send."""

    is_async = False
    service: Service
    secrets: Secrets
    base_url: str
    has_documented_address: bool
    settings: Settings

    def __init__(
        self,
        service: Service,
        *,
        auth: Mapping[str, str],
        secrets: tuple[str, ...],
        default_base_url: str | None,
        options: ConnectionOptions,
    ) -> None:
        logs.configure()
        chosen: dict[str, Any] = {**options}
        check_options(
            "Client" if not self.is_async else "AsyncClient", chosen, ConnectionOptions.__annotations__
        )
        self.service = service
        self.secrets = Secrets(secrets)
        self._auth = Auth(auth)
        base_url = chosen.pop("base_url", None) or default_base_url or service.base_url
        if base_url is None:
            raise ValueError(f"no address: pass base_url= or set {service.base_variable}")
        self.has_documented_address = base_url == service.base_url
        insecure = chosen.pop("allow_insecure", None)
        if not isinstance(insecure, bool | None):  # a str such as "0" would allow it
            raise TypeError(f"allow_insecure must be True or False, not {type(insecure).__name__}")
        insecure = insecure or insecure_is_allowed()
        self.base_url = checked_base_url(base_url, allow_insecure=insecure)
        http_client = chosen.pop("http_client", None)
        settings = Settings().changed(chosen)
        require_retry_library()
        self._adapter: Adapter
        self._adapter, self._owns_http = adapter_for(
            http_client, is_async=self.is_async, base_url=self.base_url
        )
        self._check_address(self.base_url, "base_url")
        self._last_address = ""  # the one that was checked last
        self._closing = threading.Event()  # shared with the transports of `with_options`
        if chosen.get("timeout") is None:  # the limits of the caller's own client object apply
            limits = DEFAULT_TIMEOUTS if self._owns_http else self._adapter.own_timeouts()
            settings = replace(settings, timeouts=limits)
        self.settings = settings

    def with_options(self, changes: Mapping[str, Any]) -> Self:
        """A transport with other settings over the same connections, which stay this one's to close."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other._owns_http = False
        check_options("with_options", changes, ConnectionOptions.__annotations__)
        other.settings = self.settings.changed(changes)
        return other

    @property
    def failures(self) -> tuple[type[Exception], ...]:
        """Exceptions that mean that the connection failed."""
        return self._adapter.failures

    # --- requests

    def prepare(self, call: Call) -> Prepared:
        """Check and encode a call. The key is not in it."""
        settings = self.settings.changed(call.options)
        if not call.path.startswith("/") or "#" in call.path or _UNPRINTABLE.search(call.path):
            raise ValueError("path must begin with '/' and hold no space, no control character and no '#'")
        if not (call.method.isascii() and call.method.isalpha()):
            raise ValueError("method must be a word such as GET")
        try:
            content, content_type = encoded(call)
            path = with_query(call.path, call.params)
        except UnicodeEncodeError:
            raise ValueError(
                "a lone surrogate (U+D800 to U+DFFF) in a body, a query or the name of a file cannot be sent"
            ) from None
        headers = {
            "user-agent": USER_AGENT,
            "accept": "text/event-stream" if call.streaming else "application/json",
            # A compressing proxy would hold events back until its window is full, and whatever is not a chat
            # could be a few kilobytes that inflate to gigabytes.
            "accept-encoding": "identity",
        }
        if content_type is not None:
            headers["content-type"] = content_type
        timeouts = dict(settings.timeouts)
        if call.streaming:
            timeouts["read"] = _shorter(timeouts.get("read"), settings.stall_timeout)
        for more in (settings.headers, checked_headers(call.headers)):
            for name, value in more.items():
                headers[name.lower()] = value
        url = (self.base_url if call.base_url is None else call.base_url) + path
        if url != self._last_address:  # most calls go where the one before them went
            self._check_address(url, "the address")
            self._last_address = url
        return Prepared(call, HTTPRequest(call.method, url, headers, content, timeouts), settings)

    def _check_address(self, url: str, name: str) -> None:
        """Raise a ValueError if the HTTP library, or the resolver after it, would refuse an address."""
        try:
            if len(url) > _LONGEST_ADDRESS:
                raise ValueError("it is too long")
            if _UNPRINTABLE.search(url):
                raise ValueError("it holds a character that no address has")
            self._adapter.host_of(url).encode("idna")  # as the resolver does: a label of 1 to 63 bytes
        except ValueError as error:  # UnicodeError is one
            words = str(error) if type(error) is ValueError else "the name of its host cannot be one"
            raise ValueError(f"{name} is not valid: {words}") from None

    def _within(self, request: HTTPRequest, deadline: Deadline) -> HTTPRequest:
        """The request with its time limits inside the deadline."""
        left = deadline.left
        if left is None:
            return request
        if left <= 0:
            raise deadline.error()
        limits = {name: _shorter(seconds, left) for name, seconds in request.timeouts.items()}
        return replace(request, timeouts=limits)

    def attempt_options(self, prepared: Prepared) -> AttemptOptions:
        """What an attempt at reading a stream needs of this client."""
        settings = prepared.settings
        return AttemptOptions(
            max_frame_bytes=settings.max_frame_bytes,
            read_timeout=prepared.request.timeouts.get("read"),
            stall_timeout=settings.stall_timeout,
            secrets=self.secrets,
            connection_error=lambda error: self.connection_error(error, prepared.request),
            is_timeout=self.is_timeout,
            describe=self.describe,
        )

    # --- errors

    def is_timeout(self, error: Exception) -> bool:
        """Whether a failure of the HTTP library is a time limit."""
        return isinstance(error, self._adapter.timeouts)

    def describe(self, error: Exception) -> str:
        """A failure of the HTTP library, or an error of ours, in a few words without a key."""
        if isinstance(error, APIError):
            words = error.message
        elif isinstance(error, DeadlineError):
            words = str(error)
        elif self._closing.is_set():  # the library's own words would blame the server
            words = "the client was closed"
        else:
            words = _system_words(error) or self._adapter.reason(error) or _own_words(error)
        return self.secrets.struck_out(words)

    def connection_error(self, error: Exception, request: HTTPRequest) -> APIError:
        """A failure of the HTTP library as ours; an error of ours is returned unchanged."""
        if isinstance(error, APIError):
            return error
        url = urlsplit(request.url)
        origin, words = f"{url.scheme}://{url.netloc}", self.describe(error)
        result: APIError
        if isinstance(error, self._adapter.unreachable):
            result = APIConnectionError(f"cannot reach {origin} ({words})")
        elif self.is_timeout(error):
            result = APITimeoutError(f"no answer from {origin} in time ({words})")
        else:
            result = APIConnectionError(f"the connection to {origin} broke before an answer ({words})")
        result.__cause__ = error
        return result

    def _answer_error(self, call: Call, status: int, headers: Mapping[str, str], body: bytes) -> APIError:
        """The error of an answer whose status is not 2xx."""
        if 300 <= status < 400:
            target = urlsplit(str(headers.get("location", "")))
            where = target._replace(query="", fragment="", netloc=target.netloc.rpartition("@")[2])
            stated = ServiceError(
                f"the service redirects to {where.geturl() or 'nowhere'}: redirects are not followed, "
                "because the key must not reach another host; set base_url if this is meant"
            )
            return error_of(status=status, headers=headers, stated=stated, secrets=self.secrets)
        error = error_of(status=status, headers=headers, body=body, secrets=self.secrets)
        if status == 404:
            # A base URL without its /v1, or with a path too much, is the most frequent reason.
            error.add_note(f"{call.label}, base_url {self.base_url}")
        return error

    def _check_size(self, size: int, settings: Settings) -> None:
        limit = settings.max_response_bytes
        if limit is not None and size > limit:
            raise APIError(f"the answer is larger than max_response_bytes={limit}")

    def _log(self, call: Call, status: int, since: float) -> None:
        logs.log.debug(
            "%s: %s: %d in %.3f s", self.service.name, call.label, status, time.monotonic() - since
        )

    def label(self, call: Call) -> str:
        """Who sends what, for log lines."""
        return f"{self.service.name}: {call.label}"


class SyncTransport(Transport):
    """Sends and waits by blocking."""

    def close(self) -> None:
        """Close the HTTP client, unless it belongs to somebody else."""
        if self._owns_http:
            self._closing.set()
            self._adapter.close()

    def send(self, prepared: Prepared, deadline: Deadline) -> SyncReply:
        """Send, and return the open answer; raises for a status that is not 2xx."""
        call, since = prepared.call, time.monotonic()
        try:
            request = self._within(prepared.request, deadline)
            reply: SyncReply = done_before(
                deadline, lambda: self._adapter.send(request, self._auth), close_reply
            )
        except self.failures as error:
            # No variable may hold what is raised: see `tracebacks.release`.
            raise self.connection_error(
                deadline.error() if deadline.is_over else error, prepared.request
            ) from error
        self._log(call, reply.status, since)
        reply.headers = self.secrets.struck_out_of_headers(reply.headers)
        try:
            if prepared.settings.record is not None:
                reply.chunks = _Recorded(reply.chunks, prepared.settings.record)
            if deadline.at is not None:
                reply.chunks = _EndedBy(deadline, reply)
            if 200 <= reply.status < 300:
                return reply
            reply.chunks = _EndedBy(Deadline.after(_ERROR_SECONDS), reply)
        except BaseException:
            close_reply(reply)
            raise
        body = bytearray()
        try:
            for chunk in reply.chunks:
                body += chunk
                if len(body) > ERROR_BODY:
                    break
        except self.failures:
            pass  # the status says enough
        finally:
            close_reply(reply)
        raise self._answer_error(call, reply.status, reply.headers, bytes(body))

    def execute(self, call: Call) -> Response:
        """Send a request that is not a chat, with retries, and read the whole response."""
        prepared = self.prepare(call)
        settings = prepared.settings
        deadline = Deadline.after(settings.total_timeout)

        def attempt() -> Response:
            reply = self.send(prepared, deadline)
            body: list[bytes] = []
            size = 0
            try:
                for chunk in reply.chunks:
                    size += len(chunk)
                    self._check_size(size, settings)
                    body.append(chunk)
            except self.failures as error:
                reply.attach_request(error)
                raise self.connection_error(error, prepared.request) from error
            finally:
                close_reply(reply)
            return response_of(call, reply.status, reply.headers, b"".join(body), self.secrets)

        observation = observer.begin(self.service.name, call, prepared.request.url)
        try:
            response = retrying(self.label(call), settings, attempt)
        except BaseException as error:
            if observation is not None:
                observation.ended(None, error)
            tracebacks.release(error)
            raise
        if observation is not None:
            observation.ended(response, None)
        return response


class AsyncTransport(Transport):
    """Sends and waits by awaiting."""

    is_async = True

    async def aclose(self) -> None:
        """Close the HTTP client, unless it belongs to somebody else."""
        if self._owns_http:
            self._closing.set()
            await self._adapter.close()

    async def send(self, prepared: Prepared, deadline: Deadline) -> AsyncReply:
        """Send, and return the open answer; raises for a status that is not 2xx."""
        call, since = prepared.call, time.monotonic()
        try:
            reply = await self._send_within(prepared, deadline)
        except self.failures as error:
            # No variable may hold what is raised: see `tracebacks.release`.
            raise self.connection_error(
                deadline.error() if deadline.is_over else error, prepared.request
            ) from error
        self._log(call, reply.status, since)
        reply.headers = self.secrets.struck_out_of_headers(reply.headers)
        try:
            if prepared.settings.record is not None:
                reply.chunks = _AsyncRecorded(reply.chunks, prepared.settings.record)
            if deadline.at is not None:
                reply.chunks = _AsyncEndedBy(deadline, reply)
            if 200 <= reply.status < 300:
                return reply
            reply.chunks = _AsyncEndedBy(Deadline.after(_ERROR_SECONDS), reply)
        except BaseException:
            await aclose_reply(reply)
            raise
        body = bytearray()
        try:
            async for chunk in reply.chunks:
                body += chunk
                if len(body) > ERROR_BODY:
                    break
        except self.failures:
            pass  # the status says enough
        finally:
            await aclose_reply(reply)
        raise self._answer_error(call, reply.status, reply.headers, bytes(body))

    async def _send_within(self, prepared: Prepared, deadline: Deadline) -> AsyncReply:
        request = self._within(prepared.request, deadline)
        reply: AsyncReply | None = None
        if deadline.at is None:
            reply = await self._adapter.send(request, self._auth)
        else:
            import anyio

            with anyio.move_on_after(deadline.left):
                reply = await self._adapter.send(request, self._auth)
            if reply is None:
                raise deadline.error()
        assert reply is not None
        return reply

    async def execute(self, call: Call) -> Response:
        """Send a request that is not a chat, with retries, and read the whole response."""
        prepared = self.prepare(call)
        settings = prepared.settings
        deadline = Deadline.after(settings.total_timeout)

        async def attempt() -> Response:
            reply = await self.send(prepared, deadline)
            body: list[bytes] = []
            size = 0
            try:
                async for chunk in reply.chunks:
                    size += len(chunk)
                    self._check_size(size, settings)
                    body.append(chunk)
            except self.failures as error:
                reply.attach_request(error)
                raise self.connection_error(error, prepared.request) from error
            finally:
                await aclose_reply(reply)
            return response_of(call, reply.status, reply.headers, b"".join(body), self.secrets)

        observation = observer.begin(self.service.name, call, prepared.request.url)
        try:
            response = await async_retrying(self.label(call), settings, attempt)
        except BaseException as error:
            if observation is not None:
                observation.ended(None, error)
            tracebacks.release(error)
            raise
        if observation is not None:
            observation.ended(response, None)
        return response


# --- chunks on their way
#
# Classes and not generators: a generator that was never started would not run its cleanup when it is closed.


class _Record:
    """The file of `record=`. It is opened at once, so that a bad path fails early.

    An OSError while it is written must not pass for one of the connection, which would be retried.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._file = open(path, "wb")  # noqa: SIM115

    def write(self, chunk: bytes) -> None:
        """Add a chunk."""
        try:
            self._file.write(chunk)
        except OSError as error:
            raise self._failed(error) from error

    def close(self) -> None:
        """Write what is buffered, and close the file."""
        try:
            self._file.close()
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> HangangError:
        return HangangError(f"the answer cannot be recorded in {self._path}: {error.strerror or error}")


class _Recorded:
    """Chunks, each written to a file first."""

    def __init__(self, chunks: Iterator[bytes], path: str) -> None:
        self._chunks = chunks
        self._file = _Record(path)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        chunk = next(self._chunks)
        self._file.write(chunk)
        return chunk

    def close(self) -> None:
        """Close the file."""
        try:
            self._file.close()
        finally:
            _close_chunks(self._chunks)


class _AsyncRecorded:
    """`_Recorded`, awaited. The event loop waits for the writes, which go to the system's page cache."""

    def __init__(self, chunks: AsyncIterator[bytes], path: str) -> None:
        self._chunks = chunks
        self._file = _Record(path)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        chunk = await anext(self._chunks)
        self._file.write(chunk)
        return chunk

    async def aclose(self) -> None:
        """Close the file."""
        try:
            self._file.close()
        finally:
            await _aclose_chunks(self._chunks)


class _EndedBy:
    """Chunks until a deadline. A timer interrupts a read that is blocked when it passes."""

    def __init__(self, deadline: Deadline, reply: SyncReply) -> None:
        self._deadline = deadline
        self._chunks = reply.chunks
        self._timer = threading.Timer(max(0.0, deadline.left or 0.0), reply.interrupt)
        self._timer.daemon = True
        self._timer.start()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        try:
            chunk = next(self._chunks, None)
        except Exception:
            if not self._deadline.is_over:
                raise
            chunk = None
        if self._deadline.is_over:
            raise self._deadline.error()
        if chunk is None:
            raise StopIteration
        return chunk

    def close(self) -> None:
        """Stop the timer."""
        self._timer.cancel()
        _close_chunks(self._chunks)


class _AsyncEndedBy:
    """Chunks until a deadline. On asyncio one timer ends the read that waits when it passes."""

    def __init__(self, deadline: Deadline, reply: AsyncReply) -> None:
        self._deadline = deadline
        self._chunks = reply.chunks
        self._interrupt = reply.interrupt
        self._is_over = False
        self._timer: asyncio.TimerHandle | None = None
        if is_on_asyncio():
            self._timer = asyncio.get_running_loop().call_later(max(0.0, deadline.left or 0.0), self._end)

    def _end(self) -> None:
        self._is_over = True  # the clock of the loop may be ahead
        self._interrupt()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        self._check()
        chunk: bytes | None = None
        try:
            if self._timer is None:
                import anyio

                with anyio.move_on_after(self._deadline.left):
                    chunk = await self._chunks.__anext__()
            else:
                chunk = await self._chunks.__anext__()
        except StopAsyncIteration:
            pass
        except Exception:
            self._check()
            raise
        self._check()
        if chunk is None:
            raise StopAsyncIteration
        return chunk

    def _check(self) -> None:
        if self._is_over or self._deadline.is_over:
            raise self._deadline.error() from None

    async def aclose(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()
        await _aclose_chunks(self._chunks)


def _close_chunks(chunks: Any) -> None:
    if hasattr(chunks, "close"):
        with suppress(ValueError):  # it runs in another thread: closing the answer stops it
            chunks.close()


async def _aclose_chunks(chunks: Any) -> None:
    if hasattr(chunks, "aclose"):
        with suppress(RuntimeError):  # it runs in another task: closing the answer stops it
            await chunks.aclose()


def close_reply(reply: SyncReply) -> None:
    """Close the chunks, then the connection, whatever the first says."""
    try:
        _close_chunks(reply.chunks)
    finally:
        reply.close()


async def aclose_reply(reply: AsyncReply) -> None:
    """`close_reply`, awaited."""
    try:
        await _aclose_chunks(reply.chunks)
    finally:
        await reply.close()


def _shorter(seconds: float | None, other: float | None) -> float | None:
    if seconds is None or other is None:
        return other if seconds is None else seconds
    return min(seconds, other)


def _is_of_the_network(error: BaseException) -> bool:
    # The context can end in an exception that the caller was handling, such as a missing file.
    is_network = isinstance(error, ConnectionError | socket.gaierror) or (
        isinstance(error, OSError) and error.errno in _NETWORK_ERRORS
    )
    return is_network and bool(cast("OSError", error).strerror)


def _system_words(error: BaseException) -> str | None:
    """Why a connection failed, in the words of the system, or None if it did not say."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop(0)
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        if verify_message := getattr(one, "verify_message", None):  # an ssl.SSLCertVerificationError
            return f"certificate verify failed: {verify_message}"
        if _is_of_the_network(one):
            system = cast("OSError", one)
            if isinstance(system, ConnectionResetError):
                return WAS_RESET
            is_named = system.errno is None or isinstance(system, socket.gaierror)
            return str(system.strerror) if is_named else os.strerror(cast("int", system.errno))
        if isinstance(one, BaseExceptionGroup):
            waiting += cast("BaseExceptionGroup[BaseException]", one).exceptions
        # HTTP libraries hide the system's error from tracebacks; it stays the context.
        waiting += [one.__cause__, one.__context__]
    return None


def _own_words(error: BaseException) -> str:
    words = str(error)
    return f"{type(error).__name__}: {words}" if words else type(error).__name__
