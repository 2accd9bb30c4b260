"""Checks what is in dist/: the files themselves, then each installed and run.

    python scripts/check_wheels.py            every CPython from 3.11 on that is here, and the sdist
    python scripts/check_wheels.py --quick    the wheels, on this Python

Of every file: its metadata (twine), its contents (check-wheel-contents, licences, the SBOM of a native wheel,
no module in a pure one). Of a native wheel: that its symbols are as old as its name says (auditwheel), and
that it uses nothing outside the stable ABI (abi3audit). Then a fresh environment for each interpreter and
wheel, in a folder of its own, with the extras: the backend is the expected one, `hangang demo` runs, and the
vectors pass at every split.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from interpreters import Interpreter, interpreters, probe
from requirements import requirements
from wheels import ROOT, files, tags, version

#: What the vectors' tests import, with the versions of `dev`.
TEST_PACKAGES = {"hypothesis", "pytest", "pytest-timeout"}


class CheckError(Exception):
    """A file of dist/ is not fit for a release; the message says why."""


def check(condition: object, message: str) -> None:
    if not condition:
        raise CheckError(message)


def run(*command: str | Path, cwd: Path = ROOT, env: dict[str, str] | None = None) -> str:
    """Runs a command to its end; returns what it printed, which is also the message if it fails."""
    # Nothing of the checkout or of the caller's environment may stand in for the installed package.
    inherited = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        command,
        cwd=cwd,
        env=inherited | (env or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    check(done.returncode == 0, f"{' '.join(map(str, command))} failed:\n{done.stdout}")
    return done.stdout


def tool(module: str, *arguments: str | Path) -> str:
    return run(sys.executable, "-m", module, *arguments)


# --- the files


def is_native(wheel: Path) -> bool:
    return not wheel.name.endswith("-none-any.whl")


def check_contents(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = archive.read(f"hangang-{version()}.dist-info/METADATA").decode()
    check(f"\nVersion: {version()}\n" in metadata, "the metadata has another version")
    for licence in ("LICENSE", "LICENSE-APACHE", "LICENSE-MIT"):
        check(f"hangang-{version()}.dist-info/licenses/{licence}" in names, f"{licence} is missing")
    check("hangang/py.typed" in names, "py.typed is missing")
    modules = [name for name in names if name.endswith((".so", ".pyd", ".dylib"))]
    check(len(modules) == is_native(wheel), f"it holds the modules {modules}")
    if is_native(wheel):
        check(any("/sboms/" in name for name in names), "the SBOM is missing")
    outside = [name for name in names if not name.startswith(("hangang/", f"hangang-{version()}.dist-info/"))]
    check(not outside, f"it would install {outside}")


def check_symbols(wheel: Path) -> None:
    """The oldest Linux that the symbols allow must not be newer than the name promises."""
    if "linux" not in wheel.name:
        return
    shown = " ".join(tool("auditwheel", "show", wheel).split())
    found = re.search(r'consistent with the following platform tag: "(\w+)"', shown)
    check(found, f"auditwheel does not understand it: {shown}")
    assert found is not None
    check(found[1] in {tag.rpartition("-")[2] for tag in tags(wheel.name)}, f"auditwheel says {found[1]}")


def check_file(path: Path) -> None:
    tool("twine", "check", "--strict", path)
    if path.suffix == ".whl":
        tool("check_wheel_contents", path)
        check_contents(path)
        check_symbols(path)
        if "-cp311-abi3-" in path.name:
            tool("abi3audit", "--strict", path)
        return
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for name in ("Cargo.toml", "Cargo.lock", "pyproject.toml", "LICENSE", "LICENSE-APACHE", "LICENSE-MIT"):
        check(name in names, f"{name} is missing")


# --- installed


def fits(wheel: Path, interpreter: Interpreter) -> bool:
    """Whether pip of that interpreter would take the wheel."""
    code = "from pip._vendor.packaging.tags import sys_tags; print(*sys_tags())"
    return bool(tags(wheel.name) & set(run(interpreter.path, "-I", "-c", code).split()))


def environment(interpreter: Interpreter, folder: Path) -> Path:
    run(interpreter.path, "-m", "venv", folder / "venv")
    return folder / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def check_installed(file: Path, interpreter: Interpreter, vectors: bool) -> str:
    backend = "pure" if file.name.endswith("-none-any.whl") else "native"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        python = environment(interpreter, folder)
        packages = [each for each in requirements(["dev"]) if re.split(r"[^\w-]", each)[0] in TEST_PACKAGES]
        run(python, "-m", "pip", "install", "--quiet", f"{file}[cli,client,emulator]", *packages, cwd=folder)
        env = {"HANGANG_BACKEND": backend}
        where = "import hangang; print(hangang.BACKEND, hangang.__version__, hangang.__file__)"
        shown = run(python, "-c", where, cwd=folder, env=env).split(maxsplit=2)
        check(shown[:2] == [backend, version()], f"it is {shown}")
        check("site-packages" in shown[2], f"it was imported from {shown[2]}")
        run(python, "-m", "hangang", "demo", cwd=folder, env=env)
        if not vectors:
            return "demo"
        result = run(
            *(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/core/test_vectors.py"),
            *("-k", backend),
            env={} if backend == "native" else env,
        )
        return f"demo, vectors ({result.splitlines()[-1].split(',')[0].split(' in ')[0]})"


def main() -> None:
    arguments = argparse.ArgumentParser(description="Checks the files in dist/.")
    arguments.add_argument("--quick", action="store_true", help="only on this Python, without the vectors")
    quick = arguments.parse_args().quick
    paths = files()
    if not paths:
        sys.exit("dist/ holds no file of this version: make wheels")

    failed = False

    def report(label: str, result: str) -> None:
        print(f"{label:<75} {result}", flush=True)

    for path in paths:
        try:
            check_file(path)
            report(path.name, f"{path.stat().st_size:,} bytes, contents and tags are right")
        except CheckError as error:
            failed = True
            report(path.name, f"WRONG: {error}")

    own = probe(Path(sys.executable))
    assert own is not None
    wheels = [path for path in paths if path.suffix == ".whl"]
    never = set(wheels)
    for interpreter in [own] if quick else interpreters():
        for path in wheels if quick else paths:
            if path.suffix == ".whl" and not fits(path, interpreter):
                continue
            if path.suffix != ".whl" and interpreter.minor != own.minor:
                continue  # one build from source is enough
            never.discard(path)
            label = f"{path.name} on {interpreter.version}"
            try:
                report(label, check_installed(path, interpreter, vectors=not quick))
            except CheckError as error:
                failed = True
                report(label, f"WRONG: {error}")
    for path in sorted(never):
        report(path.name, "not run: no interpreter for it here")
    sys.exit(failed)


if __name__ == "__main__":
    main()
