"""Byte iterators to event iterators, sync and async; `Completion`; `Metrics`.

The rules of this file:
- One `Pump` holds what the sync and the async face share: it feeds a parser, puts an error back
  until the events before it were delivered, and folds. A face only moves chunks into it.
- An error never takes events with it ([design §4] rule 7): they are yielded first, then the error
  is raised without them, with the completion so far.
- Folding is linear: deltas go to lists and are joined once, when a `Completion` is asked for.
- With `completion=False` nothing is kept of an event once it was yielded: memory stays flat.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import Any, Protocol, TypeVar

from ._completion import Artifact, Completion, Fold
from ._errors import ParseError
from ._metrics import Gaps, Metrics

__all__ = [
    "Artifact",
    "Completion",
    "Event",
    "Gaps",
    "Metrics",
    "Parser",
    "aiter_events",
    "iter_events",
]

E = TypeVar("E")
Chunk = bytes | bytearray | memoryview


class Event(Protocol):
    """What every event of every dialect has."""

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
    """What every parser of Hangang has: chunks in, lists of events out."""

    def feed(self, chunk: bytes) -> list[E]:
        """Events that this chunk completed."""
        ...

    def close(self) -> list[E]:
        """The last events; raises where the stream stopped early."""
        ...


# --- the two faces


def iter_events(chunks: Iterable[Chunk], parser: Parser[E], *, completion: bool = True) -> Iterator[E]:
    """Drive any parser from any iterable of bytes, and yield its events.

    Args:
        chunks: bytes as they come: an open file, httpx's `iter_raw()`, urllib3's `stream()`, a list.
        parser: a fresh parser of any kind; it is closed at the end of `chunks`.
        completion: fold the events, so that an error carries what came before it. With False
            nothing is kept, and memory is flat however long the stream.

    Yields:
        Events in order; `Error` events too (only the clients' streams raise for them).

    Raises:
        ParseError: after everything before the fault was yielded; `.events` is then empty and
            `.completion` holds the `Completion` so far (None with `completion=False`).
        Exception: whatever `chunks` itself raises, unchanged.
    """
    pump = Pump(parser, fold=completion)
    for chunk in chunks:
        yield from pump.feed(chunk)
        if pump.error is not None:
            raise pump.error
    yield from pump.close()
    if pump.error is not None:
        raise pump.error


async def aiter_events(
    achunks: AsyncIterable[Chunk], parser: Parser[E], *, completion: bool = True
) -> AsyncIterator[E]:
    """The same as `iter_events`, from an async iterable of bytes (aiohttp, httpx, a queue)."""
    pump = Pump(parser, fold=completion)
    async for chunk in achunks:
        for event in pump.feed(chunk):
            yield event
        if pump.error is not None:
            raise pump.error
    for event in pump.close():
        yield event
    if pump.error is not None:
        raise pump.error


class Pump:
    """One parser, its fold and its error: the part of a stream that does no I/O.

    `feed` and `close` never raise a ParseError: they return the events that came before it and
    leave it in `error`, ready to be raised once those were delivered.
    """

    __slots__ = ("_parser", "bytes_fed", "error", "fold")

    def __init__(self, parser: Parser[Any], *, fold: bool = True) -> None:
        self._parser = parser
        self.fold: Fold | None = Fold() if fold else None
        self.error: ParseError | None = None
        self.bytes_fed = 0

    def feed(self, chunk: Chunk) -> list[Any]:
        """Events that `chunk` completed, folded; a fault is left in `error`."""
        self.bytes_fed += len(chunk)
        try:
            events = self._parser.feed(chunk)  # type: ignore[arg-type]
        except ParseError as error:
            return self._failed(error)
        if self.fold is not None:
            self.fold.extend(events)
        return events

    def close(self) -> list[Any]:
        """The last events, folded; a truncation is left in `error`."""
        try:
            events = self._parser.close()
        except ParseError as error:
            return self._failed(error)
        if self.fold is not None:
            self.fold.extend(events)
        return events

    def _failed(self, error: ParseError) -> list[Any]:
        events = events_of(error)
        if self.fold is not None:
            self.fold.extend(events)
            error.completion = self.fold.completion()
        self.error = error
        return events


def events_of(error: ParseError) -> list[Any]:
    """What the failing call completed, taken out of its error: we deliver them, and nothing twice."""
    events = list(error.events)
    error.events.clear()
    return events
