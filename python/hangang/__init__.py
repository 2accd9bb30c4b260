"""Incremental decoder for the streaming APIs of Korean LLM services, and clients for them.

`clova`, `exaone`, `gov` and `openai` have a `StreamParser` and clients; `a2a` has a parser.
Parsers take bytes split at arbitrary points and return typed events. `iter_events` and `aiter_events` drive
one from any iterable of bytes; `Completion` is the whole answer. `SSEParser` and `JSONStreamParser` do the
framing alone. Importing this package imports no HTTP library, and of the standard library only what parsers
need.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hangang import a2a, clova, exaone, gov, openai
from hangang._backend import BACKEND, impl
from hangang._errors import (
    APIConnectionError,
    APIError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    HangangError,
    InterruptedStreamError,
    InvalidJSONError,
    InvalidUTF8Error,
    LimitExceededError,
    NotFoundError,
    ParseError,
    PayloadTooLargeError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    StalledStreamError,
    StreamError,
    TruncatedStreamError,
    UnprocessableEntityError,
    UnrecognizedStreamError,
    UnsupportedMediaTypeError,
)
from hangang._version import __version__

if TYPE_CHECKING:
    from hangang import archive as archive
    from hangang import emulator as emulator
    from hangang import langchain as langchain
    from hangang import otel as otel
    from hangang import streams as streams
    from hangang._pure import detect as detect
    from hangang.streams import Completion, ToolCall, ToolCalls, aiter_events, iter_events

__all__ = [
    "BACKEND",
    "AIFilter",
    "APIConnectionError",
    "APIError",
    "APITimeoutError",
    "AuthenticationError",
    "BadRequestError",
    "Completion",
    "HangangError",
    "InterruptedStreamError",
    "InvalidJSONError",
    "InvalidUTF8Error",
    "JSONStreamParser",
    "LimitExceededError",
    "Malformed",
    "NotFoundError",
    "ParseError",
    "PayloadTooLargeError",
    "PermissionDeniedError",
    "RateLimitError",
    "SSEParser",
    "ServerError",
    "ServerSentEvent",
    "StalledStreamError",
    "StreamError",
    "ToolCall",
    "ToolCallDelta",
    "ToolCalls",
    "TruncatedStreamError",
    "UnprocessableEntityError",
    "UnrecognizedStreamError",
    "UnsupportedMediaTypeError",
    "Usage",
    "__version__",
    "a2a",
    "aiter_events",
    "clova",
    "detect",
    "exaone",
    "gov",
    "iter_events",
    "openai",
]

AIFilter = impl.AIFilter
JSONStreamParser = impl.JSONStreamParser
Malformed = impl.Malformed
ServerSentEvent = impl.ServerSentEvent
SSEParser = impl.SSEParser
ToolCallDelta = impl.ToolCallDelta
Usage = impl.Usage

if not TYPE_CHECKING:
    detect = impl.detect
    _STREAMS = ("Completion", "ToolCall", "ToolCalls", "aiter_events", "iter_events")

    def __getattr__(name: str) -> Any:
        # Not at the top: what `streams` brings along (dataclasses, json, logging) is half an import's time.
        if name in _STREAMS or name == "streams":
            import importlib

            streams = importlib.import_module("hangang.streams")
            return streams if name == "streams" else getattr(streams, name)
        if name in ("archive", "emulator", "langchain", "otel"):
            import importlib

            return importlib.import_module(f"hangang.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__} - {"Any", "TYPE_CHECKING", "annotations", "impl"})
