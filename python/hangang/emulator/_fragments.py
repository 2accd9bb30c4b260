"""How a body is cut into writes.

A fragment is one ASGI body message, and under `hangang.emulator` one HTTP chunk in one socket
write (asyncio sets TCP_NODELAY). Clients that read by HTTP chunk, as httpx does, see exactly these
pieces; a client that reads the bare socket may find several of them joined.
"""

from __future__ import annotations

import re
from random import Random

# Of a character of several bytes; the others go into the next fragment.
_UP_TO_A_FIRST_BYTE = re.compile(rb"[^\xc0-\xff]*[\xc0-\xff]|[^\xc0-\xff]+")
_SIZES = (1, 2, 3, 5, 8, 13, 34, 89, 233, 610, 1597)


class Fragmenter:
    """Cuts a byte stream; what it holds back comes out of a later `feed` or of `flush`.

    Modes: `event` passes each event as it is, `whole` holds everything to the end, an integer
    makes pieces of that many bytes, `random` of changing sizes, and `utf8` cuts after the first
    byte of each character that has several.
    """

    def __init__(self, mode: str | int, random: Random) -> None:
        self.mode = mode
        self._random = random
        self._held = bytearray()
        self._size = self._next_size()

    def feed(self, data: bytes) -> list[bytes]:
        """The fragments that these bytes complete."""
        if not data:
            return []
        if self.mode == "event":
            return [data]
        if self.mode == "utf8":
            return _UP_TO_A_FIRST_BYTE.findall(data)
        self._held += data
        if self.mode == "whole":
            return []
        pieces: list[bytes] = []
        while len(self._held) >= self._size:
            pieces.append(bytes(self._held[: self._size]))
            del self._held[: self._size]
            self._size = self._next_size()
        return pieces

    def flush(self) -> list[bytes]:
        """What was held back."""
        piece, self._held = bytes(self._held), bytearray()
        return [piece] if piece else []

    def _next_size(self) -> int:
        return self.mode if isinstance(self.mode, int) else self._random.choice(_SIZES)
