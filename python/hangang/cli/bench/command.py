"""`hangang bench`: what decoding costs on this machine, compared with the libraries that are installed.

Two separate measurements:
- decoding only: chunks in memory to the text of each event, no network;
- the whole client: from a socket on loopback to the text, HTTP and all.
"""

from __future__ import annotations

import importlib
import os
import platform
import sys
import textwrap
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import click

import hangang
from hangang.cli import _app
from hangang.cli._terminal import Output, clip, say, width
from hangang.cli.bench.clients import Server, clients
from hangang.cli.bench.decoders import LABELS, OURS, decoders, prepare
from hangang.cli.bench.report import Report, Table
from hangang.cli.bench.timing import Comparison

__all__ = ["BULK", "Report", "Table", "command", "measure"]

BULK = 16 * 1024
_DECODED = {"clova_v3": 2000, "openai": 2000, "exaone_small": 2000, "exaone_refs": 300}  # events in a stream
_LENGTHS = (250, 500, 1000, 2000, 4000, 8000, 16000)  # events, for the cost against the length of a stream
_COLUMNS = 60


@click.command("bench", short_help=_app.COMMANDS["bench"].summary)
@click.option(
    "--html",
    "page",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Also write a page with charts, in one file. Needs matplotlib.",
)
@click.option(
    "--svg",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Also write the charts as SVG files. Needs matplotlib.",
)
@click.option(
    "--rounds",
    type=click.IntRange(1, 1000),
    default=5,
    show_default=True,
    metavar="N",
    help="Rounds of each comparison; every contender has one sample a round.",
)
@click.option("--scale", type=click.FloatRange(0.001, 100), default=1.0, hidden=True)
def command(page: Path | None, folder: Path | None, rounds: int, scale: float) -> int:
    """Measure decoding, and whole clients, on this machine: ratios first.

    It takes under two minutes, and compares with what is installed: pip install 'hangang[bench]' brings all.
    Costs are CPU time, so other programs disturb little; ratios are medians of several rounds.
    """
    drawing = page is not None or folder is not None
    charts = _charts() if drawing else None  # first, so that a missing library is reported before the wait
    output = Output()
    report = Report(_machine())
    for line in report.machine:
        output.write(textwrap.fill(line, _COLUMNS) + "\n")
    output.write("\nCPU time an event; first, how many times hangang's it is.\n")
    for table in measure(report, rounds, scale, lengths=drawing):
        for line in _lines(table):
            output.write(line + "\n")
        output.flush()
    if report.missing:
        names = ", ".join(sorted(set(report.missing)))
        say(f"not installed, so not compared: {names} (pip install 'hangang[bench]')")
    if page is not None and charts is not None:
        page.write_text(charts.page(report), encoding="utf-8")
        say(f"wrote {page}")
    if folder is not None and charts is not None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, chart in charts.charts(report).items():
            (folder / f"{name}.svg").write_text(chart, encoding="utf-8")
        say(f"wrote charts into {folder}")
    return _app.OK


def _charts() -> Any:
    try:
        return importlib.import_module("hangang.cli.bench.charts")
    except ModuleNotFoundError as error:
        raise click.ClickException(f"charts need {error.name}; pip install 'hangang[bench]'") from error


def measure(report: Report, rounds: int, scale: float = 1.0, *, lengths: bool = True) -> Iterator[Table]:
    """Fill the report and yield each table once it is complete. `scale` shortens streams and samples."""
    for shape, n in _DECODED.items():
        table = Table(f"Decoding only: {LABELS[shape]}", ("16 KB chunks", "one event each"))
        comparisons = []
        for chunk in (BULK, None):
            stream = prepare(shape, max(2, int(n * scale)), chunk)
            runs, missing = decoders(stream)
            report.missing += missing
            comparisons.append(Comparison(runs, stream.events, sample=0.015 * scale))
        _interleave(comparisons, rounds)
        reference = OURS if OURS in comparisons[0].samples else f"{OURS} (pure)"
        report.decoding.append(_fill(table, comparisons, reference))
        yield table

    with Server("openai", max(2, int(400 * scale))) as server:
        table = Table("Whole client: OpenAI-compatible", ("all at once", "token by token"))
        with clients(server, "events") as (runs, missing), clients(server, "tokens") as (paced, _):
            report.missing += missing
            if not runs:
                return
            comparisons = [
                Comparison(some, server.events, sample=0.03 * scale if some is runs else 0.0)
                for some in (runs, paced)
            ]
            _interleave(comparisons, max(1, rounds // 2 + 1))
        reference = next(name for name in runs if name.startswith("hangang on"))
        report.clients.append(_fill(table, comparisons, reference))
        yield table

    if lengths:
        _measure_lengths(report, max(1, rounds // 2), scale)


def _interleave(comparisons: list[Comparison], rounds: int) -> None:
    for _ in range(rounds):
        for comparison in comparisons:
            comparison.round()


def _fill(table: Table, comparisons: list[Comparison], reference: str) -> Table:
    names = sorted(comparisons[0].samples, key=comparisons[0].cost)
    table.rows = {
        name: [(comparison.ratio(name, reference), comparison.cost(name)) for comparison in comparisons]
        for name in names
    }
    return table


def _measure_lengths(report: Report, rounds: int, scale: float) -> None:
    """Seconds per stream against its length, one event a chunk. A constant cost is a straight line."""
    lines: dict[str, list[tuple[int, float]]] = {}
    for n in _LENGTHS:
        stream = prepare("clova_v3", max(2, int(n * scale)), None)
        runs, _ = decoders(stream)
        runs = {
            name: run for name, run in runs.items() if "pre-split" not in name and "feed_text" not in name
        }
        comparison = Comparison(runs, stream.events, sample=0.01 * scale).run(rounds)
        for name in runs:
            lines.setdefault(name, []).append((stream.events, comparison.cost(name) * stream.events))
    report.lengths = lines


# --- what is printed


def _machine() -> list[str]:
    peers = (
        "orjson",
        "httpx",
        "httpx2",
        "httpx-sse",
        "openai",
        "msgspec",
        "jiter",
        "ijson",
        "langchain-naver",
    )
    python = f"{platform.python_implementation()} {platform.python_version()}"
    lines = [
        f"hangang {hangang.__version__} ({hangang.BACKEND}), {time.strftime('%Y-%m-%d')}",
        f"{python}, {sys.platform}, {_processor()}, {os.cpu_count()} CPUs",
    ]
    found = [f"{name} {_version(name)}" for name in peers if _version(name)]
    return [*lines, ", ".join(found)] if found else lines


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            for line in file:
                name, _, value = line.partition(":")
                if name.strip() == "model name":
                    return value.strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _lines(table: Table) -> Iterator[str]:
    """A table in 60 columns: the ratio to ours, then the cost."""
    yield ""
    yield table.title
    cells = 17
    name_columns = _COLUMNS - cells * len(table.columns)
    yield (" " * name_columns + "".join(f"{column:>{cells}}" for column in table.columns)).rstrip()
    for name, row in table.rows.items():
        shown = clip(name, name_columns - 1)
        yield (
            shown
            + " " * (name_columns - width(shown))
            + "".join(f"{_figures(ratio):>7} ×{_micros(seconds):>8}" for ratio, seconds in row)
        )


def _micros(seconds: float) -> str:
    return f"{_figures(seconds * 1e6)} µs"


def _figures(value: float) -> str:
    """At most four characters up to 9999."""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"
