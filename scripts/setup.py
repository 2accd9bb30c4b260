"""Sets up this checkout for the targets of the Makefile: python3 scripts/setup.py STEP...

run, dev, bench, zig, wheel-checks, audit
          .venv with the requirements of that name (REQUIREMENTS)
native    the native module, built in place; it is native or the step fails
pure      the pure Python package, editable: needs no compiler
tests     native; pure if HANGANG_BACKEND=pure and there is no cargo
demo      native; pure if HANGANG_BACKEND=pure, or if it is unset and there is no cargo

A step leaves a stamp in .venv that holds what it was made from, and is done again only when that has changed.
Everything stays in this folder: .venv, target, build and the module in python/hangang.
"""

import sys

# Before the other imports, and without anything that an old Python cannot read: RHEL 8 has 3.6.
if sys.version_info < (3, 11):
    found = "%s is %s" % (sys.executable, sys.version.split()[0])
    sys.exit("hangang needs Python 3.11 or newer, and " + found + "; try make PYTHON=python3.12")

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from requirements import ROOT, requirements

VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
BUILD = ROOT / "build"

REQUIREMENTS = {
    "run": ["build", "cli", "client", "emulator"],
    "dev": ["build", "cli", "client", "emulator", "dev"],
    "bench": ["build", "cli", "client", "bench"],
    "zig": ["build", "zig"],
    "wheel-checks": ["build", "wheel-checks"],
    "audit": ["audit"],
}


def run(*command: str | Path, log: str = "", backend: str | None = None) -> None:
    """Runs a command in the checkout. With `log` its output goes to a file, which is shown if it fails."""
    env = os.environ if backend is None else os.environ | {"HANGANG_BACKEND": backend}
    if not log:
        done = subprocess.run(command, cwd=ROOT, env=env)
    else:
        BUILD.mkdir(exist_ok=True)
        with (BUILD / log).open("wb") as output:
            done = subprocess.run(command, cwd=ROOT, env=env, stdout=output, stderr=subprocess.STDOUT)
        if done.returncode:
            sys.stderr.write((BUILD / log).read_text(encoding="utf-8", errors="replace"))
    if done.returncode:
        sys.exit(done.returncode)


def pip(*arguments: str | Path) -> None:
    run(PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments)


def stamp(name: str) -> Path:
    return VENV / f".{name}"


def is_done(name: str, made_from: str) -> bool:
    return stamp(name).is_file() and stamp(name).read_text(encoding="utf-8") == made_from


def modules() -> list[Path]:
    return [path for path in (ROOT / "python" / "hangang").glob("_native*") if path.suffix in (".so", ".pyd")]


def environment() -> None:
    """An empty .venv. A copied or moved checkout brings one, and a module, that belong to another folder."""
    if is_done("checkout", str(ROOT)) and PYTHON.exists():
        return
    if VENV.exists():
        shutil.rmtree(VENV)
    for path in modules():
        path.unlink()
    run(sys.executable, "-m", "venv", VENV)
    stamp("checkout").write_text(str(ROOT), encoding="utf-8")


def wanted(name: str) -> str:
    return "\n".join(requirements(REQUIREMENTS[name]))


def install(name: str) -> None:
    # `dev` has all of `run`.
    if is_done(name, wanted(name)) or (name == "run" and is_done("dev", wanted("dev"))):
        return
    print(f"installing the requirements of {' '.join(REQUIREMENTS[name])}", flush=True)
    listed = VENV / f"{name}.txt"
    listed.write_text(wanted(name), encoding="utf-8")
    pip("-r", listed)
    stamp(name).write_text(wanted(name), encoding="utf-8")


def digest(*patterns: str) -> str:
    """Of the contents of files: a checkout of another commit changes times, and often nothing else."""
    paths = sorted(path for pattern in patterns for path in ROOT.glob(pattern) if path.is_file())
    total = hashlib.sha256()
    for path in paths:
        total.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return total.hexdigest()


def check(backend: str) -> None:
    code = (
        "import hangang, pathlib; "
        f"assert hangang.BACKEND == {backend!r}, hangang.BACKEND; "
        "assert pathlib.Path(hangang.__file__).is_relative_to(pathlib.Path.cwd()), hangang.__file__"
    )
    run(PYTHON, "-c", code, backend=backend)


def native() -> None:
    sources = digest(
        "pyproject.toml", "Cargo.toml", "Cargo.lock", "rust/*/Cargo.toml", "rust/hangang*/src/**/*.rs"
    )
    if is_done("native", sources) and modules():
        return
    install("run")
    if not shutil.which("cargo"):
        sys.exit("cargo was not found: the native module needs Rust; HANGANG_BACKEND=pure does without")
    print("building the native module", flush=True)
    run(PYTHON, "-m", "maturin", "develop", "--release", "--locked", "--quiet", log="native.log")
    check("native")
    stamp("native").write_text(sources, encoding="utf-8")


def pure() -> None:
    """The folder of the checkout on the path, and the metadata."""
    sources = digest("pyproject.toml", "Cargo.toml")
    if is_done("pure", sources):
        return
    install("run")
    pip("hatchling>=1.33")
    folder = BUILD / "pure"
    shutil.rmtree(folder, ignore_errors=True)
    run(PYTHON, "-m", "hatchling", "build", "-t", "wheel:editable", "-d", folder, log="pure.log")
    pip("--force-reinstall", "--no-deps", *folder.glob("*.whl"))
    check("pure")
    stamp("pure").write_text(sources, encoding="utf-8")


def main(steps: list[str]) -> None:
    backend, cargo = os.environ.get("HANGANG_BACKEND", ""), shutil.which("cargo")
    environment()
    for step in steps:
        if step == "tests":
            step = "pure" if backend == "pure" and not cargo else "native"
        elif step == "demo":
            step = "pure" if backend == "pure" or not (backend or cargo) else "native"
        if step in REQUIREMENTS:
            install(step)
        elif step == "native":
            native()
        elif step == "pure":
            pure()
        else:
            sys.exit(f"no such step: {step}")


if __name__ == "__main__":
    main(sys.argv[1:])
