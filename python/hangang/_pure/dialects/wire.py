"""What several dialects share on the wire: values of events, and readers of their shapes."""

from __future__ import annotations

from typing import Any

from hangang._errors import ParseError

from ..json import as_str, raw_text, span
from ..value import Event, Value, draft


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

FINISH_REASONS = frozenset(
    (
        "length",
        "end_token",
        "stop_before",
        "stop",
        "tool_calls",
        "content_filter",
        "function_call",
    )
)
_UPPER = {upper: upper + 32 for upper in range(0x41, 0x5B)}  # ASCII only, unlike str.lower


def fold_ascii(text: str) -> str:
    """`text` with the ASCII capitals in lower case and nothing else changed."""
    return text.translate(_UPPER)


def finish_reason_of(value: Any) -> str | None:
    """A finish reason: known ones in lower case, others as they are, `""` and non-strings None."""
    if type(value) is not str or not value:
        return None
    if value in FINISH_REASONS:
        return value
    folded = fold_ascii(value)
    return folded if folded in FINISH_REASONS else value


def joined_text(parts: Any) -> str:
    """The `text` strings of a list of parts, joined with nothing between."""
    return "".join([p["text"] for p in parts if type(p) is dict and type(p.get("text")) is str])


def content_of(value: Any) -> str:
    """Content as text: a string, or a list of parts."""
    if type(value) is str:
        return value
    return joined_text(value) if type(value) is list else ""


def arguments_of(value: Any, payload: bytes, path: tuple[str | int, ...]) -> str | None:
    """Tool arguments as JSON text: a string is it already, another value is copied as received."""
    if value is None or type(value) is str:
        return value
    return raw_text(payload, path)


def string_span(payload: bytes, path: tuple[str | int, ...]) -> tuple[int, int] | None:
    """Where the contents of the string at `path` stand, without its quotes; None if no string."""
    place = span(payload, path)
    if place is None or payload[place[0]] != 0x22:
        return None
    return place[0] + 1, place[1] - 1


def label(source: dict[str, Any], payload: bytes, path: tuple[str | int, ...], name: str) -> str | None:
    """A string, or a number as its JSON text; else None."""
    value = source.get(name)
    if type(value) is int or type(value) is float:
        return raw_text(payload, (*path, name))
    return as_str(value)
