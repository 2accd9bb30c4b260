"""The requests that an emulator received, for tests to look at."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_SECRET = ("authorization", "cookie", "api-key", "apigw", "token", "secret")


@dataclass(frozen=True, slots=True)
class Request:
    """One request as the emulator received it.

    Attributes:
        service: `clova`, `clova-openai`, `exaone`, `gov`, `a2a`, …
        method: the HTTP method.
        path: the path, without the query.
        headers: as sent, under lower-case names. Keys are in them; `repr` and `to_dict` hide those.
        body: the decoded JSON where the body is JSON, else bytes (`b""` for none, and for a body
            over the emulator's limit of 50 MiB).
        query: the query, without `?`.
    """

    service: str
    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: Any = b""
    query: str = ""

    def __repr__(self) -> str:
        return f"Request({', '.join(f'{name}={value!r}' for name, value in self._shown().items())})"

    def _shown(self) -> dict[str, Any]:
        names = ("service", "method", "path", "query", "headers", "body")
        headers = {name: _without_key(name, value) for name, value in self.headers.items()}
        return {name: getattr(self, name) for name in names} | {"headers": headers}

    def to_dict(self) -> dict[str, Any]:
        """What `GET /_emulator/requests` answers with, without the keys.

        `body` is None and `body_base64` has the body where it is not JSON.
        """
        if isinstance(self.body, bytes):
            body = base64.b64encode(self.body).decode()
            return {**self._shown(), "body": None, "body_base64": body}
        return self._shown()


def _without_key(name: str, value: str) -> str:
    """A header's value; of one that carries a key only the scheme, such as `Bearer ***`."""
    if not any(part in name for part in _SECRET):
        return value
    scheme, space, _ = value.partition(" ")
    return f"{scheme} ***" if space and name.endswith("authorization") else "***"


def decoded(content: bytes) -> Any:
    """The value of a JSON text, or the bytes as they are."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return content
