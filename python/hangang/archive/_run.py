"""A whole archive: sources to parts, parts to Dask, results to the manifest.

Always true:
- this process plans and commits, workers read and write; at most two parts a thread are under way, so
  memory does not grow with the archive, and a kill loses at most those;
- each part is committed as soon as it is done, whatever the order.

What will bite:
- workers of a scheduler elsewhere open the same paths and write to the same folder: both must be shared;
- `memory://` lives in one process: then the local cluster runs in threads of this one.
"""

from __future__ import annotations

import importlib
import logging
import os
import signal
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from multiprocessing import resource_tracker
from typing import Any

from hangang._compressed import UnreadableError
from hangang.archive._arrow import parquet, pyarrow
from hangang.archive._manifest import Manifest, ManifestError
from hangang.archive._part import Options, Part, PartResult, run_part
from hangang.archive._sources import Source, find_sources, open_source

__all__ = ["ManifestError", "SchedulerError", "measure", "run"]

SMALLEST_PART = 16 * 2**20
LARGEST_PART = 64 * 2**20
FEWEST_FILES = 1024
MOST_FILES = 4096
SPLIT = 128 * 2**20
"""Parquet tables over this size are read by several workers."""


class SchedulerError(Exception):
    """Dask's scheduler cannot be reached, or its workers fail."""


def measure(sources: Sequence[str], out: str) -> tuple[int, int]:
    """How many files there are and their stored bytes; raises UnreadableError."""
    files = size = 0
    for source in find_sources(sources, out):
        files += 1
        size += max(source.size, 0)
    return files, size


def run(
    sources: Sequence[str],
    options: Options,
    *,
    workers: int,
    scheduler: str | None,
    resume: bool,
    on_part: Callable[[PartResult], None],
    on_skip: Callable[[int], None],
) -> Manifest:
    """Read all sources into the folder `options.out`.

    Args:
        workers: processes of the local cluster.
        scheduler: address of a running scheduler instead.
        resume: continue what is in the folder.
        on_part: called with each result, once it is committed.
        on_skip: called with the stored bytes of a source that is in the result already.

    Raises:
        UnreadableError: an argument names nothing, or cannot be listed.
        ManifestError: the folder cannot be used.
        SchedulerError: Dask cannot be used.
        OSError: the folder cannot be written to.
    """
    manifest = Manifest(options, resume=resume)
    with ExitStack() as stack:
        stack.callback(manifest.close)
        parts = _plan(sources, manifest, options, on_skip)
        first = list(islice(parts, 1))  # what is wrong with the arguments is said before a cluster is started
        if not first:
            return manifest
        in_process = any(source.startswith("memory:") for source in sources)
        client, threads = stack.enter_context(_client(workers, scheduler, in_process=in_process))
        _run_parts(client, threads, _chained(first, parts), options, manifest, on_part)
    return manifest


def _chained(first: list[Part], parts: Iterator[Part]) -> Iterator[Part]:
    yield from first
    yield from parts


# --- planning


def _plan(
    sources: Sequence[str], manifest: Manifest, options: Options, on_skip: Callable[[int], None]
) -> Iterator[Part]:
    """Parts with what is not in the result yet. Their size grows with what was planned before: a small
    archive is spread over all workers, a large one does not end in a million small tables.
    """
    number = manifest.next_part
    group: list[Source] = []
    group_size = planned = files = 0
    for source in find_sources(sources, options.out):
        if source.kind == "parquet" and source.size > SPLIT:
            for piece in _split(source, options.column):
                if manifest.is_done(source, piece.row_groups):
                    on_skip(piece.size)
                else:
                    yield Part(number, piece.sources, piece.size, piece.row_groups, piece.first_row)
                    number += 1
            continue
        if manifest.is_done(source):
            on_skip(max(source.size, 0))
            continue
        if source.kind != "capture":
            yield Part(number, (source,), max(source.size, 0))
            number += 1
            continue
        group.append(source)
        group_size += max(source.size, 0)
        largest = min(max(planned // 32, SMALLEST_PART), LARGEST_PART)
        most = min(max(files // 32, FEWEST_FILES), MOST_FILES)
        if group_size >= largest or len(group) >= most:
            yield Part(number, tuple(group), group_size)
            number += 1
            planned += group_size
            files += len(group)
            group, group_size = [], 0
    if group:
        yield Part(number, tuple(group), group_size)


def _split(source: Source, column: str) -> list[Part]:
    """The row groups of a large table, in pieces whose size depends on the table alone."""
    try:
        with open_source(source) as file:
            metadata = parquet().ParquetFile(file).metadata
    except (UnreadableError, pyarrow.ArrowException, OSError):
        return [Part(0, (source,), source.size)]  # reading it will name the error
    pieces: list[Part] = []
    start = first_row = size = row = 0
    for group in range(metadata.num_row_groups):
        described = metadata.row_group(group)
        chunks = [described.column(index) for index in range(described.num_columns)]
        row += described.num_rows
        size += sum(one.total_compressed_size for one in chunks if one.path_in_schema == column)
        if size >= SPLIT // 2 or group == metadata.num_row_groups - 1:
            pieces.append(Part(0, (source,), size, (start, group + 1), first_row))
            start, first_row, size = group + 1, row, 0
    return pieces


# --- Dask


@contextmanager
def _client(workers: int, scheduler: str | None, *, in_process: bool) -> Generator[tuple[Any, int]]:
    """A client of a local cluster, or of a running scheduler, and how many threads its workers have."""
    try:
        dask: Any = importlib.import_module("dask")
        distributed: Any = importlib.import_module("distributed")
    except ModuleNotFoundError as error:
        raise ImportError(
            "hangang archive needs dask and distributed; pip install 'hangang[archive]'"
        ) from error
    settings = {
        # Freed memory stays with the worker, up to this: the next body needs as much again.
        "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": 16 * 2**20,
        # Parts bound their memory themselves; a worker that is paused or killed for its size loses one.
        "distributed.worker.memory.target": False,
        "distributed.worker.memory.spill": False,
        "distributed.worker.memory.pause": False,
        "distributed.worker.memory.terminate": False,
        # Dask's own records of what ran: they take time and memory, and nobody reads them here.
        "distributed.worker.profile.enabled": False,
        "distributed.admin.low-level-log-length": 100,
        "distributed.comm.timeouts.connect": "10s",
    }
    for name in ("distributed", "tornado", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with ExitStack() as stack:
        stack.enter_context(dask.config.set(settings))
        if scheduler is None:
            with _interrupts_held():
                cluster = distributed.LocalCluster(
                    n_workers=1 if in_process else workers,
                    threads_per_worker=workers if in_process else 1,
                    processes=not in_process,
                    memory_limit=0,
                    dashboard_address="127.0.0.1:0",  # there is no way to have none
                    silence_logs=logging.CRITICAL,
                )
            stack.enter_context(cluster)
            address: Any = cluster
        else:
            address = scheduler
        try:
            client = distributed.Client(address, set_as_default=False, timeout="10s")
        except (OSError, TimeoutError, ValueError) as error:
            raise SchedulerError(f"no scheduler at {scheduler}: {_first_line(error)}") from error
        stack.callback(client.close, timeout=2)
        threads = sum(client.nthreads().values()) if scheduler is not None else workers
        yield client, max(threads, 1)


@contextmanager
def _interrupts_held() -> Generator[None]:
    """Hold Ctrl-C back. A terminal sends it to all processes; those that start here inherit the mask and
    never see it, so that only this one reacts, and ends them.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    # Its first use unblocks the signal in the thread that starts it.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _run_parts(
    client: Any,
    threads: int,
    parts: Iterator[Part],
    options: Options,
    manifest: Manifest,
    on_part: Callable[[PartResult], None],
) -> None:
    distributed: Any = importlib.import_module("distributed")
    under_way: dict[Any, Part] = {}
    finished = distributed.as_completed(loop=client.loop)

    def submit(count: int) -> None:
        for part in islice(parts, count):
            future = client.submit(run_part, part, options, pure=False)
            under_way[future.key] = part
            finished.add(future)

    submit(2 * threads)
    for future in finished:
        part = under_way.pop(future.key)
        try:
            result = future.result()
        except distributed.KilledWorker as error:
            raise SchedulerError(f"workers die while they read {part.sources[0].name}: {error}") from error
        except distributed.CancelledError as error:
            raise SchedulerError("the scheduler has gone") from error
        future.release()
        try:
            manifest.commit(part, result)
        except FileNotFoundError as error:
            raise SchedulerError(
                f"a worker's table is not in {options.out}: do the workers share this folder?"
            ) from error
        on_part(result)
        submit(1)


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def default_workers() -> int:
    """The processors that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        return os.cpu_count() or 1
