"""`Response`: an answer that is not a chat."""

from __future__ import annotations

import json
from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from typing import Any, cast

from hangang._json_types import JSONValue
from hangang._rate_limit import RateLimit, request_id_of
from hangang._values import is_object

from .errors import Secrets, ServiceError, error_of, service_error, status_of
from .request import Call

__all__ = ["Response", "response_of"]


class Response:
    """An answer that is not a chat: a list of files, an embedding, a sound.

    Attributes:
        data: the decoded JSON; of CLOVA's envelope `{status, result}` the `result`. None for an
            answer that is not JSON.
        body: the bytes as received.
        status: HTTP status.
        content_type: as received, or `""`.
        rate_limit: the quota, from the headers.
        request_id: the service's id of this request, or None.

    `data` has the type of any JSON value. Where you know its shape, read it through the response itself,
    whose items are `Any`. Where `data` is a JSON object, the response is a mapping of its members:
    `response["name"]`, `"name" in response`, `response.get("name")`, `response.items()`, iteration, `len`.
    Where it is a list, `response[0]`, iteration and `len` work on the list.
    """

    __slots__ = ("body", "content_type", "data", "rate_limit", "request_id", "status")

    data: JSONValue
    body: bytes
    status: int
    content_type: str
    rate_limit: RateLimit
    request_id: str | None

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
        """The whole decoded body with its envelope; ValueError if it is not JSON."""
        return _loads(self.body)

    def __getitem__(self, key: Any) -> Any:
        return cast("Any", self.data)[key]

    def __contains__(self, key: object) -> bool:
        return self.data is not None and key in cast("Any", self.data)

    def __iter__(self) -> Iterator[Any]:
        return iter(() if self.data is None else cast("Any", self.data))

    def __len__(self) -> int:
        return 0 if self.data is None else len(cast("Any", self.data))

    def __bool__(self) -> bool:
        return True  # also if its JSON is empty

    def keys(self) -> KeysView[str]:
        """The names of the members; AttributeError if `data` is not an object."""
        return cast("dict[str, Any]", self.data).keys()

    def values(self) -> ValuesView[Any]:
        """The members; AttributeError if `data` is not an object."""
        return cast("dict[str, Any]", self.data).values()

    def items(self) -> ItemsView[str, Any]:
        """The names and the members; AttributeError if `data` is not an object."""
        return cast("dict[str, Any]", self.data).items()

    def get(self, key: str, default: Any = None) -> Any:
        """A member, or `default` if there is none or `data` is not an object."""
        return self.data.get(key, default) if is_object(self.data) else default

    def __repr__(self) -> str:
        return f"Response(status={self.status}, data={_short(self.data)})"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else text[:197] + "..."


def _loads(body: bytes) -> Any:
    try:
        import orjson
    except ImportError:
        return json.loads(body)
    try:
        return orjson.loads(body)
    except ValueError:
        return json.loads(body)  # lone surrogates and NaN: the standard library accepts them


def response_of(
    call: Call, status: int, headers: Mapping[str, str], body: bytes, secrets: Secrets
) -> Response:
    """A whole answer with a 2xx status; raises an APIError if its body states an error ([exaone §7])."""
    content_type = headers.get("content-type", "")
    data: Any = None
    if body and (call.decode == "json" or (call.decode == "any" and "json" in content_type)):
        try:
            data = _loads(body)
        except (ValueError, RecursionError):
            if call.decode == "json":
                raise error_of(
                    status=status,
                    headers=headers,
                    body=body,
                    stated=ServiceError(f"the answer is not JSON but {content_type or 'of no stated type'}"),
                    secrets=secrets,
                ) from None
        if (stated := service_error(data)) is not None:
            meant = status_of(stated.code, stated.kind) or status
            raise error_of(status=meant, headers=headers, body=body, stated=stated, secrets=secrets)
        if is_object(data) and is_object(data.get("status")) and "result" in data:
            data = data["result"]
    return Response(data=data, body=body, status=status, content_type=content_type, headers=headers)
