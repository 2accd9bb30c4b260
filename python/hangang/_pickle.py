"""Pickles of events and shared values: the function that they name.

A pickle names `unpickle`, a dialect and a class's public name, never a class: so it opens with the
implementation in use, whichever one wrote it. Pickles of version 0.1 name `hangang._backend.restore`, which
is this function.
"""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["unpickle"]

_DIALECTS = ("clova", "exaone", "openai", "a2a")


def unpickle(module: str, name: str, fields: tuple[Any, ...]) -> Any:
    """Rebuilds a pickled event or shared value with the classes of the implementation in use.

    Args:
        module: `clova`, `exaone`, `openai`, `a2a`; any other value means `hangang` itself.
        name: the class's public name, e.g. `Token`.
        fields: all fields, in the order of the contract.

    Raises:
        LookupError: there is no such class.
    """
    # By name, as pickle itself finds a class: the public modules have those of the implementation in use.
    place = importlib.import_module(f"hangang.{module}" if module in _DIALECTS else "hangang")
    cls: Any = getattr(place, name, None)
    if not hasattr(cls, "__match_args__"):
        raise LookupError(f"hangang has no event class {module}.{name}")
    return cls(*fields)
