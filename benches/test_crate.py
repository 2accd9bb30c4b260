"""The crate alone, against memcmp: what `cargo bench --bench memcmp` prints, in the table with the others."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.skipif(shutil.which("cargo") is None, reason="cargo was not found")
def test_memcmp(benchmark: Any, record: Any) -> None:
    command = ["cargo", "bench", "--quiet", "--locked", "-p", "hangang", "--bench", "memcmp"]
    folder = Path(__file__).parent

    def run() -> str:
        return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout

    for name, ratio in re.findall(r"^(\w+) +([\d.]+) ", benchmark.pedantic(run, rounds=1), re.MULTILINE):
        record("memcmp", name, float(ratio))
