"""OpenAI-compatible chat streams and one-shot answers (docs/protocol/openai.md).

Rules ([design §5]):
1. Errors come first, wherever servers put them: a member `error`, the event name `error`, `object: "error"`,
   an error inside a choice, `error_code`; without choices also `error_message`, and a `code` of 400 or more
   with a `message`. An error ends a stream, and nothing after it makes it successful.
2. A choice is read from its `delta`. A field of `message` counts only while no delta of that choice has
   brought a non-empty one: servers repeat the whole answer there. No suffix is computed.
3. Reasoning has five names and may be repeated under several of them: the first that is not empty counts,
   never two ([openai §8]). Thinking parts of a content list are added to it.
4. Text is never dropped because of its type: a number or a boolean is its own JSON text.
5. A chunk's own fields are those of its choice with index 0.
6. `[DONE]`, an error, or a finish reason of every choice that was shown ends a stream. At most 128 choices
   are followed; beyond, only the first two end it, and their `message` counts for nothing.
7. With thinking tags an event's text depends on the events before it, so nothing is predicted.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from ..base import DEFAULT_DEPTH, DEFAULT_FRAME_BYTES
from ..dialect import Dialect
from ..error import ErrorKind, FrameError, Missing
from ..framing.frame import RawFrame
from ..json import Path, Spans, as_int, as_str, span, unescape, utf8_text, validate
from ..parser import ARGUMENTS, RAISES
from ..parser import StreamParser as BaseParser
from ..predict.common import PredictableEvent, is_shared_with
from ..predict.template import HoleKind, Holes, Template
from ..service import Service
from ..span import Span
from ..value import Event, Value, common, event, field, value
from .thinking_tags import Splitter, Tag
from .wire import (
    Malformed,
    Pieces,
    ToolCallDelta,
    Usage,
    arguments,
    code,
    finish_reason,
    tool_calls,
)

__all__ = ["Choice", "Chunk", "Done", "Error", "Malformed", "StreamParser", "Unknown"]


@value("openai")
class Choice(Value):
    """One choice of a chunk."""

    index: int = field("Which of the answers it belongs to.", default=0)
    text: str = field("The answer delta.", default="")
    thinking: str = field("The reasoning delta.", default="")
    role: str | None = field("`assistant`, usually in the first chunk only.", default=None)
    tool_calls: tuple[ToolCallDelta, ...] = field(
        "Pieces of tool calls, put together by `hangang.ToolCalls`; `()` if there are none.", default=()
    )
    finish_reason: str | None = field("Why this answer ended, None while it runs.", default=None)
    refusal: str = field("Refusal delta: what the model says instead of an answer.", default="")


_OWN = object()  # in the place of `choices`: the chunk's own fields are those of its only choice


def _choices(chunk: Any) -> tuple[Choice, ...]:
    shared = chunk._common
    if shared[7] is _OWN:  # one choice of index 0: all its fields are here already
        return (Choice(0, chunk.text, chunk.thinking, shared[0], shared[1], shared[2], shared[8]),)
    return shared[7]  # type: ignore[no-any-return]


@event("openai")
class Chunk(PredictableEvent):
    """A chunk of the answer, or the whole of it. `text` and the like are those of the choice with index 0."""

    text: str = field("The answer delta.", default="")
    thinking: str = field("The reasoning delta.", default="")
    role: str | None = common("`assistant`, usually in the first chunk only.", default=None)
    tool_calls: tuple[ToolCallDelta, ...] = common(
        "Pieces of tool calls, put together by `hangang.ToolCalls`; `()` if there are none.", default=()
    )
    finish_reason: str | None = common(
        "Why the answer ended, None while it runs; the chunk may carry text too.", default=None
    )
    id: str | None = common("The answer's id, the same in all its chunks.", default=None)
    model: str | None = common("The model's name as the server gives it.", default=None)
    created: int | None = common("Time of the answer, in seconds.", default=None)
    usage: Usage | None = common("Token counts, usually in a last chunk without choices.", default=None)
    choices: tuple[Choice, ...] = common(
        "All choices of the chunk; `()` in a usage chunk.", default=(), read=_choices
    )
    refusal: str = common("Refusal delta of choice 0: what the model says instead of an answer.", default="")


@event("openai")
class Done(Event):
    """The end marker `[DONE]`."""


@event("openai")
class Error(Event):
    """An error, in a stream or as the whole answer. Nothing that follows makes the answer a success."""

    code: int | str | None = field("A number or a name.", default=None)
    message: str = field("The service's message.", default="")
    type: str | None = field("`invalid_request_error` and the like.", default=None)
    param: str | None = field("The request's parameter that caused the error.", default=None)


@event("openai")
class Unknown(Event):
    """A frame that is none of the others."""

    data: str = field("The payload's text.", default="")


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

_REASONING_NAMES = frozenset(_REASONING)
_TEXTS = (str, int, float, bool, list)
_NO_CHOICE = Choice()
#: Most choices of a stream whose deltas and ends are followed.
FOLLOWED_CHOICES = 128

AnyEvent: TypeAlias = Chunk | Done | Error | Unknown
Object: TypeAlias = dict[str, Any]
Fields: TypeAlias = tuple[str, str, str, tuple[ToolCallDelta, ...]]
"""Of a choice: text, thinking, refusal, tool calls."""


class Followed:
    """A choice of the stream: which fields deltas have brought, whether it ended, and its content's tags."""

    __slots__ = ("is_finished", "refusal", "splitter", "text", "thinking", "tool_calls")

    def __init__(self, splitter: Splitter | None) -> None:
        # Whether a delta has brought the field: then a `message` only repeats it.
        self.text = self.thinking = self.refusal = self.tool_calls = False
        self.is_finished = False
        self.splitter = splitter

    def see(self, fields: Fields) -> None:
        """Remembers which fields a delta has brought."""
        if fields[0]:
            self.text = True
        if fields[1]:
            self.thinking = True
        if fields[2]:
            self.refusal = True
        if fields[3]:
            self.tool_calls = True

    def fill(self, delta: Fields, message: Fields) -> Fields:
        """The fields of a frame that has a message: it counts only for what no delta has brought."""
        return (
            delta[0] if self.text else message[0],
            delta[1] if self.thinking else message[1],
            delta[2] if self.refusal else message[2],
            delta[3] if self.tool_calls else message[3],
        )

    def split(self, content: str, thinking: str, is_end: bool) -> tuple[str, str]:
        """Text and thinking of content with tags, after the thinking that has a field of its own."""
        assert self.splitter is not None
        text, cut = self.splitter.push(content)
        thinking += cut
        if is_end:
            held, cut = self.splitter.flush()
            text += held
            thinking += cut
        return text, thinking


class OpenAI(Dialect[AnyEvent]):
    """The dialect: what one stream has shown."""

    __slots__ = ("_choices", "_ended", "_payload", "_spans", "_tags", "_thinking_first", "_too_many")

    service = Service.OPENAI
    unknown = (Unknown, Malformed)
    deferred = (Done, Error)
    flushed_by = (Done, Error)

    def __init__(self, tags: tuple[str, str] | None = None, thinking_first: bool = False) -> None:
        self._ended = False  # by `[DONE]` or an error
        self._choices: dict[int, Followed] = {}  # in the order in which they were first shown
        self._too_many = False
        self._tags = None if tags is None else (Tag(tags[0]), Tag(tags[1]))
        self._thinking_first = thinking_first
        self._payload = b""  # of the frame that is being decoded
        self._spans: Spans | None = None  # where its values are, once that is needed

    def decode(self, frame: RawFrame, max_depth: int) -> AnyEvent:
        """See the rules of this module."""
        payload = frame.payload
        is_error = frame.name == b"error"
        self._payload = payload
        self._spans = None
        try:
            value = validate(payload, max_depth)
        except FrameError as found:
            if not is_error or found.kind is not ErrorKind.INVALID_JSON:
                raise
            value = utf8_text(payload)
        decoded: AnyEvent | None = None
        if type(value) is dict:
            decoded = self._classify(value, payload, (), is_error)
        elif is_error and type(value) is str:
            decoded = Error._make(None, value, None, None, payload)
        if decoded is None:
            return Unknown._make(payload.decode("utf-8"), payload)  # type: ignore[no-any-return]
        if type(decoded) is Error:
            self._ended = True
        self._spans = None
        return decoded

    def done(self, frame: RawFrame) -> AnyEvent:
        """The end marker."""
        self._ended = True
        return Done._make(frame.payload)  # type: ignore[no-any-return]

    def holes(self, event: AnyEvent, payload: bytes) -> Holes | None:
        """A chunk's text or thinking, and its counters."""
        # Only the plain shape: one choice of index 0, not wrapped in an envelope, without a snapshot.
        if type(event) is not Chunk or event._common[_CHOICES] is not _OWN:
            return None
        if bool(event.text) == bool(event.thinking) or has_message(payload):
            return None
        string = first_string(payload, ("content",) if event.text else _REASONING)
        if string is None:
            return None
        # The string may be a part of the field only.
        if unescape(payload[slice(*string)].decode("utf-8")) != (event.text or event.thinking):
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
        """A chunk. The frame that it repeats has brought the same field as a delta, and the same end."""
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

    def flush(self) -> Chunk | None:
        """What `thinking_tags` holds back, of every choice."""
        if self._tags is None:
            return None
        found = []
        for index, followed in self._choices.items():
            assert followed.splitter is not None
            text, thinking = followed.splitter.flush()
            if text or thinking:
                found.append(Choice(index, text, thinking))
        if not found:
            return None
        first = next((one for one in found if one.index == 0), _NO_CHOICE)
        shared = (None, (), None, None, None, None, None, tuple(found), "", None)
        return Chunk._make(first.text, first.thinking, shared, b"")  # type: ignore[no-any-return]

    @staticmethod
    def continues(event: Any, following: Any) -> bool:
        """Deltas of text and thinking, of the chunk's own choice and no other."""
        return (
            type(event) is type(following) is Chunk
            and has_only_main_deltas(following)
            and is_shared_with(event, following)
        )

    @staticmethod
    def merge(run: list[Any]) -> Any:
        """One chunk."""
        return Chunk._make(
            "".join([chunk.text for chunk in run]),
            "".join([chunk.thinking for chunk in run]),
            (*run[0]._common[:-1], None),
            b"",
        )

    def missing(self) -> Missing | None:
        """`[DONE]`, an error, or a finish reason of every choice shown ends a stream."""
        choices = self._choices.values()
        if self._ended or (choices and not self._too_many and all(one.is_finished for one in choices)):
            return None
        return Missing.OPENAI_END

    def _places(self) -> Spans:
        """Where the values of the payload are."""
        if self._spans is None:
            self._spans = Spans(self._payload)
        return self._spans

    def _classify(self, value: Object, payload: bytes, path: Path, is_error: bool) -> Chunk | Error | None:
        """The event of an object, which is at `path` of the payload; `is_error`: by its name."""
        entries = value.get("choices")
        found = failure(value, entries, payload, is_error)
        if found is not None:
            return found
        if type(entries) is list:
            return self._chunk(value, entries, payload, path)
        found = flat_failure(value, payload)
        if found is not None:
            return found
        status = value.get("status")
        if type(status) is dict and not path:  # CLOVA's own envelope ([gov §1.2])
            given = status.get("code")
            text = as_str(given)
            if type(given) is int or type(given) is float:
                text = self._places().text(("status", "code"))
            if text is not None and text.startswith("2"):
                if type(value.get("result")) is dict:
                    return self._classify(value["result"], payload, ("result",), False)
            elif text is not None:
                number = as_int(given)
                message = as_str(status.get("message")) or ""
                return Error._make(  # type: ignore[no-any-return]
                    text if number is None else number, message, None, None, payload
                )
        kind = value.get("object")
        if usage_of(value, []) is not None or (type(kind) is str and kind.startswith("chat.completion")):
            return self._chunk(value, [], payload, path)
        return None

    def _chunk(self, value: Object, entries: list[Any], payload: bytes, path: Path) -> Chunk:
        """A chunk with the choices of a list."""
        found = []
        own = None
        for place, entry in enumerate(entries):
            if type(entry) is dict:
                one = self._choice(entry, place, (*path, "choices", place))
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
            usage(usage_of(value, entries)),
            _OWN if own is not None and len(found) == 1 else tuple(found),
            first.refusal,
            None,
        )
        return Chunk._make(first.text, first.thinking, shared, payload)  # type: ignore[no-any-return]

    def _follow(self, index: int) -> Followed | None:
        """A choice that has not been shown before; None beyond those that are followed."""
        if len(self._choices) == FOLLOWED_CHOICES:
            self._too_many = True
            return None
        splitter = None
        if self._tags is not None:
            splitter = Splitter(*self._tags, self._thinking_first)
        followed = self._choices[index] = Followed(splitter)
        return followed

    def _choice(self, entry: Object, place: int, path: Path) -> Choice:
        """A choice, which is at `path`, from its `delta` and its `message`."""
        index = as_int(entry.get("index"))
        if index is None:
            index = place
        followed = self._choices.get(index) or self._follow(index)
        delta = entry.get("delta")
        message = entry.get("message")
        if type(message) is not dict:
            message = None
        role = None
        fields: Fields = "", "", "", ()
        if type(delta) is dict:
            fields = self._fields(delta, entry, path, "delta")
            role = as_str(delta.get("role"))
        elif message is None:
            fields = self._fields({}, entry, path, "delta")
        if followed is not None:
            followed.see(fields)
        if message is not None:
            if followed is not None:
                # Reasoning beside a delta and a message is the delta's.
                beside = {} if type(delta) is dict else entry
                fields = followed.fill(fields, self._fields(message, beside, path, "message"))
            if role is None:
                role = as_str(message.get("role"))
        reason = finish_reason(entry.get("finish_reason"))
        if reason == "null":
            reason = None
        text, thinking, refusal, calls = fields
        if followed is not None and self._tags is not None:
            text, thinking = followed.split(text, thinking, reason is not None)
        if followed is not None and reason is not None:
            followed.is_finished = True
        return Choice(index, text, thinking, role, calls, reason, refusal)

    def _fields(self, source: Object, beside: Object, path: Path, name: str) -> Fields:
        """Text, thinking, refusal and tool calls of a delta or a message, the member `name` at `path`."""
        text = cut = ""
        content = source.get("content")
        if type(content) is str:
            text = content
        elif content is not None:
            if type(content) is list:
                text, cut = self._content_parts(content, (*path, name, "content"))
            else:
                text = self._scalar(content, (*path, name, "content"))
        thinking = self._reasoning(source, beside, path, name) + cut
        refusal = source.get("refusal")
        if type(refusal) is not str:
            refusal = "" if refusal is None else self._scalar(refusal, (*path, name, "refusal"))
        calls: tuple[ToolCallDelta, ...] = ()
        given = source.get("tool_calls")
        if given is not None:
            calls = tool_calls(given, self._places(), (*path, name, "tool_calls"), Pieces.ARGUMENTS)
        legacy = source.get("function_call")
        if not calls and type(legacy) is dict:
            place = (*path, name, "function_call", "arguments")
            text_of_call = arguments(legacy.get("arguments"), self._places(), place)
            calls = (ToolCallDelta(0, None, "function", as_str(legacy.get("name")), None, text_of_call),)
        return text, thinking, refusal, calls

    def _reasoning(self, source: Object, beside: Object, path: Path, name: str) -> str:
        """The reasoning of a choice, which may be repeated under several names: one of them, never two."""
        for place, holder in (((*path, name), source), (path, beside)):
            if not _REASONING_NAMES.isdisjoint(holder):
                for member in _REASONING:
                    value = holder.get(member)
                    if value is not None and (text := self._scalar(value, (*place, member))):
                        return text
        details = source.get("reasoning_details")
        return "" if details is None else self._joined(details, (*path, name, "reasoning_details"))

    def _content_parts(self, parts: list[Any], path: Path) -> tuple[str, str]:
        """Text and thinking of a list of content parts."""
        text: list[str] = []
        thinking: list[str] = []
        for place, part in enumerate(parts):
            if type(part) is not dict:
                continue
            kind = part.get("type")
            if kind != "thinking" and kind != "reasoning":
                text.append(self._scalar(part.get("text"), (*path, place, "text")))
                continue
            member = kind if type(part.get(kind)) in _TEXTS else "text"
            value = part.get(member)
            if type(value) is list:
                thinking.append(self._joined(value, (*path, place, member)))
            else:
                thinking.append(self._scalar(value, (*path, place, member)))
        return "".join(text), "".join(thinking)

    def _joined(self, parts: Any, path: Path) -> str:
        """The `text` of a list of parts, joined with nothing between."""
        if type(parts) is not list:
            return ""
        return "".join(
            [
                self._scalar(part.get("text"), (*path, place, "text"))
                for place, part in enumerate(parts)
                if type(part) is dict
            ]
        )

    def _scalar(self, value: Any, path: Path) -> str:
        """The text of any scalar: a string, or a number or a boolean as its own JSON text."""
        if type(value) is str:
            return value
        if type(value) is bool:
            return "true" if value else "false"
        if type(value) is not int and type(value) is not float:
            return ""
        return self._places().number(path)


class StreamParser(BaseParser[AnyEvent]):
    __doc__ = f"""\
OpenAI-compatible chat streams and one-shot answers.

{ARGUMENTS}
    thinking_tags: the tags around reasoning inside the content, such as `("<think>", "</think>")`.
    thinking_first: the answer begins inside the reasoning.

{RAISES}"""
    __slots__ = ()
    __module__ = "hangang.openai"
    _dialect_class = OpenAI

    def __init__(
        self,
        *,
        max_frame_bytes: int = DEFAULT_FRAME_BYTES,
        max_depth: int = DEFAULT_DEPTH,
        errors: Literal["strict", "report"] = "strict",
        thinking_tags: tuple[str, str] | list[str] | None = None,
        thinking_first: bool = False,
    ) -> None:
        super().__init__(max_frame_bytes=max_frame_bytes, max_depth=max_depth, errors=errors)
        tags = check_tags(thinking_tags)
        if thinking_first and tags is None:
            raise ValueError("thinking_first needs thinking_tags")
        self._dialect = OpenAI(tags, bool(thinking_first))
        if tags is not None:
            self._templates = None  # what an event's text is depends on the events before it


def has_only_main_deltas(chunk: Any) -> bool:
    """Whether its deltas are the text and the thinking of the main choice, and nothing else."""
    choices = chunk._common[_CHOICES]
    return (choices is _OWN or choices == ()) and not chunk.tool_calls and not chunk.refusal


def check_tags(tags: Any) -> tuple[str, str] | None:
    """The pair of tags from a constructor's argument; raises TypeError or ValueError."""
    if tags is None:
        return None
    pair: list[Any] = list(tags) if isinstance(tags, (tuple, list)) else []
    if len(pair) != 2 or not all(isinstance(tag, str) for tag in pair):
        raise TypeError("thinking_tags must be a tuple of two strings: the opening and the closing tag")
    if not pair[0] or not pair[1] or pair[0] == pair[1]:
        raise ValueError("thinking_tags must be two different strings that are not empty")
    return str(pair[0]), str(pair[1])


def failure(value: Object, entries: Any, payload: bytes, is_error: bool) -> Error | None:
    """An error wherever servers put one, also beside choices."""
    found = value.get("error")
    if found and type(found) in (dict, str):
        return error_object(found, value, payload)
    if is_error:
        return error_event(value, payload)
    if value.get("object") == "error":
        return error_object(value, value, payload)
    if type(entries) is list:
        for entry in entries:
            if type(entry) is dict and type(entry.get("error")) is dict:
                return error_object(entry["error"], value, payload)
    number = as_int(value.get("error_code"))
    if number:
        message = first_text(value, ("error_message", "message", "text"))
        kind = as_str(value.get("error_type"))
        return Error._make(number, message or "", kind, None, payload)  # type: ignore[no-any-return]
    return None


def flat_failure(value: Object, payload: bytes) -> Error | None:
    """An error by the members of an object without choices."""
    if type(value.get("error_message")) is str:
        kind = as_str(value.get("error_type"))
        return Error._make(  # type: ignore[no-any-return]
            code(value.get("error_code")), value["error_message"], kind, None, payload
        )
    for level in (value, value.get("data")):
        if type(level) is dict:
            number = as_int(level.get("code"))
            message = as_str(level.get("message"))
            if number is not None and number >= 400 and message is not None:
                kind, param = as_str(level.get("type")), as_str(level.get("param"))
                return Error._make(number, message, kind, param, payload)  # type: ignore[no-any-return]
    return None


def error_object(found: Any, frame: Object, payload: bytes) -> Error:
    """An error from an object or a string; what it lacks comes from beside it."""
    number: int | str | None = None
    kind = param = None
    message: str | None
    if type(found) is str:
        message = found
    else:
        number = code(found.get("code"))
        message = as_str(found.get("message"))
        kind = as_str(found.get("type"))
        param = as_str(found.get("param"))
    number, message = custom_status(frame, number, message)
    if kind is None:
        kind = as_str(frame.get("error_type"))
    return Error._make(number, message, kind, param, payload)  # type: ignore[no-any-return]


def error_event(value: Object, payload: bytes) -> Error:
    """An object under the event name `error`: its own members tell."""
    number = code(value.get("code"))
    if number is None:
        number = code(value.get("error_code"))
    message = first_text(value, ("message", "error_message", "text", "detail"))
    number, text = custom_status(value, number, message)
    kind = as_str(value.get("type"))
    if kind is None:
        kind = as_str(value.get("error_type"))
    return Error._make(number, text, kind, as_str(value.get("param")), payload)  # type: ignore[no-any-return]


def custom_status(
    frame: Object, number: int | str | None, message: str | None
) -> tuple[int | str | None, str]:
    """Code and message, from a gateway's `custom_status` where the error has none."""
    custom = frame.get("custom_status")
    if type(custom) is dict:
        if number is None:
            number = code(custom.get("Code"))
        if message is None:
            message = as_str(custom.get("Description"))
    return number, message or ""


def first_text(value: Object, names: tuple[str, ...]) -> str | None:
    """The first of these members that is a string and not empty."""
    for name in names:
        text = value.get(name)
        if text and type(text) is str:
            return text
    return None


def first_string(payload: bytes, names: tuple[str, ...]) -> Span | None:
    """Contents of the first of those members with a text, in the only choice's delta; None if no string."""
    for name in names:
        found = span(payload, ("choices", 0, "delta", name))
        if found is None or payload[found[0]] in b"n{[":
            continue
        if payload[found[0]] != 0x22:
            return None
        if found[1] - found[0] > 2:
            return found[0] + 1, found[1] - 1
    return None


def has_message(payload: bytes) -> bool:
    """Whether the only choice has a `message` object."""
    found = span(payload, ("choices", 0, "message"))
    return found is not None and payload[found[0]] == 0x7B


def usage_of(value: Object, entries: list[Any]) -> Object | None:
    """The token counts of a frame: its own, else those of a choice, else Groq's."""
    found = value.get("usage")
    if type(found) is dict:
        return found
    for entry in entries:
        if type(entry) is dict and type(entry.get("usage")) is dict:
            return entry["usage"]  # type: ignore[no-any-return]
    groq = value.get("x_groq")
    if type(groq) is dict and type(groq.get("usage")) is dict:
        return groq["usage"]  # type: ignore[no-any-return]
    return None


def usage(counts: Object | None) -> Usage | None:
    """Token counts."""
    if counts is None:
        return None
    thinking = None
    details = counts.get("completion_tokens_details")
    if type(details) is dict:
        thinking = as_int(details.get("reasoning_tokens"))
        if thinking is None:
            thinking = as_int(details.get("thinking_tokens"))
    if thinking is None:
        thinking = as_int(counts.get("reasoning_tokens"))
    return Usage(
        as_int(counts.get("prompt_tokens")),
        as_int(counts.get("completion_tokens")),
        as_int(counts.get("total_tokens")),
        thinking,
    )
