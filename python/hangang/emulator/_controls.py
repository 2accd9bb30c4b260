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
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from typing import Any, TypedDict

PREFIX = "x-hangang-"
# Answers are made before they are sent, in one go: one request must not occupy the server for long.
MOST_TOKENS = 100_000
MOST_CALLS = 1_000


class ControlError(ValueError):
    """An unknown control, or one with an invalid value; the message says what the control takes."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a response body: after a number of bytes, or after a number of events."""

    bytes: int | None = None
    events: int | None = None


@dataclass(frozen=True, slots=True)
class Stall(Place):
    """Silence at a place; `seconds` None lasts until the client leaves."""

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


# What values are read with. Numbers are ASCII digits: int() also takes `1_000` and other scripts.


def _count(least: int = 0, most: int = 2**62) -> Callable[[object], int]:
    def read(value: object) -> int:
        text = str(value).strip()
        is_number = len(text) <= 20 and text.isascii() and text.removeprefix("-").isdigit()
        if not is_number or not least <= int(text) <= most:
            raise ValueError(text)
        return int(text)

    return read


def _number(most: float) -> Callable[[object], float]:
    def read(value: object) -> float:
        number = float(str(value))
        if not 0 <= number <= most:  # also false for NaN
            raise ValueError(number)
        return number

    return read


def _word(*allowed: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        text = str(value).strip().lower()
        if text not in allowed:
            raise ValueError(text)
        return text

    return read


_any_count = _count()
_seconds = _number(86_400)


def _flag(value: object) -> bool:
    return _word("1", "true", "0", "false")(value) in ("1", "true")


def _fragments(value: object) -> str | int:
    text = str(value).strip().lower()
    return text if text in ("whole", "event", "random", "utf8") else _count(1, 2**30)(text)


def _place(text: str) -> Place:
    text = text.strip()
    return Place(events=_any_count(text[:-1])) if text.endswith("e") else Place(_any_count(text))


def _stall(text: str) -> Stall:
    where, comma, seconds = text.partition(",")
    place = _place(where)
    return Stall(place.bytes, place.events, _seconds(seconds) if comma else None)


def _malformed(text: str) -> Malformed:
    event, _, kind = text.partition(",")
    return Malformed(_count(1, 2**31)(event), _word("json", "utf8", "bracket", "")(kind) or "json")


def _error(text: str) -> InStreamError:
    after, _, code = text.partition(",")
    return InStreamError(_any_count(after), code.strip() or None)


def _control(default: Any, read: Callable[[Any], Any], takes: str) -> Any:
    """A control: its default, how its value is read, and what it takes, in words."""
    return field(default=default, metadata={"read": read, "takes": takes})


def _fault(kind: type[Any], read: Callable[[str], Any], takes: str) -> dict[str, Any]:
    """The same for a fault: its value is of this type, or is read from its text."""

    def either(value: object) -> Any:
        return value if isinstance(value, kind) else read(str(value))

    return {"read": either, "takes": takes}


_SECONDS = (_seconds, "seconds from 0 to 86400")
_CALLS = (_count(1, MOST_CALLS), f"a count from 1 to {MOST_CALLS}")
_PLACE = _fault(Place, _place, "a number of bytes such as 120, or a number of events such as 3e")
_STALL = _fault(Stall, _stall, "a place (120 or 3e), or a place and seconds such as 3e,0.5")
_MALFORMED = _fault(
    Malformed, _malformed, "an event's number from 1, alone or with json, utf8 or bracket, such as 2,utf8"
)
_ERROR = _fault(
    InStreamError, _error, "a number of events, alone or with a code of the service, such as 3,42901"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls:
    """All controls of one request; see the module's tables."""

    rate: float = _control(0.0, _number(1_000_000), "tokens a second, from 0 (all at once) to 1000000")
    tokens: int | None = _control(None, _count(0, MOST_TOKENS), f"a count from 0 to {MOST_TOKENS}")
    text: str = _control("plain", _word("plain", "hard"), "plain or hard")
    fragments: str | int = _control(
        "event", _fragments, "event, whole, random, utf8 or a number of bytes from 1"
    )
    newline: str | None = _control(None, _word("lf", "crlf", "cr", "none"), "lf, crlf, cr or none")
    keepalive: float | None = _control(None, *_SECONDS)
    seed: int = _control(0, _count(-(2**62)), "an integer")
    delay: float = _control(0.0, *_SECONDS)
    calls: int = _control(1, *_CALLS)
    artifacts: int = _control(1, *_CALLS)
    reasoning: str = _control("reasoning_content", str, "a field name")
    error_form: str | None = _control(None, _word("status", "error"), "status or error")
    cut: Place | None = field(default=None, metadata=_PLACE)
    truncate: Place | None = field(default=None, metadata=_PLACE)
    reset: Place | None = field(default=None, metadata=_PLACE)
    stall: Stall | None = field(default=None, metadata=_STALL)
    malformed: Malformed | None = field(default=None, metadata=_MALFORMED)
    error: InStreamError | None = field(default=None, metadata=_ERROR)
    no_end: bool = _control(False, _flag, "1 or 0")
    status: int | None = _control(None, _count(200, 599), "an HTTP status from 200 to 599")
    code: str | None = _control(None, str, "a code of the service")
    retry_after: float | None = _control(None, *_SECONDS)
    reset_after: float | None = _control(None, *_SECONDS)
    times: int | None = _control(None, _any_count, "a count from 0")
    tag: str | None = _control(None, str, "any text")

    def changed(self, changes: Iterable[tuple[str, Any]], *, headers: bool = False) -> Controls:
        """These controls with others on top; values may be text, as in a header.

        Raises:
            ControlError: an unknown name, or a value that the control cannot have; it calls a control by its
                header, if that is where it was found.
        """

        def label(name: str) -> str:
            return PREFIX + name.replace("_", "-") if headers else repr(name)

        kind = "header" if headers else "control"
        found: dict[str, Any] = {}
        for name, value in changes:
            if name not in _CONTROLS:
                near = get_close_matches(name, _CONTROLS, n=1)
                hint = f"did you mean {label(near[0])}?" if near else "`hangang serve --controls` lists them"
                raise ControlError(f"unknown {kind} {label(name)}; {hint}")
            control = _CONTROLS[name].metadata
            try:
                found[name] = None if value is None else control["read"](value)
            except (TypeError, ValueError):
                shown = repr(value)
                shown = shown if len(shown) <= 80 else shown[:77] + "..."
                raise ControlError(
                    f"{kind} {label(name)} cannot be {shown}: it takes {control['takes']}"
                ) from None
        return replace(self, **found) if found else self

    def with_headers(self, headers: Iterable[tuple[str, str]]) -> Controls:
        """These controls with a request's `x-hangang-…` headers on top."""
        lower = ((name.lower(), value) for name, value in headers)
        found = [(name[len(PREFIX) :], value) for name, value in lower if name.startswith(PREFIX)]
        return self.changed(((name.replace("-", "_"), value) for name, value in found), headers=True)

    def without_faults(self) -> Controls:
        """The same controls without faults."""
        defaults: dict[str, Any] = {name: _CONTROLS[name].default for name in _FAULTS}
        return replace(self, **defaults)


_CONTROLS = {control.name: control for control in fields(Controls)}
_FAULTS = ("cut", "truncate", "reset", "stall", "malformed", "error", "no_end", "status", "code")


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
