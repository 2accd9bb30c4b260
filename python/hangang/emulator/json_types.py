"""Type guards for JSON values, and a way into them."""

from __future__ import annotations

from typing import Any, TypeGuard

from hangang._values import is_list, is_object

__all__ = ["is_between", "is_list", "is_number", "is_object", "is_objects", "is_text", "is_texts", "member"]


def is_objects(value: object) -> TypeGuard[list[dict[str, Any]]]:
    """An array of objects."""
    return is_list(value) and all(is_object(item) for item in value)


def is_text(value: object) -> TypeGuard[str]:
    """A string that is not empty."""
    return isinstance(value, str) and bool(value)


def is_texts(value: object) -> TypeGuard[list[str]]:
    """An array of strings."""
    return is_list(value) and all(isinstance(item, str) for item in value)


def is_number(value: object) -> TypeGuard[int | float]:
    """A number; JSON's booleans are not numbers."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_between(value: object, low: float, high: float) -> bool:
    """Whether a value is a number from `low` to `high`."""
    return is_number(value) and low <= value <= high


def member(value: object, *names: str) -> Any:
    """The member that a path of names leads to; None where one is missing or is no object's."""
    for name in names:
        value = value.get(name) if is_object(value) else None
    return value
