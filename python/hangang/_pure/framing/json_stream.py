"""Bare JSON framing: bytes cut anywhere to top-level JSON objects and arrays.

Rules:
1. Between values stand SP HT LF CR or nothing; `{` or `[` opens a value, any other byte is a fault.
2. Inside a value framing knows strings, escapes and the stack of brackets, nothing else; a value
   ends when the stack is empty, and is judged then, once.
3. A bracket that does not match its opener ends framing: the bytes so far are judged and the first
   fault in them is raised.
4. N bytes pass, byte N + 1 is the fault; D open containers pass, the opener of the next is the
   fault; at the same byte size wins. Both come before judging.
5. Only the unfinished value is held; the scan goes on where it stopped. A string that the chunk
   cuts is looked at twice: once as a whole token in vain, once as an open string.
"""

from __future__ import annotations

import re

from .. import error as e
from ..base import DEFAULT_DEPTH, DEFAULT_FRAME_BYTES, Chunk, Parser, check_limit
from ..error import Fault
from ..json import first_fault, judge
from .sse import BOM

_SPACE = re.compile(rb"[ \t\n\r]*+")
# Possessive, so that neither a long string nor many short ones fill the matcher's stack.
_TO_BRACKET = re.compile(rb'[^"\[\]{}]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"[^"\[\]{}]*+)*+', re.DOTALL)
_TO_QUOTE = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_OPENER = {0x7D: 0x7B, 0x5D: 0x5B}


class JSONFramer:
    """The state machine: each `step` goes on to the end of the next value, then in `payload`."""

    __slots__ = (
        "_escape",
        "_held",
        "_in_string",
        "_limit",
        "_max_depth",
        "_stack",
        "base",
        "examined",
        "payload",
        "start",
    )

    def __init__(self, max_frame_bytes: int, max_depth: int) -> None:
        self._limit = max_frame_bytes
        self._max_depth = max_depth
        self._held = bytearray()  # the unfinished value, from earlier chunks
        self._stack = bytearray()  # its open brackets
        self._in_string = False  # the chunk ended inside a string,
        self._escape = False  # and there right after a backslash
        self.base = 0  # offset of the chunk in the stream
        self.start = 0  # offset of the value in the stream
        self.payload = b""
        self.examined = 0

    @property
    def clean(self) -> bool:
        """Whether the next byte stands between values."""
        return not self._stack

    @property
    def pending(self) -> int:
        return len(self._held)

    def step(self, chunk: bytes, pos: int) -> int:
        """Goes on from `pos` to the end of the next value.

        Returns:
            The position after it, or -1 if the chunk is used up without one.

        Raises:
            Fault: JSON or UTF8 (garbage between values, a bracket that does not match), SIZE,
                DEPTH; the offset is the stream's.
        """
        end = len(chunk)
        stack = self._stack
        if not stack:
            pos = _SPACE.match(chunk, pos).end()  # type: ignore[union-attr]
            if pos == end:
                return -1
            if chunk[pos] != 0x7B and chunk[pos] != 0x5B:
                raise Fault(e.JSON, self.base + pos, e.BETWEEN, chunk[pos])
            self.start = self.base + pos
        begin = pos
        stop = min(end, begin + self._limit - len(self._held))
        in_string = self._in_string
        while True:
            if in_string:
                if self._escape and pos < stop:
                    self._escape = False
                    pos += 1
                scanned = pos
                pos = _TO_QUOTE.match(chunk, pos, stop).end()  # type: ignore[union-attr]
                self.examined += pos - scanned
                if pos < stop:
                    if chunk[pos] == 0x5C:  # the byte it escapes is not here yet
                        self._escape = True
                        pos += 1
                        break
                    pos += 1
                    in_string = False
                else:
                    break
            scanned = pos
            pos = _TO_BRACKET.match(chunk, pos, stop).end()  # type: ignore[union-attr]
            self.examined += pos - scanned + 1
            if pos == stop:
                break
            byte = chunk[pos]
            if byte == 0x22:
                self.examined += stop - pos  # the token that was tried in vain
                in_string = True
                pos += 1
            elif byte == 0x7B or byte == 0x5B:
                if len(stack) == self._max_depth:
                    raise Fault(e.DEPTH, self.base + pos, limit=self._max_depth)
                stack.append(byte)
                pos += 1
            else:
                pos += 1
                if stack[-1] != _OPENER[byte]:
                    fault = first_fault(bytes(self._held + chunk[begin:pos]))
                    assert fault is not None
                    raise fault.at(self.start + fault.offset)
                stack.pop()
                if not stack:
                    break
        if not stack and pos > begin:
            if self._held:
                self._held += chunk[begin:pos]
                self.payload = bytes(self._held)
                self._held = bytearray()
            else:
                self.payload = chunk[begin:pos]
            self._in_string = False
            return pos
        if stop < end:
            raise Fault(e.SIZE, self.base + stop, limit=self._limit)
        self._in_string = in_string
        self._held += chunk[begin:]
        return -1


class JSONStreamParser(Parser[bytes]):
    """Bytes to top-level JSON objects and arrays, unseparated or separated by white space.

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
        self._bom: bytes | None = b""  # an unfinished BOM at the start of the stream; None: past it

    def feed(self, chunk: Chunk) -> list[bytes]:
        """The values that this chunk completes, each the bytes of one valid object or array.

        Raises:
            InvalidJSONError, InvalidUTF8Error: a value is bad, or something else stands between.
            LimitExceededError: a value is too large or too deep.
            ValueError: after `close()`.
            RuntimeError: another thread is inside this parser.
            TypeError: `chunk` is not bytes, bytearray or a contiguous memoryview of bytes.
        """
        data = self._take(chunk)
        try:
            out: list[bytes] = []
            try:
                self._push(data, out)
            except Fault as fault:
                caught = fault
            else:
                return out
            self._fail(caught, out, "")
        finally:
            self._lock.release()

    def _push(self, chunk: bytes, out: list[bytes]) -> None:
        base = self._fed
        self._fed = base + len(chunk)
        pos = 0
        if self._bom is not None and chunk:
            head = self._bom + chunk[: 3 - len(self._bom)]
            if head == BOM:
                pos = 3 - len(self._bom)
            elif BOM.startswith(head):
                self._bom = head
                return
            elif self._bom:
                raise Fault(e.JSON, 0, e.BETWEEN, BOM[0])
            self._bom = None
        framer = self._framer
        framer.base = base
        while (pos := framer.step(chunk, pos)) >= 0:
            payload = framer.payload
            self._examined += len(payload)
            try:
                judge(payload)
            except Fault as fault:
                raise fault.at(framer.start + fault.offset) from None
            out.append(payload)
        self._examined += framer.examined
        framer.examined = 0

    def _finish(self, out: list[bytes]) -> None:
        if self._bom:
            raise Fault(e.TRUNCATED, self._fed, e.REST_OF_BOM)
        if not self._framer.clean:
            raise Fault(e.TRUNCATED, self._fed, e.REST_OF_VALUE)

    def _drop(self) -> None:
        self._framer = JSONFramer(1, 1)

    def _pending(self) -> int:
        return self._framer.pending + len(self._bom or b"")
