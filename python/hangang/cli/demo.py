"""`hangang demo`: streams of all services, cut into random pieces, shown as they are decoded."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from importlib import resources
from typing import Any, NamedTuple

import click

from hangang import BACKEND, ParseError, a2a, clova, exaone, iter_events, openai, streams
from hangang.cli import _app
from hangang.cli._terminal import Output, clip, visible, width, wrapped
from hangang.cli.decode import ERRORS, how_it_failed

__all__ = ["command"]

_COLUMNS = 60


class _Stream(NamedTuple):
    title: str
    file: str
    parser: Callable[[], streams.Parser[Any]]


_STREAMS = (
    _Stream("CLOVA Studio v3", "clova-v3_text.sse", clova.StreamParser),
    _Stream("EXAONE", "exaone-text_generation.jsonstream", exaone.StreamParser),
    _Stream("Gov chat (OpenAI)", "openai-vllm_reasoning.sse", openai.StreamParser),
    _Stream("Gov agents (A2A)", "a2a-v1.0_stream.sse", a2a.StreamParser),
    _Stream("CLOVA Studio v3, error", "clova-error_midstream.sse", clova.StreamParser),
)


class _Row(NamedTuple):
    title: str
    events: int
    size: int
    pieces: int
    ending: str


@click.command("demo", short_help=_app.COMMANDS["demo"].summary)
@click.option("--seed", type=click.IntRange(0), default=None, metavar="N", help="Where the streams are cut.")
@click.option(
    "--delay",
    type=click.FloatRange(0, 1),
    default=None,
    metavar="SECONDS",
    help="Time between two pieces.  [default: 0.01 on a terminal, else 0]",
)
def command(seed: int | None, delay: float | None) -> int:
    """Show streams of all services, live, without a key and without a network.

    Bundled streams are cut into random pieces and decoded as the pieces come.
    """
    output = Output()
    if seed is None:
        seed = random.randrange(1_000_000)
    if delay is None:
        delay = 0.01 if output.is_terminal else 0.0
    output.write(f"backend {BACKEND}, seed {seed} (--seed {seed} cuts the same way again)\n")
    cut = random.Random(seed)
    rows = [_show(stream, cut, delay, output) for stream in _STREAMS]
    _table(rows, output)
    return _app.OK


def _show(stream: _Stream, cut: random.Random, delay: float, output: Output) -> _Row:
    data = (resources.files("hangang.cli") / "captures" / stream.file).read_bytes()
    pieces = list(_pieces(data, cut))
    output.write(f"\n{stream.title}: {len(data)} bytes in {len(pieces)} pieces\n")

    def arriving() -> Iterator[bytes]:
        for piece in pieces:
            time.sleep(delay)
            yield piece

    events = 0
    text = ""
    ending = "complete"
    try:
        for event in iter_events(arriving(), stream.parser()):
            events += 1
            text += event.text
            failure = how_it_failed(event)
            if failure is not None:
                ending = f"failed: {event.code}" if isinstance(event, ERRORS) else failure
            name = type(event).__name__
            shown = event.text or (f"({event.thinking})" if event.thinking else "") or failure or ""
            output.write(clip(f"  {name:<14} {visible(shown)}".rstrip(), _COLUMNS) + "\n")
            output.flush()
    except ParseError as error:
        ending = f"fault at {error.offset}"
    for line in text.split("\n"):
        for part in wrapped(line, _COLUMNS - 4):
            output.write(f"  | {part}\n")
    output.flush()
    return _Row(stream.title, events, len(data), len(pieces), ending)


def _pieces(data: bytes, cut: random.Random) -> Iterator[bytes]:
    """Pieces of 1 to 60 bytes: most cut a frame, many a character."""
    start = 0
    while start < len(data):
        size = cut.randint(1, 60)
        yield data[start : start + size]
        start += size


def _table(rows: list[_Row], output: Output) -> None:
    column = max(width(row.title) for row in rows)
    output.write(f"\n{'stream':<{column}} {'events':>6} {'bytes':>6} {'pieces':>6}  ended\n")
    for row in rows:
        line = f"{row.title:<{column}} {row.events:>6} {row.size:>6} {row.pieces:>6}  {visible(row.ending)}"
        output.write(clip(line, _COLUMNS) + "\n")
    output.flush()
