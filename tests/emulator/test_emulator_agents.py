"""Agents as the emulator answers them: both protocols against the captures, the rules, Gov's dialects."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from emulated import GOV, complete, decode
from support import CAPTURES
from transports import KEY

from hangang import a2a
from hangang.emulator import run_in_thread

TEAM = "/api/v1/teams/1/agent/2/a2a"
V1 = "/api/v1/external/agents/x/a2a"
V2 = "/api/v1/external/agents/v2/x/a2a"


@pytest.fixture(scope="module")
def emulator() -> Iterator[Any]:
    with run_in_thread() as running:
        yield running


@pytest.fixture
def client(emulator: Any) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=emulator.url, timeout=10, headers=GOV) as made:
        yield made


def message(text: str, old: bool, **more: Any) -> dict[str, Any]:
    if old:
        part = {"kind": "text", "text": text}
        return {"role": "user", "messageId": "msg-1", "parts": [part], "kind": "message", **more}
    return {"role": "ROLE_USER", "messageId": "msg-1", "parts": [{"text": text}], **more}


def call(
    client: httpx.Client, method: str, params: Any = None, path: str = "/a2a", **headers: str
) -> httpx.Response:
    body: dict[str, Any] = {"jsonrpc": "2.0", "id": "req-1", "method": method}
    if params is not None:
        body["params"] = params
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if "/" not in method and "a2a-version" not in named:
        named["a2a-version"] = "1.0"
    return client.post(path, json=body, headers={k: v for k, v in named.items() if v})


def say(
    client: httpx.Client, text: str, *, old: bool = False, stream: bool = True, **more: Any
) -> httpx.Response:
    names = ("message/send", "message/stream") if old else ("SendMessage", "SendStreamingMessage")
    return call(client, names[stream], {"message": message(text, old), **more})


def error(answer: httpx.Response) -> int:
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    return int(answer.json()["error"]["code"])


def normal(data: bytes) -> bytes:
    """Identifiers and times differ from run to run; nothing else may."""
    data = re.sub(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", b"ID", data)
    return re.sub(rb"\d{4}-\d\d-\d\dT[\d:.]+Z", b"TIME", data)


@pytest.mark.parametrize(
    ("file", "text", "old"),
    [
        ("sdk-1.3.0_v1.0_stream_messageonly.sse", "message: x", False),
        ("sdk-1.3.0_v1.0_stream_failed.sse", "fail", False),
        ("sdk-1.3.0_v1.0_stream_errfirst.json", "errfirst", False),
    ],
)
def test_same_bytes_as_captured(client: httpx.Client, file: str, text: str, old: bool) -> None:
    assert normal(say(client, text, old=old).content) == normal((CAPTURES / "a2a" / file).read_bytes())


@pytest.mark.parametrize(
    ("file", "old"),
    [
        ("sdk-1.3.0_v1.0_stream.sse", False),
        ("sdk-1.3.0_compat-v0.3_stream.sse", True),
        ("sdk-1.3.0_v1.0_stream_parts.sse", False),
    ],
)
def test_frames_are_shaped_as_captured(client: httpx.Client, file: str, old: bool) -> None:
    """The texts differ; after they are made equal, every kind of frame is the captured one."""

    def kinds(data: bytes) -> set[bytes]:
        shown = set()
        for frame in normal(data).split(b"\r\n\r\n"):
            texts = re.sub(rb'("text": ?)"(?:[^"\\]|\\.)*"', rb'\1"T"', frame)
            shown.add(texts)
        return shown

    text = "data" if "parts" in file else "hello"
    answer = say(client, text, old=old)
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert kinds(answer.content) == kinds((CAPTURES / "a2a" / file).read_bytes())


@pytest.mark.parametrize(
    ("file", "old"), [("sdk-1.3.0_v1.0_send.json", False), ("sdk-1.3.0_compat-v0.3_send.json", True)]
)
def test_send_is_shaped_as_captured(client: httpx.Client, file: str, old: bool) -> None:
    def shape(data: bytes) -> Any:
        found = json.loads(normal(data))
        task = found["result"] if old else found["result"]["task"]
        for artifact in task["artifacts"]:
            artifact["parts"] = artifact["parts"][:1]
            artifact["parts"][0]["text"] = "T"
        return json.dumps(found)

    assert shape(say(client, "hello", old=old, stream=False).content) == shape(
        (CAPTURES / "a2a" / file).read_bytes()
    )


def test_stream_and_send_have_one_answer(client: httpx.Client) -> None:
    for old in (False, True):
        streamed = complete("a2a", say(client, "한강은?", old=old).content)
        sent = complete("a2a", say(client, "한강은?", old=old, stream=False).content)
        assert streamed.text == sent.text != ""


def test_bad_requests_as_captured(client: httpx.Client) -> None:
    headers = {"content-type": "application/json", "a2a-version": "1.0"}
    bad = client.post("/a2a", content=b"{bad", headers=headers)
    assert bad.content == (CAPTURES / "a2a" / "sdk-1.3.0_v1.0_bad_json.json").read_bytes().strip()
    unknown = client.post("/a2a", json={"jsonrpc": "2.0", "id": 1, "method": "nope"}, headers=headers)
    assert unknown.content == (CAPTURES / "a2a" / "sdk-1.3.0_v1.0_unknown_method.json").read_bytes().strip()
    assert error(client.post("/a2a", json=[], headers=headers)) == -32600
    assert error(client.post("/a2a", json={"jsonrpc": "1.0", "id": 1, "method": "SendMessage"})) == -32600
    assert error(client.post("/a2a", json={"jsonrpc": "2.0", "id": 1})) == -32600


def test_version_rules(client: httpx.Client) -> None:
    new, old = {"message": message("a", False)}, {"message": message("a", True)}
    refused = call(client, "SendMessage", new, a2a_version="")
    assert error(refused) == -32009
    expected = "A2A version '0.3' is not supported by this handler. Expected version '1.0'."
    assert refused.json()["error"]["message"] == expected
    assert refused.json()["error"]["data"][0]["reason"] == "VERSION_NOT_SUPPORTED"
    assert "result" in call(client, "SendMessage", new, a2a_version="1.7").json()
    assert (
        "result"
        in client.post(
            "/a2a?A2A-Version=1.0",
            json={"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": new},
        ).json()
    )
    assert error(call(client, "message/send", old, a2a_version="1.0")) == -32603
    assert "result" in call(client, "message/send", old, a2a_version="0.3").json()


def test_params_rules(client: httpx.Client) -> None:
    def refused(old: bool, **changes: Any) -> httpx.Response:
        sent = {**message("a", old), **changes}
        return call(client, "message/send" if old else "SendMessage", {"message": sent})

    lower = refused(False, role="user")
    assert error(lower) == -32602
    assert lower.json()["error"]["data"][1]["fieldViolations"] == [
        {"field": "message.role", "description": "Field is required."}
    ]
    for changes in ({"parts": []}, {"messageId": None}):
        assert error(refused(False, **changes)) == -32602
        assert error(refused(True, **changes)) == -32600
    assert list(refused(True, messageId=None).json()) == ["jsonrpc", "id", "error"]
    assert error(call(client, "SendMessage", {})) == -32602
    assert error(call(client, "SendMessage", {"message": 5})) == -32602


@pytest.mark.parametrize("old", [False, True])
def test_end_states(client: httpx.Client, old: bool) -> None:
    for text, state in (("hello", "completed"), ("fail", "failed"), ("input", "input-required")):
        last = decode("a2a", say(client, text, old=old).content)[-1]
        assert last.state == state
        assert last.final == (old and state != "input-required")
    last = decode("a2a", say(client, "crash", old=old).content)[-1]
    assert (type(last), last.code, last.message) == (a2a.Error, -32603, "unexpected crash")
    assert (b"event: error" in say(client, "crash", old=old).content) != old
    assert error(say(client, "crash", old=old, stream=False)) == -32603
    (first,) = decode("a2a", say(client, "errfirst", old=old).content)
    assert first.code == -32005
    (only,) = decode("a2a", say(client, "message: x", old=old).content)
    assert (type(only), only.text) == (a2a.Message, "직접 답변입니다.")


@pytest.mark.parametrize("old", [False, True])
def test_tasks(client: httpx.Client, old: bool) -> None:
    get, cancel, follow = (
        ("tasks/get", "tasks/cancel", "tasks/resubscribe")
        if old
        else ("GetTask", "CancelTask", "SubscribeToTask")
    )
    task = decode("a2a", say(client, "hello", old=old, stream=False).content)[0]
    found = call(client, get, {"id": task.id}).json()["result"]
    assert found["artifacts"][0]["parts"]
    assert len(call(client, get, {"id": task.id, "historyLength": 1}).json()["result"]["history"]) == 1
    assert error(call(client, get, {"id": "zz"})) == -32001
    assert error(call(client, cancel, {"id": task.id})) == -32002
    terminal = call(client, follow, {"id": task.id})
    (told,) = decode("a2a", terminal.content)
    assert told.code == -32004
    assert terminal.headers["content-type"].startswith("text/event-stream" if old else "application/json")
    again = message("more", old, taskId=task.id)
    assert error(call(client, "message/send" if old else "SendMessage", {"message": again})) == -32004


@pytest.mark.parametrize("old", [False, True])
def test_resubscribe_and_cancel_a_live_task(client: httpx.Client, old: bool) -> None:
    options = {"configuration": {"blocking": False} if old else {"returnImmediately": True}}
    follow, cancel = ("tasks/resubscribe", "tasks/cancel") if old else ("SubscribeToTask", "CancelTask")

    def started(rate: str) -> str:
        send = "message/send" if old else "SendMessage"
        answer = call(client, send, {"message": message("hi", old), **options}, x_hangang_rate=rate).json()
        return str(answer["result"]["id"] if old else answer["result"]["task"]["id"])

    ident = started("150")
    time.sleep(0.1)
    events = decode("a2a", call(client, follow, {"id": ident}).content)
    assert (type(events[0]), events[0].state) == (a2a.Task, "working")
    assert events[-1].state == "completed"
    assert any(isinstance(event, a2a.ArtifactUpdate) for event in events)

    ident = started("5")
    results: list[bytes] = []
    reader = threading.Thread(target=lambda: results.append(call(client, follow, {"id": ident}).content))
    reader.start()
    time.sleep(0.1)
    canceled = call(client, cancel, {"id": ident}).json()["result"]
    assert canceled["status"]["state"] in ("canceled", "TASK_STATE_CANCELED")
    reader.join(5)
    assert decode("a2a", results[0])[-1].state == "canceled"
    end = time.monotonic() + 2
    while client.get("/_emulator").json()["agents_running"]:
        assert time.monotonic() < end


def test_a_task_goes_on_after_input(client: httpx.Client) -> None:
    first = decode("a2a", say(client, "input").content)[-1]
    more = message("서울", False, taskId=first.task_id, contextId=first.context_id)
    events = decode("a2a", call(client, "SendStreamingMessage", {"message": more}).content)
    assert events[0].id == first.task_id
    assert events[-1].state == "completed"
    listed = call(client, "ListTasks", {"contextId": first.context_id}).json()["result"]
    assert (listed["totalSize"], listed["pageSize"]) == (1, 50)
    assert "artifacts" not in listed["tasks"][0]


def test_context_is_a_conversation(client: httpx.Client) -> None:
    first = decode("a2a", say(client, "하나", stream=False).content)[0]
    more = {"message": message("둘", False, contextId=first.context_id)}
    assert "2번째 질문" in decode("a2a", call(client, "SendMessage", more).content)[0].content


def test_what_the_agent_does_not_support(client: httpx.Client) -> None:
    for method in ("CreateTaskPushNotificationConfig", "tasks/pushNotificationConfig/get"):
        assert error(call(client, method, {"taskId": "a"})) == -32003
    for method in ("GetExtendedAgentCard", "agent/getAuthenticatedExtendedCard"):
        assert error(call(client, method, {})) == -32004


def test_card(client: httpx.Client) -> None:
    card = client.get("/.well-known/agent-card.json").json()
    assert [found["protocolVersion"] for found in card["supportedInterfaces"]] == ["1.0", "0.3"]
    assert card["url"] == str(client.base_url) + "/a2a"


def test_kindless_request_of_the_faq(client: httpx.Client) -> None:
    params = {
        "message": {"role": "user", "messageId": "msg-123456", "parts": [{"text": "사용자 질문"}]},
        "metadata": {"chat_session_id": 123},
    }
    sent = call(client, "message/send", params, path=TEAM)
    assert sent.json()["result"]["metadata"] == {"chat_session_id": 123}
    assert complete("a2a", sent.content).text
    streamed = complete("a2a", call(client, "message/stream", params, path=TEAM).content)
    assert "2번째 질문" in streamed.text


def test_agent_v1(client: httpx.Client) -> None:
    def turn(**params: Any) -> Any:
        sent = {"role": "user", "messageId": "m", "parts": [{"kind": "text", "text": "안녕"}]}
        sent.update(params.pop("message", {}))
        return call(client, "message/send", {"message": sent, **params}, path=V1)

    first = turn().json()["result"]
    session = first["metadata"]["chat_session_id"]
    assert list(first) == ["metadata", "message"]
    (event,) = decode("a2a", turn(metadata={"chat_session_id": session}).content)
    assert isinstance(event, a2a.Message)
    assert "2번째 질문" in event.text
    assert event.metadata == {"chat_session_id": session}
    by_context = turn(message={"contextId": "c"}).json()["result"]["metadata"]
    assert turn(message={"contextId": "c"}).json()["result"]["metadata"] == by_context
    assert call(client, "message/stream", {}, path=V1).json()["error"]["code"] == -32601
    assert call(client, "message/send", {}, path=V1).json()["error"]["code"] == -32602


def test_agent_v2(client: httpx.Client) -> None:
    sent = {"role": "user", "messageId": "m", "parts": [{"text": "안녕"}]}
    answer = call(client, "SendStreamingMessage", {"message": sent}, path=V2, a2a_version="")
    events = decode("a2a", answer.content)
    kinds = [a2a.Task, a2a.StatusUpdate, a2a.ArtifactUpdate, a2a.StatusUpdate]
    assert [type(event) for event in events] == kinds
    assert events[2].last_chunk
    assert [events[0].state, events[1].state, events[3].state] == ["submitted", "working", "completed"]
    growing = call(
        client, "SendStreamingMessage", {"message": sent}, path=V2, a2a_version="", x_hangang_artifacts="3"
    )
    updates = [e for e in decode("a2a", growing.content) if isinstance(e, a2a.ArtifactUpdate)]
    assert len(updates) == 3
    assert complete("a2a", growing.content).text == updates[-1].text == complete("a2a", answer.content).text
    again = {**sent, "contextId": events[0].context_id}
    more = call(client, "SendStreamingMessage", {"message": again}, path=V2, a2a_version="")
    assert "2번째 질문" in complete("a2a", more.content).text
    upper = {**sent, "role": "ROLE_USER"}
    refused = call(client, "SendStreamingMessage", {"message": upper}, path=V2).json()["error"]
    assert (refused["code"], "detail" in refused["data"]) == (-32602, True)


def test_agents_that_are_not_there(client: httpx.Client) -> None:
    for path, status in (
        ("/api/v1/teams/1/agent/missing/a2a", 404),
        ("/api/v1/external/agents/missing/a2a", 404),
        ("/api/v1/external/agents/v2/missing/a2a", 404),
        ("/api/v1/external/agents/undeployed/a2a", 403),
    ):
        answer = call(client, "message/send", {"message": message("a", True)}, path=path)
        assert answer.status_code == status
        assert "error" in answer.json()
    assert call(client, "message/send", {}, path=TEAM, authorization=f"Bearer {KEY}-wrong").status_code == 401


def test_other_parts_in_0_3(client: httpx.Client) -> None:
    events = decode("a2a", say(client, "data", old=True).content)
    (mixed,) = [event for event in events if getattr(event, "name", None) == "mixed"]
    file = {"name": "a.bin", "mimeType": "application/octet-stream", "bytes": "AAFoaQ=="}
    link = {"name": "x.pdf", "mimeType": "application/pdf", "uri": "https://example.com/x.pdf"}
    assert mixed.parts == (
        {"kind": "data", "data": {"n": 1.0, "f": 1.5}},
        {"kind": "file", "file": file},
        {"kind": "file", "file": link},
    )
    sent = message("hi", True)
    sent["parts"] += [{"kind": "file", "file": file}, {"type": "file", "file": link}]
    result = call(client, "message/send", {"message": sent}).json()["result"]
    assert [part["kind"] for part in result["history"][0]["parts"]] == ["text", "file", "file"]
    assert result["history"][0]["parts"][1]["file"] == file


def test_pings_while_the_agent_works(client: httpx.Client) -> None:
    sent = {"message": message("hi", False)}
    controls = {"x_hangang_rate": "40", "x_hangang_tokens": "8", "x_hangang_keepalive": "0.01"}
    answer = call(client, "SendStreamingMessage", sent, **controls)
    assert answer.content.count(b": ping - ") >= 10
    assert decode("a2a", answer.content)[-1].state == "completed"
