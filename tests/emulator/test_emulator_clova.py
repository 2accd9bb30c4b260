"""CLOVA Studio as the emulator answers it: paths, keys, bodies, events, the documented refusals."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from emulated import CLOVA, QUESTION, STREAM, complete, decode
from transports import KEY

import hangang
from hangang import clova
from hangang.emulator import run_in_thread
from hangang.emulator.clova import CODES

WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "날씨",
        "parameters": {
            "type": "object",
            "properties": {
                "location": {"type": "string"},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
                "days": {"type": "integer", "minimum": 1, "maximum": 7},
            },
        },
    },
}
TOOLS: dict[str, Any] = {"tools": [WEATHER], "maxTokens": 1024}
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "length": {"type": "number"}, "ok": {"type": "boolean"}},
}


@pytest.fixture(scope="module")
def emulator() -> Iterator[Any]:
    with run_in_thread(fragments="random") as running:
        yield running


@pytest.fixture
def client(emulator: Any) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=emulator.url, timeout=10, headers=CLOVA) as made:
        yield made


def chat(client: httpx.Client, model: str, stream: bool = True, **body: Any) -> httpx.Response:
    version = "v1" if model in ("HCX-003", "HCX-DASH-001", "HCX-002") else "v3"
    return client.post(
        f"/{version}/chat-completions/{model}",
        json={"messages": QUESTION, **body},
        headers=STREAM if stream else {},
    )


def refusal(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/json"
    status = answer.json()["status"]
    assert set(status) == {"code", "message"}
    return answer.status_code, status["code"]


@pytest.mark.parametrize("model", ["HCX-007", "HCX-005", "HCX-DASH-002", "HCX-003", "HCX-DASH-001"])
def test_stream_and_one_shot_are_one_answer(client: httpx.Client, model: str) -> None:
    streamed = chat(client, model)
    assert streamed.headers["content-type"] == "text/event-stream"
    events = decode("clova", streamed.content)
    assert [type(event) for event in events[-2:]] == [clova.Result, clova.Signal]
    assert all(isinstance(event, clova.Token) for event in events[:-2])
    text = "".join(event.text for event in events)
    assert text == events[-2].content != ""
    whole = chat(client, model, stream=False)
    assert whole.headers["content-type"] == "application/json"
    answer = whole.json()
    assert answer["status"] == {"code": "20000", "message": "OK"}
    assert answer["result"]["message"]["content"] == text
    (result,) = decode("clova", whole.content)
    assert result.content == text


def test_bytes_look_like_the_captures(client: httpx.Client) -> None:
    first = chat(client, "HCX-005").content.split(b"\n\n")[0].split(b"\n")
    assert [line.partition(b":")[0] for line in first] == [b"id", b"event", b"data"]
    assert first[1] == b"event:token"
    assert list(json.loads(first[2][5:])) == ["message", "finishReason", "created", "seed", "usage"]
    assert b'", "' not in first[2]
    first = chat(client, "HCX-003").content.split(b"\n\n")[0].split(b"\n")
    names = ["message", "index", "inputLength", "outputLength", "stopReason"]
    assert list(json.loads(first[2][5:])) == names
    assert chat(client, "HCX-003").content.endswith(b'\nevent:signal\ndata:{"data":"[DONE]"}\n\n')


@pytest.mark.parametrize(
    "path",
    [
        *(f"{prefix}/v1/chat-completions/HCX-003" for prefix in ("", "/testapp", "/serviceapp")),
        *(f"{prefix}/v3/chat-completions/HCX-005" for prefix in ("", "/testapp", "/serviceapp")),
        *(
            f"{prefix}/{v}/tasks/abc12/chat-completions"
            for prefix in ("", "/testapp")
            for v in ("v1", "v2", "v3")
        ),
    ],
)
def test_paths(client: httpx.Client, path: str) -> None:
    assert complete("clova", client.post(path, json={"messages": QUESTION}, headers=STREAM).content).text
    assert client.post(path, json={"messages": QUESTION}).json()["status"]["code"] == "20000"


def test_thinking(client: httpx.Client) -> None:
    events = decode("clova", chat(client, "HCX-007").content)
    first_text = next(i for i, event in enumerate(events) if event.text)
    assert all(event.thinking for event in events[:first_text])
    assert not any(event.thinking for event in events[first_text:])
    result = events[-2]
    assert result.thinking_content == "".join(event.thinking for event in events)
    assert result.usage.thinking_tokens == first_text
    assert b'"thinkingContent"' in chat(client, "HCX-007", stream=False).content
    quiet = complete("clova", chat(client, "HCX-007", thinking={"effort": "none"}).content)
    assert (quiet.thinking, bool(quiet.text)) == ("", True)
    high = complete("clova", chat(client, "HCX-007", thinking={"effort": "high"}).content)
    assert len(high.thinking) > len(result.thinking_content)
    short = complete("clova", chat(client, "HCX-007", maxCompletionTokens=4).content)
    assert (short.finish_reason, short.text) == ("length", "")


def test_length(client: httpx.Client) -> None:
    assert complete("clova", chat(client, "HCX-005", maxTokens=5).content).finish_reason == "length"
    assert complete("clova", chat(client, "HCX-003", maxTokens=5).content).finish_reason == "length"
    assert chat(client, "HCX-003", stream=False, maxTokens=5).json()["result"]["stopReason"] == "LENGTH"


def test_ai_filters(client: httpx.Client) -> None:
    for model in ("HCX-003", "HCX-005"):
        filters = decode("clova", chat(client, model, includeAiFilters=True).content)[-2].ai_filter
        assert [found.name for found in filters] == ["insult", "discrimination", "sexualHarassment"]
        assert decode("clova", chat(client, model).content)[-2].ai_filter == ()


def test_tool_calls(client: httpx.Client) -> None:
    answer = chat(client, "HCX-005", **TOOLS)
    events = decode("clova", answer.content)
    result = events[-2]
    assert result.finish_reason == "tool_calls"
    (call,) = result.tool_calls
    assert call.id.startswith("call_")
    deltas = [delta for event in events[:-2] for delta in event.tool_calls]
    assert (deltas[0].id, deltas[0].name) == (call.id, "get_weather")
    assert all(delta.id is None for delta in deltas[1:])
    assert json.loads("".join(d.partial_json for d in deltas[1:])) == json.loads(call.arguments)
    assert set(json.loads(call.arguments)) == {"location", "unit", "days"}
    whole = chat(client, "HCX-005", stream=False, **TOOLS).json()["result"]
    assert isinstance(whole["message"]["toolCalls"][0]["function"]["arguments"], dict)
    assert whole["message"]["content"] == ""
    two = client.post(
        "/v3/chat-completions/HCX-005",
        json={"messages": QUESTION, **TOOLS},
        headers={**STREAM, "x-hangang-calls": "2"},
    )
    assert len(complete("clova", two.content).tool_calls) == 2
    answered = {"role": "tool", "toolCallId": call.id, "content": "맑음"}
    turn = [*QUESTION, complete("clova", answer.content).to_message(), answered]
    assert complete("clova", chat(client, "HCX-005", **TOOLS, messages=turn).content).text
    assert complete("clova", chat(client, "HCX-005", messages=turn).content).text  # also without tools
    assert complete("clova", chat(client, "HCX-005", **TOOLS, toolChoice="none").content).text
    named = {"type": "function", "function": {"name": "get_weather"}}
    assert complete("clova", chat(client, "HCX-005", **TOOLS, toolChoice=named).content).tool_calls


CALL: dict[str, Any] = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "get_weather", "arguments": {"location": "서울"}},
}
TOLD: dict[str, Any] = {"role": "tool", "toolCallId": "call_1", "content": "맑음"}


def turn(told: dict[str, Any] | None = None, **call: Any) -> dict[str, Any]:
    """A conversation with one call and its answer; `call` changes the call."""
    calls = {"role": "assistant", "content": "", "toolCalls": [{**CALL, **call}]}
    return {"messages": [*QUESTION, calls, TOLD if told is None else told]}


def test_a_tool_turn_as_documented_passes(client: httpx.Client) -> None:
    for model in ("HCX-005", "HCX-DASH-002"):
        for limit in ({"maxTokens": 1024}, {"maxCompletionTokens": 1024}):
            assert chat(client, model, tools=[WEATHER], **limit, **turn()).is_success
    quiet = {"thinking": {"effort": "none"}}
    assert chat(client, "HCX-007", tools=[WEATHER], maxCompletionTokens=1024, **quiet, **turn()).is_success
    untyped = {"function": WEATHER["function"]}  # as in the first example of the page
    assert chat(client, "HCX-005", tools=[untyped], maxTokens=1024, **turn()).is_success
    # The names of v1, which the fourth example sends, have no effect.
    assert chat(client, "HCX-005", **TOOLS, **turn(), repeatPenalty=5.0, stopBefore=[]).is_success


WRONG_TURNS: list[tuple[dict[str, Any], str]] = [
    ({"tools": [WEATHER]}, "at least 1024"),
    ({"tools": [WEATHER], "maxTokens": 1023}, "at least 1024"),
    ({"tools": [WEATHER], "maxCompletionTokens": 1023}, "at least 1024"),
    ({**TOOLS, "tools": WEATHER}, "tools: must be a list"),
    ({**TOOLS, "tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
    ({**TOOLS, "tools": [{**WEATHER, "type": "tool"}]}, "tools[0].type"),
    ({**TOOLS, "toolChoice": "required"}, "toolChoice"),
    (
        {**TOOLS, "toolChoice": {"type": "function", "function": {"name": "other"}}},
        "toolChoice.function.name",
    ),
    (
        turn(function={"name": "get_weather", "arguments": '{"location":"서울"}'}),
        "arguments: must be an object",
    ),
    (turn(function={"name": "get_weather"}), "arguments: must be an object"),
    (turn(function={"arguments": {}}), "function.name"),
    (turn(id=None), "toolCalls[0].id"),
    (turn(type="tool"), "toolCalls[0].type"),
    (turn({"role": "tool", "content": "맑음"}), "toolCallId: a tool message needs"),
    (turn({"role": "tool", "tool_call_id": "call_1", "content": "맑음"}), "toolCallId: a tool message needs"),
    (turn({**TOLD, "toolCallId": "call_2"}), "no call before it has this id"),
    (turn({**TOLD, "content": [{"type": "text", "text": "맑음"}]}), "content: a tool message needs a string"),
    ({"messages": [*QUESTION, TOLD]}, "no call before it has this id"),
    (
        {"messages": [{"role": "user", "content": "a", "toolCalls": [CALL]}]},
        "only an assistant message has it",
    ),
    ({"messages": [*QUESTION, {"role": "assistant", "content": None, "toolCalls": [CALL]}]}, "content"),
]


@pytest.mark.parametrize(("body", "words"), WRONG_TURNS)
def test_wrong_tool_turns_are_refused_with_a_sentence(
    client: httpx.Client, body: dict[str, Any], words: str
) -> None:
    answer = chat(client, "HCX-005", **body)
    assert refusal(answer) == (400, "40001")
    assert words in answer.json()["status"]["message"]


def test_tools_are_not_for_tuned_tasks(client: httpx.Client) -> None:
    for body in ({"messages": QUESTION, **TOOLS}, turn()):
        assert refusal(client.post("/v3/tasks/abc12/chat-completions", json=body)) == (400, "40009")


def test_tool_turns_of_the_compatible_endpoint(client: httpx.Client) -> None:
    def post(**changes: Any) -> httpx.Response:
        call = {**CALL, "function": {"name": "get_weather", "arguments": '{"location":"서울"}'}}
        call |= changes.pop("call", {})
        told = {"role": "tool", "tool_call_id": "call_1", "content": "맑음"} | changes.pop("told", {})
        messages = [*QUESTION, {"role": "assistant", "content": "", "tool_calls": [call]}, told]
        body = {"model": "HCX-005", "messages": messages, "tools": [WEATHER], **changes}
        return client.post("/v1/openai/chat/completions", json=body)

    assert post().is_success
    for changes, words in (
        ({"call": {"function": CALL["function"]}}, "arguments: must be a string"),
        ({"told": {"tool_call_id": "call_2"}}, "no call before it has this id"),
        ({"told": {"tool_call_id": None}}, "tool_call_id: a tool message needs"),
        ({"tool_choice": "required"}, "tool_choice"),
    ):
        answer = post(**changes)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "40001")
        assert words in answer.json()["error"]["message"]


def test_a_lone_surrogate_is_refused(client: httpx.Client) -> None:
    body = b'{"messages":[{"role":"user","content":"\\ud800"}]}'
    answer = client.post(
        "/v3/chat-completions/HCX-005", content=body, headers={"content-type": "application/json"}
    )
    assert refusal(answer) == (400, "40000")


def test_structured_outputs(client: httpx.Client) -> None:
    form = {"type": "json", "schema": SCHEMA}
    answer = chat(client, "HCX-007", thinking={"effort": "none"}, responseFormat=form)
    assert set(json.loads(complete("clova", answer.content).text)) == {"name", "length", "ok"}


def test_multi_turn(client: httpx.Client) -> None:
    first = complete("clova", chat(client, "HCX-005").content)
    messages = [*QUESTION, first.to_message(), {"role": "user", "content": "서울은?"}]
    assert "2번째 질문" in complete("clova", chat(client, "HCX-005", messages=messages).content).text


def test_images(client: httpx.Client) -> None:
    def image(count: int, **source: Any) -> list[dict[str, Any]]:
        parts = [{"type": "image_url", **source}] * count
        return [{"role": "user", "content": [*parts, {"type": "text", "text": "무엇인가요?"}]}]

    url = {"imageUrl": {"url": "https://example.com/a.png"}}
    assert chat(client, "HCX-005", messages=image(1, **url)).is_success
    assert chat(client, "HCX-005", messages=image(1, dataUri={"data": "iVBORw0K"})).is_success
    assert refusal(chat(client, "HCX-005", messages=image(2, **url))) == (400, "40000")
    assert refusal(chat(client, "HCX-005", messages=image(1, **url) * 6)) == (400, "40003")
    assert refusal(chat(client, "HCX-DASH-002", messages=image(1, **url))) == (400, "40009")
    assert refusal(chat(client, "HCX-005", messages=image(1, imageUrl={"url": "x"}))) == (400, "40063")
    assert refusal(chat(client, "HCX-005", messages=image(1, dataUri={"data": "?"}))) == (400, "40063")


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("HCX-009", {}, "40080"),
    ("HCX-002", {}, "40082"),
    ("HCX-005", {"messages": []}, "40004"),
    ("HCX-005", {"messages": [{"role": "user", "content": ""}]}, "40004"),
    ("HCX-003", {"messages": [{"role": "tool", "content": "x"}]}, "40001"),
    ("HCX-003", {"temperature": 0}, "40001"),
    ("HCX-003", {"maxTokens": 5000}, "40001"),
    ("HCX-005", {"temperature": 2}, "40001"),
    ("HCX-005", {"maxTokens": 2000, "maxCompletionTokens": 2000}, "40001"),
    ("HCX-005", {"thinking": {"effort": "low"}}, "40001"),
    ("HCX-005", {"responseFormat": {"type": "json", "schema": SCHEMA}}, "40009"),
    ("HCX-007", {"tools": [WEATHER]}, "40001"),
    ("HCX-007", {"stop": ["끝"]}, "40001"),
    ("HCX-007", {"maxTokens": 100}, "40001"),
    ("HCX-007", {"responseFormat": {"type": "json", "schema": SCHEMA}}, "40001"),
    ("HCX-007", {"thinking": {"effort": "very"}}, "40001"),
    (
        "HCX-007",
        {
            "thinking": {"effort": "none"},
            "responseFormat": {"type": "json", "schema": {"type": "string", "pattern": "a"}},
        },
        "40055",
    ),
    ("HCX-005", {"messages": [{"role": "system", "content": "a"}] * 2 + QUESTION}, "40001"),
    ("HCX-005", {"messages": [{"role": "assistant", "content": "a", "thinkingContent": "b"}]}, "40001"),
    ("HCX-005", {"messages": [{"role": "user", "content": "한" * 300_000}]}, "40003"),
]


@pytest.mark.parametrize(("model", "body", "code"), REFUSED)
def test_refusals(client: httpx.Client, model: str, body: dict[str, Any], code: str) -> None:
    assert refusal(chat(client, model, **body)) == (400, code)


def test_wrong_api_for_the_model(client: httpx.Client) -> None:
    for path in ("/v1/chat-completions/HCX-005", "/v3/chat-completions/HCX-003"):
        assert refusal(client.post(path, json={"messages": QUESTION})) == (400, "40084")


def test_long_v1_prompt_is_an_error_event_on_200(client: httpx.Client) -> None:
    long = [{"role": "user", "content": "가나 " * 10_000}]
    answer = chat(client, "HCX-003", messages=long)
    assert answer.status_code == 200
    (event,) = decode("clova", answer.content)
    assert (type(event), event.code) == (clova.Error, "40003")
    assert answer.content.split(b"\n")[1] == b"event:error"
    assert refusal(chat(client, "HCX-003", stream=False, messages=long)) == (400, "40003")


def test_http_refusals(client: httpx.Client) -> None:
    path = "/v3/chat-completions/HCX-005"
    assert refusal(client.post(path, content=b"{bad", headers={"content-type": "application/json"})) == (
        400,
        "40000",
    )
    assert refusal(client.post(path, content=b"a=1")) == (415, "41500")
    assert refusal(client.post(path, content=b"a", headers={"content-type": "multipart/form-data"})) == (
        415,
        "41501",
    )
    answer = client.post(path, json={"messages": QUESTION}, headers={"accept": "application/xml"})
    assert refusal(answer) == (406, "40600")
    big = b'{"messages":"' + b"x" * (50 * 2**20) + b'"}'
    answer = client.post(path, content=big, headers={"content-type": "application/json"})
    assert refusal(answer) == (413, "41300")


def test_keys(emulator: Any) -> None:
    path = "/v3/chat-completions/HCX-005"
    pair = {"x-ncp-clovastudio-api-key": "old", "x-ncp-apigw-api-key": "gate"}
    cases: list[tuple[dict[str, str], int, str]] = [
        ({}, 401, "40100"),
        ({"authorization": "Basic abc"}, 401, "40102"),
        ({"authorization": "Bearer sk-other"}, 401, "40104"),
        ({"authorization": f"Bearer {KEY}-wrong"}, 401, "40104"),
        ({"authorization": f"Bearer {KEY}-expired"}, 401, "40103"),
        ({"authorization": f"Bearer {KEY}-nosub"}, 401, "40170"),
        ({"authorization": f"Bearer {KEY}-forbidden"}, 403, "40300"),
        ({"authorization": f"Bearer {KEY}-limited"}, 429, "42901"),
        ({"authorization": f"Bearer {KEY}-any"}, 200, "20000"),
        (pair, 200, "20000"),
        ({**pair, "x-ncp-apigw-api-key": ""}, 401, "40100"),
        ({**pair, "x-ncp-clovastudio-api-key": "old-wrong"}, 401, "40104"),
    ]
    with httpx.Client(base_url=emulator.url) as client:
        for headers, status, code in cases:
            answer = client.post(path, json={"messages": QUESTION}, headers=headers)
            assert refusal_or_ok(answer) == (status, code)


def refusal_or_ok(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["status"]["code"]


@pytest.mark.parametrize("code", CODES)
def test_every_documented_code(client: httpx.Client, code: str) -> None:
    answer = client.post("/v3/chat-completions/HCX-005", json={}, headers={"x-hangang-code": code})
    assert refusal(answer) == (CODES[code][0], code)
    assert answer.json()["status"]["message"] == CODES[code][1]


def test_rate_headers_and_request_id(client: httpx.Client) -> None:
    answer = client.post(
        "/v3/chat-completions/HCX-DASH-002",
        json={"messages": QUESTION},
        headers={"x-ncp-clovastudio-request-id": "r-1"},
    )
    assert answer.headers["x-ncp-clovastudio-request-id"] == "r-1"
    assert answer.headers["x-ratelimit-limit-requests"] == "90"
    assert int(answer.headers["x-ratelimit-remaining-requests"]) < 90
    assert answer.headers["x-ratelimit-reset-requests"].endswith("s")


def test_embeddings_and_tokenizers(client: httpx.Client) -> None:
    text = {"text": "한강은 서울을 지난다"}
    result = client.post("/v1/api-tools/embedding/v2", json=text).json()["result"]
    assert len(result["embedding"]) == 1024
    assert sum(x * x for x in result["embedding"]) == pytest.approx(1, abs=1e-3)
    assert result["inputTokens"] > 0
    assert client.post("/testapp/v1/api-tools/embedding/clir-emb-dolphin", json=text).is_success
    assert refusal(client.post("/v1/api-tools/embedding/other", json=text)) == (400, "40080")
    assert refusal(client.post("/v1/api-tools/embedding/v2", json={"text": ""})) == (400, "40004")
    for model, most in (("v2", 8_192), ("clir-sts-dolphin", 500)):
        long = {"text": "가" * (2 * most + 1)}
        assert refusal(client.post(f"/v1/api-tools/embedding/{model}", json=long)) == (400, "40003")
    counted = client.post("/v1/api-tools/embedding/v2/tokenize", json=text).json()["result"]
    assert counted["numTokens"] == result["inputTokens"]
    body = {"messages": QUESTION, "tools": [WEATHER]}
    old = client.post("/v1/api-tools/chat-tokenize/HCX-003", json=body).json()["result"]
    assert old["messages"][0]["count"] > 0
    new = client.post("/v3/api-tools/chat-tokenize/HCX-005", json=body).json()["result"]
    assert new["messages"][0]["content"]["count"] > 0
    assert new["tools"]["count"] > 0
    parts = {"messages": [{"role": "user", "content": [{"type": "text", "text": "한강"}]}]}
    [counted] = client.post("/v3/api-tools/chat-tokenize/HCX-005", json=parts).json()["result"]["messages"]
    assert counted == {"role": "user", "content": [{"type": "text", "count": 1}]}
    assert refusal(client.post("/v3/api-tools/chat-tokenize/HCX-9", json=body)) == (400, "40080")


def test_compatible_endpoint_refuses_in_openai_form(client: httpx.Client) -> None:
    path = "/v1/openai/chat/completions"
    good = {"model": "HCX-005", "messages": QUESTION}
    cases: list[tuple[dict[str, Any], str]] = [
        ({**good, "model": "gpt-9"}, "40080"),
        ({**good, "logprobs": True}, "40002"),
        ({**good, "messages": [{"role": "assistant", "content": None}]}, "40001"),
        ({**good, "messages": []}, "40004"),
        ({**good, "model": "HCX-007", "reasoning_effort": "low", "tools": [WEATHER]}, "40009"),
        ({**good, "response_format": {"type": "json_object"}}, "40055"),
    ]
    for body, code in cases:
        answer = client.post(path, json=body)
        assert answer.status_code == 400
        error = answer.json()["error"]
        assert (error["code"], error["type"], error["param"]) == (code, None, None)
    answer = client.post(path, json=good, headers={"authorization": f"Bearer {KEY}-wrong"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "40104")
    embeddings = {"model": "bge-m3", "input": "a"}
    answer = client.post("/v1/openai/embeddings", json={**embeddings, "encoding_format": "base64"})
    assert answer.json()["error"]["code"] == "40002"
    answer = client.post("/v1/openai/embeddings", json={**embeddings, "model": "ada"})
    assert answer.json()["error"]["code"] == "40080"


def test_a_tool_turn_of_both_clients(emulator: Any) -> None:
    """What the clients send passes; the same without the call, or with too few tokens, does not."""
    options: Any = {"tools": [WEATHER], "max_tokens": 1024}

    def refused(error: pytest.ExceptionInfo[hangang.BadRequestError], words: str) -> None:
        assert (error.value.status, error.value.code) == (400, "40001")
        assert words in str(error.value)

    with clova.Client(KEY, base_url=emulator.url) as client:
        with client.stream("HCX-005", QUESTION, **options) as stream:
            list(stream)
        first = stream.completion
        told = first.tool_message(first.tool_calls[0], "맑음")
        assert client.chat("HCX-005", [*QUESTION, first, told], **options).text
        with pytest.raises(hangang.BadRequestError) as error:
            client.chat("HCX-005", [*QUESTION, told], **options)
        refused(error, "no call before it has this id")

    async def go() -> None:
        async with clova.AsyncClient(KEY, base_url=emulator.url) as client:
            assert (await client.chat("HCX-005", [*QUESTION, first, told], **options)).text
            with pytest.raises(hangang.BadRequestError) as error:
                async with client.stream("HCX-005", QUESTION, tools=[WEATHER]) as stream:
                    [event async for event in stream]
            refused(error, "at least 1024")

    asyncio.run(go())
