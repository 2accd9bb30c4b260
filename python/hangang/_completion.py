"""Events to one answer: `Completion`, and `Fold`, which builds it.

The rules of this file:
- Folding is linear: deltas go to lists and are joined once, in `Fold.completion`.
- Events are recognized by the public name of their class, so those of either backend, made by hand
  or unpickled, fold alike.
- Neighbouring events of a stream share one object for the fields they repeat, and `Fold.extend` reads
  only the deltas of an event that shares it with the event before. Trap: a field that must be read
  from every event (tool calls, v1's counters) makes its handler return False.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

from ._backend import impl
from ._json_types import JSONObject
from ._openai_shape import call_id, error, finish_reason, new_id, tool_call, usage
from ._tool_calls import ToolCall, ToolCalls, whole_call
from ._values import is_object, to_dict

if TYPE_CHECKING:  # it imports what only clients need
    from ._rate_limit import RateLimit

__all__ = ["Artifact", "Completion", "Fold"]

AIFilter = impl.AIFilter
ToolCallDelta = impl.ToolCallDelta
Usage = impl.Usage
ErrorEvent: TypeAlias = impl.clova.Error | impl.exaone.Error | impl.openai.Error | impl.a2a.Error

_log = logging.getLogger("hangang.streams")


@dataclass(frozen=True, slots=True)
class Artifact:
    """An A2A artifact after `append` and replacement ([a2a §4]).

    Attributes:
        artifact_id: its id, or None.
        name: its name, or None.
        text: its text parts, joined with nothing between.
        parts: its parts as received.
        last_chunk: the last update of it said that it is complete.
        metadata: its metadata as received, or None.
    """

    artifact_id: str | None = None
    name: str | None = None
    text: str = ""
    parts: tuple[JSONObject, ...] = ()
    last_chunk: bool = False
    metadata: JSONObject | None = None

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values."""
        return _fields_of(self)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Completion:
    """A whole answer, folded from the events of any dialect.

    Attributes:
        text: the answer. CLOVA: the result's content if no delta had text. A2A: the text parts of all
            artifacts in order, else of the messages, else the task's content, else the message of the
            completed status.
        thinking: the reasoning, if the service shows it.
        refusal: the refusal, if the model refused in a field of its own; never part of `text`.
        finish_reason: why the answer ended (`"stop"`, `"length"`, `"tool_calls"`, ...), or None. The
            first one stays.
        usage: the last token counts of the stream, or None. Made from v1's lengths if CLOVA v1 sent
            only those.
        tool_calls: the calls, in order; CLOVA's result wins over its deltas.
        references: EXAONE's sources, once.
        intent: EXAONE's reading of the query, or `""`.
        ai_filter: CLOVA's filter results.
        role: the role that the service named, or None.
        state: A2A: the last state of the task, or None.
        status_message: A2A: the text of the last status's message, or None if the last status has no
            message: the question of a task that requires input, the reason of one that failed.
        failed: the stream held an error, or (A2A) the task failed or was rejected. A `Done` after an
            error does not change it.
        error: the first `Error` event, or None.
        dialect: `"clova"`, `"exaone"`, `"openai"` or `"a2a"`; None if there was no event of any.
        query: EXAONE's echo of the question.
        artifacts: A2A's artifacts.
        task_id: A2A's task id, or None.
        context_id: A2A's context id, or None.
        metadata: A2A: the members of all task, message and status metadata, later ones over earlier
            ones, or None.
        rate_limit: the quota by the response's headers; set by the clients.
        request_id: the request's id by the response's headers; set by the clients.
    """

    text: str = ""
    thinking: str = ""
    refusal: str = ""
    finish_reason: str | None = None
    usage: Usage | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    references: tuple[JSONObject, ...] = ()
    intent: str = ""
    ai_filter: tuple[AIFilter, ...] = ()
    role: str | None = None
    state: str | None = None
    status_message: str | None = None
    failed: bool = False
    error: ErrorEvent | None = None
    dialect: str | None = None
    query: str = ""
    artifacts: tuple[Artifact, ...] = ()
    task_id: str | None = None
    context_id: str | None = None
    metadata: JSONObject | None = None
    rate_limit: RateLimit | None = field(default=None, compare=False)
    request_id: str | None = field(default=None, compare=False)

    @classmethod
    def of(cls, events: Iterable[Any]) -> Completion:
        """Fold the events of one stream of any dialect.

        If an OpenAI-compatible stream has several choices (`n` > 1), only choice 0 is folded: its
        text, thinking, refusal, tool calls, finish reason and role. Read the others from
        `Chunk.choices`.

        Cost and memory are in proportion to the events' own text. What `events` itself raises
        passes through.
        """
        fold = Fold()
        fold.extend(events)
        return fold.completion()

    @property
    def chat_session_id(self) -> int | str | None:
        """CLOVA Studio Gov's session number for the agent's next turn, or None ([gov §1.4])."""
        session = (self.metadata or {}).get("chat_session_id")
        return session if isinstance(session, int | str) else None

    # The next turn

    def to_message(self) -> dict[str, Any]:
        """The assistant message for the next turn, in the shape of the service that answered.

        It never holds the thinking: CLOVA refuses it, and it is not part of the conversation.
        `content` is `""`, not null, if there is no text ([clova §4]). CLOVA's native API takes
        `toolCalls` with `arguments` as an object, all others `tool_calls` with a JSON string. A call
        without an id gets one made from its number.

        Raises:
            ValueError: CLOVA's native API, and the arguments of a call are not a JSON object (the
                stream was cut inside them).
        """
        message: dict[str, Any] = {"role": "assistant", "content": self.text}
        if not self.tool_calls:
            return message
        calls = [tool_call(call) for call in self.tool_calls]
        if self.dialect != "clova":
            return {**message, "tool_calls": calls}
        for shaped, call in zip(calls, self.tool_calls, strict=True):
            shaped["function"]["arguments"] = call.args
        return {**message, "toolCalls": calls}

    def tool_message(self, call: ToolCall, content: str) -> dict[str, Any]:
        """The message that answers a tool call, in the shape of the service that made it.

        Args:
            call: one of `tool_calls`.
            content: what the tool returned, as text; encode other values as JSON first.

        Raises:
            TypeError: `content` is not a str, or `call` is not a ToolCall.
        """
        if not isinstance(call, ToolCall):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"call must be a hangang.ToolCall, not {type(call).__name__}")
        if not isinstance(content, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(
                f"content must be a str, not {type(content).__name__}; encode other values with json.dumps"
            )
        key = "toolCallId" if self.dialect == "clova" else "tool_call_id"
        return {"role": "tool", key: call_id(call.id, call.index), "content": content}

    def as_previous_message(self) -> dict[str, str]:
        """EXAONE's form of a past turn: `{query, intent, answer}` ([exaone §3]).

        Raises:
            ValueError: another service answered, which echoes no query.
        """
        if self.dialect not in (None, "exaone"):
            raise ValueError(
                f"as_previous_message() is EXAONE's form; this answer is of {self.dialect!r}: "
                "use to_message()"
            )
        return {"query": self.query, "intent": self.intent, "answer": self.text}

    # Other shapes

    def to_openai(self, model: str | None = None) -> dict[str, Any]:
        """The answer as a `chat.completion` object of OpenAI's API.

        Thinking is `reasoning_content`, as servers of open models call it. If the service gave no
        finish reason because it has none (EXAONE, A2A), it is `"tool_calls"` or `"stop"`. A failed
        answer, and that of a canceled A2A task, has an `error` member beside what arrived before the
        error, and no finish reason of ours.

        Args:
            model: the model's name in the object; `""` if None.
        """
        message: dict[str, Any] = {
            "role": "assistant",
            "content": self.text if self.text or not (self.tool_calls or self.refusal) else None,
            "refusal": self.refusal or None,
        }
        if self.thinking:
            message["reasoning_content"] = self.thinking
        if self.tool_calls:
            message["tool_calls"] = [tool_call(call) for call in self.tool_calls]
        reason = None if self.finish_reason is None else finish_reason(self.finish_reason)
        has_failed = self.failed or self.state == "canceled"
        if reason is None and not has_failed and self.dialect in ("exaone", "a2a"):
            reason = "tool_calls" if self.tool_calls else "stop"
        shaped: dict[str, Any] = {
            "id": new_id(),
            "object": "chat.completion",
            "created": int(time.time()),
            "model": model or "",
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": reason}],
        }
        if self.usage is not None:
            shaped["usage"] = usage(self.usage)
        if has_failed:
            shaped["error"] = error_object(self)
        return shaped

    def to_dict(self) -> dict[str, Any]:
        """All fields as plain values that `json.dumps` takes; the same on both backends."""
        return _fields_of(self)

    def __getstate__(self) -> dict[str, Any]:
        return {one.name: getattr(self, one.name) for one in fields(self)}

    def __setstate__(self, state: dict[str, Any] | list[Any]) -> None:
        if isinstance(state, list):  # of 0.1: values without names, and the calls as deltas
            state = dict(zip(_FIELDS_OF_0_1, state, strict=True))
            state["tool_calls"] = tuple([whole_call(n, one) for n, one in enumerate(state["tool_calls"])])
        for one in fields(self):
            object.__setattr__(self, one.name, state.get(one.name, one.default))

    def __repr__(self) -> str:
        """Only the fields that are set."""
        shown = [
            f"{one.name}={value!r}"
            for one in fields(self)
            if (value := getattr(self, one.name)) != one.default
        ]
        return f"Completion({', '.join(shown)})"

    def _repr_html_(self) -> str:
        """The answer in a notebook: text as it is, never markup."""
        parts: list[str] = []
        if self.thinking:
            parts.append(f"<details><summary>thinking</summary>{_block(self.thinking)}</details>")
        if self.text or self.refusal:
            parts.append(_block(self.text or self.refusal))
        parts += [f"<pre>{_escape(f'{call.name}({call.arguments})')}</pre>" for call in self.tool_calls]
        if self.failed:
            parts.append(f"<pre>failed: {_escape(str(error_object(self)['message']))}</pre>")
        return "".join(parts) or f"<pre>{_escape(repr(self))}</pre>"


_FIELDS_OF_0_1 = (
    "text", "thinking", "finish_reason", "usage", "tool_calls", "references", "intent", "ai_filter", "role",
    "failed", "error", "dialect", "query", "artifacts", "state", "task_id", "context_id", "metadata",
    "rate_limit", "request_id",
)  # fmt: skip

Completion.__module__ = "hangang"  # where they are public, so that pickles do not name this file
Artifact.__module__ = "hangang.streams"


def error_object(completion: Completion) -> dict[str, Any]:
    """Why a failed completion failed, as OpenAI's error object."""
    if completion.error is not None:
        return error(completion.error)
    return {
        "message": completion.status_message or f"task {completion.state}",
        "type": None,
        "param": None,
        "code": completion.state,
    }


def _block(text: str) -> str:
    return f'<div style="white-space: pre-wrap">{_escape(text)}</div>'


def _escape(text: str) -> str:
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        text = text.replace(character, entity)
    return text


def _fields_of(value: Artifact | Completion) -> dict[str, Any]:
    names = tuple([one.name for one in fields(value)])
    return to_dict(None, None, names, tuple([getattr(value, name) for name in names]))


class _Artifact:
    __slots__ = ("last_chunk", "metadata", "name", "parts", "texts")

    def __init__(self) -> None:
        self.name: str | None = None
        self.texts: list[str] = []
        self.parts: list[dict[str, Any]] = []
        self.last_chunk: bool = False
        self.metadata: JSONObject | None = None


class _HasCommon(Protocol):
    """An event of a kind whose neighbours share the object of their common fields."""

    text: str
    thinking: str
    _common: Any


class Fold:
    """The state of a completion: takes events, gives a `Completion` at any time.

    Events are recognised by the public name of their class, so that those of both backends, made
    by hand or unpickled, fold alike.
    """

    __slots__ = (
        "_last", "ai_filter", "artifacts", "calls", "completed_message", "context_id", "dialect", "error",
        "finish_reason", "intent", "lengths", "messages", "metadata", "query", "references", "refusal",
        "result_calls", "result_text", "result_thinking", "role", "state", "status_message",
        "task_content", "task_id", "text", "thinking", "usage",
    )  # fmt: skip

    def __init__(self) -> None:
        self.dialect: str | None = None
        self.text: list[str] = []
        self.thinking: list[str] = []
        self.refusal: list[str] = []
        self.finish_reason: str | None = None
        self.usage: Usage | None = None
        self.lengths: tuple[int | None, int | None] | None = None  # CLOVA v1: input, output
        self.calls: ToolCalls | None = None
        self.result_calls: tuple[ToolCallDelta, ...] = ()
        self.result_text: str = ""
        self.result_thinking: str = ""
        self.references: tuple[Any, ...] = ()
        self.intent: str = ""
        self.query: str = ""
        self.ai_filter: tuple[Any, ...] = ()
        self.role: str | None = None
        self.error: Any = None
        self.artifacts: dict[str | None, _Artifact] = {}
        self.messages: list[str] = []
        self.task_content: str = ""
        self.state: str | None = None
        self.status_message: str | None = None  # of the last status
        self.completed_message: str = ""  # of the status that completed the task
        self.task_id: str | None = None
        self.context_id: str | None = None
        self.metadata: JSONObject | None = None
        self._last: tuple[type[Any] | None, _Handler, Any] = (None, _nothing, None)  # see `extend`

    def extend(self, events: Iterable[object]) -> None:
        """Take events in order."""
        text, thinking = self.text, self.thinking
        kind, handler, common = self._last  # of the event before: clients fold a few at a time
        for event in cast("Iterable[_HasCommon]", events):
            if type(event) is not kind:  # events come in runs of one kind
                kind = type(event)
                dialect, handler = _BY_TYPE.get(kind) or _learn(kind)
                self.dialect = dialect or self.dialect
            elif common is not None and event._common is common:
                # Everything but the deltas is as in the event before.
                if delta := event.text:
                    text.append(delta)
                if delta := event.thinking:
                    thinking.append(delta)
                continue
            common = event._common if handler(self, event) else None
        self._last = kind, handler, common

    def completion(self) -> Completion:
        """The answer so far. Joins only what was added since the last call."""
        return Completion(
            text=self.whole_text(),
            thinking=self.whole_thinking(),
            refusal=_joined(self.refusal),
            finish_reason=self.finish_reason,
            usage=self.whole_usage(),
            tool_calls=self.whole_calls(),
            references=self.references,
            intent=self.intent,
            ai_filter=self.ai_filter,
            role=self.role,
            state=self.state,
            status_message=self.status_message,
            failed=self.has_failed(),
            error=self.error,
            dialect=self.dialect,
            query=self.query,
            artifacts=tuple(
                [
                    Artifact(
                        key, one.name, "".join(one.texts), tuple(one.parts), one.last_chunk,
                        one.metadata,
                    )
                    for key, one in self.artifacts.items()
                ]
            ),
            task_id=self.task_id,
            context_id=self.context_id,
            metadata=None if self.metadata is None else dict(self.metadata),
        )  # fmt: skip

    # Parts of the completion, for those who need a few of them

    def whole_text(self) -> str:
        """`Completion.text`."""
        text = _joined(self.text)
        if self.dialect == "a2a":
            if self.artifacts:
                text = "".join(["".join(one.texts) for one in self.artifacts.values()])
            else:
                text = _joined(self.messages) or self.task_content
                if not text and not self.messages and self.state == "completed":
                    text = self.completed_message
        return text or self.result_text

    def whole_thinking(self) -> str:
        """`Completion.thinking`."""
        return _joined(self.thinking) or self.result_thinking

    def has_failed(self) -> bool:
        """`Completion.failed`."""
        return self.error is not None or self.state in ("failed", "rejected")

    def whole_usage(self) -> Usage | None:
        """`Completion.usage`."""
        if self.usage is not None or self.lengths is None:
            return self.usage
        return Usage(prompt_tokens=self.lengths[0], completion_tokens=self.lengths[1])

    def whole_calls(self) -> tuple[ToolCall, ...]:
        """`Completion.tool_calls`."""
        calls = self.calls.calls if self.calls is not None else ()
        if not self.result_calls:
            return calls
        result = tuple([whole_call(number, call) for number, call in enumerate(self.result_calls)])
        if calls and _log.isEnabledFor(logging.DEBUG) and not _are_equal(calls, result):
            # Not an error: the documented stream itself lacks fragments ([clova §6.3]).
            _log.debug("the tool calls of the deltas differ from those of the result; the result is used")
        return result

    # A2A's parts of the fold

    def put_artifact(self, key: str | None, *, append: bool) -> _Artifact:
        """The artifact to extend: the known one with `append`, else a new one in its place."""
        one = self.artifacts.get(key) if append else None
        if one is None:
            one = self.artifacts[key] = _Artifact()  # a replaced one keeps its place in the order
        return one

    def put_status(self, state: str, message: str | None) -> None:
        """The state of a task, and the text of its status's message."""
        if not state and message is None:
            return  # a task without a status says nothing about it
        self.state = state or self.state
        self.status_message = message
        if message and state == "completed":
            self.completed_message = message

    def put_metadata(self, metadata: dict[str, Any]) -> None:
        """Members of a later metadata object win over those of an earlier one."""
        self.metadata = {**self.metadata, **metadata} if self.metadata else dict(metadata)


def _joined(pieces: list[str]) -> str:
    """The pieces as one string, kept as one piece, so that asking again joins only what is new."""
    if len(pieces) > 1:
        pieces[:] = ["".join(pieces)]
    return pieces[0] if pieces else ""


def _are_equal(deltas: tuple[ToolCall, ...], result: tuple[ToolCall, ...]) -> bool:
    def key(call: ToolCall) -> tuple[Any, Any, Any]:
        try:
            return call.id, call.name, call.args
        except ValueError:
            return call.id, call.name, None

    return [key(call) for call in deltas] == [key(call) for call in result]


# --- one handler a class of events
#
# A handler returns True if the next event that shares its common fields (see the head of this file) can
# add nothing but `text` and `thinking`.


def _clova_token(fold: Fold, event: Any) -> bool:
    if text := event.text:
        fold.text.append(text)
    if thinking := event.thinking:
        fold.thinking.append(thinking)
    if event.tool_calls:
        _add_calls(fold, event.tool_calls)
    _clova_common(fold, event)
    # v1 counts in each token; fragments of calls must be read from every token.
    return not event.tool_calls and event.output_length is None


def _clova_result(fold: Fold, event: Any) -> None:
    fold.result_text = event.content
    fold.result_thinking = event.thinking_content
    if event.tool_calls:
        fold.result_calls = event.tool_calls
    if event.ai_filter:
        fold.ai_filter = event.ai_filter
    _clova_common(fold, event)


def _clova_common(fold: Fold, event: Any) -> None:
    if fold.role is None:
        fold.role = event.role or None
    if fold.finish_reason is None:
        fold.finish_reason = event.finish_reason
    if event.usage is not None:
        fold.usage = event.usage
    if event.input_length is not None or event.output_length is not None:
        fold.lengths = (event.input_length, event.output_length)


def _add_calls(fold: Fold, deltas: Iterable[ToolCallDelta]) -> None:
    if fold.calls is None:
        fold.calls = ToolCalls()
    for delta in deltas:
        fold.calls._place(delta)


def _exaone_answer(fold: Fold, event: Any) -> bool:
    if text := event.text:
        fold.text.append(text)
    if event.references:
        fold.references = event.references  # the same list in every frame, and one object
    if event.intent:
        fold.intent = event.intent
    if event.query:
        fold.query = event.query
    return True


def _openai_chunk(fold: Fold, event: Any) -> bool:
    if text := event.text:
        fold.text.append(text)
    if thinking := event.thinking:
        fold.thinking.append(thinking)
    if calls := event.tool_calls:
        _add_calls(fold, calls)
    if fold.role is None:
        fold.role = event.role or None
    if fold.finish_reason is None:
        fold.finish_reason = event.finish_reason
    if (counts := event.usage) is not None:
        fold.usage = counts
    if refusal := event.refusal:
        fold.refusal.append(refusal)
        return False
    return not calls


def _a2a_task(fold: Fold, event: Any) -> None:
    fold.task_id = event.id or fold.task_id
    fold.context_id = event.context_id or fold.context_id
    fold.put_status(event.state, event.message)
    if metadata := event.metadata:
        fold.put_metadata(metadata)
    fold.task_content = event.content
    # A snapshot holds the artifacts so far and replaces what was built. `artifacts` is optional
    # on the wire: a task without it says nothing about them, and must not take text away.
    if event.artifacts:
        fold.artifacts.clear()
        for artifact in event.artifacts:
            identity = artifact.get("artifactId")
            key = identity if isinstance(identity, str) else None
            one = fold.put_artifact(key, append=key in fold.artifacts)
            name, metadata, given = (artifact.get(k) for k in ("name", "metadata", "parts"))
            parts: Sequence[Any] = cast("Sequence[Any]", given) if isinstance(given, list | tuple) else ()
            one.name = name if isinstance(name, str) else None
            one.metadata = metadata if is_object(metadata) else None
            for part in parts:
                if is_object(part):
                    one.parts.append(part)
                    if isinstance(text := part.get("text"), str):
                        one.texts.append(text)


def _a2a_message(fold: Fold, event: Any) -> None:
    fold.messages.append(event.text)
    fold.role = event.role or fold.role
    if task_id := event.task_id:
        fold.task_id = task_id
    if context_id := event.context_id:
        fold.context_id = context_id
    if metadata := event.metadata:
        fold.put_metadata(metadata)


def _a2a_status(fold: Fold, event: Any) -> None:
    if task_id := event.task_id:
        fold.task_id = task_id
    if context_id := event.context_id:
        fold.context_id = context_id
    fold.put_status(event.state, event.message)
    if metadata := event.metadata:
        fold.put_metadata(metadata)


def _a2a_artifact(fold: Fold, event: Any) -> None:
    if task_id := event.task_id:
        fold.task_id = task_id
    if context_id := event.context_id:
        fold.context_id = context_id
    # `append` for an id never seen creates it: dropping it would lose text ([a2a §4]).
    one = fold.put_artifact(event.artifact_id, append=event.append)
    if event.name is not None:
        one.name = event.name
    if event.metadata is not None:
        one.metadata = event.metadata
    if event.text:
        one.texts.append(event.text)
    one.parts.extend(event.parts)
    one.last_chunk = event.last_chunk


def _error(fold: Fold, event: Any) -> None:
    if fold.error is None:  # the first one is the cause; what follows it are its echoes
        fold.error = event


def _nothing(fold: Fold, event: Any) -> None:
    """Signals, ends, unknown and malformed frames add nothing to an answer."""


_Handler = Callable[[Fold, Any], bool | None]

_BY_NAME: dict[tuple[str, str], _Handler] = {
    ("clova", "Token"): _clova_token,
    ("clova", "Result"): _clova_result,
    ("clova", "Error"): _error,
    ("exaone", "Answer"): _exaone_answer,
    ("exaone", "Error"): _error,
    ("openai", "Chunk"): _openai_chunk,
    ("openai", "Error"): _error,
    ("a2a", "Task"): _a2a_task,
    ("a2a", "Message"): _a2a_message,
    ("a2a", "StatusUpdate"): _a2a_status,
    ("a2a", "ArtifactUpdate"): _a2a_artifact,
    ("a2a", "Error"): _error,
}
_Class = tuple[str | None, _Handler]
_BY_TYPE: dict[type, _Class] = {}


def _learn(cls: type) -> _Class:
    """Dialect and handler of a class seen for the first time."""
    package, _, dialect = cls.__module__.partition(".")
    if package != "hangang" or dialect not in ("clova", "exaone", "openai", "a2a"):
        return _BY_TYPE.setdefault(cls, (None, _nothing))
    return _BY_TYPE.setdefault(cls, (dialect, _BY_NAME.get((dialect, cls.__name__), _nothing)))
