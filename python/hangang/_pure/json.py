"""JSON inside a frame: validation, values, and where they are.

Invariants:
1. A valid payload costs one strict decode and one run of the C scanner, nothing else.
2. Only when that fails does the validator below run, for the kind, the position and the expected text. Both
   accept exactly the same texts.
3. JSON error: the first byte that no RFC 8259 text has there; past the end if the payload is too short.
   UTF-8 error: the first byte of the ill-formed sequence. The smaller position wins, UTF-8 at a tie.
4. Depth (SSE payloads only): the opener of container D+1 is an error there; the smaller position wins.
5. Nothing recurses, so nesting is bounded by `max_depth` alone.

How it differs from `json.rs`: there one cursor walks the payload and the dialects take what they need from
it; here the C scanner builds the value, and `Spans` finds a value's bytes by skipping over a text that is
known to be valid. So there is no Cursor, and `skip_value` trusts its input.
"""

from __future__ import annotations

import re
from typing import Any, TypeAlias

from hangang._values import decode_deep, decode_numbers, replace_surrogates, scan, scanstring

from .error import ErrorKind, Expected, FrameError
from .span import Span

Path: TypeAlias = tuple[str | int, ...]

INT_MAX = 2**63 - 1
INT_MIN = -(2**63)

# Possessive: a string of 16 MB must not fill the matcher's backtracking stack.
_IN_STRING = re.compile(rb'(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+')
_SPACE = re.compile(rb"[ \t\n\r]*+")
_DIGITS = re.compile(rb"[0-9]*+")
_SKIP_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_SKIP_SCALAR = re.compile(rb"[-+.0-9a-zA-Z]++")
_TO_BRACKET = re.compile(rb'(?:[^"\[\]{}]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
_CONTROL = re.compile("[\x00-\x1f]")

_HEX = frozenset(b"0123456789abcdefABCDEF")
_ESCAPES = frozenset(b'"\\/bfnrtu')
_DIGIT = frozenset(b"0123456789")


def skip_space(data: bytes, pos: int) -> int:
    """The first position from `pos` on that is not white space."""
    return _SPACE.match(data, pos).end()  # type: ignore[union-attr]


def validate(payload: bytes, max_depth: int = 0) -> Any:
    """Value of a payload, which may have white space around it.

    Args:
        payload: the whole frame.
        max_depth: most open containers allowed; 0 where framing has counted them already.

    Raises:
        FrameError: INVALID_JSON, INVALID_UTF8 or TOO_DEEP.
    """
    # A text of depth D + 1 needs as many openers and closers, so most payloads are too short or
    # have too few brackets for an exact count to be needed.
    if max_depth and len(payload) > 2 * max_depth and payload.count(b"{") + payload.count(b"[") > max_depth:
        error = first_error(payload, max_depth)
        if error is not None:
            raise error
    try:
        value = scan(payload.decode("utf-8"))
    except RecursionError:
        error = first_error(payload, max_depth)
        if error is not None:
            raise error from None
        value = decode_deep(payload.decode("utf-8"))
    except ValueError:  # UnicodeDecodeError is one
        error = first_error(payload, max_depth)
        if error is None:  # pragma: no cover - would be a bug: the two must accept the same
            raise
        raise error from None
    if b"\\u" in payload:
        value = replace_surrogates(value)
    return value


def utf8_text(payload: bytes) -> str:
    """The payload as text, where it need not be JSON; raises FrameError (INVALID_UTF8)."""
    try:
        return payload.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _invalid_utf8(payload, error) from None


def first_error(data: bytes, max_depth: int = 0) -> FrameError | None:
    """The first error of a frame by the rules above, or None if it is valid."""
    first = validate_text(data, max_depth)
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        if first is None or error.start <= first.position:
            return _invalid_utf8(data, error)
    return first


def _invalid_utf8(data: bytes, error: UnicodeDecodeError) -> FrameError:
    return FrameError(ErrorKind.INVALID_UTF8, error.start, found=data[error.start])


# -- the grammar ---------------------------------------------------------------------------------


class State:
    """Where the validator is between two tokens.

    Attributes:
        expected: what an error there expected.
        tokens: what each byte begins there; every other byte is an error.
        after_separator: the state after a comma or a colon.
    """

    __slots__ = ("after_separator", "expected", "tokens")

    def __init__(self, expected: Expected) -> None:
        self.expected = expected
        self.tokens: dict[int, int] = {}
        self.after_separator = self


# What a byte may begin. Plain integers: a payload with many brackets is walked token by token.
OPEN, CLOSE, SEPARATOR, NAME, STRING, NUMBER, LITERAL = range(7)

BEFORE_VALUE = State(Expected.VALUE)
FIRST_ELEMENT = State(Expected.VALUE_OR_END_OF_ARRAY)
FIRST_NAME = State(Expected.KEY_OR_END_OF_OBJECT)
BEFORE_NAME = State(Expected.KEY)
AFTER_NAME = State(Expected.COLON)
AFTER_MEMBER = State(Expected.COMMA_OR_END_OF_OBJECT)
AFTER_ELEMENT = State(Expected.COMMA_OR_END_OF_ARRAY)
END = State(Expected.END_OF_PAYLOAD)

_LITERALS = {
    0x74: (b"true", Expected.TRUE),
    0x66: (b"false", Expected.FALSE),
    0x6E: (b"null", Expected.NULL),
}
BEFORE_VALUE.tokens = {
    0x7B: OPEN,
    0x5B: OPEN,
    0x22: STRING,
    0x2D: NUMBER,
    **dict.fromkeys(_DIGIT, NUMBER),
    **dict.fromkeys(_LITERALS, LITERAL),
}
FIRST_ELEMENT.tokens = {**BEFORE_VALUE.tokens, 0x5D: CLOSE}
FIRST_NAME.tokens = {0x22: NAME, 0x7D: CLOSE}
BEFORE_NAME.tokens = {0x22: NAME}
AFTER_NAME.tokens = {0x3A: SEPARATOR}
AFTER_MEMBER.tokens = {0x2C: SEPARATOR, 0x7D: CLOSE}
AFTER_ELEMENT.tokens = {0x2C: SEPARATOR, 0x5D: CLOSE}
AFTER_NAME.after_separator = BEFORE_VALUE
AFTER_MEMBER.after_separator = BEFORE_NAME
AFTER_ELEMENT.after_separator = BEFORE_VALUE


def validate_text(data: bytes, max_depth: int) -> FrameError | None:
    """The first byte at which `data` stops being a prefix of a JSON text, UTF-8 aside."""
    stack = bytearray()  # the openers of all open containers
    state = BEFORE_VALUE
    end = len(data)
    pos = 0
    while True:
        pos = _SPACE.match(data, pos).end()  # type: ignore[union-attr]
        if pos == end and state is END:
            return None
        token = state.tokens.get(data[pos]) if pos < end else None
        if token is None:
            return FrameError.json(state.expected, data, pos)
        if token == SEPARATOR:
            pos += 1
            state = state.after_separator
            continue
        if token == OPEN:
            if max_depth and len(stack) == max_depth:
                return FrameError(ErrorKind.TOO_DEEP, pos, limit=max_depth)
            stack.append(data[pos])
            state = FIRST_NAME if data[pos] == 0x7B else FIRST_ELEMENT
            pos += 1
            continue
        if token == CLOSE:
            stack.pop()
            pos += 1
        else:
            pos, error = _SCALARS[token](data, pos)
            if error is not None:
                return error
            if token == NAME:
                state = AFTER_NAME
                continue
        # A value is complete.
        if not stack:
            state = END
        elif stack[-1] == 0x7B:
            state = AFTER_MEMBER
        else:
            state = AFTER_ELEMENT


def _string(data: bytes, pos: int) -> tuple[int, FrameError | None]:
    """End of the string at `pos`, and what is wrong in it."""
    end = len(data)
    pos = string_end(data, pos + 1)
    if pos == end:
        return pos, FrameError.json(Expected.END_OF_STRING, data, pos)
    if data[pos] == 0x22:
        return pos + 1, None
    if data[pos] != 0x5C:
        return pos, FrameError.json(Expected.ESCAPED_CONTROL, data, pos)
    pos += 1
    if pos == end or data[pos] not in _ESCAPES:
        return pos, FrameError.json(Expected.ESCAPE, data, pos)
    pos += 1  # it is \u with fewer than four hexadecimal digits
    while pos < end and data[pos] in _HEX:
        pos += 1
    return pos, FrameError.json(Expected.HEX_DIGIT, data, pos)


def _number(data: bytes, pos: int) -> tuple[int, FrameError | None]:
    """End of the number at `pos`, and the error if a digit is missing in it."""
    if data[pos] == 0x2D:
        pos += 1
    if data[pos : pos + 1] == b"0":
        pos += 1  # nothing follows a leading zero: `01` is `0` and a byte that does not belong there
    else:
        pos, error = _digits(data, pos)
        if error is not None:
            return pos, error
    if data[pos : pos + 1] == b".":
        pos, error = _digits(data, pos + 1)
        if error is not None:
            return pos, error
    if data[pos : pos + 1] in (b"e", b"E"):
        pos += 1
        if data[pos : pos + 1] in (b"+", b"-"):
            pos += 1
        return _digits(data, pos)
    return pos, None


def _digits(data: bytes, pos: int) -> tuple[int, FrameError | None]:
    """End of the digits at `pos`, of which there must be one."""
    end = _DIGITS.match(data, pos).end()  # type: ignore[union-attr]
    return end, FrameError.json(Expected.DIGIT, data, pos) if end == pos else None


def _literal(data: bytes, pos: int) -> tuple[int, FrameError | None]:
    """End of the literal at `pos`, or its first byte that differs."""
    literal, expected = _LITERALS[data[pos]]
    for wanted in literal:
        if pos == len(data) or data[pos] != wanted:
            return pos, FrameError.json(expected, data, pos)
        pos += 1
    return pos, None


_SCALARS = {NAME: _string, STRING: _string, NUMBER: _number, LITERAL: _literal}


# -- strings -------------------------------------------------------------------------------------


def string_end(data: bytes, start: int) -> int:
    """Where a string's contents end that begin at `start`: at its quote, or where it goes wrong."""
    return _IN_STRING.match(data, start).end()  # type: ignore[union-attr]


def unescape(text: str) -> str:
    """The value of a string's contents, lone surrogate escapes as U+FFFD.

    Raises:
        ValueError: it is not what JSON allows between quotes.
    """
    value, end = scanstring(text + '"', 0)
    if end != len(text) + 1:
        raise ValueError("a quote inside the string")
    return str(replace_surrogates(value)) if "\\u" in text else value


def has_control(text: str) -> bool:
    """Whether a text holds a raw control character, which no JSON string may."""
    return _CONTROL.search(text) is not None


# -- where a value is ------------------------------------------------------------------------------


def skip_value(data: bytes, pos: int) -> int:
    """End of the value that begins at `pos` of a valid JSON text."""
    byte = data[pos]
    if byte == 0x22:
        return _SKIP_STRING.match(data, pos).end()  # type: ignore[union-attr]
    if byte != 0x7B and byte != 0x5B:
        return _SKIP_SCALAR.match(data, pos).end()  # type: ignore[union-attr]
    depth = 0
    while True:
        pos = _TO_BRACKET.match(data, pos).end()  # type: ignore[union-attr]
        depth += 1 if data[pos] in b"{[" else -1
        pos += 1
        if not depth:
            return pos


class Spans:
    """Where the values of a valid JSON text are, by their paths.

    A name leads into an object (of duplicates the last wins), an index into an array. What was found is
    remembered, and an array is continued after the item found last: so paths asked for in the order of the
    text cost one pass over it, however many there are.
    """

    __slots__ = ("_cursors", "_data", "_found", "_numbers")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._found: dict[Path, Span | None] = {(): (skip_space(data, 0), len(data))}
        self._cursors: dict[Path, tuple[int, int]] = {}  # of an array: index and position of its next item
        self._numbers: Any = None

    def span(self, path: Path) -> Span | None:
        """Where the value at `path` is; None if it is absent."""
        if path in self._found:
            return self._found[path]
        outer = self.span(path[:-1])
        found = None
        if outer is not None:
            step = path[-1]
            if isinstance(step, str):
                found = _member(self._data, outer[0], step)
            else:
                found = self._item(path[:-1], outer[0], step)
        self._found[path] = found
        return found

    def _item(self, array: Path, start: int, wanted: int) -> Span | None:
        data = self._data
        if data[start] != 0x5B:
            return None
        index, pos = self._cursors.get(array, (0, start + 1))
        if index > wanted:
            index, pos = 0, start + 1
        pos = skip_space(data, pos)
        while data[pos] != 0x5D:
            end = skip_value(data, pos)
            after = skip_space(data, end)
            if data[after] == 0x2C:
                after = skip_space(data, after + 1)
            if index == wanted:
                self._cursors[array] = index + 1, after
                return pos, end
            index += 1
            pos = after
        return None

    def text(self, path: Path) -> str:
        """JSON text of the value at `path`, as received."""
        found = self.span(path)
        assert found is not None
        return self._data[found[0] : found[1]].decode("utf-8")

    def number(self, path: Path) -> str:
        """The same of a number, for texts with many of them: the C scanner keeps them all."""
        if self._numbers is None:
            self._numbers = decode_numbers(self._data.decode("utf-8"))
        found = self._numbers
        for step in path:
            found = found[step]
        return found  # type: ignore[no-any-return]


def _member(data: bytes, pos: int, name: str) -> Span | None:
    if data[pos] != 0x7B:
        return None
    wanted = b'"' + name.encode() + b'"'
    result = None
    pos = skip_space(data, pos + 1)
    while data[pos] != 0x7D:
        key_end = skip_value(data, pos)
        key = data[pos:key_end]
        if key != wanted and b"\\" in key and scanstring(key.decode(), 1)[0] == name:
            key = wanted
        pos = skip_space(data, key_end) + 1
        pos = skip_space(data, pos)
        end = skip_value(data, pos)
        if key == wanted:
            result = pos, end
        pos = skip_space(data, end)
        if data[pos] == 0x2C:
            pos = skip_space(data, pos + 1)
    return result


def span(data: bytes, path: Path) -> Span | None:
    """Where the value at `path` is in a valid JSON text; None if it is absent."""
    return Spans(data).span(path)


def string_span(data: bytes, path: Path) -> Span | None:
    """Where the contents of the string at `path` are, without its quotes; None for any other value."""
    found = span(data, path)
    if found is None or data[found[0]] != 0x22:
        return None
    return found[0] + 1, found[1] - 1


def as_str(value: Any) -> str | None:
    """The value if it is a string, else None."""
    return value if type(value) is str else None


def as_int(value: Any) -> int | None:
    """The value if it is an integer of 64 bits, else None; never a bool."""
    return value if type(value) is int and INT_MIN <= value <= INT_MAX else None
