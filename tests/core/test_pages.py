"""The English pages, docs/en/ and the README: every Python block runs as printed, against the emulator.

- The blocks of a page run in order and share their names. A `text` block right after a Python block is what it prints.
- `sh` blocks that call `hangang` or `pytest` run too, in the same folder; pytest finds our plugin.
- A Python block that begins with a file's name, `# test_it.py`, is written to that file and not run.
- A block that cannot run has `<!-- not run: reason -->` on the line before it; `NOT_RUN` is how many a page has.
- Addresses of servers on the reader's machine (`LOCAL`) are replaced by the emulator's. Nothing else is changed.
- Links lead to files, and to headings, that exist.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from scratch import installed
from transports import KEY

from hangang import emulator
from hangang._client import observer
from hangang._client.base import ClientBase

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*sorted((ROOT / "docs" / "en").glob("*.md")), ROOT / "README.md"]
NAMES = [
    "archives.md",
    "clova.md",
    "conformance.md",
    "errors.md",
    "exaone.md",
    "from-httpx-sse.md",
    "from-sseclient.md",
    "gov.md",
    "index.md",
    "langchain.md",
    "openai-sdk.md",
    "openai.md",
    "otel.md",
    "own-http.md",
    "performance.md",
    "streams.md",
    "testing.md",
    "README.md",
]

#: The fewest Python blocks of a page, where it is not eight.
FEWEST = {
    "archives.md": 5,
    "conformance.md": 3,
    "from-httpx-sse.md": 4,
    "from-sseclient.md": 3,
    "index.md": 1,
    "openai-sdk.md": 6,
    "otel.md": 5,
    "performance.md": 3,
    "streams.md": 5,
}

#: Blocks of a page that do not run. Change a number only together with a marker and its reason.
NOT_RUN = {
    "README.md": 1,
    "archives.md": 2,
    "gov.md": 1,
    "index.md": 1,
    "performance.md": 1,
    "streams.md": 1,
    "testing.md": 1,
}

#: Servers on the reader's machine, and the path of the emulator that takes their place.
LOCAL = {"http://localhost:11434/v1": "/openai/v1"}

#: Files that the blocks read.
FILES = {
    "report.pdf": b"%PDF-1.4 report",
    "handbook.md": "# 안내\n\n연차는 15일입니다. 신청은 사흘 전에 합니다.\n".encode(),
    "river.png": b"\x89PNG\r\n\x1a\n" + bytes(64),
    "meeting.wav": b"RIFF" + bytes(64),
}

BLOCK = re.compile(
    r"^(?:<!-- not run: (?P<reason>[^\n]+) -->\n)?```(?P<language>\w*)\n(?P<code>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
FILE = re.compile(r"# (\w+\.py)\n")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)|^\[[^\]]+\]: (\S+)$", re.MULTILINE)
CITATION = re.compile(r"\[\w+ §[\d.]+\]")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str
    code: str
    line: int  # of its first line of code
    not_run: str | None
    output: str | None = None  # of the `text` block after it


def blocks(text: str) -> list[Block]:
    """The blocks of a page in order; a `text` block right after a Python block becomes its output."""
    found: list[Block] = []
    end = -1
    for match in BLOCK.finditer(text):
        language, code = match["language"], match["code"]
        if language == "text" and found and not text[end : match.start()].strip():
            last = found.pop()
            found.append(Block(last.language, last.code, last.line, last.not_run, code))
        else:
            line = text.count("\n", 0, match.start("code")) + 1
            found.append(Block(language, code, line, match["reason"]))
        end = match.end()
    return found


def links(text: str) -> list[str]:
    """The targets of a page's links: inline, and of the definitions at its end."""
    return [match[1] or match[2] for match in LINK.finditer(text)]


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    outside = BLOCK.sub("", text)
    titles = re.findall(r"^#{1,6} (.+)$", outside, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def run_python(block: Block, page: Path, url: str, names: dict[str, Any]) -> str:
    """Run a block; returns what it printed. Lines of a traceback are those of the page."""
    code = block.code
    for address, path in LOCAL.items():
        code = code.replace(address, url + path)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile("\n" * (block.line - 1) + code, str(page), "exec"), names)
    return printed.getvalue()


def run_shell(block: Block) -> None:
    """Run the lines of a block that call `hangang` or `pytest`."""
    for line in block.code.splitlines():
        program, *arguments = shlex.split(line, comments=True) or [""]
        if program in ("hangang", "pytest"):
            command = [sys.executable, "-m", program, *arguments]
            done = subprocess.run(command, capture_output=True, timeout=60, check=False)
            assert done.returncode == 0, f"{line}: {(done.stdout + done.stderr).decode()}"
            assert done.stdout or arguments[0] == "archive", line  # its result is a folder


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """An emulator that every client reaches by its environment, in a folder that has `FILES`."""
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(ROOT / "python"), str(installed(tmp_path)), *sys.path])
    )
    monkeypatch.setenv("PYTHONUTF8", "1")
    with emulator.run_in_thread() as server:
        for service in ("CLOVA_STUDIO", "EXAONE", "CLOVA_STUDIO_GOV"):
            monkeypatch.setenv(f"{service}_BASE_URL", server.url)
            monkeypatch.setenv(f"{service}_API_KEY", KEY)
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1/openai")
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        yield server.url


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_runs(page: Path, url: str) -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    try:
        for block in blocks(page.read_text(encoding="utf-8")):
            if block.not_run is not None:
                continue
            if (file := FILE.match(block.code)) is not None:
                Path(file[1]).write_text(block.code, encoding="utf-8")
            elif block.language == "python":
                printed = run_python(block, page, url, names)
                if block.output is not None:
                    assert printed == block.output, f"{page.name}:{block.line}"
            elif block.language == "sh":
                run_shell(block)
    finally:
        observer.observe(None)
        for value in names.values():
            if isinstance(value, ClientBase):  # open where a block failed before the page closes it
                value.close()


def test_the_pages_are_there_and_have_blocks() -> None:
    assert [page.name for page in PAGES] == NAMES
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        found = blocks(text)
        assert text.count("\n```") == 2 * (len(found) + sum(block.output is not None for block in found)), (
            page
        )
        python = [block for block in found if block.language == "python" and block.not_run is None]
        assert len(python) >= FEWEST.get(page.name, 8), page.name
        assert {block.language for block in found} <= {"python", "sh"}, page.name
        assert sum(block.not_run is not None for block in found) == NOT_RUN.get(page.name, 0), page.name
        assert text.count("<!-- not run:") == NOT_RUN.get(page.name, 0), page.name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    local = [link for link in links(text) if not re.match(r"[a-z]+:", link)]
    assert local, "a page without links"
    for link in local:
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_relative_to(ROOT) and target.exists(), link
        if anchor:
            assert anchor in anchors(target.read_text(encoding="utf-8")), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_citations_are_links(page: Path) -> None:
    """`[clova §4]` is a link by its definition at the end of the page; every definition is used."""
    text = page.read_text(encoding="utf-8")
    defined = re.findall(r"^(\[[^\]]+\]): ", text, re.MULTILINE)
    cited = CITATION.findall(re.sub(r"^\[[^\]]+\]: .*$", "", text, flags=re.MULTILINE))
    assert set(cited) == set(defined)
    for definition in defined:
        section = definition.partition("§")[2].strip("]").replace(".", "")
        assert re.search(rf"^{re.escape(definition)}: \S+#{section}-", text, re.MULTILINE), definition


def test_every_page_is_linked_from_the_first() -> None:
    linked = {
        link.partition("#")[0] for link in links((ROOT / "docs/en/index.md").read_text(encoding="utf-8"))
    }
    assert {page.name for page in PAGES} - {"README.md", "index.md"} <= linked


PLANTED = """# Page

```python
answer = 41
```

Then:

```python
print(answer + 1)
```
```text
42
```

<!-- not run: a reason -->
```sh
hangang serve
```
"""


def test_blocks_are_read_as_they_are(tmp_path: Path) -> None:
    first, second, third = blocks(PLANTED)
    assert (first.language, first.line, first.output) == ("python", 4, None)
    assert (second.code, second.output, third.not_run) == ("print(answer + 1)\n", "42\n", "a reason")
    names: dict[str, Any] = {}
    assert run_python(first, tmp_path, "", names) == ""
    assert run_python(second, tmp_path, "", names) == second.output
    with pytest.raises(ZeroDivisionError):
        run_python(Block("python", "1 / 0\n", 7, None), tmp_path, "", {})
