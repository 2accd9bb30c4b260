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
from ..predict.common import raw_of
from ..predict.template import Holes, Template
from ..value import Event, draft, with_raw
from .wire import Malformed, fold_ascii, joined_text, string_span

Object: TypeAlias = dict[str, Any]

# Terminal and interrupted states ([a2a §3]): after the last one the server may close.
_END_STATES = frozenset(("completed", "failed", "canceled", "rejected", "input-required", "auth-required"))


# Where an artifact update stands: 1.0, 0.3, REST.
_ARTIFACTS: tuple[tuple[str, ...], ...] = (("result", "artifactUpdate"), ("result",), ("artifactUpdate",))


class Task(Event):
    """A task: its state and, in a one-shot answer or a snapshot, its artifacts.

    `content` is the joined text of all artifacts; `.text` is `""`, for it is no delta.
    """

    __slots__ = ("_raw", "artifacts", "content", "context_id", "history", "id", "metadata", "state")
    __match_args__ = (
        "id",
        "context_id",
        "state",
        "content",
        "artifacts",
        "history",
        "metadata",
    )
    text = ""
    thinking = ""
    id: str | None
    context_id: str | None
    state: str
    content: str
    artifacts: tuple[Object, ...]
    history: tuple[Object, ...]
    metadata: Object | None

    def __new__(
        cls,
        id: str | None = None,
        context_id: str | None = None,
        state: str = "",
        content: str = "",
        artifacts: tuple[Object, ...] = (),
        history: tuple[Object, ...] = (),
        metadata: Object | None = None,
    ) -> Task:
        self = _Task()
        self.id = id
        self.context_id = context_id
        self.state = state
        self.content = content
        self.artifacts = artifacts
        self.history = history
        self.metadata = metadata
        self._raw = b""
        self.__class__ = cls
        return self  # type: ignore[no-any-return]


class Message(Event):
    """A message of the agent: the whole answer where there is no task."""

    __slots__ = (
        "_raw",
        "context_id",
        "message_id",
        "metadata",
        "parts",
        "role",
        "task_id",
        "text",
    )
    __match_args__ = (
        "text",
        "role",
        "message_id",
        "task_id",
        "context_id",
        "parts",
        "metadata",
    )
    thinking = ""
    text: str
    role: str | None
    message_id: str | None
    task_id: str | None
    context_id: str | None
    parts: tuple[Object, ...]
    metadata: Object | None

    def __new__(
        cls,
        text: str = "",
        role: str | None = None,
        message_id: str | None = None,
        task_id: str | None = None,
        context_id: str | None = None,
        parts: tuple[Object, ...] = (),
        metadata: Object | None = None,
    ) -> Message:
        self = _Message()
        self.text = text
        self.role = role
        self.message_id = message_id
        self.task_id = task_id
        self.context_id = context_id
        self.parts = parts
        self.metadata = metadata
        self._raw = b""
        self.__class__ = cls
        return self  # type: ignore[no-any-return]


class StatusUpdate(Event):
    """A change of a task's state; `message` is its progress text, which is no answer text."""

    __slots__ = ("_raw", "context_id", "final", "message", "metadata", "state", "task_id")
    __match_args__ = ("task_id", "context_id", "state", "message", "final", "metadata")
    text = ""
    thinking = ""
    task_id: str | None
    context_id: str | None
    state: str
    message: str | None
    final: bool
    metadata: Object | None

    def __new__(
        cls,
        task_id: str | None = None,
        context_id: str | None = None,
        state: str = "",
        message: str | None = None,
        final: bool = False,
        metadata: Object | None = None,
    ) -> StatusUpdate:
        self = _StatusUpdate()
        self.task_id = task_id
        self.context_id = context_id
        self.state = state
        self.message = message
        self.final = final
        self.metadata = metadata
        self._raw = b""
        self.__class__ = cls
        return self  # type: ignore[no-any-return]


class ArtifactUpdate(Event):
    """A piece of an artifact: `text` is the text of its parts; see `append` and `last_chunk`.

    `append` False creates or replaces the artifact of this id, True adds parts to it.
    """

    __slots__ = ("_raw", "_rest", "text")
    __match_args__ = (
        "text",
        "task_id",
        "context_id",
        "artifact_id",
        "name",
        "parts",
        "append",
        "last_chunk",
        "metadata",
    )
    thinking = ""
    text: str
    _rest: Any
    _raw: Any

    def __new__(
        cls,
        text: str = "",
        task_id: str | None = None,
        context_id: str | None = None,
        artifact_id: str | None = None,
        name: str | None = None,
        parts: tuple[Object, ...] = (),
        append: bool = False,
        last_chunk: bool = False,
        metadata: Object | None = None,
    ) -> ArtifactUpdate:
        rest = (
            task_id,
            context_id,
            artifact_id,
            name,
            parts,
            append,
            last_chunk,
            metadata,
            None,
        )
        return _artifact_update(text, rest, b"")

    @property
    def task_id(self) -> str | None:
        """The task's id."""
        return self._rest[0]  # type: ignore[no-any-return]

    @property
    def context_id(self) -> str | None:
        """The conversation's id."""
        return self._rest[1]  # type: ignore[no-any-return]

    @property
    def artifact_id(self) -> str | None:
        """The artifact's id."""
        return self._rest[2]  # type: ignore[no-any-return]

    @property
    def name(self) -> str | None:
        """The artifact's name."""
        return self._rest[3]  # type: ignore[no-any-return]

    @property
    def parts(self) -> tuple[Object, ...]:
        """The parts as received: text, data, raw, url, file."""
        parts = self._rest[4]
        if self._rest[8] is not None:  # from a template: its one part with this event's text
            return ({**parts[0], "text": self.text},)
        return parts  # type: ignore[no-any-return]

    @property
    def append(self) -> bool:
        """Whether the parts are added to the artifact, not put in its place."""
        return self._rest[5]  # type: ignore[no-any-return]

    @property
    def last_chunk(self) -> bool:
        """Whether this seals the artifact."""
        return self._rest[6]  # type: ignore[no-any-return]

    @property
    def metadata(self) -> Object | None:
        """Metadata of the update, else of the artifact."""
        return self._rest[7]  # type: ignore[no-any-return]

    @property
    def raw(self) -> bytes:
        """The payload's bytes as received (`data` lines joined by LF); b"" if made by hand."""
        return raw_of(self._raw, self._rest[8], self.text)


class Error(Event):
    """A JSON-RPC error ([a2a §5]); `data` is any JSON value."""

    __slots__ = ("_raw", "code", "data", "message")
    __match_args__ = ("code", "message", "data")
    text = ""
    thinking = ""
    code: int | str | None
    message: str
    data: Any

    def __new__(cls, code: int | str | None = None, message: str = "", data: Any = None) -> Error:
        self = _Error()
        self.code = code
        self.message = message
        self.data = data
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


_Task = draft(Task)
_Message = draft(Message)
_StatusUpdate = draft(StatusUpdate)
_ArtifactUpdate = draft(ArtifactUpdate)
_Error = draft(Error)
_Unknown = draft(Unknown)


def _artifact_update(text: str, rest: tuple[Any, ...], raw: bytes | None) -> ArtifactUpdate:
    self = _ArtifactUpdate()
    self.text = text
    self._rest = rest
    self._raw = raw
    self.__class__ = ArtifactUpdate
    return self  # type: ignore[no-any-return]


AnyEvent: TypeAlias = Task | Message | StatusUpdate | ArtifactUpdate | Error | Unknown


class StreamParser(DialectParser[AnyEvent]):
    """A2A streams and one-shot answers: bytes to events.

    `end="last_chunk"` lets an artifact's last chunk end the stream too ([gov §1.4]).
    """

    __doc__ = f"{__doc__}\n{DialectParser.__doc__}"
    __slots__ = ("_last_chunk_ends", "_over")
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
                return Holes(False, *place, (), (), event._rest, True)
        return None

    def _predicted(
        self, template: Template, text: str, ident: str, raw: bytes | None, ints: tuple[int, ...]
    ) -> ArtifactUpdate:
        update = _ArtifactUpdate()
        update.text = text
        update._rest = template.rest
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
        rest = (
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
        return _artifact_update(joined_text(parts), rest, b"")


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


for _class in (Task, Message, StatusUpdate, ArtifactUpdate, Error, Unknown, StreamParser):
    _class.__module__ = "hangang.a2a"

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
