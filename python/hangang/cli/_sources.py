"""Where `decode` reads from: files, folders and standard input, plain or compressed, in bounded memory."""

from __future__ import annotations

import io
import os
import stat
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from hangang._compressed import CODECS, CompressedDataError, UnreadableError, content, raw_chunks, reason

__all__ = ["CAPTURES", "CompressedDataError", "Found", "UnreadableError", "find", "reading"]

CAPTURES = (".sse", ".json", ".jsonl", ".ndjson", ".jsonstream", ".stream", ".capture")
"""What the names of captures in a folder end in, also with `.gz` or `.zst` after it."""


# --- folders


class Found(NamedTuple):
    """A file to read, or the reason why it, or a folder, cannot be."""

    name: str
    problem: str | None = None


def find(name: str) -> Iterator[Found]:
    """The captures in a folder, at any depth, in the order of their names; or the name itself.

    Hidden files and folders are skipped, and links to folders.
    """
    if name == "-" or not os.path.isdir(name):
        yield Found(name)
        return
    is_empty = True
    pending = [name]  # a stack, last name first: folders may be nested deeper than Python recurses
    while pending:
        path = pending.pop()
        if path != name and not _is_folder(path):
            is_empty = False
            yield Found(path)
            continue
        try:
            with os.scandir(path) as scanned:
                entries = [entry.name for entry in scanned if _is_wanted(entry)]
        except OSError as error:
            is_empty = False
            yield Found(path, error.strerror or str(error))
            continue
        entries.sort(key=os.fsencode, reverse=True)
        pending.extend(os.path.join(path, entry) for entry in entries)
    if is_empty:
        yield Found(name, f"no captures in this folder ({', '.join(CAPTURES)}; also .gz and .zst)")


def _is_folder(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False  # reading it will name the error


def _is_wanted(entry: os.DirEntry[str]) -> bool:
    if entry.name.startswith("."):
        return False
    try:
        if entry.is_dir(follow_symlinks=False):
            return True
        name = entry.name.lower()
        for codec in CODECS:
            name = name.removesuffix(codec)
        return name.endswith(CAPTURES) and entry.is_file()
    except OSError:
        return True  # reading it will name the error


# --- reading


@contextmanager
def reading(name: str, size: int) -> Generator[Iterator[bytes]]:
    """The content of a file (`-`: standard input) in chunks of at most `size` bytes.

    The iterator raises UnreadableError and CompressedDataError.
    """
    with _opened(name) as file:
        yield raw_chunks(file, size) if name == "-" else content(name, file, size)


@contextmanager
def _opened(name: str) -> Generator[io.RawIOBase]:
    # Unbuffered: a read returns what a pipe has, and does not wait for more.
    try:
        if name != "-":
            file = open(name, "rb", buffering=0)  # noqa: SIM115
        elif sys.stdin is None:
            raise UnreadableError("standard input is closed")
        else:
            file = open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)  # noqa: SIM115
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL
        raise UnreadableError(reason(error)) from error
    with file:
        yield file
