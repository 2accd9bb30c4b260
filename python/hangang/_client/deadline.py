"""`total_timeout`: one deadline for all attempts of a call."""

from __future__ import annotations

import time
from dataclasses import dataclass

__all__ = ["Deadline", "DeadlineError"]


class DeadlineError(TimeoutError):
    """`total_timeout` is over."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """The end of a call's `total_timeout`; `at` None: it has none."""

    total: float | None
    at: float | None

    @classmethod
    def after(cls, total: float | None) -> Deadline:
        """A deadline `total` seconds from now."""
        return cls(total, None if total is None else time.monotonic() + total)

    @property
    def left(self) -> float | None:
        """Seconds until the deadline, None for no deadline."""
        return None if self.at is None else self.at - time.monotonic()

    @property
    def is_over(self) -> bool:
        """Whether it has passed."""
        return self.at is not None and time.monotonic() >= self.at

    def error(self) -> DeadlineError:
        """The exception to raise once it has passed."""
        return DeadlineError(f"the call took longer than total_timeout={self.total:g} s")
