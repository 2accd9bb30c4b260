"""Types: user code over every event class passes mypy --strict, and runs. (pyright: `make lint`.)"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
import support

USAGE = support.REPO / "tests" / "support" / "typing_usage.py"
CLIENTS = support.REPO / "tests" / "support" / "typing_clients.py"


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


def test_every_public_symbol_has_a_type(tmp_path: Path) -> None:
    """`pyright --verifytypes`, which looks at an installed package only: a copy in an environment of its own."""
    venv.create(tmp_path / "env", symlinks=True)
    python = tmp_path / "env" / "bin" / "python"
    if not python.exists():
        pytest.skip("the environment has no bin/python on this platform")
    packages = next((tmp_path / "env").glob("lib/python*/site-packages"))
    shutil.copytree(
        support.REPO / "python" / "hangang", packages / "hangang", ignore=shutil.ignore_patterns("_native*")
    )
    (packages / "beside.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    # pyright takes the environment from these variables; `--pythonpath` alone does not find the package.
    environ = {
        "VIRTUAL_ENV": str(tmp_path / "env"),
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
    }
    done = subprocess.run(
        [sys.executable, "-m", "pyright", "--ignoreexternal", "--outputjson", "--verifytypes", "hangang"],
        cwd=tmp_path,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    report = json.loads(done.stdout)["typeCompleteness"]
    unknown = [one["name"] for one in report["symbols"] if one["isExported"] and not one["isTypeKnown"]]
    assert report["symbols"], done.stdout[:500]
    assert not unknown, unknown
    assert report["completenessScore"] == 1
