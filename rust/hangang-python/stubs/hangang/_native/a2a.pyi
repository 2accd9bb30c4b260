"""
`hangang.a2a`
"""

from typing import Any, Final, final

__all__ = ["ArtifactUpdate", "Error", "Message", "StatusUpdate", "StreamParser", "Task", "Unknown"]

@final
class ArtifactUpdate:
    """
    A piece of an artifact.
    """
    __match_args__: Final[tuple]
    thinking: Final[str]
    """
    Always empty: this kind of event carries none.
    """
    def __eq__(self, other: object, /) -> Any: ...
    def __hash__(self, /) -> int: ...
    def __new__(cls, /, text: Any | None = None, task_id: Any | None = None, context_id: Any | None = None, artifact_id: Any | None = None, name: Any | None = None, parts: Any | None = None, append: Any | None = None, last_chunk: Any | None = None, metadata: Any | None = None) -> ArtifactUpdate: ...
    def __reduce__(self, /) -> tuple: ...
    def __repr__(self, /) -> str: ...
    @property
    def append(self, /) -> Any: ...
    @property
    def artifact_id(self, /) -> Any: ...
    @property
    def context_id(self, /) -> Any: ...
    def json(self, /) -> Any:
        """
        `json.loads` of the payload.
        """
    @property
    def last_chunk(self, /) -> Any: ...
    @property
    def metadata(self, /) -> Any: ...
    @property
    def name(self, /) -> Any: ...
    @property
    def parts(self, /) -> Any: ...
    @property
    def raw(self, /) -> bytes:
        """
        The payload's bytes as received; `b""` for an event that no parser made.
        """
    @property
    def task_id(self, /) -> Any: ...
    @property
    def text(self, /) -> Any: ...

@final
class Error:
    """
    A JSON-RPC error.
    """
    __match_args__: Final[tuple]
    text: Final[str]
    """
    Always empty: this kind of event carries none.
    """
    thinking: Final[str]
    """
    Always empty: this kind of event carries none.
    """
    def __eq__(self, other: object, /) -> Any: ...
    def __hash__(self, /) -> int: ...
    def __new__(cls, /, code: Any | None = None, message: Any | None = None, data: Any | None = None) -> Error: ...
    def __reduce__(self, /) -> tuple: ...
    def __repr__(self, /) -> str: ...
    @property
    def code(self, /) -> Any: ...
    @property
    def data(self, /) -> Any: ...
    def json(self, /) -> Any:
        """
        `json.loads` of the payload.
        """
    @property
    def message(self, /) -> Any: ...
    @property
    def raw(self, /) -> bytes:
        """
        The payload's bytes as received; `b""` for an event that no parser made.
        """

@final
class Message:
    """
    A message of the agent, which is the whole answer.
    """
    __match_args__: Final[tuple]
    thinking: Final[str]
    """
    Always empty: this kind of event carries none.
    """
    def __eq__(self, other: object, /) -> Any: ...
    def __hash__(self, /) -> int: ...
    def __new__(cls, /, text: Any | None = None, role: Any | None = None, message_id: Any | None = None, task_id: Any | None = None, context_id: Any | None = None, parts: Any | None = None, metadata: Any | None = None) -> Message: ...
    def __reduce__(self, /) -> tuple: ...
    def __repr__(self, /) -> str: ...
    @property
    def context_id(self, /) -> Any: ...
    def json(self, /) -> Any:
        """
        `json.loads` of the payload.
        """
    @property
    def message_id(self, /) -> Any: ...
    @property
    def metadata(self, /) -> Any: ...
    @property
    def parts(self, /) -> Any: ...
    @property
    def raw(self, /) -> bytes:
        """
        The payload's bytes as received; `b""` for an event that no parser made.
        """
    @property
    def role(self, /) -> Any: ...
    @property
    def task_id(self, /) -> Any: ...
    @property
    def text(self, /) -> Any: ...

@final
class StatusUpdate:
    """
    A change of the task's state.
    """
    __match_args__: Final[tuple]
    text: Final[str]
    """
    Always empty: this kind of event carries none.
    """
    thinking: Final[str]
    """
    Always empty: this kind of event carries none.
    """
    def __eq__(self, other: object, /) -> Any: ...
    def __hash__(self, /) -> int: ...
    def __new__(cls, /, task_id: Any | None = None, context_id: Any | None = None, state: Any | None = None, message: Any | None = None, final: Any | None = None, metadata: Any | None = None) -> StatusUpdate: ...
    def __reduce__(self, /) -> tuple: ...
    def __repr__(self, /) -> str: ...
    @property
    def context_id(self, /) -> Any: ...
    @property
    def final(self, /) -> Any: ...
    def json(self, /) -> Any:
        """
        `json.loads` of the payload.
        """
    @property
    def message(self, /) -> Any: ...
    @property
    def metadata(self, /) -> Any: ...
    @property
    def raw(self, /) -> bytes:
        """
        The payload's bytes as received; `b""` for an event that no parser made.
        """
    @property
    def state(self, /) -> Any: ...
    @property
    def task_id(self, /) -> Any: ...

@final
class StreamParser:
    """
    A2A streams of protocols 0.2, 0.3 and 1.0.
    """
    def __new__(cls, /, *, max_frame_bytes: Any | None = None, max_depth: Any | None = None, errors: Any | None = None, end: Any | None = None) -> StreamParser: ...
    @property
    def _examined(self, /) -> int:
        """
        Bytes examined so far, every pass over a byte counted.
        """
    def close(self, /) -> list:
        """
        The end of the stream: the last events, or an error if it stopped early.
        """
    def feed(self, /, chunk: Any) -> list:
        """
        The events that this chunk completes.
        """
    def feed_text(self, /, chunk: Any) -> str:
        """
        The answer text that this chunk completes, joined.
        """
    @property
    def pending(self, /) -> int:
        """
        Bytes held of an unfinished frame.
        """

@final
class Task:
    """
    A snapshot of the task.
    """
    __match_args__: Final[tuple]
    text: Final[str]
    """
    Always empty: this kind of event carries none.
    """
    thinking: Final[str]
    """
    Always empty: this kind of event carries none.
    """
    def __eq__(self, other: object, /) -> Any: ...
    def __hash__(self, /) -> int: ...
    def __new__(cls, /, id: Any | None = None, context_id: Any | None = None, state: Any | None = None, content: Any | None = None, artifacts: Any | None = None, history: Any | None = None, metadata: Any | None = None) -> Task: ...
    def __reduce__(self, /) -> tuple: ...
    def __repr__(self, /) -> str: ...
    @property
    def artifacts(self, /) -> Any: ...
    @property
    def content(self, /) -> Any: ...
    @property
    def context_id(self, /) -> Any: ...
    @property
    def history(self, /) -> Any: ...
    @property
    def id(self, /) -> Any: ...
    def json(self, /) -> Any:
        """
        `json.loads` of the payload.
        """
    @property
    def metadata(self, /) -> Any: ...
    @property
    def raw(self, /) -> bytes:
        """
        The payload's bytes as received; `b""` for an event that no parser made.
        """
    @property
    def state(self, /) -> Any: ...

@final
class Unknown:
    """
    A frame of a foreign shape.
    """
    __match_args__: Final[tuple]
    text: Final[str]
    """
    Always empty: this kind of event carries none.
    """
    thinking: Final[str]
    """
    Always empty: this kind of event carries none.
    """
    def __eq__(self, other: object, /) -> Any: ...
    def __hash__(self, /) -> int: ...
    def __new__(cls, /, data: Any | None = None) -> Unknown: ...
    def __reduce__(self, /) -> tuple: ...
    def __repr__(self, /) -> str: ...
    @property
    def data(self, /) -> Any: ...
    def json(self, /) -> Any:
        """
        `json.loads` of the payload.
        """
    @property
    def raw(self, /) -> bytes:
        """
        The payload's bytes as received; `b""` for an event that no parser made.
        """
