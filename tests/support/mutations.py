"""Captures changed in their structure: frames, lines, JSON members and values, and at last some bytes.

`mutated(rng)` gives a dialect and a stream. What random bytes reach only by luck is made on purpose here: valid JSON
of another shape, members that are missing, twice or of another type, frames in another order, other line ends.
"""

from __future__ import annotations

import functools
import json
import random
import re
from typing import Any

import support

SUFFIXES = (".sse", ".json", ".ndjson", ".jsonstream")

#: What may replace any value, as JSON text.
VALUES = (  # noqa: SIM905 - JSON full of quotes reads better this way
    "null true false 0 -1 1 200 400 42901 1.50 1e400 -0.0 123456789012345678901234567890 "
    '"" "x" "stop" "[DONE]" "answering" "token" "completed" "\\ud800" "\\ud83d\\ude00" "\\u0000" "한" "<think>" '
    '[] {} [{}] [null] [[]] {"a":[]} {"text":"x"} [{"type":"text","text":"y"}] {"code":"50000","message":"m"} '
    '{"role":"assistant","content":"z"} {"index":1,"delta":{"content":"w"}}'
).split(" ")

#: Lines that may be inserted between any two others.
LINES = (
    b"",
    b":",
    b": ping",
    b"id: 7",
    b"id: a\0b",
    b"id",
    b"event: error",
    b"event: result",
    b"event:",
    b"retry: 10",
    b"data",
    b"data: ",
    b"data: [DONE]",
    b"data: {}",
    b"data:{",
    b'{"error":{"message":"m","code":"c"}}',
    b'error: {"message":"m"}',
    b"unknown: x",
    b"\xef\xbb\xbfdata: {}",
    b"data: \xff",
)


class Text(str):
    """JSON text that is written as it is, for values that Python does not have."""


@functools.cache
def captures() -> tuple[tuple[str, bytes], ...]:
    """Every capture, with its dialect."""
    return tuple(
        (dialect, path.read_bytes())
        for dialect in support.DIALECTS
        for path in sorted((support.CAPTURES / dialect).iterdir())
        if path.suffix in SUFFIXES
    )


def frames(data: bytes) -> list[bytes]:
    """The SSE events or JSON values of a stream, each with what ends it."""
    if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        parser = support.implementation("pure").parser("JSONStreamParser")
        return [value + b"\n" for value in parser.feed(data)]
    return [frame for frame in re.split(rb"(?<=\n\n)|(?<=\r\n\r\n)|(?<=\r\r)", data) if frame]


def written(value: Any, rng: random.Random) -> str:
    """A value of `parsed` as JSON, with white space here and there."""
    blank = " " if rng.random() < 0.1 else ""
    if isinstance(value, Text):
        return str(value)
    if isinstance(value, tuple):  # the members of an object, in order, perhaps twice
        members = [f"{json.dumps(name)}:{blank}{written(one, rng)}" for name, one in value]
        return "{" + f",{blank}".join(members) + "}"
    if isinstance(value, list):
        return "[" + f",{blank}".join(written(one, rng) for one in value) + "]"
    return json.dumps(value, ensure_ascii=rng.random() < 0.5)


def places(value: Any) -> list[Any]:
    """Every object and list inside a value."""
    found = []
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, (tuple, list)):
            found.append(one)
            waiting += [child for _, child in one] if isinstance(one, tuple) else one
    return found


def with_change(value: Any, rng: random.Random) -> Any:
    """The value with one change somewhere inside it."""
    target = rng.choice(places(value) or [None])
    if target is None:
        return Text(rng.choice(VALUES))

    def changed(one: Any) -> Any:
        if isinstance(one, tuple):
            new: Any = [(name, changed(child)) for name, child in one]
        elif isinstance(one, list):
            new = [changed(child) for child in one]
        else:
            return one
        if one is target:
            new = edited(new, isinstance(one, tuple), value, rng)
        return tuple(new) if isinstance(one, tuple) else new

    return changed(value)


def edited(items: list[Any], is_object: bool, whole: Any, rng: random.Random) -> list[Any]:
    """Members or elements, one of them gone, twice, moved, renamed or of another value."""
    at = rng.randrange(len(items) + 1)
    names = [name for one in places(whole) if isinstance(one, tuple) for name, _ in one] or ["a"]
    what = rng.randrange(7)
    other = rng.choice(places(whole)) if rng.random() < 0.3 else Text(rng.choice(VALUES))
    if at == len(items) or what == 0:
        items.insert(at, (rng.choice(names), other) if is_object else other)
    elif what == 1:
        del items[at]
    elif what == 2:
        items.insert(rng.randrange(len(items) + 1), items[at])
    elif what == 3 and is_object:
        items[at] = rng.choice(names), items[at][1]
    elif what == 4:
        rng.shuffle(items)
    elif what == 5:
        wrapped = [items[at][1]] if is_object else [items[at]]
        items[at] = (items[at][0], wrapped) if is_object else wrapped
    else:
        items[at] = (items[at][0], other) if is_object else other
    return items


def with_json(frame: bytes, rng: random.Random) -> bytes:
    """The frame with a changed payload, if it has one that is JSON."""
    found = re.search(rb"(?m)^(data: ?)?(\{.*\})[ \t\r\n]*$", frame, re.DOTALL)
    if found is None:
        return frame
    try:
        value = json.loads(found[2], object_pairs_hook=tuple)
    except ValueError:
        return frame
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        value = with_change(value, rng)
    text = written(value, rng).encode("utf-8", "surrogatepass")
    return frame[: found.start(2)] + text + frame[found.end(2) :]


def with_lines(frame: bytes, rng: random.Random) -> bytes:
    """The frame with a line more, less, moved or cut in two, or with other line ends."""
    end = rng.choice((b"\n", b"\n", b"\r\n", b"\r"))
    lines = frame.splitlines() if rng.random() < 0.8 else frame.split(b"\n")
    at = rng.randrange(len(lines) + 1)
    what = rng.randrange(5)
    if at == len(lines) or what == 0:
        lines.insert(at, rng.choice(LINES))
    elif what == 1:
        del lines[at]
    elif what == 2:
        lines.insert(rng.randrange(len(lines) + 1), lines[at])
    elif what == 3:
        place = rng.randrange(len(lines[at]) + 1)
        lines[at : at + 1] = [lines[at][:place], b"data: " + lines[at][place:]]
    else:
        lines[at] = rng.choice((lines[at].replace(b": ", b":", 1), lines[at] + b" ", b" " + lines[at]))
    return end.join(lines) + end * rng.choice((1, 1, 1, 2, 0))


def mutated(rng: random.Random) -> tuple[str, bytes]:
    """A dialect, and a capture of it (now and then of another one) after one to five changes."""
    dialect, data = rng.choice(captures())
    parts = frames(data)
    if len(parts) > 30:  # the middle of a long answer repeats itself
        at = rng.randrange(len(parts) - 20)
        parts = parts[:5] + parts[at : at + 10] + parts[-5:]
    for _ in range(rng.randint(1, 5)):
        at = rng.randrange(len(parts) or 1)
        if not parts:
            break
        match rng.randrange(9):
            case 0 | 1 | 2:
                parts[at] = with_json(parts[at], rng)
            case 3 | 4:
                parts[at] = with_lines(parts[at], rng)
            case 5:
                del parts[at]
            case 6:
                parts[at : at + 1] = [parts[at]] * rng.randint(2, 6)
            case 7:
                parts.insert(at, rng.choice(frames(rng.choice(captures())[1]) or [b"\n"]))
            case _:
                other = rng.randrange(len(parts))
                parts[at], parts[other] = parts[other], parts[at]
    data = b"".join(parts)
    if rng.random() < 0.2:
        data = data[: rng.randrange(len(data) + 1)]
    if rng.random() < 0.1 and data:
        at = rng.randrange(len(data))
        data = data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
    if rng.random() < 0.05:
        data = b"\xef\xbb\xbf" + data
    return rng.choice(support.DIALECTS) if rng.random() < 0.05 else dialect, data
