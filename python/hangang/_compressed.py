"""Files in chunks, as they are or decompressed while they are read, in bounded memory.

A name that ends in `.gz` or `.zst` is decompressed; nothing else is, whatever its bytes. Both formats are
series of members (frames) without a gap. What was decompressed before a fault is always delivered: the fault
is raised after it.
"""

from __future__ import annotations

import importlib
import os
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["CODECS", "CompressedDataError", "UnreadableError", "content", "raw_chunks", "reason"]


class UnreadableError(Exception):
    """An input that cannot be opened or read. Not an OSError: in the command that means the output failed."""


class CompressedDataError(Exception):
    """A compressed file is damaged, or `is_cut`: it ends early."""

    def __init__(self, message: str, offset: int, *, is_cut: bool = False) -> None:
        super().__init__(message)
        self.offset = offset
        self.is_cut = is_cut


# --- reading


def content(name: str, file: Any, size: int) -> Iterator[bytes]:
    """The content of a binary file in chunks of at most `size` bytes, decompressed by the suffix of `name`.

    The iterator raises UnreadableError and CompressedDataError. If the library that decompresses is not
    installed, the call itself raises UnreadableError.
    """
    codec = CODECS.get(os.path.splitext(name)[1].lower())
    return raw_chunks(file, size) if codec is None else _decompressed(codec, codec.load(), file, size)


def raw_chunks(file: Any, size: int) -> Iterator[bytes]:
    """The bytes of a file as they are."""
    while True:
        try:
            chunk = file.read(size)
        except OSError as error:
            raise UnreadableError(reason(error)) from error
        if chunk is None:  # a pipe that another process made non-blocking has nothing at the moment
            time.sleep(0.01)
        elif chunk:
            yield chunk
        else:
            return


def reason(error: OSError | ValueError) -> str:
    """Why a file cannot be read, in the words of the system."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


# --- decompression


class _GzipMember:
    """One gzip member, with the interface of the standard library's Zstandard decompressor."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


def _load_gzip() -> Callable[[], Any]:
    return _GzipMember


def _load_zstd() -> Callable[[], Any]:
    for module in ("compression.zstd", "backports.zstd"):
        try:
            found = importlib.import_module(module)
        except ModuleNotFoundError:
            continue
        make: Callable[[], Any] = found.ZstdDecompressor
        return make
    raise UnreadableError("reading .zst needs backports-zstd; pip install 'hangang[cli]'")


@dataclass(frozen=True)
class _Codec:
    name: str
    load: Callable[[], Callable[[], Any]]
    magic: tuple[bytes, ...]
    padding: bytes = b""  # may follow a member


CODECS = {
    ".gz": _Codec("gzip", _load_gzip, (b"\x1f\x8b",), b"\0"),
    ".zst": _Codec(
        "zstd",
        _load_zstd,
        (b"\x28\xb5\x2f\xfd", *(bytes([low, 0x2A, 0x4D, 0x18]) for low in range(0x50, 0x60))),
    ),
}


def _decompressed(codec: _Codec, make: Callable[[], Any], file: Any, size: int) -> Iterator[bytes]:
    delivered = 0
    start = [0]  # where the chunk that was read last begins
    try:
        for data in _expanded(codec, make, _counted(raw_chunks(file, size), start), size):
            delivered += len(data)
            yield data
    except CompressedDataError as error:
        if error.is_cut or not file.seekable():
            raise
        # The call that failed may have decompressed something first. Once more, the last chunk byte by byte.
        file.seek(0)
        try:
            for data in _expanded(codec, make, _ending_in_bytes(raw_chunks(file, size), start[0]), size):
                if delivered < len(data):
                    yield data[delivered:]
                delivered = max(0, delivered - len(data))
        except CompressedDataError as closer:
            raise closer from None


def _counted(chunks: Iterable[bytes], start: list[int]) -> Iterator[bytes]:
    end = 0
    for chunk in chunks:
        start[0] = end
        yield chunk
        end += len(chunk)


def _ending_in_bytes(chunks: Iterable[bytes], start: int) -> Iterator[bytes]:
    position = 0
    for chunk in chunks:
        if position < start:
            yield chunk
        else:
            for at in range(len(chunk)):
                yield chunk[at : at + 1]
        position += len(chunk)


def _expanded(codec: _Codec, make: Callable[[], Any], chunks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Decompress member after member; each piece has at most `size` bytes."""
    longest = max(map(len, codec.magic))
    member: Any = None
    members = 0
    held = b""  # the start of what may be a member
    position = 0  # in the compressed file, after what was read
    for chunk in chunks:
        position += len(chunk)
        data = held + chunk
        held = b""
        while data:
            if member is None:
                if members and codec.padding:
                    data = data.lstrip(codec.padding)
                if not data.startswith(codec.magic):
                    if len(data) < longest and any(magic.startswith(data) for magic in codec.magic):
                        held = data
                        break
                    raise _no_member(codec, members, position - len(data))
                member = make()
            while True:
                try:
                    piece = member.decompress(data, max_length=size)
                except Exception as error:
                    if not _is_damage(error):
                        raise
                    offset = position - len(data)
                    message = f"the {codec.name} data cannot be read at byte {offset}: {error}"
                    raise CompressedDataError(message, offset) from None
                data = b""
                if piece:
                    yield piece
                if member.eof:
                    data = member.unused_data
                    member = None
                    members += 1
                    break
                if len(piece) < size:  # all of it was used
                    break
    if held:
        raise _no_member(codec, members, position - len(held))
    if member is not None or not members:
        raise CompressedDataError(
            f"the {codec.name} data ends early, at byte {position}", position, is_cut=True
        )


def _is_damage(error: Exception) -> bool:
    return isinstance(error, zlib.error) or type(error).__name__ == "ZstdError"


def _no_member(codec: _Codec, members: int, offset: int) -> CompressedDataError:
    if members:
        return CompressedDataError(
            f"the {codec.name} data ends at byte {offset}, and something else follows it", offset
        )
    return CompressedDataError(f"not {codec.name} data", offset)
