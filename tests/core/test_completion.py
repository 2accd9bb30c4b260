"""`Completion` over every dialect: from the captures, from events made by hand, and in other shapes."""

from __future__ import annotations

import dataclasses
import json
import pickle
import random
import re
import sys
from types import FrameType
from typing import Any

import pytest
import support
from support import CAPTURES, Implementation

import hangang
from hangang import ToolCall, ToolCallDelta, Usage, a2a, clova, exaone, openai
from hangang.streams import Completion, Fold

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


# --- the second edition's rules


def test_the_first_finish_reason_stays() -> None:
    events = [openai.Chunk(finish_reason="tool_calls"), openai.Chunk(finish_reason="stop"), openai.Done()]
    assert Completion.of(events).finish_reason == "tool_calls"
    assert Completion.of(
        [token(finish_reason="length"), clova.Result(finish_reason="stop")]
    ).finish_reason == ("length")


def test_an_empty_role_is_none() -> None:
    assert Completion.of([openai.Chunk(role=""), openai.Chunk(role="assistant")]).role == "assistant"
    assert Completion.of([openai.Chunk(role="")]).role is None


def test_the_first_error_stays() -> None:
    first = openai.Error(code=1, message="cause")
    whole = Completion.of(
        [first, openai.Error(code=2, message="echo"), openai.Chunk(text="x"), openai.Done()]
    )
    assert (whole.failed, whole.error, whole.text) == (True, first, "x")


def test_clova_result_calls_win_and_fill_in() -> None:
    result = clova.Result(tool_calls=call(id="a", type="function", name="f", arguments='{"x":1}'))
    deltas = [token(tool_calls=call(id="a", name="f")), token(tool_calls=call(partial_json='{"x"'))]
    for events in ([result], [*deltas, result]):
        assert Completion.of(events).tool_calls == (ToolCall("a", "f", '{"x":1}', 0, "function"),)
    assert Completion.of(deltas).tool_calls == (ToolCall("a", "f", '{"x"', 0, None),)


def test_openai_choices_beyond_the_first_are_not_folded() -> None:
    """Text, calls and finish reason of choice 1 are in its own `Choice` only."""
    other = openai.Choice(
        index=1, text="둘", tool_calls=call(index=0, id="b", name="g"), finish_reason="stop"
    )
    events = [
        openai.Chunk(text="하나", choices=(openai.Choice(text="하나"),)),
        openai.Chunk(choices=(other,)),
    ]
    whole = Completion.of(events)
    assert (whole.text, whole.tool_calls, whole.finish_reason) == ("하나", (), None)
    wire = b"".join(
        b'data: {"choices":[{"index":%d,"delta":{"content":"%s"},"finish_reason":"stop"}]}\n\n' % (n, text)
        for n, text in [(1, b"B"), (0, b"A"), (2, b"C")]
    )
    assert Completion.of(openai.StreamParser().feed(wire)).text == "A"


def status(state: str, message: str | None = None) -> Any:
    return a2a.StatusUpdate(state=state, message=message)


def test_a2a_status_message_is_the_last_statuss() -> None:
    def message(*events: Any) -> str | None:
        return Completion.of(events).status_message

    assert message(status("working", "생각 중"), status("input-required", "어느 도시?")) == "어느 도시?"
    assert message(status("working", "생각 중"), status("completed")) is None
    assert message(status("failed", "quota")) == "quota"
    assert message(status("working", "x"), update("가")) == "x", "an artifact is no status"
    assert message(status("working", "x"), a2a.Task(id="t")) == "x", "a task without a status says nothing"
    assert message(status("working", "")) == ""
    assert message() is None


def test_a2a_message_of_the_completed_status_fills_in() -> None:
    def text(*events: Any) -> str:
        return Completion.of(events).text

    assert text(status("working", "생각 중"), status("completed", "답")) == "답"
    assert text(status("working", "생각 중"), status("completed")) == ""
    assert text(status("completed", "답"), status("completed")) == "답", "a completed status came with it"
    assert text(update("가"), status("completed", "답")) == "가"
    assert text(update(""), status("completed", "답")) == "", "an artifact came, though without text"
    assert text(a2a.Message(text="말"), status("completed", "답")) == "말"
    assert text(a2a.Message(text=""), status("completed", "답")) == ""
    assert text(status("failed", "이유")) == ""
    assert text(status("completed", "답"), status("failed", "이유")) == ""
    assert text(a2a.Task(content="전체", state="completed"), status("completed", "답")) == "전체"


def test_refusals_are_not_text() -> None:
    chunk = openai.Chunk
    events = [chunk(refusal="I ca"), chunk(refusal="n't"), chunk(finish_reason="stop")]
    whole = Completion.of(events)
    assert (whole.text, whole.refusal, whole.failed) == ("", "I can't", False)


def test_a_refusal_is_read_from_every_event_that_has_one() -> None:
    """Events of one template share their common fields, also a refusal that repeats."""
    frame = b'data: {"choices":[{"index":0,"delta":{"refusal":"no","content":"%s"}}]}\n\n'
    parser = openai.StreamParser()
    events = [event for text in (b"a", b"b", b"c", b"d") for event in parser.feed(frame % text)]
    whole = Completion.of(events)
    assert (whole.refusal, whole.text) == ("no" * 4, "abcd")


def test_a2a_task_has_a_status_message() -> None:
    task = a2a.Task
    whole = Completion.of([task(id="t", state="input-required", message="어느 도시?")])
    assert (whole.status_message, whole.state, whole.text) == ("어느 도시?", "input-required", "")
    assert Completion.of([task(state="completed", message="답")]).text == "답"
    assert Completion.of([status("working", "x"), task(state="completed")]).status_message is None


# --- other shapes


CALLED = [
    token(text="잠깐", thinking="날씨", role="assistant"),
    token(tool_calls=call(id="a", type="function", name="f", partial_json='{"도시":"서울"}')),
    token(tool_calls=call(id="b", name="g")),
    token(finish_reason="tool_calls", usage=Usage(1, 2, 3, 1)),
]


def openai_calls() -> Completion:
    return Completion.of(
        [
            openai.Chunk(tool_calls=call(index=0, id="a", name="f", arguments='{"x": 1}')),
            openai.Chunk(tool_calls=call(index=1, name="g"), finish_reason="tool_calls"),
        ]
    )


def test_tool_turns_in_the_dialects_shape() -> None:
    whole = Completion.of(CALLED)
    assert [c["function"]["arguments"] for c in whole.to_message()["toolCalls"]] == [{"도시": "서울"}, {}]
    first, second = whole.tool_calls
    assert whole.tool_message(first, "맑음") == {"role": "tool", "toolCallId": "a", "content": "맑음"}
    assert whole.tool_message(second, "") == {"role": "tool", "toolCallId": "b", "content": ""}
    other = openai_calls()
    assert other.to_message() == {
        "role": "assistant",
        "content": "",
        "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}},
            {"id": "call_1", "type": "function", "function": {"name": "g", "arguments": "{}"}},
        ],
    }
    assert other.tool_message(other.tool_calls[0], "1") == {
        "role": "tool",
        "tool_call_id": "a",
        "content": "1",
    }
    assert other.tool_message(other.tool_calls[1], "2")["tool_call_id"] == "call_1", "as in to_message()"


def test_tool_message_refuses_other_types() -> None:
    whole = openai_calls()
    with pytest.raises(
        TypeError, match=r"content must be a str, not dict; encode other values with json.dumps"
    ):
        whole.tool_message(whole.tool_calls[0], {"x": 1})  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"call must be a hangang\.ToolCall, not str"):
        whole.tool_message("a", "x")  # type: ignore[arg-type]


def test_to_openai() -> None:
    shaped = Completion.of(CALLED).to_openai("HCX-007")
    assert (shaped.pop("id")[:9], type(shaped.pop("created"))) == ("chatcmpl-", int)
    assert shaped == {
        "object": "chat.completion",
        "model": "HCX-007",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "잠깐",
                    "refusal": None,
                    "reasoning_content": "날씨",
                    "tool_calls": [
                        {
                            "id": "a",
                            "type": "function",
                            "function": {"name": "f", "arguments": '{"도시":"서울"}'},
                        },
                        {"id": "b", "type": "function", "function": {"name": "g", "arguments": "{}"}},
                    ],
                },
                "logprobs": None,
                "finish_reason": "tool_calls",
            }
        ],
        "usage": {
            "prompt_tokens": 1,
            "completion_tokens": 2,
            "total_tokens": 3,
            "completion_tokens_details": {"reasoning_tokens": 1},
        },
    }


@pytest.mark.parametrize(
    ("events", "content", "reason"),
    [
        ([openai.Chunk(text="가", finish_reason="stop")], "가", "stop"),
        ([openai.Chunk(finish_reason="stop")], "", "stop"),
        ([openai.Chunk(text="가")], "가", None),
        ([exaone.Answer(text="가")], "가", "stop"),
        ([a2a.Message(text="가")], "가", "stop"),
        ([clova.Token(text="가", finish_reason="stop_before")], "가", "stop"),
        ([openai.Chunk(tool_calls=call(name="f"), finish_reason="function_call")], None, "tool_calls"),
        ([openai.Chunk(text="가", finish_reason="new reason")], "가", "new reason"),
    ],
)
def test_to_openai_contents_and_reasons(events: list[Any], content: str | None, reason: str | None) -> None:
    (choice,) = Completion.of(events).to_openai()["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == (content, reason)


def test_to_openai_of_a_failed_answer_does_not_look_successful() -> None:
    shaped = Completion.of([exaone.Answer(text="가"), exaone.Error(code=500, message="m")]).to_openai()
    assert shaped["error"] == {"message": "m", "type": None, "param": None, "code": 500}
    assert shaped["choices"][0]["finish_reason"] is None
    assert shaped["model"] == ""
    task = Completion.of([status("failed", "quota")]).to_openai()
    assert (task["error"]["message"], task["choices"][0]["finish_reason"]) == ("quota", None)
    assert Completion.of([status("rejected")]).to_openai()["error"]["message"] == "task rejected"
    canceled = Completion.of([status("canceled")]).to_openai()
    assert (canceled["error"]["code"], canceled["choices"][0]["finish_reason"]) == ("canceled", None)


def test_to_openai_counts_v1() -> None:
    assert Completion.of([token(input_length=3, output_length=4)]).to_openai()["usage"] == {
        "prompt_tokens": 3,
        "completion_tokens": 4,
        "total_tokens": 7,
    }


def test_the_openai_sdk_reads_it() -> None:
    types = pytest.importorskip("openai.types.chat")
    parsed = types.ChatCompletion.model_validate(Completion.of(CALLED).to_openai("m"))
    message = parsed.choices[0].message
    assert [c.function.name for c in message.tool_calls] == ["f", "g"]
    assert message.reasoning_content == "날씨"


@pytest.mark.parametrize("name", sorted(p.name for p in CAPTURES.iterdir() if p.is_dir()))
def test_to_dict_is_plain(name: str, impl: Implementation) -> None:
    for path in sorted((CAPTURES / name).iterdir()):
        parser = impl.parser(name)
        try:
            events = parser.feed(path.read_bytes()) + parser.close()
        except hangang.ParseError as error:
            events = error.events
        whole = Completion.of(events)
        shaped = whole.to_dict()
        assert json.loads(json.dumps(shaped, allow_nan=False)) == shaped
        assert list(shaped) == [one.name for one in dataclasses.fields(Completion)]
        assert shaped["text"] == whole.text


def test_to_dict() -> None:
    whole = Completion.of([*CALLED, clova.Result(ai_filter=(hangang.AIFilter("g", "n", "1", "OK"),))])
    shaped = whole.to_dict()
    assert shaped["tool_calls"][0] == {
        "id": "a", "name": "f", "arguments": '{"도시":"서울"}', "index": 0, "type": "function",
    }  # fmt: skip
    assert shaped["usage"] == {
        "prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "thinking_tokens": 1,
    }  # fmt: skip
    assert shaped["ai_filter"] == [{"group_name": "g", "name": "n", "score": "1", "result": "OK"}]
    assert (shaped["references"], shaped["error"], shaped["rate_limit"]) == ([], None, None)
    odd = Completion.of([a2a.Message(text="x", metadata={"n": float("inf"), "l": [float("nan"), 1.5]})])
    assert odd.to_dict()["metadata"] == {"n": None, "l": [None, 1.5]}


def test_repr_shows_set_fields_only() -> None:
    assert repr(Completion()) == "Completion()"
    assert repr(Completion(text="가", finish_reason="stop", failed=True)) == (
        "Completion(text='가', finish_reason='stop', failed=True)"
    )
    assert "rate_limit" not in repr(Completion.of(CALLED))


def test_notebooks_show_the_text_and_no_markup_of_it() -> None:
    evil = "<script>alert('x')</script> & \"quoted\"\n둘째 줄"
    whole = Completion(text=evil, thinking=evil, tool_calls=(ToolCall(name="<b>", arguments=evil),))
    shown = whole._repr_html_()
    assert "<script>" not in shown
    assert "<b>" not in shown
    assert shown.count("&lt;script&gt;alert('x')&lt;/script&gt; &amp; &quot;quoted&quot;\n둘째 줄") == 3
    assert "pre-wrap" in shown
    assert Completion()._repr_html_() == "<pre>Completion()</pre>"
    failed = Completion.of([exaone.Error(code=500, message="<i>"), exaone.Answer(text="가")])._repr_html_()
    assert "failed: &lt;i&gt;" in failed
    assert "가" in failed


def test_a_completion_is_a_value() -> None:
    whole = Completion.of([*CALLED, clova.Error(code="1", message="m")])
    again = pickle.loads(pickle.dumps(whole))
    assert again == whole
    assert b"_completion" not in pickle.dumps(whole)
    assert Completion.__module__ == "hangang"


def test_a_pickle_of_0_1_opens() -> None:
    """It has the values of its fields in their order, and tool calls as deltas."""
    values = [
        "가", "음", "stop", Usage(1, 2, 3), call(index=0, id="a", name="f", arguments=None), ({"index": 1},),
        "web_search", (), "assistant", False, None, "exaone", "질문", (), None, None, None, None, None, "req-1",
    ]  # fmt: skip

    class Old:
        def __reduce__(self) -> Any:
            return object.__new__, (hangang.streams.Completion,), values

    assert pickle.loads(pickle.dumps(Old())) == Completion(
        text="가",
        thinking="음",
        finish_reason="stop",
        usage=Usage(1, 2, 3),
        tool_calls=(ToolCall("a", "f", "", 0),),
        references=({"index": 1},),
        intent="web_search",
        role="assistant",
        dialect="exaone",
        query="질문",
        request_id="req-1",
    )


def _fold_lines(count: int) -> int:
    """Lines of Python that folding this number of deltas runs, of text and of a call's arguments."""
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
    # What is joined in C is joined once: until it is read, the deltas themselves are kept.
    deltas = [token(text=f"{number}") for number in range(100)]
    fold = Fold()
    fold.extend(deltas)
    assert fold.text == [delta.text for delta in deltas]


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
