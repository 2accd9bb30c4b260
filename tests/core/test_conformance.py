"""CONFORMANCE.md is what the tests say, and what fuzzing found is replayed on both implementations.

The vectors that were made from other people's tests run in test_vectors.py, at every split, with all others.
"""

from __future__ import annotations

import importlib.util
import itertools
import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import reference
import support
from support import Implementation

REPO = support.REPO
FUZZ = REPO / "rust" / "fuzz"
PAGE = REPO / "CONFORMANCE.md"


def script(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_counts_every_case() -> None:
    """The tables of CONFORMANCE.md are written by a script from the vectors: the counts are those of today."""
    peers = script(REPO / "benches" / "conformance_peers.py")
    labels = [peers.label(case) for case in peers.cases()]
    page = PAGE.read_text(encoding="utf-8").split("<!-- peers: begin -->")[1].split("<!-- peers: end -->")[0]
    again = "python benches/conformance_peers.py --write"
    for backend in ("native", "pure"):
        assert f"| hangang ({backend}) | {len(labels)} | 0 | 0 |" in page, again
    agreed = re.search(r"right about (\d+) cases", page)
    rows = page.split("| case (")[1].splitlines()[2:]
    assert agreed is not None
    assert int(agreed[1]) + len(list(filter(None, rows))) == len(labels), again
    for row in filter(None, rows):
        assert any(row.startswith(f"| {label} | yes | yes |") for label in labels), again
        assert " | no |" in row or " | whole |" in row, again


def test_the_page_names_commands_and_tests_that_exist() -> None:
    page = PAGE.read_text(encoding="utf-8") + (REPO / "SECURITY.md").read_text(encoding="utf-8")
    for path in re.findall(r"`((?:tests|benches|rust)/[\w./-]+\.(?:py|rs|json|toml))`", page):
        assert (REPO / path).exists(), path
    targets = set(re.findall(r"^([a-z-]+):", (REPO / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for target in re.findall(r"`make ([a-z-]+)", page):
        assert target in targets, target


def corpus() -> list[tuple[str, str, bytes]]:
    found = []
    for folder in sorted((FUZZ / "corpus").iterdir()):
        kind = {"sse_split": "SSEParser", "json_split": "JSONStreamParser"}.get(folder.name, folder.name)
        for path in sorted(folder.iterdir()):
            found.append((kind, f"{folder.name}/{path.name}", path.read_bytes()))
    return found


CORPUS = corpus()


def options(kind: str, flags: int, cuts: int) -> dict[str, Any]:
    """As `Input::new` of rust/fuzz/src/lib.rs reads the first two bytes."""
    given: dict[str, Any] = {}
    if kind != "SSEParser":
        given["max_depth"] = 100
    if flags & 2:
        given["max_frame_bytes"] = 1 + cuts * 2
        if kind != "SSEParser":
            given["max_depth"] = 1 + cuts % 8
    if flags & 1 and kind in support.DIALECTS:
        given["errors"] = "report"
    if flags & 4 and kind == "a2a":
        given["end"] = "last_chunk"
    return given


def test_there_is_a_corpus() -> None:
    assert {kind for kind, _, _ in CORPUS} == {*support.FRAMING, *support.DIALECTS}
    assert len(CORPUS) > 200


@pytest.mark.parametrize("kind", [*support.FRAMING, *support.DIALECTS])
def test_the_corpus_is_replayed(impl: Implementation, kind: str) -> None:
    """Each input whole against the reference, then byte by byte and in two pieces against the whole."""
    for name, data in [(name, data) for one, name, data in CORPUS if one == kind and len(data) >= 2]:
        given, wire = options(kind, data[0], data[1]), data[2:]
        whole = support.drive(impl.parser(kind, **given), [wire])
        if kind in support.DIALECTS:
            want = reference.run(kind, wire, **given)
            assert whole.fault == want.error, name
        elif kind == "JSONStreamParser":
            limit = given.get("max_frame_bytes", reference.DEFAULT_LIMIT)
            assert (whole.events, whole.fault) == reference.json_stream(wire, limit, given["max_depth"]), name
        half = support.two_way(wire, len(wire) // 2)
        for chunks in (support.byte_by_byte(wire), half, support.pieces(wire, data[1] + 2)):
            outcome = support.drive(impl.parser(kind, **given), chunks)
            assert repr(outcome.events) == repr(whole.events), name
            assert outcome.fault == whole.fault, name


def test_native_against_pure_on_changed_inputs(native: Implementation) -> None:
    """The loop of `make fuzz`, for six thousand streams; the seed changes with each run and is in the message."""
    sys.path.insert(0, str(FUZZ))
    try:
        compare = script(FUZZ / "compare.py")
    finally:
        sys.path.remove(str(FUZZ))
    import random

    seed = random.randrange(2**32)
    for difference in itertools.islice(compare.rounds(seed), 6000):
        assert difference is None, f"seed {seed}: {difference}"


# -- supply chain ---------------------------------------------------------------------------------


def manifests() -> list[dict[str, Any]]:
    paths = [REPO / "Cargo.toml", *sorted(REPO.glob("rust/*/Cargo.toml"))]
    return [tomllib.loads(path.read_text(encoding="utf-8")) for path in paths]


def test_each_dependency_is_justified() -> None:
    """CONTRIBUTING's table says what each does, why this one, and what dropping it would cost."""
    page = (REPO / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = page.split("## Dependencies")[1].split("\n#")[0]
    named = {
        name.strip("` ")
        for row in table.splitlines()
        for name in row.split("|")[1:2]
        for name in name.split(",")
    }
    project = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["dependencies"] == []
    wanted = [*project["build-system"]["requires"]]
    for extra in (
        *project["project"]["optional-dependencies"].values(),
        *project["dependency-groups"].values(),
    ):
        wanted += extra
    names = {re.match(r"[\w-]+", requirement)[0] for requirement in wanted}  # type: ignore[index]
    for manifest in manifests():
        for section in ("dependencies", "dev-dependencies", "build-dependencies"):
            names |= set(manifest.get(section, {}))
    assert names - {"hangang"} <= named, names - named


def test_there_is_no_unsafe_code() -> None:
    """Forbidden by lint in every crate, so there is nothing to explain: the count is zero."""
    workspace, *crates = manifests()
    assert workspace["workspace"]["lints"]["rust"]["unsafe_code"] == "forbid"
    for crate in crates:
        lints = crate["lints"]
        assert lints.get("workspace") or lints["rust"]["unsafe_code"] == "forbid"
        assert "build" not in crate["package"], "no build script of our own"
    for path in REPO.glob("rust/*/**/*.rs"):
        if "target" not in path.parts:
            code = re.sub(r"//.*", "", path.read_text(encoding="utf-8"))
            assert not re.search(r"\bunsafe\b|allow\(unsafe_code\)", code), path


def test_builds_are_locked() -> None:
    """Both workspaces commit what they are built from, and every command of ours holds to it."""
    for path in (REPO / "Cargo.lock", FUZZ / "Cargo.lock"):
        lock = tomllib.loads(path.read_text(encoding="utf-8"))
        for package in lock["package"]:
            if not package["name"].startswith("hangang"):
                assert package["source"].startswith("registry+"), package
                assert len(package["checksum"]) == 64
    commands = (
        r"(?:cargo|maturin)\W+(?:test|bench|build|check|clippy|doc|develop|package|generate-stubs)[ \"].*"
    )
    paths = [REPO / "Makefile", REPO / ".ci" / "run", *filter(Path.is_file, (REPO / "scripts").iterdir())]
    lines = [line for path in paths for line in re.findall(commands, path.read_text(encoding="utf-8"))]
    assert len(lines) > 8
    assert not [line for line in lines if "--locked" not in line]
