"""One word for one thing, and plain English: words that this repository has retired do not come back.

`RETIRED` are names, with what replaced them; the glossary of CONTRIBUTING.md has the words to use. `TICS` are turns of phrase that
make a reader stop: most are translated English, where the plain word is shorter. Both are looked for in code, comments, messages
and documents alike; in the Python files of `PROSE_ONLY`, in comments and docstrings. `ALLOWED` lists what is meant, each with its
reason; an entry that matches nothing any more fails the test.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = (
    *("python", "rust", "docs", "tests", "examples", "benches"),
    *(
        "README.md",
        "README.ko.md",
        "CONTRIBUTING.md",
        "BENCHMARKS.md",
        "CONFORMANCE.md",
        "SECURITY.md",
        "CHANGELOG.md",
    ),
)
PROSE_ONLY = ("tests/", "examples/", "benches/")
SUFFIXES = (".py", ".pyi", ".rs", ".md")
SKIPPED = ("/target/", "/fuzz/work/", "/__pycache__/")

#: Names: a pattern, case as written, and what to write instead.
RETIRED = {
    r"[Jj]udg(?:e|ing)": "validate",
    r"\bwords\.rs\b|\bWords(?:::|<|>| \{)": "string cache, StringCache",
    r"\bRest<|\b[A-Z][a-z0-9]+Rest\b|\b_rest\b|\.rest\(\)": "common, Common<T>",
    r"\blet (?:mut )?rest\b|(?<!the )\brest: |\brest\[": "remaining, or what it is",
    r"\bShared<|\bSharing\b": "CommonRef",
    r"\bMarks(?:::|<|>| \{)|: Marks\b": "Holes",
    r"\benum Slot\b|\bSlot::(?:Text|Thinking)\b": "HoleKind",
    r"\bHit\b": "Match",
    r"\bPlace\b": "FrameLayout, Span",
    r"\bRaw<|\benum Raw\b": "Payload",
    r"\bKeep(?:::|<|>| \{)|\btake_kept\b|\bfn kept\b|\bdef _?kept\b": "Deferred, take_deferred",
    r"\bKEPT_ROOM\b": "MAX_RETAINED_CAPACITY",
    r"\bPartial\b|\bunfollow\b|\bfn follow\b": "InFlight, fall_back, track",
    r"\b(?:fn|def) _?rebuild\b": "reconstruct",
    r"\bcredit\b|\bADVANCE\b": "Budget, INITIAL_BUDGET",
    r"\b(?:record|surface|event|predictable)!|\b(?:struct|enum) Given\b": "events!, value_class!, Arg",
    r"\bFault\b": "FrameError; ServiceError for the error in a service's answer",
    r"\bReception\b|\b_reception\b": "Attempt",
    r"\bPump\b": "Driver",
    r"\b_settle\b|\b_sort_in\b|\b_firsts\b": "_flush, …",
    r"\bdraft\b": "mutable twin",
    r"\brestore\b": "unpickle",
    r"\btexting\b|\b_push\b|(?<!:)\bident\b(?!\))|\b_at\b(?=[ .,:)])|\b_term\b|\b_more\b": "text_only, _advance, event_id, _value_offset, …",
    r"\b_(?:words|shapes|stopwatch|loopback)\b": "fake_answers, json_types, workloads, timing, clients",
    r"\b(?:keywatch|planted_leaks|rawserver)\b": "secret_leak_plugin, known_leaks, raw_http_server",
    r"\bfaces?\b": "public module; sync and async client",
}

#: Phrases: a pattern, any case, and the plain words.
TICS = {
    r"what (?:has |had )?came\b|what ha[sd] come|what comes out": "the bytes so far, the input, the result",
    r"\bha(?:s|ve|d) (?:all )?come\b": "has arrived, is complete",
    r"\bstands?\b(?!-| for\b| in for\b)|\bstood\b": "is",
    r"\bbehind\b": "after",
    r"\bso many\b": "that many, the number",
    r"\bas a rule\b": "usually",
    r"\bfor ever\b": "forever, for the life of the parser",
    r"\bwhere there (?:is|are) none\b": "if there is none",
    r"\bthat (?:is|are|was|were) no\b(?! longer\b)": "that is not a",
    r"(?<!there )\bis no (?!longer\b|more\b|such\b|other\b|need\b|limit\b|way\b)[a-z]+(?=[.,;:)])": "is not a",
    r"\btold\b": "say who does what",
    r"\bin vain\b": "without effect",
    r"\b(?:goes|go|went|going) on\b(?! the wire)": "continues",
    r"\bwhoever\b|\bwho (?:does|wants|needs|has)\b": "callers that …",
    r"\bforeign (?:shape|type|form)": "an unknown shape",
    r"\bknows\b|\bdoes not know\b": "has, reads; code does not know",
    r"\b(?:is|are) asked\b": "is called, is sent",
    r"\bsays so\b": "reports it",
    r"\bmended?\b": "fixed",
    r"\bas it came\b|\bas they came\b": "as received",
}

#: (path or folder, words of the line, reason)
ALLOWED: list[tuple[str, str, str]] = [
    ("python/hangang/_backend.py", "restore", "pickles of 0.1 name hangang._backend.restore"),
    ("python/hangang/emulator/", "ident", "an id of the protocol"),
    ("python/hangang/emulator/", "Place", "a place of a fault"),
    ("python/hangang/_pickle.py", "restore", "pickles of 0.1 name hangang._backend.restore"),
    ("tests/core/test_objects.py", "restore", "pickles of 0.1 name hangang._backend.restore"),
    ("tests/support/reference.py", "Fault", "the reference's own class, independent of the code it checks"),
    ("tests/captures/README.md", "behind vLLM", "plain English: the server in front of a model"),
    ("python/hangang/_client/", "HTTP libraries behind one", "plain English: an interface hides them"),
    ("rust/hangang/benches/streams/mod.rs", "let rest", "the other members of a frame"),
    ("rust/fuzz/src/lib.rs", "rest", "has one meaning in that file: the input that is left"),
]


def files(root: Path) -> Iterator[tuple[str, str]]:
    for room in ROOMS:
        top = root / room
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            name = path.relative_to(root).as_posix()
            if path.suffix in SUFFIXES and path.is_file() and not any(part in f"/{name}" for part in SKIPPED):
                yield name, path.read_text(encoding="utf-8")


def lines(name: str, text: str) -> Iterator[tuple[int, str]]:
    """The lines that are searched, with their numbers."""
    every = text.splitlines()
    if not (name.startswith(PROSE_ONLY) and name.endswith(".py")):
        yield from enumerate(every, 1)
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if ast.get_docstring(node, clean=False) is not None:
            first = node.body[0]
            for number in range(first.lineno, (first.end_lineno or first.lineno) + 1):
                yield number, every[number - 1]


def problems(name: str, text: str, used: set[int]) -> Iterator[str]:
    for number, line in lines(name, text):
        for patterns, flags in ((RETIRED, 0), (TICS, re.IGNORECASE)):
            for pattern, instead in patterns.items():
                found = re.search(pattern, line, flags)
                if found is None:
                    continue
                allowed = [
                    index
                    for index, (path, words, _) in enumerate(ALLOWED)
                    if name.startswith(path) and words in line
                ]
                used.update(allowed)
                if not allowed:
                    yield f"{name}:{number}: {found[0]!r} (better: {instead}): {line.strip()[:120]}"


def test_retired_words_stay_away() -> None:
    used: set[int] = set()
    found = [problem for name, text in files(ROOT) for problem in problems(name, text, used)]
    assert not found, f"{len(found)} lines:\n" + "\n".join(found)
    unused = [ALLOWED[index][:2] for index in range(len(ALLOWED)) if index not in used]
    assert not unused, f"nothing needs these any more: {unused}"


def test_the_glossary_names_what_exists() -> None:
    """Each name of the glossary occurs in the code of its language."""
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = page.partition("## Glossary")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| ")][2:]
    assert 20 <= len(rows) <= 35
    code = {".rs": "", ".py": ""}
    for name, text in files(ROOT):
        if Path(name).suffix in code and not name.startswith(PROSE_ONLY):
            code[Path(name).suffix] += text
    missing = [
        f"{word.strip()}: `{ticked}`"
        for word, _, rust, python in rows
        for suffix, cell in ((".rs", rust), (".py", python))
        for ticked in re.findall(r"`([^`]+)`", cell)
        if re.search(rf"\b{re.escape(ticked)}\b" if ticked[0].isalnum() else re.escape(ticked), code[suffix])
        is None
    ]
    assert not missing, missing


@pytest.mark.parametrize(
    "line",
    [
        "//! A frame is judged once, when its last byte has come.",
        "pub(crate) struct Rest<T> {",
        "# what came so far",
        "    let rest = &chunk[at..];",
        "class Pump:",
        '"""The id stands in the first line."""',
        "raise ValueError('the backend that was told')",
        "/// Whether the string may be empty; whoever reads it knows.",
    ],
)
def test_retired_words_are_found(line: str) -> None:
    assert list(problems("python/hangang/planted.py", line, set())), line


def test_tests_are_searched_for_prose_only() -> None:
    text = '"""What came."""\n\n\ndef told() -> str:\n    return "told"  # told\n'
    found = list(problems("tests/planted.py", text, set()))
    assert [problem.split(":")[1] for problem in sorted(found)] == ["1", "5"]


@pytest.mark.parametrize(
    "line",
    [
        "the rest of the line is a comment",
        "__slots__ = ('text',)",
        "($name:ident, $type:ty) => {",
        "`[DONE]` stands for the end of the stream",
        "a handle that is no longer needed",
        "def validate(text: bytes) -> None:",
    ],
)
def test_plain_words_pass(line: str) -> None:
    assert not list(problems("python/hangang/planted.py", line, set())), line
