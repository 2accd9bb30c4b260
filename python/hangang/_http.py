"""What the three clients share: keys, requests, streams. No protocol and no parsing here.

The rules of this file:
- A `Call` says what to send and which parser reads the answer; clients build calls and nothing else.
- What a stream means is decided in `_attempt.py`; the sync and the async face only move bytes into
  it, and wait.
- Only what happens before the first event may be tried again: after it no request is sent twice.
- Written against what httpx and httpx2 share. The library is found from the client that is used, so
  importing this file imports neither.
- A key is checked once, sent in a header, and struck out of every text that a service sends back. No
  variable holds it in a frame that an error of a request can leave in a traceback.
"""

from __future__ import annotations

import importlib
import ipaddress
import json
import logging
import math
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypedDict, TypeVar
from urllib.parse import urlsplit

from ._answers import RateLimit, ServiceError, error_of, request_id_of, service_error, status_of
from ._attempt import Attempt
from ._call import Response, loads
from ._errors import (
    APIConnectionError,
    APIError,
    APITimeoutError,
)
from ._retry import async_retrying, retrying
from ._values import is_object
from .streams import Completion, Event, Metrics

if TYPE_CHECKING:
    from types import ModuleType, TracebackType

    from ._call import Call, Service

__all__ = [
    "AsyncClientBase",
    "AsyncStream",
    "AsyncTransport",
    "ClientBase",
    "ConnectionOptions",
    "HTTPClient",
    "Stream",
    "SyncTransport",
    "TimeoutLike",
    "Transport",
]

_log = logging.getLogger("hangang.http")

DEFAULT_TIMEOUTS: dict[str, float | None] = {
    "connect": 10.0,
    "read": 600.0,
    "write": 60.0,
    "pool": None,
}
"""Seconds. Reading is long because a one-shot answer of a thinking model sends nothing until it is
whole; streams have `stall_timeout`."""

DEFAULT_STALL = 120.0
_ERROR_BODY = 1 << 20  # bytes kept of the body of an error answer


class HTTPClient(Protocol):
    """What is used of `httpx.Client`, `httpx2.Client` and their async twins."""

    @property
    def build_request(self) -> Callable[..., Any]:
        """Builds a request."""
        ...

    @property
    def send(self) -> Callable[..., Any]:
        """Sends one."""
        ...

    @property
    def timeout(self) -> Any:
        """The client's own time limits."""
        ...


class TimeoutLike(Protocol):
    """`httpx.Timeout` and `httpx2.Timeout`."""

    def as_dict(self) -> dict[str, float | None]:
        """Seconds for connect, read, write and pool."""
        ...


class ConnectionOptions(TypedDict, total=False):
    """Keyword arguments that every client takes.

    - `base_url`: where the service is, without the paths of its endpoints; without it the service's
      variable in the environment, then the documented address. Plain http only to loopback, or with
      `allow_insecure=True`.
    - `http_client`: an httpx or httpx2 client of the right kind; it stays open when ours is closed.
    - `timeout`: seconds for connecting, for each read and write, and for a free connection; or the
      `Timeout` of the HTTP library. Without it: 10 to connect, 600 to read, 60 to write, or those of
      `http_client`.
    - `stall_timeout`: seconds a stream may go without a complete event (120); keep-alive comments do
      not count. It is looked at when bytes arrive and when a read times out, so a silent connection
      ends after this time, one that only sends comments at the first comment after it. None: never.
    - `max_retries`: tries after the first (2), only before the first event.
    - `max_frame_bytes`: the longest frame of a stream (16 MiB).
    - `allow_insecure`: send the key over plain http to any host.
    - `headers`: sent with each request; they cannot replace the key.
    """

    base_url: str | None
    http_client: HTTPClient | None
    timeout: float | TimeoutLike | None
    stall_timeout: float | None
    max_retries: int
    max_frame_bytes: int
    allow_insecure: bool
    headers: Mapping[str, str] | None


class _StreamBase:
    """What the sync and the async stream share: everything that is not a wait."""

    def __init__(self, transport: Transport, call: Call) -> None:
        self._transport = transport
        self._call = call
        self._attempt: Attempt | None = None
        self._response: Any = None
        self._chunks: Any = None
        self._closed = False
        self.metrics = Metrics()

    @property
    def completion(self) -> Completion:
        """Everything delivered so far, folded; the whole answer once the stream has ended."""
        return Completion() if self._attempt is None else self._attempt.completion()

    @property
    def rate_limit(self) -> RateLimit:
        """What the answer's headers say about the quota; empty before the answer came."""
        return RateLimit() if self._attempt is None else RateLimit.of(self._attempt.headers)

    @property
    def request_id(self) -> str | None:
        """The service's id of this request, or None."""
        return None if self._attempt is None else request_id_of(self._attempt.headers)

    @property
    def headers(self) -> Mapping[str, str]:
        """The answer's headers; empty before the answer came."""
        return {} if self._attempt is None else self._attempt.headers

    def __repr__(self) -> str:
        state = "closed" if self._closed else "new" if self._attempt is None else "open"
        return f"{type(self).__name__}({self._call.method} {self._call.path}, {state})"

    def _opened(self, response: Any) -> Attempt:
        assert self._attempt is not None
        self._attempt.opened(response.status_code, response.headers)
        return self._attempt

    def _next_attempt(self) -> Attempt:
        """A fresh start, for the first attempt or another."""
        self.metrics.attempts += 1
        self._attempt = Attempt(self._call, self._transport, self.metrics)
        return self._attempt

    def _require_open(self) -> Attempt:
        """The running attempt, or an error: a stream that was left early has not ended."""
        attempt = self._attempt
        if attempt is None or (self._closed and not attempt.done):
            raise RuntimeError("this stream was closed before its end: its last events are lost")
        return attempt

    def _attach_request(self, error: Any) -> Exception:
        """A fault of the connection with its request, which the HTTP library's own iterators tell it."""
        if self._response is not None and isinstance(error, self._transport.request_error):
            error.request = self._response.request
        fault: Exception = error
        return fault

    def _end_metrics(self) -> None:
        self.metrics.end()
        if _log.isEnabledFor(logging.DEBUG):
            _log.debug("%s %s: %r", self._call.method, self._call.path, self.metrics)


class Stream(_StreamBase):
    """The events of one answer, as they arrive.

    Use it in a `with` block: leaving the block, or the loop over the stream, closes the connection
    at once. Entering it sends the request and waits for the first event, so that whatever can be
    tried again is tried before anything was delivered.

    Iterating yields the dialect's events in order. After the last of them it raises, if the answer
    is not whole: `StreamError` where the service reported an error, `TruncatedStreamError` where
    the stream stopped early, another `ParseError` where its bytes were wrong; each has
    `.completion`, the answer so far.
    """

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Event]:
        self._start()
        attempt = self._require_open()
        try:
            while True:
                while attempt.waiting:
                    yield from attempt.batch
                if attempt.done:
                    break
                self._require_open()
                try:  # as `_read` does, without a call for each chunk
                    for chunk in self._chunks:
                        batch = attempt.feed(chunk)
                        yield from batch
                        if batch is not attempt.batch or attempt.done or self._closed:
                            break  # it was read elsewhere meanwhile, has ended, or was closed
                    else:
                        attempt.end()
                except self._transport.transport_faults as error:
                    attempt.broke(self._attach_request(error))
        finally:
            self.close()
        attempt.finished()

    def __next__(self) -> Event:
        self._start()
        attempt = self._require_open()
        while not attempt.waiting:
            if attempt.done:
                self.close()
                attempt.finished()
                raise StopIteration
            self._read_or_close(attempt)
        event: Event = next(attempt.batch)
        return event

    def read(self) -> Completion:
        """Read the rest of the stream and return the whole answer; raises as iterating does."""
        for _ in self:
            pass
        return self.completion

    def close(self) -> None:
        """Close the connection, whatever is still to come. Safe to call again.

        From another thread than the one that reads, it takes effect when the next bytes arrive or a
        timeout ends the wait: a blocked read cannot be called back.
        """
        if not self._closed:
            self._closed = True
            self._release()
            self._end_metrics()

    def _start(self) -> None:
        if self._attempt is not None or self._closed:
            return
        transport = self._transport
        assert isinstance(transport, SyncTransport)
        try:
            retrying(transport.max_retries)(self._try_once, transport)
        except BaseException:
            self.close()
            raise

    def _try_once(self, transport: SyncTransport) -> None:
        self._release()
        attempt = self._next_attempt()
        self._response = transport.send(self._call)
        self._opened(self._response)
        self._chunks = _sync_chunks(self._response)
        while not attempt.waiting and not attempt.done:
            self._read(attempt)
        if not attempt.waiting:
            attempt.finished()

    def _read(self, attempt: Attempt) -> None:
        try:
            chunk = next(self._chunks, None)
        except self._transport.transport_faults as error:
            attempt.broke(self._attach_request(error))
        else:
            if chunk is None:
                attempt.end()
            else:
                attempt.feed(chunk)

    def _read_or_close(self, attempt: Attempt) -> None:
        try:
            self._read(attempt)
        except BaseException:
            self.close()
            raise

    def _release(self) -> None:
        chunks, response = self._chunks, self._response
        self._chunks = self._response = None
        if chunks is not None:
            with suppress(ValueError):  # it runs in another thread: closing the answer stops it
                chunks.close()
        if response is not None:
            response.close()


class AsyncStream(_StreamBase):
    """`Stream`, awaited: `async with`, `async for`, `await stream.read()`.

    Cancelling the task that reads closes the connection at once.
    """

    async def __aenter__(self) -> Self:
        await self._start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def __aiter__(self) -> AsyncIterator[Event]:
        await self._start()
        attempt = self._require_open()
        try:
            while True:
                while attempt.waiting:
                    for event in attempt.batch:
                        yield event
                if attempt.done:
                    break
                self._require_open()
                try:  # as `_read` does, without a call for each chunk
                    async for chunk in self._chunks:
                        batch = attempt.feed(chunk)
                        for event in batch:
                            yield event
                        if batch is not attempt.batch or attempt.done or self._closed:
                            break  # it was read elsewhere meanwhile, has ended, or was closed
                    else:
                        attempt.end()
                except self._transport.transport_faults as error:
                    attempt.broke(self._attach_request(error))
        finally:
            await self.aclose()
        attempt.finished()

    async def __anext__(self) -> Event:
        await self._start()
        attempt = self._require_open()
        while not attempt.waiting:
            if attempt.done:
                await self.aclose()
                attempt.finished()
                raise StopAsyncIteration
            await self._read_or_close(attempt)
        event: Event = next(attempt.batch)
        return event

    async def read(self) -> Completion:
        """Read the rest of the stream and return the whole answer; raises as iterating does."""
        async for _ in self:
            pass
        return self.completion

    async def aclose(self) -> None:
        """Close the connection, whatever is still to come. Safe to call again."""
        if not self._closed:
            self._closed = True
            await self._release()
            self._end_metrics()

    async def _start(self) -> None:
        if self._attempt is not None or self._closed:
            return
        transport = self._transport
        assert isinstance(transport, AsyncTransport)
        try:
            await async_retrying(transport.max_retries)(self._try_once, transport)
        except BaseException:
            await self.aclose()
            raise

    async def _try_once(self, transport: AsyncTransport) -> None:
        await self._release()
        attempt = self._next_attempt()
        self._response = await transport.send(self._call)
        self._opened(self._response)
        self._chunks = _async_chunks(self._response)
        while not attempt.waiting and not attempt.done:
            await self._read(attempt)
        if not attempt.waiting:
            attempt.finished()

    async def _read(self, attempt: Attempt) -> None:
        try:
            chunk = await anext(self._chunks, None)
        except self._transport.transport_faults as error:
            attempt.broke(self._attach_request(error))
        else:
            if chunk is None:
                attempt.end()
            else:
                attempt.feed(chunk)

    async def _read_or_close(self, attempt: Attempt) -> None:
        try:
            await self._read(attempt)
        except BaseException:
            await self.aclose()
            raise

    async def _release(self) -> None:
        chunks, response = self._chunks, self._response
        self._chunks = self._response = None
        if chunks is not None:
            with suppress(RuntimeError):  # it runs in another task: closing the answer stops it
                await chunks.aclose()
        if response is not None:
            await response.aclose()


def _as_sent(response: Any) -> bool:
    """Whether the bytes on the wire are the body: nothing to decompress, nothing read before."""
    encoding = response.headers.get("content-encoding", "identity").strip(" \t").lower()
    return encoding in ("", "identity") and not response.is_stream_consumed and not response.is_closed


# `response.stream` yields the same chunks as `iter_raw` and costs 5 % less of the HTTP library's time. `iter_raw`
# also closes the response at its end, which our callers do, and sets `error.request`: see `_attach_request`.


def _sync_chunks(response: Any) -> Iterator[bytes]:
    chunks: Iterator[bytes]
    if _as_sent(response):
        response.is_stream_consumed = True
        chunks = iter(response.stream)
    else:
        chunks = response.iter_bytes()
    return chunks


def _async_chunks(response: Any) -> AsyncIterator[bytes]:
    chunks: AsyncIterator[bytes]
    if _as_sent(response):
        response.is_stream_consumed = True
        chunks = aiter(response.stream)
    else:
        chunks = response.aiter_bytes()
    return chunks


# --- clients


class Transport:
    """Configuration, headers and errors of a client; what sends is in the two subclasses."""

    is_async = False

    def __init__(
        self,
        service: Service,
        *,
        auth: Mapping[str, str],
        secrets: tuple[str, ...],
        base_url: str | None = None,
        http_client: HTTPClient | None = None,
        timeout: float | TimeoutLike | None = None,
        stall_timeout: float | None = DEFAULT_STALL,
        max_retries: int = 2,
        max_frame_bytes: int = 16 * 2**20,
        allow_insecure: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        chosen = base_url or os.environ.get(service.base_variable) or service.base_url
        self.has_default_base_url = chosen == service.base_url
        self._allow_insecure = allow_insecure
        self.base_url = self._checked_base_url(chosen)
        if type(max_retries) is not int or max_retries < 0:
            raise ValueError(f"max_retries must be an int of 0 or more, not {max_retries!r}")
        if stall_timeout is not None and not stall_timeout > 0:
            raise ValueError(f"stall_timeout must be seconds above 0, or None, not {stall_timeout!r}")
        self.max_retries = max_retries
        self.max_frame_bytes = max_frame_bytes
        self.stall_timeout = stall_timeout
        self.secrets = secrets
        self._auth = {name.lower(): value for name, value in auth.items()}
        self._extra_headers = {name.lower(): value for name, value in (headers or {}).items()}
        _require_retry_library()
        self._owns_http = http_client is None
        self._http: Any = http_client
        if http_client is None:
            self._http = _new_client("AsyncClient" if self.is_async else "Client", self.base_url)
        self._library = _library_of(self._http)
        if hasattr(self._http, "aclose") != self.is_async:
            wanted = "AsyncClient" if self.is_async else "Client"
            raise TypeError(f"http_client must be a {self._library.__name__}.{wanted} here")
        if timeout is not None:
            self._timeouts = _seconds(timeout)
        elif self._owns_http:
            self._timeouts = dict(DEFAULT_TIMEOUTS)
        else:  # the limits of the caller's own HTTP client stand
            self._timeouts = _seconds(self._http.timeout)
        self.request_error: Any = self._library.RequestError
        self.transport_faults: tuple[type[Exception], ...] = (
            self.request_error,
            self._library.StreamError,
            OSError,
        )

    def _checked_base_url(self, url: str) -> str:
        parts = urlsplit(url)
        if any(char <= " " for char in url) or parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("base_url must be an absolute http or https URL")
        if parts.username is not None or parts.password is not None:
            raise ValueError("base_url must not hold a user name or a password")
        if parts.query or parts.fragment:
            raise ValueError("base_url must not have a query or a fragment")
        if parts.scheme == "http" and not _is_loopback(parts.hostname) and not self._allow_insecure:
            raise ValueError(
                "the API key would travel unencrypted: use https, or pass allow_insecure=True if "
                f"the way to {parts.hostname} is trusted"
            )
        return url.rstrip("/")

    def _url(self, call: Call) -> str:
        path = call.path
        if not path.startswith("/") or any(char <= " " for char in path) or "#" in path:
            raise ValueError("path must begin with '/' and hold no space and no '#'")
        return (self.base_url if call.base_url is None else call.base_url) + path

    def _arguments(self, call: Call) -> dict[str, Any]:
        """The arguments of `build_request`; the key is not among them."""
        headers = {"accept": "text/event-stream" if call.streaming else "application/json"}
        content: bytes | None = None
        if call.json is not None:
            headers["content-type"] = "application/json; charset=utf-8"
            text = json.dumps(call.json, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
            content = text.encode("utf-8")
        if call.streaming:
            # A compressing proxy would hold events back until its window is full.
            headers["accept-encoding"] = "identity"
        for more in (self._extra_headers, call.headers):
            for name, value in more.items():
                headers[name.lower()] = value
        timeouts = dict(self._timeouts)
        if call.streaming and self.stall_timeout is not None:
            read = timeouts.get("read")
            timeouts["read"] = self.stall_timeout if read is None else min(read, self.stall_timeout)
        arguments: dict[str, Any] = {
            "method": call.method,
            "url": self._url(call),
            "headers": headers,
            "extensions": {"timeout": timeouts},
        }
        bodies = {"content": content, "data": call.data, "files": call.files, "params": call.params}
        arguments.update({name: value for name, value in bodies.items() if value is not None})
        return arguments

    def request(self, call: Call) -> Any:
        """The request of the HTTP library; the key is put into it when nothing can be refused any more."""
        request = self._http.build_request(**self._arguments(call))
        request.headers.update(self._auth)
        return request

    def transport_error(self, error: Exception) -> APIError:
        """A fault of the HTTP library as ours; one of ours stays as it is."""
        if isinstance(error, APIError):
            return error
        words = str(error) or type(error).__name__
        for secret in self.secrets:
            words = words.replace(secret, "***")
        cls: type[APIError] = APIConnectionError
        if isinstance(error, self._library.TimeoutException | TimeoutError):
            cls = APITimeoutError
            words = f"no answer in time ({type(error).__name__}: {words})"
        result = cls(words)
        result.__cause__ = error
        return result

    def answer_error(self, response: Any, body: bytes) -> APIError:
        """The error of an answer whose status is not 2xx."""
        status, headers = response.status_code, response.headers
        if 300 <= status < 400:
            target = urlsplit(str(headers.get("location", "")))
            where = target._replace(query="", fragment="", netloc=target.netloc.rpartition("@")[2])
            fault = ServiceError(
                f"the service redirects to {where.geturl() or 'nowhere'}: redirects are not followed, "
                "because the key must not reach another host; set base_url if this is meant"
            )
            return error_of(status=status, headers=headers, fault=fault, secrets=self.secrets)
        return error_of(status=status, headers=headers, body=body, secrets=self.secrets)

    def response_of(self, call: Call, response: Any, body: bytes) -> Response:
        """A whole answer; raises where a 200 states an error ([exaone §7])."""
        headers = response.headers
        content_type = headers.get("content-type", "")
        data: Any = None
        if body and (call.decode == "json" or (call.decode == "any" and "json" in content_type)):
            try:
                data = loads(body)
            except (ValueError, RecursionError):
                if call.decode == "any":
                    return Response(
                        data=None,
                        body=body,
                        status=response.status_code,
                        content_type=content_type,
                        headers=headers,
                    )
                raise error_of(
                    status=response.status_code,
                    headers=headers,
                    body=body,
                    fault=ServiceError(f"the answer is not JSON but {content_type or 'of no stated type'}"),
                    secrets=self.secrets,
                ) from None
            if (fault := service_error(data)) is not None:
                status = status_of(fault.code, fault.kind) or response.status_code
                raise error_of(status=status, headers=headers, body=body, fault=fault, secrets=self.secrets)
            if is_object(data) and is_object(data.get("status")) and "result" in data:
                data = data["result"]
        return Response(
            data=data,
            body=body,
            status=response.status_code,
            content_type=content_type,
            headers=headers,
        )

    def _log(self, call: Call, status: int, since: float) -> None:
        if _log.isEnabledFor(logging.DEBUG):
            seconds = time.monotonic() - since
            _log.debug("%s %s: %d in %.3f s", call.method, call.path, status, seconds)


#: What writes to the network below the HTTP library: its variables hold the head of a request as it is sent.
_WRITERS = frozenset(("httpcore", "httpcore2", "h11", "h2", "hpack", "anyio", "trio", "asyncio", "ssl"))


def _cut_tracebacks(error: BaseException, handled: BaseException | None) -> None:
    """End the traceback of an error, and of what led to it, where it enters what writes to the network.

    Tracebacks are logged with the variables of their frames. `handled` is what the caller was handling
    before: it leads to the error too, but is no part of the request.
    """
    waiting: list[BaseException | None] = [error]
    seen = {id(handled)}
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        waiting += [one.__cause__, one.__context__]
        last, trace = None, one.__traceback__
        while trace is not None and _package(trace) not in _WRITERS:
            last, trace = trace, trace.tb_next
        if last is None:
            one.__traceback__ = None
        else:
            last.tb_next = None


def _package(trace: TracebackType) -> str:
    name: str = trace.tb_frame.f_globals.get("__name__", "")
    return name.partition(".")[0]


class SyncTransport(Transport):
    """Sends and waits by blocking."""

    def close(self) -> None:
        """Close the HTTP client, unless it was passed in: then it is its owner's to close."""
        if self._owns_http:
            self._http.close()

    def stream(self, call: Call) -> Stream:
        """The events of an answer; nothing is sent yet."""
        return Stream(self, call)

    def send(self, call: Call) -> Any:
        """Send, and return the open answer; raises for a status that is not 2xx."""
        since = time.monotonic()
        request, handled = self.request(call), sys.exception()
        try:
            response = self._http.send(request, stream=True, follow_redirects=False)
        except BaseException as error:  # cancelled and Ctrl-C too
            _cut_tracebacks(error, handled)
            if isinstance(error, self.transport_faults):
                raise self.transport_error(error) from error
            raise
        self._log(call, response.status_code, since)
        if 200 <= response.status_code < 300:
            return response
        body = bytearray()
        try:
            for chunk in _sync_chunks(response):
                body += chunk
                if len(body) > _ERROR_BODY:
                    break
        except self.transport_faults:
            pass  # the status says enough
        finally:
            response.close()
        raise self.answer_error(response, bytes(body[:_ERROR_BODY]))

    def execute(self, call: Call) -> Response:
        """One answer that is no chat, tried again as the table says.

        It is held whole and has no limit: speech and documents are as long as they are.
        """

        def attempt() -> Response:
            response = self.send(call)
            try:
                body: bytes = response.read()
            except self.transport_faults as error:
                raise self.transport_error(error) from error
            finally:
                response.close()
            return self.response_of(call, response, body)

        return retrying(self.max_retries)(attempt)

    def complete(self, call: Call) -> Completion:
        """A whole chat answer."""
        return Stream(self, call).read()


class AsyncTransport(Transport):
    """Sends and waits by awaiting."""

    is_async = True

    async def aclose(self) -> None:
        """Close the HTTP client, unless it was passed in: then it is its owner's to close."""
        if self._owns_http:
            await self._http.aclose()

    def stream(self, call: Call) -> AsyncStream:
        """The events of an answer; nothing is sent yet."""
        return AsyncStream(self, call)

    async def send(self, call: Call) -> Any:
        """Send, and return the open answer; raises for a status that is not 2xx."""
        since = time.monotonic()
        request, handled = self.request(call), sys.exception()
        try:
            response = await self._http.send(request, stream=True, follow_redirects=False)
        except BaseException as error:  # cancelled and Ctrl-C too
            _cut_tracebacks(error, handled)
            if isinstance(error, self.transport_faults):
                raise self.transport_error(error) from error
            raise
        self._log(call, response.status_code, since)
        if 200 <= response.status_code < 300:
            return response
        body = bytearray()
        try:
            async for chunk in _async_chunks(response):
                body += chunk
                if len(body) > _ERROR_BODY:
                    break
        except self.transport_faults:
            pass  # the status says enough
        finally:
            await response.aclose()
        raise self.answer_error(response, bytes(body[:_ERROR_BODY]))

    async def execute(self, call: Call) -> Response:
        """One answer that is no chat, tried again as the table says."""

        async def attempt() -> Response:
            response = await self.send(call)
            try:
                body: bytes = await response.aread()
            except self.transport_faults as error:
                raise self.transport_error(error) from error
            finally:
                await response.aclose()
            return self.response_of(call, response, body)

        return await async_retrying(self.max_retries)(attempt)

    async def complete(self, call: Call) -> Completion:
        """A whole chat answer."""
        return await AsyncStream(self, call).read()


AnyTransport = TypeVar("AnyTransport", bound=Transport)


class _ClientFace(Generic[AnyTransport]):
    """What both kinds of client show of their transport."""

    _transport: AnyTransport

    @property
    def base_url(self) -> str:
        """Where requests go, without a slash at the end."""
        return self._transport.base_url

    def __repr__(self) -> str:
        # The key is in no attribute that is shown, here or in a debugger's summary.
        module = type(self).__module__.removesuffix("._client")
        name = f"{module}.{type(self).__name__}"
        if not hasattr(self, "_transport"):  # a debugger, or a traceback with locals, where __init__ failed
            return f"<{name}, not made>"
        return f"<{name} base_url={self.base_url!r}>"


class ClientBase(_ClientFace[SyncTransport]):
    """A client that blocks; use it in a `with` block, or call `close`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections. An `http_client` that was passed in stays open."""
        self._transport.close()


class AsyncClientBase(_ClientFace[AsyncTransport]):
    """A client that awaits; use it in an `async with` block, or await `aclose`."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections. An `http_client` that was passed in stays open."""
        await self._transport.aclose()


_MISSING = "hangang's clients need {}, which is not installed: pip install 'hangang[client]'"


def _require_retry_library() -> None:
    try:
        import tenacity  # noqa: F401  # pyright: ignore[reportUnusedImport]
    except ImportError as error:
        raise ImportError(_MISSING.format("tenacity")) from error


def _new_client(kind: str, base_url: str) -> Any:
    for name in ("httpx", "httpx2"):
        try:
            library = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
        else:
            break
    else:
        raise ImportError(_MISSING.format("httpx"))
    host = urlsplit(base_url).hostname or ""
    return getattr(library, kind)(
        # A stream holds its connection for as long as the answer takes: no cap on how many.
        limits=library.Limits(max_connections=None, max_keepalive_connections=100),
        follow_redirects=False,
        # A proxy from the environment would carry a plain loopback request to another host.
        trust_env=not _is_loopback(host),
    )


def _library_of(client: Any) -> ModuleType:
    """httpx or httpx2, whichever the client (or the class it derives from) belongs to."""
    for cls in type(client).__mro__:
        name = cls.__module__.partition(".")[0]
        if name in ("httpx", "httpx2"):
            return importlib.import_module(name)
    raise TypeError(f"http_client must be a client of httpx or httpx2, not {type(client).__name__}")


def _seconds(timeout: float | TimeoutLike | Any) -> dict[str, float | None]:
    if isinstance(timeout, int | float):
        if not timeout > 0 or math.isinf(timeout):
            raise ValueError(f"timeout must be seconds above 0, not {timeout!r}")
        return dict.fromkeys(("connect", "read", "write", "pool"), float(timeout))
    return dict(timeout.as_dict())


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
