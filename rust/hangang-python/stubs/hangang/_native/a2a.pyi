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
    """
    __match_args__: Final[tuple]
    thinking: Final[str]
    """
    Always empty: agents send no reasoning.
    """
    def __eq__(self, other: object, /) -> Any: ...
    def __hash__(self, /) -> int: ...
    def __new__(cls, /, text: Incomplete = ..., task_id: Incomplete = ..., context_id: Incomplete = ..., artifact_id: Incomplete = ..., name: Incomplete = ..., parts: Incomplete = ..., append: Incomplete = ..., last_chunk: Incomplete = ..., metadata: Incomplete = ...) -> ArtifactUpdate: ...
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
    def metadata(self, /) -> Any:
        """
        The update's metadata, or the artifact's.
        """
    @property
    def name(self, /) -> Any: ...
    @property
    def parts(self, /) -> Any:
        """
        The parts as plain dicts.
        """
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
    def __new__(cls, /, code: Incomplete = ..., message: Incomplete = ..., data: Incomplete = ...) -> Error: ...
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
    def __new__(cls, /, text: Incomplete = ..., role: Incomplete = ..., message_id: Incomplete = ..., task_id: Incomplete = ..., context_id: Incomplete = ..., parts: Incomplete = ..., metadata: Incomplete = ...) -> Message: ...
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
    def __new__(cls, /, task_id: Incomplete = ..., context_id: Incomplete = ..., state: Incomplete = ..., message: Incomplete = ..., final: Incomplete = ..., metadata: Incomplete = ...) -> StatusUpdate: ...
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
    def __new__(cls, /, *, max_frame_bytes: Incomplete = ..., max_depth: Incomplete = ..., errors: Incomplete = ..., end: Incomplete = ...) -> StreamParser: ...
    @property
    def _examined(self, /) -> int:
        """
        Bytes examined so far, every pass over a byte counted.
        """
    def _panic(self, /) -> None:
        """
        For tests: panics inside the parser, as a mistake in the crate would.
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
    def __new__(cls, /, id: Incomplete = ..., context_id: Incomplete = ..., state: Incomplete = ..., content: Incomplete = ..., artifacts: Incomplete = ..., history: Incomplete = ..., metadata: Incomplete = ...) -> Task: ...
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
    def __new__(cls, /, data: Incomplete = ...) -> Unknown: ...
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
