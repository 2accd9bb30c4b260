"""The byte order mark at the start of a stream: EF BB BF, in whatever pieces it comes.

Framing names its bytes only here. What looked like one and was not belongs to the stream after all;
what that means is for the caller: the start of a line in SSE, an error in bare JSON.
"""

from __future__ import annotations

from enum import Enum

_BYTES = b"\xef\xbb\xbf"


class BomState(Enum):
    """What the start of a stream turned out to be."""

    INCOMPLETE = 1  # all bytes so far could begin one
    DONE = 2
    NOT_A_BOM = 3


class Bom:
    """Matches the mark; after DONE or NOT_A_BOM its work is done.

    Attributes:
        done: whether the start of the stream is known.
        position: where the chunk continues after the mark.
        taken: bytes of earlier chunks that turned out to be no mark.
    """

    __slots__ = ("_matched", "done", "position", "taken")

    def __init__(self) -> None:
        self._matched = 0
        self.done = False
        self.position = 0
        self.taken = b""

    def held(self) -> int:
        """Bytes held: a mark begun."""
        return 0 if self.done else self._matched

    def skip(self, chunk: bytes) -> BomState:
        """Matches the mark at the start of a chunk."""
        missing = len(_BYTES) - self._matched
        head = _BYTES[: self._matched] + chunk[:missing]
        if head == _BYTES:
            self.done = True
            self.position = missing
            return BomState.DONE
        if _BYTES.startswith(head):
            self._matched = len(head)
            return BomState.INCOMPLETE
        self.done = True
        self.taken = _BYTES[: self._matched]
        return BomState.NOT_A_BOM
