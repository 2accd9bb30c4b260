"""Runs the `hangang` command as a process and reads what it writes."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

CAPTURES = Path(__file__).parents[1] / "captures"


HANGANG = [sys.executable, "-m", "hangang"]


CLOVA = CAPTURES / "clova" / "v3_text.sse"


CLOVA_TEXT = "안녕하세요! 😊\n무엇을 도와드릴까요?"


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


def on_a_terminal(*arguments: str, columns: int = 60, env: dict[str, str] | None = None) -> tuple[str, int]:
    """Output on a terminal, line ends as written, and the exit code."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [*HANGANG, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=slave,
        stderr=subprocess.DEVNULL,
        env={**(os.environ if env is None else env), "COLUMNS": str(columns), "TERM": "xterm"},
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
