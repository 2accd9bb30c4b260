"""The events of the OpenAI-compatible format, from the backend in use."""

from __future__ import annotations

from typing import TypeAlias

from hangang._backend import impl

__all__ = ["Choice", "Chunk", "Done", "Error", "Event", "Malformed", "Unknown"]

Choice = impl.openai.Choice
Chunk = impl.openai.Chunk
Done = impl.openai.Done
Error = impl.openai.Error
Unknown = impl.openai.Unknown
Malformed = impl.Malformed

Event: TypeAlias = Chunk | Done | Error | Unknown | Malformed
"""Everything that `StreamParser.feed` can return."""
