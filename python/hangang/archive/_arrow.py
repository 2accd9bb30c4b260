"""pyarrow, or the message that names the extra. It has no types of its own: to a checker it is `Any`."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow  # type: ignore[import-untyped]
else:
    try:
        import pyarrow
    except ModuleNotFoundError as error:
        if error.name != "pyarrow":
            raise
        raise ImportError("hangang.archive needs pyarrow; pip install 'hangang[archive]'") from error

__all__ = ["arrow_json", "parquet", "pyarrow"]


def parquet() -> Any:
    """`pyarrow.parquet`, which takes a while to import."""
    return importlib.import_module("pyarrow.parquet")


def arrow_json() -> Any:
    """`pyarrow.json`."""
    return importlib.import_module("pyarrow.json")
