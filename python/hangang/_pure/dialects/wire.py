"""What several dialects share on the wire: values of events, and readers of their shapes."""

from __future__ import annotations

from enum import Enum
from typing import Any, cast

from hangang._errors import ParseError

from ..json import Path, Spans, as_int, as_str
from ..value import Event, Value, event, field, value


@value()
class ToolCallDelta(Value):
    """A piece of a tool call.

    A CLOVA delta with neither `id` nor `index` continues the call opened last.
    """

    index: int | None = field(
        "Which call the piece belongs to; None where the service sends no index (CLOVA).", default=None
    )
    id: str | None = field("The call's id, usually in its first piece only.", default=None)
    type: str | None = field("`function`.", default=None)
    name: str | None = field("The function's name, usually in the call's first piece only.", default=None)
    partial_json: str | None = field("The next fragment of the arguments' JSON text (CLOVA).", default=None)
    arguments: str | None = field(
        "JSON text: the whole arguments (CLOVA's result, one-shot answers), "
        "or the next fragment (OpenAI-compatible).",
        default=None,
    )


@value()
class Usage(Value):
    """Token counts as the service reports them. Totals need not add up."""

    prompt_tokens: int | None = field("Tokens of the prompt.", default=None)
    completion_tokens: int | None = field("Tokens of the answer, reasoning included.", default=None)
    total_tokens: int | None = field("The total as the service states it.", default=None)
    thinking_tokens: int | None = field("Tokens of the reasoning.", default=None)


@value()
class AIFilter(Value):
    """One entry of CLOVA's AI filter."""

    group_name: str | None = field("`curse` or `unsafeContents`.", default=None)
    name: str | None = field("`discrimination`, `insult` or `sexualHarassment`.", default=None)
    score: str | None = field('`"-1"` to `"2"`, a string.', default=None)
    result: str | None = field("`OK` or `ERROR`; often None.", default=None)


@event(None)
class Malformed(Event):
    """A frame that was delimited but is not valid, with `errors="report"`."""

    raw: bytes = field("The frame's bytes.", default=b"")
    # The default is the absent value, as everywhere; a parser always gives an error.
    error: ParseError = field(
        'The ParseError that `errors="strict"` would have raised.', default=cast(ParseError, None)
    )


_FINISH_REASONS = frozenset(
    ("length", "end_token", "stop_before", "stop", "tool_calls", "content_filter", "function_call")
)
_UPPER = {upper: upper + 32 for upper in range(0x41, 0x5B)}  # ASCII only, unlike str.lower


class Pieces(Enum):
    """How a dialect sends a call's arguments in pieces."""

    PARTIAL_JSON = "partialJson"  # CLOVA
    ARGUMENTS = "arguments"  # OpenAI-compatible


def fold_ascii(text: str) -> str:
    """`text` with the ASCII capitals in lower case and nothing else changed."""
    return text.translate(_UPPER)


def finish_reason(value: Any) -> str | None:
    """A finish reason: known ones in lower case, others as they are, `""` and non-strings None."""
    if type(value) is not str or not value:
        return None
    if value in _FINISH_REASONS:
        return value
    folded = fold_ascii(value)
    return folded if folded in _FINISH_REASONS else value


def joined_parts(parts: Any) -> str:
    """The `text` strings of a list of parts, joined with nothing between."""
    return "".join([p["text"] for p in parts if type(p) is dict and type(p.get("text")) is str])


def content(value: Any) -> str:
    """Content as text: a string, or a list of parts."""
    if type(value) is str:
        return value
    return joined_parts(value) if type(value) is list else ""


def arguments(value: Any, spans: Spans, path: Path) -> str | None:
    """Tool arguments as JSON text: a string is it already, another value is copied as received."""
    if value is None or type(value) is str:
        return value
    return spans.text(path)


def tool_calls(calls: Any, spans: Spans, path: Path, pieces: Pieces) -> tuple[ToolCallDelta, ...]:
    """The tool calls of a list, which is at `path`; `()` for anything else."""
    if type(calls) is not list:
        return ()
    out = []
    for place, call in enumerate(calls):
        if type(call) is not dict:
            continue
        function = call.get("function")
        if type(function) is not dict:
            function = {}
        out.append(
            ToolCallDelta(
                as_int(call.get("index")),
                as_str(call.get("id")),
                as_str(call.get("type")),
                as_str(function.get("name")),
                as_str(function.get("partialJson")) if pieces is Pieces.PARTIAL_JSON else None,
                arguments(function.get("arguments"), spans, (*path, place, "function", "arguments")),
            )
        )
    return tuple(out)


def code(value: Any) -> int | str | None:
    """An error's code: a string, or an integer of 64 bits; else None."""
    return value if type(value) is str else as_int(value)


def label(source: dict[str, Any], spans: Spans, path: Path, name: str) -> str | None:
    """A string, or a number as its JSON text; else None."""
    value = source.get(name)
    if type(value) is int or type(value) is float:
        return spans.text((*path, name))
    return as_str(value)
