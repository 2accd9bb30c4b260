"""Archives: `decode_batch` beside `json.loads` and in threads; the command beside it, workers, memory.

    python benches/archive.py                       # everything below, over 5 GB: about 4 minutes
    python benches/archive.py all --gigabytes 1     # the same over less
    python benches/archive.py rates                 # one core, CPU time, no files but small ones
    python benches/archive.py generate DIR 5        # 5 GB of bodies of 64 KB
    python benches/archive.py run DIR --workers 2   # the command over it: rate, CPU, peak memory

MB/s a core are bytes by seconds of CPU, user and system, of all processes. Ratios of them are medians of
interleaved rounds, and hold on a busy machine. Figures by the clock are marked; they need a quiet one.
"""

from __future__ import annotations

import argparse
import gzip
import importlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import parquet

from hangang import archive
from hangang.archive._part import Options, Part, run_part
from hangang.archive._sources import Source, find_sources
from hangang.cli.bench.workloads import WORKLOADS

SIZE = 64 * 1024
SERVICES = ("clova_v3", "openai")
FOLDER = 4000  # bodies a folder


def body(name: str, number: int) -> bytes:
    """A stream of about 64 KB; no two neighbours have the same length."""
    sample = WORKLOADS[name](100).wire
    return WORKLOADS[name](SIZE * 100 // len(sample) + number % 20).wire


def batch_of(bodies: Sequence[bytes]) -> Any:
    return pyarrow.RecordBatch.from_arrays([pyarrow.array(bodies, pyarrow.binary())], ["body"])


def split_and_load(bodies: Iterable[bytes]) -> None:
    """What people write today: the data lines through `json.loads`, and nothing made of them."""
    for one in bodies:
        for line in one.split(b"\n"):
            if line.startswith(b"data:") and (payload := line[5:].strip()) != b"[DONE]":
                json.loads(payload)


def cpu(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def clock(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def median(values: Iterable[float]) -> float:
    return statistics.median(list(values))


# --- one core


def rates(rounds: int) -> None:
    """`decode_batch` against `json.loads`, for each service."""
    for name in SERVICES:
        bodies = [body(name, number) for number in range(400)]
        batch, few = batch_of(bodies), bodies[:40]
        size = sum(map(len, bodies))
        found = []
        for _ in range(rounds):
            loaded = sum(map(len, few)) / cpu(lambda few=few: split_and_load(few))  # type: ignore[misc]
            decoded = size / cpu(lambda batch=batch: archive.decode_batch(batch))  # type: ignore[misc]
            found.append((decoded / loaded, loaded / 1e6, decoded / 1e6))
        ratio, loaded, decoded = map(median, zip(*found, strict=True))
        print(
            f"{name}: json.loads {loaded:.0f} MB/s a core, decode_batch {decoded:.0f}: {ratio:.1f} x "
            "(reach 15, then 30)"
        )


def formats(rounds: int) -> None:
    """A worker over the same bodies, stored in each way."""
    bodies = [body(name, number) for number in range(400) for name in SERVICES]
    size = sum(map(len, bodies))
    batch = batch_of(bodies)
    lines = b"".join(
        json.dumps({"body": one.decode()}, ensure_ascii=False).encode() + b"\n" for one in bodies
    )
    zstd = importlib.import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        captures = []
        for number, one in enumerate(bodies):
            path = folder / f"{number}.sse"
            path.write_bytes(one)
            captures.append(path)
        parquet.write_table(pyarrow.Table.from_batches([batch]), folder / "a.parquet", row_group_size=100)
        (folder / "a.jsonl").write_bytes(lines)
        (folder / "a.jsonl.gz").write_bytes(gzip.compress(lines, 6))
        (folder / "a.jsonl.zst").write_bytes(zstd.compress(lines))
        ways = {
            "captures": captures,
            "Parquet": [folder / "a.parquet"],
            "JSON lines": [folder / "a.jsonl"],
            "JSON lines, zstd": [folder / "a.jsonl.zst"],
            "JSON lines, gzip": [folder / "a.jsonl.gz"],
            "captures, --events": captures,
        }
        found: dict[str, list[float]] = {way: [] for way in ways}
        shares: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(rounds):
            alone = size / cpu(lambda: archive.decode_batch(batch)) / 1e6
            for way, paths in ways.items():
                options = Options(name, events="--events" in way)
                part = Part(0, tuple([Source(p.name, str(p), p.stat().st_size) for p in paths]), size)
                rate = size / cpu(lambda part=part, options=options: run_part(part, options)) / 1e6  # type: ignore[misc]
                found[way].append(rate)
                shares[way].append(rate / alone)
        for way, figures in found.items():
            print(
                f"a worker, {way} to Parquet: {median(figures):.0f} MB/s a core, "
                f"{median(shares[way]):.2f} of decode_batch"
            )


def threads(rounds: int) -> None:
    """Two threads against one, over the same bodies. By the clock."""
    batches = [batch_of([body(name, number) for number in range(200) for name in SERVICES])] * 4
    size = sum(one.nbytes for one in batches)
    found = []
    with ThreadPoolExecutor(2) as pool:
        for _ in range(rounds):
            one = clock(lambda: [archive.decode_batch(each) for each in batches])
            two = clock(lambda: list(pool.map(archive.decode_batch, batches)))
            found.append((one / two, size / one / 1e6, size / two / 1e6))
    ratio, one, two = map(median, zip(*found, strict=True))
    print(f"decode_batch by the clock: one thread {one:.0f} MB/s, two {two:.0f}: {ratio:.2f} x")


# --- the command


def generate(folder: Path, gigabytes: float) -> None:
    pool = [body(name, number) for number in range(20) for name in SERVICES]
    for number in range(int(gigabytes * 1e9 / SIZE)):
        path = folder / f"{number // FOLDER:03d}" / f"{number:07d}.sse"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pool[number % len(pool)])


@dataclass
class Run:
    """One run of the command: bytes, seconds by the clock and of CPU, peak memory of each process in KB."""

    size: int
    seconds: float
    cpu: float
    peaks: list[int]

    def __str__(self) -> str:
        return (
            f"{self.size / 1e9:.1f} GB: {self.seconds:.1f} s, {self.size / self.seconds / 1e6:.0f} MB/s; "
            f"{self.cpu:.1f} s of CPU, {self.size / self.cpu / 1e6:.0f} MB/s a core; "
            f"peak {sum(self.peaks) / 1024:.0f} MB: {[one // 1024 for one in self.peaks]}"
        )


def run(folders: Sequence[Path], workers: int, more: Sequence[str] = ()) -> Run:
    size = sum(max(one.size, 0) for folder in folders for one in find_sources([str(folder)], ""))
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "hangang", "archive", *map(str, folders), "--out", out, "--resume"]
        start = time.monotonic()
        process = subprocess.Popen([*command, "--workers", str(workers), *more])
        stop = threading.Event()
        peaks: dict[int, int] = {}
        watcher = threading.Thread(target=watch, args=(process.pid, stop, peaks))
        watcher.start()
        # Of the process and all that it waited for: its workers.
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        stop.set()
        watcher.join()
        if process.returncode:
            raise SystemExit(f"hangang archive ended with {process.returncode}")
        largest = sorted(peaks.values(), reverse=True)
        return Run(size, seconds, usage.ru_utime + usage.ru_stime, [one for one in largest if one > 20_000])


def watch(pid: int, stop: threading.Event, peaks: dict[int, int]) -> None:
    """The largest resident size of each process of a tree, by /proc."""
    while not stop.wait(0.1):  # the kernel keeps the peak: what counts is one look before the end
        pids = [pid]
        while pids:
            one = pids.pop()
            try:
                status = Path(f"/proc/{one}/status").read_text()
                peaks[one] = max(peaks.get(one, 0), int(status.split("VmHWM:")[1].split()[0]))
                for task in Path(f"/proc/{one}/task").iterdir():
                    pids += map(int, (task / "children").read_text().split())
            except (OSError, IndexError):
                continue


def command(folder: Path, rounds: int) -> None:
    """The command with one worker and two, beside `decode_batch` alone and a fifth of the folder."""
    folders = sorted(folder.iterdir())
    few = folders[: max(1, len(folders) // 5)]
    batch = batch_of([body(name, number) for number in range(400) for name in SERVICES])
    ones: list[Run] = []
    twos: list[Run] = []
    small = run(few, 1)
    print(f"1 worker, {small}", flush=True)
    shares = []
    for _ in range(rounds):
        alone = median(batch.nbytes / cpu(lambda: archive.decode_batch(batch)) for _ in range(5))
        ones.append(run([folder], 1))
        print(f"1 worker, {ones[-1]}", flush=True)
        twos.append(run([folder], 2))
        print(f"2 workers, {twos[-1]}", flush=True)
        shares.append((ones[-1].size / ones[-1].cpu / alone, alone / 1e6))
    share, alone = map(median, zip(*shares, strict=True))
    rate = median(one.size / one.cpu / 1e6 for one in ones)
    print(
        f"end to end, one worker: {rate:.0f} MB/s a core; decode_batch alone {alone:.0f}: {share:.2f} of it "
        "(reach 0.6, then 0.8)"
    )
    pairs = list(zip(ones, twos, strict=True))
    faster = median(one.seconds / two.seconds for one, two in pairs)
    dearer = median(two.cpu / one.cpu for one, two in pairs)
    print(
        f"2 workers against 1, by the clock: {faster:.2f} x (reach 1.7, then 1.9); they take {dearer:.2f} x "
        f"the CPU, so two free cores give {2 / dearer:.2f} x at most"
    )
    growth = max(sum(one.peaks) for one in ones) / sum(small.peaks)
    sizes = f"{small.size / 1e9:.1f} GB against {ones[0].size / 1e9:.1f} GB"
    print(f"peak memory, {sizes}: {growth:.2f} x (reach 1.1)")


def everything(gigabytes: float, rounds: int) -> None:
    rates(rounds)
    formats(rounds)
    threads(3 * rounds)
    with tempfile.TemporaryDirectory() as name:
        if shutil.disk_usage(name).free < 1.2e9 * gigabytes:
            raise SystemExit(f"no room for {gigabytes:.0f} GB in {name}; set TMPDIR")
        generate(Path(name), gigabytes)
        os.sync()  # or it is written while others are measured
        command(Path(name), rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command")
    one = commands.add_parser("all")
    one.add_argument("--gigabytes", type=float, default=5)
    one.add_argument("--rounds", type=int, default=5)
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
        formats(arguments.rounds)
        threads(3 * arguments.rounds)
    elif arguments.command == "generate":
        generate(arguments.folder, arguments.gigabytes)
    elif arguments.command == "run":
        print(f"{arguments.workers} workers, {run([arguments.folder], arguments.workers, more)}")
    else:
        everything(getattr(arguments, "gigabytes", 5), getattr(arguments, "rounds", 5))


if __name__ == "__main__":
    main()
