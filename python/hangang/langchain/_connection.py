"""What chat models and embeddings share: where the service is, and the clients that reach it.

- A client is made when it is first used, because making one loads certificates and the HTTP library.
- Clients are found by their settings, so a copy of a model with another address or key never uses the
  connections of the original.
- Models have no `async with` that their users know. An async client closes its connections at the end of
  each event loop, and when it is collected, without anybody calling `aclose`.
- Copies and pickles of a model take no client with them.
- Waking up for each token costs more than everything else that a model does, so the HTTP library is a fast
  one if nobody names another.
"""

from __future__ import annotations

import os
import threading
import urllib.request
import weakref
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SecretStr, model_validator

from hangang._client.request import checked_key, required_key

__all__ = ["Connection"]

Settings = dict[str, Any]


class _Clients:
    """The clients of one model, by their settings."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._blocking: list[tuple[Settings, Any]] = []
        self._awaited: list[tuple[Settings, Any]] = []
        weakref.finalize(self, _close_all, self._blocking)

    def __reduce__(self) -> tuple[type[_Clients], tuple[()]]:
        return _Clients, ()  # copies and pickles begin without clients

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Clients)  # two models are equal by their fields

    __hash__ = object.__hash__

    def blocking(self, settings: Settings, make: Callable[..., Any]) -> Any:
        """The client of these settings."""
        return self._found(self._blocking, settings, make, "urllib3")

    def awaited(self, settings: Settings, make: Callable[..., Any]) -> Any:
        """The async client of these settings."""
        return self._found(self._awaited, settings, make, "aiohttp")

    def _found(
        self, clients: list[tuple[Settings, Any]], settings: Settings, make: Callable[..., Any], fast: str
    ) -> Any:
        with self._lock:
            for known, client in clients:
                if known == settings:
                    return client
            client = make(**_revealed({**_default(fast), **settings}))
            clients.append((settings, client))
            return client

    def close(self) -> None:
        """Close the blocking clients."""
        with self._lock:
            _close_all(self._blocking)

    async def aclose(self) -> None:
        """Close the async clients, as far as it can be done in this event loop."""
        with self._lock:
            clients, self._awaited = self._awaited, []
        for _, client in clients:
            await client.aclose()


def _default(fast: str) -> Settings:
    """The HTTP library where nobody names one: `fast`, if it is installed and can be used here."""
    if os.environ.get("HANGANG_HTTP_CLIENT") or find_spec(fast) is None:
        return {}
    if any(proxy.lower().startswith("socks") for proxy in urllib.request.getproxies().values()):
        return {}  # of the libraries only httpx has such proxies
    return {"http_client": "fast"}


def _revealed(settings: Settings) -> Settings:
    """Settings as a client takes them. Only its arguments hold the key: a traceback would show a variable."""
    return {
        name: value.get_secret_value() if isinstance(value, SecretStr) else value
        for name, value in settings.items()
    }


def _close_all(clients: list[tuple[Settings, Any]]) -> None:
    while clients:
        clients.pop()[1].close()


class Connection(BaseModel):
    """Where the service is, and how it is called. What is None is left to the client of the service."""

    # Inputs are hidden because the error of one field would show the values of all, the key among them.
    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", arbitrary_types_allowed=True, hide_input_in_errors=True
    )

    api_key: SecretStr | None = None
    """The key; by default from the environment."""
    base_url: str | None = None
    """The address; by default from the environment, then the documented one."""
    timeout: float | Any = None
    """Seconds for connecting, reading and writing, or a `Timeout` of httpx."""
    stall_timeout: float | None = None
    """Seconds that a stream may go without an event (120)."""
    total_timeout: float | None = None
    """Seconds that a whole call may take, retries included; by default there is no limit."""
    max_retries: int | None = None
    """Tries after the first (2). A stream is retried only before its first event."""
    allow_insecure: bool = False
    """Send the key over plain http to any host."""
    headers: Mapping[str, str] | None = Field(default=None, repr=False, exclude=True)
    """Sent with each request. They may hold secrets: they are neither shown nor serialized."""
    http_client: Any = Field(default=None, repr=False, exclude=True)
    """For the methods that block: a client object of an HTTP library, or the name of one, e.g. `"httpx"`.

    By default `HANGANG_HTTP_CLIENT` names it, else it is `"fast"`, but httpx if a proxy is a socks proxy.
    """
    http_async_client: Any = Field(default=None, repr=False, exclude=True)
    """The same for the async methods."""

    _clients: _Clients = PrivateAttr(default_factory=_Clients)

    #: Where the key may be; empty if the service needs none.
    _key_variables: ClassVar[tuple[str, ...]] = ()
    #: Fields that become arguments of the client, beside those above.
    _client_fields: ClassVar[tuple[str, ...]] = ()
    #: The public module of the service: its `Client` and its `AsyncClient` are used.
    _service: ClassVar[Any]

    @model_validator(mode="after")
    def _check_key(self) -> Self:
        """The client would say the same, but only at the first call."""
        key = None if self.api_key is None else self.api_key.get_secret_value()
        if self._key_variables:
            required_key(key, "api_key", *self._key_variables)
        else:
            checked_key(key, "api_key")
        return self

    def _settings(self, http_client: Any) -> Settings:
        names = (
            "api_key", "base_url", "timeout", "stall_timeout", "total_timeout", "max_retries", "headers",
            *self._client_fields,
        )  # fmt: skip
        settings = {name: value for name in names if (value := getattr(self, name)) is not None}
        if self.allow_insecure:
            settings["allow_insecure"] = True
        if http_client is not None:
            settings["http_client"] = http_client
        return settings

    def _blocking(self) -> Any:
        return self._clients.blocking(self._settings(self.http_client), self._service.Client)

    def _awaited(self) -> Any:
        return self._clients.awaited(self._settings(self.http_async_client), self._service.AsyncClient)

    def close(self) -> None:
        """Close the connections of the methods that block. The model can still be used afterwards."""
        self._clients.close()

    async def aclose(self) -> None:
        """The same for the async methods, in this event loop: other loops close theirs when they end."""
        await self._clients.aclose()
