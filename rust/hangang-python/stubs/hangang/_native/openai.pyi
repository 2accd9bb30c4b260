"""
`hangang.openai`
"""

from _typeshed import Incomplete
from typing import Any, Final, final

__all__ = ["Choice", "Chunk", "Done", "Error", "StreamParser", "Unknown"]

@final
class Choice:
    """
    One choice of a chunk.
    """
    __match_args__: Final[tuple]
    def __eq__(self, other: object, /) -> Any: ...
    def __hash__(self, /) -> int: ...
    def __new__(cls, /, index: Incomplete = ..., text: Incomplete = ..., thinking: Incomplete = ..., role: Incomplete = ..., tool_calls: Incomplete = ..., finish_reason: Incomplete = ..., refusal: Incomplete = ...) -> Choice: ...
    def __reduce__(self, /) -> tuple: ...
    def __repr__(self, /) -> str: ...
    @property
    def finish_reason(self, /) -> Any:
        """
        Why this answer ended, None while it runs.
        """
    @property
    def index(self, /) -> Any:
        """
        Which of the answers it belongs to.
        """
    @property
    def refusal(self, /) -> Any:
        """
        Refusal delta: what the model says instead of an answer.
        """
    @property
    def role(self, /) -> Any:
        """
        `assistant`, usually in the first chunk only.
        """
    @property
    def text(self, /) -> Any:
        """
        The answer delta.
        """
    @property
    def thinking(self, /) -> Any:
        """
        The reasoning delta.
        """
    def to_dict(self, /) -> dict:
        """
        The fields by name, in plain values that `json.dumps` accepts.
        """
    @property
    def tool_calls(self, /) -> Any:
        """
        Pieces of tool calls, put together by `hangang.ToolCalls`; `()` if there are none.
        """

@final
class Chunk:
    """
    A chunk of the answer, or the whole of it. `text` and the like are those of the choice with index 0.
    """
    __match_args__: Final[tuple]
    def __eq__(self, other: object, /) -> Any: ...
    def __hash__(self, /) -> int: ...
    def __new__(cls, /, text: Incomplete = ..., thinking: Incomplete = ..., role: Incomplete = ..., tool_calls: Incomplete = ..., finish_reason: Incomplete = ..., id: Incomplete = ..., model: Incomplete = ..., created: Incomplete = ..., usage: Incomplete = ..., choices: Incomplete = ..., refusal: Incomplete = ...) -> Chunk: ...
    def __reduce__(self, /) -> tuple: ...
    def __repr__(self, /) -> str: ...
    @property
    def _common(self, /) -> Any:
        """
        One object for neighbours that repeat the same fields, so that folding can skip them.
        """
    @property
    def choices(self, /) -> Any:
        """
        All choices of the chunk; `()` in a usage chunk.
        """
    @property
    def created(self, /) -> Any:
        """
        Time of the answer, in seconds.
        """
    @property
    def finish_reason(self, /) -> Any:
        """
        Why the answer ended, None while it runs; the chunk may carry text too.
        """
    @property
    def id(self, /) -> Any:
        """
        The answer's id, the same in all its chunks.
        """
    def json(self, /) -> Any:
        """
        `json.loads` of the strictly decoded payload; raises ValueError if it is not JSON.
        """
    @property
    def model(self, /) -> Any:
        """
        The model's name as the server gives it.
        """
    @property
    def raw(self, /) -> bytes:
        """
        The payload's bytes as received, `data` lines joined by LF; `b""` if no parser made the event.
        """
    @property
    def refusal(self, /) -> Any:
        """
        Refusal delta of choice 0: what the model says instead of an answer.
        """
    @property
    def role(self, /) -> Any:
        """
        `assistant`, usually in the first chunk only.
        """
    @property
    def text(self, /) -> Any:
        """
        The answer delta.
        """
    @property
    def thinking(self, /) -> Any:
        """
        The reasoning delta.
        """
    def to_dict(self, /) -> dict:
        """
        The fields by name, in plain values that `json.dumps` accepts.
        """
    @property
    def tool_calls(self, /) -> Any:
        """
        Pieces of tool calls, put together by `hangang.ToolCalls`; `()` if there are none.
        """
    @property
    def usage(self, /) -> Any:
        """
        Token counts, usually in a last chunk without choices.
        """

@final
class Done:
    """
    The end marker `[DONE]`.
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
    def __new__(cls, /) -> Done: ...
    def __reduce__(self, /) -> tuple: ...
    def __repr__(self, /) -> str: ...
    def json(self, /) -> Any:
        """
        `json.loads` of the strictly decoded payload; raises ValueError if it is not JSON.
        """
    @property
    def raw(self, /) -> bytes:
        """
        The payload's bytes as received, `data` lines joined by LF; `b""` if no parser made the event.
        """
    def to_dict(self, /) -> dict:
        """
        The fields by name, in plain values that `json.dumps` accepts.
        """

@final
class Error:
    """
    An error, in a stream or as the whole answer. Nothing that follows makes the answer a success.
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
    def __new__(cls, /, code: Incomplete = ..., message: Incomplete = ..., type: Incomplete = ..., param: Incomplete = ...) -> Error: ...
    def __reduce__(self, /) -> tuple: ...
    def __repr__(self, /) -> str: ...
    @property
    def code(self, /) -> Any:
        """
        A number or a name.
        """
    def json(self, /) -> Any:
        """
        `json.loads` of the strictly decoded payload; raises ValueError if it is not JSON.
        """
    @property
    def message(self, /) -> Any:
        """
        The service's message.
        """
    @property
    def param(self, /) -> Any:
        """
        The request's parameter that caused the error.
        """
    @property
    def raw(self, /) -> bytes:
        """
        The payload's bytes as received, `data` lines joined by LF; `b""` if no parser made the event.
        """
    def to_dict(self, /) -> dict:
        """
        The fields by name, in plain values that `json.dumps` accepts.
        """
    @property
    def type(self, /) -> Any:
        """
        `invalid_request_error` and the like.
        """

@final
class StreamParser:
    """
    OpenAI-compatible chat streams and one-shot answers.

    Args:
        max_frame_bytes: most bytes of one JSON value, or of one SSE line and of an event's data.
        max_depth: most open containers in one frame.
        errors: `strict` raises at a bad frame, `report` yields `Malformed` and continues.
        thinking_tags: the tags around reasoning inside the content, such as `("<think>", "</think>")`.
        thinking_first: the answer begins inside the reasoning.

    Raises:
        TypeError, ValueError: an argument of another type or value.
    """
    def __new__(cls, /, *, max_frame_bytes: Incomplete = ..., max_depth: Incomplete = ..., errors: Incomplete = ..., thinking_tags: Incomplete = ..., thinking_first: Incomplete = ...) -> StreamParser: ...
    @property
    def _examined(self, /) -> int:
        """
        Bytes examined so far, every pass over a byte counted.
        """
    def _panic(self, /) -> None:
        """
        For tests: panics inside the parser, as a bug in the crate would.
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
            ParseError: the stream is not what the format allows; `.events` are those completed
                before the error, `.offset` is its position in all bytes fed.
            ValueError: after `close()`.
            RuntimeError: another thread is inside this parser.
            TypeError: `chunk` is not bytes, bytearray or a contiguous memoryview of bytes.
        """
    def feed_text(self, /, chunk: Any) -> str:
        """
        The answer text that this chunk completes, joined: the fastest way through.

        `Result`, `Error`, `Done`, the last `Task` and the last `StatusUpdate` come out of `close()`, and text
        that `thinking_tags` held back at an end. Raises as `feed` does; an error carries the text in `.text`,
        and in `.events` what `close()` would have returned.
        """
    @property
    def pending(self, /) -> int:
        """
        Bytes held of an unfinished frame; depends on the bytes fed only, not on their split.
        """

@final
class Unknown:
    """
    A frame that is none of the others.
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
    def __new__(cls, /, data: Incomplete = ...) -> Unknown: ...
    def __reduce__(self, /) -> tuple: ...
    def __repr__(self, /) -> str: ...
    @property
    def data(self, /) -> Any:
        """
        The payload's text.
        """
    def json(self, /) -> Any:
        """
        `json.loads` of the strictly decoded payload; raises ValueError if it is not JSON.
        """
    @property
    def raw(self, /) -> bytes:
        """
        The payload's bytes as received, `data` lines joined by LF; `b""` if no parser made the event.
        """
    def to_dict(self, /) -> dict:
        """
        The fields by name, in plain values that `json.dumps` accepts.
        """
