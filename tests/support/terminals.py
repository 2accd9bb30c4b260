"""Runs the `hangang` command with pipes, and on a terminal of sixty columns."""

from __future__ import annotations

import os
import pty
import re
import select
import struct
import subprocess
import sys
import time

import pytest

fcntl = pytest.importorskip("fcntl", reason="no terminals here")
termios = pytest.importorskip("termios", reason="no terminals here")


HANGANG = [sys.executable, "-m", "hangang"]


# Keys and addresses are the user's; the size is the terminal's own, but pytest-xdist sets another one.
FOREIGN = re.compile("API_KEY|BASE_URL|^COLUMNS$|^LINES$")


ENVIRONMENT = {name: value for name, value in os.environ.items() if not FOREIGN.search(name)}


def run(*arguments: str, stdin: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*HANGANG, *arguments],
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
        env={**ENVIRONMENT, **more},
    )


def stripped(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)


class Terminal:
    """A process on a terminal of its own, 60 columns wide."""

    def __init__(self, *arguments: str, **more: str) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 60, 0, 0))
        self.process = subprocess.Popen(
            [*HANGANG, *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**ENVIRONMENT, "TERM": "xterm", **more},
            preexec_fn=self._controlling,
        )
        os.close(slave)
        self.shown = ""

    @staticmethod
    def _controlling() -> None:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def until(self, pattern: str, seconds: float = 20) -> str:
        """What was shown up to the pattern, which must come; that part is then consumed."""
        end = time.monotonic() + seconds
        while (found := re.search(pattern, self.shown)) is None:
            ready, _, _ = select.select([self._master], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"{pattern!r} did not come; shown: {self.shown!r}"
            piece = self._read()
            assert piece, f"{pattern!r} did not come, and the process has ended; shown: {self.shown!r}"
            self.shown += piece
        shown, self.shown = self.shown[: found.end()], self.shown[found.end() :]
        return shown

    def ends(self, seconds: float = 10) -> int:
        """The exit code; everything still shown is read."""
        end = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < end:
            if select.select([self._master], [], [], 0.05)[0]:
                self.shown += self._read()
        return self.process.wait(1)

    def _read(self) -> str:
        try:
            return os.read(self._master, 65536).decode(errors="replace")
        except OSError:  # how Linux tells that the other end is closed
            return ""

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._master)
