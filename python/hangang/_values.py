"""JSON text to plain Python values and events to plain dicts, the same on both implementations.

The native module calls `decode` for the dict parts of events, the pure twin builds on it. It must
not raise on any valid JSON: nesting too deep for the C scanner goes through an iterative decoder,
an integer with more digits than Python converts becomes an infinite float.
"""

# What the scanner gives is of any type, and this module asks by exact type, for speed.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import json
import re
from collections.abc import Callable
from json import decoder as _decoder
from math import isfinite
from typing import Any, TypeGuard

from ._errors import ParseError

__all__ = [
    "decode",
    "decode_deep",
    "decode_numbers",
    "is_list",
    "is_object",
    "replace_surrogates",
    "scan",
    "scanstring",
    "to_dict",
]

# The C scanner's entry points are not in the type stubs. `scanstring(text, start)` reads a string's
# contents from `start` to its closing quote: value, position after it.
scanstring: Callable[[str, int], tuple[str, int]] = _decoder.scanstring  # type: ignore[attr-defined]
_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_SURROGATE = re.compile("[\ud800-\udfff]")


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _int(digits: str) -> int | float:
    try:
        return int(digits)
    except ValueError:
        # Over sys.get_int_max_str_digits(), which is never below 640 digits: past any float.
        return float("-inf") if digits[0] == "-" else float("inf")


# NaN and Infinity are no JSON, though Python's decoder takes them by default.
_Scan = Callable[[str, int], tuple[Any, int]]
_plain: Any = json.JSONDecoder(parse_constant=_refuse)
_any_int: Any = json.JSONDecoder(parse_constant=_refuse, parse_int=_int)
_scan: _Scan = _plain.scan_once
_scan_any_int: _Scan = _any_int.scan_once
_numbers: Any = json.JSONDecoder(parse_constant=_refuse, parse_int=str, parse_float=str)
_number_scan: _Scan = _numbers.scan_once


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """A JSON object: `isinstance`, as the type checkers understand it."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """A JSON array."""
    return isinstance(value, list)


def scan(text: str) -> Any:
    """Value of one JSON text with white space around it, by the C scanner.

    Raises:
        ValueError: the text is not RFC 8259.
        RecursionError: it is nested deeper than the C scanner goes; it may or may not be valid.
    """
    start = 0
    if text[:1] not in ("{", "["):
        space = _SPACE.match(text)
        assert space is not None
        start = space.end()
    try:
        try:
            value, end = _scan(text, start)
        except json.JSONDecodeError:
            raise
        except ValueError:  # a huge integer, or a refused constant: the second scan finds out which
            value, end = _scan_any_int(text, start)
    except StopIteration:
        raise ValueError("no JSON value") from None
    if end != len(text):
        space = _SPACE.match(text, end)
        assert space is not None
        if space.end() != len(text):
            raise ValueError("more than one JSON value")
    return value


def decode(text: str) -> Any:
    """Value of a valid JSON text, with every lone surrogate escape as U+FFFD.

    Objects are dicts (of duplicate names the last wins), arrays lists. Linear in time; raises
    nothing when the text is valid.
    """
    try:
        value = scan(text)
    except RecursionError:
        value = decode_deep(text)
    # Only an escape can bring a surrogate: the text itself came out of strict UTF-8.
    if "\\ud" in text or "\\uD" in text:
        value = replace_surrogates(value)
    return value


def decode_numbers(text: str) -> Any:
    """The value of a text known to be valid JSON, with every number as its own text. Linear in time."""
    space = _SPACE.match(text)
    assert space is not None
    try:
        return _number_scan(text, space.end())[0]
    except RecursionError:
        return decode_deep(text, keep_numbers=True)


def decode_deep(text: str, keep_numbers: bool = False) -> Any:
    """The value of a text known to be valid JSON, without recursion; `keep_numbers`: as their own text."""
    root: list[Any] = []
    target: Any = root  # the innermost open container
    stack: list[Any] = []
    value: Any
    key: str | None = None  # name whose value comes next; None inside an array
    pos = 0
    end = len(text)
    while True:
        space = _SPACE.match(text, pos)
        assert space is not None
        pos = space.end()
        if pos == end:
            return root[0]
        char = text[pos]
        if char in ",:":
            pos += 1
            continue
        if char in "]}":
            target = stack.pop()
            pos += 1
            continue
        if char == '"':
            value, pos = scanstring(text, pos + 1)
            if type(target) is dict and key is None:
                key = value
                continue
        elif char == "{" or char == "[":
            value = {} if char == "{" else []
            pos += 1
        elif char == "t":
            value, pos = True, pos + 4
        elif char == "f":
            value, pos = False, pos + 5
        elif char == "n":
            value, pos = None, pos + 4
        else:
            number = _NUMBER.match(text, pos)
            assert number is not None
            pos = number.end()
            digits, fraction, exponent = number.group(0, 1, 2)
            if keep_numbers:
                value = digits
            else:
                value = _int(digits) if fraction is None and exponent is None else float(digits)
        if isinstance(target, list):
            target.append(value)
        else:
            assert key is not None
            target[key] = value
            key = None
        if char == "{" or char == "[":
            stack.append(target)
            target = value


def replace_surrogates(value: Any) -> Any:
    """`value` with U+FFFD for every lone surrogate in its strings; containers change in place."""
    if type(value) is str:
        return _SURROGATE.sub("\ufffd", value)
    todo = [value] if type(value) in (dict, list) else []
    while todo:
        container = todo.pop()
        if type(container) is dict:
            items = list(container.items())
            container.clear()
            for key, item in items:
                if type(item) is str:
                    item = _SURROGATE.sub("\ufffd", item)
                elif type(item) in (dict, list):
                    todo.append(item)
                container[_SURROGATE.sub("\ufffd", key)] = item
        else:
            for index, item in enumerate(container):
                if type(item) is str:
                    container[index] = _SURROGATE.sub("\ufffd", item)
                elif type(item) in (dict, list):
                    todo.append(item)
    return value


def to_dict(
    dialect: str | None, kind: str | None, names: tuple[str, ...], values: tuple[Any, ...]
) -> dict[str, Any]:
    """An event or a value inside one as plain values that `json.dumps` accepts.

    Both implementations call this, so their dicts are equal by construction.

    Args:
        dialect: the event's dialect; None for `Malformed` and for values inside events.
        kind: the event's class name; None for values inside events, which have no `dialect` and `kind`.
        names: the fields.
        values: their values.
    """
    plain: dict[str, Any] = {} if kind is None else {"dialect": dialect, "kind": kind}
    todo: list[tuple[Any, Any, Any]] = []  # container, key in it, value to put there
    for name, value in zip(names, values, strict=True):
        plain[name] = None
        todo.append((plain, name, value))
    while todo:  # no recursion: a parser accepts JSON of any depth
        container, key, value = todo.pop()
        if isinstance(value, float):
            value = value if isfinite(value) else None
        elif isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        elif isinstance(value, dict):
            members = list(value.items())
            value = dict.fromkeys(value)
            todo += [(value, name, item) for name, item in members]
        elif isinstance(value, (list, tuple)):
            items = value
            value = [None] * len(items)
            todo += [(value, place, item) for place, item in enumerate(items)]
        elif isinstance(value, ParseError):
            value = {"class": type(value).__name__, "offset": value.offset, "message": str(value)}
        elif hasattr(value, "to_dict"):
            value = value.to_dict()
        container[key] = value
    return plain
