"""What can be configured, for a client and for one call, and the checks of it."""

from __future__ import annotations

import difflib
import math
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, Protocol, TypeAlias, TypedDict, cast, get_args
from urllib.parse import urlsplit

from .http.interface import Timeouts, is_loopback

__all__ = [
    "CALL_OPTIONS",
    "CallOptions",
    "ConnectionOptions",
    "Effort",
    "HTTPClient",
    "Settings",
    "TimeoutLike",
    "check_forms",
    "check_mapping",
    "check_options",
    "checked_base_url",
    "checked_headers",
    "checked_str",
    "checked_thinking",
    "insecure_is_allowed",
]

DEFAULT_TIMEOUTS: Timeouts = {"connect": 10.0, "read": 600.0, "write": 60.0, "pool": None}
"""Seconds. Reading is long because a one-shot answer of a thinking model sends nothing until it is
whole; streams have `stall_timeout`."""


Effort: TypeAlias = Literal["none", "low", "medium", "high"]
"""How long a model reasons."""


class HTTPClient(Protocol):
    """A client object of httpx or httpx2, a `ClientSession` of aiohttp, or a `PoolManager` of urllib3."""

    @property
    def request(self) -> Callable[..., Any]:
        """Sends a request."""
        ...


class TimeoutLike(Protocol):
    """`httpx.Timeout` and `httpx2.Timeout`."""

    def as_dict(self) -> dict[str, float | None]:
        """Seconds for connect, read, write and pool."""
        ...


class ConnectionOptions(TypedDict, total=False):
    """Keyword arguments that every client takes.

    - `base_url`: where the service is, without the paths of its endpoints. By default the service's
      variable in the environment, then the documented address. Plain http only to loopback, or with
      `allow_insecure=True`.
    - `http_client`: the name of the HTTP library: `"httpx"`, `"httpx2"`, `"aiohttp"` (`AsyncClient` only),
      `"urllib3"` (`Client` only), or `"fast"` for the one of the last two that fits. By default
      `HANGANG_HTTP_CLIENT`, then httpx. Or a client object of one of them, which stays open when ours is
      closed: a client of httpx or httpx2, an aiohttp `ClientSession`, a urllib3 `PoolManager`.
    - `timeout`: seconds for connecting, for each read and write, and for a free connection; or a
      `Timeout` of httpx. By default 10 to connect, 600 to read, 60 to write, or those of `http_client`.
    - `stall_timeout`: seconds a stream may go without a complete event (120); keep-alive comments do
      not count. It is checked when bytes arrive and when a read times out: a silent connection ends
      after this time, one that only sends comments at the first comment after it. None: no limit.
    - `total_timeout`: seconds that a whole call may take, retries and reading included. None: no limit. It is
      the only limit for an answer that arrives a byte at a time: `timeout` begins anew with each read. A
      blocking client starts a thread for each attempt of such a call.
    - `max_retries`: tries after the first (2), only before the first event.
    - `max_retry_wait`: the longest wait before a retry, in seconds (30). If the service asks for more,
      its error is raised at once, with `retry_after`.
    - `max_frame_bytes`: the longest frame of a stream (16 MiB). The objects of a hostile frame take up to 130
      times its bytes: see SECURITY.md.
    - `max_response_bytes`: most bytes, decompressed, of an answer that is not a chat (256 MiB). Decoded JSON
      takes memory besides. None: no limit.
    - `allow_insecure`: send the key over plain http to any host; `HANGANG_ALLOW_INSECURE=1` does the same.
    - `headers`: sent with each request; they cannot replace the key.
    """

    base_url: str | None
    http_client: HTTPClient | str | None
    timeout: float | TimeoutLike | None
    stall_timeout: float | None
    total_timeout: float | None
    max_retries: int
    max_retry_wait: float
    max_frame_bytes: int
    max_response_bytes: int | None
    allow_insecure: bool
    headers: Mapping[str, str] | None


class CallOptions(TypedDict, total=False):
    """Keyword arguments of a single call, over those of its client.

    - `timeout`, `stall_timeout`, `total_timeout`, `max_retries`: see `ConnectionOptions`.
    - `extra_headers`: more headers of this request.
    - `extra_query`: more parameters of the address.
    - `extra_body`: adds or replaces fields of the body.
    - `record`: a path. The answer's body is written to it as it arrives, without headers and without the
      key; a retry starts the file again. The file can be attached to a bug report and read with
      `hangang decode`.
    """

    timeout: float | TimeoutLike | None
    stall_timeout: float | None
    total_timeout: float | None
    max_retries: int
    extra_headers: Mapping[str, str] | None
    extra_query: Mapping[str, Any] | None
    extra_body: Mapping[str, Any] | None
    record: str | os.PathLike[str] | None


#: Those that the transport handles. The others become part of the request.
CALL_OPTIONS = frozenset({"timeout", "stall_timeout", "total_timeout", "max_retries", "record"})


@dataclass(frozen=True, slots=True)
class Settings:
    """Checked options: of a client, or of a client and one call."""

    timeouts: Timeouts = field(default_factory=lambda: DEFAULT_TIMEOUTS)
    stall_timeout: float | None = 120.0
    total_timeout: float | None = None
    max_retries: int = 2
    max_retry_wait: float = 30.0
    max_frame_bytes: int = 16 * 2**20
    max_response_bytes: int | None = 256 * 2**20
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    record: str | None = None

    def changed(self, changes: Mapping[str, Any]) -> Settings:
        """These settings with options over them.

        Raises:
            TypeError: an option that does not exist here.
            ValueError: a value that an option cannot have.
        """
        if not changes:
            return self
        new: dict[str, Any] = {}
        for name, value in changes.items():
            if name == "timeout":
                if value is not None:
                    new["timeouts"] = _timeouts(value)
            elif name == "headers":
                if value is not None:
                    check_mapping("headers", value, of_strings=True)
                    more = {key.lower(): text for key, text in checked_headers(value).items()}
                    new["headers"] = {**self.headers, **more}
            elif name == "record":
                new["record"] = _path_or_none(name, value)
            elif name in _CHECKS:
                new[name] = _CHECKS[name](name, value)
            else:
                raise TypeError(f"{name} cannot be changed here: pass it when you make the client")
        return replace(self, **new)


def _timeouts(timeout: float | TimeoutLike | Any) -> Timeouts:
    if isinstance(timeout, int | float) and not isinstance(timeout, bool):
        if not timeout > 0 or math.isinf(timeout):
            raise ValueError(f"timeout must be seconds above 0, not {timeout!r}")
        return dict.fromkeys(("connect", "read", "write", "pool"), float(timeout))
    if isinstance(timeout, bool) or not hasattr(timeout, "as_dict"):
        raise TypeError(f"timeout must be seconds or a Timeout of httpx, not {timeout!r}")
    return dict(timeout.as_dict())


def _fault(name: str, form: str, value: Any, *kinds: type) -> Exception:
    """A TypeError for a value of another type than `kinds` (a bool is not a number), else a ValueError."""
    fits = isinstance(value, kinds) and not isinstance(value, bool)
    return (ValueError if fits else TypeError)(f"{name} must be {form}, not {value!r}")


def _count(name: str, value: Any) -> int:
    if type(value) is not int or value < 0:
        raise _fault(name, "an int of 0 or more", value, int)
    return value


def _limit(name: str, value: Any) -> int | None:
    if value is not None and (type(value) is not int or value < 1):
        raise _fault(name, "an int above 0, or None", value, int)
    limit: int | None = value
    return limit


def _seconds_or_none(name: str, value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise _fault(name, "seconds above 0, or None", value, int, float)
    return value


def _seconds(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise _fault(name, "seconds of 0 or more", value, int, float)
    return value


def _path_or_none(name: str, value: Any) -> str | None:
    if value is None:
        return None
    path: Any = value.__fspath__() if hasattr(value, "__fspath__") else value
    if not isinstance(path, str):
        raise TypeError(f"{name} must be a path, not {type(path).__name__}")
    return path


def _as_it_is(_: str, value: Any) -> Any:
    return value  # the parser checks it


_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "stall_timeout": _seconds_or_none,
    "total_timeout": _seconds_or_none,
    "max_retries": _count,
    "max_retry_wait": _seconds,
    "max_frame_bytes": _as_it_is,
    "max_response_bytes": _limit,
}
assert {*_CHECKS, "timeouts", "headers", "record"} == {one.name for one in fields(Settings)}


def checked_base_url(url: str, *, allow_insecure: bool) -> str:
    """An address that a key may be sent to, without a slash at its end.

    Raises:
        TypeError: it is not a str.
        ValueError: it is not absolute, holds a password, a query or a fragment, or is plain http to a host
            that is not loopback.
    """
    checked_str("base_url", url)
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError(
            "base_url must be an absolute http or https URL with a valid host and port"
        ) from None
    if any(char <= " " for char in url) or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("base_url must be an absolute http or https URL, such as http://127.0.0.1:8000")
    if parts.username is not None or parts.password is not None:
        raise ValueError("base_url must not hold a user name or a password")
    if "?" in url or "#" in url:  # also empty ones, which `parts` does not show
        raise ValueError("base_url must not have a query or a fragment")
    if parts.scheme == "http" and not is_loopback(parts.hostname) and not allow_insecure:
        raise ValueError(
            "the API key would travel unencrypted: use https, or pass allow_insecure=True (or set "
            f"HANGANG_ALLOW_INSECURE=1) if you trust the network between here and {parts.hostname}"
        )
    return url.rstrip("/")


def checked_headers(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Headers that can be sent, unchanged.

    Raises:
        ValueError: a name or a value could end its line, or is not ASCII. No value is shown.
    """
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot be the name of a header")
        if not _HEADER_VALUE.fullmatch(value):
            raise ValueError(
                f"the header {name} holds a line break, another control character, or one outside ASCII"
            )
    return headers


def check_mapping(name: str, value: Any, *, of_strings: bool = False) -> None:
    """Raise a TypeError that names the argument unless it is a dict, or None; no value is shown."""
    form = "a dict of strings" if of_strings else "a dict"
    if value is None:
        return
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must be {form}, not {type(value).__name__}")
    for key, one in cast("Mapping[object, object]", value).items():
        if type(key) is not str:
            raise TypeError(f"{name} must be {form} with names that are strings, not {type(key).__name__}")
        if of_strings and not isinstance(one, str):
            raise TypeError(f"{name} must be {form}; {key!r} is {type(one).__name__}")


def checked_thinking(value: Any) -> bool | Effort:
    """`thinking=` that is not None.

    Raises:
        TypeError, ValueError: neither True, False nor one of `Effort`.
    """
    if isinstance(value, bool) or (isinstance(value, str) and value in get_args(Effort)):
        return cast("bool | Effort", value)
    kind = ValueError if isinstance(value, str) else TypeError
    raise kind(f"thinking must be True, False, 'none', 'low', 'medium' or 'high', not {value!r}")


# Forms of the options of a chat. Their ranges are left to the service, whose errors name them better.
_FORMS: dict[str, tuple[str, tuple[type, ...]]] = {
    **dict.fromkeys(
        (
            "temperature", "top_p", "repetition_penalty", "repeat_penalty", "frequency_penalty",
            "presence_penalty",
        ),
        ("a number", (int, float)),
    ),
    **dict.fromkeys(("top_k", "max_tokens", "max_completion_tokens", "seed", "n"), ("an int", (int,))),
    **dict.fromkeys(
        ("include_ai_filters", "parallel_tool_calls", "skip_special_tokens"), ("True or False", (bool,))
    ),
    **dict.fromkeys(("task_id", "version", "request_id", "reasoning_effort"), ("a str", (str,))),
    **dict.fromkeys(("response_format", "chat_template_kwargs", "stream_options"), ("a dict", (Mapping,))),
    "tool_choice": ("a str or a dict", (str, Mapping)),
}  # fmt: skip


def check_forms(options: Mapping[str, Any]) -> None:
    """Raise a TypeError that names the first option of a chat of another type than it has; None is none."""
    for name, value in options.items():
        if value is None or name not in _FORMS:
            continue
        form, kinds = _FORMS[name]
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise TypeError(f"{name} must be {form}, not {type(value).__name__}")


def checked_str(name: str, value: Any) -> str:
    """A string argument; raises a TypeError that names it."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {type(value).__name__}")
    return value


_HEADER_NAME = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]++")
_HEADER_VALUE = re.compile(r"[\t -~]*+")


def insecure_is_allowed() -> bool:
    """Whether `HANGANG_ALLOW_INSECURE` allows plain http to any host."""
    return os.environ.get("HANGANG_ALLOW_INSECURE", "").strip().lower() in ("1", "true", "yes", "on")


def check_options(method: str, given: Iterable[str], known: Iterable[str], hint: str = "") -> None:
    """Raise a TypeError that names the method and the nearest option if one of `given` is not known.

    `hint` is a sentence without its capital letter and its full stop.
    """
    names = list(known)
    for name in given:
        if name not in names:
            message = f"{method}() has no option {name!r}"
            if near := difflib.get_close_matches(name, names, n=1, cutoff=0.6):
                message += f"; did you mean {near[0]}?"
                hint = f" {hint[:1].upper()}{hint[1:]}" if hint else ""
            elif hint:
                hint = f"; {hint}"
            raise TypeError(message + hint)
