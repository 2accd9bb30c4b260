"""CLOVA Studio's native chat stream, v1 and v3 ([clova §6]).

Rules:
1. The event's name decides; without one, or with `message`, the shape does; bare JSON frames (one-
   shot answers) have no name. Other names are passed on as `Unknown`, their data unparsed.
2. A `token` carries a delta, the `result` the whole answer again: so its `.text` is empty.
3. `stopReason` (v1) and `finishReason` (v3) are one field; known values are folded to lower case.
4. Tool arguments are an object on the wire; they are passed on as their JSON text.
5. `Result` and `Error` end a stream; `Signal` alone does not, and a stream may lack it.
6. A frame of an unknown shape is `Unknown`, never dropped.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from ..dialect import Dialect
from ..error import Missing
from ..framing.frame import RawFrame
from ..json import Path, Spans, as_int, as_str, span, string_span, utf8_text, validate
from ..parser import ARGUMENTS, RAISES
from ..parser import StreamParser as BaseParser
from ..predict.common import PredictableEvent, is_shared_with
from ..predict.template import HoleKind, Holes, Template
from ..service import Service
from ..value import Event, common, event, field
from .wire import (
    AIFilter,
    Malformed,
    Pieces,
    ToolCallDelta,
    Usage,
    content,
    finish_reason,
    label,
    tool_calls,
)

__all__ = ["Error", "Malformed", "Result", "Signal", "StreamParser", "Token", "Unknown"]


@event("clova")
class Token(PredictableEvent):
    """A delta of the answer (`text`), of the reasoning (`thinking`) or of a tool call.

    `input_length` and `output_length` are sent by v1, `created`, `seed` and `usage` by v3.
    """

    text: str = field("The answer delta.", default="")
    thinking: str = field("The reasoning delta (v3).", default="")
    role: str | None = common("`assistant` in every real stream.", default=None)
    tool_calls: tuple[ToolCallDelta, ...] = common(
        "Pieces of tool calls (v3); `()` if there are none.", default=()
    )
    finish_reason: str | None = common(
        "v1's `stopReason`, v3's `finishReason`; None in running tokens.", default=None
    )
    index: int | None = common("v1's undocumented `index`.", default=None)
    input_length: int | None = common("Tokens of the prompt (v1).", default=None)
    output_length: int | None = field("Tokens of the answer so far (v1).", default=None)
    created: int | None = common(
        "Time of the answer (v3), in seconds, or in milliseconds if over 10**11.", default=None
    )
    seed: int | None = common("The seed in use, 0 to 4294967295.", default=None)
    usage: Usage | None = common("Token counts (v3); usually only the result has them.", default=None)
    id: str = field("The SSE id.", default="")


@event("clova")
class Result(Event):
    """The whole answer again, with what is known only at the end. `text` and `thinking` are `""`."""

    content: str = field("The whole answer.", default="")
    thinking_content: str = field("The whole reasoning (v3).", default="")
    role: str | None = field("`assistant`.", default=None)
    tool_calls: tuple[ToolCallDelta, ...] = field("The whole tool calls (v3).", default=())
    finish_reason: str | None = field("Why the model stopped.", default=None)
    input_length: int | None = field("Tokens of the prompt (v1).", default=None)
    output_length: int | None = field("Tokens of the answer (v1).", default=None)
    created: int | None = field(
        "Time of the answer (v3), in seconds, or in milliseconds if over 10**11.", default=None
    )
    seed: int | None = field("The seed in use, 0 to 4294967295.", default=None)
    usage: Usage | None = field("Token counts (v3).", default=None)
    ai_filter: tuple[AIFilter, ...] = field(
        "Entries of the AI filter, where the request asked for it.", default=()
    )
    id: str = field("The SSE id.", default="")


@event("clova")
class Signal(Event):
    """The last frame of a stream. By itself it does not end the stream."""

    data: str = field("`[DONE]`.", default="")
    id: str = field("The SSE id.", default="")


@event("clova")
class Error(Event):
    """The service's error, inside a stream or as the whole answer."""

    code: str | None = field('The service\'s code, such as `"42901"`.', default=None)
    message: str = field("The service's message.", default="")
    id: str = field("The SSE id.", default="")


@event("clova")
class Unknown(Event):
    """A frame that is none of the others."""

    event: str = field("The SSE event's name.", default="message")
    data: str = field("The payload's text.", default="")
    id: str = field("The SSE id.", default="")


_Token = Token._mutable_twin
_NAMES = frozenset((b"", b"message", b"token", b"result", b"signal", b"error"))

AnyEvent: TypeAlias = Token | Result | Signal | Error | Unknown


class Clova(Dialect[AnyEvent]):
    """The dialect: what one stream has shown."""

    __slots__ = ("_ended",)

    service = Service.CLOVA
    unknown = (Unknown, Malformed)
    deferred = (Result, Error)

    def __init__(self) -> None:
        self._ended = False

    def decode(self, frame: RawFrame, max_depth: int) -> AnyEvent:
        """See the rules of this module."""
        payload, name = frame.payload, frame.name
        if name not in _NAMES:
            utf8_text(payload)
            return unknown(frame)
        value = validate(payload, max_depth)
        decoded: AnyEvent | None = None
        if type(value) is dict:
            if name == b"token":
                decoded = token(value, frame)
            elif name == b"result":
                decoded = result(value, frame, ())
            elif name == b"signal":
                decoded = signal(value, frame)
            elif name == b"error":
                decoded = error(value, frame)
            else:
                decoded = by_shape(value, frame)
        if decoded is None:
            return unknown(frame)
        self._ended = self._ended or isinstance(decoded, (Result, Error))
        return decoded

    def done(self, frame: RawFrame) -> AnyEvent:
        """`[DONE]` is the payload of CLOVA's compatible API; here it means nothing."""
        return unknown(frame)

    def holes(self, event: AnyEvent, payload: bytes) -> Holes | None:
        """A token's text or thinking, and v1's counter."""
        if type(event) is not Token or bool(event.text) == bool(event.thinking):
            return None
        kind = HoleKind.TEXT if event.text else HoleKind.THINKING
        string = string_span(payload, ("message", "content" if event.text else "thinkingContent"))
        if string is None:
            return None
        counters: tuple[tuple[int, int], ...] = ()
        if event.output_length is not None:  # v1 counts up in every token
            counter = span(payload, ("outputLength",))
            if counter is None or counter[0] < string[1]:
                return None
            counters = (counter,)
        return Holes(kind, string, counters, (), event._common, True)

    def predicted(
        self, template: Template, text: str, event_id: str, raw: bytes | None, counters: tuple[int, ...]
    ) -> Token:
        """A token."""
        token = _Token()
        if template.thinking:
            token.text = ""
            token.thinking = text
        else:
            token.text = text
            token.thinking = ""
        token.id = event_id
        # Without a hole for it there is no such counter: `holes` makes one wherever it can.
        token.output_length = counters[0] if counters else None
        token._common = template.common
        token._raw = raw
        token.__class__ = Token
        return token  # type: ignore[no-any-return]

    @staticmethod
    def continues(event: Any, following: Any) -> bool:
        """Deltas of text and thinking."""
        return (
            type(event) is type(following) is Token
            and (event.output_length is None) == (following.output_length is None)
            and not following.tool_calls
            and is_shared_with(event, following)
        )

    @staticmethod
    def merge(run: list[Any]) -> Any:
        """One token."""
        return Token._make(
            "".join([token.text for token in run]),
            "".join([token.thinking for token in run]),
            run[-1].output_length,
            run[0].id,
            (*run[0]._common[:-1], None),
            b"",
        )

    def missing(self) -> Missing | None:
        """A result or an error ends a stream."""
        return None if self._ended else Missing.CLOVA_RESULT


class StreamParser(BaseParser[AnyEvent]):
    __doc__ = f"CLOVA Studio's own streams and one-shot answers, v1 and v3.\n\n{ARGUMENTS}\n\n{RAISES}"
    __slots__ = ()
    __module__ = "hangang.clova"
    _dialect_class = Clova


def unknown(frame: RawFrame) -> Unknown:
    """A frame of another shape; its payload is well-formed UTF-8."""
    name = frame.name.decode("utf-8", "replace") or "message"
    return Unknown._make(name, frame.payload.decode("utf-8"), frame.id, frame.payload)  # type: ignore[no-any-return]


def by_shape(value: dict[str, Any], frame: RawFrame) -> AnyEvent | None:
    """A frame without a telling name."""
    if type(value.get("message")) is dict:
        ended = as_str(value.get("finishReason")) or as_str(value.get("stopReason"))
        if ended or type(value.get("usage")) is dict:
            return result(value, frame, ())
        return token(value, frame)
    status = value.get("status")
    if type(status) is dict:
        code = label(status, Spans(frame.payload), ("status",), "code")
        fine = code is not None and code.startswith("2")
        inner = value.get("result")
        if (fine or code is None) and type(inner) is dict:
            answer = result(inner, frame, ("result",))
            if answer is not None:
                return answer
        return None if fine else error(value, frame)
    if value.get("data") == "[DONE]":
        return signal(value, frame)
    return error(value, frame) if type(value.get("error")) is dict else None


def signal(value: dict[str, Any], frame: RawFrame) -> Signal | None:
    """A signal: `data` is a string."""
    data = value.get("data")
    return Signal._make(data, frame.id, frame.payload) if type(data) is str else None


def error(value: dict[str, Any], frame: RawFrame) -> Error:
    """An error: its members, or those of `status` or `error`."""
    path: tuple[str, ...] = ()
    names: tuple[str, ...] = ("code",)
    source = value
    if type(value.get("status")) is dict:
        source = value["status"]
        path = ("status",)
    elif type(value.get("error")) is dict:
        source = value["error"]
        path = ("error",)
        names = ("code", "errorCode")
    code = None
    spans = Spans(frame.payload)
    for name in names:
        code = label(source, spans, path, name)
        if code is not None:
            break
    message = as_str(source.get("message")) or ""
    return Error._make(code, message, frame.id, frame.payload)  # type: ignore[no-any-return]


def token(value: dict[str, Any], frame: RawFrame) -> Token | None:
    """A delta: `message` is an object."""
    message = value.get("message")
    if type(message) is not dict:
        return None
    get = value.get
    calls = message.get("toolCalls")
    if calls:
        calls = tool_calls(calls, Spans(frame.payload), ("message", "toolCalls"), Pieces.PARTIAL_JSON)
    shared = (
        as_str(message.get("role")),
        calls or (),
        reason(value),
        as_int(get("index")),
        as_int(get("inputLength")),
        as_int(get("created")),
        as_int(get("seed")),
        usage(get("usage")),
        None,
    )
    return Token._make(  # type: ignore[no-any-return]
        content(message.get("content")),
        as_str(message.get("thinkingContent")) or "",
        as_int(get("outputLength")),
        frame.id,
        shared,
        frame.payload,
    )


def result(value: dict[str, Any], frame: RawFrame, path: Path) -> Result | None:
    """The whole answer, which is at `path`: `message` is an object."""
    message = value.get("message")
    if type(message) is not dict:
        return None
    payload = frame.payload
    spans = Spans(payload)
    get = value.get
    return Result._make(  # type: ignore[no-any-return]
        content(message.get("content")),
        as_str(message.get("thinkingContent")) or "",
        as_str(message.get("role")),
        tool_calls(message.get("toolCalls"), spans, (*path, "message", "toolCalls"), Pieces.PARTIAL_JSON),
        reason(value),
        as_int(get("inputLength")),
        as_int(get("outputLength")),
        as_int(get("created")),
        as_int(get("seed")),
        usage(get("usage")),
        ai_filter(get("aiFilter"), spans, (*path, "aiFilter")),
        frame.id,
        payload,
    )


def reason(value: dict[str, Any]) -> str | None:
    """v3's finish reason, else v1's stop reason."""
    found = finish_reason(value.get("finishReason"))
    return finish_reason(value.get("stopReason")) if found is None else found


def usage(value: Any) -> Usage | None:
    """Token counts, where the value is an object."""
    if type(value) is not dict:
        return None
    details = value.get("completionTokensDetails")
    return Usage(
        as_int(value.get("promptTokens")),
        as_int(value.get("completionTokens")),
        as_int(value.get("totalTokens")),
        as_int(details.get("thinkingTokens")) if type(details) is dict else None,
    )


def ai_filter(value: Any, spans: Spans, path: Path) -> tuple[AIFilter, ...]:
    """The entries of the AI filter, where the value is a list."""
    if type(value) is not list:
        return ()
    names = ("groupName", "name", "score", "result")
    return tuple(
        [
            AIFilter(*[label(entry, spans, (*path, place), name) for name in names])
            for place, entry in enumerate(value)
            if type(entry) is dict
        ]
    )
