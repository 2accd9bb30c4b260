"""The `hangang` command, as a user runs it: a process, its output, its messages and its exit code."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest
import support

import hangang
from hangang.cli import main
from hangang.cli._formats import PREFIX, Detector
from hangang.cli._terminal import clip, width, wrapped

CAPTURES = Path(__file__).parent / "captures"
HANGANG = [sys.executable, "-m", "hangang"]

CLOVA = CAPTURES / "clova" / "v3_text.sse"
CLOVA_TEXT = "안녕하세요! 😊\n무엇을 도와드릴까요?"
A2A_TEXT = "안녕하세요, A2A 😊\n둘째 줄"

# file: format, exit code, text, the last words on standard error
EXPECTED: dict[str, tuple[str, int, str, str]] = {
    "clova/v3_text.sse": ("clova", 0, CLOVA_TEXT, "complete"),
    "clova/v1_text.sse": ("clova", 0, "변환이 완료되었습니다.\n감사합니다.", "complete"),
    "clova/v3_tool_call.sse": ("clova", 0, "", "complete"),
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
    "a2a/sdk-1.3.0_v1.0_stream_failed.sse": ("a2a", 1, "", "failed with state failed"),
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


def run(*arguments: object, stdin: bytes | None = None, **more: Any) -> subprocess.CompletedProcess[bytes]:
    """Runs the command; its standard input is empty unless given."""
    where: dict[str, Any] = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
    return subprocess.run(
        [*HANGANG, *map(str, arguments)], capture_output=True, timeout=60, check=False, **where, **more
    )


def messages(done: subprocess.CompletedProcess[bytes]) -> list[str]:
    """The lines on standard error; there is never a traceback among them."""
    text = done.stderr.decode()
    assert "Traceback" not in text, text
    return text.splitlines()


def events(done: subprocess.CompletedProcess[bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.decode().split("\n")[:-1]]


# --- what comes out


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
    assert small.stdout == whole.stdout
    assert small.returncode == whole.returncode == 0


def test_json_lines_carry_every_field_unescaped() -> None:
    done = run("decode", "--json", CLOVA)
    assert "안녕하세요" in done.stdout.decode()
    parser = hangang.clova.StreamParser()
    expected = [*parser.feed(CLOVA.read_bytes()), *parser.close()]
    lines = events(done)
    assert [line["type"] for line in lines] == [type(event).__name__ for event in expected]
    for line, event in zip(lines, expected, strict=True):
        assert list(line) == ["type", *event.__match_args__]
        assert line.get("text", "") == event.text
    assert lines[-2]["usage"] == {
        "prompt_tokens": 20,
        "completion_tokens": 9,
        "total_tokens": 29,
        "thinking_tokens": None,
    }


def test_json_of_an_openai_error_keeps_both_types() -> None:
    (error,) = [
        line
        for line in events(run("decode", "--json", CAPTURES / "openai/error_then_done.sse"))
        if line["type"] == "Error"
    ]
    assert error["error_type"] == "InternalServerError"


def test_json_lines_are_json_whatever_the_numbers() -> None:
    frame = b'{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"m","data":{"n":[1e999,-1e999,1.5]}}}'
    (line,) = events(run("decode", "--json", "-", stdin=frame))
    assert line["data"] == {"n": [None, None, 1.5]}


def test_several_files_and_standard_input_in_order() -> None:
    one = CAPTURES / "openai" / "tool_call_hcx.sse"
    done = run("decode", CLOVA, "-", one, stdin=CLOVA.read_bytes())
    assert done.stdout.decode() == f"{CLOVA_TEXT}\n{CLOVA_TEXT}\n날씨를 확인해 볼게요.\n"
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
    assert "raise max_frame_bytes" in message


def test_report_goes_on_after_a_malformed_frame() -> None:
    good = (CAPTURES / "exaone" / "text_generation.jsonstream").read_bytes()
    done = run("decode", "--errors", "report", "-", stdin=b'{"result_code":trx}' + good)
    assert "네, 가능해요! 😊" in done.stdout.decode()
    assert done.returncode == 4
    first, last = messages(done)
    assert first == "hangang: -: InvalidJSONError: invalid JSON at byte 17: expected 'true', found 'x'"
    assert last.startswith("hangang: -: complete, 1 malformed frame (exaone, 27 events, ")
    line = events(run("decode", "--json", "--errors", "report", "-", stdin=b'{"result_code":trx}' + good))[0]
    assert line == {
        "type": "Malformed",
        "raw": '{"result_code":trx}',
        "error": {
            "type": "InvalidJSONError",
            "message": "invalid JSON at byte 17: expected 'true', found 'x'",
            "offset": 17,
        },
    }


def test_files_that_cannot_be_read_do_not_stop_the_others(tmp_path: Path) -> None:
    missing = tmp_path / "missing\x1b[31m.sse"
    done = run("decode", missing, tmp_path, CLOVA)
    assert done.stdout.decode() == CLOVA_TEXT + "\n"
    assert done.returncode == 2
    first, second, third = messages(done)
    assert first == f"hangang: {tmp_path}/missing\\x1b[31m.sse: No such file or directory"
    assert second == f"hangang: {tmp_path}: Is a directory"
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
            ["sh", "-c", command, sys.executable], capture_output=True, timeout=60, check=False
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
    found = next(filter(None, (detector.feed(data[at : at + 1]) for at in range(len(data)))), None)
    assert (found or detector.close()) == expected
    assert not detector.guessed


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        ('\ufeff \r\n{"result_code": 200}', "exaone"),
        ('{"status":{"code":"40000","message":"m"},"result":null}', "clova"),
        ('{"message":{"role":"assistant","content":"x"}}', "clova"),
        ('{"status":{"code":"20000"},"result":{"choices":[]}}', "openai"),
        ('{"error":{"message":"m","code":"invalid_api_key"}}', "openai"),
        ('{"message":{"messageId":"m","role":"ROLE_AGENT","parts":[{"text":"x"}]}}', "a2a"),
        ('{"statusUpdate":{"taskId":"t","status":{"state":"TASK_STATE_WORKING"}}}', "a2a"),
        ('{"result":{"kind":"message","parts":[]}}', "a2a"),
        ('event: error\ndata: {"status":{"code":"42901"}}\n\n', "clova"),
        ("data: [DONE]\n\n", "openai"),
        (': ping\n\ndata: {"choices":[]}\n\n', "openai"),
        ('data: {}\n\nid: 1\ndata: {"jsonrpc":"2.0"}\n\n', "a2a"),
        # longer than the prefix: the first member that only one format has
        ('{"result_code": 200, "data": {"answer": "\\"choices\\"' + "x" * PREFIX, "exaone"),
        (
            'data: {"id":"c","object":"chat.completion.chunk","choices":[{"delta":{"content":"'
            + "x" * PREFIX,
            "openai",
        ),
        ("id: 1\nevent: result\ndata: " + '{"m":"' + "x" * PREFIX, "clova"),
    ],
)
def test_the_format_of_small_and_of_long_frames(frame: str, expected: str) -> None:
    data = frame.encode()
    detector = Detector()
    assert (detector.feed(data) or detector.close()) == expected
    assert not detector.guessed


@pytest.mark.parametrize(
    "data", [b"", b" " * (2 * PREFIX), b"<html>" + b"x" * (2 * PREFIX), b'{"a": 1}', b"{]", b"\xef"]
)
def test_what_no_format_explains_is_a_guess(data: bytes) -> None:
    detector = Detector()
    fed = 0
    for at in range(0, len(data), 1000):
        fed = at + 1000
        if detector.feed(data[at:fed]) is not None:
            break
    else:
        detector.close()
    assert detector.guessed
    assert fed <= PREFIX + 1000


def test_a_guess_is_said() -> None:
    (message,) = messages(run("decode", "-", stdin=b"<html></html>"))
    assert "TruncatedStreamError" in message
    assert message.endswith("; no known format, read as openai (--format chooses)")


def test_a_given_format_is_taken_as_given() -> None:
    done = run("decode", "--json", "--format", "exaone", CLOVA)
    assert {line["type"] for line in events(done)} == {"Unknown"}
    assert done.returncode == 3


# --- the terminal


def on_a_terminal(*arguments: str, columns: int = 60) -> tuple[str, int]:
    """Output on a terminal, line ends as written, and the exit code."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [*HANGANG, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=slave,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "COLUMNS": str(columns), "TERM": "xterm"},
    )
    os.close(slave)
    output = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:  # Linux: the other side is closed
            break
        if not piece:
            break
        output += piece
    os.close(master)
    return output.decode().replace("\r\n", "\n"), process.wait(30)


HOSTILE = "a\x1b[2J\x07\x00\x9b31m\r\x7f\tb\nc"


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    path = tmp_path / "hostile.sse"
    chunk = {"choices": [{"index": 0, "delta": {"content": HOSTILE}, "finish_reason": "stop"}]}
    path.write_text(f"data: {json.dumps(chunk, ensure_ascii=False)}\n\ndata: [DONE]\n\n", newline="\n")
    return path


def test_control_characters_are_shown_and_not_obeyed_on_a_terminal(hostile: Path) -> None:
    text, code = on_a_terminal("decode", str(hostile))
    assert code == 0
    # the terminal itself may widen a tab; what counts is what it was sent
    assert re.sub(r"\t| +", "\t", text) == "a\\x1b[2J\\x07\\x00\\x9b31m\\x0d\\x7f\tb\nc\n"
    lines, _ = on_a_terminal("decode", "--json", str(hostile))
    assert not [c for c in lines if unicodedata.category(c) == "Cc" and c != "\n"]
    assert json.loads(lines.split("\n")[0])["text"] == HOSTILE


def test_a_file_gets_the_text_as_it_is(hostile: Path) -> None:
    assert run("decode", hostile).stdout.decode() == HOSTILE + "\n"


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
