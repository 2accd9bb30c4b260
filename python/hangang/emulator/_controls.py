"""The controls of the emulator: how fast, in what pieces, and with which faults it answers.

Each control is a keyword argument of `create_app` (the default for every request) and a request
header `x-hangang-<name>` with `_` written as `-` (for that request alone). A place in a stream is
written `120` (after 120 bytes of the body) or `3e` (after three events).

| control | value | what it does |
| --- | --- | --- |
| `rate` | tokens a second | paces the events; 0 (the default) sends as fast as the client reads |
| `tokens` | count | length of the answer, where the request does not set a smaller limit |
| `text` | `plain`, `hard` | `hard` answers with what breaks weak parsers: `}{`, `data:`, U+2028 |
| `fragments` | `event`, `whole`, `random`, `utf8`, N | how the body is cut into writes |
| `newline` | `lf`, `crlf`, `cr`, `none` | line ends of SSE; for EXAONE `lf` puts one object on a line |
| `keepalive` | seconds | SSE comments while nothing else is sent; 0: one before each event |
| `seed` | integer | another answer to the same request |
| `delay` | seconds | silence before the status line |
| `calls` | count | tool calls in an answer to a request with tools |
| `artifacts` | count | artifact updates of Gov's second agent profile, each replacing the last |
| `reasoning` | field name | the name of the reasoning field in OpenAI-shaped answers |
| `error_form` | `status`, `error` | which of Gov's two error bodies |

Faults:

| fault | value | what the client meets |
| --- | --- | --- |
| `cut` | place | the connection closed (FIN) inside the HTTP body: no last chunk |
| `truncate` | place | the body ends early, but HTTP ends properly |
| `reset` | place | the connection reset (RST) inside the body |
| `stall` | place or `place,seconds` | silence; without seconds until the client leaves |
| `malformed` | N or `N,json`, `N,utf8`, `N,bracket` | the Nth event (from 1) is spoiled |
| `error` | N or `N,code` | after N events the service's error event, on HTTP 200 |
| `no_end` | `1` | the end marker, and the last status or finish reason, never come |
| `status` | HTTP status | the service's error answer instead of the work |
| `code` | text | the same by the service's own code, or that code in the answer |
| `retry_after` | seconds | `Retry-After` in that answer |
| `reset_after` | seconds | `x-ratelimit-reset-requests` in that answer |
| `times` | count | inject the faults only into the first `times` requests of one `tag` |
| `tag` | any text | names the requests that `times` counts |
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, TypedDict

PREFIX = "x-hangang-"


class ControlError(ValueError):
    """A control has an invalid value; the message names both."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a response body: after a number of bytes, or after a number of events."""

    bytes: int | None = None
    events: int | None = None

    @classmethod
    def of(cls, value: Place | int | str) -> Place:
        """Read `120` or `3e`."""
        if isinstance(value, Place):
            return value
        text = str(value).strip()
        if text.endswith("e"):
            return cls(events=_count(text[:-1]))
        return cls(bytes=_count(text))


@dataclass(frozen=True, slots=True)
class Stall:
    """Silence at a place; `seconds` None lasts until the client leaves."""

    place: Place
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Malformed:
    """Spoil one event: bad JSON, an ill-formed UTF-8 sequence, or a bracket of the wrong kind."""

    event: int
    kind: str = "json"


@dataclass(frozen=True, slots=True)
class InStreamError:
    """The service's error event after `after` events; code None is the service's usual code."""

    after: int
    code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls:
    """All controls of one request; see the module's tables."""

    rate: float = 0.0
    tokens: int | None = None
    text: str = "plain"
    fragments: str | int = "event"
    newline: str | None = None
    keepalive: float | None = None
    seed: int = 0
    delay: float = 0.0
    calls: int = 1
    artifacts: int = 1
    reasoning: str = "reasoning_content"
    error_form: str | None = None
    cut: Place | None = None
    truncate: Place | None = None
    reset: Place | None = None
    stall: Stall | None = None
    malformed: Malformed | None = None
    error: InStreamError | None = None
    no_end: bool = False
    status: int | None = None
    code: str | None = None
    retry_after: float | None = None
    reset_after: float | None = None
    times: int | None = None
    tag: str | None = None

    def changed(self, changes: Iterable[tuple[str, Any]]) -> Controls:
        """These controls with others on top; values may be text, as in a header.

        Raises:
            ControlError: an unknown name, or a value that the control cannot have.
        """
        read: dict[str, Any] = {}
        for name, value in changes:
            reader = _READERS.get(name)
            if reader is None:
                raise ControlError(f"unknown control {name!r}")
            if value is None:
                read[name] = None
                continue
            try:
                read[name] = reader(value)
            except (TypeError, ValueError) as error:
                raise ControlError(f"control {name!r} cannot be {value!r}: {error}") from None
        return replace(self, **read) if read else self

    def with_headers(self, headers: Iterable[tuple[str, str]]) -> Controls:
        """These controls with a request's `x-hangang-…` headers on top."""
        return self.changed(
            (name[len(PREFIX) :].lower().replace("-", "_"), value)
            for name, value in headers
            if name.lower().startswith(PREFIX)
        )

    def without_faults(self) -> Controls:
        """The same controls without faults."""
        return replace(
            self,
            cut=None,
            truncate=None,
            reset=None,
            stall=None,
            malformed=None,
            error=None,
            no_end=False,
            status=None,
            code=None,
        )


class ControlOptions(TypedDict, total=False):
    """The controls as keyword arguments; faults may be written as their header text."""

    rate: float
    tokens: int | None
    text: str
    fragments: str | int
    newline: str | None
    keepalive: float | None
    seed: int
    delay: float
    calls: int
    artifacts: int
    reasoning: str
    error_form: str | None
    cut: Place | int | str | None
    truncate: Place | int | str | None
    reset: Place | int | str | None
    stall: Stall | int | str | None
    malformed: Malformed | int | str | None
    error: InStreamError | int | str | None
    no_end: bool
    status: int | None
    code: str | None
    retry_after: float | None
    reset_after: float | None


def _count(value: object) -> int:
    number = int(str(value))
    if number < 0:
        raise ValueError("it must not be negative")
    return number


def _positive(value: object) -> int:
    number = _count(value)
    if number == 0:
        raise ValueError("it must be at least 1")
    return number


def _seconds(value: object) -> float:
    number = float(str(value))
    if not 0 <= number <= 86400:
        raise ValueError("it must be between 0 and 86400")
    return number


def _rate(value: object) -> float:
    number = float(str(value))
    if not 0 <= number <= 1_000_000:
        raise ValueError("it must be between 0 and 1,000,000")
    return number


def _flag(value: object) -> bool:
    text = str(value).strip().lower()
    if text in ("1", "true", "yes", "on"):
        return True
    if text in ("0", "false", "no", "off", ""):
        return False
    raise ValueError("it must be 1 or 0")


def _one_of(*allowed: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        text = str(value).strip().lower()
        if text not in allowed:
            raise ValueError(f"it must be one of {', '.join(allowed)}")
        return text

    return read


def _fragments(value: object) -> str | int:
    text = str(value).strip().lower()
    if text in ("whole", "event", "random", "utf8"):
        return text
    return _positive(text)


def _stall(value: object) -> Stall:
    if isinstance(value, Stall):
        return value
    place, comma, seconds = str(value).partition(",")
    return Stall(Place.of(place), _seconds(seconds) if comma else None)


def _malformed(value: object) -> Malformed:
    if isinstance(value, Malformed):
        return value
    event, _, kind = str(value).partition(",")
    return Malformed(_positive(event), _one_of("json", "utf8", "bracket")(kind or "json"))


def _error(value: object) -> InStreamError:
    if isinstance(value, InStreamError):
        return value
    after, _, code = str(value).partition(",")
    return InStreamError(_count(after), code.strip() or None)


def _status(value: object) -> int:
    number = _count(value)
    if not 200 <= number <= 599:
        raise ValueError("it must be between 200 and 599")
    return number


_READERS: dict[str, Callable[[Any], Any]] = {
    "rate": _rate,
    "tokens": _count,
    "text": _one_of("plain", "hard"),
    "fragments": _fragments,
    "newline": _one_of("lf", "crlf", "cr", "none"),
    "keepalive": _seconds,
    "seed": lambda value: int(str(value)),
    "delay": _seconds,
    "calls": _positive,
    "artifacts": _positive,
    "reasoning": str,
    "error_form": _one_of("status", "error"),
    "cut": Place.of,
    "truncate": Place.of,
    "reset": Place.of,
    "stall": _stall,
    "malformed": _malformed,
    "error": _error,
    "no_end": _flag,
    "status": _status,
    "code": str,
    "retry_after": _seconds,
    "reset_after": _seconds,
    "times": _count,
    "tag": str,
}
