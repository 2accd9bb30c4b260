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
    Always empty: the service sends no reasoning.
    """
    def __eq__(self, other: object, /) -> Any: ...
    def __hash__(self, /) -> int: ...
    def __new__(cls, /, text: Incomplete = ..., query: Incomplete = ..., intent: Incomplete = ..., references: Incomplete = ..., progress_state: Incomplete = ..., result_code: Incomplete = ..., description: Incomplete = ...) -> Answer: ...
    def __reduce__(self, /) -> tuple: ...
    def __repr__(self, /) -> str: ...
    @property
    def _rest(self, /) -> Any:
        """
        One object for neighbours that repeat the same: whoever folds them looks into it once.
        """
    @property
    def description(self, /) -> Any: ...
    @property
    def intent(self, /) -> Any: ...
    def json(self, /) -> Any:
        """
        `json.loads` of the payload.
        """
    @property
    def progress_state(self, /) -> Any: ...
    @property
    def query(self, /) -> Any: ...
    @property
    def raw(self, /) -> bytes:
        """
        The payload's bytes as received; `b""` for an event that no parser made.
        """
    @property
    def references(self, /) -> Any:
        """
        The references, one object for all answers that repeat them.
        """
    @property
    def result_code(self, /) -> Any: ...
    @property
    def text(self, /) -> Any: ...

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
    def __new__(cls, /, code: Incomplete = ..., message: Incomplete = ...) -> Error: ...
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
    def raw(self, /) -> bytes:
        """
        The payload's bytes as received; `b""` for an event that no parser made.
        """

@final
class StreamParser:
    """
    EXAONE's streams: JSON objects with nothing between them.
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
