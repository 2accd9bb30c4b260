"""The only place that chooses between the native module and the pure twin.

`HANGANG_BACKEND` in the environment, read once at import:
- unset or empty: native if its module is there, else pure;
- `native`: native, or an ImportError that says how to get it;
- `pure`: pure.

Only the absence of `hangang._native` itself falls back. Any other error while it loads is a broken
build, and is shown: a quiet fallback would ship a slow library that nobody notices.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

__all__ = [
    "BACKEND",
    "A2AArtifactUpdate",
    "A2AError",
    "A2AMessage",
    "A2AStatusUpdate",
    "A2AStreamParser",
    "A2ATask",
    "A2AUnknown",
    "AIFilter",
    "ClovaError",
    "ClovaResult",
    "ClovaSignal",
    "ClovaStreamParser",
    "ClovaToken",
    "ClovaUnknown",
    "ExaoneAnswer",
    "ExaoneError",
    "ExaoneStreamParser",
    "ExaoneUnknown",
    "JSONStreamParser",
    "Malformed",
    "OpenAIChoice",
    "OpenAIChunk",
    "OpenAIDone",
    "OpenAIError",
    "OpenAIStreamParser",
    "OpenAIUnknown",
    "SSEParser",
    "ServerSentEvent",
    "ToolCallDelta",
    "Usage",
    "restore",
]

BACKEND: str
"""`"native"` or `"pure"`: what this process uses."""


def _choose(wanted: str) -> tuple[str, Any]:
    """Module to use for a value of HANGANG_BACKEND; raises ImportError as the module text says."""
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


_PREFIX = {"clova": "Clova", "exaone": "Exaone", "openai": "OpenAI", "a2a": "A2A"}


def _find(module: Any, flat: str) -> Any:
    """The class of a flat name: the native module has a submodule a dialect, the pure one flat names."""
    if hasattr(module, flat):
        return getattr(module, flat)
    for dialect, prefix in _PREFIX.items():
        if flat.startswith(prefix):
            return getattr(getattr(module, dialect), flat.removeprefix(prefix))
    raise ImportError(f"{module.__name__} has no {flat}: it is of another version of hangang")


def restore(module: str, name: str, fields: tuple[Any, ...]) -> Any:
    """Rebuilds a pickled event or shared value with the classes of the backend in use.

    Args:
        module: `clova`, `exaone`, `openai`, `a2a`; any other value means `hangang` itself.
        name: the class's public name, e.g. `Token`.
        fields: all fields, in the order of the contract.

    Raises:
        LookupError: no such class.
    """
    flat = _PREFIX.get(module, "") + name
    if flat not in __all__:
        raise LookupError(f"hangang has no event class {module}.{name}")
    return globals()[flat](*fields)


if TYPE_CHECKING:
    # Type checkers see the typed pure classes; the native ones have the same surface (stubtest).
    from hangang._pure import (
        A2AArtifactUpdate,
        A2AError,
        A2AMessage,
        A2AStatusUpdate,
        A2AStreamParser,
        A2ATask,
        A2AUnknown,
        AIFilter,
        ClovaError,
        ClovaResult,
        ClovaSignal,
        ClovaStreamParser,
        ClovaToken,
        ClovaUnknown,
        ExaoneAnswer,
        ExaoneError,
        ExaoneStreamParser,
        ExaoneUnknown,
        JSONStreamParser,
        Malformed,
        OpenAIChoice,
        OpenAIChunk,
        OpenAIDone,
        OpenAIError,
        OpenAIStreamParser,
        OpenAIUnknown,
        ServerSentEvent,
        SSEParser,
        ToolCallDelta,
        Usage,
    )
else:
    BACKEND, _module = _choose(os.environ.get("HANGANG_BACKEND", ""))
    for _name in __all__:
        if _name not in ("BACKEND", "restore"):
            globals()[_name] = _find(_module, _name)
