"""Content encodings, undone in pieces of a bounded size.

We ask for `identity`, but a server may answer as it likes. HTTP libraries inflate whatever one read of the
network gave at once: a thousand times its size with gzip, a million times with brotli. Here memory does not
depend on what the other side sends: a piece is at most `PIECE` bytes, with brotli up to twice that, and the
next one is made only once the caller wants it.

gzip and deflate need the standard library only. zstd needs Python 3.14 or `backports.zstd`, br needs `brotli`
1.2: older ones cannot stop at a size. A body in any other encoding is refused, not passed on as it is.
"""

from __future__ import annotations

import importlib
import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Any, Protocol

__all__ = ["PIECE", "DecodingError", "adecoded", "decoded", "is_identity"]

PIECE = 1 << 18
_ZSTD_WINDOW_LOG = 23  # RFC 9659: at most 8 MiB over HTTP


class DecodingError(OSError):
    """The body of an answer is not what its content encoding says, or it ended early."""


class _Decoder(Protocol):
    """One encoding. `inflate(data)` takes compressed data, and `inflate(b"")` what is left of it."""

    def inflate(self, data: bytes) -> bytes: ...

    @property
    def has_more(self) -> bool:
        """Whether there is output without new input."""
        ...

    @property
    def is_whole(self) -> bool:
        """Whether the compressed data may end here."""
        ...

    @property
    def is_closed(self) -> bool:
        """Whether it has ended. What follows is ignored, as browsers do."""
        ...


class _Zlib:
    """gzip, or deflate, which is zlib's format or, from some servers, without zlib's two bytes of header."""

    def __init__(self, bits: int | None) -> None:
        self._zlib = None if bits is None else zlib.decompressobj(bits)
        self._held = b""
        self.has_more = False

    def inflate(self, data: bytes) -> bytes:
        data = self._held + data
        if self._zlib is None:
            if len(data) < 2:
                self._held = data
                return b""
            has_header = data[0] & 15 == 8 and int.from_bytes(data[:2], "big") % 31 == 0
            self._zlib = zlib.decompressobj(zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS)
        try:
            out = self._zlib.decompress(data, PIECE)
        except zlib.error as error:
            raise DecodingError(f"the body is not compressed as its header says: {error}") from None
        self._held = self._zlib.unconsumed_tail
        # A full piece may have left output inside zlib although all input was taken.
        self.has_more = bool(self._held) or len(out) == PIECE
        return out

    @property
    def is_whole(self) -> bool:
        return self._zlib is not None and self._zlib.eof

    is_closed = is_whole


class _Zstd:
    """One or more frames of zstd."""

    def __init__(self, library: Any) -> None:
        self._library = library
        self._zstd = self._frame()
        self._is_between = True
        self.has_more = False

    def _frame(self) -> Any:
        window = {self._library.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG}
        return self._library.ZstdDecompressor(options=window)

    def inflate(self, data: bytes) -> bytes:
        if self._zstd.eof:
            data = self._zstd.unused_data + data
            self._zstd, self._is_between = self._frame(), True
        if data:
            self._is_between = False
        try:
            out: bytes = self._zstd.decompress(data, PIECE)
        except self._library.ZstdError as error:
            raise DecodingError(f"the body is not compressed as its header says: {error}") from None
        self.has_more = bool(self._zstd.unused_data) if self._zstd.eof else not self._zstd.needs_input
        return out

    @property
    def is_whole(self) -> bool:
        return self._zstd.eof or self._is_between

    @property
    def is_closed(self) -> bool:
        return False  # another frame may follow


class _Brotli:
    def __init__(self, library: Any) -> None:
        self._library = library
        self._brotli = library.Decompressor()
        self._waiting = b""
        self.has_more = False

    def inflate(self, data: bytes) -> bytes:
        self._waiting += data
        data = b""
        if self._brotli.can_accept_more_data():  # else it has output of what it took before
            data, self._waiting = self._waiting, b""
        try:
            out: bytes = self._brotli.process(data, output_buffer_limit=PIECE)
        except self._library.error as error:
            raise DecodingError(f"the body is not compressed as its header says: {error}") from None
        # A full piece may have left output inside brotli although all input was taken.
        self.has_more = bool(self._waiting) or len(out) >= PIECE or not self._brotli.can_accept_more_data()
        return out

    @property
    def is_whole(self) -> bool:
        return bool(self._brotli.is_finished())

    is_closed = is_whole


def _zstd() -> _Decoder | None:
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return _Zstd(importlib.import_module(name))
        except ImportError:
            continue
    return None


def _brotli() -> _Decoder | None:
    try:
        library: Any = importlib.import_module("brotli")
    except ImportError:
        return None
    can_stop = hasattr(library.Decompressor, "can_accept_more_data")  # since 1.2, with the limit
    return _Brotli(library) if can_stop else None


def _decoder(encoding: str) -> _Decoder:
    found: _Decoder | None = None
    if encoding in ("gzip", "x-gzip"):
        found = _Zlib(zlib.MAX_WBITS | 16)
    elif encoding == "deflate":
        found = _Zlib(None)
    elif encoding == "zstd":
        found = _zstd()
    elif encoding == "br":
        found = _brotli()
    if found is None:
        raise DecodingError(f"the answer is compressed with {encoding[:40]!r}, which was not asked for")
    return found


def _names(encoding: str) -> list[str]:
    """The encodings of a body, the outermost first; `identity` is none."""
    names = [name.strip(" \t").lower() for name in encoding.split(",")]
    return [name for name in reversed(names) if name not in ("", "identity")]


def is_identity(encoding: str) -> bool:
    """Whether a body with this `content-encoding` needs no decoding."""
    return not _names(encoding)


class _Chain:
    """The decoders of a body, the outermost first."""

    def __init__(self, encoding: str) -> None:
        names = _names(encoding)
        if len(names) > 4:
            raise DecodingError("the answer is compressed more than four times")
        self._decoders = [_decoder(name) for name in names]
        self._is_empty = True

    def pieces(self, data: bytes, level: int = 0) -> Iterator[bytes]:
        """What compressed data inflates to."""
        if data:
            self._is_empty = False
        if level == len(self._decoders):
            if data:
                yield data
            return
        decoder = self._decoders[level]
        while not decoder.is_closed:
            yield from self.pieces(decoder.inflate(data), level + 1)
            if not decoder.has_more:
                break
            data = b""

    def end(self) -> None:
        """The body ended; DecodingError if the compressed data did not."""
        if not self._is_empty and not all(decoder.is_whole for decoder in self._decoders):
            raise DecodingError("the compressed body ended early")


def decoded(chunks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """A body without its content encoding.

    Raises:
        DecodingError: when it is read: the body is not what `encoding` says, or cannot be decoded here.
    """
    chain = _Chain(encoding)
    for chunk in chunks:
        yield from chain.pieces(chunk)
    chain.end()


async def adecoded(chunks: AsyncIterator[bytes], encoding: str) -> AsyncIterator[bytes]:
    """`decoded`, awaited."""
    chain = _Chain(encoding)
    async for chunk in chunks:
        for piece in chain.pieces(chunk):
            yield piece
    chain.end()
