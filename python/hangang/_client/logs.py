"""`HANGANG_LOG=debug` (or info, warning, error): log records of the package on standard error.

Records name methods, paths, statuses and times. They never hold a key, a header, a query or a body.
"""

from __future__ import annotations

import logging
import os

__all__ = ["configure", "log"]

log = logging.getLogger("hangang.http")

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_configured = False


def configure() -> None:
    """Obey `HANGANG_LOG`, once a process; without it logging is left alone.

    Raises:
        ValueError: the variable names no level.
    """
    global _configured
    wanted = os.environ.get("HANGANG_LOG", "").strip().lower()
    if _configured or not wanted:
        return
    if wanted not in _LEVELS:
        raise ValueError(f"HANGANG_LOG must be one of {', '.join(_LEVELS)}, not {wanted!r}")
    _configured = True
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s: %(message)s"))
    package = logging.getLogger("hangang")
    package.addHandler(handler)
    package.setLevel(_LEVELS[wanted])
    package.propagate = False  # a root handler would print each record twice
