"""CLOVA Studio's native chat stream, v1 and v3 ([clova §6]).

Rules:
1. The event's name decides; without one, or with `message`, the shape does; bare JSON frames (one-
   shot answers) have no name. Other names are passed on as `Unknown`, their data unparsed.
2. A `token` carries a delta, the `result` the whole answer again: so its `.text` is empty.
3. `stopReason` (v1) and `finishReason` (v3) are one field; known values are folded to lower case.
4. Tool arguments are an object on the wire; they are passed on as their JSON text.
5. `Result` and `Error` end a stream; `Signal` alone does not, and its absence is no fault.
6. A frame of a foreign shape is `Unknown`, never dropped.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from ..json import as_int, as_str, judge, judge_utf8, span
from ..parser import DialectParser
from ..predict.common import PredictableEvent
from ..predict.template import Holes, Template
from ..value import Event, common, event, field, with_raw
from .wire import (
    AIFilter,
    Malformed,
    ToolCallDelta,
    Usage,
    arguments_of,
    content_of,
    finish_reason_of,
    label,
    string_span,
)


@event("clova")
class Token(PredictableEvent):
    """A delta of the answer (`text`), of the reasoning (`thinking`) or of a tool call.

    `input_length` and `output_length` are v1's, `created`, `seed` and `usage` v3's.
    """

    text: str = field("Answer delta.", default="")
    thinking: str = field("Reasoning delta.", default="")
    role: str | None = common("`assistant` in every real stream.", default=None)
    tool_calls: tuple[ToolCallDelta, ...] = common("Pieces of tool calls.", default=())
    finish_reason: str | None = common(
        "v1 `stopReason`, v3 `finishReason`; None in running tokens.", default=None
    )
    index: int | None = common("v1's undocumented `index`.", default=None)
    input_length: int | None = common("v1: input tokens.", default=None)
    output_length: int | None = field("v1: output tokens so far.", default=None)
    created: int | None = common(
        "v3: time of the answer in seconds, or in milliseconds if over 10**11 ([clova §10]).", default=None
    )
    seed: int | None = common("The seed in use, 0 to 4294967295.", default=None)
    usage: Usage | None = common("v3: token counts; usually only the result has them.", default=None)
    id: str = field("Last event id.", default="")


@event("clova")
class Result(Event):
    """The whole answer again, with what only the end knows; `.text` and `.thinking` are `""`."""

    content: str = field("The whole answer.", default="")
    thinking_content: str = field("The whole reasoning.", default="")
    role: str | None = field("`assistant` in every real stream.", default=None)
    tool_calls: tuple[ToolCallDelta, ...] = field("The whole tool calls.", default=())
    finish_reason: str | None = field("v1 `stopReason`, v3 `finishReason`.", default=None)
    input_length: int | None = field("v1: input tokens.", default=None)
    output_length: int | None = field("v1: output tokens.", default=None)
    created: int | None = field("v3: time of the answer, as in `Token`.", default=None)
    seed: int | None = field("The seed in use.", default=None)
    usage: Usage | None = field("v3: token counts.", default=None)
    ai_filter: tuple[AIFilter, ...] = field("What the AI filter found.", default=())
    id: str = field("Last event id.", default="")


@event("clova")
class Signal(Event):
    """The stream's last word, `data` being `[DONE]`; by itself it does not end the stream."""

    data: str = field("`[DONE]` in every real stream.", default="")
    id: str = field("Last event id.", default="")


@event("clova")
class Error(Event):
    """The service's error inside a stream or as the whole answer."""

    code: str | None = field("The service's code ([clova §7]).", default=None)
    message: str = field("The service's message.", default="")
    id: str = field("Last event id.", default="")


@event("clova")
class Unknown(Event):
    """A frame that is none of the others."""

    event: str = field("Name of the SSE event.", default="message")
    data: str = field("The payload as text.", default="")
    id: str = field("Last event id.", default="")


_Token = Token._mutable_twin
_NAMES = frozenset((b"", b"message", b"token", b"result", b"signal", b"error"))

AnyEvent: TypeAlias = Token | Result | Signal | Error | Unknown


class StreamParser(DialectParser[AnyEvent]):
    """CLOVA Studio's streams and one-shot answers, v1 and v3: bytes to events."""

    __doc__ = f"{__doc__}\n{DialectParser.__doc__}"
    __slots__ = ()
    __module__ = "hangang.clova"
    _not_ended = "a result or error event"
    _keep = (Result, Error)

    def _done(self, name: bytes, ident: str) -> AnyEvent:
        return self._unknown(b"[DONE]", name, ident)

    def _unknown(self, payload: bytes, name: bytes, ident: str) -> Unknown:
        event = Unknown(name.decode("utf-8", "replace") or "message", payload.decode("utf-8"), ident)
        return with_raw(event, payload)  # type: ignore[no-any-return]

    def _event(self, payload: bytes, name: bytes, ident: str, depth: int) -> AnyEvent:
        if name not in _NAMES:
            judge_utf8(payload)
            return self._unknown(payload, name, ident)
        value = judge(payload, depth)
        event: AnyEvent | None = None
        if type(value) is dict:
            if name == b"token":
                event = self._token(value, payload, ident)
            elif name == b"result":
                event = self._result(value, payload, ident, ())
            elif name == b"signal":
                event = self._signal(value, ident)
            elif name == b"error":
                event = self._error(value, payload, ident)
            else:
                event = self._by_shape(value, payload, ident)
        if event is None:
            return self._unknown(payload, name, ident)
        return with_raw(event, payload)  # type: ignore[no-any-return]

    def _holes(self, event: AnyEvent, payload: bytes) -> Holes | None:
        if type(event) is not Token or bool(event.text) == bool(event.thinking):
            return None
        thinking = not event.text
        place = string_span(payload, ("message", "thinkingContent" if thinking else "content"))
        if place is None:
            return None
        ints: tuple[tuple[int, int], ...] = ()
        if event.output_length is not None:  # v1 counts up in every token
            counter = span(payload, ("outputLength",))
            if counter is None or counter[0] < place[1]:
                return None
            ints = (counter,)
        return Holes(thinking, *place, ints, (), event._common, True)

    def _predicted(
        self, template: Template, text: str, ident: str, raw: bytes | None, ints: tuple[int, ...]
    ) -> Token:
        token = _Token()
        if template.thinking:
            token.text = ""
            token.thinking = text
        else:
            token.text = text
            token.thinking = ""
        token.id = ident
        # Without a hole for it there is no such counter: _holes makes one wherever it can.
        token.output_length = ints[0] if ints else None
        token._common = template.common
        token._raw = raw
        token.__class__ = Token
        return token  # type: ignore[no-any-return]

    def _by_shape(self, value: dict[str, Any], payload: bytes, ident: str) -> AnyEvent | None:
        if type(value.get("message")) is dict:
            reason = as_str(value.get("finishReason")) or as_str(value.get("stopReason"))
            if reason or type(value.get("usage")) is dict:
                return self._result(value, payload, ident, ())
            return self._token(value, payload, ident)
        status = value.get("status")
        if type(status) is dict:
            code = label(status, payload, ("status",), "code")
            fine = code is not None and code.startswith("2")
            result = value.get("result")
            if (fine or code is None) and type(result) is dict:
                event = self._result(result, payload, ident, ("result",))
                if event is not None:
                    return event
            return None if fine else self._error(value, payload, ident)
        return self._signal(value, ident) if value.get("data") == "[DONE]" else None

    def _signal(self, value: dict[str, Any], ident: str) -> Signal | None:
        data = value.get("data")
        return Signal(data, ident) if type(data) is str else None

    def _error(self, value: dict[str, Any], payload: bytes, ident: str) -> Error:
        self._ended = True
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
        for name in names:
            code = label(source, payload, path, name)
            if code is not None:
                break
        return Error(code, as_str(source.get("message")) or "", ident)

    def _token(self, value: dict[str, Any], payload: bytes, ident: str) -> Token | None:
        message = value.get("message")
        if type(message) is not dict:
            return None
        get = value.get
        shared = (
            as_str(message.get("role")),
            _tool_calls(message, payload, ("message", "toolCalls")),
            _reason(value),
            as_int(get("index")),
            as_int(get("inputLength")),
            as_int(get("created")),
            as_int(get("seed")),
            _usage(get("usage")),
            None,
        )
        return Token._make(  # type: ignore[no-any-return]
            content_of(message.get("content")),
            as_str(message.get("thinkingContent")) or "",
            as_int(get("outputLength")),
            ident,
            shared,
            payload,
        )

    def _result(
        self, value: dict[str, Any], payload: bytes, ident: str, path: tuple[str, ...]
    ) -> Result | None:
        message = value.get("message")
        if type(message) is not dict:
            return None
        self._ended = True
        get = value.get
        return Result(
            content_of(message.get("content")),
            as_str(message.get("thinkingContent")) or "",
            as_str(message.get("role")),
            _tool_calls(message, payload, (*path, "message", "toolCalls")),
            _reason(value),
            as_int(get("inputLength")),
            as_int(get("outputLength")),
            as_int(get("created")),
            as_int(get("seed")),
            _usage(get("usage")),
            _filters(get("aiFilter"), payload, path),
            ident,
        )


def _reason(value: dict[str, Any]) -> str | None:
    reason = finish_reason_of(value.get("finishReason"))
    return finish_reason_of(value.get("stopReason")) if reason is None else reason


def _tool_calls(
    message: dict[str, Any], payload: bytes, path: tuple[str | int, ...]
) -> tuple[ToolCallDelta, ...]:
    calls = message.get("toolCalls")
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
                as_str(function.get("partialJson")),
                arguments_of(function.get("arguments"), payload, (*path, place, "function", "arguments")),
            )
        )
    return tuple(out)


def _usage(value: Any) -> Usage | None:
    if type(value) is not dict:
        return None
    details = value.get("completionTokensDetails")
    return Usage(
        as_int(value.get("promptTokens")),
        as_int(value.get("completionTokens")),
        as_int(value.get("totalTokens")),
        as_int(details.get("thinkingTokens")) if type(details) is dict else None,
    )


def _filters(value: Any, payload: bytes, path: tuple[str | int, ...]) -> tuple[AIFilter, ...]:
    if type(value) is not list:
        return ()
    return tuple(
        [
            AIFilter(
                *[
                    label(entry, payload, (*path, "aiFilter", place), name)
                    for name in ("groupName", "name", "score", "result")
                ]
            )
            for place, entry in enumerate(value)
            if type(entry) is dict
        ]
    )


__all__ = ["Error", "Malformed", "Result", "Signal", "StreamParser", "Token", "Unknown"]
