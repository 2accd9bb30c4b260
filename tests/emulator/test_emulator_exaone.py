"""EXAONE as the emulator answers it: frames without separators, references, files, refusals."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from emulated import EXAONE, complete, decode, hash_of
from transports import KEY

from hangang.emulator import run_in_thread

CHAT = "/v1/chatexaone/chat-completion"
TEXT = "/v1/chatexaone/text-generation"


@pytest.fixture(scope="module")
def emulator() -> Iterator[Any]:
    with run_in_thread(fragments="random") as running:
        yield running


@pytest.fixture
def client(emulator: Any) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=emulator.url, timeout=10, headers=EXAONE) as made:
        yield made


def refusal(answer: httpx.Response) -> int:
    body = answer.json()
    assert set(body) == {"result_code", "description"}
    assert body["result_code"] == answer.status_code
    assert body["description"]
    return answer.status_code


def test_frames(client: httpx.Client) -> None:
    answer = client.post(CHAT, json={"query": '강과 }{ "다리"'})
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.content.startswith(b'{"result_code": 200, "description": null, "data": {"query": ')
    events = decode("exaone", answer.content)
    assert [event.progress_state for event in events[:3]] == ["planning", "optimizing", "answering"]
    assert {event.progress_state for event in events[2:]} == {"answering"}
    assert {event.query for event in events} == {'강과 }{ "다리"'}
    assert [event.intent for event in events[:3]] == ["", "", "web_search"]
    assert events[3].text == ""
    assert len(events[2].references) == 20
    assert [found["index"] for found in events[2].references] == list(range(1, 21))
    assert all(event.references is events[2].references for event in events[3:])
    assert complete("exaone", answer.content).references == events[2].references


@pytest.mark.parametrize(
    ("query", "intent", "references"),
    [
        ("안녕?", "chitchat", 0),
        ("오늘 날씨", "cur_weather", 2),
        ("이번 주 날씨", "weekly_weather", 2),
        ("파이썬 함수 하나", "code_generate", 0),
        ("한강의 길이", "web_search", 20),
    ],
)
def test_intents(client: httpx.Client, query: str, intent: str, references: int) -> None:
    completion = complete("exaone", client.post(CHAT, json={"query": query}).content)
    assert (completion.intent, len(completion.references)) == (intent, references)


def test_text_generation_and_one_shot(client: httpx.Client) -> None:
    body = {"query": "한강의 길이", "model": "32b"}
    streamed = client.post(TEXT, json=body)
    completion = complete("exaone", streamed.content)
    assert (completion.intent, completion.references) == ("chitchat", ())
    assert hash_of(completion.text) == streamed.headers["x-hangang-text-sha256"]
    whole = client.post(TEXT, json=body, headers={"accept": "application/json"})
    assert whole.headers["content-type"] == "application/json"
    assert whole.json()["data"]["answer"] == completion.text
    assert complete("exaone", whole.content).text == completion.text


def test_multi_turn_in_both_spellings(client: httpx.Client) -> None:
    first = complete("exaone", client.post(CHAT, json={"query": "안녕?"}).content)
    previous = [first.as_previous_message()]
    for name in ("previous_messages", "previous_message"):
        answer = client.post(CHAT, json={"query": "그럼?", name: previous})
        assert "2번째 질문" in complete("exaone", answer.content).text


@pytest.mark.parametrize("name", ["previous_messages", "previous_message"])
@pytest.mark.parametrize("path", [CHAT, TEXT])
def test_past_turns_have_three_texts(client: httpx.Client, path: str, name: str) -> None:
    whole = {"query": "안녕?", "intent": "chitchat", "answer": "안녕하세요!"}
    for previous, words in (
        ("안녕?", f"{name} must be a list of objects."),
        ([whole, "안녕?"], f"{name} must be a list of objects."),
        ([whole, {"role": "user", "content": "안녕?"}], f"{name}[1].query must be a string."),
        ([{**whole, "intent": None}], f"{name}[0].intent must be a string."),
        ([{"query": "안녕?", "intent": ""}], f"{name}[0].answer must be a string."),
        ([{**whole, "query": " "}], f"{name}[0].query must not be empty."),
    ):
        answer = client.post(path, json={"query": "a", "model": "32b", name: previous})
        assert refusal(answer) == 422
        assert answer.json()["description"] == words
    for allowed in (None, [], [{**whole, "intent": "", "answer": ""}]):
        assert client.post(path, json={"query": "a", "model": "32b", name: allowed}).is_success


def test_refusals(client: httpx.Client) -> None:
    assert refusal(client.post(CHAT, json={"query": "a", "doc_ids": [1]})) == 422
    assert refusal(client.post(CHAT, json={"query": "a", "doc_ids": "x"})) == 422
    assert refusal(client.post(CHAT, json={"query": " "})) == 422
    assert refusal(client.post(CHAT, json={})) == 422
    assert refusal(client.post(CHAT, json={"query": "a", "temperature": 1.5})) == 422
    assert refusal(client.post(TEXT, json={"query": "a"})) == 422
    assert refusal(client.post(CHAT, json={"query": "a", "doc_ids": ["no"]})) == 404
    assert refusal(client.post(CHAT, content=b"{", headers={"content-type": "application/json"})) == 400
    assert refusal(client.post(CHAT, content=b"a")) == 415
    for key, status in (("bad-wrong", 401), ("bad-forbidden", 401), ("bad-limited", 429)):
        assert refusal(client.post(CHAT, json={"query": "a"}, headers={"x-api-key": key})) == status
    bare = httpx.post(
        client.base_url.join(CHAT), json={"query": "a"}, headers={"authorization": f"Bearer {KEY}"}
    )
    assert refusal(bare) == 401


@pytest.mark.parametrize("status", [400, 401, 404, 413, 415, 422, 429, 500])
def test_every_documented_status(client: httpx.Client, status: int) -> None:
    answer = client.post(CHAT, json={"query": "a"}, headers={"x-hangang-status": str(status)})
    assert refusal(answer) == status
    if status == 500:
        assert answer.json()["description"].startswith("The service is currently experiencing")


def upload(client: httpx.Client, name: str, content: bytes = b"text", **fields: str) -> httpx.Response:
    return client.post("/v1/files", files={"files": (name, content, "text/plain")}, data=fields)


def test_files(client: httpx.Client) -> None:
    answer = upload(client, "한강 안내.txt", "한강은 길다".encode(), upsert="true")
    (file,) = answer.json()["files"]
    assert unquote(file["name"]) == "한강 안내.txt"
    query = {"file_ids": [file["id"]]}
    assert client.post("/v1/files/query", json=query).json()["files"][0]["status"] == "processing"
    end = time.monotonic() + 3
    while (found := client.post("/v1/files/query", json=query).json()["files"][0])["status"] != "ready":
        assert time.monotonic() < end
        time.sleep(0.05)
    assert found == {"id": file["id"], "status": "ready"}
    completion = complete(
        "exaone", client.post(CHAT, json={"query": "요약", "doc_ids": [file["id"]]}).content
    )
    assert completion.intent == "document_answer"
    assert [found["title"] for found in completion.references] == ["한강 안내.txt"]
    again = upload(client, "한강 안내.txt", upsert="true").json()["files"][0]
    assert again["id"] == file["id"]
    assert upload(client, "한강 안내.txt").json()["files"][0]["id"] != file["id"]
    listed = client.get("/v1/files").json()
    assert {entry["id"] for entry in listed["files"]} >= {file["id"]}
    deleted = client.request("DELETE", "/v1/files", json=query)
    assert deleted.json() == {"result_code": 200, "description": None}
    assert refusal(client.request("DELETE", "/v1/files", json=query)) == 404
    assert refusal(client.post("/v1/files/query", json=query)) == 404
    others = [entry["id"] for entry in client.get("/v1/files").json()["files"]]
    assert client.request("DELETE", "/v1/files", json={"file_ids": others}).is_success
    assert client.get("/v1/files").json()["files"] == []
    assert refusal(client.request("DELETE", "/v1/files", json={"file_ids": []})) == 422


def test_files_that_fail_and_files_that_are_refused(client: httpx.Client) -> None:
    ident = upload(client, "fail.txt").json()["files"][0]["id"]
    end = time.monotonic() + 3
    while time.monotonic() < end:
        status = client.post("/v1/files/query", json={"file_ids": [ident]}).json()["files"][0]["status"]
        if status == "failed":
            break
        time.sleep(0.05)
    assert status == "failed"
    assert refusal(upload(client, "a.exe")) == 415
    assert refusal(upload(client, "big.txt", b"x" * (30 * 2**20 + 1))) == 413
    assert refusal(client.post("/v1/files", data={"upsert": "true"}, files={"other": b"x"})) == 422
    assert refusal(client.post("/v1/files", json={})) == 400


def test_code_cli_is_openai_shaped(client: httpx.Client) -> None:
    body: dict[str, Any] = {
        "model": "chatexaone-code-cli-claude-compatible-thinking",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
    }
    answer = client.post("/v1/code-cli/chat/completions", json=body)
    completion = complete("openai", answer.content)
    assert completion.text
    assert completion.thinking
    assert b'"reasoning":' in answer.content
    body["stream"] = False
    message = json.loads(client.post("/v1/code-cli/chat/completions", json=body).content)["choices"][0][
        "message"
    ]
    assert message["reasoning"] == completion.thinking
