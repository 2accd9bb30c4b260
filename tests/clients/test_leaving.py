"""Leaving a stream: by cancelling, by closing it from elsewhere, by Ctrl-C, in a forked child, on trio.

Nothing stays: no connection at the server, none that a pool counts as busy, no task, no thread.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import httpx
import pytest
import support
from raw_http_server import HANG, LAST_CHUNK, RawHTTPServer, Sleep, Step, chunk, head
from transports import AWAITING, BLOCKING, KEY, QUESTION, WAYS

from hangang import InterruptedStreamError, clova, emulator

DATA = (support.CAPTURES / "clova/v3_text.sse").read_bytes()
FRAMES = [frame + b"\n\n" for frame in DATA.split(b"\n\n") if frame]
PART = b"".join(FRAMES[:3])
CLOSED = "closed before its end"
SILENT: list[Step] = [head(chunked=True), chunk(PART), HANG]
WHOLE: list[Step] = [head(chunked=True), chunk(DATA), LAST_CHUNK]


def busy(client: Any, library: str) -> int:
    """Connections that the pool of a client of ours counts as in use, and requests that wait for one."""
    http = client._transport._adapter.http
    if library == "aiohttp":
        return 0 if http is None else len(http.connector._acquired)
    pool = http._transport._pool
    return sum(not connection.is_idle() for connection in pool.connections) + len(pool._requests)


def asynchronous(
    library: str, server: RawHTTPServer, work: Callable[[Any], Any], backend: str = "asyncio", **options: Any
) -> Any:
    """Run `work(client)`; then no task is left, no connection is busy, and none is open at the server."""

    async def run() -> Any:
        made = {"base_url": server.url, "http_client": library, "max_retries": 0, "timeout": 30, **options}
        async with clova.AsyncClient(KEY, **made) as client:
            result = await work(client)
            if backend != "trio":
                for _ in range(5):
                    await asyncio.sleep(0)
                assert asyncio.all_tasks() == {asyncio.current_task()}
            assert busy(client, library) == 0
        return result

    name, _, loop = backend.partition("-")
    result = anyio.run(run, backend=name, backend_options={"use_uvloop": True} if loop else {})
    assert server.settle() == 0
    return result


# -- cancelling ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("library", AWAITING)
@pytest.mark.parametrize("times", [1, 2, 3])
def test_cancelled_before_the_head(library: str, times: int) -> None:
    """The request is sent, and its answer has not begun."""

    async def work(client: Any) -> None:
        task = asyncio.create_task(client.chat("HCX-005", QUESTION))
        while not server.requests:
            await asyncio.sleep(0.005)
        for _ in range(times):
            task.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(server.settle) == 0, "it is open until the client is closed"

    with RawHTTPServer([[HANG]]) as server:
        asynchronous(library, server, work)


async def storm(client: Any, library: str, count: int, seed: int) -> None:
    """Streams that are cancelled at any moment, most of them more than once."""
    rng = random.Random(seed)

    async def consume() -> None:
        async with client.stream("HCX-005", QUESTION) as stream:
            async for _ in stream:
                pass

    for number in range(count):
        task = asyncio.create_task(consume())
        if number % 2:
            await asyncio.sleep(rng.random() * 0.02)
        else:
            for _ in range(rng.randrange(80)):
                await asyncio.sleep(0)
        task.cancel()
        for _ in range(number % 4):
            await asyncio.sleep(0)
            task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            pass
        assert busy(client, library) == 0, f"after {number + 1} cancellations"


@pytest.mark.parametrize("backend", ["asyncio", pytest.param("asyncio-uvloop", marks=pytest.mark.long)])
@pytest.mark.parametrize("library", AWAITING)
def test_500_cancellations_leave_no_busy_connection(library: str, backend: str) -> None:
    steps: list[Step] = [head(chunked=True)]
    for frame in FRAMES:
        steps += [chunk(frame), Sleep(0.002)]
    with RawHTTPServer([[*steps, LAST_CHUNK]]) as server:
        asynchronous(library, server, lambda client: storm(client, library, 500, 7), backend)


@pytest.mark.parametrize("library", AWAITING)
def test_a_cancellation_while_closing_waits(library: str) -> None:
    """`aclose` closes even if its task is cancelled, and may be called again."""

    async def work(client: Any) -> None:
        stream = client.stream("HCX-005", QUESTION)
        await stream.open()
        task = asyncio.create_task(stream.aclose())
        for _ in range(3):
            await asyncio.sleep(0)
            task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            pass
        assert busy(client, library) == 0
        await stream.aclose()
        await stream.aclose()

    with RawHTTPServer([SILENT]) as server:
        asynchronous(library, server, work)


@pytest.mark.parametrize("library", AWAITING)
def test_a_timeout_of_the_caller(library: str) -> None:
    """`asyncio.timeout` and anyio's scopes cancel too, anyio's again and again."""

    async def work(client: Any) -> None:
        for moment in (0.0, 0.05):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(moment), client.stream("HCX-005", QUESTION) as stream:
                    async for _ in stream:
                        pass
            with anyio.move_on_after(moment) as scope:
                async with client.stream("HCX-005", QUESTION) as stream:
                    async for _ in stream:
                        pass
            assert scope.cancelled_caught
            assert busy(client, library) == 0

    with RawHTTPServer([SILENT]) as server:
        asynchronous(library, server, work)


# -- closing from elsewhere ------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("moment", ["head", "first event", "read"])
@pytest.mark.parametrize("library", AWAITING)
def test_aclose_from_another_task_while_a_read_waits(library: str, moment: str, backend: str) -> None:
    if library == "aiohttp" and backend == "trio":
        pytest.skip("aiohttp runs on asyncio only")
    steps = {
        "head": [HANG],
        "first event": [head(chunked=True), chunk(b": ping\n\n"), HANG],
        "read": SILENT,
    }[moment]
    seen: list[Any] = []

    async def read(stream: Any) -> None:
        with pytest.raises(RuntimeError, match=CLOSED):
            async for event in stream:
                seen.append(event)
        seen.append("ended")

    async def work(client: Any) -> None:
        stream = client.stream("HCX-005", QUESTION)
        async with anyio.create_task_group() as group:
            group.start_soon(read, stream)
            while not server.requests or (moment == "read" and len(seen) < 3):
                await anyio.sleep(0.005)
            await anyio.sleep(0.05)
            await stream.aclose()
        assert seen[-1] == "ended"

    with RawHTTPServer([steps]) as server:
        asynchronous(library, server, work, backend)
    assert len(seen) == (4 if moment == "read" else 1)


def test_aclose_from_another_task_between_two_reads() -> None:
    """The one that waits was woken by a comment, and has not run since: it must not read on."""

    async def run() -> None:
        arrived = anyio.Event()

        class Body(httpx.AsyncByteStream):
            async def __aiter__(self) -> AsyncIterator[bytes]:
                yield FRAMES[0]
                await arrived.wait()
                yield b": ping\n\n"
                yield FRAMES[1]

        async def read() -> None:
            with pytest.raises(RuntimeError, match=CLOSED):
                await anext(stream)

        transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=Body()))
        async with (
            httpx.AsyncClient(transport=transport) as http,
            clova.AsyncClient(KEY, base_url="http://127.0.0.1:9", http_client=http) as client,
            client.stream("HCX-005", QUESTION) as stream,
        ):
            await anext(stream)
            async with anyio.create_task_group() as group:
                group.start_soon(read)
                await anyio.wait_all_tasks_blocked()
                arrived.set()
                await stream.aclose()

    asyncio.run(run())


@pytest.mark.parametrize("library", AWAITING)
def test_a_client_that_is_closed_ends_its_streams_and_says_so(library: str) -> None:
    """The words of the libraries are "ReadError", or that the answer is not valid HTTP."""

    async def work() -> None:
        client = clova.AsyncClient(KEY, base_url=server.url, http_client=library)
        texts: list[str] = []

        async def read() -> None:
            async with client.with_options(max_retries=0).stream("HCX-005", QUESTION) as stream:
                async for event in stream:
                    texts.append(event.text)

        reading = asyncio.create_task(read())
        while not texts:
            await asyncio.sleep(0.005)
        await client.aclose()
        with pytest.raises(InterruptedStreamError, match="the client was closed"):
            await reading

    with RawHTTPServer([SILENT]) as server:
        asyncio.run(work())


@pytest.mark.parametrize("reading", ["for", "next", "batches"])
@pytest.mark.parametrize("framing", ["chunked", "length", "until the end"])
@pytest.mark.parametrize("library", BLOCKING)
def test_close_from_another_thread_while_a_read_blocks(library: str, framing: str, reading: str) -> None:
    first = {"chunked": head(chunked=True), "length": head(length=9000), "until the end": head()}[framing]
    body = chunk(PART) if framing == "chunked" else PART
    seen: list[Any] = []

    def read(stream: Any) -> None:
        try:
            if reading == "next":
                while True:
                    seen.append(next(stream))
            for item in stream.batches() if reading == "batches" else stream:
                seen.extend(item if reading == "batches" else [item])
        except BaseException as error:
            seen.append(error)

    options: Any = {"http_client": library, "max_retries": 0, "timeout": 30}
    with (
        RawHTTPServer([[first, body, HANG]]) as server,
        clova.Client(KEY, base_url=server.url, **options) as client,
    ):
        stream = client.stream("HCX-005", QUESTION)
        thread = threading.Thread(target=read, args=(stream,))
        thread.start()
        while len(seen) < 3:
            time.sleep(0.005)
        time.sleep(0.05)
        stream.close()
        thread.join(10)
        assert not thread.is_alive(), "the read is still blocked"
        assert server.settle() == 0
    assert len(seen) == 4
    assert type(seen[-1]) is RuntimeError
    assert CLOSED in str(seen[-1])


@pytest.mark.parametrize("total_timeout", [None, 60])
@pytest.mark.parametrize("library", BLOCKING)
def test_close_from_another_thread_before_the_head(library: str, total_timeout: float | None) -> None:
    """The wait cannot be interrupted; what it brings is closed, although the client stays open."""
    steps = [Sleep(0.3), head(chunked=True), chunk(PART), HANG]
    with (
        RawHTTPServer([steps]) as server,
        clova.Client(KEY, base_url=server.url, http_client=library, max_retries=0) as client,
    ):
        stream = client.stream("HCX-005", QUESTION, total_timeout=total_timeout)
        thread = threading.Timer(0.1, stream.close)
        thread.start()
        with pytest.raises(RuntimeError, match=CLOSED):
            list(stream)
        thread.join()
        assert server.settle() == 0


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_a_stream_closed_between_two_attempts_sends_nothing_more(mode: str) -> None:
    busy = [head("503 Busy", "application/json", length=2, headers="retry-after: 1\r\n"), b"{}"]
    options: Any = {"max_retries": 3}

    def blocking(url: str) -> Any:
        with clova.Client(KEY, base_url=url, **options) as client:
            stream = client.stream("HCX-005", QUESTION)
            thread = threading.Timer(0.3, stream.close)
            thread.start()
            with pytest.raises(RuntimeError, match=CLOSED):
                list(stream)
            thread.join()
            return stream

    async def awaiting(url: str) -> Any:
        async with clova.AsyncClient(KEY, base_url=url, **options) as client:
            stream = client.stream("HCX-005", QUESTION)
            task = asyncio.create_task(stream.open())
            await asyncio.sleep(0.3)
            await stream.aclose()
            with pytest.raises(RuntimeError, match=CLOSED):
                await asyncio.wait_for(task, 0.3)  # at once, not at the end of the pause
            return stream

    with RawHTTPServer([busy]) as server:
        stream = blocking(server.url) if mode == "sync" else asyncio.run(awaiting(server.url))
        assert len(server.requests) == 1
        assert stream.metrics.attempts == 1


@pytest.mark.parametrize("library", BLOCKING)
def test_closing_an_ended_stream_leaves_the_connection_to_the_next(library: str) -> None:
    """The socket is in the pool then: shutting it down would break the next answer."""
    # The emulator keeps connections open; RawHTTPServer closes each, and a next request could meet it closing.
    with (
        emulator.run_in_thread(answers=[emulator.Reply(text="한강")]) as server,
        clova.Client(KEY, base_url=server.url, http_client=library, max_retries=0) as client,
    ):
        stream = client.stream("HCX-005", QUESTION)
        text = stream.read().text
        assert text == "한강"
        for _ in range(5):
            thread = threading.Thread(target=stream.close)
            thread.start()
            thread.join()
            assert client.chat("HCX-005", QUESTION).text == text


# -- Ctrl-C ----------------------------------------------------------------------------------------------------

INTERRUPTED = """
    import asyncio, sys
    from hangang import clova
    url, library, mode = sys.argv[1:]
    options = {"base_url": url, "http_client": library, "max_retries": 0, "timeout": 60}
    question = [{"role": "user", "content": "x"}]
    async def run():
        async with clova.AsyncClient("nv-key", **options) as client:
            async with client.stream("HCX-005", question) as stream:
                async for event in stream:
                    print(event.text, flush=True)
    try:
        if mode == "async":
            asyncio.run(run())
        else:
            with clova.Client("nv-key", **options) as client, client.stream("HCX-005", question) as stream:
                for event in stream:
                    print(event.text, flush=True)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


@pytest.mark.parametrize("moment", ["head", "read"])
@pytest.mark.parametrize("way", WAYS)
def test_ctrl_c_in_a_read_that_blocks(way: tuple[str, str], moment: str) -> None:
    with RawHTTPServer([[HANG] if moment == "head" else SILENT]) as server:
        command = [sys.executable, "-W", "error", "-c", textwrap.dedent(INTERRUPTED), server.url, *way]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            try:
                if moment == "read":
                    for _ in range(3):
                        process.stdout.readline()
                while not server.requests:
                    time.sleep(0.01)
                time.sleep(0.2)
                process.send_signal(signal.SIGINT)
                out, err = process.communicate(timeout=20)
            finally:
                process.kill()
        assert out.strip() == "interrupted"
        assert (err, process.returncode) == ("", 0)
        assert server.settle() == 0


# -- fork ------------------------------------------------------------------------------------------------------


def in_child(work: Callable[[], bool]) -> bool:
    """Whether `work` is true in a forked child."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if work() else 2
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # the server has threads
@pytest.mark.parametrize("library", BLOCKING)
def test_a_fork_with_an_open_client(library: str) -> None:
    """The child has connections of its own; the parent's stream, open meanwhile, is whole."""
    steps: list[Step] = [head(chunked=True), chunk(DATA[:700]), Sleep(0.5), chunk(DATA[700:]), LAST_CHUNK]
    with (
        RawHTTPServer([WHOLE, steps, WHOLE]) as server,
        clova.Client(KEY, base_url=server.url, http_client=library, timeout=20) as client,
    ):
        text = client.chat("HCX-005", QUESTION).text  # its connection is in the pool
        with client.stream("HCX-005", QUESTION) as stream:
            first = next(stream)

            def work() -> bool:
                same = client.chat("HCX-005", QUESTION).text == text
                client.close()
                gc.collect()
                return same

            assert in_child(work)
            assert first.text + "".join(event.text for event in stream) == text
        assert client.chat("HCX-005", QUESTION).text == text


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.parametrize("library", AWAITING)
def test_a_fork_with_an_open_async_client(library: str) -> None:
    """A child with an event loop of its own uses the client that its parent has used."""
    with RawHTTPServer([WHOLE]) as server:
        client = clova.AsyncClient(KEY, base_url=server.url, http_client=library, timeout=20)

        async def ask() -> str:
            return str((await client.chat("HCX-005", QUESTION)).text)

        with asyncio.Runner() as runner:
            text = runner.run(ask())
            assert in_child(lambda: asyncio.run(ask()) == text)
            assert runner.run(ask()) == text
            runner.run(client.aclose())


@pytest.mark.parametrize("backend", ["asyncio", "asyncio-uvloop", "trio"])
@pytest.mark.parametrize("library", AWAITING)
def test_a_client_made_outside_of_the_loop_serves_several(library: str, backend: str) -> None:
    """On asyncio the end of a loop closes its connections; trio's are closed when the next run begins."""
    name, _, loop = backend.partition("-")
    if name == "trio" and library == "aiohttp":
        pytest.skip("aiohttp runs on asyncio only")

    async def ask(is_last: bool) -> None:
        assert (await client.chat("HCX-005", QUESTION)).text
        assert server.state.connections == 1, "it is kept for the next call"
        if is_last:
            await client.aclose()

    with emulator.run_in_thread() as server:
        client = clova.AsyncClient(KEY, base_url=server.url, http_client=library, timeout=20)
        for number in range(3):
            anyio.run(ask, number == 2, backend=name, backend_options={"use_uvloop": True} if loop else {})
            assert name == "trio" or server.wait_idle(), "a connection is still open"
        assert server.wait_idle()


@pytest.mark.parametrize("library", AWAITING)
def test_two_loops_at_once_keep_their_connections(library: str) -> None:
    def asked(loop: asyncio.AbstractEventLoop, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(20)

    loops = [asyncio.new_event_loop() for _ in range(2)]
    threads = [threading.Thread(target=loop.run_forever) for loop in loops]
    for thread in threads:
        thread.start()
    with emulator.run_in_thread() as server:
        client = clova.AsyncClient(KEY, base_url=server.url, http_client=library, timeout=20)
        for number in range(6):
            assert asked(loops[number % 2], client.chat("HCX-005", QUESTION)).text
            assert server.state.connections == min(number + 1, 2)
        asked(loops[0], client.aclose())
        with pytest.raises(RuntimeError, match="closed"):
            asked(loops[1], client.chat("HCX-005", QUESTION))
        for loop, thread in zip(loops, threads, strict=True):
            asked(loop, loop.shutdown_asyncgens())
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()
        assert server.wait_idle(), "a connection is still open"


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # of asyncio, which are not shown by default
@pytest.mark.parametrize("is_closed", [True, False], ids=["closed", "stopped"])
@pytest.mark.parametrize("library", AWAITING)
def test_a_loop_that_ends_without_its_async_generators_logs_nothing(
    library: str, is_closed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """As after `loop.run_until_complete` alone. Nobody is there who could await the closing."""
    with emulator.run_in_thread() as server:
        client = clova.AsyncClient(KEY, base_url=server.url, http_client=library, timeout=20)
        loop = asyncio.new_event_loop()
        assert loop.run_until_complete(client.chat("HCX-005", QUESTION)).text
        if is_closed:
            loop.close()
        del client
        gc.collect()
        if not is_closed:
            loop.run_until_complete(asyncio.sleep(0))
            loop.close()
        del loop
        gc.collect()
        assert server.wait_idle(), "a connection is still open"
    assert caplog.records == []


# -- trio ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inside", [True, False], ids=["with", "without"])
@pytest.mark.parametrize("reading", ["for", "batches", "text"])
@pytest.mark.parametrize("library", [param for param in AWAITING if param.values[0] != "aiohttp"])
def test_leaving_a_loop_early_on_trio(library: str, reading: str, inside: bool) -> None:
    """No ResourceWarning, which is an error here, and the connection is closed."""

    def parts(stream: Any) -> Any:
        return {"for": stream, "batches": stream.batches(), "text": stream.text_stream}[reading]

    async def work(client: Any) -> None:
        stream = client.stream("HCX-005", QUESTION)
        if inside:
            async with stream:
                async for _ in parts(stream):
                    break
        else:
            async for _ in parts(stream):
                break
            await anyio.sleep(0.1)
        gc.collect()
        assert await anyio.to_thread.run_sync(server.settle) == 0, "it is open until the client is closed"
        with pytest.raises(RuntimeError, match=CLOSED):
            await anext(stream)

    with RawHTTPServer([[head(chunked=True), chunk(PART), Sleep(0.01), HANG]]) as server:
        asynchronous(library, server, work, "trio")


@pytest.mark.parametrize("library", [param for param in AWAITING if param.values[0] != "aiohttp"])
def test_whole_streams_on_trio(library: str) -> None:
    events = clova.StreamParser().feed(DATA)

    async def work(client: Any) -> None:
        async with client.stream("HCX-005", QUESTION) as stream:
            assert [event async for event in stream] == events
        batches = [batch async for batch in client.stream("HCX-005", QUESTION).batches()]
        assert [event for batch in batches for event in batch] == events
        texts = [text async for text in client.stream("HCX-005", QUESTION).text_stream]
        assert texts == [event.text for event in events if event.text]

    # Without the header the next request could go out on the connection that the server is closing.
    closing = head(chunked=True, headers="connection: close\r\n")
    with RawHTTPServer([[closing, *map(chunk, support.pieces(DATA, 99)), LAST_CHUNK]]) as server:
        asynchronous(library, server, work, "trio")


@pytest.mark.parametrize("library", [param for param in AWAITING if param.values[0] != "aiohttp"])
def test_cancelled_on_trio(library: str) -> None:
    async def work(client: Any) -> None:
        async def consume() -> None:
            async with client.stream("HCX-005", QUESTION) as stream:
                async for _ in stream:
                    pass

        for number in range(30):
            async with anyio.create_task_group() as group:
                group.start_soon(consume)
                while len(server.requests) <= number:
                    await anyio.sleep(0.001)
                await anyio.sleep(number * 0.0005)
                group.cancel_scope.cancel()
            assert busy(client, library) == 0

    with RawHTTPServer([SILENT]) as server:
        asynchronous(library, server, work, "trio")
