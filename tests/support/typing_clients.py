"""User code over the clients, for the type checkers: it is checked and never run (test_typing.py)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any, assert_never, assert_type

import hangang
from hangang import a2a, clova, exaone, gov, openai
from hangang.streams import JSONValue


def clova_events(client: clova.Client) -> str:
    with client.stream("HCX-007", "질문", thinking="low", record=Path("x"), timeout=3) as stream:
        assert_type(stream, clova.Stream[clova.Event])
        for event in stream:
            match event:
                case clova.Token(text=text):
                    assert_type(text, str)
                case clova.Result():
                    assert_type(event.content, str)
                case clova.Signal():
                    assert_type(event.data, str)
                case clova.Error():
                    assert_type(event.code, str | None)
                case clova.Unknown():
                    assert_type(event.event, str)
                case hangang.Malformed():
                    assert_type(event.raw, bytes)
                case _:
                    assert_never(event)
        assert_type(next(stream), clova.Event)
        assert_type(stream.text_stream, Iterator[str])
        assert_type(stream.batches(), Iterator[list[clova.Event]])
        assert_type(stream.completion, hangang.Completion)
        assert_type(stream.metrics, clova.Metrics)
        assert_type(stream.rate_limit, clova.RateLimit)
        assert_type(stream.rate_limit.remaining_requests, int | None)
        assert_type(stream.request_id, str | None)
        assert_type(stream.headers, Mapping[str, str])
        assert_type(stream.open(), clova.Stream[clova.Event])
    with client.openai.stream("HCX-007", [{"role": "user", "content": "질문"}]) as compatible:
        assert_type(compatible, clova.Stream[openai.Event])
    assert_type(client.with_options(timeout=5), clova.Client)
    assert_type(client.embedding("x"), clova.Response)
    return client.chat("HCX-007", [{"role": "user", "content": "x"}, hangang.Completion()]).text


async def clova_events_awaited(client: clova.AsyncClient) -> str:
    async with client.stream("HCX-007", "질문") as stream:
        assert_type(stream, clova.AsyncStream[clova.Event])
        async for event in stream:
            if isinstance(event, clova.Token):
                assert_type(event.thinking, str)
        assert_type(stream.batches(), AsyncIterator[list[clova.Event]])
        async for text in stream.text_stream:
            assert_type(text, str)
        assert_type(await stream.read(), hangang.Completion)
    assert_type(await client.embedding("x"), clova.Response)
    return (await client.chat("HCX-007", "x")).text


def exaone_events(client: exaone.Client) -> None:
    for event in client.stream("질문", model="32b", max_retries=0):
        match event:
            case exaone.Answer():
                assert_type(event.query, str)
            case exaone.Error() | exaone.Unknown() | hangang.Malformed():
                pass
            case _:
                assert_never(event)
    assert_type(client.chat("x"), hangang.Completion)
    assert_type(client.files.status(["a"]), exaone.Response)
    assert_type(client.request("GET", "/v1/x"), exaone.Response)
    assert_type(client.request("GET", "/v1/x", stream=True), exaone.Stream[exaone.Event])


async def exaone_awaited(client: exaone.AsyncClient) -> None:
    assert_type(await client.chat("x"), hangang.Completion)
    assert_type(await client.files.list(), exaone.Response)
    assert_type(await client.request("GET", "/v1/x"), exaone.Response)
    assert_type(client.request("GET", "/v1/x", stream=True), exaone.AsyncStream[exaone.Event])


def gov_events(client: gov.Client) -> None:
    for event in client.stream("HCX-GOV", "질문", reasoning_effort="low"):
        assert_type(event, gov.Event)
        assert_type(event, openai.Event)
    for update in client.agents.stream(1, "질문"):
        assert_type(update, a2a.Event)
    assert_type(client.agents.send(1, "질문"), hangang.Completion)
    assert_type(client.rag.search("x"), gov.Response)
    assert_type(client.tools.speech("x"), gov.Response)
    assert_type(client.models(), gov.Response)


async def gov_awaited(client: gov.AsyncClient) -> None:
    async for update in client.agents.stream(1, "질문"):
        assert_type(update, a2a.Event)
    assert_type(await client.agents.send(1, "질문"), hangang.Completion)
    assert_type(await client.rag.search("x"), gov.Response)


def openai_events(client: openai.Client) -> None:
    with client.stream("m", "x", thinking_tags=("<think>", "</think>"), thinking_first=True) as stream:
        for event in stream:
            match event:
                case openai.Chunk():
                    assert_type(event.finish_reason, str | None)
                case openai.Done() | openai.Error() | openai.Unknown() | hangang.Malformed():
                    pass
                case _:
                    assert_never(event)
    assert_type(client.embeddings(["x"], model="m"), openai.Response)


def options() -> None:
    """Option types are public: a caller builds them in one place and passes them on."""
    connection: clova.ConnectionOptions = {"timeout": 3, "max_retry_wait": 5, "http_client": "httpx"}
    call: clova.CallOptions = {"total_timeout": 3, "extra_query": {"a": 1}}
    chat: clova.ChatOptions = {"thinking": False, "stop": ["끝"]}
    query: exaone.QueryOptions = {"temperature": 0.5, "total_timeout": 3}
    compatible: openai.ChatOptions = {"top_p": 0.5, "record": "capture.sse"}
    agent: gov.AgentOptions = {"profile": "v1", "extra_headers": {}}
    clova.Client("key", **connection).chat("HCX-005", "x", **chat)
    clova.Client("key", **connection).embedding("x", **call)
    exaone.Client("key", **connection).chat("x", **query)
    openai.Client("key", **connection).chat("m", "x", **compatible)
    gov.Client("key", **connection).agents.send(1, "x", **agent)


def caught(error: hangang.HangangError) -> None:
    if isinstance(error, hangang.InterruptedStreamError | hangang.StalledStreamError):
        assert_type(error.offset, int)
        assert_type(error.status, int | None)
    if isinstance(error, hangang.ParseError):
        assert_type(error.events, list[object])
        if error.completion is not None:
            assert_type(error.completion.text, str)
        if isinstance(error.completion, hangang.Completion):
            assert_type(error.completion.usage, hangang.Usage | None)
    if isinstance(error, hangang.APIError):
        assert_type(error.body, str | None)


def answered(response: clova.Response) -> None:
    assert_type(response.data, JSONValue)
    assert_type(response["embedding"], Any)
    if isinstance(response.data, dict):
        members: dict[str, JSONValue] = response.data  # mypy and pyright spell a recursive alias differently
        assert "" not in members
