"""One part of an archive: what a worker does. Reads its sources and writes tables under temporary names.

Always true:
- a part is a function of its sources and options: run again, it writes the same rows;
- a source is read whole or not at all. One that cannot be read adds no row and is returned with the reason;
- memory is bounded, whatever the size of a file: by the limit of a body, a block of a table, and a group of
  rows.

What will bite:
- a worker only ever writes temporary names, which no one else reads. Renaming is for the process that
  commits the part: a worker that outlives it can leave rubbish, but no rows;
- a body over the limit is read up to it and no further, so that a file of zeros in a few bytes of gzip
  costs no more;
- pyarrow reads a value of a Parquet column whole before its length can be looked at.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from hangang._backend import impl
from hangang._completion import Fold
from hangang._compressed import CompressedDataError, UnreadableError, content, raw_chunks
from hangang._errors import ParseError
from hangang.archive._arrow import arrow_json, parquet, pyarrow
from hangang.archive._rows import (
    EVENTS_SCHEMA,
    SCHEMA,
    Columns,
    EventColumns,
    body_column,
    no_column,
    parser_of,
)
from hangang.archive._sources import Source, file_system, is_remote, open_source, problem

__all__ = ["TEMPORARY", "Options", "Part", "PartResult", "line_pieces", "run_part"]

TEMPORARY = ".tmp"
"""What the names of unfinished files end in."""

CHUNK = 2**20
STREAMED = 4 * 2**20
"""Bodies over this size are fed in chunks."""

GROUP = 2**18
ROW_GROUP = 2 * 2**20
"""Text of the rows that are held before they are written, in characters."""

FETCHED = 64
"""Small remote files that are fetched at once."""


@dataclass(frozen=True)
class Options:
    """What is the same for every part.

    Attributes:
        out: the folder of the tables, absolute.
        column: the column of the bodies in tables.
        dialect: None finds it for each body.
        events: one row an event.
        max_body_bytes: most bytes of a body, decompressed.
        max_file_bytes: a table is closed once it has passed this size.
    """

    out: str
    column: str = "body"
    dialect: str | None = None
    events: bool = False
    max_body_bytes: int = 64 * 2**20
    max_file_bytes: int = 128 * 2**20


@dataclass(frozen=True)
class Part:
    """Sources that are read together, or a piece of one large table.

    Attributes:
        number: names its files.
        sources: what to read.
        size: stored bytes.
        row_groups: of a Parquet table: from, to; None for all.
        byte_range: of JSON lines: from, to, each the start of a line or the end; None for all.
        first_row: number of the first row in the table.
    """

    number: int
    sources: tuple[Source, ...]
    size: int
    row_groups: tuple[int, int] | None = None
    byte_range: tuple[int, int] | None = None
    first_row: int = 0

    @property
    def piece(self) -> tuple[int, int] | None:
        """Which piece of its source it is; None: all of it."""
        return self.row_groups or self.byte_range

    def __reduce__(self) -> tuple[Any, ...]:
        # Each part is sent to a worker: a column of names and one of sizes take a third of the time.
        columns = tuple(zip(*self.sources, strict=True))
        return _part, (columns, self.number, self.size, self.row_groups, self.byte_range, self.first_row)


def _part(columns: tuple[Any, ...], number: int, size: int, *more: Any) -> Part:
    return Part(number, tuple(map(Source, *columns)), size, *more)


@dataclass
class PartResult:
    """What a part has written.

    Attributes:
        part: its number.
        files: temporary names and their rows, in order.
        rows: of bodies, or of events.
        faults: bodies with a fault.
        bodies: how many were read.
        size: stored bytes that were read.
        unreadable: names of sources that could not be read, and why.
    """

    part: int
    files: list[tuple[str, int]] = field(default_factory=list)
    rows: int = 0
    faults: int = 0
    bodies: int = 0
    size: int = 0
    unreadable: list[tuple[str, str]] = field(default_factory=list)


class _SpoiledPartError(Exception):
    """A source became unreadable after some of its rows were written."""

    def __init__(self, source: Source, reason: str) -> None:
        super().__init__(reason)
        self.source = source


def run_part(part: Part, options: Options) -> PartResult:
    """Read the sources of a part and write their tables; raises OSError if the folder cannot be written."""
    unreadable: list[tuple[str, str]] = []
    while part.sources:
        try:
            result = _run_once(part, options)
        except _SpoiledPartError as error:
            unreadable.append((error.source.name, str(error)))
            part = replace(part, sources=tuple([one for one in part.sources if one is not error.source]))
        else:
            result.unreadable += unreadable
            return result
    return PartResult(part.number, unreadable=unreadable)


def _run_once(part: Part, options: Options) -> PartResult:
    result = PartResult(part.number, size=part.size)
    writer = _Writer(part.number, options)
    decoder = _Decoder(options, writer, result)
    try:
        for source, body in _fetched(part.sources):
            if body is not None:
                decoder.body(source.name, None, body)
                continue
            before = decoder.bodies
            try:
                _READERS[source.kind](source, part, decoder)
            except UnreadableError as error:
                if decoder.bodies != before or decoder.events_of(source.name):
                    raise _SpoiledPartError(source, str(error)) from error
                result.unreadable.append((source.name, str(error)))
        decoder.flush()
        result.bodies = decoder.bodies
        result.files = writer.close()
        result.rows = sum(rows for _, rows in result.files)
    except BaseException:
        writer.discard()
        raise
    return result


# --- writing


class _Writer:
    """Parquet files of bounded size, under temporary names."""

    def __init__(self, part: int, options: Options) -> None:
        self._options = options
        # Two workers may run the same part, if one of them was taken for dead.
        self._stem = os.path.join(options.out, f".part-{part:06d}-{secrets.token_hex(4)}")
        self._file: Any = None
        self._writer: Any = None
        self._rows = 0
        self._files: list[tuple[str, int]] = []
        columns = EVENTS_SCHEMA if options.events else SCHEMA
        own = [
            pyarrow.field("source", pyarrow.string(), nullable=False),
            pyarrow.field("row", pyarrow.int64()),  # null for a capture
        ]
        self.schema = pyarrow.schema([*own, *[one for one in columns if one.name != "row"]])

    def write(self, sources: list[str], rows: list[int | None], columns: list[Any]) -> None:
        writer = self._writer or self._open()
        arrays = [pyarrow.array(sources, pyarrow.string()), pyarrow.array(rows, pyarrow.int64()), *columns]
        batch = pyarrow.RecordBatch.from_arrays(arrays, schema=self.schema)
        writer.write_batch(batch, row_group_size=max(1, batch.num_rows))
        self._rows += batch.num_rows
        if self._file.tell() >= self._options.max_file_bytes:
            self._end()

    def _open(self) -> Any:
        name = f"{self._stem}-{len(self._files)}{TEMPORARY}"
        self._file = open(name, "wb")  # noqa: SIM115
        self._files.append((name, 0))
        self._writer = parquet().ParquetWriter(
            self._file, self.schema, compression="zstd", compression_level=1, use_dictionary=_REPEATED
        )
        return self._writer

    def _end(self) -> None:
        self._writer.close()
        self._file.flush()
        os.fsync(
            self._file.fileno()
        )  # before it is renamed: a name must not outlive a power cut without its rows
        self._file.close()
        self._files[-1] = (self._files[-1][0], self._rows)
        self._writer = None
        self._rows = 0

    def close(self) -> list[tuple[str, int]]:
        if self._writer is not None:
            self._end()
        return [(os.path.basename(name), rows) for name, rows in self._files]

    def discard(self) -> None:
        if self._writer is not None:
            with suppress(OSError, pyarrow.ArrowException):
                self._writer.close()  # or it would try when it is collected
            self._writer = None
        if self._file is not None:
            self._file.close()
        for name, _ in self._files:
            with suppress(OSError):
                os.unlink(name)


_REPEATED = ["source", "dialect", "finish_reason", "error_code", "error_message", "fault", "kind"]


# --- decoding


class _Decoder:
    """Bodies to rows, a group at a time."""

    def __init__(self, options: Options, writer: _Writer, result: PartResult) -> None:
        self._options = options
        self._writer = writer
        self._result = result
        self._columns: Any = EventColumns() if options.events else Columns()
        self._sources: list[str] = []
        self._rows: list[int | None] = []
        self._group: list[bytes] = []
        self._group_sources: list[str] = []
        self._group_rows: list[int | None] = []
        self._group_size = 0
        self._largest = min(STREAMED, options.max_body_bytes)
        self._last = ""  # the source whose events were added last
        self.bodies = 0  # so far
        self.column = options.column

    def body(self, source: str, row: int | None, body: bytes) -> None:
        """A body of a moderate size."""
        size = len(body)
        if size > self._largest:
            self.stream(source, row, (body[at : at + CHUNK] for at in range(0, size, CHUNK)))
            return
        self.bodies += 1
        self._group.append(body)
        self._group_sources.append(source)
        self._group_rows.append(row)
        self._group_size += size
        if self._group_size >= GROUP:
            self._decode_group()

    def _decode_group(self) -> None:
        group, sources, rows = self._group, self._group_sources, self._group_rows
        self._group, self._group_sources, self._group_rows, self._group_size = [], [], [], 0
        columns, dialect = self._columns, self._options.dialect
        if self._options.events:
            for body, source, row in zip(group, sources, rows, strict=True):
                before = columns.rows
                self._count(columns.decode(None, body, dialect) is not None or not _is_known(body, dialect))
                self._place(source, row, columns.rows - before)
                self._write_if_full()
            return
        before = columns.faults
        columns.decode(group, dialect)
        self._result.faults += columns.faults - before
        self._sources += sources
        self._rows += rows
        self._write_if_full()

    def _count(self, has_fault: bool) -> None:
        self._result.faults += has_fault

    def _place(self, source: str, row: int | None, count: int) -> None:
        if count == 1:
            self._sources.append(source)
            self._rows.append(row)
        else:
            self._sources += [source] * count
            self._rows += [row] * count

    def stream(self, source: str, row: int | None, chunks: Iterable[bytes]) -> None:
        """A body of any size, in chunks; a CompressedDataError ends it."""
        self._decode_group()
        body = _StreamedBody(self._options.dialect, self._options.max_body_bytes)
        fold = Fold()
        for events in body.read(chunks):
            if self._options.events:
                self._last = source if events else self._last
                self._columns.add(None, body.events - len(events), events)
                self._place(source, row, len(events))
                self._write_if_full()
            else:
                fold.extend(events)
        self.bodies += 1
        self._result.faults += body.fault is not None
        if not self._options.events:
            self._columns.add(body.dialect, fold, body.fault, body.events, body.size, ended=body.ended)
            self._place(source, row, 1)
            self._write_if_full()

    def fault(self, source: str, row: int, name: str, offset: int, size: int) -> None:
        """A row of a table that cannot be read as one."""
        self._decode_group()
        self.bodies += 1
        self._result.faults += 1
        if not self._options.events:
            self._columns.add(None, Fold(), (name, offset), 0, size)
            self._place(source, row, 1)

    def _write_if_full(self) -> None:
        if self._columns.size >= ROW_GROUP:
            self._write()

    def _write(self) -> None:
        if not self._columns.rows:
            return
        columns = self._columns.batch().columns
        if self._options.events:
            del columns[0]  # the row in the batch: here it is the row in the table
        self._writer.write(self._sources, self._rows, columns)
        self._sources, self._rows = [], []

    def flush(self) -> None:
        """Decode and write what is held."""
        self._decode_group()
        self._write()

    def events_of(self, source: str) -> bool:
        """Whether the last rows are of this source, one an event."""
        return self._options.events and self._last == source

    @property
    def limit(self) -> int:
        return self._options.max_body_bytes


def _is_known(body: bytes, dialect: str | None) -> bool:
    return dialect is not None or impl.detect(body) is not None


class _StreamedBody:
    """A body that is read in chunks. After `read` the other members say how it ended."""

    def __init__(self, dialect: str | None, limit: int) -> None:
        self.dialect = dialect
        self.events = 0
        self.size = 0
        self.ended = False
        self.fault: ParseError | tuple[str, int] | None = None
        self._limit = limit
        self._start = b""  # until the dialect is decided
        self._is_decided = False
        self._parser: Any = None

    def read(self, chunks: Iterable[bytes]) -> Iterator[list[Any]]:
        """The events, a list a chunk. An UnreadableError of the chunks passes through."""
        damage: tuple[str, int] | None = None
        chunks = iter(chunks)
        try:
            try:
                for chunk in chunks:
                    yield self._feed(chunk)
                    if self.fault is not None:
                        return
            except CompressedDataError as error:
                damage = ("TruncatedStreamError" if error.is_cut else "CompressedDataError", self.size)
            yield self._decide()
            if self._parser is None:
                self.fault = ("UnrecognizedStreamError" if self.size else "TruncatedStreamError", self.size)
            else:
                yield self._counted(self._parser.close())
                self.ended = True
        except ParseError as error:
            yield self._counted(error.events)
            self.fault = error
            self._measure(chunks)
        self.fault = damage or self.fault

    def _measure(self, chunks: Iterator[bytes]) -> None:
        """Nothing more is parsed, but the body's size is part of the row."""
        with suppress(CompressedDataError):
            for chunk in chunks:
                self.size = min(self.size + len(chunk), self._limit)
                if self.size == self._limit:
                    return

    def _feed(self, chunk: bytes) -> list[Any]:
        if self.size + len(chunk) > self._limit:
            chunk = chunk[: self._limit - self.size]
            self.fault = ("LimitExceededError", self._limit)
        self.size += len(chunk)
        if not self._is_decided:
            self._start += chunk
            return self._decide() if len(self._start) >= _WINDOW or self.fault is not None else []
        return [] if self._parser is None else self._counted(self._parser.feed(chunk))

    def _decide(self) -> list[Any]:
        """The events of what was held until the dialect was decided."""
        if self._is_decided:
            return []
        self._is_decided = True
        self.dialect = self.dialect or impl.detect(self._start)
        if self.dialect is None:
            return []
        self._parser = parser_of(self.dialect)
        start, self._start = self._start, b""
        return self._counted(self._parser.feed(start))

    def _counted(self, events: list[Any]) -> list[Any]:
        self.events += len(events)
        return events


_WINDOW = 1024  # `detect` looks at this many bytes


# --- captures


def _fetched(sources: tuple[Source, ...]) -> Iterator[tuple[Source, bytes | None]]:
    """The sources in order, with the bodies of small plain captures; of remote ones many at once."""
    if not any(is_remote(source.path) for source in sources):
        for source in sources:
            yield source, _body_at_once(source)
        return
    at = 0
    while at < len(sources):
        group = [sources[at]]
        at += 1
        if not _is_small_remote(group[0]):
            yield group[0], None
            continue
        while at < len(sources) and len(group) < FETCHED and _is_small_remote(sources[at]):
            group.append(sources[at])
            at += 1
        yield from _fetch(group)


def _body_at_once(source: Source) -> bytes | None:
    """The body of a small plain local capture, the way that is taken a million times.

    None for every other source, and if anything is not as expected: then the careful way names the error.
    """
    size = source.size
    if not 0 <= size <= STREAMED or source.path.lower().endswith(_NOT_PLAIN):
        return None
    try:
        handle = os.open(source.path, _READ)
        try:
            body = os.read(handle, size + 1)  # one more, which shows that it has grown
        finally:
            os.close(handle)
    except OSError:
        return None
    return body if len(body) == size else None


_NOT_PLAIN = (".parquet", ".jsonl", ".gz", ".zst")
_READ = os.O_RDONLY | getattr(os, "O_BINARY", 0)


def _is_small_remote(source: Source) -> bool:
    return (
        is_remote(source.path)
        and 0 <= source.size <= 2**18
        and source.kind == "capture"
        and not source.is_compressed
    )


def _fetch(group: list[Source]) -> Iterator[tuple[Source, bytes | None]]:
    fs, _ = file_system(group[0].path)
    paths = {source: fs._strip_protocol(source.path) for source in group}
    try:
        bodies = fs.cat(list(paths.values()), on_error="return")
    except Exception:
        bodies = {}  # reading them one by one will name the errors
    if isinstance(bodies, bytes):
        bodies = {paths[group[0]]: bodies}
    for source in group:
        body = bodies.get(paths[source])
        yield source, body if isinstance(body, bytes) else None


def _read_capture(source: Source, _: Part, decoder: _Decoder) -> None:
    with open_source(source) as file:
        _read_chunks(source, content(source.path, file, CHUNK), decoder)


def _read_chunks(source: Source, chunks: Iterator[bytes], decoder: _Decoder) -> None:
    """A body in chunks: as a whole if it is small, else as a stream."""
    held: list[bytes] = []
    size = 0
    try:
        for chunk in chunks:
            held.append(chunk)
            size += len(chunk)
            if size > min(STREAMED, decoder.limit):
                decoder.stream(source.name, None, _checked(held, chunks))
                return
    except CompressedDataError as error:
        decoder.stream(source.name, None, _damaged(held, error))
        return
    except UnreadableError:
        raise
    except Exception as error:
        raise UnreadableError(problem(error)) from error
    decoder.body(source.name, None, b"".join(held))


def _checked(held: list[bytes], chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield from held
    held.clear()
    try:
        yield from chunks
    except (CompressedDataError, UnreadableError):
        raise
    except Exception as error:
        raise UnreadableError(problem(error)) from error


def _damaged(held: list[bytes], error: CompressedDataError) -> Iterator[bytes]:
    yield from held
    raise error


# --- tables


def _read_parquet(source: Source, part: Part, decoder: _Decoder) -> None:
    with open_source(source) as file:
        try:
            table = parquet().ParquetFile(file)
            if decoder.column not in table.schema_arrow.names:
                raise UnreadableError(no_column(decoder.column, table.schema_arrow.names))
            first, last = part.row_groups or (0, table.num_row_groups)
            number = part.first_row
            for group in range(first, last):
                batches = table.iter_batches(
                    batch_size=_batch_rows(table, group, decoder.column),
                    row_groups=[group],
                    columns=[decoder.column],
                    use_threads=False,
                )
                for batch in batches:
                    for scalar in body_column(batch, decoder.column):
                        decoder.body(source.name, number, scalar.as_py() or b"")
                        number += 1
        except UnreadableError:
            raise
        except TypeError as error:  # of body_column
            raise UnreadableError(str(error)) from error
        except (pyarrow.ArrowException, OSError) as error:
            raise UnreadableError(problem(error)) from error


def _batch_rows(table: Any, group: int, column: str) -> int:
    """Rows of about a megabyte of bodies."""
    described = table.metadata.row_group(group)
    for index in range(described.num_columns):
        chunk = described.column(index)
        if chunk.path_in_schema == column:
            rows: int = described.num_rows * CHUNK // max(1, chunk.total_uncompressed_size)
            return max(1, min(1024, rows))
    return 64


_LONGEST_ESCAPE = 6  # bytes of `\u0001`: no body within the limit takes more of its line


def _read_lines(source: Source, part: Part, decoder: _Decoder) -> None:
    """JSON lines: an object a line, the body a member of it."""
    number = part.first_row
    try:
        with open_source(source) as file:
            for block in _blocks(_content(source, part, file), _LONGEST_ESCAPE * decoder.limit + CHUNK):
                if isinstance(block, _Overlong):
                    decoder.fault(source.name, number, "LimitExceededError", decoder.limit, decoder.limit)
                    number += 1
                    continue
                if isinstance(block, _Damaged):
                    decoder.fault(source.name, number, block.name, block.size, block.size)
                    break
                for body in _bodies(block, decoder.column, is_first=not number):
                    if isinstance(body, _BadLine):
                        decoder.fault(source.name, number, "InvalidJSONError", body.offset, body.size)
                    else:
                        decoder.body(source.name, number, body)
                    number += 1
    except UnreadableError:
        raise
    except OSError as error:
        raise UnreadableError(problem(error)) from error


def _content(source: Source, part: Part, file: Any) -> Iterator[bytes]:
    if part.byte_range is None:
        yield from content(source.path, file, CHUNK)
        return
    at, end = part.byte_range
    file.seek(at)
    while at < end:
        chunk = file.read(min(CHUNK, end - at))
        if not chunk:
            raise UnreadableError("it became shorter while it was read")
        yield chunk
        at += len(chunk)


def line_pieces(source: Source, column: str, limit: int, size: int) -> Iterator[tuple[int, int, int]]:
    """Pieces of JSON lines that end with lines: from, to, number of the first row.

    Where they end depends on the file alone. The file is read once to find out: rows are numbered, and only
    its lines tell how many there are. Memory is that of a chunk.

    Raises UnreadableError if it cannot be read, or its first rows have no such column.
    """
    with open_source(source) as file:
        for block in _blocks(raw_chunks(file, CHUNK), _LONGEST_ESCAPE * limit + CHUNK):
            if not isinstance(block, bytes) or any(True for _ in _bodies(block, column, is_first=True)):
                break
        file.seek(0)
        counter = _RowCounter()
        start = first_row = offset = 0
        for chunk in raw_chunks(file, CHUNK):
            at = 0
            # The first line that begins at `start + size` or later, wherever the chunks happen to end.
            while end := chunk.find(b"\n", max(at, start + size - 1 - offset)) + 1:
                counter.add(chunk[at:end])
                yield start, offset + end, first_row
                start, first_row, at = offset + end, counter.rows, end
            counter.add(chunk[at:])
            offset += len(chunk)
        if offset > start:
            yield start, offset, first_row


class _RowCounter:
    """Rows of JSON lines that are read in pieces of any size: a blank line is none."""

    def __init__(self) -> None:
        self.rows = 0
        self._is_blank = True  # the line so far

    def add(self, data: bytes) -> None:
        end = data.find(b"\n") + 1
        if not end:
            self._is_blank = self._is_blank and not data.strip()
            return
        last = data.rfind(b"\n") + 1
        self.rows += not self._is_blank or bool(data[:end].strip())
        self.rows += _rows_in(data[end:last])
        self._is_blank = not data[last:].strip()


def _rows_in(lines: bytes) -> int:
    """How many whole lines are not blank."""
    if lines[:1].isspace() or _SPACE_FIRST.search(lines):
        return sum(1 for line in lines.split(b"\n") if line.strip())
    return lines.count(b"\n") + (not lines.endswith(b"\n") and bool(lines))


_SPACE_FIRST = re.compile(rb"\n[ \t\n\r\v\f]")  # no line can be blank where no line begins so


@dataclass
class _Overlong:
    """A line over the limit."""


@dataclass
class _Damaged:
    """The end of what could be decompressed, inside a line of this size or between two."""

    name: str
    size: int


@dataclass
class _BadLine:
    """A line that is not a JSON object."""

    offset: int
    size: int


def _blocks(chunks: Iterator[bytes], longest: int) -> Iterator[bytes | _Overlong | _Damaged]:
    """Whole lines, about a chunk at a time."""
    held: list[bytes] = []
    size = 0
    is_overlong = False
    try:
        for chunk in chunks:
            if is_overlong:
                _, newline, chunk = chunk.partition(b"\n")
                if not newline:
                    continue
                is_overlong = False
            end = chunk.rfind(b"\n") + 1
            if end:
                yield b"".join([*held, chunk[:end]])
                held, size = [], 0
            held.append(chunk[end:])
            size += len(chunk) - end
            if size > longest:
                yield _Overlong()
                held, size = [], 0
                is_overlong = True
    except CompressedDataError as error:
        yield _Damaged("TruncatedStreamError" if error.is_cut else "CompressedDataError", size)
        return
    if size:
        yield b"".join(held)


def _bodies(block: bytes, column: str, *, is_first: bool) -> Iterator[bytes | _BadLine]:
    """The body of each line that is not blank."""
    found = _read_block(block, column)
    if found is not None:
        if is_first and found.null_count == len(found):
            _require_column(block, column)
        for scalar in found:
            yield scalar.as_py() or b""
        return
    if is_first:
        _require_column(block, column)
    for line in block.split(b"\n"):
        if line.strip():
            yield _body_of(line, column)


def _read_block(block: bytes, column: str) -> Any:
    """The column of a block in which every line is an object with text in it; None for any other block."""
    reader = arrow_json()
    try:
        table = reader.read_json(
            pyarrow.BufferReader(block),
            read_options=reader.ReadOptions(use_threads=False, block_size=len(block) + 1),
            parse_options=reader.ParseOptions(
                explicit_schema=pyarrow.schema([(column, pyarrow.string())]),
                unexpected_field_behavior="ignore",
            ),
        )
        found = table.column(column).combine_chunks()
        if isinstance(found, pyarrow.ChunkedArray):
            found = pyarrow.concat_arrays(found.chunks)
        found.validate(full=True)  # the reader does not look at UTF-8
    except pyarrow.ArrowException:
        return None
    if len(found) != _rows_in(block):
        return None
    return found.cast(pyarrow.binary())


def _require_column(block: bytes, column: str) -> None:
    """Raises UnreadableError if lines are objects and none has the column."""
    names: dict[str, None] = {}
    for line in block.split(b"\n"):
        with suppress(ValueError, RecursionError):
            value = json.loads(line)
            if isinstance(value, dict):
                names |= dict.fromkeys(value)
    if names and column not in names:
        raise UnreadableError(no_column(column, names))


_READERS: dict[str, Callable[[Source, Part, _Decoder], None]] = {
    "capture": _read_capture,
    "parquet": _read_parquet,
    "jsonl": _read_lines,
}


def _body_of(line: bytes, column: str) -> bytes | _BadLine:
    # Ill-formed UTF-8 and lone surrogates stay for the parser, which reports them.
    text = line.decode("utf-8", "surrogateescape")
    try:
        value = json.loads(text, strict=False)
    except json.JSONDecodeError as error:
        return _BadLine(len(text[: error.pos].encode("utf-8", "surrogateescape")), len(line))
    except (ValueError, RecursionError):
        return _BadLine(0, len(line))
    if not isinstance(value, dict):
        return _BadLine(0, len(line))
    body = value.get(column)
    if body is None:
        return b""
    if not isinstance(body, str):  # a whole answer that was stored as JSON, not as text
        body = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    try:
        return body.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # escapes of lone surrogates
        return body.encode("utf-8", "surrogatepass")
