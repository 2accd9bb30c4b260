"""`hangang demo`: the emulator and the real clients, one answer of each service, live."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, NamedTuple

import click

from hangang import BACKEND, HangangError, clova, exaone, gov
from hangang.cli import _app
from hangang.cli._live import Live
from hangang.cli._terminal import Output, clip, visible, width
from hangang.emulator import run_in_thread

__all__ = ["command"]

_COLUMNS = 60
_QUESTION = "한강은 얼마나 길어?"


class _Part(NamedTuple):
    title: str
    open: Callable[[], Any]


class _Row(NamedTuple):
    title: str
    metrics: Any
    ending: str


@click.command("demo", short_help=_app.COMMANDS["demo"].summary)
@click.option(
    "--seed", type=click.IntRange(0), default=None, metavar="N", help="The answers, and where they are cut."
)
@click.option(
    "--rate",
    type=click.FloatRange(0),
    default=70.0,
    show_default=True,
    metavar="N",
    help="Tokens a second; 0: all at once.",
)
def command(seed: int | None, rate: float) -> int:
    """Show one answer of each service, live, without a key.

    A local server emulates the services and cuts its answers at random places, also inside
    characters. The clients are the real ones.
    """
    output = Output()
    if seed is None:
        seed = random.randrange(1_000_000)
    with ExitStack() as stack:
        emulator = stack.enter_context(run_in_thread(seed=seed, rate=rate, fragments="random"))
        output.write(f"emulator at {emulator.url}\nbackend {BACKEND}, seed {seed}\n")
        output.write(f"asked: {_QUESTION}\n")
        rows = [_show(part, output) for part in _parts(stack, emulator.url)]
    _table(rows, output)
    return _app.OK if all(row.ending == "whole" for row in rows) else _app.FAILED


def _parts(stack: ExitStack, url: str) -> list[_Part]:
    studio = stack.enter_context(clova.Client("nv-demo", base_url=url))
    lg = stack.enter_context(exaone.Client("demo", base_url=url))
    public = stack.enter_context(gov.Client("demo", base_url=url, team_id=1))
    messages = [{"role": "user", "content": _QUESTION}]
    return [
        _Part("CLOVA Studio v3", lambda: studio.stream("HCX-007", messages)),
        _Part("CLOVA Studio v1", lambda: studio.stream("HCX-003", messages)),
        _Part("EXAONE", lambda: lg.stream(_QUESTION)),
        _Part("Gov chat", lambda: public.stream("HCX-GOV-THINK", messages)),
        _Part("Gov agent (A2A)", lambda: public.agents.stream(1, _QUESTION)),
    ]


def _show(part: _Part, output: Output) -> _Row:
    output.write(f"\n{part.title}\n")
    output.flush()
    live = Live(output, columns=_COLUMNS)
    stream = part.open()
    repeats = 0
    try:
        with stream:
            for event in stream:
                live.thinking(event.thinking)
                live.text(event.text)
                repeats += bool(getattr(event, "references", ()))
        sent = stream.headers["x-hangang-text-sha256"]
        got = hashlib.sha256(stream.completion.text.encode()).hexdigest()
        ending = "whole" if sent == got else "not what was sent"
    except HangangError as error:
        ending = visible(str(error))
    live.end()
    references = stream.completion.references
    if references:
        output.write(f"  {len(references)} references in each of {repeats} events, kept once\n")
    return _Row(part.title, stream.metrics, ending)


def _table(rows: list[_Row], output: Output) -> None:
    """What each stream cost; "whole" means that the text's hash is that of what the server sent."""
    column = max(width(row.title) for row in rows)
    head = f"{'stream':<{column}} {'events':>6} {'bytes':>6} {'1st text':>8} {'gap p50':>8}  text"
    output.write(f"\n{head}\n")
    for title, metrics, ending in rows:
        cells = f"{metrics.events:>6} {metrics.bytes:>6} {_time(metrics.first_text):>8}"
        line = f"{title:<{column}} {cells} {_time(metrics.gaps.quantile(0.5)):>8}  {ending}"
        output.write(clip(line, _COLUMNS) + "\n")
    output.flush()


def _time(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.1f} ms"
