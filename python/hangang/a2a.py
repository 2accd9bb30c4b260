"""Agent2Agent over JSON-RPC (0.2, 0.3, 1.0): parser and events."""

from __future__ import annotations

from typing import TypeAlias

from hangang._backend import A2AArtifactUpdate as ArtifactUpdate
from hangang._backend import A2AError as Error
from hangang._backend import A2AMessage as Message
from hangang._backend import A2AStatusUpdate as StatusUpdate
from hangang._backend import A2AStreamParser as StreamParser
from hangang._backend import A2ATask as Task
from hangang._backend import A2AUnknown as Unknown
from hangang._backend import Malformed

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

Event: TypeAlias = Task | Message | StatusUpdate | ArtifactUpdate | Error | Unknown | Malformed
"""Everything that `StreamParser.feed` can return."""
