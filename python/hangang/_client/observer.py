"""The slot of an observer that is notified of answers: `hangang.otel` fills it.

- While it is empty, a call costs one comparison more. Nothing here runs for an event: the times between
  events are in `Metrics`, which passes them on many at a time.
- A call is observed if it has an `Operation`. An observer must not raise.
"""

from __future__ import annotations

from typing import Any, Protocol

from hangang._completion import Completion
from hangang._metrics import Metrics

from .request import Call
from .response import Response

__all__ = ["Observation", "Observer", "begin", "observe"]


class Observation(Protocol):
    """What an observer keeps of one answer."""

    def opened(self, first: Any) -> None:
        """The request of a stream is over. Called once, in the thread or task of `begin`.

        Args:
            first: its first event; None if the request failed, or the answer has no event.
        """
        ...

    def ended(
        self, answer: Completion | Response | None, error: BaseException | None, *, is_whole: bool = True
    ) -> None:
        """The answer has ended, or the caller closed it. Called once.

        Args:
            answer: what was delivered, or None if there was no answer.
            error: why it failed, or None. It must not be kept: its traceback holds the stream.
            is_whole: False if the stream was closed before its end.
        """
        ...


class Observer(Protocol):
    """Is notified of each answer of every client in this process."""

    def begin(self, service: str, call: Call, url: str, metrics: Metrics | None) -> Observation:
        """A request is about to be sent, in the context of the caller.

        Args:
            service: `"clova"`, `"exaone"`, `"gov"` or `"openai"`.
            call: the request; its `operation` is set.
            url: where it goes.
            metrics: of its stream; None if the answer is not a chat.
        """
        ...


_current: Observer | None = None


def observe(observer: Observer | None) -> None:
    """Fill the slot, or empty it with None. Answers that have begun keep the observer they began with."""
    global _current
    _current = observer


def begin(service: str, call: Call, url: str, metrics: Metrics | None = None) -> Observation | None:
    """The observation of a call, or None if nothing observes it."""
    if _current is None or call.operation is None:
        return None
    return _current.begin(service, call, url, metrics)
