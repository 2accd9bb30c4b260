"""How a body is cut into writes.

A fragment is one ASGI body message, and under `hangang.emulator` one HTTP chunk in one socket
write (asyncio sets TCP_NODELAY). Clients that read by HTTP chunk, as httpx does, see exactly these
pieces; a client that reads the bare socket may find several of them joined.
"""

from __future__ import annotations

from random import Random

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
            return _inside_characters(data)
        self._held += data
        if self.mode == "whole":
            return []
        pieces: list[bytes] = []
        start = 0
        while len(self._held) - start >= self._size:
            pieces.append(bytes(self._held[start : start + self._size]))
            start += self._size
            self._size = self._next_size()
        del self._held[:start]
        return pieces

    def flush(self) -> list[bytes]:
        """What was held back."""
        if not self._held:
            return []
        piece = bytes(self._held)
        self._held.clear()
        return [piece]

    def _next_size(self) -> int:
        return self.mode if isinstance(self.mode, int) else self._random.choice(_SIZES)


def _inside_characters(data: bytes) -> list[bytes]:
    pieces: list[bytes] = []
    start = 0
    for index, byte in enumerate(data):
        if byte >= 0xC0:  # the first byte of a sequence; the rest goes into the next fragment
            pieces.append(data[start : index + 1])
            start = index + 1
    if start < len(data):
        pieces.append(data[start:])
    return pieces
