"""In-process HTTP for the tests of the clients: scripted answers, for each HTTP library, sync and async.

A `Script` answers each request in turn and remembers what it was asked and whether its bodies were closed.
A body is bytes, or a list of chunks, exceptions to raise, and floats to sleep.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, ClassVar

import httpx
import httpx2
import pytest
import scripted_sockets

from hangang import clova, exaone, gov

LIBRARIES: tuple[ModuleType, ...] = (httpx, httpx2)

#: Every HTTP library with the kinds of client that it serves. The default and the fast ones run in `make test`.
WAYS = [
    pytest.param(("httpx", "sync"), id="httpx-sync"),
    pytest.param(("httpx", "async"), id="httpx-async"),
    pytest.param(("urllib3", "sync"), id="urllib3-sync"),
    pytest.param(("aiohttp", "async"), id="aiohttp-async"),
    pytest.param(("httpx2", "sync"), id="httpx2-sync", marks=pytest.mark.long),
    pytest.param(("httpx2", "async"), id="httpx2-async", marks=pytest.mark.long),
]
BLOCKING = [
    pytest.param(way.values[0][0], id=way.values[0][0], marks=way.marks)
    for way in WAYS
    if way.values[0][1] == "sync"  # type: ignore[index]
]
AWAITING = [
    pytest.param(way.values[0][0], id=way.values[0][0], marks=way.marks)
    for way in WAYS
    if way.values[0][1] == "async"  # type: ignore[index]
]
QUESTION = [{"role": "user", "content": "한강의 길이는?"}]
KEY = "nv-SECRET-0123456789"

Item = bytes | Exception | float
Body = bytes | Sequence[Item]


@dataclass
class Answer:
    """One scripted answer; `error` is raised instead of answering."""

    body: Body = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "text/event-stream"})
    error: Callable[[Any], Exception] | None = None


def json_answer(value: Any, status: int = 200, **headers: str) -> Answer:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    body = value if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False).encode()
    return Answer(body, status, {"content-type": "application/json", **named})


@dataclass
class Script:
    """Answers in turn; the last one is repeated."""

    answers: Sequence[Answer]
    # A name for what `scripted_sockets` plays.
    library: ModuleType | str = field(default_factory=lambda: Script.default)
    requests: list[Any] = field(default_factory=list)
    ended: int = 0
    opened: int = 0
    default: ClassVar[ModuleType | str] = httpx

    def use(self, library: str) -> None:
        """Play the answers for a library, by its name."""
        self.library = {"httpx": httpx, "httpx2": httpx2}.get(library, library)

    @property
    def closed(self) -> int:
        """How many bodies were closed. A thread that plays on a socket sees it a moment later."""
        until = time.monotonic() + (5 if isinstance(self.library, str) else 0)
        while self.ended < self.opened and time.monotonic() < until:
            time.sleep(0.001)
        return self.ended

    def current(self) -> Answer:
        """The answer to the next request."""
        return self.answers[min(len(self.requests), len(self.answers) - 1)]

    def transport(self) -> Any:
        """A transport for `Client` of the library."""
        return self.library.MockTransport(self._answer)

    def async_transport(self) -> Any:
        """A transport for `AsyncClient` of the library."""

        async def answer(request: Any) -> Any:
            return self._answer(request, is_async=True)

        return self.library.MockTransport(answer)

    def client(self) -> Any:
        if isinstance(self.library, str):
            return scripted_sockets.manager(self)
        return self.library.Client(transport=self.transport())

    def async_client(self) -> Any:
        if isinstance(self.library, str):
            return scripted_sockets.session(self)
        return self.library.AsyncClient(transport=self.async_transport())

    @property
    def bodies(self) -> list[Any]:
        """The JSON bodies of the requests; None for one that has another or none."""
        return [
            json.loads(request.content) if "json" in request.headers.get("content-type", "") else None
            for request in self.requests
        ]

    def _answer(self, request: Any, is_async: bool = False) -> Any:
        answer = self.current()
        self.requests.append(request)
        if answer.error is not None:
            raise answer.error(request)
        items = [answer.body] if isinstance(answer.body, bytes) else list(answer.body)
        self.opened += 1
        stream = self._async_stream(items) if is_async else self._sync_stream(items)
        return self.library.Response(answer.status, headers=answer.headers, stream=stream)

    def _sync_stream(self, items: list[Item]) -> Any:
        script = self

        class Sync(self.library.SyncByteStream):  # type: ignore[name-defined,misc]
            def __iter__(self) -> Iterator[bytes]:
                for item in items:
                    if isinstance(item, float):
                        time.sleep(item)
                    elif isinstance(item, Exception):
                        raise item
                    else:
                        yield item

            def close(self) -> None:
                script.ended += 1

        return Sync()

    def _async_stream(self, items: list[Item]) -> Any:
        script = self

        class Async(self.library.AsyncByteStream):  # type: ignore[name-defined,misc]
            async def __aiter__(self) -> AsyncIterator[bytes]:
                for item in items:
                    if isinstance(item, float):
                        await asyncio.sleep(item)
                    elif isinstance(item, Exception):
                        raise item
                    else:
                        yield item

            async def aclose(self) -> None:
                script.ended += 1

        return Async()


@dataclass(frozen=True)
class Service:
    """One way to stream, in both kinds of client."""

    name: str
    client: type[Any]
    async_client: type[Any]
    open: Callable[[Any], Any]


SERVICES = {
    "clova": Service(
        "clova", clova.Client, clova.AsyncClient, lambda client: client.stream("HCX-005", QUESTION)
    ),
    "exaone": Service("exaone", exaone.Client, exaone.AsyncClient, lambda client: client.stream("질문")),
    "openai": Service(
        "openai", gov.Client, gov.AsyncClient, lambda client: client.stream("HCX-GOV-THINK", QUESTION)
    ),
    "a2a": Service(
        "a2a", gov.Client, gov.AsyncClient, lambda client: client.agents.stream("a", "질문", team_id=1)
    ),
}


@dataclass
class Outcome:
    """How reading a stream to its end went."""

    events: list[Any]
    error: Exception | None
    completion: Any
    script: Script


def read_sync(service: Service, script: Script, **options: Any) -> Outcome:
    """Stream with the blocking client, to the end or the error."""
    events: list[Any] = []
    error: Exception | None = None
    stream: Any = None
    with script.client() as http, service.client(KEY, http_client=http, **options) as client:
        try:
            with service.open(client) as stream:
                for event in stream:
                    events.append(event)
        except Exception as caught:
            error = caught
    return Outcome(events, error, stream and stream.completion, script)


async def read_async(service: Service, script: Script, **options: Any) -> Outcome:
    """The same with the client that awaits."""
    events: list[Any] = []
    error: Exception | None = None
    stream: Any = None
    async with (
        script.async_client() as http,
        service.async_client(KEY, http_client=http, **options) as client,
    ):
        try:
            async with service.open(client) as stream:
                async for event in stream:
                    events.append(event)
        except Exception as caught:
            error = caught
    return Outcome(events, error, stream and stream.completion, script)


class Reader:
    """Blocking clients that are kept, for tests that stream thousands of times."""

    def __init__(self, service: Service, library: str = "httpx", **options: Any) -> None:
        self._service = service
        self._script = Script([])
        self._script.use(library)
        self._client = service.client(KEY, http_client=self._script.client(), **options)

    def read(self, items: Sequence[Item]) -> Outcome:
        """Stream one answer to its end or error."""
        script = self._script
        script.answers = [Answer(items)]
        script.requests.clear()
        script.opened = script.ended = 0
        events: list[Any] = []
        error: Exception | None = None
        stream: Any = None
        try:
            with self._service.open(self._client) as stream:
                for event in stream:
                    events.append(event)
        except Exception as caught:
            error = caught
        return Outcome(events, error, stream and stream.completion, script)


def read(mode: str | tuple[str, str], service: Service, script: Script, **options: Any) -> Outcome:
    """`read_sync` or `read_async` by name, or with the library of one of `WAYS`."""
    if isinstance(mode, tuple):
        library, mode = mode
        script.use(library)
    if mode == "sync":
        return read_sync(service, script, **options)
    return asyncio.run(read_async(service, script, **options))
