"""One scenario of test_limits.py in a process of its own, so that the peak of its memory is its own.

    python limits_child.py native endless_line

prints a JSON object: the error's class and offset, the results, and the kilobytes by which the peak grew.
A scenario is a parser and an iterable of chunks, made lazily: nothing of the stream is held here.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Callable, Iterator
from itertools import repeat
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import support

MIB = 2**20
LIMIT = MIB
CHUNK = 64 * 1024
END = {
    "clova": b'event:result\ndata:{"message":{"content":""}}\n\n',
    "exaone": b'data:{"result_code":200,"data":{"answer":"","progress_state":"answering"}}\n\n',
    "openai": b"data: [DONE]\n\n",
    "a2a": b'data: {"result":{"kind":"status-update","taskId":"t","status":{"state":"completed"},"final":true}}\n\n',
}
Scenario = tuple[Any, Iterator[bytes]]


def forever(start: bytes, unit: bytes) -> Iterator[bytes]:
    """`start`, then `unit` again and again: 64 times the limit, which no parser may swallow."""
    yield start
    block = unit * (CHUNK // len(unit))
    yield from repeat(block, 64 * LIMIT // len(block))


def times(unit: bytes, count: int, *before: bytes, after: bytes = b"") -> Iterator[bytes]:
    """`unit` `count` times, in chunks of about 64 KiB, with something before it and after it."""
    yield from before
    block = max(1, CHUNK // len(unit))
    for at in range(0, count, block):
        yield unit * min(block, count - at)
    yield after


def drip(unit: bytes, count: int, *behind: bytes) -> Iterator[bytes]:
    """About `count` bytes one at a time, and what follows."""
    single = [unit[at : at + 1] for at in range(len(unit))]
    for _ in range(count // len(unit)):
        yield from single
    yield from behind


def endless(start: bytes, unit: bytes) -> Callable[[str, Any, int], Scenario]:
    return lambda kind, make, count: (make(kind, max_frame_bytes=LIMIT), forever(start, unit))


def counted(unit: bytes) -> Callable[[str, Any, int], Scenario]:
    return lambda kind, make, count: (make(kind), times(unit, count, after=END.get(kind, b"")))


def dripped(unit: bytes) -> Callable[[str, Any, int], Scenario]:
    return lambda kind, make, count: (make(kind), drip(unit, count, END.get(kind, b"")))


def deep(kind: str, make: Any, count: int) -> Scenario:
    """A value of many open containers, allowed by max_depth: nothing may recurse on them."""
    payload = b'{"metadata":{"a":' + b"[" * count + b"]" * count + b"},"
    payload += b'"result":{"kind":"message","parts":[{"data":' + b"[" * count + b"]" * count + b"}]}}"
    wire = payload if kind == "JSONStreamParser" else b"event: x\ndata: " + payload + b"\n\n" + END[kind]
    return make(kind, max_depth=10**9), iter([wire])


def number(kind: str, make: Any, count: int) -> Scenario:
    digits = times(b"1234567890", count // 10)
    behind = b"}" if kind == "JSONStreamParser" else b"}\n\n" + END[kind]
    start = b'{"created":' if kind == "JSONStreamParser" else b'data: {"choices":[],"created":'

    def chunks() -> Iterator[bytes]:
        yield start
        yield from digits
        yield behind

    return make(kind), chunks()


DATA = {
    "SSEParser": b"data\n\n",
    "clova": b'event: token\ndata: {"message":{"role":"assistant","content":"a"}}\n\n',
    "exaone": b'data: {"result_code":200,"data":{"answer":"a","progress_state":"answering"}}\n\n',
    "openai": b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n',
    "a2a": b'data: {"result":{"kind":"artifact-update","artifact":{"parts":[{"kind":"text","text":"a"}]}}}\n\n',
}


def long_id(kind: str, make: Any, count: int) -> Scenario:
    """An id of nearly the limit, then events that repeat it: WHATWG keeps it until another one."""
    first = b"id: " + b"7" * (LIMIT - 4) + b"\n" + DATA[kind]
    return make(kind), times(DATA[kind], count, first, after=END.get(kind, b""))


def objects(before: bytes, unit: bytes, after: bytes) -> Callable[[str, Any, int], Scenario]:
    """One frame of about 2 MiB that repeats a value of a few bytes: the dearest objects for their bytes."""

    def scenario(kind: str, make: Any, count: int) -> Scenario:
        values = b",".join([unit] * (2 * MIB // (len(unit) + 1)))
        return make(kind), iter([before + values + after, END[kind]])

    return scenario


FRAME = {
    "SSEParser": b"id: 1\ndata: {}\n\n",
    "JSONStreamParser": b'{"a":["\\u00e9",1.5e3]}\n',
    "clova": b'id: 1\nevent: token\ndata: {"message":{"role":"assistant","content":"a"}}\n\n',
    "exaone": b'{"result_code":200,"data":{"answer":"a","references":[{}],"progress_state":"answering"}}',
    "openai": b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n',
    "a2a": b'data: {"result":{"kind":"artifact-update","artifact":{"parts":[{"kind":"text","text":"a"}]}}}\n\n',
}

SCENARIOS: dict[str, Callable[[str, Any, int], Scenario]] = {
    "line": endless(b"data: ", b"x"),
    "comment": endless(b":", b"x"),
    "name": endless(b"event: ", b"x"),
    "id": endless(b"id: ", b"x"),
    "field": endless(b"", b"x"),
    "lines": endless(b"", b"data: 1234\n"),
    "empty_lines": endless(b"", b"data\n"),
    "string": endless(b'{"a":"', b"x"),
    "escapes": endless(b'{"a":"', b"\\u0041"),
    "digits": endless(b'{"a":', b"1"),
    "blanks": endless(b'{"a":', b" "),
    "members": endless(b'{"a":[', b"1,"),
    "nesting": endless(b'{"a":', b"["),
    "deep": deep,
    "number": number,
    "long_id": long_id,
    "choices": objects(b'data: {"choices":[', b"{}", b"]}\n\n"),
    "tool_calls": objects(b'data: {"choices":[{"index":0,"delta":{"tool_calls":[', b"{}", b"]}}]}\n\n"),
    "filters": objects(b'event: result\ndata: {"aiFilter":[', b"{}", b'],"message":{"content":""}}\n\n'),
    "references": objects(
        b'data: {"result_code":200,"data":{"answer":"a","references":[',
        b"[[]]",
        b'],"progress_state":"answering"}}\n\n',
    ),
    "parts": objects(b'data: {"result":{"kind":"message","parts":[', b'{"":0}', b"]}}\n\n"),
    "comments": counted(b": ping\n\n"),
    "empty_events": counted(b"data:\n\n"),
    "no_data": counted(b"event: token\nid: 1\n\n"),
    "blank_lines": counted(b"\r\n"),
    "drip": lambda kind, make, count: (
        make(kind),
        drip(FRAME[kind], count, b"" if kind == "exaone" else END.get(kind, b"")),
    ),
}


#: Scenarios whose events are kept, with their ids.
KEPT = ("long_id", "choices", "tool_calls", "filters", "references", "parts")


def peak() -> int:
    """Kilobytes: the most that this process ever had in memory (Linux); 0 where that is not ours."""
    if not support.PEAKS:
        return 0
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise OSError("no VmHWM")


def main() -> None:
    implementation, kind, scenario, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    impl = support.implementation(implementation)

    def make(kind: str, **options: Any) -> Any:
        return impl.parser(kind, **options)

    parser, chunks = SCENARIOS[scenario](kind, make, count)
    # What is loaded and allocated once by any parsing is not the scenario's.
    support.drive(impl.parser(kind), [FRAME[kind] * 100])
    from hangang._errors import ParseError

    before = peak()
    if (
        scenario == "long_id" and before
    ):  # what must not be copied ends the process before it fills the machine
        resource.setrlimit(resource.RLIMIT_AS, ((before + 2**20) * 1024,) * 2)
    events = fed = pending = 0
    error: dict[str, Any] | None = None
    kept: list[Any] = []
    ids: set[int] = set()
    try:
        for chunk in chunks:
            fed += len(chunk)
            got = parser.feed(chunk)
            events += len(got)
            if scenario in KEPT:
                kept += got
                ids.update(id(event.id) for event in got if hasattr(event, "id"))
                for event in got:
                    [getattr(event, name) for name in type(event).__match_args__]
            pending = max(pending, parser.pending)
        events += len(parser.close())
    except ParseError as raised:
        events += len(raised.events)
        error = {"class": type(raised).__name__, "offset": raised.offset}
    print(
        json.dumps(
            {
                "events": events,
                "fed": fed,
                "error": error,
                "pending": pending,
                "grown": peak() - before,
                "ids": len(ids),
            }
        )
    )


if __name__ == "__main__":
    main()
