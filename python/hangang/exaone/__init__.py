"""EXAONE, LG AI Research's own platform: parser, events, clients.

The parser and the events need nothing but Python; the clients need `hangang[client]`, and are
imported when first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from hangang._backend import ExaoneAnswer as Answer
from hangang._backend import ExaoneError as Error
from hangang._backend import ExaoneStreamParser as StreamParser
from hangang._backend import ExaoneUnknown as Unknown
from hangang._backend import Malformed

if TYPE_CHECKING:
    from ._client import AsyncClient as AsyncClient
    from ._client import Client as Client

__all__ = [
    "Answer",
    "AsyncClient",
    "Client",
    "Error",
    "Event",
    "Malformed",
    "StreamParser",
    "Unknown",
]

Event: TypeAlias = Answer | Error | Unknown | Malformed
"""Everything that `StreamParser.feed` can return."""


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        # Not at the top: importing a parser must not import an HTTP library.
        if name in ("AsyncClient", "Client"):
            from . import _client

            return getattr(_client, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
