"""What the clients send, what they refuse to send, and where a key never appears."""

from __future__ import annotations

import asyncio
import io
import logging
import pickle
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
from support import CAPTURES
from transports import KEY, QUESTION, SERVICES, Answer, Script, json_answer

import hangang
from hangang import clova, exaone, gov
from hangang._client.errors import CODES, service_error, status_of
from hangang._rate_limit import RateLimit, duration
from hangang.gov._client import PROFILES, AgentProfile

OK_V3 = {
    "status": {"code": "20000", "message": "OK"},
    "result": {"message": {"role": "assistant", "content": "답"}, "finishReason": "stop"},
}
OK_CHAT = {"choices": [{"index": 0, "message": {"content": "답"}, "finish_reason": "stop"}]}
OK_EXAONE = {
    "result_code": 200,
    "description": None,
    "data": {"query": "질문", "intent": "chitchat", "answer": "답", "references": [{}],
             "progress_state": "answering"},
}  # fmt: skip
OK_AGENT = {
    "jsonrpc": "2.0",
    "id": "1",
    "result": {"metadata": {"chat_session_id": 731}, "message": {"parts": [{"kind": "text", "text": "답"}]}},
}


def clova_with(script: Script, **options: Any) -> clova.Client:
    return clova.Client(KEY, http_client=script.client(), **options)


def sent(script: Script) -> tuple[str, str, Any]:
    request = script.requests[-1]
    return request.method, str(request.url), script.bodies[-1]


OF_HTTPX = {
    "test_every_method_awaited",
    "test_redirects_are_not_followed",
    "test_a_key_is_in_no_text",
    "test_a_subclass_of_an_http_client_will_do",
    "test_timeouts",
    "test_keys_and_addresses_from_the_environment",
}


@pytest.fixture(autouse=True, params=["httpx", "fast"])
def script_library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What plays the scripts that name no library: httpx, or aiohttp and urllib3 over sockets."""
    if request.param == "fast":
        if request.function.__name__ in OF_HTTPX:
            pytest.skip("it uses objects of httpx, or leaves its client object to the collector")
        monkeypatch.setattr(Script, "default", "fast")
    return str(request.param)


# --- CLOVA Studio


def test_v3_body_and_headers() -> None:
    script = Script([json_answer(OK_V3)])
    client = clova_with(script)
    whole = client.chat(
        "HCX-007",
        QUESTION,
        thinking="low",
        temperature=0.0,
        top_p=0.8,
        top_k=0,
        seed=7,
        max_completion_tokens=5120,
        repetition_penalty=1.1,
        include_ai_filters=True,
        request_id="r-1",
    )
    assert whole.text == "답"
    assert sent(script) == (
        "POST",
        "https://clovastudio.stream.ntruss.com/v3/chat-completions/HCX-007",
        {
            "messages": QUESTION,
            "temperature": 0.0,
            "topP": 0.8,
            "topK": 0,
            "seed": 7,
            "includeAiFilters": True,
            "thinking": {"effort": "low"},
            "maxCompletionTokens": 5120,
            "repetitionPenalty": 1.1,
        },
    )
    headers = script.requests[0].headers
    assert headers["authorization"] == f"Bearer {KEY}"
    assert headers["accept"] == "application/json"
    assert headers["content-type"].startswith("application/json")
    assert headers["x-ncp-clovastudio-request-id"] == "r-1"


def test_streaming_is_chosen_by_accept() -> None:
    script = Script([json_answer(OK_V3)])
    list(clova_with(script).stream("HCX-005", QUESTION))
    assert script.requests[0].headers["accept"] == "text/event-stream"
    assert "stream" not in script.bodies[0]


@pytest.mark.parametrize("model", ["HCX-003", "HCX-DASH-001"])
def test_v1_has_its_own_names(model: str) -> None:
    script = Script([json_answer(OK_V3)])
    clova_with(script).chat(
        model, QUESTION, max_tokens=256, repetition_penalty=5.0, stop=["끝"], include_ai_filters=True
    )
    assert sent(script)[1:] == (
        f"https://clovastudio.stream.ntruss.com/v1/chat-completions/{model}",
        {
            "messages": QUESTION,
            "maxTokens": 256,
            "includeAiFilters": True,
            "repeatPenalty": 5.0,
            "stopBefore": ["끝"],
        },
    )


@pytest.mark.parametrize(
    ("version", "path"),
    [
        (None, "/v3/tasks/t%2F1/chat-completions"),
        ("v2", "/v2/tasks/t%2F1/chat-completions"),
        ("v1", "/v1/tasks/t%2F1/chat-completions"),
    ],
)
def test_tuned_tasks(version: str | None, path: str) -> None:
    script = Script([json_answer(OK_V3)])
    clova_with(script).chat(None, QUESTION, task_id="t/1", version=version, stop=["x"])
    assert script.requests[0].url.raw_path.decode() == path
    assert ("stop" in script.bodies[0]) == (version is None)


@pytest.mark.parametrize("prefix", ["/testapp", "/serviceapp"])
def test_old_prefixes_and_the_public_region(prefix: str) -> None:
    script = Script([json_answer(OK_V3)])
    base = "https://clovastudio.stream.gov-ntruss.com"
    client = clova_with(script, prefix=prefix, base_url=base)
    client.chat("HCX-005", QUESTION)
    assert sent(script)[1] == f"{base}{prefix}/v3/chat-completions/HCX-005"
    client.embedding("글")
    assert sent(script)[1] == f"{base}{prefix}/v1/api-tools/embedding/v2"


def test_the_deprecated_header_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script([json_answer(OK_V3)])
    clova.Client("old", apigw_api_key="gw", http_client=script.client()).chat("HCX-003", QUESTION)
    headers = script.requests[0].headers
    assert (headers["x-ncp-clovastudio-api-key"], headers["x-ncp-apigw-api-key"]) == ("old", "gw")
    assert "authorization" not in headers


def test_messages_tools_and_images_travel_as_they_are() -> None:
    script = Script([json_answer(OK_V3)])
    image = {"role": "user", "content": [{"type": "image_url", "imageUrl": {"url": "https://x/y.png"}}]}
    clova_with(script).chat("HCX-005", [image], extra_body={"x": 1}, extra_headers={"x-y": "z"})
    assert script.bodies[0] == {"messages": [image], "x": 1}
    assert script.requests[0].headers["x-y"] == "z"
    tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
    clova_with(script).chat(
        "HCX-007", QUESTION, tools=[tool], tool_choice="auto", thinking="none", max_tokens=1024
    )
    assert script.bodies[1]["tools"] == [tool]
    schema = {"type": "json", "schema": {"type": "object"}}
    clova_with(script).chat("HCX-007", QUESTION, response_format=schema, thinking="none")
    assert script.bodies[2]["responseFormat"] == schema


TOOL = [{"type": "function", "function": {"name": "f"}}]
IMAGE = [{"role": "user", "content": [{"type": "image_url", "imageUrl": {"url": "u"}}]}]


@pytest.mark.parametrize(
    ("model", "messages", "options", "rule"),
    [
        ("HCX-007", QUESTION, {"tools": TOOL}, "tools cannot be combined with thinking.*thinking='none'"),
        ("HCX-007", QUESTION, {"tools": TOOL, "thinking": "low"}, "tools cannot be combined with thinking"),
        ("HCX-007", QUESTION, {"tools": TOOL, "thinking": {"effort": "high"}}, "thinking"),
        ("HCX-007", QUESTION, {"stop": ["x"]}, "stop cannot be combined with thinking"),
        ("HCX-007", QUESTION, {"response_format": {}}, "response_format cannot be combined with thinking"),
        ("HCX-007", QUESTION, {"max_tokens": 100}, "max_tokens cannot be.*use max_completion_tokens"),
        ("HCX-005", QUESTION, {"max_tokens": 1, "max_completion_tokens": 1}, "exclude each other"),
        ("HCX-005", QUESTION, {"tools": TOOL, "response_format": {}}, "exclude each other"),
        ("HCX-005", IMAGE, {"tools": TOOL}, "image parts"),
        ("HCX-005", [{"role": "system", "content": "a"}] * 2, {}, "one system message"),
        ("HCX-005", [{"role": "assistant", "content": "a", "thinkingContent": "b"}], {}, "thinkingContent"),
        ("HCX-003", QUESTION, {"tools": TOOL}, "v1 of the chat API has no field tools"),
        ("HCX-003", QUESTION, {"thinking": "none"}, "v1 of the chat API has no field thinking"),
        ("HCX-005", QUESTION, {"version": "v2"}, "tuned tasks only"),
        ("HCX-005", QUESTION, {"version": "v9"}, "version must be"),
        (None, QUESTION, {}, "either a model or task_id"),
        ("HCX-005", QUESTION, {"task_id": "t"}, "either a model or task_id"),
        ("..", QUESTION, {}, "model must not be"),
        ("HCX-005", QUESTION, {"request_id": "a\nb"}, "visible ASCII"),
    ],
)
def test_documented_refusals_are_raised_before_sending(
    model: Any, messages: Any, options: Any, rule: str
) -> None:
    script = Script([json_answer(OK_V3)])
    client = clova_with(script)
    for method in (client.chat, client.stream):
        with pytest.raises(ValueError, match=rule):
            method(model, messages, **options)
    assert script.requests == []


def test_what_is_allowed_is_sent() -> None:
    script = Script([json_answer(OK_V3)])
    client = clova_with(script)
    client.chat("HCX-007", QUESTION, tools=TOOL, thinking="none", stop=["x"], max_tokens=1024)
    client.chat("HCX-005", QUESTION, tools=TOOL, stop=["x"], max_tokens=1024)
    client.chat("HCX-007", QUESTION, max_completion_tokens=100)
    client.chat("HCX-005", [{"role": "system", "content": "a"}, *QUESTION], temperature=99.0)
    assert len(script.requests) == 4


def test_embedding_and_tokenizers() -> None:
    def answer(result: Any) -> Answer:
        return json_answer({"status": {"code": "20000", "message": "OK"}, "result": result}, x_request_id="q")

    script = Script([answer({"embedding": [0.5], "inputTokens": 2}), answer({"numTokens": 3}), answer({})])
    client = clova_with(script)
    embedding = client.embedding("글")
    assert (embedding["embedding"], embedding.status, embedding.request_id) == ([0.5], 200, "q")
    assert embedding.json()["status"]["code"] == "20000"
    assert "embedding" in repr(embedding)
    assert client.count_embedding_tokens("글").data == {"numTokens": 3}
    client.count_chat_tokens("HCX-005", QUESTION, tools=TOOL)
    client.count_chat_tokens("HCX-003", QUESTION)
    assert [request.url.path for request in script.requests] == [
        "/v1/api-tools/embedding/v2",
        "/v1/api-tools/embedding/v2/tokenize",
        "/v3/api-tools/chat-tokenize/HCX-005",
        "/v1/api-tools/chat-tokenize/HCX-003",
    ]
    assert script.bodies[2] == {"messages": QUESTION, "tools": TOOL}


def test_the_compatible_base() -> None:
    script = Script([json_answer(OK_CHAT)])
    client = clova_with(script, prefix="/testapp")
    assert client.openai.chat("HCX-005", QUESTION, max_tokens=5, stop=None).text == "답"
    assert sent(script) == (
        "POST",
        "https://clovastudio.stream.ntruss.com/v1/openai/chat/completions",
        {"model": "HCX-005", "messages": QUESTION, "max_tokens": 5},
    )
    list(client.openai.stream("HCX-005", QUESTION))
    assert script.bodies[1] == {"model": "HCX-005", "messages": QUESTION, "stream": True}
    client.openai.embeddings(["가", "나"])
    assert script.bodies[2] == {"input": ["가", "나"], "model": "bge-m3", "encoding_format": "float"}
    client.openai.models()
    assert sent(script) == ("GET", "https://clovastudio.stream.ntruss.com/v1/openai/models", None)
    with pytest.raises(TypeError, match="extra_body"):
        client.openai.chat("HCX-005", QUESTION, topK=3)  # type: ignore[call-arg]


# --- EXAONE


def exaone_with(script: Script, **options: Any) -> exaone.Client:
    return exaone.Client(KEY, http_client=script.client(), **options)


def test_exaone_questions() -> None:
    script = Script([json_answer(OK_EXAONE)])
    client = exaone_with(script)
    first = client.chat_completion("질문", doc_ids=["d"], temperature=0.8)
    assert (first.text, first.intent) == ("답", "chitchat")
    assert sent(script) == (
        "POST",
        "https://api.lgresearch.ai/v1/chatexaone/chat-completion",
        {"query": "질문", "doc_ids": ["d"], "temperature": 0.8},
    )
    assert script.requests[0].headers["x-api-key"] == KEY
    assert "authorization" not in script.requests[0].headers
    client.text_generation("다음", previous_messages=[first, {"query": "q", "intent": "", "answer": "a"}])
    assert sent(script)[1:] == (
        "https://api.lgresearch.ai/v1/chatexaone/text-generation",
        {
            "query": "다음",
            "model": "32b",
            "previous_messages": [
                {"query": "질문", "intent": "chitchat", "answer": "답"},
                {"query": "q", "intent": "", "answer": "a"},
            ],
        },
    )
    list(client.stream("질문", model="32b"))
    assert sent(script)[1].endswith("/text-generation")
    assert script.requests[-1].headers["accept"] == "*/*"
    list(client.stream("질문"))
    assert sent(script)[1].endswith("/chat-completion")
    with pytest.raises(ValueError, match="takes no model"):
        client.stream("질문", model="32b", doc_ids=["d"])


def test_exaone_other_spelling_of_the_history() -> None:
    script = Script([json_answer(OK_EXAONE)])
    client = exaone_with(script, previous_field="previous_message")
    client.chat_completion("질문", previous_messages=[{"query": "q", "intent": "", "answer": "a"}])
    assert "previous_message" in script.bodies[0]
    with pytest.raises(ValueError, match="previous_field"):
        exaone.Client(KEY, previous_field="history")  # type: ignore[arg-type]


def test_exaone_upload(tmp_path: Path) -> None:
    script = Script([json_answer({"result_code": 200, "files": [{"id": "f1", "name": "a.pdf"}]})])
    client = exaone_with(script)
    path = tmp_path / "문서.hwp"
    path.write_bytes(b"HWP")
    answer = client.files.upload(
        path, ("b.pdf", b"PDF"), ("c.bin", io.BytesIO(b"BIN"), "application/x-c"), b"raw", upsert=True
    )
    assert answer["files"][0]["id"] == "f1"
    content = script.requests[0].content
    assert content.count(b'name="files"') == 4
    for part in (b"application/x-hwp", b"application/pdf", b"application/x-c", b"application/octet-stream"):
        assert part in content
    assert b'name="upsert"\r\n\r\ntrue' in content
    assert script.requests[0].headers["content-type"].startswith("multipart/form-data")


def test_exaone_files_are_checked_before_sending(tmp_path: Path) -> None:
    script = Script([json_answer({"result_code": 200, "files": []})])
    client = exaone_with(script)
    for file in (b"x" * (30 * 2**20 + 1), io.BytesIO(b"x" * (30 * 2**20 + 1))):
        with pytest.raises(hangang.PayloadTooLargeError, match="30 MB"):
            client.files.upload(file)
    with pytest.raises(TypeError, match="binary"):
        client.files.upload(io.StringIO("x"))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="a file is"):
        client.files.upload(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="nothing"):
        client.files.upload()
    assert script.requests == []
    client.files.upload(b"x" * (30 * 2**20))


def test_exaone_files_status_wait_list_delete() -> None:
    def files(*status: str) -> Answer:
        return json_answer(
            {"result_code": 200, "files": [{"id": str(i), "status": s} for i, s in enumerate(status)]}
        )

    script = Script([files("processing", "ready"), files("ready", "ready"), files("failed")])
    client = exaone_with(script)
    assert client.files.wait(["0", "1"], interval=0.001)["files"][0]["status"] == "ready"
    assert script.bodies[0] == {"file_ids": ["0", "1"]}
    with pytest.raises(hangang.APIError, match="could not read: 0"):
        client.files.wait(["0"])
    script.answers = [files("processing")]
    with pytest.raises(hangang.APITimeoutError, match="not ready"):
        client.files.wait(["0"], interval=0.001, timeout=0.01)
    client.files.list()
    client.files.delete(["0"])
    assert sent(script) == ("DELETE", "https://api.lgresearch.ai/v1/files", {"file_ids": ["0"]})
    with pytest.raises(ValueError, match="file_ids"):
        client.files.delete([])


def test_exaone_request_reaches_any_path() -> None:
    script = Script([json_answer({"result_code": 200, "x": 1})])
    client = exaone_with(script)
    assert (
        client.request("post", "/v1/web-qa", json={"a": 1}, params={"p": "q"}, headers={"X-A": "b"})["x"] == 1
    )
    assert sent(script) == ("POST", "https://api.lgresearch.ai/v1/web-qa?p=q", {"a": 1})
    assert (script.requests[0].headers["x-a"], script.requests[0].headers["x-api-key"]) == ("b", KEY)
    client.request("POST", "/v1/x", files={"f": [("a.txt", b"A"), ("b.txt", b"B")]}, data={"t": "v"})
    assert script.requests[1].content.count(b'name="f"') == 2
    script.answers = [json_answer(OK_EXAONE)]
    with client.request("POST", "/v1/code-qa", json={}, stream=True) as stream:
        assert [event.text for event in stream] == ["답"]
    script.answers = [Answer(b"plain", headers={"content-type": "text/plain"})]
    answer = client.request("GET", "/v1/x")
    assert (answer.data, answer.text) == (None, "plain")
    for path in ("https://evil.example/x", "x", "@evil.example/", "/a b", "/a\nb", "/x#y"):
        with pytest.raises(ValueError, match="path must begin"):
            client.request("GET", path)
    with pytest.raises(ValueError, match="one form"):
        client.request("POST", "/x", json={}, data={})
    client.request("GET", "//evil.example/x")
    assert script.requests[-1].url.host == "api.lgresearch.ai"


# --- Gov


def gov_with(script: Script, **options: Any) -> gov.Client:
    return gov.Client(KEY, http_client=script.client(), **options)


def test_gov_chat() -> None:
    script = Script([json_answer(OK_CHAT)])
    client = gov_with(script)
    options: Any = {"temperature": 2.0, "chat_template_kwargs": {"skip_reasoning": True}}
    client.chat("HCX-GOV-THINK", QUESTION, **options)
    assert sent(script) == (
        "POST",
        "https://api.clovastudio.go.kr/api/v1/chat/completions",
        {"model": "HCX-GOV-THINK", "messages": QUESTION, **options},
    )
    gov_with(script, chat_path="/v1/chat/completions").chat("HCX-GOV", QUESTION)
    assert sent(script)[1] == "https://api.clovastudio.go.kr/v1/chat/completions"


def test_agents_as_the_faq_asks_for_them() -> None:
    script = Script([json_answer(OK_AGENT)])
    client = gov_with(script, team_id=7)
    first = client.agents.send("a/1", "사용자 질문", message_id="msg-1")
    assert (first.text, first.chat_session_id) == ("답", 731)
    method, url, body = sent(script)
    assert (method, url) == ("POST", "https://api.clovastudio.go.kr/api/v1/teams/7/agent/a%2F1/a2a")
    assert body.pop("id")
    assert body == {
        "jsonrpc": "2.0",
        "method": "message/send",
        "params": {"message": {"role": "user", "messageId": "msg-1", "parts": [{"text": "사용자 질문"}]}},
    }
    client.agents.send("a", "그 다음", previous=first, metadata={"x": 1})
    params = script.bodies[1]["params"]
    assert params["metadata"] == {"x": 1, "chat_session_id": 731}
    assert len({b["params"]["message"]["messageId"] for b in script.bodies}) == 2, "a fresh id each time"
    assert "a2a-version" not in script.requests[0].headers
    list(client.agents.stream("a", "질문"))
    assert (script.bodies[2]["method"], script.requests[2].headers["accept"]) == (
        "message/stream",
        "text/event-stream",
    )


def test_agent_profiles() -> None:
    script = Script([json_answer(OK_AGENT)])
    client = gov_with(script)
    gateway = "https://gateway-api.clova-studio-gov.com"
    client.agents.send("slug", "질문", profile="v1", chat_session_id=5)
    assert sent(script)[1] == f"{gateway}/api/v1/external/agents/slug/a2a"
    message = script.bodies[0]["params"]["message"]
    assert (message["kind"], message["parts"]) == ("message", [{"kind": "text", "text": "질문"}])
    assert script.bodies[0]["params"]["metadata"] == {"chat_session_id": 5}

    list(client.agents.stream("slug", "질문", profile="v2", context_id="c"))
    assert sent(script)[1] == f"{gateway}/api/v1/external/agents/v2/slug/a2a"
    assert script.bodies[1]["method"] == "SendStreamingMessage"
    message = script.bodies[1]["params"]["message"]
    assert (message["role"], message["contextId"], message["parts"]) == ("user", "c", [{"text": "질문"}])
    assert "a2a-version" not in script.requests[1].headers

    client.agents.send(None, [{"text": "가"}, {"data": 1}], profile="1.0", path="/mine", task_id="t")
    assert sent(script)[1] == "https://api.clovastudio.go.kr/mine"
    assert script.requests[2].headers["a2a-version"] == "1.0"
    assert script.bodies[2]["method"] == "SendMessage"
    assert script.bodies[2]["params"]["message"]["role"] == "ROLE_USER"
    assert script.bodies[2]["params"]["message"]["taskId"] == "t"

    mine = AgentProfile(path="/x/{agent_id}", send_method="m")
    client.agents.send("y", "질문", profile=mine, configuration={"blocking": True})
    assert (sent(script)[1], script.bodies[3]["method"]) == ("https://api.clovastudio.go.kr/x/y", "m")
    assert script.bodies[3]["params"]["configuration"] == {"blocking": True}
    assert set(PROFILES) == {"faq", "v1", "v2", "1.0", "0.3"}
    for agent_id, options, words in (("a", {}, "team_id"), (None, {"profile": "v1"}, "agent_id"),
                                     ("a", {"profile": "v9"}, "profile")):  # fmt: skip
        with pytest.raises(ValueError, match=words):
            client.agents.send(agent_id, "질문", **options)  # type: ignore[arg-type]


def test_agents_go_to_ones_own_base_url() -> None:
    script = Script([json_answer(OK_AGENT)])
    gov_with(script, base_url="http://127.0.0.1:1").agents.send("s", "질문", profile="v1")
    assert sent(script)[1] == "http://127.0.0.1:1/api/v1/external/agents/s/a2a"


def test_a_task_that_waits_for_input_is_continued() -> None:
    waiting = {"jsonrpc": "2.0", "id": 1, "result": {"task": {"id": "t1", "contextId": "c1",
               "status": {"state": "TASK_STATE_INPUT_REQUIRED"}}}}  # fmt: skip
    script = Script([json_answer(waiting)])
    client = gov_with(script, agent_profile="1.0")
    first = client.agents.send(None, "질문")
    client.agents.send(None, "답", previous=first)
    message = script.bodies[1]["params"]["message"]
    assert (message["contextId"], message["taskId"]) == ("c1", "t1")


def test_gov_second_profile_ends_with_the_last_chunk() -> None:
    def frame(result: Any) -> bytes:
        return b"data: " + bytes(json_answer({"jsonrpc": "2.0", "id": "1", "result": result}).body) + b"\n\n"  # type: ignore[arg-type]

    artifact = {"artifactId": "result", "parts": [{"text": "답"}]}
    body = frame({"task": {"id": "t", "status": {"state": "TASK_STATE_SUBMITTED"}}}) + frame(
        {"artifactUpdate": {"artifact": artifact, "lastChunk": True}}
    )
    client = gov_with(Script([Answer(body)]), team_id=1)
    with client.agents.stream("s", "질문", profile="v2") as stream:
        assert stream.read().text == "답"
    with pytest.raises(hangang.TruncatedStreamError), client.agents.stream("s", "질문") as stream:
        stream.read()


def test_rag_paths() -> None:
    script = Script([json_answer({"status": {"code": "20000"}, "result": {"id": "c"}})])
    rag = gov_with(script, tenant_id="t").rag
    assert rag.collections.create("이름", search_config={"mode": "hybrid", "alpha": 0.5})["id"] == "c"
    rag.collections.list(size=10, start=20)
    rag.collections.get("c")
    rag.collections.update("c", name="n")
    rag.collections.delete("c")
    rag.documents.upload("c", ("a.txt", b"A"), title="제목", tags=["태그"], metadata={"k": 1})
    rag.documents.list("c")
    rag.documents.get("c", "d")
    rag.documents.update("c", "d", tags=["x"])
    rag.documents.delete("c", "d")
    rag.chunks.list("c", "d")
    rag.chunks.create("c", "d", content="내용", title="t")
    rag.chunks.get("c", "d", "k")
    rag.chunks.update("c", "d", "k", content="z")
    rag.chunks.delete("c", "d", "k")
    rag.search(
        "질의", collection_ids=["c"], search_type="hybrid", rerank=True, tags=["x"], top_k=3, alpha=0.5
    )
    asked = [f"{r.method} {r.url.raw_path.decode()}" for r in script.requests]
    c, d, k = "/v1/rag42/collections/c", "/documents/d", "/chunks/k"
    assert asked == [
        "POST /v1/rag42/collections", "GET /v1/rag42/collections?size=10&from=20", f"GET {c}", f"PATCH {c}",
        f"DELETE {c}", f"POST {c}/documents/upload", f"GET {c}/documents", f"GET {c}{d}", f"PATCH {c}{d}",
        f"DELETE {c}{d}", f"GET {c}{d}/chunks", f"POST {c}{d}/chunks", f"GET {c}{d}{k}", f"PATCH {c}{d}{k}",
        f"DELETE {c}{d}{k}", "POST /v1/rag42/search",
    ]  # fmt: skip
    assert all(r.headers["csg-tenant-id"] == "t" for r in script.requests)
    assert script.requests[5].content.count(b"Content-Disposition") == 4
    assert sent(script)[2] == {
        "query": "질의", "collection_ids": ["c"], "search_type": "hybrid", "top_k": 3, "alpha": 0.5,
        "rerank": True, "tags": ["x"],
    }  # fmt: skip


def test_tools_paths() -> None:
    script = Script([json_answer({"status": {"code": "20000"}, "result": {"masked_text": "[EMAIL]"}})])
    tools = gov_with(script).tools
    assert tools.pii_mask("a@b.c", mask_types=["email"])["masked_text"] == "[EMAIL]"
    tools.pii_mask("x", pii_types=["RRN"])
    tools.embeddings(["가"], dimensions=8)
    tools.parse_document(("a.pdf", b"x"), parser="lomin")
    tools.transcribe(("a.wav", b"RIFF"), language="ko", timestamps=["word", "segment"])
    script.answers = [Answer(b"RIFF\x00\xff", headers={"content-type": "audio/wav"})]
    sound = tools.speech("안녕", voice="nara", speed=1.2, pitch=-1)
    assert (sound.body, sound.data) == (b"RIFF\x00\xff", None)
    assert [r.url.path for r in script.requests] == [
        "/v1/tools/pii-mask", "/v1/text/pii-mask", "/v1/text/embeddings", "/v1/tools/document-parser/lomin",
        "/v1/audio/transcriptions", "/v1/audio/speech",
    ]  # fmt: skip
    assert script.requests[4].content.count(b'name="timestamp_granularities[]"') == 2
    assert b"verbose_json" in script.requests[4].content
    assert sent(script)[2] == {"input": "안녕", "voice": "nara", "speed": 1.2, "pitch": -1}


def test_an_answer_that_is_not_json_is_an_error() -> None:
    script = Script([Answer(b"<html>", headers={"content-type": "text/html"})])
    with pytest.raises(hangang.APIError, match="not JSON but text/html"):
        gov_with(script).tools.embeddings("가")
    script = Script([json_answer({"status": {"code": "40400", "message": "no"}})])
    with pytest.raises(hangang.NotFoundError):
        gov_with(script).rag.collections.get("c")


def test_errors_can_be_pickled() -> None:
    data = (CAPTURES / "clova" / "error_midstream.sse").read_bytes()
    with pytest.raises(hangang.StreamError) as caught:
        clova_with(Script([Answer(data)])).chat("HCX-005", QUESTION)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.code, again.completion) == ("42901", caught.value.completion)  # type: ignore[attr-defined]


# --- the same, awaited


def test_every_method_awaited() -> None:
    def script(value: Any) -> Script:
        return Script([json_answer(value)])

    async def run() -> None:
        one, two, three = script(OK_V3), script(OK_EXAONE), script(OK_CHAT)
        async with clova.AsyncClient(KEY, http_client=one.async_client()) as c:
            assert (await c.chat("HCX-005", QUESTION)).text == "답"
            await c.embedding("글")
            await c.count_embedding_tokens("글")
            await c.count_chat_tokens("HCX-005", QUESTION)
            one.answers = [json_answer(OK_CHAT)]
            assert (await c.openai.chat("HCX-005", QUESTION)).text == "답"
            await c.openai.embeddings("글")
            await c.openai.models()
            async with c.openai.stream("HCX-005", QUESTION) as stream:
                assert (await stream.read()).text == "답"
            with pytest.raises(ValueError, match="thinking"):
                await c.chat("HCX-007", QUESTION, stop=["x"])
        async with exaone.AsyncClient(KEY, http_client=two.async_client()) as e:
            assert (await e.chat_completion("질문")).text == "답"
            assert (await e.text_generation("질문")).text == "답"
            assert (await e.request("POST", "/v1/x", json={}))["result_code"] == 200
            async with e.request("POST", "/v1/x", json={}, stream=True) as stream:
                assert [event.text async for event in stream] == ["답"]
            two.answers = [json_answer({"result_code": 200, "files": [{"id": "1", "status": "ready"}]})]
            await e.files.upload(b"x")
            await e.files.status(["1"])
            await e.files.wait(["1"])
            await e.files.list()
            await e.files.delete(["1"])
            two.answers = [json_answer({"result_code": 200, "files": [{"id": "1", "status": "processing"}]})]
            with pytest.raises(hangang.APITimeoutError):
                await e.files.wait(["1"], interval=0.001, timeout=0.01)
        async with gov.AsyncClient(KEY, http_client=three.async_client(), team_id=1) as g:
            assert (await g.chat("HCX-GOV", QUESTION)).text == "답"
            three.answers = [json_answer(OK_AGENT)]
            assert (await g.agents.send("a", "질문")).text == "답"
            async with g.agents.stream("a", "질문") as stream:
                assert (await stream.read()).chat_session_id == 731
            three.answers = [json_answer({"status": {"code": "20000"}, "result": {"id": "c"}})]
            assert (await g.rag.collections.create("이름"))["id"] == "c"
            assert (await g.rag.documents.upload("c", b"x"))["id"] == "c"
            assert (await g.rag.search("질의"))["id"] == "c"
            assert (await g.tools.pii_mask("x"))["id"] == "c"

    asyncio.run(run())


# --- keys


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize("bad", ["a\nb", "a\r", "key\x00", "a b", "키", "\x7f"])
def test_a_key_that_cannot_be_one_is_refused_and_not_shown(name: str, bad: str) -> None:
    for kind in (SERVICES[name].client, SERVICES[name].async_client):
        with pytest.raises(ValueError, match="api_key holds a character") as caught:
            kind("SECRET" + bad)
        assert "SECRET" not in str(caught.value)
        with pytest.raises(TypeError, match="api_key must be a str, not bytes") as wrong:
            kind(b"SECRET")
        assert "SECRET" not in str(wrong.value)


VARIABLES = {
    "clova": ("CLOVA_STUDIO_API_KEY", "CLOVA_STUDIO_BASE_URL", clova.Client),
    "exaone": ("EXAONE_API_KEY", "EXAONE_BASE_URL", exaone.Client),
    "gov": ("CLOVA_STUDIO_GOV_API_KEY", "CLOVA_STUDIO_GOV_BASE_URL", gov.Client),
}


@pytest.mark.parametrize("name", VARIABLES)
def test_keys_and_addresses_from_the_environment(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    key, base, client = VARIABLES[name]
    monkeypatch.delenv(key, raising=False)
    with pytest.raises(ValueError, match=f"pass api_key= or set {key}"):
        client()
    monkeypatch.setenv(key, "from-env")
    monkeypatch.setenv(base, "http://localhost:9/")
    script = Script([json_answer(OK_CHAT)])
    with client(http_client=script.client()) as made:
        assert made.base_url == "http://localhost:9"
        if isinstance(made, gov.Client):
            made.chat("m", QUESTION)
            assert script.requests[0].headers["authorization"] == "Bearer from-env"
            assert str(script.requests[0].url).startswith("http://localhost:9/api")


def test_a_404_names_the_address() -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(404, json={"detail": "Not Found"}))
    noted = ["POST /chat/completions, base_url http://127.0.0.1:8000"]
    with httpx.Client(transport=transport) as http, pytest.raises(hangang.NotFoundError) as caught:
        hangang.openai.Client(base_url="http://127.0.0.1:8000", http_client=http).chat("m", "?")
    assert caught.value.__notes__ == noted

    async def awaited() -> None:
        async with httpx.AsyncClient(transport=transport) as http:
            client = hangang.openai.AsyncClient(base_url="http://127.0.0.1:8000", http_client=http)
            await client.chat("m", "?")

    with pytest.raises(hangang.NotFoundError) as caught:
        asyncio.run(awaited())
    assert caught.value.__notes__ == noted
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.__notes__) == (str(caught.value), noted)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://api.example", "unencrypted"),
        ("http://10.0.0.1", "unencrypted"),
        ("http://localhost.example", "unencrypted"),
        ("http://127.0.0.1.example", "unencrypted"),
        ("ftp://api.example", "absolute http"),
        ("api.example", "absolute http"),
        ("https://", "absolute http"),
        ("https://a b", "absolute http"),
        ("https://user:pass@api.example", "user name"),
        ("https://api.example?x=1", "query"),
    ],
)
def test_addresses_that_a_key_is_not_sent_to(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        clova.Client(KEY, base_url=url)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000", "http://localhost", "http://[::1]:1", "http://127.9.9.9"]
)
def test_loopback_may_be_plain(url: str) -> None:
    clova.Client(KEY, base_url=url).close()
    clova.Client(KEY, base_url="http://10.0.0.1", allow_insecure=True).close()


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize(
    "target", ["https://evil.example/steal?key=1", "http://u:p@evil.example/", "/elsewhere", ""]
)
def test_redirects_are_not_followed(name: str, target: str) -> None:
    script = Script([json_answer({}, 307, location=target)])
    for http in (script.client(), httpx.Client(transport=script.transport(), follow_redirects=True)):
        client = SERVICES[name].client(KEY, http_client=http)
        with pytest.raises(hangang.APIError, match="redirects to") as caught, SERVICES[name].open(client):
            pass
        assert caught.value.status == 307
        words = str(caught.value)
        assert KEY not in words
        assert "u:p" not in words
        assert "key=1" not in words
        assert ("evil.example" in words) == ("evil" in target)
    assert len(script.requests) == 2


@pytest.mark.parametrize("name", SERVICES)
def test_a_key_is_in_no_text(name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    service = SERVICES[name]
    echo = {"error": {"message": f"Invalid API key provided: {KEY}", "code": 400}, "key": KEY}
    broken = Answer(error=lambda request: httpx.ConnectError(f"cannot reach with {KEY}", request=request))
    event = f'data:{{"error":{{"message":"key {KEY}","code":400}}}}\n\n'.encode()
    for answer in (json_answer(echo, 400), json_answer(echo), broken, Answer(event), json_answer({}, 503)):
        script = Script([answer])
        client = service.client(KEY, http_client=script.client(), max_retries=1)
        try:
            with service.open(client) as stream:
                list(stream)
        except (hangang.APIError, hangang.ParseError) as error:
            caught: Any = error
        texts = [str(caught), repr(caught), repr(client), repr(vars(client)), repr(stream_of(service, client)),
                 repr(getattr(caught, "body", "")), str(script.requests[0].url)]  # fmt: skip
        if answer is not broken:  # there it is the HTTP library's own text that has it
            texts += traceback.format_exception(caught)
            texts.append(repr(pickle.loads(pickle.dumps(caught))))
        assert all(KEY not in text for text in texts), texts
    assert all(KEY not in record.getMessage() for record in caplog.records)
    assert any(record.name == "hangang.http" for record in caplog.records)


def stream_of(service: Any, client: Any) -> Any:
    return service.open(client)


def test_headers_of_the_caller_cannot_replace_the_key() -> None:
    script = Script([json_answer(OK_V3)])
    client = clova_with(script, headers={"Authorization": "Bearer other", "X-Mine": "1"})
    client.chat("HCX-005", QUESTION, extra_headers={"AUTHORIZATION": "Bearer third"})
    assert script.requests[0].headers.get_list("authorization") == [f"Bearer {KEY}"]
    assert script.requests[0].headers["x-mine"] == "1"


# --- configuration


def test_the_http_client_must_be_of_the_right_kind() -> None:
    for made, client in ((httpx.AsyncClient(), clova.Client), (httpx2.Client(), clova.AsyncClient)):
        with pytest.raises(TypeError, match="http_client must be a httpx"):
            client(KEY, http_client=made)  # type: ignore[arg-type]
    fitting = r"httpx\.Client, httpx2\.Client or urllib3\.PoolManager here, not a builtins\.object"
    with pytest.raises(TypeError, match=fitting):
        clova.Client(KEY, http_client=object())  # type: ignore[arg-type]


def test_an_http_client_that_was_passed_in_stays_open() -> None:
    for library in (httpx, httpx2):
        http = library.Client()
        clova.Client(KEY, http_client=http).close()
        assert not http.is_closed
        http.close()
    own = clova.Client(KEY)
    own.close()
    assert own._transport._adapter.http.is_closed


def test_a_subclass_of_an_http_client_will_do() -> None:
    class Mine(httpx.Client):
        pass

    script = Script([json_answer(OK_V3)])
    with Mine(transport=script.transport()) as http:
        assert clova.Client(KEY, http_client=http).chat("HCX-005", QUESTION).text == "답"


def test_timeouts() -> None:
    script = Script([json_answer(OK_V3)])

    def used(**options: Any) -> Any:
        http = options.pop("http", None) or script.client()
        clova.Client(KEY, http_client=http, **options).chat("HCX-005", QUESTION)
        return script.requests[-1].extensions["timeout"]

    assert used() == {"connect": 5.0, "read": 5.0, "write": 5.0, "pool": 5.0}, "the caller's own"
    assert used(timeout=3) == {"connect": 3, "read": 3, "write": 3, "pool": 3}
    assert used(timeout=httpx.Timeout(1, read=None))["read"] is None
    with pytest.raises(ValueError, match="timeout must be"):
        clova.Client(KEY, timeout=0)
    with pytest.raises(ValueError, match="stall_timeout must be"):
        clova.Client(KEY, stall_timeout=-1)
    with pytest.raises(ValueError, match="max_retries must be"):
        clova.Client(KEY, max_retries=-1)
    with pytest.raises(ValueError, match="prefix must be"):
        clova.Client(KEY, prefix="testapp/")


def test_rate_limits_are_readable_on_every_answer() -> None:
    headers = {"x_ratelimit_limit_requests": "60", "x_ratelimit_remaining_requests": "59",
               "x_ratelimit_reset_requests": "1m0s", "x_ratelimit_remaining_tokens": "100",
               "x_ratelimit_reset_tokens": "6s"}  # fmt: skip
    wanted = RateLimit(60, 59, 60.0, None, 100, 6.0)
    script = Script([json_answer(OK_V3, **headers)])
    client = clova_with(script)
    with client.stream("HCX-005", QUESTION) as stream:
        stream.read()
    assert wanted == stream.rate_limit == client.chat("HCX-005", QUESTION).rate_limit
    assert client.embedding("x").rate_limit == wanted
    assert stream.rate_limit.headers["x-ratelimit-reset-tokens"] == "6s"
    gov_limit = RateLimit.of(httpx.Headers({"X-RateLimit-Remaining": "3", "Retry-After": "x"}))
    assert (gov_limit.remaining_requests, gov_limit.wait) == (3, None)
    assert RateLimit.of({}).wait is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2.5s", 2.5), ("6s", 6), ("1m30s", 90), ("120ms", 0.12), ("1h2m3.5s", 3723.5), ("15µs", 15e-6),
     ("12", 12), ("0s", 0), ("", None), ("s", None), ("-1s", None), ("1s!", None), ("1_0s", None), ("１s", None)],
)  # fmt: skip
def test_go_durations(text: str, seconds: float | None) -> None:
    assert duration(text) == (pytest.approx(seconds) if seconds is not None else None)


# Read by hand from [clova §7.2], beside the code's own table.
DOCUMENTED = {
    400: "40000 40001 40002 40003 40004 40005 40006 40009 40055 40060 40061 40063 40080 40082 40083 40084 61002 "
         "61004 61005 62001 63001 63002 64400 65001 65400",
    401: "40100 40101 40102 40103 40104 40170", 403: "40300 40301", 404: "40400", 406: "40600", 408: "40800",
    413: "41300", 415: "41500 41501", 422: "42200", 424: "42400", 429: "42900 42901 42902 42903 64429",
    500: "50000 64000 64424 64500 65002", 501: "50100", 503: "50300", 504: "50400",
}  # fmt: skip
AGAIN = {"40063", "40800", "42400", "42900", "42901", "42902", "42903", "64429",
         "50000", "50300", "50400", "64000", "64424", "64500", "65002"}  # fmt: skip


def test_every_documented_code_has_its_status_and_its_remedy() -> None:
    told = {code: status for status, codes in DOCUMENTED.items() for code in codes.split()}
    assert {code: status for code, (status, _) in CODES.items()} == told
    assert {code for code, (_, again) in CODES.items() if again} == AGAIN
    for code, status in told.items():
        assert status_of(code) == status
        script = Script([json_answer({"status": {"code": code, "message": "m"}}, status)])
        with pytest.raises(hangang.APIError.for_status(status)) as caught:
            clova_with(script, max_retries=0).chat("HCX-005", QUESTION)
        assert (caught.value.code, caught.value.status) == (code, status)


def test_codes_that_no_table_has() -> None:
    assert status_of("42999") == 429
    assert status_of("99999") is status_of(None) is status_of("x", "y") is status_of(-5) is None
    assert (status_of(500), status_of("404"), status_of(None, "BadRequestError")) == (500, 404, 400)
    assert (
        service_error([])
        is service_error({"status": {"code": "20000"}})
        is service_error({"result_code": 200})
        is None
    )
    assert service_error({"id": 1, "error_message": None, "error": ""}) is None
    assert (
        service_error({"error": {}}) is service_error({"error": None}) is service_error({"result": 1}) is None
    )


# --- what is imported


def run_python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()


def test_without_the_extra_the_error_names_it() -> None:
    blocked = [
        ('"httpx", "httpx2"', None, "client"),
        ('"tenacity"', None, "client"),
        ('"aiohttp", "urllib3"', "fast", "fast"),
        ('"aiohttp", "urllib3", "httpx", "httpx2"', "fast", "fast"),
    ]
    for block, library, extra in blocked:
        code = f"""
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name in ({block},):
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Block())
from hangang import clova, exaone, gov
for module in (clova, exaone, gov):
    for kind in (module.Client, module.AsyncClient):
        try:
            kind("key", http_client={library!r})
        except ImportError as error:
            print("hangang[{extra}]" in str(error))
"""
        assert run_python(code).split() == ["True"] * 6


def test_the_client_modules_import_no_http_library() -> None:
    code = """
import sys, hangang
from hangang import clova, exaone, gov
clova.Client, exaone.AsyncClient, gov.Client
libraries = {"httpx", "httpx2", "aiohttp", "urllib3", "yarl", "tenacity", "orjson", "anyio"}
print(sorted(libraries & set(sys.modules)))
"""
    assert run_python(code) == "[]"


def test_httpx2_serves_where_httpx_is_not() -> None:
    code = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name == "httpx":
            raise ModuleNotFoundError("No module named 'httpx'", name=name)
sys.meta_path.insert(0, Block())
from hangang import clova
print(type(clova.Client("key")._transport._adapter.http).__module__.split(".")[0])
"""
    assert run_python(code) == "httpx2"


@pytest.mark.parametrize("module", [clova, exaone, gov])
def test_a_client_that_was_not_made_has_a_repr(module: Any) -> None:
    """A debugger, or a traceback with locals, asks for it where the constructor failed."""
    for cls in (module.Client, module.AsyncClient):
        assert repr(cls.__new__(cls)) == f"<{module.__name__}.{cls.__name__}, not made>"
