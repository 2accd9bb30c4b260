"""A folder in which pytest finds our plugin as it does after an installation: by its entry point."""

from __future__ import annotations

import tomllib
from pathlib import Path

from support import REPO


def installed(folder: Path) -> Path:
    """A folder for PYTHONPATH with the entry points that pyproject.toml declares."""
    project = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = folder / "installed"
    metadata = found / "hangang_here-1.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: hangang-here\nVersion: 1\n")
    entries = project["entry-points"]["pytest11"].items()
    lines = [f"{name} = {module}\n" for name, module in entries]
    (metadata / "entry_points.txt").write_text("[pytest11]\n" + "".join(lines))
    return found
