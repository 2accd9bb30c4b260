"""`hangang.openai.Client` and `AsyncClient`, and messages in every form that users have."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
import support
from raw_http_server import LAST_CHUNK, RawHTTPServer, chunk, head
from transports import KEY, LIBRARIES, QUESTION, Answer, Script, json_answer

import hangang
from hangang import Completion, clova, exaone, gov, openai
from hangang._client.messages import to_clova, to_openai
from hangang.emulator import run_in_thread

OK = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "답"}, "finish_reason": "stop"}]}
OK_V3 = {
    "status": {"code": "20000", "message": "OK"},
    "result": {"message": {"role": "assistant", "content": "답"}, "finishReason": "stop"},
}
DATA = (support.CAPTURES / "openai/vllm_reasoning.sse").read_bytes()


@pytest.fixture(scope="module")
def emulator() -> Iterator[Any]:
    with run_in_thread(fragments="random") as running:
        yield running


OF_HTTPX = {
    "test_messages_reach_every_service",
    "test_chat_and_models_of_every_service",
}


@pytest.fixture(autouse=True, params=["httpx", "fast"])
def script_library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What plays the scripts that name no library: httpx, or aiohttp and urllib3 over sockets."""
    if request.param == "fast":
        if request.function.__name__ in OF_HTTPX:
            pytest.skip("it uses objects of httpx, or leaves its client object to the collector")
        monkeypatch.setattr(Script, "default", "fast")
    return str(request.param)


# --- the client


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.__name__)
def test_against_the_emulator(emulator: Any, library: Any) -> None:
    """The emulator's Gov endpoint is vLLM's format at `/v1`."""
    options: dict[str, Any] = {"base_url": f"{emulator.url}/v1", "http_client": library.__name__}
    with openai.Client(KEY, **options) as client:
        with client.stream("HCX-GOV", "한강의 길이는?", max_tokens=50) as stream:
            events = list(stream)
        assert stream.completion.text
        assert isinstance(events[-1], openai.Done)
        assert client.chat("HCX-GOV", "한강의 길이는?", max_tokens=50).text == stream.completion.text

    async def run() -> tuple[str, str]:
        async with openai.AsyncClient(KEY, **options) as client:
            async with client.stream("HCX-GOV", "한강의 길이는?", max_tokens=50) as stream:
                text = "".join([text async for text in stream.text_stream])
            return text, (await client.chat("HCX-GOV", "한강의 길이는?", max_tokens=50)).text

    assert asyncio.run(run()) == (stream.completion.text, stream.completion.text)


def test_embeddings_and_models(emulator: Any) -> None:
    with openai.Client(KEY, base_url=f"{emulator.url}/v1/openai") as client:
        assert len(client.embeddings(["가", "나"], model="bge-m3")["data"]) == 2
        assert client.models()["data"]
    wrong = openai.Client(f"{KEY}-wrong", base_url=f"{emulator.url}/v1/openai")
    with wrong, pytest.raises(hangang.AuthenticationError):
        wrong.models()

    async def run() -> tuple[Any, Any]:
        async with openai.AsyncClient(KEY, base_url=f"{emulator.url}/v1/openai") as client:
            return await client.embeddings("가", model="bge-m3"), await client.models()

    found, listed = asyncio.run(run())
    assert len(found["data"]) == 1
    assert "data" in listed


def test_requests() -> None:
    script = Script([json_answer(OK)])
    with openai.Client(KEY, base_url="https://host.example/api/v1/", http_client=script.client()) as client:
        assert client.base_url == "https://host.example/api/v1"
        client.chat("m", QUESTION, temperature=0, extra_body={"guided": True})
        list(client.stream("m", QUESTION))
        client.embeddings("x", model="e", extra_body={"dimensions": 3})
        client.models(extra_query={"a": 1})
    assert [str(request.url) for request in script.requests] == [
        "https://host.example/api/v1/chat/completions",
        "https://host.example/api/v1/chat/completions",
        "https://host.example/api/v1/embeddings",
        "https://host.example/api/v1/models?a=1",
    ]
    assert script.bodies == [
        {"model": "m", "messages": QUESTION, "temperature": 0, "guided": True},
        {"model": "m", "messages": QUESTION, "stream": True},
        {"input": "x", "model": "e", "dimensions": 3},
        None,
    ]
    assert script.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_address_and_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    for kind in (openai.Client, openai.AsyncClient):
        with pytest.raises(ValueError, match="no address: pass base_url= or set OPENAI_BASE_URL"):
            kind(KEY)
        with pytest.raises(ValueError, match="no API key: pass api_key= or set OPENAI_API_KEY"):
            kind(base_url="https://api.example/v1")
    script = Script([json_answer(OK)])
    with openai.Client(base_url="http://localhost:8000/v1", http_client=script.client()) as client:
        client.chat("m", "x")
    assert "authorization" not in script.requests[0].headers
    monkeypatch.setenv("OPENAI_BASE_URL", "https://api.example/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "from-env")
    with openai.Client(http_client=script.client()) as client:
        assert client.base_url == "https://api.example/v1"
        client.chat("m", "x")
    assert script.requests[1].headers["authorization"] == "Bearer from-env"


def test_without_a_key_nothing_is_struck_out_of_texts() -> None:
    """An empty secret would be found between all letters."""
    script = Script([json_answer({"error": {"message": "no such model"}}, 404)])
    with (
        openai.Client(base_url="http://localhost:8000/v1", http_client=script.client()) as client,
        pytest.raises(hangang.NotFoundError, match="no such model"),
    ):
        client.chat("m", "x")


@pytest.mark.parametrize("is_async", [False, True])
def test_thinking_tags(is_async: bool) -> None:
    def frame(content: str, reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": {"content": content}, "finish_reason": reason}
        return f"data: {json.dumps({'choices': [choice]})}\n\n".encode()

    body = frame("<thi") + frame("nk>생각</think>답") + frame("", "stop") + b"data: [DONE]\n\n"
    steps = [head(chunked=True), chunk(body), LAST_CHUNK]
    tags = ("<think>", "</think>")

    async def run(url: str, options: dict[str, Any], call: dict[str, Any]) -> Completion:
        async with (
            openai.AsyncClient(base_url=url, **options) as client,
            client.stream("m", "x", **call) as stream,
        ):
            return await stream.read()

    def read(url: str, options: dict[str, Any], call: dict[str, Any]) -> Completion:
        if is_async:
            return asyncio.run(run(url, options, call))
        with openai.Client(base_url=url, **options) as client, client.stream("m", "x", **call) as stream:
            return stream.read()

    with RawHTTPServer([steps]) as server:
        for options, call, want in (
            ({}, {}, ("<think>생각</think>답", "")),
            ({"thinking_tags": tags}, {}, ("답", "생각")),
            ({}, {"thinking_tags": tags}, ("답", "생각")),
            ({"thinking_tags": tags}, {"thinking_tags": None}, ("<think>생각</think>답", "")),
            ({"thinking_tags": tags, "thinking_first": True}, {}, ("답", "생각")),
        ):
            whole = read(server.url, options, call)
            assert (whole.text, whole.thinking) == want


# --- messages

CALLS = [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}]
NATIVE_CALLS = [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": {"a": 1}}}]
FORMS: list[tuple[Any, Any, Any]] = [
    # as given, CLOVA's native form, OpenAI's form
    ("질문", [{"role": "user", "content": "질문"}], [{"role": "user", "content": "질문"}]),
    (QUESTION, QUESTION, QUESTION),
    (tuple(QUESTION), QUESTION, QUESTION),
    (
        [{"role": "assistant", "content": None, "tool_calls": CALLS, "refusal": None, "annotations": []}],
        [{"role": "assistant", "content": "", "toolCalls": NATIVE_CALLS}],
        [{"role": "assistant", "content": None, "tool_calls": CALLS, "refusal": None, "annotations": []}],
    ),
    (
        [{"role": "assistant", "content": "", "toolCalls": NATIVE_CALLS}],
        [{"role": "assistant", "content": "", "toolCalls": NATIVE_CALLS}],
        [{"role": "assistant", "content": "", "tool_calls": CALLS}],
    ),
    (
        [{"role": "tool", "tool_call_id": "c1", "content": "3"}],
        [{"role": "tool", "toolCallId": "c1", "content": "3"}],
        [{"role": "tool", "tool_call_id": "c1", "content": "3"}],
    ),
    (
        [{"role": "tool", "toolCallId": "c1", "content": "3"}],
        [{"role": "tool", "toolCallId": "c1", "content": "3"}],
        [{"role": "tool", "tool_call_id": "c1", "content": "3"}],
    ),
    (
        [{"role": "tool", "tool_call_id": "c1", "content": [
            {"type": "text", "text": "3"}, {"type": "text", "text": " km"},
        ]}],
        [{"role": "tool", "toolCallId": "c1", "content": "3 km"}],
        None,
    ),
    (
        [{"role": "assistant", "content": None, "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "f", "arguments": None}},
            {"id": "c2", "type": "function", "function": {"name": "f"}},
        ]}],
        [{"role": "assistant", "content": "", "toolCalls": [
            {"id": "c1", "type": "function", "function": {"name": "f", "arguments": {}}},
            {"id": "c2", "type": "function", "function": {"name": "f", "arguments": {}}},
        ]}],
        None,
    ),
    (
        [{"role": "developer", "content": "짧게"}],
        [{"role": "system", "content": "짧게"}],
        [{"role": "developer", "content": "짧게"}],
    ),
    (
        [{"role": "user", "content": [
            {"type": "text", "text": "무엇?"},
            {"type": "image_url", "image_url": {"url": "https://x.example/a.png", "detail": "low"}},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            {"type": "image_url", "imageUrl": {"url": "https://x.example/b.png"}},
        ]}],
        [{"role": "user", "content": [
            {"type": "text", "text": "무엇?"},
            {"type": "image_url", "imageUrl": {"url": "https://x.example/a.png"}},
            {"type": "image_url", "dataUri": {"data": "AAAA"}},
            {"type": "image_url", "imageUrl": {"url": "https://x.example/b.png"}},
        ]}],
        None,
    ),
    (
        [*QUESTION, Completion(text="답", thinking="생각", dialect="clova")],
        [*QUESTION, {"role": "assistant", "content": "답"}],
        [*QUESTION, {"role": "assistant", "content": "답"}],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("given", "native", "compatible"), FORMS)
def test_forms_of_messages(given: Any, native: Any, compatible: Any) -> None:
    before = json.dumps(given, default=repr)
    assert to_clova(given) == native
    if compatible is not None:
        found = to_openai(given)
        for message in found:
            for call in message.get("tool_calls", ()):
                assert json.loads(call["function"]["arguments"]) == {"a": 1}
        assert found == compatible
    assert json.dumps(given, default=repr) == before, "the caller's own objects stay as they are"


@pytest.mark.parametrize("is_async", [False, True])
def test_messages_reach_every_service(is_async: bool) -> None:
    """Over each client, sync and async: a str, and OpenAI's tool turn."""
    turn = [{"role": "user", "content": "날씨?"}, FORMS[3][0][0], FORMS[5][0][0]]
    for service, answer, options, native in (
        (clova, OK_V3, {}, True),
        (gov, OK, {}, False),
        (openai, OK, {"base_url": "http://localhost/v1"}, False),
    ):
        script = Script([json_answer(answer)])

        async def run(service: Any, script: Script, options: Any) -> None:
            async with service.AsyncClient(KEY, http_client=script.async_client(), **options) as client:
                await client.chat("HCX-005", "질문")
                await client.chat("HCX-005", turn)

        if is_async:
            asyncio.run(run(service, script, options))
        else:
            with service.Client(KEY, http_client=script.client(), **options) as client:
                client.chat("HCX-005", "질문")
                client.chat("HCX-005", turn)
        assert script.bodies[0]["messages"] == [{"role": "user", "content": "질문"}]
        assert script.bodies[1]["messages"] == (to_clova(turn) if native else turn)


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ({"role": "user", "content": "x"}, "messages must be a str or a list of dicts"),
        (b"x", "not bytes"),
        (None, "not NoneType"),
        (3, "not int"),
        (["x"], r"messages\[0\] is str"),
        ([*QUESTION, None], r"messages\[1\] is NoneType"),
        (Completion(text="x"), "not Completion"),
    ],
)
def test_messages_of_a_wrong_type(messages: Any, words: str) -> None:
    for client in (clova.Client(KEY), gov.Client(KEY), openai.Client(KEY, base_url="http://localhost")):
        with pytest.raises(TypeError, match=words):
            client.chat("HCX-005", messages)
        with pytest.raises(TypeError, match=words):
            client.stream("HCX-005", messages)
        client.close()


def test_tool_arguments_that_clova_cannot_take() -> None:
    broken = [
        {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "[1"}}]}
    ]
    with clova.Client(KEY) as client, pytest.raises(ValueError, match=r"messages\[0\].*'f'.*JSON object"):
        client.chat("HCX-005", broken)


def test_a_str_is_no_list_of_strings() -> None:
    with clova.Client(KEY) as studio, exaone.Client(KEY) as lg, gov.Client(KEY) as public:
        for name, call in {
            "stop": lambda: studio.chat("HCX-005", "x", stop="끝"),  # type: ignore[arg-type]
            "doc_ids": lambda: lg.chat("x", doc_ids="d"),
            "file_ids": lambda: lg.files.status("f"),
            "tags": lambda: public.rag.search("x", tags="a"),
            "collection_ids": lambda: public.rag.search("x", collection_ids="a"),
            "pii_types": lambda: public.tools.pii_mask("x", pii_types="RRN"),
        }.items():
            with pytest.raises(TypeError, match=f"{name} must be a list of strings"):
                call()  # type: ignore[no-untyped-call]
        for client in (studio, studio.openai, public):
            with pytest.raises(TypeError, match="tools must be a list of dicts, not dict"):
                client.chat("HCX-005", "x", tools={"type": "function"})  # type: ignore[attr-defined]
            with pytest.raises(TypeError, match=r"tools\[0\] is str"):
                client.chat("HCX-005", "x", tools=["f"])  # type: ignore[attr-defined]
        with pytest.raises(TypeError, match="query must be a str"):
            lg.chat([{"role": "user"}])  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=r"previous_messages\[0\] is str"):
            lg.chat("x", previous_messages=["x"])  # type: ignore[list-item]
        for turns in (5, hangang.Completion(text="x")):
            with pytest.raises(
                TypeError, match=r"^previous_messages must be a list of .*, not (int|Completion)$"
            ):
                lg.chat("x", previous_messages=turns)  # type: ignore[arg-type]


@pytest.mark.parametrize("calls", [5, "x", {"id": "a"}])
def test_tool_calls_of_a_message_are_a_list(calls: Any) -> None:
    kind = type(calls).__name__
    with clova.Client(KEY) as client:
        for chat, name in ((client.chat, "tool_calls"), (client.openai.chat, "toolCalls")):
            with pytest.raises(TypeError) as error:
                chat("HCX-005", [{"role": "assistant", name: calls}])
            assert str(error.value) == f"messages[0]: {name} must be a list of dicts, not {kind}"


def test_a_value_that_json_does_not_have_is_located() -> None:
    endless: list[Any] = []
    endless.append(endless)
    place = r"body['messages'][0]['content'][1]['text']"
    with exaone.Client(KEY) as lg, openai.Client(KEY, base_url="http://127.0.0.1:9") as client:
        parts = [{"type": "text", "text": "x"}, {"type": "text", "text": b"nv-SECRET"}]
        with pytest.raises(TypeError) as error:
            client.chat("m", [{"role": "user", "content": parts}])
        assert (
            str(error.value)
            == f"{place} cannot be sent as JSON: Object of type bytes is not JSON serializable"
        )
        with pytest.raises(ValueError, match=r"^body\['temperature'\] cannot be sent as JSON: Out of range"):
            client.chat("m", "x", temperature=math.nan)
        with pytest.raises(ValueError, match=r"^body\['x'\](\[0\])+ cannot be sent as JSON: Circular"):
            client.chat("m", "x", extra_body={"x": endless})
        with pytest.raises(TypeError, match=r"^body cannot be sent as JSON: Object of type set"):
            lg.request("POST", "/v1/x", json={1})


@pytest.mark.parametrize(
    ("model", "thinking", "sent"),
    [
        ("HCX-007", True, {"effort": "low"}),
        ("HCX-007", False, {"effort": "none"}),
        ("HCX-007", "none", {"effort": "none"}),
        ("HCX-007", "high", {"effort": "high"}),
        ("HCX-007", {"effort": "medium"}, {"effort": "medium"}),
        ("HCX-007", None, None),
        ("HCX-005", False, None),
        ("HCX-003", False, None),
    ],
)
def test_thinking_of_clova(model: str, thinking: Any, sent: Any) -> None:
    script = Script([json_answer(OK_V3)])
    with clova.Client(KEY, http_client=script.client()) as client:
        client.chat(model, "x", thinking=thinking)
    assert script.bodies[0].get("thinking") == sent
    with clova.Client(KEY) as client, pytest.raises(ValueError, match="thinking must be True, False"):
        client.chat(model, "x", thinking="deep")  # type: ignore[arg-type]


@pytest.mark.parametrize("is_async", [False, True])
def test_chat_and_models_of_every_service(is_async: bool) -> None:
    """EXAONE has `chat` too, by the endpoint that `stream` uses; Gov has `models`."""
    answer = {"result_code": 200, "data": {"answer": "답", "progress_state": "answering"}}
    scripts = [Script([json_answer(answer)]), Script([json_answer({"data": [{"id": "m"}]})])]

    async def run() -> list[Any]:
        async with (
            exaone.AsyncClient(KEY, http_client=scripts[0].async_client()) as lg,
            gov.AsyncClient(KEY, http_client=scripts[1].async_client()) as public,
        ):
            return [await lg.chat("x"), await lg.chat("x", model="32b"), await public.models()]

    if is_async:
        one, two, listed = asyncio.run(run())
    else:
        with (
            exaone.Client(KEY, http_client=scripts[0].client()) as lg,
            gov.Client(KEY, http_client=scripts[1].client()) as public,
        ):
            one, two, listed = lg.chat("x"), lg.chat("x", model="32b"), public.models()
    assert one.text == two.text == "답"
    assert [request.url.path for request in scripts[0].requests] == [
        "/v1/chatexaone/chat-completion",
        "/v1/chatexaone/text-generation",
    ]
    assert listed["data"] == [{"id": "m"}]
    assert scripts[1].requests[0].url.path == "/api/v1/models"


def test_a_capture_through_the_client() -> None:
    script = Script([Answer(DATA)])
    with (
        openai.Client(KEY, base_url="http://localhost", http_client=script.client()) as client,
        client.stream("m", "x") as stream,
    ):
        events = list(stream)
    assert events == openai.StreamParser().feed(DATA)
    assert stream.completion.thinking
