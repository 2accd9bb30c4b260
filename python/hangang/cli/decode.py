"""`hangang decode`: stream files, or standard input, to text or JSON lines, in constant memory.

On bad input, everything that was complete is written first; then one line on standard error names the error
and its offset, and the exit code gives its kind (see `_app`).
"""

from __future__ import annotations

import io
import json
import math
import sys
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import click

from hangang import Malformed, ParseError, TruncatedStreamError, a2a, clova, exaone, openai
from hangang.cli import _app
from hangang.cli._formats import FORMATS, Detector, Event, Format, Parser
from hangang.cli._terminal import Output, say

__all__ = ["ERRORS", "command", "how_it_failed", "to_json"]

ERRORS = (clova.Error, exaone.Error, openai.Error, a2a.Error)
_TASK_FAILURES = ("failed", "rejected")


@dataclass(frozen=True)
class _Options:
    format: Format | None
    as_json: bool
    quiet: bool
    max_frame_bytes: int
    errors: Literal["strict", "report"]
    end: Literal["state", "last_chunk"]
    chunk_size: int

    def parser(self, format: Format) -> Parser:
        limits = {"max_frame_bytes": self.max_frame_bytes}
        match format:
            case "clova":
                return clova.StreamParser(errors=self.errors, **limits)
            case "exaone":
                return exaone.StreamParser(errors=self.errors, **limits)
            case "openai":
                return openai.StreamParser(errors=self.errors, **limits)
            case "a2a":
                return a2a.StreamParser(errors=self.errors, end=self.end, **limits)


@click.command("decode", short_help=_app.COMMANDS["decode"].summary)
@click.argument("files", metavar="FILE...|-", nargs=-1, required=True)
@click.option(
    "-f",
    "--format",
    "format_name",
    type=click.Choice(["auto", *FORMATS]),
    default="auto",
    show_default=True,
    help="The service's format; auto finds it out from the first bytes.",
)
@click.option("--json", "as_json", is_flag=True, help="One event a line, as JSON.")
@click.option(
    "-q", "--quiet", is_flag=True, help="Do not report how each stream ended; errors are still reported."
)
@click.option(
    "--max-frame-bytes",
    type=click.IntRange(1, 2**62),
    default=16 * 2**20,
    metavar="N",
    help="Longest frame that is accepted.  [default: 16 MiB]",
)
@click.option(
    "--errors",
    type=click.Choice(["strict", "report"]),
    default="strict",
    show_default=True,
    help="What a malformed frame does: end the stream, or be reported and skipped.",
)
@click.option(
    "--end",
    type=click.Choice(["state", "last_chunk"]),
    default="state",
    show_default=True,
    help="What ends an A2A stream: a last state, or also an artifact's last chunk.",
)
@click.option(
    "--chunk-size",
    type=click.IntRange(1, 2**30),
    default=64 * 1024,
    metavar="N",
    help="Most bytes read at once.  [default: 64 KiB]",
)
def command(
    files: tuple[str, ...],
    format_name: Literal["auto"] | Format,
    as_json: bool,
    quiet: bool,
    max_frame_bytes: int,
    errors: Literal["strict", "report"],
    end: Literal["state", "last_chunk"],
    chunk_size: int,
) -> int:
    """Decode stream files to the text of the answer, or with --json to one event a line.

    A FILE of - is standard input. The text comes as the bytes do.

    Exit code: 0 all complete, 1 a stream reported an error, 2 wrong usage or a file that cannot be read,
    3 truncated, 4 malformed or over a limit.
    """
    format = None if format_name == "auto" else format_name
    options = _Options(format, as_json, quiet, max_frame_bytes, errors, end, chunk_size)
    output = Output(json=as_json)
    code = _app.OK
    for name in files:
        try:
            with _opened(name) as file:
                code = max(code, _Decoding(name, options, output).run(_chunks(file, chunk_size)))
        except _UnreadableError as error:
            output.end_line()
            say(f"{name}: {error}")
            code = max(code, _app.USAGE)
    return code


class _UnreadableError(Exception):
    """An input that cannot be opened or read. Not an OSError: in this module that means the output failed."""


@contextmanager
def _opened(name: str) -> Generator[io.RawIOBase]:
    # Unbuffered: a read returns what a pipe has, and does not wait for more.
    try:
        if name != "-":
            file = open(name, "rb", buffering=0)  # noqa: SIM115
        elif sys.stdin is None:
            raise _UnreadableError("standard input is closed")
        else:
            file = open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)  # noqa: SIM115
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL
        raise _UnreadableError(_reason(error)) from error
    with file:
        yield file


def _chunks(file: io.RawIOBase, size: int) -> Iterator[bytes]:
    while True:
        try:
            chunk = file.read(size)
        except OSError as error:
            raise _UnreadableError(_reason(error)) from error
        if chunk is None:  # a pipe that another process made non-blocking has nothing at the moment
            time.sleep(0.01)
        elif chunk:
            yield chunk
        else:
            return


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


class _Decoding:
    """One stream: its parser, what was shown of it, and how it ended."""

    def __init__(self, name: str, options: _Options, output: Output) -> None:
        self._name = name
        self._options = options
        self._output = output
        self._unwritten: list[str] = []
        self._events = 0
        self._malformed = 0
        self._failure: str | None = None
        self._guess = ""  # added to messages if the format is a guess
        # The last event whose text was written. Some dialects repeat the whole answer at the end; this shows
        # whether it is new.
        self._written: Event | None = None

    def run(self, chunks: Iterable[bytes]) -> int:
        """Decode the stream to its end and return the exit code."""
        options = self._options
        format = options.format
        parser = None if format is None else options.parser(format)
        detector = Detector()
        held: list[bytes] = []  # the chunks received before the format was known
        size = 0
        try:
            for chunk in chunks:
                size += len(chunk)
                if parser is not None:
                    self._show(parser.feed(chunk))
                    continue
                held.append(chunk)
                format = detector.feed(chunk)
                if format is not None:
                    parser = self._begin(format, detector, held)
            if parser is None:
                format = detector.close()
                parser = self._begin(format, detector, held)
            self._show(parser.close())
        except ParseError as error:
            self._show(error.events)
            self._output.end_line()
            say(f"{self._name}: {_fault(error)}{self._guess}")
            return _app.TRUNCATED if isinstance(error, TruncatedStreamError) else _app.BAD_INPUT
        self._output.end_line()
        if not options.quiet:
            counts = f"{format}, {_count(self._events, 'event')}, {_count(size, 'byte')}"
            say(f"{self._name}: {self._ending()} ({counts}){self._guess}")
        if self._malformed:
            return _app.BAD_INPUT
        return _app.OK if self._failure is None else _app.FAILED

    def _begin(self, format: Format, detector: Detector, held: list[bytes]) -> Parser:
        if detector.guessed:
            self._guess = f"; no known format, read as {format} (--format chooses)"
        parser = self._options.parser(format)
        for chunk in held:
            self._show(parser.feed(chunk))
        held.clear()
        return parser

    def _show(self, events: Iterable[Event]) -> None:
        as_json = self._options.as_json
        put = self._unwritten.append
        for event in events:
            self._events += 1
            if as_json:
                put(to_json(event) + "\n")
            text = event.text
            if text:
                if not as_json:
                    put(text)
                self._written = event
            else:
                self._note(event)
        self._write()

    def _write(self) -> None:
        """Write the output of the last chunk at once: one write a chunk, however many events it has."""
        self._output.write("".join(self._unwritten))
        self._unwritten.clear()
        self._output.flush()

    def _note(self, event: Event) -> None:
        """Handle an event without answer text: an error, or the whole answer if no delta came before it."""
        if isinstance(event, Malformed):
            self._malformed += 1
            if not self._options.as_json:
                self._write()
                self._output.end_line()
                say(f"{self._name}: {_fault(event.error)}")
            return
        failure = how_it_failed(event)
        if failure is not None:
            self._failure = failure
        if self._options.as_json:
            return
        if isinstance(event, clova.Result):
            if self._written is None:
                self._unwritten.append(event.content)
            self._written = None
        elif isinstance(event, a2a.Task) and event.content:
            last = self._written
            known = last.id if isinstance(last, a2a.Task) else getattr(last, "task_id", None)
            if last is None or known != event.id:
                self._unwritten.append(event.content)
                self._written = event

    def _ending(self) -> str:
        ending = "complete" if self._failure is None else self._failure
        return ending + (f", {_count(self._malformed, 'malformed frame')}" if self._malformed else "")


def how_it_failed(event: Event) -> str | None:
    """`failed with CODE: MESSAGE` for an event that makes the stream a failed one, else None."""
    if isinstance(event, ERRORS):
        code = "no code" if event.code is None else event.code
        return f"failed with {code}: {event.message}" if event.message else f"failed with {code}"
    if isinstance(event, (a2a.StatusUpdate, a2a.Task)) and event.state in _TASK_FAILURES:
        return f"failed with state {event.state}"
    return None


def _fault(error: ParseError) -> str:
    return f"{type(error).__name__}: {error}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


# --- JSON lines


def to_json(event: Event) -> str:
    """One line of JSON: the class's name as `type`, then the fields in the contract's order.

    A field that is itself called `type` (OpenAI's Error) becomes `error_type`. A number that JSON cannot
    represent becomes null.
    """
    line = {"type": type(event).__name__}
    for name in event.__match_args__:
        line["error_type" if name == "type" else name] = getattr(event, name)
    try:
        return _encode(line)
    except ValueError:
        return _encode(_finite(line))


def _members(value: Any) -> Any:
    """Values that the JSON encoder does not support: shared values, errors, raw bytes."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, ParseError):
        return {"type": type(value).__name__, "message": str(value), "offset": value.offset}
    return {name: getattr(value, name) for name in value.__match_args__}


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _finite(member) for name, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=_members).encode
