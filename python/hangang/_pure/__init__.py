"""The pure implementation: the names and behaviour of the Rust crate in Python, file by file.

It needs the standard library only. Its surface is that of the native module: the shared classes here, and a
submodule for each dialect (`clova`, `exaone`, `openai`, `a2a`). `_backend` uses it where there is no native
module, and type checkers see its classes for both. It imports nothing of `_backend`.
"""

from __future__ import annotations

from .dialects import a2a, clova, exaone, openai
from .dialects.wire import AIFilter, Malformed, ToolCallDelta, Usage
from .framing.json_stream import JSONStreamParser
from .framing.sse import ServerSentEvent, SSEParser
from .service import detect
from .whole import read_bodies

__all__ = [
    "AIFilter",
    "JSONStreamParser",
    "Malformed",
    "SSEParser",
    "ServerSentEvent",
    "ToolCallDelta",
    "Usage",
    "a2a",
    "clova",
    "detect",
    "exaone",
    "openai",
    "read_bodies",
]
