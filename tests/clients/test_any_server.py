"""`hangang.openai` against a server that runs already: HANGANG_TRY_SERVER="URL MODEL KEY", in `make test-long`.

With LiteLLM's proxy, for example: a model with `mock_response`, `litellm --config config.yaml --port 4000`, and
HANGANG_TRY_SERVER="http://127.0.0.1:4000/v1 fake sk-..."
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest
from transports import WAYS

import hangang
from hangang import openai

SERVER = os.environ.get("HANGANG_TRY_SERVER", "").split()

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(len(SERVER) != 3, reason='HANGANG_TRY_SERVER="URL MODEL KEY" names no server'),
]


@pytest.mark.parametrize("way", WAYS)
def test_chat_stream_and_errors(way: tuple[str, str]) -> None:
    url, model, key = SERVER
    library, mode = way
    options: dict[str, Any] = {"base_url": url, "http_client": library, "timeout": 60}

    async def awaited() -> tuple[Any, Any, list[Any], Any]:
        async with openai.AsyncClient(key, **options) as client:
            answer = await client.chat(model, "hello")
            async with client.stream(model, "hello") as stream:
                events = [event async for event in stream]
            with pytest.raises(hangang.APIError) as caught:
                await client.chat(model, "hello", extra_body={"messages": "none"})
        return answer, stream, events, caught.value

    if mode == "async":
        answer, stream, events, error = asyncio.run(awaited())
    else:
        with openai.Client(key, **options) as client:
            answer = client.chat(model, "hello")
            with client.stream(model, "hello") as stream:
                events = list(stream)
            with pytest.raises(hangang.APIError) as caught:
                client.chat(model, "hello", extra_body={"messages": "none"})
            error = caught.value
    assert answer.text
    assert answer.finish_reason is not None
    assert stream.completion.text == "".join(event.text for event in events) != ""
    assert stream.completion.finish_reason is not None
    assert not [event for event in events if isinstance(event, (openai.Unknown, hangang.Malformed))]
    assert error.status in range(400, 600)
    assert key not in str(error)
