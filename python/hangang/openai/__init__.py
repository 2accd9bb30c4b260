"""OpenAI-compatible chat (vLLM, SGLang, Ollama, Friendli, gateways): parser, events, clients.

The parser and the events need nothing but Python; the clients need `hangang[client]`, and are
imported when first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hangang._backend import impl

from ._events import Choice, Chunk, Done, Error, Event, Malformed, Unknown

if TYPE_CHECKING:
    from hangang._to_chunks import to_chunks

    from ._client import AsyncClient as AsyncClient
    from ._client import AsyncStream as AsyncStream
    from ._client import CallOptions as CallOptions
    from ._client import ChatOptions as ChatOptions
    from ._client import Client as Client
    from ._client import ConnectionOptions as ConnectionOptions
    from ._client import Metrics as Metrics
    from ._client import RateLimit as RateLimit
    from ._client import Response as Response
    from ._client import Stream as Stream

__all__ = [
    "AsyncClient",
    "AsyncStream",
    "CallOptions",
    "ChatOptions",
    "Choice",
    "Chunk",
    "Client",
    "ConnectionOptions",
    "Done",
    "Error",
    "Event",
    "Malformed",
    "Metrics",
    "RateLimit",
    "Response",
    "Stream",
    "StreamParser",
    "Unknown",
    "to_chunks",
]

StreamParser = impl.openai.StreamParser


if not TYPE_CHECKING:
    _CLIENTS = (
        "AsyncClient",
        "AsyncStream",
        "CallOptions",
        "ChatOptions",
        "Client",
        "ConnectionOptions",
        "Metrics",
        "RateLimit",
        "Response",
        "Stream",
    )

    def __getattr__(name: str) -> Any:
        # Not at the top: importing a parser must not import an HTTP library.
        if name in _CLIENTS:
            from . import _client

            return getattr(_client, name)
        # Folding imports dataclasses and json, which take half of an import's time.
        if name == "to_chunks":
            from hangang._to_chunks import to_chunks

            return to_chunks
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__} - {"Any", "TYPE_CHECKING", "annotations", "impl"})
