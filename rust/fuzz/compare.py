"""Native against pure, from Python: changes seeds at random and compares all that can be read of both.

    python rust/fuzz/compare.py --seconds 600

Not guided by coverage: it takes what the guided targets have found (`corpus`, and `work` where they ran)
and the seeds, and changes them on. Each stream is fed to both implementations whole and in pieces of
chance; events with their reprs and payloads, errors with their texts, and pending bytes must be equal. A
difference is printed with what reproduces it, and is the exit code.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent.parent / "tests")]

import support  # noqa: E402 - found by the line above

TARGETS = {"sse_split": "SSEParser", "json_split": "JSONStreamParser"} | {
    name: name for name in support.DIALECTS
}


def inputs(target: str) -> list[bytes]:
    """The streams of a target, without their two bytes of options."""
    found = []
    for folder in ("corpus", "work", "seeds"):
        place = HERE / folder / target
        if place.is_dir():
            found += [path.read_bytes()[2:] for path in sorted(place.iterdir())]
    return [data for data in found if len(data) <= 4096]


def words(target: str) -> list[bytes]:
    """The dictionary's entries, as libFuzzer reads them."""
    out = []
    for line in (HERE / "dict" / f"{target}.dict").read_text(encoding="utf-8").splitlines():
        if line.startswith('"'):
            out.append(line[1:-1].encode().decode("unicode_escape").encode("latin-1"))
    return out


def changed(data: bytes, pool: list[bytes], dictionary: list[bytes], rng: random.Random) -> bytes:
    """One to four changes: a byte, a word, a piece gone, a piece twice, a piece of another stream."""
    for _ in range(rng.randint(1, 4)):
        at = rng.randint(0, len(data))
        to = min(len(data), at + rng.choice((1, 1, 2, 4, 16, 100)))
        match rng.randrange(6):
            case 0:
                data = data[:at] + bytes([rng.randrange(256)]) + data[to:]
            case 1:
                data = data[:at] + rng.choice(dictionary) + data[at:]
            case 2:
                data = data[:at] + data[to:]
            case 3:
                data = data[:to] + data[at:]
            case 4:
                other = rng.choice(pool)
                data = data[:at] + other[rng.randint(0, len(other)) :]
            case _:
                data = data[:at] + rng.choice(dictionary) + data[to:]
    return data[:8192]


def options(target: str, rng: random.Random) -> dict[str, Any]:
    given: dict[str, Any] = {}
    if rng.random() < 0.3:
        given["max_frame_bytes"] = rng.randint(1, 300)
    if target in support.DIALECTS and rng.random() < 0.3:
        given["errors"] = "report"
    if target != "sse_split" and rng.random() < 0.3:
        given["max_depth"] = rng.randint(1, 8)
    if target == "a2a" and rng.random() < 0.3:
        given["end"] = "last_chunk"
    return given


def seen(impl: support.Implementation, kind: str, given: dict[str, Any], chunks: list[bytes]) -> Any:
    parser = impl.parser(kind, **given)
    outcome = support.drive(parser, chunks)
    events = [(repr(event), getattr(event, "raw", None)) for event in outcome.events]
    return events, outcome.fault, parser.pending


def rounds(seed: int) -> Iterator[str | None]:
    """For ever: one stream, compared; a text where something differs."""
    rng = random.Random(seed)
    pools = {target: inputs(target) for target in TARGETS}
    dictionaries = {target: words(target) for target in TARGETS}
    native, pure = support.implementation("native"), support.implementation("pure")
    while True:
        for target, kind in TARGETS.items():
            pool = pools[target]
            data = changed(rng.choice(pool), pool, dictionaries[target], rng)
            given = options(target, rng)
            chunks = support.many_way(data, rng)
            want = seen(pure, kind, given, [data])
            for name, impl, pieces in (
                ("native, whole", native, [data]),
                ("native, cut", native, chunks),
                ("pure, cut", pure, chunks),
            ):
                got = seen(impl, kind, given, pieces)
                if got != want:
                    cuts = [len(piece) for piece in pieces]
                    yield f"{kind}({given}), {name} {cuts}:\n{data!r}\n got {got}\nwant {want}"
                    break
            else:
                yield None


def main() -> None:
    arguments = argparse.ArgumentParser(description="Native against pure on changed seeds.")
    arguments.add_argument("--seconds", type=float, default=600)
    arguments.add_argument("--seed", type=int, default=None, help="by default another in each run")
    given = arguments.parse_args()
    seed = given.seed if given.seed is not None else time.time_ns()
    end = time.monotonic() + given.seconds
    count = differences = 0
    for difference in rounds(seed):
        count += 1
        if difference is not None:
            differences += 1
            print(difference)
        if time.monotonic() > end or differences >= 20:
            break
    print(f"{count} streams, {differences} differences, seed {seed}")
    sys.exit(bool(differences))


if __name__ == "__main__":
    main()
