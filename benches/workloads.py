"""Streams for benchmarks and for the tests of Law II: deterministic, sized, and the bad ones by name.

`WORKLOADS[name](n)` builds a `Workload` whose size is about proportional to n; `workload.chunks()` gives it
as the network would. The good ones are the services' own streams; each bad one is the worst case of some
implementation:

- `huge-frame-drip`: one frame of n KB in 1 KB pieces (a parser that starts again at each piece is quadratic);
- `one-byte`: a stream of frames, one byte a chunk (a cost per call, and any state that is lost between);
- `one-byte-huge`: one frame of n KB, one byte a chunk;
- `tiny-frames`: as many frames as possible in a byte;
- `idle-comments`: keep-alives without end;
- `deep-nesting`: containers in containers, up to the default depth, in pieces;
- `wrong-prediction`: frames that equal the one before almost to the end, and then do not.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from hangang.cli.bench.workloads import WORKLOADS as GOOD
from hangang.cli.bench.workloads import (
    Workload,
    a2a,
    clova_v1,
    clova_v3,
    exaone_refs,
    exaone_small,
    openai,
    word,
)

__all__ = [
    "BAD",
    "GOOD",
    "WORKLOADS",
    "Workload",
    "a2a",
    "clova_v1",
    "clova_v3",
    "exaone_refs",
    "exaone_small",
    "openai",
]


def huge_token(n: int) -> bytes:
    text = '가나다라마바사 \\n\\"' * (n * 1024 // 25)
    return f'{{"message":{{"role":"assistant","content":"{text}"}},"finishReason":"stop"}}'.encode()


def huge_frame_drip(n: int) -> Workload:
    """One SSE frame of about n KB in 1 KB pieces."""
    return Workload("huge-frame-drip", "clova", b"event:result\ndata:" + huge_token(n) + b"\n\n", 1024)


def huge_object_drip(n: int) -> Workload:
    """One bare JSON value of about n KB in 1 KB pieces."""
    return Workload("huge-object-drip", "clova", huge_token(n), 1024)


def one_byte(n: int) -> Workload:
    """n tokens of CLOVA v3, one byte a chunk."""
    return Workload("one-byte", "clova", clova_v3(n).wire, 1)


def one_byte_huge(n: int) -> Workload:
    """One frame of about n KB, one byte a chunk."""
    return Workload("one-byte-huge", "clova", b"event:result\ndata:" + huge_token(n) + b"\n\n", 1)


def tiny_frames(n: int) -> Workload:
    """1,000 n frames of eight bytes."""
    return Workload("tiny-frames", "openai", b"data:1\n\n" * (1000 * n) + b"data: [DONE]\n\n")


def tiny_objects(n: int) -> Workload:
    """1,000 n objects of two bytes, without separators."""
    return Workload("tiny-objects", "JSONStreamParser", b"{}" * (1000 * n))


def idle_comments(n: int) -> Workload:
    """1,000 n keep-alives in 1 KB pieces, then the end."""
    return Workload("idle-comments", "openai", b": keep-alive\n\n" * (1000 * n) + b"data: [DONE]\n\n", 1024)


def deep_nesting(n: int) -> Workload:
    """10 n values of 120 containers each, in pieces of 100 bytes."""
    deep = b'{"a":[' * 60 + b"1" + b"]}" * 60
    return Workload("deep-nesting", "JSONStreamParser", deep * (10 * n), 100)


def wrong_prediction(n: int) -> Workload:
    """10 n frames of 4 KB, each equal to one of five before it but for a late byte of a fixed part."""
    out = []
    for i in range(10 * n):
        pad = "한강 " * 500
        odd = "".join("ab"[(i >> bit) & 1] for bit in range(8))
        data = {
            "answer": word(i),
            "query": pad,
            "references": [{}],
            "progress_state": "answering",
            f"x{odd}": i,
        }
        out.append(json.dumps({"result_code": 200, "data": data}, ensure_ascii=False))
    return Workload("wrong-prediction", "exaone", "".join(out).encode())


BAD: dict[str, Callable[[int], Workload]] = {
    "huge-frame-drip": huge_frame_drip,
    "huge-object-drip": huge_object_drip,
    "one-byte": one_byte,
    "one-byte-huge": one_byte_huge,
    "tiny-frames": tiny_frames,
    "tiny-objects": tiny_objects,
    "idle-comments": idle_comments,
    "deep-nesting": deep_nesting,
    "wrong-prediction": wrong_prediction,
}
WORKLOADS = {**GOOD, **BAD}
