"""Types: user code over every event class passes mypy --strict, and runs. (pyright: `make lint`.)"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import typing
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest
import support

from hangang import _pure

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


# --- attributes

#: A coroutine's own parameters: what it is sent and what it yields are never of interest.
AWAITED = re.compile(r"Awaited(Completion|Response)")


def attributes(cls: type) -> Iterator[tuple[str, str, dict[str, object]]]:
    """Public attributes and properties of a class and its bases: name, annotation, the names it may use."""
    for base in cls.__mro__:
        home = sys.modules.get(base.__module__)
        scope = vars(home) if base.__module__.startswith("hangang") and home is not None else None
        if scope is None:
            continue
        for name, annotation in inspect.get_annotations(base).items():
            if not name.startswith("_"):
                yield name, annotation, scope
        for name, value in vars(base).items():
            if isinstance(value, property) and not name.startswith("_"):
                yield name, getattr(value.fget, "__annotations__", {}).get("return", ""), scope


def holds_any(annotation: str, scope: dict[str, object]) -> bool:
    """Whether an annotation names `Any`, or an alias that does."""
    annotation = AWAITED.sub("", annotation)
    aliases = (scope.get(name) for name in re.findall(r"\w+", annotation))
    return "Any" in re.findall(r"\w+", annotation) or any(
        "typing.Any" in repr(alias) for alias in aliases if typing.get_origin(alias) is not None
    )


@pytest.mark.parametrize("module", ["", ".clova", ".exaone", ".gov", ".openai", ".a2a", ".streams"])
def test_no_public_attribute_is_any(module: str) -> None:
    """JSON inside events is `JSONValue`. Arguments and methods may have `Any`; options are arguments."""
    public = importlib.import_module(f"hangang{module}")
    # The twin's classes: they are what type checkers see, and native ones have no annotations.
    twin = getattr(_pure, {".gov": "openai", "": "__init__"}.get(module, module[1:]), _pure)
    count = 0
    for name in public.__all__:
        cls = getattr(twin, name, getattr(public, name))
        if not isinstance(cls, type) or typing.is_typeddict(cls):
            continue
        for attribute, annotation, scope in attributes(cls):
            count += 1
            assert not holds_any(annotation, scope), f"{name}.{attribute}: {annotation}"
    assert count > 20


def test_any_is_found() -> None:
    class Bad:
        direct: typing.Any
        alias: Objects
        fine: dict[str, int]

        @property
        def through(self) -> list[typing.Any]:
            return []

    Bad.__module__ = "hangang._of_this_test"
    scope = {"Objects": Objects}
    home = type(sys)("hangang._of_this_test")
    vars(home).update(scope)
    sys.modules[home.__name__] = home
    try:
        found = [name for name, annotation, names in attributes(Bad) if holds_any(annotation, names)]
    finally:
        del sys.modules[home.__name__]
    assert found == ["direct", "alias", "through"]


Objects = dict[str, typing.Any]
