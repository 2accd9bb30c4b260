"""The charts of `hangang bench`, and the page that holds them: one file, nothing to fetch.

matplotlib draws them as SVG: text stays text, a page is some 200 KB, and no script runs in it.
"""

from __future__ import annotations

import html
import io
from typing import TYPE_CHECKING, Any

import matplotlib
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from hangang.cli.bench.report import Report, Table

__all__ = ["charts", "page"]

_OURS, _OURS_LIGHT, _THEIRS, _THEIRS_LIGHT, _FLOOR = "#0b6e99", "#7fb8d0", "#8a8580", "#c9c5bf", "#d9a441"
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text, in the reader's font
    "svg.hashsalt": "hangang",  # the same figures give the same file
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
}


def charts(report: Report) -> dict[str, str]:
    """SVG by name: `decoding`, `clients` and, if it was measured, `length`."""
    with matplotlib.rc_context(_STYLE):
        found = {"decoding": _svg(_decoding(report)), "clients": _svg(_clients(report))}
        if report.lengths:
            found["length"] = _svg(_length(report))
    return found


def page(report: Report) -> str:
    """A page with the charts and the figures under them."""
    drawn = charts(report)
    parts = [_HEAD, "<h1>hangang bench</h1>", *(f"<p>{html.escape(line)}</p>" for line in report.machine)]
    parts += ["<h2>Decoding only</h2>", f"<p>{_DECODING}</p>", drawn["decoding"]]
    if "length" in drawn:
        parts += [f"<p>{_LENGTH}</p>", drawn["length"]]
    parts += [_html_table(table) for table in report.decoding]
    parts += ["<h2>The whole client</h2>", f"<p>{_CLIENTS}</p>", drawn["clients"]]
    parts += [_html_table(table) for table in report.clients]
    if report.missing:
        names = ", ".join(sorted(set(report.missing)))
        parts.append(f"<p>Not installed, so not compared: {html.escape(names)}.</p>")
    parts.append("</main></body></html>\n")
    return "\n".join(parts)


_DECODING = (
    "Chunks in memory to the text of each event; no network. CPU time an event, medians of interleaved "
    "rounds in one process. “Pre-split” parsers were handed each JSON payload by itself: no framing, no text "
    "read."
)
_LENGTH = (
    "CLOVA Studio v3, one event a chunk: a stream's cost against its length. A straight line is flat cost."
)
_CLIENTS = (
    "From a socket on loopback to the text, HTTP included; CPU time of the client alone. “All at once”: the "
    "server sends the answer without a pause. “Token by token”: the client wakes up for each event. iter_raw "
    "is the HTTP library alone, which everyone pays."
)
_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>hangang bench</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body { font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff; margin: 0 }
main { max-width: 60rem; margin: 0 auto; padding: 1rem }
svg { max-width: 100%; height: auto }
table { border-collapse: collapse; margin: 1.5rem 0; font-variant-numeric: tabular-nums }
caption { text-align: left; font-weight: 600 }
th, td { text-align: right; padding: .1rem .7rem; border-bottom: 1px solid #ddd }
th:first-child, td:first-child { text-align: left }
</style></head><body><main>"""


def _html_table(table: Table) -> str:
    heads = "".join(f"<th colspan=2>{html.escape(column)}</th>" for column in table.columns)
    rows = "".join(
        f"<tr><td>{html.escape(name)}</td>"
        + "".join(f"<td>{ratio:.2f} ×</td><td>{seconds * 1e6:.2f} µs</td>" for ratio, seconds in row)
        + "</tr>"
        for name, row in table.rows.items()
    )
    return f"<table><caption>{html.escape(table.title)}</caption><tr><th></th>{heads}</tr>{rows}</table>"


def _svg(figure: Figure) -> str:
    """The figure as an element of a page: without the XML declaration."""
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    text = file.getvalue()
    return text[text.index("<svg") :]


def _decoding(report: Report) -> Figure:
    rows = sum(len(table.rows) for table in report.decoding)
    figure = Figure(figsize=(9, 0.36 * rows + 1.2 * len(report.decoding)), layout="constrained")
    heights = [len(table.rows) for table in report.decoding]
    panels: Any = figure.subplots(len(heights), 1, height_ratios=heights, squeeze=False)
    for axes, table in zip(panels[:, 0], report.decoding, strict=True):
        _bars(axes, table, f"{table.title.removeprefix('Decoding only: ')}: µs of CPU an event")
    return figure


def _clients(report: Report) -> Figure:
    (table,) = report.clients
    figure = Figure(figsize=(9, 0.36 * len(table.rows) + 1.2), layout="constrained")
    _bars(figure.subplots(), table, f"{table.title}: µs of CPU an event, socket to text")
    return figure


def _bars(axes: Any, table: Table, title: str) -> None:
    """A group of bars a contender, with its cost beside each bar."""
    names = list(table.rows)
    thick = 0.8 / len(table.columns)
    for place, column in enumerate(table.columns):
        micros = [table.rows[name][place][1] * 1e6 for name in names]
        at = [row + thick * (place - (len(table.columns) - 1) / 2) for row in range(len(names))]
        bars = axes.barh(at, micros, height=thick * 0.92, color=[_colour(name, place) for name in names])
        axes.bar_label(bars, [f"{value:.3g}  {column}" for value in micros], padding=3, fontsize=7)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.margins(x=0.2)
    axes.set_title(title)


def _colour(name: str, place: int) -> str:
    if name.startswith("hangang"):
        return (_OURS, _OURS_LIGHT)[place]
    if "pre-split" in name or "iter_raw" in name:
        return _FLOOR
    return (_THEIRS, _THEIRS_LIGHT)[place]


def _length(report: Report) -> Figure:
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots()
    # Labels are beside the last point of a line, and 25 % apart at least.
    height = 0.0
    for name, points in sorted(report.lengths.items(), key=lambda item: item[1][-1]):
        events, seconds = zip(*points, strict=True)
        ours = name.startswith("hangang")
        style: dict[str, Any] = {"color": _OURS if ours else _THEIRS, "linewidth": 2 if ours else 1}
        axes.plot(events, [value * 1e3 for value in seconds], marker="o", markersize=3, **style)
        height = max(height * 1.25, seconds[-1] * 1e3)
        axes.annotate(name, (events[-1], height), (6, 0), textcoords="offset points", va="center", fontsize=7)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.margins(x=0.22)
    axes.set_xlabel("events in the stream")
    axes.set_title("CLOVA Studio v3, one event a chunk: ms of CPU a stream")
    return figure
