"""How a stream went: times, counts and the gaps between deliveries, in fixed memory.

- Nothing here grows with the stream: gaps go into a histogram of 64 buckets.
- Recording an arrival appends one number. The numbers are put into their buckets many at a time,
  once there are enough of them or when a figure is read, at a third of the cost of doing it one by one.
"""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from operator import sub
from typing import Any

__all__ = ["MAX_ARRIVALS", "Gaps", "LatencyHistogram", "Metrics"]

_BOUNDS = [2 ** ((k + 1) / 2) * 1e-6 for k in range(63)]  # upper bounds of the buckets, in seconds
MAX_ARRIVALS = 16  # arrivals that may wait to be put into buckets: each stream holds that many floats


class LatencyHistogram:
    """Gaps between deliveries, in fixed memory: 64 buckets on a log scale.

    Bucket k covers `2**(k/2)` to `2**((k+1)/2)` microseconds, so a quantile is right to a factor
    of 1.42 from one microsecond to over an hour.
    """

    __slots__ = ("_arrivals", "_buckets", "_count", "_listener", "_max", "_min", "_total")

    def __init__(self) -> None:
        # Times of arrivals: the last one whose gap was recorded, then those that are not in the buckets yet.
        # Not an array of doubles: it would take a quarter of the memory, but appending parses its argument.
        self._arrivals: list[float] = []
        self._buckets: list[int] = [0] * 64
        self._total: float = 0.0
        self._count: int = 0
        self._min: float | None = None
        self._max: float | None = None
        self._listener: Callable[[list[float]], None] | None = None  # is given the gaps of every flush

    def _flush(self) -> None:
        """Put the gaps between pending arrivals into their buckets."""
        arrivals = self._arrivals[:]
        if len(arrivals) > 1:
            # Not `clear()`: another thread may append while this one reads.
            del self._arrivals[: len(arrivals) - 1]
            self._record_sorted(sorted(map(sub, arrivals[1:], arrivals)))

    def _listen(self, listener: Callable[[list[float]], None]) -> None:
        """Pass the gaps after the newest arrival to `listener`, many at a time."""
        self._flush()
        self._listener = listener

    def _record_sorted(self, gaps: list[float]) -> None:
        """Record gaps, shortest first: one bisection a bucket instead of one a gap."""
        if self._listener is not None:
            self._listener(gaps)
        shortest, longest = gaps[0], gaps[-1]
        self._min = shortest if self._min is None else min(self._min, shortest)
        self._max = longest if self._max is None else max(self._max, longest)
        self._total += sum(gaps)
        self._count += len(gaps)
        start = 0
        while start < len(gaps):
            bucket = bisect_right(_BOUNDS, gaps[start])
            end = bisect_left(gaps, _BOUNDS[bucket], start) if bucket < len(_BOUNDS) else len(gaps)
            self._buckets[bucket] += end - start
            start = end

    @property
    def count(self) -> int:
        """Number of gaps."""
        self._flush()
        return self._count

    @property
    def min(self) -> float | None:
        """The shortest gap in seconds, or None before the second delivery."""
        self._flush()
        return self._min

    @property
    def max(self) -> float | None:
        """The longest gap in seconds, or None before the second delivery."""
        self._flush()
        return self._max

    @property
    def mean(self) -> float | None:
        """Mean gap in seconds, or None before the second delivery."""
        self._flush()
        return self._total / self._count if self._count else None

    def quantile(self, q: float) -> float | None:
        """Upper bound of the bucket that holds the q-th quantile (0 to 1), in seconds, or None."""
        if not 0 <= q <= 1:
            raise ValueError(f"q must be between 0 and 1, not {q!r}")
        longest = self.max
        if longest is None:
            return None
        rank, seen = q * self._count, 0
        for bucket, number in enumerate(self._buckets):
            seen += number
            if number and seen >= rank:
                return min(longest, float(2 ** ((bucket + 1) / 2)) * 1e-6)
        return longest

    def __repr__(self) -> str:
        if not self.count:
            return "LatencyHistogram(count=0)"
        return f"LatencyHistogram(count={self.count}, p50={self.quantile(0.5):.6f}, max={self.max:.6f})"


Gaps = LatencyHistogram  # the public name of 0.1


class Metrics:
    """How one stream went, in fixed memory. Times are seconds since the call was made.

    Attributes:
        first_byte: when the first byte arrived, or None if none has.
        first_event: when the first event was complete, or None.
        first_text: when the first answer text arrived, or None.
        events: number of events so far.
        bytes: number of bytes so far.
        gaps: time between arrivals that completed at least one event; several events in one chunk
            are one arrival.
        attempts: requests sent, retries included.
    """

    __slots__ = (
        "_arrivals", "_clock", "_ended", "_started", "attempts", "bytes", "events", "first_byte",
        "first_event", "first_text", "gaps",
    )  # fmt: skip

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started = clock()
        self._ended: float | None = None
        self.attempts: int = 0
        self.events: int = 0
        self.bytes: int = 0
        self.first_byte: float | None = None
        self.first_event: float | None = None
        self.first_text: float | None = None
        self.gaps: LatencyHistogram = LatencyHistogram()
        self._arrivals: list[float] = self.gaps._arrivals  # the same one: see LatencyHistogram

    def arrived(self, size: int, events: Iterable[Any]) -> float:
        """Record a chunk of `size` bytes and the events it completed; returns the time of it."""
        now = self._clock()
        events = events if isinstance(events, list) else list(events)
        self.bytes += size
        if self.first_text is None:
            self._record_firsts(now, events)
        if events:
            self.events += len(events)
            self._arrivals.append(now)
            if len(self._arrivals) > MAX_ARRIVALS:
                self.gaps._flush()
        return now

    def _record_firsts(self, now: float, events: list[Any]) -> None:
        """Record the first byte, event and text; needed only until there was text."""
        since = now - self._started
        if self.first_byte is None and self.bytes:
            self.first_byte = since
        if self.first_event is None and events:
            self.first_event = since
        for event in events:  # `any` of a generator takes three times as long, and thinking can be long
            if getattr(event, "text", ""):
                self.first_text = since
                break

    def end(self) -> None:
        """Stop the clock; later calls change nothing."""
        if self._ended is None:
            self._ended = self._clock()
            self.gaps._flush()

    @property
    def duration(self) -> float:
        """Seconds from the call to the end of the stream, or to now while it runs."""
        return (self._clock() if self._ended is None else self._ended) - self._started

    @property
    def events_per_second(self) -> float:
        """Events over the time from the first event to the end; 0.0 while that time is zero."""
        if self.first_event is None:
            return 0.0
        span = self.duration - self.first_event
        return self.events / span if span > 0 else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain numbers, for a log line or a table."""
        return {
            "first_byte": self.first_byte,
            "first_event": self.first_event,
            "first_text": self.first_text,
            "duration": self.duration,
            "events": self.events,
            "bytes": self.bytes,
            "events_per_second": self.events_per_second,
            "gap_p50": self.gaps.quantile(0.5),
            "gap_p99": self.gaps.quantile(0.99),
            "gap_max": self.gaps.max,
            "attempts": self.attempts,
        }

    def __repr__(self) -> str:
        numbers = ", ".join(
            f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}"
            for name, value in self.as_dict().items()
        )
        return f"Metrics({numbers})"
