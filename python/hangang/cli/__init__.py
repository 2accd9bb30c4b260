"""The `hangang` command. One module a command beside this one; `_app` has their list.

The command line stands on click, which `hangang[cli]` brings.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code. `_app` says what the codes mean."""
    try:
        from hangang.cli._app import run
    except ModuleNotFoundError as error:
        if error.name != "click":
            raise
        print("hangang: the command line needs click; pip install 'hangang[cli]'", file=sys.stderr)
        return 2
    return run(arguments)
