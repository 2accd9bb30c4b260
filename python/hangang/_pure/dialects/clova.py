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
from ..predict.common import raw_of
from ..predict.template import Holes, Template
from ..value import Event, draft, with_raw
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


class Token(Event):
    """A delta of the answer (`text`), of the reasoning (`thinking`) or of a tool call.

    `input_length` and `output_length` come in v1, `created`, `seed` and `usage` in v3. `created`
    is in seconds, or in milliseconds if over 10**11 ([clova §10]).
    """

    __slots__ = ("_raw", "_rest", "id", "output_length", "text", "thinking")
    __match_args__ = (
        "text",
        "thinking",
        "role",
        "tool_calls",
        "finish_reason",
        "index",
        "input_length",
        "output_length",
        "created",
        "seed",
        "usage",
        "id",
    )
    text: str
    thinking: str
    id: str
    output_length: int | None
    _rest: Any
    _raw: Any

    def __new__(
        cls,
        text: str = "",
        thinking: str = "",
        role: str | None = None,
        tool_calls: tuple[ToolCallDelta, ...] = (),
        finish_reason: str | None = None,
        index: int | None = None,
        input_length: int | None = None,
        output_length: int | None = None,
        created: int | None = None,
        seed: int | None = None,
        usage: Usage | None = None,
        id: str = "",
    ) -> Token:
        rest = (
            role,
            tool_calls,
            finish_reason,
            index,
            input_length,
            created,
            seed,
            usage,
            None,
        )
        return _token(text, thinking, output_length, rest, id, b"")

    @property
    def role(self) -> str | None:
        """`assistant` in every real stream."""
        return self._rest[0]  # type: ignore[no-any-return]

    @property
    def tool_calls(self) -> tuple[ToolCallDelta, ...]:
        """Pieces of tool calls; `()` where there are none."""
        return self._rest[1]  # type: ignore[no-any-return]

    @property
    def finish_reason(self) -> str | None:
        """v1 `stopReason`, v3 `finishReason`; None in running tokens."""
        return self._rest[2]  # type: ignore[no-any-return]

    @property
    def index(self) -> int | None:
        """v1's undocumented `index`."""
        return self._rest[3]  # type: ignore[no-any-return]

    @property
    def input_length(self) -> int | None:
        """v1: input tokens."""
        return self._rest[4]  # type: ignore[no-any-return]

    @property
    def created(self) -> int | None:
        """v3: time of the answer, see the class."""
        return self._rest[5]  # type: ignore[no-any-return]

    @property
    def seed(self) -> int | None:
        """The seed in use, 0 to 4294967295."""
        return self._rest[6]  # type: ignore[no-any-return]

    @property
    def usage(self) -> Usage | None:
        """v3: token counts; as a rule only the result has them."""
        return self._rest[7]  # type: ignore[no-any-return]

    @property
    def raw(self) -> bytes:
        """The payload's bytes as received (`data` lines joined by LF); b"" if made by hand."""
        return raw_of(self._raw, self._rest[8], self.text or self.thinking)


class Result(Event):
    """The whole answer again, with what only the end knows; `.text` and `.thinking` are `""`."""

    __slots__ = (
        "_raw",
        "ai_filter",
        "content",
        "created",
        "finish_reason",
        "id",
        "input_length",
        "output_length",
        "role",
        "seed",
        "thinking_content",
        "tool_calls",
        "usage",
    )
    __match_args__ = (
        "content",
        "thinking_content",
        "role",
        "tool_calls",
        "finish_reason",
        "input_length",
        "output_length",
        "created",
        "seed",
        "usage",
        "ai_filter",
        "id",
    )
    text = ""
    thinking = ""
    content: str
    thinking_content: str
    role: str | None
    tool_calls: tuple[ToolCallDelta, ...]
    finish_reason: str | None
    input_length: int | None
    output_length: int | None
    created: int | None
    seed: int | None
    usage: Usage | None
    ai_filter: tuple[AIFilter, ...]
    id: str

    def __new__(
        cls,
        content: str = "",
        thinking_content: str = "",
        role: str | None = None,
        tool_calls: tuple[ToolCallDelta, ...] = (),
        finish_reason: str | None = None,
        input_length: int | None = None,
        output_length: int | None = None,
        created: int | None = None,
        seed: int | None = None,
        usage: Usage | None = None,
        ai_filter: tuple[AIFilter, ...] = (),
        id: str = "",
    ) -> Result:
        self = _Result()
        self.content = content
        self.thinking_content = thinking_content
        self.role = role
        self.tool_calls = tool_calls
        self.finish_reason = finish_reason
        self.input_length = input_length
        self.output_length = output_length
        self.created = created
        self.seed = seed
        self.usage = usage
        self.ai_filter = ai_filter
        self.id = id
        self._raw = b""
        self.__class__ = cls
        return self  # type: ignore[no-any-return]


class Signal(Event):
    """The stream's last word, `data` being `[DONE]`; by itself it does not end the stream."""

    __slots__ = ("_raw", "data", "id")
    __match_args__ = ("data", "id")
    text = ""
    thinking = ""
    data: str
    id: str

    def __new__(cls, data: str = "", id: str = "") -> Signal:
        self = _Signal()
        self.data = data
        self.id = id
        self._raw = b""
        self.__class__ = cls
        return self  # type: ignore[no-any-return]


class Error(Event):
    """The service's error inside a stream or as the whole answer; `code` as in [clova §7]."""

    __slots__ = ("_raw", "code", "id", "message")
    __match_args__ = ("code", "message", "id")
    text = ""
    thinking = ""
    code: str | None
    message: str
    id: str

    def __new__(cls, code: str | None = None, message: str = "", id: str = "") -> Error:
        self = _Error()
        self.code = code
        self.message = message
        self.id = id
        self._raw = b""
        self.__class__ = cls
        return self  # type: ignore[no-any-return]


class Unknown(Event):
    """A frame that is none of the others: its event name and its payload text."""

    __slots__ = ("_raw", "data", "event", "id")
    __match_args__ = ("event", "data", "id")
    text = ""
    thinking = ""
    event: str
    data: str
    id: str

    def __new__(cls, event: str = "message", data: str = "", id: str = "") -> Unknown:
        self = _Unknown()
        self.event = event
        self.data = data
        self.id = id
        self._raw = b""
        self.__class__ = cls
        return self  # type: ignore[no-any-return]


_Token = draft(Token)
_Result = draft(Result)
_Signal = draft(Signal)
_Error = draft(Error)
_Unknown = draft(Unknown)


def _token(
    text: str,
    thinking: str,
    output_length: int | None,
    rest: tuple[Any, ...],
    ident: str,
    raw: bytes | None,
) -> Token:
    self = _Token()
    self.output_length = output_length
    self.text = text
    self.thinking = thinking
    self.id = ident
    self._rest = rest
    self._raw = raw
    self.__class__ = Token
    return self  # type: ignore[no-any-return]


_NAMES = frozenset((b"", b"message", b"token", b"result", b"signal", b"error"))

AnyEvent: TypeAlias = Token | Result | Signal | Error | Unknown


class StreamParser(DialectParser[AnyEvent]):
    """CLOVA Studio's streams and one-shot answers, v1 and v3: bytes to events."""

    __doc__ = f"{__doc__}\n{DialectParser.__doc__}"
    __slots__ = ()
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
        return Holes(thinking, *place, ints, (), event._rest, True)

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
        token._rest = template.rest
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
        rest = (
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
        return _token(
            content_of(message.get("content")),
            as_str(message.get("thinkingContent")) or "",
            as_int(get("outputLength")),
            rest,
            ident,
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


for _class in (Token, Result, Signal, Error, Unknown, StreamParser):
    _class.__module__ = "hangang.clova"

__all__ = ["Error", "Malformed", "Result", "Signal", "StreamParser", "Token", "Unknown"]
