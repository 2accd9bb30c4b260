"""JSON and SSE as services write them, and the texts in requests."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from ._faults import Frame
from .json_types import is_list, member


def read_json(content: bytes) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: no JSON, no UTF-8, or a lone surrogate in it: answers echo texts, and cannot echo that
        one.
    """
    found: Any = json.loads(content.decode())
    if b"\\u" in content:
        json.dumps(found, ensure_ascii=False).encode()  # UnicodeEncodeError is a ValueError
    return found


def dump(value: object, *, spaced: bool = False, sort: bool = False) -> bytes:
    """JSON as the services write it: raw UTF-8 on one line, compact or in Python's spacing."""
    separators = (", ", ": ") if spaced else (",", ":")
    return json.dumps(value, ensure_ascii=False, separators=separators, sort_keys=sort).encode()


def ok(result: object) -> dict[str, Any]:
    """The envelope of CLOVA Studio and of Gov's tools."""
    return {"status": {"code": "20000", "message": "OK"}, "result": result}


def sse(data: bytes, *, event: str = "", ident: str = "", space: str = " ") -> bytes:
    """One SSE event with LF line ends: `id`, `event`, `data`, a blank line."""
    head = [f"{name}:{space}{value}\n" for name, value in (("id", ident), ("event", event)) if value]
    return f"{''.join(head)}data:{space}".encode() + data + b"\n\n"


_DECODER = json.JSONDecoder(strict=False)
_JSON_START = re.compile(r"[\[{]")
_EVENT_END = re.compile(rb"(?:\r\n|\n|\r)(?:\r\n|\n|\r)+")


def frames_of(body: bytes) -> Iterator[Frame]:
    """A recorded body in frames, which joined are the body: SSE events, or bare JSON values."""
    if body[:1] in (b"{", b"\xef") or body[:64].lstrip().startswith(b"{"):
        ends = [*_json_ends(body), len(body)]
    else:
        ends = [*(found.end() for found in _EVENT_END.finditer(body)), len(body)]
    for start, end in pairwise([0, *ends]):
        if start < end:
            yield Frame(body[start:end])


def _json_ends(body: bytes) -> Iterator[int]:
    """Where each JSON value of a body ends; nothing more after the first that is not one."""
    text = body.decode("latin-1")  # one character a byte
    at = 0
    with contextlib.suppress(ValueError, RecursionError):
        while (start := _JSON_START.search(text, at)) is not None:
            _, at = _DECODER.raw_decode(text, start.start())
            yield at


def text_of(content: object) -> str:
    """The text of a message's content: a string, or the text parts of a list."""
    if isinstance(content, str):
        return content
    texts = [member(part, "text") for part in content] if is_list(content) else []
    return "".join(text for text in texts if isinstance(text, str))
