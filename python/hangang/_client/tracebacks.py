"""Keeps keys out of tracebacks, and the frames of the retry library.

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

# tenacity keeps each outcome in a Future of concurrent.futures, and takes it from there.
_RETRYING = frozenset(("tenacity", "concurrent"))


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
    """Take the frames of the retry library out of a traceback.

    They are half of its lines and show nothing of the request. Their variables also hold the error: through
    its traceback it would hold itself until the collector runs.
    """
    last, trace = None, error.__traceback__
    while trace is not None:
        following = trace.tb_next
        if _package(trace) not in _RETRYING:
            last = trace
        else:
            with suppress(RuntimeError):  # it is still running
                trace.tb_frame.clear()
            if last is None:
                error.__traceback__ = following
            else:
                last.tb_next = following
        trace = following


def _package(trace: TracebackType) -> str:
    name: str = trace.tb_frame.f_globals.get("__name__", "")
    return name.partition(".")[0]
