"""Runs the comparison of many live streams and prints its tables.

    python -m benches.streams [--rounds 3] [--streams 50 200 1000] [--only NAME ...] [--chart FILE]

Every run is a client process of its own against a server process of its own, and runs take turns: a round
has each contender once. We report medians over the rounds. CPU is that of the client process in the steady
part of the streams. Lateness is from the server's write of an event to the moment when the client has its
text. The last column is the memory that the process took for its streams, divided by their number.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from . import clients

HERE = Path(__file__).parent
RATE = 50
EVENTS = 400
#: Most lateness of one event in a hundred with which a stream is still live.
LATE_MS = 250
#: Contenders of the question how many streams a core carries.
CARRIERS = (
    "bare protocol",
    "hangang, aiohttp",
    "hangang, httpx",
    "openai SDK",
    "openai SDK, aiohttp",
    "langchain-naver",
)

Result = dict[str, Any]


def certificate(folder: Path) -> Path:
    """A certificate of its own for 127.0.0.1, with its key."""
    path = folder / "server.pem"
    subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
            ),
            *("-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(path), "-out", str(folder / "cert.pem")),
        ],
        check=True,
        capture_output=True,
    )
    path.write_text(path.read_text() + (folder / "cert.pem").read_text())
    return path


@contextlib.contextmanager
def server(events: int, tls: Path | None) -> Iterator[str]:
    """The address of a server of its own."""
    extra = ["--certificate", str(tls)] if tls else []
    process = subprocess.Popen(
        [sys.executable, HERE / "server.py", "--events", str(events), "--rate", str(RATE), *extra],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield f"http{'s' if tls else ''}://127.0.0.1:{int(process.stdout.readline())}/v1"
    finally:
        process.kill()
        process.communicate()


def run(name: str, streams: int, loop: str, tls: Path | None = None, events: int = EVENTS) -> Result | None:
    """One run of a contender; None if it did not finish in ten times the streams' length."""
    with server(events, tls) as url:
        extra = ["--certificate", str(tls)] if tls else []
        command = [
            *(sys.executable, "-m", "benches.streams.clients", name, "--url", url, "--streams", str(streams)),
            *("--loop", loop, "--events", str(events), *extra),
        ]
        try:
            done = subprocess.run(
                command, cwd=HERE.parents[1], capture_output=True, text=True, timeout=60 + 10 * events / RATE
            )
        except subprocess.TimeoutExpired:
            return None
    if done.returncode:
        raise SystemExit(f"{name}, {streams} streams, {loop}:\n{done.stderr}")
    result: Result = json.loads(done.stdout)
    assert result["events"] == streams * events, (name, result)
    return result


def median(results: list[Result | None]) -> Result | None:
    finished = [result for result in results if result is not None]
    if len(finished) < len(results) or not finished:
        return None
    return {key: statistics.median(result[key] for result in finished) for key in finished[0]}


def carried(name: str, loop: str) -> int:
    """How many streams one process carries with the 99th percentile of lateness under `LATE_MS`.

    Lateness counts once the client had time to catch up with what it missed while it opened its streams.
    A stream that gets fewer than 49 events a second is not live either: then the server is at its limit.
    """

    def holds(streams: int) -> bool:
        result = run(name, streams, loop)
        shown = "" if result is None else f"{result['later_99_ms']:.0f} ms, {result['rate']:.1f} events/s"
        print(f"  {name}, {loop}: {streams} streams", shown or "did not finish", file=sys.stderr)
        return result is not None and result["later_99_ms"] < LATE_MS and result["rate"] > RATE - 1

    low, high = 0, 50
    while holds(high):
        low, high = high, high * 2
    while high - low > max(10, low // 10):
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def table(rows: list[tuple[str, Result | None]], reference: str) -> str:
    """Rows as Markdown; the ratio is CPU an event over that of `reference`."""
    base = dict(rows).get(reference)
    lines = [
        (
            f"| | CPU an event | against {reference} | lateness of first events: 99th "
            "| of all: median / 99th / most | read after | a stream |"
        ),
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, result in rows:
        if result is None:
            lines.append(f"| {name} | did not finish | | | | | |")
            continue
        ratio = f"{result['cpu_us'] / base['cpu_us']:.2f} ×" if base else ""
        late = " / ".join(f"{result[key]:.0f}" for key in ("late_median_ms", "late_99_ms", "late_max_ms"))
        lines.append(
            f"| {name} | {result['cpu_us']:.0f} µs | {ratio} | {result['first_99_ms']:.0f} ms "
            f"| {late} ms | {result['seconds']:.1f} s | {result['kb_a_stream']:.0f} KB |"
        )
    return "\n".join(lines)


def chart(capacity: dict[str, int], path: Path) -> None:
    """Streams a core, as bars: the one picture of the README."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "hangang"
    from matplotlib import pyplot

    rows = sorted(capacity.items(), key=lambda row: row[1])
    figure, axes = pyplot.subplots(figsize=(8, 0.45 * len(rows) + 1.1))
    colors = ["#2b6cb0" if name.startswith("hangang") else "#a0aec0" for name, _ in rows]
    bars = axes.barh([name for name, _ in rows], [count for _, count in rows], color=colors)
    axes.bar_label(bars, padding=4)
    axes.set_title("Live streams that one core carries (more is better)", loc="left", fontsize=12)
    axes.set_xlabel(
        f"streams of {RATE} tokens a second, 99 of 100 tokens less than {LATE_MS} ms late; "
        "the better of asyncio and uvloop"
    )
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.12)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def versions() -> str:
    found = [f"CPython {platform.python_version()}"]
    for name in ("aiohttp", "httpx", "httpx2", "httpx-sse", "langchain-naver", "openai", "urllib3", "uvloop"):
        with contextlib.suppress(PackageNotFoundError):
            found.append(f"{name} {version(name)}")
    return ", ".join(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--events", type=int, default=EVENTS, help="events of a stream")
    parser.add_argument("--streams", type=int, nargs="*", default=[50, 200, 1000])
    parser.add_argument("--loops", nargs="*", default=["asyncio", "uvloop"])
    parser.add_argument("--only", nargs="*", default=list(clients.ASYNC), help="names of contenders")
    parser.add_argument("--skip", nargs="*", default=[], choices=["tls", "threads", "carried"])
    parser.add_argument("--out", type=Path, help="write every run as JSON")
    parser.add_argument("--chart", type=Path, help="write the chart of streams a core as SVG")
    options = parser.parse_args()
    report: dict[str, Any] = {"versions": versions(), "tables": [], "carried": {}}
    print(
        f"{versions()}\n{RATE} events a second a stream, {options.events} events; "
        f"medians of {options.rounds} rounds\n"
    )

    def compare(
        title: str, names: list[str], streams: int, loop: str, tls: Path | None, reference: str
    ) -> None:
        results: dict[str, list[Result | None]] = {name: [] for name in names}
        for _ in range(options.rounds):
            for name in names:
                results[name].append(run(name, streams, loop, tls, options.events))
                print(f"  {title}: {name}: {results[name][-1]}", file=sys.stderr)
        rows = [(name, median(results[name])) for name in names]
        report["tables"].append({"title": title, "rows": dict(rows)})
        print(f"**{title}**\n\n{table(rows, reference)}\n", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        for loop in options.loops:
            for streams in options.streams:
                title = f"{streams} streams, {loop}"
                compare(title, options.only, streams, loop, None, "hangang, aiohttp")
        if "tls" not in options.skip:
            path = certificate(Path(folder))
            for loop in options.loops:
                compare(f"50 streams, {loop}, TLS", options.only, 50, loop, path, "hangang, aiohttp")
        if "threads" not in options.skip:
            compare("50 threads", list(clients.SYNC), 50, "threads", None, "hangang, urllib3")
    if "carried" not in options.skip:
        print(f"**Streams that one core carries, 99th percentile of lateness under {LATE_MS} ms**\n")
        print("| | " + " | ".join(options.loops) + " |\n| --- |" + " --- |" * len(options.loops))
        for name in CARRIERS:
            counts = {loop: carried(name, loop) for loop in options.loops}
            report["carried"][name] = counts
            print(f"| {name} | " + " | ".join(map(str, counts.values())) + " |", flush=True)
        if options.chart:
            best = {name: max(counts.values()) for name, counts in report["carried"].items()}
            del best["bare protocol"]  # nobody's choice: it is the floor
            chart(best, options.chart)
    if options.out:
        options.out.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
