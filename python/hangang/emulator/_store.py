"""What services keep: files, documents, tasks. Old ones are forgotten, so that memory stays flat."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from typing import Generic, TypeVar

MOST = 1_000
MOST_BYTES = 64 * 2**20

T = TypeVar("T")


def short(key: str) -> str:
    """A key of bounded length: clients choose tags, contexts and keys, and may choose long ones."""
    return key if len(key) <= 200 else hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


class Store(Generic[T]):
    """Values by key, oldest first: at most `most`, and at most `most_bytes` by the sizes given to `put`.

    Over a limit the oldest are forgotten, except the one that was put last. The server's thread puts, other
    threads may read.
    """

    def __init__(self, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self._kept: dict[str, tuple[T, int]] = {}
        self._most = most
        self._most_bytes = most_bytes
        self._bytes = 0
        self._lock = threading.RLock()

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[T]:
        with self._lock:
            return iter([value for value, _ in self._kept.values()])

    def get(self, key: str) -> T | None:
        """The value, or None."""
        return self._kept.get(short(key), (None, 0))[0]

    def put(self, key: str, value: T, size: int = 0) -> None:
        """Keep a value, under a new key or in the place of the old one."""
        key = short(key)
        with self._lock:
            self._bytes += size - self._kept.get(key, (None, 0))[1]
            self._kept[key] = (value, size)
            while len(self._kept) > self._most or (self._bytes > self._most_bytes and len(self._kept) > 1):
                self.delete(next(kept for kept in self._kept if kept != key))

    def delete(self, key: str) -> T | None:
        """Forget a value and return it; None if there is none."""
        with self._lock:
            value, size = self._kept.pop(short(key), (None, 0))
            self._bytes -= size
            return value
