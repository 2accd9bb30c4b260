"""
`hangang.a2a`
"""

from _typeshed import Incomplete
from typing import Any, Final, final

__all__ = ["ArtifactUpdate", "Error", "Message", "StatusUpdate", "StreamParser", "Task", "Unknown"]

@final
class ArtifactUpdate:
    """
    A piece of an artifact.

    `append` False creates or replaces the artifact of this id, True adds parts to it.
    """
    __match_args__: Final[tuple]
    thinking: Final[str]
    """
    Always `""`: events of this kind have none.
    """
    def __eq__(self, other: object, /) -> Any: ...
    def __hash__(self, /) -> int: ...
    def __new__(cls, /, text: Incomplete = ..., task_id: Incomplete = ..., context_id: Incomplete = ..., artifact_id: Incomplete = ..., name: Incomplete = ..., parts: Incomplete = ..., append: Incomplete = ..., last_chunk: Incomplete = ..., metadata: Incomplete = ...) -> ArtifactUpdate: ...
    def __reduce__(self, /) -> tuple: ...
    def __repr__(self, /) -> str: ...
    @property
    def _common(self, /) -> Any:
        """
        One object for neighbours that repeat the same fields, so that folding can skip them.
        """
    @property
    def append(self, /) -> Any:
        """
        Whether the parts are added to the artifact instead of replacing it.
        """
    @property
    def artifact_id(self, /) -> Any:
        """
        The artifact's id.
        """
    @property
    def context_id(self, /) -> Any:
        """
        The conversation's id.
        """
    def json(self, /) -> Any:
        """
        `json.loads` of the strictly decoded payload; raises ValueError if it is not JSON.
        """
    @property
    def last_chunk(self, /) -> Any:
        """
        Whether this completes the artifact.
        """
    @property
    def metadata(self, /) -> Any:
        """
        The update's metadata, or the artifact's.
        """
    @property
    def name(self, /) -> Any:
        """
        The artifact's name.
        """
    @property
    def parts(self, /) -> Any:
        """
        The parts as received: text, data, raw, url, file.
        """
    @property
    def raw(self, /) -> bytes:
        """
        The payload's bytes as received, `data` lines joined by LF; `b""` if no parser made the event.
        """
    @property
    def task_id(self, /) -> Any:
        """
        The task's id.
        """
    @property
    def text(self, /) -> Any:
        """
        The joined text of its parts.
        """
    def to_dict(self, /) -> dict:
        """
        The fields by name, in plain values that `json.dumps` accepts.
        """

@final
class Error:
    """
    A JSON-RPC error.
    """
    __match_args__: Final[tuple]
    text: Final[str]
    """
    Always `""`: events of this kind have none.
    """
    thinking: Final[str]
    """
    Always `""`: events of this kind have none.
    """
    def __eq__(self, other: object, /) -> Any: ...
    def __hash__(self, /) -> int: ...
    def __new__(cls, /, code: Incomplete = ..., message: Incomplete = ..., data: Incomplete = ...) -> Error: ...
    def __reduce__(self, /) -> tuple: ...
    def __repr__(self, /) -> str: ...
    @property
    def code(self, /) -> Any:
        """
        A number or a name.
        """
    @property
    def data(self, /) -> Any:
        """
        Any JSON value.
        """
    def json(self, /) -> Any:
        """
        `json.loads` of the strictly decoded payload; raises ValueError if it is not JSON.
        """
    @property
    def message(self, /) -> Any:
        """
        The server's message.
        """
    @property
    def raw(self, /) -> bytes:
        """
        The payload's bytes as received, `data` lines joined by LF; `b""` if no parser made the event.
        """
    def to_dict(self, /) -> dict:
        """
        The fields by name, in plain values that `json.dumps` accepts.
        """

@final
class Message:
    """
    A message of the agent, which is the whole answer if there is no task.
    """
    __match_args__: Final[tuple]
    thinking: Final[str]
    """
    Always `""`: events of this kind have none.
    """
    def __eq__(self, other: object, /) -> Any: ...
    def __hash__(self, /) -> int: ...
    def __new__(cls, /, text: Incomplete = ..., role: Incomplete = ..., message_id: Incomplete = ..., task_id: Incomplete = ..., context_id: Incomplete = ..., parts: Incomplete = ..., metadata: Incomplete = ...) -> Message: ...
    def __reduce__(self, /) -> tuple: ...
    def __repr__(self, /) -> str: ...
    @property
    def context_id(self, /) -> Any:
        """
        The conversation's id.
        """
    def json(self, /) -> Any:
        """
        `json.loads` of the strictly decoded payload; raises ValueError if it is not JSON.
        """
    @property
    def message_id(self, /) -> Any:
        """
        The message's id.
        """
    @property
    def metadata(self, /) -> Any:
        """
        The message's metadata.
        """
    @property
    def parts(self, /) -> Any:
        """
        The parts as received.
        """
    @property
    def raw(self, /) -> bytes:
        """
        The payload's bytes as received, `data` lines joined by LF; `b""` if no parser made the event.
        """
    @property
    def role(self, /) -> Any:
        """
        `agent` or `user`.
        """
    @property
    def task_id(self, /) -> Any:
        """
        The task's id.
        """
    @property
    def text(self, /) -> Any:
        """
        The joined text of its parts.
        """
    def to_dict(self, /) -> dict:
        """
        The fields by name, in plain values that `json.dumps` accepts.
        """

@final
class StatusUpdate:
    """
    A change of a task's state.
    """
    __match_args__: Final[tuple]
    text: Final[str]
    """
    Always `""`: events of this kind have none.
    """
    thinking: Final[str]
    """
    Always `""`: events of this kind have none.
    """
    def __eq__(self, other: object, /) -> Any: ...
    def __hash__(self, /) -> int: ...
    def __new__(cls, /, task_id: Incomplete = ..., context_id: Incomplete = ..., state: Incomplete = ..., message: Incomplete = ..., final: Incomplete = ..., metadata: Incomplete = ...) -> StatusUpdate: ...
    def __reduce__(self, /) -> tuple: ...
    def __repr__(self, /) -> str: ...
    @property
    def context_id(self, /) -> Any:
        """
        The conversation's id.
        """
    @property
    def final(self, /) -> Any:
        """
        Whether the stream ends here (protocols 0.2 and 0.3).
        """
    def json(self, /) -> Any:
        """
        `json.loads` of the strictly decoded payload; raises ValueError if it is not JSON.
        """
    @property
    def message(self, /) -> Any:
        """
        Progress text, which is no part of the answer.
        """
    @property
    def metadata(self, /) -> Any:
        """
        The update's metadata.
        """
    @property
    def raw(self, /) -> bytes:
        """
        The payload's bytes as received, `data` lines joined by LF; `b""` if no parser made the event.
        """
    @property
    def state(self, /) -> Any:
        """
        `working`, `completed`, `input-required` and the like, whatever the protocol's version.
        """
    @property
    def task_id(self, /) -> Any:
        """
        The task's id.
        """
    def to_dict(self, /) -> dict:
        """
        The fields by name, in plain values that `json.dumps` accepts.
        """

@final
class StreamParser:
    """
    A2A streams and one-shot answers, protocols 0.2, 0.3 and 1.0.

    `end="last_chunk"` lets an artifact's last chunk end the stream too.

    Args:
        max_frame_bytes: most bytes of one JSON value, or of one SSE line and of an event's data.
        max_depth: most open containers in one frame.
        errors: `strict` raises at a bad frame, `report` yields `Malformed` and continues.

    Raises:
        TypeError, ValueError: an argument of another type or value.
    """
    def __new__(cls, /, *, max_frame_bytes: Incomplete = ..., max_depth: Incomplete = ..., errors: Incomplete = ..., end: Incomplete = ...) -> StreamParser: ...
    @property
    def _examined(self, /) -> int:
        """
        Bytes examined so far, every pass over a byte counted.
        """
    def _panic(self, /) -> None:
        """
        For tests: panics inside the parser, as a bug in the crate would.
        """
    def close(self, /) -> list:
        """
        Ends the stream: the events that its end completes. A second call returns [].

        Raises:
            ParseError: the stream was not at an end (TruncatedStreamError), or had failed before.
            RuntimeError: another thread is inside this parser.
        """
    def feed(self, /, chunk: Any) -> list:
        """
        The events that this chunk completes; `b""` completes none.

        Raises:
            ParseError: the stream is not what the format allows; `.events` are those completed
                before the error, `.offset` is its position in all bytes fed.
            ValueError: after `close()`.
            RuntimeError: another thread is inside this parser.
            TypeError: `chunk` is not bytes, bytearray or a contiguous memoryview of bytes.
        """
    def feed_text(self, /, chunk: Any) -> str:
        """
        The answer text that this chunk completes, joined: the fastest way through.

        `Result`, `Error`, `Done`, the last `Task` and the last `StatusUpdate` come out of `close()`, and text
        that `thinking_tags` held back at an end. Raises as `feed` does; an error carries the text in `.text`,
        and in `.events` what `close()` would have returned.
        """
    @property
    def pending(self, /) -> int:
        """
        Bytes held of an unfinished frame; depends on the bytes fed only, not on their split.
        """

@final
class Task:
    """
    A task: its state and, in a one-shot answer or a snapshot, its artifacts.

    `text` is `""`: a snapshot is not a delta.
    """
    __match_args__: Final[tuple]
    text: Final[str]
    """
    Always `""`: events of this kind have none.
    """
    thinking: Final[str]
    """
    Always `""`: events of this kind have none.
    """
    def __eq__(self, other: object, /) -> Any: ...
    def __hash__(self, /) -> int: ...
    def __new__(cls, /, id: Incomplete = ..., context_id: Incomplete = ..., state: Incomplete = ..., content: Incomplete = ..., artifacts: Incomplete = ..., history: Incomplete = ..., metadata: Incomplete = ..., message: Incomplete = ...) -> Task: ...
    def __reduce__(self, /) -> tuple: ...
    def __repr__(self, /) -> str: ...
    @property
    def artifacts(self, /) -> Any:
        """
        The artifacts as received.
        """
    @property
    def content(self, /) -> Any:
        """
        The joined text of all artifacts.
        """
    @property
    def context_id(self, /) -> Any:
        """
        The conversation's id.
        """
    @property
    def history(self, /) -> Any:
        """
        The messages so far, as received.
        """
    @property
    def id(self, /) -> Any:
        """
        The task's id.
        """
    def json(self, /) -> Any:
        """
        `json.loads` of the strictly decoded payload; raises ValueError if it is not JSON.
        """
    @property
    def message(self, /) -> Any:
        """
        The text of the status message: the agent's question, or why it failed.
        """
    @property
    def metadata(self, /) -> Any:
        """
        The task's metadata.
        """
    @property
    def raw(self, /) -> bytes:
        """
        The payload's bytes as received, `data` lines joined by LF; `b""` if no parser made the event.
        """
    @property
    def state(self, /) -> Any:
        """
        `working`, `completed`, `input-required` and the like, whatever the protocol's version.
        """
    def to_dict(self, /) -> dict:
        """
        The fields by name, in plain values that `json.dumps` accepts.
        """

@final
class Unknown:
    """
    A frame that is none of the others.
    """
    __match_args__: Final[tuple]
    text: Final[str]
    """
    Always `""`: events of this kind have none.
    """
    thinking: Final[str]
    """
    Always `""`: events of this kind have none.
    """
    def __eq__(self, other: object, /) -> Any: ...
    def __hash__(self, /) -> int: ...
    def __new__(cls, /, data: Incomplete = ...) -> Unknown: ...
    def __reduce__(self, /) -> tuple: ...
    def __repr__(self, /) -> str: ...
    @property
    def data(self, /) -> Any:
        """
        The payload's text.
        """
    def json(self, /) -> Any:
        """
        `json.loads` of the strictly decoded payload; raises ValueError if it is not JSON.
        """
    @property
    def raw(self, /) -> bytes:
        """
        The payload's bytes as received, `data` lines joined by LF; `b""` if no parser made the event.
        """
    def to_dict(self, /) -> dict:
        """
        The fields by name, in plain values that `json.dumps` accepts.
        """
