"""OpenAI-compatible chat streams (vLLM, Friendli, gateways, CLOVA's own): parser and events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from hangang._backend import impl

if TYPE_CHECKING:
    from hangang._to_chunks import to_chunks

__all__ = [
    "Choice",
    "Chunk",
    "Done",
    "Error",
    "Event",
    "Malformed",
    "StreamParser",
    "Unknown",
    "to_chunks",
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

    def __getattr__(name: str) -> Any:
        # Not at the top: folding brings dataclasses and json along, half of an import's time.
        if name == "to_chunks":
            from hangang._to_chunks import to_chunks

            return to_chunks
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
