"""The formats of `decode`, and how the format of a stream is found: by `hangang.detect`."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

from hangang import a2a, clova, detect, exaone, openai

__all__ = ["FORMATS", "WINDOW", "Detector", "Event", "Format", "Parser", "look"]

Format: TypeAlias = Literal["clova", "exaone", "openai", "a2a"]
Parser: TypeAlias = clova.StreamParser | exaone.StreamParser | openai.StreamParser | a2a.StreamParser
Event: TypeAlias = clova.Event | exaone.Event | openai.Event | a2a.Event

FORMATS: tuple[Format, ...] = ("clova", "exaone", "openai", "a2a")

WINDOW = 1024
"""`hangang.detect` looks at this many bytes."""

_HTML = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*(?:<!doctype html|<html)", re.IGNORECASE)


class Detector:
    """Feed it a stream from its start until it names a format or `is_done`.

    Attributes:
        prefix: the first bytes of the stream, at most `WINDOW`.
    """

    def __init__(self) -> None:
        self.prefix = b""

    def is_done(self) -> bool:
        """Whether more bytes cannot change the result."""
        return len(self.prefix) >= WINDOW

    def feed(self, chunk: bytes) -> Format | None:
        """The format, once the first bytes show it."""
        if self.is_done():
            return None
        self.prefix += chunk[: WINDOW - len(self.prefix)]
        # The first evidence counts, so a longer prefix never shows another format than a shorter one.
        return detect(self.prefix)


def look(prefix: bytes) -> str:
    """What a stream of no known format looks like."""
    if prefix.startswith(b"\x1f\x8b"):
        return "gzip data; decompress it first, or name the file .gz"
    if prefix.startswith(b"\x28\xb5\x2f\xfd"):
        return "zstd data; decompress it first, or name the file .zst"
    return "an HTML page" if _HTML.match(prefix) else "nothing of the kind"
