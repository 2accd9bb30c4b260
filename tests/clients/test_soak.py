"""Hundreds of faulty streams at once, and hundreds of calls that are cancelled, on each event loop.

`make test-long` runs two minutes of 500 streams a loop. The short runs here are for the code of the soak itself. Each
is a process of its own: `soak.py`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SOAK = Path(__file__).parents[1] / "support" / "soak.py"
LOOPS = ("asyncio", "uvloop", "trio")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="uvloop is not made for Windows")


def soak(kind: str, loop: str, seconds: float, count: int) -> dict[str, Any]:
    command = [sys.executable, str(SOAK), kind, loop, str(seconds), str(count)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 600, check=False)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def check(result: dict[str, Any]) -> None:
    """No text lost or changed, no wrong error, no stream hung; nothing open, busy, running or unretrieved."""
    assert result["wrong"] == []
    assert result["noise"] == []
    assert (result["busy"], result["tasks"], result["open"]) == (0, 0, 0)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_few_faulty_streams(loop: str) -> None:
    result = soak("streams", loop, 1, 30)
    check(result)
    assert result["answers"] >= 30
    assert result["served"] == result["answers"]


@pytest.mark.parametrize("loop", LOOPS)
def test_a_few_cancellations(loop: str) -> None:
    result = soak("storm", loop, 1, 20)
    check(result)
    assert result["answers"] >= 20


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("loop", LOOPS)
def test_500_faulty_streams_for_two_minutes(loop: str) -> None:
    result = soak("streams", loop, 120, 500)
    check(result)
    assert result["answers"] >= 500
    assert set(result["faults"]) >= {
        "none",
        "cut",
        "reset",
        "truncate",
        "stall",
        "malformed",
        "error",
        "status",
    }


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("loop", LOOPS)
def test_a_storm_of_cancellations(loop: str) -> None:
    result = soak("storm", loop, 60, 100)
    check(result)
    assert result["answers"] >= 300
    assert result["served"] >= 50, "every call was cancelled before its request was sent"
