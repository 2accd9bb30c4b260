"""One attempt at reading a stream, without I/O: chunks and faults in, batches of events out.

The rules of this file ([design §4]):
- An error event, and a fault before any event, become exceptions that may be tried again.
- Once there was an event, everything complete is delivered first and the fault is raised after it.
- A transport fault after the end marker says nothing about the answer, and is dropped. EXAONE has no
  marker: only the end of the body tells its end, so there a broken connection is always a truncation.
- Keep-alive comments are no progress: the stall clock starts anew with events only.
- An iterator over a batch is its only cursor: whoever reads the stream takes from the same one, so
  nothing is delivered twice, and what is left in it was not delivered.
- Folding, and sorting the waiting times, is done for many events at a time, which costs less: when
  somebody asks, and after every `_UNSETTLED` bytes, so that memory stays in proportion to the text.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from operator import length_hint
from typing import TYPE_CHECKING, Any

from ._answers import RateLimit, ServiceError, error_of, request_id_of, status_of
from ._errors import APIError, APITimeoutError, ParseError, StreamError, TruncatedStreamError
from .streams import Completion, Fold, Metrics, events_of

if TYPE_CHECKING:
    from ._call import Call
    from ._http import Transport

__all__ = ["Attempt"]

_UNSETTLED = 1 << 16  # bytes of the stream whose events may wait to be folded


class Attempt:
    """One attempt at reading a stream, without I/O."""

    def __init__(self, call: Call, transport: Transport, metrics: Metrics) -> None:
        assert call.dialect is not None
        self.call = call
        self.dialect = call.dialect
        self.metrics = metrics
        self._transport = transport
        self._parser = self.dialect.parser(max_frame_bytes=transport.max_frame_bytes, **self.dialect.options)
        self._parse: Callable[[bytes], list[Any]] = self._parser.feed
        self._error_type = self.dialect.error
        self._fold = Fold()
        self._unfolded: list[Any] = []  # came and not folded yet, in order, delivered or not
        self._settle_at = metrics.bytes + _UNSETTLED
        # For `feed`, which would look for them in every call:
        self._clock = metrics._clock
        self._arrivals = metrics._arrivals
        self._before = metrics.bytes, metrics.events  # of earlier attempts
        self._stall = transport.stall_timeout if call.streaming else None
        self._opened = time.monotonic()
        self.headers: Mapping[str, str] = {}
        self.status = 0
        self.batch: Iterator[Any] = iter([])  # came and not delivered yet
        self.done = False
        self.failure: Exception | None = None
        self._error_event: Any = None  # the one that ended the stream, until it is folded

    def opened(self, status: int, headers: Mapping[str, str]) -> None:
        """The head of the answer has come."""
        self.status = status
        self.headers = headers
        self._opened = time.monotonic()

    @property
    def waiting(self) -> int:
        """Events that came and were not delivered yet."""
        return length_hint(self.batch)

    def feed(self, chunk: bytes) -> Iterator[Any]:
        """A chunk has come, and the batch before it was delivered; returns the batch that it made.

        This runs once a token. What an ordinary chunk needs stands here in one piece, `Metrics.arrived`
        and `_deliver` included: as calls they cost a fiftieth of all that the client does.
        """
        metrics = self.metrics
        try:
            events = self._parse(chunk)
        except ParseError as error:
            events = events_of(error)
            metrics.arrived(len(chunk), events)
            return self._take(events, error)
        now = self._clock()
        metrics.bytes += len(chunk)
        if metrics.first_text is None:
            metrics._firsts(now, events)
        if not events:
            if self._stall is not None and now - self._progress > self._stall:
                # Keep-alive comments wake the socket but are no progress ([openai §6]).
                self.broke(self.stalled())
            return self.batch
        metrics.events += len(events)
        self._arrivals.append(now)
        if type(events[-1]) is self._error_type or (
            len(events) > 1 and self._error_type in map(type, events)
        ):
            return self._take(events)
        if metrics.bytes > self._settle_at:
            self._settle()
        self._unfolded += events
        self.batch = batch = iter(events)
        return batch

    def end(self) -> None:
        """The body has ended as HTTP says it should."""
        pending = self._parser.pending
        events, fault = self._close()
        if isinstance(fault, TruncatedStreamError) and self._whole_answer(pending):
            fault = None  # an answer in one piece need not show an end marker
        self._take(events, fault)
        self.done = True

    def broke(self, cause: Exception) -> None:
        """The connection broke, or nothing came in time."""
        events, fault = self._close()
        self._take(events, None)
        self.done = True
        if self.failure is not None or (fault is None and self.dialect.marker):
            return  # it had ended, one way or the other: the fault says nothing about the answer
        if not self._events:
            self.failure = self._transport.transport_error(cause)
            return
        if fault is None:
            offset = self.metrics.bytes - self._before[0]
            fault = TruncatedStreamError(
                f"stream truncated at byte {offset}: expected the end of the response body, found "
                "a broken connection; the answer is incomplete",
                offset=offset,
            )
        fault.__cause__ = cause
        self.failure = fault

    def stalled(self) -> APITimeoutError:
        """The error of a stream that makes no progress."""
        return APITimeoutError(
            f"no event within {self._stall} seconds: the stream stalled; raise stall_timeout if the "
            "service is known to pause that long"
        )

    @property
    def _progress(self) -> float:
        """When there was progress for the last time."""
        return max(self._opened, self._arrivals[-1]) if self._arrivals else self._opened

    @property
    def _events(self) -> int:
        """Events of this attempt so far, delivered or not."""
        return self.metrics.events - self._before[1]

    def _close(self) -> tuple[list[Any], ParseError | None]:
        """The last events, and what is wrong with the end."""
        fault = None
        try:
            events = self._parser.close()
        except ParseError as error:
            events, fault = events_of(error), error
        self.metrics.arrived(0, events)
        return events, fault

    def _whole_answer(self, pending: int) -> bool:
        # An A2A server may answer a streaming call with one JSON body ([a2a §6]).
        return (
            (not self.call.streaming or self.dialect.name == "a2a")
            and not pending
            and self._events == 1
            and "json" in self.headers.get("content-type", "")
        )

    def _take(self, events: list[Any], fault: ParseError | None = None) -> Iterator[Any]:
        """Make `events` the next batch, up to an error event, which ends the stream; so does a fault."""
        error_type = self._error_type
        for event in events:
            if type(event) is error_type:
                place = events.index(event)
                self.failure = self._service_error(event, is_first=self._events == len(events) - place)
                self.done = True
                return self._deliver(events[:place])
        if fault is not None:
            self.failure, self.done = fault, True
        return self._deliver(events)

    def _deliver(self, events: list[Any]) -> Iterator[Any]:
        self._unfolded += events
        self.batch = iter(events)
        return self.batch

    def _settle(self) -> None:
        """Do what can wait: fold what was delivered, and sort the waiting times."""
        self._settle_at = self.metrics.bytes + _UNSETTLED
        if not self.waiting:
            self._fold.extend(self._unfolded)
            self._unfolded.clear()
        else:
            delivered = len(self._unfolded) - self.waiting
            self._fold.extend(self._unfolded[:delivered])
            del self._unfolded[:delivered]
        self.metrics.gaps._settle()

    def _service_error(self, event: Any, *, is_first: bool) -> APIError:
        """An error event as an exception: by the status it means if nothing came before it."""
        fault = ServiceError(event.message, event.code, getattr(event, "type", None))
        status = status_of(fault.code, fault.kind)
        error = error_of(
            status=status,
            headers=self.headers,
            body=event.raw,
            fault=fault,
            secrets=self._transport.secrets,
        )
        if not is_first or status is None:
            error = StreamError(
                error.message,
                status=status if status is not None else self.status,
                code=error.code,
                body=error.body,
                request_id=error.request_id,
                retry_after=error.retry_after,
            )
        self._error_event = event
        return error

    def completion(self) -> Completion:
        """What was delivered so far (and the error, once all before it was)."""
        self._settle()
        if self._error_event is not None and not self.waiting:
            self._fold.extend([self._error_event])
            self._error_event = None
        whole = self._fold.completion()
        return replace(whole, rate_limit=RateLimit.of(self.headers), request_id=request_id_of(self.headers))

    def finished(self) -> None:
        """Everything was delivered: raise what ended the stream, if it was a fault."""
        if self.failure is None:
            return
        if isinstance(self.failure, StreamError | ParseError):
            self.failure.completion = self.completion()
        raise self.failure
