"""The parser of any dialect: finds the framing, drives it, and applies the rules of error.

Invariants:
1. A frame is validated once, when it is complete, and becomes an event of the dialect.
2. With `errors="report"` a frame that was delimited and found invalid becomes `Malformed`; limits, garbage
   between values, a bracket mismatch and truncation stay fatal.
3. `feed_text` gives text only, and defers the last event of a few kinds to `close()`. Deferred events are
   older than what any later call completes, so they come first.
4. A payload of white space is a keep-alive, and `[DONE]` may have white space around it ([design §5.1]).
5. `close()` gives the deferred events, then an SSE event that lacks only its blank line, then text held
   back. A stream without any event of the dialect is not recognized; else the dialect decides whether the
   stream may end here.
6. After an error nothing is parsed any more: every call raises a new equal error.

What is predicted is examined once, like what is searched for line ends.
"""

from __future__ import annotations

import os
import re
from typing import Any, ClassVar, Generic, Literal, TypeVar

from .base import (
    DEFAULT_DEPTH,
    DEFAULT_FRAME_BYTES,
    OVERLAPPING,
    Chunk,
    Parser,
    check_limit,
    to_bytes,
)
from .dialect import Dialect
from .dialects.wire import Malformed
from .error import ErrorKind, Failure, FrameError, Missing
from .framing.detect import Detected, Detector, Framing
from .framing.frame import RawFrame
from .framing.json_stream import JSONFramer
from .framing.sse import SSEFramer
from .json import first_error, skip_space
from .predict.template import MAX_TEMPLATE_BYTES, Template, Templates, lead_of
from .service import WINDOW, look_of
from .value import Event

E = TypeVar("E", bound=Event)

_DONE = b"[DONE]"
_BLANK = b" \t\n"  # a payload holds no CR
_REPORTED = (ErrorKind.INVALID_JSON, ErrorKind.INVALID_UTF8)


ARGUMENTS = """\
Args:
    max_frame_bytes: most bytes of one JSON value, or of one SSE line and of an event's data.
    max_depth: most open containers in one frame.
    errors: `strict` raises at a bad frame, `report` yields `Malformed` and continues."""

RAISES = """\
Raises:
    TypeError, ValueError: an argument of another type or value."""


class StreamParser(Parser[E | Malformed], Generic[E]):
    """Base of the four `StreamParser` classes; `ARGUMENTS` describes those of its constructor."""

    __slots__ = (
        "_came",
        "_deferred",
        "_detector",
        "_dialect",
        "_head",
        "_json",
        "_known",
        "_max_depth",
        "_max_frame",
        "_report",
        "_sse",
        "_templates",
    )

    #: The dialect of its streams.
    _dialect_class: ClassVar[type[Dialect[Any]]]

    def __init__(
        self,
        *,
        max_frame_bytes: int = DEFAULT_FRAME_BYTES,
        max_depth: int = DEFAULT_DEPTH,
        errors: Literal["strict", "report"] = "strict",
    ) -> None:
        super().__init__()
        self._max_frame = check_limit("max_frame_bytes", max_frame_bytes)
        self._max_depth = check_limit("max_depth", max_depth)
        if errors not in ("strict", "report"):
            raise ValueError(f"errors must be 'strict' or 'report', not {errors!r}")
        self._report = errors == "report"
        self._dialect: Dialect[E] = self._dialect_class()
        self._deferred: dict[type[Event], Event] = {}  # by feed_text, in order of arrival
        self._known = False  # an event of the dialect was among the stream
        self._came = False  # a frame was, of whatever kind
        self._head = bytearray()  # the stream's first bytes, until an event is known: what does it look like?
        # Exactly one of the three is there, until the stream has ended or failed.
        self._detector: Detector | None = Detector(self._max_frame, self._dialect.strict_first_byte)
        self._sse: SSEFramer | None = None
        self._json: JSONFramer | None = None
        self._templates: Templates | None = None
        if os.environ.get("HANGANG_PREDICT") != "0":
            self._templates = Templates()

    # -- calls -----------------------------------------------------------------------------------

    def feed(self, chunk: Chunk) -> list[E | Malformed]:
        """The events that this chunk completes; `b""` completes none.

        Raises:
            ParseError: the stream is not what the format allows; `.events` are those completed
                before the error, `.offset` is its position in all bytes fed.
            ValueError: after `close()`.
            RuntimeError: another thread is inside this parser.
            TypeError: `chunk` is not bytes, bytearray or a contiguous memoryview of bytes.
        """
        data = chunk if type(chunk) is bytes else to_bytes(chunk)
        if not self._lock.acquire(False):
            raise RuntimeError(OVERLAPPING)
        try:
            if not self._ready:
                self._refuse()
            out: list[E | Malformed] = []
            try:
                if data:
                    self._advance(data, out, False)
            except Failure as failure:
                caught = failure
            else:
                return out
            # feed_text may have deferred events to close(), which will not give them any more.
            self._fail(caught, [*self._take_deferred(), *out, *self._take_held()])
        finally:
            self._lock.release()

    def feed_text(self, chunk: Chunk) -> str:
        """The answer text that this chunk completes, joined: the fastest way through.

        `Result`, `Error`, `Done`, the last `Task` and the last `StatusUpdate` come out of `close()`, and text
        that `thinking_tags` held back at an end. Raises as `feed` does; an error carries the text in `.text`,
        and in `.events` what `close()` would have returned.
        """
        data = chunk if type(chunk) is bytes else to_bytes(chunk)
        if not self._lock.acquire(False):
            raise RuntimeError(OVERLAPPING)
        try:
            if not self._ready:
                self._refuse()
            out: list[str] = []
            try:
                if data:
                    self._advance(data, out, True)
            except Failure as failure:
                caught = failure
            else:
                return "".join(out)
            self._fail(caught, [*self._take_deferred(), *self._take_held()], "".join(out))
        finally:
            self._lock.release()

    # -- one chunk -------------------------------------------------------------------------------

    def _take_deferred(self) -> list[Event]:
        """The events that `feed_text` has deferred, in order of arrival."""
        deferred = list(self._deferred.values())
        self._deferred.clear()
        return deferred

    def _take_held(self) -> list[Event]:
        """The text that the dialect holds back, at an error or at the end."""
        held = self._dialect.flush()
        return [] if held is None else [held]

    def _advance(self, chunk: bytes, out: list[Any], text_only: bool) -> None:
        """Takes all that the chunk completes: events to `out`, or with `text_only` their text."""
        base = self._fed
        self._fed = base + len(chunk)
        if not self._known:
            self._head += chunk[: WINDOW - len(self._head)]
        pos = 0
        sse = self._sse
        if sse is None:
            if self._json is None:
                detected = self._detect(chunk, base)
                if detected.framing is Framing.INCOMPLETE:
                    return
                chunk, base, pos = detected.chunk, detected.base, detected.position
                sse = self._sse
            if self._json is not None:
                self._advance_json(self._json, chunk, base, pos, out, text_only)
                return
            assert sse is not None
        end = len(chunk)
        self._examined += end - pos
        templates = self._templates
        is_between = sse.begin_chunk(base)
        while True:
            start = -1  # where a frame begins of which a template may be made
            if is_between and templates is not None:
                if templates.items:
                    make = None if text_only else self._dialect.predicted
                    pos = templates.read_frames(chunk, pos, sse, out.append, make)
                    if pos == end:
                        return
                start = pos
            frame = sse.next_frame(chunk, pos)
            if sse.examined:
                self._examined += sse.examined
                sse.examined = 0
            if frame is None:
                return
            pos = sse.position
            is_between = sse.is_between_frames()
            event = self._parse_event(frame)
            if event is not None:
                self._deliver(event, out, text_only)
                if start >= 0 and templates is not None and templates.budget.may_learn():
                    self._learn_sse(event, frame, chunk, start, pos, base)

    def _detect(self, chunk: bytes, base: int) -> Detected:
        """Looks for the framing; when it is known, the framer is there."""
        assert self._detector is not None
        detected = self._detector.feed(chunk, base)
        if detected.framing is not Framing.INCOMPLETE:
            self._examined += self._detector.examined
            self._detector = None
            if detected.framing is Framing.JSON:
                self._json = JSONFramer(self._max_frame, self._max_depth)
            else:
                self._sse = SSEFramer(self._max_frame, self._max_depth)
                if detected.indent:
                    offset = detected.base + detected.position - detected.indent
                    self._sse.indent(detected.indent, offset)
        return detected

    def _advance_json(
        self, framer: JSONFramer, chunk: bytes, base: int, pos: int, out: list[Any], text_only: bool
    ) -> None:
        end = len(chunk)
        templates = self._templates
        make = None if text_only else self._dialect.predicted
        framer.begin_chunk(base)
        while True:
            whole = False
            if templates is not None and framer.is_between_frames():
                whole = True
                if templates.items:
                    start = pos
                    if chunk[pos : pos + 1] != b"{":
                        pos = skip_space(chunk, pos)
                    pos = templates.read_frames(chunk, pos, framer, out.append, make)
                    framer.examined += pos - start
                    if pos == end:
                        break
            frame = framer.next_frame(chunk, pos)
            if frame is None:
                break
            pos = framer.position
            payload = frame.payload
            if (
                not whole
                and templates is not None
                and templates.items
                # It lay in several chunks, so only its validation can be saved.
                and templates.read_frames(payload, 0, framer, out.append, make)
            ):
                self._examined += len(payload)
                continue
            event = self._parse_frame(frame, 0)
            if event is not None:
                self._deliver(event, out, text_only)
                if templates is not None and templates.budget.may_learn():
                    self._learn(event, None, payload, b"")
        self._examined += framer.examined
        framer.examined = 0

    def _parse_event(self, frame: RawFrame) -> E | Malformed | None:
        """The event of an SSE frame; None for a keep-alive, and for what means nothing to the dialect."""
        payload = frame.payload.strip(_BLANK)
        if not payload:
            return None
        self._came = True
        if payload == _DONE:
            return self._dialect.done(frame)
        return self._parse_frame(frame, self._max_depth)

    def _parse_frame(self, frame: RawFrame, max_depth: int) -> E | Malformed | None:
        """The event of a frame; where invalid frames are reported, theirs."""
        payload = frame.payload
        self._examined += len(payload)
        try:
            return self._dialect.decode(frame, max_depth)
        except FrameError as error:
            error.__traceback__ = error.__context__ = None  # variables of their frames hold the error
            failure = error.at(frame.locate(error.position))
        if self._report and failure.kind in _REPORTED:
            return Malformed(payload, failure.to_error())
        raise failure

    def _deliver(self, event: Event, out: list[Any], text_only: bool) -> None:
        dialect = self._dialect
        kind = type(event)
        if not self._known and kind not in dialect.unknown:
            self._known = True
            self._head.clear()
        if kind in dialect.flushed_by:
            held = dialect.flush()
            if held is not None:
                self._deliver_held(held, out, text_only)
        if not text_only:
            out.append(event)
            return
        if event.text:
            out.append(event.text)
        if kind in dialect.deferred:
            self._deferred.pop(kind, None)
            self._deferred[kind] = event

    def _deliver_held(self, held: Event, out: list[Any], text_only: bool) -> None:
        """Text that was held back. `feed_text` defers it once; more would let a stream fill the memory."""
        if not text_only:
            out.append(held)
        elif type(held) not in self._deferred:
            self._deferred[type(held)] = held
        else:
            out.append(held.text)

    def _learn_sse(self, event: Any, frame: RawFrame, chunk: bytes, start: int, end: int, base: int) -> None:
        """Makes a template of the frame that is in `chunk` from `start` to `end`."""
        payload_start = frame.locate(0) - base
        trailer = chunk[payload_start + len(frame.payload) : end]
        if trailer in (b"\n\n", b"\r\n\r\n"):
            lead = lead_of(chunk, start, payload_start)
            if lead is not None and end - start <= MAX_TEMPLATE_BYTES:
                self._learn(event, lead, frame.payload, trailer)

    def _learn(self, event: Any, lead: re.Match[bytes] | None, payload: bytes, trailer: bytes) -> None:
        if len(payload) > MAX_TEMPLATE_BYTES or type(event) is Malformed:
            return
        holes = self._dialect.holes(event, payload)
        if holes is not None:
            assert self._templates is not None
            self._templates.learn(Template(holes, lead, payload, trailer, self._max_frame))

    # -- the end ---------------------------------------------------------------------------------

    def _finish(self, out: list[Any]) -> None:
        out += self._take_deferred()
        missing: Missing | None = None
        is_inside = False
        if self._detector is not None:
            if self._detector.finish():
                missing = Missing.REST_OF_BOM
        elif self._json is not None:
            self._came = True
            if not self._json.is_between_frames():
                is_inside = True
                missing = Missing.REST_OF_VALUE
        elif self._sse is not None:
            last = self._sse.finish(self._fed)
            is_inside = last.is_inside
            self._came = self._came or self._sse.came
            for frame in (last.outside, last.frame):
                if frame is not None and not self._finish_frame(frame, out):
                    last.is_truncated = True
            if last.is_truncated:
                missing = Missing.BLANK_LINE
        out += self._take_held()
        if self._came and not self._known and not is_inside:
            service = self._dialect.service
            raise Failure.unrecognized(self._fed, service.title, look_of(bytes(self._head), service))
        missing = missing or self._dialect.missing()
        if missing is not None:
            raise Failure.truncated(self._fed, missing)

    def _finish_frame(self, frame: RawFrame, out: list[Any]) -> bool:
        """A last frame without its blank line: delivered if its data is complete, False if it is cut."""
        payload = frame.payload.strip(_BLANK)
        if payload and payload != _DONE:
            self._examined += len(payload)
            if payload[:1] != b"{" or first_error(frame.payload, self._max_depth) is not None:
                return False
        event = self._parse_event(frame)
        if event is not None:
            self._deliver(event, out, False)
        return True

    def _drop(self) -> None:
        self._detector = self._sse = self._json = None
        self._deferred.clear()
        self._head.clear()
        self._dialect.release()

    def _pending(self) -> int:
        if self._sse is not None:
            return self._sse.pending
        if self._json is not None:
            return self._json.pending
        return self._detector.pending if self._detector is not None else 0
