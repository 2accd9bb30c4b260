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
from ..predict.common import raw_of
from ..predict.template import Holes, Template
from ..value import Event, Value, draft, with_raw
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


class Choice(Value):
    """One choice of a chunk."""

    __slots__ = __match_args__ = (
        "index",
        "text",
        "thinking",
        "role",
        "tool_calls",
        "finish_reason",
    )
    index: int
    text: str
    thinking: str
    role: str | None
    tool_calls: tuple[ToolCallDelta, ...]
    finish_reason: str | None

    def __new__(
        cls,
        index: int = 0,
        text: str = "",
        thinking: str = "",
        role: str | None = None,
        tool_calls: tuple[ToolCallDelta, ...] = (),
        finish_reason: str | None = None,
    ) -> Choice:
        self = _Choice()
        self.index = index
        self.text = text
        self.thinking = thinking
        self.role = role
        self.tool_calls = tool_calls
        self.finish_reason = finish_reason
        self.__class__ = cls
        return self  # type: ignore[no-any-return]


class Chunk(Event):
    """A chunk of the answer, or the whole of it; `text` and the like are those of choice 0."""

    __slots__ = ("_raw", "_rest", "text", "thinking")
    __match_args__ = (
        "text",
        "thinking",
        "role",
        "tool_calls",
        "finish_reason",
        "id",
        "model",
        "created",
        "usage",
        "choices",
    )
    text: str
    thinking: str
    _rest: Any
    _raw: Any

    def __new__(
        cls,
        text: str = "",
        thinking: str = "",
        role: str | None = None,
        tool_calls: tuple[ToolCallDelta, ...] = (),
        finish_reason: str | None = None,
        id: str | None = None,
        model: str | None = None,
        created: int | None = None,
        usage: Usage | None = None,
        choices: tuple[Choice, ...] = (),
    ) -> Chunk:
        rest = (role, tool_calls, finish_reason, id, model, created, usage, choices, None)
        return _chunk(text, thinking, rest, b"")

    @property
    def role(self) -> str | None:
        """`assistant`, as a rule in the first chunk only."""
        return self._rest[0]  # type: ignore[no-any-return]

    @property
    def tool_calls(self) -> tuple[ToolCallDelta, ...]:
        """Pieces of tool calls, merged by their `index`; `()` where there are none."""
        return self._rest[1]  # type: ignore[no-any-return]

    @property
    def finish_reason(self) -> str | None:
        """Why the answer ended, None while it runs; the chunk may carry text too."""
        return self._rest[2]  # type: ignore[no-any-return]

    @property
    def id(self) -> str | None:
        """The answer's id, the same in all its chunks."""
        return self._rest[3]  # type: ignore[no-any-return]

    @property
    def model(self) -> str | None:
        """The model's name as the server gives it."""
        return self._rest[4]  # type: ignore[no-any-return]

    @property
    def created(self) -> int | None:
        """Time of the answer, in seconds."""
        return self._rest[5]  # type: ignore[no-any-return]

    @property
    def usage(self) -> Usage | None:
        """Token counts; as a rule in a last chunk without choices."""
        return self._rest[6]  # type: ignore[no-any-return]

    @property
    def choices(self) -> tuple[Choice, ...]:
        """All choices of the chunk; `()` in a usage chunk."""
        rest = self._rest
        if rest[7] is _OWN:  # one choice of index 0: all it has is here already
            return (Choice(0, self.text, self.thinking, rest[0], rest[1], rest[2]),)
        return rest[7]  # type: ignore[no-any-return]

    @property
    def raw(self) -> bytes:
        """The payload's bytes as received (`data` lines joined by LF); b"" if made by hand."""
        return raw_of(self._raw, self._rest[8], self.text or self.thinking)


class Done(Event):
    """The end marker `[DONE]`."""

    __slots__ = ("_raw",)
    __match_args__ = ()
    text = ""
    thinking = ""

    def __new__(cls) -> Done:
        self = _Done()
        self._raw = b""
        self.__class__ = cls
        return self  # type: ignore[no-any-return]


class Error(Event):
    """An error, in a stream or as the whole answer; what follows it, even `[DONE]`, heals nothing."""

    __slots__ = ("_raw", "code", "message", "param", "type")
    __match_args__ = ("code", "message", "type", "param")
    text = ""
    thinking = ""
    code: int | str | None
    message: str
    type: str | None
    param: str | None

    def __new__(
        cls,
        code: int | str | None = None,
        message: str = "",
        type: str | None = None,
        param: str | None = None,
    ) -> Error:
        self = _Error()
        self.code = code
        self.message = message
        self.type = type
        self.param = param
        self._raw = b""
        self.__class__ = cls
        return self  # type: ignore[no-any-return]


class Unknown(Event):
    """A frame that is none of the others: its payload text."""

    __slots__ = ("_raw", "data")
    __match_args__ = ("data",)
    text = ""
    thinking = ""
    data: str

    def __new__(cls, data: str = "") -> Unknown:
        self = _Unknown()
        self.data = data
        self._raw = b""
        self.__class__ = cls
        return self  # type: ignore[no-any-return]


_Choice = draft(Choice)
_Chunk = draft(Chunk)
_Done = draft(Done)
_Error = draft(Error)
_Unknown = draft(Unknown)


def _chunk(text: str, thinking: str, rest: tuple[Any, ...], raw: bytes | None) -> Chunk:
    self = _Chunk()
    self.text = text
    self.thinking = thinking
    self._rest = rest
    self._raw = raw
    self.__class__ = Chunk
    return self  # type: ignore[no-any-return]


_OWN = object()  # in the place of `choices`: the chunk's own fields are those of its only choice
# In the order of Usage's fields; the other place of the last one makes no template.
_COUNTERS = (
    ("prompt_tokens",),
    ("completion_tokens",),
    ("total_tokens",),
    ("completion_tokens_details", "reasoning_tokens"),
)
_THINKING = ("reasoning_content", "reasoning", "thinking", "thinking_content")

AnyEvent: TypeAlias = Chunk | Done | Error | Unknown


class StreamParser(DialectParser[AnyEvent]):
    """OpenAI-compatible streams and one-shot answers: bytes to events."""

    __doc__ = f"{__doc__}\n{DialectParser.__doc__}"
    __slots__ = ()
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
        if type(event) is not Chunk or event._rest[7] is not _OWN:
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
            event._rest,
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
        rest = template.rest
        if ints:
            usage: Usage = rest[6]
            counts = list(usage._fields())
            for name, value in zip(template.names, ints, strict=True):
                counts[int(name)] = value
            rest = (*rest[:6], Usage(*counts), *rest[7:])
        chunk._rest = rest
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
        rest = (
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
        return _chunk(first.text, first.thinking, rest, payload)


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


for _class in (Choice, Chunk, Done, Error, Unknown, StreamParser):
    _class.__module__ = "hangang.openai"

__all__ = ["Choice", "Chunk", "Done", "Error", "Malformed", "StreamParser", "Unknown"]
