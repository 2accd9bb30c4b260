"""The payload of an event: kept whole, or reconstructed from its template."""

from __future__ import annotations


def raw_of(raw: bytes | None, parts: tuple[bytes, bytes] | None, text: str) -> bytes:
    """Payload of an event: kept whole, or rebuilt from its template's parts and its own string.

    Args:
        raw: the whole payload if `parts` is None, else the string as the wire had it, or None if
            that was `text` without any escape.
        parts: the payload's bytes before and after the string.
        text: the decoded string.
    """
    if parts is None:
        return raw or b""
    return parts[0] + (text.encode("utf-8") if raw is None else raw) + parts[1]
