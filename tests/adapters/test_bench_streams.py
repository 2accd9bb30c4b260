"""`make bench-streams`: what it runs reads every event of every stream, and its table has the figures."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import support


@pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")
def test_a_short_comparison() -> None:
    names = [
        "bare protocol",
        "hangang, aiohttp",
        "hangang, aiohttp, batches()",
        "hangang, httpx",
        "openai SDK",
    ]
    command = [
        *(sys.executable, "-m", "benches.streams", "--rounds", "1", "--streams", "3", "--events", "40"),
        *("--loops", "asyncio", "--skip", "carried", "tls", "--only", *names),
    ]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(support.REPO / "python"), *sys.path])}
    done = subprocess.run(
        command, cwd=support.REPO, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    threads = ["hangang, urllib3", "hangang, httpx", "openai SDK"]
    for title, rows in {"3 streams, asyncio": names, "50 threads": threads}.items():
        table = done.stdout.partition(f"**{title}**")[2].partition("**")[0]
        for name in rows:
            assert f"| {name} | " in table, done.stdout
    assert "did not finish" not in done.stdout
