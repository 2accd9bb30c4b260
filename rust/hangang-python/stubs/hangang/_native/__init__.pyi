"""
The native implementation of hangang's parsers and events: one submodule a dialect, with the names of its
public module.
"""

from . import a2a as a2a, clova as clova, exaone as exaone, openai as openai
from _typeshed import Incomplete
from typing import Any, Final, final

__all__ = ["__version__", "AIFilter", "JSONStreamParser", "Malformed", "SSEParser", "ServerSentEvent", "ToolCallDelta", "Usage", "detect", "read_bodies", "a2a", "clova", "exaone", "openai"]

__version__: Final[str]

@final
class AIFilter:
    """
    One entry of CLOVA's AI filter.
    """
    __match_args__: Final[tuple]
    def __eq__(self, other: object, /) -> Any: ...
    def __hash__(self, /) -> int: ...
    def __new__(cls, /, group_name: Incomplete = ..., name: Incomplete = ..., score: Incomplete = ..., result: Incomplete = ...) -> AIFilter: ...
    def __reduce__(self, /) -> tuple: ...
    def __repr__(self, /) -> str: ...
    @property
    def group_name(self, /) -> Any:
        """
        `curse` or `unsafeContents`.
        """
    @property
    def name(self, /) -> Any:
        """
        `discrimination`, `insult` or `sexualHarassment`.
        """
    @property
    def result(self, /) -> Any:
        """
        `OK` or `ERROR`; often None.
        """
    @property
    def score(self, /) -> Any:
        """
        `"-1"` to `"2"`, a string.
        """
    def to_dict(self, /) -> dict:
        """
        The fields by name, in plain values that `json.dumps` accepts.
        """

@final
class JSONStreamParser:
    """
    Bytes to complete, valid JSON objects and arrays.

    Args:
        max_frame_bytes: most bytes of one value.
        max_depth: most open containers.

    Raises:
        TypeError, ValueError: an argument of another type or outside 1 to 2**62.
    """
    def __new__(cls, /, *, max_frame_bytes: Incomplete = ..., max_depth: Incomplete = ...) -> JSONStreamParser: ...
    @property
    def _examined(self, /) -> int:
        """
        Bytes examined so far, every pass over a byte counted.
        """
    def close(self, /) -> list:
        """
        Ends the stream: the events that its end completes. A second call returns [].

        Raises:
            ParseError: the stream was not at an end (TruncatedStreamError), or had failed before.
            RuntimeError: another thread is inside this parser.
        """
    def feed(self, /, chunk: Any) -> list:
        """
        The values that this chunk completes, as the bytes received; `b""` completes none.

        Raises:
            ParseError: a value is not valid, too large or too deep, or not separated by white space only.
            ValueError: after `close()`.
            RuntimeError: another thread is inside this parser.
            TypeError: `chunk` is not bytes, bytearray or a contiguous memoryview of bytes.
        """
    @property
    def pending(self, /) -> int:
        """
        Bytes held of an unfinished frame; depends on the bytes fed only, not on their split.
        """

@final
class Malformed:
    """
    A frame that was delimited but is not valid, with `errors="report"`.
    """
    __match_args__: Final[tuple]
    text: Final[str]
    """
    Always `""`: events of this kind have none.
    """
    thinking: Final[str]
    """
    Always `""`: events of this kind have none.
    """
    def __eq__(self, other: object, /) -> Any: ...
    def __hash__(self, /) -> int: ...
    def __new__(cls, /, raw: Incomplete = ..., error: Incomplete = ...) -> Malformed: ...
    def __reduce__(self, /) -> tuple: ...
    def __repr__(self, /) -> str: ...
    @property
    def error(self, /) -> Any:
        """
        The ParseError that `errors="strict"` would have raised.
        """
    def json(self, /) -> Any:
        """
        `json.loads` of the strictly decoded payload; raises ValueError if it is not JSON.
        """
    @property
    def raw(self, /) -> Any:
        """
        The frame's bytes.
        """
    def to_dict(self, /) -> dict:
        """
        The fields by name, in plain values that `json.dumps` accepts.
        """

@final
class SSEParser:
    """
    Bytes to server-sent events, as WHATWG defines them.

    Args:
        max_frame_bytes: most bytes of one line, and of the joined data of one event.

    Raises:
        TypeError, ValueError: an argument of another type or outside 1 to 2**62.
    """
    def __new__(cls, /, *, max_frame_bytes: Incomplete = ...) -> SSEParser: ...
    @property
    def _examined(self, /) -> int:
        """
        Bytes examined so far, every pass over a byte counted.
        """
    def close(self, /) -> list:
        """
        Ends the stream: the events that its end completes. A second call returns [].

        Raises:
            ParseError: the stream was not at an end (TruncatedStreamError), or had failed before.
            RuntimeError: another thread is inside this parser.
        """
    def feed(self, /, chunk: Any) -> list:
        """
        The events that this chunk completes; `b""` completes none.

        Raises:
            LimitExceededError: a line or an event is too large.
            ValueError: after `close()`.
            RuntimeError: another thread is inside this parser.
            TypeError: `chunk` is not bytes, bytearray or a contiguous memoryview of bytes.
        """
    @property
    def last_event_id(self, /) -> str:
        """
        The last event ID, as committed by the last blank line; `""` at first.
        """
    @property
    def pending(self, /) -> int:
        """
        Bytes held of an unfinished frame; depends on the bytes fed only, not on their split.
        """
    @property
    def retry(self, /) -> int | None:
        """
        Reconnection time in milliseconds, as last set by the stream; None at first.
        """

@final
class ServerSentEvent:
    """
    One server-sent event.
    """
    __match_args__: Final[tuple]
    def __eq__(self, other: object, /) -> Any: ...
    def __hash__(self, /) -> int: ...
    def __new__(cls, /, event: Incomplete = ..., data: Incomplete = ..., id: Incomplete = ...) -> ServerSentEvent: ...
    def __reduce__(self, /) -> tuple: ...
    def __repr__(self, /) -> str: ...
    @property
    def data(self, /) -> Any:
        """
        The data lines, joined by LF.
        """
    @property
    def event(self, /) -> Any:
        """
        The event's name.
        """
    @property
    def id(self, /) -> Any:
        """
        The last event ID.
        """
    def to_dict(self, /) -> dict:
        """
        The fields by name, in plain values that `json.dumps` accepts.
        """

@final
class ToolCallDelta:
    """
    A piece of a tool call.

    A CLOVA delta with neither `id` nor `index` continues the call opened last.
    """
    __match_args__: Final[tuple]
    def __eq__(self, other: object, /) -> Any: ...
    def __hash__(self, /) -> int: ...
    def __new__(cls, /, index: Incomplete = ..., id: Incomplete = ..., type: Incomplete = ..., name: Incomplete = ..., partial_json: Incomplete = ..., arguments: Incomplete = ...) -> ToolCallDelta: ...
    def __reduce__(self, /) -> tuple: ...
    def __repr__(self, /) -> str: ...
    @property
    def arguments(self, /) -> Any:
        """
        JSON text: the whole arguments (CLOVA's result, one-shot answers), or the next fragment (OpenAI-compatible).
        """
    @property
    def id(self, /) -> Any:
        """
        The call's id, usually in its first piece only.
        """
    @property
    def index(self, /) -> Any:
        """
        Which call the piece belongs to; None where the service sends no index (CLOVA).
        """
    @property
    def name(self, /) -> Any:
        """
        The function's name, usually in the call's first piece only.
        """
    @property
    def partial_json(self, /) -> Any:
        """
        The next fragment of the arguments' JSON text (CLOVA).
        """
    def to_dict(self, /) -> dict:
        """
        The fields by name, in plain values that `json.dumps` accepts.
        """
    @property
    def type(self, /) -> Any:
        """
        `function`.
        """

@final
class Usage:
    """
    Token counts as the service reports them. Totals need not add up.
    """
    __match_args__: Final[tuple]
    def __eq__(self, other: object, /) -> Any: ...
    def __hash__(self, /) -> int: ...
    def __new__(cls, /, prompt_tokens: Incomplete = ..., completion_tokens: Incomplete = ..., total_tokens: Incomplete = ..., thinking_tokens: Incomplete = ...) -> Usage: ...
    def __reduce__(self, /) -> tuple: ...
    def __repr__(self, /) -> str: ...
    @property
    def completion_tokens(self, /) -> Any:
        """
        Tokens of the answer, reasoning included.
        """
    @property
    def prompt_tokens(self, /) -> Any:
        """
        Tokens of the prompt.
        """
    @property
    def thinking_tokens(self, /) -> Any:
        """
        Tokens of the reasoning.
        """
    def to_dict(self, /) -> dict:
        """
        The fields by name, in plain values that `json.dumps` accepts.
        """
    @property
    def total_tokens(self, /) -> Any:
        """
        The total as the service states it.
        """

def detect(first_bytes: Any) -> str | None:
    """
    The dialect of a stream: `clova`, `exaone`, `openai`, `a2a`, or None where nothing tells.

    Args:
        first_bytes: how the stream begins; only the first 1,024 bytes count.

    Raises:
        TypeError: not bytes, bytearray or memoryview.
    """

def read_bodies(bodies: list, dialect: str | None = None) -> list:
    """
    Whole streams, each with its deltas merged: for each body `(dialect, events, count, error)`.

    Neighbouring events that differ in their deltas only are one event, without `raw`; they fold to the same
    `Completion`. `count` is their number before merging, `error` what ended the stream early, or None. Nothing is
    parsed, and `dialect` is None, if `detect` does not find one. Other threads run while the bodies are parsed.

    Args:
        bodies: a list of bytes.
        dialect: `clova`, `exaone`, `openai` or `a2a`; None finds it for each body.

    Raises:
        TypeError, ValueError: an argument of another type or value.
    """
