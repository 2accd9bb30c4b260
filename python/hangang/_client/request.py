"""One request to a service, and how its answer is read.

Clients build `Call`s and nothing else; the transport sends them. No I/O and no service's rules here.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast
from urllib.parse import quote, urlencode

from hangang._backend import impl
from hangang._values import is_object

from .options import CALL_OPTIONS, CallOptions, check_forms, check_mapping, check_options

__all__ = [
    "A2A",
    "A2A_LAST_CHUNK",
    "CLOVA",
    "EXAONE",
    "OPENAI",
    "Call",
    "Dialect",
    "Files",
    "Operation",
    "Service",
    "body_of",
    "checked_key",
    "encoded",
    "required_key",
    "segment",
    "split_options",
    "strings",
    "with_call_options",
    "with_query",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What differs between the services before a request is made.

    Attributes:
        name: the public module, for log lines and errors.
        base_url: the documented address, or None if there is none.
        base_variable: the environment variable that replaces it.
    """

    name: str
    base_url: str | None
    base_variable: str


@dataclass(frozen=True, slots=True)
class Dialect:
    """A stream format as the clients need it.

    Attributes:
        name: the public module of the parser.
        parser: makes a parser.
        error: the class of its error events.
        has_end_marker: False for EXAONE, whose streams end only with the body ([exaone §5]).
        options: more arguments of the parser.
    """

    name: str
    parser: Callable[..., Any]
    error: type
    has_end_marker: bool = True
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])


CLOVA = Dialect("clova", impl.clova.StreamParser, impl.clova.Error)
EXAONE = Dialect("exaone", impl.exaone.StreamParser, impl.exaone.Error, has_end_marker=False)
OPENAI = Dialect("openai", impl.openai.StreamParser, impl.openai.Error)
A2A = Dialect("a2a", impl.a2a.StreamParser, impl.a2a.Error)
A2A_LAST_CHUNK = replace(A2A, options={"end": "last_chunk"})  # Gov's second profile

Files = list[tuple[str, tuple[str, bytes, str]]]

_DEEPEST_PLACE = 8  # how many steps into a body an error shows


@dataclass(frozen=True, slots=True)
class Operation:
    """What a call means to those who observe it; the names are OpenTelemetry's (docs/en/otel.md).

    Attributes:
        name: chat, an agent's turn, or embeddings.
        model: the model that is named, if one is.
        agent_id: the agent that is addressed, if one is.
    """

    name: Literal["chat", "invoke_agent", "embeddings"]
    model: str | None = None
    agent_id: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One request, and how its answer is read.

    Attributes:
        method, path: the path begins with `/` and may hold a query.
        json: a JSON body; or
        data, files: a form: text fields, and files as `(field, (name, content, type))`.
        params: parameters of the address.
        headers: of this request, over those of the client.
        dialect: how a chat answer is parsed; None for an answer that is not a chat.
        streaming: whether a stream was asked for. A one-shot call may still be answered with one.
        decode: of an answer that is not a chat: `json` must be JSON, `bytes` stays as it is, `any` is
            decoded if it is JSON.
        base_url: another host than the client's.
        options: options of this call that the transport handles (`CALL_OPTIONS`).
        operation: what an observer is notified of; None for calls that are not observed.
    """

    method: str
    path: str
    json: Any = None
    data: Mapping[str, Any] | None = None
    files: Files | None = None
    params: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    dialect: Dialect | None = None
    streaming: bool = False
    decode: Literal["json", "bytes", "any"] = "json"
    base_url: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    operation: Operation | None = None

    @property
    def label(self) -> str:
        """Method and path without the query, for log lines."""
        return f"{self.method} {self.path.partition('?')[0]}"


def split_options(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options of a call in two: those that the transport handles, and the others.

    Raises:
        TypeError: `extra_headers`, `extra_query` or `extra_body` is not a dict, or another option of a chat
            has another type than it should.
    """
    check_forms(options)
    for name in ("extra_headers", "extra_query", "extra_body"):
        check_mapping(name, options.get(name), of_strings=name == "extra_headers")
    handled = {name: value for name, value in options.items() if name in CALL_OPTIONS}
    others = {name: value for name, value in options.items() if name not in CALL_OPTIONS}
    return handled, others


def with_call_options(call: Call, method: str, options: Mapping[str, Any]) -> Call:
    """A call that is not a chat, with the options of this one call.

    Args:
        call: the request without them.
        method: the public method, for errors.
        options: `CallOptions`.
    """
    if not options:
        return call
    check_options(method, options, sorted(CallOptions.__annotations__))
    handled, others = split_options(options)
    more: dict[str, Any] = {}
    if body := others.get("extra_body"):
        is_form = call.files is not None or call.data is not None
        own = (call.data if is_form else call.json) or {}
        if not isinstance(own, Mapping):
            raise TypeError("extra_body adds fields to a body that is an object: this one is not")
        more["data" if is_form else "json"] = {**cast("Mapping[str, Any]", own), **body}
    if query := others.get("extra_query"):
        more["params"] = {**(call.params or {}), **query}
    if headers := others.get("extra_headers"):
        more["headers"] = {**call.headers, **headers}
    return replace(call, options=handled, **more)


# --- keys


def checked_key(given: str | None, name: str, *variables: str) -> str | None:
    """A key from the argument or the first variable that is set, or None; never shown in an error.

    Raises:
        TypeError: it is not a str.
        ValueError: it holds something other than visible ASCII. A line break would cut the header in
            two, and the HTTP library's own error would show the key.
    """
    key: Any = given
    if key is None:
        key = next((value for variable in variables if (value := os.environ.get(variable))), None)
    if not isinstance(key, str | None):
        raise TypeError(f"{name} must be a str, not {type(key).__name__}")
    if not key:
        return None
    if any(not "!" <= char <= "~" for char in key):
        raise ValueError(
            f"{name} holds a character that no key has (a control character, a space, or one outside "
            "ASCII); is there a line break at its end?"
        )
    checked: str = key
    return checked


def required_key(given: str | None, name: str, *variables: str) -> str:
    """`checked_key`, for a service that needs one."""
    key = checked_key(given, name, *variables)
    if key is None:
        raise ValueError(f"no API key: pass {name}= or set {variables[0]}")
    return key


# --- paths, queries, bodies


def segment(value: str | int, name: str) -> str:
    """A value as one segment of a path; refuses values that would leave the path."""
    text = str(value)
    if not text or text in (".", ".."):
        raise ValueError(f"{name} must not be {text!r}")
    return quote(text, safe="")


def body_of(extra: Mapping[str, Any] | None, **members: Any) -> dict[str, Any]:
    """A JSON body of the members that are not None, with the caller's own over them.

    Raises:
        TypeError: `extra` is not a dict.
    """
    check_mapping("extra", extra)
    body = {name: value for name, value in members.items() if value is not None}
    body.update(extra or {})
    return body


def strings(values: Sequence[str] | None, name: str) -> list[str] | None:
    """A list of strings, or None. One string is refused: it would be taken for a list of characters."""
    if values is None:
        return None
    if isinstance(values, str | bytes):
        raise TypeError(f"{name} must be a list of strings, not one string")
    try:
        listed: list[Any] = list(values)
    except TypeError:
        raise TypeError(f"{name} must be a list of strings, not {type(values).__name__}") from None
    if not all(isinstance(value, str) for value in listed):
        raise TypeError(f"{name} must be a list of strings")
    return listed


def with_query(path: str, params: Mapping[str, Any] | None) -> str:
    """A path with parameters appended; a list repeats its parameter."""
    if not params:
        return path
    pairs = [(name, _text(value)) for name, value in _pairs(params)]
    return f"{path}{'&' if '?' in path else '?'}{urlencode(pairs, quote_via=quote)}"


def encoded(call: Call) -> tuple[bytes | None, str | None]:
    """The body's bytes and their content type, or None for a request without a body."""
    if call.json is not None:
        try:
            text = json.dumps(call.json, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        except (TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"{_unfit(call.json)} cannot be sent as JSON: {error}") from None
        return text.encode("utf-8"), "application/json; charset=utf-8"
    if call.files is not None:
        return _multipart(call.data or {}, call.files)
    if call.data is not None:
        pairs = [(name, _text(value)) for name, value in _pairs(call.data)]
        return urlencode(pairs).encode("ascii"), "application/x-www-form-urlencoded"
    return None, None


def _unfit(value: Any) -> str:
    """Where in a body the first value is that JSON does not have; its contents are not shown."""
    place = "body"
    for _ in range(_DEEPEST_PLACE):  # a body can hold itself
        items: Iterable[tuple[Any, Any]] = ()
        if is_object(value):
            items = value.items()
        elif isinstance(value, list | tuple):
            items = enumerate(cast("Sequence[Any]", value))
        for key, one in items:
            try:
                json.dumps(one, allow_nan=False)
            except (TypeError, ValueError):
                place, value = f"{place}[{key!r}]", one
                break
        else:
            break
    return place


def _pairs(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, list | tuple):
            for one in value:  # pyright: ignore[reportUnknownVariableType]
                yield name, one
        else:
            yield name, value


def _text(value: Any) -> str | bytes:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | bytes):
        return value
    return "" if value is None else str(value)


def _multipart(data: Mapping[str, Any], files: Files) -> tuple[bytes, str]:
    boundary = secrets.token_hex(16)
    out: list[bytes] = []
    for name, value in _pairs(data):
        text = _text(value)
        out += [f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(name)}"\r\n\r\n'.encode()]
        out += [text if isinstance(text, bytes) else text.encode(), b"\r\n"]
    for field_name, (file_name, content, content_type) in files:
        if any(not " " <= char <= "~" for char in content_type):
            raise ValueError("a content type must be visible ASCII: no line break, no control character")
        out += [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(field_name)}"; '
            f'filename="{_quoted(file_name)}"\r\nContent-Type: {content_type}\r\n\r\n'.encode(),
            content,
            b"\r\n",
        ]
    out.append(f"--{boundary}--\r\n".encode())
    return b"".join(out), f"multipart/form-data; boundary={boundary}"


def _quoted(name: str) -> str:
    """A name inside quotes of a form's header, escaped as browsers do."""
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
