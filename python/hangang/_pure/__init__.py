"""The pure twin: the names and behaviour of the Rust crate in Python, file by file.

It needs the standard library only. `_backend` uses it where there is no native module, and type
checkers see its classes for both.
"""

from __future__ import annotations

from .dialects.a2a import ArtifactUpdate as A2AArtifactUpdate
from .dialects.a2a import Error as A2AError
from .dialects.a2a import Message as A2AMessage
from .dialects.a2a import StatusUpdate as A2AStatusUpdate
from .dialects.a2a import StreamParser as A2AStreamParser
from .dialects.a2a import Task as A2ATask
from .dialects.a2a import Unknown as A2AUnknown
from .dialects.clova import Error as ClovaError
from .dialects.clova import Result as ClovaResult
from .dialects.clova import Signal as ClovaSignal
from .dialects.clova import StreamParser as ClovaStreamParser
from .dialects.clova import Token as ClovaToken
from .dialects.clova import Unknown as ClovaUnknown
from .dialects.exaone import Answer as ExaoneAnswer
from .dialects.exaone import Error as ExaoneError
from .dialects.exaone import StreamParser as ExaoneStreamParser
from .dialects.exaone import Unknown as ExaoneUnknown
from .dialects.openai import Choice as OpenAIChoice
from .dialects.openai import Chunk as OpenAIChunk
from .dialects.openai import Done as OpenAIDone
from .dialects.openai import Error as OpenAIError
from .dialects.openai import StreamParser as OpenAIStreamParser
from .dialects.openai import Unknown as OpenAIUnknown
from .dialects.wire import AIFilter, Malformed, ToolCallDelta, Usage
from .framing.json_stream import JSONStreamParser
from .framing.sse import ServerSentEvent, SSEParser

__all__ = [
    "A2AArtifactUpdate",
    "A2AError",
    "A2AMessage",
    "A2AStatusUpdate",
    "A2AStreamParser",
    "A2ATask",
    "A2AUnknown",
    "AIFilter",
    "ClovaError",
    "ClovaResult",
    "ClovaSignal",
    "ClovaStreamParser",
    "ClovaToken",
    "ClovaUnknown",
    "ExaoneAnswer",
    "ExaoneError",
    "ExaoneStreamParser",
    "ExaoneUnknown",
    "JSONStreamParser",
    "Malformed",
    "OpenAIChoice",
    "OpenAIChunk",
    "OpenAIDone",
    "OpenAIError",
    "OpenAIStreamParser",
    "OpenAIUnknown",
    "SSEParser",
    "ServerSentEvent",
    "ToolCallDelta",
    "Usage",
]
