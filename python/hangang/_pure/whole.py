"""A whole stream at once, for programs that want its answer and not its events one by one.

Deltas that differ from the one before in nothing but their text are merged into it, so a plain answer is a
handful of events however long it is. Merging never changes what the events fold to: text is joined, counters
that count up keep the last value, and deltas with pieces of tool calls or of a refusal are left alone.

Here it saves nothing, since the events exist already: it is there so that both implementations give the same.
"""

from __future__ import annotations

from typing import Any

from hangang._errors import ParseError

from .dialects import a2a, clova, exaone, openai
from .service import Name, detect

_PARSERS: dict[str, Any] = {
    "clova": clova.StreamParser,
    "exaone": exaone.StreamParser,
    "openai": openai.StreamParser,
    "a2a": a2a.StreamParser,
}


def read_whole(wire: bytes, parser: Any) -> tuple[list[Any], int, ParseError | None]:
    """Reads a stream from its first byte to its last with a fresh parser, and closes it.

    Returns:
        The merged events, also those before an error; their number before merging; what ended them early.
    """
    events: list[Any] = []
    error = None
    try:
        events = parser.feed(wire)
        events += parser.close()
    except ParseError as caught:
        events += caught.events
        error = type(caught)(str(caught), offset=caught.offset)
    return _merged(events, parser._dialect_class), len(events), error


def _merged(events: list[Any], dialect: Any) -> list[Any]:
    merged: list[Any] = []
    run: list[Any] = []
    for event in events:
        if run and not dialect.continues(run[-1], event):
            merged.append(dialect.merge(run) if len(run) > 1 else run[0])
            run = []
        run.append(event)
    if run:
        merged.append(dialect.merge(run) if len(run) > 1 else run[0])
    return merged


def read_bodies(
    bodies: list[bytes], dialect: str | None = None
) -> list[tuple[Name | None, list[Any], int, ParseError | None]]:
    """Whole streams, each with its deltas merged: for each body `(dialect, events, count, error)`.

    Neighbouring events that differ in their deltas only are one event, without `raw`; they fold to the same
    `Completion`. `count` is their number before merging, `error` what ended the stream early, or None.
    Nothing is parsed, and `dialect` is None, if `detect` does not find one. The native module lets other
    threads run meanwhile.

    Args:
        bodies: a list of bytes.
        dialect: `clova`, `exaone`, `openai` or `a2a`; None finds it for each body.

    Raises:
        TypeError, ValueError: an argument of another type or value.
    """
    if dialect is not None and dialect not in _PARSERS:
        raise ValueError(f"no dialect of that name: {dialect}")
    given: list[Any] = list(bodies)
    if not all(isinstance(body, bytes) for body in given):
        raise TypeError("bodies must be a list of bytes")
    rows: list[tuple[Name | None, list[Any], int, ParseError | None]] = []
    for body in bodies:
        name: Any = dialect or detect(body)
        if name is None:
            rows.append((None, [], 0, None))
        else:
            events, count, error = read_whole(body, _PARSERS[name]())
            rows.append((name, events, count, error))
    return rows
