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

from ..dialect import Dialect
from ..error import Missing
from ..framing import RawFrame
from ..json import as_int, as_str, raw_text, span, string_span, validate
from ..parser import StreamParser as BaseParser
from ..predict.common import PredictableEvent
from ..predict.template import HoleKind, Holes, Template
from ..span import Span
from ..value import Event, Value, common, event, field, value
from .wire import (
    Malformed,
    Path,
    Pieces,
    ToolCallDelta,
    Usage,
    code,
    content,
    finish_reason,
    joined_parts,
    tool_calls,
)

__all__ = ["Choice", "Chunk", "Done", "Error", "Malformed", "StreamParser", "Unknown"]


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


_Chunk = Chunk._mutable_twin
_USAGE = Chunk._common_names.index("usage")
_CHOICES = Chunk._common_names.index("choices")
# In the order of Usage's fields; the other place of the last one makes no template.
_COUNTERS = (
    ("prompt_tokens",),
    ("completion_tokens",),
    ("total_tokens",),
    ("completion_tokens_details", "reasoning_tokens"),
)
#: The names under which servers send reasoning, in the order in which one is taken.
_REASONING = ("reasoning_content", "reasoning", "thinking", "thinking_content")

AnyEvent: TypeAlias = Chunk | Done | Error | Unknown
Object: TypeAlias = dict[str, Any]


class OpenAI(Dialect[AnyEvent]):
    """The dialect: what one stream has shown."""

    __slots__ = ("_ended",)

    deferred = (Done, Error)

    def __init__(self) -> None:
        self._ended = False

    def decode(self, frame: RawFrame, max_depth: int) -> AnyEvent:
        """See the rules of this module."""
        payload = frame.payload
        value = validate(payload, max_depth)
        decoded = classify(value, payload, ()) if type(value) is dict else None
        if decoded is None:
            return Unknown._make(payload.decode("utf-8"), payload)  # type: ignore[no-any-return]
        if not self._ended:
            self._ended = isinstance(decoded, Error) or is_finished(decoded)
        return decoded

    def done(self, frame: RawFrame) -> AnyEvent:
        """The end marker."""
        self._ended = True
        return Done._make(frame.payload)  # type: ignore[no-any-return]

    def holes(self, event: AnyEvent, payload: bytes) -> Holes | None:
        """A chunk's text or thinking, and its counters."""
        # Only the plain shape: one choice of index 0, not wrapped in an envelope.
        if type(event) is not Chunk or event._common[_CHOICES] is not _OWN:
            return None
        if bool(event.text) == bool(event.thinking):
            return None
        string = first_string(payload, ("content",) if event.text else _REASONING)
        if string is None:
            return None
        found = []
        if event.usage is not None:
            for number, path in enumerate(_COUNTERS):
                counter = span(payload, ("usage", *path))
                if (
                    counter is not None
                    and counter[0] > string[1]
                    and event.usage._fields()[number] is not None
                ):
                    found.append((counter, str(number)))
            found.sort()
        return Holes(
            HoleKind.TEXT if event.text else HoleKind.THINKING,
            string,
            tuple([counter for counter, _ in found]),
            tuple([name for _, name in found]),
            event._common,
            # Another name may hold the reasoning if this one is empty.
            bool(event.text),
        )

    def predicted(
        self, template: Template, text: str, event_id: str, raw: bytes | None, counters: tuple[int, ...]
    ) -> Chunk:
        """A chunk."""
        chunk = _Chunk()
        if template.thinking:
            chunk.text = ""
            chunk.thinking = text
        else:
            chunk.text = text
            chunk.thinking = ""
        shared = template.common
        if counters:
            counts = list(shared[_USAGE]._fields())
            for name, count in zip(template.names, counters, strict=True):
                counts[int(name)] = count
            shared = (*shared[:_USAGE], Usage(*counts), *shared[_USAGE + 1 :])
        chunk._common = shared
        chunk._raw = raw
        chunk.__class__ = Chunk
        return chunk  # type: ignore[no-any-return]

    def missing(self) -> Missing | None:
        """A finish reason, `[DONE]` or an error ends a stream."""
        return None if self._ended else Missing.OPENAI_END


class StreamParser(BaseParser[AnyEvent]):
    """OpenAI-compatible streams and one-shot answers: bytes to events."""

    __doc__ = f"{__doc__}\n{BaseParser.__doc__}"
    __slots__ = ()
    __module__ = "hangang.openai"
    _dialect_class = OpenAI


def classify(value: Object, payload: bytes, path: Path) -> Chunk | Error | None:
    """The event of an object, which is at `path` of the payload."""
    found = value.get("error")
    if found and type(found) in (dict, str):
        return error(found, value.get("custom_status"), payload)
    if value.get("object") == "error":
        return error(value, None, payload)
    choices = value.get("choices")
    if type(choices) is list:
        for entry in choices:
            if type(entry) is dict and type(entry.get("error")) is dict:
                return error(entry["error"], None, payload)
        return chunk(value, choices, payload, path)
    if type(value.get("error_message")) is str:
        kind = as_str(value.get("error_type"))
        return Error._make(  # type: ignore[no-any-return]
            code(value.get("error_code")), value["error_message"], kind, None, payload
        )
    status = value.get("status")
    if type(status) is dict and not path:  # CLOVA's own envelope ([gov §1.2])
        given = status.get("code")
        text = as_str(given)
        if type(given) is int or type(given) is float:
            text = raw_text(payload, ("status", "code"))
        if text is not None and text.startswith("2"):
            if type(value.get("result")) is dict:
                return classify(value["result"], payload, ("result",))
        elif text is not None:
            number = as_int(given)
            message = as_str(status.get("message")) or ""
            return Error._make(  # type: ignore[no-any-return]
                text if number is None else number, message, None, None, payload
            )
    kind = value.get("object")
    if type(value.get("usage")) is dict or (type(kind) is str and kind.startswith("chat.completion")):
        return chunk(value, [], payload, path)
    return None


def chunk(value: Object, entries: list[Any], payload: bytes, path: Path) -> Chunk:
    """A chunk with the choices of a list."""
    found = []
    own = None
    for place, entry in enumerate(entries):
        if type(entry) is dict:
            one = choice(entry, place, payload, (*path, "choices", place))
            if own is None and one.index == 0:
                own = one
            found.append(one)
    first = own or _NO_CHOICE
    shared = (
        first.role,
        first.tool_calls,
        first.finish_reason,
        as_str(value.get("id")),
        as_str(value.get("model")),
        as_int(value.get("created")),
        usage(value.get("usage")),
        _OWN if own is not None and len(found) == 1 else tuple(found),
        None,
    )
    return Chunk._make(first.text, first.thinking, shared, payload)  # type: ignore[no-any-return]


_NO_CHOICE = Choice()


def error(found: Any, custom: Any, payload: bytes) -> Error:
    """An error from an object or a string; what it lacks comes from the gateway's custom status."""
    number: int | str | None = None
    message: str | None
    kind = param = None
    if type(found) is str:
        message = found
    else:
        number = code(found.get("code"))
        message = as_str(found.get("message"))
        kind = as_str(found.get("type"))
        param = as_str(found.get("param"))
    if type(custom) is dict:
        if number is None:
            number = code(custom.get("Code"))
        if message is None:
            message = as_str(custom.get("Description"))
    return Error._make(number, message or "", kind, param, payload)  # type: ignore[no-any-return]


def choice(entry: Object, place: int, payload: bytes, path: Path) -> Choice:
    """A choice, which is at `path`, from its `delta`, or from `message` in a one-shot answer."""
    name = "delta"
    delta = entry.get(name)
    if type(delta) is not dict:
        name = "message"
        delta = entry.get(name)
        if type(delta) is not dict:
            delta = {}
    index = as_int(entry.get("index"))
    reason = finish_reason(entry.get("finish_reason"))
    return Choice(
        place if index is None else index,
        content(delta.get("content")),
        reasoning(delta, entry),
        as_str(delta.get("role")),
        tool_calls(delta.get("tool_calls"), payload, (*path, name, "tool_calls"), Pieces.ARGUMENTS),
        None if reason == "null" else reason,
    )


def reasoning(delta: Object, entry: Object) -> str:
    """The reasoning of a choice, which may be repeated under several names: one of them, never two."""
    for source in (delta, entry):
        for name in _REASONING:
            text = source.get(name)
            if text and type(text) is str:
                return text
    details = delta.get("reasoning_details")
    return joined_parts(details) if type(details) is list else ""


def is_finished(chunk: Chunk) -> bool:
    """Whether a choice of the chunk has a finish reason."""
    choices = chunk._common[_CHOICES]
    if choices is _OWN:  # not through `choices`, which would make a Choice for nothing
        return chunk.finish_reason is not None
    return any(choice.finish_reason is not None for choice in choices)


def first_string(payload: bytes, names: tuple[str, ...]) -> Span | None:
    """Contents of the first string that is not empty, of those names in the only choice's delta."""
    for name in names:
        found = string_span(payload, ("choices", 0, "delta", name))
        if found is not None and found[0] < found[1]:
            return found
    return None


def usage(value: Any) -> Usage | None:
    """Token counts, where the value is an object."""
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
