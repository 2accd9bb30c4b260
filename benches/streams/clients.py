"""The contenders: each reads live streams with one library and calls `seen(text)` for each event.

Run as a program, it is one contender in a process of its own and prints what it measured as JSON. Every
contender reads the same bytes in OpenAI's format, which all of them understand, and the text of each event.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import resource
import ssl
import statistics
import threading
import time
from array import array
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

MESSAGES = [{"role": "user", "content": "한강은 얼마나 길어?"}]
BODY = {"model": "HCX-005", "messages": MESSAGES, "stream": True}

#: The part of a stream that is measured: events 25 to 375 of 400, when all are open and none has ended.
STEADY = (25, 375)
#: The part whose lateness says whether a client keeps up: until then it has caught up with what it missed
#: while it opened its streams, if it can.
LATER = (200, 375)


class Meter:
    """Counts the events of all streams; reads clocks where the steady part begins and ends."""

    def __init__(self, streams: int, events: int) -> None:
        scale = events / 400
        self._first, self._last = (int(edge * scale) * streams for edge in STEADY)
        self._later = int(LATER[0] * scale) * streams
        self.count = 0
        self.cpu = [0.0, 0.0]
        self.wall = [0.0, 0.0]
        self.later = 0.0
        self.resident = 0
        self.late = array("q")
        self.late_first = array("q")  # of each stream's first event

    def of_stream(self) -> Callable[[str], None]:
        """`seen` for the events of one stream."""
        is_first = True

        def seen(text: str) -> None:
            nonlocal is_first
            if is_first and text:
                is_first = False
                self.late_first.append(time.monotonic_ns() - int(text[4:]))
            self.seen(text)

        return seen

    def seen(self, text: str) -> None:
        """An event was read. Every contender pays for this alike, some 0.3 µs."""
        if not text:
            return
        self.count += 1
        self.late.append(time.monotonic_ns() - int(text[4:]))
        if self.count == self._first:
            self.resident = resident()  # all streams are open
            self.cpu[0], self.wall[0] = time.process_time(), time.perf_counter()
        elif self.count == self._later:
            self.later = time.perf_counter()
        elif self.count == self._last:
            self.cpu[1], self.wall[1] = time.process_time(), time.perf_counter()

    @property
    def measured(self) -> int:
        return self._last - self._first

    def keeps_up(self) -> tuple[float, float]:
        """Events a second and the 99th percentile of lateness (ms), in the `LATER` part."""
        late = sorted(self.late[self._later : self._last])
        return len(late) / (self.wall[1] - self.later), late[len(late) * 99 // 100] / 1e6


def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


# --- asynchronous contenders: a context that yields a function which reads one stream

Read = Callable[[Callable[[str], None]], Awaitable[None]]


@asynccontextmanager
async def ours(url: str, context: ssl.SSLContext, library: str, batches: bool = False) -> AsyncIterator[Read]:
    import hangang

    async with AsyncExitStack() as stack:
        http: Any
        if library == "aiohttp":
            import aiohttp

            connector = aiohttp.TCPConnector(limit=0, ssl=context)
            http = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        else:
            module: Any = __import__(library)
            limits = module.Limits(max_connections=None)
            http = await stack.enter_async_context(
                module.AsyncClient(limits=limits, verify=context, timeout=60, trust_env=False)
            )
        client = await stack.enter_async_context(
            hangang.openai.AsyncClient("k", base_url=url, http_client=http, timeout=60, max_retries=0)
        )

        async def read(seen: Callable[[str], None]) -> None:
            async with client.stream("HCX-005", MESSAGES) as stream:
                if batches:
                    async for events in stream.batches():
                        for event in events:
                            seen(event.text)
                else:
                    async for event in stream:
                        seen(event.text)

        yield read


@asynccontextmanager
async def httpx_raw(url: str, context: ssl.SSLContext) -> AsyncIterator[Read]:
    """No decoding at all: what httpx costs by itself. The text is not read; the chunk's time stamp is."""
    import httpx

    async with httpx.AsyncClient(
        limits=httpx.Limits(max_connections=None), verify=context, timeout=60, trust_env=False
    ) as http:

        async def read(seen: Callable[[str], None]) -> None:
            async with http.stream("POST", url + "/chat/completions", json=BODY) as response:
                async for data in response.aiter_raw():
                    stamps(data, seen)

        yield read


@asynccontextmanager
async def aiohttp_raw(url: str, context: ssl.SSLContext) -> AsyncIterator[Read]:
    """No decoding at all: what aiohttp costs by itself."""
    import aiohttp

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, ssl=context)) as http:

        async def read(seen: Callable[[str], None]) -> None:
            async with http.post(url + "/chat/completions", json=BODY) as response:
                async for data in response.content.iter_any():
                    stamps(data, seen)

        yield read


def stamps(data: bytes, seen: Callable[[str], None]) -> None:
    """The events in a chunk of the server's, found by the form of their texts."""
    start = 0
    while (start := data.find("한강은 ".encode(), start) + 1) > 0:
        start += 9
        seen("한강은 " + data[start : data.index(b'"', start)].decode())


@asynccontextmanager
async def bare(url: str, context: ssl.SSLContext) -> AsyncIterator[Read]:
    """An asyncio.Protocol that undoes chunked encoding by hand, and our parser: a floor, no HTTP client."""
    import hangang

    scheme, _, rest = url.partition("://")
    host, _, port = rest.partition("/")[0].partition(":")
    body = json.dumps(BODY).encode()
    request = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body

    class Protocol(asyncio.Protocol):
        def __init__(self, seen: Callable[[str], None], done: asyncio.Future[None]) -> None:
            self._seen, self._done = seen, done
            self._parser = hangang.openai.StreamParser()
            self._buffer = b""
            self._in_head = True

        def connection_made(self, transport: Any) -> None:
            transport.write(request)

        def data_received(self, data: bytes) -> None:
            buffer = self._buffer + data if self._buffer else data
            if self._in_head:
                head, found, buffer = buffer.partition(b"\r\n\r\n")
                if not found:
                    self._buffer = head
                    return
                self._in_head = False
            while (end := buffer.find(b"\r\n")) >= 0:
                size = int(buffer[:end], 16)
                if len(buffer) < end + size + 4:
                    break
                for event in self._parser.feed(buffer[end + 2 : end + 2 + size]):
                    self._seen(event.text)
                buffer = buffer[end + size + 4 :]
            self._buffer = buffer

        def connection_lost(self, error: Exception | None) -> None:
            if not self._done.done():
                self._done.set_result(None)

    loop = asyncio.get_running_loop()

    async def read(seen: Callable[[str], None]) -> None:
        done = loop.create_future()
        transport, _ = await loop.create_connection(
            lambda: Protocol(seen, done), host, int(port), ssl=context if scheme == "https" else None
        )
        try:
            await done
        finally:
            transport.abort()

    yield read


@asynccontextmanager
async def httpx_sse(url: str, context: ssl.SSLContext) -> AsyncIterator[Read]:
    import httpx
    import orjson
    from httpx_sse import aconnect_sse

    async with httpx.AsyncClient(
        limits=httpx.Limits(max_connections=None), verify=context, timeout=60, trust_env=False
    ) as http:

        async def read(seen: Callable[[str], None]) -> None:
            async with aconnect_sse(http, "POST", url + "/chat/completions", json=BODY) as source:
                async for sse in source.aiter_sse():
                    if sse.data == "[DONE]":
                        break
                    seen(orjson.loads(sse.data)["choices"][0]["delta"]["content"])

        yield read


@asynccontextmanager
async def openai_sdk(url: str, context: ssl.SSLContext, library: str = "") -> AsyncIterator[Read]:
    import openai

    kind: Any = openai.DefaultAioHttpClient if library == "aiohttp" else openai.DefaultAsyncHttpxClient
    http = kind(verify=context, limits=limits_of_openai(), timeout=60)
    async with openai.AsyncOpenAI(api_key="k", base_url=url, http_client=http, max_retries=0) as client:

        async def read(seen: Callable[[str], None]) -> None:
            stream = await client.chat.completions.create(**BODY)
            async for part in stream:
                seen(part.choices[0].delta.content or "")

        yield read


def limits_of_openai() -> Any:
    """As good as no limit on connections, in the class of the HTTP library that the SDK uses.

    None would leave aiohttp's own limit of 100.
    """
    import openai

    base = openai.DefaultAsyncHttpxClient.__mro__[1]
    return __import__(base.__module__.partition(".")[0]).Limits(max_connections=100_000)


@asynccontextmanager
async def langchain_naver(url: str, context: ssl.SSLContext) -> AsyncIterator[Read]:
    import httpx
    from langchain_naver import ChatClovaX

    http = httpx.AsyncClient(limits=httpx.Limits(max_connections=None), verify=context, timeout=60)
    model = ChatClovaX(
        model="HCX-005", api_key="k", base_url=url, http_async_client=http, max_retries=0, timeout=60
    )

    async def read(seen: Callable[[str], None]) -> None:
        async for part in model.astream("한강은 얼마나 길어?"):
            seen(part.content)

    yield read
    await http.aclose()


ASYNC: dict[str, Any] = {
    "bare protocol": bare,
    "hangang, aiohttp": lambda url, tls: ours(url, tls, "aiohttp"),
    "hangang, aiohttp, batches()": lambda url, tls: ours(url, tls, "aiohttp", batches=True),
    "hangang, httpx": lambda url, tls: ours(url, tls, "httpx"),
    "hangang, httpx2": lambda url, tls: ours(url, tls, "httpx2"),
    "aiohttp, undecoded": aiohttp_raw,
    "httpx, undecoded": httpx_raw,
    "httpx-sse + orjson": httpx_sse,
    "openai SDK": openai_sdk,
    "openai SDK, aiohttp": lambda url, tls: openai_sdk(url, tls, "aiohttp"),
    "langchain-naver": langchain_naver,
}


# --- synchronous contenders, a thread a stream


def sync_ours(url: str, context: ssl.SSLContext, library: str, streams: int) -> Callable[..., None]:
    import hangang

    http: Any
    if library == "urllib3":
        import urllib3

        http = urllib3.PoolManager(maxsize=streams, ssl_context=context)
    else:
        module: Any = __import__(library)
        http = module.Client(
            limits=module.Limits(max_connections=None), verify=context, timeout=60, trust_env=False
        )
    client = hangang.openai.Client("k", base_url=url, http_client=http, timeout=60, max_retries=0)

    def read(seen: Callable[[str], None]) -> None:
        with client.stream("HCX-005", MESSAGES) as stream:
            for event in stream:
                seen(event.text)

    return read


def sync_openai(url: str, context: ssl.SSLContext, streams: int) -> Callable[..., None]:
    import openai

    http: Any = openai.DefaultHttpxClient(verify=context, limits=limits_of_openai(), timeout=60)
    client = openai.OpenAI(api_key="k", base_url=url, http_client=http, max_retries=0)

    def read(seen: Callable[[str], None]) -> None:
        for part in client.chat.completions.create(**BODY):  # type: ignore[call-overload]
            seen(part.choices[0].delta.content or "")

    return read


SYNC: dict[str, Any] = {
    "hangang, urllib3": lambda url, tls, n: sync_ours(url, tls, "urllib3", n),
    "hangang, httpx": lambda url, tls, n: sync_ours(url, tls, "httpx", n),
    "openai SDK": sync_openai,
}


# --- one run


async def run_async(name: str, url: str, context: ssl.SSLContext, streams: int, meter: Meter) -> int:
    async with ASYNC[name](url, context) as read:
        await warm_up(read)
        before = resident()

        async def one() -> None:
            await read(meter.of_stream())

        await asyncio.gather(*(one() for _ in range(streams)))
    return before


async def warm_up(read: Read) -> None:
    """Read a first event: what is imported and made once a process is not the memory of a stream."""
    first = asyncio.Event()
    task = asyncio.create_task(read(lambda text: first.set()))
    await first.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def run_sync(name: str, url: str, context: ssl.SSLContext, streams: int, meter: Meter) -> int:
    read = SYNC[name](url, context, streams)
    lock = threading.Lock()
    before = resident()

    def of_stream() -> Callable[[str], None]:
        unlocked = meter.of_stream()

        def seen(text: str) -> None:
            with lock:
                unlocked(text)

        return seen

    threads = [threading.Thread(target=read, args=(of_stream(),)) for _ in range(streams)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return before


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--url", required=True)
    parser.add_argument("--streams", type=int, required=True)
    parser.add_argument("--events", type=int, default=400)
    parser.add_argument("--loop", choices=("asyncio", "uvloop", "threads"), default="asyncio")
    parser.add_argument("--certificate")
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    logging.disable(logging.CRITICAL)
    os.environ.pop("HTTP_PROXY", None)
    context = ssl.create_default_context(cafile=options.certificate)
    meter = Meter(options.streams, options.events)
    begin = time.perf_counter()
    arguments = (options.name, options.url, context, options.streams, meter)
    if options.loop == "threads":
        before = run_sync(*arguments)
    elif options.loop == "uvloop":
        import uvloop

        before = uvloop.run(run_async(*arguments))
    else:
        before = asyncio.run(run_async(*arguments))
    end = time.perf_counter()
    late = sorted(meter.late)
    first = sorted(meter.late_first)
    rate, later_99 = meter.keeps_up()
    print(
        json.dumps(
            {
                "events": meter.count,
                "cpu_us": (meter.cpu[1] - meter.cpu[0]) / meter.measured * 1e6,
                "cpu_share": (meter.cpu[1] - meter.cpu[0]) / (meter.wall[1] - meter.wall[0]),
                "seconds": end - begin,
                "first_99_ms": first[len(first) * 99 // 100] / 1e6,
                "late_median_ms": statistics.median(late) / 1e6,
                "late_99_ms": late[len(late) * 99 // 100] / 1e6,
                "late_max_ms": late[-1] / 1e6,
                "later_99_ms": later_99,
                "rate": rate / options.streams,
                "kb_a_stream": (meter.resident - before) / options.streams / 1024,
            }
        )
    )


if __name__ == "__main__":
    main()
