"""What the headers of an answer say: the request's id, the rate limits, how long to wait before a retry."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

__all__ = ["RateLimit", "duration", "request_id_of", "retry_after"]


def request_id_of(headers: Mapping[str, str]) -> str | None:
    """The service's id of a request. No documentation names the header, so the usual ones are tried."""
    for name in ("x-ncp-clovastudio-request-id", "x-request-id", "request-id", "x-ncp-trace-id"):
        if value := headers.get(name):
            return value
    return None


@dataclass(frozen=True, slots=True)
class RateLimit:
    """The quota as the headers of one answer state it; None where they do not.

    Requests and tokens are counted apart (`x-ratelimit-*-requests`, `x-ratelimit-*-tokens`); a
    header without either word, such as Gov's `X-RateLimit-Remaining`, counts as requests.
    Times are seconds from the arrival of the answer. Sources: [clova §8], [gov §1.2].
    """

    limit_requests: int | None = None
    remaining_requests: int | None = None
    reset_requests: float | None = None
    limit_tokens: int | None = None
    remaining_tokens: int | None = None
    reset_tokens: float | None = None
    retry_after: float | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str], compare=False)

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> RateLimit:
        """Read the headers of an answer; `headers` keeps those that were found, as received."""
        found = {
            name.lower(): value
            for name, value in headers.items()
            if name.lower().startswith("x-ratelimit-") or name.lower() == "retry-after"
        }

        def number(what: str, unit: str) -> int | None:
            value = found.get(f"x-ratelimit-{what}-{unit}")
            if value is None and unit == "requests":
                value = found.get(f"x-ratelimit-{what}")
            return int(value) if value and re.fullmatch(r"[0-9]{1,18}", value, re.ASCII) else None

        def reset(unit: str) -> float | None:
            value = found.get(f"x-ratelimit-reset-{unit}")
            if value is None and unit == "requests":
                value = found.get("x-ratelimit-reset")
            return None if value is None else duration(value)

        return cls(
            limit_requests=number("limit", "requests"),
            remaining_requests=number("remaining", "requests"),
            reset_requests=reset("requests"),
            limit_tokens=number("limit", "tokens"),
            remaining_tokens=number("remaining", "tokens"),
            reset_tokens=reset("tokens"),
            retry_after=_retry_after_header(found.get("retry-after")),
            headers=found,
        )

    def to_dict(self) -> dict[str, int | float | None]:
        """The numbers by name; `headers` are left out."""
        return {name: getattr(self, name) for name in self.__slots__ if name != "headers"}

    @property
    def wait(self) -> float | None:
        """Seconds until the quota allows another request, as far as the headers show it.

        `Retry-After` where given; else the reset of what is used up; else the later reset.
        """
        if self.retry_after is not None:
            return self.retry_after
        if self.remaining_requests == 0 and self.reset_requests is not None:
            return self.reset_requests
        if self.remaining_tokens == 0 and self.reset_tokens is not None:
            return self.reset_tokens
        resets = [r for r in (self.reset_requests, self.reset_tokens) if r is not None]
        return max(resets) if resets else None


def retry_after(headers: Mapping[str, str], status: int | None) -> float | None:
    """Seconds the service asks to wait before a retry, or None.

    The reset headers come with every answer, so they count only if the quota was the reason.
    """
    limit = RateLimit.of(headers)
    return limit.wait if status == 429 else limit.retry_after


_UNITS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}
# Possessive, and matched where the part before ended: no digit is read twice.
_DURATION = re.compile(r"([0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(ns|us|µs|μs|ms|s|m|h)")
_NUMBER = re.compile(r"[0-9]++(?:\.[0-9]++)?")
_LONGEST = (
    64  # characters of a number, a duration or a date; the longest that a service has reason to send is 35
)


def duration(text: str) -> float | None:
    """Seconds of a Go duration (`"2.5s"`, `"1m30s"`, `"120ms"`) or of a bare number; else None.

    A text of more than 64 characters is none.
    """
    if len(text) > _LONGEST:
        return None
    text = text.strip(" \t")
    if _NUMBER.fullmatch(text):
        return float(text)
    total, end = 0.0, 0
    while (match := _DURATION.match(text, end)) is not None:
        total += float(match[1]) * _UNITS[match[2]]
        end = match.end()
    return total if text and end == len(text) else None


def _retry_after_header(value: str | None) -> float | None:
    """RFC 9110: a number of seconds, or an HTTP date."""
    if value is None or len(value) > _LONGEST:
        return None
    value = value.strip(" \t")
    if _NUMBER.fullmatch(value):
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None
