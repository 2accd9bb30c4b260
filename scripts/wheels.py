"""The files of a release: which there must be, and how each is built.

    python scripts/wheels.py build                       all that can be built here, and why not the rest
    python scripts/wheels.py build --kind abi3 --here    one wheel; fails if it cannot be built
    python scripts/wheels.py missing                     fails if dist/ is not the whole list

A pure wheel, py3-none-any, installs everywhere: without the list a platform whose native wheel is missing
would get it unnoticed, and be many times slower.

KINDS × TARGETS are the native wheels. On Linux zig links them, against the symbols of the oldest glibc that
is promised, so no container is needed. .github/workflows/wheels.yml calls `build` with the same names.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from interpreters import interpreters

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"


class NotHereError(Exception):
    """This machine cannot build it; the message says why."""


@dataclass(frozen=True)
class Kind:
    """What of Python a wheel is for."""

    tags: frozenset[str]  # of Python and ABI, as file names have them
    features: tuple[str, ...] = ()  # arguments of maturin: the features of rust/hangang-python
    interpreter: tuple[int, bool] | None = None  # minor version and whether it is free-threaded; None: any


@dataclass(frozen=True)
class Target:
    """A platform: Rust's name for it, and what its wheels are tagged with."""

    tag: str
    compatibility: str = ""  # the oldest Linux, for maturin


KINDS = {
    "abi3": Kind(frozenset({"cp311-abi3"})),
    "cp314t": Kind(frozenset({"cp314-cp314t"}), ("--no-default-features",), (14, True)),
    "abi3t": Kind(
        frozenset({"cp315-abi3", "cp315-abi3t"}),
        ("--no-default-features", "--features", "abi3t"),
        (15, False),
    ),
}
TARGETS = {
    "x86_64-unknown-linux-gnu": Target("manylinux_2_17_x86_64", "manylinux2014"),
    "aarch64-unknown-linux-gnu": Target("manylinux_2_17_aarch64", "manylinux2014"),
    "x86_64-unknown-linux-musl": Target("musllinux_1_2_x86_64", "musllinux_1_2"),
    "aarch64-unknown-linux-musl": Target("musllinux_1_2_aarch64", "musllinux_1_2"),
    "x86_64-apple-darwin": Target("macosx_10_12_x86_64"),
    "aarch64-apple-darwin": Target("macosx_11_0_arm64"),
    "x86_64-pc-windows-msvc": Target("win_amd64"),
}
#: Those that are no native wheel.
OTHERS = ("pure", "sdist")


def version() -> str:
    found = re.search(r'(?m)^version = "([^"]+)"', (ROOT / "Cargo.toml").read_text(encoding="utf-8"))
    assert found is not None
    return found[1]


def tags(name: str) -> set[str]:
    """All that a wheel's name says: `cp315-abi3.abi3t-any` is for `cp315-abi3-any` and `cp315-abi3t-any`."""
    python, abi, platforms = name.removesuffix(".whl").split("-")[-3:]
    return {
        f"{one}-{two}-{three}"
        for one in python.split(".")
        for two in abi.split(".")
        for three in platforms.split(".")
    }


def files() -> list[Path]:
    """The files of this version in dist/."""
    return sorted(path for path in DIST.glob(f"hangang-{version()}[-.]*") if path.suffix in (".whl", ".gz"))


def wanted() -> Iterator[tuple[str, frozenset[str]]]:
    """A release: what each file is called here, and the tags that one wheel must have."""
    for kind_name, kind in KINDS.items():
        for triple, target in TARGETS.items():
            yield f"{kind_name} {triple}", frozenset(f"{tag}-{target.tag}" for tag in kind.tags)
    yield "pure", frozenset({"py3-none-any"})


def missing() -> list[str]:
    names = [path.name for path in files()]
    wheels = [tags(name) for name in names if name.endswith(".whl")]
    lacking = [name for name, need in wanted() if not any(need <= have for have in wheels)]
    return lacking if any(name.endswith(".tar.gz") for name in names) else [*lacking, "sdist"]


def run(*command: str | Path, env: dict[str, str] | None = None) -> None:
    print("+", *command, flush=True)
    # zig is a program of the environment; its caches stay in this folder, as everything does.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    caches = {
        "CARGO_ZIGBUILD_CACHE_DIR": str(ROOT / "target" / "zig"),
        "ZIG_GLOBAL_CACHE_DIR": str(ROOT / "target" / "zig"),
    }
    subprocess.run(command, cwd=ROOT, env={**os.environ, **caches, "PATH": path, **(env or {})}, check=True)


def output(*command: str) -> str:
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise NotHereError(f"`{' '.join(command)}` failed: Rust is needed (rustup.rs)") from error


def host() -> str:
    return output("rustc", "-vV").partition("host: ")[2].split()[0]


def compiler(triple: str) -> dict[str, str]:
    """What makes cargo find a compiler that has the standard library of a target."""
    if Path(output("rustc", "--print", "target-libdir", "--target", triple).strip()).is_dir():
        return {}
    if triple == "aarch64-unknown-linux-gnu" and platform.machine() == "x86_64":
        done = subprocess.run(
            [ROOT / "scripts" / "debian-rust", "newest", "arm64"], stdout=subprocess.PIPE, text=True
        )
        if done.returncode == 0:
            return {"RUSTC": done.stdout.strip()}
    raise NotHereError(f"no standard library of Rust for it here: rustup target add {triple}")


def build_native(kind: Kind, triple: str) -> None:
    system = host()
    # Anything else than the listed platforms gets what maturin makes of it.
    target = TARGETS.get(triple, Target(""))
    for name, part in (("macOS", "apple"), ("Windows", "windows"), ("Linux", "linux")):
        if part in triple and part not in system:
            raise NotHereError(f"needs {name}")
    arguments: list[str | Path] = ["--target", triple]
    environment = compiler(triple)
    if target.compatibility:
        arguments += ["--compatibility", target.compatibility, "--zig"]
    if "musl" in triple:
        # A module is loaded into a program that has a libc already.
        environment["RUSTFLAGS"] = "-C target-feature=-crt-static"
    arguments += kind.features
    if kind.interpreter:
        name = f"python3.{kind.interpreter[0]}{'t' if kind.interpreter[1] else ''}"
        found = [one.path for one in interpreters() if (one.minor, one.free_threaded) == kind.interpreter]
        # For another platform maturin knows the interpreter by its name; for this one it must be run.
        if triple == system and not found:
            raise NotHereError(f"no {name} here")
        arguments += ["--interpreter", found[0] if triple == system else name]
    # A folder for each target: another compiler's files are not mixed with those of `make setup`.
    environment["CARGO_TARGET_DIR"] = str(ROOT / "target" / "wheels")
    run(
        *(sys.executable, "-m", "maturin", "build", "--release", "--strip", "--locked", "--out", DIST),
        *arguments,
        env=environment,
    )


def build(name: str) -> None:
    if name == "pure":
        run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", DIST)
    elif name == "sdist":
        run(sys.executable, "-m", "maturin", "sdist", "--out", DIST)
    else:
        kind, triple = name.split()
        build_native(KINDS[kind], triple)


def main() -> None:
    arguments = argparse.ArgumentParser(description="The files of a release.")
    commands = arguments.add_subparsers(dest="command", required=True)
    building = commands.add_parser("build")
    building.add_argument("--kind", action="append", choices=[*KINDS, *OTHERS], help="only these")
    building.add_argument("--target", action="append", choices=list(TARGETS), help="only these")
    building.add_argument("--here", action="store_true", help="only for this machine")
    commands.add_parser("missing")
    given = arguments.parse_args()

    if given.command == "missing":
        lacking = missing()
        for name in lacking:
            print(f"missing in dist/: {name}")
        sys.exit(bool(lacking))

    triples = [host()] if given.here else given.target or list(TARGETS)
    names = [
        name
        for kind in given.kind or [*KINDS, *OTHERS]
        for name in ([kind] if kind in OTHERS else [f"{kind} {triple}" for triple in triples])
    ]
    built, not_built = [], []
    for name in names:
        try:
            build(name)
            built.append(name)
        except NotHereError as reason:
            not_built.append(f"{name}: {reason}")
        except subprocess.CalledProcessError as error:
            sys.exit(f"building {name} failed with code {error.returncode}")
    for path in files():
        print(f"{path.stat().st_size:>10,}  {path.name}")
    for line in not_built:
        print(f"not built: {line}")
    if given.kind and not_built:
        sys.exit(1)  # it was asked for by name


if __name__ == "__main__":
    main()
