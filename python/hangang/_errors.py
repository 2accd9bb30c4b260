"""All exceptions of Hangang. This module imports nothing of ours; both implementations raise its classes.

`ParseError` and its kinds say what is wrong with the bytes and where; `APIError` and its kinds say
what a service answered. `HangangError` catches both.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

__all__ = [
    "APIConnectionError",
    "APIError",
    "APITimeoutError",
    "AuthenticationError",
    "BadRequestError",
    "HangangError",
    "InterruptedStreamError",
    "InvalidJSONError",
    "InvalidUTF8Error",
    "LimitExceededError",
    "NotFoundError",
    "ParseError",
    "PayloadTooLargeError",
    "PermissionDeniedError",
    "RateLimitError",
    "ServerError",
    "StalledStreamError",
    "StreamError",
    "TruncatedStreamError",
    "UnprocessableEntityError",
    "UnrecognizedStreamError",
    "UnsupportedMediaTypeError",
]


class HangangError(Exception):
    """The base of every exception that Hangang defines."""


class PartialAnswer(Protocol):
    """What errors have as `completion`: a `hangang.Completion`.

    This module imports nothing of ours, so it names only the fields of an answer that every dialect has.
    After `isinstance(error.completion, hangang.Completion)` a type checker sees them all.
    """

    @property
    def text(self) -> str:
        """The answer so far."""
        ...

    @property
    def thinking(self) -> str:
        """The reasoning so far."""
        ...

    @property
    def refusal(self) -> str:
        """The refusal so far."""
        ...

    @property
    def finish_reason(self) -> str | None:
        """Why the answer ended; None in most answers that did not."""
        ...

    @property
    def role(self) -> str | None:
        """The role that the service named."""
        ...

    @property
    def state(self) -> str | None:
        """A2A: the last state of the task."""
        ...

    @property
    def failed(self) -> bool:
        """Whether the stream held an error."""
        ...

    @property
    def request_id(self) -> str | None:
        """The service's id of the request."""
        ...

    def to_message(self) -> dict[str, object]:
        """The assistant's turn so far."""
        ...

    def to_dict(self) -> dict[str, object]:
        """All fields as plain values."""
        ...


class ParseError(HangangError, ValueError):
    """A stream is not what its format allows, or it stopped early.

    Attributes:
        offset: place of the fault, in bytes from the start of everything fed (a BOM counts).
        events: what the failing call had completed before the fault, in order.
        text: the answer text of those events; for `feed_text` the text the call completed.
        completion: what the whole stream gave so far; set by the streams layer, else None.

    Two errors are equal when class, message and offset are.
    """

    offset: int
    events: list[object]
    text: str
    completion: PartialAnswer | None

    def __init__(
        self,
        message: str,
        *,
        offset: int,
        events: Iterable[object] = (),
        text: str | None = None,
    ) -> None:
        super().__init__(message)
        self.offset = offset
        self.events = list(events)
        if text is None:
            text = "".join([getattr(event, "text", "") for event in self.events])
        self.text = text
        self.completion = None

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        assert isinstance(other, ParseError)
        return str(self) == str(other) and self.offset == other.offset

    def __hash__(self) -> int:
        return hash((type(self), str(self), self.offset))

    def __reduce__(self) -> tuple[Any, ...]:
        # BaseException would call the class with `args` alone; `offset` is keyword-only.
        state = dict(self.__dict__)
        return _restore_parse_error, (type(self), str(self), self.offset), state


class InvalidJSONError(ParseError):
    """A byte at which the frame stops being a prefix of any RFC 8259 text."""


class InvalidUTF8Error(ParseError):
    """An ill-formed UTF-8 sequence in a payload; the offset is that of its first byte."""


class LimitExceededError(ParseError):
    """A frame passed `max_frame_bytes` or `max_depth`; the offset is the first byte too many."""


class TruncatedStreamError(ParseError):
    """The stream stopped inside a frame or before it showed an end; the answer is incomplete."""


class UnrecognizedStreamError(ParseError):
    """The stream ended and held no event of the dialect; the message names what it looks like."""


class APIError(HangangError):
    """A service answered with an error, or could not be reached.

    Attributes:
        message: the service's own words where it gave any.
        status: HTTP status, or None where there was no HTTP answer.
        code: the service's own code (`"42901"`, `-32005`), or None.
        body: the answer's body as text, its first megabyte, or None.
        request_id: the service's id of this request, or None.
        retry_after: seconds the service asks to wait, or None.
    """

    message: str
    status: int | None
    code: str | int | None
    body: str | None
    request_id: str | None
    retry_after: float | None

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | int | None = None,
        body: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.body = body
        self.request_id = request_id
        self.retry_after = retry_after

    def __str__(self) -> str:
        """`401 invalid_api_key: message (request id …)`; what is not known is left out."""
        known = [str(part) for part in (self.status, self.code) if part is not None]
        if len(known) == 2 and known[0] == known[1]:
            del known[1]  # some services repeat the status as their code
        if self.message == f"HTTP {self.status}":
            del known[0]  # an answer without a message
        prefix = f"{' '.join(known)}: " if known else ""
        suffix = f" (request id {self.request_id})" if self.request_id is not None else ""
        return f"{prefix}{self.message}{suffix}"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore_api_error, (type(self), self.message), dict(self.__dict__)

    @classmethod
    def for_status(cls, status: int) -> type[APIError]:
        """The class that stands for an HTTP status: 429 -> RateLimitError, 5xx -> ServerError."""
        if 500 <= status <= 599:
            return ServerError
        return _BY_STATUS.get(status, APIError)


class BadRequestError(APIError):
    """HTTP 400."""


class AuthenticationError(APIError):
    """HTTP 401."""


class PermissionDeniedError(APIError):
    """HTTP 403."""


class NotFoundError(APIError):
    """HTTP 404."""


class PayloadTooLargeError(APIError):
    """HTTP 413."""


class UnsupportedMediaTypeError(APIError):
    """HTTP 415."""


class UnprocessableEntityError(APIError):
    """HTTP 422."""


class RateLimitError(APIError):
    """HTTP 429."""


class ServerError(APIError):
    """HTTP 5xx."""


class StreamError(APIError):
    """The service reported an error inside a stream that had begun with HTTP 200.

    Attributes:
        completion: what the stream gave before the error; set by the clients, else None.
    """

    completion: PartialAnswer | None = None


class APIConnectionError(APIError):
    """The service could not be reached, or the connection broke before the first event."""


class APITimeoutError(APIError):
    """The service did not answer in time."""


class _BrokenStreamError(TruncatedStreamError, APIError):
    """What the two errors of a connection after the first event share: both constructors' attributes."""

    code: str | int | None
    body: str | None
    retry_after: float | None

    def __init__(
        self,
        message: str,
        *,
        offset: int,
        events: Iterable[object] = (),
        text: str | None = None,
        status: int | None = None,
        request_id: str | None = None,
    ) -> None:
        # By name, not `super()`: the constructors of the two bases do not know of each other.
        ParseError.__init__(self, message, offset=offset, events=events, text=text)
        self.message = message
        self.status = status
        self.code = None
        self.body = None
        self.request_id = request_id
        self.retry_after = None

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return ParseError.__reduce__(self)


class InterruptedStreamError(_BrokenStreamError, APIConnectionError):
    """The connection broke after the first event: the answer is incomplete.

    Also an `APIConnectionError`. If you retry on that class, keep in mind that events of this answer were
    delivered already: a retry starts the answer again.
    """


class StalledStreamError(_BrokenStreamError, APITimeoutError):
    """The stream went silent after the first event: the answer is incomplete.

    Also an `APITimeoutError`. If you retry on that class, keep in mind that events of this answer were
    delivered already: a retry starts the answer again.
    """


_BY_STATUS: dict[int, type[APIError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    413: PayloadTooLargeError,
    415: UnsupportedMediaTypeError,
    422: UnprocessableEntityError,
    429: RateLimitError,
}


def _restore_parse_error(cls: type[ParseError], message: str, offset: int) -> ParseError:
    return cls(message, offset=offset)


def _restore_api_error(cls: type[APIError], message: str) -> APIError:
    return cls(message)
