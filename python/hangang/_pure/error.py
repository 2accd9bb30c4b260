"""What is wrong and where. A `Fault` is a kind and an offset; the texts are derived from them.

Inside the package a fault travels as this light exception; the public parser turns it into the
class of `hangang._errors` that its kind names, and adds the events of the failing call. Mirrors
`error.rs`: the texts are the same byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hangang._errors import (
    InvalidJSONError,
    InvalidUTF8Error,
    LimitExceededError,
    ParseError,
    TruncatedStreamError,
)

JSON = "json"
UTF8 = "utf8"
SIZE = "size"
DEPTH = "depth"
TRUNCATED = "truncated"

# What was expected, by state of the JSON grammar.
VALUE = "a JSON value"
VALUE_OR_END = "a JSON value or ']'"
KEY_OR_END = "a string or '}'"
KEY = "a string"
COLON = "':'"
COMMA_OR_BRACE = "',' or '}'"
COMMA_OR_BRACKET = "',' or ']'"
END_OF_PAYLOAD = "the end of the payload"
DIGIT = "a digit"
CONTROL = "an escaped control character"
ESCAPE = "an escape character"
HEX = "a hexadecimal digit"
END_OF_STRING = "the end of the string"
BETWEEN = "'{' or '['"
EXAONE_START = "'{', ':' or an ASCII letter"

# What was expected when the stream ended.
REST_OF_VALUE = "the rest of a JSON value"
REST_OF_EVENT = "the blank line that ends an event"
REST_OF_BOM = "the rest of a byte order mark"


class Fault(Exception):
    """A fault: its kind, its offset, and what the text needs.

    `offset` counts from the start of what the raiser was given: of a payload in `json`, of the
    stream everywhere else. `byte` is the byte found, or None past the end of the payload.
    """

    __slots__ = ("byte", "expected", "kind", "limit", "offset")

    def __init__(
        self,
        kind: str,
        offset: int,
        expected: str = "",
        byte: int | None = None,
        limit: int = 0,
    ) -> None:
        self.kind = kind
        self.offset = offset
        self.expected = expected
        self.byte = byte
        self.limit = limit

    def at(self, offset: int) -> Fault:
        """The same fault at another offset."""
        return Fault(self.kind, offset, self.expected, self.byte, self.limit)


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


_CLASS: dict[str, type[ParseError]] = {
    JSON: InvalidJSONError,
    UTF8: InvalidUTF8Error,
    SIZE: LimitExceededError,
    DEPTH: LimitExceededError,
    TRUNCATED: TruncatedStreamError,
}


def message(fault: Fault) -> str:
    """The text of a fault."""
    at = f"at byte {fault.offset}: expected"
    if fault.kind == JSON:
        return f"invalid JSON {at} {fault.expected}, found {found(fault.byte)}"
    if fault.kind == UTF8:
        return f"invalid UTF-8 {at} a well-formed sequence, found {found(fault.byte)}"
    if fault.kind == SIZE:
        return (
            f"frame too large {at} at most {fault.limit} bytes, found one more; "
            "raise max_frame_bytes if such frames are expected"
        )
    if fault.kind == DEPTH:
        return (
            f"nesting too deep {at} at most {fault.limit} open containers, found one more; "
            "raise max_depth if such frames are expected"
        )
    return f"stream truncated {at} {fault.expected}, found the end of the stream; the answer is incomplete"


def error_of(fault: Fault, events: Iterable[Any] = (), text: str | None = None) -> ParseError:
    """The public exception of a fault."""
    return _CLASS[fault.kind](message(fault), offset=fault.offset, events=events, text=text)
