"""Law II without a clock: bytes examined for n and 2n, and memory under the limit.

Every parser counts the bytes that it examines (`_examined`): framing, validation and prediction together. Twice
the input may cost at most 2.05 times the count. Without prediction no stream costs more than three
examinations a byte; with it the same and a constant, which pays for the first predictions that fail.
"""

from __future__ import annotations

import gc
import tracemalloc
from typing import Any

import pytest
import support
import workloads
from hypothesis import given
from hypothesis import strategies as st
from support import Implementation

#: Sizes of about 1 MB, against which what a stream costs once is small; less where it comes a byte at a time.
SIZES = {
    "clova_v3": 6000,
    "clova_v1": 6000,
    "openai": 6000,
    "exaone_small": 6000,
    "exaone_refs": 200,
    "a2a": 4000,
    "huge-frame-drip": 1024,
    "huge-object-drip": 1024,
    "one-byte": 300,
    "one-byte-huge": 64,
    "tiny-frames": 120,
    "tiny-objects": 200,
    "idle-comments": 70,
    "deep-nesting": 200,
    "wrong-prediction": 28,
}
#: The constant part: detection, the first frames, the end; and what failed predictions may cost in advance.
ONCE = 64
ADVANCE = 64 * 1024


def examined(impl: Implementation, shape: workloads.Workload, chunk: int | None = None) -> int:
    parser = impl.parser(shape.parser)
    outcome = support.drive(parser, support.pieces(shape.wire, chunk) if chunk else shape.chunks())
    assert outcome.error is None
    count = parser._examined
    assert type(count) is int
    return count


def test_every_shape_has_a_size() -> None:
    assert set(SIZES) == set(workloads.WORKLOADS)


@pytest.mark.parametrize("name", workloads.WORKLOADS)
def test_twice_the_bytes_cost_twice(name: str, impl: Implementation, predict: bool) -> None:
    n = SIZES[name]
    one, two = workloads.WORKLOADS[name](n), workloads.WORKLOADS[name](2 * n)
    first, second = examined(impl, one), examined(impl, two)
    assert first >= len(one.wire)  # the counter counts: even a predicted frame is compared once
    assert second <= 2.05 * first + ONCE
    once = ADVANCE if predict else ONCE
    assert first <= 3 * len(one.wire) + once
    assert second <= 3 * len(two.wire) + once


@pytest.mark.parametrize("chunk", [1, 7, 1024, 10**9])
@pytest.mark.parametrize("name", workloads.WORKLOADS)
def test_at_most_three_examinations_a_byte(
    name: str, chunk: int, impl: Implementation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HANGANG_PREDICT", "0")
    n = max(1, SIZES[name] // 40)
    shape = workloads.WORKLOADS[name](n)
    assert examined(impl, shape, chunk) <= 3 * len(shape.wire) + ONCE


@given(st.data())
def test_at_most_three_examinations_a_byte_on_any_stream(data: st.DataObject) -> None:
    """Faults and odd frames too, in any pieces."""
    import strategies

    dialect = data.draw(st.sampled_from(support.DIALECTS))
    wire = data.draw(strategies.streams(strategies.FRAMES[dialect]))
    chunks = data.draw(strategies.cuts(wire))
    for predict, once in (("0", ONCE), ("1", ADVANCE)):
        for impl in support.implementations():
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("HANGANG_PREDICT", predict)
                parser = impl.parser(dialect, errors="report")
            support.drive(parser, chunks)
            assert parser._examined <= 3 * len(wire) + once


LIMIT = 64 * 1024
ENDLESS = {
    "a data line": ("SSEParser", b"data:", b"x" * 4096),
    "a comment": ("SSEParser", b":", b"x" * 4096),
    "an unknown field": ("SSEParser", b"", b"x" * 4096),
    "data lines": ("SSEParser", b"", b"data:" + b"x" * 4090 + b"\n"),
    "a string": ("JSONStreamParser", b'["', b"x" * 4096),
    "an array": ("JSONStreamParser", b"[", b"[1]," * 1024),
    "white space in a value": ("JSONStreamParser", b"[", b" " * 4096),
    "clova: a data line": ("clova", b"data:", b"x" * 4096),
    "exaone: a string": ("exaone", b'{"', b"x" * 4096),
    "openai: data lines": ("openai", b"", b"data:" + b"x" * 4090 + b"\n"),
    "a2a: a comment": ("a2a", b":", b"x" * 4096),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_endless_input_stops_at_the_limit(name: str, impl: Implementation) -> None:
    from hangang._errors import LimitExceededError

    kind, head, piece = ENDLESS[name]
    parser = impl.parser(kind, max_frame_bytes=LIMIT)
    parser.feed(head)
    fed, most = len(head), 0
    with pytest.raises(LimitExceededError) as caught:
        for _ in range(100):
            fed += len(piece)
            parser.feed(piece)
            most = max(most, parser.pending)
    assert fed <= 2 * LIMIT
    assert caught.value.offset < fed
    assert most <= 2 * LIMIT  # the unfinished line, and the data of the lines before it
    assert parser.pending == 0


#: Input that never becomes a frame and that no limit stops: it must not be held.
IDLE = {
    "comments": ("openai", b": keep-alive\n\n" * 300),
    "blank lines": ("openai", b"\n" * 4096),
    "unknown fields": ("SSEParser", b"x: y\n" * 800),
    "white space before detection": ("clova", b" \r\n\t" * 1024),
    "white space between values": ("JSONStreamParser", b" \r\n\t" * 1024),
    "ids": ("SSEParser", b"id: 123456789\n" * 300),
    "event names": ("SSEParser", b"event: 123456789\n" * 300),
}


@pytest.mark.parametrize("name", IDLE)
def test_idle_input_is_not_held(name: str, impl: Implementation) -> None:
    kind, piece = IDLE[name]
    parser = impl.parser(kind, max_frame_bytes=LIMIT)
    growth = memory_of(parser, [piece] * 200)
    assert parser.pending <= 64
    assert growth < 400 * 1024  # half of what was fed; what else runs in this process is measured too


def memory_of(parser: Any, pieces: list[bytes]) -> int:
    """Bytes of Python memory that feeding the pieces, twice, does not give back the second time."""
    from hangang._errors import ParseError

    def feed() -> None:
        for piece in pieces:
            try:
                parser.feed(piece)
            except ParseError:
                return

    feed()
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        feed()
        gc.collect()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def resident() -> int | None:
    """Resident memory of this process in bytes, where the system tells; 0 where it is not ours."""
    if not support.PEAKS:
        return 0
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * 4096
    except OSError:
        return None


@pytest.mark.parametrize("kind", ["SSEParser", "JSONStreamParser", "clova", "exaone", "openai", "a2a"])
def test_memory_stays_flat_over_a_long_stream(kind: str, impl: Implementation) -> None:
    """Some 30 MB of frames through one parser: resident memory (native too) does not grow with them."""
    before = resident()
    if before is None:
        pytest.skip("no /proc/self/statm on this system")
    frame = {
        "SSEParser": b"id: 1\nevent: token\ndata: " + b"x" * 8000 + b"\n\n",
        "JSONStreamParser": b'{"a":"' + b"x" * 8000 + b'"}',
        "clova": b'event:token\ndata:{"message":{"content":"' + b"x" * 8000 + b'"}}\n\n',
        "exaone": b'{"result_code": 200, "data": {"answer": "' + b"x" * 8000 + b'"}}',
        "openai": b'data: {"choices":[{"index":0,"delta":{"content":"' + b"x" * 8000 + b'"}}]}\n\n',
        "a2a": b'data: {"result":{"artifactUpdate":{"artifact":{"parts":[{"text":"'
        + b"x" * 8000
        + b'"}]}}}}\n\n',
    }[kind]
    parser = impl.parser(kind)
    stream = frame * 8
    pieces = support.pieces(stream, 10_007)
    rounds = 500 if impl.name == "native" else 120
    for _ in range(20):
        for piece in pieces:
            parser.feed(piece)
    warm = resident()
    for _ in range(rounds):
        for piece in pieces:
            parser.feed(piece)
    after = resident()
    assert warm is not None
    assert after is not None
    assert after - warm < 8 * 2**20
    assert parser.pending <= len(frame) + 64


def test_an_event_keeps_no_chunk_alive(impl: Implementation) -> None:
    """An event out of a 4 MB chunk does not hold the 4 MB."""
    small = b'event:token\ndata:{"message":{"content":"a"}}\n\n'
    parser = impl.parser("clova")
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        kept = parser.feed(small + b":" + b"x" * 2**22 + b"\n" + small)
        gc.collect()
        after = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert [event.text for event in kept] == ["a", "a"]
    assert after - before < 64 * 1024
