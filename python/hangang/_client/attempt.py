"""One attempt at reading a stream, without I/O: chunks and failures in, batches of events out.

What always holds ([design §4]):
- An error event, and a failure before any event, become exceptions that may be retried.
- After the first event, everything complete is delivered before the failure is raised.
- A failure of the connection after the end marker is dropped: the answer is whole. EXAONE has no marker and
  ends only with the body, so there a broken connection is always an interrupted stream.
- Only events reset the stall timer; keep-alive comments do not.
- The iterator over a batch is the only cursor. All readers of the stream take from it, so nothing is
  delivered twice, and what is left in it was not delivered.
- Folding, and sorting the waiting times, is done for several events at a time, which costs less: on demand,
  and after every `_FOLD_AFTER` bytes or `MAX_ARRIVALS` times: what waits is memory of each of many streams.
  In a burst, such as an answer that was stored, it is done after more bytes: they do not wait for long.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from operator import length_hint
from typing import Any

from hangang._completion import Completion, Fold
from hangang._errors import (
    APIError,
    APITimeoutError,
    InterruptedStreamError,
    InvalidJSONError,
    InvalidUTF8Error,
    LimitExceededError,
    ParseError,
    StalledStreamError,
    StreamError,
    TruncatedStreamError,
)
from hangang._metrics import MAX_ARRIVALS, Metrics
from hangang._rate_limit import RateLimit, request_id_of
from hangang.streams import take_events

from .deadline import DeadlineError
from .errors import WAS_RESET, Secrets, ServiceError, error_of, status_of
from .request import Call

__all__ = ["Attempt", "AttemptOptions"]

_FOLD_AFTER = 1 << 10  # bytes of the stream whose events may wait to be folded
_FOLD_AFTER_IN_BURST = 1 << 14
_BURST = 0.02  # seconds: so soon after the last time, the stream is no model that writes

#: Types that cannot be a chat. Every other is tried: a service's own type may be missing or wrong.
_FOREIGN_TYPES = ("text/html", "application/xhtml+xml", "image/", "audio/", "video/")


@dataclass(frozen=True, slots=True)
class AttemptOptions:
    """What an attempt needs of the client.

    Attributes:
        max_frame_bytes: limit of the parser.
        stall_timeout: seconds without an event, or None.
        read_timeout: seconds without a byte, or None.
        secrets: what no error may show.
        connection_error: a failure of the HTTP library as an APIError.
        is_timeout: whether such a failure is a time limit.
        describe: such a failure in a few words.
    """

    max_frame_bytes: int
    stall_timeout: float | None
    read_timeout: float | None
    secrets: Secrets
    connection_error: Callable[[Exception], APIError]
    is_timeout: Callable[[Exception], bool]
    describe: Callable[[Exception], str]


class Attempt:
    """One attempt at reading a stream, without I/O."""

    __slots__ = (
        "__weakref__", "_arrivals", "_before", "_clock", "_error_event", "_error_type", "_fold", "_fold_at",
        "_folded_at", "_opened_at", "_options", "_parse", "_parser", "_rate_limit", "_stall", "_unfolded",
        "batch", "call", "dialect", "done", "failure", "headers", "metrics", "status",
    )  # fmt: skip

    def __init__(self, call: Call, options: AttemptOptions, metrics: Metrics) -> None:
        assert call.dialect is not None
        self.call = call
        self.dialect = call.dialect
        self.metrics = metrics
        self._options = options
        self._parser = self.dialect.parser(max_frame_bytes=options.max_frame_bytes, **self.dialect.options)
        self._parse: Callable[[bytes], list[Any]] = self._parser.feed
        self._error_type = self.dialect.error
        self._fold = Fold()
        self._unfolded: list[Any] = []  # events in order, delivered or not, that were not folded yet
        self._fold_at = metrics.bytes + _FOLD_AFTER
        self._folded_at = 0.0
        # Looked up once, because `feed` runs for each token:
        self._clock = metrics._clock
        self._arrivals = metrics._arrivals
        self._before = metrics.bytes, metrics.events  # of earlier attempts
        self._stall = options.stall_timeout if call.streaming else None
        self._opened_at = time.monotonic()
        self.headers: Mapping[str, str] = {}
        self.status = 0
        self.batch: Iterator[Any] = iter([])  # events that were not delivered yet
        self.done = False
        self.failure: Exception | None = None
        self._error_event: Any = None  # the one that ended the stream, until it is folded
        self._rate_limit: RateLimit | None = None  # read from the headers when it is first asked for

    def opened(self, status: int, headers: Mapping[str, str]) -> None:
        """Take the head of the answer.

        Raises:
            APIError: its type cannot be a chat: a page of a proxy or of a sign-in, or the wrong address.
        """
        self.status = status
        self.headers, self._rate_limit = headers, None
        self._opened_at = time.monotonic()
        content_type = headers.get("content-type", "").partition(";")[0].strip(" \t").lower()
        if content_type.startswith(_FOREIGN_TYPES):
            raise APIError(
                f"the server answered with {content_type} instead of a chat; is base_url right?",
                status=status,
                request_id=request_id_of(headers),
            )

    @property
    def rate_limit(self) -> RateLimit:
        """The quota as the answer's headers state it; they are read once."""
        if self._rate_limit is None:
            self._rate_limit = RateLimit.of(self.headers)
        return self._rate_limit

    @property
    def first(self) -> Any:
        """The first event, or None; only until events are folded."""
        return self._unfolded[0] if self._unfolded else None

    @property
    def waiting(self) -> int:
        """How many events were not delivered yet."""
        return length_hint(self.batch)

    def feed(self, chunk: bytes) -> Iterator[Any]:
        """Parse a chunk and return the batch of its events. The batch before it must be delivered.

        This runs once per token, so the path of an ordinary chunk is written out here, including
        `Metrics.arrived` and `_deliver`: as calls they cost 2 % of the client's whole time.
        """
        metrics, parse, clock = self.metrics, self._parse, self._clock
        try:
            events = parse(chunk)
        except ParseError as error:
            error.__traceback__ = None  # its frames hold this attempt, which will hold the error
            events = take_events(error)
            metrics.arrived(len(chunk), events)
            return self._take(events, error)
        now = clock()
        metrics.bytes += len(chunk)
        if metrics.first_text is None:
            metrics._record_firsts(now, events)
        if not events:
            if self._stall is not None and now - self._last_progress > self._stall:
                # Keep-alive comments wake the socket but are no progress ([openai §6]).
                self.broke(self._no_events())
            return self.batch
        self._arrivals.append(now)
        count, error_type = len(events), self._error_type
        metrics.events += count
        if type(events[0]) is error_type if count == 1 else error_type in map(type, events):
            return self._take(events)
        if metrics.bytes > self._fold_at:
            self._fold_delivered()
        self._unfolded += events
        self.batch = batch = iter(events)
        return batch

    def end(self) -> None:
        """The body ended as HTTP says it should."""
        pending = self._parser.pending
        events, error = self._close()
        if isinstance(error, TruncatedStreamError) and self._is_whole_answer(pending):
            error = None  # an answer in one piece need not show an end marker
        self._take(events, error)
        self.done = True

    def broke(self, cause: Exception) -> None:
        """The connection broke, or a time limit was reached."""
        events, error = self._close()
        self._take(events, None)
        self.done = True
        if self.failure is not None or (error is None and self.dialect.has_end_marker):
            return  # the stream had ended before: the failure says nothing about the answer
        if not self._events:
            self.failure = self._options.connection_error(cause)
        elif isinstance(error, InvalidJSONError | InvalidUTF8Error | LimitExceededError):
            self.failure = error  # the bytes were wrong before the connection broke
        else:
            self.failure = self._interrupted(cause)
        if self.failure.__cause__ is None:
            self.failure.__cause__ = cause

    def _interrupted(self, cause: Exception) -> TruncatedStreamError:
        """The error of a stream that broke or stalled after its first event."""
        offset = self._bytes
        is_timeout = isinstance(cause, APITimeoutError) or self._options.is_timeout(cause)
        kind = StalledStreamError if is_timeout else InterruptedStreamError
        word = "stalled" if is_timeout else "interrupted"
        why = self._options.describe(cause)
        if is_timeout and not isinstance(cause, APITimeoutError | DeadlineError):
            # The HTTP library's own message does not name the limit.
            why = f"no byte for {self._options.read_timeout:g} s"
        what = f"stream {word} at byte {offset}: {why}"
        if why == WAS_RESET:
            what = f"stream {word}: {why} after byte {offset}"
        return kind(
            f"{what}; the answer is incomplete",
            offset=offset,
            status=self.status,
            request_id=request_id_of(self.headers),
        )

    def _no_events(self) -> APITimeoutError:
        return APITimeoutError(
            f"no event for {self._stall:g} s, only keep-alives: the stream stalled (raise stall_timeout if "
            "the service is known to pause that long)"
        )

    @property
    def _last_progress(self) -> float:
        return max(self._opened_at, self._arrivals[-1]) if self._arrivals else self._opened_at

    @property
    def _bytes(self) -> int:
        """Bytes of this attempt so far."""
        return self.metrics.bytes - self._before[0]

    @property
    def _events(self) -> int:
        """Events of this attempt so far, delivered or not."""
        return self.metrics.events - self._before[1]

    def _close(self) -> tuple[list[Any], ParseError | None]:
        """The last events, and what is wrong with the end."""
        failure = None
        try:
            events = self._parser.close()
        except ParseError as error:
            error.__traceback__ = None  # as in `feed`
            events, failure = take_events(error), error
        self.metrics.arrived(0, events)
        return events, failure

    def _is_whole_answer(self, pending: int) -> bool:
        # An A2A server may answer a streaming call with one JSON body ([a2a §6]).
        return (
            (not self.call.streaming or self.dialect.name == "a2a")
            and not pending
            and self._events == 1
            and "json" in self.headers.get("content-type", "")
        )

    def _take(self, events: list[Any], failure: ParseError | None = None) -> Iterator[Any]:
        """Make `events` the next batch, up to an error event. An error event or a failure ends the stream."""
        error_type = self._error_type
        for event in events:
            if type(event) is error_type:
                place = events.index(event)
                self.failure = self._service_error(event, is_first=self._events == len(events) - place)
                self.done = True
                return self._deliver(events[:place])
        if failure is not None:
            self.failure, self.done = failure, True
        return self._deliver(events)

    def _deliver(self, events: list[Any]) -> Iterator[Any]:
        self._unfolded += events
        self.batch = iter(events)
        return self.batch

    def _fold_delivered(self) -> None:
        """Fold what was delivered, and sort the waiting times into the histogram once there are many."""
        now, last = self._clock(), self._folded_at
        self._folded_at = now
        self._fold_at = self.metrics.bytes + (_FOLD_AFTER_IN_BURST if now - last < _BURST else _FOLD_AFTER)
        if not self.waiting:
            self._fold.extend(self._unfolded)
            self._unfolded.clear()
        else:
            delivered = len(self._unfolded) - self.waiting
            self._fold.extend(self._unfolded[:delivered])
            del self._unfolded[:delivered]
        if len(self._arrivals) > MAX_ARRIVALS:
            self.metrics.gaps._flush()

    def _service_error(self, event: Any, *, is_first: bool) -> APIError:
        """An error event as an exception: of the status it means if no event came before it."""
        stated = ServiceError(event.message, event.code, getattr(event, "type", None))
        status = status_of(stated.code, stated.kind)
        error = error_of(
            status=status,
            headers=self.headers,
            body=event.raw,
            stated=stated,
            secrets=self._options.secrets,
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
        self._error_event = self._options.secrets.struck_out_of_event(event)
        return error

    def completion(self) -> Completion:
        """What was delivered so far, and the error event once everything before it was."""
        self._fold_delivered()
        if self._error_event is not None and not self.waiting:
            self._fold.extend([self._error_event])
            self._error_event = None
        whole = self._fold.completion()
        return replace(whole, rate_limit=self.rate_limit, request_id=request_id_of(self.headers))

    def finished(self) -> None:
        """Everything was delivered: raise what ended the stream, if it failed."""
        if self.failure is None:
            return
        if isinstance(self.failure, StreamError | ParseError):
            self.failure.completion = self.completion()
        # The traceback of what is raised holds this attempt: the attempt keeps only an equal error, and this
        # frame keeps none. An error that holds itself would wait for the collector, with the whole answer.
        failure, self.failure = self.failure, copy.copy(self.failure)
        # tblib, which Dask installs, makes copies of an exception with its cause and traceback.
        self.failure.__cause__ = self.failure.__context__ = self.failure.__traceback__ = None
        try:
            raise failure
        finally:
            del failure
