"""What framing hands out.

Both framers hand out a `RawFrame`. There is one a framer, filled anew for each frame: it is valid until the
framer's next step, as the crate's borrowed one is.
"""

from __future__ import annotations

from typing import Protocol


class Origin(Protocol):
    """Where a payload came from."""

    def locate(self, position: int) -> int:
        """Offset in the stream of the byte at `position` of the payload."""
        ...


class Offset:
    """A payload whose bytes lie together in the stream."""

    __slots__ = ("offset",)

    def __init__(self, offset: int = 0) -> None:
        self.offset = offset

    def locate(self, position: int) -> int:
        """Offset in the stream of the byte at `position` of the payload."""
        return self.offset + position


class RawFrame:
    """A frame as its framer delimited it.

    Attributes:
        payload: its bytes; the `data` values of an SSE event joined by LF.
        name: the event's name, b"" if it has none; always b"" in bare JSON.
        id: the last event id; always "" in bare JSON.
        origin: where the payload came from.
    """

    __slots__ = ("id", "name", "origin", "payload")

    def __init__(self, origin: Origin, payload: bytes = b"", name: bytes = b"", id: str = "") -> None:
        self.origin = origin
        self.payload = payload
        self.name = name
        self.id = id

    def locate(self, position: int) -> int:
        """Offset in the stream of the byte at `position` of the payload."""
        return self.origin.locate(position)
