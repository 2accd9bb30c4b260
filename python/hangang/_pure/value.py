"""Immutable values: every event, and every value inside one, is declared once, as a class with typed fields.

    @event("clova")
    class Signal(Event):
        data: str = field("...", default="")
        id: str = field("...", default="")

The decorators derive the rest: slots, `__match_args__`, the constructor, and what makes instances fast
to fill. Type checkers see the fields through `typing.dataclass_transform`.

Invariants:
1. The declared fields, in this order, are `__match_args__`; `repr`, `==`, `hash`, `match`, pickle and
   `to_dict` use them and nothing else.
2. An instance cannot be changed and its class cannot be subclassed, like a frozen native class.
3. Fields declared with `common` live together in one tuple, `_common`, which neighbouring events of a
   stream share: what a thousand frames repeat is stored once. Its last item belongs to `predict.common`.
4. A pickle names a function of `hangang._pickle`, not a class, so it opens on the other implementation.

Traps: a class that refuses assignment is slow to fill. So every class has a mutable twin with the same
slots; an instance is filled as the twin and then becomes the real class by assigning `__class__`. Only
the code that has just made the object ever sees the twin. The generated functions do it (`_make`, the
constructor); the parsers' hot path does it by hand (`_mutable_twin`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeVar, cast, dataclass_transform

from hangang import _values
from hangang._pickle import unpickle

T = TypeVar("T")


class Field:
    """One declared field: its default, its documentation, and where its value is kept."""

    __slots__ = ("default", "doc", "is_common", "read")

    def __init__(self, doc: str, default: Any, is_common: bool, read: Callable[[Any], Any] | None) -> None:
        self.doc = doc
        self.default = default
        self.is_common = is_common
        self.read = read


def field(doc: str, *, default: T) -> T:
    """A field with a slot of its own. The default is the value of what the wire does not have."""
    return cast(T, Field(doc, default, False, None))


def common(doc: str, *, default: T, read: Callable[[Any], T] | None = None) -> T:
    """A field kept in the tuple `_common`; `read` computes it from the event where that is not enough."""
    return cast(T, Field(doc, default, True, read))


class Value:
    """Base of all immutable values. Not for use by itself."""

    __slots__ = ()
    __match_args__: ClassVar[tuple[str, ...]] = ()
    # Set by the decorators.
    _dialect: ClassVar[str | None] = None
    _kind: ClassVar[str | None] = None
    _common_names: ClassVar[tuple[str, ...]] = ()
    _make: ClassVar[Callable[..., Any]]
    _mutable_twin: ClassVar[Any]

    def __init_subclass__(cls) -> None:
        for base in cls.__bases__:
            if base is not Value and "__match_args__" in base.__dict__:
                raise TypeError(f"type '{base.__module__}.{base.__name__}' is not an acceptable base type")

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(f"attribute {name!r} of {type(self).__name__!r} objects is not writable")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"attribute {name!r} of {type(self).__name__!r} objects is not writable")

    def _fields(self) -> tuple[Any, ...]:
        """The values of all fields, in order."""
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        assert isinstance(other, Value)
        return self._fields() == other._fields()

    def __hash__(self) -> int:
        return hash(self._fields())

    def __repr__(self) -> str:
        pairs = zip(self.__match_args__, self._fields(), strict=True)
        return f"{type(self).__name__}({', '.join([f'{name}={value!r}' for name, value in pairs])})"

    def __reduce__(self) -> tuple[Any, ...]:
        module = type(self).__module__.rpartition(".")[2]
        return unpickle, (module, type(self).__name__, self._fields())

    def to_dict(self) -> dict[str, Any]:
        """The fields by name, in plain values that `json.dumps` accepts."""
        return _values.to_dict(self._dialect, self._kind, self.__match_args__, self._fields())


def raw_of(event: Any) -> bytes:
    """The payload's bytes as received, `data` lines joined by LF; `b""` if no parser made the event."""
    return event._raw  # type: ignore[no-any-return]


class Event(Value):
    """Base of dialect events: `text`, `thinking`, `raw` and `json()`, whatever the fields."""

    __slots__ = ()
    _raw: Any

    if TYPE_CHECKING:
        # Fields of some events, properties of the others: a checker wants one of the two for all.
        text: str
        thinking: str
        raw: bytes
        """The payload's bytes as received, `data` lines joined by LF; `b""` if no parser made the event."""
    else:

        @property
        def text(self) -> str:
            """Answer text of this event; `""` if there is none."""
            return ""

        @property
        def thinking(self) -> str:
            """Reasoning text of this event; `""` if there is none."""
            return ""

        raw = property(raw_of)

    def json(self) -> Any:
        """`json.loads` of the strictly decoded payload; raises ValueError if it is not JSON."""
        return json.loads(self.raw.decode("utf-8"))


@dataclass_transform(frozen_default=True, field_specifiers=(field, common))
def value(dialect: str | None = None) -> Callable[[type[T]], type[T]]:
    """Declares a value inside events; `dialect` is the module that exports it, None for `hangang`."""
    return lambda cls: _declare(cls, dialect, None)


@dataclass_transform(frozen_default=True, field_specifiers=(field, common))
def event(dialect: str | None) -> Callable[[type[T]], type[T]]:
    """Declares an event of a dialect; None for those of every dialect."""
    return lambda cls: _declare(cls, dialect, cls.__name__)


def _declare(cls: type[T], dialect: str | None, kind: str | None) -> type[T]:
    fields: dict[str, Field] = {name: item for name, item in vars(cls).items() if isinstance(item, Field)}
    own = [name for name, item in fields.items() if not item.is_common]
    shared = [name for name, item in fields.items() if item.is_common]
    slots: dict[str, str | None] = {name: fields[name].doc for name in own if name != "raw"}
    if shared:
        slots["_common"] = None
    if kind is not None:
        slots["_raw"] = None
    members: dict[str, Any] = {
        name: item
        for name, item in vars(cls).items()
        if name not in fields and name not in ("__dict__", "__weakref__")
    }
    twin = type(
        f"_Mutable{cls.__name__}",
        cls.__bases__,
        {
            "__slots__": tuple(slots),
            # Both, or the class would keep the slow path that Value's own methods need.
            "__setattr__": object.__setattr__,
            "__delattr__": object.__delattr__,
            "__module__": __name__,
        },
    )
    for place, name in enumerate(shared):
        read = fields[name].read or _define(f"def {name}(self): return self._common[{place}]", {})
        members[name] = property(read, doc=fields[name].doc)
    if "raw" in fields:
        members["raw"] = property(raw_of, doc=fields["raw"].doc)
    new = _define(_constructor(fields, slots), {f"default_{n}": f.default for n, f in fields.items()}, twin)
    new.__annotations__ = {name: item for name, item in cls.__annotations__.items() if name in fields}
    members |= {
        "__slots__": slots,
        "__module__": f"hangang.{dialect}" if dialect else "hangang",
        "__match_args__": tuple(fields),
        "__new__": new,
        "_fields": _define(f"def _fields(self): return ({''.join([f'self.{n}, ' for n in fields])})", {}),
        "_dialect": dialect,
        "_kind": kind,
        "_common_names": tuple(shared),
        "_mutable_twin": twin,
    }
    made: Any = type(cls.__name__, cls.__bases__, members)
    made._make = staticmethod(_define(_maker(slots), {"cls": made}, twin))
    return made  # type: ignore[no-any-return]


def _constructor(fields: dict[str, Field], slots: dict[str, str | None]) -> str:
    """Source of `__new__`: all fields by position or name, in the declared order."""
    parameters = "".join([f", {name}=default_{name}" for name in fields])
    values = {name: name for name in slots}
    if "_common" in slots:
        values["_common"] = f"({''.join([f'{n}, ' for n, item in fields.items() if item.is_common])}None)"
    if "_raw" in slots:
        values["_raw"] = "raw" if "raw" in fields else "b''"
    return _fill(f"def __new__(cls{parameters}):", values)


def _maker(slots: dict[str, str | None]) -> str:
    """Source of `_make`: one positional parameter a slot, in the order of the slots."""
    return _fill(f"def _make({', '.join(slots)}):", {name: name for name in slots})


def _fill(head: str, values: dict[str, str]) -> str:
    lines = [f"self.{slot} = {source}" for slot, source in values.items()]
    return "\n ".join([head, "self = twin()", *lines, "self.__class__ = cls", "return self"])


def _define(source: str, names: dict[str, Any], twin: Any = None) -> Any:
    """The function that `source` defines."""
    space = {"twin": twin, "__name__": __name__, **names}
    exec(source, space)  # as dataclasses and namedtuple do: nothing of it comes from outside this file
    return space[source[4 : source.index("(")]]
