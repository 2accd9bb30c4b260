"""Tags inside text: cuts reasoning out of content that comes in pieces ([design §5.8]).

Invariants:
1. Outside the first whole opening tag begins the thinking, inside the first whole closing tag ends it; the
   other tag is text of its state. Both tags vanish, and nothing else does.
2. Held back is only the longest end of the content that the tag looked for begins with. So what is held is
   always a prefix of a tag, and only its length is kept.
3. A splitter that starts inside looks for both tags until a character that is not white space: an opening
   tag before it vanishes too. Whichever tag is complete first wins, the opening one at a tie.
4. Linear: a matcher never goes back in the content (Knuth, Morris, Pratt), and content that can hold no tag
   is searched by `str.find`.
"""

from __future__ import annotations

from enum import Enum

_SPACE = " \t\n\r"


class Tag:
    """A tag and, for each length of a match, the next shorter one: the longest proper border."""

    __slots__ = ("borders", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.borders = [0] * len(text)
        length = 0
        for place in range(1, len(text)):
            length = self.step(length, text[place])
            self.borders[place] = length

    def step(self, matched: int, char: str) -> int:
        """How much of the tag is matched after another character, where `matched` was."""
        text = self.text
        while matched and text[matched] != char:
            matched = self.borders[matched - 1]
        return matched + 1 if text[matched] == char else 0


class State(Enum):
    """Where the content is."""

    OUTSIDE = 1
    INSIDE = 2
    START = 3  # inside, and an opening tag may still vanish


class Splitter:
    """The content of one choice."""

    __slots__ = ("_blank", "_close", "_count", "_matched", "_open", "_opening", "_state")

    def __init__(self, opening: Tag, closing: Tag, thinking_first: bool) -> None:
        self._open = opening
        self._close = closing
        self._state = State.START if thinking_first else State.OUTSIDE
        self._matched = 0  # how much of the tag looked for ends the content
        # At the start: the same for the opening tag, how many characters came, and how many of them were
        # white space before any other.
        self._opening = 0
        self._count = 0
        self._blank = 0

    def push(self, piece: str) -> tuple[str, str]:
        """The text and the thinking that another piece of the content completes."""
        text: list[str] = []
        thinking: list[str] = []
        pos = 0
        while self._state is State.START and pos < len(piece):
            thinking.append(self.push_at_start(piece[pos]))
            pos += 1
        while pos < len(piece):
            if self._state is State.OUTSIDE:
                pos = self.push_in_state(self._open, piece, pos, text, State.INSIDE)
            else:
                pos = self.push_in_state(self._close, piece, pos, thinking, State.OUTSIDE)
        return "".join(text), "".join(thinking)

    def push_in_state(self, tag: Tag, piece: str, pos: int, out: list[str], after: State) -> int:
        """Takes what comes before the tag, and the tag; gives the position after that."""
        matched = self._matched
        while matched and pos < len(piece):
            longer = tag.step(matched, piece[pos])
            pos += 1
            if longer == len(tag.text):
                self._matched = 0
                self._state = after
                return pos
            # What no match needs any more was held; the character itself is lost to it with the match.
            out.append(tag.text[: matched + 1 - longer] if longer else tag.text[:matched] + piece[pos - 1])
            matched = longer
        if matched or pos == len(piece):
            self._matched = matched
            return pos
        found = piece.find(tag.text, pos)
        if found >= 0:
            out.append(piece[pos:found])
            self._matched = 0
            self._state = after
            return found + len(tag.text)
        # The end of the piece may begin the tag.
        for place in range(max(pos, len(piece) - len(tag.text) + 1), len(piece)):
            matched = tag.step(matched, piece[place])
        self._matched = matched
        out.append(piece[pos : len(piece) - matched])
        return len(piece)

    def push_at_start(self, char: str) -> str:
        """Takes a character at the start; gives the thinking that it completes."""
        # What is held is the longer of the two matches.
        held = max(self._matched, self._opening)
        prefix = (self._close if self._matched >= self._opening else self._open).text
        self._count += 1
        if self._blank == self._count - 1 and char in _SPACE:
            self._blank = self._count
        self._matched = self._close.step(self._matched, char)
        opening = self._open.step(self._opening, char)
        if opening == len(self._open.text) and self._count - opening <= self._blank:
            return self._leave(State.INSIDE, prefix, char, held, held + 1 - opening)
        if self._matched == len(self._close.text):
            return self._leave(State.OUTSIDE, prefix, char, held, held + 1 - self._matched)
        if self._count - opening > self._blank:
            # No opening tag can begin in the white space any more; a shorter match begins later still.
            self._opening = opening = 0
            self._state = State.INSIDE
        self._opening = opening
        return _first(prefix, char, held, held + 1 - max(self._matched, opening))

    def _leave(self, state: State, prefix: str, char: str, held: int, count: int) -> str:
        """A tag is complete: gives the first `count` of the characters held and the one after them."""
        self._state = state
        self._matched = self._opening = 0
        return _first(prefix, char, held, count)

    def flush(self) -> tuple[str, str]:
        """The text and the thinking held back, which no tag will claim; the state stays."""
        if self._state is State.OUTSIDE:
            held = self._open.text[: self._matched], ""
        else:
            longer = self._close if self._matched >= self._opening else self._open
            held = "", longer.text[: max(self._matched, self._opening)]
            if self._state is State.START and held[1].strip(_SPACE):
                self._state = State.INSIDE
        self._matched = self._opening = self._count = self._blank = 0
        return held


def _first(prefix: str, char: str, held: int, count: int) -> str:
    """The first `count` of the `held` characters of a tag's prefix, followed by `char`."""
    return prefix[:count] if count <= held else prefix[:held] + char
