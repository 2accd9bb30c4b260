"""The CPython interpreters of this machine: on PATH, and pyenv's."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

PROBE = """
import json, sys, sysconfig
free_threaded = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
print(json.dumps([sys.implementation.name, *sys.version_info[:3], free_threaded]))
"""


@dataclass(frozen=True, order=True)
class Interpreter:
    minor: int
    free_threaded: bool
    micro: int
    path: str

    @property
    def version(self) -> str:
        return f"3.{self.minor}.{self.micro}{'t' if self.free_threaded else ''}"


def probe(path: Path) -> Interpreter | None:
    try:
        done = subprocess.run([path, "-I", "-c", PROBE], capture_output=True, timeout=60)
        name, major, minor, micro, free_threaded = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None  # a shim of pyenv for a version that is not selected, or no Python at all
    if (name, major) != ("cpython", 3) or minor < 11:
        return None
    return Interpreter(minor, free_threaded, micro, str(path))


def interpreters() -> list[Interpreter]:
    """One for each minor version from 3.11 on, free-threaded builds apart; the first on PATH comes first."""
    folders = [Path(folder) for folder in os.environ.get("PATH", os.defpath).split(os.pathsep)]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    folders += sorted(pyenv.glob("versions/3.*/bin"))
    names = [f"python3.{minor}{suffix}" for minor in range(11, 20) for suffix in ("", "t")]
    if os.name == "nt":
        names = ["python.exe", *(f"{name}.exe" for name in names)]
    found: dict[tuple[int, bool], Interpreter] = {}
    for path in (folder / name for folder in folders for name in names):
        if path.exists() and (one := probe(path)):
            found.setdefault((one.minor, one.free_threaded), one)
    return sorted(found.values())


if __name__ == "__main__":
    for one in interpreters():
        print(one.version, one.path)
