"""CLOVA Studio, native chat API (v1, v2, v3): parser, events, clients.

The parser and the events need nothing but Python; the clients need `hangang[client]`, and are
imported when first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from hangang._backend import impl

if TYPE_CHECKING:
    from ._client import AsyncClient as AsyncClient
    from ._client import AsyncStream as AsyncStream
    from ._client import Client as Client
    from ._client import Response as Response
    from ._client import Stream as Stream

__all__ = [
    "AsyncClient",
    "AsyncStream",
    "Client",
    "Error",
    "Event",
    "Malformed",
    "Response",
    "Result",
    "Signal",
    "Stream",
    "StreamParser",
    "Token",
    "Unknown",
]

Error = impl.clova.Error
Result = impl.clova.Result
Signal = impl.clova.Signal
StreamParser = impl.clova.StreamParser
Token = impl.clova.Token
Unknown = impl.clova.Unknown
Malformed = impl.Malformed

Event: TypeAlias = Token | Result | Signal | Error | Unknown | Malformed
"""Everything that `StreamParser.feed` can return."""


if not TYPE_CHECKING:
    _CLIENTS = ("AsyncClient", "AsyncStream", "Client", "Response", "Stream")

    def __getattr__(name: str) -> Any:
        # Not at the top: importing a parser must not import an HTTP library.
        if name in _CLIENTS:
            from . import _client

            return getattr(_client, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
