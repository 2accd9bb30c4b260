"""What is wrong and where: a kind and a place. Every text is derived from the two.

- `FrameError` is found in one frame and has a position in it;
- `Failure` is an error of the stream, with an absolute offset (all bytes ever fed count, a BOM too). Framing
  raises it, or makes it of a FrameError with `at`.

Both travel inside the package only, as light exceptions. The public parser turns a Failure into the class
of `hangang._errors` that its kind names, and adds the events of the failing call. Mirrors `error.rs`: the
same kind and offset give the same text, byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Any

from hangang._errors import (
    InvalidJSONError,
    InvalidUTF8Error,
    LimitExceededError,
    ParseError,
    TruncatedStreamError,
    UnrecognizedStreamError,
)


class ErrorKind(Enum):
    """What is wrong, without the place."""

    INVALID_JSON = InvalidJSONError, "invalid JSON"
    INVALID_UTF8 = InvalidUTF8Error, "invalid UTF-8"
    FRAME_TOO_LARGE = LimitExceededError, "frame too large"
    TOO_DEEP = LimitExceededError, "nesting too deep"
    TRUNCATED = TruncatedStreamError, "stream truncated"
    UNRECOGNIZED = UnrecognizedStreamError, "stream not recognized"

    def __init__(self, cls: type[ParseError], title: str) -> None:
        self.cls = cls
        self.title = title


class Expected(Enum):
    """What the grammar of JSON would have allowed at the place of an error."""

    VALUE = "a JSON value"
    VALUE_OR_END_OF_ARRAY = "a JSON value or ']'"
    KEY_OR_END_OF_OBJECT = "a string or '}'"
    KEY = "a string"
    COLON = "':'"
    COMMA_OR_END_OF_OBJECT = "',' or '}'"
    COMMA_OR_END_OF_ARRAY = "',' or ']'"
    TRUE = "'true'"
    FALSE = "'false'"
    NULL = "'null'"
    DIGIT = "a digit"
    ESCAPED_CONTROL = "an escaped control character"
    ESCAPE = "an escape character"
    HEX_DIGIT = "a hexadecimal digit"
    END_OF_STRING = "the end of the string"
    END_OF_PAYLOAD = "the end of the payload"
    OPENING_BRACKET = "'{' or '['"
    FIRST_BYTE = "'{', ':' or an ASCII letter"


class Missing(Enum):
    """What a stream lacked when it ended."""

    REST_OF_VALUE = "the rest of a JSON value"
    BLANK_LINE = "the blank line that ends an event"
    REST_OF_BOM = "the rest of a byte order mark"
    CLOVA_RESULT = "a result or error event"
    EXAONE_ANSWER = "an answering frame"
    OPENAI_END = "a finish reason, [DONE] or an error"
    A2A_END = "a final status, a message or an error"
    A2A_LAST_CHUNK = "a final status, a last chunk, a message or an error"


#: What a stream of EXAONE looks like whose first byte it cannot have.
_LOOKS = {0x1F: "gzip data", 0x28: "zstd data", 0x3C: "HTML or XML"}


class FrameError(Exception):
    """An error inside one frame.

    Attributes:
        kind: what is wrong.
        position: the place in the frame's bytes.
        expected: what would have been right (INVALID_JSON).
        found: the byte there, None past the end of the payload (INVALID_JSON, INVALID_UTF8).
        limit: the limit that was exceeded (FRAME_TOO_LARGE, TOO_DEEP).
    """

    def __init__(
        self,
        kind: ErrorKind,
        position: int,
        *,
        expected: Expected | None = None,
        found: int | None = None,
        limit: int = 0,
    ) -> None:
        self.kind = kind
        self.position = position
        self.expected = expected
        self.found = found
        self.limit = limit

    @classmethod
    def json(cls, expected: Expected, data: bytes, position: int) -> FrameError:
        """The byte at `position`, or the end of the payload there, is not what JSON allows."""
        found = data[position] if position < len(data) else None
        return cls(ErrorKind.INVALID_JSON, position, expected=expected, found=found)

    def at(self, offset: int) -> Failure:
        """The same error as one of the stream."""
        return Failure(self.kind, offset, expected=self.expected, found=self.found, limit=self.limit)


class Failure(Exception):
    """An error of the stream: its kind and its absolute offset; the rest is as in `FrameError`.

    `expected` is a `Missing` where the stream is truncated; where it is not recognized, it is the dialect's
    title, and `look` says what the stream looks like.
    """

    def __init__(
        self,
        kind: ErrorKind,
        offset: int,
        *,
        expected: Expected | Missing | str | None = None,
        found: int | None = None,
        limit: int = 0,
        look: str = "",
    ) -> None:
        self.kind = kind
        self.offset = offset
        self.expected = expected
        self.found = found
        self.limit = limit
        self.look = look

    @classmethod
    def truncated(cls, offset: int, expected: Missing) -> Failure:
        """The stream ended early, after `offset` bytes."""
        return cls(ErrorKind.TRUNCATED, offset, expected=expected)

    @classmethod
    def unrecognized(cls, offset: int, title: str, look: str) -> Failure:
        """The stream ended, after `offset` bytes, without an event of the dialect."""
        return cls(ErrorKind.UNRECOGNIZED, offset, expected=title, look=look)

    @property
    def message(self) -> str:
        """The text of the public exception."""
        where = f"{self.kind.title} at byte {self.offset}: expected"
        wanted = self.expected.value if isinstance(self.expected, Enum) else self.expected
        if self.kind is ErrorKind.INVALID_JSON:
            look = _LOOKS.get(self.found or 0) if self.expected is Expected.FIRST_BYTE else None
            return f"{where} {wanted}, found {found(self.found)}" + (
                f"; the stream looks like {look}" if look else ""
            )
        if self.kind is ErrorKind.INVALID_UTF8:
            return f"{where} a well-formed sequence, found {found(self.found)}"
        if self.kind is ErrorKind.FRAME_TOO_LARGE:
            return (
                f"{where} at most {self.limit} bytes, found one more; "
                "raise max_frame_bytes if such frames are expected"
            )
        if self.kind is ErrorKind.TOO_DEEP:
            return (
                f"{where} at most {self.limit} open containers, found one more; "
                "raise max_depth if such frames are expected"
            )
        if self.kind is ErrorKind.UNRECOGNIZED:
            return f"{where} {wanted} events, found {self.look}"
        return f"{where} {wanted}, found the end of the stream; the answer is incomplete"

    def to_error(self, events: Iterable[Any] = (), text: str | None = None) -> ParseError:
        """The public exception, with the events and the text that the failing call had completed."""
        return self.kind.cls(self.message, offset=self.offset, events=events, text=text)


def found(byte: int | None) -> str:
    """How a message names the byte that was found."""
    if byte is None:
        return "the end of the payload"
    if byte == 0x20:
        return "a space"
    if byte == 0x27:
        return '"\'"'
    if 0x21 <= byte <= 0x7E:
        return f"'{chr(byte)}'"
    return f"byte 0x{byte:02x}"
