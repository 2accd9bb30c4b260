"""The READMEs: the first example runs by itself, and both say the same. Every block runs in test_pages.py."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from transports import KEY

from hangang import emulator

ROOT = Path(__file__).resolve().parents[2]
READMES = ["README.md", "README.ko.md"]


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text(name), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("name", READMES)
def test_the_first_example_is_short_and_runs_as_printed(name: str, tmp_path: Path) -> None:
    example = blocks(name, "python")[0]
    assert len(example.splitlines()) <= 10
    script = tmp_path / "first.py"
    script.write_text(example, encoding="utf-8")
    with emulator.run_in_thread(rate=1000) as server:
        environment = {
            **os.environ,
            "CLOVA_STUDIO_BASE_URL": server.url,
            "CLOVA_STUDIO_API_KEY": KEY,
            "PYTHONUTF8": "1",
        }
        done = subprocess.run(
            [sys.executable, script], env=environment, capture_output=True, timeout=60, check=False
        )
    assert done.stderr == b""
    assert done.returncode == 0
    assert len(done.stdout.decode()) > 10


@pytest.mark.parametrize("name", READMES)
def test_every_example_is_python(name: str) -> None:
    for example in blocks(name, "python"):
        compile(example, name, "exec")


def test_both_readmes_have_the_same_content() -> None:
    def bare(example: str) -> str:
        return re.sub(r" *#.*", "", example)

    english, korean = READMES
    for language in ("python", "sh"):
        assert [bare(b) for b in blocks(english, language)] == [bare(b) for b in blocks(korean, language)]
    assert len(re.findall(r"^## ", text(english), re.MULTILINE)) == len(
        re.findall(r"^## ", text(korean), re.MULTILINE)
    )
    assert len(re.findall(r"^\|", text(english), re.MULTILINE)) == len(
        re.findall(r"^\|", text(korean), re.MULTILINE)
    )


def test_the_chart_is_short_and_says_what_it_shows() -> None:
    chart = text("docs/streams.svg")
    bars = re.findall(r"<path [^>]*clip-path=", chart)
    assert 2 <= len(bars) <= 8
    labels = re.findall(r"<!-- (.*) -->", chart)
    assert any("more is better" in label for label in labels)  # its title
    assert any("tokens a second" in label for label in labels)  # its unit
    for other in ("openai SDK", "langchain-naver", "hangang"):
        assert any(label.startswith(other) for label in labels), other


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_completion_is_that_of_the_command(shell: str) -> None:
    for name in READMES:
        assert f"_HANGANG_COMPLETE={shell}_source" in text(name) or f"`{shell}_source`" in text(name)
    command = [sys.executable, "-m", "hangang"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "python"), "PYTHONUTF8": "1"}
    source = subprocess.run(
        command,
        env={**environment, "_HANGANG_COMPLETE": f"{shell}_source"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert f"_HANGANG_COMPLETE={shell}_complete" in source.stdout
    words = {"COMP_WORDS": "hangang dec", "COMP_CWORD": "dec" if shell == "fish" else "1"}
    found = subprocess.run(
        command,
        env={**environment, **words, "_HANGANG_COMPLETE": f"{shell}_complete"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "decode" in found.stdout
