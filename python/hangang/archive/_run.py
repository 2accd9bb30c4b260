"""A whole archive: sources to parts, parts to workers, results to the manifest.

Always true:
- this process plans and commits, workers read and write; at most two parts a worker are under way, so
  memory does not grow with the archive, and a kill loses at most those;
- each part is committed as soon as it is done, whatever the order;
- workers are an `Executor`: this process itself, processes of this machine, or those of a Dask scheduler.

What will bite:
- workers of a scheduler elsewhere open the same paths and write to the same folder: both must be shared;
- `memory://` lives in one process: then the workers are threads of this one.
"""

from __future__ import annotations

import importlib
import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from itertools import chain, islice
from multiprocessing import resource_tracker
from typing import Any

from hangang._compressed import UnreadableError
from hangang.archive._arrow import parquet, pyarrow
from hangang.archive._manifest import Manifest, ManifestError
from hangang.archive._part import Options, Part, PartResult, line_pieces, run_part
from hangang.archive._sources import Source, find_sources, is_remote, open_source

__all__ = ["ManifestError", "SchedulerError", "measure", "run"]

PART_BYTES = 128 * 2**20
PART_FILES = 2048
"""How much a part holds: a tenth of a second of work or more, beside which its table costs little. The same
from the first part to the last, and so is the memory that it takes.
"""
EXPANSION = 8
"""What a compressed byte counts for."""
SPLIT = 128 * 2**20
"""Tables over this size are read in pieces of half of it."""


class SchedulerError(Exception):
    """Dask's scheduler cannot be reached, or workers fail."""


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
        workers: processes of this machine; 1: this one.
        scheduler: address of a running Dask scheduler instead.
        resume: continue what is in the folder.
        on_part: called with each result, once it is committed.
        on_skip: called with the stored bytes of a source that is in the result already.

    Raises:
        UnreadableError: an argument names nothing, or cannot be listed.
        ManifestError: the folder cannot be used.
        SchedulerError: the workers cannot be used, or end.
        OSError: the folder cannot be written to.
    """
    manifest = Manifest(options, resume=resume)
    with ExitStack() as stack:
        stack.callback(manifest.close)
        parts = _plan(sources, manifest, options, on_skip)
        first = list(islice(parts, 2))  # what is wrong with the arguments is said before workers are started
        if not first:
            return manifest
        if len(first) == 1:
            workers = 1
        in_process = any(source.startswith("memory:") for source in sources)
        executor, most = stack.enter_context(_executor(workers, scheduler, in_process=in_process))
        _run_parts(executor, most, chain(first, parts), options, manifest, on_part)
    return manifest


# --- planning


def _plan(
    sources: Sequence[str], manifest: Manifest, options: Options, on_skip: Callable[[int], None]
) -> Iterator[Part]:
    """Parts with what is not in the result yet."""
    number = manifest.next_part
    group: list[Source] = []
    size = weight = 0
    for source in find_sources(sources, options.out):
        if manifest.is_done(source):
            on_skip(max(source.size, 0))
            continue
        if source.size > SPLIT and (pieces := _split(source, options)):
            for piece in pieces:
                if manifest.is_done(source, piece.piece):
                    on_skip(piece.size)
                else:
                    yield replace(piece, number=number)
                    number += 1
            continue
        group.append(source)
        stored = max(source.size, 0)
        size += stored
        weight += stored * EXPANSION if source.is_compressed else stored
        if weight >= PART_BYTES or len(group) >= PART_FILES:
            yield Part(number, tuple(group), size)
            number += 1
            group, size, weight = [], 0, 0
    if group:
        yield Part(number, tuple(group), size)


def _split(source: Source, options: Options) -> Iterator[Part] | None:
    """A large table in pieces whose size depends on the table alone; None if it is not read in pieces."""
    try:
        if source.kind == "parquet":
            return iter(_split_parquet(source, options.column))
        if source.kind == "jsonl" and not source.is_compressed and not is_remote(source.path):
            pieces = _split_lines(source, options)
            first = next(pieces)  # finds out whether it can be read
            return chain([first], pieces)
    except (UnreadableError, pyarrow.ArrowException, OSError):
        pass  # reading it will name the error
    return None


def _split_parquet(source: Source, column: str) -> list[Part]:
    with open_source(source) as file:
        metadata = parquet().ParquetFile(file).metadata
    pieces: list[Part] = []
    start = first_row = size = row = 0
    for group in range(metadata.num_row_groups):
        described = metadata.row_group(group)
        chunks = [described.column(index) for index in range(described.num_columns)]
        row += described.num_rows
        size += sum(one.total_compressed_size for one in chunks if one.path_in_schema == column)
        if size >= SPLIT // 2 or group == metadata.num_row_groups - 1:
            pieces.append(Part(0, (source,), size, row_groups=(start, group + 1), first_row=first_row))
            start, first_row, size = group + 1, row, 0
    return pieces


def _split_lines(source: Source, options: Options) -> Iterator[Part]:
    pieces = line_pieces(source, options.column, options.max_body_bytes, SPLIT // 2)
    end = row = 0
    try:
        for start, end, row in pieces:
            yield Part(0, (source,), end - start, byte_range=(start, end), first_row=row)
    except UnreadableError:
        if not end:
            raise
        # The rest, whose reading will name the error.
        yield Part(0, (source,), 0, byte_range=(end, max(end + 1, source.size)), first_row=row)


# --- where parts are read


@contextmanager
def _executor(workers: int, scheduler: str | None, *, in_process: bool) -> Generator[tuple[Executor, int]]:
    """What runs the parts, and how many may be under way."""
    with ExitStack() as stack:
        if scheduler is not None:
            executor, threads = stack.enter_context(_cluster(scheduler))
            yield executor, 2 * threads
        elif in_process:
            pool = ThreadPoolExecutor(workers)
            stack.callback(pool.shutdown, cancel_futures=True)
            yield pool, 2 * workers
        elif workers == 1:
            yield _Here(), 1
        else:
            yield stack.enter_context(_processes(workers)), 2 * workers


class _Here(Executor):
    """Runs a part at once: a single worker needs no process of its own, which takes time to start."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class _Processes(ProcessPoolExecutor):
    """Processes of this machine, which are started by `submit`."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        with _interrupts_held():
            return super().submit(fn, *args, **kwargs)


@contextmanager
def _processes(workers: int) -> Generator[Executor]:
    """Worker processes, which end with this one, however it ends."""
    context = multiprocessing.get_context("spawn")
    alive, held = context.Pipe(duplex=False)
    if sys.platform == "win32":
        workers = min(workers, 61)  # more cannot be waited for
    executor = _Processes(workers, context, initializer=_begin_worker, initargs=(alive,))
    try:
        yield executor
    except BaseException:
        held.close()  # they end at once, in the middle of their parts
        raise
    finally:
        executor.shutdown(cancel_futures=True)
        alive.close()
        held.close()


def _begin_worker(alive: Any) -> None:
    threading.Thread(target=_end_with_parent, args=(alive,), daemon=True).start()


def _end_with_parent(alive: Any) -> None:
    # Nothing is ever sent: this returns when the other end is closed, by the parent or with it.
    with suppress(EOFError, OSError):
        alive.recv_bytes()
    os._exit(1)


@contextmanager
def _cluster(scheduler: str) -> Generator[tuple[Executor, int]]:
    """The workers of a running Dask scheduler, and how many threads they have."""
    try:
        dask: Any = importlib.import_module("dask")
        distributed: Any = importlib.import_module("distributed")
    except ModuleNotFoundError as error:
        raise ImportError("--scheduler needs dask and distributed; pip install 'hangang[archive]'") from error
    for name in ("distributed", "distributed.client", "tornado", "tornado.application", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with dask.config.set({"distributed.comm.timeouts.connect": "10s"}):
        try:
            client = distributed.Client(scheduler, set_as_default=False, timeout="10s")
        except (OSError, TimeoutError, ValueError) as error:
            raise SchedulerError(f"no scheduler at {scheduler}: {_first_line(error)}") from error
        try:
            # Not pure: a part that was read may have been lost with its table.
            yield client.get_executor(pure=False), max(sum(client.nthreads().values()), 1)
        finally:
            client.close(timeout=2)


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
    executor: Executor,
    most: int,
    parts: Iterator[Part],
    options: Options,
    manifest: Manifest,
    on_part: Callable[[PartResult], None],
) -> None:
    under_way: dict[Future[PartResult], Part] = {}

    def submit(count: int) -> None:
        for part in islice(parts, count):
            under_way[executor.submit(run_part, part, options)] = part

    submit(most)
    while under_way:
        done, _ = wait(under_way, return_when=FIRST_COMPLETED)
        for future in done:
            part = under_way.pop(future)
            result = _result(future, part)
            if most > 1:
                submit(1)  # first, so that no worker waits for the disk
            try:
                manifest.commit(part, result)
            except FileNotFoundError as error:
                raise SchedulerError(
                    f"a worker's table is not in {options.out}: do the workers share this folder?"
                ) from error
            on_part(result)
            if most == 1:
                submit(1)


def _result(future: Future[PartResult], part: Part) -> PartResult:
    try:
        return future.result()
    except CancelledError as error:
        raise SchedulerError("the scheduler has gone") from error
    except BrokenExecutor as error:
        raise SchedulerError(
            "a worker process has ended, perhaps for want of memory; --resume continues"
        ) from error
    except Exception as error:
        if type(error).__name__ != "KilledWorker":  # of Dask, which may not be installed
            raise
        raise SchedulerError(f"workers die while they read {part.sources[0].name}: {error}") from error


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def default_workers() -> int:
    """The processors that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        return os.cpu_count() or 1
