"""Instructions that the crate needs for fixed streams, counted by callgrind, against what is committed.

    python benches/instructions.py            compare; more than 3 % above the baseline fails
    python benches/instructions.py --accept   write the baseline

A count does not depend on how busy a machine is, but it does on the compiler and, through the C library and
SIMD, on the processor: the baseline says where it was made, and is compared there only. Where it cannot be
compared the counts are printed, and a word says why.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parent.parent
BASELINE = REPO / "rust" / "hangang" / "benches" / "instructions.json"
ALLOWED = 0.03
EVENTS = 300  # a stream, in benches/instructions.rs


def output(*command: str) -> str:
    return subprocess.run(command, cwd=REPO, check=True, capture_output=True, text=True).stdout


def built() -> str:
    """Builds the program; returns where it is."""
    messages = output(
        *("cargo", "bench", "--locked", "-p", "hangang", "--bench", "instructions", "--no-run"),
        "--message-format=json",
    )
    for line in messages.splitlines():
        message: dict[str, Any] = json.loads(line)
        if message.get("target", {}).get("name") == "instructions" and message.get("executable"):
            return str(message["executable"])
    raise SystemExit("cargo built no `instructions`")


def counted(program: str, scenario: str, folder: str) -> int:
    run = subprocess.run(
        [
            *("valgrind", "--tool=callgrind", "--toggle-collect=*instructions*measured*"),
            *(f"--callgrind-out-file={folder}/callgrind.out", program, scenario),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    found = re.search(r"Collected : (\d+)", run.stderr)
    if found is None or found[1] == "0":
        raise SystemExit(f"callgrind counted nothing:\n{run.stderr}")
    return int(found[1])


def place() -> dict[str, str]:
    """What the counts depend on, besides the source."""
    rustc = output("rustc", "--version").split()[1]
    libc = (
        " ".join(part for part in os.confstr("CS_GNU_LIBC_VERSION").split())
        if sys.platform == "linux"
        else ""
    )
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        flags = next((line.split() for line in file if line.startswith("flags")), [])
    simd = "avx2" if "avx2" in flags else "sse2"
    return {"rustc": rustc, "machine": os.uname().machine, "libc": libc, "simd": simd}


def main(arguments: list[str]) -> int:
    if shutil.which("valgrind") is None:
        print("skipped: valgrind is not installed, so no instructions were counted")
        return 0
    program = built()
    with tempfile.TemporaryDirectory() as folder:
        counts = {name: counted(program, name, folder) for name in output(program, "--list").split()}
    here = place()
    if "--accept" in arguments:
        BASELINE.write_text(json.dumps({"place": here, "counts": counts}, indent=2) + "\n", encoding="utf-8")
        print(f"wrote {BASELINE.relative_to(REPO)}")
        return 0
    baseline = json.loads(BASELINE.read_text(encoding="utf-8")) if BASELINE.exists() else {}
    known: dict[str, int] = baseline.get("counts", {})
    comparable = baseline.get("place") == here
    status = 0
    print(f"{'instructions an event':<24}{'now':>8}{'before':>9}")
    for name, count in counts.items():
        before = known.get(name)
        change = (count / before - 1) if before else 0.0
        verdict = ""
        if before is None:
            verdict = "new: make bench-instructions ACCEPT=1"
        elif comparable and change > ALLOWED:
            verdict, status = "MORE", 1
        elif comparable and change < -ALLOWED:
            verdict = "less: make bench-instructions ACCEPT=1 keeps it"
        shown = f"{before / EVENTS:9.0f}{change:+8.1%}" if before else ""
        print(f"{name:<24}{count / EVENTS:8.0f}{shown}  {verdict}".rstrip())
    if not comparable:
        print(f"not compared: the baseline is of {baseline.get('place')}, this is {here}")
    return status


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
