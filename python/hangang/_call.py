"""What a client says about one request, and what it hands back for one that is no chat.

A `Call` holds what to send and which parser reads the answer. Clients build calls; the transport sends
them. No I/O and no protocol here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from urllib.parse import quote

from ._backend import impl
from ._answers import RateLimit, request_id_of

__all__ = [
    "A2A",
    "A2A_LAST_CHUNK",
    "CLOVA",
    "EXAONE",
    "OPENAI",
    "Call",
    "Dialect",
    "Files",
    "Response",
    "Service",
    "body_of",
    "checked_key",
    "loads",
    "required_key",
    "segment",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What differs between the services before a request is made."""

    base_url: str
    base_variable: str


@dataclass(frozen=True, slots=True)
class Dialect:
    """A stream format as the clients need it: how to parse, how to know an error, how it ends."""

    name: str
    parser: Callable[..., Any]
    error: type
    marker: bool = True
    """False for EXAONE, whose streams end by the end of the body alone ([exaone §5])."""
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])


CLOVA = Dialect("clova", impl.clova.StreamParser, impl.clova.Error)
EXAONE = Dialect("exaone", impl.exaone.StreamParser, impl.exaone.Error, marker=False)
OPENAI = Dialect("openai", impl.openai.StreamParser, impl.openai.Error)
A2A = Dialect("a2a", impl.a2a.StreamParser, impl.a2a.Error)
A2A_LAST_CHUNK = replace(A2A, options={"end": "last_chunk"})  # Gov's second profile

Files = list[tuple[str, tuple[str, bytes, str]]]


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a service, and how its answer is read."""

    method: str
    path: str
    json: Any = None
    data: Mapping[str, Any] | None = None
    files: Files | None = None
    params: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    dialect: Dialect | None = None
    streaming: bool = False
    """Whether a stream was asked for; the answer of a one-shot call may still come as one."""
    decode: Literal["json", "bytes", "any"] = "json"
    """Of an answer that is no chat: `any` decodes what says that it is JSON, and fails at nothing."""
    base_url: str | None = None


def checked_key(given: str | None, name: str, variable: str) -> str | None:
    """A key from the argument or the environment, or None; never shown in an error.

    Raises:
        ValueError: it holds something other than visible ASCII. A header must not be cut in two by
            a line break, and the HTTP library's own error would show the key.
    """
    key: Any = given if given is not None else os.environ.get(variable)
    if not key:
        return None
    if not isinstance(key, str) or any(not "!" <= char <= "~" for char in key):
        raise ValueError(
            f"{name} holds a character that no key has (a control character, a space, or one outside "
            "ASCII); is there a line break at its end?"
        )
    checked: str = key
    return checked


def required_key(given: str | None, name: str, variable: str) -> str:
    """`checked_key`, for a service that serves nobody without one."""
    key = checked_key(given, name, variable)
    if key is None:
        raise ValueError(f"no API key: pass {name}= or set {variable}")
    return key


def segment(value: str | int, name: str) -> str:
    """A value as one segment of a path; refuses what would leave the path it stands in."""
    text = str(value)
    if not text or text in (".", ".."):
        raise ValueError(f"{name} must not be {text!r}")
    return quote(text, safe="")


def body_of(extra: Mapping[str, Any] | None, **fields: Any) -> dict[str, Any]:
    """A JSON body of the fields that are not None, with the caller's own over them."""
    body = {name: value for name, value in fields.items() if value is not None}
    body.update(extra or {})
    return body


# --- answers


class Response:
    """An answer that is no chat: a list of files, an embedding, a sound.

    Attributes:
        data: the decoded JSON; of CLOVA's envelope `{status, result}` the `result`. None for an
            answer that is not JSON.
        body: the bytes as received.
        status: HTTP status.
        content_type: as received, `""` where none.
        rate_limit: what the headers say about the quota.
        request_id: the service's id of this request, or None.

    `response["name"]` is `response.data["name"]`.
    """

    __slots__ = ("body", "content_type", "data", "rate_limit", "request_id", "status")

    def __init__(
        self, *, data: Any, body: bytes, status: int, content_type: str, headers: Mapping[str, str]
    ) -> None:
        self.data = data
        self.body = body
        self.status = status
        self.content_type = content_type
        self.rate_limit = RateLimit.of(headers)
        self.request_id = request_id_of(headers)

    @property
    def text(self) -> str:
        """The body as UTF-8 text; ill-formed bytes become U+FFFD."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The whole decoded body, envelope and all; raises ValueError where it is not JSON."""
        return loads(self.body)

    def __getitem__(self, key: Any) -> Any:
        return self.data[key]

    def __repr__(self) -> str:
        return f"Response(status={self.status}, data={_short(self.data)})"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else text[:197] + "..."


def loads(body: bytes) -> Any:
    try:
        import orjson
    except ImportError:
        return json.loads(body)
    try:
        return orjson.loads(body)
    except ValueError:
        return json.loads(body)  # lone surrogates, NaN: the standard library is the lenient one
