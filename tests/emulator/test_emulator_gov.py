"""CLOVA Studio Gov as the emulator answers it: chat, both error bodies, RAG42, tools."""

from __future__ import annotations

import base64
import io
import json
import wave
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from emulated import GOV, QUESTION, complete, decode
from transports import KEY

from hangang import openai
from hangang.emulator import run_in_thread

CHAT = {"model": "HCX-GOV-THINK", "messages": QUESTION}


@pytest.fixture(scope="module")
def emulator() -> Iterator[Any]:
    with run_in_thread(fragments="random") as running:
        yield running


@pytest.fixture
def client(emulator: Any) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=emulator.url, timeout=10, headers=GOV) as made:
        yield made


def ok(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["status"] == {"code": "20000", "message": "OK"}
    return body["result"]


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["status"]["code"]


# chat


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/api/v1/chat/completions"])
def test_stream_and_one_shot(client: httpx.Client, path: str) -> None:
    streamed = client.post(path, json={**CHAT, "stream": True})
    events = decode("openai", streamed.content)
    assert isinstance(events[-1], openai.Done)
    assert events[0].role == "assistant"
    completion = complete("openai", streamed.content)
    assert completion.finish_reason == "stop"
    assert completion.thinking
    answer = client.post(path, json=CHAT).json()
    assert answer["choices"][0]["message"]["content"] == completion.text
    assert answer["choices"][0]["message"]["reasoning_content"] == completion.thinking
    assert set(answer) >= {"id", "object", "created", "model", "choices", "usage", "prompt_logprobs"}


def test_reasoning_fields_and_switches(client: httpx.Client) -> None:
    body = {**CHAT, "stream": True}
    old = client.post("/v1/chat/completions", json=body)
    new = client.post("/v1/chat/completions", json=body, headers={"x-hangang-reasoning": "reasoning"})
    assert b'"reasoning_content":' in old.content
    assert b'"reasoning":' in new.content
    assert complete("openai", old.content).thinking == complete("openai", new.content).thinking
    quiet = {**body, "chat_template_kwargs": {"skip_reasoning": True}}
    assert not complete("openai", client.post("/v1/chat/completions", json=quiet).content).thinking
    forced = {**body, "model": "HCX-GOV", "chat_template_kwargs": {"force_reasoning": True}}
    assert complete("openai", client.post("/v1/chat/completions", json=forced).content).thinking


def test_usage_chunk(client: httpx.Client) -> None:
    body = {**CHAT, "stream": True, "stream_options": {"include_usage": True}}
    events = decode("openai", client.post("/v1/chat/completions", json=body).content)
    assert events[-2].choices == ()
    assert events[-2].usage.total_tokens > 0
    assert events[-2].usage.thinking_tokens > 0
    without = decode("openai", client.post("/v1/chat/completions", json={**CHAT, "stream": True}).content)
    assert all(event.usage is None for event in without[:-1])


def test_tool_calls_come_whole(client: httpx.Client) -> None:
    tool = {
        "type": "function",
        "function": {
            "name": "get_weather",
            "parameters": {"type": "object", "properties": {"location": {"type": "string"}}},
        },
    }
    answer = client.post(
        "/v1/chat/completions",
        json={**CHAT, "stream": True, "tools": [tool]},
        headers={"x-hangang-calls": "2"},
    )
    assert b"\\\\u" in answer.content  # non-ASCII is escaped inside the string of arguments
    completion = complete("openai", answer.content)
    assert completion.finish_reason == "tool_calls"
    assert [call.id for call in completion.tool_calls] == ["hcx_tool_call_0", "hcx_tool_call_1"]
    assert json.loads(completion.tool_calls[0].arguments)["location"]


def test_tool_turns_are_checked_for_their_types(client: httpx.Client) -> None:
    def post(arguments: Any, **told: Any) -> httpx.Response:
        call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}
        turn = [
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "content": "x", **told},
        ]
        return client.post("/v1/chat/completions", json={**CHAT, "messages": [*CHAT["messages"], *turn]})

    assert post("{}", tool_call_id="c").is_success
    assert "arguments: must be a string" in post({}, tool_call_id="c").json()["error"]["message"]
    assert "tool_call_id" in post("{}").json()["error"]["message"]


def test_both_error_bodies(client: httpx.Client) -> None:
    path = "/v1/chat/completions"
    wrong = client.post(path, json=CHAT, headers={"authorization": f"Bearer {KEY}-wrong"})
    assert wrong.status_code == 401
    assert wrong.json()["error"] == {
        "message": "Invalid API key provided",
        "type": "authentication_error",
        "code": "invalid_api_key",
    }
    by_status = client.post(
        path, json=CHAT, headers={"authorization": f"Bearer {KEY}-wrong", "x-hangang-error-form": "status"}
    )
    assert by_status.json() == {"status": {"code": "40100", "message": "Invalid API key provided"}}
    assert client.post(path, json={**CHAT, "model": "gpt-9"}).status_code == 404
    assert client.post(path, json={**CHAT, "messages": []}).status_code == 422
    assert "x-ratelimit-remaining" in client.post(path, json=CHAT).headers


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 429, 500, 503])
@pytest.mark.parametrize("form", ["status", "error"])
def test_every_documented_status(client: httpx.Client, status: int, form: str) -> None:
    headers = {"x-hangang-status": str(status), "x-hangang-error-form": form}
    answer = client.post("/v1/chat/completions", json=CHAT, headers=headers)
    assert answer.status_code == status
    body = answer.json()
    assert list(body) == [form]
    if form == "status":
        assert body["status"]["code"] == f"{status}00"


# RAG42


def test_rag(client: httpx.Client) -> None:
    base = "/v1/rag42/collections"
    config = {"mode": "hybrid", "alpha": 0.5}
    made = ok(client.post(base, json={"name": "강", "id": "mine", "search_config": config}))
    cid = made["id"]
    assert (cid != "mine", made["search_config"]) == (True, config)
    assert ok(client.patch(f"{base}/{cid}", json={"name": "한강"}))["name"] == "한강"
    assert ok(client.get(f"{base}/{cid}"))["name"] == "한강"
    assert ok(client.get(base, params={"size": 1}))["total"] == 1

    def upload(name: str, text: str, **fields: str) -> Any:
        return ok(
            client.post(
                f"{base}/{cid}/documents/upload",
                files={"file": (name, text.encode(), "text/plain")},
                data=fields,
            )
        )

    river = upload("river.txt", "한강은 서울을 지나 서해로 흐른다. " * 3_000)
    sea = upload("sea.md", "동해는 깊고 푸르다.", title="동해", tags='["바다"]', metadata='{"n": 1}')
    assert (river["title"], river["tags"], river["metadata"]) == ("river.txt", [], {})
    assert (sea["title"], sea["tags"], sea["metadata"]) == ("동해", ["바다"], {"n": 1})
    [whole] = ok(client.get(f"{base}/{cid}/documents/{river['id']}/chunks"))["items"]
    assert len(whole["content"]) == 50_000
    documents = ok(client.get(f"{base}/{cid}/documents"))
    assert [found["name"] for found in documents["items"]] == ["river.txt", "sea.md"]
    document = f"{base}/{cid}/documents/{sea['id']}"
    assert ok(client.patch(document, json={"title": "바다 이야기", "tags": ["바다"]}))["tags"] == ["바다"]
    assert ok(client.get(document))["title"] == "바다 이야기"

    chunk = ok(client.post(f"{document}/chunks", json={"title": "독도", "content": "독도는 동쪽 끝 섬"}))
    assert ok(client.get(f"{document}/chunks", params={"from": 1}))["items"] == [chunk]
    assert ok(client.patch(f"{document}/chunks/{chunk['id']}", json={"content": "울릉도 옆 섬"}))["content"]
    assert ok(client.get(f"{document}/chunks/{chunk['id']}"))["content"] == "울릉도 옆 섬"
    assert ok(client.patch(f"/rag42/chunks/{chunk['id']}", json={"title": "섬"}))["title"] == "섬"

    def search(tenant: dict[str, str], **body: Any) -> list[Any]:
        answer = client.post("/v1/rag42/search", json={"query": "오징어", **body}, headers=tenant)
        hits = ok(answer)["items"]
        assert {hit["score"] for hit in hits} <= {0.5}
        return [hit["document_id"] for hit in hits]

    other = ok(client.post(base, json={"name": "빈 것"}))["id"]
    for where in ({"collection_id": cid}, {"collection_ids": [cid, other]}, {}):
        assert search({}, **where) == [river["id"], sea["id"], sea["id"]]
    assert search({}, top_k=1) == [river["id"]]
    assert search({}, collection_id=other) == []

    assert refusal(client.get(base, params={"size": 101})) == (422, "42200")
    assert refusal(client.post(f"{document}/chunks", json={"content": "x" * 50_001})) == (422, "42200")
    long = {"content": "x", "title": "x" * 1_001}
    assert refusal(client.post(f"{document}/chunks", json=long)) == (422, "42200")
    assert refusal(client.patch(f"{document}/chunks/{chunk['id']}", json=long)) == (422, "42200")
    assert refusal(client.get(f"{base}/nope")) == (404, "40400")
    assert refusal(client.get(f"{base}/{other}/documents/{sea['id']}")) == (404, "40400")
    assert refusal(client.get(f"{base}/{other}/documents/{sea['id']}/chunks")) == (404, "40400")
    for name in ("csg-tenant-id", "x-csg-tenant-id"):
        assert refusal(client.get(f"{base}/{cid}", headers={name: "other"})) == (404, "40400")
        assert search({name: "other"}) == []
    exe = client.post(f"{base}/{cid}/documents/upload", files={"file": ("a.exe", b"x")})
    assert refusal(exe) == (422, "42200")

    ok(client.delete(f"{document}/chunks/{chunk['id']}"))
    ok(client.delete(f"/rag42/documents/{sea['id']}"))
    assert ok(client.get(f"/api{base}/{cid}/documents"))["total"] == 1
    ok(client.delete(f"{base}/{cid}"))
    assert search({}) == []
    assert refusal(client.delete(f"{base}/{cid}")) == (404, "40400")


# tools


def test_masking(client: httpx.Client) -> None:
    text = "제 주민번호는 900101-1234567, 여권은 M12345678, 메일은 user@example.com입니다."
    result = ok(client.post("/v1/text/pii-mask", json={"text": text}))
    assert result["model"] == "pii-mask-v1"
    assert result["original_text"] == text
    assert result["detected_pii_count"] == 2
    assert "[RRN]" in result["masked_text"]
    assert "user@example.com" in result["masked_text"]
    only = ok(client.post("/v1/text/pii-mask", json={"text": text, "pii_types": ["PASSPORT"]}))
    assert only["detected_pii_count"] == 1
    body = {"text": "제 이메일은 user@example.com입니다.", "mask_types": ["email"]}
    for path in ("/tools/pii-mask", "/v1/tools/pii-mask", "/api/v1/tools/pii-mask"):
        assert ok(client.post(path, json=body))["masked_text"] == "제 이메일은 [EMAIL]입니다."
    assert refusal(client.post("/v1/text/pii-mask", json={"text": ""})) == (422, "42200")


def test_embeddings(client: httpx.Client) -> None:
    body: dict[str, Any] = {"input": ["한강", "서울"], "model": "bge-m3"}
    answer = client.post("/v1/text/embeddings", json=body).json()
    assert [len(found["embedding"]) for found in answer["data"]] == [1024, 1024]
    short = client.post("/v1/text/embeddings", json={**body, "dimensions": 8}).json()
    assert len(short["data"][0]["embedding"]) == 8
    packed = client.post("/v1/text/embeddings", json={**body, "encoding_format": "base64"}).json()
    assert isinstance(packed["data"][0]["embedding"], str)
    faq = client.post("/tools/embeddings", json={"texts": ["안녕", "Hello"], "model": "clova-embedding"})
    assert len(faq.json()["data"]) == 2
    assert refusal(client.post("/v1/text/embeddings", json={**body, "model": "ada"})) == (404, "40400")


@pytest.mark.parametrize("parser", ["rag42", "lomin"])
def test_document_parsers(client: httpx.Client, parser: str) -> None:
    path = f"/tools/document-parser/{parser}"
    assert ok(client.post(path, files={"file": ("a.md", "제목\n본문".encode())}))["text"] == "제목\n본문"
    assert "한강" in ok(client.post(f"/v1{path}", files={"file": ("a.pdf", b"%PDF-1.7 \xff")}))["text"]
    assert refusal(client.post(path, data={"file": "x"})) == (422, "42200")
    assert refusal(client.post("/tools/document-parser/other", files={"file": ("a.md", b"x")}))[0] == 404


def test_speech_to_text(client: httpx.Client) -> None:
    path = "/v1/audio/transcriptions"
    sound = {"file": ("a.wav", b"RIFF" + bytes(400), "audio/wav")}
    text = client.post(path, files=sound).json()["text"]
    detailed = client.post(
        path,
        files=sound,
        data={
            "response_format": "verbose_json",
            "language": "ko",
            "timestamp_granularities[]": ["word", "segment"],
        },
    ).json()
    assert detailed["text"] == text
    assert detailed["segments"][0]["text"] == text
    assert detailed["words"]
    for form in ("text", "srt", "vtt"):
        assert client.post(path, files=sound, data={"response_format": form}).text == text
    assert refusal(client.post(path, data={"model": "stt"})) == (422, "42200")


def test_text_to_speech(client: httpx.Client) -> None:
    path = "/v1/audio/speech"
    body = {"model": "tts", "input": "안녕하세요", "voice": "nara"}

    answer = client.post(path, json=body)
    assert answer.headers["content-type"] == "audio/wav"
    with wave.open(io.BytesIO(answer.content)) as sound:
        assert sound.getparams()[:4] == (1, 2, 16_000, 1_600)
        assert sound.readframes(1_600) == client.post(path, json={**body, "response_format": "pcm"}).content
    events = client.post(path, json={**body, "stream_format": "sse"}).content
    audio = json.loads(events.split(b"\n")[0].removeprefix(b"data: "))["audio"]
    assert base64.b64decode(audio) == answer.content
    assert b"speech.audio.done" in events
    assert refusal(client.post(path, json={**body, "response_format": "mp3"})) == (422, "42200")
