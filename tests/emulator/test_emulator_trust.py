"""What a hostile request, a page in a browser, or a long test can do to an emulator."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from emulated import CLOVA, EXAONE, GOV, QUESTION, STREAMS, raw

from hangang.emulator import create_app, run_in_thread
from hangang.emulator._addresses import warning
from hangang.emulator._controls import MOST_CALLS, MOST_TOKENS
from hangang.emulator._guard import problem
from hangang.emulator._store import MOST, Store
from hangang.emulator.exaone import StoredFile

JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def emulator() -> Iterator[Any]:
    with run_in_thread() as running:
        yield running


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing was logged: an exception in a handler would be."""
    with caplog.at_level(logging.WARNING):
        yield
    assert [record.getMessage() for record in caplog.records] == []


# --- texts that cannot be sent back


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize(
    "bad", [b'"\\ud83d"', b'"\xed\xa0\xbd"', b'"\xff"'], ids=["escape", "bytes", "no UTF-8"]
)
@pytest.mark.usefixtures("quiet")
def test_a_lone_surrogate_is_a_bad_request(emulator: Any, name: str, bad: bytes) -> None:
    path, body, headers, dialect = STREAMS[name]
    text = json.dumps(body, ensure_ascii=False)
    for old in ('"한강의 길이는?"', '"한강"', '"msg-1"'):
        content = text.encode().replace(old.encode(), bad)
        if content == text.encode():
            continue
        answer = httpx.post(emulator.url + path, content=content, headers={**headers, **JSON})
        if dialect == "a2a" and name != "agent-v2":
            assert answer.json()["error"]["code"] == -32700, "JSON-RPC's parse error is a 200"
        else:
            assert answer.status_code == 400


@pytest.mark.usefixtures("quiet")
def test_a_lone_surrogate_in_a_form(emulator: Any) -> None:
    base = f"{emulator.url}/v1/rag42/collections"
    made = httpx.post(base, json={"name": "강"}, headers=GOV).json()["result"]["id"]
    for fields in ({"tags": '["\\ud83d"]'}, {"metadata": '{"a": "\\ud83d"}'}):
        answer = httpx.post(
            f"{base}/{made}/documents/upload", files={"file": ("a.md", b"x")}, data=fields, headers=GOV
        )
        assert answer.status_code == 422


def test_a_form_that_cannot_be_read_is_refused_in_the_form_of_the_service(emulator: Any) -> None:
    kind = {"content-type": "multipart/form-data; boundary=b"}
    answer = httpx.post(f"{emulator.url}/v1/files", content=b"garbage", headers={**EXAONE, **kind})
    assert (answer.status_code, answer.json()["result_code"]) == (400, 400)
    path = "/tools/document-parser/rag42"
    answer = httpx.post(emulator.url + path, content=b"garbage", headers={**GOV, **kind})
    assert (answer.status_code, answer.json()["status"]["code"]) == (400, "40000")


# --- values of any type in any place

FUNCTION = {
    "name": "f",
    "parameters": {
        "type": "object",
        "properties": {
            "a": {"type": "integer", "minimum": 1},
            "b": {"type": "array", "items": {"enum": ["x"]}, "minItems": 2},
        },
    },
}
TOOLS = [{"type": "function", "function": FUNCTION}]
TURNS = [
    {"role": "system", "content": "s"},
    {"role": "user", "content": [{"type": "text", "text": "q"}]},
    {
        "role": "assistant",
        "content": "",
        "toolCalls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": {"a": 1}}}],
    },
    {"role": "tool", "toolCallId": "c", "content": "1"},
]
FULL = {
    "messages": TURNS,
    "tools": TOOLS,
    "toolChoice": "auto",
    "maxTokens": 2000,
    "temperature": 0.5,
    "seed": 1,
}
OPENAI = {"messages": QUESTION, "tools": TOOLS, "tool_choice": "auto", "max_tokens": 20}
FORM = {"type": "json", "schema": FUNCTION["parameters"]}
A2A = {"jsonrpc": "2.0", "id": 1}
PARTS = [{"kind": "file", "file": {"bytes": "x", "uri": "y"}}, {"kind": "data", "data": {}}, {"text": "x"}]
MESSAGE = {
    "role": "user",
    "messageId": "m",
    "taskId": "",
    "contextId": "c",
    "metadata": {"a": 1},
    "parts": PARTS,
}
REQUESTS: dict[str, tuple[str, dict[str, Any], dict[str, str]]] = {
    **{name: (path, body, headers) for name, (path, body, headers, _) in STREAMS.items()},
    "tools": ("/v3/chat-completions/HCX-005", FULL, CLOVA),
    "form": (
        "/v3/chat-completions/HCX-007",
        {"messages": QUESTION, "thinking": {"effort": "none"}, "responseFormat": FORM},
        CLOVA,
    ),
    "image": (
        "/v3/chat-completions/HCX-005",
        {"messages": [{"role": "user", "content": [{"type": "image_url", "imageUrl": {"url": "http://x"}}]}]},
        CLOVA,
    ),
    "compatible": ("/v1/openai/chat/completions", {"model": "HCX-005", **OPENAI}, CLOVA),
    "compatible form": (
        "/v1/openai/chat/completions",
        {
            "model": "HCX-007",
            "messages": QUESTION,
            "reasoning_effort": "none",
            "response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "object"}}},
        },
        CLOVA,
    ),
    "gov": (
        "/v1/chat/completions",
        {
            "model": "HCX-GOV",
            **OPENAI,
            "stream_options": {"include_usage": True},
            "chat_template_kwargs": {"thinking": True},
        },
        GOV,
    ),
    "openai": ("/openai/v1/chat/completions", {"model": "m", **OPENAI}, {}),
    "openai embeddings": ("/openai/v1/embeddings", {"model": "m", "input": ["a"]}, {}),
    "compatible embeddings": (
        "/v1/openai/embeddings",
        {"model": "bge-m3", "input": ["a"], "dimensions": 1024},
        CLOVA,
    ),
    "gov embeddings": ("/v1/text/embeddings", {"model": "bge-m3", "input": ["a"], "dimensions": 8}, GOV),
    "faq embeddings": ("/tools/embeddings", {"model": "x", "texts": ["a"]}, GOV),
    "mask": ("/v1/text/pii-mask", {"text": "a@b.co", "pii_types": ["RRN"]}, GOV),
    "speech": ("/v1/audio/speech", {"input": "가", "voice": "n", "speed": 1, "response_format": "pcm"}, GOV),
    "collection": ("/v1/rag42/collections", {"name": "a", "description": "", "search_config": {}}, GOV),
    "search": (
        "/v1/rag42/search",
        {
            "query": "a",
            "top_k": 5,
            "tags": ["x"],
            "search_type": "hybrid",
            "alpha": 0.5,
            "collection_ids": ["x"],
        },
        GOV,
    ),
    "exaone": (
        "/v1/chatexaone/chat-completion",
        {"query": "q", "previous_messages": [{"query": "a", "intent": "b", "answer": "c"}], "doc_ids": ["x"]},
        EXAONE,
    ),
    "files": ("/v1/files/query", {"file_ids": ["x"]}, EXAONE),
    "embedding": ("/v1/api-tools/embedding/v2", {"text": "x"}, CLOVA),
    "tokenize": ("/v3/api-tools/chat-tokenize/HCX-007", FULL, CLOVA),
    "tokenize v1": ("/v1/api-tools/chat-tokenize/HCX-003", {"messages": QUESTION}, CLOVA),
    "agent v1": (
        "/api/v1/external/agents/x/a2a",
        {**A2A, "method": "message/send", "params": {"metadata": {"chat_session_id": 1}, "message": MESSAGE}},
        GOV,
    ),
    "send": (
        "/a2a",
        {
            **A2A,
            "method": "message/send",
            "params": {"configuration": {"blocking": False}, "message": MESSAGE},
        },
        {},
    ),
    "get": ("/a2a", {**A2A, "method": "tasks/get", "params": {"id": "x", "historyLength": 2}}, {}),
    "list": (
        "/a2a",
        {**A2A, "method": "ListTasks", "params": {"contextId": "x", "pageSize": 2}},
        {"a2a-version": "1.0"},
    ),
}
ODD: list[Any] = [None, True, -1, 1e308, "", "x", [], {}, [[]], [{}], {"a": 1}]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))


def changed(value: Any, path: tuple[Any, ...], odd: Any) -> Any:
    if not path:
        return odd
    copy = json.loads(json.dumps(value))
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = odd
    return copy


@pytest.mark.parametrize("name", REQUESTS)
def test_no_value_is_a_server_error(name: str) -> None:
    path, body, headers = REQUESTS[name]

    async def run() -> list[tuple[Any, Any, int]]:
        transport = httpx.ASGITransport(app=create_app(tokens=2))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            found = []
            for place in places(body):
                for odd in ODD:
                    content = json.dumps(changed(body, place, odd))
                    answer = await client.post(path, content=content, headers={**headers, **JSON})
                    found.append((place, odd, answer.status_code))
            return found

    found = asyncio.run(run())
    assert len(found) == len(ODD) * len(list(places(body)))
    assert [one for one in found if one[2] >= 500] == []


# --- work without bound


@pytest.mark.parametrize(
    ("control", "most"), [("tokens", MOST_TOKENS), ("calls", MOST_CALLS), ("artifacts", MOST_CALLS)]
)
def test_large_answers_are_refused_with_a_sentence(emulator: Any, control: str, most: int) -> None:
    headers = {**CLOVA, f"x-hangang-{control}": "3000000"}
    answer = httpx.post(
        f"{emulator.url}/v3/chat-completions/HCX-005", json={"messages": QUESTION}, headers=headers
    )
    assert answer.status_code == 400
    message = answer.json()["status"]["message"]
    assert message.startswith(f"header x-hangang-{control} cannot be '3000000': it takes a count from ")
    assert message.endswith(f" to {most}")


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "minItems": 10**12, "items": {"type": "string"}},
        {"type": "array", "minItems": 99, "items": {"type": "array", "minItems": 999}},
        {"type": "array", "minItems": "many"},
        {"type": "integer", "minimum": "low"},
        {"type": "number", "minimum": 1e999},
        {"type": "string", "format": []},
        {"type": "object", "properties": {"a": {"anyOf": [{"type": "integer", "maximum": {}}]}}},
    ],
    ids=str,
)
@pytest.mark.usefixtures("quiet")
def test_a_schema_that_has_no_value(emulator: Any, schema: dict[str, Any]) -> None:
    body: dict[str, Any] = {"messages": QUESTION, "maxTokens": 2_000, "thinking": {"effort": "none"}}
    tools = [
        {
            "type": "function",
            "function": {"name": "f", "parameters": {"type": "object", "properties": {"a": schema}}},
        }
    ]
    form = {"responseFormat": {"type": "json", "schema": schema}}
    for more in ({"tools": tools}, form):
        content = json.dumps({**body, **more})
        answer = httpx.post(
            f"{emulator.url}/v3/chat-completions/HCX-007", content=content, headers={**CLOVA, **JSON}
        )
        assert answer.status_code == 400
        assert answer.json()["status"]["message"].startswith("no value can be made for a schema: ")


def test_texts_of_embeddings_have_a_limit(emulator: Any) -> None:
    for texts in (["x" * 200_001], ["x"] * 1_001):
        answer = httpx.post(
            f"{emulator.url}/v1/text/embeddings", json={"model": "bge-m3", "input": texts}, headers=GOV
        )
        assert answer.status_code == 422


def test_masking_is_linear() -> None:
    """An address could begin at each of these letters; the pattern tries one place of each run."""
    import re

    from hangang.emulator.gov_tools import PATTERNS

    pattern, mask = PATTERNS["EMAIL"], "[EMAIL]"
    assert re.sub(pattern, mask, "a" * 200_000 + " a@b.co a@b.c") == "a" * 200_000 + " [EMAIL] a@b.c"
    assert re.sub(pattern, mask, "a@" * 50_000) == "a@" * 50_000
    assert re.sub(pattern, mask, "a@" + "b." * 50_000 + "1") == "a@" + "b." * 50_000 + "1"


# --- state without bound


def test_a_store_forgets_the_oldest() -> None:
    store: Store[int] = Store(3, 100)
    for number in range(5):
        store.put(str(number), number, 10)
    assert list(store) == [2, 3, 4]
    store.put("2", 9, 85)  # in its old place, but what was put last is not forgotten
    assert list(store) == [9, 4]
    store.put("big", 1, 1_000)
    assert (list(store), len(store)) == ([1], 1)
    assert store.delete("big") == 1
    assert store.delete("big") is None
    long = "k" * 10_000
    store.put(long, 7)
    assert store.get(long) == 7
    assert store.get(long + "k") is None


def test_memory_of_tags_keys_files_and_tasks_is_bounded(emulator: Any) -> None:
    path, shared, headers, _ = STREAMS["agent-v2"]
    body = json.loads(json.dumps(shared))
    task = json.loads(json.dumps(STREAMS["a2a-1.0"][1]))
    state = emulator.state
    for number in range(MOST):  # as many clients as the store has room for
        for store, value in (("windows", (0.0, 1)), ("tags", 1), ("files", StoredFile("id", "old", 1, 0.0))):
            state.store(store).put(f"old {number}", value)
    with httpx.Client(base_url=emulator.url) as client:
        for number in range(5):
            key = {
                "authorization": f"Bearer nv-{number}",
                "x-hangang-times": "1",
                "x-hangang-tag": str(number),
            }
            client.post("/v3/chat-completions/none", json={}, headers=key)
            client.post("/v1/files", files={"files": (f"{number}.md", b"x")}, headers=EXAONE)
        assert [len(state.store(name)) for name in ("windows", "tags", "files")] == [MOST] * 3
        assert client.get("/_emulator").json()["files"] == MOST
        for number in range(3):
            body["params"]["message"]["contextId"] = "c" * 300 + str(number)
            assert client.post(path, json=body, headers=headers).status_code == 200
        long = "가" * 3_000_000
        task["params"]["message"]["parts"] = [{"text": long}]
        for _ in range(12):
            answer = client.post("/a2a", json=task, headers={"a2a-version": "1.0"})
            assert answer.status_code == 200
        assert 1 <= len(state.store("tasks")) < 12


def test_a_task_cannot_grow_without_end(emulator: Any) -> None:
    body = json.loads(json.dumps(STREAMS["a2a-1.0"][1]))
    body["method"] = "SendMessage"
    message = body["params"]["message"]
    message["parts"] = [{"text": "input"}]
    message["metadata"] = {"long": "x" * 3_000_000}
    with httpx.Client(base_url=emulator.url, headers={"a2a-version": "1.0"}) as client:
        for _ in range(3):
            found = client.post("/a2a", json=body).json()
            message["taskId"] = found["result"]["task"]["id"]
        assert "is too long" in client.post("/a2a", json=body).json()["error"]["message"]


# --- a client that has left


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("fault", ["reset", "cut", "stall"])
@pytest.mark.parametrize("name", STREAMS)
def test_a_fault_after_the_client_left_is_silent(emulator: Any, name: str, fault: str) -> None:
    control = {f"x-hangang-{fault}": "10", "x-hangang-delay": "0.05"}
    for wait in (False, True):
        pieces = raw(emulator.port, name, control)
        with contextlib.suppress(ConnectionError):
            if wait and fault != "stall":
                next(pieces, None)
        pieces.close()  # type: ignore[attr-defined] - a generator, which closes its socket
    path, body, headers, _ = STREAMS[name]
    content = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    lines = "".join(f"{key}: {value}\r\n" for key, value in {**headers, **control}.items())
    with socket.create_connection(("127.0.0.1", emulator.port), timeout=10) as sock:
        sock.sendall(f"{head}{lines}Content-Length: {len(content)}\r\n\r\n".encode() + content)
    assert emulator.wait_idle(5)


def test_reset_on_a_closed_transport() -> None:
    """The client left in the 20 ms between the last byte and the RST."""
    from hangang.emulator._server import Protocol

    class Transport:
        aborted = False

        def get_extra_info(self, _: str) -> socket.socket:
            gone = socket.socket()
            gone.close()
            return gone

        def is_closing(self) -> bool:
            return False

        def abort(self) -> None:
            self.aborted = True

    protocol = Protocol.__new__(Protocol)
    protocol.transport = Transport()  # type: ignore[assignment]
    protocol.reset()
    assert protocol.transport.aborted  # type: ignore[attr-defined]


# --- pages in a browser


@pytest.mark.parametrize(
    ("listening", "host", "fine"),
    [
        ("127.0.0.1", "127.0.0.1:8000", True),
        ("127.0.0.1", "localhost:8000", True),
        ("127.0.0.1", "LOCALHOST", True),
        ("127.0.0.1", "api.localhost:1", True),
        ("127.0.0.1", "[::1]:8000", True),
        ("127.0.0.1", "evil.example", False),
        ("127.0.0.1", "127.0.0.1.evil.example", False),
        ("127.0.0.1", "localhost.evil.example:8000", False),
        ("127.0.0.1", "10.0.0.5", False),
        ("127.0.0.1", "user@127.0.0.1@evil.example", False),
        ("127.0.0.1", "[", False),
        ("127.0.0.1", "", True),
        ("localhost", "localhost", True),
        ("localhost", "evil.example", False),
        ("::1", "[::1]:9", True),
        ("::1", "evil.example", False),
        ("0.0.0.0", "10.0.0.5:8000", True),
        ("0.0.0.0", "emulator:8000", True),
        ("0.0.0.0", "host.docker.internal:8000", True),
        ("0.0.0.0", "evil.example:8000", False),
        ("::", "[fe80::1]:8000", True),
        ("10.0.0.5", "10.0.0.5:8000", True),
        ("mine.example", "mine.example:8000", True),
        ("mine.example", "evil.example", False),
    ],
)
def test_hosts(listening: str, host: str, fine: bool) -> None:
    assert (problem(host, None, listening) is None) == fine


@pytest.mark.parametrize(
    "path", ["/_emulator", "/_emulator/requests", "/.well-known/agent-card.json", "/nothing"]
)
def test_another_host_reads_nothing(emulator: Any, path: str) -> None:
    """DNS rebinding: a page's own name resolves to this address."""
    answer = httpx.get(emulator.url + path, headers={"host": "evil.example"})
    assert answer.status_code == 403
    assert answer.json()["emulator"]["error"] == (
        "Host 'evil.example' is not this emulator's: it listens on 127.0.0.1"
    )
    assert httpx.get(f"http://localhost:{emulator.port}/_emulator").status_code == 200


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
def test_a_page_cannot_post(emulator: Any, name: str, origin: str) -> None:
    path, body, headers, _ = STREAMS[name]
    before = len(emulator.requests)
    for kind in ({}, {"content-type": "text/plain"}):
        answer = httpx.post(
            emulator.url + path,
            content=json.dumps(body),
            headers={**headers, **JSON, **kind, "origin": origin},
        )
        assert answer.status_code == 403
        assert "Origin" in answer.json()["emulator"]["error"]
    assert len(emulator.requests) == before
    own = {**headers, **JSON, "origin": emulator.url}
    assert httpx.post(emulator.url + path, content=json.dumps(body), headers=own).status_code == 200


def test_under_another_server_the_scope_tells_the_address() -> None:
    async def run(host: str) -> int:
        transport = httpx.ASGITransport(app=create_app())
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            return (await client.get("/_emulator", headers={"host": host})).status_code

    assert asyncio.run(run("localhost")) == 200
    assert asyncio.run(run("evil.example")) == 403


def test_a_warning_for_an_open_address() -> None:
    assert warning("127.0.0.1", "http://127.0.0.1:80") is None
    assert warning("localhost", "http://127.0.0.1:80") is None
    assert warning("::1", "http://[::1]:80") is None
    for host in ("0.0.0.0", "10.0.0.5", "mine.example"):
        assert warning(host, "http://127.0.0.1:80") == f"listening on {host}:80: other machines can reach it"
    assert warning("::", "http://[::1]:80") == "listening on [::]:80: other machines can reach it"
