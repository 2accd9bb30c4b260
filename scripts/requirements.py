"""Prints the requirements of the extras and groups of pyproject.toml that are named, one a line.

    python scripts/requirements.py build cli dev

`build` is what a build of the native module needs.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def requirements(names: list[str]) -> list[str]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        pyproject = tomllib.load(file)
    tables: dict[str, list[str]] = {
        "build": pyproject["build-system"]["requires"],
        **pyproject["project"]["optional-dependencies"],
        **pyproject["dependency-groups"],
    }
    return [requirement for name in names for requirement in tables[name]]


if __name__ == "__main__":
    print(*requirements(sys.argv[1:]), sep="\n")
