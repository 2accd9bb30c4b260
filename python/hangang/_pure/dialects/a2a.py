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

from hangang._json_types import JSONObject, JSONValue

from ..base import DEFAULT_DEPTH, DEFAULT_FRAME_BYTES
from ..dialect import Dialect
from ..error import Missing
from ..framing.frame import RawFrame
from ..json import as_str, string_span, validate
from ..parser import ARGUMENTS, RAISES
from ..parser import StreamParser as BaseParser
from ..predict.common import PredictableEvent
from ..predict.template import HoleKind, Holes, Template
from ..service import Service
from ..value import Event, common, event, field
from .wire import Malformed, code, fold_ascii, joined_parts

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

Object: TypeAlias = dict[str, Any]  # what is read, as opposed to `JSONObject`, what users get

# Terminal and interrupted states ([a2a §3]): after the last one the server may close.
_END_STATES = frozenset(("completed", "failed", "canceled", "rejected", "input-required", "auth-required"))

# Where an artifact update is: 1.0, 0.3, REST.
_ARTIFACTS: tuple[tuple[str, ...], ...] = (("result", "artifactUpdate"), ("result",), ("artifactUpdate",))


@event("a2a")
class Task(Event):
    """A task: its state and, in a one-shot answer or a snapshot, its artifacts.

    `text` is `""`: a snapshot is not a delta.
    """

    id: str | None = field("The task's id.", default=None)
    context_id: str | None = field("The conversation's id.", default=None)
    state: str = field(
        "`working`, `completed`, `input-required` and the like, whatever the protocol's version.", default=""
    )
    content: str = field("The joined text of all artifacts.", default="")
    artifacts: tuple[JSONObject, ...] = field("The artifacts as received.", default=())
    history: tuple[JSONObject, ...] = field("The messages so far, as received.", default=())
    metadata: JSONObject | None = field("The task's metadata.", default=None)
    message: str | None = field(
        "The text of the status message: the agent's question, or why it failed.", default=None
    )


@event("a2a")
class Message(Event):
    """A message of the agent, which is the whole answer if there is no task."""

    text: str = field("The joined text of its parts.", default="")
    role: str | None = field("`agent` or `user`.", default=None)
    message_id: str | None = field("The message's id.", default=None)
    task_id: str | None = field("The task's id.", default=None)
    context_id: str | None = field("The conversation's id.", default=None)
    parts: tuple[JSONObject, ...] = field("The parts as received.", default=())
    metadata: JSONObject | None = field("The message's metadata.", default=None)


@event("a2a")
class StatusUpdate(Event):
    """A change of a task's state."""

    task_id: str | None = field("The task's id.", default=None)
    context_id: str | None = field("The conversation's id.", default=None)
    state: str = field(
        "`working`, `completed`, `input-required` and the like, whatever the protocol's version.", default=""
    )
    message: str | None = field("Progress text, which is no part of the answer.", default=None)
    final: bool = field("Whether the stream ends here (protocols 0.2 and 0.3).", default=False)
    metadata: JSONObject | None = field("The update's metadata.", default=None)


def _parts(update: Any) -> tuple[JSONObject, ...]:
    parts: tuple[JSONObject, ...] = update._common[4]
    if update._common[-1] is not None:  # from a template: its one part with this event's text
        return ({**parts[0], "text": update.text},)
    return parts


@event("a2a")
class ArtifactUpdate(PredictableEvent):
    """A piece of an artifact.

    `append` False creates or replaces the artifact of this id, True adds parts to it.
    """

    text: str = field("The joined text of its parts.", default="")
    task_id: str | None = common("The task's id.", default=None)
    context_id: str | None = common("The conversation's id.", default=None)
    artifact_id: str | None = common("The artifact's id.", default=None)
    name: str | None = common("The artifact's name.", default=None)
    parts: tuple[JSONObject, ...] = common(
        "The parts as received: text, data, raw, url, file.", default=(), read=_parts
    )
    append: bool = common(
        "Whether the parts are added to the artifact instead of replacing it.", default=False
    )
    last_chunk: bool = common("Whether this completes the artifact.", default=False)
    metadata: JSONObject | None = common("The update's metadata, or the artifact's.", default=None)


@event("a2a")
class Error(Event):
    """A JSON-RPC error."""

    code: int | str | None = field("A number or a name.", default=None)
    message: str = field("The server's message.", default="")
    data: JSONValue = field("Any JSON value.", default=None)


@event("a2a")
class Unknown(Event):
    """A frame that is none of the others."""

    data: str = field("The payload's text.", default="")


_ArtifactUpdate = ArtifactUpdate._mutable_twin

AnyEvent: TypeAlias = Task | Message | StatusUpdate | ArtifactUpdate | Error | Unknown


class A2A(Dialect[AnyEvent]):
    """The dialect: what one stream has shown.

    Only the last state counts: a stream that continued after input-required may be cut there.
    """

    __slots__ = ("_final", "_last_chunk_ends", "_may_end")

    service = Service.A2A
    unknown = (Unknown, Malformed)
    deferred = (Task, StatusUpdate, Error)

    def __init__(self, last_chunk_ends: bool = False) -> None:
        self._last_chunk_ends = last_chunk_ends
        self._final = False  # something that no later state undoes has ended the stream
        self._may_end = False  # the last state is one after which the server may close

    def decode(self, frame: RawFrame, max_depth: int) -> AnyEvent:
        """See the rules of this module."""
        payload = frame.payload
        value = validate(payload, max_depth)
        decoded = classify(value, payload) if type(value) is dict else None
        if decoded is None:
            return Unknown._make(payload.decode("utf-8"), payload)  # type: ignore[no-any-return]
        self._follow(decoded)
        return decoded

    def _follow(self, decoded: AnyEvent) -> None:
        """What an event means for the end of the stream."""
        if isinstance(decoded, (Task, StatusUpdate)):
            self._may_end = decoded.state in _END_STATES
        if (
            isinstance(decoded, (Message, Error))
            or (type(decoded) is StatusUpdate and decoded.final)
            or (type(decoded) is ArtifactUpdate and decoded.last_chunk and self._last_chunk_ends)
        ):
            self._final = True

    def done(self, frame: RawFrame) -> None:
        """A stray `[DONE]` is nothing."""
        return

    def holes(self, event: AnyEvent, payload: bytes) -> Holes | None:
        """An artifact's text, where the update has one part."""
        if type(event) is not ArtifactUpdate or not event.text or len(event.parts) != 1:
            return None
        for path in _ARTIFACTS:
            string = string_span(payload, (*path, "artifact", "parts", 0, "text"))
            if string is None:
                continue
            # Several places could hold an artifact: the right one is that which changes the text.
            changed = payload[: string[1]] + b"." + payload[string[1] :]
            other = classify(validate(changed), changed)
            if type(other) is ArtifactUpdate and other.text == event.text + ".":
                return Holes(HoleKind.TEXT, string, (), (), event._common, True)
        return None

    def predicted(
        self, template: Template, text: str, event_id: str, raw: bytes | None, counters: tuple[int, ...]
    ) -> ArtifactUpdate:
        """An artifact update."""
        update = _ArtifactUpdate()
        update.text = text
        update._common = template.common
        update._raw = raw
        update.__class__ = ArtifactUpdate
        return update  # type: ignore[no-any-return]

    def missing(self) -> Missing | None:
        """See rule 6."""
        if self._final or self._may_end:
            return None
        return Missing.A2A_LAST_CHUNK if self._last_chunk_ends else Missing.A2A_END


class StreamParser(BaseParser[AnyEvent]):
    # Gov's second profile ends a stream so ([gov §1.4]).
    __doc__ = f"""\
A2A streams and one-shot answers, protocols 0.2, 0.3 and 1.0.

`end="last_chunk"` lets an artifact's last chunk end the stream too.

{ARGUMENTS}

{RAISES}"""
    __slots__ = ()
    __module__ = "hangang.a2a"
    _dialect_class = A2A

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
        self._dialect = A2A(end == "last_chunk")


def classify(value: Object, payload: bytes) -> AnyEvent | None:
    """The event of an object."""
    found = value.get("error")
    if type(found) is dict or type(found) is str:
        return error(found, payload)
    result = value.get("result")
    if type(result) is not dict:
        if "result" in value or "jsonrpc" in value:
            return None
        return member(value, None, payload)
    build = _BY_KIND.get(result["kind"]) if type(result.get("kind")) is str else None
    if build is not None:
        return build(result, None, payload)
    decoded = member(result, result.get("metadata"), payload)
    if decoded is not None:
        return decoded
    if type(result.get("artifact")) is dict:
        return artifact_update(result, None, payload)
    if type(result.get("status")) is dict:
        if "taskId" in result:
            return status_update(result, None, payload)
        if "id" in result:
            return task(result, None, payload)
    if type(result.get("parts")) is list:
        return message(result, None, payload)
    return None


def member(value: Object, metadata: Any, payload: bytes) -> AnyEvent | None:
    """1.0 and REST: the member's name says what it is; `metadata` is beside it (Gov v1)."""
    for name, build in _BY_MEMBER.items():
        inner = value.get(name)
        if type(inner) is dict:
            return build(inner, metadata, payload)
    return None


def task(value: Object, metadata: Any, payload: bytes) -> Task:
    """A task."""
    state, progress = status_of(value)
    artifacts = objects(value.get("artifacts"))
    return Task._make(  # type: ignore[no-any-return]
        as_str(value.get("id")),
        as_str(value.get("contextId")),
        state,
        "".join([joined_parts(objects(artifact.get("parts"))) for artifact in artifacts]),
        artifacts,
        objects(value.get("history")),
        metadata_of(value, metadata),
        progress,
        payload,
    )


def message(value: Object, metadata: Any, payload: bytes) -> Message:
    """A message."""
    parts = message_parts(value)
    return Message._make(  # type: ignore[no-any-return]
        joined_parts(parts),
        fold(value.get("role")),
        as_str(value.get("messageId")),
        as_str(value.get("taskId")),
        as_str(value.get("contextId")),
        parts,
        metadata_of(value, metadata),
        payload,
    )


def status_update(value: Object, metadata: Any, payload: bytes) -> StatusUpdate:
    """A change of a task's state."""
    state, progress = status_of(value)
    return StatusUpdate._make(  # type: ignore[no-any-return]
        as_str(value.get("taskId")),
        as_str(value.get("contextId")),
        state,
        progress,
        value.get("final") is True,
        metadata_of(value, metadata),
        payload,
    )


def artifact_update(value: Object, metadata: Any, payload: bytes) -> ArtifactUpdate:
    """A piece of an artifact."""
    artifact = value.get("artifact")
    if type(artifact) is not dict:
        artifact = {}
    parts = objects(artifact.get("parts"))
    own = value.get("metadata")
    if type(own) is not dict:
        own = metadata_of(artifact, metadata)
    shared = (
        as_str(value.get("taskId")),
        as_str(value.get("contextId")),
        as_str(artifact.get("artifactId")),
        as_str(artifact.get("name")),
        parts,
        value.get("append") is True,
        value.get("lastChunk") is True,
        own,
        None,
    )
    return ArtifactUpdate._make(joined_parts(parts), shared, payload)  # type: ignore[no-any-return]


_Build: TypeAlias = Callable[[Object, Any, bytes], AnyEvent]
_BY_MEMBER: dict[str, _Build] = {
    "task": task,
    "message": message,
    "statusUpdate": status_update,
    "artifactUpdate": artifact_update,
}
_BY_KIND: dict[str, _Build] = {
    "task": task,
    "message": message,
    "status-update": status_update,
    "artifact-update": artifact_update,
}


def error(found: Any, payload: bytes) -> Error:
    """An error from an object or a string."""
    if type(found) is str:
        return Error._make(None, found, None, payload)  # type: ignore[no-any-return]
    text = as_str(found.get("message"))
    data = found.get("data")
    if text is None and type(data) is dict:
        text = as_str(data.get("detail"))
    return Error._make(code(found.get("code")), text or "", data, payload)  # type: ignore[no-any-return]


def message_parts(value: Object) -> tuple[JSONObject, ...]:
    """The parts of a message: `parts`, or 0.3's proto JSON `content`."""
    parts = value.get("parts")
    return objects(parts if type(parts) is list else value.get("content"))


def status_of(value: Object) -> tuple[str, str | None]:
    """The state of a task, and the text of its status message."""
    status = value.get("status")
    if type(status) is not dict:
        return "", None
    state = fold(status.get("state")) or ""
    progress = status.get("message")
    return (
        "canceled" if state == "cancelled" else state,
        joined_parts(message_parts(progress)) if type(progress) is dict else None,
    )


def fold(value: Any) -> str | None:
    """A state or role in the form of 0.3: `TASK_STATE_INPUT_REQUIRED` -> `input-required`."""
    if type(value) is not str:
        return None
    folded = fold_ascii(value)
    return folded.removeprefix("task_state_").removeprefix("role_").replace("_", "-")


def objects(value: Any) -> tuple[JSONObject, ...]:
    """The objects of a list; `()` for anything else."""
    if type(value) is not list:
        return ()
    return tuple([item for item in value if type(item) is dict])


def metadata_of(value: Object, beside: Any) -> JSONObject | None:
    """The object's own metadata, else what is beside it."""
    own = value.get("metadata")
    if type(own) is dict:
        return own
    return beside if type(beside) is dict else None
