"""Keeps keys out of tracebacks.

Error reporters log tracebacks with the variables of their frames. The frames of what writes to the network
hold the head of the request, and with it the key: the traceback is cut where it enters them.
"""

from __future__ import annotations

from contextlib import suppress
from types import TracebackType

__all__ = ["cut", "release"]

_WRITERS = frozenset(
    (
        "httpcore",
        "httpcore2",
        "h11",
        "h2",
        "hpack",
        "anyio",
        "trio",
        "asyncio",
        "ssl",
        "aiohttp",
        "urllib3",
        "http",
    )
)


def cut(error: BaseException, handled: BaseException | None) -> None:
    """End the tracebacks of an error and of its causes before the frames that write to the network.

    `handled` is the exception that the caller was handling before. It is in the error's chain too, but it is
    not part of the request and keeps its traceback.
    """
    waiting: list[BaseException | None] = [error]
    seen = {id(handled)}
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        waiting += [one.__cause__, one.__context__]
        last, trace = None, one.__traceback__
        while trace is not None and _package(trace) not in _WRITERS:
            last, trace = trace, trace.tb_next
        if last is None:
            one.__traceback__ = None
        else:
            last.tb_next = None


def release(error: BaseException) -> None:
    """Empty the frames of the retry library in a traceback.

    Their variables hold the error: through its traceback it would hold itself until the collector runs.
    """
    trace = error.__traceback__
    while trace is not None:
        if _package(trace) == "tenacity":
            with suppress(RuntimeError):  # it is still running
                trace.tb_frame.clear()
        trace = trace.tb_next


def _package(trace: TracebackType) -> str:
    name: str = trace.tb_frame.f_globals.get("__name__", "")
    return name.partition(".")[0]
