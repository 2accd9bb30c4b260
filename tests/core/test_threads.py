"""Threads, cancellation, panics and the end of the interpreter: an error or the right events, never damage."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import support
from support import Implementation

from hangang.streams import aiter_events, iter_events

REPO = Path(__file__).resolve().parents[2]
OVERLAP = "overlapping calls: a parser serves one thread at a time"
CAPTURES = {
    "clova": "clova/v3_text.sse",
    "exaone": "exaone/text_generation.jsonstream",
    "openai": "openai/vllm_reasoning.sse",
    "a2a": "a2a/sdk-1.3.0_v1.0_stream.sse",
}


def capture(kind: str) -> bytes:
    return (support.CAPTURES / CAPTURES[kind]).read_bytes()


# -- one parser, many threads ---------------------------------------------------------------------


@pytest.fixture
def impatient() -> Iterator[None]:
    """The interpreter changes threads as often as it can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("kind", ["SSEParser", "JSONStreamParser", *support.DIALECTS])
def test_one_parser_from_many_threads(impl: Implementation, kind: str) -> None:
    """Each call does all of its work or raises RuntimeError and does none of it."""
    frames = {
        "SSEParser": b"data: x\n\n",
        "JSONStreamParser": b'{"a":1}\n',
        "clova": b'event: token\ndata: {"message":{"content":"a"}}\n\n',
        "exaone": b'data: {"result_code":200,"data":{"answer":"a"}}\n\n',
        "openai": b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n',
        "a2a": b'data: {"result":{"kind":"artifact-update","artifact":{"parts":[{"text":"a"}]}}}\n\n',
    }
    parser = impl.parser(kind)
    frame = frames[kind] * 20
    fed = [0] * 8
    seen: list[list[Any]] = [[] for _ in range(8)]
    refused = [0] * 8
    wrong: list[BaseException] = []
    barrier = threading.Barrier(8)

    def work(at: int) -> None:
        barrier.wait()
        for _ in range(60):
            try:
                seen[at] += parser.feed(frame)
                fed[at] += 20
            except BaseException as error:
                if type(error) is not RuntimeError or str(error) != OVERLAP:
                    wrong.append(error)
                    return
                refused[at] += 1

    threads = [threading.Thread(target=work, args=(at,)) for at in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong
    assert [len(events) for events in seen] == fed, "an accepted call gave all its events, to its caller"
    assert sum(fed) + 20 * sum(refused) == 8 * 60 * 20
    # The parser is whole: nothing is pending, and it continues.
    assert parser.pending == 0
    assert len(parser.feed(frame)) == 20


def test_a_call_inside_a_call_is_refused(impl: Implementation) -> None:
    """Overlap without threads: a chunk whose buffer calls back cannot reach the parser twice at once."""
    parser = impl.parser("openai")
    entered = threading.Event()
    errors: list[str] = []

    def other() -> None:
        entered.wait(5)
        for _ in range(2000):
            try:
                parser.feed(b"")
            except RuntimeError as error:
                errors.append(str(error))

    thread = threading.Thread(target=other)
    thread.start()
    entered.set()
    data = capture("openai") * 20
    events = []
    for _ in range(20):
        try:
            events += parser.feed(data)
        except RuntimeError as error:
            errors.append(str(error))
    thread.join(60)
    assert set(errors) <= {OVERLAP}
    assert len(events) % len(impl.parser("openai").feed(capture("openai"))) == 0


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("kind", support.DIALECTS)
def test_many_parsers_in_many_threads(impl: Implementation, kind: str) -> None:
    """Parsers share nothing that one thread could spoil for another."""
    data = capture(kind)
    want = support.drive(impl.parser(kind), [data])
    shown = [repr(event) for event in want.events]

    def work(size: int) -> bool:
        parser = impl.parser(kind)
        outcome = support.drive(parser, support.pieces(data, size))
        return [repr(event) for event in outcome.events] == shown and outcome.error == want.error

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, [1, 3, 7, 64, 1000, len(data)] * 3))


@pytest.mark.parametrize("kind", support.DIALECTS)
def test_events_may_be_read_in_other_threads(impl: Implementation, kind: str) -> None:
    """What is made on demand (`raw`, `json()`, dicts) is the same from all threads at once."""
    events = support.drive(impl.parser(kind), [capture(kind)]).events
    want = [(event.raw, repr(event)) for event in support.drive(impl.parser(kind), [capture(kind)]).events]

    def work(_: int) -> bool:
        for event in events:
            if event.raw.startswith(b"{"):
                event.json()
        return [(event.raw, repr(event)) for event in events] == want

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(16)))


# -- cancellation ---------------------------------------------------------------------------------------


async def chunks_of(data: bytes, size: int, closed: list[bool]) -> AsyncIterator[bytes]:
    """A body that gives way before each chunk, and tells whether it was closed."""
    try:
        for piece in support.pieces(data, size):
            await asyncio.sleep(0)
            yield piece
    finally:
        closed.append(True)


def test_cancelled_at_every_await(impl: Implementation) -> None:
    """A task that reads a stream is cancelled at its first wait, its second, …: the body is closed each time."""
    data = capture("clova")

    async def consume(closed: list[bool], seen: list[Any]) -> None:
        body = chunks_of(data, 100, closed)
        async for event in aiter_events(body, impl.parser("clova")):
            seen.append(event)

    async def cancel_after(turns: int) -> bool:
        closed: list[bool] = []
        seen: list[Any] = []
        task = asyncio.create_task(consume(closed, seen))
        for _ in range(turns):
            await asyncio.sleep(0)
            if task.done():
                await task
                assert seen == whole
                return False
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        for _ in range(5):
            await asyncio.sleep(0)
        assert seen == whole[: len(seen)]
        assert closed == [True] or turns <= 1, "the body stays open"
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return True

    whole = support.drive(impl.parser("clova"), [data]).events

    async def run() -> int:
        turns = 0
        while await cancel_after(turns):
            turns += 1
        return turns

    assert asyncio.run(run()) > len(data) // 100


def cancelled_client(turns: int) -> Callable[[Any], Awaitable[bool]]:
    """A client's stream, cancelled after `turns` turns of the loop; False when it had ended before."""
    from transports import KEY, QUESTION, Answer, Script

    from hangang import clova

    data = capture("clova")
    items: list[Any] = []
    for piece in support.pieces(data, 60):
        items += [0.0, piece]

    async def run(library: Any) -> bool:
        script = Script([Answer(items)])
        script.use(library)
        seen: list[Any] = []

        async def consume(http: Any) -> None:
            async with (
                clova.AsyncClient(KEY, http_client=http) as client,
                client.stream("HCX-005", QUESTION) as stream,
            ):
                async for event in stream:
                    seen.append(event)

        async with script.async_client() as http:
            task = asyncio.create_task(consume(http))
            for _ in range(turns):
                await asyncio.sleep(0)
                if task.done():
                    await task
                    return False
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            for _ in range(10):
                await asyncio.sleep(0)
            assert script.opened == script.closed, f"the body stays open after {turns} turns"
            assert len(script.requests) <= 1, "a cancelled request is not sent again"
            assert asyncio.all_tasks() == {asyncio.current_task()}
            return True

    return run


@pytest.mark.parametrize("library", ["httpx", "httpx2"])
def test_a_clients_stream_cancelled_at_every_await(library: str) -> None:
    turns = 0
    while asyncio.run(cancelled_client(turns)(library)):
        turns += 1
    assert turns > 20


def test_a_clients_stream_on_sockets_cancelled_at_many_awaits() -> None:
    """On a socket the loop turns until something arrives, so the turns differ from run to run."""
    turns, cancelled = 0, 0
    while asyncio.run(cancelled_client(turns)("aiohttp")):
        cancelled += 1
        turns += 1 + turns // 8
    assert cancelled > 20


# -- generators that are left early ------------------------------------------------------------------------


def test_a_generator_closed_early_closes_its_source(impl: Implementation) -> None:
    closed: list[bool] = []

    def body() -> Iterator[bytes]:
        try:
            yield from support.pieces(capture("openai"), 50)
        finally:
            closed.append(True)

    events = iter_events(body(), impl.parser("openai"))
    next(events)
    events.close()
    gc.collect()
    assert closed == [True]
    with pytest.raises(StopIteration):
        next(events)


def test_an_async_generator_closed_early_closes_its_source(impl: Implementation) -> None:
    async def run() -> None:
        closed: list[bool] = []
        events = aiter_events(chunks_of(capture("openai"), 50, closed), impl.parser("openai"))
        await anext(events)
        await events.aclose()
        gc.collect()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert closed == [True]

    asyncio.run(run())


def test_no_chunk_outlives_its_feed(impl: Implementation) -> None:
    chunk = b"".join([b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n', b'data: {"ch'])
    before = sys.getrefcount(chunk)
    parser = impl.parser("openai")
    events = parser.feed(chunk)
    assert events[0].text == "a"
    assert sys.getrefcount(chunk) == before, "an event or the parser keeps the network's chunk alive"


# -- the end of the interpreter ---------------------------------------------------------------------------------

ENDS = {
    "in the middle of a stream": """
        from hangang.streams import iter_events
        events = iter_events([data[:2000], data[2000:]], parser)
        next(events)
    """,
    "with a daemon thread feeding": """
        import threading, time
        def work():
            while True:
                make().feed(data)
        for _ in range(4):
            threading.Thread(target=work, daemon=True).start()
        time.sleep(0.2)
    """,
    "with an unfinished coroutine": """
        import asyncio
        from hangang.streams import aiter_events
        async def body():
            yield data[:2000]
            await asyncio.sleep(60)
        async def main():
            events = aiter_events(body(), parser)
            await anext(events)
            raise SystemExit(0)
        asyncio.run(main())
    """,
    "with a failed parser in a global": """
        try:
            parser.feed(b"{]")
        except ValueError as error:
            kept = error
    """,
    "with events in a cycle": """
        events = parser.feed(data)
        loop = [events]
        loop.append(loop)
    """,
    "by exit in a feed loop": """
        for at in range(len(data)):
            parser.feed(data[at:at+1])
            if at == 1500:
                raise SystemExit(0)
    """,
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("kind", ["openai", "exaone"])
def test_the_interpreter_ends(impl: Implementation, kind: str, end: str) -> None:
    """Exit code 0 and nothing on stderr: no crash, no fatal error, no ignored exception."""
    prelude = f"""
        import sys
        sys.path[:0] = [{str(REPO / "tests" / "support")!r}]
        import support
        make = lambda: support.implementation({impl.name!r}).parser({kind!r})
        parser = make()
        data = (support.CAPTURES / {CAPTURES[kind]!r}).read_bytes()
    """
    script = textwrap.dedent(prelude) + textwrap.dedent(ENDS[end])
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


# -- panics -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", support.DIALECTS)
def test_a_panic_is_an_ordinary_exception(native: Implementation, kind: str) -> None:
    """A mistake in the crate costs one parser: `except Exception` catches it, and the process lives."""
    script = f"""
        import sys
        sys.path[:0] = [{str(REPO / "tests" / "support")!r}]
        import support
        parser = support.implementation("native").parser({kind!r})
        for _ in range(2):
            try:
                parser._panic()
            except Exception as error:
                assert type(error) is RuntimeError and "panicked" in str(error), repr(error)
            else:
                raise SystemExit("no panic")
        for call in (lambda: parser.feed(b"{{}}"), parser.close):
            try:
                call()
            except RuntimeError as error:
                assert "panicked" in str(error)
            else:
                raise SystemExit("a broken parser goes on")
        other = support.implementation("native").parser({kind!r})
        other.feed(b"")
        print("alive")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr


def test_a_thread_that_dies_leaves_the_others(impl: Implementation) -> None:
    """An exception in one reader's thread does not stop the streams of the others."""
    data = capture("exaone")
    results: list[int] = []

    def bad() -> None:
        try:
            impl.parser("exaone").feed(b"{]")
        except ValueError:
            return

    def good() -> None:
        time.sleep(0.001)
        results.append(len(support.drive(impl.parser("exaone"), support.pieces(data, 99)).events))

    threads = [threading.Thread(target=target) for target in (bad, good) * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(set(results)) == 1
    assert len(results) == 4
