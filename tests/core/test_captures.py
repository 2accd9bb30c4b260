"""Law I over real streams: every capture × implementation × the split matrix.

A capture is first held against tests/support/expected.py, which says what captures/README.md says; then every other
way of feeding the same bytes must give the same events (and payloads). Up to 8 KB every two-way split is
tried; above, every byte of one frame of each kind and 2,000 splits of a fixed seed, and with `make test-long`
all of them.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterable
from typing import Any

import pytest
import reference
import support
from expected import EXPECTED
from support import Implementation

LIMIT = 8 * 1024
SEED = 20261122


def squeezed(data: bytes) -> bytes:
    """EXAONE's one object a line without its line ends: what the wire was seen to do."""
    return data.replace(b"\n", b"")


STREAMS: dict[str, tuple[str, bytes]] = {}
for name, expected in EXPECTED.items():
    STREAMS[name] = (expected.dialect, (support.CAPTURES / name).read_bytes())
NDJSON = "exaone/chat_completion_web.ndjson"
STREAMS[NDJSON + " without newlines"] = ("exaone", squeezed(STREAMS[NDJSON][1]))

SMALL = [name for name, (_, data) in STREAMS.items() if len(data) <= LIMIT]
LARGE = [name for name, (_, data) in STREAMS.items() if len(data) > LIMIT]


def decode(impl: Implementation, name: str, chunks: Iterable[Any]) -> list[Any]:
    outcome = support.drive(impl.parser(STREAMS[name][0]), chunks)
    assert outcome.error is None
    return outcome.events


class Check:
    """The whole stream's events, and the comparison of any other way of feeding it with them."""

    def __init__(self, impl: Implementation, name: str) -> None:
        self.impl, self.name, self.data = impl, name, STREAMS[name][1]
        self.want = decode(impl, name, [self.data])
        self.raws = [event.raw for event in self.want]
        self.reprs = [repr(event) for event in self.want]

    def same(self, chunks: Iterable[Any], why: str, full: bool = True) -> None:
        got = decode(self.impl, self.name, chunks)
        assert got == self.want, why
        if full:
            assert [repr(event) for event in got] == self.reprs, why
            assert [event.raw for event in got] == self.raws, why


def frames(data: bytes) -> list[tuple[int, int]]:
    """(start, end) of every frame, found the naive way."""
    if data[:1] == b"{":
        framed = reference.json_frames(data, 0, len(data), 128)
        return [(frame.places[0], frame.places[-1]) for frame in framed]
    ends = [match.end() for match in re.finditer(rb"\r\n\r\n|\n\n", data)]
    return list(zip([0, *ends], ends, strict=False))


def one_of_each_kind(impl: Implementation, name: str) -> list[tuple[int, int]]:
    """The middle one of the frames of each kind: class of event, state, thinking or not."""
    data = STREAMS[name][1]
    kinds: dict[Any, list[tuple[int, int]]] = {}
    for place, event in zip(frames(data), decode(impl, name, [data]), strict=True):
        state = getattr(event, "progress_state", None)
        kind = (type(event).__name__, state, bool(event.thinking))
        kinds.setdefault(kind, []).append(place)
    return [places[len(places) // 2] for places in kinds.values()]


def view(event: Any, name: str) -> Any:
    """A field in the short form of expected.py: calls as tuples, long lists as their length."""
    value = getattr(event, name)
    if name == "tool_calls":
        return [(call.id, call.name, call.partial_json, call.arguments) for call in value]
    if name in ("references", "ai_filter", "choices", "parts"):
        return len(value)
    return support.to_data(value)


@pytest.mark.parametrize("name", EXPECTED)
def test_capture_gives_the_documented_result(name: str, impl: Implementation, predict: bool) -> None:
    expected = EXPECTED[name]
    data = STREAMS[name][1]
    assert len(data) == expected.size
    events = decode(impl, name, [data])
    assert [type(event).__name__ for event in events] == [
        kind for kind, count in expected.kinds for _ in range(count)
    ]
    text = "".join(event.text for event in events)
    thinking = "".join(event.thinking for event in events)
    if expected.text.startswith("@"):
        result = events[-2]
        assert (text, thinking) == (result.content, result.thinking_content)
        assert (len(text), len(thinking)) == (398, 738)
    else:
        assert (text, thinking) == (expected.text, expected.thinking)
    for position, fields in expected.fields.items():
        for field, value in fields.items():
            assert view(events[position], field) == value, (position, field)
    # Independently, the naive reference gives the same events, field for field, and payloads.
    run = reference.run(expected.dialect, data)
    assert run.error is None
    assert support.same(support.to_data(events), run.events)
    assert [event.raw for event in events] == run.raws


def test_every_capture_is_expected() -> None:
    files = {
        str(path.relative_to(support.CAPTURES))
        for path in support.CAPTURES.rglob("*.*")
        if path.is_file() and path.name != "README.md"
    }
    assert files == set(EXPECTED)


def test_capture_without_newlines_is_the_same(impl: Implementation) -> None:
    """The guide prints one object a line, the wire has no separator: the events are equal."""
    assert decode(impl, NDJSON, [STREAMS[NDJSON][1]]) == decode(
        impl, NDJSON, [STREAMS[NDJSON + " without newlines"][1]]
    )


def test_capture_shares_references(impl: Implementation) -> None:
    """20 references in 10 frames are one object."""
    events = decode(impl, NDJSON, [STREAMS[NDJSON][1]])
    lists = [event.references for event in events if event.references]
    assert len(lists) == 10
    assert all(one is lists[0] for one in lists)
    assert [item["index"] for item in lists[0]] == list(range(1, 21))


@pytest.mark.parametrize("name", STREAMS)
def test_capture_in_other_pieces(name: str, impl: Implementation, predict: bool) -> None:
    """Byte by byte, with empty chunks, 500 random many-way splits, all three input types."""
    check = Check(impl, name)
    data = check.data
    drip = support.byte_by_byte(data)
    for kind, wrap in support.WRAPS.items():
        check.same([wrap(data)], kind)
        check.same([wrap(piece) for piece in drip], f"byte by byte, {kind}")
    check.same(support.with_empty(drip), "empty chunks between")
    check.same(support.with_empty([data]), "empty chunks around")
    rng = random.Random(SEED)
    wraps = list(support.WRAPS.values())
    # Without prediction a sample: what it could do wrong is in the runs with it.
    for i in range(500 if predict else 100):
        chunks = support.many_way(data, rng)
        check.same([wraps[i % 3](chunk) for chunk in chunks], f"many-way split {i}", full=i % 10 == 0)


@pytest.mark.parametrize("name", SMALL)
def test_capture_at_every_split(name: str, impl: Implementation, predict: bool) -> None:
    check = Check(impl, name)
    for at in range(0, len(check.data) + 1, 1 if predict else 5):
        check.same(support.two_way(check.data, at), f"cut at {at}", full=at % 16 == 0)


@pytest.mark.parametrize("name", LARGE)
def test_capture_at_many_splits(name: str, impl: Implementation) -> None:
    """Every byte of one frame of each kind, and 2,000 splits of a fixed seed."""
    check = Check(impl, name)
    places = [at for start, end in one_of_each_kind(impl, name) for at in range(start, end + 1)]
    places += random.Random(SEED).choices(range(len(check.data) + 1), k=2000)
    for i, at in enumerate(places):
        check.same(support.two_way(check.data, at), f"cut at {at}", full=i % 64 == 0)


@pytest.mark.long
@pytest.mark.timeout(0)
@pytest.mark.parametrize("name", LARGE)
def test_large_capture_at_every_split(name: str, impl: Implementation) -> None:
    check = Check(impl, name)
    for at in range(len(check.data) + 1):
        check.same(support.two_way(check.data, at), f"cut at {at}", full=at % 64 == 0)


@pytest.mark.parametrize("name", STREAMS)
def test_capture_as_text(name: str, impl: Implementation) -> None:
    """`feed_text` gives the same text, and keeps the same events, in a hundred ways of cutting."""
    kind, data = STREAMS[name]
    rng = random.Random(SEED)
    cuts = [[data], support.byte_by_byte(data), *(support.many_way(data, rng) for _ in range(98))]
    for chunks in cuts:
        want = support.expected_text(impl.parser(kind), chunks)
        got = support.drive_text(impl.parser(kind), chunks)
        assert (got.text, got.kept, got.error) == (want.text, want.kept, want.error)
        assert [event.raw for event in got.kept] == [event.raw for event in want.kept]


@pytest.mark.parametrize("name", STREAMS)
def test_captures_are_equal_on_both(name: str) -> None:
    """The implementations agree step by step: events, `.raw`, `.json()` and `.pending` after every chunk."""
    kind, data = STREAMS[name]
    parsers = [impl.parser(kind) for impl in support.implementations()]
    for chunk in support.many_way(data, random.Random(SEED)):
        fed = [parser.feed(chunk) for parser in parsers]
        for events in fed[1:]:
            assert [repr(event) for event in events] == [repr(event) for event in fed[0]]
            assert [event.raw for event in events] == [event.raw for event in fed[0]]
        for event in fed[0]:
            if event.raw != b"[DONE]":
                assert event.json() == json.loads(event.raw)
        assert len({parser.pending for parser in parsers}) == 1
    for parser in parsers:
        assert parser.close() == []
