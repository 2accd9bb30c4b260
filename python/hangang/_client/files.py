"""Files to upload: a path, bytes, an open file, or `(name, content[, content type])`.

The whole content is read before sending, so that a retry sends the same bytes again.
"""

from __future__ import annotations

import mimetypes
import os
from typing import IO, Any, TypeAlias, cast

from hangang._errors import PayloadTooLargeError

__all__ = ["FileInput", "read_file"]

Content: TypeAlias = bytes | IO[bytes]
FileInput: TypeAlias = str | os.PathLike[str] | Content | tuple[str, Content] | tuple[str, Content, str]

# Missing in the standard library's table; the formats of the Gov FAQ.
_TYPES = {
    ".hwp": "application/x-hwp",
    ".hwpx": "application/hwp+zip",
    ".md": "text/markdown",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}


def read_file(
    file: FileInput, *, content_type: str | None = None, limit: int | None = None, rule: str = ""
) -> tuple[str, bytes, str]:
    """Name, content and content type of a file to upload.

    Args:
        file: a path, bytes, an open binary file, or a tuple that names it.
        content_type: as given, else of the tuple, else guessed from the name.
        limit: most bytes allowed; at most one byte more is read.
        rule: the documented rule for `limit`, quoted in the error.

    Raises:
        PayloadTooLargeError: the file is larger than `limit`; nothing was sent.
        OSError: it cannot be read.
        TypeError: it is none of the above.
    """
    name: str | None = None
    content: Any  # not yet checked
    if isinstance(file, tuple):
        name, content = file[0], file[1]
        if content_type is None and len(file) == 3:
            content_type = file[2]
    else:
        content = file
    if isinstance(content, str | os.PathLike):
        path: str = os.fspath(content)
        name = name or os.path.basename(path)
        with open(path, "rb") as opened:
            data = _read(opened, limit)
    elif isinstance(content, bytes | bytearray | memoryview):
        data = bytes(cast("bytes", content))
    elif hasattr(content, "read"):
        data = _read(content, limit)
        if name is None and isinstance(named := getattr(content, "name", None), str):
            name = os.path.basename(named)
    else:
        raise TypeError(
            "a file is a path, bytes, an open binary file or (name, content[, content type]), not "
            f"{type(content).__name__}"
        )
    if limit is not None and len(data) > limit:
        raise PayloadTooLargeError(f"{name or 'the file'} is larger than {limit} bytes: {rule}")
    name = name or "file"
    if content_type is None:
        extension = os.path.splitext(name)[1].lower()
        content_type = _TYPES.get(extension) or mimetypes.guess_type(name)[0]
    return name, data, content_type or "application/octet-stream"


def _read(file: IO[bytes], limit: int | None) -> bytes:
    data = file.read() if limit is None else file.read(limit + 1)
    if type(data) is not bytes:
        raise TypeError("a file to upload must be opened in binary mode")
    return data
