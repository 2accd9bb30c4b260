"""Picks the adapter for `http_client=`. Importing this imports no HTTP library."""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass
from typing import Any

from .interface import Adapter

__all__ = ["adapter_for", "require_retry_library"]


@dataclass(frozen=True, slots=True)
class _Library:
    """An HTTP library: the module of its adapters, the extra that brings it, its classes that fit.

    The module has `make(library, is_async, base_url)` and `wrap(library, client, is_async)`.
    """

    module: str
    extra: str
    sync_class: str | None
    async_class: str | None

    def class_for(self, is_async: bool) -> str | None:
        return self.async_class if is_async else self.sync_class


_LIBRARIES = {
    "httpx": _Library(".httpx", "client", "Client", "AsyncClient"),
    "httpx2": _Library(".httpx", "client", "Client", "AsyncClient"),
    "aiohttp": _Library(".aiohttp", "fast", None, "ClientSession"),
    "urllib3": _Library(".urllib3", "fast", "PoolManager", None),
}
_BY_DEFAULT = ("httpx", "httpx2")
_FAST = {False: "urllib3", True: "aiohttp"}

_MISSING = "hangang's clients need {}, which is not installed: pip install 'hangang[{}]'"


def adapter_for(http_client: Any, *, is_async: bool, base_url: str) -> tuple[Adapter, bool]:
    """The adapter for `http_client=`, and whether its connections are ours to close.

    Args:
        http_client: a client object of a library, the name of one, `"fast"`, or None: then
            HANGANG_HTTP_CLIENT names it, else it is the first of httpx and httpx2 that is installed.
        is_async: whether it must be the library's async client.
        base_url: where it will connect to.

    Raises:
        TypeError: an object or a name that does not fit this kind of client; the message says which do.
        ImportError: the library is not installed.
    """
    argument = "http_client"
    if http_client is None and (named := os.environ.get("HANGANG_HTTP_CLIENT")):
        http_client, argument = named, "HANGANG_HTTP_CLIENT"
    if http_client is None:
        for name in _BY_DEFAULT:
            try:
                library = importlib.import_module(name)
            except ModuleNotFoundError as error:
                if error.name != name:
                    raise
            else:
                return _module(name).make(library, is_async, base_url), True
        raise ImportError(_MISSING.format(_BY_DEFAULT[0], "client"))
    if isinstance(http_client, str):
        name = _FAST[is_async] if http_client == "fast" else http_client
        if name not in _LIBRARIES or _LIBRARIES[name].class_for(is_async) is None:
            kind = "an AsyncClient" if is_async else "a Client"
            raise TypeError(f"{argument} must be one of {_names(is_async)} for {kind}, not {http_client!r}")
        return _module(name).make(_imported(name), is_async, base_url), True
    for cls in type(http_client).__mro__:
        name = cls.__module__.partition(".")[0]
        if name in _LIBRARIES and _LIBRARIES[name].class_for(is_async) is not None:
            return _module(name).wrap(importlib.import_module(name), http_client, is_async), False
    classes = [
        f"{name}.{fitting}"
        for name, library in _LIBRARIES.items()
        if (fitting := library.class_for(is_async))
    ]
    given = f"{type(http_client).__module__.partition('.')[0]}.{type(http_client).__name__}"
    raise TypeError(f"http_client must be a {', '.join(classes[:-1])} or {classes[-1]} here, not a {given}")


def _names(is_async: bool) -> str:
    return ", ".join([*(name for name, one in _LIBRARIES.items() if one.class_for(is_async)), "fast"])


def _imported(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise ImportError(_MISSING.format(name, _LIBRARIES[name].extra)) from error


def _module(name: str) -> Any:
    return importlib.import_module(_LIBRARIES[name].module, __package__)


def require_retry_library() -> None:
    """Raise an ImportError that names the extra if tenacity is not installed."""
    try:
        import tenacity  # noqa: F401  # pyright: ignore[reportUnusedImport]
    except ImportError as error:
        raise ImportError(_MISSING.format("tenacity", "client")) from error
