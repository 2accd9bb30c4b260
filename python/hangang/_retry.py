"""When to try again, and after how long. The loop itself is tenacity's.

One rule for all services: only before the first event was delivered, and only where another try can
help. `RETRIED` and the flags of `_answers.CODES` are the whole table.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from ._answers import CODES
from ._errors import APIConnectionError, APIError, APITimeoutError

if TYPE_CHECKING:
    import tenacity

__all__ = ["RETRIED", "async_retrying", "retrying", "should_retry"]

_log = logging.getLogger("hangang.http")

RETRIED: frozenset[int] = frozenset({408, 424, 429, *range(500, 600)} - {501})
"""HTTP statuses that are tried again, where the service's own code says nothing else.

501 is "not yet implemented" (CLOVA 50100): it will not be implemented a second later.
"""

FIRST_WAIT = 0.5  # seconds; doubles with each try
LONGEST_WAIT = 8.0
JITTER = 0.5  # added at random, so that many clients do not come back together
LONGEST_DEMAND = 120.0  # a service that asks for more is not waited for: the caller decides


def should_retry(error: BaseException) -> bool:
    """Whether another try can help against `error`."""
    if not isinstance(error, APIError):
        return False
    if error.retry_after is not None and error.retry_after > LONGEST_DEMAND:
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
    # Never before the time the service named; the jitter is a small share of the backoff.
    return demand + min(backoff, 1.0) * 0.1


def _before_sleep(state: tenacity.RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome is not None else None
    _log.warning(
        "attempt %d failed (%s, status %s, code %s); trying again in %.2f s",
        state.attempt_number,
        type(error).__name__,
        getattr(error, "status", None),
        getattr(error, "code", None),
        state.next_action.sleep if state.next_action is not None else 0.0,
    )


def retrying(max_retries: int) -> tenacity.Retrying:
    """tenacity's loop for a function; the last error is raised as it is."""
    import tenacity

    return tenacity.Retrying(
        stop=tenacity.stop_after_attempt(max_retries + 1),
        wait=_wait,
        retry=tenacity.retry_if_exception(should_retry),
        before_sleep=_before_sleep,
        sleep=lambda seconds: time.sleep(seconds),  # looked up at the call, so that tests can watch
        reraise=True,
    )


def async_retrying(max_retries: int) -> tenacity.AsyncRetrying:
    """The same for a coroutine function, on asyncio or trio."""
    import tenacity

    return tenacity.AsyncRetrying(
        stop=tenacity.stop_after_attempt(max_retries + 1),
        wait=_wait,
        retry=tenacity.retry_if_exception(should_retry),
        before_sleep=_before_sleep,
        reraise=True,
    )
