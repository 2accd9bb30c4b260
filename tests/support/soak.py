"""Many faulty streams at once, through the real clients: one run, in a process of its own.

    python soak.py streams asyncio 120 500     seconds, and how many at once
    python soak.py storm trio 60 100

`streams` reads each answer to its end and compares its text and its error with what `soak_answers.py` says. `storm`
cancels each call at a random moment, some twice. Prints a JSON object of counts; all but `answers`, `served`,
`faults` and `unused` must be empty.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import random
import subprocess
import sys
import time
import traceback
import urllib.request
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import anyio
from soak_answers import SERVICES, Answer, answer

from hangang import clova, exaone, gov

LATE = 300.0  # seconds after which one stream counts as hung, on a busy machine
STALL = 20.0  # a busy machine leaves a stream alone for some seconds


class Run:
    """What went wrong, and how much was done."""

    def __init__(self, loop: str, seconds: float, port: int) -> None:
        self.seconds = seconds
        self.url = f"http://127.0.0.1:{port}"
        self.numbers = iter(range(1, sys.maxsize))
        self.rng = random.Random(loop)
        self.answers = 0
        self.wrong: list[str] = []
        self.faults: Counter[str] = Counter()
        self.noise: list[str] = []
        options: dict[str, Any] = {
            "base_url": self.url,
            "timeout": LATE,
            "stall_timeout": STALL,
            "max_retries": 0,
        }
        both = gov.AsyncClient("key", **options)
        self.clients: dict[str, Any] = {
            "clova": clova.AsyncClient("key", **options),
            "exaone": exaone.AsyncClient("key", **options),
            "openai": both,
            "a2a": both,
        }

    def open(self, service: str, number: int) -> Any:
        """A stream of this answer; nothing is sent yet."""
        client, options = self.clients[service], {"extra_headers": {"x-soak": str(number)}}
        if service == "exaone":
            return client.stream("질문", **options)
        if service == "a2a":
            return client.agents.stream("a", "질문", team_id=1, **options)
        return client.stream("HCX-005", "질문", **options)

    async def read(self, wanted: Answer, number: int) -> None:
        """One answer, compared with what it must be."""
        texts: list[str] = []
        error: Exception | None = None
        hung, where = True, ""
        with anyio.move_on_after(LATE):
            try:
                async with self.open(wanted.service, number) as stream:
                    async for event in stream:
                        texts.append(event.text)
            except Exception as caught:
                error = caught
            except BaseException:
                where = traceback.format_exc(limit=-12)
                raise
            hung = False
        self.answers += 1
        self.faults[wanted.fault] += 1
        got, want = "".join(texts), "".join(wanted.texts)
        # A reset may throw away what was not read yet, but never the beginning.
        is_right = want.startswith(got) if wanted.fault == "reset" else got == want
        name = type(error).__name__ if error is not None else None
        is_named = name in wanted.expected or (name is None and not wanted.expected)
        if wanted.fault == "reset" and not got:
            is_named = name in ("APIConnectionError", "InterruptedStreamError")
        if hung or not is_right or not is_named:
            self.wrong.append(
                f"{number} {wanted.service} {wanted.fault}: {hung=} {error!r} {got[-60:]!r} {want[-60:]!r} {where}"
            )

    async def reader(self, until: float) -> None:
        """Answers, one after the other."""
        while time.monotonic() < until:
            number = next(self.numbers)
            await self.read(answer(number), number)

    async def canceller(self, until: float) -> None:
        """Calls, each left at a random moment: by cancelling, also twice, or by leaving its loop."""
        while time.monotonic() < until:
            number = next(self.numbers)
            wanted = answer(number)
            how = self.rng.choice(("once", "once", "twice", "break"))
            self.faults[how] += 1
            self.answers += 1
            with (
                anyio.CancelScope() as outer,
                anyio.move_on_after(self.rng.random() * self.rng.choice((0.05, 1.0, 4.0))),
            ):
                try:
                    async with self.open(wanted.service, number) as stream:
                        async for _ in stream:
                            if how == "break":
                                break
                except anyio.get_cancelled_exc_class():
                    if how == "twice":
                        outer.cancel()
                        await anyio.sleep(0)
                    raise
                except Exception as error:
                    if not wanted.expected:
                        self.wrong.append(f"{number} {wanted.service} {wanted.fault}: {error!r}")

    def connections(self) -> Counter[str]:
        """The connections of the pools: `busy` ones, which a request still holds, and `unused` ones.

        The latter were made and never used: a cancellation between the two leaves them in httpcore's pool until it
        closes, on trio, where there is a moment between them.
        """
        pools = [client._transport._adapter.http._transport._pool for client in self.clients.values()]
        found: Counter[str] = Counter()
        for one in (one for pool in {id(pool): pool for pool in pools}.values() for one in pool.connections):
            kind = "unused" if "NEW, Request Count: 0" in one.info() else "idle" if one.is_idle() else "busy"
            found[kind] += 1
        return found


@contextmanager
def noted(noise: list[str]) -> Iterator[None]:
    """Everything that nobody would see: warnings, what the collector or the loop reports, what is logged."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            noise.append(record.getMessage())

    def unraisable(what: Any) -> None:
        noise.append(f"unraisable: {what.exc_value!r} in {what.object!r}")

    handler, hook = Handler(level=logging.WARNING), sys.unraisablehook
    logging.getLogger("asyncio").addHandler(handler)
    sys.unraisablehook = unraisable
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = lambda message, *_, **__: noise.append(f"warning: {message}")
        try:
            yield
            gc.collect()
        finally:
            sys.unraisablehook = hook
            logging.getLogger("asyncio").removeHandler(handler)


def ask(port: int, what: str) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{what}", timeout=LATE) as response:
        return int(response.read())


async def work(kind: str, loop: str, seconds: float, count: int, port: int) -> dict[str, Any]:
    run = Run(loop, seconds, port)
    with noted(run.noise):
        until = time.monotonic() + seconds
        async with anyio.create_task_group() as group:
            for _ in range(count):
                group.start_soon(run.reader if kind == "streams" else run.canceller, until)
        for _ in range(20):  # what the loop does once the last task has ended
            await anyio.sleep(0.01)
        gc.collect()
        await anyio.sleep(0.01)
        connections = run.connections()
        # Cancelled streams left no damage: a stream of each service still works.
        numbers = iter(range(10**9, sys.maxsize))
        for service in SERVICES:
            number = next(
                one for one in numbers if answer(one).fault == "none" and answer(one).service == service
            )
            await run.read(answer(number), number)
        left = len(asyncio.all_tasks()) - 1 if loop != "trio" else 0
        for client in run.clients.values():
            await client.aclose()
        opened = await anyio.to_thread.run_sync(settled, port)
    return {
        "answers": run.answers,
        "faults": dict(sorted(run.faults.items())),
        "wrong": run.wrong[:20],
        "noise": run.noise[:20],
        "busy": connections["busy"],
        "unused": connections["unused"],
        "tasks": left,
        "open": opened,
    }


def settled(port: int) -> int:
    """The connections that the server still has open once the client had time to close its own."""
    end = time.monotonic() + 20
    while (found := ask(port, "open")) and time.monotonic() < end:
        time.sleep(0.1)
    return found


def main() -> None:
    kind, loop, seconds, count = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
    command = [sys.executable, str(Path(__file__).with_name("soak_server.py"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        port = int(server.stdout.readline())
        backend = "trio" if loop == "trio" else "asyncio"
        options = {"use_uvloop": loop == "uvloop"} if backend == "asyncio" else {}
        try:
            result = anyio.run(
                work, kind, loop, seconds, count, port, backend=backend, backend_options=options
            )
            result["served"] = ask(port, "served")
        finally:
            server.stdin.close()
            server.terminate()
    print(json.dumps(result, ensure_ascii=False))


if __name__ == "__main__":
    main()
