"""Memory of a child process: the peak for one huge frame, and what ten million events leave allocated."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from memory import FRAME

CHILD = Path(__file__).parent / "memory.py"

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc/self/status here")


def child(*arguments: str) -> list[int]:
    command = [sys.executable, str(CHILD), *arguments]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [int(number) for number in output.split()]


@pytest.mark.parametrize("backend", ["native", "pure"])
@pytest.mark.parametrize("what", ["JSONStreamParser", "clova", "exaone"])
def test_peak_of_a_huge_frame(what: str, backend: str, benchmark: Any, record: Any) -> None:
    """The whole child, and without the interpreter and its modules (some 12 MB, or 0.19 of the frame)."""
    most, before = benchmark.pedantic(child, (what, backend), rounds=1)
    record("peak", f"{what} ({backend})", most / FRAME)
    record("peak", f"{what} ({backend}) without the interpreter", (most - before) / FRAME)


@pytest.mark.parametrize("backend", ["native", "pure"])
def test_ten_million_events(backend: str, benchmark: Any, record: Any) -> None:
    (grown,) = benchmark.pedantic(child, ("resident", backend), rounds=1)
    record("resident", backend, grown / 2**20)
