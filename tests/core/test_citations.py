"""Every source that this repository cites is in it, and exists.

A citation is `[clova §7.2]` (section 7.2 of docs/protocol/clova.md) or `[design §4] rule 5` (item 5 of section 4 of
docs/design.md); several sections of one page may share the brackets. Checked in every text file of the repository:

- the page, the section and the rule exist; a bare section sign is allowed in the pages themselves, where it means their own
  section, and only there;
- a path below docs/ that is named anywhere exists, as do the relative links and the paths of the documents;
- nothing outside the repository is cited: no private note, no folder of one machine. This includes string literals, which
  users may see.

`PLANTED` has one bad line for each kind, so that the checks can be seen to fail.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    "design": "docs/design.md",
    "clova": "docs/protocol/clova.md",
    "exaone": "docs/protocol/exaone.md",
    "openai": "docs/protocol/openai.md",
    "a2a": "docs/protocol/a2a.md",
    "gov": "docs/protocol/gov.md",
}
#: A page in Korean has the sections and the rules of the English one.
KOREAN = {page: path.replace("docs/", "docs/ko/", 1) for page, path in PAGES.items()}
ROOMS = ("python", "rust", "tests", "benches", "docs", "scripts", "examples", ".ci", ".github")
SUFFIXES = {".py", ".pyi", ".rs", ".md", ".toml", ".json", ".sh", ".yml", ".yaml", ".txt", ".dict", ""}
SKIPPED = ("target", "corpus", "seeds", "work", "captures/", "__pycache__")

CITATION = re.compile(
    r"\[(\w+) (§[\d.]+(?:(?:, | and |, and )§[\d.]+)*)\](?:,? (?:rules?|규칙) (\d+)(?:(?:,| and| to|–) (\d+))?)?"
)
SECTION = re.compile(r"§ ?(\d+(?:\.\d+)*)")
HEADING = re.compile(r"^#{2,6} (\d+(?:\.\d+)*)\.? ", re.MULTILINE)
DOCS_PATH = re.compile(r"(?<![\w./:-])docs/[\w./*{},-]*[\w*}/]")
LINK = re.compile(r"\]\(([^)\s]+)\)")
TICKED = re.compile(r"`((?:python|rust|tests|benches|docs|scripts|examples|\.ci)/[\w./*{},-]+)`")
OUTSIDE = [
    (re.compile(r"(?<![\w/])(?:\.\./)*wire/(?:source|[\w*]+\.(?:md|txt))"), "a private note"),
    (re.compile(r"\bDESIGN\b(?:\.md)?"), "a private note"),
    (re.compile(r"\b(?:VOICE|HOUSE|STYLE|FACTS)\.md\b"), "a private note"),
    (re.compile(r"\bcontract,? (?:§ ?)?\d"), "a section of a page that is not in the repository"),
    (re.compile(r"\.\./shared\b"), "a folder outside the repository"),
    (re.compile(r"(?<![\w.])\.\./captures/"), "a folder that is not there"),
    (re.compile(r"(?<![\w.:/])/(?:work|root|home/\w+|Users/\w+)/"), "a folder of one machine"),
]


def sections(text: str) -> dict[str, int]:
    """Section numbers of a page, each with the number of items in its first numbered list."""
    found = [(match.group(1), match.end()) for match in HEADING.finditer(text)]
    ends = [*[match.start() for match in HEADING.finditer(text)][1:], len(text)]
    return {
        number: len(re.findall(r"(?m)^\d+\. ", text[start:end]))
        for (number, start), end in zip(found, ends, strict=True)
    }


def pages() -> dict[str, dict[str, int]]:
    return {page: sections((ROOT / path).read_text(encoding="utf-8")) for page, path in PAGES.items()}


def files() -> Iterator[tuple[str, str]]:
    """Name and text of every text file, except for this one, whose bad examples are meant."""
    tops = [
        path
        for path in ROOT.iterdir()
        if path.is_file() and (path.suffix in (".md", ".toml") or path.name == "Makefile")
    ]
    rooms = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*")) if path.is_file()]
    for path in tops + rooms:
        name = path.relative_to(ROOT).as_posix()
        if (
            path.suffix not in SUFFIXES
            or name == "tests/core/test_citations.py"
            or name.endswith("/Cargo.lock")
        ):
            continue
        if any(
            part in f"/{name}" for part in (f"/{skip.rstrip('/')}/" for skip in SKIPPED)
        ) and not name.endswith("README.md"):
            continue
        yield name, path.read_text(encoding="utf-8", errors="replace")


def exists(name: str) -> bool:
    """Whether a path of the repository exists; it may hold `*` and `{a,b}`."""
    options = re.search(r"\{([^{}]*)\}", name)
    if options:
        return all(
            exists(name[: options.start()] + option + name[options.end() :])
            for option in options[1].split(",")
        )
    return any(ROOT.glob(name)) if "*" in name else (ROOT / name).exists()


def problems(name: str, text: str, known: dict[str, dict[str, int]]) -> Iterator[str]:
    own = next((page for page in PAGES if name in (PAGES[page], KOREAN[page])), None)
    for number, line in enumerate(text.splitlines(), 1):
        where = f"{name}:{number}: "
        cited = list(CITATION.finditer(line))
        for match in cited:
            page = match[1]
            if page not in known:
                yield f"{where}{match[0]}: there is no such page"
                continue
            for section in re.findall(r"§([\d.]+)", match[2]):
                if section not in known[page]:
                    yield f"{where}{match[0]}: {PAGES[page]} has no section {section}"
                elif any(rule and int(rule) > known[page][section] for rule in (match[3], match[4])):
                    yield f"{where}{match[0]}: section {section} has {known[page][section]} rules"
        for match in SECTION.finditer(line):
            if (
                any(cite.start() <= match.start() < cite.end() for cite in cited)
                or "`[" in line[: match.start()][-12:]
            ):
                continue
            linked = re.search(
                r"\]\((?:\.\./)?(?:protocol/)?(\w+)\.md\)[^\]\n]{0,12}$", line[: match.start()]
            )
            page = linked[1] if linked and linked[1] in known else own
            if page is None:
                yield f"{where}a section without its page: {line[match.start() : match.start() + 20]!r}"
            elif match[1] not in known[page]:
                yield f"{where}{PAGES[page]} has no section {match[1]}"
        for path in DOCS_PATH.findall(line):
            if not exists(path):
                yield f"{where}there is no {path}"
        if name.endswith(".md"):
            for link in LINK.findall(line):
                target = (ROOT / name).parent / link.partition("#")[0]
                if not re.match(r"[a-z]+:|#", link) and not target.exists():
                    yield f"{where}the link {link} leads nowhere"
            for path in TICKED.findall(line):
                if not re.search(r"\b(?:X|NAME)\b", path) and not exists(path):
                    yield f"{where}there is no {path}"
        for pattern, kind in OUTSIDE:
            for match in pattern.finditer(line):
                yield f"{where}{match[0]!r} is {kind}"


def test_what_is_cited_exists() -> None:
    known = pages()
    found = [problem for name, text in files() for problem in problems(name, text, known)]
    assert not found, "\n" + "\n".join(found)


def test_pages_are_cited_at_all() -> None:
    """The reading above sees what it should: every page is cited by code and by vectors."""
    texts = dict(files())
    for page in PAGES:
        assert any(f"[{page} §" in text for name, text in texts.items() if name.startswith("python/")), page
    assert sum("§" in text for name, text in texts.items() if name.startswith("tests/vectors/")) >= 4
    assert len(texts) > 100


def test_sections_are_numbered_once() -> None:
    for page, path in PAGES.items():
        numbers = HEADING.findall((ROOT / path).read_text(encoding="utf-8"))
        assert len(numbers) == len(set(numbers)), page
        assert {"1", "2"} <= set(numbers), page


@pytest.mark.parametrize("page", PAGES)
def test_a_korean_page_has_the_same_sections_and_rules(page: str) -> None:
    korean = sections((ROOT / KOREAN[page]).read_text(encoding="utf-8"))
    assert korean == pages()[page]


def test_the_rules_of_error_are_nine() -> None:
    assert pages()["design"]["4"] == 9


PLANTED = {
    "section": "// the code table ([clova §7.9])",
    "page": "# see [clove §7.2]",
    "second section": '"""Answers ([exaone §4, §44])."""',
    "rule": "# [design §4] rule 10",
    "bare section": "# as §4.2 says",
    "docs path": "/// docs/protocol/wire.md has the table.",
    "private note": "# wire/openai.md 5.4",
    "private folder": "# wire/source/clova-chat-v1.en.txt",
    "design note": "//! DESIGN 4.3",
    "contract": 'raise ValueError("see contract 4.2")',
    "captures": "`../captures/clova/`",
    "shared": "../shared/cases",
    "machine": 'open("/home/somebody/hangang/x")',
    "voice": "words as in VOICE.md",
}


@pytest.mark.parametrize("kind", PLANTED)
def test_bad_citations_are_found(kind: str) -> None:
    assert list(problems("python/hangang/planted.py", PLANTED[kind], pages())), PLANTED[kind]


@pytest.mark.parametrize(
    "line",
    ["see [the page](protocol/nothing.md)", "`tests/vectors/nothing.json`", "in [clova.md](clova.md) §99"],
)
def test_bad_links_are_found(line: str) -> None:
    assert list(problems("CONTRIBUTING.md", line, pages())), line


@pytest.mark.parametrize(
    "line",
    [
        "// [clova §7.2], [exaone §4, §5] and [design §4] rule 5",
        "dialects/wire.rs and _pure/dialects/wire.py",
        "https://api.ncloud-docs.com/docs/en/clovastudio-chatcompletionsv3-fc",
        "docs/protocol/{clova,exaone}.md and docs/*.svg",
        "the public contract's fields",
    ],
)
def test_good_citations_pass(line: str) -> None:
    assert not list(problems("python/hangang/planted.py", line, pages()))
