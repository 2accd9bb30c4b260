"""Immutable values: the base of all events, and the values that several dialects share.

Rules:
1. The public fields are `__match_args__`; `repr`, `==`, `hash`, `match` and pickle use them, in
   this order, and nothing else.
2. An instance cannot be changed and its class cannot be subclassed, like a frozen native class.
3. Making one is on the hot path. A class that refuses assignment is slow to fill, so every class
   has a twin with the same slots that allows it (`draft`); an instance is filled as the twin and
   then becomes the real class. Only code that has just made the object ever sees the twin.
4. A pickle names a function of `_backend`, not a class, so it opens on the other implementation.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar, NoReturn

from hangang._backend import restore


class Value:
    """Base of all immutable values. Not for use by itself."""

    __slots__ = ()
    __match_args__: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        for base in cls.__bases__:
            if base is not Value and "__match_args__" in base.__dict__:
                raise TypeError(f"type '{base.__module__}.{base.__name__}' is not an acceptable base type")

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(f"attribute {name!r} of {type(self).__name__!r} objects is not writable")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"attribute {name!r} of {type(self).__name__!r} objects is not writable")

    def _fields(self) -> tuple[Any, ...]:
        return tuple([getattr(self, name) for name in self.__match_args__])

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        assert isinstance(other, Value)
        return self._fields() == other._fields()

    def __hash__(self) -> int:
        return hash(self._fields())

    def __repr__(self) -> str:
        fields = ", ".join([f"{name}={getattr(self, name)!r}" for name in self.__match_args__])
        return f"{type(self).__name__}({fields})"

    def __reduce__(self) -> tuple[Any, ...]:
        module = type(self).__module__.rpartition(".")[2]
        return restore, (module, type(self).__name__, self._fields())


def draft(cls: type[Value]) -> Any:
    """The twin of `cls` that can be assigned to; set `__class__` to `cls` when it is filled."""
    base = cls.__bases__[0]
    return type(
        f"_{cls.__name__}Draft",
        (base,),
        {
            "__slots__": cls.__dict__["__slots__"],
            # Both, or the class would keep the slow path that Value's own methods need.
            "__setattr__": object.__setattr__,
            "__delattr__": object.__delattr__,
            "__module__": __name__,
        },
    )


class Event(Value):
    """Base of dialect events: `.raw` and `.json()`."""

    __slots__ = ()

    text: str
    thinking: str
    _raw: Any

    @property
    def raw(self) -> bytes:
        """The payload's bytes as received (`data` lines joined by LF); b"" if made by hand."""
        return self._raw  # type: ignore[no-any-return]

    def json(self) -> Any:
        """`json.loads` of the strictly decoded `.raw`; raises ValueError where that is no JSON."""
        return json.loads(self.raw.decode("utf-8"))


def with_raw(event: Any, raw: bytes) -> Any:
    """The event that was just made, with its payload: nobody else has seen it yet."""
    object.__setattr__(event, "_raw", raw)
    return event
