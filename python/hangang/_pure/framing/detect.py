"""Which framing a dialect's stream has: decided by its first byte after an optional BOM and white space.

Invariants:
1. `{` means bare JSON, any other byte SSE from offset 0 (EXAONE: only `:` or an ASCII letter).
2. Leading white space is not held, however much there is. In SSE its last line is the start of a line whose
   content does not matter, so its length and offset suffice.
3. The limit of an SSE line holds for that white space too, but only if the stream turns out to be SSE: the
   place where it was exceeded is remembered until then.

The detector acts on nothing: it says what it found, and the parser acts on it.
"""

from __future__ import annotations

import re
from enum import Enum

from ..error import ErrorKind, Expected, Failure
from .bom import Bom, BomState

_SPACE = re.compile(rb"[ \t\n\r]*+")
_RUN = re.compile(rb"[ \t]++|[\r\n]++")
_LETTERS = frozenset(b":abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


class Framing(Enum):
    """What a stream is made of."""

    INCOMPLETE = 1  # not known yet
    SSE = 2
    JSON = 3


class Detected:
    """What the detector found, and where the framer continues.

    Attributes:
        framing: what the stream is made of.
        chunk: the chunk, with the bytes of earlier ones that looked like a BOM before it.
        base: its offset in the stream.
        position: where the framer continues in it.
        indent: SSE: length of the white space that began the first line, in this chunk or earlier ones.
    """

    __slots__ = ("base", "chunk", "framing", "indent", "position")

    def __init__(self, framing: Framing, chunk: bytes, base: int, position: int, indent: int) -> None:
        self.framing = framing
        self.chunk = chunk
        self.base = base
        self.position = position
        self.indent = indent


class Detector:
    """Looks at the start of a stream, chunk by chunk."""

    __slots__ = ("_bom", "_limit", "_over_limit", "_space", "_strict", "examined")

    def __init__(self, max_frame_bytes: int, strict_first_byte: bool) -> None:
        self._limit = max_frame_bytes
        self._strict = strict_first_byte
        self._bom = Bom()
        self._space = 0  # bytes of white space on the current line
        self._over_limit: int | None = None  # where such a line exceeded the limit
        self.examined = 0

    @property
    def pending(self) -> int:
        """Bytes held: a BOM begun."""
        return self._bom.held()

    def feed(self, chunk: bytes, base: int) -> Detected:
        """Looks at the next chunk, whose first byte has the offset `base`.

        Raises:
            Failure: the stream can not be of this dialect, or the white space exceeds the limit of a line.
        """
        pos = 0
        if not self._bom.done:
            state = self._bom.skip(chunk)
            if state is BomState.INCOMPLETE:
                return Detected(Framing.INCOMPLETE, chunk, base, 0, 0)
            pos = self._bom.position
            if self._bom.taken:  # the stream begins with another byte after all
                chunk = self._bom.taken + chunk
                base = 0
        start = _SPACE.match(chunk, pos).end()  # type: ignore[union-attr]
        self._count_space(chunk, pos, start, base)
        self.examined += start - pos
        if start == len(chunk):
            return Detected(Framing.INCOMPLETE, chunk, base, start, 0)
        byte = chunk[start]
        if byte == 0x7B:
            return Detected(Framing.JSON, chunk, base, start, 0)
        if self._strict and byte not in _LETTERS:
            raise Failure(ErrorKind.INVALID_JSON, base + start, expected=Expected.FIRST_BYTE, found=byte)
        if self._over_limit is not None:
            raise Failure(ErrorKind.FRAME_TOO_LARGE, self._over_limit, limit=self._limit)
        return Detected(Framing.SSE, chunk, base, start, self._space)

    def _count_space(self, chunk: bytes, pos: int, end: int, base: int) -> None:
        for run in _RUN.finditer(chunk, pos, end):
            if run.group()[0] in b"\r\n":
                self._space = 0
                continue
            length = run.end() - run.start()
            if self._space + length > self._limit and self._over_limit is None:
                self._over_limit = base + run.start() + self._limit - self._space
            self._space += length

    def finish(self) -> bool:
        """Whether the stream ended inside a BOM."""
        return self._bom.held() > 0
