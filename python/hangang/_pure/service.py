"""Which service's stream is it, by its first 1,024 bytes, whole or cut ([design §5.9]).

Invariants:
1. Only what a stream's JSON says of itself counts, member names and SSE event names, never the text inside a
   value. The first evidence in the order of the bytes wins; None where nothing tells, no guess.
2. A member counts once the first byte of its value is there, so a cut stream tells nothing else than the
   whole one. Weak evidence (an envelope, an error, a usage) counts only when its whole value was seen.
3. The search is lexical: names are compared as bytes, without unescaping, and nothing is validated. A bracket
   that does not match ends the value.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Any, Literal, TypeAlias

WINDOW = 1024

_BLANK = b" \t\n\r"
_BOM = b"\xef\xbb\xbf"
_SPACE = re.compile(rb"[ \t\n\r]*+")
_LINE = re.compile(rb"([^\r\n]*+)(\r\n|\r|\n|\Z)")
_STRING = re.compile(rb'"((?:[^"\\]++|\\.)*+)"', re.DOTALL)
_COLON = re.compile(rb"[ \t\n\r]*+:[ \t\n\r]*+")
_HTML = re.compile(rb"<!doctype html|<html", re.IGNORECASE)
_OPENER = {0x7D: 0x7B, 0x5D: 0x5B}


Name: TypeAlias = Literal["clova", "exaone", "openai", "a2a"]


class Service(Enum):
    """A dialect: the module's name, and how messages name it."""

    CLOVA = "clova", "CLOVA"
    EXAONE = "exaone", "EXAONE"
    OPENAI = "openai", "OpenAI-compatible"
    A2A = "a2a", "A2A"

    def __init__(self, module: Name, title: str) -> None:
        self.module: Name = module
        self.title = title


class Level(Enum):
    """Where an object is: how its members count."""

    TOP = 1
    RESULT = 2  # under `result`: as at the top, but for its own `result`
    MESSAGE = 3
    STATUS = 4
    OTHER = 5


_TOP: dict[bytes, Service] = {
    b"result_code": Service.EXAONE,
    **dict.fromkeys(
        (
            *(b"jsonrpc", b"kind", b"task", b"statusUpdate", b"artifactUpdate", b"artifact", b"artifacts"),
            *(b"parts", b"contextId", b"taskId", b"messageId"),
        ),
        Service.A2A,
    ),
    **dict.fromkeys(
        (b"choices", b"object", b"error_message", b"error_code", b"custom_status"), Service.OPENAI
    ),
    **dict.fromkeys(
        (b"stopReason", b"finishReason", b"inputLength", b"outputLength", b"aiFilter"), Service.CLOVA
    ),
}
_MESSAGE: dict[bytes, Service] = {
    **dict.fromkeys((b"messageId", b"parts", b"kind", b"contextId", b"taskId"), Service.A2A),
    **dict.fromkeys((b"thinkingContent", b"toolCalls"), Service.CLOVA),
}
_UNDER = {b"result": Level.RESULT, b"message": Level.MESSAGE, b"status": Level.STATUS}


def detect(first_bytes: bytes | bytearray | memoryview) -> Name | None:
    """The dialect of a stream: `clova`, `exaone`, `openai`, `a2a`, or None where nothing tells.

    Args:
        first_bytes: how the stream begins; only the first 1,024 bytes count.

    Raises:
        TypeError: not bytes, bytearray or memoryview.
    """
    found = find_service(window_of(first_bytes))
    return None if found is None else found.module


def window_of(first_bytes: Any) -> bytes:
    """What counts of the bytes; raises TypeError."""
    if not isinstance(first_bytes, (bytes, bytearray, memoryview)):
        what = type(first_bytes).__name__
        raise TypeError(f"first_bytes must be bytes, bytearray or memoryview, not {what}")
    return bytes(memoryview(first_bytes)[:WINDOW])


def find_service(window: bytes) -> Service | None:
    """The service of a stream that begins with these bytes."""
    window = window.removeprefix(_BOM)
    window = window[_SPACE.match(window).end() :]  # type: ignore[union-attr]
    return detect_json(window) if window[:1] == b"{" else detect_sse(window)


def detect_json(window: bytes) -> Service | None:
    """The service of bare JSON: one value after the other."""
    pos = 0
    while window[pos : pos + 1] == b"{":
        found, end = scan(window, pos)
        if found is not None or end is None:
            return found
        pos = _SPACE.match(window, end).end()  # type: ignore[union-attr]
    return None


def detect_sse(window: bytes) -> Service | None:
    """The service of an SSE stream; evidence counts at the line that completes it."""
    payload: bytes | None = None  # the joined data of the frame so far
    for match in _LINE.finditer(window):
        line, is_terminated = match[1], bool(match[2])
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        found = None
        if not line:
            payload = None
        elif name == b"event":
            if is_terminated and value in (b"token", b"result", b"signal"):
                found = Service.CLOVA
        elif name == b"data":
            joined: bytes = value if payload is None else payload + b"\n" + value
            payload = joined
            if is_terminated and joined.strip(_BLANK) == b"[DONE]":
                found = Service.OPENAI
            else:
                found = first_value(joined)
        elif line[0] == 0x7B:
            found = first_value(line)
        elif name == b"error" and value[:1] == b"{":
            found = first_value(value)
        if found is not None:
            return found
    return None


def first_value(payload: bytes) -> Service | None:
    """The service of a payload that is an object."""
    start = _SPACE.match(payload).end()  # type: ignore[union-attr]
    return scan(payload, start)[0] if payload[start : start + 1] == b"{" else None


def scan(data: bytes, pos: int) -> tuple[Service | None, int | None]:
    """The service of the object at `pos`, and where it ends: None if it is cut or not balanced."""
    stack: list[tuple[int, Level]] = []  # the opener of each open container, and the level of an object
    weak: set[Service] = set()
    next_level = Level.TOP  # of an object that begins here
    may_be_name = False
    while pos < len(data):
        byte = data[pos]
        if byte == 0x22:
            string = _STRING.match(data, pos)
            if string is None:
                return None, None
            pos = string.end()
            member = _COLON.match(data, pos) if may_be_name else None
            may_be_name, next_level = False, Level.OTHER
            if member is not None:
                pos = member.end()
                if pos == len(data):
                    return None, None
                level, name = stack[-1][1], string[1]
                found = strong(level, name, data[pos])
                if found is not None:
                    return found, None
                weak |= weak_evidence(level, name, data[pos])
                next_level = inner_level(level, name)
            continue
        pos += 1
        if byte == 0x7B or byte == 0x5B:
            stack.append((byte, next_level if byte == 0x7B else Level.OTHER))
            may_be_name, next_level = byte == 0x7B, Level.OTHER
        elif byte == 0x7D or byte == 0x5D:
            if stack.pop()[0] != _OPENER[byte]:
                return None, None
            if not stack:
                return next((one for one in (Service.CLOVA, Service.OPENAI) if one in weak), None), pos
            may_be_name, next_level = False, Level.OTHER
        elif byte not in _BLANK:
            may_be_name, next_level = byte == 0x2C and stack[-1][0] == 0x7B, Level.OTHER
    return None, None


def strong(level: Level, name: bytes, first: int) -> Service | None:
    """What a member tells by its name, where it is; `first` is the first byte of its value."""
    if level is Level.TOP or level is Level.RESULT:
        return _TOP.get(name)
    if level is Level.MESSAGE:
        if name == b"content" and first == 0x22:
            return Service.CLOVA
        return _MESSAGE.get(name)
    return Service.A2A if level is Level.STATUS and name == b"state" else None


def weak_evidence(level: Level, name: bytes, first: int) -> set[Service]:
    """What a member tells if nothing else does."""
    if level is Level.STATUS and name == b"code":
        return {Service.CLOVA}
    if (level is Level.TOP or level is Level.RESULT) and (
        (name == b"error" and first in b'{"') or (name == b"usage" and first == 0x7B)
    ):
        return {Service.OPENAI}
    return set()


def inner_level(level: Level, name: bytes) -> Level:
    """The level of an object that is the value of this member."""
    if level is Level.TOP or (level is Level.RESULT and name != b"result"):
        return _UNDER.get(name, Level.OTHER)
    return Level.OTHER


def look_of(head: bytes, own: Service) -> str:
    """What a stream looks like that begins with `head` and is none of the service's."""
    if head.startswith(b"\x1f\x8b"):
        return "gzip data; decompress it first"
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        return "zstd data; decompress it first"
    text = head.removeprefix(_BOM)
    if _HTML.match(text, _SPACE.match(text).end()):  # type: ignore[union-attr]
        return "an HTML page"
    service = find_service(head)
    if service is not None and service is not own:
        return f"a stream of hangang.{service.module}"
    return "nothing of the kind"
