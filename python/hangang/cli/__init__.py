"""The `hangang` command. Each command is a module of this package; `_app` lists them.

It needs click, which the extra `hangang[cli]` installs.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. `_app` documents the codes."""
    try:
        from hangang.cli._app import run
    except ModuleNotFoundError as error:
        if error.name != "click":
            raise
        print("hangang: the command line needs click; pip install 'hangang[cli]'", file=sys.stderr)
        return 2
    return run(arguments)
