"""Judging JSON: is a frame an RFC 8259 text in UTF-8, and if not, at which byte did it stop being
the beginning of one.

Rules:
1. A good payload pays one strict decode and one run of the C scanner, nothing else.
2. Only when that fails does the validator below run, for the kind, the offset and the expected
   text. Both accept exactly the same texts.
3. JSON fault: the first byte that no RFC 8259 text has there; past the end if the payload is too
   short. UTF-8 fault: the first byte of the ill-formed sequence. The smaller wins, UTF-8 at a tie.
4. Depth (SSE payloads only): opener D+1 is a fault at its offset; the smaller offset wins.
5. Nothing here recurses, so nesting is bounded by `max_depth` alone.
6. Raw text spans (`arguments` objects, `references`) are found by skipping over a valid text.
"""

from __future__ import annotations

import re
from typing import Any

from hangang._values import decode_deep, replace_surrogates, scan, scanstring

from . import error as e
from .error import Fault

INT_MAX = 2**63 - 1
INT_MIN = -(2**63)

# Possessive: a string of 16 MB must not fill the matcher's backtracking stack.
_IN_STRING = re.compile(rb'(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+')
_SPACE = re.compile(rb"[ \t\n\r]*+")
_DIGITS = re.compile(rb"[0-9]*+")
_SKIP_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_SKIP_SCALAR = re.compile(rb"[-+.0-9a-zA-Z]++")
_TO_BRACKET = re.compile(rb'(?:[^"\[\]{}]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)

_LITERALS = {0x74: b"true", 0x66: b"false", 0x6E: b"null"}
_HEX = frozenset(b"0123456789abcdefABCDEF")
_ESCAPES = frozenset(b'"\\/bfnrtu')
_DIGIT = frozenset(b"0123456789")


def judge(payload: bytes, max_depth: int = 0) -> Any:
    """Value of a payload, which may have white space around it.

    Args:
        payload: the whole frame.
        max_depth: most open containers allowed; 0 where framing has counted them already.

    Raises:
        Fault: JSON, UTF8 or DEPTH, with its offset in the payload.
    """
    # A text of depth D + 1 needs as many openers and closers, so most payloads are too short or
    # have too few brackets for an exact count to be needed.
    if max_depth and len(payload) > 2 * max_depth and payload.count(b"{") + payload.count(b"[") > max_depth:
        fault = first_fault(payload, max_depth)
        if fault is not None:
            raise fault
    try:
        value = scan(payload.decode("utf-8"))
    except RecursionError:
        fault = first_fault(payload, max_depth)
        if fault is not None:
            raise fault from None
        value = decode_deep(payload.decode("utf-8"))
    except ValueError:  # UnicodeDecodeError is one
        fault = first_fault(payload, max_depth)
        if fault is None:  # pragma: no cover - would be a bug: the two must accept the same
            raise
        raise fault from None
    if b"\\u" in payload:
        value = replace_surrogates(value)
    return value


def judge_utf8(payload: bytes) -> None:
    """Raises Fault (UTF8) if the payload is not well-formed UTF-8."""
    try:
        payload.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Fault(e.UTF8, error.start, byte=payload[error.start]) from None


def first_fault(data: bytes, max_depth: int = 0) -> Fault | None:
    """The first fault of a frame by the rules above, or None if it is valid."""
    fault = _json_fault(data, max_depth)
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        if fault is None or error.start <= fault.offset:
            return Fault(e.UTF8, error.start, byte=data[error.start])
    return fault


def _json_fault(data: bytes, max_depth: int) -> Fault | None:
    """The first byte at which `data` stops being a prefix of a JSON text, UTF-8 aside."""
    end = len(data)
    stack = bytearray()  # the openers of all open containers
    pos = 0
    expected = e.VALUE
    while True:
        pos = _SPACE.match(data, pos).end()  # type: ignore[union-attr]
        byte = data[pos] if pos < end else None
        if byte is None:
            return None if expected is e.END_OF_PAYLOAD else Fault(e.JSON, pos, expected)
        if expected is e.COLON:
            if byte != 0x3A:
                return Fault(e.JSON, pos, expected, byte)
            pos += 1
            expected = e.VALUE
            continue
        if expected is e.END_OF_PAYLOAD:
            return Fault(e.JSON, pos, expected, byte)
        if expected is e.COMMA_OR_BRACE or expected is e.COMMA_OR_BRACKET:
            if byte == 0x2C:
                pos += 1
                expected = e.KEY if expected is e.COMMA_OR_BRACE else e.VALUE
                continue
            if byte != (0x7D if expected is e.COMMA_OR_BRACE else 0x5D):
                return Fault(e.JSON, pos, expected, byte)
            pos += 1
            stack.pop()
        elif (expected is e.KEY_OR_END and byte == 0x7D) or (expected is e.VALUE_OR_END and byte == 0x5D):
            pos += 1
            stack.pop()
        elif byte == 0x22:
            match = _IN_STRING.match(data, pos + 1)
            assert match is not None
            pos = match.end()
            fault = _string_fault(data, pos)
            if fault is not None:
                return fault
            pos += 1
            if expected is e.KEY or expected is e.KEY_OR_END:
                expected = e.COLON
                continue
        elif expected is e.KEY or expected is e.KEY_OR_END:
            return Fault(e.JSON, pos, expected, byte)
        elif byte == 0x7B or byte == 0x5B:
            if max_depth and len(stack) == max_depth:
                return Fault(e.DEPTH, pos, limit=max_depth)
            stack.append(byte)
            pos += 1
            expected = e.KEY_OR_END if byte == 0x7B else e.VALUE_OR_END
            continue
        elif byte == 0x2D or byte in _DIGIT:
            pos, fault = _number_fault(data, pos)
            if fault is not None:
                return fault
        elif byte in _LITERALS:
            literal = _LITERALS[byte]
            if not data.startswith(literal, pos):
                for wanted in literal:
                    if pos >= end or data[pos] != wanted:
                        break
                    pos += 1
                return Fault(e.JSON, pos, f"'{literal.decode()}'", data[pos] if pos < end else None)
            pos += len(literal)
        else:
            return Fault(e.JSON, pos, expected, byte)
        # A value is complete.
        if not stack:
            expected = e.END_OF_PAYLOAD
        elif stack[-1] == 0x7B:
            expected = e.COMMA_OR_BRACE
        else:
            expected = e.COMMA_OR_BRACKET


def _string_fault(data: bytes, pos: int) -> Fault | None:
    """What stopped a string at `pos`; None if it was its closing quote."""
    end = len(data)
    if pos == end:
        return Fault(e.JSON, pos, e.END_OF_STRING)
    byte = data[pos]
    if byte == 0x22:
        return None
    if byte != 0x5C:
        return Fault(e.JSON, pos, e.CONTROL, byte)
    pos += 1
    if pos == end:
        return Fault(e.JSON, pos, e.ESCAPE)
    if data[pos] not in _ESCAPES:
        return Fault(e.JSON, pos, e.ESCAPE, data[pos])
    pos += 1  # it is \u with fewer than four hexadecimal digits
    while pos < end and data[pos] in _HEX:
        pos += 1
    return Fault(e.JSON, pos, e.HEX, data[pos] if pos < end else None)


def _number_fault(data: bytes, pos: int) -> tuple[int, Fault | None]:
    """End of the number at `pos`, and the fault if a digit is missing in it."""
    end = len(data)
    if data[pos] == 0x2D:
        pos += 1
    if pos < end and data[pos] == 0x30:
        pos += 1  # nothing follows a leading zero: `01` is `0` and a foreign byte
    else:
        start = pos
        pos = _DIGITS.match(data, pos).end()  # type: ignore[union-attr]
        if pos == start:
            return pos, Fault(e.JSON, pos, e.DIGIT, data[pos] if pos < end else None)
    for mark in (b".", b"eE"):
        if pos < end and data[pos] in mark:
            pos += 1
            if mark == b"eE" and pos < end and data[pos] in b"+-":
                pos += 1
            start = pos
            pos = _DIGITS.match(data, pos).end()  # type: ignore[union-attr]
            if pos == start:
                return pos, Fault(e.JSON, pos, e.DIGIT, data[pos] if pos < end else None)
    return pos, None


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


def span(data: bytes, path: tuple[str | int, ...]) -> tuple[int, int] | None:
    """Where the value at `path` stands in a valid JSON text; None if there is none.

    A name leads into an object (of duplicates the last wins), an index into an array.
    """
    pos = _SPACE.match(data, 0).end()  # type: ignore[union-attr]
    stop = len(data)
    for step in path:
        inner = _member(data, pos, step) if isinstance(step, str) else _item(data, pos, step)
        if inner is None:
            return None
        pos, stop = inner
    if not path:
        stop = skip_value(data, pos)
    return pos, stop


def _member(data: bytes, pos: int, name: str) -> tuple[int, int] | None:
    if data[pos] != 0x7B:
        return None
    wanted = b'"' + name.encode() + b'"'
    result = None
    pos = _SPACE.match(data, pos + 1).end()  # type: ignore[union-attr]
    while data[pos] != 0x7D:
        key_end = skip_value(data, pos)
        key = data[pos:key_end]
        if key != wanted and b"\\" in key and scanstring(key.decode(), 1)[0] == name:
            key = wanted
        pos = _SPACE.match(data, key_end).end() + 1  # type: ignore[union-attr]
        pos = _SPACE.match(data, pos).end()  # type: ignore[union-attr]
        end = skip_value(data, pos)
        if key == wanted:
            result = pos, end
        pos = _SPACE.match(data, end).end()  # type: ignore[union-attr]
        if data[pos] == 0x2C:
            pos = _SPACE.match(data, pos + 1).end()  # type: ignore[union-attr]
    return result


def _item(data: bytes, pos: int, index: int) -> tuple[int, int] | None:
    if data[pos] != 0x5B:
        return None
    pos = _SPACE.match(data, pos + 1).end()  # type: ignore[union-attr]
    while data[pos] != 0x5D:
        end = skip_value(data, pos)
        if not index:
            return pos, end
        index -= 1
        pos = _SPACE.match(data, end).end()  # type: ignore[union-attr]
        if data[pos] == 0x2C:
            pos = _SPACE.match(data, pos + 1).end()  # type: ignore[union-attr]
    return None


def raw_text(data: bytes, path: tuple[str | int, ...]) -> str:
    """JSON text of the value at `path`, as received."""
    place = span(data, path)
    assert place is not None
    return data[place[0] : place[1]].decode("utf-8")


def as_str(value: Any) -> str | None:
    """The value if it is a string, else None."""
    return value if type(value) is str else None


def as_int(value: Any) -> int | None:
    """The value if it is an integer of 64 bits, else None; never a bool."""
    return value if type(value) is int and INT_MIN <= value <= INT_MAX else None
