"""A range of bytes: half open, counted from the start of what it is in (a payload, a frame, a chunk)."""

from __future__ import annotations

from typing import TypeAlias

# A plain tuple, not a NamedTuple: `(start, end)` is built and unpacked where frames are learnt.
Span: TypeAlias = tuple[int, int]
