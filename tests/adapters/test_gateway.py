"""examples/gateway.py, as its users meet it: the openai SDK on one side, the emulated services on the other."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import support
from transports import KEY

openai_sdk = pytest.importorskip("openai", reason="the openai SDK is not installed (extra dev)")
pytest.importorskip("fastapi", reason="FastAPI is not installed (extra dev)")
uvicorn = pytest.importorskip("uvicorn")

from hangang.emulator import run_in_thread  # noqa: E402

QUESTION: list[Any] = [{"role": "user", "content": "한강의 길이는?"}]
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "weather of a place",
        "parameters": {"type": "object", "properties": {"location": {"type": "string"}}},
    },
}
GATEWAY = support.REPO / "examples" / "gateway.py"


@contextmanager
def gateway(emulator_url: str) -> Iterator[str]:
    """The example, served by uvicorn; yields its address."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("EXAONE", "CLOVA_STUDIO"):
            patch.setenv(f"{name}_API_KEY", KEY)
            patch.setenv(f"{name}_BASE_URL", emulator_url)
        spec = importlib.util.spec_from_file_location("gateway_example", GATEWAY)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        listening = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(module.app, log_level="warning", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        finally:
            server.should_exit = True
            thread.join(10)


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with (
        run_in_thread(fragments="random") as emulator,
        gateway(emulator.url) as url,
        openai_sdk.OpenAI(base_url=url, api_key="-", max_retries=0) as sdk,
    ):
        yield sdk


def test_it_is_short() -> None:
    assert len(GATEWAY.read_text(encoding="utf-8").splitlines()) < 60


@pytest.mark.parametrize("model", ["exaone", "HCX-007", "HCX-005", "HCX-DASH-002", "HCX-003"])
def test_streams_and_whole_answers(client: Any, model: str) -> None:
    asked: Any = {"model": model, "messages": QUESTION}
    whole = client.chat.completions.create(**asked)
    text = thinking = ""
    reasons, usage = [], None
    options = {"include_usage": True}
    for chunk in client.chat.completions.create(**asked, stream=True, stream_options=options):
        assert (chunk.object, chunk.model) == ("chat.completion.chunk", model)
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            thinking += getattr(choice.delta, "reasoning_content", None) or ""
            reasons += [choice.finish_reason] if choice.finish_reason else []
    message = whole.choices[0].message
    assert text == message.content != ""
    assert thinking == (getattr(message, "reasoning_content", None) or "")
    assert bool(thinking) == (model == "HCX-007")
    assert reasons == ["stop"] == [whole.choices[0].finish_reason]
    assert (usage is None) == (model == "exaone")
    if usage is not None:
        assert usage == whole.usage


@pytest.mark.parametrize("model", ["HCX-005", "HCX-007"])
def test_tools_over_two_turns(client: Any, model: str) -> None:
    asked: Any = {"model": model, "tools": [WEATHER]}
    whole = client.chat.completions.create(messages=QUESTION, **asked)
    (made,) = whole.choices[0].message.tool_calls
    with client.chat.completions.stream(messages=QUESTION, **asked) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    (streamed,) = final.choices[0].message.tool_calls
    assert "tool_calls.function.arguments.done" in kinds
    assert (streamed.function.name, final.choices[0].finish_reason) == ("get_weather", "tool_calls")
    assert json.loads(streamed.function.arguments) == json.loads(made.function.arguments)
    turn = [
        *QUESTION,
        whole.choices[0].message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": made.id, "content": "맑음, 21도"},
    ]
    answer = client.chat.completions.create(messages=turn, **asked)
    assert answer.choices[0].message.content
    assert answer.choices[0].message.tool_calls is None


def test_exaone_over_two_turns(client: Any) -> None:
    first = client.chat.completions.create(model="exaone", messages=QUESTION)
    turn = [
        *QUESTION,
        {"role": "assistant", "content": first.choices[0].message.content},
        {"role": "user", "content": "그럼 낙동강은?"},
    ]
    assert client.chat.completions.create(model="exaone", messages=turn).choices[0].message.content


def test_async_sdk(client: Any) -> None:
    async def go() -> str:
        async with openai_sdk.AsyncOpenAI(base_url=client.base_url, api_key="-") as sdk:
            stream = await sdk.chat.completions.create(model="HCX-007", messages=QUESTION, stream=True)
            return "".join([c.delta.content or "" async for chunk in stream for c in chunk.choices])

    assert asyncio.run(go())


@pytest.mark.parametrize("stream", [False, True])
def test_errors_before_the_answer_keep_their_status(client: Any, stream: bool) -> None:
    with pytest.raises(openai_sdk.APIStatusError) as caught:
        client.chat.completions.create(model="no-such-model", messages=QUESTION, stream=stream)
    assert caught.value.status_code in (400, 404)
    assert caught.value.body["message"]


def test_errors_inside_the_answer_reach_the_client() -> None:
    with (
        run_in_thread(error="3") as emulator,
        gateway(emulator.url) as url,
        openai_sdk.OpenAI(base_url=url, api_key="-", max_retries=0) as sdk,
    ):
        for model in ("HCX-005", "exaone"):
            text = ""
            with pytest.raises(openai_sdk.APIError) as caught:
                for chunk in sdk.chat.completions.create(model=model, messages=QUESTION, stream=True):
                    text += chunk.choices[0].delta.content or ""
                    assert chunk.choices[0].finish_reason is None
            assert str(caught.value)
