"""The recipes of docs/en/own-http.md are live: an event is there before the server has sent the next one.

The server sends the first event, and the second one only after the client has shown that it has the first. What a library
collects until a buffer is full, or the body has ended, it never shows.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import hangang

FIRST = b'event:token\ndata:{"message":{"content":"a"}}\n\n'
LAST = b'event:result\ndata:{"message":{"content":"ab"},"finishReason":"stop"}\n\n'
PATIENCE = 20.0  # seconds until the server takes it that the client waits for more, and a test fails


class Server:
    """Sends one answer in two parts; `arrived` is set by the client between them."""

    def __init__(self, framing: str) -> None:
        self.arrived = threading.Event()
        self.was_live = False
        self._framing = framing
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._thread.join(10)
        self._socket.close()

    def _serve(self) -> None:
        connection, _ = self._socket.accept()
        with connection, connection.makefile("rb") as request:
            length = 0
            for line in request:
                if line == b"\r\n":
                    break
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            request.read(length)
            head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n"
            is_chunked = self._framing == "chunked"
            connection.sendall(head + (b"transfer-encoding: chunked\r\n\r\n" if is_chunked else b"\r\n"))
            connection.sendall(self._part(FIRST))
            self.was_live = self.arrived.wait(PATIENCE)
            connection.sendall(self._part(LAST) + (b"0\r\n\r\n" if is_chunked else b""))

    def _part(self, data: bytes) -> bytes:
        return b"%x\r\n%b\r\n" % (len(data), data) if self._framing == "chunked" else data


@contextmanager
def serving(framing: str) -> Iterator[Server]:
    server = Server(framing)
    try:
        yield server
    finally:
        server.arrived.set()
        server.close()


def read(server: Server, chunks: Iterable[bytes]) -> str:
    text = ""
    for event in hangang.iter_events(chunks, hangang.clova.StreamParser()):
        server.arrived.set()
        text += event.text
    return text


async def aread(server: Server, chunks: Any) -> str:
    text = ""
    async for event in hangang.aiter_events(chunks, hangang.clova.StreamParser()):
        server.arrived.set()
        text += event.text
    return text


def with_httpx(server: Server) -> str:
    import httpx

    with httpx.Client() as http, http.stream("POST", server.url, json={}) as response:
        return read(server, response.iter_bytes())


def with_httpx_awaited(server: Server) -> str:
    import httpx

    async def main() -> str:
        async with httpx.AsyncClient() as http, http.stream("POST", server.url, json={}) as response:
            return await aread(server, response.aiter_bytes())

    return asyncio.run(main())


def with_requests(server: Server) -> str:
    requests = pytest.importorskip("requests", reason="requests is not installed (extra dev)")
    with requests.post(server.url, json={}, stream=True) as response:
        return read(server, response.iter_content(chunk_size=None))


def with_urllib3(server: Server) -> str:
    urllib3 = pytest.importorskip("urllib3", reason="urllib3 is not installed (extra fast)")
    with urllib3.PoolManager() as pool:
        response = pool.request("POST", server.url, json={}, preload_content=False, retries=False)
        try:
            return read(server, response.stream())
        finally:
            response.release_conn()


def with_urllib3_read1(server: Server) -> str:
    urllib3 = pytest.importorskip("urllib3", reason="urllib3 is not installed (extra fast)")
    with urllib3.PoolManager() as pool:
        response = pool.request("POST", server.url, json={}, preload_content=False, retries=False)
        try:
            return read(server, iter(lambda: response.read1(65536), b""))
        finally:
            response.release_conn()


def with_aiohttp(server: Server) -> str:
    aiohttp = pytest.importorskip("aiohttp", reason="aiohttp is not installed (extra fast)")

    async def main() -> str:
        async with aiohttp.ClientSession() as http, http.post(server.url, json={}) as response:
            return await aread(server, response.content.iter_any())

    return asyncio.run(main())


def with_the_standard_library(server: Server) -> str:
    import urllib.request

    request = urllib.request.Request(server.url, b"{}", {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as response:
        return read(server, iter(lambda: response.read1(65536), b""))


RECIPES: list[Callable[[Server], str]] = [
    with_httpx,
    with_httpx_awaited,
    with_requests,
    with_urllib3,
    with_urllib3_read1,
    with_aiohttp,
    with_the_standard_library,
]
#: These are live only where the body is chunked; the page has a note about it.
CHUNKED_ONLY = [with_requests, with_urllib3]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.__name__)
def test_chunked_bodies_are_live(recipe: Callable[[Server], str]) -> None:
    with serving("chunked") as server:
        assert recipe(server) == "a"
    assert server.was_live


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.__name__)
def test_bodies_that_end_with_the_connection(
    recipe: Callable[[Server], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if recipe in CHUNKED_ONLY:
        monkeypatch.setitem(globals(), "PATIENCE", 0.2)
    with serving("to the end") as server:
        assert recipe(server) == "a"
    assert server.was_live == (recipe not in CHUNKED_ONLY)
