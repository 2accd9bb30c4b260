"""Types of decoded JSON. This module imports nothing of ours."""

from __future__ import annotations

from typing import TypeAlias

__all__ = ["JSONObject", "JSONValue"]

JSONValue: TypeAlias = "bool | int | float | str | list[JSONValue] | dict[str, JSONValue] | None"
"""Decoded JSON: what `json.loads` returns. Narrow it with `isinstance` before use."""

JSONObject: TypeAlias = "dict[str, JSONValue]"
"""A decoded JSON object."""
