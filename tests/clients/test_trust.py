"""What a hostile answer, a bad network and a second user cannot do to a client."""

from __future__ import annotations

import ast
import asyncio
import gc
import importlib
import json
import logging
import pickle
import pkgutil
import re
import threading
import time
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from raw_http_server import HANG, LAST_CHUNK, RawHTTPServer, Sleep, chunk, head
from transports import SERVICES, WAYS, Answer, Script, json_answer, read

import hangang
from hangang import clova, exaone
from hangang._client.deadline import Deadline, done_before
from hangang._client.errors import Secrets
from hangang._client.request import Call
from hangang._rate_limit import RateLimit, duration, retry_after

PACKAGE = Path(hangang.__file__).parent
MODES = ("sync", "async")
TOKEN = 'event: token\ndata: {"message": {"role": "assistant", "content": "한"}}\n\n'.encode()
RESULT = (
    'event: result\ndata: {"message": {"role": "assistant", "content": "한"}, "stopReason": "stop_before"}\n\n'
).encode()


# -- headers and regular expressions ---------------------------------------------------------------------------


def growth(work: Callable[[str], object], text: Callable[[int], str]) -> float:
    """How much more CPU time of this thread 8 times the size takes: about 8 if linear, 64 if quadratic."""

    def cost(size: int) -> float:
        given = text(size)
        work(given)
        times: list[float] = []
        for _ in range(5):
            begin = time.thread_time()
            work(given)
            times.append(time.thread_time() - begin)
            if times[-1] > 0.5:
                break
        return max(min(times), 1e-5)

    return cost(1 << 13) / cost(1 << 10)


@pytest.mark.parametrize("end", ["", "s", "x", ".", ".5", " ", "1s"])
@pytest.mark.parametrize("seed", ["9", "1s", "1.", ".", "1.5", " ", "\t9", "ms", "1h"])
def test_a_long_header_is_refused_in_linear_time(seed: str, end: str) -> None:
    def text(size: int) -> str:
        return (seed * size)[:size] + end

    for work in (duration, lambda value: retry_after({"retry-after": value}, 429)):
        assert work(text(1000)) is None
        assert growth(work, text) < 30


def test_a_header_of_64_characters_is_read_and_a_longer_one_is_not() -> None:
    assert duration("0" * 62 + "5s") == 5.0
    assert duration("0" * 63 + "5s") is None
    assert retry_after({"retry-after": "0" * 63 + "7"}, 503) == 7.0
    assert retry_after({"retry-after": "0" * 64 + "7"}, 503) is None
    assert RateLimit.of({"x-ratelimit-reset": "0" * 64 + "7"}).reset_requests is None


@pytest.mark.parametrize("mode", MODES)
def test_the_headers_of_an_answer_are_read_once(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    readings: list[int] = []
    of = RateLimit.of.__func__  # type: ignore[attr-defined]

    def counted(cls: type[RateLimit], headers: Any) -> RateLimit:
        readings.append(1)
        found: RateLimit = of(cls, headers)
        return found

    monkeypatch.setattr(RateLimit, "of", classmethod(counted))
    outcome = read(mode, SERVICES["clova"], Script([Answer([TOKEN, RESULT])]))
    assert outcome.error is None
    assert outcome.completion.rate_limit == RateLimit()
    assert len(readings) == 1
    script = Script([Answer(TOKEN)])
    with script.client() as http, SERVICES["clova"].client("key", http_client=http) as client:
        stream = client.stream("HCX-005", "질문")
        for _ in range(3):
            with pytest.raises(hangang.TruncatedStreamError):
                stream.read()
            assert stream.completion.rate_limit is stream.rate_limit
    assert len(readings) == 2


def module_names() -> list[str]:
    """Every module of ours that meets what others wrote."""
    names = [one.name for one in pkgutil.walk_packages([str(PACKAGE)], "hangang.")]
    return [name for name in names if "bench" not in name and not name.endswith(("__main__", "_native"))]


def patterns() -> Iterator[tuple[str, re.Pattern[Any], bool]]:
    """Each regular expression of the package, and whether it is searched for and not only matched at a place."""
    for name in module_names():
        module = importlib.import_module(name)
        source = Path(str(module.__file__)).read_text("utf-8")
        for node in ast.walk(ast.parse(source)):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id == "re"
                and isinstance(node.args[0], ast.Constant)
            ):
                flags = re.DOTALL if "DOTALL" in ast.unparse(node) else 0
                pattern = re.compile(node.args[0].value, flags)
                place = f"{name}:{node.lineno}"
                if node.func.attr != "compile":
                    yield place, pattern, node.func.attr not in ("match", "fullmatch")
                else:
                    line = source.splitlines()[node.lineno - 1]
                    bound = re.match(r"(\w+) = ", line)
                    searched = bound is None or re.search(
                        rf"\b{bound[1]}\.(search|sub|subn|split|finditer|findall)\b", source
                    )
                    yield place, pattern, searched is not None


#: What is repeated, after one of the beginnings and before one of the ends.
REPEATED = (
    "9",
    "a",
    " ",
    "\n",
    "\r\n",
    '"',
    "\\",
    '\\"',
    "{",
    "[]",
    ".",
    "_",
    "\u200d",
    "1.",
    "1s",
    "\n ",
    ' "a"',
)
BEGINNINGS = (
    "",
    '"',
    "-",
    "1.",
    "1e",
    "/",
    "id: ",
    "event: ",
    "data: ",
    "\n",
    "pass ",
    "raise max_",
    "a stream of hangang.",
)
ENDS = ("", "!", "\0")


def test_no_regular_expression_backtracks() -> None:
    """Matching and failing to match are linear, on texts that repeat what the expressions look for."""
    found = list(patterns())
    assert len(found) > 30, "the regular expressions were not found"
    slow: list[str] = []
    for place, pattern, is_searched in found:
        for seed in REPEATED:
            for beginning in BEGINNINGS:
                for end in ENDS:

                    def text(size: int, seed: str = seed, beginning: str = beginning, end: str = end) -> str:
                        return beginning + (seed * size)[:size] + end

                    def work(
                        value: str, pattern: re.Pattern[Any] = pattern, is_searched: bool = is_searched
                    ) -> object:
                        given: Any = value.encode() if isinstance(pattern.pattern, bytes) else value
                        if is_searched:
                            return sum(1 for _ in pattern.finditer(given))
                        return pattern.match(given)

                    begin = time.thread_time()
                    work(text(1 << 14))
                    # A cheap one is not measured further: a quadratic one would take a second.
                    if time.thread_time() - begin > 0.01 and growth(work, text) > 30:
                        slow.append(f"{place} {pattern.pattern!r} on {beginning!r} {seed!r} {end!r}")
    assert slow == []


# -- cookies ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_a_client_that_we_make_keeps_no_cookie(way: tuple[str, str]) -> None:
    library, mode = way
    cookie = "set-cookie: session=one-user; Path=/\r\n"
    answer = [head(headers=cookie), TOKEN, RESULT]
    models = [head(kind="application/json", headers=cookie), b'{"data": []}']
    refused = [head("400 Bad Request", "application/json", headers=cookie), b"{}"]
    with RawHTTPServer([answer, models, refused, answer]) as server:
        options: Any = {"base_url": server.url, "http_client": library}

        def sync() -> Any:
            with clova.Client("key", **options) as client:
                client.chat("HCX-005", "질문")
                client.with_options(timeout=5).embedding("질문")
                with pytest.raises(hangang.BadRequestError):
                    client.chat("HCX-005", "질문")
                client.chat("HCX-005", "질문")
                return jar(client._transport._adapter.http)

        async def awaited() -> Any:
            async with clova.AsyncClient("key", **options) as client:
                await client.chat("HCX-005", "질문")
                await client.with_options(timeout=5).embedding("질문")
                with pytest.raises(hangang.BadRequestError):
                    await client.chat("HCX-005", "질문")
                await client.chat("HCX-005", "질문")
                return jar(client._transport._adapter.http)

        def jar(http: Any) -> list[Any]:
            if library == "urllib3":
                return []  # it has no cookies
            return list(http.cookie_jar if library == "aiohttp" else http.cookies.jar)

        kept = sync() if mode == "sync" else asyncio.run(awaited())
        assert len(server.requests) == 4
        assert not [request for request in server.requests if b"\r\ncookie:" in request.lower()]
        assert kept == []


# -- what a caller passes on from somebody else ----------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "https://a.example/?",
        "https://a.example/#",
        "https://a.example?",
        "https://a.example#",
        "https://a.example/v1?key=1",
        "https://a.example/v1#part",
        "https://user@a.example",
        "https://user:password@a.example",
        "https://:@a.example",
        "https://[::1",
        "https://a.example:99999",
        "https://a.example:x",
        "https://a..example",
        "https://" + "a" * 64 + ".example",
        "https://\u2024.example",
        "https://\xad.example",
        "https://a.example\ud800",
        "https://a.example/\x7f",
        "https://a.example/\ud800",
        "https://a.example/" + "b" * 70_000,
    ],
)
@pytest.mark.parametrize("way", WAYS)
def test_a_wrong_base_url_is_refused_in_the_constructor(way: tuple[str, str], url: str) -> None:
    library, mode = way
    with pytest.raises(ValueError, match="base_url") as caught:
        (clova.Client if mode == "sync" else clova.AsyncClient)("key", base_url=url, http_client=library)
    assert type(caught.value) is ValueError
    assert "password" not in str(caught.value).removesuffix("a user name or a password")


@pytest.mark.parametrize(
    "url", ["https://한국.example/경로", "https://xn--3e0b707e.example", "https://a_b.example."]
)
@pytest.mark.parametrize("way", WAYS)
def test_a_host_of_another_script_is_no_wrong_one(way: tuple[str, str], url: str) -> None:
    library, mode = way
    (clova.Client if mode == "sync" else clova.AsyncClient)("key", base_url=url, http_client=library)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ({"json": {"a": "\ud800"}}, "lone surrogate"),
        ({"params": {"a": "\ud800"}}, "lone surrogate"),
        ({"data": {"a": "\ud800"}}, "lone surrogate"),
        ({"files": [("f", ("\udcff.txt", b"", "text/plain"))]}, "lone surrogate"),
        ({"files": [("f", ("a.txt", b"", "text/plain\r\nX-Evil: 1"))]}, "content type"),
        ({"files": [("f", ("a.txt", b"", "text/plain\x85X-Evil: 1"))]}, "content type"),
        ({"files": [("f", ("a.txt", b"", "text/\ud800"))]}, "content type"),
        ({"headers": {"x": "a\r\ny: b"}}, "the header x"),
        ({"headers": {"x": "한"}}, "the header x"),
        ({"headers": {"x\r\ny": "a"}}, "name of a header"),
        ({"headers": {"": "a"}}, "name of a header"),
        ({"path": "/\x7f"}, "path must"),
        ({"path": "/\x85"}, "path must"),
        ({"path": "/\ud800"}, "path must"),
        ({"path": "/" + "a" * 70_000}, "the address is not valid"),
        ({"method": "GET\r\nx: y"}, "method must"),
        ({"method": "GÉT"}, "method must"),
        ({"base_url": "https://a..example"}, "the address is not valid"),
    ],
)
@pytest.mark.parametrize("way", WAYS)
def test_what_cannot_be_sent_is_a_value_error_of_ours(
    way: tuple[str, str], call: dict[str, Any], words: str
) -> None:
    library, mode = way
    one = Call(**{"method": "POST", "path": "/", **call})
    with RawHTTPServer([[head(length=0)]]) as server:
        options: Any = {"base_url": server.url, "http_client": library}

        async def awaited() -> None:
            async with clova.AsyncClient("key", **options) as client:
                await client._transport.execute(one)

        with pytest.raises(ValueError, match=words) as caught:
            if mode == "async":
                asyncio.run(awaited())
            else:
                with clova.Client("key", **options) as client:
                    client._transport.execute(one)
        assert type(caught.value) is ValueError
        assert caught.value.__suppress_context__ or caught.value.__context__ is None
        assert server.requests == []
    if "headers" in call:
        with pytest.raises(ValueError, match=words):
            clova.Client("key", headers=call["headers"])


def test_the_name_of_a_file_ends_no_line() -> None:
    script = Script([json_answer({"result_code": 200, "data": {"files": []}})])
    with script.client() as http, exaone.Client("key", http_client=http) as client:
        client.files.upload(('a"\r\nX-Evil: 1\r\n\r\nb.txt', b"x", "text/plain"))
    body = script.requests[0].content
    assert b"\r\nX-Evil" not in body
    assert b'filename="a%22%0D%0AX-Evil: 1%0D%0A%0D%0Ab.txt"\r\n' in body


# -- two readers -----------------------------------------------------------------------------------------------

FRAMES = [
    f'event: token\ndata: {{"message": {{"role": "assistant", "content": "{place} "}}}}\n\n'.encode()
    for place in range(40)
]
NUMBERS = "".join(f"{place} " for place in range(40))

READINGS: dict[str, Callable[[Any], Any]] = {
    "for": list,
    "batches": lambda stream: list(stream.batches()),
    "text": lambda stream: list(stream.text_stream),
    "next": next,
    "read": lambda stream: stream.read(),
    "open": lambda stream: stream.open(),
}


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("moment", ["before the answer", "in a read", "between events"])
def test_a_second_thread_takes_nothing(moment: str, reading: str) -> None:
    reached, go = threading.Event(), threading.Event()

    def pause(_: float = 0.0) -> None:
        reached.set()
        assert go.wait(20)

    def frames() -> Iterator[bytes]:
        for place, frame in enumerate(FRAMES):
            if place == 5 and moment == "in a read":
                pause()
            yield frame

        yield RESULT

    def answer(request: Any) -> httpx.Response:
        if moment == "before the answer":
            pause()
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=frames())

    texts: list[str] = []
    with (
        httpx.Client(transport=httpx.MockTransport(answer)) as http,
        clova.Client("key", http_client=http) as client,
    ):
        stream = client.stream("HCX-005", "질문")

        def rightful() -> None:
            for event in stream:
                texts.append(event.text)
                if len(texts) == 5 and moment == "between events":
                    pause()

        thread = threading.Thread(target=rightful)
        thread.start()
        try:
            assert reached.wait(20)
            with pytest.raises(RuntimeError, match="another thread or task is reading"):
                READINGS[reading](stream)
        finally:
            go.set()
            thread.join(20)
        assert "".join(texts[:40]) == NUMBERS
        assert stream.completion.text.startswith(NUMBERS)
        assert stream.completion.finish_reason == "stop_before"


@pytest.mark.parametrize("reading", ["for", "batches", "text", "next", "read", "open"])
@pytest.mark.parametrize("moment", ["before the answer", "in a read", "between events"])
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_second_task_takes_nothing(backend: str, moment: str, reading: str) -> None:
    async def main() -> None:
        reached, go = anyio.Event(), anyio.Event()

        async def pause() -> None:
            reached.set()
            await go.wait()

        class Body(httpx.AsyncByteStream):
            """Not a generator: httpx leaves it to the collector, which trio warns of."""

            def __init__(self) -> None:
                self.frames = enumerate([*FRAMES, RESULT])

            def __aiter__(self) -> AsyncIterator[bytes]:
                return self

            async def __anext__(self) -> bytes:
                for place, frame in self.frames:
                    if place == 5 and moment == "in a read":
                        await pause()
                    return frame
                raise StopAsyncIteration

        async def answer(request: Any) -> httpx.Response:
            if moment == "before the answer":
                await pause()
            return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=Body())

        async def intrude(stream: Any) -> None:
            if reading in ("for", "batches", "text"):
                ways = {"for": stream, "batches": stream.batches(), "text": stream.text_stream}
                async for _ in ways[reading]:
                    pass
            elif reading == "next":
                await anext(stream)
            else:
                await getattr(stream, reading)()

        texts: list[str] = []
        async with (
            httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http,
            clova.AsyncClient("key", http_client=http) as client,
        ):
            stream = client.stream("HCX-005", "질문")

            async def rightful() -> None:
                async for event in stream:
                    texts.append(event.text)
                    if len(texts) == 5 and moment == "between events":
                        await pause()

            async with anyio.create_task_group() as group:
                group.start_soon(rightful)
                await reached.wait()
                with pytest.raises(RuntimeError, match="another thread or task is reading"):
                    await intrude(stream)
                go.set()
            assert "".join(texts[:40]) == NUMBERS
            assert stream.completion.finish_reason == "stop_before"

    anyio.run(main, backend=backend)


def test_a_loop_may_be_continued_by_another_thread() -> None:
    """As web frameworks do with a generator: each step in whichever thread is free, never two at once."""
    script = Script([Answer([*FRAMES, RESULT])])
    with script.client() as http, clova.Client("key", http_client=http) as client:
        stream = client.stream("HCX-005", "질문")
        with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as two:
            one.submit(stream.open).result()
            steps = stream.text_stream
            pieces = [pool.submit(next, steps).result() for pool in [one, two] * 20]
            assert "".join(pieces) == NUMBERS
            assert two.submit(list, steps).result() in ([], ["한"])
        assert stream.completion.finish_reason == "stop_before"


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_loop_may_be_continued_by_another_task(backend: str) -> None:
    async def main() -> None:
        script = Script([Answer([*FRAMES, RESULT])])
        async with script.async_client() as http, clova.AsyncClient("key", http_client=http) as client:
            stream = client.stream("HCX-005", "질문")
            steps, pieces = aiter(stream), []

            async def step() -> None:
                pieces.append((await anext(steps)).text)

            for _ in range(40):
                async with anyio.create_task_group() as group:
                    group.start_soon(step)
            assert "".join(pieces) == NUMBERS
            async for _ in steps:
                pass
            assert stream.completion.finish_reason == "stop_before"

    anyio.run(main, backend=backend)


# -- a key that the service sends back -------------------------------------------------------------------------

#: Characters that JSON may escape, and some that it must.
SECRET = 'nv-SECRET-01/23"45\\67'


def ways_to_write(key: str) -> list[str]:
    """Of a key inside a JSON string."""
    plain = json.dumps(key)[1:-1]
    dashed = plain.replace("-", "\\u002d").replace("/", "\\/")
    every = "".join(f"\\u{ord(char):04x}" for char in key)
    upper = "".join(f"\\u{ord(char):04X}" for char in key)
    return [plain, dashed, every, upper, json.dumps(every)[1:-1], json.dumps(dashed)[1:-1]]


def parts_of(key: str) -> list[str]:
    """No text may show these, however it is escaped."""
    return [key, json.dumps(key)[1:-1], repr(key)[1:-1], "SECRET", "\\u0053\\u0045", "u0053"]


ECHOES = [
    '{"error": {"message": "wrong: KEY", "code": "KEY", "type": "KEY"}, "KEY": "KEY"}',
    '{"status": {"code": "KEY", "message": "KEY"}}',
    '{"detail": [{"given": "KEY"}], "code": "KEY"}',
    "<p>KEY</p>",
    "x" * 190 + "KEY",
    '{"error": "KEY',
]


@pytest.mark.parametrize("way", range(len(ways_to_write(SECRET))))
@pytest.mark.parametrize("place", ["status", "whole", "event", "later event", "page", "redirect", "broken"])
@pytest.mark.parametrize("mode", MODES)
def test_a_key_that_comes_back_is_in_no_error(
    mode: str, place: str, way: int, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hangang._client.retry.FIRST_WAIT", 0.0)
    monkeypatch.setattr("hangang._client.retry.JITTER", 0.0)
    caplog.set_level(logging.DEBUG)
    written = ways_to_write(SECRET)[way]
    headers = {"x-request-id": f"r-{SECRET}", "x-ratelimit-reset": SECRET, "content-type": "application/json"}
    stream = {**headers, "content-type": "text/event-stream"}
    for echo in ECHOES if place in ("status", "whole") else ECHOES[:1]:
        body = echo.replace("KEY", written).encode()
        event = b"event: error\ndata: " + body + b"\n\n"
        answer = {
            "status": Answer(body, 429, headers),
            "whole": Answer(body, 200, headers),
            "event": Answer(event, 200, stream),
            "later event": Answer([TOKEN, event], 200, stream),
            "page": Answer(body, 200, {**headers, "content-type": f"text/html{SECRET}"}),
            "redirect": Answer(body, 307, {**headers, "location": f"https://a.example/{SECRET}"}),
            "broken": Answer([TOKEN, httpx.ReadError(f"broke at {SECRET}")], 200, stream),
        }[place]
        script = Script([answer])
        kept: list[Any] = []
        if mode == "sync":
            with (
                pytest.raises(hangang.HangangError) as caught,
                script.client() as http,
                clova.Client(SECRET, http_client=http, max_retries=1) as client,
                client.stream("HCX-005", "질문") as opened,
            ):
                kept.append(opened)
                list(opened)
        else:

            async def ask(script: Script = script, kept: list[Any] = kept) -> None:
                async with (
                    script.async_client() as http,
                    clova.AsyncClient(SECRET, http_client=http, max_retries=1) as client,
                    client.stream("HCX-005", "질문") as opened,
                ):
                    kept.append(opened)
                    async for _ in opened:
                        pass

            with pytest.raises(hangang.HangangError) as caught:
                asyncio.run(ask())
        error: Any = caught.value
        again = pickle.loads(pickle.dumps(error))
        texts = [show(one) for one in (error, again) for show in (str, repr, lambda one: repr(vars(one)))]
        texts += [record.getMessage() for record in caplog.records]
        for one in kept:
            texts += [
                repr(one.completion.request_id),
                repr(one.rate_limit),
                repr(one.headers),
                repr(one.request_id),
            ]
        for part in parts_of(SECRET):
            assert [text for text in texts if part in text] == []
        if place != "whole":
            assert error.request_id == "r-***"
        if place in ("status", "later event") and "message" in echo:
            assert error.code == "***"
            assert "***" in error.body


def test_a_key_that_comes_back_with_what_is_no_chat() -> None:
    headers = {"x-request-id": SECRET, "x-ratelimit-limit-x": SECRET, "content-type": "application/json"}
    script = Script([Answer(b'{"status": {"code": "20000"}, "result": {"a": 1}}', 200, headers)])
    with script.client() as http, clova.Client(SECRET, http_client=http) as client:
        response = client.embedding("질문")
        assert response.request_id == "***"
        assert "SECRET" not in repr(response.rate_limit) + repr(response)


def test_striking_out_is_linear() -> None:
    secrets = Secrets([SECRET])
    for seed in ("\\", "\\u002d", "nv-SECRET-01/23", "\\u006e\\u0076", "n", "\\\\\\\\u006e"):
        assert growth(secrets.struck_out, lambda size, seed=seed: (seed * size)[:size] + "\\") < 30  # type: ignore[misc]


# -- answers that drip -----------------------------------------------------------------------------------------

DRIPS = 80


def dripping(status: str) -> list[Any]:
    """An answer of 80 bytes that takes 8 seconds; no pause is longer than a tenth."""
    steps: list[Any] = [head(status, "application/json", chunked=True)]
    for _ in range(DRIPS):
        steps += [chunk(b" "), Sleep(0.1)]
    return [*steps, LAST_CHUNK]


#: A stream, a chat in one piece, and an answer that is not a chat.
CALLS: dict[str, Callable[[Any], Any]] = {
    "stream": lambda client: client.stream("HCX-005", "질문").read(),
    "chat": lambda client: client.chat("HCX-005", "질문"),
    "embedding": lambda client: client.embedding("질문"),
}


def refused_by(mode: str, server: RawHTTPServer, call: Callable[[Any], Any], **options: Any) -> Any:
    options = {"base_url": server.url, "max_retries": 0, "timeout": 5, **options}
    with pytest.raises(hangang.HangangError) as caught:
        if mode == "sync":
            with clova.Client("key", **options) as client:
                call(client)
        else:

            async def ask() -> None:
                async with clova.AsyncClient("key", **options) as client:
                    await call(client)

            asyncio.run(ask())
    return caught.value


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("way", WAYS)
def test_an_error_body_that_drips_has_one_deadline(
    way: tuple[str, str], call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    library, mode = way
    monkeypatch.setattr("hangang._client.transport._ERROR_SECONDS", 0.3, raising=False)
    with RawHTTPServer([dripping("503 Service Unavailable")]) as server:
        error = refused_by(mode, server, CALLS[call], http_client=library)
        assert isinstance(error, hangang.ServerError)
        assert len(error.body) < DRIPS // 2
        assert server.settle() == 0


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("way", WAYS)
def test_total_timeout_ends_an_answer_that_drips(way: tuple[str, str], call: str) -> None:
    library, mode = way
    with RawHTTPServer([dripping("200 OK")]) as server:
        error = refused_by(mode, server, CALLS[call], http_client=library, total_timeout=0.3)
        assert isinstance(error, hangang.APITimeoutError)
        assert "total_timeout=0.3" in str(error)
        assert server.settle() == 0


class Played(list[Any]):
    """A script that counts its steps as they are played."""

    count = 0

    def __iter__(self) -> Iterator[Any]:
        for self.count, step in enumerate(super().__iter__(), 1):
            yield step


DRIPPING_HEAD = [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-drip: ", *[b"a", Sleep(0.1)] * DRIPS]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("way", WAYS)
def test_total_timeout_ends_headers_that_drip(way: tuple[str, str], call: str) -> None:
    library, mode = way
    script = Played([*DRIPPING_HEAD, b"\r\n\r\n{}"])
    with RawHTTPServer([script]) as server:
        error = refused_by(mode, server, CALLS[call], http_client=library, total_timeout=0.3)
        assert script.count < DRIPS
    assert isinstance(error, hangang.APITimeoutError)
    assert "total_timeout=0.3" in str(error)


@pytest.mark.parametrize("end", [[HANG], [b"\r\n\r\n{}", HANG]], ids=["silence", "whole"])
@pytest.mark.parametrize("way", WAYS)
def test_what_was_waited_for_too_long_is_closed(way: tuple[str, str], end: list[Any]) -> None:
    library, mode = way
    with RawHTTPServer([[*DRIPPING_HEAD[:11], *end]]) as server:
        error = refused_by(mode, server, CALLS["chat"], http_client=library, total_timeout=0.3)
        assert isinstance(error, hangang.APITimeoutError)
        assert server.settle() == 0
    until = time.monotonic() + 5
    while any(thread.name.startswith("hangang") for thread in threading.enumerate()):
        assert time.monotonic() < until, "a thread was left"
        time.sleep(0.01)


@pytest.mark.parametrize("is_late", [False, True], ids=["before", "after"])
def test_a_result_at_ctrl_c_is_undone(is_late: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    undone: list[str] = []
    finish = threading.Event()
    wait = threading.Event.wait

    def interrupted(event: threading.Event, timeout: float | None = None) -> bool:
        if event is finish or timeout is None:
            return wait(event, timeout)
        if not is_late:
            finish.set()
            wait(event)
        raise KeyboardInterrupt

    def work() -> str:
        finish.wait()
        return "result"

    with monkeypatch.context() as patch:
        patch.setattr(threading.Event, "wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            done_before(Deadline.after(5), work, undone.append)
    finish.set()
    for thread in threading.enumerate():
        if thread.name.startswith("hangang"):
            thread.join()
    assert undone == ["result"]


# -- errors that hold themselves -------------------------------------------------------------------------------


def refuse(request: Any) -> Exception:
    return httpx.ConnectError("refused", request=request)


IN_STREAM = b'event: error\ndata: {"status": {"code": "50000", "message": "x"}}\n\n'
BROKEN = b"the connection breaks here"
FAILURES: dict[str, Callable[[], Answer]] = {
    "truncated": lambda: Answer([TOKEN]),
    "interrupted": lambda: Answer([TOKEN, BROKEN]),
    "broken before the first event": lambda: Answer([BROKEN]),
    "wrong bytes": lambda: Answer([TOKEN, b"data: {bad}\n\n"]),
    "wrong first bytes": lambda: Answer([b"data: {bad}\n\n"]),
    "an error event": lambda: Answer([TOKEN, IN_STREAM]),
    "an error event first": lambda: Answer([IN_STREAM]),
    "no connection": lambda: Answer(error=refuse),
    "a status": lambda: Answer([b"{}"], 400),
    "a page": lambda: Answer([b"<p>"], 200, {"content-type": "text/html"}),
}


class Breaking(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body; its errors are kept by nobody, unlike those of a `Script`."""

    def __init__(self, chunks: Any) -> None:
        self.chunks = [chunks] if isinstance(chunks, bytes) else chunks

    def __iter__(self) -> Iterator[bytes]:
        for piece in self.chunks:
            if piece is BROKEN:
                raise httpx.ReadError("broke")
            yield piece

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            yield piece


def failing(failure: str) -> httpx.MockTransport:
    answer = FAILURES[failure]()

    def respond(request: Any) -> httpx.Response:
        if answer.error is not None:
            raise answer.error(request)
        return httpx.Response(answer.status, headers=answer.headers, stream=Breaking(answer.body))

    return httpx.MockTransport(respond)


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@pytest.mark.parametrize("reading", ["for", "next", "read", "no chat"])
@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("mode", MODES)
def test_a_failed_call_is_freed_without_the_collector(
    mode: str, failure: str, reading: str, no_collector: None
) -> None:
    """The error, the stream and what it has read: nothing of ours is part of a reference cycle."""
    kept: list[weakref.ref[Any]] = []

    def keep(error: Exception, stream: Any) -> None:
        assert isinstance(error, hangang.HangangError)
        kept.append(weakref.ref(error))
        if stream is not None:
            kept.append(weakref.ref(stream))
            kept.append(weakref.ref(stream._attempt))

    def sync(client: Any) -> None:
        stream = None
        try:
            if reading == "no chat":
                client.embedding("질문")
            else:
                stream = client.stream("HCX-005", "질문")
                if reading == "read":
                    stream.read()
                for _ in stream if reading == "for" else iter(lambda: next(stream), None):
                    pass
        except hangang.HangangError as error:
            keep(error, stream)

    async def awaited(client: Any) -> None:
        stream = None
        try:
            if reading == "no chat":
                await client.embedding("질문")
            else:
                stream = client.stream("HCX-005", "질문")
                if reading == "read":
                    await stream.read()
                if reading == "for":
                    async for _ in stream:
                        pass
                while True:
                    await anext(stream)
        except hangang.HangangError as error:
            keep(error, stream)

    if mode == "sync":
        with (
            httpx.Client(transport=failing(failure)) as http,
            clova.Client("key", http_client=http, max_retries=0) as client,
        ):
            sync(client)
            assert [one() for one in kept] == [None] * len(kept)
    else:

        async def run() -> None:
            async with (
                httpx.AsyncClient(transport=failing(failure)) as http,
                clova.AsyncClient("key", http_client=http, max_retries=0) as client,
            ):
                await awaited(client)
                assert [one() for one in kept] == [None] * len(kept)

        asyncio.run(run())
    assert len(kept) == (1 if reading == "no chat" else 3)


@pytest.mark.parametrize("retries", [0, 1])
@pytest.mark.parametrize("call", ["chat", "embedding"])
@pytest.mark.parametrize("mode", MODES)
def test_a_traceback_is_short(mode: str, call: str, retries: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hangang._client.retry.FIRST_WAIT", 0)
    monkeypatch.setattr("hangang._client.retry.JITTER", 0)
    arguments = ("HCX-005", "질문") if call == "chat" else ("질문",)
    transport = failing("no connection")
    if mode == "sync":
        with (
            httpx.Client(transport=transport) as http,
            clova.Client("key", http_client=http, max_retries=retries) as client,
            pytest.raises(hangang.APIConnectionError) as caught,
        ):
            getattr(client, call)(*arguments)
    else:

        async def run() -> None:
            async with (
                httpx.AsyncClient(transport=transport) as http,
                clova.AsyncClient("key", http_client=http, max_retries=retries) as client,
            ):
                await getattr(client, call)(*arguments)

        with pytest.raises(hangang.APIConnectionError) as caught:
            asyncio.run(run())
    shown = [str(frame.path) for frame in caught.traceback]
    assert not [path for path in shown if "tenacity" in path or "concurrent" in path]
    assert shown[-1].endswith("transport.py"), "the frames after those of the retry library are there"


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failed_stream_fails_again_in_the_same_way(failure: str) -> None:
    http = httpx.Client(transport=failing(failure))
    with http, clova.Client("key", http_client=http, max_retries=0) as client:
        stream = client.stream("HCX-005", "질문")
        with pytest.raises(hangang.HangangError) as first:
            stream.read()
        if stream._attempt is not None and stream._attempt.done:
            with pytest.raises(hangang.HangangError) as second:
                stream.read()
            assert type(second.value) is type(first.value)
            assert str(second.value) == str(first.value)
            assert vars(second.value) == vars(first.value)
