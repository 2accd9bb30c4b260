"""The same function in other engines: each gives the rows of `decode_batch`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import support
from expected import EXPECTED

pyarrow = pytest.importorskip("pyarrow")

from pyarrow import parquet  # noqa: E402

from hangang import archive  # noqa: E402

BODIES = [(support.CAPTURES / name).read_bytes() for name in EXPECTED] + [b"", b"data: {", b"?"]
HOURS = [f"2026-11-26T{number % 24:02d}" for number in range(len(BODIES))]


def batch() -> Any:
    return pyarrow.RecordBatch.from_arrays([pyarrow.array(HOURS), pyarrow.array(BODIES)], ["hour", "body"])


@pytest.fixture
def rows() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = archive.decode_batch(batch(), keep=["hour"]).to_pylist()
    return found


@pytest.mark.parametrize("size", [5, 1000])
def test_polars_map_batches(rows: list[dict[str, Any]], size: int, tmp_path: Path) -> None:
    pl = pytest.importorskip("polars")

    def decode(frame: Any) -> Any:
        batches = frame.to_arrow().to_batches()
        return pl.from_arrow([archive.decode_batch(one, keep=["hour"]) for one in batches])

    schema = pl.from_arrow(archive.decode_batch(batch().slice(0, 0), keep=["hour"])).schema
    parquet.write_table(pyarrow.Table.from_batches([batch()]), tmp_path / "day.parquet", row_group_size=size)
    lazy = pl.scan_parquet(tmp_path / "day.parquet").map_batches(decode, schema=schema, streamable=True)
    for engine in ("in-memory", "streaming"):
        frame = lazy.collect(engine=engine)
        assert sorted(frame.to_dicts(), key=str) == sorted(rows, key=str)
    tokens = lazy.group_by("dialect").agg(pl.col("completion_tokens").sum()).collect()
    assert dict(tokens.iter_rows())["openai"] == sum(
        row["completion_tokens"] or 0 for row in rows if row["dialect"] == "openai"
    )


def test_duckdb_over_the_tables(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    table = pyarrow.Table.from_batches([archive.decode_batch(batch(), keep=["hour"])])
    parquet.write_table(table.slice(0, 9), tmp_path / "part-000000-0.parquet")
    parquet.write_table(table.slice(9), tmp_path / "part-000001-0.parquet")
    with duckdb.connect() as connection:
        found = connection.sql(f"SELECT * FROM '{tmp_path}/*.parquet'")
        assert sorted(found.to_arrow_table().to_pylist(), key=str) == sorted(rows, key=str)
        faults = connection.sql(
            f"SELECT fault, count(*) FROM '{tmp_path}/*.parquet' WHERE NOT ended GROUP BY fault"
        ).fetchall()
    assert dict(faults) == {
        "TruncatedStreamError": sum(row["fault"] == "TruncatedStreamError" for row in rows),
        "UnrecognizedStreamError": sum(row["fault"] == "UnrecognizedStreamError" for row in rows),
    }


def test_duckdb_over_arrow(rows: list[dict[str, Any]]) -> None:
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect() as connection:
        connection.register("answers", pyarrow.Table.from_batches([archive.decode_batch(batch())]))
        assert connection.sql("SELECT sum(events), count(*) FROM answers").fetchall() == [
            (sum(row["events"] for row in rows), len(rows))
        ]
