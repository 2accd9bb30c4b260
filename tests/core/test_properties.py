"""Law I on generated streams: native = pure = the naive reference of tests/support/reference.py.

Every step of both implementations is compared: events with their types and payloads, errors with class,
offset, text and events, `.pending`. What all steps gave together is compared with the reference, which saw
the whole stream at once.
"""

from __future__ import annotations

from typing import Any

import pytest
import reference
import strategies
import support
from hypothesis import example, given, note
from hypothesis import strategies as st


def step(parser: Any, call: str, *args: Any) -> dict[str, Any]:
    """One call, and everything that it shows."""
    from hangang._errors import ParseError

    try:
        gave = getattr(parser, call)(*args)
    except ParseError as error:
        shown: dict[str, Any] = {
            "error": (type(error).__name__, error.offset, str(error), error.args, error.text),
            "events": error.events,
        }
    else:
        shown = {"error": None, "events": gave if isinstance(gave, list) else [], "text": gave}
    events = shown["events"]
    if "text" in shown and isinstance(shown["text"], list):
        del shown["text"]
    shown["data"] = support.strict(support.to_data(events))
    shown["repr"] = repr(events)
    shown["raw"] = [getattr(event, "raw", None) for event in events]
    shown["pending"] = parser.pending
    return shown


def without_events(shown: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in shown.items() if key != "events"}


def together(
    kind: str, options: dict[str, Any], calls: list[tuple[Any, ...]]
) -> tuple[list[Any], Any, list[bytes]]:
    """Runs the calls on all implementations at once; the results: data of events, the error's data, payloads."""
    parsers = [impl.parser(kind, **options) for impl in support.implementations()]
    events: list[Any] = []
    error = None
    for call in [*calls, ("close",)]:
        shown = [step(parser, *call) for parser in parsers]
        for other in shown[1:]:
            assert without_events(other) == without_events(shown[0]), call
        events += shown[0]["events"]
        if shown[0]["error"] is not None:
            name, offset, message, _, _ = shown[0]["error"]
            error = {"class": name, "offset": offset, "message": message}
            break
    return support.to_data(events), error, [getattr(event, "raw", b"") for event in events]


@given(st.data())
def test_json_streams(data: st.DataObject) -> None:
    wire = data.draw(strategies.json_streams())
    options = data.draw(strategies.limits(None))
    chunks = data.draw(strategies.cuts(wire))
    frames, error, _ = together("JSONStreamParser", options, [("feed", chunk) for chunk in chunks])
    limit, depth = options.get("max_frame_bytes", 2**24), options.get("max_depth", 128)
    expected, fault = reference.json_stream(wire, limit, depth)
    assert frames == [frame.decode("latin-1") for frame in expected]
    assert error == fault


@given(st.data())
def test_sse_streams(data: st.DataObject) -> None:
    wire = data.draw(strategies.sse_streams())
    options = data.draw(strategies.limits(None, depth=False))
    chunks = data.draw(strategies.cuts(wire))
    events, error, _ = together("SSEParser", options, [("feed", chunk) for chunk in chunks])
    expected, state, fault = reference.sse_stream(wire, options.get("max_frame_bytes", 2**24))
    assert events == expected
    assert error == fault
    for impl in support.implementations():
        parser = impl.parser("SSEParser", **options)
        support.drive(parser, chunks)
        assert (parser.last_event_id, parser.retry) == (state.last_event_id, state.retry)


@pytest.mark.parametrize("dialect", support.DIALECTS)
@given(data=st.data())
def test_dialect_streams(dialect: str, data: st.DataObject) -> None:
    wire = data.draw(strategies.streams(strategies.FRAMES[dialect]))
    options = data.draw(strategies.limits(dialect))
    chunks = data.draw(strategies.cuts(wire))
    note(repr((dialect, options, wire)))
    events, error, raws = together(dialect, options, [("feed", chunk) for chunk in chunks])
    expected = reference.run(dialect, wire, **options)
    assert error == expected.error
    assert [support.strict(event) for event in events] == [support.strict(event) for event in expected.events]
    assert raws == expected.raws


@pytest.mark.parametrize("dialect", support.DIALECTS)
@given(data=st.data())
def test_repetitive_streams(dialect: str, data: st.DataObject) -> None:
    """Prediction is exact: frames that repeat give what each of them means by itself, faults and limits too."""
    wire = data.draw(strategies.repetitive(dialect))
    options = data.draw(strategies.limits(dialect))
    chunks = data.draw(strategies.cuts(wire))
    note(repr((dialect, options, wire)))
    events, error, raws = together(dialect, options, [("feed", chunk) for chunk in chunks])
    expected = reference.run(dialect, wire, **options)
    assert error == expected.error
    assert [support.strict(event) for event in events] == [support.strict(event) for event in expected.events]
    assert raws == expected.raws


@given(strategies.tagged_streams(), st.data())
def test_thinking_tags(made: tuple[bytes, dict[str, Any]], data: st.DataObject) -> None:
    """Any text with tags in it, in any frames, cut anywhere: equal at each step, and what the whole stream means."""
    wire, options = made
    note(repr((options, wire)))
    events, error, raws = together(
        "openai", options, [("feed", chunk) for chunk in data.draw(strategies.cuts(wire))]
    )
    expected = reference.run("openai", wire, **options)
    assert error == expected.error
    assert [support.strict(event) for event in events] == [support.strict(event) for event in expected.events]
    assert raws == expected.raws


@pytest.mark.parametrize("dialect", support.DIALECTS)
@given(data=st.data())
def test_text_and_events_mixed(dialect: str, data: st.DataObject) -> None:
    """`feed` and `feed_text` on the same parser, in any order: the implementations agree at each step."""
    wire = data.draw(strategies.streams(strategies.FRAMES[dialect]))
    options = data.draw(strategies.limits(dialect))
    chunks = data.draw(strategies.cuts(wire))
    ways = data.draw(
        st.lists(st.sampled_from(["feed", "feed_text"]), min_size=len(chunks), max_size=len(chunks))
    )
    together(dialect, options, list(zip(ways, chunks, strict=True)))


@pytest.mark.parametrize("dialect", support.DIALECTS)
@given(data=st.data())
def test_text_is_that_of_the_events(dialect: str, data: st.DataObject) -> None:
    wire = data.draw(strategies.streams(strategies.FRAMES[dialect]))
    options = data.draw(strategies.limits(dialect))
    chunks = data.draw(strategies.cuts(wire))
    for impl in support.implementations():
        want = support.expected_text(impl.parser(dialect, **options), chunks)
        got = support.drive_text(impl.parser(dialect, **options), chunks)
        assert (got.text, got.kept, got.error) == (want.text, want.kept, want.error)


@given(st.sampled_from(support.DIALECTS), st.binary(max_size=80), st.data())
@example("exaone", b"\xef\xbb{", None)
def test_arbitrary_bytes(dialect: str, wire: bytes, data: Any) -> None:
    """Anything at all: no other exception than the contract's, and the same on all."""
    chunks = support.byte_by_byte(wire) if data is None else data.draw(strategies.cuts(wire))
    events, error, raws = together(dialect, {}, [("feed", chunk) for chunk in chunks])
    expected = reference.run(dialect, wire)
    assert (events, error, raws) == (expected.events, expected.error, expected.raws)
