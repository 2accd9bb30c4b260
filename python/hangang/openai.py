"""OpenAI-compatible chat streams (vLLM, Friendli, gateways, CLOVA's own): parser and events."""

from __future__ import annotations

from typing import TypeAlias

from hangang._backend import impl

__all__ = [
    "Choice",
    "Chunk",
    "Done",
    "Error",
    "Event",
    "Malformed",
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
