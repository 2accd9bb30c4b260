"""docs/en/from-httpx-sse.md and from-sseclient.md: every row of their tables, with the libraries that are installed.

A row has a name, a stream as a Python list of chunks, what the library yields and what our parser yields. The header
names both.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

import pytest
import support

import hangang

PAGES = ("from-httpx-sse.md", "from-sseclient.md")
ROW = re.compile(r"^\| (?P<what>[^|]+) \| `(?P<chunks>\[b'.*\])` \| (?P<theirs>[^|]+) \| (?P<ours>[^|]+) \|$")
HEADER = re.compile(r"^\| what \| chunks \| (?P<theirs>\S+) \| `(?P<ours>\S+)` \|$")


def rows() -> Iterator[Any]:
    for page in PAGES:
        text = (support.REPO / "docs" / "en" / page).read_text(encoding="utf-8")
        theirs = ours = ""
        for line in text.splitlines():
            if header := HEADER.match(line):
                theirs, ours = header["theirs"], header["ours"]
            elif line.startswith("| ") and theirs and "---" not in line:
                row = ROW.match(line)
                assert row is not None, line
                yield pytest.param(
                    theirs,
                    ours,
                    ast.literal_eval(row["chunks"]),
                    row["theirs"].strip(),
                    row["ours"].strip(),
                    id=f"{theirs}-{ours.removeprefix('hangang.')}-{row['what']}",
                )
            elif not line.startswith("|"):
                theirs = ""


ROWS = list(rows())


def shown(event: Any, retry: Any = None) -> str:
    """An event as a cell shows it: name if it is not the default, data, id, retry."""
    text = "".join(
        c if c.isprintable() and c != "\ufffd" else c.encode("unicode_escape").decode() for c in event.data
    )
    parts = [f"'{text}'"] if event.event == "message" else [event.event, f"'{text}'"]
    if event.id:
        parts.append(f"id={event.id.encode('unicode_escape').decode()}")
    if retry is not None:
        parts.append(f"retry={retry}")
    return " ".join(parts)


def httpx_sse(chunks: list[bytes]) -> Iterator[str]:
    import httpx

    module = pytest.importorskip("httpx_sse", reason="httpx-sse is not installed (extra dev)")

    class Body(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            return iter(chunks)

    response = httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=Body())
    for event in module.EventSource(response).iter_sse():
        yield shown(event, event.retry)


def sseclient(chunks: list[bytes]) -> Iterator[str]:
    module = pytest.importorskip("sseclient", reason="sseclient-py is not installed (extra dev)")
    for event in module.SSEClient(iter(chunks)).events():
        yield shown(event, event.retry)


def hangang_framing(chunks: list[bytes]) -> Iterator[str]:
    for event in hangang.iter_events(chunks, hangang.SSEParser()):
        yield shown(event)


def hangang_openai(chunks: list[bytes]) -> Iterator[str]:
    for event in hangang.iter_events(chunks, hangang.openai.StreamParser()):
        yield type(event).__name__


READERS: dict[str, Any] = {
    "httpx-sse": httpx_sse,
    "sseclient": sseclient,
    "hangang.SSEParser": hangang_framing,
    "hangang.openai.StreamParser": hangang_openai,
}


def cell(reader: str, chunks: list[bytes]) -> str:
    """What a reader yields, as a cell: the class of an exception is last."""
    found: list[str] = []
    try:
        for one in READERS[reader](chunks):
            found.append(one)
    except ValueError as error:  # ParseError and UnicodeDecodeError are
        found.append(type(error).__name__)
    return ", ".join(f"`{one}`" for one in found) or "nothing"


@pytest.mark.parametrize(("theirs", "ours", "chunks", "their_cell", "our_cell"), ROWS)
def test_a_row_is_what_happens(
    theirs: str, ours: str, chunks: list[bytes], their_cell: str, our_cell: str
) -> None:
    assert cell(theirs, chunks) == their_cell
    assert cell(ours, chunks) == our_cell


@pytest.mark.parametrize(("theirs", "ours", "chunks", "their_cell", "our_cell"), ROWS)
def test_our_side_does_not_depend_on_the_chunks(
    theirs: str, ours: str, chunks: list[bytes], their_cell: str, our_cell: str
) -> None:
    assert cell(ours, [bytes([byte]) for byte in b"".join(chunks)]) == our_cell


def test_the_pages_have_their_rows() -> None:
    found = [(param.values[0], param.values[1]) for param in ROWS]
    assert found.count(("httpx-sse", "hangang.SSEParser")) >= 7
    assert found.count(("sseclient", "hangang.SSEParser")) >= 8
    assert found.count(("httpx-sse", "hangang.openai.StreamParser")) >= 5
    assert found.count(("sseclient", "hangang.openai.StreamParser")) >= 4
