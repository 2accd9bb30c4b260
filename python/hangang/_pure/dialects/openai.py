"""OpenAI-compatible chat streams and one-shot answers (docs/protocol/openai.md).

Rules:
1. The first that fits: an error object or string; `object: "error"`; an error inside a choice; a
   list of choices; `error_message`; an envelope `{status, result}` (opened once); usage or a
   `chat.completion` object without choices; else `Unknown`.
2. A choice is read from `delta`, or from `message` in a one-shot answer.
3. Reasoning has five names and may be repeated under several of them: the first that is not empty
   counts, never two ([openai §8]).
4. A chunk's own fields are those of its choice with index 0.
5. `[DONE]`, an error, or a finish reason ends a stream; `[DONE]` after an error is still an event.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from ..json import as_int, as_str, judge, raw_text, span
from ..parser import DialectParser
from ..predict.common import PredictableEvent
from ..predict.template import Holes, Template
from ..value import Event, Value, common, event, field, value, with_raw
from .wire import (
    Malformed,
    ToolCallDelta,
    Usage,
    arguments_of,
    content_of,
    finish_reason_of,
    joined_text,
    string_span,
)

Path: TypeAlias = tuple[str | int, ...]


@value("openai")
class Choice(Value):
    """One choice of a chunk."""

    index: int = field("Number of the choice; its place in the list where the wire has none.", default=0)
    text: str = field("Answer delta.", default="")
    thinking: str = field("Reasoning delta.", default="")
    role: str | None = field("`assistant`, usually in the first chunk only.", default=None)
    tool_calls: tuple[ToolCallDelta, ...] = field("Pieces of tool calls.", default=())
    finish_reason: str | None = field("Why the choice ended; None while it runs.", default=None)


_OWN = object()  # in the place of `choices`: the chunk's own fields are those of its only choice


def _choices(chunk: Any) -> tuple[Choice, ...]:
    shared = chunk._common
    if shared[7] is _OWN:  # one choice of index 0: all its fields are here already
        return (Choice(0, chunk.text, chunk.thinking, shared[0], shared[1], shared[2]),)
    return shared[7]  # type: ignore[no-any-return]


@event("openai")
class Chunk(PredictableEvent):
    """A chunk of the answer, or the whole of it; `text` and the like are those of choice 0."""

    text: str = field("Answer delta of choice 0.", default="")
    thinking: str = field("Reasoning delta of choice 0.", default="")
    role: str | None = common("`assistant`, usually in the first chunk only.", default=None)
    tool_calls: tuple[ToolCallDelta, ...] = common(
        "Pieces of tool calls, merged by their `index`.", default=()
    )
    finish_reason: str | None = common(
        "Why the answer ended, None while it runs; the chunk may carry text too.", default=None
    )
    id: str | None = common("The answer's id, the same in all its chunks.", default=None)
    model: str | None = common("The model's name as the server gives it.", default=None)
    created: int | None = common("Time of the answer, in seconds.", default=None)
    usage: Usage | None = common("Token counts; usually in a last chunk without choices.", default=None)
    choices: tuple[Choice, ...] = common(
        "All choices of the chunk; `()` in a usage chunk.", default=(), read=_choices
    )


@event("openai")
class Done(Event):
    """The end marker `[DONE]`."""


@event("openai")
class Error(Event):
    """An error, in a stream or as the whole answer; the stream stays failed, also if `[DONE]` follows."""

    code: int | str | None = field("The server's code.", default=None)
    message: str = field("The server's message.", default="")
    type: str | None = field("The kind of error, as the server names it.", default=None)
    param: str | None = field("The request's parameter that is at fault.", default=None)


@event("openai")
class Unknown(Event):
    """A frame that is none of the others."""

    data: str = field("The payload as text.", default="")


# In the order of Usage's fields; the other place of the last one makes no template.
_COUNTERS = (
    ("prompt_tokens",),
    ("completion_tokens",),
    ("total_tokens",),
    ("completion_tokens_details", "reasoning_tokens"),
)
_THINKING = ("reasoning_content", "reasoning", "thinking", "thinking_content")

_Chunk = Chunk._mutable_twin

AnyEvent: TypeAlias = Chunk | Done | Error | Unknown


class StreamParser(DialectParser[AnyEvent]):
    """OpenAI-compatible streams and one-shot answers: bytes to events."""

    __doc__ = f"{__doc__}\n{DialectParser.__doc__}"
    __slots__ = ()
    __module__ = "hangang.openai"
    _not_ended = "a finish reason, [DONE] or an error"
    _keep = (Done, Error)

    def _done(self, name: bytes, ident: str) -> AnyEvent:
        self._ended = True
        return with_raw(Done(), b"[DONE]")  # type: ignore[no-any-return]

    def _event(self, payload: bytes, name: bytes, ident: str, depth: int) -> AnyEvent:
        value = judge(payload, depth)
        event = self._classify(value, payload, ()) if type(value) is dict else None
        if event is None:
            event = Unknown(payload.decode("utf-8"))
        elif type(event) is Error:
            self._ended = True
        return with_raw(event, payload)  # type: ignore[no-any-return]

    def _holes(self, event: AnyEvent, payload: bytes) -> Holes | None:
        # Only the plain shape: one choice of index 0, not wrapped in an envelope.
        if type(event) is not Chunk or event._common[7] is not _OWN:
            return None
        if bool(event.text) == bool(event.thinking):
            return None
        place = None
        if event.text:
            place = _first_string(payload, ("content",))
        else:
            place = _first_string(payload, _THINKING)
        if place is None:
            return None
        found = []
        if event.usage is not None:
            for number, path in enumerate(_COUNTERS):
                counter = span(payload, ("usage", *path))
                if (
                    counter is not None
                    and counter[0] > place[1]
                    and event.usage._fields()[number] is not None
                ):
                    found.append((counter, str(number)))
            found.sort()
        return Holes(
            not event.text,
            *place,
            tuple([pair for pair, _ in found]),
            tuple([name for _, name in found]),
            event._common,
            # Another name may hold the reasoning if this one is empty.
            bool(event.text),
        )

    def _predicted(
        self, template: Template, text: str, ident: str, raw: bytes | None, ints: tuple[int, ...]
    ) -> Chunk:
        chunk = _Chunk()
        if template.thinking:
            chunk.text = ""
            chunk.thinking = text
        else:
            chunk.text = text
            chunk.thinking = ""
        shared = template.common
        if ints:
            usage: Usage = shared[6]
            counts = list(usage._fields())
            for name, value in zip(template.names, ints, strict=True):
                counts[int(name)] = value
            shared = (*shared[:6], Usage(*counts), *shared[7:])
        chunk._common = shared
        chunk._raw = raw
        chunk.__class__ = Chunk
        return chunk  # type: ignore[no-any-return]

    def _classify(self, value: dict[str, Any], payload: bytes, path: Path) -> AnyEvent | None:
        error = value.get("error")
        if error and type(error) in (dict, str):
            return _error(error, value.get("custom_status"))
        if value.get("object") == "error":
            return _error(value, None)
        choices = value.get("choices")
        if type(choices) is list:
            for choice in choices:
                if type(choice) is dict and type(choice.get("error")) is dict:
                    return _error(choice["error"], None)
            return self._chunk(value, choices, payload, path)
        if type(value.get("error_message")) is str:
            return Error(
                _code(value.get("error_code")),
                value["error_message"],
                as_str(value.get("error_type")),
            )
        status = value.get("status")
        if type(status) is dict and not path:
            code = status.get("code")
            text = as_str(code)
            if type(code) is int or type(code) is float:
                text = raw_text(payload, ("status", "code"))
            if text is not None and text.startswith("2"):
                if type(value.get("result")) is dict:
                    return self._classify(value["result"], payload, ("result",))
            elif text is not None:
                number = as_int(code)
                return Error(text if number is None else number, as_str(status.get("message")) or "")
        kind = value.get("object")
        if type(value.get("usage")) is dict or (type(kind) is str and kind.startswith("chat.completion")):
            return self._chunk(value, [], payload, path)
        return None

    def _chunk(self, value: dict[str, Any], choices: list[Any], payload: bytes, path: Path) -> Chunk:
        found = []
        own = None
        for place, entry in enumerate(choices):
            if type(entry) is not dict:
                continue
            choice = _choice(entry, place, payload, (*path, "choices", place))
            if choice.finish_reason is not None:
                self._ended = True
            if own is None and choice.index == 0:
                own = choice
            found.append(choice)
        first = own or _NO_CHOICE
        shared = (
            first.role,
            first.tool_calls,
            first.finish_reason,
            as_str(value.get("id")),
            as_str(value.get("model")),
            as_int(value.get("created")),
            _usage(value.get("usage")),
            _OWN if own is not None and len(found) == 1 else tuple(found),
            None,
        )
        return Chunk._make(first.text, first.thinking, shared, payload)  # type: ignore[no-any-return]


_NO_CHOICE = Choice()


def _code(value: Any) -> int | str | None:
    return value if type(value) is str else as_int(value)


def _error(error: Any, custom: Any) -> Error:
    """An error from an object or a string; what it lacks comes from the gateway's custom status."""
    code: int | str | None = None
    message: str | None
    kind = param = None
    if type(error) is str:
        message = error
    else:
        code = _code(error.get("code"))
        message = as_str(error.get("message"))
        kind = as_str(error.get("type"))
        param = as_str(error.get("param"))
    if type(custom) is dict:
        if code is None:
            code = _code(custom.get("Code"))
        if message is None:
            message = as_str(custom.get("Description"))
    return Error(code, message or "", kind, param)


def _choice(entry: dict[str, Any], place: int, payload: bytes, path: Path) -> Choice:
    name = "delta"
    delta = entry.get(name)
    if type(delta) is not dict:
        name = "message"
        delta = entry.get(name)
        if type(delta) is not dict:
            delta = {}
    index = as_int(entry.get("index"))
    reason = finish_reason_of(entry.get("finish_reason"))
    return Choice(
        place if index is None else index,
        content_of(delta.get("content")),
        _thinking(delta, entry),
        as_str(delta.get("role")),
        _tool_calls(delta.get("tool_calls"), payload, (*path, name, "tool_calls")),
        None if reason == "null" else reason,
    )


def _thinking(delta: dict[str, Any], entry: dict[str, Any]) -> str:
    for source in (delta, entry):
        for name in _THINKING:
            value = source.get(name)
            if value and type(value) is str:
                return value
    details = delta.get("reasoning_details")
    return joined_text(details) if type(details) is list else ""


def _tool_calls(calls: Any, payload: bytes, path: Path) -> tuple[ToolCallDelta, ...]:
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
                None,
                arguments_of(function.get("arguments"), payload, (*path, place, "function", "arguments")),
            )
        )
    return tuple(out)


def _first_string(payload: bytes, names: tuple[str, ...]) -> tuple[int, int] | None:
    """Contents of the first string that is not empty, of those names in the only choice's delta."""
    for name in names:
        place = string_span(payload, ("choices", 0, "delta", name))
        if place is not None and place[0] < place[1]:
            return place
    return None


def _usage(value: Any) -> Usage | None:
    if type(value) is not dict:
        return None
    details = value.get("completion_tokens_details")
    thinking = None
    if type(details) is dict:
        thinking = as_int(details.get("reasoning_tokens"))
        if thinking is None:
            thinking = as_int(details.get("thinking_tokens"))
    return Usage(
        as_int(value.get("prompt_tokens")),
        as_int(value.get("completion_tokens")),
        as_int(value.get("total_tokens")),
        thinking,
    )


__all__ = ["Choice", "Chunk", "Done", "Error", "Malformed", "StreamParser", "Unknown"]
