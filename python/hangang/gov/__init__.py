"""CLOVA Studio Gov: clients, with the parser and events of its chat.

Chat speaks the OpenAI-compatible format, so these are the classes of `hangang.openai`; the agents
speak A2A, see `hangang.a2a`. The clients need `hangang[client]`, and are imported when first asked
for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from hangang._backend import impl

if TYPE_CHECKING:
    from ._client import PROFILES as PROFILES
    from ._client import AgentProfile as AgentProfile
    from ._client import AsyncClient as AsyncClient
    from ._client import AsyncStream as AsyncStream
    from ._client import Client as Client
    from ._client import Response as Response
    from ._client import Stream as Stream

__all__ = [
    "PROFILES",
    "AgentProfile",
    "AsyncClient",
    "AsyncStream",
    "Choice",
    "Chunk",
    "Client",
    "Done",
    "Error",
    "Event",
    "Malformed",
    "Response",
    "Stream",
    "StreamParser",
    "Unknown",
]

Choice = impl.openai.Choice
Chunk = impl.openai.Chunk
Done = impl.openai.Done
Error = impl.openai.Error
StreamParser = impl.openai.StreamParser
Unknown = impl.openai.Unknown
Malformed = impl.Malformed

Event: TypeAlias = Chunk | Done | Error | Unknown | Malformed
"""Everything that `StreamParser.feed` can return."""


if not TYPE_CHECKING:
    _CLIENTS = ("PROFILES", "AgentProfile", "AsyncClient", "AsyncStream", "Client", "Response", "Stream")

    def __getattr__(name: str) -> Any:
        # Not at the top: importing a parser must not import an HTTP library.
        if name in _CLIENTS:
            from . import _client

            return getattr(_client, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
