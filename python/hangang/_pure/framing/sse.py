"""SSE framing: bytes split anywhere to WHATWG events.

Invariants:
1. A line ends at CR LF, LF or CR. A lone CR ends it at once; if the next byte, maybe of the next chunk, is
   LF, it belongs to that CR.
2. A line is `field`, `field:value` or `field: value`; one space after the colon is not part of the value. A
   line that begins with a colon is a comment.
3. A blank line commits the last event id, and dispatches if there was a `data` line, even an empty one.
   Values of several `data` lines are joined by LF.
4. `id` with a NUL is ignored, `retry` counts only when all digits; both outlive the event.
5. A line of N bytes passes, and joined data of N bytes; byte N + 1 is the error, at once, also of an
   unfinished line. The joining LF is charged when the colon of the next `data:` is there.
6. Only the unfinished line and the data of the unfinished event are held; a byte of a line is never searched
   again for its end.

How it differs from `sse.rs`: a chunk is announced once (`begin_chunk`). `next_frame` splits lines itself,
`on_line` reads the field and `on_blank_line` dispatches, without a `next_line`, `read_field` and `dispatch`:
a Python call a line is a tenth of the whole cost. Which frames a template may be made of (`Eligibility`
there) is found out when one is learnt, from the bytes before its payload.
"""

from __future__ import annotations

from ..base import DEFAULT_FRAME_BYTES, Chunk, Parser, check_limit
from ..error import ErrorKind, Failure, FrameError
from ..json import validate
from ..value import Value, field, value
from .bom import Bom, BomState
from .frame import DataLines, Offset, RawFrame

_DIGITS = frozenset(b"0123456789")
_RETRY_MAX = 2**64 - 1
_FIELDS = (b"data:", b"event:", b"id:", b"retry:", b":")


@value()
class ServerSentEvent(Value):
    """One server-sent event."""

    event: str = field("The event's name.", default="message")
    data: str = field("The data lines, joined by LF.", default="")
    id: str = field("The last event ID.", default="")


class SSEFramer:
    """The state machine: `begin_chunk` announces a chunk, each `next_frame` continues to the next dispatch.

    With `object_depth`, a line that is one valid JSON object within that depth, and the
    value of a field `error` that is one, is a frame of its own ([design §5.2]): servers write errors there.
    It is handed out at its line's end, inside whatever frame it interrupts, and neither opens nor ends one.

    Attributes:
        position: where in the chunk the frame handed out last ends.
        id: the last event id, as the last blank line committed it.
        retry: the reconnection time in milliseconds, None at first.
        examined: bytes looked at since the parser last asked, beside the search for line ends.
        came: whether there was a line that is neither data, nor a comment, nor white space.
    """

    __slots__ = (
        "_after_cr",
        "_base",
        "_cr",
        "_data",
        "_data_size",
        "_frame",
        "_held",
        "_lf",
        "_limit",
        "_line_offset",
        "_lines",
        "_name",
        "_object_depth",
        "_open",
        "_outside",
        "_pending_id",
        "came",
        "examined",
        "id",
        "position",
        "retry",
    )

    def __init__(self, max_frame_bytes: int, object_depth: int = 0) -> None:
        self._limit = max_frame_bytes
        self._object_depth = object_depth
        self._base = 0  # offset of the chunk in the stream
        self._lf = -1  # next LF and next CR of the chunk, so that none is searched for twice
        self._cr = -1
        # The last byte was a CR: if an LF follows, maybe in the next chunk, it is the second half of a CR LF.
        self._after_cr = False
        self._held = bytearray()  # the unfinished line, from earlier chunks
        self._line_offset = 0  # the line's offset in the stream
        self._lines = DataLines()
        self._frame = RawFrame(self._lines)
        self._outside = RawFrame(Offset())  # an object on a line of its own, handed out inside another frame
        self._data = bytearray()  # joined data, from the second data line on; one line is held by the frame
        self._data_size = -1  # bytes of joined data; -1: no data line yet, so that size + 1 is right
        self._name = b""
        self._pending_id: bytes | None = None  # last id seen, not yet committed by a blank line
        self._open = False  # since the last blank line there was a line that is not a comment
        self.position = 0
        self.id = ""
        self.retry: int | None = None
        self.came = False
        self.examined = 0

    def begin_chunk(self, base: int) -> bool:
        """The next chunk's first byte has the offset `base` in the stream; as `is_between_frames`."""
        self._base = base
        self._lf = self._cr = -1
        return not (self._open or self._held or self._after_cr)

    def indent(self, count: int, offset: int) -> None:
        """The first line began with `count` bytes of white space, at `offset`."""
        self._held += b" " * count
        self._line_offset = offset

    def is_between_frames(self) -> bool:
        """Whether the next byte begins an event: nothing is held, no LF is awaited."""
        return not (self._open or self._held or self._after_cr)

    @property
    def pending(self) -> int:
        """Bytes held of an unfinished event."""
        return len(self._held) + max(self._data_size, 0) + len(self._name)

    def next_frame(self, chunk: bytes, pos: int) -> RawFrame | None:
        """Continues from `pos` to the next dispatch; None if the chunk is used up without one.

        Raises:
            Failure: FRAME_TOO_LARGE.
        """
        end = len(chunk)
        if self._after_cr and pos < end:
            self._after_cr = False
            if chunk[pos] == 0x0A:
                pos += 1
        held = self._held
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
            if stop == end:
                self.hold_tail(chunk, pos)
                return None
            if held:
                held += chunk[pos:stop]
                line = bytes(held)
                held.clear()
            else:
                self._line_offset = self._base + pos
                line = chunk[pos:stop]
            pos = stop + 1
            if stop == cr:
                if pos == end:
                    self._after_cr = True  # this CR may be half of a CR LF that the chunk's end cut
                elif chunk[pos] == 0x0A:
                    pos += 1
            if line:
                if self.on_line(line, self._base + stop):
                    self.position = pos
                    return self._outside
            elif (frame := self.on_blank_line()) is not None:
                self.position = pos
                return frame
        return None

    def hold_tail(self, chunk: bytes, pos: int) -> None:
        """The line at `pos` continues in the next chunk."""
        held = self._held
        if not held:
            self._line_offset = self._base + pos
        held += chunk[pos:]
        if len(held) + self._data_size >= self._limit:
            self.check_limit(held, False)

    def check_limit(self, line: bytes | bytearray, complete: bool) -> None:
        """Raises Failure (FRAME_TOO_LARGE) if the line, complete or not, has a byte too many.

        The offset is that of the first byte at which a reader of single bytes would notice.
        """
        limit = allowed = self._limit
        has_colon = line[:5] == b"data:"
        if has_colon or (complete and line == b"data"):
            room = limit - self._data_size - 1  # for this line's value, after the LF that joins it
            if room < 0 and limit >= len(line[:5]):
                # The joining LF counts as the terminator of the line before.
                raise Failure(ErrorKind.FRAME_TOO_LARGE, self._lines.terminator, limit=limit)
            if has_colon:
                allowed = min(limit, (6 if line[5:6] == b" " else 5) + room)
        if len(line) > allowed:
            raise Failure(ErrorKind.FRAME_TOO_LARGE, self._line_offset + allowed, limit=limit)

    def on_line(self, line: bytes, terminator: int) -> bool:
        """A line that is not blank, its terminator at that offset: one field, as WHATWG interprets it.

        Returns:
            Whether the line is an object of its own, which is then in `_outside`.
        """
        if len(line) + self._data_size >= self._limit:
            self.check_limit(line, True)
        name, _, value = line.partition(b":")
        if not name:
            return False  # a comment: counts only as a line
        if value[:1] == b" ":
            value = value[1:]
        if name == b"data":
            self.on_data(value, terminator)
        elif name == b"event":
            self._name = value
            self.came = True
        elif name == b"id":
            self.came = True
            if b"\0" not in value:
                self._pending_id = value
        elif self._object_depth and self.outside_frame(line, name, value, terminator):
            return True
        else:
            self.came = self.came or bool(line.strip(b" \t"))
            if name == b"retry" and value and _DIGITS.issuperset(value):
                digits = value.lstrip(b"0")
                self.retry = _RETRY_MAX if len(digits) > 20 else min(int(digits or b"0"), _RETRY_MAX)
        self._open = True
        return False

    def outside_frame(self, line: bytes, name: bytes, value: bytes, terminator: int) -> bool:
        """Puts a line's object into `_outside`; False if it has none: then it is an unknown field."""
        if line[0] == 0x7B:
            payload, event = line, b""
        elif name == b"error" and value[:1] == b"{":
            payload, event = value, name
        else:
            return False
        self.examined += len(payload)
        try:
            validate(payload, self._object_depth)
        except FrameError:
            return False
        outside = self._outside
        outside.payload, outside.name, outside.id = payload, event, self.id
        outside.origin = Offset(terminator - len(payload))
        return True

    def on_data(self, value: bytes, terminator: int) -> None:
        """A `data` line: the first is held as it is, more are joined."""
        lines = self._lines
        offset = terminator - len(value)
        if self._data_size < 0:
            if lines.lengths:
                lines.lengths.clear()
            lines.first = lines.value = offset
            lines.terminator = terminator
            self._frame.payload = value
            self._data_size = len(value)
            return
        if not self._data:
            self._data += self._frame.payload
        self._data += b"\n"
        self._data += value
        self._data_size = len(self._data)
        lines.push(offset, terminator)

    def on_blank_line(self) -> RawFrame | None:
        """Commits the id, and hands out the event if there is one."""
        if self._pending_id is not None:
            self.id = self._pending_id.decode("utf-8", "replace")
            self._pending_id = None
        self._open = False
        name = self._name
        self._name = b""
        if self._data_size < 0:
            return None
        self._data_size = -1
        frame = self._frame
        if self._data:
            frame.payload = bytes(self._data)
            self._data.clear()
        frame.name = name
        frame.id = self.id
        return frame

    def finish(self, fed: int) -> LastFrames:
        """The stream ends after `fed` bytes, and its end ends the line ([design §4] rule 5)."""
        line = bytes(self._held)
        self._held.clear()
        last = LastFrames()
        is_data = line[:5] == b"data:" or line == b"data"
        last.is_inside = self._data_size >= 0 or (
            bool(line) and any(line.startswith(field) or field.startswith(line) for field in _FIELDS)
        )
        # An unterminated comment is nothing between frames; inside one the stream was cut.
        if line and (line[0] != 0x3A or self._open):
            try:
                if self.on_line(line, fed):
                    last.outside = self._outside
                elif not is_data:
                    last.is_truncated = True
            except Failure:
                last.is_truncated = True
        if self._open and (last.is_truncated or self._data_size < 0):
            last.is_truncated = True
        else:
            last.frame = self.on_blank_line()
        return last


class LastFrames:
    """What the end of a stream leaves.

    Attributes:
        outside: an object on an unterminated line of its own.
        frame: an event without its blank line, which counts if its data is complete.
        is_truncated: the stream ended inside an event that cannot be one.
        is_inside: it ended after an event's `data` line, or inside a line that may be a field or a comment.
    """

    __slots__ = ("frame", "is_inside", "is_truncated", "outside")

    def __init__(self) -> None:
        self.outside: RawFrame | None = None
        self.frame: RawFrame | None = None
        self.is_truncated = False
        self.is_inside = False


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
        self._bom = Bom()

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
                self._advance(data, out)
            except Failure as failure:
                caught = failure
            else:
                return out
            self._fail(caught, out)
        finally:
            self._lock.release()

    def _advance(self, chunk: bytes, out: list[ServerSentEvent]) -> None:
        base = self._fed
        self._fed = base + len(chunk)
        pos = 0
        if not self._bom.done:
            if self._bom.skip(chunk) is BomState.INCOMPLETE:
                return
            pos = self._bom.position
            if self._bom.taken:  # it was no BOM: its bytes begin the first line after all
                chunk = self._bom.taken + chunk
                base = 0
        self._examined += len(chunk) - pos
        framer = self._framer
        framer.begin_chunk(base)
        while (frame := framer.next_frame(chunk, pos)) is not None:
            pos = framer.position
            out.append(
                ServerSentEvent(
                    frame.name.decode("utf-8", "replace") or "message",
                    frame.payload.decode("utf-8", "replace"),
                    frame.id,
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
        return self._framer.pending + self._bom.held()

    @property
    def last_event_id(self) -> str:
        """The last event ID, as committed by the last blank line; `""` at first."""
        return self._framer.id

    @property
    def retry(self) -> int | None:
        """Reconnection time in milliseconds, as last set by the stream; None at first."""
        return self._framer.retry
