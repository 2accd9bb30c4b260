"""Law I over the tables of tests/vectors: every vector × implementation × every way of cutting.

Each test first holds the whole stream against the table, strictly, then every other way of feeding the
same bytes against the whole: every two-way split, byte by byte, empty chunks between, the three input
types, and `feed_text`; with prediction and without.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
import reference
import support
from support import Implementation, Outcome, Vector

TABLE = list(support.vectors())
DIALECTS = [vector for vector in TABLE if vector.kind in support.DIALECTS]
FILES = {vector.file: [one for one in TABLE if one.file == vector.file] for vector in TABLE}
each_file = pytest.mark.parametrize("file", FILES)  # what is cheap runs a table at a time


def ids(vector: Vector) -> str:
    return vector.id


def shape(vector: Vector, outcome: Outcome) -> dict[str, Any]:
    """The outcome in the form of the vector's expectations."""
    case, error = vector.case, outcome.fault
    if error and case["error"] and "message" not in case["error"]:
        del error["message"]
    shown: dict[str, Any] = {"error": error}
    if "frames" in case:
        shown["frames"] = support.to_data(outcome.events)
    if "texts" in case:
        shown["texts"] = [event.text for event in outcome.events]
    if "events" in case:
        shown["events"] = support.to_data(outcome.events)
    return shown


def run(impl: Implementation, vector: Vector, chunks: list[Any]) -> tuple[Outcome, Any]:
    parser = impl.parser(vector.kind, **vector.options)
    return support.drive(parser, chunks), parser


def views(events: list[Any]) -> Any:
    """What must not depend on the split: values with their types, and the raw payloads."""
    return [(event, repr(event), getattr(event, "raw", None)) for event in events]


@pytest.mark.parametrize("vector", TABLE, ids=ids)
def test_vector_at_every_split(vector: Vector, impl: Implementation, predict: bool) -> None:
    wire = vector.wire
    whole, parser = run(impl, vector, [wire])
    expected = {key: vector.case[key] for key in ("error", "frames", "texts", "events") if key in vector.case}
    assert shape(vector, whole) == expected
    assert support.same(shape(vector, whole), expected)
    if vector.kind == "SSEParser":
        assert parser.last_event_id == vector.case["last_event_id"]
        assert parser.retry == vector.case["retry"]
    if "message" not in (vector.case["error"] or {"message": ""}):
        # errors.json names class and offset; the reference writes the text.
        assert whole.fault == by_reference(vector)
    want, fault = views(whole.events), whole.fault

    def check(chunks: list[Any], name: str) -> None:
        got, parser = run(impl, vector, chunks)
        assert views(got.events) == want, name
        assert got.fault == fault, name
        if vector.kind == "SSEParser":
            assert (parser.last_event_id, parser.retry) == (
                vector.case["last_event_id"],
                vector.case["retry"],
            )

    for name, wrap in support.WRAPS.items():
        check([wrap(wire)], name)
        check([wrap(piece) for piece in support.byte_by_byte(wire)], f"byte by byte, {name}")
    check(support.with_empty(support.byte_by_byte(wire)), "empty chunks between")
    step = 1 if len(wire) <= 2048 else len(wire) // 512
    for at in range(0, len(wire) + 1, step):
        check(support.two_way(wire, at), f"cut at {at}")


def by_reference(vector: Vector) -> Any:
    if vector.kind == "JSONStreamParser":
        limit = vector.options.get("max_frame_bytes", reference.DEFAULT_LIMIT)
        return reference.json_stream(vector.wire, limit, vector.options.get("max_depth", 128))[1]
    return reference.run(vector.kind, vector.wire, **vector.options).error


@pytest.mark.parametrize("vector", DIALECTS, ids=ids)
def test_feed_text_equals_feed(vector: Vector, impl: Implementation) -> None:
    """The joined text, the kept events and the error are those of `feed`, at every split."""
    wire = vector.wire

    def check(chunks: list[bytes], name: str) -> None:
        want = support.expected_text(impl.parser(vector.kind, **vector.options), chunks)
        got = support.drive_text(impl.parser(vector.kind, **vector.options), chunks)
        assert got.text == want.text, name
        assert views(got.kept) == views(want.kept), name
        assert got.error == want.error, name

    check([wire], "whole")
    check(support.byte_by_byte(wire), "byte by byte")
    step = max(1, len(wire) // 64)
    for at in range(0, len(wire) + 1, step):
        check(support.two_way(wire, at), f"cut at {at}")


@each_file
def test_pending_depends_on_the_bytes_only(file: str, impl: Implementation) -> None:
    """`.pending` after n bytes is the same whole and byte by byte, and 0 after the end."""
    for vector in FILES[file]:
        check_pending_depends_on_the_bytes_only(vector, impl)


def check_pending_depends_on_the_bytes_only(vector: Vector, impl: Implementation) -> None:
    from hangang._errors import ParseError

    wire = vector.wire
    drip = impl.parser(vector.kind, **vector.options)
    step = max(1, len(wire) // 300)
    for n in range(len(wire) + 1):
        try:
            drip.feed(wire[n - 1 : n] if n else b"")
        except ParseError:
            assert drip.pending == 0
            return
        if n % step == 0:
            whole = impl.parser(vector.kind, **vector.options)
            whole.feed(wire[:n])
            assert whole.pending == drip.pending, (vector.id, n)
    try:
        drip.close()
    except ParseError:
        pass
    assert drip.pending == 0


@each_file
def test_nothing_twice(file: str, impl: Implementation) -> None:
    """Rule 7: after a fault every call raises a new equal error without events; after close, ValueError."""
    for vector in FILES[file]:
        check_nothing_twice(vector, impl)


def check_nothing_twice(vector: Vector, impl: Implementation) -> None:
    from hangang._errors import ParseError

    outcome, parser = run(impl, vector, [vector.wire])
    if outcome.error is None:
        assert parser.close() == []
        with pytest.raises(ValueError, match=r"^feed after close\(\)$"):
            parser.feed(b"")
        return
    calls = [lambda: parser.feed(b"x"), lambda: parser.feed(b""), parser.close]
    if vector.kind in support.DIALECTS:
        calls.append(lambda: parser.feed_text(b"x"))
    for call in calls:
        with pytest.raises(ParseError) as caught:
            call()
        again = caught.value
        assert again == outcome.error
        assert again is not outcome.error
        assert type(again) is type(outcome.error)
        assert (again.events, again.text, again.offset) == ([], "", outcome.error.offset)
    assert parser.pending == 0


@each_file
def test_the_implementations_are_equal(file: str) -> None:
    """Events of both are equal in repr and in data; hashes of each follow its equality."""
    for vector in FILES[file]:
        check_the_implementations_are_equal(vector)


def check_the_implementations_are_equal(vector: Vector) -> None:
    outcomes = [run(impl, vector, [vector.wire])[0] for impl in support.implementations()]
    first = outcomes[0]
    for other in outcomes[1:]:
        assert [repr(event) for event in other.events] == [repr(event) for event in first.events]
        assert support.same(support.to_data(other.events), support.to_data(first.events))
        assert other.error == first.error


@each_file
def test_the_reference_agrees(file: str) -> None:
    """The naive reference gives what the table says: it is held to the same cases."""
    for vector in FILES[file]:
        check_the_reference_agrees(vector)


def check_the_reference_agrees(vector: Vector) -> None:
    case, wire = vector.case, vector.wire
    limit = vector.options.get("max_frame_bytes", reference.DEFAULT_LIMIT)
    if vector.kind == "JSONStreamParser":
        frames, error = reference.json_stream(wire, limit, vector.options.get("max_depth", 128))
        assert [frame.decode("latin-1") for frame in frames] == case["frames"]
    elif vector.kind == "SSEParser":
        events, state, error = reference.sse_stream(wire, limit)
        assert events == case["events"]
        assert (state.last_event_id, state.retry) == (case["last_event_id"], case["retry"])
    else:
        result = reference.run(vector.kind, wire, **vector.options)
        error = result.error
        if "events" in case:
            assert support.same(result.events, case["events"])
        else:
            assert [event.get("text", "") for event in result.events] == case["texts"]
    want = case["error"]
    assert (error and {key: error[key] for key in want or error}) == want


def test_the_given_table_is_the_given_one() -> None:
    """The cases of errors.json came with the contract; a change of one is a change of the contract."""
    table = json.loads((support.VECTORS / "errors.json").read_text(encoding="utf-8"))
    del table["about"]
    canonical = json.dumps(table, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    assert (
        hashlib.sha256(canonical.encode()).hexdigest()
        == "e210f5cc8d4272619bc01e346b6e1f9702262b3a3bd442434d24d0feeb61e363"
    )


def test_every_deviation_has_its_source() -> None:
    """The rows of [openai §8], [a2a §9] and [a2a §12] are in the tables, each with its source."""
    sources = [str(vector.case.get("source", "")) for vector in TABLE]
    rows = [
        "[openai §8.1]",
        "[openai §8.2]",
        "[openai §8.3]",
        "[openai §8.4]",
        "[openai §8.5]",
        "[openai §8.6]",
    ]
    for row in (*rows, "[openai §8.8]"):  # [openai §8.7] is about folding: tests/core/test_tool_calls.py
        assert any(source.startswith(row) for source in sources), row
    assert sum(source.startswith("[a2a §12]") for source in sources) >= 3
    assert sum(source.startswith("[openai §8]") for source in sources) >= 15
    assert sum(source.startswith("[a2a §9]") for source in sources) >= 12
    refused = [vector for vector in TABLE if vector.case["name"].startswith("refused: ")]
    assert refused
    assert all(vector.case["error"] for vector in refused)
