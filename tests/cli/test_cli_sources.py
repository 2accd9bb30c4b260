"""What `hangang decode` reads: folders, names, compressed files and what is wrong with them."""

from __future__ import annotations

import gzip
import importlib
import json
import os
import subprocess
import sys
import textwrap
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import support
from commands import CAPTURES, CLOVA, CLOVA_TEXT, events, messages, on_a_terminal, run

from hangang.cli._sources import CompressedDataError, find, reading

zstd: Any = importlib.import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")

DATA = CLOVA.read_bytes()
HALF = len(DATA) // 2
PACK: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.compress, "zst": zstd.compress}
NAMES = {"gz": "gzip", "zst": "zstd"}
KEYS = [
    *("source", "dialect", "text", "thinking", "finish_reason", "usage", "tool_calls", "error"),
    *("ended", "fault", "fault_offset", "events", "bytes"),
]


def read(path: Path, size: int = 64 * 1024) -> bytes:
    with reading(str(path), size) as chunks:
        pieces = list(chunks)
    assert all(0 < len(piece) <= size for piece in pieces)
    return b"".join(pieces)


def faulty(path: Path, size: int = 64 * 1024) -> tuple[bytes, CompressedDataError]:
    """What is read before the fault, and the fault."""
    pieces: list[bytes] = []
    with reading(str(path), size) as chunks, pytest.raises(CompressedDataError) as caught:
        for piece in chunks:
            pieces.append(piece)
    return b"".join(pieces), caught.value


# --- folders


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path: Path) -> None:
    names = ["b.sse", "a/z.json", "a/b/c.ndjson", "한/강.jsonl", "c.sse.gz", "d.jsonstream.zst", "a.STREAM"]
    for name in [*names, "notes.md", "a/picture.png", ".hidden.sse", ".git/a.sse", "e.gz"]:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        pack = PACK.get(name.rpartition(".")[2], bytes)
        path.write_bytes(pack(DATA))
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "link.sse").symlink_to(CLOVA)
    os.mkfifo(tmp_path / "pipe.sse")
    order = [
        *("a/b/c.ndjson", "a/z.json", "a.STREAM", "b.sse", "c.sse.gz", "d.jsonstream.zst", "link.sse"),
        "한/강.jsonl",
    ]
    assert [found.name for found in find(str(tmp_path))] == [f"{tmp_path}/{name}" for name in order]
    done = run("decode", "--quiet", tmp_path)
    assert (done.returncode, messages(done)) == (0, [])
    assert done.stdout.decode() == "\n".join(f"==> {tmp_path}/{name} <==\n{CLOVA_TEXT}\n" for name in order)
    rows = events(run("decode", "--summary", tmp_path, CLOVA))
    assert [row["source"] for row in rows] == [*(f"{tmp_path}/{name}" for name in order), str(CLOVA)]


def test_folders_deeper_than_recursion(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    depth = min(1500, (os.pathconf(tmp_path, "PC_PATH_MAX") - len(str(tmp_path)) - 10) // 2)
    try:
        for _ in range(depth):
            os.mkdir("d", dir_fd=here)
            deeper = os.open("d", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = deeper
        file = os.open("a.sse", os.O_WRONLY | os.O_CREAT, dir_fd=here)
        os.write(file, DATA)
        os.close(file)
    finally:
        os.close(here)
    try:
        (found,) = find(str(tmp_path))
        assert found.problem is None
        assert read(Path(found.name)) == DATA
    finally:  # not left to pytest, whose own removal recurses
        subprocess.run(["rm", "-rf", str(tmp_path / "d")], check=True)


def test_a_folder_without_captures_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    done = run("decode", tmp_path)
    assert done.returncode == 2
    (message,) = messages(done)
    assert message == (
        f"hangang: {tmp_path}: no captures in this folder "
        "(.sse, .json, .jsonl, .ndjson, .jsonstream, .stream, .capture; also .gz and .zst)"
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_a_folder_that_cannot_be_listed_does_not_stop_the_others(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir(mode=0)
    (tmp_path / "b.sse").write_bytes(DATA)
    done = run("decode", "-q", tmp_path)
    assert done.returncode == 2
    assert messages(done) == [f"hangang: {tmp_path}/a: Permission denied"]
    assert CLOVA_TEXT in done.stdout.decode()


# --- compressed files


@pytest.mark.parametrize("kind", PACK)
@pytest.mark.parametrize("size", [1, 7, 64 * 1024])
def test_compressed_files_are_read_as_they_are(tmp_path: Path, kind: str, size: int) -> None:
    pack = PACK[kind]
    one = tmp_path / f"one.sse.{kind}"
    one.write_bytes(pack(DATA))
    several = tmp_path / f"several.SSE.{kind.upper()}"
    several.write_bytes(pack(DATA[:1]) + pack(b"") + pack(DATA[1:HALF]) + pack(DATA[HALF:]))
    assert read(one, size) == read(several, size) == DATA
    for path in (one, several):
        done = run("decode", "--chunk-size", size, path)
        assert done.stdout.decode() == CLOVA_TEXT + "\n"
        assert messages(done) == [f"hangang: {path}: complete (clova, 11 events, {len(DATA)} bytes)"]


def test_what_may_be_between_members(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(DATA[:HALF]) + b"\0" * 700 + gzip.compress(DATA[HALF:]) + b"\0" * 3)
    assert read(path) == read(path, 1) == DATA
    path = tmp_path / "a.zst"
    skippable = b"\x53\x2a\x4d\x18\x05\x00\x00\x00hello"
    path.write_bytes(
        skippable + zstd.compress(DATA[:HALF]) + skippable + zstd.compress(DATA[HALF:]) + skippable
    )
    assert read(path) == read(path, 1) == DATA


@pytest.mark.parametrize("kind", PACK)
def test_a_file_cut_anywhere_gives_what_is_there_and_says_so(tmp_path: Path, kind: str) -> None:
    whole = PACK[kind](DATA[:HALF]) + PACK[kind](DATA[HALF:])
    first = len(PACK[kind](DATA[:HALF]))
    path = tmp_path / f"a.sse.{kind}"
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        if cut == first:
            assert read(path) == DATA[:HALF]  # cut between members: nothing is wrong with it
            continue
        for size in (1, 64 * 1024):
            got, error = faulty(path, size)
            assert DATA.startswith(got)
            if kind == "gz" and cut > first:
                assert got.startswith(DATA[:HALF])
            is_begun = 0 < cut < 2 or first < cut < first + 2 if kind == "gz" else cut - first in (1, 2, 3)
            if not is_begun and not (kind == "zst" and 0 < cut < 4):
                assert error.is_cut
                assert str(error) == f"the {NAMES[kind]} data ends early, at byte {cut}"


@pytest.mark.parametrize("kind", PACK)
def test_a_cut_file_exits_3_after_its_text(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.sse.{kind}"
    path.write_bytes(PACK[kind](DATA)[:-2])
    done = run("decode", path)
    assert done.returncode == 3
    assert messages(done) == [
        f"hangang: {path}: the {NAMES[kind]} data ends early, at byte {path.stat().st_size}"
    ]
    (row,) = events(run("decode", "--summary", path))
    assert (row["fault"], row["fault_offset"]) == ("TruncatedStreamError", row["bytes"])
    if kind == "gz":  # only its checksum is missing
        assert done.stdout.decode() == CLOVA_TEXT + "\n"
        assert row["ended"]


@pytest.mark.parametrize("kind", PACK)
@pytest.mark.parametrize("garbage", [b"x", b"\x1f", b"\x28\xb5\x2f", b"\n", b"<html>" * 100])
def test_what_follows_the_last_member_is_named(tmp_path: Path, kind: str, garbage: bytes) -> None:
    path = tmp_path / f"a.sse.{kind}"
    packed = PACK[kind](DATA)
    path.write_bytes(packed + garbage)
    for size in (1, 64 * 1024):
        got, error = faulty(path, size)
        assert got == DATA
        assert error.offset == len(packed)
    done = run("decode", path)
    assert (done.stdout.decode(), done.returncode) == (CLOVA_TEXT + "\n", 4)
    assert messages(done) == [
        f"hangang: {path}: the {NAMES[kind]} data ends at byte {len(packed)}, and something else follows it"
    ]
    (row,) = events(run("decode", "--summary", path))
    assert (row["fault"], row["fault_offset"], row["text"]) == ("CompressedDataError", len(DATA), CLOVA_TEXT)


@pytest.mark.parametrize("kind", PACK)
def test_a_file_of_another_kind_under_that_name(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.sse.{kind}"
    path.write_bytes(DATA)
    done = run("decode", path, CLOVA)
    assert done.returncode == 4
    assert messages(done)[0] == f"hangang: {path}: not {NAMES[kind]} data"
    assert messages(done)[1].startswith(f"hangang: {CLOVA}: complete")


@pytest.mark.parametrize("kind", PACK)
@pytest.mark.parametrize("size", [1, 100, 64 * 1024])
def test_everything_before_the_damage_is_delivered(tmp_path: Path, kind: str, size: int) -> None:
    """A wrong checksum at the end, and a member in the middle that is none."""
    path = tmp_path / f"a.sse.{kind}"
    checked = zstd.ZstdCompressor(options={zstd.CompressionParameter.checksum_flag: 1})
    packed = gzip.compress(DATA) if kind == "gz" else checked.compress(DATA, checked.FLUSH_FRAME)
    at = len(packed) - (8 if kind == "gz" else 4)
    wrong = packed[:at] + bytes([packed[at] ^ 0xFF]) + packed[at + 1 :]
    path.write_bytes(wrong)
    got, error = faulty(path, size)
    assert got == DATA
    assert re_match(f"the {NAMES[kind]} data cannot be read at byte ", error)
    path.write_bytes(packed + packed[:40] + b"\xff" * 40)
    got, error = faulty(path, size)
    assert got.startswith(DATA)


def re_match(start: str, error: CompressedDataError) -> bool:
    return str(error).startswith(start) and not error.is_cut


@pytest.mark.parametrize("kind", PACK)
def test_any_changed_byte_is_an_error_or_nothing(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    packed = PACK[kind](DATA)
    for at in range(len(packed)):
        path.write_bytes(packed[:at] + bytes([packed[at] ^ 0x55]) + packed[at + 1 :])
        try:
            read(path)
        except CompressedDataError:
            pass


def test_standard_input_is_not_decompressed() -> None:
    done = run("decode", "-", stdin=gzip.compress(DATA))
    assert done.returncode == 4
    assert "found gzip data; decompress it first, or name the file .gz" in messages(done)[0]


def test_without_the_extra_it_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.sse.zst"
    path.write_bytes(zstd.compress(DATA))
    code = textwrap.dedent(
        """
        import sys
        sys.modules["compression.zstd"] = sys.modules["backports.zstd"] = None
        from hangang.cli import main
        sys.exit(main(sys.argv[1:]))
        """
    )
    done = subprocess.run([sys.executable, "-c", code, "decode", path], capture_output=True, check=False)
    assert done.returncode == 2
    assert messages(done) == [
        f"hangang: {path}: reading .zst needs backports-zstd; pip install 'hangang[cli]'"
    ]


@pytest.mark.parametrize("kind", PACK)
def test_memory_is_bounded_whatever_comes_out(tmp_path: Path, kind: str) -> None:
    """300 MB of comments in some hundred kilobytes. Linux counts the peak anew for each program."""
    if not Path("/proc/self/status").exists():
        pytest.skip("no peaks here")
    path = tmp_path / f"bomb.sse.{kind}"
    comments = b": ping" * 20_000 + b"\n"
    if kind == "gz":
        packer = zlib.compressobj(1, wbits=31)
        packed = [packer.compress(comments) for _ in range(2_500)] + [packer.compress(DATA), packer.flush()]
    else:
        made = zstd.ZstdCompressor()
        packed = [made.compress(comments) for _ in range(2_500)]
        packed += [made.compress(DATA), made.flush()]
    path.write_bytes(b"".join(packed))
    assert path.stat().st_size < 3 * 2**20
    code = (
        "import re, sys\nfrom hangang.cli import main\ncode = main(sys.argv[1:])\n"
        "found = re.search('VmHWM:\\\\s+(\\\\d+) kB', open('/proc/self/status').read())\n"
        "print(found[1], file=sys.stderr)\nsys.exit(code)\n"
    )

    def peak(*arguments: object) -> int:
        command = [sys.executable, "-c", code, "decode", "-q", "--format", "clova", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, check=False)
        assert (done.stdout.decode(), done.returncode) == (CLOVA_TEXT + "\n", 0)
        return int(done.stderr)

    assert peak(path) - peak(CLOVA) < 8 * 1024 or not support.PEAKS  # KiB


# --- rows


def test_a_summary_is_one_row_a_stream_with_these_keys() -> None:
    names = ["clova/v3_tool_call.sse", "openai/error_then_done.sse", "a2a/sdk-1.3.0_v1.0_stream_failed.sse"]
    done = run("decode", "--summary", *[CAPTURES / name for name in names], "-", stdin=DATA[:700])
    assert done.returncode == 3
    tools, failed, task, cut = events(done)
    for row in (tools, failed, task, cut):
        assert list(row) == KEYS
    assert tools["source"] == str(CAPTURES / names[0])
    assert (tools["dialect"], tools["ended"], tools["finish_reason"]) == ("clova", True, "tool_calls")
    (call,) = tools["tool_calls"]
    assert call["name"] == "get_weather"
    assert json.loads(call["arguments"])["location"] == "서울"
    assert tools["usage"]["total_tokens"] == 56
    assert (tools["error"], tools["fault"], tools["fault_offset"]) == (None, None, None)
    assert tools["bytes"] == (CAPTURES / names[0]).stat().st_size
    assert failed["error"] == {"code": 500, "message": "Internal server error"}
    assert (failed["ended"], failed["fault"], failed["text"]) == (True, None, "안녕하세요, 저는")
    assert task["error"] == {"code": "failed", "message": "실패"}
    assert (cut["source"], cut["ended"], cut["fault"]) == ("-", False, "TruncatedStreamError")
    assert (cut["fault_offset"], cut["bytes"]) == (700, 700)


def test_a_summary_of_thinking_of_malformed_frames_and_of_no_format() -> None:
    thinking = CAPTURES / "clova" / "v3_thinking.sse"
    (row,) = events(run("decode", "--summary", thinking))
    assert row["thinking"].startswith("오늘 사용자가")
    assert row["usage"]["thinking_tokens"] == 361
    good = (CAPTURES / "exaone" / "text_generation.jsonstream").read_bytes()
    bad = b'{"result_code":trx}' + good
    (row,) = events(run("decode", "--summary", "--errors", "report", "-", stdin=bad))
    assert (row["ended"], row["fault"], row["fault_offset"]) == (True, "InvalidJSONError", 17)
    (row,) = events(run("decode", "--summary", "-", stdin=b"<html></html>"))
    assert (row["dialect"], row["fault"], row["fault_offset"]) == (None, "UnrecognizedStreamError", 13)
    assert (row["text"], row["events"], row["ended"]) == ("", 0, False)


def test_sequence_numbers_begin_with_each_stream() -> None:
    rows = events(run("decode", "--json", CLOVA, "-", stdin=DATA))
    half = len(rows) // 2
    assert [row["sequence"] for row in rows] == [*range(half), *range(half)]
    assert {row["source"] for row in rows[:half]} == {str(CLOVA)}
    assert {row["source"] for row in rows[half:]} == {"-"}


@pytest.mark.parametrize(
    "arguments", [("--json", "--summary"), ("--json", "--thinking"), ("--summary", "--thinking")]
)
def test_options_that_exclude_each_other(arguments: tuple[str, str]) -> None:
    done = run("decode", *arguments, CLOVA)
    assert done.returncode == 2
    assert arguments[0] in messages(done)[-1]
    assert arguments[1] in messages(done)[-1]


# --- thinking


def test_thinking_is_shown_before_the_text() -> None:
    path = CAPTURES / "openai" / "vllm_reasoning.sse"
    (row,) = events(run("decode", "--summary", path))
    assert row["thinking"]
    done = run("decode", "--thinking", path)
    assert done.stdout.decode() == f"[thinking]\n{row['thinking'].rstrip()}\n[answer]\n{row['text']}\n"
    small = run("decode", "--thinking", "--chunk-size", "1", path)
    assert small.stdout == done.stdout
    assert run("decode", "--thinking", CLOVA).stdout.decode() == CLOVA_TEXT + "\n"
    shown, _ = on_a_terminal("decode", "--thinking", str(path))
    assert (
        shown.replace("\x1b[2m", "").replace("\x1b[22m", "") == f"{row['thinking'].rstrip()}\n{row['text']}\n"
    )
    assert shown.startswith("\x1b[2m")


def test_the_thinking_of_a_whole_answer() -> None:
    message = '{"role":"assistant","content":"답","thinkingContent":"생각"}'
    answer = f'{{"status":{{"code":"20000"}},"result":{{"message":{message},"finishReason":"stop"}}}}'
    done = run("decode", "--thinking", "-", stdin=answer.encode())
    assert done.stdout.decode() == "[thinking]\n생각\n[answer]\n답\n"


# --- A2A


def a2a(*results: dict[str, Any]) -> bytes:
    rows = [{"jsonrpc": "2.0", "id": 1, "result": result} for result in results]
    return "".join(f"data: {json.dumps(row, ensure_ascii=False)}\n\n" for row in rows).encode()


def status(state: str, text: str | None) -> dict[str, Any]:
    found: dict[str, Any] = {"state": state}
    if text is not None:
        found["message"] = {"role": "agent", "messageId": "m", "parts": [{"kind": "text", "text": text}]}
    return {"kind": "status-update", "taskId": "t", "contextId": "c", "status": found, "final": True}


TASK = {"kind": "task", "id": "t", "contextId": "c", "status": {"state": "submitted"}}


@pytest.mark.parametrize(
    ("update", "code", "ending"),
    [
        (
            status("input-required", "어느 도시인가요?"),
            0,
            "complete, the task is input-required: 어느 도시인가요?",
        ),
        (status("auth-required", None), 0, "complete, the task is auth-required"),
        (status("failed", "모델이 없습니다\x1b[2J"), 1, "the task failed: 모델이 없습니다\\x1b[2J"),
        (status("rejected", None), 1, "the task was rejected"),
    ],
)
def test_the_question_of_a_task_and_the_reason_of_a_failed_one(
    update: dict[str, Any], code: int, ending: str
) -> None:
    done = run("decode", "-", stdin=a2a(TASK, status("working", "처리 중"), update))
    assert done.returncode == code
    (message,) = messages(done)
    assert message.startswith(f"hangang: -: {ending} (a2a, 3 events, ")


def test_the_answer_that_is_only_in_the_completed_status() -> None:
    stream = a2a(TASK, status("completed", "다 됐습니다."))
    done = run("decode", "-", stdin=stream)
    assert (done.stdout.decode(), done.returncode) == ("다 됐습니다.\n", 0)
    (row,) = events(run("decode", "--summary", "-", stdin=stream))
    assert row["text"] == "다 됐습니다."
    part = {"kind": "text", "text": "답"}
    artifact = {
        "kind": "artifact-update",
        "taskId": "t",
        "contextId": "c",
        "artifact": {"artifactId": "a", "parts": [part]},
    }
    both = run("decode", "-", stdin=a2a(TASK, artifact, status("completed", "다 됐습니다.")))
    assert both.stdout.decode() == "답\n"
