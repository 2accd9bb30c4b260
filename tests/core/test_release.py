"""The list of a release's files is complete, a file that is missing is noticed, and workflows and metadata fit the repository."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

import hangang

ROOT = Path(__file__).parent.parent.parent
WORKFLOWS = ROOT / ".github" / "workflows"


@pytest.fixture
def wheels(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """scripts/wheels.py, with an empty dist/ of its own."""
    monkeypatch.syspath_prepend(ROOT / "scripts")
    module = importlib.import_module("wheels")
    monkeypatch.setattr(module, "DIST", tmp_path)
    return module


def release(wheels: ModuleType) -> list[str]:
    """The names of all files of a release, as maturin and hatchling write them."""
    pythons = ["cp311-abi3", "cp314-cp314t", "cp315-abi3.abi3t"]
    platforms = [
        "manylinux2014_x86_64.manylinux_2_17_x86_64",
        "manylinux2014_aarch64.manylinux_2_17_aarch64",
        "musllinux_1_2_x86_64",
        "musllinux_1_2_aarch64",
        "macosx_10_12_x86_64",
        "macosx_11_0_arm64",
        "win_amd64",
    ]
    names = [f"{python}-{platform}.whl" for python in pythons for platform in platforms]
    names += ["py3-none-any.whl"]
    version = wheels.version()
    return [f"hangang-{version}.tar.gz", *(f"hangang-{version}-{name}" for name in names)]


def test_a_whole_release_lacks_nothing(wheels: ModuleType, tmp_path: Path) -> None:
    for name in release(wheels):
        (tmp_path / name).touch()
    assert wheels.missing() == []


def test_each_missing_file_is_found(wheels: ModuleType, tmp_path: Path) -> None:
    """Also where the pure wheel would be installed in place of a native one."""
    names = release(wheels)
    for lost in names:
        for name in names:
            (tmp_path / name).unlink(missing_ok=True)
            if name != lost:
                (tmp_path / name).touch()
        assert len(wheels.missing()) == 1, lost


def test_another_version_does_not_count(wheels: ModuleType, tmp_path: Path) -> None:
    for name in release(wheels):
        (tmp_path / name.replace(wheels.version(), f"{wheels.version()}0")).touch()
    assert len(wheels.missing()) == len(release(wheels))


def test_the_stable_abi_alone_is_no_free_threaded_wheel(wheels: ModuleType, tmp_path: Path) -> None:
    for name in release(wheels):
        (tmp_path / name.replace("abi3.abi3t-win", "abi3-win")).touch()
    assert wheels.missing() == ["abi3t x86_64-pc-windows-msvc"]


def test_the_workflow_builds_the_whole_list(wheels: ModuleType) -> None:
    text = (WORKFLOWS / "wheels.yml").read_text(encoding="utf-8")
    assert re.findall(r"target: ([\w-]+)", text) == list(wheels.TARGETS)
    assert set(re.findall(r"--kind (\w+)", text)) == {*wheels.KINDS, *wheels.OTHERS}
    assert "scripts/wheels.py missing" in text
    assert re.search(r"(?s)\n  publish:.*?needs: complete\n", text)


def test_ci_runs_every_python_of_the_metadata() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    promised = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    text = (WORKFLOWS / "ci.yml").read_text(encoding="utf-8")
    assert promised
    assert [version for version in promised if f'"{version}"' not in text] == []


def test_ci_runs_the_gate_on_every_system() -> None:
    text = (WORKFLOWS / "ci.yml").read_text(encoding="utf-8")
    assert "- run: .ci/run\n" in text
    assert "- run: make msrv\n" in text
    assert {"ubuntu-latest", "macos-latest", "windows-latest"} <= set(re.findall(r"\b\w+-latest\b", text))
    assert '"3.14t"' in text  # free-threaded


def test_a_bug_report_asks_for_a_command_that_runs() -> None:
    form = (ROOT / ".github" / "ISSUE_TEMPLATE" / "bug.yml").read_text(encoding="utf-8")
    assert "record=" in form
    command = re.search(r'`python -c "(.+?)"`', form)
    assert command is not None
    env = {**os.environ, "PYTHONPATH": str(ROOT / "python")}
    done = subprocess.run(
        [sys.executable, "-c", command[1]], capture_output=True, text=True, env=env, check=True
    )
    assert done.stdout.startswith(f"{hangang.__version__} {hangang.BACKEND} ")


def test_the_links_of_the_metadata_lead_to_files() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    paths = [
        path for url in project["urls"].values() for path in re.findall(r"/(?:blob|tree)/main/(.+)", url)
    ]
    assert "CHANGELOG.md" in paths
    assert [path for path in [*paths, *project["license-files"]] if not list(ROOT.glob(path))] == []


def test_the_makefile_asks_for_steps_that_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    setup = (ROOT / "scripts" / "setup.py").read_text(encoding="utf-8")
    asked = {step for line in re.findall(r"\$\(SETUP\) (.*)", makefile) for step in line.split()}
    assert {"dev", "tests", "native"} < asked
    assert [step for step in sorted(asked) if f'"{step}"' not in setup] == []
    for name in re.findall(r"scripts/[\w-]+(?:\.py)?", makefile):
        assert (ROOT / name).is_file(), name
