"""The `hangang` command, as a user runs it: a process, its output, its messages and its exit code."""

from __future__ import annotations

import gzip
import json
import os
import re
import select
import signal
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
import support
from commands import CAPTURES, CLOVA, CLOVA_TEXT, HANGANG, events, messages, on_a_terminal, run

import hangang
from hangang.cli import main
from hangang.cli._formats import WINDOW, Detector
from hangang.cli._terminal import clip, visible, width, wrapped

A2A_TEXT = "안녕하세요, A2A 😊\n둘째 줄"

# file: format, exit code, text, the last words on standard error
EXPECTED: dict[str, tuple[str, int, str, str]] = {
    "clova/v3_text.sse": ("clova", 0, CLOVA_TEXT, "complete"),
    "clova/v1_text.sse": ("clova", 0, "변환이 완료되었습니다.\n감사합니다.", "complete"),
    "clova/v3_tool_call.sse": ("clova", 0, "", "complete, no text; --summary shows the rest"),
    "clova/error_midstream.sse": (
        "clova",
        1,
        "안녕하세요",
        "failed with 42901: Too many requests - rate exceeded",
    ),
    "exaone/chat_completion_web.ndjson": (
        "exaone",
        0,
        "더위를 슬기롭게 이기려면 물을 자주 마시고, 한낮 외출은 피하는 것이 좋아요.\n🥵",
        "complete",
    ),
    "exaone/error_midstream.jsonstream": (
        "exaone",
        1,
        "안녕하세요",
        (
            "failed with 500: The service is currently experiencing a temporary issue and cannot process your "
            "request. Please try again shortly."
        ),
    ),
    "openai/vllm_reasoning.sse": ("openai", 0, "한강의 길이는 약 494km입니다. 🌊", "complete"),
    "openai/error_then_done.sse": (
        "openai",
        1,
        "안녕하세요, 저는",
        "failed with 500: Internal server error",
    ),
    "openai/tool_call_hcx.sse": ("openai", 0, "날씨를 확인해 볼게요.", "complete"),
    "a2a/sdk-1.3.0_v1.0_send.json": ("a2a", 0, A2A_TEXT, "complete"),
    "a2a/sdk-1.3.0_v1.0_stream.sse": ("a2a", 0, A2A_TEXT, "complete"),
    "a2a/sdk-1.3.0_v1.0_stream_messageonly.sse": ("a2a", 0, "직접 답변입니다.", "complete"),
    "a2a/sdk-1.3.0_v1.0_stream_parts.sse": ("a2a", 0, A2A_TEXT, "complete"),
    "a2a/sdk-1.3.0_v1.0_stream_failed.sse": ("a2a", 1, "", "the task failed: 실패"),
    "a2a/sdk-1.3.0_v1.0_stream_errfirst.json": (
        "a2a",
        1,
        "",
        "failed with -32005: boom before first event",
    ),
    "a2a/sdk-1.3.0_v1.0_bad_json.json": (
        "a2a",
        1,
        "",
        "failed with -32700: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
    ),
    "a2a/sdk-1.3.0_v1.0_unknown_method.json": ("a2a", 1, "", "failed with -32601: Method not found"),
    "a2a/sdk-1.3.0_compat-v0.3_send.json": ("a2a", 0, A2A_TEXT, "complete"),
    "a2a/sdk-1.3.0_compat-v0.3_stream.sse": ("a2a", 0, A2A_TEXT, "complete"),
    "a2a/sdk-1.3.0_compat-v0.3_stream_gov-kindless.sse": ("a2a", 0, A2A_TEXT, "complete"),
    "a2a/sdk-0.3.26_v0.3_stream.sse": ("a2a", 0, A2A_TEXT, "complete"),
    "a2a/sdk-0.2.16_v0.2_stream.sse": ("a2a", 0, A2A_TEXT, "complete"),
}


# --- output


@pytest.mark.parametrize("name", EXPECTED)
def test_every_capture_gives_its_text_its_format_and_its_end(name: str) -> None:
    format_name, code, text, ending = EXPECTED[name]
    path = CAPTURES / name
    done = run("decode", path)
    assert done.stdout.decode() == (text + "\n" if text else "")
    assert done.returncode == code
    (message,) = messages(done)
    assert message.startswith(f"hangang: {path}: {ending} ({format_name}, ")
    assert message.endswith(f", {path.stat().st_size} bytes)")


def test_the_table_leaves_no_small_capture_out() -> None:
    found = {path.relative_to(CAPTURES).as_posix() for path in CAPTURES.glob("*/*")}
    assert found - set(EXPECTED) == {"clova/v3_thinking.sse", "exaone/text_generation.jsonstream"}


@pytest.mark.parametrize("name", ["clova/v3_thinking.sse", "exaone/text_generation.jsonstream"])
def test_the_text_is_the_parsers_text(name: str) -> None:
    data = (CAPTURES / name).read_bytes()
    parser = (hangang.clova if "clova" in name else hangang.exaone).StreamParser()
    text = "".join(event.text for event in [*parser.feed(data), *parser.close()])
    assert run("decode", CAPTURES / name).stdout.decode() == text + "\n"


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_the_chunk_size_changes_nothing(size: int, arguments: tuple[str, ...]) -> None:
    path = CAPTURES / "exaone" / "text_generation.jsonstream"
    whole = run("decode", *arguments, path)
    small = run("decode", *arguments, "--chunk-size", size, "-", stdin=path.read_bytes())
    assert small.stdout.decode().replace('"source": "-"', f'"source": "{path}"') == whole.stdout.decode()
    assert small.returncode == whole.returncode == 0


def test_json_lines_carry_every_field_unescaped() -> None:
    done = run("decode", "--json", CLOVA)
    assert "안녕하세요" in done.stdout.decode()
    parser = hangang.clova.StreamParser()
    expected = [*parser.feed(CLOVA.read_bytes()), *parser.close()]
    lines = events(done)
    for number, (line, event) in enumerate(zip(lines, expected, strict=True)):
        assert list(line)[:4] == ["source", "sequence", "dialect", "kind"]
        assert line == {"source": str(CLOVA), "sequence": number, **event.to_dict()}
        assert line.get("text", "") == event.text
    assert lines[-2]["usage"] == {
        "prompt_tokens": 20,
        "completion_tokens": 9,
        "total_tokens": 29,
        "thinking_tokens": None,
    }


def test_the_type_of_an_openai_error_is_not_the_kind_of_the_event() -> None:
    rows = events(run("decode", "--json", CAPTURES / "openai/error_then_done.sse"))
    (error,) = [row for row in rows if row["kind"] == "Error"]
    assert (error["type"], error["dialect"]) == ("InternalServerError", "openai")


def test_json_lines_are_json_whatever_the_numbers() -> None:
    frame = b'{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"m","data":{"n":[1e999,-1e999,1.5]}}}'
    (line,) = events(run("decode", "--json", "-", stdin=frame))
    assert line["data"] == {"n": [None, None, 1.5]}


def test_several_files_and_standard_input_in_order() -> None:
    one = CAPTURES / "openai" / "tool_call_hcx.sse"
    done = run("decode", CLOVA, "-", one, stdin=CLOVA.read_bytes())
    assert done.stdout.decode() == (
        f"==> {CLOVA} <==\n{CLOVA_TEXT}\n\n==> - <==\n{CLOVA_TEXT}\n\n==> {one} <==\n날씨를 확인해 볼게요.\n"
    )
    assert [line.split(" (")[0] for line in messages(done)] == [
        f"hangang: {CLOVA}: complete",
        "hangang: -: complete",
        f"hangang: {one}: complete",
    ]


def test_whole_answers_one_after_the_other_are_all_shown() -> None:
    message = '{"role":"assistant","content":"%s"}'
    answer = '{"status":{"code":"20000"},"result":{"message":' + message + ',"finishReason":"stop"}}'
    done = run("decode", "-", stdin=(answer % "하나 " + "\n" + answer % "둘").encode())
    assert done.stdout.decode() == "하나 둘\n"


def test_quiet_says_nothing_of_a_good_end() -> None:
    assert run("decode", "--quiet", CLOVA).stderr == b""
    failed = run("decode", "--quiet", CAPTURES / "clova/error_midstream.sse")
    assert (failed.stderr, failed.returncode) == (b"", 1)


# --- as it arrives


def test_text_comes_before_the_stream_ends() -> None:
    data = CLOVA.read_bytes()
    second = data.index(b"\n\n", data.index(b"\n\n") + 2) + 2
    process = subprocess.Popen([*HANGANG, "decode", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None
    with process:
        try:
            process.stdin.write(data[:second])
            process.stdin.flush()
            shown = b""
            while len(shown) < len("안녕".encode()):
                assert select.select([process.stdout], [], [], 30)[0], (
                    "two events are complete, their text is not"
                )
                shown += os.read(process.stdout.fileno(), 1000)
            assert shown.decode() == "안녕"
        finally:
            process.stdin.write(data[second:])
            process.stdin.close()
        assert process.stdout.read().decode().endswith("도와드릴까요?\n")
    assert process.returncode == 0


def test_ctrl_c_ends_quietly_with_130() -> None:
    process = subprocess.Popen(
        [*HANGANG, "decode", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    with process:
        process.stdin.write(CLOVA.read_bytes()[:1200])
        process.stdin.flush()
        shown = b""
        while not shown.decode(errors="ignore").startswith("안녕하세요"):
            assert select.select([process.stdout], [], [], 30)[0]
            shown += os.read(process.stdout.fileno(), 1000)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        assert process.stderr.read() == b""


def test_a_missing_option_lists_its_values_on_one_line() -> None:
    done = run("chat")
    assert done.returncode == 2
    assert messages(done)[-1] == "Error: Missing option '--service'. Choose from: clova, exaone, gov, openai"


def test_a_closed_pipe_ends_quietly(tmp_path: Path) -> None:
    path = tmp_path / "long.sse"
    path.write_bytes(CLOVA.read_bytes() * 3000)
    process = subprocess.Popen(
        [*HANGANG, "decode", "--json", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None and process.stderr is not None
    with process:
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(30) == 141
        assert process.stderr.read() == b""


def test_memory_does_not_grow_with_the_stream() -> None:
    code = (
        "import resource, sys; from hangang.cli import main; code = main(['decode', '-q', *sys.argv[1:], '-']);"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr); sys.exit(code)"
    )
    data = (CAPTURES / "clova" / "v3_thinking.sse").read_bytes()

    def peak(times: int, *arguments: str) -> int:
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], input=data * times, capture_output=True, check=True
        )
        return int(done.stderr)

    for arguments in ((), ("--json",)):
        grown = peak(100, *arguments) - peak(10, *arguments)
        assert grown < 4 * 1024 or not support.PEAKS  # KiB; the second input is 10 MB longer


# --- bad input


@pytest.mark.parametrize("cut", [0, 1, 700, 1000, 1500])
def test_a_truncated_stream_gives_what_was_complete_and_says_where(cut: int) -> None:
    done = run("decode", "-", stdin=CLOVA.read_bytes()[:cut])
    text = done.stdout.decode().removesuffix("\n")
    assert CLOVA_TEXT.startswith(text)
    assert done.returncode == 3
    (message,) = messages(done)
    assert message.startswith(f"hangang: -: TruncatedStreamError: stream truncated at byte {cut}: expected ")


def test_a_fault_comes_after_everything_that_was_complete() -> None:
    good = (CAPTURES / "exaone" / "text_generation.jsonstream").read_bytes()
    done = run("decode", "--json", "-", stdin=good + b'{"result_code":trx}' + good)
    assert len(events(done)) == 26
    assert done.returncode == 4
    offset = len(good) + len(b'{"result_code":tr')
    assert messages(done) == [
        f"hangang: -: InvalidJSONError: invalid JSON at byte {offset}: expected 'true', found 'x'"
    ]


def test_a_limit_is_named() -> None:
    done = run("decode", "--max-frame-bytes", 150, CLOVA)
    assert done.returncode == 4
    (message,) = messages(done)
    assert "LimitExceededError: frame too large at byte" in message
    assert "raise --max-frame-bytes if" in message
    deep = b'{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"m","data":[[[]]]}}'
    done = run("decode", "--max-depth", 4, "-", stdin=deep)
    assert done.returncode == 4
    (message,) = messages(done)
    assert "LimitExceededError: nesting too deep at byte" in message
    assert "raise --max-depth if" in message


def test_report_goes_on_after_a_malformed_frame() -> None:
    good = (CAPTURES / "exaone" / "text_generation.jsonstream").read_bytes()
    done = run("decode", "--errors", "report", "-", stdin=b'{"result_code":trx}' + good)
    assert "네, 가능해요! 😊" in done.stdout.decode()
    assert done.returncode == 4
    first, last = messages(done)
    assert first == "hangang: -: InvalidJSONError: invalid JSON at byte 17: expected 'true', found 'x'"
    assert last.startswith("hangang: -: complete, 1 malformed frame (exaone, 27 events, ")
    row = events(run("decode", "--json", "--errors", "report", "-", stdin=b'{"result_code":trx}' + good))[0]
    assert (row["source"], row["sequence"], row["dialect"], row["kind"]) == ("-", 0, "exaone", "Malformed")
    assert row["raw"] == '{"result_code":trx}'
    assert row["error"]["class"] == "InvalidJSONError"
    assert row["error"]["offset"] == 17


def test_files_that_cannot_be_read_do_not_stop_the_others(tmp_path: Path) -> None:
    missing = tmp_path / "missing\x1b[31m.sse"
    done = run("decode", missing, tmp_path, CLOVA)
    assert done.stdout.decode() == f"==> {CLOVA} <==\n{CLOVA_TEXT}\n"
    assert done.returncode == 2
    first, second, third = messages(done)
    assert first == f"hangang: {tmp_path}/missing\\x1b[31m.sse: No such file or directory"
    assert second.startswith(f"hangang: {tmp_path}: no captures in this folder (.sse, ")
    assert third.startswith(f"hangang: {CLOVA}: complete")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_an_unreadable_file_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "secret.sse"
    path.write_bytes(b"")
    path.chmod(0)
    assert messages(run("decode", path)) == [f"hangang: {path}: Permission denied"]


def test_closed_standard_streams() -> None:
    def shell(redirections: str) -> subprocess.CompletedProcess[bytes]:
        command = f'"$0" -m hangang decode - {redirections}'
        return subprocess.run(
            ["sh", "-c", command, sys.executable],
            # With this set nothing is buffered, and what fails at a flush is not seen.
            env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
            capture_output=True,
            timeout=60,
            check=False,
        )

    no_input = shell("<&-")
    assert messages(no_input) == ["hangang: -: standard input is closed"]
    assert no_input.returncode == 2
    no_output = shell(f"< '{CLOVA}' >&-")
    assert messages(no_output) == ["hangang: the output cannot be written: standard output is closed"]
    assert no_output.returncode == 2
    assert shell(f"< '{CLOVA}' 2>&-").returncode == 0
    if Path("/dev/full").exists():
        full = shell(f"< '{CLOVA}' >/dev/full")
        assert messages(full) == ["hangang: the output cannot be written: No space left on device"]
        assert full.returncode == 2
        # The text is complete, and the exit code says that something could not be written.
        lost = shell(f"< '{CLOVA}' 2>/dev/full")
        assert (lost.stdout.decode(), lost.returncode) == (CLOVA_TEXT + "\n", 2)
        assert shell(f"-q < '{CLOVA}' 2>/dev/full").returncode == 0
        assert shell("--format xml 2>/dev/full").returncode == 2
        assert shell(f"2>/dev/full >/dev/full < '{CLOVA}'").returncode == 2
        assert shell("</dev/null 2>/dev/full").returncode == 3, "the highest code counts"


@pytest.mark.parametrize("arguments", [("decode",), ("decode", "--format", "xml", "x"), ("nope",)])
def test_wrong_usage_is_2(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert messages(done)[0].startswith("Usage: hangang")


# --- the format


@pytest.mark.parametrize("name", [*EXPECTED, "clova/v3_thinking.sse", "exaone/text_generation.jsonstream"])
def test_the_format_does_not_depend_on_the_cut(name: str) -> None:
    data = (CAPTURES / name).read_bytes()
    expected = name.split("/", maxsplit=1)[0]
    assert Detector().feed(data) == expected
    detector = Detector()
    found = [detector.feed(data[at : at + 1]) for at in range(min(len(data), WINDOW))]
    first = found.index(expected)
    assert set(found[:first]) <= {None}
    assert set(found[first:]) == {expected}


@pytest.mark.parametrize(
    ("data", "looks"),
    [
        (b"<!DOCTYPE html><html></html>", "an HTML page"),
        (b" \n<HTML>" + b"x" * 5000, "an HTML page"),
        (gzip.compress(CLOVA.read_bytes()), "gzip data; decompress it first, or name the file .gz"),
        (b"\x28\xb5\x2f\xfd" + b"\xff" * 100, "zstd data; decompress it first, or name the file .zst"),
        (b'{"a": 1}', "nothing of the kind"),
        (b"{]", "nothing of the kind"),
        (b"\x00\xff" * 5000, "nothing of the kind"),
        (b" " * 2000 + b'{"result_code":200}', "nothing of the kind"),  # beyond the first 1,024 bytes
    ],
)
def test_what_is_of_no_format_is_said_and_exits_4(data: bytes, looks: str) -> None:
    for arguments in ((), ("--chunk-size", 1), ("--json",)):
        done = run("decode", *arguments, "-", stdin=data)
        assert (done.stdout, done.returncode) == (b"", 4)
        (message,) = messages(done)
        hint = "; --format chooses one" if looks == "nothing of the kind" else ""
        assert message == (
            f"hangang: -: UnrecognizedStreamError: stream not recognized at byte {len(data)}: "
            f"expected clova, exaone, openai or a2a events, found {looks}{hint}"
        )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" \r\n" * 1000,
        b"\xef\xbb\xbf\n",
        b": ping\n\n: ping\n\n",
        b"ev",
        b"data: {",
        b'{"a"',
        b'{"a":"' + b"x" * 2000,
    ],
)
def test_what_has_no_event_yet_is_truncated(data: bytes) -> None:
    done = run("decode", "-", stdin=data)
    assert done.returncode == 3
    (message,) = messages(done)
    assert message.startswith(f"hangang: -: TruncatedStreamError: stream truncated at byte {len(data)}: ")


def test_a_given_format_is_taken_as_given() -> None:
    done = run("decode", "--json", "--format", "exaone", CLOVA)
    assert {row["kind"] for row in events(done)} == {"Unknown"}
    assert done.returncode == 4
    (message,) = messages(done)
    assert "UnrecognizedStreamError: " in message
    assert message.endswith("found a stream of clova; try --format clova")


# --- the terminal


HOSTILE = "a\x1b[2J\x07\x00\x9b31m\r\x7f\tb\nc"
# direction, zero width, line breaks, byte-order mark, tags
UNSEEN = {
    "\u202e": "\\u202e", "\u2066": "\\u2066", "\u200f": "\\u200f", "\u061c": "\\u061c", "\u200b": "\\u200b",
    "\u200d": "\\u200d", "\u2060": "\\u2060", "\u2028": "\\u2028", "\u2029": "\\u2029", "\ufeff": "\\ufeff",
    "\xad": "\\xad", "\U000e0041": "\\U000e0041", "\U000e007f": "\\U000e007f",
}  # fmt: skip


def capture(path: Path, text: str) -> Path:
    chunk = {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": "stop"}]}
    path.write_text(
        f"data: {json.dumps(chunk, ensure_ascii=False)}\n\ndata: [DONE]\n\n", "utf-8", newline="\n"
    )
    return path


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    return capture(tmp_path / "hostile.sse", HOSTILE)


def test_control_characters_are_shown_and_not_obeyed_on_a_terminal(hostile: Path) -> None:
    text, code = on_a_terminal("decode", str(hostile))
    assert code == 0
    # the terminal itself may widen a tab; what counts is what it was sent
    assert re.sub(r"\t| +", "\t", text) == "a\\x1b[2J\\x07\\x00\\x9b31m\\x0d\\x7f\tb\nc\n"
    lines, _ = on_a_terminal("decode", "--json", str(hostile))
    assert not [c for c in lines if unicodedata.category(c) == "Cc" and c != "\n"]
    assert json.loads(lines.split("\n")[0])["text"] == HOSTILE


def test_invisible_characters_are_shown_and_not_obeyed_on_a_terminal(tmp_path: Path) -> None:
    unseen = "".join(f"<{character}>" for character in UNSEEN)
    shown = "".join(f"<{escape}>" for escape in UNSEEN.values())
    text, code = on_a_terminal("decode", str(capture(tmp_path / "a.sse", unseen)))
    assert (text, code) == (shown + "\n", 0)
    assert run("decode", tmp_path / "a.sse").stdout.decode() == unseen + "\n"  # into a pipe: as it is
    for option in ("--json", "--summary"):
        lines, _ = on_a_terminal("decode", option, str(tmp_path / "a.sse"))
        assert not set(lines) & set(UNSEEN)
        assert json.loads(lines.split("\n")[0])["text"] == unseen


def test_invisible_characters_of_names_and_of_the_service_are_shown(tmp_path: Path) -> None:
    message = "".join(UNSEEN)
    path = tmp_path / f"a{message.replace('/', '')}.sse"
    body = json.dumps({"status": {"code": "1", "message": message}}, ensure_ascii=False)
    path.write_text(f"event: error\ndata: {body}\n\n", "utf-8", newline="\n")
    (line,) = messages(run("decode", path))
    assert not set(line) & set(UNSEEN)
    assert "failed with 1: " + "".join(UNSEEN.values()) in line
    several, _ = on_a_terminal("decode", str(path), str(CLOVA))
    assert several.startswith(f"==> {tmp_path}/a{''.join(UNSEEN.values())}.sse <==\n")
    done = run("decode", "--format", message, path)
    assert not set(done.stderr.decode()) & set(UNSEEN)
    assert "\\u202e" in done.stderr.decode()


def test_emoji_stay_whole_on_a_terminal(tmp_path: Path) -> None:
    emoji = "👩‍💻 🚴‍♀️ 👨‍👩‍👧 🏴‍☠️ 👩🏽‍🚀"
    chunks = [{"choices": [{"index": 0, "delta": {"content": character}}]} for character in emoji]
    chunks[-1]["choices"][0]["finish_reason"] = "stop"
    (tmp_path / "a.sse").write_text("".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks))
    for size in ("1", "100000"):
        assert on_a_terminal("decode", "--chunk-size", size, str(tmp_path / "a.sse")) == (emoji + "\n", 0)


def test_what_is_visible() -> None:
    assert visible("a\nb\tc") == "a\\nb\\tc"
    assert visible("\u200d\u200d") == "\\u200d\\u200d"
    assert visible("🌊\u200d\u200d🌊") == "🌊\u200d\\u200d🌊"
    assert visible("한강 é ا ي 👍🏽 ①") == "한강 é ا ي 👍🏽 ①"


def test_a_file_gets_the_text_as_it_is(hostile: Path) -> None:
    assert run("decode", hostile).stdout.decode() == HOSTILE + "\n"


@pytest.mark.parametrize(
    "locale", [{"LANG": "C", "PYTHONUTF8": "0"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}, {"LC_ALL": "C.UTF-8"}]
)
def test_korean_names_and_texts_in_every_locale(tmp_path: Path, locale: dict[str, str]) -> None:
    path = capture(tmp_path / "한강.sse", "흐른다")
    environment = {n: v for n, v in os.environ.items() if not n.startswith(("LC_", "LANG", "PYTHON"))}
    environment |= locale | {"PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    environment |= {n: v for n, v in os.environ.items() if n == "HANGANG_BACKEND"}
    done = run("decode", path, tmp_path, tmp_path / "없다.sse", env=environment)
    assert done.stdout.decode() == f"==> {path} <==\n흐른다\n\n==> {path} <==\n흐른다\n"
    assert messages(done) == [
        *[f"hangang: {path}: complete (openai, 2 events, {path.stat().st_size} bytes)"] * 2,
        f"hangang: {tmp_path}/없다.sse: No such file or directory",
    ]
    (row,) = events(run("decode", "--summary", path, env=environment))
    assert (row["source"], row["text"]) == (str(path), "흐른다")
    text, _ = on_a_terminal("decode", str(path), str(tmp_path), env=environment)
    assert text == done.stdout.decode()


def test_a_name_that_is_not_utf_8(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/\xff.sse"
    Path(os.fsdecode(name)).write_bytes(CLOVA.read_bytes())
    done = run("decode", "--summary", tmp_path)
    (row,) = events(done)
    assert os.fsencode(row["source"]) == name
    assert "\\udcff.sse: complete" in messages(done)[0]


def test_a_message_of_the_service_stays_on_one_line() -> None:
    stream = b'event: error\ndata: {"status":{"code":"1","message":"a\\u001b[2J\\nb"}}\n\n'
    (message,) = messages(run("decode", "-", stdin=stream))
    assert "failed with 1: a\\x1b[2J\\nb (" in message


@pytest.mark.parametrize("arguments", [("--help",), ("decode", "--help"), ("demo", "--help")])
def test_help_fits_sixty_columns(arguments: tuple[str, ...]) -> None:
    text, code = on_a_terminal(*arguments)
    assert code == 0
    assert max(map(width, text.split("\n"))) <= 60


def test_columns_count_as_the_terminal_counts() -> None:
    assert width("한강 a") == 6
    assert clip("한강은 흐른다", 6) == "한강…"
    assert clip("short", 5) == "short"
    assert list(wrapped("한강은 흐른다", 6)) == ["한강은", " 흐른", "다"]
    assert list(wrapped("", 6)) == [""]


# --- the rest


def test_version_names_the_backend() -> None:
    done = run("--version")
    assert done.stdout.decode() == f"hangang {hangang.__version__} ({hangang.BACKEND})\n"


def test_without_click_the_extra_is_named() -> None:
    code = (
        "import sys; sys.modules['click'] = None; from hangang.cli import main; sys.exit(main(['--version']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert messages(done) == ["hangang: the command line needs click; pip install 'hangang[cli]'"]
    assert done.returncode == 2


def test_main_takes_arguments_and_returns_the_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decode", "-q", str(CLOVA)]) == 0
    assert capsys.readouterr().out == CLOVA_TEXT + "\n"
