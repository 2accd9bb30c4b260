"""The emulator gives the answers that a test chooses: replies in turn, a callable, captures byte for byte."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from emulated import CLOVA, EXAONE, GOV, QUESTION, STREAMS, ask, complete, hash_of
from support import CAPTURES
from transports import KEY

import hangang
from hangang import clova, exaone, gov, openai
from hangang.emulator import Reply, Request, create_app, read_answers, run_in_thread

TEXT = "한강은 494 km 입니다.\n  끝 🌊 }{ data: \u2028"
ONE_SHOT: dict[str, tuple[str, dict[str, Any], dict[str, str]]] = {
    "clova-v3": ("/v3/chat-completions/HCX-005", {"messages": QUESTION}, CLOVA),
    "clova-v1": ("/testapp/v1/chat-completions/HCX-003", {"messages": QUESTION}, CLOVA),
    "clova-task": ("/v2/tasks/mine/chat-completions", {"messages": QUESTION}, CLOVA),
    "clova-openai": ("/v1/openai/chat/completions", {"model": "HCX-005", "messages": QUESTION}, CLOVA),
    "exaone-chat": (
        "/v1/chatexaone/chat-completion",
        {"query": "한강"},
        {**EXAONE, "accept": "application/json"},
    ),
    "exaone-text": (
        "/v1/chatexaone/text-generation",
        {"query": "한강", "model": "32b"},
        {**EXAONE, "accept": "application/json"},
    ),
    "gov-chat": ("/v1/chat/completions", {"model": "HCX-GOV", "messages": QUESTION}, GOV),
    "openai": ("/openai/v1/chat/completions", {"model": "any/model", "messages": QUESTION}, {}),
}
DIALECT = {"clova-v3": "clova", "clova-v1": "clova", "clova-task": "clova"} | {
    "exaone-chat": "exaone",
    "exaone-text": "exaone",
}


def post(url: str, name: str) -> httpx.Response:
    path, body, headers = ONE_SHOT[name]
    return httpx.post(url + path, json=body, headers=headers)


@pytest.fixture(scope="module")
def emulator() -> Iterator[Any]:
    with run_in_thread() as running:
        yield running


# --- every service, streamed and one-shot


@pytest.mark.parametrize("name", STREAMS)
def test_a_chosen_text_streams(emulator: Any, name: str) -> None:
    emulator.answers = [Reply(TEXT)]
    with httpx.Client(base_url=emulator.url) as client:
        for fragments in ("event", "7"):
            answer = ask(client, name, {"x-hangang-fragments": fragments})
            found = complete(STREAMS[name][3], answer.content)
            assert (found.text, found.failed) == (TEXT, False)
            assert answer.headers["x-hangang-text-sha256"] == hash_of(TEXT)


@pytest.mark.parametrize("name", ONE_SHOT)
def test_a_chosen_text_in_one_shot(emulator: Any, name: str) -> None:
    emulator.answers = [Reply(TEXT)]
    answer = post(emulator.url, name)
    assert answer.headers["content-type"] == "application/json"
    assert complete(DIALECT.get(name, "openai"), answer.content).text == TEXT


def test_thinking_tools_and_finish_reasons(emulator: Any) -> None:
    calls = (("날씨", {"도시": "서울", "n": 1.5}), ("none", {}))
    emulator.answers = [Reply("답", "먼저 생각", calls)]
    for name in ("clova-v3", "clova-openai", "gov-chat"):
        with httpx.Client(base_url=emulator.url) as client:
            streamed = complete(STREAMS[name][3], ask(client, name).content)
        for found in (streamed, complete(STREAMS[name][3], post(emulator.url, name).content)):
            assert (found.text, found.thinking, found.finish_reason) == ("답", "먼저 생각", "tool_calls")
            assert [(call.name, call.args) for call in found.tool_calls] == list(calls)
            assert len({call.id for call in found.tool_calls}) == 2
    emulator.answers = [Reply("답", "생각", finish_reason="length")]
    for name in ("clova-v3", "clova-v1", "clova-openai", "gov-chat"):
        with httpx.Client(base_url=emulator.url) as client:
            assert complete(STREAMS[name][3], ask(client, name).content).finish_reason == "length"


def test_the_usual_finish_reason_of_v1(emulator: Any) -> None:
    emulator.answers = [Reply("답"), Reply("답", finish_reason="stop")]
    with httpx.Client(base_url=emulator.url) as client:
        found = [complete("clova", ask(client, "clova-v1").content).finish_reason for _ in range(2)]
    assert found == ["stop_before", "stop"]


# --- in turn, and by a callable


def test_a_list_is_used_in_turn_and_its_last_repeats(emulator: Any) -> None:
    emulator.answers = (Reply(text) for text in "가나다")
    with clova.Client(KEY, base_url=emulator.url) as client:
        assert [client.chat("HCX-005", "?").text for _ in range(5)] == list("가나다다다")
        emulator.answers = [Reply("새")]
        assert client.chat("HCX-005", "?").text == "새"
        emulator.answers = None
        assert "질문" in client.chat("HCX-005", "질문").text


def test_one_list_for_all_services(emulator: Any) -> None:
    emulator.answers = [Reply("하나"), Reply("둘"), Reply("셋"), Reply("넷"), Reply("다섯")]
    url = emulator.url
    with clova.Client(KEY, base_url=url) as c, exaone.Client(KEY, base_url=url) as e:
        assert c.chat("HCX-007", "?").text == "하나"
        assert e.chat("?").text == "둘"
    with gov.Client(KEY, base_url=url, team_id=1) as g, openai.Client(base_url=f"{url}/openai/v1") as o:
        assert g.chat("HCX-GOV", "?").text == "셋"
        assert o.chat("whatever", "?").text == "넷"
        with g.agents.stream(1, "fail") as stream:  # a word that steers the made-up agent only
            assert "".join(stream.text_stream) == "다섯"


def test_a_refused_request_uses_no_reply(emulator: Any) -> None:
    emulator.answers = [Reply("하나"), Reply("둘")]
    wrong = clova.Client(f"{KEY}-wrong", base_url=emulator.url)
    with wrong, pytest.raises(hangang.AuthenticationError):
        wrong.chat("HCX-005", "?")
    with clova.Client(KEY, base_url=emulator.url) as client:
        with pytest.raises(hangang.BadRequestError):
            client.chat("HCX-005", "?", extra_body={"temperature": 7})
        assert client.chat("HCX-005", "?").text == "하나"


def test_a_callable_sees_the_request(emulator: Any) -> None:
    seen: list[Request] = []

    def choose(request: Request) -> Reply | None:
        seen.append(request)
        question = request.body["messages"][-1]["content"]
        return None if question == "직접" else Reply(question[::-1])

    emulator.answers = choose
    with clova.Client(KEY, base_url=emulator.url) as client:
        assert client.chat("HCX-005", "가나다").text == "다나가"
        assert "“직접”" in client.chat("HCX-005", "직접").text
    first = seen[0]
    assert (first.service, first.method, first.path) == ("clova", "POST", "/v3/chat-completions/HCX-005")
    assert first.headers["authorization"] == f"Bearer {KEY}"
    assert first in emulator.requests


def test_a_callable_that_fails_is_explained(emulator: Any) -> None:
    emulator.answers = lambda request: request.body["nothing"]
    answer = post(emulator.url, "clova-v3")
    assert answer.status_code == 500
    assert answer.json()["status"]["message"] == "answers raised KeyError: 'nothing'"
    emulator.answers = lambda _: "text"
    message = post(emulator.url, "gov-chat").json()["error"]["message"]
    assert message == "answers returned str; it must return a Reply or None"


def test_many_threads_take_each_reply_once(emulator: Any) -> None:
    count = 60
    emulator.answers = [Reply(str(number)) for number in range(count)]
    got: list[str] = []

    def work() -> None:
        with clova.Client(KEY, base_url=emulator.url) as client:
            for _ in range(count // 6):
                got.append(client.chat("HCX-005", "?").text)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(got, key=int) == [str(number) for number in range(count)]


def test_under_another_server() -> None:
    app = create_app(answers=[Reply("앱")])

    async def run() -> str:
        transport = httpx.ASGITransport(app=app)
        http = httpx.AsyncClient(transport=transport)
        async with http, clova.AsyncClient(KEY, base_url="http://localhost", http_client=http) as client:
            return (await client.chat("HCX-005", "?")).text

    assert asyncio.run(run()) == "앱"


# --- errors


@pytest.mark.parametrize(
    ("name", "code", "status", "found"),
    [
        ("clova-v3", "42901", 429, {"status": {"code": "42901", "message": "천천히"}, "result": None}),
        ("clova-v1", 40003, 400, {"status": {"code": "40003", "message": "천천히"}}),
        ("clova-v3", 503, 503, {"status": {"code": "50300", "message": "천천히"}}),
        ("clova-v3", "42277", 422, {"status": {"code": "42277", "message": "천천히"}}),
        (
            "clova-openai",
            "40000",
            400,
            {"error": {"message": "천천히", "type": None, "param": None, "code": "40000"}},
        ),
        ("exaone-chat", 429, 429, {"result_code": 429, "description": "천천히"}),
        ("exaone-text", 50012, 500, {"result_code": 50012, "description": "천천히"}),
        (
            "gov-chat",
            "model_not_found",
            404,
            {"error": {"message": "천천히", "type": "invalid_request_error", "code": "model_not_found"}},
        ),
        (
            "openai",
            429,
            429,
            {
                "error": {
                    "message": "천천히",
                    "type": "invalid_request_error",
                    "param": None,
                    "code": "rate_limit_exceeded",
                }
            },
        ),
    ],
)
def test_an_error_in_the_form_of_the_service(
    emulator: Any, name: str, code: int | str, status: int, found: dict[str, Any]
) -> None:
    emulator.answers = [Reply(error=(code, "천천히"))]
    answer = post(emulator.url, name)
    assert (answer.status_code, answer.json()) == (status, found)
    if name in STREAMS:
        with httpx.Client(base_url=emulator.url) as client:
            assert ask(client, name).status_code == status, "also where a stream was asked for"


@pytest.mark.parametrize("name", STREAMS)
def test_an_error_after_a_text_ends_the_stream(emulator: Any, name: str) -> None:
    emulator.answers = [Reply("반쯤 된 답", error=("50000", "그만"))]
    with httpx.Client(base_url=emulator.url) as client:
        answer = ask(client, name)
    assert answer.status_code == 200
    found = complete(STREAMS[name][3], answer.content)
    assert (found.text, found.failed) == ("반쯤 된 답", True)
    assert found.error is not None
    assert found.error.message == "그만"


def test_errors_of_agents(emulator: Any) -> None:
    with gov.Client(KEY, base_url=emulator.url, team_id=1, max_retries=0) as client:
        emulator.answers = [Reply(error=(-32004, "못 합니다"))]
        with pytest.raises(hangang.APIError, match="못 합니다"):
            client.agents.send(1, "?")
        with pytest.raises(hangang.APIError, match="못 합니다"), client.agents.stream(1, "?") as stream:
            list(stream)
        emulator.answers = [Reply(error=(429, "천천히"))]
        with pytest.raises(hangang.RateLimitError, match="천천히"):
            client.agents.send(1, "?")
        emulator.answers = [Reply("보냄")]
        assert client.agents.send(1, "message: ?").text == "보냄"
    for path in ("/api/v1/external/agents/x/a2a", "/api/v1/external/agents/v2/x/a2a"):
        method = "SendStreamingMessage" if "v2" in path else "message/send"
        message = {"role": "user", "messageId": "m", "parts": [{"text": "fail"}]}
        body = {"jsonrpc": "2.0", "id": 7, "method": method, "params": {"message": message}}
        emulator.answers = [Reply(error=(-32603, "못 합니다")), Reply("된다")]
        failed = httpx.post(emulator.url + path, json=body, headers=GOV).json()
        assert (failed["id"], failed["error"]["message"]) == (7, "못 합니다")
        assert "된다" in httpx.post(emulator.url + path, json=body, headers=GOV).text


# --- captures


FILES = {
    "clova-v3": ("clova/v3_thinking.sse", "clova/v3_tool_call.sse", "clova/error_midstream.sse"),
    "clova-v1": ("clova/v1_text.sse",),
    "clova-openai": ("openai/tool_call_hcx.sse",),
    "exaone-chat": ("exaone/chat_completion_web.ndjson",),
    "exaone-text": ("exaone/text_generation.jsonstream", "exaone/error_midstream.jsonstream"),
    "gov-chat": ("openai/vllm_reasoning.sse", "openai/error_then_done.sse"),
    "a2a-1.0": ("a2a/sdk-1.3.0_v1.0_stream_parts.sse",),
    "a2a-0.3": ("a2a/sdk-0.2.16_v0.2_stream.sse",),
    "agent-v2": ("a2a/sdk-1.3.0_v1.0_stream.sse",),
}


@pytest.mark.parametrize(("name", "file"), [(name, file) for name, files in FILES.items() for file in files])
def test_a_capture_is_replayed_byte_for_byte(emulator: Any, name: str, file: str) -> None:
    path = CAPTURES / file
    emulator.answers = [Reply(capture=path), Reply(capture=str(path)), Reply(capture=path.read_bytes())]
    controls = (
        {},
        {"x-hangang-fragments": "random"},
        {"x-hangang-newline": "crlf", "x-hangang-keepalive": "0"},
    )
    with httpx.Client(base_url=emulator.url) as client:
        for control in controls:
            answer = ask(client, name, control)
            assert answer.content == path.read_bytes()
            assert answer.headers["content-type"].startswith("text/event-stream")


@pytest.mark.parametrize(
    "body", [b"", b"\xff\x00 nothing", b'{"a":"}\\"{"}{"b":[1]} {', b"data: {}\r\rdata: 1"]
)
def test_any_bytes_are_a_capture(emulator: Any, body: bytes) -> None:
    emulator.answers = [Reply(capture=body)]
    with httpx.Client(base_url=emulator.url) as client:
        assert ask(client, "clova-v3").content == body
    assert post(emulator.url, "clova-v3").content == body


def test_faults_have_their_place_in_a_capture(emulator: Any) -> None:
    path = CAPTURES / "clova/v3_text.sse"
    emulator.answers = [Reply(capture=path)]
    whole = path.read_bytes()
    third = [at for at in range(len(whole)) if whole[at : at + 2] == b"\n\n"][2] + 2
    with httpx.Client(base_url=emulator.url) as client:
        assert ask(client, "clova-v3", {"x-hangang-truncate": "3e"}).content == whole[:third]
        assert ask(client, "clova-v3", {"x-hangang-truncate": "100"}).content == whole[:100]


# --- what is no reply


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"text": 1}, "text must be a str, not int"),
        ({"thinking": None}, "thinking must be a str, not NoneType"),
        ({"finish_reason": 1}, "finish_reason must be a str or None, not int"),
        ({"tool_calls": "add"}, "tool_calls must be pairs"),
        ({"tool_calls": ("add", {"a": 1})}, "'add' is no such pair"),
        ({"tool_calls": [("add", "{}")]}, "is no such pair"),
        ({"tool_calls": [("add", {"a": {1, 2}})]}, "the arguments are not JSON"),
        ({"tool_calls": [("add", {"a": float("nan")})]}, "the arguments are not JSON"),
        ({"error": 429}, r"error must be a code and a message, such as \(429, 'slow down'\), not 429"),
        ({"error": (429, None)}, "error must be a code and a message"),
        ({"capture": 1}, "capture must be a path or bytes, not int"),
    ],
)
def test_wrong_types_are_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        Reply(**given)


def test_wrong_values_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a capture is the whole answer: leave out text, error"):
        Reply("x", error=(1, ""), capture=b"")
    with pytest.raises(ValueError, match="lone surrogate"):
        Reply("\ud83d")
    with pytest.raises(ValueError, match="lone surrogate"):
        Reply(finish_reason="\ud83d")
    with pytest.raises(FileNotFoundError):
        Reply(capture=tmp_path / "missing.sse")
    wrong: list[tuple[Any, type[Exception], str]] = [
        ([], ValueError, "answers is empty"),
        (["text"], TypeError, r"answers\[0\] must be a Reply, not str"),
        (Reply("x"), TypeError, "answers must be a list of Reply or a callable, not Reply"),
        (5, TypeError, "answers must be a list of Reply or a callable, not int"),
    ]
    for answers, kind, message in wrong:
        with pytest.raises(kind, match=message):
            create_app(answers=answers)


# --- files of answers


def test_a_file_of_answers(tmp_path: Path) -> None:
    (tmp_path / "a.sse").write_bytes(b"data: 1\n\n")
    lines: list[Any] = [
        {"text": "안녕", "thinking": "음", "finish_reason": None},
        {"tool_calls": [["add", {"a": 1}], {"name": "sub", "arguments": {}}]},
        {"error": [429, "천천히"]},
        {"capture": "a.sse"},
    ]
    path = tmp_path / "answers.jsonl"
    path.write_text("\ufeff" + "\n\n".join(json.dumps(line) for line in lines) + "\r\n", encoding="utf-8")
    assert read_answers(path) == [
        Reply("안녕", "음"),
        Reply(tool_calls=(("add", {"a": 1}), ("sub", {}))),
        Reply(error=(429, "천천히")),
        Reply(capture=tmp_path / "a.sse"),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{'text': 1}", "line 3: not JSON: Expecting property name"),
        ('"text"', "line 3: a line must be an object such as"),
        ('{"txet": "a"}', "line 3: unknown field 'txet'; did you mean 'text'?"),
        ('{"zzz": "a"}', "line 3: unknown field 'zzz'; a reply has text, thinking"),
        ('{"text": 5}', "line 3: text must be a str, not int"),
        ('{"capture": "missing.sse"}', "line 3: capture: .*missing.sse: No such file"),
        ('{"capture": 5}', "line 3: capture must be a path, not int"),
        ('{"text": "\\ud83d"}', "line 3: a reply has a lone surrogate"),
        ('{"tool_calls": [["a"]]}', "line 3: tool_calls must be pairs"),
        ("[" * 100_000, "line 3: nested too deeply"),
        ("\xff", "line 3: "),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_bytes(b'{"text": "a"}\n\n' + line.encode("latin-1") + b"\n")
    with pytest.raises(ValueError, match=message) as caught:
        read_answers(path)
    assert str(caught.value).startswith(f"{path}, line 3: ")


def test_an_empty_file_of_answers(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_text("\n")
    with pytest.raises(ValueError, match="no line has a reply"):
        read_answers(path)


@pytest.mark.parametrize("command", [["-m", "hangang.emulator"], ["-m", "hangang", "serve"]])
def test_the_command_line_takes_a_file(tmp_path: Path, command: list[str]) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_text('{"text": "파일에서"}\n')
    served = [sys.executable, *command, "--port", "0", "--answers", str(path)]
    with subprocess.Popen(served, stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
        assert process.stdout is not None
        try:
            found = re.search(r"http://\S+", process.stdout.readline())
            assert found is not None
            with clova.Client(KEY, base_url=found[0]) as client:
                assert client.chat("HCX-005", "?").text == "파일에서"
        finally:
            process.terminate()
    path.write_text('{"text": "파일에서"}\n{"txt": 1}\n')
    failed = subprocess.run(served, capture_output=True, text=True, encoding="utf-8", timeout=60, check=False)
    assert failed.returncode == (2 if "serve" in command else 1)
    assert f"{path}, line 2: unknown field 'txt'; did you mean 'text'?" in failed.stderr
    assert "Traceback" not in failed.stderr
