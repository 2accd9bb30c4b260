"""What every service's client does alike, over real sockets: each HTTP library, sync and async.

The emulator keeps what was sent. `Face` hides which kind of client runs: each test is written once.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from transports import KEY, WAYS

import hangang
from hangang import Completion, ToolCall, clova, exaone, gov, openai
from hangang._client import retry
from hangang.emulator import Reply, run_in_thread


@dataclass(frozen=True)
class Service:
    """A service: its module, its path at the emulator, what a question's arguments are, where its key comes from."""

    module: Any
    path: str
    question: tuple[str, ...]
    variables: tuple[str, ...]


SERVICES = {
    "clova": Service(clova, "", ("HCX-007", "한강?"), ("CLOVA_STUDIO_API_KEY", "CLOVASTUDIO_API_KEY")),
    "exaone": Service(exaone, "", ("한강?",), ("EXAONE_API_KEY",)),
    "gov": Service(gov, "", ("HCX-GOV-THINK", "한강?"), ("CLOVA_STUDIO_GOV_API_KEY",)),
    "openai": Service(openai, "/openai/v1", ("any-model", "한강?"), ("OPENAI_API_KEY",)),
}
MESSAGES = [name for name in SERVICES if name != "exaone"]  # EXAONE takes a question


class Face:
    """A kind of client. `run` awaits what `work(client)` returns, if it must be awaited."""

    def __init__(self, library: str, mode: str, emulator: Any) -> None:
        self.library, self.is_async, self.emulator = library, mode == "async", emulator

    def client(self, name: str, *key: str, **options: Any) -> Any:
        service = SERVICES[name]
        kind = service.module.AsyncClient if self.is_async else service.module.Client
        options = {"http_client": self.library, "timeout": 10, **options}
        return kind(*key, base_url=self.emulator.url + service.path, **options)

    def run(self, client: Any, *calls: Callable[[Any], Any]) -> list[Any]:
        async def wait() -> list[Any]:
            async with client:
                return [await call(client) for call in calls]

        if self.is_async:
            return asyncio.run(wait())
        with client:
            return [call(client) for call in calls]

    def read(self, client: Any, call: Callable[[Any], Any], use: str) -> tuple[list[Any], Any]:
        """What a way of reading a stream yields, and the stream."""

        async def wait() -> tuple[list[Any], Any]:
            async with client, call(client) as stream:
                return [item async for item in reading(stream)], stream

        def reading(stream: Any) -> Any:
            return {"text": lambda: stream.text_stream, "batches": stream.batches}.get(use, lambda: stream)()

        if self.is_async:
            return asyncio.run(wait())
        with client, call(client) as stream:
            return list(reading(stream)), stream


@pytest.fixture
def emulator() -> Iterator[Any]:
    with run_in_thread(fragments="random") as running:
        yield running
        assert running.wait_idle(2.0), "a connection was left open"


@pytest.fixture(params=WAYS)
def face(request: pytest.FixtureRequest, emulator: Any, monkeypatch: pytest.MonkeyPatch) -> Face:
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(retry, "JITTER", 0.001)
    return Face(*request.param, emulator)


@pytest.mark.parametrize("name", SERVICES)
def test_chat_and_every_way_of_reading_a_stream(face: Face, name: str) -> None:
    question = SERVICES[name].question
    (answer,) = face.run(face.client(name, KEY), lambda client: client.chat(*question))
    assert isinstance(answer, Completion)
    assert "한강?" in answer.text
    assert answer.request_id is not None or "request-id" not in str(face.emulator.requests[0].headers)
    for use in ("events", "text", "batches"):
        items, stream = face.read(face.client(name, KEY), lambda client: client.stream(*question), use)
        events = [event for batch in items for event in batch] if use == "batches" else items
        text = "".join(events if use == "text" else (event.text for event in events))
        assert text == stream.completion.text
        assert stream.completion.text
        assert stream.metrics.first_text is not None
    for request in face.emulator.requests:
        assert request.headers["user-agent"].startswith(f"hangang/{hangang.__version__} (")


@pytest.mark.parametrize("name", SERVICES)
def test_keys_by_every_variable(face: Face, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The argument, then the variables in their order."""
    service = SERVICES[name]
    for variable in service.variables:
        monkeypatch.delenv(variable, raising=False)
    if name == "openai":  # a server on loopback may have no key
        face.run(face.client(name), lambda client: client.chat(*service.question))
        assert "authorization" not in face.emulator.requests[0].headers
    else:
        with pytest.raises(ValueError, match=f"no API key: .*{service.variables[0]}"):
            face.client(name)
    sent = []
    for variable in reversed(service.variables):
        monkeypatch.setenv(variable, f"nv-{variable}")
        face.run(face.client(name), lambda client: client.chat(*service.question))
        sent.append(f"nv-{variable}")
    face.run(face.client(name, KEY), lambda client: client.chat(*service.question))
    headers = [request.headers for request in face.emulator.requests][-len(sent) - 1 :]
    keys = [each.get("authorization", "").removeprefix("Bearer ") or each["x-api-key"] for each in headers]
    assert keys == [*sent, KEY]


@pytest.mark.parametrize("name", SERVICES)
def test_options_of_a_call_and_of_with_options(face: Face, name: str) -> None:
    question = SERVICES[name].question
    options: dict[str, Any] = {"extra_headers": {"x-mine": "한".encode().hex()}, "extra_query": {"page": 1}}
    client = face.client(name, KEY, headers={"x-kept": "1"})
    face.run(
        client,
        lambda client: client.chat(*question, **options, timeout=9, stall_timeout=9, total_timeout=9),
        lambda client: client.with_options(headers={"x-more": "2"}, max_retries=0).chat(*question),
    )
    first, second = (request.headers for request in face.emulator.requests)
    assert (first["x-mine"], first["x-kept"]) == ("ed959c", "1")
    assert (second["x-kept"], second["x-more"]) == ("1", "2")
    assert "x-mine" not in second


@pytest.mark.parametrize("name", SERVICES)
def test_a_refused_key_is_an_error_in_words(face: Face, name: str) -> None:
    face.emulator.answers = [Reply(error=(401, f"no such key {KEY}"))]
    question = SERVICES[name].question
    with pytest.raises(hangang.AuthenticationError) as caught:
        face.run(face.client(name, KEY), lambda client: client.chat(*question))
    assert str(caught.value).startswith("401")
    assert "no such key" in str(caught.value)
    assert KEY not in str(caught.value) + repr(caught.value)
    assert caught.value.status == 401
    assert len(face.emulator.requests) == 1


def forms() -> list[Any]:
    """A conversation in each form that is taken: OpenAI's dicts, a `Completion`, wire dicts."""
    call = ToolCall("call_1", "get_weather", '{"city": "서울"}', 0, "function")
    return [
        {"role": "system", "content": "짧게"},
        {"role": "user", "content": [{"type": "text", "text": "서울 날씨?"}]},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": call.arguments},
                }
            ],
        },
        {"role": "tool", "tool_call_id": call.id, "content": "맑음"},
        Completion(text="맑습니다", dialect="openai"),
        {"role": "user", "content": "부산은?"},
    ]


@pytest.mark.parametrize("name", MESSAGES)
def test_forms_of_messages(face: Face, name: str) -> None:
    """CLOVA's own form differs in the tool turn; the others get the dicts as they are."""
    model = SERVICES[name].question[0] if name != "clova" else "HCX-005"
    tool = {"type": "function", "function": {"name": "get_weather", "description": "d", "parameters": {
        "type": "object", "properties": {"city": {"type": "string"}}}}}  # fmt: skip
    options: dict[str, Any] = {"max_tokens": 1024, "tools": [tool], "tool_choice": "none"}
    (answer,) = face.run(face.client(name, KEY), lambda client: client.chat(model, forms(), **options))
    assert answer.text
    (request,) = face.emulator.requests
    turns = request.body["messages"]
    assert [turn["role"] for turn in turns] == ["system", "user", "assistant", "tool", "assistant", "user"]
    assert turns[4]["content"] == "맑습니다"
    if name == "clova":
        assert turns[2]["toolCalls"][0]["function"]["arguments"] == {"city": "서울"}
        assert turns[3] == {"role": "tool", "toolCallId": "call_1", "content": "맑음"}
    else:
        assert json.loads(turns[2]["tool_calls"][0]["function"]["arguments"]) == {"city": "서울"}
        assert turns[3] == {"role": "tool", "tool_call_id": "call_1", "content": "맑음"}


@pytest.mark.parametrize("name", MESSAGES)
def test_what_is_refused_is_never_sent(face: Face, name: str) -> None:
    model = SERVICES[name].question[0]
    wrong: list[tuple[tuple[Any, ...], dict[str, Any], str]] = [
        ((model, {"role": "user"}), {}, "messages must be a str or a list"),
        ((model, "x"), {"temprature": 1}, r"chat\(\) has no option 'temprature'; did you mean temperature"),
        ((model, "x"), {"tools": {"type": "function"}}, "tools must be a list of dicts, not dict"),
        ((3, "x"), {}, "model must be a str"),
    ]
    for arguments, options, words in wrong:
        with pytest.raises(TypeError, match=words):
            face.run(face.client(name, KEY), lambda client, a=arguments, o=options: client.chat(*a, **o))
    assert face.emulator.requests == []


@pytest.mark.parametrize("name", SERVICES)
def test_errors_of_pythons_show_no_private_name(face: Face, name: str) -> None:
    for method in ("chat", "stream"):
        with pytest.raises(TypeError, match=rf"^{method}\(\) missing \d required"):
            face.run(face.client(name, KEY), lambda client, m=method: getattr(client, m)())


@pytest.mark.parametrize("name", SERVICES)
def test_shapes_out(face: Face, name: str) -> None:
    """An answer of every service in plain values, in OpenAI's shape, and as the next turn."""
    question = SERVICES[name].question
    events, stream = face.read(face.client(name, KEY), lambda client: client.stream(*question), "events")
    completion = stream.completion
    for event in events:
        assert json.loads(json.dumps(event.to_dict()))["dialect"] == completion.dialect
    assert json.loads(json.dumps(completion.to_dict()))["text"] == completion.text
    whole = completion.to_openai("m")
    assert whole["choices"][0]["message"]["content"] == completion.text
    chunks = list(openai.to_chunks(events, model="m"))
    assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks) == completion.text
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks].count(None) == len(chunks) - 1
    assert completion.to_message() == {"role": "assistant", "content": completion.text}
