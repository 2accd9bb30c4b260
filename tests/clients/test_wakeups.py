"""What one wake-up of a live stream may cost: no timer, and no cancel scope, for each read."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
import support
from raw_http_server import HANG, LAST_CHUNK, RawHTTPServer, Sleep, Step, chunk, head
from transports import AWAITING, KEY, QUESTION

import hangang
from hangang import clova
from hangang._client.http.guard import GuardedChunks, Reads

DATA = (support.CAPTURES / "clova/v3_text.sse").read_bytes()
FRAMES = [frame + b"\n\n" for frame in DATA.split(b"\n\n") if frame]


def apart(frames: list[bytes]) -> list[Step]:
    """Frames that arrive one by one."""
    steps: list[Step] = [head(chunked=True)]
    for frame in frames:
        steps += [chunk(frame), Sleep(0.002)]
    return steps


@pytest.mark.parametrize("total_timeout", [None, 20.0])
@pytest.mark.parametrize("library", AWAITING)
def test_timers_are_of_the_stream_and_not_of_the_read(
    library: str, total_timeout: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[float] = []

    async def count() -> int:
        loop = asyncio.get_running_loop()
        async with (
            clova.AsyncClient(
                KEY, base_url=server.url, http_client=library, total_timeout=total_timeout
            ) as client,
            client.stream("HCX-005", QUESTION) as stream,
        ):
            call_at: Any = loop.call_at

            def counting(when: float, *args: Any, **more: Any) -> Any:
                started.append(when)
                return call_at(when, *args, **more)

            monkeypatch.setattr(loop, "call_at", counting)
            return len([event async for event in stream])

    with RawHTTPServer([[*apart(FRAMES), LAST_CHUNK]]) as server:
        events = asyncio.run(count())
    assert events > 10
    assert len(started) < 3


@pytest.mark.parametrize("library", AWAITING)
def test_a_deadline_ends_a_read_that_waits(library: str) -> None:
    """The events before it are delivered, and the connection is closed."""
    texts: list[str] = []

    async def work() -> None:
        async with clova.AsyncClient(KEY, base_url=server.url, http_client=library) as client:
            with pytest.raises(hangang.StalledStreamError, match="total_timeout"):
                async with client.stream("HCX-005", QUESTION, total_timeout=0.3) as stream:
                    async for event in stream:
                        texts.append(event.text)
            assert await asyncio.to_thread(server.settle) == 0

    with RawHTTPServer([[*apart(FRAMES[:4]), HANG]]) as server:
        asyncio.run(work())
    assert len(texts) == 4


@pytest.mark.skipif(sys.platform == "win32", reason="its event loop receives in another way")
def test_asyncio_receives_into_small_buffers() -> None:
    """More than 128 KiB would come from the system, page by page, for each event."""

    async def work() -> None:
        with RawHTTPServer([[head(chunked=True), chunk(FRAMES[0]), HANG]]) as server:
            async with (
                clova.AsyncClient(KEY, base_url=server.url, http_client="aiohttp") as client,
                client.stream("HCX-005", QUESTION) as stream,
            ):
                assert stream._reply is not None
                response = stream._reply.close.__self__._response  # type: ignore[attr-defined]
                assert response.connection.transport.max_size <= 1 << 16

    asyncio.run(work())


# -- the reads of a body ---------------------------------------------------------------------------------------


async def silence(waits: list[asyncio.Future[None]]) -> AsyncIterator[bytes]:
    """Chunks: one, then none."""
    yield b"x"
    waits.append(asyncio.get_running_loop().create_future())
    await waits[0]
    yield b"y"


def ready(chunks: GuardedChunks) -> bytes | None:
    """The next chunk if it needs no wait; else None, and the next one must be awaited."""
    item = chunks.step(None)
    if type(item) is bytes:
        return item
    chunks.begun(item)
    return None


@pytest.mark.parametrize("begins", [False, True], ids=["awaited", "begun"])
@pytest.mark.parametrize(
    ("order", "raised"),
    [
        ("l", TimeoutError),
        ("ll", TimeoutError),  # the limit of a read, and `total_timeout`
        ("lc", asyncio.CancelledError),
        ("lcl", asyncio.CancelledError),
        ("cl", asyncio.CancelledError),
        ("c", asyncio.CancelledError),
    ],
)
def test_a_cancellation_is_not_taken_for_the_time_limit(
    order: str, raised: type[BaseException], begins: bool
) -> None:
    """All in the same turn of the loop: a task that was cancelled has to end, and no other."""

    async def work() -> None:
        reads = Reads(None, lambda: TimeoutError("nothing arrived"))
        waits: list[asyncio.Future[None]] = []
        chunks = GuardedChunks(silence(waits), reads)

        async def read() -> None:
            async for _ in chunks:
                if begins:
                    assert ready(chunks) is None
                    assert waits

        task = asyncio.create_task(read())
        while not waits:
            await asyncio.sleep(0)
        for step in order:
            if step == "l":
                reads.end()
            else:
                task.cancel()
        await task

    with pytest.raises(raised):
        asyncio.run(work())


async def counted(waits: list[int]) -> AsyncIterator[bytes]:
    """Ten chunks; before each third one there is a wait."""
    for n in range(10):
        if n % 3 == 0:
            waits.append(n)
            await asyncio.sleep(0)
        yield bytes([n])


def test_chunks_that_are_ready_are_those_that_need_no_wait() -> None:
    async def work() -> None:
        waits: list[int] = []
        chunks = GuardedChunks(counted(waits), None)
        runs: list[bytes] = []
        async for run in chunks:
            runs.append(run)
            while (more := ready(chunks)) is not None:
                runs[-1] += more
        assert runs == [bytes([0, 1, 2]), bytes([3, 4, 5]), bytes([6, 7, 8]), bytes([9])]
        assert waits == [0, 3, 6, 9]
        assert ready(chunks) is None

    asyncio.run(work())


def test_chunks_of_another_type_become_bytes() -> None:
    """A transport of the caller's may give them; only bytes are recognized at once as no wait."""

    class Bytes(bytes):
        pass

    async def body() -> AsyncIterator[Any]:
        for kind in (bytearray, memoryview, Bytes, bytes, bytearray):
            yield kind(b"x")

    async def work() -> None:
        chunks = GuardedChunks(body(), None)
        found: list[bytes] = []
        async for piece in chunks:
            found.append(piece)
            while (more := ready(chunks)) is not None:
                found.append(more)
        assert found == [b"x"] * 5
        assert {type(piece) for piece in found} == {bytes}

    asyncio.run(work())


def test_the_limit_holds_from_the_last_chunk_on() -> None:
    """A read that waits too long fails, also the first one after a pause in which the timer ran out."""

    async def work() -> None:
        reads = Reads(0.05, lambda: TimeoutError("nothing arrived"))
        waits: list[asyncio.Future[None]] = []
        chunks = GuardedChunks(silence(waits), reads)
        assert await chunks.__anext__() == b"x"
        await asyncio.sleep(0.15)
        assert reads._timer is None, "it would keep a stream that was dropped"
        with pytest.raises(TimeoutError, match="nothing arrived"):
            await chunks.__anext__()
        assert waits[0].cancelled()

    asyncio.run(work())
