"""The base classes of all clients, and what runs a `Call` for them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from types import FunctionType, TracebackType
from typing import Any, Generic, Self, TypeAlias, TypeVar, Unpack

from hangang._completion import Completion

from .options import ConnectionOptions
from .request import Call
from .response import Response
from .stream import AsyncStream, Stream
from .transport import AsyncTransport, SyncTransport, Transport

__all__ = [
    "AsyncClientBase",
    "AwaitedCompletion",
    "AwaitedResponse",
    "ClientBase",
    "Runner",
    "awaiting",
    "bare_names",
    "blocking",
]

AnyTransport = TypeVar("AnyTransport", bound=Transport)
S = TypeVar("S")
C = TypeVar("C")
R = TypeVar("R")
T = TypeVar("T", bound=type)


def bare_names(methods: T) -> T:
    """Decorate a class whose methods clients inherit, so that errors do not show its private name.

    Python's own errors about arguments then begin with `chat()`, as ours do, and not with `_Methods.chat()`.
    """
    for name, member in vars(methods).items():
        if isinstance(member, FunctionType):
            member.__qualname__ = name
    return methods


@dataclass(frozen=True, slots=True)
class Runner(Generic[S, C, R]):
    """Runs calls, by blocking or by awaiting.

    Methods of clients are written once for both kinds: they build a `Call` and hand it to one of these three.

    Attributes:
        stream: the events of an answer, as a `Stream` or an `AsyncStream`; nothing is sent yet.
        complete: a whole chat answer, as a `Completion` or something to await.
        execute: an answer that is not a chat, as a `Response` or something to await.
    """

    stream: Callable[[Call], S]
    complete: Callable[[Call], C]
    execute: Callable[[Call], R]


AwaitedCompletion: TypeAlias = Coroutine[Any, Any, Completion]
AwaitedResponse: TypeAlias = Coroutine[Any, Any, Response]


def blocking(transport: SyncTransport) -> Runner[Stream[Any], Completion, Response]:
    """A runner that blocks."""

    def stream(call: Call) -> Stream[Any]:
        return Stream(transport, call)

    def complete(call: Call) -> Completion:
        return stream(call).read()

    return Runner(stream, complete, transport.execute)


def awaiting(transport: AsyncTransport) -> Runner[AsyncStream[Any], AwaitedCompletion, AwaitedResponse]:
    """A runner that awaits."""

    def stream(call: Call) -> AsyncStream[Any]:
        return AsyncStream(transport, call)

    async def complete(call: Call) -> Completion:
        return await stream(call).read()

    return Runner(stream, complete, transport.execute)


class _Base(Generic[AnyTransport]):
    """What both kinds of client share."""

    _transport: AnyTransport

    def _bind(self, transport: AnyTransport) -> None:
        """Use a transport. Subclasses make the objects here that send through it."""
        self._transport = transport

    def with_options(self, **options: Unpack[ConnectionOptions]) -> Self:
        """A client with other settings over the same connections: `client.with_options(timeout=5)`.

        Every option of `ConnectionOptions` but `base_url`, `http_client` and `allow_insecure`. `headers` are
        added to those of this client. Closing the new client closes nothing.
        """
        other = copy.copy(self)
        other._bind(self._transport.with_options(options))
        return other

    @property
    def base_url(self) -> str:
        """Where requests go, without a slash at the end."""
        return self._transport.base_url

    def __repr__(self) -> str:
        # The key is in no attribute that is shown, here or in a debugger's summary.
        module = type(self).__module__.removesuffix("._client")
        name = f"{module}.{type(self).__name__}"
        if not hasattr(self, "_transport"):  # shown by a debugger while __init__ failed
            return f"<{name}, not made>"
        return f"<{name} base_url={self.base_url!r}>"


class ClientBase(_Base[SyncTransport]):
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


class AsyncClientBase(_Base[AsyncTransport]):
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
