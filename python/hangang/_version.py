"""The version. Cargo.toml is the only place that states it; this finds out what it says there.

The native module carries it; an installed wheel carries it in its metadata; in a source checkout
that was never installed it is read from the workspace's Cargo.toml.
"""

from __future__ import annotations

from hangang import _backend

__all__ = ["__version__"]


def _pure_version() -> str:
    from importlib import metadata
    from pathlib import Path

    # A checkout on the path may come with an older installed wheel: its own version counts.
    manifest = Path(__file__).resolve().parents[2] / "Cargo.toml"
    if (manifest.parent / "rust" / "hangang").is_dir() and manifest.is_file():
        import tomllib

        with manifest.open("rb") as file:
            workspace = tomllib.load(file).get("workspace", {})
        version = workspace.get("package", {}).get("version")
        if isinstance(version, str):
            return version
    try:
        return metadata.version("hangang")
    except metadata.PackageNotFoundError:
        return "0+unknown"


def _version() -> str:
    if _backend.BACKEND == "native":
        import importlib

        return str(importlib.import_module("hangang._native").__version__)
    return _pure_version()


__version__: str = _version()
