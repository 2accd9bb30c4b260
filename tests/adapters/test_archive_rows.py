"""`decode_batch` and `decode_events_batch`: each row is what the parser and `Completion` report for its body."""

from __future__ import annotations

import gzip
import random
from typing import Any

import pytest
import support
from expected import EXPECTED
from support import Implementation

from hangang import Completion, detect

pyarrow = pytest.importorskip("pyarrow")

from hangang import archive  # noqa: E402
from hangang.archive import _rows  # noqa: E402

CAPTURES = {name: (support.CAPTURES / name).read_bytes() for name in EXPECTED}
SEED = 20261126
USAGE = ("prompt_tokens", "completion_tokens", "total_tokens", "thinking_tokens")


@pytest.fixture(params=[impl.name for impl in support.implementations()])
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Implementation:
    chosen = support.implementation(request.param)
    monkeypatch.setattr(_rows, "impl", chosen.module)
    return chosen


def variants(data: bytes) -> list[bytes]:
    """Whole, empty, cut, damaged, compressed."""
    rng = random.Random(SEED)
    found = [data, b"", gzip.compress(data, mtime=0), b"\xef\xbb\xbf" + data]
    for _ in range(15):
        at = rng.randrange(len(data))
        found.append(data[:at])
        found.append(data[:at] + bytes([rng.choice(b'{}"\xff\n\x00')]) + data[at + 1 :])
    return found


def batch_of(bodies: list[Any], type: Any = None) -> Any:
    return pyarrow.RecordBatch.from_arrays([pyarrow.array(bodies, type or pyarrow.binary())], ["body"])


def row_of(impl: Implementation, body: bytes, dialect: str | None = None) -> dict[str, Any]:
    """The row by the parsers and `Completion`."""
    name = dialect or detect(body)
    row: dict[str, Any] = {"dialect": name, "bytes": len(body)}
    if name is None:
        fault = "UnrecognizedStreamError" if body else "TruncatedStreamError"
        events, offset = [], len(body)
    else:
        outcome = support.drive(impl.parser(name), [body])
        events = outcome.events
        fault = None if outcome.error is None else type(outcome.error).__name__
        offset = None if outcome.error is None else outcome.error.offset
    answer = Completion.of(events)
    error = answer.error
    code = None if error is None or error.code is None else str(error.code)
    message = None if error is None else error.message
    if answer.failed and error is None:
        code, message = answer.state, answer.status_message
    calls = [{"id": call.id, "name": call.name, "arguments": call.arguments} for call in answer.tool_calls]
    return row | {
        "text": answer.text,
        "thinking": answer.thinking,
        "refusal": answer.refusal or None,
        "finish_reason": answer.finish_reason,
        **{one: answer.usage and getattr(answer.usage, one) for one in USAGE},
        "tool_calls": calls,
        "references": len(answer.references),
        "error_code": code,
        "error_message": message,
        "ended": fault is None,
        "fault": fault,
        "fault_offset": offset,
        "events": len(events),
    }


@pytest.mark.parametrize("name", CAPTURES)
def test_rows_are_what_parser_and_completion_report(name: str, backend: Implementation) -> None:
    bodies = variants(CAPTURES[name])
    for dialect in ("auto", EXPECTED[name].dialect):
        found = archive.decode_batch(batch_of(bodies), dialect=dialect)
        assert found.schema == archive.SCHEMA
        want = [row_of(backend, body, None if dialect == "auto" else dialect) for body in bodies]
        assert found.to_pylist() == want


@pytest.mark.parametrize("name", CAPTURES)
def test_event_rows_are_the_events(name: str, backend: Implementation) -> None:
    bodies = variants(CAPTURES[name])
    found = archive.decode_events_batch(batch_of(bodies))
    assert found.schema == archive.EVENTS_SCHEMA
    want = []
    for row, body in enumerate(bodies):
        dialect = detect(body)
        events = [] if dialect is None else support.drive(backend.parser(dialect), [body]).events
        for sequence, event in enumerate(events):
            want.append(
                {
                    "row": row,
                    "sequence": sequence,
                    "kind": type(event).__name__,
                    "text": event.text,
                    "thinking": event.thinking,
                    "raw": event.raw,
                }
            )
    assert found.to_pylist() == want


def test_the_columns_are_those_of_the_contract() -> None:
    assert [str(field).removeprefix("pyarrow.Field<").removesuffix(">") for field in archive.SCHEMA] == [
        "dialect: string",
        "text: string not null",
        "thinking: string not null",
        "refusal: string",
        "finish_reason: string",
        "prompt_tokens: int64",
        "completion_tokens: int64",
        "total_tokens: int64",
        "thinking_tokens: int64",
        "tool_calls: list<item: struct<id: string, name: string, arguments: string>> not null",
        "references: int32 not null",
        "error_code: string",
        "error_message: string",
        "ended: bool not null",
        "fault: string",
        "fault_offset: int64",
        "events: int64 not null",
        "bytes: int64 not null",
    ]


STREAM = b'data: {"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n'


@pytest.mark.parametrize(
    "type",
    [
        pyarrow.binary(),
        pyarrow.large_binary(),
        pyarrow.binary_view(),
        pyarrow.string(),
        pyarrow.large_string(),
        pyarrow.string_view(),
        pyarrow.dictionary(pyarrow.int32(), pyarrow.string()),
        pyarrow.binary(len(STREAM)),
    ],
    ids=str,
)
def test_any_column_of_bytes_or_text(type: Any) -> None:
    array = pyarrow.array([STREAM.decode(), None, STREAM.decode()], pyarrow.string())
    if pyarrow.types.is_fixed_size_binary(type):
        array = pyarrow.array([STREAM, None, STREAM], type)
    elif pyarrow.types.is_dictionary(type):
        array = array.dictionary_encode()
    elif pyarrow.types.is_binary(type) or pyarrow.types.is_large_binary(type):
        array = array.cast(type)
    elif type == pyarrow.binary_view():
        array = pyarrow.array([STREAM, None, STREAM], type)
    else:
        array = pyarrow.array(array.to_pylist(), type)
    batch = pyarrow.RecordBatch.from_arrays([array], ["body"])
    assert archive.decode_batch(batch).column("text").to_pylist() == ["a", "", "a"]
    assert archive.decode_batch(batch).column("fault").to_pylist() == [None, "TruncatedStreamError", None]
    sliced = batch.slice(1, 2)  # an offset into Arrow's buffers
    assert archive.decode_batch(sliced).column("text").to_pylist() == ["", "a"]


def test_an_empty_batch_and_a_column_of_nulls() -> None:
    assert archive.decode_batch(batch_of([])).num_rows == 0
    assert archive.decode_events_batch(batch_of([])).schema == archive.EVENTS_SCHEMA
    nulls = batch_of([None, None], pyarrow.null())
    assert archive.decode_batch(nulls).column("bytes").to_pylist() == [0, 0]


def test_more_rows_than_a_group_holds_stay_in_order() -> None:
    bodies = [b"%d" % number for number in range(3000)] + [STREAM * 10_000, STREAM]
    found = archive.decode_batch(batch_of(bodies))
    assert found.column("bytes").to_pylist() == [len(body) for body in bodies]


def test_kept_columns_come_first_and_unchanged() -> None:
    batch = pyarrow.RecordBatch.from_pydict({"id": [7, 8], "body": [STREAM * 2, STREAM], "day": ["x", None]})
    rows = archive.decode_batch(batch, keep=["day", "id"])
    assert rows.schema.names == ["day", "id", *archive.SCHEMA.names]
    assert rows.column("id").equals(batch.column("id"))
    events = archive.decode_events_batch(batch, keep=["id"])
    assert events.schema.names == ["id", *archive.EVENTS_SCHEMA.names]
    assert events.column("id").to_pylist() == [7, 7, 8]


@pytest.mark.parametrize("decode", [archive.decode_batch, archive.decode_events_batch])
def test_wrong_arguments_are_named(decode: Any) -> None:
    batch = pyarrow.RecordBatch.from_pydict({"id": [7], "answer": [STREAM], "text": ["x"], "row": [1]})
    with pytest.raises(
        ValueError, match="no column 'body'; the columns are 'id', 'answer', 'text' and 'row'"
    ):
        decode(batch)
    with pytest.raises(ValueError, match="no column 'day'; the columns are"):
        decode(batch, "answer", keep=["day"])
    with pytest.raises(ValueError, match="the column 'text' cannot be kept"):
        decode(batch, "answer", keep=["text"])
    with pytest.raises(TypeError, match="keep must be a list of column names, not a str"):
        decode(batch, "answer", keep="id")
    with pytest.raises(TypeError, match="the column 'id' must hold bytes or text, not int64"):
        decode(batch, "id")
    with pytest.raises(
        ValueError, match="dialect must be 'auto' or one of 'clova', 'exaone', 'openai' and 'a2a'"
    ):
        decode(batch, "answer", dialect="klingon")
    with pytest.raises(TypeError, match=r"batch must be a pyarrow\.RecordBatch, not list"):
        decode([STREAM])
    with pytest.raises(TypeError, match=r"not Table; its to_batches\(\) gives them"):
        decode(pyarrow.Table.from_batches([batch]), "answer")
    twice = pyarrow.RecordBatch.from_arrays([batch.column("answer")] * 2, ["body", "body"])
    with pytest.raises(ValueError, match="2 columns are called 'body'"):
        decode(twice)


@pytest.mark.parametrize("decode", [archive.decode_batch, archive.decode_events_batch])
def test_columns_that_are_marked_so_are_never_null(decode: Any, backend: Implementation) -> None:
    """Arrow itself does not look: it takes a null for a column that has none."""
    bodies = [body for data in CAPTURES.values() for body in variants(data)]
    found = decode(batch_of([*bodies, b"?", None, STREAM]))
    for field, column in zip(found.schema, found.columns, strict=True):
        assert field.nullable or column.null_count == 0, field
    assert {"text", "thinking"} <= {field.name for field in found.schema if not field.nullable}
