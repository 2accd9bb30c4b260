"""Agent2Agent over JSON-RPC (0.2, 0.3, 1.0): parser and events."""

from __future__ import annotations

from typing import TypeAlias

from hangang._backend import impl

__all__ = [
    "ArtifactUpdate",
    "Error",
    "Event",
    "Malformed",
    "Message",
    "StatusUpdate",
    "StreamParser",
    "Task",
    "Unknown",
]

ArtifactUpdate = impl.a2a.ArtifactUpdate
Error = impl.a2a.Error
Message = impl.a2a.Message
StatusUpdate = impl.a2a.StatusUpdate
StreamParser = impl.a2a.StreamParser
Task = impl.a2a.Task
Unknown = impl.a2a.Unknown
Malformed = impl.Malformed

Event: TypeAlias = Task | Message | StatusUpdate | ArtifactUpdate | Error | Unknown | Malformed
"""Everything that `StreamParser.feed` can return."""
