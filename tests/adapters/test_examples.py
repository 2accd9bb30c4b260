"""Every program of `examples/`, and those of the crate, run as its reader runs it: against the emulator.

`PROGRAMS` has a row for each file. A file without a row fails, as does a row without a file.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import support
from transports import KEY

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from hangang.emulator import run_in_thread

EXAMPLES = support.REPO / "examples"
CRATE = support.REPO / "rust" / "hangang" / "examples"
#: `litellm` is not in the extra dev: with what it needs it takes 360 MB, boto3 among it. Where it is installed, it is tested.
NEEDS = {
    "litellm": "LiteLLM is not installed (with boto3 and tokenizers it takes 360 MB, too much for the extra dev)"
}


class Program(NamedTuple):
    """How a program is run, and what it prints."""

    prints: tuple[str, ...]  # regular expressions, each found in the output
    arguments: tuple[str, ...] = ()
    needs: str | None = None  # a module


PROGRAMS: dict[str, Program] = {
    "clova.py": Program((r"\A\S.+\n\(\d+ tokens\)\n\S.+\n\(\d+ tokens\)\n\Z",)),
    "clova_thinking.py": Program(
        (r"\A\[thinking\] \S", r"\n\[answer\] \S", r"\(\d+ of \d+ tokens were thinking\)")
    ),
    "clova_tools.py": Program(
        (r"get_water_level\(\{.*\}\) -> \{'station': .+, 'meters': 3\.2\}\n", r"\n\S.+\n\Z")
    ),
    "exaone.py": Program((r"\A\S.+\n\[1\] \S", r"\n\S.+\n\Z")),
    "gov.py": Program((r"\A\S.+\ncompleted: \S.+\ncompleted: \S.+\n\Z",), ("1", "2")),
    "openai_compatible.py": Program((r"\A\S", r"\n\S+: \d+ characters of thinking were left out\n\Z")),
    "many_streams.py": Program(
        (r"\A50 answers, \d{3,} events, first text after \d+\.\d{3} s \(median\)\n\Z",)
    ),
    "with_requests.py": Program((r"\A\S.+\n\Z",), needs="requests"),
    "with_aiohttp.py": Program((r"\A\S.+\n[1-9]\d* references\n\Z",), needs="aiohttp"),
    "with_openai_sdk.py": Program((r"\A\S.+\n\Z",), ("HCX-005",), "openai"),
    "litellm_provider.py": Program((r"\A(\S.+\n)\1\1\1\Z",), needs="litellm"),
    "langchain_agent.py": Program(
        (r"\Aget_water_level\(\{'station': .+\}\)\n", r"\n\S.+\n\Z"), needs="langchain"
    ),
    "opentelemetry_spans.py": Program(
        (
            r'"name": "chat HCX-005"',
            r'"gen_ai\.provider\.name": "clova"',
            r"gen_ai\.client\.operation\.duration",
        ),
        needs="opentelemetry.sdk",
    ),
    "test_with_plugin.py": Program((r"3 passed",), needs="pytest"),
}
#: Files that are run by another test.
ELSEWHERE = {"gateway.py": "tests/adapters/test_gateway.py", "README.md": "below"}

RUST: dict[str, str] = {"client": r"\A\S.+\n\(\d+ tokens\)\n\Z", "decode": r"\A\S.+\Z"}


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    """The variables that lead every program to an emulator."""
    with run_in_thread(fragments="random") as emulator:
        environment = {
            **{
                name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "PYTEST_"))
            },
            "PYTHONPATH": os.pathsep.join(
                filter(None, [str(support.REPO / "python"), os.environ.get("PYTHONPATH")])
            ),
            "PYTHONUTF8": "1",
            "PYTHONWARNINGS": "default",
            "NO_PROXY": "127.0.0.1",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # it would fetch one from the network
            "OPENAI_BASE_URL": f"{emulator.url}/v1/openai",
            "OPENAI_API_KEY": KEY,
        }
        for service in ("CLOVA_STUDIO", "EXAONE", "CLOVA_STUDIO_GOV"):
            environment[f"{service}_BASE_URL"] = emulator.url
            environment[f"{service}_API_KEY"] = KEY
        yield environment


def run(command: list[str], folder: Path, environment: dict[str, str], given: bytes = b"") -> str:
    """What a program prints; it must end well, and write no warning."""
    done = subprocess.run(
        command, cwd=folder, env=environment, input=given, capture_output=True, timeout=250, check=False
    )
    said = done.stderr.decode()
    assert done.returncode == 0, said
    assert "Warning" not in said, said
    assert "Error" not in said, said
    return done.stdout.decode().replace("\r\n", "\n")


def install_plugin(folder: Path) -> None:
    """What an installation of Hangang brings for pytest: the entry points of pyproject.toml."""
    project = tomllib.loads((support.REPO / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    points = [f"{name} = {module}" for name, module in project["entry-points"]["pytest11"].items()]
    installed = folder / "hangang_here-1.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: hangang-here\nVersion: 1\n")
    (installed / "entry_points.txt").write_text("\n".join(["[pytest11]", *points, ""]))


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_it_runs(name: str, environment: dict[str, str], tmp_path: Path) -> None:
    program = PROGRAMS[name]
    if program.needs is not None and importlib.util.find_spec(program.needs.partition(".")[0]) is None:
        pytest.skip(NEEDS.get(program.needs, f"{program.needs} is not installed (extra dev)"))
    command = [sys.executable, str(EXAMPLES / name), *program.arguments]
    if name.startswith("test_"):
        install_plugin(tmp_path)
        shutil.copy(EXAMPLES / name, tmp_path)
        environment = {
            **environment,
            "PYTHONPATH": os.pathsep.join([str(tmp_path), environment["PYTHONPATH"]]),
        }
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:asyncio", name]
    printed = run(command, tmp_path, environment)
    for pattern in program.prints:
        assert re.search(pattern, printed, re.DOTALL), f"{pattern}\n{printed}"
    if not name.startswith("test_"):
        assert not list(tmp_path.iterdir())


def test_every_file_has_its_row() -> None:
    found = {path.name for path in EXAMPLES.iterdir() if path.name != "__pycache__"}
    assert found == {*PROGRAMS, *ELSEWHERE}
    for place in ELSEWHERE.values():
        assert place == "below" or (support.REPO / place).exists()
    assert {path.stem for path in CRATE.glob("*.rs")} == set(RUST)


def test_the_readme_names_every_program() -> None:
    text = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \[(\S+)\]\((\S+)\) \| \S.+ \|$", text, re.MULTILINE)
    assert sorted(listed) == sorted((name, name) for name in {*PROGRAMS, *ELSEWHERE} - {"README.md"})
    for name in RUST:
        assert f"](../rust/hangang/examples/{name}.rs)" in text


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_it_is_short_and_says_how_it_is_run(name: str) -> None:
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 95
    assert re.match(r'""".+\.\n\n', text), "it begins with a sentence"
    program = "pytest" if name.startswith("test_") else "python"
    assert f"Run: {program} {name}" in text.partition('"""\n')[0]


@pytest.mark.skipif(shutil.which("cargo") is None, reason="cargo is not installed")
@pytest.mark.parametrize("name", sorted(RUST))
def test_it_runs_in_rust(name: str, environment: dict[str, str]) -> None:
    url = environment["CLOVA_STUDIO_BASE_URL"]
    given: Any = b""
    if name == "client":
        arguments = [url.removeprefix("http://"), "한강은 얼마나 길어?"]
    else:
        import httpx

        headers = {"authorization": f"Bearer {KEY}", "accept": "text/event-stream"}
        body = {"messages": [{"role": "user", "content": "한강은 얼마나 길어?"}]}
        given = httpx.post(f"{url}/v3/chat-completions/HCX-005", headers=headers, json=body).content
        arguments = ["clova"]
    command = ["cargo", "run", "--quiet", "--locked", "-p", "hangang", "--example", name, "--", *arguments]
    printed = run(command, support.REPO, environment, given)
    assert re.search(RUST[name], printed, re.DOTALL), printed
