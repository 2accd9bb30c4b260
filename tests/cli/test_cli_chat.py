"""`hangang chat`: banner, commands, sources and counts, services, agents, and what it says when something is wrong."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from terminals import ENVIRONMENT, HANGANG, Terminal, run, stripped
from transports import KEY

from hangang.cli._terminal import width, wrapped_words
from hangang.emulator import run_in_thread

SERVICES = ("clova", "exaone", "gov", "openai")
VARIABLES = ("CLOVA_STUDIO_API_KEY", "EXAONE_API_KEY", "CLOVA_STUDIO_GOV_API_KEY", "OPENAI_API_KEY")


@pytest.fixture
def emulator() -> Iterator[Any]:
    with run_in_thread() as running:
        yield running


def chat(emulator: Any, service: str, *arguments: str, stdin: str) -> subprocess.CompletedProcess[str]:
    url = emulator.url + ("/v1/openai" if service == "openai" else "")
    keys = dict.fromkeys(VARIABLES, KEY)
    done = run("chat", "--service", service, "--base-url", url, *arguments, stdin=stdin, **keys)
    assert KEY not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


class Wide(Terminal):
    """A terminal of 100 columns."""

    def __init__(self, *arguments: str, **more: str) -> None:
        super().__init__(*arguments, COLUMNS="100", **more)


@pytest.fixture
def terminals() -> Iterator[Any]:
    opened: list[Terminal] = []

    def start(*arguments: str, kind: type[Terminal] = Terminal, **more: str) -> Terminal:
        opened.append(kind("chat", *arguments, "--emulator", "--rate", "0", **more))
        return opened[-1]

    yield start
    for terminal in opened:
        terminal.close()


def lines(shown: str) -> list[str]:
    return stripped(shown).replace("\r\n", "\n").split("\n")


# --- on a terminal


@pytest.mark.parametrize(
    ("arguments", "title"),
    [
        (("--service", "clova"), "CLOVA Studio, HCX-007"),
        (("--service", "exaone"), "EXAONE, chat completion"),
        (("--service", "exaone", "--model", "32b"), "EXAONE, 32b"),
        (("--service", "gov"), "CLOVA Studio Gov, HCX-GOV-THINK"),
        (("--service", "openai"), "OpenAI-compatible server, HCX-007"),
        (("--service", "gov", "--agent", "7", "--profile", "faq"), "CLOVA Studio Gov, agent 7"),
    ],
)
@pytest.mark.parametrize("kind", [Terminal, Wide])
def test_the_banner_and_the_help_fit(
    terminals: Any, arguments: tuple[str, ...], title: str, kind: type[Terminal]
) -> None:
    terminal = terminals(*arguments, kind=kind)
    banner = lines(terminal.until("> "))
    assert banner[0] == title
    assert banner[1].startswith("http://127.0.0.1:")
    assert banner[1].endswith(" (emulator)")
    assert banner[2:] == ["/help lists the commands, Ctrl-D ends", "> "]
    terminal.type("/help\r")
    shown = lines(terminal.until(r"is a question\.[^>]*\n> "))
    names = {line.split()[0] for line in shown if line.startswith("/")} - {"/help"} | {"/help"}
    assert {"/help", "/new", "/save", "/quit"} <= names
    assert ("/system" in names) == ("exaone" not in arguments and "--agent" not in arguments)
    assert ("/references" in names) == ("exaone" in arguments)
    assert max(map(width, [*banner, *shown])) <= 60
    terminal.type("/quit\r")
    assert terminal.ends() == 0


def test_sources_and_counts_after_an_answer(terminals: Any) -> None:
    terminal = terminals("--service", "exaone")
    terminal.until("> ")
    terminal.type("한강의 길이는?\r")
    shown = lines(terminal.until(r"and 15 more[^>]*\n> "))
    assert [line[:3] for line in shown if line.startswith("[")] == ["[1]", "[2]", "[3]", "[4]", "[5]"]
    notes = shown[next(at for at, line in enumerate(shown) if line.startswith("[1]")) :]
    assert max(map(width, notes)) <= 60
    terminal.type("/references\r")
    listed = lines(terminal.until(r"\[20\][^>]*\n> "))
    assert sum(line.startswith("    https://") for line in listed) == 20
    clova = terminals("--service", "clova")
    clova.until("> ")
    clova.type("안녕?\r")
    assert "tokens in, " in clova.until(r"thinking\)[^>]*\n> ")
    clova.type("/references\r")
    assert "no sources" in clova.until("\n> ")


def test_a_cut_answer_says_why(terminals: Any) -> None:
    terminal = terminals("--service", "gov", "--model", "HCX-GOV")
    terminal.until("> ")
    terminal.type("안녕?\r")
    assert "finish reason" not in terminal.until(r"tokens in, \d+ out[\s\S]*\n> ")


def test_without_colours_thinking_has_a_title(terminals: Any) -> None:
    terminal = terminals("--service", "clova", NO_COLOR="1")
    terminal.until("> ")
    terminal.type("안녕?\r")
    shown = terminal.until(r"tokens in[\s\S]*\n> ")
    assert "\x1b[2m" not in shown
    text = lines(shown)
    assert text.index("[thinking]") < text.index("[answer]")


# --- services and commands, over a socket


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_keeps_its_turns(emulator: Any, service: str) -> None:
    model = ("--model", "HCX-005") if service == "openai" else ()
    done = chat(emulator, service, *model, stdin="안녕?\n그럼 서울은?\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert "2번째 질문 “그럼 서울은?”에 답합니다." in done.stdout
    assert "tokens" not in done.stdout, "into a pipe go the answers alone"
    assert "[1]" not in done.stdout
    second = emulator.requests[-1].body
    past = second["previous_messages"] if service == "exaone" else second["messages"]
    assert len(past) == (1 if service == "exaone" else 3)


def test_model_and_system_change_the_next_question(emulator: Any) -> None:
    talk = "하나\n/model HCX-DASH-002\n/system 짧게\n둘\n/system -\n/new\n셋\n/model\n/system\n/quit\n넷\n"
    done = chat(emulator, "clova", "--model", "HCX-005", "--system", "길게", stdin=talk)
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        "hangang: HCX-DASH-002",
        "hangang: 짧게",
        "hangang: no system message",
        "hangang: HCX-DASH-002",
        "hangang: no system message",
    ]
    first, second, third = emulator.requests
    assert first.path.endswith("/HCX-005")
    assert second.path.endswith("/HCX-DASH-002")
    assert first.body["messages"][0] == {"role": "system", "content": "길게"}
    assert second.body["messages"][0] == {"role": "system", "content": "짧게"}
    assert [message["role"] for message in second.body["messages"]] == ["system", "user", "assistant", "user"]
    assert third.body["messages"] == [{"role": "user", "content": "셋"}]


@pytest.mark.parametrize(
    ("service", "thinking", "sent"),
    [
        ("clova", "on", {"thinking": {"effort": "low"}}),
        ("clova", "none", {"thinking": {"effort": "none"}}),
        ("clova", "high", {"thinking": {"effort": "high"}}),
        ("gov", "on", {"chat_template_kwargs": {"force_reasoning": True}}),
        ("gov", "none", {"chat_template_kwargs": {"skip_reasoning": True}}),
        ("openai", "on", {"chat_template_kwargs": {"force_reasoning": True}}),
        ("openai", "medium", {"reasoning_effort": "medium"}),
    ],
)
def test_thinking_is_asked_for_in_the_words_of_the_service(
    emulator: Any, service: str, thinking: str, sent: dict[str, Any]
) -> None:
    model = () if service == "gov" else ("--model", "HCX-007")
    done = chat(emulator, service, *model, "--thinking", thinking, stdin="안녕?\n")
    assert (done.returncode, done.stderr) == (0, "")
    (request,) = emulator.requests
    assert {name: request.body.get(name) for name in sent} == sent


def test_save_writes_what_can_be_sent_again_and_no_file_over_another(emulator: Any, tmp_path: Path) -> None:
    path = tmp_path / "대화.json"
    done = chat(emulator, "clova", "--system", "짧게", stdin=f"안녕?\n/save {path}\n/save {path}\n/save\n")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"hangang: saved to {path}",
        f"hangang: {path}: File exists",
        "hangang: /save needs the name of a file",
    ]
    saved = json.loads(path.read_text("utf-8"))
    assert (saved["service"], saved["model"]) == ("clova", "HCX-007")
    assert [message["role"] for message in saved["messages"]] == ["system", "user", "assistant"]
    assert "안녕?" in path.read_text("utf-8")
    from hangang import clova

    with clova.Client(KEY, base_url=emulator.url) as client:
        again = client.chat(saved["model"], [*saved["messages"], {"role": "user", "content": "또?"}])
    assert "2번째 질문" in again.text
    chat(emulator, "exaone", stdin=f"안녕?\n/save {tmp_path}/e.json\n")
    (turn,) = json.loads((tmp_path / "e.json").read_text("utf-8"))["previous_messages"]
    assert (turn["query"], set(turn)) == ("안녕?", {"query", "intent", "answer"})


def test_commands_that_are_none(emulator: Any) -> None:
    done = chat(emulator, "exaone", stdin="/nope\n/system x\n /etc가 뭐야?\n/etc/passwd는?\n")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "hangang: no command /nope; /help lists them",
        "hangang: EXAONE has no system message",
    ]
    assert [request.body["query"] for request in emulator.requests] == ["/etc가 뭐야?", "/etc/passwd는?"]


def test_korean_through_pipes_in_an_ascii_locale(emulator: Any, tmp_path: Path) -> None:
    environment = {n: v for n, v in ENVIRONMENT.items() if not n.startswith(("LC_", "LANG", "PYTHONUTF8"))}
    environment |= {"LC_ALL": "C", "PYTHONUTF8": "0", "CLOVA_STUDIO_API_KEY": KEY}
    command = [*HANGANG, "chat", "--service", "clova", "--base-url", emulator.url, "--system", "짧게"]
    done = subprocess.run(
        command, input="안녕?\n".encode() + b"\xff?\n",
        capture_output=True, env=environment, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert "“안녕?”에 답합니다." in done.stdout.decode()
    first, second = emulator.requests
    assert first.body["messages"][0]["content"] == "짧게"
    assert second.body["messages"][-1]["content"] == "\ufffd?"
    done = subprocess.run(
        command,
        input=f"/save {tmp_path}/대화.json\n".encode(),
        capture_output=True,
        env=environment,
        check=False,
    )
    assert done.stderr.decode() == f"hangang: saved to {tmp_path}/대화.json\n"
    assert [path.name for path in tmp_path.iterdir()] == ["대화.json"]


# --- agents


def test_the_question_of_a_task_and_the_reason_of_a_failed_one(emulator: Any) -> None:
    agent = ("--agent", "x", "--profile", "faq", "--team", "1")
    done = chat(emulator, "gov", *agent, stdin="input\n서울\nfail\n")
    assert done.returncode == 1
    question, rest = done.stdout.split("\n", 1)
    assert question == "더 알려 주세요"
    assert "2번째 질문 “서울”에 답합니다." in rest
    assert done.stderr == "hangang: the task failed: 실패\n"
    first, second, _ = (request.body["params"]["message"] for request in emulator.requests)
    assert "taskId" not in first
    assert second["taskId"], "the answer goes to the task that asked"


@pytest.mark.parametrize("profile", ["v1", "v2", "1.0", "0.3"])
def test_every_kind_of_agent(emulator: Any, profile: str) -> None:
    done = chat(emulator, "gov", "--agent", "x", "--profile", profile, stdin="안녕?\n서울은?\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("에 답합니다.") == 2


# --- what is wrong


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--service", "clova"), 2, "no API key: set CLOVA_STUDIO_API_KEY; --emulator needs no key"),
        (("--service", "exaone"), 2, "no API key: set EXAONE_API_KEY"),
        (("--service", "openai"), 2, "no address: pass --base-url or set OPENAI_BASE_URL"),
        (
            ("--service", "openai", "--base-url", "https://example.com/v1"),
            2,
            "no API key: set OPENAI_API_KEY",
        ),
        (("--service", "exaone", "--system", "x"), 2, "EXAONE has no system message"),
        (("--service", "gov", "--thinking", "low"), 2, "--thinking is on or none for CLOVA Studio Gov"),
        (("--service", "exaone", "--thinking", "on"), 2, "--thinking is not for EXAONE"),
        (("--service", "gov", "--agent", "x", "--thinking", "on"), 2, "--thinking is not for an agent"),
        (("--service", "clova", "--agent", "x"), 2, "--agent is for --service gov"),
        (("--service", "gov", "--team", "1"), 2, "--team is for --agent"),
        (("--service", "gov", "--agent", "x", "--model", "y"), 2, "--agent and --model exclude each other"),
        (("--service", "clova", "--emulator", "--base-url", "http://x"), 2, "exclude each other"),
        (("--service", "openai", "--base-url", "ftp://localhost"), 2, "--base-url must be an absolute"),
    ],
)
def test_options_that_cannot_be(arguments: tuple[str, ...], code: int, words: str) -> None:
    done = run("chat", *arguments, stdin="hi\n")
    assert done.returncode == code
    assert words in done.stderr
    assert "base_url" not in done.stderr
    assert "api_key=" not in done.stderr


def test_a_key_is_not_sent_in_the_clear_unless_allowed() -> None:
    with run_in_thread(host="0.0.0.0") as emulator:
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                probe.connect(("192.0.2.1", 9))  # sends nothing; it finds our own address
                host = probe.getsockname()[0]
            socket.create_connection((host, emulator.port), 2).close()
        except OSError:
            pytest.skip("this machine has no address but loopback")
        if host.startswith("127."):
            pytest.skip("this machine has no address but loopback")
        arguments = ("chat", "--service", "clova", "--base-url", f"http://{host}:{emulator.port}")
        refused = run(*arguments, stdin="hi\n", CLOVA_STUDIO_API_KEY=KEY)
        assert refused.returncode == 2
        assert "use https, or pass --allow-insecure" in refused.stderr
        assert emulator.requests == []
        allowed = run(*arguments, "--allow-insecure", stdin="hi\n", CLOVA_STUDIO_API_KEY=KEY)
        assert (allowed.returncode, allowed.stderr) == (0, "")
        assert "“hi”에 답합니다." in allowed.stdout


def test_errors_of_the_service_say_what_may_help(emulator: Any) -> None:
    done = chat(emulator, "openai", stdin="hi\n")
    assert done.returncode == 2
    assert "--model is needed; the server has HCX-007, HCX-005, " in done.stderr
    url = emulator.url
    wrong = run(
        "chat", "--service", "gov", "--base-url", url, stdin="a\n", CLOVA_STUDIO_GOV_API_KEY=f"{KEY}-wrong"
    )
    assert wrong.returncode == 1
    assert "401" in wrong.stderr
    assert "is CLOVA_STUDIO_GOV_API_KEY right?" in wrong.stderr
    assert KEY not in wrong.stderr
    nobody = run(
        "chat",
        "--service",
        "clova",
        "--base-url",
        "http://127.0.0.1:9",
        stdin="a\n",
        CLOVA_STUDIO_API_KEY=KEY,
    )
    assert nobody.returncode == 1
    assert "http://127.0.0.1:9" in nobody.stderr
    assert "is --base-url right?" in nobody.stderr
    thinking = chat(emulator, "clova", "--model", "HCX-005", "--thinking", "high", stdin="hi\n")
    assert thinking.returncode == 1
    assert "thinking" in thinking.stderr


def test_words_are_not_broken_on_a_narrow_terminal() -> None:
    assert list(wrapped_words("hangang: no command /foo; /help lists them", 20)) == [
        "hangang: no command",
        "/foo; /help lists",
        "them",
    ]
    assert list(wrapped_words("a" * 30 + " b", 20)) == ["a" * 30, "b"]
    assert list(wrapped_words("", 20)) == [""]
    assert list(wrapped_words("한강은 흐른다", 7)) == ["한강은", "흐른다"]


def test_without_the_clients_extra_it_is_named() -> None:
    code = (
        "import sys; sys.modules['httpx'] = sys.modules['httpx2'] = None; from hangang.cli import main; "
        "sys.exit(main(['chat', '--service', 'clova']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**ENVIRONMENT, "CLOVA_STUDIO_API_KEY": KEY},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "hangang[client]" in done.stderr
