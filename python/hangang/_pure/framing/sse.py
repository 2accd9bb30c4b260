"""SSE framing: bytes cut anywhere to WHATWG events.

Rules:
1. A line ends at CR LF, LF or CR. A lone CR ends it at once; if the next byte, maybe of the next
   chunk, is LF, it belongs to that CR.
2. A line is `field`, `field:value` or `field: value`; one space after the colon is no data.
   A line that begins with a colon is a comment.
3. A blank line commits the last event id, and dispatches if there was a `data` line, even an empty
   one. Values of several `data` lines are joined by LF.
4. `id` with a NUL is ignored, `retry` counts only when all digits; both outlive the event.
5. A line of N bytes passes, and joined data of N bytes; byte N + 1 is the fault, at once, also of a
   line that is not finished. The joining LF is charged when the colon of the next `data:` comes.
6. Only the unfinished line and the data of the unfinished event are held; a byte of a line is never
   searched again for its end.
"""

from __future__ import annotations

from .. import error as e
from ..base import DEFAULT_FRAME_BYTES, Chunk, Parser, check_limit
from ..error import Fault
from ..value import Value, field, value

BOM = b"\xef\xbb\xbf"
_DIGITS = frozenset(b"0123456789")
_RETRY_MAX = 2**64 - 1


@value()
class ServerSentEvent(Value):
    """One event of an SSE stream."""

    event: str = field("The event's name, `message` if the stream gave none.", default="message")
    data: str = field("The joined values of its `data` lines, ill-formed UTF-8 as U+FFFD.", default="")
    id: str = field('The last event id as of this event, `""` if there was none yet.', default="")


class SSEFramer:
    """The state machine. `begin` announces a chunk, each `step` goes on to the next dispatch.

    After a dispatch `payload`, `name` and `id` are the event's, and `offset_of` maps an offset of
    the payload to one of the stream, until the next `step`.
    """

    __slots__ = (
        "_at",
        "_base",
        "_cr",
        "_first_at",
        "_id_bytes",
        "_lf",
        "_limit",
        "_line_at",
        "_more",
        "_name",
        "_size",
        "_term",
        "_values",
        "after_cr",
        "held",
        "id",
        "name",
        "open",
        "payload",
        "retry",
    )

    def __init__(self, max_frame_bytes: int) -> None:
        self._limit = max_frame_bytes
        self._base = 0  # offset of the chunk in the stream
        self._lf = -1  # next LF and next CR of the chunk, so that none is searched for twice
        self._cr = -1
        self.after_cr = False  # an LF that comes next is the second half of a CR LF
        self.held = bytearray()  # the unfinished line, from earlier chunks
        self._line_at = 0  # its offset in the stream
        self._values = bytearray()  # joined data, from the second data line on
        self._size = -1  # bytes of joined data; -1: no data line yet, so that size + 1 is right
        self._first_at = 0  # offset in the stream of the first data value
        self._at = 0  # that of the last data value, and of its terminator
        self._term = 0
        # Of each data line but the last: its value's length, and the bytes up to the next value, seven
        # bits a byte. A frame of many empty lines must not cost more memory than its bytes did.
        self._more = bytearray()
        self._name = b""
        self._id_bytes: bytes | None = None  # last id seen, not yet committed by a blank line
        self.open = False  # since the last blank line there was a line that is no comment
        self.payload = b""
        self.name = b""
        self.id = ""
        self.retry: int | None = None

    def begin(self, base: int) -> None:
        """A new chunk comes, whose first byte has the offset `base` in the stream."""
        self._base = base
        self._lf = self._cr = -1

    def indent(self, count: int, at: int) -> None:
        """The first line began with `count` bytes of white space, at the offset `at`."""
        self.held += b" " * count
        self._line_at = at

    @property
    def clean(self) -> bool:
        """Whether the next byte begins an event: nothing is held, no LF is awaited."""
        return not (self.open or self.held or self.after_cr)

    @property
    def pending(self) -> int:
        return len(self.held) + max(self._size, 0) + len(self._name)

    def step(self, chunk: bytes, pos: int) -> int:
        """Goes on from `pos` to the next dispatch.

        Returns:
            The position after it, or -1 if the chunk is used up without one.

        Raises:
            Fault: SIZE, by rule 5.
        """
        end = len(chunk)
        if self.after_cr and pos < end:
            self.after_cr = False
            if chunk[pos] == 0x0A:
                pos += 1
        while pos < end:
            stop = self._lf
            if stop < pos:
                stop = chunk.find(b"\n", pos)
                if stop < 0:
                    stop = end
                self._lf = stop
            cr = self._cr
            if cr < pos:
                cr = chunk.find(b"\r", pos)
                if cr < 0:
                    cr = end
                self._cr = cr
            if cr < stop:
                stop = cr
            held = self.held
            if stop == end:  # the line goes on in the next chunk
                if not held:
                    self._line_at = self._base + pos
                held += chunk[pos:]
                if len(held) + self._size >= self._limit:
                    self._check(held)
                return -1
            if held:
                held += chunk[pos:stop]
                line = bytes(held)
                held.clear()
            else:
                self._line_at = self._base + pos
                line = chunk[pos:stop]
            pos = stop + 1
            if stop == cr:
                if pos == end:
                    self.after_cr = True  # this CR may be half of a CR LF cut by the chunk's end
                elif chunk[pos] == 0x0A:
                    pos += 1
            if line:
                self.line(line, self._base + stop)
            elif self._blank():
                return pos
        return -1

    def _check(self, line: bytes | bytearray) -> None:
        """Raises Fault (SIZE) if the line, finished or not, has a byte too many."""
        allowed = self._limit
        if line[:5] == b"data:":
            rest = allowed - self._size - 1  # data bytes this line may have, after its joining LF
            if rest < 0 and allowed >= 5:
                raise Fault(e.SIZE, self._term, limit=self._limit)
            allowed = min(allowed, (6 if line[5:6] == b" " else 5) + rest)
        if len(line) > allowed:
            raise Fault(e.SIZE, self._line_at + allowed, limit=self._limit)

    def line(self, line: bytes, term: int) -> None:
        """A line that is not blank has ended; its terminator stands at `term` in the stream."""
        if len(line) + self._size >= self._limit:
            self._check(line)
        head = line[:5]
        if head == b"data:":
            self._data(line[6:] if line[5:6] == b" " else line[5:], self._line_at + 5, line, term)
        elif line[0] == 0x3A:
            return  # a comment: keep-alive, counts only as a line
        elif head == b"event":
            rest = line[5:]
            if not rest:
                self._name = b""
            elif rest[0] == 0x3A:
                self._name = rest[2:] if rest[1:2] == b" " else rest[1:]
        elif head[:3] == b"id:" or line == b"id":
            value = line[4:] if head[3:4] == b" " else line[3:]
            if b"\0" not in value:
                self._id_bytes = value
        elif line == b"data":
            if self._size + 1 > self._limit:
                raise Fault(e.SIZE, self._term, limit=self._limit)
            self._data(b"", term, b"", term)
        elif head == b"retry":
            digits = line[7:] if line[5:7] == b": " else line[6:]
            if line[5:6] == b":" and digits and _DIGITS.issuperset(digits):
                digits = digits.lstrip(b"0")
                self.retry = _RETRY_MAX if len(digits) > 20 else min(int(digits or b"0"), _RETRY_MAX)
        self.open = True

    def _data(self, value: bytes, at: int, line: bytes, term: int) -> None:
        if line[5:6] == b" ":
            at += 1
        if self._size < 0:
            if self._more:
                del self._more[:]
            self.payload = value
            self._size = len(value)
            self._first_at = self._at = at
            self._term = term
            return
        if not self._more:
            self._values += self.payload
        self._values += b"\n"
        # The line before, as two small numbers: its value's length, and the bytes up to this value.
        for number in (self._term - self._at, at - self._term):
            while number >= 0x80:
                self._more.append(number & 0x7F | 0x80)
                number >>= 7
            self._more.append(number)
        self._at = at
        self._term = term
        self._values += value
        self._size = len(self._values)

    def _blank(self) -> bool:
        """A blank line: commits the id, and tells whether there is an event."""
        if self._id_bytes is not None:
            self.id = self._id_bytes.decode("utf-8", "replace")
            self._id_bytes = None
        dispatch = self._size >= 0
        if dispatch and self._values:
            self.payload = bytes(self._values)
            self._values.clear()
        self.name = self._name
        self._name = b""
        self._size = -1
        self.open = False
        return dispatch

    def end(self, fed: int) -> bool:
        """The stream ends here, and its end ends the line (rule 5 of error).

        Returns:
            Whether there is a last event to judge.

        Raises:
            Fault: TRUNCATED, the stream ends inside an event that cannot be one.
        """
        line = bytes(self.held)
        self.held.clear()
        truncated = Fault(e.TRUNCATED, fed, e.REST_OF_EVENT)
        # An unterminated comment is nothing between frames; inside one the stream was cut.
        if line and (line[0] != 0x3A or self.open):
            if line[:5] != b"data:" and line != b"data":
                raise truncated
            try:
                self.line(line, fed)
            except Fault:
                raise truncated from None
        if self.open and self._size < 0:
            raise truncated
        return self._blank()

    def offset_of(self, offset: int) -> int:
        """Offset in the stream of the byte at `offset` of the payload.

        The LF that joins two lines is the first line's terminator; the end of the payload is the
        last line's.
        """
        at = self._first_at
        numbers: list[int] = []
        number = shift = 0
        for byte in self._more:
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte >= 0x80:
                continue
            numbers.append(number)
            number = shift = 0
            if len(numbers) == 2:
                length, gap = numbers
                numbers.clear()
                if offset <= length:
                    return at + offset
                offset -= length + 1
                at += length + gap
        return min(self._at + offset, self._term)


class SSEParser(Parser[ServerSentEvent]):
    """Bytes to server-sent events, as WHATWG defines them.

    Args:
        max_frame_bytes: most bytes of one line, and of the joined data of one event.

    Raises:
        TypeError, ValueError: an argument of another type or outside 1 to 2**62.
    """

    __slots__ = ("_bom", "_framer")
    __module__ = "hangang"

    def __init__(self, *, max_frame_bytes: int = DEFAULT_FRAME_BYTES) -> None:
        super().__init__()
        self._framer = SSEFramer(check_limit("max_frame_bytes", max_frame_bytes))
        self._bom: bytes | None = b""  # an unfinished BOM at the start of the stream; None: past it

    def feed(self, chunk: Chunk) -> list[ServerSentEvent]:
        """The events that this chunk completes; `b""` completes none.

        Raises:
            LimitExceededError: a line or an event is too large.
            ValueError: after `close()`.
            RuntimeError: another thread is inside this parser.
            TypeError: `chunk` is not bytes, bytearray or a contiguous memoryview of bytes.
        """
        data = self._take(chunk)
        try:
            out: list[ServerSentEvent] = []
            try:
                self._push(data, out)
            except Fault as fault:
                caught = fault
            else:
                return out
            self._fail(caught, out)
        finally:
            self._lock.release()

    def _push(self, chunk: bytes, out: list[ServerSentEvent]) -> None:
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
            elif self._bom:  # it was no BOM: its bytes begin the first line after all
                chunk = self._bom + chunk
                base = 0
            self._bom = None
        self._examined += len(chunk) - pos
        framer = self._framer
        framer.begin(base)
        while (pos := framer.step(chunk, pos)) >= 0:
            out.append(
                ServerSentEvent(
                    framer.name.decode("utf-8", "replace") or "message",
                    framer.payload.decode("utf-8", "replace"),
                    framer.id,
                )
            )

    def _finish(self, out: list[ServerSentEvent]) -> None:
        """WHATWG: an unfinished event is discarded."""

    def _drop(self) -> None:
        # What the stream said of itself stays readable; what was held of an event goes.
        framer = SSEFramer(1)
        framer.id, framer.retry = self._framer.id, self._framer.retry
        self._framer = framer

    def _pending(self) -> int:
        return self._framer.pending + len(self._bom or b"")

    @property
    def last_event_id(self) -> str:
        """The last event id, as committed by the last blank line; `""` at first."""
        return self._framer.id

    @property
    def retry(self) -> int | None:
        """Reconnection time in milliseconds, as last set by the stream; None at first."""
        return self._framer.retry
