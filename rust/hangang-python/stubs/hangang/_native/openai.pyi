"""
`hangang.openai`
"""

from _typeshed import Incomplete
from typing import Any, Final, final

__all__ = ["Choice", "Chunk", "Done", "Error", "StreamParser", "Unknown"]

@final
class Choice:
    """
    A delta of one choice.
    """
    __match_args__: Final[tuple]
    def __eq__(self, other: object, /) -> Any: ...
    def __hash__(self, /) -> int: ...
    def __new__(cls, /, index: Incomplete = ..., text: Incomplete = ..., thinking: Incomplete = ..., role: Incomplete = ..., tool_calls: Incomplete = ..., finish_reason: Incomplete = ...) -> Choice: ...
    def __reduce__(self, /) -> tuple: ...
    def __repr__(self, /) -> str: ...
    @property
    def finish_reason(self, /) -> Any: ...
    @property
    def index(self, /) -> Any: ...
    @property
    def role(self, /) -> Any: ...
    @property
    def text(self, /) -> Any: ...
    @property
    def thinking(self, /) -> Any: ...
    @property
    def tool_calls(self, /) -> Any: ...

@final
class Chunk:
    """
    A delta, a usage report, or a whole answer.
    """
    __match_args__: Final[tuple]
    def __eq__(self, other: object, /) -> Any: ...
    def __hash__(self, /) -> int: ...
    def __new__(cls, /, text: Incomplete = ..., thinking: Incomplete = ..., role: Incomplete = ..., tool_calls: Incomplete = ..., finish_reason: Incomplete = ..., id: Incomplete = ..., model: Incomplete = ..., created: Incomplete = ..., usage: Incomplete = ..., choices: Incomplete = ...) -> Chunk: ...
    def __reduce__(self, /) -> tuple: ...
    def __repr__(self, /) -> str: ...
    @property
    def _rest(self, /) -> Any:
        """
        One object for neighbours that repeat the same: whoever folds them looks into it once.
        """
    @property
    def choices(self, /) -> Any:
        """
        All choices, made when they are read: most readers want only the main one's text.
        """
    @property
    def created(self, /) -> Any: ...
    @property
    def finish_reason(self, /) -> Any: ...
    @property
    def id(self, /) -> Any: ...
    def json(self, /) -> Any:
        """
        `json.loads` of the payload.
        """
    @property
    def model(self, /) -> Any: ...
    @property
    def raw(self, /) -> bytes:
        """
        The payload's bytes as received; `b""` for an event that no parser made.
        """
    @property
    def role(self, /) -> Any: ...
    @property
    def text(self, /) -> Any: ...
    @property
    def thinking(self, /) -> Any: ...
    @property
    def tool_calls(self, /) -> Any: ...
    @property
    def usage(self, /) -> Any: ...

@final
class Done:
    """
    `[DONE]`.
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
    def __new__(cls, /) -> Done: ...
    def __reduce__(self, /) -> tuple: ...
    def __repr__(self, /) -> str: ...
    def json(self, /) -> Any:
        """
        `json.loads` of the payload.
        """
    @property
    def raw(self, /) -> bytes:
        """
        The payload's bytes as received; `b""` for an event that no parser made.
        """

@final
class Error:
    """
    The service gave up.
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
    def __new__(cls, /, code: Incomplete = ..., message: Incomplete = ..., type: Incomplete = ..., param: Incomplete = ...) -> Error: ...
    def __reduce__(self, /) -> tuple: ...
    def __repr__(self, /) -> str: ...
    @property
    def code(self, /) -> Any: ...
    def json(self, /) -> Any:
        """
        `json.loads` of the payload.
        """
    @property
    def message(self, /) -> Any: ...
    @property
    def param(self, /) -> Any: ...
    @property
    def raw(self, /) -> bytes:
        """
        The payload's bytes as received; `b""` for an event that no parser made.
        """
    @property
    def type(self, /) -> Any: ...

@final
class StreamParser:
    """
    OpenAI-compatible chat streams.
    """
    def __new__(cls, /, *, max_frame_bytes: Incomplete = ..., max_depth: Incomplete = ..., errors: Incomplete = ...) -> StreamParser: ...
    @property
    def _examined(self, /) -> int:
        """
        Bytes examined so far, every pass over a byte counted.
        """
    def _panic(self, /) -> None:
        """
        For tests: panics inside the parser, as a mistake in the crate would.
        """
    def close(self, /) -> list:
        """
        The end of the stream: the last events, or an error if it stopped early.
        """
    def feed(self, /, chunk: Any) -> list:
        """
        The events that this chunk completes.
        """
    def feed_text(self, /, chunk: Any) -> str:
        """
        The answer text that this chunk completes, joined.
        """
    @property
    def pending(self, /) -> int:
        """
        Bytes held of an unfinished frame.
        """

@final
class Unknown:
    """
    A frame of a foreign shape.
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
    def __new__(cls, /, data: Incomplete = ...) -> Unknown: ...
    def __reduce__(self, /) -> tuple: ...
    def __repr__(self, /) -> str: ...
    @property
    def data(self, /) -> Any: ...
    def json(self, /) -> Any:
        """
        `json.loads` of the payload.
        """
    @property
    def raw(self, /) -> bytes:
        """
        The payload's bytes as received; `b""` for an event that no parser made.
        """
