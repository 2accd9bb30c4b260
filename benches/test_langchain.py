"""LangChain models, from a socket on loopback to the chunks of `stream`: CPU time of the client.

`ChatClovaX` (langchain-naver) and `ChatOpenAI` (langchain-openai) read the OpenAI-compatible format, as does
our `ChatOpenAICompatible`; `ChatClova` reads CLOVA's own. All go through LangChain's `BaseChatModel.stream`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from hangang.cli.bench.clients import MODEL, Mode, Server
from hangang.cli.bench.timing import Comparison

langchain = pytest.importorskip("hangang.langchain")

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


@contextlib.contextmanager
def models(native: Server, compatible: Server, mode: Mode) -> Iterator[dict[str, Any]]:
    base = f"{compatible.url}/{mode}/v1"
    ours = {
        "ChatClova": langchain.ChatClova(model=MODEL, api_key=KEY, base_url=native.url, prefix=f"/{mode}"),
        "ChatOpenAICompatible": langchain.ChatOpenAICompatible(model=MODEL, api_key=KEY, base_url=base),
    }
    theirs: dict[str, Any] = {}
    with contextlib.suppress(ImportError):
        from langchain_naver import ChatClovaX

        theirs["langchain-naver"] = ChatClovaX(model=MODEL, api_key=KEY, base_url=base)
    with contextlib.suppress(ImportError):
        from langchain_openai import ChatOpenAI

        theirs["ChatOpenAI"] = ChatOpenAI(model=MODEL, api_key=KEY, base_url=base)
    loop = asyncio.new_event_loop()
    runs: dict[str, Any] = {name: partial(consume, model) for name, model in {**ours, **theirs}.items()}
    for name, model in {**ours, **theirs}.items():
        runs[f"{name}, astream"] = lambda model=model: loop.run_until_complete(consume_async(model))
    yield runs
    for model in theirs.values():
        loop.run_until_complete(model.root_async_client.close())
        model.root_client.close()
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
    for model in ours.values():
        model.close()


@pytest.mark.parametrize("mode", ["events", "tokens"])
def test_langchain(mode: Mode, measure: Any, record: Any) -> None:
    with (
        Server("clova_v3", EVENTS) as native,
        Server("openai", EVENTS) as compatible,
        models(native, compatible, mode) as runs,
    ):
        done = measure(Comparison(runs, EVENTS, sample=0.0), 9, "ChatClova")
    for peer in ("langchain-naver", "ChatOpenAI"):
        for kind in ("", ", astream"):
            for ours in ("ChatClova", "ChatOpenAICompatible"):
                if peer + kind in runs:
                    ratio = done.ratio(peer + kind, ours + kind)
                    record("langchain", f"{mode}{kind}, {peer} / {ours}", ratio)
