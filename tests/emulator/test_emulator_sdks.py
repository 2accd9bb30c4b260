"""Clients that others wrote take the emulator for the real thing: the openai SDK, and a2a-sdk's client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from emulated import QUESTION
from transports import KEY

from hangang.emulator import run_in_thread

openai_sdk = pytest.importorskip("openai", reason="the openai SDK is not installed (extra dev)")
a2a_client = pytest.importorskip("a2a.client", reason="a2a-sdk is not installed (extra dev)")

SERVICES = {
    "gov": ("/v1", KEY, "HCX-GOV-THINK"),
    "gov-gateway": ("/api/v1", KEY, "HCX-GOV"),
    "clova": ("/v1/openai", KEY, "HCX-007"),
    "clova-old": ("/testapp/v1/openai", KEY, "HCX-DASH-002"),
}
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"location": {"type": "string"}}},
    },
}


@pytest.fixture(scope="module", params=["random", "utf8"])
def emulator(request: pytest.FixtureRequest) -> Iterator[Any]:
    with run_in_thread(fragments=request.param) as running:
        yield running
        assert running.wait_idle()


# openai, sync


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> tuple[str, str, str]:
    return SERVICES[request.param]


def test_openai_sync(emulator: Any, service: tuple[str, str, str]) -> None:
    base, key, model = service
    with openai_sdk.OpenAI(base_url=emulator.url + base, api_key=key) as client:
        whole = client.chat.completions.create(model=model, messages=QUESTION)
        message = whole.choices[0].message
        assert message.role == "assistant"
        assert whole.choices[0].finish_reason == "stop"
        assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens
        text = thinking = ""
        reasons = []
        with client.chat.completions.create(model=model, messages=QUESTION, stream=True) as stream:
            for chunk in stream:
                assert chunk.object == "chat.completion.chunk"
                for choice in chunk.choices:
                    text += choice.delta.content or ""
                    thinking += getattr(choice.delta, "reasoning_content", None) or ""
                    reasons.append(choice.finish_reason)
        assert text == message.content != ""
        assert thinking == (getattr(message, "reasoning_content", None) or "")
        assert bool(thinking) == (model in ("HCX-007", "HCX-GOV-THINK"))
        assert [reason for reason in reasons if reason] == ["stop"]


def test_openai_async(emulator: Any, service: tuple[str, str, str]) -> None:
    base, key, model = service

    async def go() -> None:
        async with openai_sdk.AsyncOpenAI(base_url=emulator.url + base, api_key=key) as client:
            whole = await client.chat.completions.create(model=model, messages=QUESTION)
            text = ""
            stream = await client.chat.completions.create(model=model, messages=QUESTION, stream=True)
            async for chunk in stream:
                text += "".join(choice.delta.content or "" for choice in chunk.choices)
            assert text == whole.choices[0].message.content

    asyncio.run(go())


def test_openai_helpers_collect_tool_calls(emulator: Any) -> None:
    for base, key, model in (SERVICES["gov-gateway"], SERVICES["clova-old"]):
        with openai_sdk.OpenAI(base_url=emulator.url + base, api_key=key) as client:
            asked = {"model": model, "messages": QUESTION, "tools": [WEATHER]}
            whole = client.chat.completions.create(**asked)
            (made,) = whole.choices[0].message.tool_calls
            with client.chat.completions.stream(**asked) as stream:
                for _ in stream:
                    pass
                final = stream.get_final_completion()
            (streamed,) = final.choices[0].message.tool_calls
            assert json.loads(streamed.function.arguments) == json.loads(made.function.arguments)
            assert (streamed.id, final.choices[0].finish_reason) == (made.id, "tool_calls")


def test_openai_usage_of_a_stream(emulator: Any) -> None:
    with openai_sdk.OpenAI(base_url=emulator.url + "/v1", api_key="k") as client:
        stream = client.chat.completions.create(
            model="HCX-GOV-THINK", messages=QUESTION, stream=True, stream_options={"include_usage": True}
        )
        *_, last = stream
        assert last.choices == []
        assert last.usage.completion_tokens_details.reasoning_tokens > 0


def test_openai_embeddings_and_models(emulator: Any) -> None:
    with openai_sdk.OpenAI(base_url=emulator.url + "/v1/openai", api_key=KEY) as client:
        made = client.embeddings.create(model="bge-m3", input=["한강", "서울"], encoding_format="float")
        assert [len(found.embedding) for found in made.data] == [1024, 1024]
        assert "HCX-007" in [model.id for model in client.models.list()]
        structured = client.chat.completions.create(
            model="HCX-005",
            messages=QUESTION,
            response_format={
                "type": "json_schema",
                "json_schema": {
                    "name": "river",
                    "schema": {"type": "object", "properties": {"length": {"type": "integer"}}},
                },
            },
        )
        assert isinstance(json.loads(structured.choices[0].message.content)["length"], int)


def test_openai_errors(emulator: Any, service: tuple[str, str, str]) -> None:
    base, key, model = service
    root = emulator.url + base
    with (
        openai_sdk.OpenAI(base_url=root, api_key=key + "-wrong", max_retries=0) as client,
        pytest.raises(openai_sdk.AuthenticationError),
    ):
        client.chat.completions.create(model=model, messages=QUESTION)
    with openai_sdk.OpenAI(base_url=root, api_key=key, max_retries=0) as client:
        with pytest.raises((openai_sdk.BadRequestError, openai_sdk.NotFoundError)):
            client.chat.completions.create(model="gpt-9", messages=QUESTION)
        headers = {"x-hangang-error": "3"}
        stream = client.chat.completions.create(
            model=model, messages=QUESTION, stream=True, extra_headers=headers
        )
        with pytest.raises(openai_sdk.APIError):
            list(stream)
        limited = {"x-hangang-status": "429"}
        with pytest.raises(openai_sdk.RateLimitError):
            client.chat.completions.create(model=model, messages=QUESTION, extra_headers=limited)


def test_openai_retries(emulator: Any) -> None:
    headers = {
        "x-hangang-status": "503",
        "x-hangang-times": "2",
        "x-hangang-tag": f"openai-{emulator.port}",
        "x-hangang-retry-after": "0.01",
    }
    with openai_sdk.OpenAI(base_url=emulator.url + "/v1", api_key="k", max_retries=2) as client:
        whole = client.chat.completions.create(model="HCX-GOV", messages=QUESTION, extra_headers=headers)
        assert whole.choices[0].message.content


# a2a-sdk


PROTOCOLS = {
    "1.0": ("1.0", "/a2a"),
    "0.3": ("0.3", "/a2a"),
    "0.3 on Gov": ("0.3", "/api/v1/teams/1/agent/2/a2a"),
}


def card_of(url: str, version: str) -> Any:
    from a2a.types import a2a_pb2 as pb

    return pb.AgentCard(
        name="agent",
        description="agent",
        version="1",
        capabilities=pb.AgentCapabilities(streaming=True),
        default_input_modes=["text/plain"],
        default_output_modes=["text/plain"],
        supported_interfaces=[
            pb.AgentInterface(url=url, protocol_binding="JSONRPC", protocol_version=version)
        ],
    )


def request_of(text: str) -> Any:
    from a2a.types import a2a_pb2 as pb

    message = pb.Message(role=pb.ROLE_USER, message_id="m-1", parts=[pb.Part(text=text)])
    return pb.SendMessageRequest(message=message)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("streaming", [True, False])
def test_a2a_client(emulator: Any, protocol: str, streaming: bool) -> None:
    from a2a.types import a2a_pb2 as pb

    version, path = PROTOCOLS[protocol]

    async def go() -> None:
        async with httpx.AsyncClient(headers={"authorization": f"Bearer {KEY}"}, timeout=10) as http:
            config = a2a_client.ClientConfig(streaming=streaming, httpx_client=http)
            client = a2a_client.ClientFactory(config).create(card_of(emulator.url + path, version))
            text, states, ident = "", [], ""
            async for event in client.send_message(request_of("한강은?")):
                kind = event.WhichOneof("payload")
                if kind == "artifact_update":
                    text += "".join(part.text for part in event.artifact_update.artifact.parts)
                elif kind == "status_update":
                    states.append(event.status_update.status.state)
                elif kind == "task":
                    ident = event.task.id
                    states.append(event.task.status.state)
            task = await client.get_task(pb.GetTaskRequest(id=ident))
            whole = "".join(part.text for part in task.artifacts[0].parts)
            assert whole
            if streaming:
                assert text == whole
                assert states[0] == pb.TASK_STATE_SUBMITTED
            assert states[-1] == pb.TASK_STATE_COMPLETED == task.status.state
            direct = [event async for event in client.send_message(request_of("message: x"))]
            assert [event.WhichOneof("payload") for event in direct] == ["message"]
            for wrong in ("errfirst", "crash"):
                with pytest.raises(Exception, match=r"boom|crash"):
                    async for _ in client.send_message(request_of(wrong)):
                        pass
            with pytest.raises(Exception, match="not found"):
                await client.get_task(pb.GetTaskRequest(id="nothing"))
            with pytest.raises(Exception, match="cannot be canceled"):
                await client.cancel_task(pb.CancelTaskRequest(id=ident))

    asyncio.run(go())


def test_a2a_client_reads_the_card(emulator: Any) -> None:
    async def go() -> None:
        async with httpx.AsyncClient(timeout=10) as http:
            card = await a2a_client.A2ACardResolver(http, emulator.url).get_agent_card()
            assert card.name == "한강"
            client = a2a_client.ClientFactory(a2a_client.ClientConfig(httpx_client=http)).create(card)
            kinds = [event.WhichOneof("payload") async for event in client.send_message(request_of("안녕"))]
            assert kinds[0] == "task"
            assert kinds[-1] == "status_update"

    asyncio.run(go())
