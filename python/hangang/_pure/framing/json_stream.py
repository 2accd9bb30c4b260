"""Bare JSON framing: bytes split anywhere to top-level JSON objects and arrays.

Invariants:
1. Between values there is white space (SP HT LF CR) or nothing; `{` or `[` opens a value, any other byte
   is an error.
2. Inside a value framing sees strings, escapes and the stack of brackets, nothing else; a value ends when
   the stack is empty, and is validated then, once.
3. A bracket that does not match its opener ends framing: the bytes so far are validated and the first error
   in them is raised.
4. N bytes pass, byte N + 1 is the error; D open containers pass, the opener of the next is the error; at the
   same byte size wins. Both come before validation.
5. Only the unfinished value is held, and the scan resumes where it stopped. A string that the chunk cuts is
   looked at twice: once as a whole token that does not end, once as an open string.
"""

from __future__ import annotations

import re
from enum import Enum

from ..base import DEFAULT_DEPTH, DEFAULT_FRAME_BYTES, Chunk, Parser, check_limit
from ..error import ErrorKind, Expected, Failure, FrameError, Missing
from ..json import first_error, validate
from .bom import Bom, BomState
from .frame import Offset, RawFrame

_SPACE = re.compile(rb"[ \t\n\r]*+")
# Possessive, so that neither a long string nor many short ones fill the matcher's stack.
_TO_BRACKET = re.compile(rb'[^"\[\]{}]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"[^"\[\]{}]*+)*+', re.DOTALL)
_TO_QUOTE = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_OPENER = {0x7D: 0x7B, 0x5D: 0x5B}


class State(Enum):
    """Where the scan is; what survives a chunk."""

    BETWEEN = 1
    VALUE = 2  # in a value, outside its strings
    STRING = 3
    ESCAPE = 4  # after a backslash, whose escaped byte may be in the next chunk


_BETWEEN, _VALUE, _STRING, _ESCAPE = State


class JSONFramer:
    """The state machine: `begin_chunk` announces a chunk, each `next_frame` continues to a value's end.

    Attributes:
        position: where in the chunk the value handed out last ends.
        examined: bytes looked at since the parser last asked.
    """

    __slots__ = (
        "_base",
        "_frame",
        "_held",
        "_limit",
        "_max_depth",
        "_open",
        "_origin",
        "_state",
        "examined",
        "id",
        "position",
    )

    def __init__(self, max_frame_bytes: int, max_depth: int) -> None:
        self._limit = max_frame_bytes
        self._max_depth = max_depth
        self._held = bytearray()  # the unfinished value, from earlier chunks
        self._open = bytearray()  # its open brackets
        self._state = _BETWEEN
        self._base = 0  # offset of the chunk in the stream
        self._origin = Offset()
        self._frame = RawFrame(self._origin)
        self.position = 0
        self.id = ""  # bare JSON has no event ids
        self.examined = 0

    def begin_chunk(self, base: int) -> None:
        """The next chunk's first byte has the offset `base` in the stream."""
        self._base = base

    def is_between_frames(self) -> bool:
        """Whether the next byte is between values."""
        return self._state is _BETWEEN

    @property
    def pending(self) -> int:
        """Bytes held of an unfinished value."""
        return len(self._held)

    def next_frame(self, chunk: bytes, pos: int) -> RawFrame | None:
        """Continues from `pos` to the end of the next value; None if the chunk is used up without one.

        Raises:
            Failure: INVALID_JSON or INVALID_UTF8 (something else between values, a bracket that does not
                match), FRAME_TOO_LARGE, TOO_DEEP.
        """
        end = len(chunk)
        held = self._held
        if self._state is _BETWEEN:
            pos = _SPACE.match(chunk, pos).end()  # type: ignore[union-attr]
            if pos == end:
                return None
            if chunk[pos] != 0x7B and chunk[pos] != 0x5B:
                raise Failure(
                    ErrorKind.INVALID_JSON,
                    self._base + pos,
                    expected=Expected.OPENING_BRACKET,
                    found=chunk[pos],
                )
            self._origin.offset = self._base + pos
            self._state = _VALUE
        # The scan stops before the first byte too many; a value that ends there is complete.
        stop = min(end, pos + self._limit - len(held))
        close = self.scan(chunk, pos, stop)
        if close is None:
            if stop < end:
                raise Failure(ErrorKind.FRAME_TOO_LARGE, self._base + stop, limit=self._limit)
            held += chunk[pos:]
            return None
        if held:
            held += chunk[pos:close]
            self._frame.payload = bytes(held)
            self._held = bytearray()
        else:
            self._frame.payload = chunk[pos:close]
        self._state = _BETWEEN
        self.position = close
        return self._frame

    def scan(self, chunk: bytes, begin: int, stop: int) -> int | None:
        """Continues in the value from `begin` to `stop`: where it ends, or None."""
        pos = begin
        stack = self._open
        state = self._state
        while pos < stop:
            if state is not _VALUE:
                if state is _ESCAPE:
                    pos += 1
                scanned = pos
                pos = _TO_QUOTE.match(chunk, pos, stop).end()  # type: ignore[union-attr]
                self.examined += pos - scanned
                if pos >= stop:
                    state = _STRING
                    break
                pos += 1
                if chunk[pos - 1] == 0x5C:  # the byte it escapes is not here yet
                    state = _ESCAPE
                    break
                state = _VALUE
            scanned = pos
            pos = _TO_BRACKET.match(chunk, pos, stop).end()  # type: ignore[union-attr]
            self.examined += pos - scanned + 1
            if pos == stop:
                break
            byte = chunk[pos]
            pos += 1
            if byte == 0x22:
                self.examined += stop - pos + 1  # the token that did not end
                state = _STRING
            elif byte == 0x7B or byte == 0x5B:
                if len(stack) == self._max_depth:
                    raise Failure(ErrorKind.TOO_DEEP, self._base + pos - 1, limit=self._max_depth)
                stack.append(byte)
            elif stack[-1] != _OPENER[byte]:
                raise self.mismatch(chunk[begin:pos])
            else:
                stack.pop()
                if not stack:
                    return pos
        self._state = state
        return None

    def mismatch(self, part: bytes) -> Failure:
        """A bracket closed what was not open: the first error so far, at the latest that bracket."""
        error = first_error(bytes(self._held + part))
        assert error is not None
        return error.at(self._origin.locate(error.position))


class JSONStreamParser(Parser[bytes]):
    """Bytes to complete, valid JSON objects and arrays.

    Args:
        max_frame_bytes: most bytes of one value.
        max_depth: most open containers.

    Raises:
        TypeError, ValueError: an argument of another type or outside 1 to 2**62.
    """

    __slots__ = ("_bom", "_framer")
    __module__ = "hangang"

    def __init__(self, *, max_frame_bytes: int = DEFAULT_FRAME_BYTES, max_depth: int = DEFAULT_DEPTH) -> None:
        super().__init__()
        limit = check_limit("max_frame_bytes", max_frame_bytes)
        self._framer = JSONFramer(limit, check_limit("max_depth", max_depth))
        self._bom = Bom()

    def feed(self, chunk: Chunk) -> list[bytes]:
        """The values that this chunk completes, as the bytes received; `b""` completes none.

        Raises:
            ParseError: a value is not valid, too large or too deep, or not separated by white space only.
            ValueError: after `close()`.
            RuntimeError: another thread is inside this parser.
            TypeError: `chunk` is not bytes, bytearray or a contiguous memoryview of bytes.
        """
        data = self._take(chunk)
        try:
            out: list[bytes] = []
            try:
                self._advance(data, out)
            except Failure as failure:
                caught = failure
            else:
                return out
            self._fail(caught, out, "")
        finally:
            self._lock.release()

    def _advance(self, chunk: bytes, out: list[bytes]) -> None:
        base = self._fed
        self._fed = base + len(chunk)
        pos = 0
        if not self._bom.done:
            if self._bom.skip(chunk) is BomState.INCOMPLETE:
                return
            pos = self._bom.position
            if self._bom.taken:  # half a byte order mark may not precede a value
                found = self._bom.taken[0]
                raise Failure(ErrorKind.INVALID_JSON, 0, expected=Expected.OPENING_BRACKET, found=found)
        framer = self._framer
        framer.begin_chunk(base)
        while (frame := framer.next_frame(chunk, pos)) is not None:
            pos = framer.position
            self._examined += len(frame.payload)
            try:
                validate(frame.payload)
            except FrameError as error:
                raise error.at(frame.locate(error.position)) from None
            out.append(frame.payload)
        self._examined += framer.examined
        framer.examined = 0

    def _finish(self, out: list[bytes]) -> None:
        if self._bom.held():
            raise Failure.truncated(self._fed, Missing.REST_OF_BOM)
        if not self._framer.is_between_frames():
            raise Failure.truncated(self._fed, Missing.REST_OF_VALUE)

    def _drop(self) -> None:
        self._framer = JSONFramer(1, 1)

    def _pending(self) -> int:
        return self._framer.pending + self._bom.held()
