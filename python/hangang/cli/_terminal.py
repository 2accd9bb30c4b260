"""Output for the user: standard output, and one-line messages on standard error.

Text from a stream is untrusted: on a terminal its control characters are escaped, so that they cannot control
the terminal. Only line feed and tab pass.
"""

from __future__ import annotations

import io
import sys
import unicodedata
from collections.abc import Iterator

__all__ = ["Output", "clip", "say", "visible", "width", "wrapped"]

_CONTROLS = [code for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"]
_VISIBLE = {code: f"\\x{code:02x}" for code in _CONTROLS}
# In a JSON string the escape keeps the line valid, and its value the same. (The encoder escapes C0 itself.)
_VISIBLE_JSON = {code: f"\\u{code:04x}" for code in _CONTROLS}
_ONE_LINE = {**_VISIBLE, ord("\n"): "\\n", ord("\t"): "\\t"}


def visible(text: str) -> str:
    """`text` with its control characters escaped, on one line."""
    return text.translate(_ONE_LINE)


def say(message: str) -> None:
    """One line to standard error, after what was written to standard output."""
    if sys.stdout is not None:
        sys.stdout.flush()
    if sys.stderr is not None:  # print(file=None) would go to standard output
        print(f"hangang: {visible(message)}", file=sys.stderr, flush=True)


class Output:
    """Standard output: UTF-8 and LF into files and pipes; its own encoding and no controls on a terminal."""

    def __init__(self, *, json: bool = False) -> None:
        if sys.stdout is None:
            raise OSError("standard output is closed")
        self._file = sys.stdout
        self._escapes = _VISIBLE_JSON if json else _VISIBLE
        self.is_terminal = self._file.isatty()
        self._line_open = False
        if isinstance(self._file, io.TextIOWrapper):
            if self.is_terminal:
                self._file.reconfigure(errors="backslashreplace")
            else:
                self._file.reconfigure(encoding="utf-8", errors="backslashreplace", newline="\n")

    def write(self, text: str) -> None:
        """Write text of a stream, or JSON: as it is or, on a terminal, with control characters escaped."""
        if text:
            self._file.write(text.translate(self._escapes) if self.is_terminal else text)
            self._line_open = not text.endswith("\n")

    def end_line(self) -> None:
        """End the current line unless it is empty, so that what follows starts on a new one."""
        if self._line_open:
            self._file.write("\n")
            self._line_open = False

    def flush(self) -> None:
        """Flush everything written so far."""
        self._file.flush()


def width(text: str) -> int:
    """Columns that `text` takes on a terminal: Hangul takes two, a combining mark none."""
    columns = 0
    for character in text:
        if unicodedata.category(character) in ("Mn", "Me", "Cf"):
            continue
        columns += 2 if unicodedata.east_asian_width(character) in "WF" else 1
    return columns


def wrapped(text: str, columns: int) -> Iterator[str]:
    """`text` in lines of at most `columns` columns, broken anywhere."""
    while True:
        room = columns
        for end, character in enumerate(text):
            room -= width(character)
            if room < 0:
                yield text[:end]
                text = text[end:]
                break
        else:
            yield text
            return


def clip(text: str, columns: int) -> str:
    """`text` cut to at most `columns` columns, with an ellipsis where something was cut."""
    if width(text) <= columns:
        return text
    return next(wrapped(text, columns - 1)) + "…"
