"""`python -m hangang.emulator [--host H] [--port N] [-c NAME=VALUE]…`: without the command line's extra."""

from __future__ import annotations

import argparse
import sys

from . import CONTROLS, Controls, read_answers, serve
from ._addresses import warning


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="python -m hangang.emulator",
        description="CLOVA Studio, EXAONE, CLOVA Studio Gov and an OpenAI-compatible server on this machine.",
        epilog=CONTROLS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--answers", metavar="FILE", help="JSON lines, one Reply a line")
    parser.add_argument("-c", dest="controls", action="append", default=[], metavar="NAME=VALUE")
    options = parser.parse_args()
    pairs = (text.partition("=") for text in options.controls)

    def started(url: str) -> None:
        print(url, flush=True)
        if (warned := warning(options.host, url)) is not None:
            print(warned, file=sys.stderr)

    try:
        controls = Controls().changed((name, value) for name, _, value in pairs)
        serve(
            host=options.host,
            port=options.port,
            on_start=started,
            answers=None if options.answers is None else read_answers(options.answers),
            controls=controls,
        )
    except (ImportError, OSError, ValueError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
