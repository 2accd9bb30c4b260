"""`hangang archive`: sources, limits, tables, resume, kills, schedulers.

Most tests run one worker, in this process; those about processes and schedulers start their own.
"""

from __future__ import annotations

import gzip
import importlib
import json
import os
import pickle
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import support
from expected import EXPECTED

pyarrow = pytest.importorskip("pyarrow")
pytest.importorskip("click")

from pyarrow import parquet  # noqa: E402

from hangang import archive, cli  # noqa: E402
from hangang.archive import _part, _run  # noqa: E402
from hangang.archive._manifest import Manifest  # noqa: E402
from hangang.archive._sources import Source  # noqa: E402
from hangang.cli.bench.workloads import WORKLOADS  # noqa: E402

zstd: Any = importlib.import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")

CAPTURES = {name: (support.CAPTURES / name).read_bytes() for name in EXPECTED}
HANGANG = [sys.executable, "-m", "hangang", "archive"]
Run = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command in this process, with one worker: exit code, lines on standard error."""
    monkeypatch.setattr(_run, "default_workers", lambda: 1)

    def run(*arguments: object) -> tuple[int, list[str]]:
        code = cli.main(["archive", *map(str, arguments)])
        shown = capsys.readouterr()
        assert shown.out == ""
        return code, shown.err.splitlines()

    return run


def rows(out: Path, *columns: str) -> list[dict[str, Any]]:
    """All rows, in order of source, row and sequence; every table is in the manifest, and the other way round."""
    named = [json.loads(line) for line in (out / "_manifest.jsonl").read_text(encoding="utf-8").splitlines()]
    tables = {file["name"]: file["rows"] for part in named[1:] for file in part["files"]}
    assert {path.name for path in out.iterdir()} == {"_manifest.jsonl", *tables}
    for name, count in tables.items():
        assert parquet.read_metadata(out / name).num_rows == count
    found = parquet.read_table(out, columns=list(columns) or None).to_pylist() if tables else []
    return sorted(found, key=lambda row: (row["source"], row["row"] or 0, row.get("sequence") or 0))


def decoded(bodies: list[bytes | None], **options: Any) -> list[dict[str, Any]]:
    batch = pyarrow.RecordBatch.from_arrays([pyarrow.array(bodies, pyarrow.binary())], ["body"])
    found: list[dict[str, Any]] = archive.decode_batch(batch, **options).to_pylist()
    return found


def expected(bodies: dict[tuple[str, int | None], bytes | None]) -> list[dict[str, Any]]:
    places = [{"source": source, "row": row} for source, row in bodies]
    found = [place | row for place, row in zip(places, decoded(list(bodies.values())), strict=True)]
    return sorted(found, key=lambda row: (row["source"], row["row"] or 0))


def write_captures(folder: Path) -> dict[tuple[str, int | None], bytes | None]:
    """All captures, plain, compressed, cut and damaged, in folders."""
    bodies: dict[tuple[str, int | None], bytes | None] = {}
    for number, (name, data) in enumerate(CAPTURES.items()):
        for variant, body in (
            ("whole", data),
            ("cut", data[: len(data) * 2 // 3]),
            ("damaged", data.replace(b"{", b"[", 9)),
            ("empty", b""),
        ):
            path = folder / str(number % 3) / f"{number}-{variant}{Path(name).suffix}"
            path.parent.mkdir(exist_ok=True)
            written, wire = path, body
            if number % 4 == 1:
                written, wire = Path(f"{path}.gz"), gzip.compress(body)
            elif number % 4 == 2:
                written, wire = Path(f"{path}.zst"), zstd.compress(body)
            written.write_bytes(wire)
            bodies[str(written), None] = body
    return bodies


def text_of(body: bytes | None) -> str | None:
    return None if body is None else body.decode("utf-8", "replace")


def table_of(bodies: list[bytes | None]) -> Any:
    return pyarrow.table(
        {
            "id": list(range(len(bodies))),
            "body": pyarrow.array([text_of(body) for body in bodies]),
        }
    )


TEXTS: list[bytes | None] = [data.decode("utf-8", "replace").encode() for data in CAPTURES.values()]
TEXTS += [None, b"", b"data: {"]


# --- sources


def test_a_folder_of_captures(tmp_path: Path, run: Run) -> None:
    (tmp_path / "in").mkdir()
    bodies = write_captures(tmp_path / "in")
    (tmp_path / "in" / ".hidden").write_bytes(b"{}")
    (tmp_path / "in" / "notes.txt").write_bytes(b"not a stream")
    bodies[str(tmp_path / "in" / "notes.txt"), None] = b"not a stream"
    os.mkfifo(tmp_path / "in" / "pipe")
    assert run(tmp_path / "in", "--out", tmp_path / "out") == (0, [])
    assert rows(tmp_path / "out") == expected(bodies)
    schema = parquet.read_schema(tmp_path / "out" / "part-000000-0.parquet")
    assert schema.names == ["source", "row", *archive.SCHEMA.names]
    assert [schema.field(name).type for name in archive.SCHEMA.names] == archive.SCHEMA.types


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_json_lines(tmp_path: Path, run: Run, suffix: str) -> None:
    lines = [json.dumps({"id": 1, "body": text_of(body)}) for body in TEXTS]
    lines[3] = json.dumps({"body": TEXTS[3].decode(), "more": {"x": [1]}}, ensure_ascii=False)  # type: ignore[union-attr]
    data = "\r\n\n".join(lines).encode()
    packed = {"": data, ".gz": gzip.compress(data), ".zst": zstd.compress(data)}[suffix]
    path = tmp_path / f"day.jsonl{suffix}"
    path.write_bytes(packed)
    assert run(path, "--out", tmp_path / "out") == (0, [])
    assert rows(tmp_path / "out") == expected({(str(path), row): body for row, body in enumerate(TEXTS)})


def test_lines_of_every_kind(tmp_path: Path, run: Run) -> None:
    answer = {"choices": [{"message": {"content": "한강"}, "finish_reason": "stop"}]}
    text = json.dumps(answer, ensure_ascii=False)
    lines = [
        json.dumps({"body": text}).encode(),
        json.dumps({"body": answer}).encode(),  # stored as JSON
        b'{"other": 1}',
        b"not json",
        b'{"body": "\xff"}',
        b'{"body": "\\ud800"}',
        b'{"body": "cut',
        b"[1]",
        b'{"body": 7}',
        json.dumps({"body": text}).encode(),
    ]
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n".join(lines))
    assert run(path, "-o", tmp_path / "out")[0] == 0
    found = rows(tmp_path / "out")
    assert [row["text"] for row in found] == ["한강", "한강", *[""] * 7, "한강"]
    assert [(row["fault"], row["fault_offset"]) for row in found] == [
        (None, None),
        (None, None),
        ("TruncatedStreamError", 0),
        ("InvalidJSONError", 0),
        ("UnrecognizedStreamError", 1),
        ("UnrecognizedStreamError", 3),
        ("InvalidJSONError", 9),
        ("InvalidJSONError", 0),
        ("UnrecognizedStreamError", 1),
        (None, None),
    ]


def test_lines_are_read_alike_whatever_is_beside_them(tmp_path: Path, run: Run) -> None:
    """The fast reader of a block and the careful one of its lines give the same rows."""
    bodies = [*TEXTS, '{"choices":[]}é\x7f'.encode()]
    lines = [json.dumps({"body": text_of(body)}, ensure_ascii=n % 2 > 0) for n, body in enumerate(bodies)]
    for name, last in (("good.jsonl", []), ("bad.jsonl", ["nonsense"])):
        (tmp_path / name).write_text("\n".join([*lines, *last]), encoding="utf-8")
    assert run(tmp_path / "good.jsonl", tmp_path / "bad.jsonl", "-o", tmp_path / "out")[0] == 0
    found = rows(tmp_path / "out")
    names = [Path(row.pop("source")).name for row in found]
    bad, good = (
        [row for name, row in zip(names, found, strict=True) if name == wanted]
        for wanted in ("bad.jsonl", "good.jsonl")
    )
    assert bad[:-1] == good
    assert len(good) == len(bodies)


def many_lines(rng: random.Random, count: int) -> list[bytes]:
    """Lines of every kind, blank ones among them."""
    kinds = [
        b"", b" ", b"\r", b"\t\x0b\x0c", b"not json", b"[1]", b'{"other": 1}', b' {"body": "indented"}',
        b'{"body": "data: {"}', b'{"body": "' + b"x" * 300 + b'"}',
        *[json.dumps({"body": text_of(body)}).encode() for body in TEXTS[:3]],
    ]  # fmt: skip
    return [rng.choice(kinds) for _ in range(count)]


@pytest.mark.parametrize("seed", range(40))
def test_pieces_of_lines(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are the file, begin with lines, and number their rows, wherever chunks end."""
    rng = random.Random(seed)
    data = b'{"body": "first"}\n' + b"\n".join(many_lines(rng, rng.randrange(60)))
    data += rng.choice([b"", b"\n", b"\n\n \n"])
    path = tmp_path / "a.jsonl"
    path.write_bytes(data)
    source = Source(str(path), str(path), len(data))
    size = rng.choice([1, 10, 500, 3000, 10**6])
    found = set()
    for chunk in (1, 7, 64, 1000, 2**20):
        monkeypatch.setattr(_part, "CHUNK", chunk)
        found.add(tuple(_part.line_pieces(source, "body", 2**20, size)))
    (pieces,) = found
    ends = [0, *[end for _, end, _ in pieces]]
    assert [start for start, _, _ in pieces] == ends[:-1]
    assert ends[-1] == len(data)
    for start, end, first_row in pieces:
        assert first_row == sum(1 for line in data[:start].split(b"\n") if line.strip())
        assert start == 0 or data[start - 1 : start] == b"\n"
        assert end - start >= size or end == len(data)
        assert data.find(b"\n", start + size - 1, end - 1) < 0, "a piece ends with the first line that it may"


@pytest.mark.parametrize("chunk", [100, 2**20])
def test_large_json_lines_are_read_in_pieces_to_the_same_rows(
    tmp_path: Path, run: Run, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_part, "CHUNK", chunk)
    overlong = b'{"body": "' + b"y" * 20_000 + b'"}'
    lines = [b'{"body": "first"}', *many_lines(random.Random(1), 300), overlong, b'{"body": "after"}']
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(lines))
    limit = ("--max-body-bytes", 3000)
    assert run(tmp_path / "a.jsonl", "-o", tmp_path / "whole", *limit) == (0, [])
    monkeypatch.setattr(_run, "SPLIT", 2000)
    assert run(tmp_path / "a.jsonl", "-o", tmp_path / "pieces", *limit) == (0, [])
    assert parts(tmp_path / "whole") == 1
    assert parts(tmp_path / "pieces") > 10
    found = rows(tmp_path / "pieces")
    assert found == rows(tmp_path / "whole")
    assert [row["row"] for row in found] == list(range(sum(1 for line in lines if line.strip())))
    assert [row["fault"] for row in found].count("LimitExceededError") == 1


def test_pieces_that_are_done_are_not_read_again(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out = tmp_path / "a.jsonl", tmp_path / "out"
    path.write_bytes(b"".join(b'{"body": "%d"}\n' % number for number in range(500)))
    monkeypatch.setattr(_run, "SPLIT", 2000)
    commit = Manifest.commit

    def stopped(self: Manifest, part: Any, result: Any) -> None:
        commit(self, part, result)
        if part.number == 3:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Manifest, "commit", stopped)
        assert run(path, "-o", out)[0] == 130
    before = sorted(out.iterdir())
    assert parts(out) == 4
    monkeypatch.setattr(_part, "CHUNK", 77)  # the pieces do not depend on it
    assert run(path, "-o", out, "--resume") == (0, [])
    assert set(before) < set(out.iterdir())
    assert rows(out) == expected({(str(path), row): b"%d" % row for row in range(500)})
    path.write_bytes(b"{}")  # also smaller than what is read in pieces
    code, errors = run(path, "-o", out, "--resume")
    assert (code, "has changed since it was read" in errors[0]) == (2, True)


def test_a_large_table_that_was_read_whole_is_not_read_in_pieces(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.jsonl").write_bytes(b'{"body": "x"}\n' * 500)
    parquet.write_table(table_of([b"x"] * 500), tmp_path / "in/b.parquet", row_group_size=50)
    assert run(tmp_path / "in", "-o", tmp_path / "out") == (0, [])
    monkeypatch.setattr(_run, "SPLIT", 500)
    assert run(tmp_path / "in", "-o", tmp_path / "out", "--resume") == (0, [])
    assert len(rows(tmp_path / "out")) == 1000


def test_large_lines_that_cannot_be_read(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_run, "SPLIT", 1000)
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"answer": "x"}\n' * 500)
    message = f"hangang: {path}: no column 'body'; the columns are 'answer'"
    assert run(path, "-o", tmp_path / "out") == (2, [message])
    assert rows(tmp_path / "out") == []
    # It becomes shorter between planning and reading: no row of the piece is kept.
    path.write_bytes(b'{"body": "x"}\n' * 500)
    run_part = _run.run_part

    def after_a_cut(part: Any, options: Any) -> Any:
        if part.byte_range[0]:
            os.truncate(path, part.byte_range[1] - 20)
        return run_part(part, options)

    monkeypatch.setattr(_run, "run_part", after_a_cut)
    code, errors = run(path, "-o", tmp_path / "two")
    assert code == 2
    assert errors[0] == f"hangang: {path}: it became shorter while it was read"
    assert [row["row"] for row in rows(tmp_path / "two")] == list(range(len(rows(tmp_path / "two"))))


def test_small_tables_are_read_together(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """And one that breaks off in the middle leaves no row, while those beside it keep theirs."""
    (tmp_path / "in").mkdir()
    bodies: dict[tuple[str, int | None], bytes | None] = {}
    for number in range(9):
        path = tmp_path / "in" / f"{number}.{('jsonl', 'parquet', 'sse')[number % 3]}"
        if number % 3 == 0:
            path.write_bytes(b"".join(b'{"body": "%d"}\n' % row for row in range(200)))
            bodies |= {(str(path), row): b"%d" % row for row in range(200)}
        elif number % 3 == 1:
            parquet.write_table(table_of(TEXTS), path)
            bodies |= {(str(path), row): body for row, body in enumerate(TEXTS)}
        else:
            path.write_bytes(b"data: [DONE]\n\n")
            bodies[str(path), None] = b"data: [DONE]\n\n"
    assert run(tmp_path / "in", "-o", tmp_path / "out") == (0, [])
    assert parts(tmp_path / "out") == 1
    assert rows(tmp_path / "out") == expected(bodies)

    content = _part.content

    def breaking(name: str, file: Any, size: int) -> Iterator[bytes]:
        for number, chunk in enumerate(content(name, file, 500)):
            if number == 3 and "3.jsonl" in name:
                raise OSError(5, "Input/output error")
            yield chunk

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_part, "content", breaking)
        code, errors = run(tmp_path / "in", "-o", tmp_path / "two")
    assert (code, errors) == (2, [f"hangang: {tmp_path}/in/3.jsonl: Input/output error"])
    broken = {place: body for place, body in bodies.items() if not place[0].endswith("3.jsonl")}
    assert rows(tmp_path / "two") == expected(broken)
    assert run(tmp_path / "in", "-o", tmp_path / "two", "--resume") == (0, [])
    assert rows(tmp_path / "two") == expected(bodies)


@pytest.mark.parametrize("kind", ["string", "large_binary", "dictionary"])
def test_parquet(tmp_path: Path, run: Run, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_run, "SPLIT", 1000)  # so that its row groups are read apart
    table = table_of(TEXTS)
    if kind == "dictionary":
        table = table.set_column(1, "body", table.column("body").dictionary_encode())
    elif kind == "large_binary":
        table = table.set_column(1, "body", pyarrow.array(TEXTS, pyarrow.large_binary()))
    path = tmp_path / "day.parquet"
    parquet.write_table(table, path, row_group_size=4)
    assert run(path, "--out", tmp_path / "out") == (0, [])
    assert len(list((tmp_path / "out").glob("part-*.parquet"))) > 2
    assert rows(tmp_path / "out") == expected({(str(path), row): body for row, body in enumerate(TEXTS)})


def test_another_column(tmp_path: Path, run: Run) -> None:
    table = table_of(TEXTS).rename_columns(["id", "answer"])
    (tmp_path / "in").mkdir()
    parquet.write_table(table, tmp_path / "in/a.parquet")
    (tmp_path / "in/a.jsonl").write_text(json.dumps({"answer": "x", "id": 1}), encoding="utf-8")
    code, errors = run(tmp_path / "in", "--out", tmp_path / "out", "--column", "bode")
    assert code == 2
    assert sorted(errors) == [
        f"hangang: {tmp_path}/in/a.jsonl: no column 'bode'; the columns are 'answer' and 'id'",
        f"hangang: {tmp_path}/in/a.parquet: no column 'bode'; the columns are 'id' and 'answer'",
    ]
    assert rows(tmp_path / "out") == []
    assert run(tmp_path / "in", "--out", tmp_path / "out2", "--column", "answer") == (0, [])
    assert len(rows(tmp_path / "out2")) == len(TEXTS) + 1


def test_parts_are_sent_as_they_are() -> None:
    sources = (Source("a", "/a", 1), Source("b.jsonl", "/b.jsonl", -1))
    for part in (
        _part.Part(7, sources, 99),
        _part.Part(8, sources[1:], 9, byte_range=(3, 12), first_row=4),
        _part.Part(9, sources[:1], 9, row_groups=(0, 2)),
    ):
        assert pickle.loads(pickle.dumps(part)) == part


def test_globs_and_the_same_file_twice(tmp_path: Path, run: Run) -> None:
    for name in ("a/1.sse", "a/b/2.sse", "a/b/3.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert run(tmp_path / "a/**/*.sse", tmp_path / "a/1.sse", tmp_path / "*/b", "-o", tmp_path / "out") == (
        0,
        [],
    )
    found = [str(Path(row["source"]).relative_to(tmp_path)) for row in rows(tmp_path / "out")]
    assert found == ["a/1.sse", "a/b/2.sse", "a/b/3.txt"]


def test_relative_paths_stay_as_they_are(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    Path("in/한 강.sse").write_bytes(b"x")
    assert run(".", "in", "--out", "./out") == (0, [])
    assert [row["source"] for row in rows(tmp_path / "out")] == ["./in/한 강.sse"]
    assert run("in", "--out", "out", "--resume") == (0, [])  # another name is another source
    assert len(rows(tmp_path / "out")) == 2


def test_urls_of_fsspec(tmp_path: Path, run: Run) -> None:
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    bodies: dict[tuple[str, int | None], bytes | None] = {}
    for name, data in CAPTURES.items():
        memory.pipe(f"/archive/{name}.gz", gzip.compress(data))
        memory.pipe(f"/archive/{name}", data)
        bodies |= {(f"memory:///archive/{name}", None): data, (f"memory:///archive/{name}.gz", None): data}
    memory.pipe("/archive/.hidden/x.sse", b"")
    assert run("memory://archive", "--out", tmp_path / "out") == (0, [])
    assert rows(tmp_path / "out") == expected(bodies)
    assert run("memory://archive/clova/*.sse", "--out", tmp_path / "two") == (0, [])
    assert len(rows(tmp_path / "two")) == sum(name.startswith("clova/") for name in CAPTURES)
    assert run("memory://archive/nothing", "-o", tmp_path / "three") == (
        2, ["hangang: memory://archive/nothing: No such file or directory"],
    )  # fmt: skip


def test_a_bucket(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    server_module = pytest.importorskip("moto.server")
    s3fs = pytest.importorskip("s3fs")
    server = server_module.ThreadedMotoServer(port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        for name, value in (
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
            ("AWS_ENDPOINT_URL", f"http://{host}:{port}"),
        ):
            monkeypatch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()
        bucket = s3fs.S3FileSystem()
        bucket.mkdir("answers")
        for number, (name, data) in enumerate(CAPTURES.items()):
            packed = gzip.compress(data) if number % 2 else data
            bucket.pipe(f"answers/day/{name}{'.gz' if number % 2 else ''}", packed)
        with bucket.open("answers/day/table.parquet", "wb") as file:
            parquet.write_table(table_of(TEXTS), file)
        assert run("s3://answers/day", "--out", tmp_path / "out") == (0, [])
        found = rows(tmp_path / "out")
        assert all(row["source"].startswith("s3://answers/day/") for row in found)
        assert [row["text"] for row in found if row["row"] is not None] == [
            row["text"] for row in decoded(TEXTS)
        ]
        assert sorted(row["bytes"] for row in found if row["row"] is None) == sorted(
            map(len, CAPTURES.values())
        )
    finally:
        server.stop()
        s3fs.S3FileSystem.clear_instance_cache()


# --- rows


def test_one_row_an_event(tmp_path: Path, run: Run) -> None:
    path = tmp_path / "a.parquet"
    parquet.write_table(table_of(TEXTS), path)
    (tmp_path / "b.sse").write_bytes(WORKLOADS["clova_v3"](30_000).wire)  # large: fed in chunks
    assert (tmp_path / "b.sse").stat().st_size > _part.STREAMED
    assert run(tmp_path, "--events", "--out", tmp_path / "out") == (0, [])
    found = rows(tmp_path / "out")
    events = archive.decode_events_batch(table_of(TEXTS).to_batches()[0]).to_pylist()
    assert [row for row in found if row["source"] == str(path)] == [
        {"source": str(path), **row} for row in events
    ]
    large = [row for row in found if row["source"] != str(path)]
    assert [row["sequence"] for row in large] == list(range(30_002))
    assert {row["row"] for row in large} == {None}


def test_a_given_format(tmp_path: Path, run: Run) -> None:
    (tmp_path / "a.sse").write_bytes(b'data: {"id":1}\n\ndata: {"id":1}\n\n')
    assert run(tmp_path, "--format", "clova", "--out", tmp_path / "out") == (0, [])
    (row,) = rows(tmp_path / "out")
    assert (row["dialect"], row["events"], row["fault"]) == ("clova", 2, "UnrecognizedStreamError")


def test_strict(tmp_path: Path, run: Run) -> None:
    (tmp_path / "a.sse").write_bytes(b"x")
    assert run(tmp_path, "--out", tmp_path / "out") == (0, [])
    assert run(tmp_path, "--out", tmp_path / "out", "--resume", "--strict") == (
        1, ["hangang: 1 body with a fault"],
    )  # fmt: skip


# --- limits


@pytest.mark.parametrize("name", WORKLOADS)
def test_large_bodies_are_read_in_chunks_to_the_same_rows(tmp_path: Path, run: Run, name: str) -> None:
    wire = WORKLOADS[name](3000).wire
    wire = wire if len(wire) > 2**18 else WORKLOADS[name](9000).wire
    bodies: dict[tuple[str, int | None], bytes | None] = {}
    (tmp_path / "in").mkdir()
    for variant, body in (
        ("whole", wire),
        ("cut", wire[:-999]),
        ("bad", wire[:200_000] + b"\xff{" + wire[200_000:]),
    ):
        path = tmp_path / "in" / f"{variant}.gz"
        path.write_bytes(gzip.compress(body, 1))
        bodies[str(path), None] = body
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_part, "STREAMED", 2**17)
            patch.setattr(_part, "CHUNK", 2**15 + 1)
            assert run(path, "--out", tmp_path / "out", "--resume") == (0, [])
    assert rows(tmp_path / "out") == expected(bodies)


def test_a_body_over_the_limit_is_a_row(tmp_path: Path, run: Run) -> None:
    wire = WORKLOADS["openai"](100).wire
    limit = len(wire) // 2
    (tmp_path / "a.sse").write_bytes(wire)
    (tmp_path / "b.sse.gz").write_bytes(gzip.compress(wire))
    (tmp_path / "c.jsonl").write_text(json.dumps({"body": wire.decode()}), encoding="utf-8")
    parquet.write_table(table_of([wire]), tmp_path / "d.parquet")
    (tmp_path / "e.sse").write_bytes(wire[:limit])
    assert run(tmp_path, "--out", tmp_path / "out", "--max-body-bytes", limit) == (0, [])
    *over, within = rows(tmp_path / "out")
    assert within["fault"] == "TruncatedStreamError"
    for row in over:
        assert (row["fault"], row["fault_offset"], row["ended"]) == ("LimitExceededError", limit, False)
        assert (row["text"], row["events"], row["bytes"]) == (within["text"], within["events"], limit)


def test_what_decompresses_without_end_is_stopped(tmp_path: Path, run: Run) -> None:
    bomb = gzip.compress(b"data: {" + bytes(300 * 2**20), 9)
    (tmp_path / "bomb.sse.gz").write_bytes(bomb)
    (tmp_path / "bomb.jsonl.gz").write_bytes(bomb + gzip.compress(b'\n{"body":"x"}\n'))
    assert run(tmp_path, "--out", tmp_path / "out", "--max-body-bytes", 2**20, "--format", "openai") == (
        0,
        [],
    )
    lines, line, capture = rows(tmp_path / "out", "source", "row", "fault", "fault_offset", "bytes")
    assert lines["fault"] == capture["fault"] == "LimitExceededError"
    assert capture["bytes"] == 2**20
    assert (line["row"], line["fault"]) == (1, "UnrecognizedStreamError")


@pytest.mark.parametrize("pack", [gzip.compress, zstd.compress], ids=["gz", "zst"])
def test_damaged_compression_is_a_row(tmp_path: Path, run: Run, pack: Any) -> None:
    suffix = "gz" if pack is gzip.compress else "zst"
    wire = WORKLOADS["openai"](2000).wire
    lines = b"".join(b'{"body":"%d"}\n' % number for number in range(9000))
    for name, data in (("a.sse", wire), ("b.jsonl", lines)):
        packed = pack(data)
        (tmp_path / f"{name}.{suffix}").write_bytes(packed[: len(packed) // 2])
    (tmp_path / f"c.sse.{suffix}").write_bytes(pack(wire) + b"more")
    (tmp_path / f"d.sse.{suffix}").write_bytes(b"nothing of the kind")
    assert run(tmp_path, "--out", tmp_path / "out") == (0, [])
    found = rows(tmp_path / "out")
    (cut,) = [row for row in found if "a.sse" in row["source"]]
    assert (cut["fault"], cut["ended"], cut["fault_offset"]) == ("TruncatedStreamError", False, cut["bytes"])
    table = [row for row in found if "b.jsonl" in row["source"]]
    assert [row["row"] for row in table] == list(range(len(table)))
    assert table[-1]["fault"] == "TruncatedStreamError"
    (more,) = [row for row in found if "c.sse" in row["source"]]
    assert (more["fault"], more["ended"], more["bytes"]) == ("CompressedDataError", True, len(wire))
    assert more["finish_reason"] == "stop"
    (none,) = [row for row in found if "d.sse" in row["source"]]
    assert (none["fault"], none["bytes"]) == ("CompressedDataError", 0)


def test_tables_of_bounded_size(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_part, "ROW_GROUP", 20_000)
    monkeypatch.setattr(_part, "GROUP", 10_000)
    rng = random.Random(1)
    texts = [
        json.dumps({"choices": [{"message": {"content": rng.randbytes(500).hex()}}]}) for _ in range(400)
    ]
    (tmp_path / "a.jsonl").write_text(
        "\n".join(json.dumps({"body": text}) for text in texts), encoding="utf-8"
    )
    assert run(tmp_path, "--out", tmp_path / "out", "--max-file-bytes", 30_000) == (0, [])
    sizes = [path.stat().st_size for path in (tmp_path / "out").glob("*.parquet")]
    assert len(sizes) > 5
    assert max(sizes) < 80_000
    assert [row["row"] for row in rows(tmp_path / "out")] == list(range(400))


# --- resume


def test_resume_reads_what_is_new(tmp_path: Path, run: Run) -> None:
    (tmp_path / "in").mkdir()
    bodies = write_captures(tmp_path / "in")
    late = [path for path in (tmp_path / "in").rglob("*.*") if path.is_file()][::3]
    for path in late:
        path.rename(tmp_path / path.name)
    assert run(tmp_path / "in", "--out", tmp_path / "out") == (0, [])
    for path in late:
        (tmp_path / path.name).rename(path)
    (tmp_path / "out" / "part-000099-0.parquet").write_bytes(b"renamed, and killed before it was named")
    (tmp_path / "out" / ".part-000099-abcd-0.tmp").write_bytes(b"half")
    with open(tmp_path / "out" / "_manifest.jsonl", "ab") as manifest:
        manifest.write(b'{"part":99,"files":[{"na')
    assert run(tmp_path / "in", "--out", tmp_path / "out", "--resume") == (0, [])
    assert rows(tmp_path / "out") == expected(bodies)
    before = sorted((tmp_path / "out").iterdir())
    assert run(tmp_path / "in", "--out", tmp_path / "out", "--resume") == (0, [])
    assert sorted((tmp_path / "out").iterdir()) == before


def test_a_source_that_cannot_be_read_is_named_and_tried_again(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    bodies = write_captures(tmp_path / "in")
    lost = tmp_path / "in" / "lost.sse"
    lost.symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in" / "bad.parquet").write_bytes(b"PAR1 and more")
    code, errors = run(tmp_path / "in", "--out", tmp_path / "out")
    assert code == 2
    assert sorted(errors)[1] == f"hangang: {lost}: No such file or directory"
    assert min(errors).startswith(f"hangang: {tmp_path}/in/bad.parquet: ")
    assert rows(tmp_path / "out") == expected(bodies)
    (tmp_path / "elsewhere").write_bytes(b"data: [DONE]\n\n")
    parquet.write_table(table_of([b"x"]), tmp_path / "in" / "bad.parquet")
    assert run(tmp_path / "in", "--out", tmp_path / "out", "--resume") == (0, [])
    more = {(str(lost), None): b"data: [DONE]\n\n", (str(tmp_path / "in" / "bad.parquet"), 0): b"x"}
    assert rows(tmp_path / "out") == expected(bodies | more)


@pytest.mark.parametrize("difference", [-1000, -1, 1, 1000])
def test_a_capture_that_has_changed_since_it_was_found_is_read_whole(
    tmp_path: Path, run: Run, difference: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    bodies = write_captures(tmp_path / "in")
    find = _run.find_sources

    def found_before(given: Any, exclude: str) -> Iterator[Source]:
        for source in find(given, exclude):
            yield source._replace(size=max(source.size + difference, 0))

    monkeypatch.setattr(_run, "find_sources", found_before)
    assert run(tmp_path / "in", "-o", tmp_path / "out") == (0, [])
    assert rows(tmp_path / "out") == expected(bodies)


def test_a_source_that_breaks_off_has_no_rows(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also not in the middle of its events, some of which were written: a resume would add them twice."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.sse.gz").write_bytes(gzip.compress(WORKLOADS["openai"](3000).wire))
    (tmp_path / "in" / "b.sse").write_bytes(WORKLOADS["openai"](5).wire)
    content = _part.content

    def breaking(name: str, file: Any, size: int) -> Iterator[bytes]:
        for number, chunk in enumerate(content(name, file, 20_000)):
            if number == 9:
                raise OSError(5, "Input/output error")
            yield chunk

    monkeypatch.setattr(_part, "STREAMED", 50_000)
    monkeypatch.setattr(_part, "ROW_GROUP", 10_000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_part, "content", breaking)
        code, errors = run(tmp_path / "in", "--events", "--out", tmp_path / "out")
    assert (code, errors) == (2, [f"hangang: {tmp_path}/in/a.sse.gz: Input/output error"])
    assert {row["source"] for row in rows(tmp_path / "out")} == {str(tmp_path / "in" / "b.sse")}
    assert run(tmp_path / "in", "--events", "--out", tmp_path / "out", "--resume") == (0, [])
    assert len(rows(tmp_path / "out")) == 3004 + 9


def test_a_folder_is_not_written_over(tmp_path: Path, run: Run) -> None:
    (tmp_path / "a.sse").write_bytes(b"x")
    out = tmp_path / "out"
    assert run(tmp_path / "a.sse", "-o", out) == (0, [])
    assert run(tmp_path / "a.sse", "-o", out) == (
        2, [f"hangang: {out} holds tables; --resume continues them, or name another folder"],
    )  # fmt: skip
    code, errors = run(tmp_path / "a.sse", "-o", out, "--resume", "--events")
    assert code == 2
    assert errors == [
        f"hangang: {out} was begun with --events false, not true; use the same options, or name another folder"
    ]
    (tmp_path / "a.sse").write_bytes(b"xy")
    code, errors = run(tmp_path / "a.sse", "-o", out, "--resume")
    assert code == 2
    assert "has changed since it was read (1 bytes then, 2 now)" in errors[0]


def test_wrong_arguments(tmp_path: Path, run: Run) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    for arguments, message in (
        ([tmp_path / "no"], f"{tmp_path}/no: No such file or directory"),
        ([tmp_path / "no*"], f"{tmp_path}/no*: no file matches"),
        ([tmp_path / "empty"], f"{tmp_path}/empty: no files there"),
        (["nothing://x"], "nothing://x: Protocol not known: nothing"),
    ):
        assert run(*arguments, "-o", tmp_path / "out", "--resume") == (2, [f"hangang: {message}"])
    code, errors = run(tmp_path / "file", "-o", tmp_path / "file" / "out")
    assert (code, errors) == (2, [f"hangang: {tmp_path}/file/out: Not a directory"])
    assert run(tmp_path / "file", "-o", "s3://x/y")[1][-1].startswith("Error: --out must be a local folder")
    code, errors = run(tmp_path, "-o", tmp_path / "out", "--workers", 2, "--scheduler", "tcp://127.0.0.1:1")
    assert code == 2
    assert errors[-1].startswith("Error: --workers is for this machine")


def test_only_one_process_writes_to_a_folder(tmp_path: Path, run: Run) -> None:
    (tmp_path / "a.sse").write_bytes(b"x")
    fcntl = pytest.importorskip("fcntl")
    out = tmp_path / "out"
    assert run(tmp_path / "a.sse", "-o", out) == (0, [])
    with open(out / "_manifest.jsonl", "rb") as held:
        fcntl.flock(held.fileno(), fcntl.LOCK_EX)
        assert run(tmp_path / "a.sse", "-o", out, "--resume") == (
            2, [f"hangang: another process is writing to {out}"],
        )  # fmt: skip


# --- processes

#: The command with its workers in threads of its own process: it starts at once, and a kill ends all of it.
IN_ONE_PROCESS = """
import sys
from hangang import cli
from hangang.archive import _part, _run
_part.CHUNK = 2000
_run.PART_FILES, _run.SPLIT = 1, 6000
executor = _run._executor
_run._executor = lambda workers, scheduler, in_process: executor(workers, scheduler, in_process=True)
sys.exit(cli.main(["archive", *sys.argv[1:]]))
"""


#: The command with a part a file.
MANY_PARTS = """
import sys
from hangang import cli
from hangang.archive import _run
_run.PART_FILES = 1
sys.exit(cli.main(["archive", *sys.argv[1:]]))
"""

#: The command whose workers die on their first part.
DYING_WORKER = """
import os, sys
from hangang import cli
from hangang.archive import _run
_run.PART_FILES = 1
_run.run_part = os._exit
submit = _run._Processes.submit
_run._Processes.submit = lambda self, function, part, options: submit(self, function, part.number)
sys.exit(cli.main(["archive", *sys.argv[1:]]))
"""


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(support.REPO / "python")}


def parts(out: Path) -> int:
    try:
        return (out / "_manifest.jsonl").read_bytes().count(b'{"part"')
    except FileNotFoundError:
        return 0


def kill_after(process: subprocess.Popen[Any], out: Path, count: int, how: int) -> bool:
    """Ends the process once the manifest has `count` parts; returns whether it was still running."""
    while parts(out) < count:
        if process.poll() is not None:
            return False
        time.sleep(0.002)
    process.send_signal(how)
    process.wait(60)
    return True


def test_killed_at_any_moment_and_resumed_the_rows_are_those_of_one_run(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    bodies = write_captures(tmp_path / "in")
    path = tmp_path / "in" / "0" / "large.jsonl"  # read in pieces
    path.write_bytes(b"".join(b'{"body": "%d"}\n\n' % row for row in range(2000)))
    bodies |= {(str(path), row): b"%d" % row for row in range(2000)}
    rng = random.Random(time.time_ns())
    out, kills = tmp_path / "out", 0
    for _ in range(12):
        target = parts(out) + rng.randint(1, 30)
        process = subprocess.Popen(
            [sys.executable, "-c", IN_ONE_PROCESS, str(tmp_path / "in"), "-o", str(out), "--resume"],
            env=environment(),
        )
        time.sleep(rng.random() / 100)
        if not kill_after(process, out, target, signal.SIGKILL):
            assert process.returncode == 0
            break
        kills += 1
    else:
        done = subprocess.run(
            [sys.executable, "-c", IN_ONE_PROCESS, str(tmp_path / "in"), "-o", str(out), "--resume"],
            env=environment(), timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0
    assert kills
    assert rows(out) == expected(bodies)


def lines_of_many_parts(folder: Path) -> dict[tuple[str, int | None], bytes | None]:
    bodies: dict[tuple[str, int | None], bytes | None] = {}
    folder.mkdir()
    for number in range(60):
        path = folder / f"{number:02d}.jsonl"
        path.write_text(
            "\n".join(json.dumps({"body": f"{row} of {number}"}) for row in range(50)), encoding="utf-8"
        )
        bodies |= {(str(path), row): b"%d of %d" % (row, number) for row in range(50)}
    return bodies


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_worker_processes_end_with_the_command(tmp_path: Path, how: int, workers: int) -> None:
    """A kill, or Ctrl-C, which the workers get too."""
    bodies = lines_of_many_parts(tmp_path / "in")
    out = tmp_path / "out"
    command = [sys.executable, "-c", MANY_PARTS, str(tmp_path / "in"), "--out", str(out)]
    command += ["--workers", str(workers)]
    process = subprocess.Popen(
        command, env=environment(), stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    while not parts(out):
        assert process.poll() is None
        time.sleep(0.002)
    if how == signal.SIGINT:
        os.killpg(process.pid, how)
    else:
        process.kill()
    _, shown = process.communicate(timeout=60)  # ends when no process of the run has the pipe any more
    if how == signal.SIGINT:
        assert process.returncode == 130
        assert parts(out) < 60
        assert re.fullmatch(
            rf"hangang: stopped; [\d,]+ rows(, .*)? are in {re.escape(str(out))}\. "
            r"The same command with --resume continues\.\n",
            shown,
        )
    done = subprocess.run(
        [*command, "--resume"], env=environment(), capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert rows(out) == expected(bodies)


def test_a_worker_that_dies(tmp_path: Path) -> None:
    """For want of memory, say. The command ends with a message, and so do the other workers."""
    (tmp_path / "in").mkdir()
    for name in "abcdefgh":
        (tmp_path / "in" / f"{name}.sse").write_bytes(b"data: [DONE]\n\n")
    out = tmp_path / "out"
    command = [*HANGANG, str(tmp_path / "in"), "--out", str(out), "--workers", "2"]
    process = subprocess.Popen(
        [sys.executable, "-c", DYING_WORKER, *command[4:]],
        env=environment(), stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    _, shown = process.communicate(timeout=120)
    assert (process.returncode, shown) == (
        2, "hangang: a worker process has ended, perhaps for want of memory; --resume continues\n"
    )  # fmt: skip
    done = subprocess.run([*command, "--resume"], env=environment(), timeout=120, check=False)
    assert done.returncode == 0
    assert len(rows(out)) == 8


@contextmanager
def a_scheduler(folder: Path) -> Iterator[str]:
    """Dask's scheduler and a worker, in processes of their own."""
    processes = []
    dask = [sys.executable, "-m", "dask"]
    quiet: dict[str, Any] = {"env": environment(), "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    file = folder / "scheduler.json"
    try:
        scheduler = [
            "scheduler",
            "--host",
            "127.0.0.1",
            "--port",
            "0",
            "--no-dashboard",
            "--scheduler-file",
            str(file),
        ]
        processes.append(subprocess.Popen([*dask, *scheduler], cwd=folder, **quiet))
        while not (file.exists() and file.stat().st_size):
            assert processes[0].poll() is None
            time.sleep(0.02)
        worker = ["worker", "--nthreads", "2", "--no-nanny", "--no-dashboard", "--scheduler-file", str(file)]
        processes.append(subprocess.Popen([*dask, *worker], cwd=folder, **quiet))
        yield json.loads(file.read_text(encoding="utf-8"))["address"]
    finally:
        for process in processes:
            process.kill()
            process.wait(30)


def test_a_scheduler_in_another_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the worker runs in another folder
    Path("in").mkdir()
    Path("work").mkdir()
    bodies = write_captures(Path("in"))
    with a_scheduler(tmp_path / "work") as address:
        done = subprocess.run(
            [*HANGANG, "in", "--out", "out", "--scheduler", address],
            env=environment(), capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert rows(tmp_path / "out") == expected(bodies)


def test_a_scheduler_that_goes(tmp_path: Path) -> None:
    lines_of_many_parts(tmp_path / "in")
    (tmp_path / "work").mkdir()
    out = tmp_path / "out"
    command = [sys.executable, "-c", MANY_PARTS, str(tmp_path / "in"), "--out", str(out)]
    with a_scheduler(tmp_path / "work") as address:
        process = subprocess.Popen(
            [*command, "--scheduler", address], env=environment(), stderr=subprocess.PIPE, text=True
        )
        while not parts(out):
            assert process.poll() is None
            time.sleep(0.002)
    _, shown = process.communicate(timeout=120)
    assert (process.returncode, shown) == (2, "hangang: the scheduler has gone\n")
    assert 0 < parts(out) < 60
    assert subprocess.run([*command, "--resume"], env=environment(), timeout=120, check=False).returncode == 0
    assert len(rows(out)) == 3000


def test_no_scheduler_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.sse").write_bytes(b"x")
    arguments = [str(tmp_path / "a.sse"), "-o", str(tmp_path / "out"), "--scheduler"]
    assert cli.main(["archive", *arguments, "nonsense"]) == 2
    assert "hangang: no scheduler at nonsense: " in capsys.readouterr().err


def peak_memory(*arguments: object) -> int:
    """Of the command with one worker, in KB."""
    script = """
import sys
from hangang import cli
assert cli.main(["archive", *sys.argv[1:], "--workers", "1"]) == 0
print(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
"""
    # Not ru_maxrss of the child: that counts what this process had when it forked.
    command = [sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=120, check=True)
    return int(done.stdout)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
def test_memory_does_not_grow_with_a_file(tmp_path: Path) -> None:
    """One body of 128 MB, one line of 128 MB, and 131,072 lines: each costs a chunk and the limit of a body."""
    small, large = tmp_path / "small", tmp_path / "large"
    event = b'data: {"choices":[{"index":0,"delta":{"content":"%s"}}]}\n\n'
    for folder, count in ((small, 1), (large, 2**17)):
        folder.mkdir()
        (folder / "a.sse").write_bytes((event % b"x" + b": %s\n\n" % (b"x" * 950)) * count)
        (folder / "b.jsonl").write_bytes(b'{"body": "' + b"x" * 1000 * count + b'"}\n{"body": "y"}\n')
        (folder / "c.jsonl").write_bytes(b'{"body": "%s"}\n' % (b"x" * 990) * count)
    limit = ("--max-body-bytes", 2**22)
    before = peak_memory(small, "-o", tmp_path / "one", *limit)
    assert peak_memory(large, "-o", tmp_path / "two", *limit) - before < 80 * 1024
    over = [
        row
        for row in rows(tmp_path / "two", "source", "row", "fault")
        if row["fault"] != "UnrecognizedStreamError"
    ]
    assert [(Path(row["source"]).name, row["row"], row["fault"]) for row in over] == [
        ("a.sse", None, "LimitExceededError"), ("b.jsonl", 0, "LimitExceededError"),
    ]  # fmt: skip


def test_progress_on_a_terminal(tmp_path: Path) -> None:
    terminals = pytest.importorskip("terminals")
    lines_of_many_parts(tmp_path / "in")
    command = ["archive", str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--workers", "1"]
    terminal = terminals.Terminal(*command, PYTHONPATH=str(support.REPO / "python"), COLUMNS="200")
    try:
        shown = terminal.until(r"hangang: 3,000 rows, .* in ", seconds=120)
    finally:
        terminal.close()
    assert re.search(r"\d+(\.\d)? KB of \d+(\.\d)? KB, [\d,]+ rows, .*B/s, \d+ s left", shown)
