"""
`hangang.exaone`
"""

from _typeshed import Incomplete
from typing import Any, Final, final

__all__ = ["Answer", "Error", "StreamParser", "Unknown"]

@final
class Answer:
    """
    A delta of the answer, or a step on the way to it.
    """
    __match_args__: Final[tuple]
    thinking: Final[str]
    """
    Always `""`: events of this kind have none.
    """
    def __eq__(self, other: object, /) -> Any: ...
    def __hash__(self, /) -> int: ...
    def __new__(cls, /, text: Incomplete = ..., query: Incomplete = ..., intent: Incomplete = ..., references: Incomplete = ..., progress_state: Incomplete = ..., result_code: Incomplete = ..., description: Incomplete = ...) -> Answer: ...
    def __reduce__(self, /) -> tuple: ...
    def __repr__(self, /) -> str: ...
    @property
    def _common(self, /) -> Any:
        """
        One object for neighbours that repeat the same fields, so that folding can skip them.
        """
    @property
    def description(self, /) -> Any:
        """
        The service's own text, usually None.
        """
    @property
    def intent(self, /) -> Any:
        """
        What the service took the query for; `""` while planning.
        """
    def json(self, /) -> Any:
        """
        `json.loads` of the strictly decoded payload; raises ValueError if it is not JSON.
        """
    @property
    def progress_state(self, /) -> Any:
        """
        `planning`, `optimizing`, `answering`, or another state.
        """
    @property
    def query(self, /) -> Any:
        """
        The request's query, which every frame repeats.
        """
    @property
    def raw(self, /) -> bytes:
        """
        The payload's bytes as received, `data` lines joined by LF; `b""` if no parser made the event.
        """
    @property
    def references(self, /) -> Any:
        """
        Sources of the answer; one object for all answers that repeat them.
        """
    @property
    def result_code(self, /) -> Any:
        """
        200.
        """
    @property
    def text(self, /) -> Any:
        """
        The answer delta; `""` while the service plans and searches.
        """
    def to_dict(self, /) -> dict:
        """
        The fields by name, in plain values that `json.dumps` accepts.
        """

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
    def __new__(cls, /, code: Incomplete = ..., message: Incomplete = ...) -> Error: ...
    def __reduce__(self, /) -> tuple: ...
    def __repr__(self, /) -> str: ...
    @property
    def code(self, /) -> Any:
        """
        A code like an HTTP status.
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
class StreamParser:
    """
    EXAONE's streams and one-shot answers.

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
