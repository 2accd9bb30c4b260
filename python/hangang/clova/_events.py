"""The events of CLOVA Studio's native chat, from the backend in use."""

from __future__ import annotations

from typing import TypeAlias

from hangang._backend import impl

__all__ = ["Error", "Event", "Malformed", "Result", "Signal", "Token", "Unknown"]

Error = impl.clova.Error
Result = impl.clova.Result
Signal = impl.clova.Signal
Token = impl.clova.Token
Unknown = impl.clova.Unknown
Malformed = impl.Malformed

Event: TypeAlias = Token | Result | Signal | Error | Unknown | Malformed
"""Everything that `StreamParser.feed` can return."""
