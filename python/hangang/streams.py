"""Byte iterators to event iterators, sync and async.

The rules of this file:
- One `Driver` holds the state that `iter_events` and `aiter_events` share: it feeds the parser,
  folds the events, and holds an error back until the events before it were delivered. The two
  iterators only move chunks into it.
- An error never takes events with it ([design §4] rule 7): they are yielded first, then the error
  is raised without them, with the completion so far.
- With `completion=False` no event is kept once it was yielded: memory stays flat.

Folding is in `_completion`, metrics are in `_metrics`; their public names are exported here too, and
`JSONValue`, the type of JSON inside events.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import Any, Protocol, TypeVar

from ._completion import Artifact, Completion
from ._completion import Fold as Fold  # for the clients
from ._errors import ParseError
from ._json_types import JSONValue
from ._metrics import Gaps, LatencyHistogram, Metrics
from ._tool_calls import ToolCall, ToolCalls

__all__ = [
    "Artifact",
    "Completion",
    "Event",
    "Gaps",
    "JSONValue",
    "LatencyHistogram",
    "Metrics",
    "Parser",
    "ToolCall",
    "ToolCalls",
    "aiter_events",
    "iter_events",
]

E = TypeVar("E")
Chunk = bytes | bytearray | memoryview


class Event(Protocol):
    """The members that every event of every dialect has."""

    @property
    def text(self) -> str:
        """Answer delta; `""` where the event has none."""
        ...

    @property
    def thinking(self) -> str:
        """Reasoning delta; `""` where the event has none."""
        ...

    @property
    def raw(self) -> bytes:
        """The payload's bytes as received."""
        ...

    def json(self) -> Any:
        """The payload as plain Python values."""
        ...


class Parser(Protocol[E]):
    """The interface of every parser: chunks in, lists of events out."""

    def feed(self, chunk: bytes) -> list[E]:
        """The events that this chunk completed."""
        ...

    def close(self) -> list[E]:
        """The last events; raises if the stream stopped early."""
        ...


# --- driving


def iter_events(chunks: Iterable[Chunk], parser: Parser[E], *, completion: bool = True) -> Iterator[E]:
    """Drive any parser from any iterable of bytes, and yield its events.

    Args:
        chunks: bytes split anywhere: an open file, httpx's `iter_raw()`, urllib3's `stream()`, a list.
        parser: a fresh parser of any kind; it is closed at the end of `chunks`.
        completion: fold the events, so that an error carries the answer so far. With False
            nothing is kept, and memory is flat however long the stream.

    Yields:
        Events in order; `Error` events too (only the clients' streams raise for them).

    Raises:
        ParseError: after every event before it was yielded; `.events` is then empty and
            `.completion` holds the `Completion` so far (None with `completion=False`).
        Exception: whatever `chunks` itself raises, unchanged.
    """
    driver = Driver(parser, fold=completion)
    for chunk in chunks:
        yield from driver.feed(chunk)
        if driver.error is not None:
            raise driver.error
    yield from driver.close()
    if driver.error is not None:
        raise driver.error


async def aiter_events(
    achunks: AsyncIterable[Chunk], parser: Parser[E], *, completion: bool = True
) -> AsyncIterator[E]:
    """The same as `iter_events`, from an async iterable of bytes (aiohttp, httpx, a queue)."""
    driver = Driver(parser, fold=completion)
    async for chunk in achunks:
        for event in driver.feed(chunk):
            yield event
        if driver.error is not None:
            raise driver.error
    for event in driver.close():
        yield event
    if driver.error is not None:
        raise driver.error


class Driver:
    """One parser, its fold and its error: the I/O-free state that both iterators share.

    `feed` and `close` never raise a ParseError. They return the events before it and leave it in
    `error`, to be raised once those were delivered.
    """

    __slots__ = ("_parser", "error", "fold")

    def __init__(self, parser: Parser[Any], *, fold: bool = True) -> None:
        if isinstance(parser, type):
            raise TypeError(f"parser must be a parser, not its class: {parser.__name__}()")
        self._parser = parser
        self.fold: Fold | None = Fold() if fold else None
        self.error: ParseError | None = None

    def feed(self, chunk: Chunk) -> list[Any]:
        """Events that `chunk` completed, folded; a parse error is left in `error`."""
        try:
            events = self._parser.feed(chunk)  # type: ignore[arg-type]
        except ParseError as error:
            return self._fail(error)
        if self.fold is not None:
            self.fold.extend(events)
        return events

    def close(self) -> list[Any]:
        """The last events, folded; a truncation is left in `error`."""
        try:
            events = self._parser.close()
        except ParseError as error:
            return self._fail(error)
        if self.fold is not None:
            self.fold.extend(events)
        return events

    def _fail(self, error: ParseError) -> list[Any]:
        events = take_events(error)
        if self.fold is not None:
            self.fold.extend(events)
            error.completion = self.fold.completion()
        self.error = error
        return events


def take_events(error: ParseError) -> list[Any]:
    """The events that the failing call completed, moved out of the error so none is delivered twice."""
    events = list(error.events)
    error.events.clear()
    return events
