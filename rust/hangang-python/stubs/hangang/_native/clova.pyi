"""
`hangang.clova`
"""

from _typeshed import Incomplete
from typing import Any, Final, final

__all__ = ["Error", "Result", "Signal", "StreamParser", "Token", "Unknown"]

@final
class Error:
    """
    The service's error, inside a stream or as the whole answer.
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
    def __new__(cls, /, code: Incomplete = ..., message: Incomplete = ..., id: Incomplete = ...) -> Error: ...
    def __reduce__(self, /) -> tuple: ...
    def __repr__(self, /) -> str: ...
    @property
    def code(self, /) -> Any:
        """
        The service's code, such as `"42901"`.
        """
    @property
    def id(self, /) -> Any:
        """
        The SSE id.
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
    def raw(self, /) -> bytes:
        """
        The payload's bytes as received, `data` lines joined by LF; `b""` if no parser made the event.
        """
    def to_dict(self, /) -> dict:
        """
        The fields by name, in plain values that `json.dumps` accepts.
        """

@final
class Result:
    """
    The whole answer again, with what is known only at the end. `text` and `thinking` are `""`.
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
    def __new__(cls, /, content: Incomplete = ..., thinking_content: Incomplete = ..., role: Incomplete = ..., tool_calls: Incomplete = ..., finish_reason: Incomplete = ..., input_length: Incomplete = ..., output_length: Incomplete = ..., created: Incomplete = ..., seed: Incomplete = ..., usage: Incomplete = ..., ai_filter: Incomplete = ..., id: Incomplete = ...) -> Result: ...
    def __reduce__(self, /) -> tuple: ...
    def __repr__(self, /) -> str: ...
    @property
    def ai_filter(self, /) -> Any:
        """
        Entries of the AI filter, where the request asked for it.
        """
    @property
    def content(self, /) -> Any:
        """
        The whole answer.
        """
    @property
    def created(self, /) -> Any:
        """
        Time of the answer (v3), in seconds, or in milliseconds if over 10**11.
        """
    @property
    def finish_reason(self, /) -> Any:
        """
        Why the model stopped.
        """
    @property
    def id(self, /) -> Any:
        """
        The SSE id.
        """
    @property
    def input_length(self, /) -> Any:
        """
        Tokens of the prompt (v1).
        """
    def json(self, /) -> Any:
        """
        `json.loads` of the strictly decoded payload; raises ValueError if it is not JSON.
        """
    @property
    def output_length(self, /) -> Any:
        """
        Tokens of the answer (v1).
        """
    @property
    def raw(self, /) -> bytes:
        """
        The payload's bytes as received, `data` lines joined by LF; `b""` if no parser made the event.
        """
    @property
    def role(self, /) -> Any:
        """
        `assistant`.
        """
    @property
    def seed(self, /) -> Any:
        """
        The seed in use, 0 to 4294967295.
        """
    @property
    def thinking_content(self, /) -> Any:
        """
        The whole reasoning (v3).
        """
    def to_dict(self, /) -> dict:
        """
        The fields by name, in plain values that `json.dumps` accepts.
        """
    @property
    def tool_calls(self, /) -> Any:
        """
        The whole tool calls (v3).
        """
    @property
    def usage(self, /) -> Any:
        """
        Token counts (v3).
        """

@final
class Signal:
    """
    The last frame of a stream. By itself it does not end the stream.
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
    def __new__(cls, /, data: Incomplete = ..., id: Incomplete = ...) -> Signal: ...
    def __reduce__(self, /) -> tuple: ...
    def __repr__(self, /) -> str: ...
    @property
    def data(self, /) -> Any:
        """
        `[DONE]`.
        """
    @property
    def id(self, /) -> Any:
        """
        The SSE id.
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

@final
class StreamParser:
    """
    CLOVA Studio's own streams and one-shot answers, v1 and v3.

    Args:
        max_frame_bytes: most bytes of one JSON value, or of one SSE line and of an event's data.
        max_depth: most open containers in one frame.
        errors: `strict` raises at a bad frame, `report` yields `Malformed` and continues.

    Raises:
        TypeError, ValueError: an argument of another type or value.
    """
    def __new__(cls, /, *, max_frame_bytes: Incomplete = ..., max_depth: Incomplete = ..., errors: Incomplete = ...) -> StreamParser: ...
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
class Token:
    """
    A delta of the answer (`text`), of the reasoning (`thinking`) or of a tool call.

    `input_length` and `output_length` are sent by v1, `created`, `seed` and `usage` by v3.
    """
    __match_args__: Final[tuple]
    def __eq__(self, other: object, /) -> Any: ...
    def __hash__(self, /) -> int: ...
    def __new__(cls, /, text: Incomplete = ..., thinking: Incomplete = ..., role: Incomplete = ..., tool_calls: Incomplete = ..., finish_reason: Incomplete = ..., index: Incomplete = ..., input_length: Incomplete = ..., output_length: Incomplete = ..., created: Incomplete = ..., seed: Incomplete = ..., usage: Incomplete = ..., id: Incomplete = ...) -> Token: ...
    def __reduce__(self, /) -> tuple: ...
    def __repr__(self, /) -> str: ...
    @property
    def _common(self, /) -> Any:
        """
        One object for neighbours that repeat the same fields, so that folding can skip them.
        """
    @property
    def created(self, /) -> Any:
        """
        Time of the answer (v3), in seconds, or in milliseconds if over 10**11.
        """
    @property
    def finish_reason(self, /) -> Any:
        """
        v1's `stopReason`, v3's `finishReason`; None in running tokens.
        """
    @property
    def id(self, /) -> Any:
        """
        The SSE id.
        """
    @property
    def index(self, /) -> Any:
        """
        v1's undocumented `index`.
        """
    @property
    def input_length(self, /) -> Any:
        """
        Tokens of the prompt (v1).
        """
    def json(self, /) -> Any:
        """
        `json.loads` of the strictly decoded payload; raises ValueError if it is not JSON.
        """
    @property
    def output_length(self, /) -> Any:
        """
        Tokens of the answer so far (v1).
        """
    @property
    def raw(self, /) -> bytes:
        """
        The payload's bytes as received, `data` lines joined by LF; `b""` if no parser made the event.
        """
    @property
    def role(self, /) -> Any:
        """
        `assistant` in every real stream.
        """
    @property
    def seed(self, /) -> Any:
        """
        The seed in use, 0 to 4294967295.
        """
    @property
    def text(self, /) -> Any:
        """
        The answer delta.
        """
    @property
    def thinking(self, /) -> Any:
        """
        The reasoning delta (v3).
        """
    def to_dict(self, /) -> dict:
        """
        The fields by name, in plain values that `json.dumps` accepts.
        """
    @property
    def tool_calls(self, /) -> Any:
        """
        Pieces of tool calls (v3); `()` if there are none.
        """
    @property
    def usage(self, /) -> Any:
        """
        Token counts (v3); usually only the result has them.
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
    def __new__(cls, /, event: Incomplete = ..., data: Incomplete = ..., id: Incomplete = ...) -> Unknown: ...
    def __reduce__(self, /) -> tuple: ...
    def __repr__(self, /) -> str: ...
    @property
    def data(self, /) -> Any:
        """
        The payload's text.
        """
    @property
    def event(self, /) -> Any:
        """
        The SSE event's name.
        """
    @property
    def id(self, /) -> Any:
        """
        The SSE id.
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
