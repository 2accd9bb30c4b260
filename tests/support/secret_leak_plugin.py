"""A pytest plugin that reads everything a library could leak a key through, while other tests run.

    PYTHONPATH=tests/support python -m pytest -p secret_leak_plugin tests/clients/test_clients_streams.py

Read along are: log records of every library, at DEBUG; every error of ours and every exception that leaves a
request or that a test catches (text, repr, attributes, the chain of causes, the traceback with the locals of
every frame); what shows of clients, streams, metrics and events; the emulator's answers; warnings; what a test
prints, what its child processes write, and what pytest reports of it. If one of them contains the test key, the
run fails, and names the test. `test_keys.py` runs every file of the suite under it, and the leaks of
`known_leaks.py`, each of which it must find.
"""

from __future__ import annotations

import copy
import functools
import logging
import os
import subprocess
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest
from starlette.applications import Starlette
from transports import KEY

from hangang import _errors, clova, exaone, gov, openai
from hangang._client import attempt, stream, transport

#: The key, and what is left of it where a text was cut.
SECRETS = (KEY, KEY.partition("-")[2])
LIBRARIES = ("hangang", "httpx", "httpcore", "h11", "anyio", "tenacity", "aiohttp", "urllib3", "http.client")
CLIENTS = [
    getattr(module, name) for module in (clova, exaone, gov, openai) for name in ("Client", "AsyncClient")
]

#: What was looked at, so that a watch that sees nothing is noticed.
looked = dict.fromkeys(
    ("reports", "records", "errors", "frames", "clients", "streams", "events", "answers", "outputs"), 0
)
#: Kind, the test that ran, the text.
found: list[tuple[str, str, str]] = []
#: Errors of the running test that were not looked at yet: a traceback grows until its error is caught.
errors: deque[BaseException] = deque()
KEPT = 1000

patches = pytest.MonkeyPatch()
running = ""


def look(kind: str, text: str) -> None:
    if any(secret in text for secret in SECRETS):
        found.append((kind, running, text))


class Pieces:
    """Text that comes in pieces: the key may be cut between two."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.rest = ""

    def look(self, piece: bytes | str) -> None:
        text = self.rest + (piece if isinstance(piece, str) else piece.decode("latin-1"))
        look(self.kind, text)
        self.rest = text[1 - len(KEY) :]


# -- logs and errors -----------------------------------------------------------------------------------------


class Watch(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith("a2a."):
            return  # a server of others that runs in this process: it logs the requests that it gets
        looked["records"] += 1
        look("log record", record.getMessage())
        look("log record's values", repr({**vars(record), "exc_info": None}))
        if record.exc_info:
            look("log record's traceback", logging.Formatter().formatException(record.exc_info))


def chain(error: BaseException, seen: set[int]) -> Iterator[BaseException]:
    if id(error) in seen:
        return
    seen.add(id(error))
    yield error
    inner = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    for other in (error.__cause__, error.__context__, *inner):
        if other is not None:
            yield from chain(other, seen)


def is_stated(frame: FrameType) -> bool:
    """A frame that holds the key as SECURITY.md says: a constructor to which it was passed."""
    return frame.f_code.co_name == "__init__" and isinstance(
        frame.f_locals.get("self"), (transport.Transport, *CLIENTS)
    )


def look_at_error(error: BaseException) -> None:
    looked["errors"] += 1
    for one in chain(error, set()):
        kind = type(one).__name__
        look(f"str of {kind}", str(one))
        look(f"repr of {kind}", repr(one))
        if isinstance(one, _errors.HangangError):  # a library's own errors carry its request
            look(f"attributes of {kind}", repr(vars(one)))
        for frame, line in traceback.walk_tb(one.__traceback__):
            name = frame.f_globals.get("__name__", "")
            if not name.startswith(LIBRARIES) or is_stated(frame):
                continue  # a test's own variables hold the key, of course
            looked["frames"] += 1
            for variable, value in frame.f_locals.items():
                try:
                    shown = repr(value)
                except Exception:
                    continue  # half made, when the error struck
                look("local", f"{name}.{frame.f_code.co_name}, line {line}: {variable} = {shown}")


def remember(error: BaseException) -> None:
    errors.append(error)
    while len(errors) > KEPT:
        look_at_error(errors.popleft())


# -- what is read along --------------------------------------------------------------------------------------


def around(cls: type, name: str, make: Callable[[Any], Any]) -> None:
    """Put what `make` gives for a method in its place."""
    original = getattr(cls, name)
    patches.setattr(cls, name, functools.wraps(original)(make(original)))


def after(cls: type, name: str, see: Callable[..., None]) -> None:
    """Call `see` after a method, with its object."""

    def make(original: Any) -> Any:
        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            result = original(self, *args, **kwargs)
            see(self)
            return result

        return method

    around(cls, name, make)


def see_client(client: Any) -> None:
    looked["clients"] += 1
    look("client", f"{client!r} {client} {vars(client)!r}")


def see_stream(stream: Any) -> None:
    looked["streams"] += 1
    metrics = stream.metrics
    look("metrics", repr(metrics) + repr({name: getattr(metrics, name) for name in dir(metrics)}))
    look("stream", f"{stream!r} {stream.completion!r} {stream.rate_limit!r} {stream.request_id}")
    look("answer's headers", repr(dict(stream.headers)))


def see_events(attempt: Any) -> None:
    events = list(copy.copy(attempt.batch))  # those that were not delivered yet
    looked["events"] += len(events)
    look("events", repr(events))


def sends(original: Any) -> Any:
    """`send` of the blocking transport, or the coroutine of the other: what leaves it is looked at, whatever it is."""

    def send(transport: Any, *arguments: Any) -> Any:
        try:
            return original(transport, *arguments)
        except BaseException as error:
            remember(error)
            raise

    return send


def awaits(original: Any) -> Any:
    async def send(transport: Any, *arguments: Any) -> Any:
        try:
            return await original(transport, *arguments)
        except BaseException as error:
            remember(error)
            raise

    return send


def refuses(original: Any) -> Any:
    """What a constructor raises."""

    def construct(client: Any, *args: Any, **kwargs: Any) -> None:
        try:
            original(client, *args, **kwargs)
        except Exception as error:
            remember(error)
            raise

    return construct


def is_ours(frame: FrameType) -> bool:
    """The emulator is the service: there each request is a dict with all its headers."""
    name = frame.f_globals.get("__name__", "")
    return name.startswith("hangang") and not name.startswith("hangang.emulator")


def catches(original: Any) -> Any:
    """`pytest.raises`, when it has caught something that came through us."""

    def fill(info: Any, exc_info: Any) -> None:
        original(info, exc_info)
        if any(is_ours(frame) for frame, _ in traceback.walk_tb(info.tb)):
            remember(info.value)

    return fill


def serves(original: Any) -> Any:
    """The emulator: heads and bodies of its answers."""

    async def answer(app: Any, scope: Any, receive: Any, send: Any) -> None:
        body = Pieces("answer's body")

        async def see(message: Any) -> None:
            looked["answers"] += message["type"] == "http.response.start"
            look("answer's head", repr(message.get("headers")))
            body.look(message.get("body", b""))
            await send(message)

        await original(app, scope, receive, see)

    return answer


class Pipe:
    """What a child process writes, while a test reads it."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._seen = Pieces("output of a child process")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __iter__(self) -> Iterator[Any]:
        while line := self.readline():
            yield line

    def _see(self, piece: Any) -> Any:
        looked["outputs"] += bool(piece)
        self._seen.look(piece or b"")
        return piece

    def read(self, *size: int) -> Any:
        return self._see(self._stream.read(*size))

    def readline(self, *size: int) -> Any:
        return self._see(self._stream.readline(*size))


def see_process(process: Any) -> None:
    for name in ("stdout", "stderr"):
        if getattr(process, name) is not None:
            setattr(process, name, Pipe(getattr(process, name)))


def reads(original: Any) -> Any:
    """`os.read`: pipes and terminals that a test, or `communicate`, reads without their file."""
    seen: dict[int, Pieces] = {}

    def read(descriptor: int, size: int) -> bytes:
        data: bytes = original(descriptor, size)
        looked["outputs"] += bool(data)
        seen.setdefault(descriptor, Pieces("output of a child process")).look(data)
        return data

    return read


def takes(original: Any) -> Any:
    """`capsys.readouterr`: what it takes is missing in the report."""

    def take(fixture: Any) -> Any:
        output = original(fixture)
        looked["outputs"] += bool(output.out or output.err)
        look("printed", f"{output.out}\n{output.err}")
        return output

    return take


# -- the plugin ----------------------------------------------------------------------------------------------


def pytest_configure() -> None:
    logging.getLogger().addHandler(Watch(logging.DEBUG))
    logging.getLogger().setLevel(logging.DEBUG)
    after(_errors.HangangError, "__init__", remember)
    for cls in CLIENTS:
        after(cls, "__init__", see_client)
        around(cls, "__init__", refuses)
    for moment in ("__init__", "_end_metrics"):
        after(stream._StreamBase, moment, see_stream)
    for moment in ("feed", "end", "broke"):
        after(attempt.Attempt, moment, see_events)
    around(transport.SyncTransport, "send", sends)
    around(transport.AsyncTransport, "send", awaits)
    around(pytest.ExceptionInfo, "fill_unfilled", catches)
    around(Starlette, "__call__", serves)
    after(subprocess.Popen, "__init__", see_process)
    around(pytest.CaptureFixture, "readouterr", takes)
    patches.setattr(os, "read", reads(os.read))


def pytest_unconfigure() -> None:
    patches.undo()


def pytest_runtest_logstart(nodeid: str) -> None:
    global running
    running = nodeid


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    looked["reports"] += 1
    look("report", report.longreprtext)
    for title, text in report.sections:
        if title.startswith("Captured std"):  # the rest is log records
            looked["outputs"] += 1
            look("printed", text)


def pytest_runtest_logfinish() -> None:
    while errors:
        look_at_error(errors.popleft())


def pytest_warning_recorded(warning_message: Any) -> None:
    look("warning", str(warning_message.message))


def pytest_sessionfinish(session: pytest.Session) -> None:
    if found and not session.exitstatus:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for kind, test, text in found:
        at = min(place for secret in SECRETS if (place := text.find(secret)) >= 0)
        terminalreporter.write_line(f"LEAK {kind} | {test} | {text[max(0, at - 200) : at + 200]!r}")
    terminalreporter.write_line(
        "secret_leak_plugin looked at " + ", ".join(f"{count} {kind}" for kind, count in looked.items())
    )
