"""Law II for [design §5]: what the rules of the field cost, counted, and what they keep, bounded."""

from __future__ import annotations

import gc
import json
import tracemalloc
from collections.abc import Callable

import pytest
import support
from support import Implementation

#: As in test_linear.py: what is paid once, and what failed predictions may cost in advance.
ONCE = 64
ADVANCE = 64 * 1024

CHUNK = b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
END = b"data: [DONE]\n\n"


def line(length: int) -> bytes:
    return b'{"x":"' + b"y" * length + b'"}\n'


def tagged(count: int) -> bytes:
    content = "<think>한강</think><" * 8
    frame = {"choices": [{"index": 0, "delta": {"content": content}}]}
    return (b"data: " + json.dumps(frame).encode() + b"\n\n") * count


WIRES: dict[str, Callable[[int], bytes]] = {
    "objects on lines": lambda n: b": c\n" + line(20) * n + END,
    "one long object on a line": lambda n: b": c\n" + line(20 * n) + END,
    "lines that are no objects": lambda n: b": c\n" + b'{"x":yyyyyyyyyyyyyyyyyyyyy\n' * n + b"\n" + END,
    "lines of brackets": lambda n: (
        b": c\n" + (b'{"x":' + b"[" * 60 + b"\n") * n + b"{[{[{[{[\n" * n + b"\n" + END
    ),
    "fields error": lambda n: b": c\n" + b"error: " + (b"error: " + line(10)) * n + b"\n" + END,
    "objects inside frames": lambda n: (b"data: [1,\n" + line(5) + b"data: 2]\n\n") * n + END,
    "an object between equal frames": lambda n: (CHUNK * 3 + line(5)) * n + END,
    "keep-alives": lambda n: b"data: \n\n" * n + END,
    "keep-alives between equal frames": lambda n: (CHUNK * 3 + b"data:\n\n") * n + END,
    "texts under the name error": lambda n: b"event: error\ndata: out of memory\n\n" * n + END,
    "snapshots": lambda n: (CHUNK + CHUNK.replace(b"delta", b"message")) * n + END,
    "numbers as text": lambda n: CHUNK.replace(b'"a"', b"0.5") * n + END,
    "text that is none": lambda n: b"<p>Bad Gateway</p>\n" * n + END,
}


def examined(impl: Implementation, wire: bytes, size: int, **options: object) -> int:
    parser = impl.parser("openai", **options)
    outcome = support.drive(parser, support.pieces(wire, size))
    assert outcome.error is None
    count = parser._examined
    assert type(count) is int
    return count


@pytest.mark.parametrize("size", [1, 2**20], ids=["a byte at a time", "whole"])
@pytest.mark.parametrize("name", WIRES)
def test_at_most_three_examinations_a_byte(name: str, size: int, impl: Implementation, predict: bool) -> None:
    one, two = WIRES[name](300), WIRES[name](600)
    costs = [examined(impl, wire, size) for wire in (one, two)]
    for wire, cost in zip((one, two), costs, strict=True):
        assert cost <= 3 * len(wire) + ONCE + (ADVANCE if predict else 0)
    if not predict:
        assert costs[1] <= 2.05 * costs[0] + ONCE


@pytest.mark.parametrize("size", [1, 2**20], ids=["a byte at a time", "whole"])
def test_tags_cost_no_examination_more(size: int, impl: Implementation) -> None:
    wire = tagged(40) + END
    assert examined(impl, wire, size, thinking_tags=("<think>", "</think>")) <= 3 * len(wire) + ONCE + ADVANCE


def test_a_line_of_its_own_is_held_within_the_limit(impl: Implementation) -> None:
    """An object on a line is held until its line end, no more than `max_frame_bytes` of it."""
    parser = impl.parser("openai", max_frame_bytes=1000)
    parser.feed(b": c\n" + b'{"x":"' + b"y" * 900)
    assert 0 < parser.pending <= 1001
    with pytest.raises(ValueError, match="frame too large"):
        parser.feed(b"y" * 200)
    assert parser.pending == 0


def test_followed_choices_are_bounded(pure: Implementation) -> None:
    """128 choices are followed, with their flags and held text; any number more costs nothing."""

    def peak(count: int) -> int:
        parser = pure.parser("openai", thinking_tags=("<think>", "</think>"))
        frames = [
            b'data: {"choices":[{"index":%d,"delta":{"content":"<thi"}}]}\n\n' % n for n in range(count)
        ]
        gc.collect()
        tracemalloc.start()
        try:
            for frame in frames:
                parser.feed(frame)
            return tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()

    small, large = peak(200), peak(4000)
    assert large < 1.5 * small + 20_000


def test_what_tells_an_unknown_stream_is_bounded(pure: Implementation) -> None:
    """The first 1,024 bytes are kept until an event is known, not the stream."""
    parser = pure.parser("openai")
    page = b"<p>x</p>\n" * 1000
    gc.collect()
    tracemalloc.start()
    try:
        for _ in range(100):
            parser.feed(page)
        kept = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert kept < 64 * 1024
    with pytest.raises(ValueError, match=r"not recognized at byte 900000: .* found nothing of the kind$"):
        parser.close()
