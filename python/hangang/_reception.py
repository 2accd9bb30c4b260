"""One attempt at reading a stream, without I/O: chunks and faults in, batches of events out.

The rules of this file (DESIGN 4.3 and 4.4):
- An error event, and a fault before any event, become exceptions that may be tried again.
- Once there was an event, everything complete is delivered first and the fault is raised after it.
- A transport fault after the end marker says nothing about the answer, and is dropped. EXAONE has no
  marker: only the end of the body tells its end, so there a broken connection is always a truncation.
- Keep-alive comments are no progress: the stall clock starts anew with events only.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ._answers import Fault, RateLimit, error_of, request_id_of, status_of
from ._errors import APIError, APITimeoutError, ParseError, StreamError, TruncatedStreamError
from .streams import Completion, Fold, Metrics, Pump

if TYPE_CHECKING:
    from ._call import Call
    from ._http import Transport

__all__ = ["Reception"]


class Reception:
    """One attempt at reading a stream, without I/O."""

    def __init__(self, call: Call, transport: Transport, metrics: Metrics) -> None:
        assert call.dialect is not None
        self.call = call
        self.dialect = call.dialect
        self.metrics = metrics
        self._transport = transport
        self._parser = self.dialect.parser(max_frame_bytes=transport.max_frame_bytes, **self.dialect.options)
        self._pump = Pump(self._parser, fold=False)
        self._fold = Fold()
        self._folded = 0
        self._events = 0
        self._stall = transport.stall_timeout if call.streaming else None
        self._progress = time.monotonic()
        self.headers: Mapping[str, str] = {}
        self.status = 0
        self.batch: list[Any] = []
        self.pos = 0  # events of `batch` that were delivered
        self.done = False
        self.failure: Exception | None = None
        self._error_event: Any = None  # the one that ended the stream, until it is folded

    def opened(self, status: int, headers: Mapping[str, str]) -> None:
        """The head of the answer has come."""
        self.status = status
        self.headers = headers
        self._progress = time.monotonic()

    def feed(self, chunk: bytes) -> None:
        """A chunk has come. The batch before it was delivered."""
        events = self._pump.feed(chunk)
        now = self.metrics.arrived(len(chunk), events)
        if events or self._pump.error is not None:
            self._take(events)
            self._progress = now
        elif self._stall is not None and now - self._progress > self._stall:
            # Keep-alive comments wake the socket but are no progress (wire/openai.md §6).
            self.broke(self.stalled())

    def end(self) -> None:
        """The body has ended as HTTP says it should."""
        pending = self._parser.pending
        events = self._pump.close()
        self.metrics.arrived(0, events)
        error = self._pump.error
        if isinstance(error, TruncatedStreamError) and self._whole_answer(pending, events):
            self._pump.error = None  # an answer in one piece need not show an end marker
        self._take(events)
        self.done = True

    def broke(self, cause: Exception) -> None:
        """The connection broke, or nothing came in time."""
        events = self._pump.close()
        self.metrics.arrived(0, events)
        error, self._pump.error = self._pump.error, None
        self._take(events)
        self.done = True
        if self.failure is not None or (error is None and self.dialect.marker):
            return  # it had ended, one way or the other: the fault says nothing about the answer
        if not self._events:
            self.failure = self._transport.transport_error(cause)
            return
        if error is None:
            offset = self._pump.bytes_fed
            error = TruncatedStreamError(
                f"stream truncated at byte {offset}: expected the end of the response body, found "
                "a broken connection; the answer is incomplete",
                offset=offset,
            )
        error.__cause__ = cause
        self.failure = error

    def stalled(self) -> APITimeoutError:
        """The error of a stream that makes no progress."""
        return APITimeoutError(
            f"no event within {self._stall} seconds: the stream stalled; raise stall_timeout if the "
            "service is known to pause that long"
        )

    def _whole_answer(self, pending: int, events: list[Any]) -> bool:
        # An A2A server may answer a streaming call with one JSON body (wire/a2a.md §6).
        return (
            (not self.call.streaming or self.dialect.name == "a2a")
            and not pending
            and self._events + len(events) == 1
            and "json" in self.headers.get("content-type", "")
        )

    def _take(self, events: list[Any]) -> None:
        """Make `events` the next batch, up to an error event, which ends the stream."""
        self._settle()
        error_type = self.dialect.error
        for place, event in enumerate(events):
            if type(event) is error_type:
                self.batch = events[:place]
                self._events += place
                self.failure = self._service_error(event)
                self.done = True
                return
        self._events += len(events)
        self.batch = events
        if self._pump.error is not None:
            self.failure, self.done = self._pump.error, True

    def _settle(self) -> None:
        """Fold what was delivered of the batch and start a new one."""
        self._fold.extend(self.batch[self._folded :])
        self.batch, self.pos, self._folded = [], 0, 0

    def _service_error(self, event: Any) -> APIError:
        """An error event as an exception: by the status it means if nothing came before it."""
        fault = Fault(event.message, event.code, getattr(event, "type", None))
        status = status_of(fault.code, fault.kind)
        error = error_of(
            status=status,
            headers=self.headers,
            body=event.raw,
            fault=fault,
            secrets=self._transport.secrets,
        )
        if self._events or status is None:
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
        self._fold.extend(self.batch[self._folded : self.pos])
        self._folded = self.pos
        if self._error_event is not None and self.pos == len(self.batch):
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
