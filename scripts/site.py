"""Builds the documentation site, English and Korean, with Zensical.

    python scripts/site.py [--out build/site]

The pages are docs/en and docs/ko. Documents that have their place elsewhere in the repository (design,
protocol notes, changelog, ...) are pages of both languages too; docs/ko has the translations. A link between
files of the repository becomes a link between pages, or leads to the file on GitHub if it is not a page.
Pages of the API are made from the docstrings of every public name (public_names.py, docs/templates).

A warning of the builder, or a link that leads nowhere, fails the build.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import re
import shutil
import string
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
GITHUB = "https://github.com/hangang-dev/hangang"

#: Section, then its pages: (file in docs/en and docs/ko, title in English, title in Korean).
NAV: list[tuple[str, str, list[tuple[str, str, str]]]] = [
    (
        "Start",
        "시작하기",
        [
            ("index.md", "Hangang", "Hangang"),
            ("own-http.md", "Your own HTTP library", "원하는 HTTP 라이브러리로"),
            ("errors.md", "Errors, retries, timeouts", "오류, 재시도, 시간 제한"),
        ],
    ),
    (
        "Services",
        "서비스",
        [
            ("clova.md", "CLOVA Studio", "CLOVA Studio"),
            ("exaone.md", "EXAONE", "EXAONE"),
            ("gov.md", "CLOVA Studio Gov", "CLOVA Studio Gov"),
            ("openai.md", "Self-hosted and OpenAI-compatible", "자체 호스팅, OpenAI 호환 서버"),
        ],
    ),
    (
        "Guides",
        "가이드",
        [
            ("streams.md", "Many streams", "많은 스트림"),
            ("testing.md", "Testing without a key", "키 없이 테스트하기"),
            ("archives.md", "Archives", "저장된 응답 처리"),
            ("otel.md", "OpenTelemetry", "OpenTelemetry"),
            ("rust.md", "Embedding the crate in Rust", "Rust에서 크레이트 쓰기"),
        ],
    ),
    (
        "Coming from",
        "다른 라이브러리에서",
        [
            ("langchain.md", "LangChain", "LangChain"),
            ("openai-sdk.md", "The openai SDK", "openai SDK"),
            ("from-httpx-sse.md", "httpx-sse", "httpx-sse"),
            ("from-sseclient.md", "sseclient", "sseclient"),
        ],
    ),
    (
        "Reference",
        "레퍼런스",
        [
            ("api/hangang.md", "hangang", "hangang"),
            ("api/clova.md", "hangang.clova", "hangang.clova"),
            ("api/exaone.md", "hangang.exaone", "hangang.exaone"),
            ("api/gov.md", "hangang.gov", "hangang.gov"),
            ("api/openai.md", "hangang.openai", "hangang.openai"),
            ("api/a2a.md", "hangang.a2a", "hangang.a2a"),
            ("api/emulator.md", "hangang.emulator", "hangang.emulator"),
            ("api/langchain.md", "hangang.langchain", "hangang.langchain"),
            ("api/otel.md", "hangang.otel", "hangang.otel"),
            ("api/archive.md", "hangang.archive", "hangang.archive"),
        ],
    ),
    (
        "Project",
        "프로젝트",
        [
            ("performance.md", "Performance", "성능"),
            ("conformance.md", "Conformance", "적합성"),
            ("design.md", "Design", "설계"),
            ("protocol/clova.md", "Protocol: CLOVA Studio", "프로토콜: CLOVA Studio"),
            ("protocol/exaone.md", "Protocol: EXAONE", "프로토콜: EXAONE"),
            ("protocol/gov.md", "Protocol: Gov", "프로토콜: Gov"),
            ("protocol/openai.md", "Protocol: OpenAI-compatible", "프로토콜: OpenAI 호환"),
            ("protocol/a2a.md", "Protocol: A2A", "프로토콜: A2A"),
            ("security.md", "Security", "보안"),
            ("contributing.md", "Contributing", "기여하기"),
            ("changelog.md", "Changelog", "변경 내역"),
        ],
    ),
]

#: Pages whose source is elsewhere in the repository.
ELSEWHERE = {
    "design.md": "docs/design.md",
    "security.md": "SECURITY.md",
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
    "rust.md": "rust/hangang/README.md",
    "protocol/clova.md": "docs/protocol/clova.md",
    "protocol/exaone.md": "docs/protocol/exaone.md",
    "protocol/gov.md": "docs/protocol/gov.md",
    "protocol/openai.md": "docs/protocol/openai.md",
    "protocol/a2a.md": "docs/protocol/a2a.md",
}

#: What Korean readers see on a page of the API.
REFERENCE_IN_ENGLISH = "레퍼런스는 소스 코드의 독스트링에서 만들며, 영어로만 제공합니다."

WORDS = {
    "en": {
        "description": "Incremental decoder for the streaming APIs of Korean LLM services",
        "light": "Switch to light mode",
        "dark": "Switch to dark mode",
        "system": "Follow the system",
        "path": "",
    },
    "ko": {
        "description": "한국 LLM 서비스의 스트리밍 API를 위한 파서와 클라이언트",
        "light": "밝은 화면으로",
        "dark": "어두운 화면으로",
        "system": "시스템 설정대로",
        "path": "ko/",
    },
}

FENCE = re.compile(r"^(```|~~~).*?^\1[ \t]*$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"(!?\[[^\]]*\]\()([^)\s]+)(\))|^(\[[^\]]+\]: )(\S+)()$", re.MULTILINE)


def pages() -> list[str]:
    return [page for _, _, group in NAV for page, _, _ in group]


def source(page: str, language: str) -> Path | None:
    """The file of the repository that a page is made from; None for one that is generated."""
    for path in (ROOT / "docs" / language / page, ROOT / ELSEWHERE.get(page, "docs/en/" + page)):
        if path.is_file():
            return path
    return None


def page_of(language: str) -> dict[Path, str]:
    """The page that a file of the repository is, in a language."""
    found = {ROOT / path: page for page, path in ELSEWHERE.items()}
    for page in pages():
        path = source(page, language)
        if path is not None:
            found[path] = page
        found.setdefault(ROOT / "docs" / "en" / page, page)
    found[ROOT / "README.md"] = found[ROOT / "README.ko.md"] = "index.md"
    return found


def relinked(text: str, path: Path, page: str, language: str, assets: dict[Path, str]) -> str:
    """The text of a file with its links as those of a page. Adds the pictures that it shows to `assets`."""
    table = page_of(language)

    def target(link: str) -> str:
        if re.match(r"[a-z]+:|#|/", link):
            return link
        name, mark, anchor = link.partition("#")
        file = Path(os.path.normpath(path.parent / name))
        if not file.exists():
            raise SystemExit(f"{path.relative_to(ROOT)}: {link} leads nowhere")
        if file.suffix in {".svg", ".png"}:
            assets[file] = f"assets/{file.name}"
            return os.path.relpath(assets[file], Path(page).parent)
        if file in table:
            return os.path.relpath(table[file], Path(page).parent) + mark + anchor
        kind = "tree" if file.is_dir() else "blob"
        return f"{GITHUB}/{kind}/main/{file.relative_to(ROOT)}{mark}{anchor}"

    titles = {name: title[column(language)] for _, _, group in NAV for name, *title in group}

    def replace(match: re.Match[str]) -> str:
        before, link, after = match.group(1, 2, 3) if match[2] else match.group(4, 5, 6)
        # A file's name says nothing on the site.
        named = re.fullmatch(r"\[[\w./-]+\.md\]\(", before)
        page = table.get(Path(os.path.normpath(path.parent / link.partition("#")[0])))
        if named and page:
            before = f"[{titles[page]}]("
        return before + target(link) + after

    def prose(text: str) -> str:
        # GitHub takes a list right after a line of text for a list, Python-Markdown does not.
        return LINK.sub(
            replace, re.sub(r"^(?![-#|>\s]|\d+\. )(.+)\n(?=- |1\. )", r"\1\n\n", text, flags=re.MULTILINE)
        )

    parts, end = [], 0
    for fence in FENCE.finditer(text):  # code is left as it is
        parts += [prose(text[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*parts, prose(text[end:])])


def column(language: str) -> int:
    """Which of the two titles in `NAV` is in this language."""
    return 1 if language == "ko" else 0


def api(module_name: str, language: str) -> str:
    """The page of a public module: a directive for each of its public names, links for the modules in it."""
    module = importlib.import_module(module_name)
    lines = [f"# {module_name}", ""]
    if language == "ko":
        lines += [f'!!! note ""\n    {REFERENCE_IN_ENGLISH}', ""]
    if module.__doc__:
        lines += [module.__doc__.strip(), ""]
    for name in module.__all__:
        if isinstance(getattr(module, name), ModuleType):
            lines.append(f"- [{module_name}.{name}]({name}.md)")
    lines.append("")
    for name in module.__all__:
        if not isinstance(getattr(module, name), ModuleType):
            lines += [f"::: {module_name}.{name}", ""]
    return "\n".join(lines)


def write(page: str, language: str, folder: Path, assets: dict[Path, str]) -> None:
    path = source(page, language)
    if path is None and not page.startswith("api/"):
        raise SystemExit(f"{page} is missing in docs/en")
    if path is None:
        name = Path(page).stem
        text = api("hangang" if name == "hangang" else f"hangang.{name}", language)
    else:
        text = relinked(path.read_text(encoding="utf-8"), path, page, language, assets)
    target = folder / page
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")


def build(language: str, out: Path) -> None:
    work = ROOT / "build" / "site-source" / language
    shutil.rmtree(work, ignore_errors=True)
    docs = work / "docs"
    assets: dict[Path, str] = {}
    for page in pages():
        write(page, language, docs, assets)
    assets[ROOT / "docs" / "site.css"] = "assets/site.css"
    for file, name in assets.items():
        (docs / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, docs / name)
    which = column(language)
    nav = [{section[which]: [{page[1 + which]: page[0]} for page in section[2]]} for section in NAV]
    path = WORDS[language]["path"]
    config = string.Template((ROOT / "docs" / "site.toml").read_text(encoding="utf-8")).substitute(
        WORDS[language],
        language=language,
        nav=toml(nav),
        site_dir="site",  # the builder writes nowhere outside its project
        python=os.path.relpath(ROOT / "python", work),
        templates=os.path.relpath(ROOT / "docs" / "templates", work),
        extension=os.path.relpath(ROOT / "scripts" / "public_names.py", work),
    )
    (work / "zensical.toml").write_text(config, encoding="utf-8")
    subprocess.run([sys.executable, "-m", "zensical", "build", "--clean", "--strict"], cwd=work, check=True)
    shutil.copytree(work / "site", out / path, dirs_exist_ok=True)


def toml(value: Any) -> str:
    """A value as inline TOML."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return "{" + ", ".join(f"{json.dumps(k, ensure_ascii=False)} = {toml(v)}" for k, v in value.items()) + "}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "site")
    out: Path = parser.parse_args().out.resolve()
    shutil.rmtree(out, ignore_errors=True)
    for language in WORDS:
        build(language, out)


if __name__ == "__main__":
    # The classes of the twin are read from their source; those of the native module have none.
    os.environ["HANGANG_BACKEND"] = "pure"
    sys.path.insert(0, str(ROOT / "python"))
    main()
