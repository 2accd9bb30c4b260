"""Writes the seeds of every fuzz target into `seeds/`: the captures, and the wires of the vectors.

    python rust/fuzz/seeds.py

An input is two bytes (options, cuts; see src/lib.rs) and a stream. Nothing that is written here is committed.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

HERE = Path(__file__).resolve().parent
TESTS = HERE.parent.parent / "tests"
DIALECTS = ("clova", "exaone", "openai", "a2a")
SUFFIXES = (".sse", ".json", ".ndjson", ".jsonstream")
FRAMING = {"SSEParser": "sse_split", "JSONStreamParser": "json_split"}


def seeds() -> dict[str, set[bytes]]:
    """The streams of each target."""
    streams: dict[str, set[bytes]] = {name: set() for name in (*FRAMING.values(), *DIALECTS)}
    for dialect in DIALECTS:
        for path in (TESTS / "captures" / dialect).iterdir():
            if path.suffix not in SUFFIXES:
                continue
            wire = path.read_bytes()
            streams[dialect].add(wire)
            streams["sse_split" if path.suffix == ".sse" else "json_split"].add(wire)
    for path in (TESTS / "vectors").glob("*.json"):
        table = json.loads(path.read_text(encoding="utf-8"))
        for case in (*table.get("framing", ()), *table.get("dialects", ())):
            wire = case["wire"].encode("latin-1")
            streams[FRAMING.get(case["parser"], case["parser"])].add(wire)
    return streams


def main() -> None:
    for target, streams in seeds().items():
        folder = HERE / "seeds" / target
        folder.mkdir(parents=True, exist_ok=True)
        for stream in streams:
            # Plain options, and report mode with A2A's second profile.
            heads = [b"\x00\x07", b"\x05\x40"]
            if target == "openai" and (b"think>" in stream or b"thought>" in stream):
                heads += [b"\x08\x07", b"\x18\x07"]  # thinking_tags, and thinking_first with them
            for head in heads:
                name = hashlib.sha256(head + stream).hexdigest()[:16]
                (folder / name).write_bytes(head + stream)
        print(f"{target}: {len(streams)} streams")


if __name__ == "__main__":
    main()
