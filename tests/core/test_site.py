"""The documentation site: both languages have the same pages, and what is built asks no other host for anything.

The code of docs/en runs in test_pages.py; a Korean page has the same code, so it need not run twice.

Documents that have their place elsewhere in the repository (design, protocol notes, ...) are translated in docs/ko too. A change of
their headings, table rows, code or links is a change of both languages.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote, urlsplit

import pytest
import support

DOCS = support.REPO / "docs"
ENGLISH = sorted(path.name for path in (DOCS / "en").glob("*.md"))
SITE = "https://hangang-dev.github.io/hangang/"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
HANGUL = re.compile(r"[가-힣]")


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_site", support.REPO / "scripts" / "site.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


#: Documents that are not in docs/en and have a translation in docs/ko.
TRANSLATED = sorted(script().ELSEWHERE)


def code(text: str) -> list[tuple[str, str]]:
    """The blocks of a page without comments, which are in the page's language."""
    return [(language, re.sub(r" *# .*", "", block)) for language, block in FENCE.findall(text)]


def shape(text: str) -> list[str]:
    """The headings (their depth only) and the table rows of a page, in order."""
    bare = FENCE.sub("", text)
    return re.findall(r"^(?:#{1,6} |\|)", bare, re.MULTILINE)


def anchors(text: str) -> set[str]:
    """The anchors of a page: of its headings, made as GitHub makes them, and those that it sets itself."""
    headings = re.findall(r"^#{1,6} (.*)$", FENCE.sub("", text), re.MULTILINE)
    made = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return made | set(re.findall(r'<a id="([^"]+)"></a>', text))


def cells(text: str) -> list[list[str]]:
    """The inline code of each table row, sorted: word order is the language's."""
    rows = re.findall(r"^\|.*$", FENCE.sub("", text), re.MULTILINE)
    return [sorted(re.findall(r"`[^`]*`", row)) for row in rows]


def in_english(path: Path) -> Path:
    """The English source of a file below docs/ko; any other file as it is."""
    if not path.is_relative_to(DOCS / "ko"):
        return path
    name = path.relative_to(DOCS / "ko").as_posix()
    known = (support.REPO / script().ELSEWHERE.get(name, "docs/en/" + name), DOCS / name)
    return next((source for source in known if source.exists()), path)


def targets(path: Path) -> list[str]:
    """What a page links to: addresses, and the English sources of files. Anchors follow the headings' language."""
    bare = FENCE.sub("", path.read_text(encoding="utf-8"))
    links = re.findall(r"\]\(([^)\s#]+)(?:#[^)\s]*)?\)|^\[[^\]]+\]: ([^\s#]+)", bare, re.MULTILINE)
    return sorted(
        link
        if re.match(r"[a-z]+:", link)
        else in_english(Path(os.path.normpath(path.parent / link))).relative_to(support.REPO).as_posix()
        for link in (first or second for first, second in links)
    )


def references(text: str) -> list[tuple[str, str]]:
    """The labels that a page defines, with the anchors they lead to: documents have the English anchors in Korean too."""
    return re.findall(r"^\[([^\]]+)\]: [^\s#]*#(\S+)$", FENCE.sub("", text), re.MULTILINE)


def assert_same_content(english: Path, korean: Path) -> None:
    ours, theirs = korean.read_text(encoding="utf-8"), english.read_text(encoding="utf-8")
    assert code(ours) == code(theirs)
    assert shape(ours) == shape(theirs)
    assert targets(korean) == targets(english)
    assert references(ours) == references(theirs)
    prose = re.sub(r"`[^`]*`|\]\([^)]*\)|<a [^>]*>", "", FENCE.sub("", ours))
    assert len(HANGUL.findall(prose)) > len(prose) / 10, "not in Korean"


def test_both_languages_have_the_same_pages() -> None:
    korean = {path.relative_to(DOCS / "ko").as_posix() for path in (DOCS / "ko").rglob("*.md")}
    assert korean == {*ENGLISH, *TRANSLATED}


@pytest.mark.parametrize("name", ENGLISH)
def test_a_korean_page_has_the_content_of_the_english_one(name: str) -> None:
    assert_same_content(DOCS / "en" / name, DOCS / "ko" / name)


@pytest.mark.parametrize("name", TRANSLATED)
def test_a_korean_document_has_the_content_of_the_english_one(name: str) -> None:
    source, translation = support.REPO / script().ELSEWHERE[name], DOCS / "ko" / name
    assert_same_content(source, translation)
    english, korean = source.read_text(encoding="utf-8"), translation.read_text(encoding="utf-8")
    assert cells(korean) == cells(english)
    sections = [
        re.findall(r"^#{2,6} (\d[\d.]*)?", FENCE.sub("", text), re.MULTILINE) for text in (korean, english)
    ]
    assert sections[0] == sections[1]


@pytest.mark.parametrize("name", [name for name in TRANSLATED if name != "rust.md"])  # it has its title only
def test_links_to_headings_of_the_english_document_work_in_korean(name: str) -> None:
    english = (support.REPO / script().ELSEWHERE[name]).read_text(encoding="utf-8")
    title = english.partition("\n")[0]
    wanted = anchors(english) - anchors(title)
    assert wanted
    assert not wanted - anchors((DOCS / "ko" / name).read_text(encoding="utf-8"))


def test_every_page_is_in_the_navigation() -> None:
    site = script()
    assert set(ENGLISH) == {name for name in site.pages() if "/" not in name} - set(site.ELSEWHERE)


class Links(HTMLParser):
    """What a page loads, where it links to, and the anchors that it has."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if name := values.get("id"):
            self.anchors.add(name)
        if tag == "a" and (href := values.get("href")):
            self.links.append(href)
        elif tag in {"script", "img", "iframe", "source"} and (src := values.get("src")):
            self.loads.append(src)
        elif tag == "link" and values.get("rel") not in {"canonical", "alternate", "next", "prev"}:
            self.loads.append(values.get("href") or "")


def read(path: Path) -> Links:
    found = Links()
    found.feed(path.read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, support.REPO / "scripts" / "site.py", "--out", out],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return out


@pytest.mark.xdist_group("site")
def test_the_site_builds_and_its_links_lead_somewhere(built: Path) -> None:
    pages = {path: read(path) for path in built.rglob("*.html")}
    assert len(pages) > 2 * len(script().pages())
    for path, found in pages.items():
        assert 'data-md-component="source"' not in path.read_text(encoding="utf-8"), "its script asks GitHub"
        for link in found.loads:
            assert not urlsplit(link).netloc, f"{path} loads {link}"
        if path.name == "404.html":  # its links are absolute, for it is shown at any address
            continue
        for link in found.links:
            address = link.removeprefix(SITE) if link.startswith(SITE) else link
            parts = urlsplit(address)
            if parts.scheme or parts.netloc or parts.path.startswith("/hangang/"):
                continue
            target = path.parent / unquote(parts.path) if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            target = target.resolve()
            assert target.is_file(), f"{path.relative_to(built)}: {link}"
            if parts.fragment and target in pages:
                assert unquote(parts.fragment) in pages[target].anchors, f"{path.relative_to(built)}: {link}"


def reference() -> list[tuple[str, ModuleType]]:
    """The last part of the name of each public module, and the module."""
    stems = [Path(name).stem for name in script().pages() if name.startswith("api/")]
    return [
        (stem, importlib.import_module("hangang" if stem == "hangang" else f"hangang.{stem}"))
        for stem in stems
    ]


@pytest.mark.xdist_group("site")
def test_the_reference_has_every_public_name(built: Path) -> None:
    """Under the name that users import, never that of a private module."""
    for stem, module in reference():
        text = (built / "api" / stem / "index.html").read_text(encoding="utf-8")
        for name in module.__all__:
            if isinstance(getattr(module, name), ModuleType):
                assert f'href="../{name}/"' in text, name
            else:
                assert f'id="{module.__name__}.{name}"' in text, f"{module.__name__}.{name}"
        assert not re.findall(r'id="hangang\.(?:\w+\.)*_[a-z]\w*', text), stem


@pytest.mark.xdist_group("site")
@pytest.mark.parametrize("language", ["", "ko/"])
def test_a_method_is_found_by_its_class_and_name(built: Path, language: str) -> None:
    """The search ranks titles first. `StreamParser.feed` is mentioned on many pages, and is the title of its own."""
    items = json.loads((built / language / "search.json").read_text(encoding="utf-8"))["items"]
    titles = {item["location"]: item["title"] for item in items}
    for stem, module in reference():
        if hasattr(module, "StreamParser"):
            place = f"api/{stem}/#hangang.{stem}.StreamParser"
            assert titles[place] == "StreamParser"
            assert titles[f"{place}.feed"] == "StreamParser.feed"
    assert titles["api/hangang/#hangang.Usage.completion_tokens"] == "Usage.completion_tokens"
