"""`python -m hangang.emulator [--host H] [--port N]`: the emulator without the command line."""

from __future__ import annotations

import argparse
import sys

from . import serve


def main() -> int:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="python -m hangang.emulator",
        description="CLOVA Studio, EXAONE and CLOVA Studio Gov on this machine.",
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--rate", type=float, default=40.0, help="tokens a second")
    options = parser.parse_args()
    try:
        serve(
            host=options.host,
            port=options.port,
            rate=options.rate,
            on_start=lambda url: print(url, flush=True),
        )
    except (ImportError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
