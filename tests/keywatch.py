"""A pytest plugin that reads everything a library could leak a key through, while other tests run.

    python -m pytest -p keywatch tests/test_clients_streams.py

Loggers of every library at DEBUG, every error of ours (text, repr, attributes, the chain of causes, the traceback
with the locals of every frame), every stream's metrics and repr, warnings: wherever the test key stands in one of
them, the test during which it was written fails. `test_keys.py` runs the suites of the clients under it.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
from transports import KEY

from hangang import _errors, _http

SECRETS = (KEY, "SECRET-0123456789")
found: list[str] = []
errors: list[BaseException] = []
#: What was looked at, so that a watch that sees nothing is noticed.
looked = {"records": 0, "errors": 0, "frames": 0, "streams": 0}


def look(kind: str, text: str) -> None:
    if any(secret in text for secret in SECRETS):
        found.append(f"{kind}: {text[:2000]}")


class Watch(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        looked["records"] += 1
        look("log record", record.getMessage())
        look("log record's values", repr({**vars(record), "exc_info": None}))
        if record.exc_info:
            look("log record's traceback", logging.Formatter().formatException(record.exc_info))


def walk(error: BaseException, seen: set[int]) -> Iterator[BaseException]:
    if id(error) in seen:
        return
    seen.add(id(error))
    yield error
    for other in (error.__cause__, error.__context__):
        if other is not None:
            yield from walk(other, seen)


def look_at_error(error: BaseException) -> None:
    looked["errors"] += 1
    for one in walk(error, set()):
        look(f"str of {type(one).__name__}", str(one))
        look(f"repr of {type(one).__name__}", repr(one))
        if isinstance(one, _errors.HangangError):  # a library's own errors carry its request
            look(f"attributes of {type(one).__name__}", repr(vars(one)))
        for frame, line in traceback.walk_tb(one.__traceback__):
            name = frame.f_globals.get("__name__", "")
            if not name.startswith(("hangang", "httpx", "httpcore", "h11", "tenacity")):
                continue  # a test's own variables hold the key, of course
            looked["frames"] += 1
            for variable, value in frame.f_locals.items():
                try:
                    shown = repr(value)
                except Exception:
                    continue  # half made, when the error struck
                look(f"{name}:{line}: local {variable!r} of {frame.f_code.co_name}", shown)


class Recorder:
    """Remembers every error of ours when it is made; its traceback is there when the test is over."""

    def __init__(self) -> None:
        self.original = _errors.HangangError.__init__

    def start(self) -> None:
        original = self.original

        def remember(error: Any, *args: Any, **kwargs: Any) -> None:
            original(error, *args, **kwargs)
            errors.append(error)

        _errors.HangangError.__init__ = remember  # type: ignore[method-assign]

    def stop(self) -> None:
        _errors.HangangError.__init__ = self.original  # type: ignore[method-assign]


@pytest.fixture(autouse=True)
def keywatch(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    handler = Watch(logging.DEBUG)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    recorder = Recorder()
    recorder.start()
    report = _http._StreamBase._report

    def reported(stream: Any) -> None:
        report(stream)
        looked["streams"] += 1
        look(
            "metrics",
            repr(stream.metrics) + repr(vars(stream.metrics) if hasattr(stream.metrics, "__dict__") else ""),
        )
        look("stream", repr(stream))
        look("completion", repr(stream.completion))
        look("answer's headers", repr(dict(stream.headers)))

    monkeypatch.setattr(_http._StreamBase, "_report", reported)
    yield
    root.removeHandler(handler)
    root.setLevel(level)
    recorder.stop()
    for error in errors:
        look_at_error(error)
    errors.clear()
    here, found[:] = list(found), []
    assert not here, f"{len(here)} leaks of the key, the first: {here[0]}"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    terminalreporter.write_line(
        "keywatch looked at " + ", ".join(f"{count} {kind}" for kind, count in looked.items())
    )
