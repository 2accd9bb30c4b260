"""What every parser has: the types it takes, one caller at a time, and what happens after an error.

It mirrors the binding's `parser.rs` rather than a file of the crate, and depends on no format.
"""

from __future__ import annotations

import threading
from typing import Any, Generic, NoReturn, TypeAlias, TypeVar

from .error import Failure

T = TypeVar("T")
Chunk: TypeAlias = bytes | bytearray | memoryview

LIMIT_MAX = 2**62
DEFAULT_FRAME_BYTES = 16 * 2**20
DEFAULT_DEPTH = 128


def check_limit(name: str, value: Any) -> int:
    """A limit from a constructor's argument, 1 to 2**62; raises TypeError or ValueError."""
    if not isinstance(value, int):
        raise TypeError(f"{name} must be an int, not {type(value).__name__}")
    if not 1 <= value <= LIMIT_MAX:
        raise ValueError(f"{name} must be between 1 and 2**62, not {value}")
    return int(value)


def to_bytes(chunk: Any) -> bytes:
    """The bytes of a chunk that is not exactly `bytes`: one copy. Raises TypeError."""
    if isinstance(chunk, (bytes, bytearray)):
        return bytes(memoryview(chunk))  # a subclass may have its own __bytes__
    if isinstance(chunk, memoryview):
        if chunk.itemsize == 1 and chunk.c_contiguous:
            return chunk.tobytes()
        what = "a memoryview of another shape"
    else:
        what = type(chunk).__name__
    raise TypeError(f"chunk must be bytes, bytearray or a contiguous memoryview of bytes, not {what}")


OVERLAPPING = "overlapping calls: a parser serves one thread at a time"


class Parser(Generic[T]):
    """Base of the parsers of `T`: states and locking. `_advance` and `_finish` do the work.

    A parser is ready, closed, or failed. A failed one raises a new equal error from every call.
    """

    __slots__ = ("_closed", "_examined", "_failure", "_fed", "_lock", "_ready")

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()  # typing.Generic has one too
        # The public parsers are final, as the native ones are.
        for base in cls.__bases__:
            if issubclass(base, Parser) and not base.__module__.startswith("hangang._pure."):
                raise TypeError(f"type '{base.__module__}.{base.__name__}' is not an acceptable base type")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ready = True  # neither closed nor failed: the one check of the hot path
        self._closed = False
        self._failure: Failure | None = None
        self._fed = 0  # bytes of all earlier chunks: the offset of the next one
        self._examined = 0

    @property
    def pending(self) -> int:
        """Bytes held of an unfinished frame; depends on the bytes fed only, not on their split."""
        return self._pending() if self._ready else 0

    def _pending(self) -> int:
        raise NotImplementedError

    def _take(self, chunk: Chunk) -> bytes:
        """The chunk as bytes, with the lock taken and the parser ready."""
        data = chunk if type(chunk) is bytes else to_bytes(chunk)
        if not self._lock.acquire(False):
            raise RuntimeError(OVERLAPPING)
        try:
            if not self._ready:
                self._refuse()
        except ValueError:  # as ParseError is
            self._lock.release()
            raise
        return data

    def _refuse(self) -> NoReturn:
        """What a feed raises after an error or after `close()`."""
        if self._failure is not None:
            raise self._failure.to_error(text="")
        raise ValueError("feed after close()")

    def _fail(self, failure: Failure, events: list[Any], text: str | None = None) -> NoReturn:
        """Poisons the parser and raises the error with what the call had completed."""
        # Without its traceback, whose frames would hold the chunk.
        failure.__traceback__ = failure.__context__ = None
        self._failure = failure
        self._ready = False
        self._drop()
        raise failure.to_error(events, text) from None

    def _drop(self) -> None:
        """Drops all buffered state."""
        raise NotImplementedError

    def _finish(self, out: list[T]) -> None:
        """The end of the stream; raises Failure."""
        raise NotImplementedError

    def close(self) -> list[T]:
        """Ends the stream: the events that its end completes. A second call returns [].

        Raises:
            ParseError: the stream was not at an end (TruncatedStreamError), or had failed before.
            RuntimeError: another thread is inside this parser.
        """
        if not self._lock.acquire(False):
            raise RuntimeError(OVERLAPPING)
        try:
            if self._failure is not None:
                raise self._failure.to_error(text="")
            if self._closed:
                return []
            self._closed = True
            out: list[T] = []
            try:
                self._finish(out)
            except Failure as failure:
                caught = failure
            else:
                self._ready = False
                self._drop()
                return out
            self._fail(caught, out)
        finally:
            self._lock.release()
