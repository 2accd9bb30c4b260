"""Arrow batches of bodies to Arrow batches of rows.

Always true:
- one row in, one row out, in order. A bad body is a row with its fault, never an exception;
- a row is what the parser of its dialect and `Completion` report for the whole body. There is no other
  reading;
- the columns and their types are part of the contract, and the same on both backends.

What will bite:
- the bodies of a batch are copied out of Arrow in groups of 256 KiB: Arrow's memory cannot be lent to the
  parser, and larger groups are slower, since they leave the processor's cache and the allocator's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from hangang._backend import impl
from hangang._completion import Fold
from hangang._errors import ParseError
from hangang.archive._arrow import pyarrow

__all__ = [
    "DIALECTS",
    "EVENTS_SCHEMA",
    "SCHEMA",
    "Columns",
    "EventColumns",
    "body_column",
    "decode_batch",
    "decode_events_batch",
]

DIALECTS = ("clova", "exaone", "openai", "a2a")

TOOL_CALL = pyarrow.struct(
    [("id", pyarrow.string()), ("name", pyarrow.string()), ("arguments", pyarrow.string())]
)


def _never_null(name: str, type: pyarrow.DataType) -> pyarrow.Field:
    return pyarrow.field(name, type, nullable=False)


SCHEMA = pyarrow.schema(
    [
        ("dialect", pyarrow.string()),
        _never_null("text", pyarrow.string()),
        _never_null("thinking", pyarrow.string()),
        ("refusal", pyarrow.string()),
        ("finish_reason", pyarrow.string()),
        ("prompt_tokens", pyarrow.int64()),
        ("completion_tokens", pyarrow.int64()),
        ("total_tokens", pyarrow.int64()),
        ("thinking_tokens", pyarrow.int64()),
        _never_null("tool_calls", pyarrow.list_(TOOL_CALL)),
        _never_null("references", pyarrow.int32()),
        ("error_code", pyarrow.string()),
        ("error_message", pyarrow.string()),
        _never_null("ended", pyarrow.bool_()),
        ("fault", pyarrow.string()),
        ("fault_offset", pyarrow.int64()),
        _never_null("events", pyarrow.int64()),
        _never_null("bytes", pyarrow.int64()),
    ]
)
"""The columns of `decode_batch`, after those it keeps. Those that are never null are marked so."""

EVENTS_SCHEMA = pyarrow.schema(
    [
        _never_null("row", pyarrow.int64()),
        _never_null("sequence", pyarrow.int64()),
        _never_null("kind", pyarrow.string()),
        _never_null("text", pyarrow.string()),
        _never_null("thinking", pyarrow.string()),
        _never_null("raw", pyarrow.binary()),
    ]
)
"""The columns of `decode_events_batch`, after those it keeps; none is ever null."""

_GROUP_BYTES = 2**18
_GROUP_ROWS = 1024


# --- one row a body


def decode_batch(
    batch: pyarrow.RecordBatch, column: str = "body", *, dialect: str = "auto", keep: Iterable[str] = ()
) -> pyarrow.RecordBatch:
    """One row for each body of a batch, in order: columns `keep`, then those of `SCHEMA`.

    A body that is damaged, cut or of no known format is a row with its `fault` and what was complete before
    it. A null body counts as an empty one.

    Args:
        batch: a batch with a column of whole bodies, as bytes or as text.
        column: the name of that column.
        dialect: `"clova"`, `"exaone"`, `"openai"` or `"a2a"`; `"auto"` finds it for each body.
        keep: columns to copy unchanged.

    Raises:
        ValueError: no such column, a kept column with a name of `SCHEMA`, or an unknown dialect.
        TypeError: `batch` is not one, or the column holds neither bytes nor text.
    """
    name = check_dialect(dialect)
    kept = _copied(batch, keep, SCHEMA)
    columns = Columns()
    for group in groups(body_column(batch, column)):
        columns.decode(group, name)
    return _with_kept(batch, kept, columns.batch())


class Columns:
    """The columns of `SCHEMA` while they are filled."""

    def __init__(self) -> None:
        self._rows: list[tuple[Any, ...]] = []
        self.rows = 0
        self.faults = 0
        self.size = 0  # of their text, about

    def decode(self, bodies: list[bytes], dialect: str | None) -> None:
        """One row a body."""
        for body, (found, events, count, error) in zip(
            bodies, impl.read_bodies(bodies, dialect), strict=True
        ):
            fold = Fold()
            fold.extend(events)
            if found is not None:
                self.add(found, fold, error, count, len(body))
            else:
                fault = "UnrecognizedStreamError" if body else "TruncatedStreamError"
                self.add(None, fold, (fault, len(body)), 0, len(body))

    def add(
        self,
        dialect: str | None,
        fold: Fold,
        error: ParseError | tuple[str, int] | None,
        events: int,
        size: int,
        *,
        ended: bool | None = None,
    ) -> None:
        """One row, from the fold of its events and what ended them early: an error, or its class and offset.

        `ended` says that the stream had ended all the same: the fault is of the file around it.
        """
        text = fold.whole_text()
        thinking = fold.whole_thinking()
        usage = fold.whole_usage()
        code = message = None
        if fold.error is not None:
            code, message = fold.error.code, fold.error.message
        elif fold.has_failed():  # an A2A task: its state and the reason it gave
            code, message = fold.state, fold.status_message
        fault = offset = None
        if error is not None:
            fault, offset = (type(error).__name__, error.offset) if isinstance(error, ParseError) else error
            self.faults += 1
        row = (  # in the order of SCHEMA
            dialect,
            text,
            thinking,
            "".join(fold.refusal) or None,
            fold.finish_reason,
            None if usage is None else usage.prompt_tokens,
            None if usage is None else usage.completion_tokens,
            None if usage is None else usage.total_tokens,
            None if usage is None else usage.thinking_tokens,
            [(call.id, call.name, call.arguments) for call in fold.whole_calls()],
            len(fold.references),
            None if code is None else str(code),
            message,
            error is None if ended is None else ended,
            fault,
            offset,
            events,
            size,
        )
        self._rows.append(row)
        self.rows += 1
        self.size += len(text) + len(thinking) + 256

    def batch(self) -> pyarrow.RecordBatch:
        """The rows so far, which are then forgotten."""
        columns = zip(*self._rows, strict=True) if self._rows else [()] * len(SCHEMA)
        arrays = [_array(values, field.type) for values, field in zip(columns, SCHEMA, strict=True)]
        self.__init__()  # type: ignore[misc]
        return pyarrow.RecordBatch.from_arrays(arrays, schema=SCHEMA)


# --- one row an event


def decode_events_batch(
    batch: pyarrow.RecordBatch, column: str = "body", *, dialect: str = "auto", keep: Iterable[str] = ()
) -> pyarrow.RecordBatch:
    """One row for each event of the bodies of a batch, in order: columns `keep`, then those of
    `EVENTS_SCHEMA`.

    `row` is the body's number in the batch, `sequence` the event's number in its body, `kind` the name of
    its class, and `raw` its payload as received. A body without a known dialect has no rows; one that is
    damaged or cut has the events before the fault. What is wrong with a body, `decode_batch` says.

    The arguments and errors are those of `decode_batch`.
    """
    name = check_dialect(dialect)
    kept = _copied(batch, keep, EVENTS_SCHEMA)
    columns = EventColumns()
    number = 0
    for group in groups(body_column(batch, column)):
        for body in group:
            columns.decode(number, body, name)
            number += 1
    events = columns.batch()
    if not kept:
        return events
    rows = events.column(0)
    arrays = [batch.column(one).take(rows) for one in kept]
    fields = [batch.schema.field(one) for one in kept]
    return pyarrow.RecordBatch.from_arrays(
        [*arrays, *events.columns], schema=pyarrow.schema([*fields, *EVENTS_SCHEMA])
    )


class EventColumns:
    """The columns of `EVENTS_SCHEMA` while they are filled."""

    def __init__(self) -> None:
        self._values: list[list[Any]] = [[] for _ in EVENTS_SCHEMA]
        self.rows = 0
        self.size = 0

    def decode(self, number: int, body: bytes, dialect: str | None) -> ParseError | None:
        """One row an event of a body; returns what ended it early."""
        name = dialect or impl.detect(body)
        if name is None:
            return None
        parser = parser_of(name)
        events: list[Any] = []
        fault: ParseError | None = None
        try:
            events = parser.feed(body)
            events += parser.close()
        except ParseError as error:
            events += error.events
            fault = error
        self.add(number, 0, events)
        return fault

    def add(self, number: int | None, sequence: int, events: Sequence[Any]) -> None:
        """One row an event; `sequence` is the number of the first one."""
        rows, sequences, kinds, texts, thinkings, raws = self._values
        for event in events:
            raw = event.raw
            rows.append(number)
            sequences.append(sequence)
            kinds.append(type(event).__name__)
            texts.append(event.text)
            thinkings.append(event.thinking)
            raws.append(raw)
            sequence += 1
            self.size += len(raw) + 64
        self.rows += len(events)

    def batch(self) -> pyarrow.RecordBatch:
        """The rows so far, which are then forgotten."""
        arrays = [
            _array(values, field.type) for values, field in zip(self._values, EVENTS_SCHEMA, strict=True)
        ]
        self.__init__()  # type: ignore[misc]
        return pyarrow.RecordBatch.from_arrays(arrays, schema=EVENTS_SCHEMA)


# --- what both need


def parser_of(dialect: str) -> Any:
    """A fresh parser."""
    return getattr(impl, dialect).StreamParser()


def check_dialect(dialect: str) -> str | None:
    """The dialect of an argument, None for `auto`; raises ValueError."""
    if dialect == "auto":
        return None
    if dialect not in DIALECTS:
        raise ValueError(f"dialect must be 'auto' or one of {_listed(DIALECTS)}, not {dialect!r}")
    return dialect


def body_column(batch: pyarrow.RecordBatch, column: str) -> pyarrow.Array:
    """The column of bodies, as some type of bytes; raises ValueError or TypeError."""
    index = _index(batch.schema, column)
    bodies = batch.column(index)
    kind = bodies.type
    types = pyarrow.types
    if types.is_dictionary(kind):
        bodies = bodies.dictionary_decode()
        kind = bodies.type
    if types.is_null(kind):
        return bodies.cast(pyarrow.binary())
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        return bodies
    if types.is_binary_view(kind):
        return bodies
    if types.is_string(kind):
        return bodies.cast(pyarrow.binary())
    if types.is_large_string(kind):
        return bodies.cast(pyarrow.large_binary())
    if types.is_string_view(kind):
        return bodies.cast(pyarrow.binary_view())
    raise TypeError(f"the column {column!r} must hold bytes or text, not {kind}")


def groups(bodies: pyarrow.Array) -> Iterator[list[bytes]]:
    """The bodies, copied out of Arrow, in groups of about `_GROUP_BYTES`."""
    group: list[bytes] = []
    size = 0
    for scalar in bodies:
        body: bytes = scalar.as_py() or b""
        group.append(body)
        size += len(body)
        if size >= _GROUP_BYTES or len(group) >= _GROUP_ROWS:
            yield group
            group = []
            size = 0
    if group:
        yield group


def _index(schema: pyarrow.Schema, column: str) -> int:
    indices = schema.get_all_field_indices(column)
    if len(indices) == 1:
        return int(indices[0])
    if indices:
        raise ValueError(f"{len(indices)} columns are called {column!r}")
    raise ValueError(no_column(column, schema.names))


def no_column(column: str, names: Iterable[str]) -> str:
    """The message for a column that is not there."""
    names = list(names)
    return f"no column {column!r}; the columns are {_listed(names)}" if names else f"no column {column!r}"


def _listed(names: Sequence[str]) -> str:
    shown = [repr(name) for name in names[:20]]
    if len(names) > 20:
        return f"{', '.join(shown)} and {len(names) - 20} more"
    return f"{', '.join(shown[:-1])} and {shown[-1]}" if len(shown) > 1 else shown[0]


def _copied(batch: pyarrow.RecordBatch, keep: Iterable[str], schema: pyarrow.Schema) -> list[int]:
    given: Any = batch
    if not isinstance(given, pyarrow.RecordBatch):
        hint = "; its to_batches() gives them" if isinstance(given, pyarrow.Table) else ""
        raise TypeError(f"batch must be a pyarrow.RecordBatch, not {type(given).__name__}{hint}")
    if isinstance(keep, str):
        raise TypeError("keep must be a list of column names, not a str")
    names = list(keep)
    kept = [_index(batch.schema, name) for name in names]
    for name in names:
        if name in schema.names:
            raise ValueError(f"the column {name!r} cannot be kept: the result has one of that name")
    return kept


def _with_kept(batch: pyarrow.RecordBatch, kept: list[int], rows: pyarrow.RecordBatch) -> pyarrow.RecordBatch:
    if not kept:
        return rows
    fields = [batch.schema.field(index) for index in kept]
    return pyarrow.RecordBatch.from_arrays(
        [*[batch.column(index) for index in kept], *rows.columns],
        schema=pyarrow.schema([*fields, *rows.schema]),
    )


def _array(values: Sequence[Any], type: pyarrow.DataType) -> pyarrow.Array:
    array = pyarrow.array(values, type)
    if isinstance(array, pyarrow.ChunkedArray):
        # Only bodies of more than 2 GiB in one batch can come here: text is never longer than its body.
        raise ValueError("the text of this batch passes 2 GiB; decode it in smaller batches")
    return array
