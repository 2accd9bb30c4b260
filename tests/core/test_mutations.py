"""Law I on captures that were changed in their structure (`mutations.py`): native = pure = the naive reference."""

from __future__ import annotations

import importlib.util
import random
import subprocess
import sys

import mutations
import pytest
import support

COMPARE = support.REPO / "rust" / "fuzz" / "compare.py"


def test_the_changes_reach_every_kind_of_end() -> None:
    """Mutations that were all harmless, or all broken at once, would compare nothing."""
    rng = random.Random(1)
    pure = support.implementation("pure")
    ends = set()
    for _ in range(600):
        dialect, data = mutations.mutated(rng)
        outcome = support.drive(pure.parser(dialect), [data])
        ends.add(type(outcome.error).__name__)
        ends |= {type(event).__name__ for event in outcome.events}
    assert ends >= {
        *(
            "NoneType",
            "InvalidJSONError",
            "InvalidUTF8Error",
            "TruncatedStreamError",
            "UnrecognizedStreamError",
        ),
        *("Error", "Unknown", "Token", "Result", "Answer", "Chunk", "Done", "StatusUpdate", "ArtifactUpdate"),
    }


def test_changed_captures_are_read_alike(native: support.Implementation) -> None:
    spec = importlib.util.spec_from_file_location("compare", COMPARE)
    assert spec is not None
    assert spec.loader is not None
    compare = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(compare)
    streams = compare.captures(20261126)
    assert [found for found in (next(streams) for _ in range(600)) if found is not None] == []


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_ten_minutes_of_changed_captures_are_read_alike(native: support.Implementation) -> None:
    command = [sys.executable, str(COMPARE), "--captures", "--seconds", "600"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1000, check=False)
    assert done.returncode == 0, done.stdout
    assert " 0 differences" in done.stdout
