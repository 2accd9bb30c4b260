"""Types: user code over every event class passes mypy --strict, and runs. (pyright: `make lint`.)"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import support

USAGE = support.REPO / "tests" / "typing_usage.py"
CLIENTS = support.REPO / "tests" / "typing_clients.py"


def run(*command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command],
        cwd=support.REPO,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
    )


@pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="mypy is not installed")
def test_user_code_passes_mypy_strict(tmp_path: Path) -> None:
    python = str(support.REPO / "python")
    arguments = ["--strict", "--config-file=", f"--cache-dir={tmp_path}", "--no-error-summary"]
    # What the package itself lacks here (an extra that is not installed) is not this file's matter.
    arguments += ["--follow-imports=silent", str(USAGE), str(CLIENTS)]
    result = run("-m", "mypy", *arguments, MYPYPATH=python)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("backend", ["native", "pure"])
def test_user_code_runs(backend: str) -> None:
    if backend == "native" and support.native_absence() and not support.native_required():
        pytest.skip(str(support.native_absence()))
    result = run(str(USAGE), HANGANG_BACKEND=backend)
    assert result.returncode == 0, result.stderr
    assert result.stdout == ""


def test_the_package_is_marked_as_typed() -> None:
    import hangang

    assert (Path(hangang.__file__).parent / "py.typed").is_file()
