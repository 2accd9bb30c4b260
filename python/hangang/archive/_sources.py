"""What `hangang archive` reads: files, folders, globs and fsspec URLs, found in the order of their names.

Always true:
- a source is found lazily: memory does not grow with the number of files in a tree of local folders;
- `name` is what rows show as their `source`: the path or URL as it was found. `path` is how a worker opens
  it: local paths are absolute, since a worker may run in another folder;
- tables are `.parquet` and `.jsonl` (also `.jsonl.gz`, `.jsonl.zst`); every other file is one capture.

What will bite:
- hidden files and folders are skipped, and so is the output folder inside a source folder;
- a listing of an object store is held in memory by fsspec, about a kilobyte an object.
"""

from __future__ import annotations

import glob
import importlib
import os
import stat
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from hangang._compressed import UnreadableError, reason

__all__ = ["Source", "find_sources", "is_remote", "open_source", "problem"]


class Source(NamedTuple):
    """A file to read.

    Attributes:
        name: its path or URL as found.
        path: its absolute path, or its URL.
        size: its stored bytes, -1 if the file system does not say.
    """

    name: str
    path: str
    size: int

    @property
    def kind(self) -> str:
        """`parquet`, `jsonl` or `capture`."""
        name = self.name.lower()
        if not name.endswith(_TABLES):
            return "capture"
        return "parquet" if name.endswith(".parquet") else "jsonl"

    @property
    def is_compressed(self) -> bool:
        """Whether its content is read, not its bytes."""
        return self.path.lower().endswith((".gz", ".zst"))


_TABLES = (".parquet", ".jsonl", ".jsonl.gz", ".jsonl.zst")


def is_remote(name: str) -> bool:
    """Whether it is a URL for fsspec."""
    return "://" in name


def find_sources(given: Sequence[str], exclude: str) -> Iterator[Source]:
    """The files of all arguments, each once. What is below the folder `exclude` is left out.

    Raises:
        UnreadableError: an argument names nothing, or cannot be listed; its message begins with the argument.
    """
    seen: set[int] | None = set() if len(given) > 1 else None  # hashes: a listing may be long
    for argument in given:
        is_empty = True
        found = _find_remote(argument) if is_remote(argument) else _find_local(argument, exclude)
        for source in found:
            is_empty = False
            if seen is not None:
                key = hash(source.path)
                if key in seen:
                    continue
                seen.add(key)
            yield source
        if is_empty:
            raise UnreadableError(f"{argument}: no files there")


# --- local files


def _find_local(argument: str, exclude: str) -> Iterator[Source]:
    path = os.path.expanduser(argument)
    if os.path.lexists(path):
        yield from _walk(path, exclude)
    elif glob.has_magic(path):
        matches = sorted(glob.iglob(path, recursive=True))
        # `**` matches a folder and what is in it: then the folder is not read again. Other patterns mean it.
        is_deep = "**" in path
        for match in matches:
            if not (is_deep and os.path.isdir(match)):
                yield from _walk(match, exclude)
        if not matches:
            raise UnreadableError(f"{argument}: no file matches")
    else:
        raise UnreadableError(f"{argument}: No such file or directory")


def _walk(path: str, exclude: str) -> Iterator[Source]:
    """A file, or the files in a folder at any depth, in the order of their names."""
    root = os.path.abspath(path)
    if not os.path.isdir(path):
        try:
            yield Source(path, root, os.stat(path).st_size)
        except OSError:
            yield Source(path, root, -1)  # reading it will name the error
        return
    # A stack of folders: they may be nested deeper than Python recurses. Names only, and one system call a
    # file: there may be millions.
    folders = [_Folder(path, root, exclude)]
    while folders:
        folder = folders[-1]
        shown, full, entries = folder.shown, folder.full, folder.entries
        while entries:
            name, is_folder = entries.pop()
            if is_folder:
                folders.append(_Folder(shown + name, full + name, exclude))
                break
            try:
                status = os.stat(full + name)
            except OSError:
                yield Source(shown + name, full + name, -1)
                continue
            # No links to folders, and no pipes: opening one would wait for a writer.
            if stat.S_ISREG(status.st_mode):
                yield Source(shown + name, full + name, status.st_size)
        else:
            if folder.is_unreadable:
                yield Source(folder.name, folder.path, -1)
            folders.pop()


class _Folder:
    """A folder of a walk: its entries that are left, the last first."""

    __slots__ = ("entries", "full", "is_unreadable", "name", "path", "shown")

    def __init__(self, name: str, path: str, exclude: str) -> None:
        self.name = name
        self.path = path
        self.shown = os.path.join(name, "")  # what the names of its entries begin with
        self.full = os.path.join(path, "")
        self.entries: list[tuple[str, bool]] = []
        self.is_unreadable = False
        if path == exclude:
            return
        try:
            with os.scandir(path) as scanned:
                self.entries = [
                    (entry.name, entry.is_dir(follow_symlinks=False))
                    for entry in scanned
                    if not entry.name.startswith(".")
                ]
        except OSError:
            self.is_unreadable = True
        self.entries.sort(reverse=True)


# --- fsspec


def _fsspec() -> Any:
    try:
        return importlib.import_module("fsspec")
    except ModuleNotFoundError as error:
        if error.name != "fsspec":
            raise
        raise UnreadableError("URLs need fsspec; pip install 'hangang[archive]'") from error


def file_system(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path in it; raises UnreadableError."""
    try:
        file_system, path = _fsspec().core.url_to_fs(url)
    except ImportError as error:  # it says which package is missing
        raise UnreadableError(f"{url}: {error}") from error
    except ValueError as error:
        raise UnreadableError(f"{url}: {error}") from error
    return file_system, path


def _find_remote(url: str) -> Iterator[Source]:
    fs, path = file_system(url)
    try:
        if glob.has_magic(path) and not fs.exists(path):
            found = fs.glob(path, detail=True)
        elif fs.isdir(path):
            found = fs.find(path, detail=True)
        else:
            yield Source(url, url, _size(fs.info(path)))
            return
    except Exception as error:
        raise UnreadableError(f"{url}: {problem(error)}") from error
    for name in sorted(found):
        info = found[name]
        below = name.removeprefix(path)
        if info["type"] != "directory" and not any(part.startswith(".") for part in below.split("/")):
            full = fs.unstrip_protocol(name)
            yield Source(full, full, _size(info))


def _size(info: dict[str, Any]) -> int:
    size = info.get("size")
    return size if isinstance(size, int) else -1


def problem(error: BaseException) -> str:
    """Why something cannot be read: libraries below fsspec raise errors of every kind."""
    if isinstance(error, FileNotFoundError):
        return "No such file or directory"
    if isinstance(error, OSError):
        return reason(error)
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def open_source(source: Source) -> Any:
    """A source as a binary file; raises UnreadableError."""
    try:
        if not is_remote(source.path):
            return open(source.path, "rb", buffering=0)
        fs, path = file_system(source.path)
        return fs.open(path, "rb")
    except UnreadableError:
        raise
    except Exception as error:
        raise UnreadableError(problem(error)) from error
