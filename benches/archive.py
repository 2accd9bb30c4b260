"""Archives: `decode_batch` beside `json.loads`, the command beside `decode_batch`, workers, and memory.

    python benches/archive.py rates                 # one core, CPU time, no Dask
    python benches/archive.py generate DIR 5        # 5 GB of bodies of 64 KB
    python benches/archive.py run DIR --workers 2   # the command over it: rate, CPU, peak memory

Ratios are medians of interleaved rounds of CPU time, so they hold on a busy machine; rates do not.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow

from hangang import archive
from hangang.archive._part import Options, Part, run_part
from hangang.archive._sources import Source, find_sources
from hangang.cli.bench.workloads import WORKLOADS

SIZE = 64 * 1024


def body(name: str, number: int) -> bytes:
    """A stream of about 64 KB; no two neighbours have the same length."""
    sample = WORKLOADS[name](100).wire
    return WORKLOADS[name](SIZE * 100 // len(sample) + number % 20).wire


def split_and_load(bodies: list[bytes]) -> None:
    """What people write today: the data lines through `json.loads`, and nothing made of them."""
    for one in bodies:
        for line in one.split(b"\n"):
            if line.startswith(b"data:") and (payload := line[5:].strip()) != b"[DONE]":
                json.loads(payload)


def cpu(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def rates(rounds: int) -> None:
    for name in ("clova_v3", "openai"):
        bodies = [body(name, number) for number in range(400)]
        batch = pyarrow.RecordBatch.from_arrays([pyarrow.array(bodies, pyarrow.binary())], ["body"])
        size = sum(map(len, bodies))
        few = bodies[:40]
        with tempfile.TemporaryDirectory() as folder:
            sources = []
            for number, one in enumerate(bodies):
                path = Path(folder, f"{number}.sse")
                path.write_bytes(one)
                sources.append(Source(path.name, str(path), len(one)))
            part, options = Part(0, tuple(sources), size), Options(folder)
            found = []
            for _ in range(rounds):
                loaded = sum(map(len, few)) / cpu(lambda few=few: split_and_load(few))  # type: ignore[misc]
                decoded = size / cpu(lambda batch=batch: archive.decode_batch(batch))  # type: ignore[misc]
                read = size / cpu(lambda part=part, options=options: run_part(part, options))  # type: ignore[misc]
                found.append((decoded / loaded, read / decoded, loaded / 1e6, decoded / 1e6, read / 1e6))
        ratio, share, loaded, decoded, read = (
            statistics.median(column) for column in zip(*found, strict=True)
        )
        print(
            f"{name}: json.loads {loaded:.0f} MB/s, decode_batch {decoded:.0f} MB/s ({ratio:.1f} x), "
            f"a worker from files to Parquet {read:.0f} MB/s ({share:.2f} of it)"
        )


def generate(folder: Path, gigabytes: float) -> None:
    pool = [body(name, number) for number in range(20) for name in ("clova_v3", "openai")]
    for number in range(int(gigabytes * 1e9 / SIZE)):
        path = folder / f"{number // 4000:03d}" / f"{number:07d}.sse"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pool[number % len(pool)])


def peak(pid: int, stop: threading.Event, found: dict[int, tuple[int, float]]) -> None:
    """The largest resident size of each process of a tree, in KB, and its seconds of CPU, by /proc."""
    while not stop.wait(0.05):
        pids = [pid]
        while pids:
            one = pids.pop()
            try:
                status = Path(f"/proc/{one}/status").read_text()
                high = int(status.split("VmHWM:")[1].split()[0])
                ticks = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()[11:13]
                seconds = sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
                found[one] = max(found.get(one, (0, 0.0)), (high, seconds))
                for task in Path(f"/proc/{one}/task").iterdir():
                    pids += map(int, (task / "children").read_text().split())
            except (OSError, IndexError):
                continue


def run(folder: Path, workers: int, more: list[str]) -> None:
    size = sum(max(one.size, 0) for one in find_sources([str(folder)], ""))
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "hangang", "archive", str(folder), "--out", out, "--resume"]
        manifest = Path(out, "_manifest.jsonl")
        process = subprocess.Popen([*command, "--workers", str(workers), *more])
        stop = threading.Event()
        found: dict[int, tuple[int, float]] = {}
        watcher = threading.Thread(target=peak, args=(process.pid, stop, found))
        watcher.start()
        start = time.monotonic()
        first = 0.0
        while process.poll() is None:
            if not first and manifest.exists() and b'"part"' in manifest.read_bytes():
                first = time.monotonic()
            time.sleep(0.02)
        end = time.monotonic()
        stop.set()
        watcher.join()
        largest = sorted(found.values(), reverse=True)[: workers + 1]
        print(
            f"{size / 1e9:.1f} GB, {workers} workers: {end - start:.1f} s, first part {first - start:.1f}; "
            f"{size / (end - start) / 1e6:.0f} MB/s; CPU of each process "
            f"{', '.join(f'{seconds:.1f}' for _, seconds in largest)} s; peak "
            f"{sum(high for high, _ in largest) / 1024:.0f} MB: {[high // 1024 for high, _ in largest]}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("rates").add_argument("--rounds", type=int, default=9)
    one = commands.add_parser("generate")
    one.add_argument("folder", type=Path)
    one.add_argument("gigabytes", type=float)
    one = commands.add_parser("run")
    one.add_argument("folder", type=Path)
    one.add_argument("--workers", type=int, default=1)
    arguments, more = parser.parse_known_args()
    if arguments.command == "rates":
        rates(arguments.rounds)
    elif arguments.command == "generate":
        generate(arguments.folder, arguments.gigabytes)
    else:
        run(arguments.folder, arguments.workers, more)


if __name__ == "__main__":
    main()
