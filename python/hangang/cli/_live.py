"""Shows answers while they arrive: dimmed thinking, lines that fit the screen."""

from __future__ import annotations

import os

from hangang.cli._terminal import Output, visible, width

__all__ = ["Live"]

_TEXT = "  | "
_THINKING = "  ~ "
_HANGING = frozenset(".,!?:;)]}\"'”’…")


class Live:
    """Writes pieces of text as they arrive.

    Thinking is dimmed on a terminal, unless `NO_COLOR` is set or the terminal is a dumb one. With
    `columns` each line begins with a mark and is broken before it is full: the last column is for
    punctuation, which does not begin a line. A space where a line is broken is left out. With `titles` a
    line in brackets tells thinking from text where it cannot be dimmed.
    """

    def __init__(self, output: Output, *, columns: int | None = None, titles: bool = False) -> None:
        self._output = output
        self._columns = columns
        self._titles = titles
        self._dims = (
            output.is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        )
        self._column = 0
        self._mark = ""

    def text(self, piece: str) -> None:
        """A piece of the answer."""
        self._put(piece, _TEXT)

    def thinking(self, piece: str) -> None:
        """A piece of the reasoning."""
        if self._dims and piece:
            # Switch it off after each piece: then the program can stop anywhere without a dim terminal.
            self._output.style("\x1b[2m")
            self._put(piece, _THINKING)
            self._output.style("\x1b[22m")
        else:
            self._put(piece, _THINKING)

    def note(self, line: str) -> None:
        """A line that is not the answer's, dimmed where that is possible."""
        self._output.end_line()
        if self._dims:
            self._output.style("\x1b[2m")
        self._output.write_raw(visible(line))
        if self._dims:
            self._output.style("\x1b[22m")
        self._output.end_line()
        self._output.flush()

    def end(self) -> None:
        """End the line, if one is open."""
        self._output.end_line()
        self._output.flush()
        self._column = 0
        self._mark = ""

    def _put(self, piece: str, mark: str) -> None:
        if not piece:
            return
        if mark != self._mark:
            self._output.end_line()
            self._column = 0
            if self._titles and not self._dims and (self._mark or mark == _THINKING):
                self._output.write("[thinking]\n" if mark == _THINKING else "[answer]\n")
            self._mark = mark
        if self._columns is None:
            self._output.write(piece)
        else:
            # What is an escape on the screen has the width of the escape.
            shown = self._output.shown(piece)
            self._output.write_raw("".join(self._fitted(shown, mark, self._columns)))
        self._output.flush()

    def _fitted(self, piece: str, mark: str, columns: int) -> list[str]:
        out: list[str] = []
        for character in piece:
            room = columns if character in _HANGING else columns - 1
            if self._column and character != "\n" and self._column + width(character) > room:
                if character == " ":
                    continue
                out.append("\n")
                self._column = 0
            if not self._column:
                out.append(mark.rstrip() if character == "\n" else mark)
                self._column = len(mark)
            out.append(character)
            self._column = 0 if character == "\n" else self._column + width(character)
        return out
