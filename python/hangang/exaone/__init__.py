"""EXAONE, LG AI Research's own platform: parser, events, clients.

The parser and the events need nothing but Python; the clients need `hangang[client]`, and are
imported when first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hangang._backend import impl

from ._events import Answer, Error, Event, Malformed, Unknown

if TYPE_CHECKING:
    from ._client import AsyncClient as AsyncClient
    from ._client import AsyncStream as AsyncStream
    from ._client import CallOptions as CallOptions
    from ._client import Client as Client
    from ._client import ConnectionOptions as ConnectionOptions
    from ._client import Metrics as Metrics
    from ._client import QueryOptions as QueryOptions
    from ._client import RateLimit as RateLimit
    from ._client import Response as Response
    from ._client import StatusOptions as StatusOptions
    from ._client import Stream as Stream

__all__ = [
    "Answer",
    "AsyncClient",
    "AsyncStream",
    "CallOptions",
    "Client",
    "ConnectionOptions",
    "Error",
    "Event",
    "Malformed",
    "Metrics",
    "QueryOptions",
    "RateLimit",
    "Response",
    "StatusOptions",
    "Stream",
    "StreamParser",
    "Unknown",
]

StreamParser = impl.exaone.StreamParser


if not TYPE_CHECKING:
    _CLIENTS = (
        "AsyncClient",
        "AsyncStream",
        "CallOptions",
        "Client",
        "ConnectionOptions",
        "Metrics",
        "QueryOptions",
        "RateLimit",
        "Response",
        "StatusOptions",
        "Stream",
    )

    def __getattr__(name: str) -> Any:
        # Not at the top: importing a parser must not import an HTTP library.
        if name in _CLIENTS:
            from . import _client

            return getattr(_client, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__} - {"Any", "TYPE_CHECKING", "annotations", "impl"})
