"""Agent2Agent over JSON-RPC, protocol 0.2, 0.3 and 1.0 read alike ([a2a §3]).

Rules:
1. `error` first; then `result` by its `kind` (0.2, 0.3), by its member's name (1.0), or by the keys
   it has; without an envelope the member's name again (REST). Anything else is `Unknown`.
2. States and roles are folded: lower case, no `TASK_STATE_` or `ROLE_`, hyphens.
3. `.text` is the artifact's or message's own text parts; a status message is progress, no answer.
   A text part is an object with a string `text`, whatever its `kind`.
4. `append` and replacement are applied by `Completion`, not here.
5. A stray `[DONE]` is nothing.
6. An error, a message, `final`, or a last state that is terminal or interrupted ends a stream; with
   `end="last_chunk"` (Gov's second profile) an artifact's last chunk too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

from ..base import DEFAULT_DEPTH, DEFAULT_FRAME_BYTES
from ..json import as_int, as_str, judge
from ..parser import DialectParser
from ..predict.common import PredictableEvent
from ..predict.template import Holes, Template
from ..value import Event, common, event, field, with_raw
from .wire import Malformed, fold_ascii, joined_text, string_span

Object: TypeAlias = dict[str, Any]

# Terminal and interrupted states ([a2a §3]): after the last one the server may close.
_END_STATES = frozenset(("completed", "failed", "canceled", "rejected", "input-required", "auth-required"))


# Where an artifact update stands: 1.0, 0.3, REST.
_ARTIFACTS: tuple[tuple[str, ...], ...] = (("result", "artifactUpdate"), ("result",), ("artifactUpdate",))


@event("a2a")
class Task(Event):
    """A task: its state and, in a one-shot answer or a snapshot, its artifacts. `.text` is `""`."""

    id: str | None = field("The task's id.", default=None)
    context_id: str | None = field("The conversation's id.", default=None)
    state: str = field("The task's state in the form of protocol 0.3.", default="")
    content: str = field("The joined text of all artifacts.", default="")
    artifacts: tuple[Object, ...] = field("The artifacts as received.", default=())
    history: tuple[Object, ...] = field("The messages so far, as received.", default=())
    metadata: Object | None = field("Metadata of the task.", default=None)


@event("a2a")
class Message(Event):
    """A message of the agent: the whole answer where there is no task."""

    text: str = field("The joined text of the parts.", default="")
    role: str | None = field("`agent` or `user`.", default=None)
    message_id: str | None = field("The message's id.", default=None)
    task_id: str | None = field("The task's id.", default=None)
    context_id: str | None = field("The conversation's id.", default=None)
    parts: tuple[Object, ...] = field("The parts as received: text, data, raw, url, file.", default=())
    metadata: Object | None = field("Metadata of the message.", default=None)


@event("a2a")
class StatusUpdate(Event):
    """A change of a task's state. `.text` is `""`: progress text is not part of the answer."""

    task_id: str | None = field("The task's id.", default=None)
    context_id: str | None = field("The conversation's id.", default=None)
    state: str = field("The task's state in the form of protocol 0.3.", default="")
    message: str | None = field("The text of the status message.", default=None)
    final: bool = field("Whether this is the last update (0.2, 0.3).", default=False)
    metadata: Object | None = field("Metadata of the update.", default=None)


def _parts(update: Any) -> tuple[Object, ...]:
    parts: tuple[Object, ...] = update._common[4]
    if update._common[-1] is not None:  # from a template: its one part with this event's text
        return ({**parts[0], "text": update.text},)
    return parts


@event("a2a")
class ArtifactUpdate(PredictableEvent):
    """A piece of an artifact; `append` False creates or replaces the artifact of this id, True adds parts."""

    text: str = field("The joined text of the parts.", default="")
    task_id: str | None = common("The task's id.", default=None)
    context_id: str | None = common("The conversation's id.", default=None)
    artifact_id: str | None = common("The artifact's id.", default=None)
    name: str | None = common("The artifact's name.", default=None)
    parts: tuple[Object, ...] = common(
        "The parts as received: text, data, raw, url, file.", default=(), read=_parts
    )
    append: bool = common("Whether the parts are added to the artifact or replace it.", default=False)
    last_chunk: bool = common("Whether this seals the artifact.", default=False)
    metadata: Object | None = common("Metadata of the update, else of the artifact.", default=None)


@event("a2a")
class Error(Event):
    """A JSON-RPC error ([a2a §5])."""

    code: int | str | None = field("The error's code.", default=None)
    message: str = field("The error's message.", default="")
    data: Any = field("More about the error: any JSON value.", default=None)


@event("a2a")
class Unknown(Event):
    """A frame that is none of the others."""

    data: str = field("The payload as text.", default="")


_ArtifactUpdate = ArtifactUpdate._mutable_twin

AnyEvent: TypeAlias = Task | Message | StatusUpdate | ArtifactUpdate | Error | Unknown


class StreamParser(DialectParser[AnyEvent]):
    """A2A streams and one-shot answers: bytes to events.

    `end="last_chunk"` lets an artifact's last chunk end the stream too ([gov §1.4]).
    """

    __doc__ = f"{__doc__}\n{DialectParser.__doc__}"
    __slots__ = ("_last_chunk_ends", "_over")
    __module__ = "hangang.a2a"
    _not_ended = "a final status, a message or an error"
    _keep = (Task, Error)

    def __init__(
        self,
        *,
        max_frame_bytes: int = DEFAULT_FRAME_BYTES,
        max_depth: int = DEFAULT_DEPTH,
        errors: Literal["strict", "report"] = "strict",
        end: Literal["state", "last_chunk"] = "state",
    ) -> None:
        super().__init__(max_frame_bytes=max_frame_bytes, max_depth=max_depth, errors=errors)
        if end not in ("state", "last_chunk"):
            raise ValueError(f"end must be 'state' or 'last_chunk', not {end!r}")
        self._last_chunk_ends = end == "last_chunk"
        self._over = False  # something that no later state undoes has ended the stream

    def _expected_end(self) -> str:
        if self._last_chunk_ends:
            return "a final status, a last chunk, a message or an error"
        return self._not_ended

    def _end(self) -> None:
        self._over = self._ended = True

    def _last_state(self, state: str) -> None:
        # Only the last state counts: a stream that went on from input-required may be cut there.
        self._ended = self._over or state in _END_STATES

    def _done(self, name: bytes, ident: str) -> None:
        return None

    def _event(self, payload: bytes, name: bytes, ident: str, depth: int) -> AnyEvent:
        value = judge(payload, depth)
        event = self._classify(value) if type(value) is dict else None
        if event is None:
            event = Unknown(payload.decode("utf-8"))
        return with_raw(event, payload)  # type: ignore[no-any-return]

    def _holes(self, event: AnyEvent, payload: bytes) -> Holes | None:
        if type(event) is not ArtifactUpdate or not event.text or len(event.parts) != 1:
            return None
        for path in _ARTIFACTS:
            place = string_span(payload, (*path, "artifact", "parts", 0, "text"))
            if place is None:
                continue
            # Several places could hold an artifact: the right one is that which changes the text.
            changed = self._event(payload[: place[1]] + b"." + payload[place[1] :], b"", "", 0)
            if changed.text == event.text + "." and type(changed) is ArtifactUpdate:
                return Holes(False, *place, (), (), event._common, True)
        return None

    def _predicted(
        self, template: Template, text: str, ident: str, raw: bytes | None, ints: tuple[int, ...]
    ) -> ArtifactUpdate:
        update = _ArtifactUpdate()
        update.text = text
        update._common = template.common
        update._raw = raw
        update.__class__ = ArtifactUpdate
        return update  # type: ignore[no-any-return]

    def _classify(self, value: Object) -> AnyEvent | None:
        error = value.get("error")
        if type(error) is dict or type(error) is str:
            self._end()
            return _error(error)
        result = value.get("result")
        if type(result) is not dict:
            if "result" in value or "jsonrpc" in value:
                return None
            return self._member(value, None)
        build = _BY_KIND.get(result["kind"]) if type(result.get("kind")) is str else None
        if build is not None:
            return build(self, result, None)
        event = self._member(result, result.get("metadata"))
        if event is not None:
            return event
        if type(result.get("artifact")) is dict:
            return self._artifact(result, None)
        if type(result.get("status")) is dict:
            if "taskId" in result:
                return self._status(result, None)
            if "id" in result:
                return self._task(result, None)
        if type(result.get("parts")) is list:
            return self._message(result, None)
        return None

    def _member(self, value: Object, metadata: Any) -> AnyEvent | None:
        """1.0 and REST: the member's name says what it is; `metadata` stands beside it (Gov v1)."""
        for name, build in _BY_MEMBER.items():
            inner = value.get(name)
            if type(inner) is dict:
                return build(self, inner, metadata)
        return None

    def _task(self, value: Object, metadata: Any) -> Task:
        status = value.get("status")
        state = (_fold(status.get("state")) or "") if type(status) is dict else ""
        self._last_state(state)
        artifacts = _objects(value.get("artifacts"))
        return Task(
            as_str(value.get("id")),
            as_str(value.get("contextId")),
            state,
            "".join([joined_text(_objects(artifact.get("parts"))) for artifact in artifacts]),
            artifacts,
            _objects(value.get("history")),
            _metadata(value, metadata),
        )

    def _message(self, value: Object, metadata: Any) -> Message:
        self._end()
        parts = _objects(value.get("parts"))
        return Message(
            joined_text(parts),
            _fold(value.get("role")),
            as_str(value.get("messageId")),
            as_str(value.get("taskId")),
            as_str(value.get("contextId")),
            parts,
            _metadata(value, metadata),
        )

    def _status(self, value: Object, metadata: Any) -> StatusUpdate:
        status = value.get("status")
        if type(status) is not dict:
            status = {}
        state = _fold(status.get("state")) or ""
        self._last_state(state)
        final = value.get("final") is True
        if final:
            self._end()
        message = status.get("message")
        return StatusUpdate(
            as_str(value.get("taskId")),
            as_str(value.get("contextId")),
            state,
            joined_text(_objects(message.get("parts"))) if type(message) is dict else None,
            final,
            _metadata(value, metadata),
        )

    def _artifact(self, value: Object, metadata: Any) -> ArtifactUpdate:
        artifact = value.get("artifact")
        if type(artifact) is not dict:
            artifact = {}
        last = value.get("lastChunk") is True
        if last and self._last_chunk_ends:
            self._end()
        parts = _objects(artifact.get("parts"))
        own = value.get("metadata")
        if type(own) is not dict:
            own = artifact.get("metadata")
        if type(own) is not dict:
            own = metadata if type(metadata) is dict else None
        shared = (
            as_str(value.get("taskId")),
            as_str(value.get("contextId")),
            as_str(artifact.get("artifactId")),
            as_str(artifact.get("name")),
            parts,
            value.get("append") is True,
            last,
            own,
            None,
        )
        return ArtifactUpdate._make(joined_text(parts), shared, b"")  # type: ignore[no-any-return]


_Build: TypeAlias = Callable[[StreamParser, Object, Any], AnyEvent]
_BY_MEMBER: dict[str, _Build] = {
    "task": StreamParser._task,
    "message": StreamParser._message,
    "statusUpdate": StreamParser._status,
    "artifactUpdate": StreamParser._artifact,
}
_BY_KIND: dict[str, _Build] = {
    "task": StreamParser._task,
    "message": StreamParser._message,
    "status-update": StreamParser._status,
    "artifact-update": StreamParser._artifact,
}


def _fold(value: Any) -> str | None:
    """A state or role in the form of 0.3: `TASK_STATE_INPUT_REQUIRED` -> `input-required`."""
    if type(value) is not str:
        return None
    folded = fold_ascii(value)
    return folded.removeprefix("task_state_").removeprefix("role_").replace("_", "-")


def _objects(value: Any) -> tuple[Object, ...]:
    if type(value) is not list:
        return ()
    return tuple([item for item in value if type(item) is dict])


def _metadata(value: Object, beside: Any) -> Object | None:
    own = value.get("metadata")
    if type(own) is dict:
        return own
    return beside if type(beside) is dict else None


def _error(error: Any) -> Error:
    if type(error) is str:
        return Error(None, error)
    code = error.get("code")
    message = as_str(error.get("message"))
    data = error.get("data")
    if message is None and type(data) is dict:
        message = as_str(data.get("detail"))
    return Error(code if type(code) is str else as_int(code), message or "", data)


__all__ = [
    "ArtifactUpdate",
    "Error",
    "Malformed",
    "Message",
    "StatusUpdate",
    "StreamParser",
    "Task",
    "Unknown",
]
