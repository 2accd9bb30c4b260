"""The clients over real sockets: every method, sync and async, against the emulator; faults, crowds, agents."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

import support
from transports import AWAITING, BLOCKING, KEY, QUESTION, SERVICES, WAYS

import hangang
from hangang import clova, exaone, gov
from hangang._client import retry
from hangang.emulator import run_in_thread

TOOL = [{"type": "function", "function": {"name": "get_weather", "description": "d", "parameters": {
    "type": "object", "properties": {"location": {"type": "string"}}}}}]  # fmt: skip


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(retry, "JITTER", 0.001)


@pytest.fixture(scope="module")
def emulator() -> Iterator[Any]:
    with run_in_thread(fragments="random") as running:
        yield running
        assert running.wait_idle(2.0), "a connection was left open"


def controls(**values: Any) -> dict[str, str]:
    return {f"x-hangang-{name.replace('_', '-')}": str(value) for name, value in values.items()}


class Blocking:
    """Runs the clients that block; `Awaited` runs the others, so that one test body does for both."""

    def __init__(self, emulator: Any, library: str = "httpx") -> None:
        self.url = emulator.url
        self.library = library

    def run(self, service: Any, work: Any, key: str = KEY, **options: Any) -> Any:
        options = {"http_client": self.library, "timeout": 10, **options}
        with service.Client(key, base_url=self.url, **options) as client:
            return work(client)

    def stream(self, service: Any, open_stream: Any, key: str = KEY, **options: Any) -> Any:
        def work(client: Any) -> Any:
            events = []
            with open_stream(client) as stream:
                for event in stream:
                    events.append(event)
            return events, stream

        return self.run(service, work, key, **options)


class Awaited(Blocking):
    """The same for the clients that await."""

    def run(self, service: Any, work: Any, key: str = KEY, **options: Any) -> Any:
        async def go() -> Any:
            made = {"http_client": self.library, "timeout": 10, **options}
            async with service.AsyncClient(key, base_url=self.url, **made) as client:
                return await work(client)

        return asyncio.run(go())

    def stream(self, service: Any, open_stream: Any, key: str = KEY, **options: Any) -> Any:
        async def work(client: Any) -> Any:
            events = []
            async with open_stream(client) as stream:
                async for event in stream:
                    events.append(event)
            return events, stream

        return self.run(service, work, key, **options)


@pytest.fixture(params=WAYS)
def face(request: pytest.FixtureRequest, emulator: Any) -> Blocking:
    library, mode = request.param
    kind = Blocking if mode == "sync" else Awaited
    return kind(emulator, library)


def whole(events: list[Any], stream: Any) -> hangang.Completion:
    """The completion of a stream, checked against the hash that the emulator sent of its text."""
    completion: hangang.Completion = stream.completion
    text = completion.text
    assert hashlib.sha256(text.encode()).hexdigest() == stream.headers["x-hangang-text-sha256"]
    assert completion == hangang.Completion.of(events)
    assert stream.metrics.events == len(events)
    return completion


# --- CLOVA Studio


@pytest.mark.parametrize("model", ["HCX-007", "HCX-005", "HCX-DASH-002", "HCX-003", "HCX-DASH-001"])
def test_clova_chat(face: Blocking, model: str) -> None:
    events, stream = face.stream(clova, lambda c: c.stream(model, QUESTION))
    streamed = whole(events, stream)
    assert streamed.text
    assert bool(streamed.thinking) == (model == "HCX-007")
    assert streamed.usage is not None
    assert stream.rate_limit.headers
    once = face.run(clova, lambda c: c.chat(model, QUESTION))
    assert (once.text, once.thinking, once.finish_reason) == (
        streamed.text,
        streamed.thinking,
        streamed.finish_reason,
    )
    assert once.rate_limit.headers


def test_clova_tools_over_two_turns(face: Blocking) -> None:
    options: Any = {"tools": TOOL, "thinking": "none", "max_tokens": 1024}
    _, stream = face.stream(clova, lambda c: c.stream("HCX-007", QUESTION, **options))
    streamed = stream.completion
    once = face.run(clova, lambda c: c.chat("HCX-007", QUESTION, **options))
    assert streamed.finish_reason == once.finish_reason == "tool_calls"
    assert streamed.tool_calls[0].name == once.tool_calls[0].name == "get_weather"
    turn = [
        *QUESTION,
        streamed.to_message(),
        {"role": "tool", "toolCallId": streamed.tool_calls[0].id, "content": "맑음"},
    ]
    answer = face.run(clova, lambda c: c.chat("HCX-007", turn, **options))
    assert answer.text


def test_clova_structured_outputs_filters_and_images(face: Blocking) -> None:
    schema = {"type": "json", "schema": {"type": "object", "properties": {"a": {"type": "string"}}}}
    assert face.run(
        clova, lambda c: c.chat("HCX-007", QUESTION, thinking="none", response_format=schema)
    ).text
    assert face.run(clova, lambda c: c.chat("HCX-005", QUESTION, include_ai_filters=True)).ai_filter
    image = [{"type": "text", "text": "무엇?"}, {"type": "image_url", "imageUrl": {"url": "https://x/y.png"}}]
    assert face.run(clova, lambda c: c.chat("HCX-005", [{"role": "user", "content": image}])).text


def test_clova_tuned_tasks_prefixes_and_the_header_pair(face: Blocking) -> None:
    assert face.run(clova, lambda c: c.chat(None, QUESTION, task_id="task1")).text
    assert face.run(clova, lambda c: c.chat(None, QUESTION, task_id="task1", version="v1")).text
    assert face.run(clova, lambda c: c.chat("HCX-005", QUESTION), prefix="/testapp").text
    assert face.run(clova, lambda c: c.chat("HCX-003", QUESTION), prefix="/serviceapp").text
    pair = face.run(clova, lambda c: c.chat("HCX-003", QUESTION), key="old", apigw_api_key="gw")
    assert pair.text


def test_clova_compatible_base(face: Blocking) -> None:
    events, stream = face.stream(clova, lambda c: c.openai.stream("HCX-005", QUESTION))
    assert whole(events, stream).text == face.run(clova, lambda c: c.openai.chat("HCX-005", QUESTION)).text
    assert len(face.run(clova, lambda c: c.openai.embeddings(["가", "나"]))["data"]) == 2
    assert face.run(clova, lambda c: c.openai.models())["data"]


def test_clova_embedding_and_tokenizers(face: Blocking) -> None:
    embedding = face.run(clova, lambda c: c.embedding("한강"))
    assert len(embedding["embedding"]) == 1024
    assert embedding.rate_limit is not None
    assert face.run(clova, lambda c: c.count_embedding_tokens("한강"))["numTokens"] > 0
    assert face.run(clova, lambda c: c.count_chat_tokens("HCX-005", QUESTION, tools=TOOL))["messages"]
    assert face.run(clova, lambda c: c.count_chat_tokens("HCX-003", QUESTION))["messages"]


# --- EXAONE


@pytest.mark.parametrize("model", [None, "32b"])
def test_exaone_questions(face: Blocking, model: str | None) -> None:
    events, stream = face.stream(exaone, lambda c: c.stream("한강의 길이는?", model=model))
    first = whole(events, stream)
    assert events[0].progress_state == "planning"

    def ask(client: Any) -> Any:
        if model is None:
            return client.chat_completion("그럼?", previous_messages=[first])
        return client.text_generation("그럼?", previous_messages=[first])

    second = face.run(exaone, ask)
    assert second.text
    assert second.as_previous_message()["query"] == "그럼?"


def test_exaone_files(face: Blocking) -> None:
    uploaded = face.run(exaone, lambda c: c.files.upload(("문서.txt", "한강".encode()), upsert=True))
    ids = [one["id"] for one in uploaded["files"]]
    ready = face.run(exaone, lambda c: c.files.wait(ids, interval=0.02))
    assert [one["status"] for one in ready["files"]] == ["ready"]
    assert face.run(exaone, lambda c: c.files.status(ids))["files"]
    assert ids[0] in str(face.run(exaone, lambda c: c.files.list()).data)
    answer = face.run(exaone, lambda c: c.chat_completion("문서의 내용은?", doc_ids=ids))
    assert answer.text
    face.run(exaone, lambda c: c.files.delete(ids))
    with pytest.raises(hangang.NotFoundError):
        face.run(exaone, lambda c: c.files.delete(ids))
    with pytest.raises(hangang.UnsupportedMediaTypeError):
        face.run(exaone, lambda c: c.files.upload(("a.exe", b"MZ")))


def test_exaone_request(face: Blocking) -> None:
    path = "/v1/chatexaone/text-generation"
    body = {"query": "질문", "model": "32b"}
    headers = {"accept": "application/json"}
    once = face.run(exaone, lambda c: c.request("POST", path, json=body, headers=headers))
    assert once["data"]["answer"]
    events, stream = face.stream(exaone, lambda c: c.request("POST", path, json=body, stream=True))
    assert whole(events, stream).text
    with pytest.raises(hangang.NotFoundError):
        face.run(exaone, lambda c: c.request("POST", "/v1/no-such-path", json={}))


# --- Gov


def test_gov_chat(face: Blocking) -> None:
    events, stream = face.stream(gov, lambda c: c.stream("HCX-GOV-THINK", QUESTION))
    streamed = whole(events, stream)
    assert streamed.thinking
    once = face.run(gov, lambda c: c.chat("HCX-GOV-THINK", QUESTION))
    assert (once.text, once.thinking) == (streamed.text, streamed.thinking)
    assert face.run(gov, lambda c: c.chat("HCX-GOV", QUESTION), chat_path="/v1/chat/completions").text
    renamed = controls(reasoning="reasoning")
    other = face.run(gov, lambda c: c.chat("HCX-GOV-THINK", QUESTION, extra_headers=renamed))
    assert other.thinking == streamed.thinking


@pytest.mark.parametrize("profile", ["faq", "1.0", "0.3"])
def test_agents_send_and_stream(face: Blocking, profile: str) -> None:
    options: Any = {"profile": profile, "team_id": 1}
    events, stream = face.stream(gov, lambda c: c.agents.stream("agent", "한강", **options))
    streamed = whole(events, stream)
    once = face.run(gov, lambda c: c.agents.send("agent", "한강", **options))
    assert once.text == streamed.text
    assert once.state == streamed.state == "completed"
    again = face.run(gov, lambda c: c.agents.send("agent", "그럼?", previous=once, **options))
    if profile == "faq":
        assert again.chat_session_id == once.chat_session_id is not None
    else:
        assert again.context_id == once.context_id is not None
    failed = face.run(gov, lambda c: c.agents.send("agent", "fail", **options))
    assert (failed.state, failed.failed) == ("failed", True)
    asked = face.run(gov, lambda c: c.agents.send("agent", "input", **options))
    assert asked.state == "input-required"
    message = face.run(gov, lambda c: c.agents.send("agent", "message: x", **options))
    assert message.text
    with pytest.raises(hangang.APIError) as caught:
        face.stream(gov, lambda c: c.agents.stream("agent", "errfirst", **options))
    assert isinstance(caught.value.code, int)


def test_agent_profiles_of_the_public_client(face: Blocking) -> None:
    first = face.run(gov, lambda c: c.agents.send("slug", "한강", profile="v1"))
    assert first.text
    assert first.chat_session_id is not None
    second = face.run(gov, lambda c: c.agents.send("slug", "그럼?", profile="v1", previous=first))
    assert second.chat_session_id == first.chat_session_id
    growing = controls(artifacts=3)
    events, stream = face.stream(
        gov, lambda c: c.agents.stream("slug", "한강", profile="v2", extra_headers=growing)
    )
    whole(events, stream)
    assert sum(type(event).__name__ == "ArtifactUpdate" for event in events) == 3


def test_agents_that_are_not_there(face: Blocking) -> None:
    for profile in ("faq", "v1"):
        with pytest.raises(hangang.NotFoundError):
            face.run(gov, lambda c, p=profile: c.agents.send("missing", "x", profile=p, team_id=1))
        with pytest.raises(hangang.PermissionDeniedError):
            face.run(gov, lambda c, p=profile: c.agents.send("undeployed", "x", profile=p, team_id=1))
    with pytest.raises(hangang.NotFoundError):
        face.stream(gov, lambda c: c.agents.stream("missing", "x", profile="v2"))


def test_agents_that_only_send_or_only_stream(face: Blocking) -> None:
    with pytest.raises(ValueError, match=r"only answer at once: use agents\.send"):
        face.stream(gov, lambda c: c.agents.stream("slug", "x", profile="v1"))
    with pytest.raises(ValueError, match=r"only answer as a stream: use agents\.stream"):
        face.run(gov, lambda c: c.agents.send("slug", "x", profile="v2"))


def test_rag(face: Blocking) -> None:
    def work(client: Any) -> Any:
        rag = client.rag
        made = yield rag.collections.create("한강", description="d", search_config={"mode": "hybrid"})
        cid = made["id"]
        yield rag.collections.list(size=100)
        assert (yield rag.collections.get(cid))["name"] == "한강"
        assert (yield rag.collections.update(cid, name="새 이름"))["name"] == "새 이름"
        text = "한강의 길이는 494km이다. " * 40
        document = yield rag.documents.upload(
            cid, ("강.txt", text.encode()), title="강", tags=["river"], metadata={"k": 1}
        )
        did = document["id"]
        assert (yield rag.documents.list(cid)).data
        assert (yield rag.documents.get(cid, did))["tags"] == ["river"]
        assert (yield rag.documents.update(cid, did, title="큰 강"))["title"] == "큰 강"
        chunks = (yield rag.chunks.list(cid, did, size=2))["items"]
        added = yield rag.chunks.create(cid, did, title="t", content="서울을 지난다")
        kid = added["id"]
        assert (yield rag.chunks.get(cid, did, kid))["content"] == "서울을 지난다"
        assert (yield rag.chunks.update(cid, did, kid, content="바뀜"))["content"] == "바뀜"
        yield rag.chunks.delete(cid, did, kid)
        assert chunks
        for kind in ("keyword", "vector", "hybrid"):
            found = yield rag.search(
                "한강의 길이", collection_id=cid, search_type=kind, rerank=True, tags=["river"], top_k=3
            )
            assert found["items"][0]["document_id"] == did
        yield rag.documents.delete(cid, did)
        yield rag.collections.delete(cid)

    drive(face, gov, work, tenant_id="t1")
    with pytest.raises(hangang.NotFoundError):
        face.run(gov, lambda c: c.rag.collections.get("no-such"))


def drive(face: Blocking, service: Any, work: Any, **options: Any) -> None:
    """Run a generator of calls: each is awaited or not, as its client wants."""
    if not isinstance(face, Awaited):

        def blocking(client: Any) -> None:
            steps, value = work(client), None
            while True:
                try:
                    value = steps.send(value)
                except StopIteration:
                    return

        face.run(service, blocking, **options)
        return

    async def awaiting(client: Any) -> None:
        steps, value = work(client), None
        while True:
            try:
                value = await steps.send(value)
            except StopIteration:
                return

    face.run(service, awaiting, **options)


def test_tools(face: Blocking) -> None:
    def work(client: Any) -> Any:
        tools = client.tools
        masked = yield tools.pii_mask("번호는 900101-1234567", pii_types=["RRN"])
        assert masked["masked_text"] == "번호는 [RRN]"
        assert (yield tools.pii_mask("제 메일은 a@b.co", mask_types=["email"]))["masked_text"]
        assert len((yield tools.embeddings(["가", "나"], dimensions=8))["data"]) == 2
        for parser in ("rag42", "lomin"):
            parsed = yield tools.parse_document(("a.txt", "한강".encode()), parser=parser)
            assert "한강" in parsed["text"]
        sound = yield tools.speech("안녕하세요", voice="nara", speed=1.1, pitch=1, response_format="wav")
        assert sound.body.startswith(b"RIFF")
        heard = yield tools.transcribe(("a.wav", sound.body), language="ko", timestamps=["word", "segment"])
        assert heard["segments"]
        assert heard["words"]
        plain = yield tools.transcribe(("a.wav", sound.body), response_format="text")
        assert (plain.data, bool(plain.text)) == (None, True)

    drive(face, gov, work)


# --- errors and faults


KEYS = {
    "-wrong": hangang.AuthenticationError,
    "-forbidden": hangang.PermissionDeniedError,
    "-limited": hangang.RateLimitError,
}


@pytest.mark.parametrize(("ending", "cls"), KEYS.items())
@pytest.mark.parametrize("name", SERVICES)
def test_keys(face: Blocking, name: str, ending: str, cls: type[hangang.APIError]) -> None:
    service = SERVICES[name]
    module: Any = {clova.Client: clova, exaone.Client: exaone, gov.Client: gov}[service.client]
    if name == "exaone" and ending == "-forbidden":
        cls = hangang.APIError  # EXAONE documents no 403
    key = KEY + ending
    with pytest.raises(cls) as caught:
        face.stream(module, service.open, key=key, max_retries=0)
    assert key not in repr(caught.value)


CLOVA_CODES = ["40000", "40001", "40003", "40004", "40080", "40100", "40103", "40170", "40300", "40400", "40600",
               "40800", "41300", "41500", "42400", "42900", "42901", "42902", "42903", "50000", "50100", "50400",
               "61002", "64429", "64500", "65002"]  # fmt: skip


@pytest.mark.parametrize("code", CLOVA_CODES)
def test_every_code_reaches_its_class(emulator: Any, code: str) -> None:
    from hangang._client.errors import CODES

    wanted = hangang.APIError.for_status(CODES[code][0])
    for face in (Blocking(emulator), Awaited(emulator)):
        for headers in (controls(code=code), controls(error=f"0,{code}")):
            with pytest.raises(wanted) as caught:
                face.stream(
                    clova,
                    lambda c, h=headers: c.stream("HCX-005", QUESTION, extra_headers=h),
                    max_retries=0,
                )
            assert (caught.value.code, caught.value.status) == (code, CODES[code][0])


def opened(name: str, headers: dict[str, str]) -> Any:
    """How to open a stream of a service with control headers."""

    def open_stream(client: Any) -> Any:
        if name == "clova":
            return client.stream("HCX-005", QUESTION, extra_headers=headers)
        if name == "exaone":
            return client.stream("질문", extra_headers=headers)
        if name == "openai":
            return client.stream("HCX-GOV-THINK", QUESTION, extra_headers=headers)
        return client.agents.stream("a", "질문", team_id=1, extra_headers=headers)

    return open_stream


MODULES: dict[str, Any] = {"clova": clova, "exaone": exaone, "openai": gov, "a2a": gov}


@pytest.mark.parametrize("name", SERVICES)
def test_an_error_after_three_events(face: Blocking, name: str) -> None:
    with pytest.raises(hangang.StreamError) as caught:
        face.stream(MODULES[name], opened(name, controls(error="3")))
    assert caught.value.completion.failed  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize("fault", ["cut", "reset", "truncate"])
def test_a_broken_stream(face: Blocking, name: str, fault: str) -> None:
    # A proper end of the body after one answering frame is an end for EXAONE, which has no other.
    place = "2e" if name == "exaone" else "3e"
    with pytest.raises(hangang.TruncatedStreamError) as caught:
        face.stream(MODULES[name], opened(name, controls(**{fault: place})))
    assert caught.value.completion is not None
    assert (caught.value.__cause__ is not None) == (fault != "truncate")


@pytest.mark.parametrize("name", SERVICES)
def test_a_malformed_frame(face: Blocking, name: str) -> None:
    with pytest.raises(hangang.ParseError) as caught:
        face.stream(MODULES[name], opened(name, controls(malformed="3")))
    assert not isinstance(caught.value, hangang.TruncatedStreamError)


def address(stream: Any, library: str) -> Any:
    """Our end of the connection that a stream came over."""
    if library.startswith("httpx"):
        closures = (stream._reply.interrupt.__closure__, stream._reply.close.__closure__)
        inside = {
            id(cell.cell_contents): cell.cell_contents for cells in closures for cell in cells or ()
        }.values()
        (response,) = [one for one in inside if hasattr(one, "extensions")]
        return response.extensions["network_stream"].get_extra_info("client_addr")
    response = stream._reply.close.__self__
    if library == "aiohttp":
        return response._response.connection.transport.get_extra_info("sockname")
    return response.connection.sock.getsockname()


@pytest.mark.parametrize("way", WAYS)
def test_a_whole_stream_leaves_its_connection_to_the_next(emulator: Any, way: tuple[str, str]) -> None:
    """Read to its end the connection is used again; left early it is closed."""
    library, mode = way
    # A pause between tokens: of an answer that is here at once, the connection is given back before we look.
    options: Any = {"base_url": emulator.url, "http_client": library, "headers": controls(rate=200)}
    used = []

    async def run() -> None:
        async with clova.AsyncClient("nv-test", **options) as client:
            for early in (False, False, True, False):
                async with client.stream("HCX-005", QUESTION) as stream:
                    used.append(address(stream, library))
                    async for _ in stream:
                        if early:
                            break

    if mode == "async":
        asyncio.run(run())
    else:
        with clova.Client("nv-test", **options) as client:
            for early in (False, False, True, False):
                with client.stream("HCX-005", QUESTION) as stream:
                    used.append(address(stream, library))
                    for _ in stream:
                        if early:
                            break
    assert used[0] == used[1] == used[2] != used[3]


@pytest.mark.parametrize("name", ["clova", "openai", "a2a"])
def test_a_missing_end_marker(face: Blocking, name: str) -> None:
    with pytest.raises(hangang.TruncatedStreamError):
        face.stream(MODULES[name], opened(name, controls(no_end=1)))


@pytest.mark.parametrize("name", SERVICES)
def test_a_stall_with_and_without_comments(face: Blocking, name: str) -> None:
    keepalive = {} if name == "exaone" else {"keepalive": 0.02}
    for extra in ({}, keepalive):
        started = time.monotonic()
        with pytest.raises(hangang.TruncatedStreamError) as caught:
            face.stream(MODULES[name], opened(name, controls(stall="3e", **extra)), stall_timeout=0.15)
        assert time.monotonic() - started < 3
        assert caught.value.__cause__ is not None


@pytest.mark.parametrize("name", SERVICES)
def test_one_failure_is_tried_again(face: Blocking, name: str) -> None:
    for fault in ({"status": 503}, {"cut": 1}, {"status": 429, "retry_after": 0.01}):
        tag = f"{name}-{random.random()}"
        events, stream = face.stream(
            MODULES[name], opened(name, controls(times=1, tag=tag, **fault)), max_retries=2
        )
        whole(events, stream)
        assert stream.metrics.attempts == 2


@pytest.mark.parametrize("newline", ["crlf", "cr"])
@pytest.mark.parametrize("fragments", ["whole", "event", "utf8", "1", "7"])
def test_every_way_of_cutting(emulator: Any, newline: str, fragments: str) -> None:
    for name in ("clova", "openai", "a2a"):
        headers = controls(newline=newline, fragments=fragments, keepalive=0, text="hard", tokens=20)
        whole(*Blocking(emulator).stream(MODULES[name], opened(name, headers)))
    headers = controls(newline="lf", fragments=fragments, text="hard", tokens=20)
    whole(*Blocking(emulator).stream(exaone, opened("exaone", headers)))


@pytest.mark.parametrize("library", BLOCKING)
def test_200_offsets_over_sockets(emulator: Any, library: str) -> None:
    face = Blocking(emulator, library)
    for name in SERVICES:
        full, stream = face.stream(MODULES[name], opened(name, controls(tokens=12)))
        size = stream.metrics.bytes
        options: Any = {"base_url": emulator.url, "http_client": library, "max_retries": 0}
        with SERVICES[name].client(KEY, **options) as client:
            for step in range(50):
                offset = size * step // 50
                events: list[Any] = []
                fault: Any = None
                try:
                    with opened(name, controls(tokens=12, cut=offset))(client) as stream:
                        for event in stream:
                            events.append(event)
                except hangang.HangangError as error:
                    fault = error
                if fault is not None:
                    assert type(fault) is (
                        hangang.InterruptedStreamError if events else hangang.APIConnectionError
                    )
                if events and fault is not None:
                    assert fault.completion == hangang.Completion.of(events)
                assert [e.text for e in events] == [e.text for e in full[: len(events)]]
                assert fault is not None or name != "exaone", "only the end of the body ends EXAONE"


# --- leaving, crowds


def test_leaving_early_frees_the_connection_at_the_server(face: Blocking, emulator: Any) -> None:
    def leave(client: Any) -> None:
        with client.stream("HCX-005", QUESTION, extra_headers=controls(rate=20, tokens=400)) as stream:
            for _ in stream:
                break
            if isinstance(face, Blocking) and not isinstance(face, Awaited):
                assert emulator.wait_idle(2.0), "closed inside the block, as the loop was left"

    async def leave_awaited(client: Any) -> None:
        headers = controls(rate=20, tokens=400)
        async with client.stream("HCX-005", QUESTION, extra_headers=headers) as stream:
            async for _ in stream:
                break
        assert await asyncio.to_thread(emulator.wait_idle, 2.0)

    face.run(clova, leave_awaited if isinstance(face, Awaited) else leave)
    assert emulator.wait_idle(2.0)


@pytest.mark.parametrize("library", AWAITING)
def test_cancelling_frees_the_connection_at_the_server(emulator: Any, library: str) -> None:
    async def go() -> None:
        async with clova.AsyncClient(KEY, base_url=emulator.url, http_client=library) as client:
            headers = controls(rate=20, tokens=400)

            async def consume() -> None:
                async with client.stream("HCX-005", QUESTION, extra_headers=headers) as stream:
                    async for _ in stream:
                        pass

            task = asyncio.create_task(consume())
            await asyncio.sleep(0.3)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await asyncio.to_thread(emulator.wait_idle, 2.0), "before the client was closed"

    asyncio.run(go())


@pytest.fixture
def other_process() -> Iterator[str]:
    """An emulator in a process of its own, so that memory measured here is the clients'."""
    command = [sys.executable, "-m", "hangang.emulator", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def memory() -> int:
    """Bytes of this process that are in memory; 0 where the system does not tell, or they are not ours."""
    path = Path("/proc/self/statm")
    if not support.PEAKS or not path.exists():
        return 0
    return int(path.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def crowd(clients: dict[str, Any], count: int) -> None:
    """`count` streams at once, of all services; each text is compared with its hash."""

    async def one(number: int) -> None:
        name = list(SERVICES)[number % 4]
        headers = controls(fragments="random", seed=number, text="hard", tokens=8)
        async with opened(name, headers)(clients[name]) as stream:
            text = (await stream.read()).text
        assert hashlib.sha256(text.encode()).hexdigest() == stream.headers["x-hangang-text-sha256"]

    await asyncio.gather(*(one(number) for number in range(count)))


@pytest.mark.parametrize("library", AWAITING)
def test_500_streams_at_once(other_process: str, library: str) -> None:
    """Every text complete; memory flat after warm-up; no connection left at the server."""

    async def go() -> list[int]:
        options: Any = {"base_url": other_process, "http_client": library}
        async with (
            clova.AsyncClient(KEY, **options) as c,
            exaone.AsyncClient(KEY, **options) as e,
            gov.AsyncClient(KEY, **options) as g,
        ):
            clients = {"clova": c, "exaone": e, "openai": g, "a2a": g}
            await crowd(clients, 500)
            sizes = []
            for _ in range(3):
                gc.collect()
                sizes.append(memory())
                await crowd(clients, 500)
            gc.collect()
            return [*sizes, memory()]

    # The allocator may still take an arena or two after the first crowd; what leaks grows with each one.
    _, *later = asyncio.run(go())
    assert later[-1] - later[0] < 4 * 2**20, later
    with httpx.Client() as http:
        until = time.monotonic() + 3
        while True:
            told = http.get(f"{other_process}/_emulator").json()
            if told["open_streams"] == told["connections"] == 0:
                break
            assert time.monotonic() < until, told
            time.sleep(0.02)


# --- our agents client against a server made with a2a-sdk


@pytest.fixture(scope="module")
def a2a_server() -> Iterator[str]:
    pytest.importorskip("a2a")
    from a2a_sdk_server import serve_in_thread

    with serve_in_thread() as url:
        yield url


@pytest.mark.parametrize("profile", ["1.0", "0.3", "faq"])
@pytest.mark.parametrize("way", WAYS)
def test_agents_against_the_a2a_sdk(a2a_server: str, way: tuple[str, str], profile: str) -> None:
    class Server:
        url = a2a_server

    face = (Blocking if way[1] == "sync" else Awaited)(Server, way[0])
    options: Any = {"profile": profile, "path": "/a2a"}
    events, stream = face.stream(gov, lambda c: c.agents.stream(None, "hello", **options))
    names = [type(event).__name__ for event in events]
    assert names == ["Task", "StatusUpdate", "ArtifactUpdate", "ArtifactUpdate", "StatusUpdate"]
    assert stream.completion.text == "안녕하세요"
    once = face.run(gov, lambda c: c.agents.send(None, "hello", **options))
    assert (once.text, once.state) == ("안녕하세요", "completed")
    again = face.run(gov, lambda c: c.agents.send(None, "hello", context_id=once.context_id, **options))
    assert again.context_id == once.context_id
    single = face.run(gov, lambda c: c.agents.send(None, "message", **options))
    assert single.text == "직접"
    with pytest.raises(hangang.APIError) as caught:
        face.run(gov, lambda c: c.agents.send(None, "hello", task_id="no-such", **options))
    assert caught.value.code == -32001
    assert isinstance(caught.value, hangang.NotFoundError)
