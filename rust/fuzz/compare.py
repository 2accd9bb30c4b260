"""Native against pure, from Python: changes seeds at random and compares all that can be read of both.

    python rust/fuzz/compare.py --seconds 600
    python rust/fuzz/compare.py --seconds 600 --captures

Not guided by coverage: it takes what the guided targets have found (`corpus`, and `work` where they ran)
and the seeds, and changes them further: bytes, words of the dictionary, lines and whole frames. With
`--captures` it takes the captures and changes their structure (`tests/support/mutations.py`). Each stream
is fed to both implementations whole and in random pieces, through `feed` and through `feed_text`; events with
their reprs and payloads, errors with their texts, pending bytes and `SSEParser`'s state must be equal, also
after an error. Every eighth stream is also compared with the naive reference of the tests. A difference is
printed with what reproduces it, and is the exit code.
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
sys.path[:0] = [str(HERE.parent.parent / "tests" / "support")]

import mutations  # noqa: E402 - found by the line above
import reference  # noqa: E402
import strategies  # noqa: E402
import support  # noqa: E402

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


def blocks(data: bytes, separator: bytes) -> list[bytes]:
    """The lines or frames of a stream, each with its end."""
    return [block + separator for block in data.split(separator)]


def changed(data: bytes, pool: list[bytes], dictionary: list[bytes], rng: random.Random) -> bytes:
    """One to four changes: a byte, a word, a piece gone, a piece twice, a piece of another stream.

    Also what [design §5] looks at: a line or a frame of another stream between two lines, and a frame that is
    repeated, so that it is predicted.
    """
    for _ in range(rng.randint(1, 4)):
        at = rng.randint(0, len(data))
        to = min(len(data), at + rng.choice((1, 1, 2, 4, 16, 100)))
        match rng.randrange(9):
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
            case 5:
                data = data[:at] + rng.choice(dictionary) + data[to:]
            case 6 | 7:
                separator = rng.choice((b"\n", b"\n\n"))
                lines = blocks(data, b"\n")
                lines.insert(rng.randint(0, len(lines)), rng.choice(blocks(rng.choice(pool), separator)))
                data = b"".join(lines)
            case _:
                frames = blocks(data, b"\n\n")
                number = rng.randrange(len(frames))
                frames[number] *= rng.randint(2, 5)
                data = b"".join(frames)
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
    if target == "openai" and rng.random() < 0.3:
        given["thinking_tags"] = rng.choice([*strategies.TAGS, ("<think>", "</think>")])
        given["thinking_first"] = rng.random() < 0.5
    return given


def seen(impl: support.Implementation, kind: str, given: dict[str, Any], chunks: list[bytes]) -> Any:
    """All that can be read of a parser that was fed these chunks."""
    parser = impl.parser(kind, **given)
    outcome = support.drive(parser, chunks)
    events = [(repr(event), getattr(event, "raw", None)) for event in outcome.events]
    state = (parser.last_event_id, parser.retry) if kind == "SSEParser" else None
    return events, outcome.fault, parser.pending, state


def seen_text(impl: support.Implementation, kind: str, given: dict[str, Any], chunks: list[bytes]) -> Any:
    """The same through `feed_text`."""
    outcome = support.drive_text(impl.parser(kind, **given), chunks)
    return outcome.text, [(repr(event), event.raw) for event in outcome.kept], repr(outcome.error)


def of_reference(kind: str, given: dict[str, Any], data: bytes) -> Any:
    """(events as data, their payloads, the error) of the naive reference."""
    limit = given.get("max_frame_bytes", reference.DEFAULT_LIMIT)
    if kind == "JSONStreamParser":
        depth = given.get("max_depth", reference.DEFAULT_DEPTH)
        frames, error = reference.json_stream(data, limit, depth)
        return [frame.decode("latin-1") for frame in frames], None, error
    if kind == "SSEParser":
        events, _, error = reference.sse_stream(data, limit)
        return events, None, error
    result = reference.run(kind, data, **given)
    return [support.strict(event) for event in result.events], result.raws, result.error


def as_reference(impl: support.Implementation, kind: str, given: dict[str, Any], data: bytes) -> Any:
    """What an implementation gives, in the form of `of_reference`."""
    outcome = support.drive(impl.parser(kind, **given), [data])
    events = support.to_data(outcome.events)
    if kind not in support.DIALECTS:
        return events, None, outcome.fault
    return (
        [support.strict(event) for event in events],
        [event.raw for event in outcome.events],
        outcome.fault,
    )


def difference(
    native: support.Implementation,
    pure: support.Implementation,
    kind: str,
    given: dict[str, Any],
    data: bytes,
    chunks: list[bytes],
) -> str | None:
    """What differs between the implementations for one stream, with what reproduces it."""
    runs = [
        ("native, whole", seen, native, [data]),
        ("native, cut", seen, native, chunks),
        ("pure, cut", seen, pure, chunks),
    ]
    if kind in support.DIALECTS:
        runs += [
            ("native, text, whole", seen_text, native, [data]),
            ("native, text, cut", seen_text, native, chunks),
            ("pure, text, cut", seen_text, pure, chunks),
        ]
    want = {look: look(pure, kind, given, [data]) for look in {run[1] for run in runs}}
    for name, look, impl, pieces in runs:
        got = look(impl, kind, given, pieces)
        if got != want[look]:
            cuts = [len(piece) for piece in pieces]
            return f"{kind}({given}), {name} {cuts}:\n{data!r}\n got {got}\nwant {want[look]}"
    return None


def compared(target: str, data: bytes, rng: random.Random) -> str | None:
    """A text if something differs for one stream."""
    native, pure = support.implementation("native"), support.implementation("pure")
    kind, given = TARGETS[target], options(target, rng)
    found = difference(native, pure, kind, given, data, support.many_way(data, rng))
    if found is None and rng.randrange(8) == 0:
        got, want = as_reference(pure, kind, given, data), of_reference(kind, given, data)
        if got != want:
            found = f"{kind}({given}), reference:\n{data!r}\n got {got}\nwant {want}"
    return found


def captures(seed: int) -> Iterator[str | None]:
    """Without end: one capture, changed in its structure, compared through its dialect or framing alone."""
    rng = random.Random(seed)
    while True:
        target, data = mutations.mutated(rng)
        if rng.random() < 0.2:
            target = rng.choice(("sse_split", "json_split"))
        yield compared(target, data, rng)


def rounds(seed: int) -> Iterator[str | None]:
    """Without end: one stream, compared; a text if something differs."""
    rng = random.Random(seed)
    pools = {target: inputs(target) for target in TARGETS}
    dictionaries = {target: words(target) for target in TARGETS}
    while True:
        for target in TARGETS:
            pool = pools[target]
            data = changed(rng.choice(pool), pool, dictionaries[target], rng)
            yield compared(target, data, rng)


def main() -> None:
    arguments = argparse.ArgumentParser(description="Native against pure on changed seeds.")
    arguments.add_argument("--seconds", type=float, default=600)
    arguments.add_argument("--captures", action="store_true", help="change the structure of the captures")
    arguments.add_argument("--seed", type=int, default=None, help="by default another in each run")
    given = arguments.parse_args()
    seed = given.seed if given.seed is not None else time.time_ns()
    end = time.monotonic() + given.seconds
    count = differences = 0
    for difference in (captures if given.captures else rounds)(seed):
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
