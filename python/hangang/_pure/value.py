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
from hangang._errors import ParseError


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


class ToolCallDelta(Value):
    """A piece of a tool call.

    `arguments` is JSON text: the whole arguments (CLOVA's result, one-shot answers) or, in the
    OpenAI format, the next fragment. `partial_json` is CLOVA's fragment. A CLOVA delta with
    neither `id` nor `index` goes on with the call opened last ([clova §6.3]).
    """

    __slots__ = __match_args__ = ("index", "id", "type", "name", "partial_json", "arguments")
    index: int | None
    id: str | None
    type: str | None
    name: str | None
    partial_json: str | None
    arguments: str | None

    def __new__(
        cls,
        index: int | None = None,
        id: str | None = None,
        type: str | None = None,
        name: str | None = None,
        partial_json: str | None = None,
        arguments: str | None = None,
    ) -> ToolCallDelta:
        self = _ToolCallDelta()
        self.index = index
        self.id = id
        self.type = type
        self.name = name
        self.partial_json = partial_json
        self.arguments = arguments
        self.__class__ = cls
        return self  # type: ignore[no-any-return]


class Usage(Value):
    """Token counts as the service reports them; None where it does not. Totals need not add up."""

    __slots__ = __match_args__ = (
        "prompt_tokens",
        "completion_tokens",
        "total_tokens",
        "thinking_tokens",
    )
    prompt_tokens: int | None
    completion_tokens: int | None
    total_tokens: int | None
    thinking_tokens: int | None

    def __new__(
        cls,
        prompt_tokens: int | None = None,
        completion_tokens: int | None = None,
        total_tokens: int | None = None,
        thinking_tokens: int | None = None,
    ) -> Usage:
        self = _Usage()
        self.prompt_tokens = prompt_tokens
        self.completion_tokens = completion_tokens
        self.total_tokens = total_tokens
        self.thinking_tokens = thinking_tokens
        self.__class__ = cls
        return self  # type: ignore[no-any-return]


class AIFilter(Value):
    """One entry of CLOVA's AI filter; `score` is a string ([clova §2])."""

    __slots__ = __match_args__ = ("group_name", "name", "score", "result")
    group_name: str | None
    name: str | None
    score: str | None
    result: str | None

    def __new__(
        cls,
        group_name: str | None = None,
        name: str | None = None,
        score: str | None = None,
        result: str | None = None,
    ) -> AIFilter:
        self = _AIFilter()
        self.group_name = group_name
        self.name = name
        self.score = score
        self.result = result
        self.__class__ = cls
        return self  # type: ignore[no-any-return]


class Malformed(Event):
    """A frame that was delimited and judged bad, with `errors="report"`.

    `raw` is the frame's bytes; `error` is the ParseError that `errors="strict"` would have raised.
    """

    __slots__ = ("_raw", "error")
    __match_args__ = ("raw", "error")
    text = ""
    thinking = ""
    error: ParseError

    # The default is the absent value, as everywhere; a parser always gives an error.
    def __new__(cls, raw: bytes = b"", error: ParseError = None) -> Malformed:  # type: ignore[assignment]
        self = _Malformed()
        self._raw = raw
        self.error = error
        self.__class__ = cls
        return self  # type: ignore[no-any-return]


_ToolCallDelta = draft(ToolCallDelta)
_Usage = draft(Usage)
_AIFilter = draft(AIFilter)
_Malformed = draft(Malformed)

for _class in (ToolCallDelta, Usage, AIFilter, Malformed):
    _class.__module__ = "hangang"
