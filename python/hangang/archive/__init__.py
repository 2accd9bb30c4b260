"""Stored bodies to tables: one row a body, or one row an event.

    table = pyarrow.parquet.read_table("gateway.parquet", columns=["time", "body"])
    rows = [hangang.archive.decode_batch(batch, keep=["time"]) for batch in table.to_batches()]

The functions are pure and work on `pyarrow.RecordBatch`, so they run wherever Arrow does: in Dask, Polars,
Ray, Spark. `hangang archive` runs them over folders, buckets and tables, on one core or on a cluster.

It needs the extra `hangang[archive]`.
"""

from __future__ import annotations

from hangang.archive._rows import EVENTS_SCHEMA, SCHEMA, decode_batch, decode_events_batch

__all__ = ["EVENTS_SCHEMA", "SCHEMA", "decode_batch", "decode_events_batch"]
