"""The manifest of an output folder: which tables are part of the result, and which sources they hold.

Always true:
- a table counts when the manifest names it. Files are renamed first and named in the manifest after that,
  so whatever moment a run is killed at, each source is in the result once or not at all;
- the file only grows, a line a part, and each line is on the disk before the next part is committed. A last
  line that was cut is as if it had not been written;
- one process at a time writes to a folder: it holds a lock on the manifest, which ends with the process.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from hashlib import blake2b
from typing import Any

from hangang._version import __version__
from hangang.archive._part import TEMPORARY, Options, Part, PartResult
from hangang.archive._sources import Source

__all__ = ["MANIFEST", "Manifest", "ManifestError"]

MANIFEST = "_manifest.jsonl"  # readers of a folder of Parquet skip names that begin so
_OURS = re.compile(r"part-\d+-\d+\.parquet|\.part-.*" + re.escape(TEMPORARY))


class ManifestError(Exception):
    """The folder cannot be written to, or not with these options."""


class Manifest:
    """An output folder that this process writes to.

    Attributes:
        rows: of the parts that are committed.
        faults: bodies with a fault in them.
        next_part: the number of the next part.
    """

    def __init__(self, options: Options, *, resume: bool) -> None:
        self._out = options.out
        self._path = os.path.join(options.out, MANIFEST)
        self._done: dict[bytes, int] = {}  # digests of what was read, and the source's size then
        self._begun: dict[bytes, int] = {}  # of sources of which pieces were read
        self.rows = 0
        self.faults = 0
        self.next_part = 0
        try:
            os.makedirs(options.out, exist_ok=True)
            if not resume and self._is_in_use():
                raise ManifestError(
                    f"{options.out} holds tables; --resume continues them, or name another folder"
                )
            self._file = open(self._path, "a+b")  # noqa: SIM115
        except OSError as error:
            raise ManifestError(f"{options.out}: {error.strerror or error}") from error
        try:
            self._lock()
            self._load(options)
            self._remove_leftovers()
        except BaseException:
            self._file.close()
            raise

    def _is_in_use(self) -> bool:
        return any(name == MANIFEST or _OURS.fullmatch(name) for name in os.listdir(self._out))

    def _lock(self) -> None:
        try:
            import fcntl
        except ImportError:  # Windows
            return
        try:
            fcntl.flock(self._file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ManifestError(f"another process is writing to {self._out}") from None
        except OSError:
            pass  # a file system without locks

    def _load(self, options: Options) -> None:
        self._tables: set[str] = set()
        self._file.seek(0)
        end = 0
        header: Any = None
        for line in self._file:
            if not line.endswith(b"\n"):
                break
            entry = json.loads(line)
            end += len(line)
            if header is None:
                header = entry
            elif "part" in entry:
                self._load_part(entry)
        self._file.truncate(end)
        wanted = {
            "column": options.column,
            "events": options.events,
            "format": options.dialect or "auto",
            "max_body_bytes": options.max_body_bytes,
        }
        if header is None:
            self._append({"hangang": __version__, "manifest": 1, "options": wanted})
            return
        for name, value in header["options"].items():
            if wanted.get(name) != value:
                option = "--" + name.replace("_", "-")
                raise ManifestError(
                    f"{self._out} was begun with {option} {_shown(value)}, not {_shown(wanted.get(name))}; "
                    "use the same options, or name another folder"
                )

    def _load_part(self, entry: dict[str, Any]) -> None:
        self.next_part = max(self.next_part, entry["part"] + 1)
        self.rows += entry["rows"]
        self.faults += entry["faults"]
        self._tables.update(file["name"] for file in entry["files"])
        piece = entry.get("row_groups") or entry.get("byte_range")
        for name, size in entry["sources"]:
            self._done[_digest(name, piece)] = size
            if piece is not None:
                self._begun[_digest(name, None)] = size

    def _remove_leftovers(self) -> None:
        for name in os.listdir(self._out):
            if _OURS.fullmatch(name) and name not in self._tables:
                with contextlib.suppress(OSError):
                    os.unlink(os.path.join(self._out, name))

    def is_done(self, source: Source, piece: tuple[int, int] | None = None) -> bool:
        """Whether the rows of a source, or of a piece of it, are in the result.

        Raises ManifestError if it has changed since.
        """
        if not self._done:
            return False
        digest = _digest(source.name, piece)
        is_done = digest in self._done
        size = self._done.get(digest, self._begun.get(digest, source.size))
        if size != source.size:
            raise ManifestError(
                f"{source.name} has changed since it was read ({size} bytes then, {source.size} now): "
                "the rows would not be those of one run; name another folder"
            )
        return is_done

    def commit(self, part: Part, result: PartResult) -> None:
        """Rename a part's tables and name them. Raises OSError."""
        files = []
        for number, (temporary, rows) in enumerate(result.files):
            name = f"part-{part.number:06d}-{number}.parquet"
            os.replace(os.path.join(self._out, temporary), os.path.join(self._out, name))
            files.append({"name": name, "rows": rows})
        self._sync_folder()
        unreadable = {name for name, _ in result.unreadable}
        entry: dict[str, Any] = {
            "part": part.number,
            "files": files,
            "rows": result.rows,
            "bodies": result.bodies,
            "faults": result.faults,
            "sources": [[one.name, one.size] for one in part.sources if one.name not in unreadable],
        }
        if part.row_groups is not None:
            entry["row_groups"] = list(part.row_groups)
        if part.byte_range is not None:
            entry["byte_range"] = list(part.byte_range)
        self._append(entry)
        self.rows += result.rows
        self.faults += result.faults

    def _append(self, entry: dict[str, Any]) -> None:
        line = json.dumps(entry, ensure_ascii=False, separators=(",", ":"))
        self._file.write(line.encode("utf-8", "surrogateescape") + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def _sync_folder(self) -> None:
        # The names, too, must be on the disk before the manifest names them.
        with contextlib.suppress(OSError):
            folder = os.open(self._out, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def close(self) -> None:
        """Remove what unfinished parts have left, and let another process write."""
        if not self._file.closed:
            for name in os.listdir(self._out):
                if name.endswith(TEMPORARY) and _OURS.fullmatch(name):
                    with contextlib.suppress(OSError):
                        os.unlink(os.path.join(self._out, name))
            self._file.close()


def _digest(name: str, piece: Any) -> bytes:
    text = name if piece is None else f"{name}\0{list(piece)}"
    return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=12).digest()


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
