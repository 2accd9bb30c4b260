"""`hangang decode`: captures, or standard input, to text or JSON lines, in constant memory.

On bad input, everything that was complete is written first; then one line on standard error names the error
and its offset, and the exit code gives its kind (see `_app`).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, cast

import click

from hangang import (
    Malformed,
    ParseError,
    TruncatedStreamError,
    UnrecognizedStreamError,
    a2a,
    clova,
    exaone,
    openai,
)
from hangang._completion import Fold
from hangang.cli import _app
from hangang.cli._formats import FORMATS, Detector, Event, Format, Parser, look
from hangang.cli._live import Live
from hangang.cli._sources import CompressedDataError, UnreadableError, find, reading
from hangang.cli._terminal import Output, readable, say, visible

__all__ = ["ERRORS", "command"]

ERRORS = (clova.Error, exaone.Error, openai.Error, a2a.Error)

Mode = Literal["text", "json", "summary"]


@dataclass(frozen=True)
class _Options:
    format: Format | None
    mode: Mode
    thinking: bool
    quiet: bool
    max_frame_bytes: int
    max_depth: int
    errors: Literal["strict", "report"]
    end: Literal["state", "last_chunk"]
    chunk_size: int

    def parser(self, format: Format) -> Parser:
        size, depth, errors = self.max_frame_bytes, self.max_depth, self.errors
        match format:
            case "clova":
                return clova.StreamParser(max_frame_bytes=size, max_depth=depth, errors=errors)
            case "exaone":
                return exaone.StreamParser(max_frame_bytes=size, max_depth=depth, errors=errors)
            case "openai":
                return openai.StreamParser(max_frame_bytes=size, max_depth=depth, errors=errors)
            case "a2a":
                return a2a.StreamParser(max_frame_bytes=size, max_depth=depth, errors=errors, end=self.end)


@click.command("decode", short_help=_app.COMMANDS["decode"].summary)
@click.argument("files", metavar="[FILE|DIR|-]...", nargs=-1, required=True)
@click.option(
    "-f",
    "--format",
    "format_name",
    type=click.Choice(["auto", *FORMATS]),
    default="auto",
    show_default=True,
    help="The service's format; auto finds it in the first 1,024 bytes.",
)
@click.option("--json", "as_json", is_flag=True, help="One event a line, as JSON.")
@click.option("--summary", is_flag=True, help="One stream a line, as JSON.")
@click.option("--thinking", is_flag=True, help="Show the thinking too, before the text that follows it.")
@click.option(
    "-q", "--quiet", is_flag=True, help="Do not report how each stream ended; errors are still reported."
)
@click.option(
    "--max-frame-bytes",
    type=click.IntRange(1),
    default=16 * 2**20,
    metavar="N",
    help="Longest frame that is accepted.  [default: 16 MiB]",
)
@click.option(
    "--max-depth",
    type=click.IntRange(1, 300),
    default=128,
    show_default=True,
    metavar="N",
    help="Deepest nesting that is accepted.",
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
    type=click.IntRange(1),
    default=64 * 1024,
    metavar="N",
    help="Most bytes read at once.  [default: 64 KiB]",
)
def command(
    files: tuple[str, ...],
    format_name: Literal["auto"] | Format,
    as_json: bool,
    summary: bool,
    thinking: bool,
    quiet: bool,
    max_frame_bytes: int,
    max_depth: int,
    errors: Literal["strict", "report"],
    end: Literal["state", "last_chunk"],
    chunk_size: int,
) -> int:
    """Decode captures to the text of the answer, or to JSON lines.

    A FILE of - is standard input. Files named .gz and .zst are decompressed. Of a DIR, the captures
    at any depth are read: .sse, .json, .jsonl, .ndjson, .jsonstream, .stream and .capture.

    For a whole archive, as tables: hangang archive.

    Text is written as it arrives. Of several files, a line before each text names the file.

    Exit code: 0 all complete, 1 a stream reported an error, 2 wrong usage, or a file that cannot be read,
    3 truncated, 4 malformed, unrecognized or over a limit.
    """
    if as_json and summary:
        raise click.UsageError("--json and --summary exclude each other")
    if thinking and (as_json or summary):
        raise click.UsageError("--thinking is for text; --json and --summary have the thinking anyway")
    mode: Mode = "json" if as_json else "summary" if summary else "text"
    format = None if format_name == "auto" else format_name
    limit = min(max_frame_bytes, 2**62)
    size = min(chunk_size, 2**30)
    options = _Options(format, mode, thinking, quiet, limit, max_depth, errors, end, size)
    output = Output(json=mode != "text")
    is_named = mode == "text" and (len(files) != 1 or os.path.isdir(files[0]))
    is_first = True
    code = _app.OK
    for given in files:
        for path, problem in find(given):
            name = readable(path)
            try:
                if problem is not None:
                    raise UnreadableError(problem)
                with reading(path, size) as chunks:
                    if is_named:
                        output.write(f"{'' if is_first else chr(10)}==> {visible(name)} <==\n")
                        is_first = False
                    code = max(code, _Decoding(name, options, output).run(chunks))
            except UnreadableError as error:
                output.end_line()
                say(f"{name}: {error}")
                code = max(code, _app.USAGE)
    return code


class _Decoding:
    """One stream: its parser, what was shown of it, and how it ended."""

    def __init__(self, name: str, options: _Options, output: Output) -> None:
        self._name = name
        self._options = options
        self._output = output
        self._format = options.format
        self._parser = None if options.format is None else options.parser(options.format)
        self._detector = Detector()
        self._held: list[bytes] = []  # the chunks received before the format was known
        self._probe: Parser | None = None  # reads a stream of no known format: see _close
        self._live = Live(output, titles=True) if options.thinking else None
        self._fold = Fold() if options.mode == "summary" else None
        self._unwritten: list[str] = []
        self._pieces: list[tuple[bool, str]] = []  # with --thinking: (is thinking, text)
        self._size = 0
        self._events = 0
        self._malformed = 0
        self._first_malformed: ParseError | None = None
        self._error: Any = None  # the first error event
        self._state = ""  # of an A2A task
        self._status_message: str | None = None
        self._completed_message: str | None = None
        # The last event whose text was written. Some dialects repeat the whole answer at the end; this shows
        # whether it is new.
        self._written: Event | None = None
        self._wrote_any = False

    def run(self, chunks: Iterable[bytes]) -> int:
        """Decode the stream to its end and return the exit code."""
        fault: ParseError | None = None
        damage: CompressedDataError | None = None
        is_ended = False
        try:
            for chunk in chunks:
                self._size += len(chunk)
                self._feed(chunk)
            self._close()
            is_ended = True
        except ParseError as error:
            fault = error
            self._show(cast("list[Any]", error.events))
        except CompressedDataError as error:
            damage = error
            try:
                self._close()
                is_ended = True
            except ParseError as inner:
                self._show(cast("list[Any]", inner.events))
        self._show_last_message()
        if self._options.mode == "summary":
            self._write_summary(fault, damage, is_ended)
        self._output.end_line()
        if fault is not None:
            say(f"{self._name}: {self._message(fault)}")
            return _app.TRUNCATED if isinstance(fault, TruncatedStreamError) else _app.BAD_INPUT
        if damage is not None:
            say(f"{self._name}: {damage}")
            return _app.TRUNCATED if damage.is_cut else _app.BAD_INPUT
        if not self._options.quiet:
            counts = f"{self._format}, {_count(self._events, 'event')}, {_count(self._size, 'byte')}"
            say(f"{self._name}: {self._ending()} ({counts})")
        if self._malformed:
            return _app.BAD_INPUT
        return _app.FAILED if self._has_failed() else _app.OK

    # The stream

    def _feed(self, chunk: bytes) -> None:
        if self._parser is not None:
            self._show(self._parser.feed(chunk))
            return
        if self._detector.is_done():
            self._examine([chunk])
            return
        self._held.append(chunk)
        self._format = self._detector.feed(chunk)
        if self._format is not None:
            self._parser = self._options.parser(self._format)
            held, self._held = self._held, []
            for early in held:
                self._show(self._parser.feed(early))
        elif self._detector.is_done():
            self._probe = self._options.parser("openai")
            self._examine(self._held)
            self._held.clear()

    def _examine(self, chunks: Iterable[bytes]) -> None:
        """Read on in a stream of no known format; nothing of it is shown."""
        try:
            for chunk in chunks:
                if self._probe is not None:
                    self._probe.feed(chunk)
        except ParseError:
            self._probe = None

    def _close(self) -> None:
        if self._parser is not None:
            self._show(self._parser.close())
            return
        # A stream that ends before its first frame does is truncated, whatever its format. The parsers agree
        # on that, so any one will do.
        if not self._detector.is_done():
            self._probe = self._options.parser("openai")
            self._examine(self._held)
        if self._probe is not None:
            try:
                self._probe.close()
            except TruncatedStreamError:
                raise TruncatedStreamError(
                    f"stream truncated at byte {self._size}: expected an event, found the end of the stream",
                    offset=self._size,
                ) from None
            except ParseError:
                pass
        prefix = self._detector.prefix
        raise UnrecognizedStreamError(
            f"stream not recognized at byte {self._size}: "
            f"expected {', '.join(FORMATS[:-1])} or {FORMATS[-1]} events, found {look(prefix)}",
            offset=self._size,
        )

    # Events

    def _show(self, events: Iterable[Event]) -> None:
        mode = self._options.mode
        if self._fold is not None:
            events = list(events)
            self._fold.extend(events)
        for event in events:
            if mode == "json":
                row = {"source": self._name, "sequence": self._events, **event.to_dict()}
                row["dialect"] = self._format  # a Malformed belongs to none by itself
                self._unwritten.append(_encode(row) + "\n")
            self._events += 1
            if self._live is not None and event.thinking:
                self._pieces.append((True, event.thinking))
            if text := event.text:
                self._put(text)
                self._written = event
            else:
                self._note(event)
        self._write()

    def _put(self, text: str) -> None:
        """Text of the answer."""
        if self._options.mode != "text":
            return
        self._wrote_any = self._wrote_any or text != ""
        if self._live is not None:
            self._pieces.append((False, text))
        else:
            self._unwritten.append(text)

    def _write(self) -> None:
        """Write the output of the last chunk at once: one write a chunk, however many events it has."""
        if self._live is not None:
            for is_thinking, text in _joined(self._pieces):
                (self._live.thinking if is_thinking else self._live.text)(text)
            self._pieces.clear()
            return
        self._output.write("".join(self._unwritten))
        self._unwritten.clear()
        self._output.flush()

    def _note(self, event: Event) -> None:
        """Handle an event without answer text: an error, a state, or the whole answer without deltas."""
        if isinstance(event, Malformed):
            self._malformed += 1
            self._first_malformed = self._first_malformed or event.error
            if self._options.mode == "text":
                self._write()
                self._output.end_line()
                say(f"{self._name}: {self._message(event.error)}")
        elif isinstance(event, ERRORS):
            self._error = self._error or event
        elif isinstance(event, clova.Result):
            if self._written is None:
                if self._live is not None and event.thinking_content:
                    self._pieces.append((True, event.thinking_content))
                self._put(event.content)
            self._written = None
        elif isinstance(event, (a2a.Task, a2a.StatusUpdate)):
            self._note_task(event)

    def _note_task(self, event: a2a.Task | a2a.StatusUpdate) -> None:
        message: str | None = getattr(event, "message", None)
        if event.state or message is not None:
            self._state = event.state or self._state
            self._status_message = message
            if message and event.state == "completed":
                self._completed_message = message
        if isinstance(event, a2a.Task) and event.content:
            last = self._written
            known = last.id if isinstance(last, a2a.Task) else getattr(last, "task_id", None)
            if last is None or known != event.id:
                self._put(event.content)
                self._written = event

    def _show_last_message(self) -> None:
        """An A2A answer that is only in the message of the completed status."""
        if self._completed_message and not self._wrote_any:
            self._put(self._completed_message)
            self._write()

    # The end

    def _has_failed(self) -> bool:
        return self._error is not None or self._state in _app.TASK_FAILURES

    def _ending(self) -> str:
        if self._error is not None:
            ending = how_it_failed(self._error)
        elif self._state in _app.TASK_FAILURES:
            ending = "the task failed" if self._state == "failed" else f"the task was {self._state}"
        elif self._state in _app.TASK_INTERRUPTIONS:
            ending = f"complete, the task is {self._state}"
        else:
            ending = "complete"
            if self._options.mode == "text" and not self._wrote_any:
                ending += ", no text; --summary shows the rest"
        if (
            self._error is None
            and self._status_message
            and self._state in _app.TASK_FAILURES + _app.TASK_INTERRUPTIONS
        ):
            ending += f": {self._status_message}"
        return ending + (f", {_count(self._malformed, 'malformed frame')}" if self._malformed else "")

    def _message(self, fault: ParseError) -> str:
        """An error of the parser in terms of the command line."""
        text = str(fault).replace("raise max_frame_bytes", "raise --max-frame-bytes")
        text = text.replace("raise max_depth", "raise --max-depth")
        is_unknown = isinstance(fault, UnrecognizedStreamError) and text.endswith("nothing of the kind")
        if is_unknown and self._options.format is None:
            text += "; --format chooses one"
        text = re.sub(r"a stream of hangang\.(\w+)$", r"a stream of \1; try --format \1", text)
        return f"{type(fault).__name__}: {text}"

    def _write_summary(
        self, fault: ParseError | None, damage: CompressedDataError | None, is_ended: bool
    ) -> None:
        assert self._fold is not None
        answer = self._fold.completion()
        name, offset = _name_of(fault or damage or self._first_malformed, self._size)
        error = None
        if answer.error is not None:
            error = {"code": answer.error.code, "message": answer.error.message}
        elif self._state in _app.TASK_FAILURES:
            error = {"code": self._state, "message": answer.status_message}
        row = {
            "source": self._name,
            "dialect": self._format,
            "text": answer.text,
            "thinking": answer.thinking,
            "finish_reason": answer.finish_reason,
            "usage": None if answer.usage is None else answer.usage.to_dict(),
            "tool_calls": [call.to_dict() for call in answer.tool_calls],
            "error": error,
            "ended": is_ended,
            "fault": name,
            "fault_offset": offset,
            "events": self._events,
            "bytes": self._size,
        }
        self._output.write(_encode(row) + "\n")
        self._output.flush()


def _name_of(fault: ParseError | CompressedDataError | None, size: int) -> tuple[str | None, int | None]:
    """The class and the offset of a fault; for a damaged file, how much of the stream was read."""
    if fault is None:
        return None, None
    if isinstance(fault, CompressedDataError):
        return "TruncatedStreamError" if fault.is_cut else "CompressedDataError", size
    return type(fault).__name__, fault.offset


def how_it_failed(error: Any) -> str:
    """`failed with CODE: MESSAGE` for an error event."""
    code = "no code" if error.code is None else error.code
    return f"failed with {code}: {error.message}" if error.message else f"failed with {code}"


def _joined(pieces: list[tuple[bool, str]]) -> list[tuple[bool, str]]:
    """Neighbours of one kind as one piece."""
    found: list[tuple[bool, list[str]]] = []
    for is_thinking, text in pieces:
        if not found or found[-1][0] != is_thinking:
            found.append((is_thinking, []))
        found[-1][1].append(text)
    return [(is_thinking, "".join(texts)) for is_thinking, texts in found]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
