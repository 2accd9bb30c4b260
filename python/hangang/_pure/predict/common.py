"""What neighbouring events share, and the payload of a predicted one.

Most frames of a stream repeat all members but one string. An event of such a frame keeps

- `_common`: the values of those members, one tuple for all events that a template predicted. Its last
  item is None for a frame that was parsed in full, else the payload's bytes before and after the string;
- `_raw`: for a frame that was parsed in full its payload, else the string as received, None if that is
  the decoded text itself (no escapes).

So a predicted event of a 4 KB frame holds a string and two references, and its payload is reconstructed
only when `raw` is read. A template with counters changes more than a string; its events hold their payload.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..value import Event


def raw_of(event: Any) -> bytes:
    """The payload's bytes as received, `data` lines joined by LF; `b""` if no parser made the event."""
    return reconstruct(event._raw, event._common[-1], event.text or event.thinking)


class PredictableEvent(Event):
    """Base of the events that may come from a template."""

    __slots__ = ()
    _common: Any

    if not TYPE_CHECKING:
        raw = property(raw_of)


def is_shared_with(event: Any, following: Any) -> bool:
    """Whether two events have equal common fields. Neighbours mostly share the object itself."""
    mine, other = event._common, following._common
    return mine is other or mine[:-1] == other[:-1]


def reconstruct(raw: bytes | None, parts: tuple[bytes, bytes] | None, text: str) -> bytes:
    """Payload of an event: held whole, or reconstructed from its template's parts and its own string.

    Args:
        raw: the whole payload if `parts` is None, else the string as received, or None if that was
            `text` without any escape.
        parts: the payload's bytes before and after the string.
        text: the decoded string.
    """
    if parts is None:
        return raw or b""
    return parts[0] + (text.encode("utf-8") if raw is None else raw) + parts[1]
