"""Output for the user: standard output, and one-line messages on standard error.

Text from a stream is untrusted, and so are file names: on a terminal every character that would control it,
or that is invisible, is shown as an escape. Only line feed and tab pass.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any

__all__ = [
    "Output",
    "clip",
    "columns",
    "discard",
    "end_interrupted_line",
    "file_name",
    "lost_messages",
    "read_utf8",
    "readable",
    "say",
    "say_lines",
    "use_utf8",
    "visible",
    "width",
    "wrapped",
    "wrapped_words",
]

# C0, DEL and C1; then the characters that change the direction of text, break lines, join, or tag. The
# visible signs of the category Cf (U+0600 and others) are not among them.
_CONTROLS = [code for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"]
_INVISIBLE = [
    0xAD, 0x34F, 0x61C, 0x180E, *range(0x200B, 0x2010), *range(0x2028, 0x202F), *range(0x2060, 0x2070),
    0xFEFF, *range(0xFFF9, 0xFFFC), *range(0x1BCA0, 0x1BCA4), *range(0x1D173, 0x1D17B),
    *range(0xE0000, 0xE0080),
]  # fmt: skip
_JOINER = 0x200D  # part of many emoji: see _shown


def _escape(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _json_escape(code: int) -> str:
    units = chr(code).encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


_CODES = [code for code in (*_CONTROLS, *_INVISIBLE) if code != _JOINER]
_VISIBLE = {code: _escape(code) for code in _CODES}
# In a JSON string the escape keeps the line valid, and its value the same. (The encoder escapes C0 itself.)
_VISIBLE_JSON = {code: _json_escape(code) for code in _CODES}
_ONE_LINE = {**_VISIBLE, ord("\n"): "\\n", ord("\t"): "\\t"}
_JOINED = re.compile("([^\u200d]?)\u200d")


def _shown(text: str, escapes: dict[int, str], before: str = "") -> str:
    """`text` with what would act or hide as escapes; `before` is the character in front of it.

    A joiner passes after an emoji, which it joins to the next one; elsewhere it only hides.
    """
    if "\u200d" in text:
        joiner = _json_escape(_JOINER) if escapes is _VISIBLE_JSON else _escape(_JOINER)

        def joined(match: re.Match[str]) -> str:
            previous = match[1] or (before if match.start() == 0 else "\u200d")
            return match[0] if _is_emoji(previous) else match[1] + joiner

        text = _JOINED.sub(joined, text)
    return text.translate(escapes)


def _is_emoji(character: str) -> bool:
    return (
        character == "\ufe0f"
        or "\U0001f3fb" <= character <= "\U0001f3ff"
        or (bool(character) and unicodedata.category(character) == "So")
    )


def readable(argument: str) -> str:
    """An argument or a file's name as text; where the locale is ASCII, as the UTF-8 that it is."""
    return os.fsencode(argument).decode("utf-8", errors="surrogateescape") if _has_ascii_names() else argument


def file_name(text: str) -> str:
    """The name of a file as `open` takes it: the inverse of `readable`."""
    return os.fsdecode(text.encode("utf-8", errors="surrogateescape")) if _has_ascii_names() else text


def _has_ascii_names() -> bool:
    return codecs.lookup(sys.getfilesystemencoding()).name == "ascii"


def visible(text: str) -> str:
    """`text` with its control and invisible characters escaped, on one line."""
    return _shown(text, _ONE_LINE)


def use_utf8(file: Any) -> None:
    """Make a standard stream write UTF-8 into files and pipes, and on a terminal with an ASCII locale.

    An ASCII locale is `LANG=C`, which says nothing about the terminal; escapes instead of Korean help nobody.
    """
    if not isinstance(file, io.TextIOWrapper):
        return
    is_ascii = codecs.lookup(file.encoding).name == "ascii"
    if is_ascii or not file.isatty():
        file.reconfigure(encoding="utf-8", errors="backslashreplace")
    else:
        file.reconfigure(errors="backslashreplace")


def read_utf8(file: Any) -> None:
    """Make standard input read UTF-8 where the locale says ASCII, and U+FFFD instead of ill-formed bytes."""
    if isinstance(file, io.TextIOWrapper):
        is_ascii = codecs.lookup(file.encoding).name == "ascii"
        file.reconfigure(encoding="utf-8" if is_ascii else file.encoding, errors="replace")


_lost = False


def lost_messages() -> bool:
    """Whether a message could not be written."""
    return _lost


def say(message: str, *, prefix: str = "hangang: ") -> None:
    """One line to standard error, after what was written to standard output."""
    if sys.stdout is not None:
        sys.stdout.flush()
    _to_stderr([prefix + visible(message)])


def say_lines(lines: Iterable[str]) -> None:
    """Several lines to standard error, without a prefix."""
    _to_stderr([visible(line) for line in lines])


def end_interrupted_line() -> None:
    """End the line where a terminal shows ^C: the next prompt of the shell belongs on a line of its own."""
    for file in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # the terminal is gone
            if file is not None and file.isatty():
                print(file=file, flush=True)
                return


def _to_stderr(lines: list[str]) -> None:
    global _lost
    if sys.stderr is None or _lost:  # print(file=None) would go to standard output
        return
    try:
        if sys.stderr.isatty():
            lines = [part for line in lines for part in wrapped_words(line, columns())]
        print(*lines, sep="\n", file=sys.stderr, flush=True)
    except OSError:
        # A full disk must not stop the decoding: the exit code tells.
        _lost = True
        discard(sys.stderr)


def discard(file: Any) -> None:
    """Send what is still buffered to nowhere; flushing it at exit would fail and change the exit code."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, file.fileno())
        os.close(nowhere)
    except (OSError, ValueError):
        pass


class Output:
    """Standard output: UTF-8 and LF into files and pipes; its own encoding and no controls on a terminal."""

    def __init__(self, *, json: bool = False) -> None:
        if sys.stdout is None:
            raise OSError("standard output is closed")
        self._file = sys.stdout
        self._escapes = _VISIBLE_JSON if json else _VISIBLE
        self._last = ""  # the character that was written last
        self.is_terminal = self._file.isatty()
        use_utf8(self._file)
        if isinstance(self._file, io.TextIOWrapper) and not self.is_terminal:
            self._file.reconfigure(newline="\n")

    def shown(self, text: str) -> str:
        """What `write` writes for this text."""
        return _shown(text, self._escapes, self._last) if self.is_terminal else text

    def write(self, text: str) -> None:
        """Write text of a stream, or JSON: as it is or, on a terminal, with control characters escaped."""
        if text:
            self._file.write(self.shown(text))
            self._last = text[-1]

    def write_raw(self, text: str) -> None:
        """Write text of ours, or what `shown` made, as it is; it must leave the column where `text` does."""
        if text:
            self._file.write(text)
            self._last = text[-1]

    def style(self, codes: str) -> None:
        """Write control sequences."""
        self._file.write(codes)

    def end_line(self) -> None:
        """End the current line unless it is empty, so that what follows starts on a new one."""
        if self._last not in ("", "\n"):
            self._file.write("\n")
            self._last = "\n"

    def flush(self) -> None:
        """Flush everything written so far."""
        self._file.flush()


def columns() -> int:
    """The width of the terminal."""
    return shutil.get_terminal_size().columns


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


def wrapped_words(text: str, columns: int) -> Iterator[str]:
    """`text` in lines of at most `columns` columns, broken at spaces; a longer word is a line of its own."""
    line, room = "", columns
    for word in re.findall(r" *[^ ]+| +", text):
        needed = width(word)
        if line and needed > room:
            yield line
            line, room, word = "", columns, word.lstrip(" ")
            needed = width(word)
        line += word
        room -= needed
    yield line


def clip(text: str, columns: int) -> str:
    """`text` cut to at most `columns` columns, with an ellipsis where something was cut."""
    if width(text) <= columns:
        return text
    return next(wrapped(text, columns - 1)) + "…"
