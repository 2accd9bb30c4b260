"""Streams: iterators of events, completions of every dialect, and what both promise about errors and cost."""

from __future__ import annotations

import asyncio
import itertools
import math
import pickle
import random
import re
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from types import FrameType
from typing import Any

import pytest
import support
from support import CAPTURES, Implementation

import hangang
from hangang import a2a, clova, exaone, openai, streams
from hangang._backend import ToolCallDelta, Usage
from hangang.streams import Completion, Fold, Metrics, aiter_events, iter_events

PARSERS: dict[str, Any] = {
    "clova": clova.StreamParser,
    "exaone": exaone.StreamParser,
    "openai": openai.StreamParser,
    "a2a": a2a.StreamParser,
}


def capture(name: str) -> bytes:
    return (CAPTURES / name).read_bytes()


def complete(name: str) -> Completion:
    parser = PARSERS[name.partition("/")[0]]()
    data = capture(name)
    return Completion.of(parser.feed(data) + parser.close())


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


# --- completions of the captures: what captures/README.md says of each


def test_clova_text() -> None:
    whole = complete("clova/v3_text.sse")
    assert whole.text == "안녕하세요! 😊\n무엇을 도와드릴까요?"
    assert (whole.finish_reason, whole.role, whole.dialect) == ("stop", "assistant", "clova")
    assert whole.usage == Usage(20, 9, 29)
    assert not whole.failed
    assert whole.to_message() == {"role": "assistant", "content": whole.text}


def test_clova_v1_text_has_filters_and_its_lengths_as_usage() -> None:
    whole = complete("clova/v1_text.sse")
    assert whole.text == "변환이 완료되었습니다.\n감사합니다."
    assert whole.finish_reason == "stop_before"
    assert [one.score for one in whole.ai_filter] and len(whole.ai_filter) == 3
    assert whole.usage == Usage(646, 8, None, None)


def test_clova_thinking_is_apart_and_never_sent_back() -> None:
    whole = complete("clova/v3_thinking.sse")
    assert (len(whole.thinking), len(whole.text)) == (738, 398)
    assert whole.usage == Usage(58, 588, 646, 361)
    assert whole.thinking not in str(whole.to_message())
    assert "thinking" not in str(whole.to_message().keys())


def test_clova_tool_call_is_the_results_not_the_cut_fragments() -> None:
    whole = complete("clova/v3_tool_call.sse")
    (call,) = whole.tool_calls
    assert (call.id, call.name) == ("call_zumbHGLfLwV3xn0Rn2gSPqfz", "get_weather")
    assert call.arguments == '{"location":"서울","unit":"celsius","date":"2025-06-13"}'
    assert whole.to_message() == {
        "role": "assistant",
        "content": "",
        "toolCalls": [
            {
                "id": "call_zumbHGLfLwV3xn0Rn2gSPqfz",
                "type": "function",
                "function": {
                    "name": "get_weather",
                    "arguments": {"location": "서울", "unit": "celsius", "date": "2025-06-13"},
                },
            }
        ],
    }


def test_clova_error_keeps_what_came() -> None:
    whole = complete("clova/error_midstream.sse")
    assert whole.text == "안녕하세요"
    assert whole.failed
    assert (whole.error.code, whole.error.message) == ("42901", "Too many requests - rate exceeded")


def test_exaone_text() -> None:
    whole = complete("exaone/text_generation.jsonstream")
    assert whole.text.startswith("네, 가능해요! 😊\n예를 들어 {") and whole.text.endswith("👩‍💻 끝.")
    assert (whole.intent, whole.references) == ("chitchat", ())
    assert whole.as_previous_message() == {
        "query": whole.query,
        "intent": "chitchat",
        "answer": whole.text,
    }
    assert "}{" in whole.query


def test_exaone_references_are_held_once() -> None:
    data = capture("exaone/chat_completion_web.ndjson")
    parser = exaone.StreamParser()
    events = parser.feed(data) + parser.close()
    whole = Completion.of(events)
    assert len(whole.references) == 20
    assert whole.references is events[-1].references  # type: ignore[union-attr]
    assert whole.intent == "web_search"


def test_exaone_error_keeps_what_came() -> None:
    whole = complete("exaone/error_midstream.jsonstream")
    assert (whole.text, whole.failed, whole.error.code) == ("안녕하세요", True, 500)


def test_openai_reasoning() -> None:
    whole = complete("openai/vllm_reasoning.sse")
    assert whole.thinking == "사용자가 한강의 길이를 물었다.\n"
    assert whole.text == "한강의 길이는 약 494km입니다. 🌊"
    assert whole.usage == Usage(17, 19, 36, 10)
    assert whole.finish_reason == "stop"


def test_openai_done_after_an_error_is_no_clean_end() -> None:
    whole = complete("openai/error_then_done.sse")
    assert whole.text == "안녕하세요, 저는"
    assert whole.failed
    assert whole.error.message == "Internal server error"


def test_openai_whole_tool_calls_by_index() -> None:
    whole = complete("openai/tool_call_hcx.sse")
    assert whole.thinking == "두 도시의 날씨를 조회해야 해."
    assert whole.text == "날씨를 확인해 볼게요."
    assert [(c.index, c.id, c.name) for c in whole.tool_calls] == [
        (0, "hcx_tool_call_0", "get_weather"),
        (1, "hcx_tool_call_1", "get_weather"),
    ]
    message = whole.to_message()
    assert message["content"] == whole.text
    assert all(isinstance(c["function"]["arguments"], str) for c in message["tool_calls"])


A2A_TEXT = "안녕하세요, A2A 😊\n둘째 줄"


@pytest.mark.parametrize(
    ("name", "text", "state", "failed"),
    [
        ("sdk-1.3.0_v1.0_send.json", A2A_TEXT, "completed", False),
        ("sdk-1.3.0_v1.0_stream.sse", A2A_TEXT, "completed", False),
        ("sdk-1.3.0_v1.0_stream_messageonly.sse", "직접 답변입니다.", None, False),
        ("sdk-1.3.0_v1.0_stream_parts.sse", A2A_TEXT, "completed", False),
        ("sdk-1.3.0_v1.0_stream_failed.sse", "", "failed", True),
        ("sdk-1.3.0_v1.0_stream_errfirst.json", "", None, True),
        ("sdk-1.3.0_v1.0_bad_json.json", "", None, True),
        ("sdk-1.3.0_v1.0_unknown_method.json", "", None, True),
        ("sdk-1.3.0_compat-v0.3_send.json", A2A_TEXT, "completed", False),
        ("sdk-1.3.0_compat-v0.3_stream.sse", A2A_TEXT, "completed", False),
        ("sdk-1.3.0_compat-v0.3_stream_gov-kindless.sse", A2A_TEXT, "completed", False),
        ("sdk-0.3.26_v0.3_stream.sse", A2A_TEXT, "completed", False),
        ("sdk-0.2.16_v0.2_stream.sse", A2A_TEXT, "completed", False),
    ],
)
def test_a2a(name: str, text: str, state: str | None, failed: bool) -> None:
    whole = complete(f"a2a/{name}")
    assert (whole.text, whole.state, whole.failed) == (text, state, failed)
    if state == "completed":
        assert whole.task_id
        assert whole.context_id
        assert whole.artifacts[0].name == "answer"
        assert whole.artifacts[0].text == A2A_TEXT


def test_a2a_artifacts_are_kept_apart() -> None:
    first, second = complete("a2a/sdk-1.3.0_v1.0_stream_parts.sse").artifacts
    assert (first.artifact_id, second.artifact_id, second.name, second.text) == (
        "art-1",
        "art-2",
        "mixed",
        "",
    )
    assert len(second.parts) == 3
    assert second.last_chunk


# --- completions of events made by hand


def token(**fields: Any) -> Any:
    return clova.Token(**fields)


def call(**fields: Any) -> tuple[ToolCallDelta, ...]:
    return (ToolCallDelta(**fields),)


def test_nothing_gives_an_empty_completion() -> None:
    whole = Completion.of([])
    assert whole == Completion()
    assert whole.to_message() == {"role": "assistant", "content": ""}
    assert whole.as_previous_message() == {"query": "", "intent": "", "answer": ""}


def test_result_fills_in_where_no_delta_came() -> None:
    result = clova.Result(content="전체", thinking_content="생각")
    assert (Completion.of([result]).text, Completion.of([result]).thinking) == ("전체", "생각")
    both = Completion.of([token(text="전체"), result])
    assert (both.text, both.thinking) == ("전체", "생각")


def test_clova_fragments_go_to_the_call_opened_last() -> None:
    events = [
        token(tool_calls=call(id="a", type="function", name="one")),
        token(tool_calls=call(type="function", partial_json='{"x":')),
        token(tool_calls=call(partial_json="1}")),
        token(tool_calls=call(id="b", type="function", name="two")),
        token(tool_calls=call(partial_json="{}")),
    ]
    calls = Completion.of(events).tool_calls
    assert [(c.id, c.name, c.arguments) for c in calls] == [
        ("a", "one", '{"x":1}'),
        ("b", "two", "{}"),
    ]


def test_openai_fragments_by_index_interleaved() -> None:
    def chunk(*deltas: ToolCallDelta) -> Any:
        return openai.Chunk(tool_calls=deltas)

    events = [
        chunk(ToolCallDelta(index=0, id="a", name="f", arguments="")),
        chunk(ToolCallDelta(index=1, id="b", name="g", arguments="{")),
        chunk(ToolCallDelta(index=0, arguments='{"k":'), ToolCallDelta(index=1, arguments="}")),
        chunk(ToolCallDelta(index=0, arguments='"v"}')),
    ]
    calls = Completion.of(events).tool_calls
    assert [(c.id, c.name, c.arguments) for c in calls] == [("a", "f", '{"k":"v"}'), ("b", "g", "{}")]


def test_repeated_names_are_said_once() -> None:
    events = [
        openai.Chunk(tool_calls=call(index=0, id="a", name="f", arguments="{")),
        openai.Chunk(tool_calls=call(index=0, id="a", name="f", arguments="}")),
    ]
    (one,) = Completion.of(events).tool_calls
    assert (one.name, one.id, one.arguments) == ("f", "a", "{}")


def test_one_index_with_two_ids_is_two_calls() -> None:
    events = [
        openai.Chunk(tool_calls=call(index=0, id="a", name="f", arguments="{}")),
        openai.Chunk(tool_calls=call(index=0, id="b", name="f", arguments="{}")),
    ]
    assert [c.id for c in Completion.of(events).tool_calls] == ["a", "b"]


def test_ids_alone_find_their_call() -> None:
    events = [
        openai.Chunk(tool_calls=call(id="a", name="f", arguments="{")),
        openai.Chunk(tool_calls=call(id="b", name="g", arguments="{")),
        openai.Chunk(tool_calls=call(id="a", arguments="}")),
        openai.Chunk(tool_calls=call(id="b", arguments="}")),
    ]
    assert [c.arguments for c in Completion.of(events).tool_calls] == ["{}", "{}"]


def test_arguments_cut_short_cannot_be_sent_back_as_an_object() -> None:
    whole = Completion.of([token(tool_calls=call(id="a", name="f", partial_json='{"x":'))])
    with pytest.raises(ValueError, match="tool call 'f'"):
        whole.to_message()


def test_several_choices_fold_choice_0() -> None:
    choices = (openai.Choice(index=0, text="하나"), openai.Choice(index=1, text="둘"))
    assert Completion.of([openai.Chunk(text="하나", choices=choices)]).text == "하나"


def test_the_last_usage_counts_and_an_error_is_not_undone() -> None:
    first, last = Usage(1, 1, 2, None), Usage(1, 2, 3, None)
    events = [openai.Chunk(usage=first), openai.Chunk(usage=last), openai.Chunk()]
    assert Completion.of(events).usage == last
    error = openai.Error(code=500, message="m")
    whole = Completion.of([openai.Chunk(text="가"), error, openai.Error(message="echo"), openai.Done()])
    assert (whole.failed, whole.error) == (True, error)


def update(text: str, key: str = "a", **fields: Any) -> Any:
    return a2a.ArtifactUpdate(text=text, artifact_id=key, parts=({"text": text},), **fields)


def test_a2a_append_and_replace() -> None:
    def text(*events: Any) -> str:
        return Completion.of(events).text

    assert text(update("가"), update("나", append=True)) == "가나"
    assert text(update("가"), update("나")) == "나"
    assert text(update("가", append=True)) == "가", "append for an unknown id creates it"
    assert text(update("가"), update("나", "b"), update("다", append=True)) == "가다나"
    assert text(update("가"), update("나", "b"), update("다")) == "다나", "a replaced one keeps its place"


def test_a2a_snapshot_replaces_and_an_absent_one_does_not() -> None:
    snapshot = a2a.Task(
        id="t", state="working", artifacts=({"artifactId": "a", "parts": [{"text": "나"}, {"data": 1}]},)
    )
    whole = Completion.of([update("가"), snapshot, update("다", append=True)])
    assert whole.text == "나다"
    assert len(whole.artifacts[0].parts) == 3
    assert Completion.of([update("가"), a2a.Task(id="t", state="completed")]).text == "가"


def test_a2a_task_content_fills_in() -> None:
    assert Completion.of([a2a.Task(content="전체", state="completed")]).text == "전체"


def test_a2a_session_comes_out_of_either_kind_of_metadata() -> None:
    message = a2a.Message(text="답", metadata={"chat_session_id": 731})
    assert Completion.of([message]).chat_session_id == 731
    status = a2a.StatusUpdate(state="completed", metadata={"chat_session_id": 5})
    assert Completion.of([a2a.Task(metadata={"other": 1}), status]).metadata == {
        "other": 1,
        "chat_session_id": 5,
    }


def test_another_services_turn_is_not_exaones() -> None:
    with pytest.raises(ValueError, match="to_message"):
        Completion.of([token(text="x")]).as_previous_message()


def test_unknown_and_foreign_things_add_nothing() -> None:
    events = [clova.Unknown(event="x", data="y"), clova.Signal(data="[DONE]"), object(), b"{}"]
    assert Completion.of(events) == Completion(dialect="clova")


def test_a_completion_in_between_costs_no_text() -> None:
    fold = Fold()
    seen = []
    for piece in ("가", "나", "다"):
        fold.extend([token(text=piece)])
        seen.append(fold.completion().text)
    assert seen == ["가", "가나", "가나다"]


def _fold_lines(count: int) -> int:
    """Lines of Python that folding so many deltas runs, of text and of a call's arguments."""
    deltas = [token(text="가나다", tool_calls=call(partial_json="x")) for _ in range(count)]
    deltas[0] = token(tool_calls=call(id="a", name="f"))
    lines = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal lines
        lines += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        Completion.of(deltas)
    finally:
        sys.settrace(before)
    return lines


def test_folding_is_linear() -> None:
    small, large = _fold_lines(500), _fold_lines(1000)
    assert small > 500
    assert large <= 2.05 * small
    # What is joined in C is joined once: until it is asked for, the deltas themselves are kept.
    deltas = [token(text=f"{number}") for number in range(100)]
    fold = Fold()
    fold.extend(deltas)
    assert fold.text == [delta.text for delta in deltas]


# --- iterators


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_iter_events_gives_what_the_parser_gives(size: int) -> None:
    data = capture("clova/v3_text.sse")
    parser = clova.StreamParser()
    wanted = parser.feed(data) + parser.close()
    assert list(iter_events(pieces(data, size), clova.StreamParser())) == wanted


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
        metrics.arrived(1, [token(text="x")])
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
        metrics.arrived(1, [token(text="x")])
        assert len(gaps._arrivals) < 300
        if number % 300 == 7:
            assert gaps.count == number
        one_by_one.arrived(1, [token(text="x")])
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
    metrics.arrived(5, [token(thinking="t")])
    now[0] = 104.0
    metrics.arrived(10, [token(text="x"), token(text="y")])
    metrics.end()
    now[0] = 200.0
    metrics.end()
    assert (metrics.first_byte, metrics.first_event, metrics.first_text) == (1.0, 2.0, 4.0)
    assert (metrics.bytes, metrics.events, metrics.duration, metrics.gaps.max) == (20, 3, 4.0, 2.0)
    assert metrics.events_per_second == 1.5
    assert metrics.as_dict()["gap_max"] == 2.0
    assert "events=3" in repr(metrics)


@pytest.mark.parametrize(
    "name",
    ["clova/v3_tool_call.sse", "exaone/text_generation.jsonstream", "openai/tool_call_hcx.sse",
     "a2a/sdk-1.3.0_v1.0_stream_parts.sse", "clova/error_midstream.sse"],
)  # fmt: skip
def test_events_of_both_backends_fold_alike(impl: Implementation, name: str) -> None:
    parser = impl.parser(name.partition("/")[0])
    data = capture(name)
    theirs = Completion.of(parser.feed(data) + parser.close())
    ours = complete(name)
    assert (theirs.text, theirs.artifacts, theirs.failed) == (ours.text, ours.artifacts, ours.failed)
    assert theirs.tool_calls == ours.tool_calls
    assert theirs.dialect == name.partition("/")[0]


@pytest.mark.parametrize("vector", list(support.vectors("dialects")), ids=lambda vector: vector.id)
def test_folding_does_not_depend_on_what_events_share(vector: support.Vector, impl: Implementation) -> None:
    """Events of a stream share what they repeat, and a fold looks into it once; copies of them share nothing."""
    parser = impl.parser(vector.case["parser"], **vector.options)
    events: list[Any] = []
    for frame in re.split(rb"(?<=\n\n)", vector.wire):
        try:
            events += parser.feed(frame)
        except hangang.ParseError as error:
            events += error.events
            break
    events = [event for event in events if type(event).__name__ != "Malformed"]
    rng = random.Random(len(events))
    for _ in range(5):
        copies = [pickle.loads(pickle.dumps(event)) for event in events]
        assert repr(Completion.of(events)) == repr(Completion.of(copies))
        events = rng.choices(events, k=2 * len(events)) if events else []
