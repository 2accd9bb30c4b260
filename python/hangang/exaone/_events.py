"""The events of EXAONE, from the backend in use."""

from __future__ import annotations

from typing import TypeAlias

from hangang._backend import impl

__all__ = ["Answer", "Error", "Event", "Malformed", "Unknown"]

Answer = impl.exaone.Answer
Error = impl.exaone.Error
Unknown = impl.exaone.Unknown
Malformed = impl.Malformed

Event: TypeAlias = Answer | Error | Unknown | Malformed
"""Everything that `StreamParser.feed` can return."""
