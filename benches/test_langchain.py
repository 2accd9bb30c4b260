"""LangChain models, from a socket on loopback to the chunks of `stream`: CPU time of the client.

`ChatClovaX` (langchain-naver) and `ChatOpenAI` (langchain-openai) read the OpenAI-compatible format, as does
our `ChatOpenAICompatible`; `ChatClova` reads CLOVA's own. All go through LangChain's `BaseChatModel.stream`.
Ours run on urllib3 and aiohttp, which is their default, and on httpx, as the peers do. "httpx" reads the
body and decodes nothing; "httpx, LangChain" is a model that yields one prepared chunk for each piece: none on
httpx can cost less.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any

import httpx
import pytest
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk

from hangang import langchain
from hangang.cli.bench.clients import MODEL, Mode, Server, raw, raw_async
from hangang.cli.bench.timing import Comparison

EVENTS = 500
KEY = "key-of-the-benchmark"
QUESTION = "한강의 길이는?"


def consume(model: Any) -> str:
    text = ""
    for chunk in model.stream(QUESTION):
        text = chunk.content
    return text


async def consume_async(model: Any) -> str:
    text = ""
    async for chunk in model.astream(QUESTION):
        text = chunk.content
    return text


class Floor(BaseChatModel):
    """A model that decodes nothing."""

    url: str
    http: Any
    http_async: Any

    @property
    def _llm_type(self) -> str:
        return "floor"

    def _generate(self, *arguments: Any, **options: Any) -> Any:
        raise NotImplementedError

    def _stream(self, *arguments: Any, **options: Any) -> Iterator[ChatGenerationChunk]:
        chunk = ChatGenerationChunk(message=AIMessageChunk(content="강"))
        with self.http.stream("POST", f"{self.url}/chat/completions", json={}) as response:
            for _ in response.iter_raw():
                yield chunk

    async def _astream(self, *arguments: Any, **options: Any) -> AsyncIterator[ChatGenerationChunk]:
        chunk = ChatGenerationChunk(message=AIMessageChunk(content="강"))
        async with self.http_async.stream("POST", f"{self.url}/chat/completions", json={}) as response:
            async for _ in response.aiter_raw():
                yield chunk


@contextlib.contextmanager
def models(native: Server, compatible: Server, mode: Mode) -> Iterator[dict[str, Any]]:
    """What to run, by name; ", astream" ends the names of what is awaited."""
    base = f"{compatible.url}/{mode}/v1"
    clova = {"model": MODEL, "api_key": KEY, "base_url": native.url, "prefix": f"/{mode}"}
    theirs: dict[str, Any] = {}
    with contextlib.suppress(ImportError):
        from langchain_naver import ChatClovaX

        theirs["langchain-naver"] = ChatClovaX(model=MODEL, api_key=KEY, base_url=base)
    with contextlib.suppress(ImportError):
        from langchain_openai import ChatOpenAI

        theirs["ChatOpenAI"] = ChatOpenAI(model=MODEL, api_key=KEY, base_url=base)
    ours: dict[str, Any] = {}
    for name, fields in (("", {}), (", httpx", {"http_client": "httpx", "http_async_client": "httpx"})):
        ours[f"ChatClova{name}"] = langchain.ChatClova(**clova, **fields)
        ours[f"ChatOpenAICompatible{name}"] = langchain.ChatOpenAICompatible(
            model=MODEL, api_key=KEY, base_url=base, **fields
        )
    with contextlib.ExitStack() as stack:
        loop = asyncio.new_event_loop()
        stack.callback(loop.close)
        http = stack.enter_context(httpx.Client(trust_env=False))
        http_async = httpx.AsyncClient(trust_env=False)
        stack.callback(lambda: loop.run_until_complete(http_async.aclose()))
        runs: dict[str, Any] = {
            "httpx": partial(raw, http, base),
            "httpx, astream": lambda: loop.run_until_complete(raw_async(http_async, base)),
        }
        floor = Floor(url=base, http=http, http_async=http_async)
        for name, model in {"httpx, LangChain": floor, **ours, **theirs}.items():
            runs[name] = partial(consume, model)
            runs[f"{name}, astream"] = lambda model=model: loop.run_until_complete(consume_async(model))
        for model in ours.values():
            stack.callback(model.close)
            stack.callback(lambda model=model: loop.run_until_complete(model.aclose()))
        for model in theirs.values():
            stack.callback(model.root_client.close)
            stack.callback(lambda model=model: loop.run_until_complete(model.root_async_client.close()))
        yield runs


@pytest.mark.parametrize("mode", ["events", "tokens"])
def test_langchain(mode: Mode, measure: Any, record: Any) -> None:
    with (
        Server("clova_v3", EVENTS) as native,
        Server("openai", EVENTS) as compatible,
        models(native, compatible, mode) as runs,
    ):
        done = measure(Comparison(runs, EVENTS, sample=0.0), 15, "ChatClova")
    for peer in ("langchain-naver", "ChatOpenAI"):
        for kind in ("", ", astream"):
            for ours in ("ChatClova", "ChatOpenAICompatible", "ChatClova, httpx", "httpx, LangChain"):
                if peer + kind in runs:
                    ratio = done.ratio(peer + kind, ours + kind)
                    record("langchain", f"{mode}{kind}, {peer} / {ours}", ratio)
