"""The pure twin: the names and behaviour of the Rust crate in Python, file by file.

It needs the standard library only. `_backend` uses it where there is no native module, and type
checkers see its classes for both.
"""

from __future__ import annotations

from .a2a import ArtifactUpdate as A2AArtifactUpdate
from .a2a import Error as A2AError
from .a2a import Message as A2AMessage
from .a2a import StatusUpdate as A2AStatusUpdate
from .a2a import StreamParser as A2AStreamParser
from .a2a import Task as A2ATask
from .a2a import Unknown as A2AUnknown
from .clova import Error as ClovaError
from .clova import Result as ClovaResult
from .clova import Signal as ClovaSignal
from .clova import StreamParser as ClovaStreamParser
from .clova import Token as ClovaToken
from .clova import Unknown as ClovaUnknown
from .exaone import Answer as ExaoneAnswer
from .exaone import Error as ExaoneError
from .exaone import StreamParser as ExaoneStreamParser
from .exaone import Unknown as ExaoneUnknown
from .json_stream import JSONStreamParser
from .openai import Choice as OpenAIChoice
from .openai import Chunk as OpenAIChunk
from .openai import Done as OpenAIDone
from .openai import Error as OpenAIError
from .openai import StreamParser as OpenAIStreamParser
from .openai import Unknown as OpenAIUnknown
from .shared import AIFilter, Malformed, ToolCallDelta, Usage
from .sse import ServerSentEvent, SSEParser

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
