"""What a hostile answer, a bad network and a second user cannot do to a client."""

from __future__ import annotations

import ast
import asyncio
import importlib
import pkgutil
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from raw_http_server import RawHTTPServer, head
from transports import SERVICES, Answer, Script, read

import hangang
from hangang import clova
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


@pytest.mark.parametrize("library", ["httpx", "httpx2"])
@pytest.mark.parametrize("mode", MODES)
def test_a_client_that_we_make_keeps_no_cookie(mode: str, library: str) -> None:
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
                return list(client._transport._adapter.http.cookies.jar)

        async def awaited() -> Any:
            async with clova.AsyncClient("key", **options) as client:
                await client.chat("HCX-005", "질문")
                await client.with_options(timeout=5).embedding("질문")
                with pytest.raises(hangang.BadRequestError):
                    await client.chat("HCX-005", "질문")
                await client.chat("HCX-005", "질문")
                return list(client._transport._adapter.http.cookies.jar)

        kept = sync() if mode == "sync" else asyncio.run(awaited())
        assert len(server.requests) == 4
        assert not [request for request in server.requests if b"\r\ncookie:" in request.lower()]
        assert kept == []
