"""Picks the adapter for `http_client=`. Importing this imports no HTTP library."""

from __future__ import annotations

import importlib
import os
from typing import Any

from .interface import Adapter

__all__ = ["adapter_for", "require_retry_library"]

# The library's package -> the module with its adapters. Each module has
# `make(library, is_async, base_url)` and `wrap(library, client, is_async)`.
_ADAPTERS = {"httpx": ".httpx", "httpx2": ".httpx"}
_BY_DEFAULT = ("httpx", "httpx2")

_MISSING = "hangang's clients need {}, which is not installed: pip install 'hangang[client]'"


def adapter_for(http_client: Any, *, is_async: bool, base_url: str) -> tuple[Adapter, bool]:
    """The adapter for `http_client=`, and whether its connections are ours to close.

    Args:
        http_client: a client object of a library, the name of one, or None: then HANGANG_HTTP_CLIENT
            names it, else it is the first that is installed.
        is_async: whether it must be the library's async client.
        base_url: where it will connect to.

    Raises:
        TypeError: an object or a name that does not fit.
        ImportError: the library is not installed.
    """
    if http_client is None:
        http_client = os.environ.get("HANGANG_HTTP_CLIENT") or None
    if http_client is None:
        for name in _BY_DEFAULT:
            try:
                library = importlib.import_module(name)
            except ModuleNotFoundError as error:
                if error.name != name:
                    raise
            else:
                return _module(name).make(library, is_async, base_url), True
        raise ImportError(_MISSING.format(_BY_DEFAULT[0]))
    if isinstance(http_client, str):
        if http_client not in _ADAPTERS:
            raise TypeError(f"http_client must be one of {', '.join(_ADAPTERS)}, not {http_client!r}")
        try:
            library = importlib.import_module(http_client)
        except ModuleNotFoundError as error:
            raise ImportError(_MISSING.format(http_client)) from error
        return _module(http_client).make(library, is_async, base_url), True
    for cls in type(http_client).__mro__:
        name = cls.__module__.partition(".")[0]
        if name in _ADAPTERS:
            return _module(name).wrap(importlib.import_module(name), http_client, is_async), False
    raise TypeError(
        f"http_client must be a client of {' or '.join(_ADAPTERS)}, not {type(http_client).__name__}"
    )


def _module(name: str) -> Any:
    return importlib.import_module(_ADAPTERS[name], __package__)


def require_retry_library() -> None:
    """Raise an ImportError that names the extra if tenacity is not installed."""
    try:
        import tenacity  # noqa: F401  # pyright: ignore[reportUnusedImport]
    except ImportError as error:
        raise ImportError(_MISSING.format("tenacity")) from error
