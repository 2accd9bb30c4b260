"""Templates: frames with holes, compiled to a matcher.

Invariants:
1. Prediction never raises, and never changes what a full parse would give. Anything unusual does not match.
2. A string hole holds what JSON allows between quotes, in UTF-8; an id hole what a line holds, without NUL; a
   counter up to 18 digits without a sign.
3. A frame no longer than `max_frame_bytes` cannot exceed a limit (the caller checks it); a longer one is no
   match. Its brackets are those of the template, so its depth is fine too.
4. A parser has at most 4 templates of at most 64 KiB, the last used first.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum
from typing import Any, NamedTuple, Protocol, TypeAlias

from ..json import has_control, skip_space, string_end, unescape
from ..span import Span
from .budget import MAX_TEMPLATES, Budget

MAX_TEMPLATE_BYTES = 64 * 2**10
MAX_DIGITS = 18  # so that a counter fits 64 bits

# What may precede the payload: an id line, an event line, each at most once and in this order.
_LEAD = re.compile(rb"(?:(id: ?)([^\r\n\0]*)(?=\r?\n))?((?:\r?\n)?(?:event: ?[^\r\n]*\r?\n)?data: ?)")

Make: TypeAlias = Callable[["Template", str, str, bytes | None, tuple[int, ...]], Any]
"""Makes the event of a frame that fits: template, string, id, `_raw` of the event, counters."""


class LastId(Protocol):
    """What has the last event id: the SSE framer; the other one has none."""

    id: str


Run: TypeAlias = Callable[[bytes, int, LastId, Callable[[Any], object], Make | None], int]
"""Reads the frames that fit: chunk, position, framer, where to deliver, what makes an event (None to deliver
only text); gives the position of the first frame that does not fit."""


class HoleKind(Enum):
    """Which field of the event the string hole is."""

    TEXT = 1
    THINKING = 2


class Holes(NamedTuple):
    """What a dialect finds in a frame that it has just parsed.

    Attributes:
        kind: what the string is.
        string: where its contents are in the payload, without the quotes.
        counters: where each counter is, in order, all after the string.
        names: what the dialect calls the counters.
        common: the event's common fields; the last is set to the payload's parts if there are no counters.
        may_be_empty: whether an empty string leaves the event of the same kind.
    """

    kind: HoleKind
    string: Span
    counters: tuple[Span, ...]
    names: tuple[str, ...]
    common: tuple[Any, ...]
    may_be_empty: bool


class Template:
    """One frame with holes.

    Attributes:
        run: reads the frames from a position of a chunk on, as long as they fit.
        thinking: the string is the event's thinking, not its text.
        names: what the dialect calls the counters.
        common: the common fields of the events that it predicts.
    """

    __slots__ = ("_key", "common", "names", "run", "thinking")

    def __init__(
        self, holes: Holes, lead: re.Match[bytes] | None, payload: bytes, trailer: bytes, max_frame_bytes: int
    ) -> None:
        """A template of a frame: `lead` + payload + `trailer`; SSE has both, bare JSON none."""
        start, end = holes.string
        self.thinking = holes.kind is HoleKind.THINKING
        self.names = holes.names
        # Fixed bytes before the string; with an id line those from the end of its value on.
        head = payload[:start]
        id_prefix: bytes | None = None
        id_bytes = 0
        if lead is not None:
            id_prefix = lead[1]
            id_bytes = len(lead[2] or b"")
            head = lead[3] + head
        # Fixed bytes from the closing quote on: to the frame's end, or to the first counter.
        cuts = [end, *[place for counter in holes.counters for place in counter], len(payload)]
        fixed = [payload[a:b] for a, b in zip(cuts[::2], cuts[1::2], strict=True)]
        fixed[-1] += trailer
        # What follows each counter. It begins with a comma, a bracket or white space, so no digit,
        # fraction or exponent can be in between.
        follow = tuple([(part[:1], part, len(part)) for part in fixed[1:]])
        self.common: tuple[Any, ...] = holes.common
        if not follow:
            self.common = (*holes.common[:-1], (payload[:start], payload[end:]))
        self._key = (id_prefix, head, fixed[0], follow)
        self.run: Run = self._compile(
            None if lead is None else id_prefix,
            id_bytes,
            head,
            fixed[0],
            follow,
            holes,
            trailer,
            max_frame_bytes,
        )

    def is_same(self, other: Template) -> bool:
        """Whether the two match the same frames."""
        return self._key == other._key

    def _compile(
        self,
        id_prefix: bytes | None,
        id_bytes: int,
        head: bytes,
        tail: bytes,
        follow: tuple[tuple[bytes, bytes, int], ...],
        holes: Holes,
        trailer: bytes,
        limit: int,
    ) -> Run:
        """The matcher: one closure that reads frame after frame.

        A call a frame, and reading a dozen attributes a frame, would cost more than the comparisons.

        Args:
            id_prefix: the bytes before the id, None without an id line.
            id_bytes: the length of the id, a guess for the next one.
            head: the fixed bytes before the string.
            tail: the fixed bytes from its closing quote on, to the first counter if there is one.
            follow: what follows each counter: first byte, all bytes, their number.
            holes: what the dialect found.
            trailer: bytes of the frame after the payload; b"" in bare JSON.
            limit: `max_frame_bytes`.
        """
        head_bytes = len(head)
        tail_bytes = len(tail)
        prefix_bytes = len(id_prefix or b"")
        one_space = id_prefix == b"id:"
        is_json = not trailer
        before = holes.string[0]
        after = len(trailer)
        may_be_empty = holes.may_be_empty
        is_text = not self.thinking

        def run(
            chunk: bytes, pos: int, framer: LastId, deliver: Callable[[Any], object], make: Make | None
        ) -> int:
            counters: tuple[int, ...] = ()
            event_id = framer.id
            end = len(chunk)
            while pos < end:
                # The id line, if there is one, and the fixed bytes up to the string.
                if id_prefix is None:
                    if not chunk.startswith(head, pos):
                        break
                    start = pos + head_bytes
                else:
                    if not chunk.startswith(id_prefix, pos):
                        break
                    start = pos + prefix_bytes
                    stop = start + id_bytes
                    if not chunk.startswith(head, stop):
                        stop = chunk.find(head[:1], start)
                        if stop < 0 or not chunk.startswith(head, stop):
                            break
                    try:
                        event_id = chunk[start:stop].decode()
                    except UnicodeDecodeError:
                        break
                    # Not printable: CR, LF and NUL among others. One space after the colon is not the id's.
                    if not event_id.isprintable() or (one_space and event_id[:1] == " "):
                        break
                    start = stop + head_bytes
                # The string, and the fixed bytes after it.
                raw = None
                stop = chunk.find(b'"', start)
                if not chunk.startswith(tail, stop):
                    # The quote may be an escaped one, or this is another frame.
                    stop = string_end(chunk, start)
                    if not chunk.startswith(tail, stop):
                        break
                try:
                    text = chunk[start:stop].decode()
                    if "\\" in text:
                        raw = chunk[start:stop]
                        text = unescape(text)
                    elif not text.isprintable() and has_control(text):
                        break
                except ValueError:  # ill-formed UTF-8, or an invalid escape
                    break
                stop += tail_bytes
                if follow:
                    stop, counters = read_counters(chunk, stop, follow)
                    if stop < 0:
                        break
                    raw = chunk[start - before : stop - after]
                if stop - pos > limit or not (text or may_be_empty):
                    break
                pos = stop
                if id_prefix is not None:
                    framer.id = event_id
                if make is not None:
                    deliver(make(self, text, event_id, raw, counters))
                elif is_text and text:
                    deliver(text)
                if is_json and pos < end and chunk[pos] != 0x7B:
                    pos = skip_space(chunk, pos)
            return pos

        return run


def read_counters(
    chunk: bytes, pos: int, follow: tuple[tuple[bytes, bytes, int], ...]
) -> tuple[int, tuple[int, ...]]:
    """The counters from `pos`, each before its fixed bytes: position after them or -1, values."""
    values = []
    for first, part, length in follow:
        end = chunk.find(first, pos, pos + MAX_DIGITS + 1)
        if end < 0:
            return -1, ()
        digits = chunk[pos:end]
        # bytes.isdigit accepts the ASCII digits only.
        if not digits.isdigit() or (digits[0] == 0x30 and end - pos > 1):
            return -1, ()
        if not chunk.startswith(part, end):
            return -1, ()
        values.append(int(digits))
        pos = end + length
    return pos, tuple(values)


def lead_of(chunk: bytes, start: int, payload_start: int) -> re.Match[bytes] | None:
    """The lines before a payload, if a template can have them."""
    return _LEAD.fullmatch(chunk, start, payload_start)


class Templates:
    """The templates of one parser, the last used first."""

    __slots__ = ("budget", "items")

    def __init__(self) -> None:
        self.items: list[Template] = []
        self.budget = Budget()

    def learn(self, template: Template) -> None:
        """Keeps a template of a frame that was parsed in full."""
        self.budget.charge()
        if self.budget.is_exhausted():
            del self.items[1:]  # trying several that do not match would examine a frame several times
        self.items = [item for item in self.items if not item.is_same(template)]
        self.items.insert(0, template)
        del self.items[MAX_TEMPLATES:]

    def read_frames(
        self, chunk: bytes, pos: int, framer: LastId, deliver: Callable[[Any], object], make: Make | None
    ) -> int:
        """Reads the frames from `pos` on that fit a template; see `Run`."""
        begin = pos
        items = self.items
        end = len(chunk)
        last = items[0]  # the template that has just stopped here
        pos = last.run(chunk, pos, framer, deliver, make)
        while pos < end:
            for template in items:
                if template is not last:
                    stop = template.run(chunk, pos, framer, deliver, make)
                    if stop > pos:
                        break
            else:
                break
            pos = stop
            last = template
            if template is not items[0]:
                items.remove(template)
                items.insert(0, template)
        if self.budget.misses and pos > begin:
            self.budget.earn()
        return pos
