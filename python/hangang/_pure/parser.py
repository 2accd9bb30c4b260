"""The parser of any dialect: finds the framing, has frames judged, keeps the rules of error.

Rules:
1. After an optional BOM and white space, `{` means bare JSON, any other byte SSE from offset 0
   (EXAONE: only `:` or an ASCII letter). Leading white space is not held: its line would be an SSE
   line without meaning, so only its length matters.
2. A frame is judged once, when it is whole, and becomes an event of the dialect.
3. With `errors="report"` a frame that was delimited and judged bad becomes `Malformed`; limits,
   garbage between values, a bracket mismatch and truncation stay fatal.
4. `feed_text` gives text only, and keeps the last event of a few kinds for `close()`.
5. `close()` gives the kept events, then an SSE event that lacks only its blank line, and then asks
   whether the stream had shown an end.
6. After a fault nothing is parsed any more: every call raises a new equal error.
Dialects say how a frame becomes an event (`_event`), what `[DONE]` means and what ends a stream.
"""

from __future__ import annotations

import os
import re
from typing import Any, ClassVar, Generic, Literal, TypeVar

from . import error as e
from .base import (
    DEFAULT_DEPTH,
    DEFAULT_FRAME_BYTES,
    OVERLAPPING,
    Chunk,
    Parser,
    check_limit,
    to_bytes,
)
from .dialects.wire import Malformed
from .error import Fault, error_of
from .framing.json_stream import JSONFramer
from .framing.sse import BOM, SSEFramer
from .json import first_fault
from .predict.template import (
    MAX_BYTES,
    Holes,
    Template,
    Templates,
    counters,
    has_control,
    lead_of,
    string_end,
    unescape,
)
from .value import Event

E = TypeVar("E", bound=Event)

_SPACE = re.compile(rb"[ \t\n\r]*+")
_RUN = re.compile(rb"[ \t]++|[\r\n]++")
_LETTERS = frozenset(b":abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


class DialectParser(Parser[E | Malformed], Generic[E]):
    """Base of the four `StreamParser` classes.

    Args:
        max_frame_bytes: most bytes of one JSON value, or of one SSE line and of an event's data.
        max_depth: most open containers in one frame.
        errors: `strict` raises at a bad frame, `report` gives `Malformed` and goes on.

    Raises:
        TypeError, ValueError: an argument of another type or value.
    """

    __slots__ = (
        "_bom",
        "_ended",
        "_json",
        "_kept",
        "_max_depth",
        "_max_frame",
        "_report",
        "_space",
        "_space_limit",
        "_sse",
        "_templates",
    )

    # What a dialect sets.
    _not_ended: ClassVar[str]  # what close() expected when the stream had shown no end
    _keep: ClassVar[tuple[type[Event], ...]] = ()  # kinds that feed_text keeps for close()
    _letters_only = False  # EXAONE: an SSE stream begins with a colon or a letter

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
        self._ended = False  # the stream has shown an end
        self._kept: dict[type[Event], Event] = {}  # by feed_text, in order of arrival
        # Before the framing is known both framers are None.
        self._sse: SSEFramer | None = None
        self._json: JSONFramer | None = None
        self._bom: bytes | None = b""  # an unfinished BOM; None: past it
        self._space = 0  # bytes of white space on the current line
        self._space_limit: int | None = None  # where such a line passed max_frame_bytes
        self._templates: Templates | None = None
        if os.environ.get("HANGANG_PREDICT") != "0":
            self._templates = Templates()

    # -- what a dialect does ---------------------------------------------------------------------

    def _event(self, payload: bytes, name: bytes, ident: str, depth: int) -> E | None:
        """The event of a frame; sets `_ended`. Judges the payload: raises Fault (its offsets).

        `depth` is the limit to judge with, 0 where framing has counted already.
        """
        raise NotImplementedError

    def _done(self, name: bytes, ident: str) -> E | None:
        """The event of an SSE payload that is exactly `[DONE]`."""
        raise NotImplementedError

    def _holes(self, event: E, payload: bytes) -> Holes | None:
        """Where the next frame may differ from this one, which was just parsed to `event`."""
        return None

    def _predicted(
        self, template: Template, text: str, ident: str, raw: bytes | None, ints: tuple[int, ...]
    ) -> E:
        """The event of a frame that fits `template`; `raw` as `Event.raw` wants it."""
        raise NotImplementedError

    def _expected_end(self) -> str:
        return self._not_ended

    # -- calls -----------------------------------------------------------------------------------

    def feed(self, chunk: Chunk) -> list[E | Malformed]:
        """The events that this chunk completes; `b""` completes none.

        Raises:
            ParseError: the stream is not what the format allows; `.events` are those completed
                before the fault, `.offset` is its place in all bytes fed.
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
                    self._push(data, out, False)
            except Fault as fault:
                caught = fault
            else:
                return out
            # feed_text may have left events for close(), which will not come any more.
            self._fail(caught, [*self._take_kept(), *out])
        finally:
            self._lock.release()

    def feed_text(self, chunk: Chunk) -> str:
        """The answer text that this chunk completes, joined: the fastest way through.

        `Result`, `Error`, `Done` and the last `Task` come out of `close()`. Raises as `feed` does;
        a fault carries the text in `.text`, and in `.events` what `close()` would have given.
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
                    self._push(data, out, True)
            except Fault as fault:
                caught = fault
            else:
                return "".join(out)
            self._fail(caught, self._take_kept(), "".join(out))
        finally:
            self._lock.release()

    # -- inside ----------------------------------------------------------------------------------

    def _take_kept(self) -> list[Event]:
        kept = list(self._kept.values())
        self._kept.clear()
        return kept

    def _push(self, chunk: bytes, out: list[Any], texting: bool) -> None:
        base = self._fed
        self._fed = base + len(chunk)
        pos = 0
        sse = self._sse
        if sse is None:
            if self._json is None:
                found = self._detect(chunk, base)
                if found is None:
                    return
                chunk, base, pos = found
                sse = self._sse
            if sse is None:
                self._push_json(chunk, base, pos, out, texting)
                return
        # What is predicted is examined once, like what is searched for line ends.
        self._examined += len(chunk) - pos
        end = len(chunk)
        templates = self._templates
        sse.begin(base)
        while True:
            start = -1
            if templates is not None and not (sse.open or sse.after_cr or sse.held):
                if templates.items:
                    pos = self._predict(chunk, pos, out, texting, templates, sse)
                    if pos == end:
                        return
                start = pos
            pos = sse.step(chunk, pos)
            if pos < 0:
                return
            event = self._judge_sse(sse)
            if event is not None:
                self._emit(event, out, texting)
                if start >= 0 and templates is not None and templates.wants():
                    self._learn_sse(event, sse, chunk, start, pos, base)

    def _detect(self, chunk: bytes, base: int) -> tuple[bytes, int, int] | None:
        """Finds the framing: chunk, its offset and where to go on; None if it is open yet."""
        pos = 0
        if self._bom is not None:
            head = self._bom + chunk[: 3 - len(self._bom)]
            if head == BOM:
                pos = 3 - len(self._bom)
            elif BOM.startswith(head):
                self._bom = head
                return None
            elif self._bom:  # it was no BOM: the stream begins with another byte after all
                chunk = self._bom + chunk
                base = 0
            self._bom = None
        start = _SPACE.match(chunk, pos).end()  # type: ignore[union-attr]
        for run in _RUN.finditer(chunk, pos, start):
            if run.group()[0] in b"\r\n":
                self._space = 0
                continue
            length = run.end() - run.start()
            if self._space + length > self._max_frame and self._space_limit is None:
                self._space_limit = base + run.start() + self._max_frame - self._space
            self._space += length
        self._examined += start - pos
        if start == len(chunk):
            return None
        byte = chunk[start]
        if byte == 0x7B:
            self._json = JSONFramer(self._max_frame, self._max_depth)
            return chunk, base, start
        if self._letters_only and byte not in _LETTERS:
            raise Fault(e.JSON, base + start, e.EXAONE_START, byte)
        if self._space_limit is not None:
            raise Fault(e.SIZE, self._space_limit, limit=self._max_frame)
        self._sse = SSEFramer(self._max_frame)
        if self._space:
            self._sse.indent(self._space, base + start - self._space)
        return chunk, base, start

    def _judge_sse(self, sse: SSEFramer) -> E | Malformed | None:
        payload = sse.payload
        if payload == b"[DONE]":
            return self._done(sse.name, sse.id)
        self._examined += len(payload)
        try:
            return self._event(payload, sse.name, sse.id, self._max_depth)
        except Fault as fault:
            placed = fault.at(sse.offset_of(fault.offset))
        return self._malformed(payload, placed)

    def _push_json(self, chunk: bytes, base: int, pos: int, out: list[Any], texting: bool) -> None:
        framer = self._json
        assert framer is not None
        templates = self._templates
        framer.base = base
        event: E | Malformed | None
        while True:
            start = -1
            if templates is not None and framer.clean:
                if templates.items:
                    start = pos
                    pos = self._predict(chunk, pos, out, texting, templates, None)
                    framer.examined += pos - start
                start = pos
            pos = framer.step(chunk, pos)
            if pos < 0:
                break
            payload = framer.payload
            self._examined += len(payload)
            if (
                start < 0
                and templates is not None
                and templates.items
                # It lay in several chunks, so only its judging can be saved.
                and self._predict(payload, 0, out, texting, templates, None)
            ):
                continue
            try:
                event = self._event(payload, b"", "", 0)
            except Fault as fault:
                event = self._malformed(payload, fault.at(framer.start + fault.offset))
            if event is not None:
                self._emit(event, out, texting)
                if templates is not None and templates.wants():
                    self._learn(event, None, payload, b"")
        self._examined += framer.examined
        framer.examined = 0

    def _learn_sse(self, event: Any, sse: SSEFramer, chunk: bytes, start: int, end: int, base: int) -> None:
        """Makes a template of the frame that stands in `chunk` from `start` to `end`."""
        payload = sse.payload
        at = sse.offset_of(0) - base
        trailer = chunk[at + len(payload) : end]
        if trailer in (b"\n\n", b"\r\n\r\n"):
            lead = lead_of(chunk, start, at)
            if lead is not None and end - start <= MAX_BYTES:
                self._learn(event, lead, payload, trailer)

    def _learn(self, event: Any, lead: re.Match[bytes] | None, payload: bytes, trailer: bytes) -> None:
        if len(payload) > MAX_BYTES or type(event) is Malformed:
            return
        holes = self._holes(event, payload)
        if holes is not None:
            assert self._templates is not None
            self._templates.add(Template(holes, lead, payload, trailer))

    def _predict(
        self,
        chunk: bytes,
        pos: int,
        out: list[Any],
        texting: bool,
        templates: Templates,
        sse: SSEFramer | None,
    ) -> int:
        """Takes the frames from `pos` on that fit a template; position of the first that does not.

        This is the hot loop of the pure twin: a handful of C calls for each frame.
        """
        end = len(chunk)
        items = templates.items
        startswith = chunk.startswith
        find = chunk.find
        append = out.append
        predicted = self._predicted
        limit = self._max_frame
        ints: tuple[int, ...]
        begin = pos
        while pos < end:
            if sse is None and chunk[pos] != 0x7B:
                pos = _SPACE.match(chunk, pos).end()  # type: ignore[union-attr]
            for template in items:
                ident = ""
                prefix = template.id_prefix
                if prefix is None:
                    if not startswith(template.head, pos):
                        continue
                    at = pos + template.head_bytes
                else:
                    if not startswith(prefix, pos):
                        continue
                    at = pos + len(prefix)
                    stop = at + template.id_bytes
                    if not startswith(template.head, stop):
                        stop = find(template.head[:1], at)
                        if stop < 0 or not startswith(template.head, stop):
                            continue
                    try:
                        ident = chunk[at:stop].decode()
                    except UnicodeDecodeError:
                        continue
                    # Not printable: CR, LF and NUL among others. One more space is not the id's.
                    if not ident.isprintable() or (prefix == b"id:" and ident[:1] == " "):
                        continue
                    at = stop + template.head_bytes
                raw = None
                stop = find(b'"', at)
                if not startswith(template.tail, stop):
                    # The quote may be an escaped one, or this is another frame.
                    stop = string_end(chunk, at)
                    if not startswith(template.tail, stop):
                        continue
                try:
                    text = chunk[at:stop].decode()
                    if "\\" in text:
                        raw = chunk[at:stop]
                        text = unescape(text)
                    elif not text.isprintable() and has_control(text):
                        continue
                except ValueError:  # ill-formed UTF-8, or a bad escape
                    continue
                stop += template.tail_bytes
                ints = ()
                if template.follow:
                    stop, ints = counters(chunk, stop, template.follow)
                    if stop < 0:
                        continue
                    raw = chunk[at - template.before : stop - template.trailer]
                if stop - pos > limit or not (text or template.empty):
                    continue
                break
            else:
                break
            pos = stop
            if template is not items[0]:
                items.remove(template)
                items.insert(0, template)
            if sse is None:
                pass
            elif prefix is None:
                ident = sse.id
            else:
                sse.id = ident
            if not texting:
                append(predicted(template, text, ident, raw, ints))
            elif text and not template.thinking:
                append(text)
        if pos > begin:
            templates.cold = templates.wait = 0  # they pay
        return pos

    def _malformed(self, payload: bytes, fault: Fault) -> Malformed:
        """The event of a bad frame where bad frames are reported, else the fault again."""
        if self._report and fault.kind in (e.JSON, e.UTF8):
            return Malformed(payload, error_of(fault))
        raise fault

    def _emit(self, event: Event, out: list[Any], texting: bool) -> None:
        if not texting:
            out.append(event)
            return
        if event.text:
            out.append(event.text)
        kind = type(event)
        if kind in self._keep:
            self._kept.pop(kind, None)
            self._kept[kind] = event

    def _finish(self, out: list[Any]) -> None:
        out += self._take_kept()
        if self._bom:
            raise Fault(e.TRUNCATED, self._fed, e.REST_OF_BOM)
        if self._json is not None and not self._json.clean:
            raise Fault(e.TRUNCATED, self._fed, e.REST_OF_VALUE)
        if self._sse is not None and self._sse.end(self._fed):
            event = self._last_event(self._sse)
            if event is not None:
                out.append(event)
        if not self._ended:
            raise Fault(e.TRUNCATED, self._fed, self._expected_end())

    def _last_event(self, sse: SSEFramer) -> E | None:
        """A last event without its blank line: delivered if it is whole, else truncated."""
        payload = sse.payload
        if payload == b"[DONE]":
            return self._done(sse.name, sse.id)
        self._examined += len(payload)
        start = _SPACE.match(payload).end()  # type: ignore[union-attr]
        if payload[start : start + 1] != b"{" or first_fault(payload, self._max_depth) is not None:
            raise Fault(e.TRUNCATED, self._fed, e.REST_OF_EVENT)
        return self._event(payload, sse.name, sse.id, self._max_depth)

    def _drop(self) -> None:
        self._sse = self._json = None
        self._bom = None
        self._kept.clear()

    def _pending(self) -> int:
        if self._sse is not None:
            return self._sse.pending
        if self._json is not None:
            return self._json.pending
        return len(self._bom or b"")
