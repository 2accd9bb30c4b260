"""`read_bodies`: whole streams with their deltas merged fold to the same answer as their events one by one.

Every capture, whole, cut and damaged, on both implementations; and every vector that is a stream of a dialect.
"""

from __future__ import annotations

import random
import sys
import threading
from typing import Any

import pytest
import support
from expected import EXPECTED
from support import DIALECTS, Implementation

from hangang import Completion, detect
from hangang.cli.bench.workloads import WORKLOADS

SEED = 20261126


def damaged(data: bytes, rng: random.Random) -> bytes:
    """One byte changed, taken out, or put in."""
    at = rng.randrange(len(data))
    byte = bytes([rng.choice(b'{}[]":,\\ \n\r\x00\xff0e')])
    return data[:at] + rng.choice((byte, b"", byte + data[at : at + 1])) + data[at + 1 :]


def variants(data: bytes, tries: int) -> list[bytes]:
    rng = random.Random(SEED)
    cuts = [data[: rng.randrange(len(data))] for _ in range(tries)]
    return [data, b"", *cuts, *[damaged(data, rng) for _ in range(tries)]]


def check(impl: Implementation, dialect: str, bodies: list[bytes]) -> list[list[Any]]:
    """The merged events of each body, after they were compared with the events themselves."""
    merged = []
    for body, (name, events, count, error) in zip(
        bodies, impl.module.read_bodies(bodies, dialect), strict=True
    ):
        outcome = support.drive(impl.parser(dialect), [body])
        assert name == dialect
        assert Completion.of(events) == Completion.of(outcome.events), body
        assert count == len(outcome.events), body
        assert error == outcome.error, body
        merged.append(events)
    return merged


@pytest.mark.parametrize("name", EXPECTED)
def test_captures_fold_alike(name: str) -> None:
    dialect = EXPECTED[name].dialect
    bodies = variants((support.CAPTURES / name).read_bytes(), 40)
    found = [check(impl, dialect, bodies) for impl in support.implementations()]
    for other in found[1:]:
        for body, mine, theirs in zip(bodies, found[0], other, strict=True):
            assert [event.to_dict() for event in mine] == [event.to_dict() for event in theirs], body


@pytest.mark.parametrize("name", WORKLOADS)
def test_runs_of_deltas_become_one_event(name: str, impl: Implementation) -> None:
    short, long = (WORKLOADS[name](size) for size in (40, 400))
    few, many = (check(impl, short.parser, [one.wire])[0] for one in (short, long))
    assert len(few) == len(many) or name == "a2a"  # its artifacts have parts, which are not merged
    assert len(many) < 10 or name == "a2a"


OPENAI = b'data: {"id":"x","choices":[{"index":0,"delta":%s}]}\n\n'
APART: dict[str, tuple[str, bytes]] = {
    "tool calls": ("openai", b'{"tool_calls":[{"index":0,"function":{"arguments":"1"}}]}'),
    "a refusal": ("openai", b'{"refusal":"no "}'),
}


@pytest.mark.parametrize("case", APART)
def test_equal_deltas_that_are_not_text_all_count(case: str, impl: Implementation) -> None:
    dialect, delta = APART[case]
    wire = OPENAI % delta * 3 + b"data: [DONE]\n\n"
    assert len(check(impl, dialect, [wire])[0]) == 4


def test_deltas_of_another_choice_are_not_lost(impl: Implementation) -> None:
    both = b'data: {"choices":[{"index":0,"delta":{"content":"a"}},{"index":1,"delta":{"content":"b"}}]}\n\n'
    (events,) = check(impl, "openai", [both * 3 + b"data: [DONE]\n\n"])
    assert len(events) == 4


def test_a_counter_keeps_its_last_value(impl: Implementation) -> None:
    wire = WORKLOADS["clova_v1"](30).wire
    token = check(impl, "clova", [wire[: wire.index(b"event:result")]])[0][0]
    assert token.output_length == 30


def test_a_merged_event_has_no_payload(impl: Implementation) -> None:
    for workload in (WORKLOADS["clova_v3"](9), WORKLOADS["openai"](9), WORKLOADS["exaone_small"](9)):
        events = check(impl, workload.parser, [workload.wire])[0]
        assert [event.raw for event in events if len(event.text) > 9] == [b""]


def test_vectors_fold_alike(impl: Implementation) -> None:
    vectors = [vector for vector in support.vectors() if vector.kind in DIALECTS and not vector.options]
    assert len(vectors) > 100
    for vector in vectors:
        check(impl, vector.kind, [vector.wire])


def test_the_dialect_is_found(impl: Implementation) -> None:
    bodies = [(support.CAPTURES / name).read_bytes() for name in EXPECTED]
    bodies += [b"", b"data: {}\n\n", b"<html>", b"{"]
    rows = impl.module.read_bodies(bodies)
    assert [row[0] for row in rows] == [detect(body) for body in bodies]
    assert rows[-1] == (None, [], 0, None)


def test_arguments_are_checked(impl: Implementation) -> None:
    with pytest.raises(ValueError, match="no dialect of that name: klingon"):
        impl.module.read_bodies([], "klingon")
    for bad in ["text", bytearray(b""), None]:
        with pytest.raises(TypeError, match="bodies must be a list of bytes"):
            impl.module.read_bodies([b"", bad])


def test_other_threads_run_meanwhile(impl: Implementation) -> None:
    """Python does not switch threads by itself here: another one runs only if the interpreter is released."""
    if impl.name == "pure":
        pytest.skip("it is Python code, which holds the interpreter")
    body = WORKLOADS["openai"](20_000).wire
    start, ran = threading.Event(), threading.Event()

    def other() -> None:
        start.wait()
        ran.set()

    thread = threading.Thread(target=other)
    thread.start()
    before = sys.getswitchinterval()
    sys.setswitchinterval(3600)
    try:
        start.set()
        for _ in range(1000):  # the system, too, takes its time to wake a thread
            if ran.is_set():
                break
            impl.module.read_bodies([body])
        assert ran.is_set()
    finally:
        sys.setswitchinterval(before)
        thread.join()
