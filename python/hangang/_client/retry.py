"""What is tried again, and after how long. The loop itself is tenacity's.

One rule for all services: only before the first event was delivered, and only if a retry can help. `RETRIED`
and the flags of `errors.CODES` are the whole table.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from hangang._errors import APIConnectionError, APIError, APITimeoutError, TruncatedStreamError

from .errors import CODES
from .logs import log
from .options import Settings

if TYPE_CHECKING:
    import tenacity

__all__ = ["RETRIED", "async_retrying", "retrying", "should_retry"]

T = TypeVar("T")

RETRIED: frozenset[int] = frozenset({408, 424, 429, *range(500, 600)} - {501})
"""HTTP statuses that are tried again, unless the service's own code says otherwise.

Not 501, "not yet implemented" (CLOVA 50100): it will not be implemented a second later.
"""

FIRST_WAIT = 0.5  # seconds; doubles with each try
LONGEST_WAIT = 8.0
JITTER = 0.5  # added at random, so that many clients do not come back together


def should_retry(error: BaseException, max_retry_wait: float = 30.0) -> bool:
    """Whether a retry can help, and the service does not ask for a longer wait than `max_retry_wait`."""
    # An interrupted stream is a connection error too, but its events were delivered already.
    if not isinstance(error, APIError) or isinstance(error, TruncatedStreamError):
        return False
    if error.retry_after is not None and error.retry_after > max_retry_wait:
        return False
    if isinstance(error, APIConnectionError | APITimeoutError):
        return True
    if str(error.code) in CODES:
        return CODES[str(error.code)][1]
    return error.status in RETRIED


def _wait(state: tenacity.RetryCallState) -> float:
    """Seconds before the next try: what the service asks for, or doubling; both with jitter."""
    from tenacity import wait_exponential, wait_random

    backoff = (wait_exponential(multiplier=FIRST_WAIT, max=LONGEST_WAIT) + wait_random(0, JITTER))(state)
    error = state.outcome.exception() if state.outcome is not None else None
    demand = error.retry_after if isinstance(error, APIError) else None
    if demand is None:
        return backoff
    # Never before the time that the service named; the jitter is a small share of the backoff.
    return demand + min(backoff, 1.0) * 0.1


def _log_retry(label: str, settings: Settings) -> Callable[[tenacity.RetryCallState], None]:
    def before_sleep(state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome is not None else None
        log.warning(
            "%s: attempt %d of %d failed (%s, status %s, code %s); trying again in %.2f s",
            label,
            state.attempt_number,
            settings.max_retries + 1,
            type(error).__name__,
            getattr(error, "status", None),
            getattr(error, "code", None),
            state.next_action.sleep if state.next_action is not None else 0.0,
        )

    return before_sleep


def retrying(label: str, settings: Settings, work: Callable[..., T], *arguments: Any) -> T:
    """What a function returns, with tries after the first; the last error is raised unchanged."""
    since = time.monotonic()
    try:
        return work(*arguments)  # nearly always: the loop would cost a tenth of a short call
    except APIError as error:
        if not should_retry(error, settings.max_retry_wait):
            raise
        first = [error]
    import tenacity

    def again() -> T:
        if first:
            raise first.pop()
        return work(*arguments)

    loop = tenacity.Retrying(
        sleep=lambda seconds: time.sleep(seconds),  # looked up at the call, so that tests can replace it
        **_rules(label, settings, since),
    )
    try:
        return loop(again)
    finally:
        _release(loop)


async def async_retrying(
    label: str, settings: Settings, work: Callable[..., Awaitable[T]], *arguments: Any
) -> T:
    """`retrying`, awaited, on asyncio or trio."""
    since = time.monotonic()
    try:
        return await work(*arguments)
    except APIError as error:
        if not should_retry(error, settings.max_retry_wait):
            raise
        first = [error]
    import tenacity

    async def again() -> T:
        if first:
            raise first.pop()
        return await work(*arguments)

    loop = tenacity.AsyncRetrying(**_rules(label, settings, since))
    try:
        return await loop(again)
    finally:
        _release(loop)


def _release(loop: tenacity.BaseRetrying) -> None:
    """Drop the steps of the loop, which are methods of it: both would wait for the collector.

    They are 3 KB a call, a fifth of what a live stream takes.
    """
    loop.iter_state.reset()


def _rules(label: str, settings: Settings, since: float) -> dict[str, Any]:
    """The arguments of a loop whose first try, begun at `since`, has failed already."""
    import tenacity

    return {
        "stop": _stop(settings, since),
        "wait": _wait,
        "retry": tenacity.retry_if_exception(lambda error: should_retry(error, settings.max_retry_wait)),
        "before_sleep": _log_retry(label, settings),
        "reraise": True,
    }


def _stop(settings: Settings, since: float) -> tenacity.stop.stop_base:
    import tenacity

    stop: tenacity.stop.stop_base = tenacity.stop_after_attempt(settings.max_retries + 1)
    if settings.total_timeout is not None:
        left = settings.total_timeout - (time.monotonic() - since)
        stop = stop | tenacity.stop_before_delay(max(left, 0.0))
    return stop
