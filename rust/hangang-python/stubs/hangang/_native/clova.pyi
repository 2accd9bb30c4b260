"""
`hangang.clova`
"""

from _typeshed import Incomplete
from typing import Any, Final, final

__all__ = ["Error", "Result", "Signal", "StreamParser", "Token", "Unknown"]

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
    def __new__(cls, /, code: Incomplete = ..., message: Incomplete = ..., id: Incomplete = ...) -> Error: ...
    def __reduce__(self, /) -> tuple: ...
    def __repr__(self, /) -> str: ...
    @property
    def code(self, /) -> Any: ...
    @property
    def id(self, /) -> Any: ...
    def json(self, /) -> Any:
        """
        `json.loads` of the payload.
        """
    @property
    def message(self, /) -> Any: ...
    @property
    def raw(self, /) -> bytes:
        """
        The payload's bytes as received; `b""` for an event that no parser made.
        """

@final
class Result:
    """
    The whole answer again, with what is known at its end.
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
    def __new__(cls, /, content: Incomplete = ..., thinking_content: Incomplete = ..., role: Incomplete = ..., tool_calls: Incomplete = ..., finish_reason: Incomplete = ..., input_length: Incomplete = ..., output_length: Incomplete = ..., created: Incomplete = ..., seed: Incomplete = ..., usage: Incomplete = ..., ai_filter: Incomplete = ..., id: Incomplete = ...) -> Result: ...
    def __reduce__(self, /) -> tuple: ...
    def __repr__(self, /) -> str: ...
    @property
    def ai_filter(self, /) -> Any: ...
    @property
    def content(self, /) -> Any: ...
    @property
    def created(self, /) -> Any: ...
    @property
    def finish_reason(self, /) -> Any: ...
    @property
    def id(self, /) -> Any: ...
    @property
    def input_length(self, /) -> Any: ...
    def json(self, /) -> Any:
        """
        `json.loads` of the payload.
        """
    @property
    def output_length(self, /) -> Any: ...
    @property
    def raw(self, /) -> bytes:
        """
        The payload's bytes as received; `b""` for an event that no parser made.
        """
    @property
    def role(self, /) -> Any: ...
    @property
    def seed(self, /) -> Any: ...
    @property
    def thinking_content(self, /) -> Any: ...
    @property
    def tool_calls(self, /) -> Any: ...
    @property
    def usage(self, /) -> Any: ...

@final
class Signal:
    """
    `[DONE]`: nothing more comes.
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
    def __new__(cls, /, data: Incomplete = ..., id: Incomplete = ...) -> Signal: ...
    def __reduce__(self, /) -> tuple: ...
    def __repr__(self, /) -> str: ...
    @property
    def data(self, /) -> Any: ...
    @property
    def id(self, /) -> Any: ...
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
class StreamParser:
    """
    CLOVA Studio's own streams, v1 and v3.
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
class Token:
    """
    A delta of the answer.
    """
    __match_args__: Final[tuple]
    def __eq__(self, other: object, /) -> Any: ...
    def __hash__(self, /) -> int: ...
    def __new__(cls, /, text: Incomplete = ..., thinking: Incomplete = ..., role: Incomplete = ..., tool_calls: Incomplete = ..., finish_reason: Incomplete = ..., index: Incomplete = ..., input_length: Incomplete = ..., output_length: Incomplete = ..., created: Incomplete = ..., seed: Incomplete = ..., usage: Incomplete = ..., id: Incomplete = ...) -> Token: ...
    def __reduce__(self, /) -> tuple: ...
    def __repr__(self, /) -> str: ...
    @property
    def _rest(self, /) -> Any:
        """
        One object for neighbours that repeat the same: whoever folds them looks into it once.
        """
    @property
    def created(self, /) -> Any: ...
    @property
    def finish_reason(self, /) -> Any: ...
    @property
    def id(self, /) -> Any: ...
    @property
    def index(self, /) -> Any: ...
    @property
    def input_length(self, /) -> Any: ...
    def json(self, /) -> Any:
        """
        `json.loads` of the payload.
        """
    @property
    def output_length(self, /) -> Any: ...
    @property
    def raw(self, /) -> bytes:
        """
        The payload's bytes as received; `b""` for an event that no parser made.
        """
    @property
    def role(self, /) -> Any: ...
    @property
    def seed(self, /) -> Any: ...
    @property
    def text(self, /) -> Any: ...
    @property
    def thinking(self, /) -> Any: ...
    @property
    def tool_calls(self, /) -> Any: ...
    @property
    def usage(self, /) -> Any: ...

@final
class Unknown:
    """
    A frame of a foreign shape or name.
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
    def __new__(cls, /, event: Incomplete = ..., data: Incomplete = ..., id: Incomplete = ...) -> Unknown: ...
    def __reduce__(self, /) -> tuple: ...
    def __repr__(self, /) -> str: ...
    @property
    def data(self, /) -> Any: ...
    @property
    def event(self, /) -> Any: ...
    @property
    def id(self, /) -> Any: ...
    def json(self, /) -> Any:
        """
        `json.loads` of the payload.
        """
    @property
    def raw(self, /) -> bytes:
        """
        The payload's bytes as received; `b""` for an event that no parser made.
        """
