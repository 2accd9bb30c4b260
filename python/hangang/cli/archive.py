"""`hangang archive`: stored bodies to Parquet, on one core, all of them, or a cluster.

Standard output stays empty: the result is the folder. Progress is shown on a terminal only; what could not
be read is named in any case.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

import click

from hangang._compressed import UnreadableError
from hangang.cli import _app
from hangang.cli._formats import FORMATS
from hangang.cli._terminal import clip, columns, say

__all__ = ["command"]


@click.command("archive", short_help=_app.COMMANDS["archive"].summary)
@click.argument("sources", metavar="SRC...", nargs=-1, required=True)
@click.option("-o", "--out", metavar="DIR", required=True, help="Folder of the tables; created if missing.")
@click.option("--column", default="body", show_default=True, help="Column of the bodies in tables.")
@click.option("--events", is_flag=True, help="One row an event instead of one row a body.")
@click.option(
    "-f",
    "--format",
    "format_name",
    type=click.Choice(["auto", *FORMATS]),
    default="auto",
    show_default=True,
    help="Format of the bodies; auto finds it for each.",
)
@click.option(
    "--workers", type=click.IntRange(1, 1024), help="Processes on this machine.  [default: one a core]"
)
@click.option("--scheduler", metavar="ADDRESS", help="A running Dask scheduler, such as tcp://host:8786.")
@click.option("--resume", is_flag=True, help="Continue in DIR; what is in it is not read again.")
@click.option("--strict", is_flag=True, help="Exit with 1 if a body has a fault.")
@click.option(
    "--max-body-bytes",
    type=click.IntRange(1),
    default=64 * 2**20,
    show_default=True,
    help="Most bytes of a body, decompressed; of a longer one the rest is not read.",
)
@click.option(
    "--max-file-bytes",
    type=click.IntRange(1),
    default=128 * 2**20,
    show_default=True,
    help="A table of the output ends after about this size.",
)
def command(
    sources: tuple[str, ...],
    out: str,
    column: str,
    events: bool,
    format_name: str,
    workers: int | None,
    scheduler: str | None,
    resume: bool,
    strict: bool,
    max_body_bytes: int,
    max_file_bytes: int,
) -> int:
    """Read stored streams into Parquet tables: a row a body with its answer, tokens, errors and faults.

    A SRC is a file, a folder, a glob, or a URL of fsspec (s3://, gs://, https://, ...). Names that end in
    .parquet or .jsonl are tables with a column of bodies; every other file is one body. Of names that end
    in .gz and .zst the content is read.

    A bad body is a row with its fault. Ctrl-C, or a kill, loses nothing: the same command with --resume
    continues.

    Exit code: 0 everything was read, 1 with --strict: bodies have faults, 2 wrong usage, or something that
    cannot be read or written.
    """
    if scheduler is not None and workers is not None:
        raise click.UsageError("--workers is for this machine; with --scheduler its own workers are used")
    if "://" in out:
        raise click.UsageError("--out must be a local folder; copy the tables from there")
    # pyarrow imports numpy, whose library starts threads that nothing here uses; workers inherit this.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Here, for it needs pyarrow, and --help must not.
    from hangang.archive import _run
    from hangang.archive._part import Options

    options = Options(
        out=os.path.abspath(out),
        column=column,
        dialect=None if format_name == "auto" else format_name,
        events=events,
        max_body_bytes=max_body_bytes,
        max_file_bytes=max_file_bytes,
    )
    progress = _Progress(events)
    try:
        if progress.is_shown:
            progress.begin(*_run.measure(sources, options.out))
        manifest = _run.run(
            sources,
            options,
            workers=workers or _run.default_workers(),
            scheduler=scheduler,
            resume=resume,
            on_part=progress.add,
            on_skip=progress.skip,
        )
    except (UnreadableError, _run.ManifestError, _run.SchedulerError) as error:
        progress.clear()
        say(str(error))
        return _app.USAGE
    except KeyboardInterrupt:
        progress.clear()
        say(f"stopped; {progress.counts()} are in {out}. The same command with --resume continues.")
        return _app.INTERRUPTED
    progress.clear()
    if progress.is_shown:
        say(f"{progress.counts()} in {out}")
    if progress.unreadable:
        return _app.USAGE
    if strict and manifest.faults:
        say(f"{_number(manifest.faults, 'body', 'bodies')} with a fault")
        return _app.FAILED
    return _app.OK


class _Progress:
    """A line on the terminal: how far, how fast, how long still."""

    def __init__(self, events: bool) -> None:
        self.is_shown = sys.stderr is not None and sys.stderr.isatty()
        self.unreadable = 0
        self._kind = "event" if events else "body"
        self._total = 0
        self._read = 0
        self._skipped = 0
        self._rows = 0
        self._faults = 0
        self._start = time.monotonic()

    def begin(self, files: int, size: int) -> None:
        self._total = size
        self._start = time.monotonic()
        self._show()

    def skip(self, size: int) -> None:
        self._skipped += size

    def add(self, result: Any) -> None:
        self._read += result.size
        self._rows += result.rows
        self._faults += result.faults
        for name, reason in result.unreadable:
            self.clear()
            say(f"{name}: {reason}")
            self.unreadable += 1
        self._show()

    def counts(self) -> str:
        rows = _number(self._rows, "row")
        return f"{rows}, {_number(self._faults, 'body', 'bodies')} with a fault" if self._faults else rows

    def _show(self) -> None:
        if not self.is_shown:
            return
        elapsed = max(time.monotonic() - self._start, 1e-3)
        rate = self._read / elapsed
        parts = [f"{_size(self._read + self._skipped)} of {_size(self._total)}", self.counts()]
        if self._read:
            left = max(self._total - self._skipped - self._read, 0) / rate
            parts += [f"{_size(rate)}/s", f"{_duration(left)} left"]
        sys.stderr.write(f"\r\x1b[K{clip(', '.join(parts), columns() - 1)}")
        sys.stderr.flush()

    def clear(self) -> None:
        if self.is_shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def _number(count: int, noun: str, plural: str = "") -> str:
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def _size(count: float) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
