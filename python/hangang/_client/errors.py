"""Errors and rate limits: everything in a service's answer besides its content.

No I/O here. `service_error` reads every documented error body (docs/protocol), `status_of` maps a service's
code to an HTTP status, and `error_of` makes the exception. The services' own codes are in `_clova_codes`.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hangang._clova_codes import CLOVA_CODES
from hangang._errors import APIError
from hangang._rate_limit import request_id_of, retry_after
from hangang._values import is_object

__all__ = [
    "CODES",
    "ERROR_BODY",
    "WAS_RESET",
    "Secrets",
    "ServiceError",
    "error_of",
    "service_error",
    "status_of",
]

ERROR_BODY = 1 << 20
"""How many bytes of an answer an error keeps in `body`."""

WAS_RESET = "connection reset by the server"
"""Instead of the system's words for it, which differ between systems."""

# code -> (HTTP status, whether a retry can help). [clova §7.2]: "R" in its table;
# 42902 by analogy with 42901; 40063 has four messages of which two are worth a retry.
CODES: dict[str, tuple[int, bool]] = {
    code: (known.status, known.retried) for code, known in CLOVA_CODES.items()
}

# JSON-RPC errors come with HTTP 200 ([a2a §5]); these are the statuses that they mean.
_JSON_RPC: dict[int, int] = {
    -32700: 400,
    -32600: 400,
    -32601: 404,
    -32602: 400,
    -32603: 500,
    -32001: 404,
    -32002: 400,
    -32003: 400,
    -32004: 400,
    -32005: 415,
    -32006: 500,
    -32007: 400,
    -32008: 400,
    -32009: 400,
}

# Names used as `code` or `type` by OpenAI-shaped services ([gov §1.2], [openai §3, §7]).
_NAMES: dict[str, int] = {
    "invalid_api_key": 401,
    "rate_limit_exceeded": 429,
    "context_length_exceeded": 400,
    "model_not_found": 404,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "rate_limit_error": 429,
    "invalid_request_error": 400,
    "server_error": 500,
    "badrequesterror": 400,
    "authenticationerror": 401,
    "permissiondeniederror": 403,
    "notfounderror": 404,
    "unprocessableentityerror": 422,
    "ratelimiterror": 429,
    "internalservererror": 500,
    "serviceunavailableerror": 503,
}


def status_of(code: str | int | None, kind: str | None = None) -> int | None:
    """The HTTP status that a service's own code or error type means, or None.

    CLOVA's five digits begin with their status except 6xxxx, which the table holds; three digits
    are a status; JSON-RPC's negative numbers have a table of their own.
    """
    if isinstance(code, int):
        if code in _JSON_RPC:
            return _JSON_RPC[code]
        code = str(code)
    if code is not None:
        if code in CODES:
            return CODES[code][0]
        if re.fullmatch(r"[2-5][0-9]{2}([0-9]{2})?", code, re.ASCII):
            return int(code[:3])
        if (status := _NAMES.get(code.lower())) is not None:
            return status
    return _NAMES.get(kind.lower()) if kind else None


# --- errors


class Secrets:
    """Keys that no text may show. They are in no local variable, because a traceback may show those."""

    __slots__ = ("_escaped", "_values")

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values = tuple(value for value in values if value)
        self._escaped = [re.compile("".join(map(_escaped, value))) for value in self._values]

    def struck_out(self, text: str) -> str:
        """The text with `***` for every key, also as JSON escapes it: a service may repeat the key."""
        text = functools.reduce(lambda found, value: found.replace(value, "***"), self._values, text)
        if "\\" in text:
            text = functools.reduce(lambda found, pattern: pattern.sub("***", found), self._escaped, text)
        return text

    def struck_out_of_code(self, code: str | int | None) -> str | int | None:
        """A service's code without a key; a number stays one."""
        if code is None:
            return None
        struck = self.struck_out(str(code))
        return code if struck == str(code) else struck

    def struck_out_of_event(self, event: Any) -> Any:
        """An error event, which errors keep in their `completion`; itself if no key is in it."""
        fields = [getattr(event, name) for name in event.__match_args__]
        struck = [self._struck_out_of_value(value) for value in fields]
        if struck == fields and self._struck_out_of_value(event.raw) == event.raw:
            return event
        return type(event)(*struck)  # without `raw`: the error's `body` has it

    def _struck_out_of_value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.struck_out(value)
        if isinstance(value, bytes):
            text = value.decode("utf-8", "surrogateescape")
            return self.struck_out(text).encode("utf-8", "surrogateescape")
        if is_object(value):
            return {self.struck_out(name): self._struck_out_of_value(one) for name, one in value.items()}
        if isinstance(value, list):
            return [self._struck_out_of_value(one) for one in value]  # pyright: ignore[reportUnknownVariableType]
        return self.struck_out_of_code(value) if type(value) is int else value

    def struck_out_of_headers(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        """The headers of an answer, a mapping of the same type; themselves if no key is in them."""
        items = list(headers.items())
        struck = [(name, self.struck_out(value)) for name, value in items]
        if struck == items:
            return headers
        kind: Any = type(headers)
        copy: Mapping[str, str] = kind(struck)
        return copy

    def __repr__(self) -> str:
        return f"<Secrets, {len(self._values)}>"


_LONGEST_KEY = 1 << 13  # as JSON inside JSON may write it: a dozen characters for each of the key's


def _escaped(char: str) -> str:
    """A pattern of a character of a key as JSON may write it, or JSON inside the strings of other JSON."""
    itself = re.escape(char)
    if char in '"\\/':
        itself = rf"\\{{0,8}}{itself}"
    return rf"(?:{itself}|\\{{1,8}}u00(?i:{ord(char):02x}))"


@dataclass(frozen=True, slots=True)
class ServiceError:
    """An error as a body states it: the service's message, its code, its type."""

    message: str
    code: str | int | None = None
    kind: str | None = None


def service_error(value: Any) -> ServiceError | None:
    """The error that a decoded body states, or None.

    Reads native `{status:{code,message}}`, OpenAI's and API-gateway `{error:{…}}`, flat
    `{object:"error"}`, EXAONE's `{result_code, description}`, JSON-RPC errors, problem+json and
    `{detail}`. A body of success (`status.code` 2xxxx, `result_code` 200) gives None.
    """
    if not is_object(value):
        return None
    status = value.get("status")
    if is_object(status) and "code" in status:
        code = _code(status["code"])
        return None if str(code).startswith("2") else ServiceError(_text(status.get("message")), code)
    error = value.get("error")
    if isinstance(error, str) and error:
        return ServiceError(error, _code(value.get("code")))
    if is_object(error) and error:
        custom = value.get("custom_status")
        custom = custom if is_object(custom) else {}
        data = error.get("data")
        message = _text(error.get("message")) or _text(custom.get("Description"))
        if not message and is_object(data):
            message = _text(data.get("detail"))
        code = _code(error.get("code"))
        if code is None:
            code = _code(error.get("errorCode"))
        if code is None:
            code = _code(custom.get("Code"))
        return ServiceError(message, code, _text(error.get("type")) or None)
    if (number := _code(value.get("result_code"))) is not None:
        return None if str(number) == "200" else ServiceError(_text(value.get("description")), number)
    if value.get("object") == "error" or _text(value.get("error_message")):
        message = _text(value.get("message")) or _text(value.get("error_message"))
        code = _code(value.get("code"))
        kind = _text(value.get("type")) or _text(value.get("error_type")) or None
        return ServiceError(message, _code(value.get("error_code")) if code is None else code, kind)
    return None


def _error_by_status(value: Any) -> ServiceError | None:
    """`service_error`, and bodies that are errors only by their HTTP status."""
    if (stated := service_error(value)) is not None or not is_object(value):
        return stated
    for key in ("detail", "message", "title"):  # problem+json; FastAPI's list of errors
        if detail := value.get(key):
            words = detail if isinstance(detail, str) else json.dumps(detail, ensure_ascii=False)
            return ServiceError(words, _code(value.get("code")))
    return None


def _code(value: Any) -> str | int | None:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return value if value != "" else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def error_of(
    *,
    status: int | None,
    headers: Mapping[str, str],
    body: bytes = b"",
    stated: ServiceError | None = None,
    secrets: Secrets | None = None,
) -> APIError:
    """The exception for an answer that is an error.

    Args:
        status: the HTTP status, or the one that the service's code means.
        headers: the answer's headers, any mapping with a case-insensitive `get`.
        body: the body as received; its first megabyte is kept as text.
        stated: what the body states, if it was already read.
        secrets: struck out of everything that the body states. The transport did it for the headers.
    """
    # A key is struck out before the cut, which would leave a part of it.
    text = body[: ERROR_BODY + _LONGEST_KEY].decode("utf-8", "replace")
    if stated is None:
        try:
            stated = _error_by_status(json.loads(text))
        except (ValueError, RecursionError):
            stated = None
    if status is None and stated is not None:
        status = status_of(stated.code, stated.kind)
    secrets = Secrets() if secrets is None else secrets
    text = secrets.struck_out(text)  # before a message is cut out of it: a part of a key is a secret too
    message = secrets.struck_out(stated.message) if stated is not None else " ".join(text.split())[:200]
    if not message:
        message = f"HTTP {status}" if status is not None else "the service reported an error"
    cls = APIError if status is None else APIError.for_status(status)
    return cls(
        message,
        status=status,
        code=secrets.struck_out_of_code(stated.code) if stated is not None else None,
        body=text[:ERROR_BODY],
        request_id=request_id_of(headers),
        retry_after=retry_after(headers, status),
    )
