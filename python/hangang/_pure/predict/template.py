"""Prediction: a frame that equals an earlier one but for a string and some counters is parsed already.

Rules:
1. A template is the bytes of a whole frame with holes: the value of its `id:` line, the answer's
   string value, and integers that stand behind it. Equal fixed bytes and a valid value in each hole
   mean an equal parse, so only the holes are read.
2. A string hole holds what JSON allows between quotes, in UTF-8; an id hole what a line holds,
   without NUL; an integer hole up to 18 digits without a sign. Anything else falls back to the full parse.
3. Only whole frames within one chunk are predicted, and only where a frame begins with nothing held.
4. A frame no longer than `max_frame_bytes` cannot break a limit; a longer one falls back. Its
   brackets are those of the template, so its depth is fine too.
5. At most 4 templates of 64 KiB, the last used first. Where templates do not pay, fewer are made:
   a stream whose frames all differ costs little more than without prediction.
6. Prediction never raises, and never changes what a full parse would give.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from hangang._values import replace_surrogates, scanstring

MAX_TEMPLATES = 4
MAX_BYTES = 64 * 2**10

_STRING = re.compile(rb'(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+')
_CONTROL = re.compile("[\x00-\x1f]")
# What may stand before the payload: an id line, an event line, each at most once and in this order.
_LEAD = re.compile(rb"(?:(id: ?)([^\r\n\0]*)(?=\r?\n))?((?:\r?\n)?(?:event: ?[^\r\n]*\r?\n)?data: ?)")


class Holes(NamedTuple):
    """What a dialect finds in a frame it has just parsed.

    Attributes:
        thinking: the string hole is the event's thinking, not its text.
        start: begin of the string's contents in the payload, after its quote.
        end: their end, at the closing quote.
        ints: begin and end of each integer hole in the payload, in order, all behind `end`.
        names: what the dialect calls them.
        common: the event's common fields; the last is set to the payload's parts if there are no
            integer holes.
        empty: whether an empty string leaves the event of the same kind.
    """

    thinking: bool
    start: int
    end: int
    ints: tuple[tuple[int, int], ...]
    names: tuple[str, ...]
    common: tuple[Any, ...]
    empty: bool


class Template:
    """One frame with holes."""

    __slots__ = (
        "before",
        "common",
        "empty",
        "follow",
        "head",
        "head_bytes",
        "id_bytes",
        "id_prefix",
        "names",
        "tail",
        "tail_bytes",
        "thinking",
        "trailer",
    )

    def __init__(self, holes: Holes, lead: re.Match[bytes] | None, payload: bytes, trailer: bytes) -> None:
        """A template from a frame: `lead` + payload + `trailer`; SSE has both, bare JSON none."""
        self.thinking = holes.thinking
        self.empty = holes.empty
        self.names = holes.names
        self.before = holes.start  # payload bytes before the string
        self.trailer = len(trailer)
        # Fixed bytes before the string; with an id line those from the end of its value on.
        self.id_prefix: bytes | None = None
        self.id_bytes = 0  # length of the id, a guess for the next one
        head = payload[: holes.start]
        if lead is not None:
            self.id_prefix = lead[1]
            self.id_bytes = len(lead[2] or b"")
            head = lead[3] + head
        self.head = head
        self.head_bytes = len(head)
        # Fixed bytes from the closing quote on: to the frame's end, or to the first integer.
        cuts = [holes.end, *[place for pair in holes.ints for place in pair], len(payload)]
        fixed = [payload[a:b] for a, b in zip(cuts[::2], cuts[1::2], strict=True)]
        fixed[-1] += trailer
        self.tail = fixed[0]
        self.tail_bytes = len(self.tail)
        # What follows each integer. It begins with a comma, a bracket or white space, so no digit,
        # fraction or exponent can stand between.
        self.follow = tuple([(part[:1], part, len(part)) for part in fixed[1:]])
        self.common: tuple[Any, ...] = holes.common
        if not self.follow:
            parts = (payload[: holes.start], payload[holes.end :])
            self.common = (*holes.common[:-1], parts)

    def same(self, other: Template) -> bool:
        """Whether the two match the same frames."""
        return (
            self.head == other.head
            and self.tail == other.tail
            and self.follow == other.follow
            and self.id_prefix == other.id_prefix
        )


def lead_of(chunk: bytes, start: int, payload_at: int) -> re.Match[bytes] | None:
    """The lines before a payload, if they are such as a template can have."""
    return _LEAD.fullmatch(chunk, start, payload_at)


def string_end(chunk: bytes, start: int) -> int:
    """Where a string's contents end that begin at `start`: at its quote, or where it goes wrong."""
    match = _STRING.match(chunk, start)
    assert match is not None
    return match.end()


def unescape(text: str) -> str:
    """The value of a string's contents, lone surrogate escapes as U+FFFD.

    Raises:
        ValueError: it is not what JSON allows between quotes.
    """
    value, end = scanstring(text + '"', 0)
    if end != len(text) + 1:
        raise ValueError("a quote inside the string")
    return str(replace_surrogates(value)) if "\\u" in text else value


def counters(
    chunk: bytes, pos: int, follow: tuple[tuple[bytes, bytes, int], ...]
) -> tuple[int, tuple[int, ...]]:
    """The integers from `pos`, each before its fixed bytes: position after them or -1, values."""
    values = []
    for first, part, length in follow:
        end = chunk.find(first, pos, pos + 19)  # at most 18 digits: they fit 64 bits
        if end < 0:
            return -1, ()
        digits = chunk[pos:end]
        # bytes.isdigit knows the ASCII digits only.
        if not digits.isdigit() or (digits[0] == 0x30 and end - pos > 1):
            return -1, ()
        if not chunk.startswith(part, end):
            return -1, ()
        values.append(int(digits))
        pos = end + length
    return pos, tuple(values)


def has_control(text: str) -> bool:
    """Whether a text holds a raw control character, which no JSON string may."""
    return _CONTROL.search(text) is not None


class Templates:
    """The templates of one parser, the last used first."""

    __slots__ = ("cold", "items", "wait")

    def __init__(self) -> None:
        self.items: list[Template] = []
        self.cold = 0  # templates made since one last fitted; who finds a fit resets both
        self.wait = 0  # frames to let pass before the next is made

    def wants(self) -> bool:
        """Whether a template should be made of the frame that was just parsed in full."""
        if self.wait:
            self.wait -= 1
            return False
        return True

    def add(self, template: Template) -> None:
        """Keeps a template; the more have been in vain, the longer until the next is wanted."""
        self.cold += 1
        if self.cold > MAX_TEMPLATES:
            self.wait = 1 << min(self.cold - MAX_TEMPLATES, 8)
            # Trying several templates in vain would examine a frame several times.
            del self.items[1:]
        self.items = [item for item in self.items if not item.same(template)]
        self.items.insert(0, template)
        del self.items[MAX_TEMPLATES:]
