"""What the clients need of an HTTP library: an adapter that sends a request and yields the body's chunks.

An adapter never follows a redirect, never retries, and never changes a header that we set. It raises its
library's own exceptions; `failures` lists those that mean that the connection failed. To add a library, add a
module here and a line to `choose`; nothing else in the package depends on which one is in use.
"""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

__all__ = [
    "Adapter",
    "AsyncReply",
    "Auth",
    "HTTPRequest",
    "Reason",
    "Reply",
    "SyncReply",
    "Timeouts",
    "is_loopback",
]

Timeouts: TypeAlias = Mapping[str, float | None]
"""Seconds for `connect`, `read`, `write` and `pool`; None is no limit."""


class Reason(StrEnum):
    """Why a request failed, in the same words for every library. What the system says comes before it."""

    NO_ANSWER = "the server closed the connection without an answer"
    CUT_SHORT = "the server closed the connection before the end of the answer"
    NOT_HTTP = "the answer is not valid HTTP"
    CONNECTING = "connecting took too long"
    SENDING = "sending took too long"
    NOTHING = "nothing arrived"


Chunks = TypeVar("Chunks")
Closed = TypeVar("Closed")


class Auth:
    """The headers that hold a key.

    A local variable of a frame can end up in a traceback that shows variables, so the headers are in none:
    the adapter calls `put_into` when the library can no longer refuse the request.
    """

    __slots__ = ("_headers",)

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = {name.lower(): value for name, value in headers.items()}

    def put_into(self, headers: MutableMapping[str, str]) -> None:
        """Add the headers, over any of the same name."""
        headers.update(self._headers)

    def __repr__(self) -> str:
        return "<Auth>"


@dataclass(frozen=True, slots=True)
class HTTPRequest:
    """A request without its key. Names of headers are in lower case."""

    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes | None
    timeouts: Timeouts

    def __repr__(self) -> str:
        return f"<HTTPRequest {self.method}>"


@dataclass(slots=True)
class Reply(Generic[Chunks, Closed]):
    """An answer whose body was not read yet.

    Attributes:
        status: HTTP status.
        headers: a mapping whose `get` ignores case.
        chunks: the body without its content encoding, in the pieces that arrive. It can be read once.
        close: closes the connection, or gives it back if the body was read to its end. Idempotent.
        attach_request: names the request on an exception of the library that does not have it yet.
        interrupt: makes a read that another thread is blocked in fail, if the library allows it.
    """

    status: int
    headers: Mapping[str, str]
    chunks: Chunks
    close: Callable[[], Closed]
    attach_request: Callable[[Exception], None]
    interrupt: Callable[[], None]

    def __repr__(self) -> str:
        return f"<Reply {self.status}>"


SyncReply: TypeAlias = Reply[Iterator[bytes], None]
AsyncReply: TypeAlias = Reply[AsyncIterator[bytes], Awaitable[None]]


class Adapter(Protocol):
    """One client object of an HTTP library.

    Attributes:
        name: of the library.
        http: the library's client object.
        failures: exceptions that mean that the connection failed.
        timeouts: those of them that mean that a time limit was reached.
        unreachable: those of them that mean that there never was a connection.
    """

    @property
    def name(self) -> str: ...

    @property
    def http(self) -> Any: ...

    @property
    def failures(self) -> tuple[type[Exception], ...]: ...

    @property
    def timeouts(self) -> tuple[type[Exception], ...]: ...

    @property
    def unreachable(self) -> tuple[type[Exception], ...]: ...

    def own_timeouts(self) -> Timeouts:
        """The time limits that the library's client object has itself."""
        ...

    def host_of(self, url: str) -> str:
        """The host of an address in ASCII; ValueError if the library cannot send to the address."""
        ...

    def reason(self, error: BaseException) -> Reason | None:
        """Why the library raised an exception, or None if only its own words tell."""
        ...

    def send(self, request: HTTPRequest, auth: Auth) -> Any:
        """Send, and return a `SyncReply`; an async adapter returns an awaitable of an `AsyncReply`."""
        ...

    def close(self) -> Any:
        """Close the library's client object; awaitable in an async adapter."""
        ...


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its name or address alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
