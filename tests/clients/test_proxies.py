"""Proxies of the environment, for each HTTP library: used where they are meant, never for loopback, passwords unseen."""

from __future__ import annotations

import asyncio
import base64
import os
from typing import Any

import pytest
import support
from raw_http_server import LAST_CHUNK, RawHTTPServer, chunk, head
from transports import KEY, QUESTION, WAYS

import hangang
from hangang import clova

DATA = (support.CAPTURES / "clova/v3_text.sse").read_bytes()
EVENTS = clova.StreamParser().feed(DATA)
WHOLE = [head(chunked=True), chunk(DATA), LAST_CHUNK]
PASSWORD = "proxy-SECRET-77"
BASIC = base64.b64encode(f"me:{PASSWORD}".encode())


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


def read(way: tuple[str, str], base_url: str) -> list[Any]:
    library, mode = way
    options: dict[str, Any] = {"base_url": base_url, "allow_insecure": True, "http_client": library}
    options |= {"max_retries": 0, "timeout": 10}

    async def awaited() -> list[Any]:
        async with clova.AsyncClient(KEY, **options) as client:
            return [event async for event in client.stream("HCX-005", QUESTION)]

    if mode == "async":
        return asyncio.run(awaited())
    with clova.Client(KEY, **options) as client:
        return list(client.stream("HCX-005", QUESTION))


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("way", WAYS)
def test_a_proxy_for_plain_http(way: tuple[str, str], variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with RawHTTPServer([WHOLE]) as proxy:
        monkeypatch.setenv(variable, f"http://me:{PASSWORD}@127.0.0.1:{proxy.port}")
        assert read(way, "http://service.example") == EVENTS
        (request,) = proxy.requests
    assert request.startswith(b"POST http://service.example/v3/chat-completions/HCX-005 HTTP/1.1\r\n")
    assert b"proxy-authorization: basic " + BASIC.lower() in request.lower()


@pytest.mark.parametrize("way", WAYS)
def test_a_proxy_for_https_is_asked_for_a_tunnel(
    way: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gets the password meant for it, and neither the key nor the request. Its refusal is named."""
    with RawHTTPServer([[head("407 Proxy Authentication Required", length=0)]]) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:{PASSWORD}@127.0.0.1:{proxy.port}")
        with pytest.raises(hangang.APIConnectionError, match=r"cannot reach .*ProxyError.* 407") as caught:
            read(way, "https://service.example")
        (request,) = proxy.requests
    assert request.startswith(b"CONNECT service.example:443 HTTP/1.")
    assert b"proxy-authorization: basic " + BASIC.lower() in request.lower()
    assert KEY.encode() not in request
    error: BaseException | None = caught.value
    while error is not None:
        shown = f"{error} {error!r}"
        assert PASSWORD not in shown
        assert BASIC.decode() not in shown
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("way", WAYS)
def test_loopback_and_no_proxy_go_straight(way: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    with RawHTTPServer([WHOLE]) as server, RawHTTPServer([[head("502 Bad", length=0)]]) as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert read(way, server.url) == EVENTS
        monkeypatch.setenv("NO_PROXY", "service.invalid")
        with pytest.raises(hangang.APIConnectionError, match="cannot reach"):
            read(way, "http://service.invalid")
        assert proxy.requests == []


@pytest.mark.parametrize("way", [way for way in WAYS if not way.values[0][0].startswith("httpx")])  # type: ignore[index, union-attr]
def test_a_kind_of_proxy_that_is_not_supported(way: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """In the constructor, without its address and password."""
    monkeypatch.setenv("ALL_PROXY", f"socks5://me:{PASSWORD}@127.0.0.1:1")
    with pytest.raises(ValueError, match="a proxy of the kind socks5") as caught:
        read(way, "https://service.example")
    assert PASSWORD not in str(caught.value)
