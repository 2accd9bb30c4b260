"""`hangang.langchain`: requests from messages and fields, chunks from events, keys, clients, loops.

LangChain's own standard tests are in test_langchain_standard.py.
"""

from __future__ import annotations

import asyncio
import copy
import gc
import json
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import support
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import chat_models
from langchain_core.load import dumpd
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    message_chunk_to_message,
    message_to_dict,
)
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.tools import tool
from pydantic import BaseModel, ValidationError
from transports import KEY, Answer, Script, json_answer

import hangang
from hangang import emulator
from hangang.langchain import (
    ChatClova,
    ChatExaone,
    ChatGov,
    ChatOpenAICompatible,
    ClovaEmbeddings,
    _connection,
)
from hangang.langchain._answers import Relay, StopCutter

CAPTURES = support.REPO / "tests" / "captures"
BASE = "http://127.0.0.1:9"
CLASSES = [ChatClova, ChatExaone, ChatGov, ChatOpenAICompatible]
IMAGE = "data:image/png;base64,aGFuZ2FuZw=="


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for service in ("CLOVA_STUDIO", "CLOVASTUDIO", "EXAONE", "CLOVA_STUDIO_GOV", "OPENAI"):
        monkeypatch.delenv(f"{service}_API_KEY", raising=False)
        monkeypatch.delenv(f"{service}_BASE_URL", raising=False)


@pytest.fixture(scope="module")
def server() -> Iterator[emulator.Emulator]:
    with emulator.run_in_thread() as running:
        yield running


@tool
def get_weather(city: str) -> str:
    """The weather of a city."""
    return f"{city}: 맑음"


@tool
def get_time(city: str) -> str:
    """The time in a city."""
    return f"{city}: 12:00"


class Joke(BaseModel):
    """A joke."""

    setup: str
    punchline: str


def scripted(cls: type[Any], *bodies: Answer | bytes, **fields: Any) -> tuple[Any, Script]:
    """A model whose requests are answered by a script."""
    answers = [body if isinstance(body, Answer) else Answer(body) for body in bodies]
    script = Script(answers)
    fields = {"api_key": KEY, "base_url": BASE, "http_client": script.client(), **fields}
    if cls is ChatOpenAICompatible:
        fields.setdefault("model", "exaone")
    return cls(**fields), script


def body_of(chat: Any, script: Script, messages: Any = "질문", **options: Any) -> dict[str, Any]:
    """The body of the request that `invoke` sends; the answer does not matter."""
    try:
        chat.invoke(messages, **options)
    except hangang.HangangError:
        pass
    found: dict[str, Any] = script.bodies[-1]
    return found


def streamed(
    model: Any, messages: Any = "질문", **options: Any
) -> tuple[list[AIMessageChunk], AIMessageChunk]:
    """The chunks of a stream, and their sum."""
    chunks = list(model.stream(messages, **options))
    full = chunks[0]
    for chunk in chunks[1:]:
        full = full + chunk
    return chunks, full


def sse(*events: tuple[str, Any]) -> bytes:
    """A CLOVA stream."""
    return b"".join(
        f"event:{name}\ndata:{json.dumps(data, ensure_ascii=False)}\n\n".encode() for name, data in events
    )


def chunks_of(*deltas: dict[str, Any], finish: str = "stop") -> bytes:
    """An OpenAI-compatible stream."""
    choices = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    choices.append({"index": 0, "delta": {}, "finish_reason": finish})
    frames = [b"data: " + json.dumps({"choices": [one]}).encode() + b"\n\n" for one in choices]
    return b"".join(frames) + b"data: [DONE]\n\n"


def result(**members: Any) -> tuple[str, Any]:
    message = {"role": "assistant", "content": "", **members}
    usage = {"promptTokens": 3, "completionTokens": 4, "totalTokens": 7}
    return "result", {"message": message, "finishReason": "stop", "usage": usage}


UNUSABLE = Answer(b"{}", 400, {"content-type": "application/json"})


# --- answers


def test_clova_stream_has_text_reasoning_usage_and_a_last_chunk() -> None:
    model, _ = scripted(ChatClova, (CAPTURES / "clova" / "v3_thinking.sse").read_bytes())
    chunks, full = streamed(model)
    whole = hangang.Completion.of(
        hangang.clova.StreamParser().feed((CAPTURES / "clova" / "v3_thinking.sse").read_bytes())
    )
    assert whole.text
    assert whole.thinking
    assert whole.usage is not None
    assert full.content == whole.text
    assert full.additional_kwargs == {"reasoning_content": whole.thinking}
    assert full.usage_metadata == {
        "input_tokens": whole.usage.prompt_tokens,
        "output_tokens": whole.usage.completion_tokens,
        "total_tokens": whole.usage.total_tokens,
        "output_token_details": {"reasoning": whole.usage.thinking_tokens},
    }
    assert full.response_metadata == {
        "model_name": "HCX-007",
        "model_provider": "clova",
        "finish_reason": whole.finish_reason,
    }
    assert [chunk.chunk_position for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1].chunk_position == "last"
    assert all(chunk.usage_metadata is None for chunk in chunks[:-1])
    assert all(chunk.content or chunk.additional_kwargs for chunk in chunks[:-1]), "an empty chunk"


@pytest.mark.parametrize("name", ["openai/vllm_reasoning.sse", "openai/tool_call_hcx.sse"])
def test_compatible_stream_is_the_completion(name: str) -> None:
    wire = (CAPTURES / name).read_bytes()
    whole = hangang.Completion.of(hangang.openai.StreamParser().feed(wire))
    _, full = streamed(scripted(ChatOpenAICompatible, wire)[0])
    assert full.content == whole.text
    assert full.additional_kwargs.get("reasoning_content", "") == whole.thinking
    assert [(one["name"], one["args"]) for one in full.tool_calls] == [
        (call.name, call.args) for call in whole.tool_calls
    ]
    assert full.response_metadata["finish_reason"] == whole.finish_reason


def test_exaone_has_references_and_intent() -> None:
    wire = (CAPTURES / "exaone" / "chat_completion_web.ndjson").read_bytes()
    whole = hangang.Completion.of(hangang.exaone.StreamParser().feed(wire))
    assert whole.references
    _, full = streamed(scripted(ChatExaone, Answer(wire))[0])
    assert full.content == whole.text
    assert full.response_metadata["references"] == list(whole.references)
    assert full.response_metadata["intent"] == whole.intent
    assert full.response_metadata["model_name"] == "chat-completion"


def test_clova_tool_calls_are_those_of_the_result() -> None:
    """The documented stream: its deltas stop in the middle, and have no index."""
    model, _ = scripted(ChatClova, (CAPTURES / "clova" / "v3_tool_call.sse").read_bytes())
    chunks, full = streamed(model)
    (piece,) = [piece for chunk in chunks for piece in chunk.tool_call_chunks]
    assert piece["index"] == 0
    (call,) = full.tool_calls
    assert call["name"] == "get_weather"
    assert call["args"] == {"location": "서울", "unit": "celsius", "date": "2025-06-13"}
    assert call["id"] == "call_zumbHGLfLwV3xn0Rn2gSPqfz"
    assert full.invalid_tool_calls == []


def test_compatible_tool_deltas_are_sent_as_they_come_and_numbered() -> None:
    def part(**function: Any) -> dict[str, Any]:
        identity = {"id": function.pop("id")} if "id" in function else {}
        return {"tool_calls": [{**identity, "type": "function", "function": function}]}

    wire = chunks_of(
        part(id="1", name="get_weather", arguments=""),
        part(arguments='{"city": "서'),
        part(arguments='울"}'),
        part(id="2", name="get_time", arguments='{"city": "부산"}'),
        part(id="3", name="get_time"),
        finish="tool_calls",
    )
    chunks, full = streamed(scripted(ChatGov, wire)[0])
    pieces = [piece for chunk in chunks for piece in chunk.tool_call_chunks]
    assert [(piece["index"], piece["args"]) for piece in pieces] == [
        (0, ""),
        (0, '{"city": "서'),
        (0, '울"}'),
        (1, '{"city": "부산"}'),
        (2, ""),
        (2, "{}"),
    ]
    assert [(one["name"], one["args"], one["id"]) for one in full.tool_calls] == [
        ("get_weather", {"city": "서울"}, "1"),
        ("get_time", {"city": "부산"}, "2"),
        ("get_time", {}, "3"),
    ]


def delta(**function: Any) -> tuple[str, Any]:
    identity = {"id": function.pop("id")} if "id" in function else {}
    call = {**identity, "type": "function", "function": function}
    return "token", {"message": {"role": "assistant", "content": "", "toolCalls": [call]}}


def whole_call(identity: str, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"id": identity, "type": "function", "function": {"name": name, "arguments": arguments}}


def test_parallel_clova_calls_are_told_apart() -> None:
    wire = sse(
        delta(id="1", name="get_weather"),
        delta(partialJson='{"city": "서'),
        delta(partialJson='울"}'),
        delta(id="2", name="get_time"),
        delta(partialJson='{"city": "부산"}'),
        result(
            toolCalls=[
                whole_call("1", "get_weather", {"city": "서울"}),
                whole_call("2", "get_time", {"city": "부산"}),
            ]
        ),
    )
    _, full = streamed(scripted(ChatClova, wire)[0])
    assert [(one["name"], one["args"], one["id"]) for one in full.tool_calls] == [
        ("get_weather", {"city": "서울"}, "1"),
        ("get_time", {"city": "부산"}, "2"),
    ]


def test_what_only_the_result_has_is_in_the_last_chunk() -> None:
    wire = sse(
        delta(id="1", name="get_weather"),  # no arguments
        result(
            content="날씨를 볼게요.",
            thinkingContent="어디?",
            toolCalls=[whole_call("1", "get_weather", {"city": "서울"}), whole_call("2", "get_time", {})],
        ),
    )
    chunks, full = streamed(scripted(ChatClova, wire)[0])
    assert full.content == chunks[-1].content == "날씨를 볼게요."
    assert full.additional_kwargs == {"reasoning_content": "어디?"}
    assert [(one["name"], one["args"], one["id"]) for one in full.tool_calls] == [
        ("get_weather", {"city": "서울"}, "1"),
        ("get_time", {}, "2"),
    ]


def test_text_is_not_repeated_by_the_result() -> None:
    wire = sse(
        ("token", {"message": {"role": "assistant", "content": "한"}}),
        ("token", {"message": {"role": "assistant", "content": "강"}}),
        result(content="한강"),
        ("signal", {"data": "[DONE]"}),
    )
    chunks, full = streamed(scripted(ChatClova, wire)[0])
    assert [chunk.content for chunk in chunks] == ["한", "강", ""]
    assert full.content == "한강"


def test_thinking_tags_and_refusal() -> None:
    wire = chunks_of({"content": "생각</th"}, {"content": "ink>답"}, {"refusal": "안 돼요"})
    model, _ = scripted(
        ChatOpenAICompatible, wire, wire, thinking_tags=("<think>", "</think>"), thinking_first=True
    )
    _, full = streamed(model)
    assert (full.content, full.additional_kwargs) == (
        "답",
        {"reasoning_content": "생각", "refusal": "안 돼요"},
    )
    message = model.invoke("질문")
    assert (message.content, message.additional_kwargs) == (full.content, full.additional_kwargs)


def test_arguments_that_are_no_json_are_an_invalid_call() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": '}}
    answer = json_answer({"choices": [{"index": 0, "message": {"role": "assistant", "tool_calls": [call]}}]})
    message = scripted(ChatGov, answer)[0].invoke("질문")
    assert message.tool_calls == []
    (invalid,) = message.invalid_tool_calls
    assert (invalid["name"], invalid["args"], invalid["id"]) == ("get_weather", '{"city": ', "1")


def test_ai_filter_and_request_id() -> None:
    message = {"role": "assistant", "content": "네"}
    filtered = [{"groupName": "curse", "name": "insult", "score": "1", "result": "OK"}]
    answer = json_answer(
        {"status": {"code": "20000"}, "result": {"message": message, "aiFilter": filtered}},
        **{"x-ncp-clovastudio-request-id": "r-1"},
    )
    model, _ = scripted(ChatClova, answer, include_ai_filters=True)
    metadata = model.invoke("질문").response_metadata
    assert metadata["ai_filter"] == [{"group_name": "curse", "name": "insult", "score": "1", "result": "OK"}]
    assert metadata["request_id"] == "r-1"


def test_an_error_inside_a_stream_comes_after_its_chunks() -> None:
    model, _ = scripted(ChatClova, (CAPTURES / "clova" / "error_midstream.sse").read_bytes())
    ended: list[Any] = []

    class Watch(BaseCallbackHandler):
        def on_llm_error(self, error: BaseException, **more: Any) -> None:
            ended.append((error, more["response"].generations[0][0].text))

    texts = []
    with pytest.raises(hangang.StreamError) as caught:
        for chunk in model.stream("질문", config={"callbacks": [Watch()]}):
            texts.append(chunk.content)
    assert "".join(texts) == caught.value.completion.text != ""
    assert ended == [(caught.value, "".join(texts))]


def both(text: str, thinking: str) -> tuple[ChatGenerationChunk, ChatGenerationChunk]:
    """The chunk of an event, which is not validated, and one that is."""
    more = {"additional_kwargs": {"reasoning_content": thinking}} if thinking else {}
    made = Relay({}).add(SimpleNamespace(text=text, thinking=thinking))
    assert made is not None
    return made, ChatGenerationChunk(message=AIMessageChunk(content=text, **more))


DELTAS = pytest.mark.parametrize(("text", "thinking"), [("한강", ""), ("", "음"), ("한강", "음")])


@DELTAS
def test_a_chunk_equals_a_validated_one(text: str, thinking: str) -> None:
    """In all that LangChain and its users can see of it: fields, their order, serialization, pickles, sums."""
    views: list[Callable[[Any], Any]] = [
        type,
        repr,
        str,
        dumpd,
        lambda model: model.__getstate__(),
        lambda model: pickle.loads(pickle.dumps(model)).__getstate__(),
        lambda model: list(model.__dict__),
        lambda model: model.model_fields_set,
        lambda model: model.model_extra,
        lambda model: model.model_dump(),
        lambda model: model.model_dump(exclude_unset=True),
        lambda model: model.model_dump_json(),
        lambda model: (type(model.text), model.text),
        lambda model: type(model).model_validate(model) == model,
        lambda model: copy.deepcopy(model).__getstate__(),
        lambda model: model.model_copy(update={"id": "1"}).__getstate__(),
        lambda model: (model + model).__getstate__(),
    ]
    made, validated = both(text, thinking)
    assert made == validated
    for view in views:
        assert view(made) == view(validated)
        assert view(made.message) == view(validated.message)
    messages = made.message, validated.message
    assert all(isinstance(message, AIMessageChunk) for message in messages)
    assert messages[0].content_blocks == messages[1].content_blocks
    assert message_to_dict(messages[0]) == message_to_dict(messages[1])
    assert message_chunk_to_message(messages[0]) == message_chunk_to_message(messages[1])
    assert str(messages[0].pretty_repr()) == str(messages[1].pretty_repr())
    with pytest.raises(TypeError):
        hash(made)


@DELTAS
def test_chunks_share_nothing(text: str, thinking: str) -> None:
    """LangChain sets the id and the metadata of each chunk, and its users may change it."""
    changed, _ = both(text, thinking)
    changed.message.id = "1"
    changed.message.other = 1  # type: ignore[attr-defined]
    for value in (*changed.message.__dict__.values(), *changed.__dict__.values()):
        if isinstance(value, dict):
            value["changed"] = True
        elif isinstance(value, list):
            value.append("changed")
    changed.generation_info = {"changed": True}
    made, validated = both(text, thinking)
    assert made.__getstate__() == validated.__getstate__()
    assert changed != made


def test_leaving_a_stream_closes_the_connection() -> None:
    words = [{"content": str(number)} for number in range(50)]
    model, script = scripted(ChatGov, chunks_of(*words))
    stream = model.stream("질문")
    next(stream)
    stream.close()
    assert script.closed == 1


# --- EXAONE's stop strings

texts = st.lists(st.text("ab가 ", max_size=4), max_size=8)


@given(texts, st.lists(st.text("ab가", max_size=3), max_size=3))
def test_stop_is_the_same_for_every_split(pieces: list[str], stop: list[str]) -> None:
    whole = "".join(pieces)
    ends = [(whole.find(one) + len(one), whole.find(one)) for one in stop if one and one in whole]
    cutter = StopCutter(stop)
    shown = "".join([cutter.feed(piece) for piece in pieces]) + cutter.flush()
    assert shown == whole[: min(ends)[1] if ends else None]
    assert cutter.is_stopped == bool(ends)


def test_exaone_stops_and_closes(server: emulator.Emulator) -> None:
    model = ChatExaone(api_key=KEY, base_url=server.url)
    whole = model.invoke("한강의 길이는?").text
    stop = whole[6:9]
    assert model.invoke("한강의 길이는?", stop=[stop]).text == whole[: whole.index(stop)]
    chunks, full = streamed(model, "한강의 길이는?", stop=[stop])
    assert stop not in full.text
    assert chunks[-1].chunk_position == "last"
    assert "stop" not in server.requests[-1].body
    model.close()


def test_exaone_reads_nothing_after_a_stop_that_leaves_an_event_no_text() -> None:
    """The recorded stream has an error later on."""
    reply = emulator.Reply(capture=CAPTURES / "exaone" / "error_midstream.jsonstream")
    with emulator.run_in_thread(answers=[reply]) as running:
        model = ChatExaone(api_key=KEY, base_url=running.url)

        async def awaited(stop: str) -> list[AIMessageChunk]:
            return [chunk async for chunk in model.astream("안녕?", stop=[stop])]

        chunks, _ = streamed(model, "안녕?", stop=["하"])
        assert [chunk.text for chunk in chunks] == ["안녕", ""]
        assert [chunk.text for chunk in asyncio.run(awaited("하"))] == ["안녕", ""]
        with pytest.raises(hangang.StreamError):
            streamed(model, "안녕?", stop=["?"])
        model.close()


# --- requests


def test_messages_for_clova() -> None:
    model, script = scripted(ChatClova, UNUSABLE, model="HCX-005")
    messages = [
        SystemMessage("짧게."),
        SystemMessage([{"type": "text", "text": "한국어로."}]),
        HumanMessage(
            [
                {"type": "text", "text": "어디?"},
                {"type": "image_url", "image_url": {"url": IMAGE}},
            ],
            name="example_user",
        ),
        AIMessage([{"type": "reasoning", "reasoning": "음"}, {"type": "text", "text": "볼게요."}]),
        HumanMessage([{"type": "image", "url": "https://example.com/a.png"}]),
        AIMessage("", tool_calls=[{"id": "1", "name": "get_weather", "args": {"city": "서울"}}], name="bot"),
        ToolMessage("맑음", tool_call_id="1", name="get_weather"),
    ]
    assert body_of(model, script, messages)["messages"] == [
        {"role": "system", "content": "짧게.\n\n한국어로."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "어디?"},
                {"type": "image_url", "dataUri": {"data": "aGFuZ2FuZw=="}},
            ],
        },
        {"role": "assistant", "content": "볼게요."},
        {
            "role": "user",
            "content": [{"type": "image_url", "imageUrl": {"url": "https://example.com/a.png"}}],
        },
        {
            "role": "assistant",
            "content": "",
            "toolCalls": [whole_call("1", "get_weather", {"city": "서울"})],
        },
        {"role": "tool", "content": "맑음", "toolCallId": "1"},
    ]


def test_reasoning_is_never_sent_back(server: emulator.Emulator) -> None:
    for cls in (ChatClova, ChatGov):
        model = cls(api_key=KEY, base_url=server.url)
        answer = model.invoke("안녕")
        assert answer.additional_kwargs["reasoning_content"]
        model.invoke([HumanMessage("안녕"), answer, HumanMessage("그래서?")])
        turn = server.requests[-1].body["messages"][1]
        assert turn == {"role": "assistant", "content": answer.text}
        model.close()


def test_messages_for_compatible_servers() -> None:
    model, script = scripted(ChatOpenAICompatible, UNUSABLE)
    call = {"id": "1", "name": "get_weather", "args": {"city": "서울"}}
    broken = {"id": "2", "name": "get_time", "args": "{", "error": "not JSON"}
    messages = [
        SystemMessage("짧게."),
        SystemMessage("한국어로."),
        HumanMessage("날씨?", name="kim"),
        AIMessage("볼게요.", tool_calls=[call], invalid_tool_calls=[broken]),
        ToolMessage("맑음", tool_call_id="1"),
        ToolMessage("Error: not JSON", tool_call_id="2", status="error"),
    ]
    assert body_of(model, script, messages)["messages"] == [
        {"role": "system", "content": "짧게."},
        {"role": "system", "content": "한국어로."},
        {"role": "user", "name": "kim", "content": "날씨?"},
        {
            "role": "assistant",
            "content": "볼게요.",
            "tool_calls": [
                {
                    "id": "1",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": '{"city": "서울"}'},
                },
                {"id": "2", "type": "function", "function": {"name": "get_time", "arguments": "{"}},
            ],
        },
        {"role": "tool", "content": "맑음", "tool_call_id": "1"},
        {"role": "tool", "content": "Error: not JSON", "tool_call_id": "2"},
    ]


def test_messages_for_exaone() -> None:
    model, script = scripted(ChatExaone, UNUSABLE, doc_ids=["d1"], temperature=0.5)
    answer = AIMessage("한강입니다.", response_metadata={"intent": "web_search"})
    messages = [
        SystemMessage("짧게."),
        HumanMessage("강 이름?"),
        answer,
        AIMessage("더 있어요."),
        HumanMessage("그"),
        HumanMessage("길이는?"),
    ]
    assert body_of(model, script, messages) == {
        "query": "짧게.\n\n그\n\n길이는?",
        "doc_ids": ["d1"],
        "temperature": 0.5,
        "previous_messages": [
            {"query": "강 이름?", "intent": "web_search", "answer": "한강입니다.\n\n더 있어요."}
        ],
    }
    model, script = scripted(ChatExaone, UNUSABLE, model="32b", max_tokens=10)
    assert body_of(model, script) == {"query": "질문", "model": "32b", "max_tokens": 10}


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([HumanMessage("a"), AIMessage("b")], "the last message must be a human one"),
        ([AIMessage("b"), HumanMessage("a")], "needs a question first"),
        ([HumanMessage("a"), ToolMessage("b", tool_call_id="1")], "no tool calling"),
        ([], "the last message must be a human one"),
        (
            [HumanMessage([{"type": "text", "text": "무엇?"}, {"type": "image", "url": IMAGE}])],
            "only text; a human message has a part of type image",
        ),
    ],
)
def test_exaone_names_what_it_does_not_have(messages: list[Any], words: str) -> None:
    model, script = scripted(ChatExaone, UNUSABLE)
    with pytest.raises(ValueError, match=words):
        model.invoke(messages)
    assert script.requests == []


def test_exaone_has_no_tools() -> None:
    model = ChatExaone(api_key=KEY)
    words = "no tool calling and no structured output; use ChatClova"
    with pytest.raises(NotImplementedError, match=words):
        model.bind_tools([get_weather])
    with pytest.raises(NotImplementedError, match=words):
        model.with_structured_output(Joke)


@pytest.mark.parametrize(
    ("choice", "clova_one", "clova_two", "compatible"),
    [
        (None, None, None, None),
        ("auto", "auto", "auto", "auto"),
        ("none", "none", "none", "none"),
        ("any", "get_weather", "auto", "required"),
        ("required", "get_weather", "auto", "required"),
        (True, "get_weather", "auto", "required"),
        ("get_weather", "get_weather", "get_weather", "get_weather"),
    ],
)
def test_tool_choice(choice: Any, clova_one: Any, clova_two: Any, compatible: Any) -> None:
    def wire(name: str | None) -> Any:
        is_tool = name is not None and name.startswith("get_")
        return {"type": "function", "function": {"name": name}} if is_tool else name

    clova, script = scripted(ChatClova, UNUSABLE)
    assert body_of(clova.bind_tools([get_weather], tool_choice=choice), script).get("toolChoice") == wire(
        clova_one
    )
    both = clova.bind_tools([get_weather, get_time], tool_choice=choice)
    assert body_of(both, script).get("toolChoice") == wire(clova_two)
    for cls in (ChatGov, ChatOpenAICompatible):
        model, script = scripted(cls, UNUSABLE)
        bound = model.bind_tools([get_weather, get_time], tool_choice=choice)
        assert body_of(bound, script).get("tool_choice") == wire(compatible)


def test_a_tool_choice_that_is_no_tool() -> None:
    with pytest.raises(
        ValueError, match=r"must be the name of a bound tool \(get_weather\), not 'get_wether'"
    ):
        ChatClova(api_key=KEY).bind_tools([get_weather], tool_choice="get_wether")


def test_clova_switches_default_thinking_off_where_it_is_refused() -> None:
    model, script = scripted(ChatClova, UNUSABLE)
    off = {"effort": "none"}
    bound = body_of(model.bind_tools([get_weather]), script)
    assert (bound["thinking"], bound["maxTokens"]) == (off, 1024)
    assert body_of(model, script, stop=["끝"])["thinking"] == off
    structured = body_of(model.with_structured_output(Joke, method="json_schema"), script)
    assert structured["thinking"] == off
    assert structured["responseFormat"]["schema"]["required"] == ["setup", "punchline"]
    assert structured["responseFormat"]["type"] == "json"
    assert "thinking" not in body_of(model, script)
    dash, script = scripted(ChatClova, UNUSABLE, model="HCX-DASH-002")
    assert "thinking" not in body_of(dash.bind_tools([get_weather]), script)
    thinking, script = scripted(ChatClova, UNUSABLE, thinking="high")
    with pytest.raises(ValueError, match="tools cannot be combined with thinking"):
        thinking.bind_tools([get_weather]).invoke("질문")


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        ({"model": "HCX-005"}, {"maxTokens": 9}),
        ({"model": "HCX-007"}, {"maxCompletionTokens": 9}),
        ({"model": "HCX-007", "thinking": "high"}, {"maxCompletionTokens": 9}),
        ({"model": "HCX-007", "thinking": {"effort": "low"}}, {"maxCompletionTokens": 9}),
        ({"model": "HCX-007", "thinking": False}, {"maxTokens": 9}),
        ({"model": "HCX-007", "thinking": "none"}, {"maxTokens": 9}),
        ({"model": "HCX-003"}, {"maxTokens": 9}),
        ({"task_id": "t1"}, {"maxTokens": 9}),
    ],
)
def test_clova_max_tokens(fields: dict[str, Any], sent: dict[str, int]) -> None:
    model, script = scripted(ChatClova, UNUSABLE, max_tokens=9, **fields)
    body = body_of(model, script)
    assert {name: body[name] for name in ("maxTokens", "maxCompletionTokens") if name in body} == sent


def test_fields_and_arguments_of_a_call() -> None:
    fields = {
        "temperature": 0.1,
        "top_p": 0.2,
        "top_k": 3,
        "seed": 4,
        "repetition_penalty": 1.5,
        "stop": ["끝"],
        "extra_body": {"extra": 1},
    }
    model, script = scripted(ChatClova, UNUSABLE, model="HCX-005", **fields)
    assert body_of(model, script, temperature=0.9, model="HCX-DASH-002") == {
        "messages": [{"role": "user", "content": "질문"}],
        "temperature": 0.9,
        "topP": 0.2,
        "topK": 3,
        "seed": 4,
        "repetitionPenalty": 1.5,
        "stop": ["끝"],
        "extra": 1,
    }
    assert script.requests[-1].url.path == "/v3/chat-completions/HCX-DASH-002"
    assert body_of(model, script, stop=["아니"])["stop"] == ["아니"]
    with pytest.raises(TypeError, match="has no option 'temprature'; did you mean temperature"):
        model.invoke("질문", temprature=1)
    with pytest.raises(ValidationError, match="temprature"):
        ChatClova(api_key=KEY, temprature=1)


def test_a_task_and_a_path() -> None:
    model, script = scripted(ChatClova, UNUSABLE, task_id="t1", prefix="/testapp")
    body_of(model, script)
    assert script.requests[-1].url.path == "/testapp/v3/tasks/t1/chat-completions"
    assert model._get_ls_params()["ls_model_name"] == "t1"
    gov, script = scripted(ChatGov, UNUSABLE, chat_path="/v1/chat/completions")
    body_of(gov, script)
    assert script.requests[-1].url.path == "/v1/chat/completions"


def test_compatible_options() -> None:
    model, script = scripted(ChatOpenAICompatible, UNUSABLE, stop="끝", chat_template_kwargs={"a": 1})
    assert body_of(model, script) == {
        "model": "exaone",
        "messages": [{"role": "user", "content": "질문"}],
        "stop": ["끝"],
        "chat_template_kwargs": {"a": 1},
    }
    for options, asked in (({}, {"include_usage": True}), ({"stream_usage": False}, None)):
        with pytest.raises(hangang.BadRequestError):
            list(model.stream("질문", **options))
        assert script.bodies[-1].get("stream_options") == asked
        assert script.bodies[-1]["stream"] is True


def test_structured_output_of_compatible_servers() -> None:
    answer = json_answer(
        {
            "choices": [
                {"index": 0, "message": {"role": "assistant", "content": '{"setup": "a", "punchline": "b"}'}}
            ]
        }
    )
    wrong = json_answer({"choices": [{"index": 0, "message": {"role": "assistant", "content": "아니요"}}]})
    model, script = scripted(ChatOpenAICompatible, answer, answer, wrong)
    assert model.with_structured_output(Joke, method="json_schema", strict=True).invoke("농담") == Joke(
        setup="a", punchline="b"
    )
    form = script.bodies[-1]["response_format"]
    assert form["type"] == "json_schema"
    assert form["json_schema"]["name"] == "Joke"
    assert form["json_schema"]["strict"] is True
    as_dict = model.with_structured_output(Joke.model_json_schema(), method="json_mode")
    assert as_dict.invoke("농담") == {"setup": "a", "punchline": "b"}
    assert script.bodies[-1]["response_format"] == {"type": "json_object"}
    raw = model.with_structured_output(Joke, method="json_schema", include_raw=True).invoke("농담")
    assert raw["raw"].text == "아니요"
    assert raw["parsed"] is None
    assert raw["parsing_error"] is not None
    with pytest.raises(ValueError, match="method must be"):
        model.with_structured_output(Joke, method="tools")
    with pytest.raises(ValueError, match="no argument foo"):
        model.with_structured_output(Joke, method="json_mode", foo=1)


# --- keys


@pytest.mark.parametrize("cls", [*CLASSES, ClovaEmbeddings])
def test_a_key_is_shown_nowhere(cls: type[Any]) -> None:
    fields = {"model": "exaone"} if cls is ChatOpenAICompatible else {}
    model = cls(api_key=KEY, base_url=BASE, headers={"x-token": "SECRET-token"}, **fields)
    shown = [repr(model), str(model)]
    if cls is not ClovaEmbeddings:
        assert next(iter(model.lc_secrets)) == "api_key"
        shown += [str(dumpd(model)), str(model._get_invocation_params()), str(model._get_ls_params())]
    shown += [str(model.model_dump()), model.model_dump_json()]
    for text in shown:
        assert KEY not in text
        assert "SECRET" not in text


@pytest.mark.parametrize("cls", [*CLASSES, ClovaEmbeddings])
@pytest.mark.parametrize("wrong", [{"timeout_": 3}, {"model": 3}, {"api_key": f"{KEY}\n"}, {"base_url": 5}])
def test_a_refused_field_shows_no_key(cls: type[Any], wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        cls(**{"model": "exaone", "api_key": KEY, **wrong})
    assert "SECRET" not in str(refused.value)
    assert "SECRET" not in repr(refused.value)


@pytest.mark.parametrize(
    ("cls", "variable"),
    [
        (ChatClova, "CLOVA_STUDIO_API_KEY"),
        (ChatExaone, "EXAONE_API_KEY"),
        (ChatGov, "CLOVA_STUDIO_GOV_API_KEY"),
        (ClovaEmbeddings, "CLOVA_STUDIO_API_KEY"),
    ],
)
def test_a_missing_key_is_named_at_once(
    cls: type[Any], variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValidationError, match=variable):
        cls()
    monkeypatch.setenv(variable, KEY)
    assert cls().api_key.get_secret_value() == KEY


def test_the_key_of_langchain_naver_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOVASTUDIO_API_KEY", KEY)
    assert ChatClova().api_key.get_secret_value() == KEY
    monkeypatch.setenv("CLOVA_STUDIO_API_KEY", "nv-first")
    assert ChatClova().api_key.get_secret_value() == "nv-first"


# --- clients


def test_copies_use_their_own_settings(server: emulator.Emulator) -> None:
    model = ChatClova(model="HCX-005", api_key="nv-one", base_url=server.url)
    other = model.model_copy(update={"api_key": type(model.api_key)("nv-two"), "headers": {"x-a": "b"}})
    deep = model.model_copy(deep=True)
    pickled = pickle.loads(pickle.dumps(model))
    assert pickled == deep == copy.copy(model) == model
    for one, key in (
        (model, "nv-one"),
        (other, "nv-two"),
        (deep, "nv-one"),
        (pickled, "nv-one"),
        (model, "nv-one"),
    ):
        one.invoke("안녕")
        assert server.requests[-1].headers["authorization"] == f"Bearer {key}"
    assert server.requests[-2].headers.get("x-a") is None
    model.close()
    model.invoke("안녕")  # closing is not the end
    for one in (model, other, deep, pickled):
        one.close()


def test_a_client_is_made_once_and_by_the_first_call(
    monkeypatch: pytest.MonkeyPatch, server: emulator.Emulator
) -> None:
    made = []
    client = hangang.clova.Client

    def counted(**settings: Any) -> Any:
        made.append(settings)
        return client(**settings)

    monkeypatch.setattr(hangang.clova, "Client", counted, raising=False)
    model = ChatClova(model="HCX-005", api_key=KEY, base_url=server.url, timeout=5, max_retries=0)
    model.bind_tools([get_weather]).with_config(tags=["a"])
    assert made == []
    model.batch(["안녕", "또", "네"])
    settings = {"api_key": KEY, "base_url": server.url, "timeout": 5, "max_retries": 0}
    assert made == [{**settings, "http_client": "fast"}]
    model.close()


def test_async_is_native_and_survives_its_loop(
    monkeypatch: pytest.MonkeyPatch, server: emulator.Emulator
) -> None:
    async def never(*_: Any, **__: Any) -> None:
        raise AssertionError("a thread was used")

    monkeypatch.setattr(chat_models, "run_in_executor", never)
    before = threading.active_count()

    async def run(model: Any) -> tuple[str, str]:
        message = await model.ainvoke("안녕")
        chunks = [chunk.content async for chunk in model.astream("안녕")]
        assert threading.active_count() == before
        return message.text, "".join(chunks)

    models = [
        ChatClova(api_key=KEY, base_url=server.url),
        ChatExaone(api_key=KEY, base_url=server.url),
        ChatGov(api_key=KEY, base_url=server.url),
        ChatOpenAICompatible(model="exaone", base_url=f"{server.url}/openai/v1"),
    ]
    for model in models:
        expected = model.invoke("안녕").text
        # Two loops: connections of the first cannot be used in the second.
        assert asyncio.run(run(model))[0] == asyncio.run(run(model))[0] == expected
        model.close()


def test_async_clients_are_closed_with_their_loop() -> None:
    """Without a word by the user, and when the user closes the model or drops it."""
    with emulator.run_in_thread() as server:

        async def is_idle() -> bool:
            return await asyncio.to_thread(server.wait_idle)

        async def run(model: Any, *, close: bool) -> None:
            await model.ainvoke("안녕")
            assert server.state.connections == 1, "it is kept for the next call"
            if close:
                await model.aclose()
                assert await is_idle()
                await model.ainvoke("안녕")

        model = ChatClova(model="HCX-005", api_key=KEY, base_url=server.url)
        for close in (True, False):
            asyncio.run(run(model, close=close))
            assert server.wait_idle()

        async def dropping() -> None:
            await ChatClova(model="HCX-005", api_key=KEY, base_url=server.url).ainvoke("안녕")
            gc.collect()
            assert await is_idle()

        asyncio.run(dropping())


@pytest.mark.parametrize("library", ["httpx", "httpx2", "fast"])
def test_each_http_library_is_closed_with_the_loop(library: str, server: emulator.Emulator) -> None:
    """What is left open is a ResourceWarning, which is an error here."""
    fields = {"api_key": KEY, "base_url": server.url, "http_client": library, "http_async_client": library}
    model = ChatClova(model="HCX-005", **fields)

    async def run() -> str:
        return "".join([chunk.text async for chunk in model.astream("안녕")])

    assert asyncio.run(run()) == "".join([chunk.text for chunk in model.stream("안녕")]) != ""
    model.close()
    gc.collect()


def libraries(**fields: Any) -> tuple[str, str]:
    """The HTTP libraries of a model's client and of its async client."""
    model = ChatClova(api_key=KEY, base_url=BASE, **fields)

    def library(client: Any) -> str:
        return str(type(client._transport._adapter).__module__.rpartition(".")[2])

    async def awaited() -> str:
        return library(model._awaited())

    try:
        return library(model._blocking()), asyncio.run(awaited())
    finally:
        model.close()


def test_the_http_library_is_a_fast_one_unless_somebody_names_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("HANGANG_HTTP_CLIENT", raising=False)
    assert libraries() == ("urllib3", "aiohttp")
    assert libraries(http_client="httpx") == ("httpx", "aiohttp")
    assert libraries(http_async_client="httpx") == ("urllib3", "httpx")
    monkeypatch.setenv("HANGANG_HTTP_CLIENT", "httpx")
    assert libraries() == ("httpx", "httpx")
    assert libraries(http_client="fast") == ("urllib3", "httpx")


@pytest.mark.parametrize("scheme", ["socks5", "SOCKS5", "socks5h"])
def test_where_the_fast_library_cannot_be_used_it_is_httpx(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HANGANG_HTTP_CLIENT", raising=False)
    with monkeypatch.context() as patch:
        patch.setattr("hangang.langchain._connection.find_spec", {"urllib3": object()}.get)
        assert libraries() == ("urllib3", "httpx")
    assert _connection._default("aiohttp") == {"http_client": "fast"}
    monkeypatch.setenv("ALL_PROXY", f"{scheme}://127.0.0.1:9")  # a client of httpx needs httpx[socks] for it
    assert _connection._default("aiohttp") == {}


def test_errors_are_those_of_the_clients() -> None:
    refused = json_answer({"status": {"code": "40100", "message": "Unauthorized"}}, 401)
    model, _ = scripted(ChatClova, refused)
    with pytest.raises(hangang.AuthenticationError):
        model.invoke("질문")
    with pytest.raises(hangang.AuthenticationError):
        list(model.stream("질문"))


# --- what LangChain reads


def test_tracing_parameters() -> None:
    model = ChatClova(api_key=KEY, temperature=0.3, max_tokens=5, stop=["끝"])
    assert model._get_ls_params() == {
        "ls_provider": "clova",
        "ls_model_type": "chat",
        "ls_model_name": "HCX-007",
        "ls_temperature": 0.3,
        "ls_max_tokens": 5,
        "ls_stop": ["끝"],
    }
    assert model._get_ls_params(stop=["아"], model="HCX-005")["ls_model_name"] == "HCX-005"
    assert ChatExaone(api_key=KEY)._get_ls_params()["ls_model_name"] == "chat-completion"


def test_identifying_parameters_tell_models_apart() -> None:
    """LangChain's cache looks answers up by them."""
    models = [
        ChatOpenAICompatible(model="a", base_url=BASE),
        ChatOpenAICompatible(model="b", base_url=BASE),
        ChatOpenAICompatible(model="a", base_url=f"{BASE}/v1"),
        ChatOpenAICompatible(model="a", base_url=BASE, temperature=0.5),
        ChatOpenAICompatible(model="a", base_url=BASE, thinking_tags=("<a>", "</a>")),
    ]
    assert len({model._get_llm_string() for model in models}) == len(models)
    assert all(KEY not in model._get_llm_string() for model in models)


def test_streaming_field_makes_invoke_stream(server: emulator.Emulator) -> None:
    model = ChatClova(model="HCX-005", api_key=KEY, base_url=server.url, streaming=True)
    tokens: list[str] = []

    class Watch(BaseCallbackHandler):
        def on_llm_new_token(self, token: Any, **_: Any) -> None:
            tokens.append(token)

    message = model.invoke("안녕", config={"callbacks": [Watch()]})
    assert "".join(tokens) == message.text
    assert len(tokens) > 3
    assert message.usage_metadata is not None
    model.close()


# --- embeddings


def test_embeddings_keep_the_order_and_the_batch_size(server: emulator.Emulator) -> None:
    words = ["가", "나", "다", "라", "마"]
    one = ClovaEmbeddings(api_key=KEY, base_url=server.url)
    two = ClovaEmbeddings(api_key=KEY, base_url=server.url, batch_size=2)
    seen = len(server.requests)
    vectors = one.embed_documents(words)
    assert [request.body["input"] for request in server.requests[seen:]] == words
    seen = len(server.requests)
    assert two.embed_documents(words) == vectors
    assert [request.body["input"] for request in server.requests[seen:]] == [
        ["가", "나"],
        ["다", "라"],
        ["마"],
    ]
    assert one.embed_query("나") == vectors[1]
    assert one.embed_documents([]) == []
    assert asyncio.run(two.aembed_documents(words)) == vectors
    one.close()
    two.close()


@pytest.mark.parametrize("data", [[{"index": 1, "embedding": [2.0]}, {"index": 0, "embedding": [1.0]}], []])
def test_embeddings_are_sorted_and_counted(data: list[Any]) -> None:
    embeddings, _ = scripted(ClovaEmbeddings, json_answer({"data": data}), batch_size=2)
    if data:
        assert embeddings.embed_documents(["a", "b"]) == [[1.0], [2.0]]
    else:
        with pytest.raises(hangang.APIError, match="0 embeddings for 2 texts"):
            embeddings.embed_documents(["a", "b"])


# --- imports


def run(code: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": str(support.REPO / "python")}
    return subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=False
    )


def test_a_missing_extra_is_named() -> None:
    done = run("import sys; sys.modules['langchain_core'] = None; import hangang.langchain")
    assert done.returncode != 0
    assert "pip install 'hangang[langchain]'" in done.stderr.splitlines()[-1]


def test_clients_do_not_import_langchain() -> None:
    code = (
        "import sys, hangang, hangang.streams, hangang.emulator\n"
        "from hangang.clova import Client\n"
        "Client('k').close()\n"
        "assert 'hangang.langchain' not in sys.modules\n"
        "print(*{name.split('.')[0] for name in sys.modules} & {'langchain_core', 'langsmith', 'pydantic'})"
    )
    done = run(code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []
