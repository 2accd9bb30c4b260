"""The openai SDK as documented, and the same SDK with Hangang as its decoder (docs/en/openai-sdk.md).

    python benches/openai_sdk.py [--rounds 15] [--events 2000]

Both run in one process, in turns, over a transport that holds the answer in memory, one chunk an event. We
compare CPU time without the network.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import httpx2
import openai

import hangang
from hangang.cli.bench.timing import Comparison
from hangang.cli.bench.workloads import WORKLOADS

ASKED: Any = {"model": "m", "messages": [{"role": "user", "content": "q"}], "stream": True}


class Answer(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """A body that arrives in these chunks."""

    def __init__(self, chunks: list[bytes]) -> None:
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._chunks)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk


@contextmanager
def contenders(chunks: list[bytes]) -> Iterator[dict[str, Callable[[], int]]]:
    """Ways to read one answer, each of which returns how much text it read."""

    def answer(request: Any) -> Any:
        headers = {"content-type": "text/event-stream"}
        return httpx2.Response(200, headers=headers, stream=Answer(chunks))

    async def answer_awaited(request: Any) -> Any:
        return answer(request)

    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    sdk = openai.OpenAI(api_key="k", base_url="http://test/v1", http_client=http)
    http_async = httpx2.AsyncClient(transport=httpx2.MockTransport(answer_awaited))
    sdk_async = openai.AsyncOpenAI(api_key="k", base_url="http://test/v1", http_client=http_async)

    def documented() -> int:
        read = 0
        for chunk in sdk.chat.completions.create(**ASKED):
            if chunk.choices:
                read += len(chunk.choices[0].delta.content or "")
        return read

    def decoded() -> int:
        read = 0
        with sdk.chat.completions.with_streaming_response.create(**ASKED) as response:
            for event in hangang.iter_events(response.iter_bytes(), hangang.openai.StreamParser()):
                read += len(event.text)
        return read

    async def documented_awaited() -> int:
        read = 0
        async for chunk in await sdk_async.chat.completions.create(**ASKED):
            if chunk.choices:
                read += len(chunk.choices[0].delta.content or "")
        return read

    async def decoded_awaited() -> int:
        read = 0
        async with sdk_async.chat.completions.with_streaming_response.create(**ASKED) as response:
            events = hangang.aiter_events(response.iter_bytes(), hangang.openai.StreamParser())
            async for event in events:
                read += len(event.text)
        return read

    with asyncio.Runner() as runner, sdk:
        yield {
            "sync, documented": documented,
            "sync, decoded by hangang": decoded,
            "async, documented": lambda: runner.run(documented_awaited()),
            "async, decoded by hangang": lambda: runner.run(decoded_awaited()),
        }
        runner.run(sdk_async.close())


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=15)
    options.add_argument("--events", type=int, default=2000)
    chosen = options.parse_args()
    with contenders(list(WORKLOADS["openai"](chosen.events).frames())) as runs:
        assert len({run() for run in runs.values()}) == 1, "they read different answers"
        compared = Comparison(runs, chosen.events).run(chosen.rounds)
    print(f"openai {version('openai')}, hangang {hangang.__version__} ({hangang.BACKEND})")
    for kind in ("sync", "async"):
        documented, decoded = f"{kind}, documented", f"{kind}, decoded by hangang"
        print(
            f"{kind}: {compared.ratio(documented, decoded):.0f} times the CPU "
            f"({compared.cost(documented) * 1e6:.1f} and {compared.cost(decoded) * 1e6:.1f} µs an event)"
        )


if __name__ == "__main__":
    main()
