"""OpenAI-compatible chat streams (vLLM, Friendli, gateways, CLOVA's own): parser and events."""

from __future__ import annotations

from typing import TypeAlias

from hangang._backend import Malformed
from hangang._backend import OpenAIChoice as Choice
from hangang._backend import OpenAIChunk as Chunk
from hangang._backend import OpenAIDone as Done
from hangang._backend import OpenAIError as Error
from hangang._backend import OpenAIStreamParser as StreamParser
from hangang._backend import OpenAIUnknown as Unknown

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

Event: TypeAlias = Chunk | Done | Error | Unknown | Malformed
"""Everything that `StreamParser.feed` can return."""
