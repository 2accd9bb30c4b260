"""The only place that chooses between the native module and the pure implementation.

`HANGANG_BACKEND` in the environment, read once at import:
- unset or empty: native if its module is there, else pure;
- `native`: native, or an ImportError that says how to get it;
- `pure`: pure.

`impl` is the module chosen. Both have the same surface: shared classes (`impl.Usage`) and a submodule for
each dialect (`impl.clova.Token`).

Only the absence of `hangang._native` itself falls back. Any other error while it loads is a broken build,
and is shown: a quiet fallback would ship a slow library that nobody notices.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

from hangang._pickle import unpickle

__all__ = ["BACKEND", "impl", "restore"]

BACKEND: str
"""`"native"` or `"pure"`: what this process uses."""

restore = unpickle  # the name in pickles of version 0.1


def _choose(wanted: str) -> tuple[str, Any]:
    """Name and module for a value of HANGANG_BACKEND; raises ImportError as the module text says."""
    if wanted not in ("", "native", "pure"):
        raise ImportError(f"HANGANG_BACKEND must be 'native', 'pure' or unset, not {wanted!r}")
    if wanted != "pure":
        try:
            return "native", importlib.import_module("hangang._native")
        except ModuleNotFoundError as error:
            # A module that _native itself needs is a broken build, not an absent one.
            if error.name != "hangang._native":
                raise
            if wanted == "native":
                raise ImportError(
                    "HANGANG_BACKEND=native, but this installation has no hangang._native: "
                    "install a wheel for this platform, or build it in a source checkout "
                    "with `maturin develop --release`"
                ) from error
    return "pure", importlib.import_module("hangang._pure")


if TYPE_CHECKING:
    # Type checkers see the typed pure classes; the native ones have the same surface (stubtest).
    from hangang import _pure as impl
else:
    BACKEND, impl = _choose(os.environ.get("HANGANG_BACKEND", ""))
