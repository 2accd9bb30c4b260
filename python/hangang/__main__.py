"""`python -m hangang`: the command line where no `hangang` script is on the path."""

from __future__ import annotations

import sys

from hangang.cli import main

if __name__ == "__main__":
    sys.exit(main())
