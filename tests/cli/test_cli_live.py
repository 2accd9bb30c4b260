"""`hangang demo`, `chat` and `serve`: processes with pipes, and on a terminal of sixty columns."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from terminals import ENVIRONMENT, HANGANG, Terminal, run, stripped
from transports import KEY

import hangang
from hangang.cli._live import Live
from hangang.cli._terminal import width

SERVICES = ("clova", "exaone", "gov")


@pytest.fixture
def terminals() -> Iterator[Any]:
    opened: list[Terminal] = []

    def start(*arguments: str, **more: str) -> Terminal:
        opened.append(Terminal(*arguments, **more))
        return opened[-1]

    yield start
    for terminal in opened:
        terminal.close()


# --- demo


def test_the_demo_shows_an_answer_of_each_service_and_what_it_cost() -> None:
    start = time.monotonic()
    done = run("demo", "--seed", "7")
    assert (done.returncode, done.stderr) == (0, "")
    assert time.monotonic() - start < 30
    text = done.stdout
    assert f"backend {hangang.BACKEND}, seed 7\n" in text
    assert max(map(width, text.split("\n"))) <= 60
    assert "\x1b" not in text
    rows = text[text.index("\nstream ") :].splitlines()[2:]
    names = ["CLOVA Studio v3", "CLOVA Studio v1", "EXAONE", "Gov chat", "Gov agent (A2A)"]
    assert [row[:15].strip() for row in rows] == names
    assert all(row.endswith(" whole") for row in rows)
    assert all(re.search(r"\d+\.\d ms +\d+\.\d ms", row) for row in rows)
    assert "20 references in each of" in text
    for part in re.split(r"\n\n", text)[1:6]:
        assert "  | “한강은 얼마나 길어?”에 답합니다." in part


def test_the_demo_is_the_same_for_the_same_seed() -> None:
    def answers(seed: int) -> str:
        text = run("demo", "--seed", str(seed), "--rate", "0").stdout
        return text[text.index("\n\n") : text.index("\nstream ")]

    first = answers(7)
    assert answers(7) == first
    assert answers(8) != first


def test_the_demo_on_a_terminal_dims_the_thinking(terminals: Any) -> None:
    terminal = terminals("demo", "--rate", "0")
    shown = terminal.until("Gov agent.*whole\r\n")
    assert terminal.ends() == 0
    assert "\x1b[2m" in shown
    assert shown.count("\x1b[2m") == shown.count("\x1b[22m")
    assert max(map(width, stripped(shown).split("\r\n"))) <= 60
    plain = terminals("demo", "--rate", "0", NO_COLOR="1")
    assert "\x1b" not in plain.until("Gov agent.*whole\r\n")


def test_the_demo_stops_at_once(terminals: Any) -> None:
    terminal = terminals("demo", "--rate", "5")
    terminal.until("CLOVA Studio v3")
    terminal.type("\x03")
    assert terminal.ends() == 130
    assert "Traceback" not in terminal.shown
    assert terminal.shown.endswith("\n"), "the shell's prompt begins a line"


class _Lines:
    """An output that keeps what is written."""

    is_terminal = False

    def __init__(self) -> None:
        self.text = ""

    def shown(self, text: str) -> str:
        return text

    def write_raw(self, text: str) -> None:
        self.text += text

    def end_line(self) -> None: ...

    def flush(self) -> None: ...


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("가나다.", ["  | 가나다."]),
        ("가나다라.", ["  | 가나다", "  | 라."]),
        ("가나다 라", ["  | 가나다", "  | 라"]),
        ("abcdef?!", ["  | abcdef?", "  | !"]),
        ("가나다.\n라", ["  | 가나다.", "  | 라"]),
    ],
)
def test_no_line_of_the_demo_begins_with_a_space_or_a_full_stop(text: str, lines: list[str]) -> None:
    output = _Lines()
    live = Live(output, columns=11)  # type: ignore[arg-type]
    for character in text:
        live.text(character)
    assert output.text.split("\n") == lines


# --- chat


@pytest.mark.parametrize("service", SERVICES)
def test_chat_through_pipes(service: str) -> None:
    done = run("chat", "--service", service, "--emulator", stdin="안녕?\n\n그럼 서울은?\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("“안녕?”에 답합니다.\n")
    assert "2번째 질문 “그럼 서울은?”에 답합니다.\n" in done.stdout
    assert done.stdout.endswith("\n")
    assert not done.stdout.endswith("\n\n")


def test_chat_starts_again() -> None:
    done = run("chat", "--service", "gov", "--emulator", stdin="하나\n/new\n둘\n")
    assert "번째" not in done.stdout


@pytest.mark.parametrize("service", SERVICES)
def test_chat_on_a_terminal(terminals: Any, service: str) -> None:
    terminal = terminals("chat", "--service", service, "--emulator", "--rate", "0")
    terminal.until("> ")
    terminal.type("안녕?\r")
    shown = terminal.until(r"에 답합니다[\s\S]*\n> ")
    assert ("\x1b[2m" in shown) == (service != "exaone")
    terminal.type("다시?\r")
    assert "2번째 질문" in terminal.until(r"에 답합니다[\s\S]*\n> ")
    terminal.type("\x04")
    assert terminal.ends() == 0


def test_ctrl_c_stops_the_answer_and_not_the_program(terminals: Any) -> None:
    terminal = terminals("chat", "--service", "clova", "--emulator", "--thinking", "none", "--rate", "25")
    terminal.until("> ")
    terminal.type("길게 말해 줘\r")
    terminal.until("답합니다")
    terminal.type("\x03")
    terminal.until("hangang: stopped\r\n")
    terminal.until("> ")
    time.sleep(0.3)  # readline misses a signal that comes while it draws the prompt
    terminal.type("\x03")
    terminal.until("Ctrl-D ends the conversation\r\n")
    terminal.until("> ")
    terminal.type("이어서\r")
    assert "2번째 질문" in terminal.until(r"에 답합니다[\s\S]*\n> ")  # the stopped answer is a turn
    terminal.type("\x04")
    assert terminal.ends() == 0
    assert "Traceback" not in terminal.shown


def test_chat_tells_what_is_wrong() -> None:
    done = run("chat", "--service", "clova", stdin="hi\n")
    assert done.returncode == 2
    assert "CLOVA_STUDIO_API_KEY" in done.stderr
    assert "--emulator" in done.stderr
    assert run("chat", "--service", "exaone", "--system", "x").returncode == 2
    assert run("chat", "--service", "gov", "--thinking", "low").returncode == 2
    assert run("chat").returncode == 2
    done = run("chat", "--service", "clova", "--emulator", "--model", "HCX-9", stdin="hi\nho\n")
    assert done.returncode == 1
    assert [line.startswith("hangang: ") for line in done.stderr.splitlines()] == [True, True]
    assert "Model not found" in done.stderr


# --- serve


@pytest.fixture
def server() -> Iterator[Any]:
    opened: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> tuple[subprocess.Popen[str], str]:
        process = subprocess.Popen(
            [*HANGANG, "serve", "--port", "0", *arguments],
            stdout=subprocess.PIPE,
            encoding="utf-8",
            env=ENVIRONMENT,
        )
        opened.append(process)
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(17)]
        assert max(map(len, lines)) <= 61
        found = re.match(r"all services at (http://127\.0\.0\.1:\d+) ", lines[0])
        assert found is not None
        return process, found[1]

    yield start
    for process in opened:
        if process.poll() is None:
            process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def test_serve_and_chat_from_another_process(server: Any) -> None:
    process, url = server("--rate", "0", "--key", "nv-mine")
    addressed = {"CLOVA_STUDIO_BASE_URL": url}
    done = run("chat", "--service", "clova", stdin="hi\n", CLOVA_STUDIO_API_KEY="nv-mine", **addressed)
    assert done.returncode == 0
    assert "“hi”에 답합니다." in done.stdout
    done = run("chat", "--service", "clova", "--base-url", url, stdin="hi\n", CLOVA_STUDIO_API_KEY=KEY)
    assert done.returncode == 1
    assert KEY not in done.stderr
    process.send_signal(signal.SIGINT)
    assert process.wait(5) == 0


def test_the_first_example_of_the_readme_runs_against_serve(server: Any) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    example = re.search(r"```python\n(.*?)```", readme, re.DOTALL)
    assert example is not None
    assert len(example[1].splitlines()) <= 10
    _, url = server("--rate", "0", "-c", "text=plain")
    done = subprocess.run(
        [sys.executable, "-c", example[1]],
        capture_output=True,
        encoding="utf-8",
        timeout=30,
        check=False,
        env={
            **ENVIRONMENT,
            **{f"{name}_BASE_URL": url for name in ("CLOVA_STUDIO", "EXAONE", "CLOVA_STUDIO_GOV")},
            **{f"{name}_API_KEY": KEY for name in ("CLOVA_STUDIO", "EXAONE", "CLOVA_STUDIO_GOV")},
        },
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "에 답합니다" in done.stdout


def test_serve_tells_what_is_wrong(server: Any) -> None:
    _, url = server()
    done = run("serve", "--port", url.rpartition(":")[2])
    assert done.returncode == 2
    assert re.fullmatch(r"hangang: cannot listen on 127\.0\.0\.1:\d+: .+\n", done.stderr)
    done = run("serve", "-c", "speed=3")
    assert done.returncode == 2
    assert "unknown control 'speed'" in done.stderr
    listed = run("serve", "--controls")
    assert (listed.returncode, "| `fragments` |" in listed.stdout) == (0, True)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device here")
def test_serve_ends_where_its_address_cannot_be_written() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*HANGANG, "serve", "--port", "0"],
            stdout=full,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            timeout=60,
            check=False,
            env=ENVIRONMENT,
        )
    assert done.returncode == 2
    assert done.stderr == "hangang: the output cannot be written: No space left on device\n"


@pytest.mark.parametrize("command", ["demo", "chat", "serve"])
def test_help_fits_sixty_columns(terminals: Any, command: str) -> None:
    terminal = terminals(command, "--help")
    assert terminal.ends() == 0
    terminal.shown += terminal._read()
    assert max(map(width, terminal.shown.split("\r\n"))) <= 60
