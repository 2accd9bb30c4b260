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


class DataLines:
    """Where the `data` values of a frame are in the stream.

    Of each line but the last two small numbers are kept, seven bits a byte: the length of its value, and the
    bytes from there to the next value. A frame of many empty lines must not cost more memory than its bytes.
    """

    __slots__ = ("first", "lengths", "terminator", "value")

    def __init__(self) -> None:
        self.lengths = bytearray()
        self.first = 0  # offset of the first value
        self.value = 0  # offset of the last value
        self.terminator = 0  # offset of the last line's terminator

    def push(self, value: int, terminator: int) -> None:
        """Another line; the framer enters the first one itself."""
        for number in (self.terminator - self.value, value - self.terminator):
            while number >= 0x80:
                self.lengths.append(number & 0x7F | 0x80)
                number >>= 7
            self.lengths.append(number)
        self.value = value
        self.terminator = terminator

    def locate(self, position: int) -> int:
        """Offset in the stream of the byte at `position` of the payload.

        The LF that joins two lines is the first line's terminator; the end of the payload is the last
        line's.
        """
        offset = self.first
        numbers: list[int] = []
        number = shift = 0
        for byte in self.lengths:
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte >= 0x80:
                continue
            numbers.append(number)
            number = shift = 0
            if len(numbers) == 2:
                length, gap = numbers
                numbers.clear()
                if position <= length:
                    return offset + position
                position -= length + 1
                offset += length + gap
        return min(self.value + position, self.terminator)


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
