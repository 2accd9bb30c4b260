"""The openai SDK with our parser, through `with_streaming_response`; docs/en/openai-sdk.md."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from collections.abc import Iterator
from typing import Any

import pytest
import support
from transports import KEY

sdk = pytest.importorskip("openai", reason="the openai SDK is not installed (extra dev)")
pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

import hangang  # noqa: E402 - after the skips
from hangang.emulator import run_in_thread  # noqa: E402

QUESTION: Any = [{"role": "user", "content": "한강의 길이는?"}]
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "weather of a place",
        "parameters": {"type": "object", "properties": {"location": {"type": "string"}}},
    },
}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with run_in_thread(fragments="random") as emulator:
        yield f"{emulator.url}/v1/openai"


def read(url: str, how: str, *, max_retries: int = 0, **asked: Any) -> list[Any]:
    """The events of an answer."""
    asked = {"model": "HCX-005", "messages": QUESTION, "stream": True, **asked}
    parser = hangang.openai.StreamParser()
    if how == "blocking":
        with (
            sdk.OpenAI(base_url=url, api_key=KEY, max_retries=max_retries) as client,
            client.chat.completions.with_streaming_response.create(**asked) as response,
        ):
            return list(hangang.iter_events(response.iter_bytes(), parser))

    async def awaited() -> list[Any]:
        async with (
            sdk.AsyncOpenAI(base_url=url, api_key=KEY, max_retries=max_retries) as client,
            client.chat.completions.with_streaming_response.create(**asked) as response,
        ):
            return [event async for event in hangang.aiter_events(response.iter_bytes(), parser)]

    return asyncio.run(awaited())


@pytest.fixture(params=["blocking", "awaited"])
def how(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def control(**values: Any) -> dict[str, str]:
    return {f"x-hangang-{name.replace('_', '-')}": str(value) for name, value in values.items()}


@pytest.mark.parametrize("model", ["HCX-005", "HCX-007"])
def test_the_answer_is_the_sdks(url: str, how: str, model: str) -> None:
    text = thinking = ""
    with sdk.OpenAI(base_url=url, api_key=KEY) as client:
        for chunk in client.chat.completions.create(model=model, messages=QUESTION, stream=True):
            if chunk.choices:
                text += chunk.choices[0].delta.content or ""
                thinking += getattr(chunk.choices[0].delta, "reasoning_content", None) or ""
    events = read(url, how, model=model)
    completion = hangang.Completion.of(events)
    assert (completion.text, completion.thinking) == (text, thinking)
    assert text
    assert bool(thinking) == (model == "HCX-007")
    assert isinstance(events[-1], hangang.openai.Done)


def test_tool_calls(url: str, how: str) -> None:
    asked: dict[str, Any] = {"tools": [WEATHER], "max_tokens": 1024}
    completion = hangang.Completion.of(read(url, how, **asked))
    (call,) = completion.tool_calls
    assert (call.name, type(call.args)) == ("get_weather", dict)
    following = [*QUESTION, completion.to_message(), completion.tool_message(call, "맑음")]
    assert hangang.Completion.of(read(url, how, messages=following, **asked)).text


def test_every_payload_is_an_object_of_the_sdk(url: str, how: str) -> None:
    from openai.types.chat import ChatCompletionChunk

    chunks = [event for event in read(url, how) if isinstance(event, hangang.openai.Chunk)]
    assert chunks
    for event in chunks:
        made = ChatCompletionChunk.model_validate(event.json())
        assert (made.id, made.model) == (event.id, event.model)


def test_retries_and_errors_stay_the_sdks(url: str, how: str) -> None:
    with pytest.raises(sdk.AuthenticationError):
        read(url, how, extra_headers=control(status=401))
    failing = control(status=503, times=1, tag=f"sdk-{how}", retry_after="0.001")
    with pytest.raises(sdk.InternalServerError):
        read(url, how, extra_headers=failing)
    failing = control(status=503, times=1, tag=f"sdk-again-{how}", retry_after="0.001")
    assert isinstance(read(url, how, max_retries=1, extra_headers=failing)[-1], hangang.openai.Done)


def test_what_the_sdk_takes_for_an_end_is_a_truncation(url: str, how: str) -> None:
    cut = control(truncate="3e", fragments="event")
    with sdk.OpenAI(base_url=url, api_key=KEY) as client:
        asked: Any = {"model": "HCX-005", "messages": QUESTION, "stream": True, "extra_headers": cut}
        assert len(list(client.chat.completions.create(**asked))) == 3
    with pytest.raises(hangang.TruncatedStreamError) as raised:
        read(url, how, extra_headers=cut)
    assert raised.value.completion.dialect == "openai"


def test_an_error_event(url: str, how: str) -> None:
    completion = hangang.Completion.of(read(url, how, extra_headers=control(error="2,50000")))
    assert completion.failed
    assert completion.error is not None
    assert json.dumps(completion.to_dict())


def test_the_measured_ways_read_the_same() -> None:
    """benches/openai_sdk.py, whose figures are in the page."""
    path = support.REPO / "benches" / "openai_sdk.py"
    spec = importlib.util.spec_from_file_location("bench_openai_sdk", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    frames = [b'data: {"choices":[{"index":0,"delta":{"content":"ab"}}]}\n\n'] * 3 + [b"data: [DONE]\n\n"]
    with module.contenders(frames) as runs:
        assert {name: run() for name, run in runs.items()} == dict.fromkeys(runs, 6)
        assert len(runs) == 4
