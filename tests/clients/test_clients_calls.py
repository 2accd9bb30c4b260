"""Options of a call, and the texts of its errors: over a real socket, with each library, sync and async.

`Face` hides which kind of client runs: each test is written once.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import logging
import os
import pickle
import re
import socket
import ssl
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import support
from raw_http_server import HANG, LAST_CHUNK, RESET, RawHTTPServer, Sleep, Step, chunk, head
from transports import KEY, QUESTION, WAYS

import hangang
from hangang import clova, exaone, gov, openai
from hangang._client import retry
from hangang._client.http import environment

MODULES: dict[str, Any] = {"clova": clova, "exaone": exaone, "gov": gov, "openai": openai}
DATA = (support.CAPTURES / "clova/v3_text.sse").read_bytes()
FRAMES = [frame + b"\n\n" for frame in DATA.split(b"\n\n") if frame]
EVENTS = clova.StreamParser().feed(DATA)
WHOLE: list[Step] = [head(chunked=True), chunk(DATA), LAST_CHUNK]
PING = b": keep-alive\n\n"
LATE = 10.0
JSON = json.dumps({"status": {"code": "20000"}, "result": {"embedding": [0.5] * 100}}).encode()


class Face:
    """A kind of client: `call` runs a function of a client, `events` reads a stream to its end."""

    def __init__(self, library: str, mode: str) -> None:
        self.library = library
        self.is_async = mode == "async"

    def client(self, server: RawHTTPServer | str, service: str = "clova", **options: Any) -> Any:
        url = server if isinstance(server, str) else server.url
        kind = MODULES[service].AsyncClient if self.is_async else MODULES[service].Client
        options = {"http_client": self.library, "base_url": url, "timeout": LATE, **options}
        return kind(options.pop("api_key", KEY), **options)

    def run(self, client: Any, work: Callable[[Any], Any], *, close: bool = True) -> Any:
        """`work(client)`; what it returns is awaited, or read to its end if it is a stream."""

        async def wait() -> Any:
            try:
                found = work(client)
                if isinstance(found, hangang.clova.AsyncStream):
                    async with found as stream:
                        return [event async for event in stream]
                return await found
            finally:
                if close:
                    await client.aclose()

        if self.is_async:
            return asyncio.run(wait())
        try:
            found = work(client)
            if isinstance(found, hangang.clova.Stream):
                with found as stream:
                    return list(stream)
            return found
        finally:
            if close:
                client.close()

    def stream(self, client: Any, work: Callable[[Any], Any], use: str) -> tuple[Any, Any, Exception | None]:
        """What `use` of a stream gives (`open`, `text`, `batches`, `events`), the stream, and the error."""
        got: list[Any] = []
        stream = work(client)
        error: Exception | None = None

        async def wait() -> None:
            if use == "open":
                assert await stream.open() is stream
                await stream.aclose()
                return
            async for item in {"text": lambda: stream.text_stream, "batches": stream.batches}.get(
                use, lambda: stream
            )():
                got.append(item)

        async def closing() -> None:
            try:
                await wait()
            finally:
                await client.aclose()

        try:
            if self.is_async:
                asyncio.run(closing())
            else:
                try:
                    if use == "open":
                        assert stream.open() is stream
                        stream.close()
                    elif use == "text":
                        got += stream.text_stream
                    else:
                        got += stream.batches() if use == "batches" else stream
                finally:
                    client.close()
        except Exception as caught:
            error = caught
        return got, stream, error


@pytest.fixture(params=WAYS)
def face(request: pytest.FixtureRequest) -> Face:
    return Face(*request.param)


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(retry, "JITTER", 0.001)


@pytest.fixture
def plain() -> Iterator[RawHTTPServer]:
    with RawHTTPServer([WHOLE]) as server:
        yield server


def ask(**options: Any) -> Callable[[Any], Any]:
    return lambda client: client.stream("HCX-005", QUESTION, **options)


# --- reading a stream


def test_text_stream(face: Face) -> None:
    with RawHTTPServer([WHOLE]) as server:
        got, stream, error = face.stream(face.client(server), ask(), "text")
    assert error is None
    assert got == [event.text for event in EVENTS if event.text]
    assert "".join(got) == stream.completion.text


def test_batches(face: Face) -> None:
    """One list a chunk of the network; chunks that complete no event give none."""
    steps: list[Step] = [head(chunked=True)]
    for piece in (FRAMES[0] + FRAMES[1], PING, FRAMES[2][:20], FRAMES[2][20:], b"".join(FRAMES[3:])):
        steps += [chunk(piece), Sleep(0.05)]
    with RawHTTPServer([[*steps, LAST_CHUNK]]) as server:
        got, _, error = face.stream(face.client(server), ask(), "batches")
    assert error is None
    assert [len(batch) for batch in got] == [2, 1, len(FRAMES) - 3]
    assert [event for batch in got for event in batch] == EVENTS


def test_open_waits_for_the_first_event(face: Face) -> None:
    """A gateway sees a refusal before it has sent a status of its own."""
    refused: list[Step] = [head("401 Unauthorized", "application/json", length=2), b"{}"]
    for steps, kind in ((WHOLE, None), (refused, hangang.AuthenticationError)):
        with RawHTTPServer([steps]) as server:
            got, stream, error = face.stream(face.client(server), ask(), "open")
            assert server.settle() == 0
        assert got == []
        assert (error is None) if kind is None else isinstance(error, kind)
        assert stream.metrics.first_event is not None or error is not None


# --- time limits


def test_timeouts_of_a_call(face: Face) -> None:
    """`timeout` and `stall_timeout` of a call go over those of the client."""
    with RawHTTPServer([[HANG]]) as server:
        started = time.monotonic()
        for options in ({"timeout": 0.2}, {"stall_timeout": 0.2}):
            with pytest.raises(hangang.APITimeoutError):
                face.run(face.client(server, max_retries=0), ask(**options))
        assert time.monotonic() - started < LATE / 2


@pytest.mark.parametrize("kind", ["silent", "keep-alives", "head"])
def test_total_timeout(face: Face, kind: str) -> None:
    pings = [Sleep(0.05), chunk(PING)] * 400
    steps: dict[str, list[Step]] = {
        "silent": [head(chunked=True), chunk(FRAMES[0]), HANG],
        "keep-alives": [head(chunked=True), chunk(FRAMES[0]), *pings],
        "head": [HANG],
    }
    with RawHTTPServer([steps[kind]]) as server:
        started = time.monotonic()
        got, stream, error = face.stream(face.client(server), ask(total_timeout=0.4), "events")
        assert 0.3 < time.monotonic() - started < LATE / 2
        assert server.settle() == 0
    assert isinstance(error, hangang.APITimeoutError)
    assert "total_timeout=0.4" in str(error)
    if kind != "head":
        assert got == EVENTS[:1]
        assert isinstance(error, hangang.StalledStreamError)
        assert error.completion == stream.completion


def test_total_timeout_covers_retries(face: Face) -> None:
    """No attempt begins, and no wait is made, that the time is too short for."""
    steps: list[Step] = [head("503 Busy", length=0, headers="retry-after: 5\r\n")]
    with RawHTTPServer([steps]) as server:
        started = time.monotonic()
        with pytest.raises(hangang.ServerError):
            face.run(face.client(server, total_timeout=1.0), ask())
        assert time.monotonic() - started < 1.0
        assert len(server.requests) == 1


def test_total_timeout_of_an_answer_that_is_no_chat(face: Face) -> None:
    steps: list[Step] = [head(kind="application/json", length=len(JSON)), JSON[:50], HANG]
    with RawHTTPServer([steps]) as server:
        started = time.monotonic()
        with pytest.raises(hangang.APITimeoutError, match="total_timeout"):
            face.run(face.client(server), lambda c: c.embedding("x", total_timeout=0.3))
        assert time.monotonic() - started < LATE / 2


# --- retries


def test_max_retries_of_a_call(face: Face) -> None:
    with RawHTTPServer([[head("500 Oops", length=0)]]) as server:
        with pytest.raises(hangang.ServerError):
            face.run(face.client(server, max_retries=5), ask(max_retries=1))
        assert len(server.requests) == 2


def test_max_retry_wait(face: Face) -> None:
    """A wish that is longer is not waited for: the error is raised at once and names it."""
    limited: list[Step] = [head("429 Slow", length=0, headers="retry-after: 31\r\n")]
    with RawHTTPServer([limited]) as server:
        for options, wait in (({}, 31), ({"max_retry_wait": 0}, 31)):
            started = time.monotonic()
            with pytest.raises(hangang.RateLimitError) as caught:
                face.run(face.client(server, **options), ask())
            assert time.monotonic() - started < 3
            assert caught.value.retry_after == wait
        assert len(server.requests) == 2


def test_a_retry_says_who_retries(face: Face, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, logger="hangang")
    with RawHTTPServer([[head("500 Oops", length=0)], WHOLE]) as server:
        face.run(face.client(server), ask(extra_query={"secret": "x"}))
    (record,) = [record for record in caplog.records if record.name == "hangang.http"]
    assert record.getMessage().startswith(
        "clova: POST /v3/chat-completions/HCX-005: attempt 1 of 3 failed (ServerError, status 500, code None)"
    )


# --- what is sent


def test_headers_query_and_body_of_a_call(face: Face) -> None:
    with RawHTTPServer([WHOLE]) as server:
        client = face.client(server, headers={"X-Mine": "client", "X-Kept": "1"})
        face.run(
            client,
            ask(
                extra_headers={"x-mine": "call"},
                extra_query={"a": "한 강", "list": [1, True], "none": None},
                extra_body={"seed": 7},
            ),
        )
        (request,) = server.requests
    line, _, rest = request.partition(b"\r\n")
    assert line == (
        b"POST /v3/chat-completions/HCX-005?a=%ED%95%9C%20%EA%B0%95&list=1&list=true&none= HTTP/1.1"
    )
    headers, _, body = rest.partition(b"\r\n\r\n")
    lines = headers.decode().lower().split("\r\n")
    assert "x-mine: call" in lines
    assert "x-kept: 1" in lines
    assert json.loads(body)["seed"] == 7
    (agent,) = [line for line in lines if line.startswith("user-agent: ")]
    python = ".".join(map(str, sys.version_info[:2]))
    assert agent == f"user-agent: hangang/{hangang.__version__} ({hangang.BACKEND}; python {python})"


def test_a_query_is_appended_to_a_path_that_has_one(face: Face) -> None:
    body = b'{"result_code":200}'
    with RawHTTPServer([[head(kind="application/json", length=len(body)), body]]) as server:
        face.run(face.client(server, "exaone"), lambda c: c.request("get", "/v1/x?a=1", params={"b": 2}))
        assert server.requests[0].startswith(b"GET /v1/x?a=1&b=2 HTTP/1.1\r\n")


def test_forms(face: Face) -> None:
    """Text fields and files, encoded by us: the same bytes with every library."""
    body = b'{"result_code":200}'
    with RawHTTPServer([[head(kind="application/json", length=len(body)), body]]) as server:
        face.run(
            face.client(server, "exaone"),
            lambda c: c.request(
                "post",
                "/v1/x",
                data={"t": "글", "n": 3, "b": True, "l": ["1", "2"]},
                files={"f": ('a"\r\n.hwp', b"\x00\r\n--")},
            ),
        )
        face.run(face.client(server, "exaone"), lambda c: c.request("post", "/v1/x", data={"a b": "글&"}))
        form, fields = server.requests
    content_type = next(line for line in form.split(b"\r\n") if line.lower().startswith(b"content-type"))
    boundary = content_type.partition(b"boundary=")[2]
    parts = form.partition(b"\r\n\r\n")[2].split(b"--" + boundary)
    assert parts[0] == b""
    assert parts[-1] == b"--\r\n"
    assert b'\r\nContent-Disposition: form-data; name="t"\r\n\r\n\xea\xb8\x80\r\n' in parts
    assert [part.partition(b"\r\n\r\n")[2] for part in parts[2:6]] == [
        b"3\r\n",
        b"true\r\n",
        b"1\r\n",
        b"2\r\n",
    ]
    assert parts[6] == (
        b'\r\nContent-Disposition: form-data; name="f"; filename="a%22%0D%0A.hwp"\r\n'
        b"Content-Type: application/x-hwp\r\n\r\n\x00\r\n--\r\n"
    )
    assert fields.endswith(b"\r\n\r\na+b=%EA%B8%80%26")


# --- record


def test_record(face: Face, tmp_path: Path) -> None:
    """The body as received, byte for byte; a retry begins the file anew; no key and no header in it."""
    path = tmp_path / "capture.sse"
    broken: list[Step] = [head(chunked=True), chunk(PING * 3), RESET]
    with RawHTTPServer([broken, WHOLE]) as server:
        events = face.run(face.client(server), ask(record=path))
        assert len(server.requests) == 2
    assert events == EVENTS
    assert path.read_bytes() == DATA
    assert KEY.encode() not in path.read_bytes()


def test_record_of_errors_and_other_answers(face: Face, tmp_path: Path) -> None:
    path = str(tmp_path / "body")
    error = b'{"status":{"code":"40000","message":"no"}}'
    with RawHTTPServer([[head("400 Bad", "application/json", length=len(error)), error]]) as server:
        with pytest.raises(hangang.BadRequestError):
            face.run(face.client(server), ask(record=path))
        assert Path(path).read_bytes() == error
    with RawHTTPServer([[head(kind="application/json", length=len(JSON)), JSON]]) as server:
        face.run(face.client(server), lambda c: c.embedding("x", record=path))
        assert Path(path).read_bytes() == JSON
        with pytest.raises(OSError, match="No such file"):
            face.run(face.client(server, max_retries=0), ask(record=tmp_path / "no" / "such"))
        assert server.settle() == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no file that is always full")
@pytest.mark.parametrize("size", [10, 100_000], ids=["at its end", "in between"])
def test_a_full_disk_is_no_broken_connection(face: Face, size: int) -> None:
    """Nothing is sent again, and the error names the file."""
    body = b'"' + b"x" * size + b'"'
    words = "^the answer cannot be recorded in /dev/full: No space left on device$"
    with RawHTTPServer([[head(kind="application/json", length=len(body)), body]]) as server:
        with pytest.raises(hangang.HangangError, match=words):
            face.run(face.client(server), lambda c: c.embedding("x", record="/dev/full"))
        with pytest.raises(hangang.HangangError, match=words):
            face.run(face.client(server), ask(record="/dev/full"))
        assert len(server.requests) == 2
        assert server.settle() == 0


def test_a_recording_that_was_left_early_is_what_came(face: Face, tmp_path: Path) -> None:
    path = tmp_path / "capture.sse"
    steps: list[Step] = [head(chunked=True), chunk(FRAMES[0]), HANG]
    with RawHTTPServer([steps]) as server:
        _, _, error = face.stream(face.client(server), ask(record=path), "open")
        assert error is None
        assert server.settle() == 0
    assert path.read_bytes() == FRAMES[0]


# --- answers other than chats


def test_max_response_bytes(face: Face) -> None:
    """Decompressed bytes count."""
    import gzip

    packed = gzip.compress(JSON)
    assert len(packed) < 200 < len(JSON)
    steps: list[Step] = [
        head(kind="application/json", length=len(packed), headers="content-encoding: gzip\r\n"),
        packed,
    ]
    with RawHTTPServer([steps]) as server:
        whole = face.run(face.client(server, max_response_bytes=len(JSON)), lambda c: c.embedding("x"))
        assert whole["embedding"] == [0.5] * 100
        with pytest.raises(hangang.APIError, match="max_response_bytes=200"):
            face.run(face.client(server, max_response_bytes=200), lambda c: c.embedding("x"))
        assert len(server.requests) == 2, "it is not retried"


def test_a_response_is_a_mapping_where_its_data_is(face: Face) -> None:
    with RawHTTPServer([[head(kind="application/json", length=len(JSON)), JSON]]) as server:
        response = face.run(face.client(server), lambda c: c.embedding("x"))
    assert "embedding" in response
    assert "other" not in response
    assert response.get("other") is None
    assert response.get("other", 3) == 3
    assert dict(response.items()) == {**response} == response.data
    assert list(response.values()) == [response[name] for name in response]
    assert list(response) == ["embedding"]
    assert len(response) == 1
    assert dict(response) == response.data
    assert bool(response)


# --- clients


def test_with_options(face: Face) -> None:
    """Other settings over the same connections, which stay open when the new client is closed."""
    with RawHTTPServer([[head("500 Oops")]]) as server:
        client = face.client(server, max_retries=1)
        other = client.with_options(max_retries=0, headers={"x-a": "1"}, timeout=3)
        assert type(other) is type(client)
        assert other._transport._adapter is client._transport._adapter

        async def awaited() -> None:
            async with client, other:
                for one in (other, client):
                    with pytest.raises(hangang.ServerError):
                        await one.chat("HCX-005", QUESTION)

        if face.is_async:
            asyncio.run(awaited())
        else:
            with client:
                for one in (other, client):
                    with pytest.raises(hangang.ServerError):
                        one.chat("HCX-005", QUESTION)
                    other.close()  # which does not close the connections of both
        assert len(server.requests) == 3
        assert [b"\r\nx-a: 1\r\n" in request.lower() for request in server.requests] == [True, False, False]
        with pytest.raises(TypeError, match="base_url cannot be changed here"):
            client.with_options(base_url="http://localhost")


@pytest.mark.parametrize("service", MODULES)
def test_with_options_reaches_what_hangs_on_a_client(service: str) -> None:
    client = MODULES[service].Client(KEY, base_url="http://localhost:1/v1")
    other = client.with_options(max_retries=7)
    for name, value in vars(other).items():
        if name in ("openai", "files", "agents", "rag", "tools"):
            assert value is not vars(client)[name]
    assert (client._transport.settings.max_retries, other._transport.settings.max_retries) == (2, 7)
    client.close()


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"total_timeout": 0}, ValueError, "total_timeout must be"),
        ({"max_retry_wait": -1}, ValueError, "max_retry_wait must be"),
        ({"max_response_bytes": 0}, ValueError, "max_response_bytes must be"),
        ({"max_retries": -1}, ValueError, "max_retries must be"),
        ({"max_retries": True}, TypeError, "max_retries must be"),
        ({"timeout": "3"}, TypeError, "timeout must be"),
        ({"http_client": "requests"}, TypeError, "http_client must be one of"),
        ({"base_url": 5}, TypeError, "^base_url must be a str, not int$"),
        ({"allow_insecure": "0"}, TypeError, "^allow_insecure must be True or False, not str$"),
        ({"timout": 1}, TypeError, r"Client\(\) has no option 'timout'; did you mean timeout"),
    ],
)
def test_options_are_checked(options: dict[str, Any], kind: type[Exception], words: str) -> None:
    for service in (clova, exaone, gov, openai):
        with pytest.raises(kind, match=words):
            service.Client(KEY, **{"base_url": "http://127.0.0.1:9", **options})
    with pytest.raises(kind, match=words):
        openai.Client(**{"base_url": "http://127.0.0.1:9", **options})  # without a key


def test_options_of_a_call_are_checked() -> None:
    client = clova.Client(KEY)
    with pytest.raises(ValueError, match="max_retries must be"):
        client.chat("HCX-005", QUESTION, max_retries=-1)
    for method in (client.stream, client.chat):
        with pytest.raises(
            TypeError, match=rf"{method.__name__}\(\) has no option 'temprature'; did you mean"
        ):
            method("HCX-005", QUESTION, temprature=1)  # type: ignore[operator]
    with pytest.raises(TypeError, match="has no option 'zzz'"):
        exaone.Client(KEY).chat("x", zzz=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"agents\.send"):
        gov.Client(KEY, team_id=1).agents.send("a", "x", zzz=1)  # type: ignore[call-arg]
    client.close()


CLASSES = {
    ("httpx", "sync"): ("httpx", "Client"),
    ("httpx", "async"): ("httpx", "AsyncClient"),
    ("httpx2", "sync"): ("httpx2", "Client"),
    ("httpx2", "async"): ("httpx2", "AsyncClient"),
    ("aiohttp", "async"): ("aiohttp", "ClientSession"),
    ("urllib3", "sync"): ("urllib3", "PoolManager"),
    ("fast", "async"): ("aiohttp", "ClientSession"),
    ("fast", "sync"): ("urllib3", "PoolManager"),
}


@pytest.mark.parametrize("by", ["name", "variable"])
@pytest.mark.parametrize(("library", "mode"), CLASSES)
@pytest.mark.parametrize("service", MODULES)
def test_the_http_library_by_name_and_by_variable(
    service: str, library: str, mode: str, by: str, plain: RawHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HANGANG_HTTP_CLIENT", raising=False)
    options: dict[str, Any] = {"http_client": library}
    if by == "variable":
        monkeypatch.setenv("HANGANG_HTTP_CLIENT", library)
        options = {}
    face = Face("", mode)
    client = face.client(plain, service, **{"http_client": None, **options, "max_retries": 0})
    assert client._transport._adapter.name == CLASSES[library, mode][0]

    def work(client: Any) -> Any:
        return client.stream("질문") if service == "exaone" else client.stream("m", QUESTION)

    with contextlib.suppress(hangang.HangangError):  # the answer is CLOVA's
        face.run(client, work)
    http = client._transport._adapter.http
    assert (type(http).__module__.partition(".")[0], type(http).__name__) == CLASSES[library, mode]
    assert len(plain.requests) == 1


@pytest.mark.parametrize("by", ["name", "variable"])
@pytest.mark.parametrize(
    ("kind", "name", "fitting"),
    [
        (clova.Client, "aiohttp", "httpx, httpx2, urllib3, fast for a Client"),
        (clova.AsyncClient, "urllib3", "httpx, httpx2, aiohttp, fast for an AsyncClient"),
        (openai.Client, "requests", "httpx, httpx2, urllib3, fast for a Client"),
        (exaone.AsyncClient, "FAST", "httpx, httpx2, aiohttp, fast for an AsyncClient"),
        (gov.Client, "", "httpx, httpx2, urllib3, fast for a Client"),
    ],
)
def test_a_name_that_does_not_fit(
    kind: Any, name: str, fitting: str, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {"base_url": "https://a.example"}
    if by == "variable":
        if not name:
            pytest.skip("an empty variable is none")
        monkeypatch.setenv("HANGANG_HTTP_CLIENT", name)
    else:
        options["http_client"] = name
    with pytest.raises(TypeError) as caught:
        kind(KEY, **options)
    argument = "HANGANG_HTTP_CLIENT" if by == "variable" else "http_client"
    assert str(caught.value) == f"{argument} must be one of {fitting}, not {name!r}"


@pytest.mark.parametrize("library", ["httpx", "httpx2", "aiohttp", "urllib3"])
@pytest.mark.parametrize("mode", ["sync", "async"])
def test_a_client_object_of_the_caller(library: str, mode: str, plain: RawHTTPServer) -> None:
    """It is used as it is, and stays open; one of the other kind is refused in words that name those that fit."""
    module = importlib.import_module(library)
    sync_fits = "httpx.Client, httpx2.Client or urllib3.PoolManager"
    async_fits = "httpx.AsyncClient, httpx2.AsyncClient or aiohttp.ClientSession"

    def made(is_async: bool) -> Any:
        fitting = CLASSES.get((library, "async" if is_async else "sync"))
        return None if fitting is None else getattr(module, fitting[1])()

    async def awaited() -> None:
        if (own := made(True)) is None:
            with pytest.raises(TypeError, match=re.escape(f"{async_fits} here, not a {library}.")):
                clova.AsyncClient(KEY, http_client=made(False))
            return
        async with clova.AsyncClient(KEY, base_url=plain.url, http_client=own) as client:
            assert (await client.chat("HCX-005", QUESTION)).text
            assert client._transport._adapter.http is own
        assert not (own.closed if library == "aiohttp" else own.is_closed)
        await (own.close() if library == "aiohttp" else own.aclose())

    if mode == "async":
        asyncio.run(awaited())
        return
    if (own := made(False)) is None:

        async def refused() -> None:
            session = made(True)
            with pytest.raises(TypeError, match=re.escape(f"{sync_fits} here, not a {library}.")):
                clova.Client(KEY, http_client=session)
            await session.close()

        asyncio.run(refused())
        return
    with clova.Client(KEY, base_url=plain.url, http_client=own) as client:
        assert client.chat("HCX-005", QUESTION).text
        assert client._transport._adapter.http is own
    if library == "urllib3":
        assert own.request("GET", plain.url).status == 200
        own.clear()
    else:
        assert not own.is_closed
        own.close()


def test_second_names_of_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLOVA_STUDIO_API_KEY", raising=False)
    monkeypatch.setenv("CLOVASTUDIO_API_KEY", "nv-second")
    with clova.Client() as client:
        assert client._transport.secrets._values == ("nv-second",)
    monkeypatch.setenv("CLOVA_STUDIO_API_KEY", "nv-first")
    with clova.Client() as client:
        assert client._transport.secrets._values == ("nv-first",)


def test_insecure_by_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HANGANG_ALLOW_INSECURE", raising=False)
    for value in (None, "0", ""):
        if value is not None:
            monkeypatch.setenv("HANGANG_ALLOW_INSECURE", value)
        with pytest.raises(ValueError, match="HANGANG_ALLOW_INSECURE=1"):
            clova.Client(KEY, base_url="http://10.0.0.1")
    monkeypatch.setenv("HANGANG_ALLOW_INSECURE", "1")
    clova.Client(KEY, base_url="http://10.0.0.1").close()


def test_clients_share_one_tls_context() -> None:
    """Measured in a process of its own: the first client reads the certificates, the others do not."""
    code = """
    import ssl
    made = []
    for name in ("load_verify_locations", "load_default_certs"):
        def count(self, *a, real=getattr(ssl.SSLContext, name), **k):
            made.append(self)
            return real(self, *a, **k)
        setattr(ssl.SSLContext, name, count)
    from hangang import clova, exaone
    import aiohttp, urllib3  # aiohttp makes two contexts as it is imported
    before = len(set(map(id, made)))
    for library in ("httpx", "httpx2", "fast"):
        for client in (clova.Client, exaone.Client, clova.AsyncClient) * 3:
            client("key", http_client=library)
        print(len(set(map(id, made))) - before)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == ["1", "2", "3"], "one for each library; aiohttp and urllib3 share theirs"


def test_where_the_system_has_no_certificates_those_of_certifi_are_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def trusted(file: str | None = None, folder: str | None = None) -> int:
        return environment._context.__wrapped__(file, folder).cert_store_stats()["x509_ca"]

    paths = ssl.get_default_verify_paths()
    bare = {"cafile": None, "capath": None}
    monkeypatch.setattr(ssl, "create_default_context", lambda **_: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths._replace(**bare))
    assert trusted() > 100
    assert trusted(folder=str(tmp_path)) == 0, "the environment names others"
    monkeypatch.setattr(
        ssl, "get_default_verify_paths", lambda: paths._replace(**bare | {"capath": "/certs"})
    )
    assert trusted() == 0, "a folder is searched when a server is verified"


# --- HANGANG_LOG


LOGGED = """
import sys
from hangang import clova
url, key = sys.argv[1:]
with clova.Client(key, base_url=url, headers={"x-mine": "header-secret"}, timeout=5) as client:
    with client.stream("HCX-005", [{"role": "user", "content": "body-secret"}],
                       extra_query={"q": "query-secret"}, extra_headers={"x-two": "header-secret"}) as stream:
        stream.read()
    client.embedding("body-secret")
"""


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error", "", "nonsense"])
def test_log_by_variable(level: str) -> None:
    """At no level is there a key, a header, a query or a body."""
    answer = JSON.replace(b"embedding", b"answer-secret")
    scripts: list[list[Step]] = [
        [head("500 Oops", length=0, headers="retry-after: 0\r\nx-answer: header-secret\r\n")],
        WHOLE,
        [head(kind="application/json", length=len(answer)), answer],
    ]
    with RawHTTPServer(scripts) as server:
        done = subprocess.run(
            [sys.executable, "-c", LOGGED, server.url, KEY],
            env={**os.environ, "HANGANG_LOG": level, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        text = done.stdout + done.stderr
        if level == "nonsense":
            assert "HANGANG_LOG must be one of debug" in text
            return
        assert done.returncode == 0, text
        assert len(server.requests) == 3
    # Without the variable Python itself prints warnings.
    assert ("attempt 1 of 3 failed" in text) == (level in ("debug", "info", "warning", ""))
    assert ("POST /v3/chat-completions/HCX-005: 200 in" in text) == (level == "debug")
    answered = EVENTS[0].text or "answer-secret"
    for secret in (KEY, KEY[3:], "header-secret", "query-secret", "body-secret", "answer-secret", answered):
        assert secret not in text, secret


LOGGED_BY_ALL = """
import asyncio, sys
import hangang
from hangang import clova, exaone, gov, openai
from hangang._client import retry
from hangang._client.http import environment
retry.FIRST_WAIT = retry.JITTER = 0.001
library, mode, *urls = sys.argv[1:]
key = sys.stdin.readline().strip()
kinds = dict(clova=clova, exaone=exaone, gov=gov, openai=openai)
options = dict(headers={"x-mine": "header-secret"}, timeout=5, http_client=library, max_retries=1)
call = dict(extra_query={"q": "query-secret"}, extra_headers={"x-two": "header-secret"})

async def main():
    for name, url in zip(kinds, urls):
        module = kinds[name]
        client = (module.AsyncClient if mode == "async" else module.Client)(key, base_url=url, **options)
        arguments = ("body-secret",) if name == "exaone" else ("HCX-005", "body-secret")
        for number in range(4):
            try:
                answer = client.chat(*arguments, **call)
                if mode == "async":
                    await answer
            except hangang.HangangError as error:
                print(type(error).__name__)
        if name == "exaone":
            answer = client.request("get", "/v1/x?q=query-secret", **call)
            if mode == "async":
                await answer
        if mode == "async":
            await client.aclose()
        else:
            client.close()

asyncio.run(main())
"""


def test_no_secret_is_logged_by_any_client(face: Face) -> None:
    """Every service: an answer, a broken one, an error that repeats what was sent, and retries."""
    echo = f'{{"error": {{"message": "answer-secret {KEY}", "code": "{KEY}"}}, "key": "{KEY}"}}'.encode()
    answers = {
        "clova": DATA,
        "exaone": b'{"result_code":200,"data":{"answer":"answer-secret","progress_state":"answering"}}',
        "gov": (
            chat := b'{"choices":[{"index":0,"message":{"content":"answer-secret"},"finish_reason":"stop"}]}'
        ),
        "openai": chat,
    }
    oops = head("503 Oops", length=len(echo), headers=f"retry-after: 0\r\nx-request-id: {KEY}\r\n")
    refused = head("401 No", length=len(echo), headers="x-answer: header-secret\r\n")
    data = b'{"result_code":200,"data":{"answer":"answer-secret"}}'
    kinds = {name: "text/event-stream" if name == "clova" else "application/json" for name in answers}
    with contextlib.ExitStack() as stack:
        servers = [
            stack.enter_context(
                RawHTTPServer(
                    [
                        [oops, echo],
                        [head(kind=kinds[name], length=len(body)), body],
                        [head(kind=kinds[name], length=len(body)), body[:20], RESET],
                        [head(kind=kinds[name], length=len(body)), body[:20], RESET],
                        [refused, echo],
                        [oops, echo],
                        [oops, echo],
                        [head(kind="application/json", length=len(data)), data],
                    ]
                )
            )
            for name, body in answers.items()
        ]
        done = subprocess.run(
            [
                *(sys.executable, "-c", LOGGED_BY_ALL, face.library, "async" if face.is_async else "sync"),
                *(server.url for server in servers),
            ],
            env={**os.environ, "HANGANG_LOG": "debug", "PYTHONPATH": os.pathsep.join(sys.path)},
            input=KEY + "\n",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    text = done.stdout + done.stderr
    assert done.returncode == 0, text
    assert done.stdout.count("ServerError") == len(answers), text
    assert done.stdout.count("AuthenticationError") == len(answers), text
    for name in answers:
        assert re.search(f"{name}: (POST|GET) [^ ]+: attempt 1 of 2 failed", text), text
        assert re.search(f"{name}: (POST|GET) [^ ]+: 200 in", text), text
    for secret in (KEY, KEY[3:], "header-secret", "query-secret", "body-secret", "answer-secret"):
        assert secret not in text, secret


# --- errors in words


@pytest.mark.parametrize("end", ["reset", "close", "length"])
def test_an_interrupted_stream(face: Face, end: str) -> None:
    """Caught as a truncation and as a connection error alike; never retried."""
    part = b"".join(FRAMES[:3])
    steps: list[Step] = {
        "reset": [head(chunked=True), chunk(part), RESET],
        "close": [head(chunked=True), chunk(part)],
        "length": [head(length=len(DATA)), part],
    }[end]
    with RawHTTPServer([steps]) as server:
        got, stream, error = face.stream(face.client(server), ask(), "events")
        assert len(server.requests) == 1
    assert got == EVENTS[:3]
    assert type(error) is hangang.InterruptedStreamError
    assert isinstance(error, hangang.TruncatedStreamError)
    assert isinstance(error, hangang.APIConnectionError)
    assert not isinstance(error, hangang.APITimeoutError)
    assert error.offset == len(part)
    assert error.status == 200
    assert error.completion == stream.completion
    assert error.__cause__ is not None
    if end == "reset":
        what = f"stream interrupted: connection reset by the server after byte {len(part)};"
    else:
        what = f"stream interrupted at byte {len(part)}: "
    assert str(error).startswith(what)
    assert str(error).endswith("; the answer is incomplete")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert (str(again), again.offset, again.status, again.retry_after) == (
        str(error),
        error.offset,
        200,
        None,
    )


@pytest.mark.parametrize("keep_alives", [False, True], ids=["silent", "keep-alives"])
def test_a_stalled_stream(face: Face, keep_alives: bool) -> None:
    part = b"".join(FRAMES[:3])
    pings = [Sleep(0.05), chunk(PING)] * 200 if keep_alives else []
    with RawHTTPServer([[head(chunked=True), chunk(part), *pings, HANG]]) as server:
        got, _, error = face.stream(face.client(server), ask(stall_timeout=0.3), "events")
        assert len(server.requests) == 1
    assert got == EVENTS[:3]
    assert type(error) is hangang.StalledStreamError
    assert isinstance(error, hangang.TruncatedStreamError)
    assert isinstance(error, hangang.APITimeoutError)
    assert error.offset >= len(part)
    assert ("no event for 0.3 s, only keep-alives" if keep_alives else "no byte for 0.3 s") in str(error)
    assert isinstance(pickle.loads(pickle.dumps(error)), hangang.StalledStreamError)


@pytest.mark.parametrize(
    "kind", ["text/html; charset=utf-8", "application/xhtml+xml", "image/png", "audio/wav", "video/mp4"]
)
@pytest.mark.parametrize("whole", [False, True], ids=["stream", "chat"])
def test_an_answer_of_a_foreign_type(face: Face, kind: str, whole: bool) -> None:
    page = b"<html>Sign in</html>"
    with RawHTTPServer([[head(kind=kind, length=len(page), headers="x-request-id: r7\r\n"), page]]) as server:
        with pytest.raises(hangang.APIError) as caught:
            face.run(face.client(server), (lambda c: c.chat("HCX-005", QUESTION)) if whole else ask())
        assert len(server.requests) == 1
        assert server.settle() == 0
    assert type(caught.value) is hangang.APIError
    assert str(caught.value) == (
        f"200: the server answered with {kind.partition(';')[0]} instead of a chat; is base_url right? "
        "(request id r7)"
    )


@pytest.mark.parametrize("kind", ["text/plain", "application/octet-stream", "application/json", "x/y"])
def test_every_other_type_is_tried(face: Face, kind: str) -> None:
    with RawHTTPServer([[head(kind=kind, chunked=True), chunk(DATA), LAST_CHUNK]]) as server:
        assert face.run(face.client(server), ask()) == EVENTS


def test_an_error_has_status_code_and_request_id_in_its_text(face: Face) -> None:
    body = json.dumps({"status": {"code": "40004", "message": "Text empty"}}).encode()
    steps: list[Step] = [
        head("400 Bad", "application/json", length=len(body), headers="x-request-id: abc\r\n"),
        body,
    ]
    with RawHTTPServer([steps]) as server, pytest.raises(hangang.BadRequestError) as caught:
        face.run(face.client(server), ask())
    assert str(caught.value) == "400 40004: Text empty (request id abc)"
    assert caught.value.message == "Text empty"
    with RawHTTPServer([[head("401 No", length=0)]]) as server, pytest.raises(hangang.APIError) as caught:
        face.run(face.client(server), ask())
    assert str(caught.value) == "HTTP 401"


def test_a_connection_error_names_the_address(face: Face) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    client = face.client(f"http://127.0.0.1:{port}/path", max_retries=0)
    with pytest.raises(hangang.APIConnectionError) as caught:
        face.run(client, ask())
    assert str(caught.value) == f"cannot reach http://127.0.0.1:{port} (Connection refused)"


def test_a_connection_error_names_the_host_of_the_call(face: Face) -> None:
    """Gov's agents may be on another host than its chat."""
    client = face.client("http://127.0.0.1:1", "gov", max_retries=0, agent_profile="v1")
    assert client.agents._defaults.use_host is False
    profile = gov.AgentProfile(path="/a2a", host="http://127.0.0.1:2")
    client.agents._defaults = type(client.agents._defaults)(profile, None, True)
    with pytest.raises(hangang.APIConnectionError, match=r"cannot reach http://127\.0\.0\.1:2 "):
        face.run(client, lambda c: c.agents.send("a", "x"))


def test_a_timeout_names_the_address(face: Face) -> None:
    with RawHTTPServer([[HANG]]) as server, pytest.raises(hangang.APITimeoutError) as caught:
        face.run(face.client(server, timeout=0.2, max_retries=0), lambda c: c.embedding("x"))
    assert str(caught.value).startswith(f"no answer from {server.url} in time (")


def test_a_file_that_is_too_large_is_not_sent(face: Face) -> None:
    with RawHTTPServer([[HANG]]) as server:
        with pytest.raises(hangang.PayloadTooLargeError, match="30 MB"):
            face.run(face.client(server, "exaone"), lambda c: c.files.upload(b"x" * (30 * 2**20 + 1)))
        assert server.requests == []


def test_reading_goes_on_where_another_way_of_reading_left_off(plain: RawHTTPServer) -> None:
    """`next`, batches, texts and events share one cursor: nothing is lost, nothing comes twice."""
    with clova.Client(KEY, base_url=plain.url) as client, client.stream("HCX-005", QUESTION) as stream:
        first = next(stream)
        (rest,) = list(stream.batches())
        assert [first, *rest] == EVENTS
        assert list(stream.text_stream) == []
