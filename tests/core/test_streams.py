"""Streams: iterators of events, what they promise about errors, and metrics."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import pytest
from support import CAPTURES

import hangang
from hangang import clova, openai, streams
from hangang.streams import Metrics, aiter_events, iter_events


def capture(name: str) -> bytes:
    return (CAPTURES / name).read_bytes()


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


# --- iterators


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_iter_events_gives_what_the_parser_gives(size: int) -> None:
    data = capture("clova/v3_text.sse")
    parser = clova.StreamParser()
    wanted = parser.feed(data) + parser.close()
    assert list(iter_events(pieces(data, size), clova.StreamParser())) == wanted


def test_a_class_is_no_parser() -> None:
    with pytest.raises(TypeError, match=r"not its class: StreamParser\(\)"):
        list(iter_events([b"data: {}"], clova.StreamParser))  # type: ignore[arg-type]


def test_error_events_are_yielded() -> None:
    events = list(iter_events([capture("openai/error_then_done.sse")], openai.StreamParser()))
    assert [type(e).__name__ for e in events[-2:]] == ["Error", "Done"]


@pytest.mark.parametrize("size", [1, 100_000])
def test_a_fault_comes_after_the_events_before_it(size: int) -> None:
    data = capture("clova/v3_text.sse")
    bad = data[: data.index(b"event:result")] + b'event:token\ndata:{"message":oops}\n\n'
    seen: list[Any] = []
    with pytest.raises(hangang.InvalidJSONError) as caught:
        seen.extend(iter_events(pieces(bad, size), clova.StreamParser()))
    assert len(seen) == 9
    assert caught.value.events == []
    assert caught.value.completion.text == "안녕하세요! 😊\n무엇을 도와드릴까요?"


def test_truncation_comes_after_the_events_before_it() -> None:
    data = capture("clova/v3_text.sse")
    cut = data[: data.index(b"event:result") - 5]
    seen: list[Any] = []
    with pytest.raises(hangang.TruncatedStreamError) as caught:
        seen.extend(iter_events([cut], clova.StreamParser()))
    assert "".join(e.text for e in seen) == caught.value.completion.text != ""
    assert caught.value.offset == len(cut)


def test_without_completion_nothing_is_kept() -> None:
    with pytest.raises(hangang.TruncatedStreamError) as caught:
        list(iter_events([capture("clova/v3_text.sse")[:600]], clova.StreamParser(), completion=False))
    assert caught.value.completion is None


def test_what_the_chunks_raise_passes_through() -> None:
    def broken() -> Iterator[bytes]:
        yield capture("clova/v3_text.sse")[:600]
        raise ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError):
        list(iter_events(broken(), clova.StreamParser()))


def test_framing_parsers_are_driven_too() -> None:
    assert list(iter_events([b'{"a":1}[', b"2]"], hangang.JSONStreamParser())) == [b'{"a":1}', b"[2]"]
    (event,) = iter_events([b"data: x\n", b"\n"], hangang.SSEParser())
    assert event.data == "x"


def test_aiter_events_is_the_same() -> None:
    async def chunks(data: bytes) -> AsyncIterator[bytes]:
        for piece in pieces(data, 50):
            yield piece

    async def drive(data: bytes) -> tuple[list[Any], Any]:
        seen: list[Any] = []
        try:
            async for event in aiter_events(chunks(data), clova.StreamParser()):
                seen.append(event)
        except hangang.ParseError as error:
            return seen, error
        return seen, None

    for data in (capture("clova/v3_text.sse"), capture("clova/v3_text.sse")[:700], b"data:{x}\n\n"):
        seen: list[Any] = []
        error: Any = None
        try:
            seen.extend(iter_events(pieces(data, 50), clova.StreamParser()))
        except hangang.ParseError as caught:
            error = caught
        got, got_error = asyncio.run(drive(data))
        assert (got, got_error) == (seen, error)
        if error is not None:
            assert got_error.completion == error.completion


# --- metrics


def measured(times: Iterable[float]) -> Metrics:
    """Metrics of a stream with one event at each of these times, counted from 0."""
    times = list(times)
    metrics = Metrics(clock=iter([0.0, *times]).__next__)
    for _ in times:
        metrics.arrived(1, [clova.Token(text="x")])
    return metrics


def test_gaps_have_fixed_memory_and_right_quantiles() -> None:
    gaps = Metrics().gaps
    assert (gaps.mean, gaps.quantile(0.5), repr(gaps)) == (None, None, "LatencyHistogram(count=0)")
    gaps = measured(itertools.accumulate([0.0, *(0.010 if n % 10 else 1.0 for n in range(1000))])).gaps
    assert gaps.count == 1000
    assert gaps.max == pytest.approx(1.0)
    assert 0.010 <= (gaps.quantile(0.5) or 0) <= 0.0142
    assert 0.7 <= (gaps.quantile(0.99) or 0) <= 1.0 + 1e-9
    assert gaps.mean == pytest.approx(0.109)
    assert repr(gaps).startswith("LatencyHistogram(count=1000, p50=0.01")
    assert measured([0.0, 0.0, 1e9]).gaps.max == 1e9
    with pytest.raises(ValueError, match="between 0 and 1"):
        gaps.quantile(2)


def test_the_histogram_keeps_its_name_of_0_1() -> None:
    assert streams.Gaps is streams.LatencyHistogram


def test_gaps_are_counted_in_the_documented_buckets() -> None:
    """Recorded many at a time, or read after each one, the histogram is that of the definition."""
    clock = itertools.accumulate(
        itertools.chain([50.0], itertools.cycle([1e-7, 3e-6, 0.25, 8e-5, 7000.0, 0.0]))
    )
    times = list(itertools.islice(clock, 1000))
    metrics = Metrics(clock=iter([0.0, *times]).__next__)
    one_by_one = Metrics(clock=iter([0.0, *times]).__next__)
    gaps = metrics.gaps
    for number in range(len(times)):
        metrics.arrived(1, [clova.Token(text="x")])
        assert len(gaps._arrivals) < 300
        if number % 300 == 7:
            assert gaps.count == number
        one_by_one.arrived(1, [clova.Token(text="x")])
        assert one_by_one.gaps.count == number
    exact = [later - sooner for sooner, later in itertools.pairwise(times)]
    buckets = [0] * 64
    for gap in exact:
        buckets[0 if gap <= 1e-6 else min(63, int(2 * math.log2(gap * 1e6)))] += 1
    for one in (gaps, one_by_one.gaps):
        assert (one.count, one.min, one.max) == (999, min(exact), max(exact))
        assert one._buckets == buckets
        assert one.mean == pytest.approx((times[-1] - times[0]) / 999)
        assert one.quantile(0.5) == gaps.quantile(0.5)


def test_metrics() -> None:
    now = [100.0]
    metrics = Metrics(clock=lambda: now[0])
    now[0] = 101.0
    metrics.arrived(5, [])
    now[0] = 102.0
    metrics.arrived(5, [clova.Token(thinking="t")])
    now[0] = 104.0
    metrics.arrived(10, [clova.Token(text="x"), clova.Token(text="y")])
    metrics.end()
    now[0] = 200.0
    metrics.end()
    assert (metrics.first_byte, metrics.first_event, metrics.first_text) == (1.0, 2.0, 4.0)
    assert (metrics.bytes, metrics.events, metrics.duration, metrics.gaps.max) == (20, 3, 4.0, 2.0)
    assert metrics.events_per_second == 1.5
    assert metrics.as_dict()["gap_max"] == 2.0
    assert "events=3" in repr(metrics)
