"""
The native implementation of hangang's parsers and events: one submodule a dialect, with the names of its
public module.
"""

from . import a2a as a2a, clova as clova, exaone as exaone, openai as openai
from _typeshed import Incomplete
from typing import Any, Final, final

__all__ = ["__version__", "AIFilter", "JSONStreamParser", "Malformed", "SSEParser", "ServerSentEvent", "ToolCallDelta", "Usage", "a2a", "clova", "exaone", "openai"]

__version__: Final[str]

@final
class AIFilter:
    """
    One verdict of CLOVA's AI filter.
    """
    __match_args__: Final[tuple]
    def __eq__(self, other: object, /) -> Any: ...
    def __hash__(self, /) -> int: ...
    def __new__(cls, /, group_name: Incomplete = ..., name: Incomplete = ..., score: Incomplete = ..., result: Incomplete = ...) -> AIFilter: ...
    def __reduce__(self, /) -> tuple: ...
    def __repr__(self, /) -> str: ...
    @property
    def group_name(self, /) -> Any: ...
    @property
    def name(self, /) -> Any: ...
    @property
    def result(self, /) -> Any: ...
    @property
    def score(self, /) -> Any: ...

@final
class JSONStreamParser:
    """
    Bytes to complete, valid JSON objects and arrays.
    """
    def __new__(cls, /, *, max_frame_bytes: Incomplete = ..., max_depth: Incomplete = ...) -> JSONStreamParser: ...
    @property
    def _examined(self, /) -> int:
        """
        Bytes examined so far, every pass over a byte counted.
        """
    def close(self, /) -> list:
        """
        The end of the stream: an error inside a value.
        """
    def feed(self, /, chunk: Any) -> list:
        """
        The values that this chunk completes, as the bytes received.
        """
    @property
    def pending(self, /) -> int:
        """
        Bytes held of an unfinished value.
        """

@final
class Malformed:
    """
    A frame that was delimited and judged bad, where the parser reports instead of failing.
    """
    __match_args__: Final[tuple]
    text: Final[str]
    """
    Always empty: this kind of event carries none.
    """
    thinking: Final[str]
    """
    Always empty: this kind of event carries none.
    """
    def __eq__(self, other: object, /) -> Any: ...
    def __hash__(self, /) -> int: ...
    def __new__(cls, /, raw: Incomplete = ..., error: Incomplete = ...) -> Malformed: ...
    def __reduce__(self, /) -> tuple: ...
    def __repr__(self, /) -> str: ...
    @property
    def error(self, /) -> Any: ...
    def json(self, /) -> Any:
        """
        `json.loads` of the frame, which raises what is wrong with it.
        """
    @property
    def raw(self, /) -> Any: ...

@final
class SSEParser:
    """
    Bytes to server-sent events, as WHATWG frames them.
    """
    def __new__(cls, /, *, max_frame_bytes: Incomplete = ...) -> SSEParser: ...
    @property
    def _examined(self, /) -> int:
        """
        Bytes examined so far, every pass over a byte counted.
        """
    def close(self, /) -> list:
        """
        The end of the stream. An unfinished event is discarded, as WHATWG has it.
        """
    def feed(self, /, chunk: Any) -> list:
        """
        The events that this chunk completes.
        """
    @property
    def last_event_id(self, /) -> str:
        """
        The id as the last empty line left it.
        """
    @property
    def pending(self, /) -> int:
        """
        Bytes held of an unfinished frame.
        """
    @property
    def retry(self, /) -> int | None:
        """
        The reconnection time in milliseconds that the stream asked for.
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
    def data(self, /) -> Any: ...
    @property
    def event(self, /) -> Any: ...
    @property
    def id(self, /) -> Any: ...

@final
class ToolCallDelta:
    """
    A piece of a tool call, or a whole one.
    """
    __match_args__: Final[tuple]
    def __eq__(self, other: object, /) -> Any: ...
    def __hash__(self, /) -> int: ...
    def __new__(cls, /, index: Incomplete = ..., id: Incomplete = ..., type: Incomplete = ..., name: Incomplete = ..., partial_json: Incomplete = ..., arguments: Incomplete = ...) -> ToolCallDelta: ...
    def __reduce__(self, /) -> tuple: ...
    def __repr__(self, /) -> str: ...
    @property
    def arguments(self, /) -> Any: ...
    @property
    def id(self, /) -> Any: ...
    @property
    def index(self, /) -> Any: ...
    @property
    def name(self, /) -> Any: ...
    @property
    def partial_json(self, /) -> Any: ...
    @property
    def type(self, /) -> Any: ...

@final
class Usage:
    """
    Token counts.
    """
    __match_args__: Final[tuple]
    def __eq__(self, other: object, /) -> Any: ...
    def __hash__(self, /) -> int: ...
    def __new__(cls, /, prompt_tokens: Incomplete = ..., completion_tokens: Incomplete = ..., total_tokens: Incomplete = ..., thinking_tokens: Incomplete = ...) -> Usage: ...
    def __reduce__(self, /) -> tuple: ...
    def __repr__(self, /) -> str: ...
    @property
    def completion_tokens(self, /) -> Any: ...
    @property
    def prompt_tokens(self, /) -> Any: ...
    @property
    def thinking_tokens(self, /) -> Any: ...
    @property
    def total_tokens(self, /) -> Any: ...
