"""`total_timeout`: one deadline for all attempts of a call."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

__all__ = ["Deadline", "DeadlineError", "done_before"]

T = TypeVar("T")


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


def done_before(deadline: Deadline, work: Callable[[], T], undo: Callable[[T], object]) -> T:
    """What `work` returns or raises, or a `DeadlineError`; a result that comes too late is given to `undo`.

    For blocking work that cannot be interrupted: HTTP libraries do not say on which socket an answer will
    arrive before its head is whole. With a deadline it runs in a thread, which is given up when the deadline
    passes or Ctrl-C is pressed.
    """
    if deadline.at is None:
        return work()
    context, lock, done = contextvars.copy_context(), threading.Lock(), threading.Event()
    results: list[T] = []
    errors: list[BaseException] = []
    is_awaited = True

    def run() -> None:
        try:
            results.append(context.run(work))
        except BaseException as error:
            errors.append(error)
        with lock:
            done.set()
        if not is_awaited:
            undo_late()

    def undo_late() -> None:
        with suppress(Exception):  # there is none, it was undone already, or nobody could catch it
            undo(results.pop())

    threading.Thread(target=run, name="hangang: total_timeout", daemon=True).start()
    try:
        done.wait(deadline.left)
    except BaseException:  # Ctrl-C
        with lock:
            is_awaited = False
        if done.is_set():
            undo_late()
        raise
    with lock:
        is_awaited = done.is_set()
    if not is_awaited:
        raise deadline.error()
    if errors:
        raise errors.pop()  # in no variable: its traceback holds these frames
    return results.pop()
