"""The formats of `decode`, and how it detects the format of a stream.

A detector looks at a bounded prefix and decides at the first complete frame that shows the format: by the
event's name, else by the member names of its JSON object. The framing parsers find the frames; no byte of the
prefix is framed twice.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from hangang import JSONStreamParser, ParseError, SSEParser, a2a, clova, exaone, openai

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hangang import ServerSentEvent

__all__ = ["FORMATS", "PREFIX", "Detector", "Event", "Format", "Parser"]

Format: TypeAlias = Literal["clova", "exaone", "openai", "a2a"]
Parser: TypeAlias = clova.StreamParser | exaone.StreamParser | openai.StreamParser | a2a.StreamParser
Event: TypeAlias = clova.Event | exaone.Event | openai.Event | a2a.Event

FORMATS: tuple[Format, ...] = ("clova", "exaone", "openai", "a2a")

PREFIX = 64 * 1024
"""Bytes that a detector examines before it guesses."""

_SPACE = b" \t\r\n"
_BOM = b"\xef\xbb\xbf"

# For a first frame that is longer than the prefix: the first member name that only one format has.
_MARKS: tuple[tuple[Format, bytes], ...] = (
    ("exaone", rb'"result_code"'),
    ("a2a", rb'"(?:jsonrpc|statusUpdate|artifactUpdate|contextId|artifacts)"'),
    ("openai", rb'"(?:choices|object|error_message)"'),
    (
        "clova",
        rb'"(?:stopReason|finishReason|inputLength|outputLength|aiFilter)"|"status"\s*:\s*\{\s*"code"',
    ),
    ("clova", rb"(?m:^)event:\s*(?:token|result|signal)\b"),
)
_ANY_MARK = re.compile(b"|".join(b"(" + pattern + b")" for _, pattern in _MARKS))


class Detector:
    """Feed it a stream from its start until it names a format; call `close` if the stream ends before that.

    Attributes:
        guessed: whether the result is a guess, because nothing in the prefix identified the format.
    """

    guessed: bool

    def __init__(self) -> None:
        self.guessed = False
        self._prefix = bytearray()
        self._framing: SSEParser | JSONStreamParser | None = None

    def feed(self, chunk: bytes) -> Format | None:
        """The format, once the bytes so far show it; None while more are needed, at most `PREFIX` of them."""
        if self._framing is None:
            self._prefix += chunk
            chunk = bytes(self._prefix)
            start = chunk.removeprefix(_BOM).lstrip(_SPACE)
            if not start or _BOM.startswith(start):
                return self.close() if len(chunk) >= PREFIX else None
            limit = len(chunk) + PREFIX
            self._framing = (
                JSONStreamParser(max_frame_bytes=limit)
                if start.startswith(b"{")
                else SSEParser(max_frame_bytes=limit)
            )
        else:
            self._prefix += chunk
        frames: Iterable[bytes | ServerSentEvent]
        is_sound = True
        try:
            frames = self._framing.feed(chunk)
        except ParseError as error:
            frames = error.events
            is_sound = False
        for frame in frames:
            found = _of_json(_loads(frame)) if isinstance(frame, bytes) else _of_event(frame)
            if found is not None:
                return found
        return None if is_sound and len(self._prefix) < PREFIX else self.close()

    def close(self) -> Format:
        """The likeliest format if no complete frame showed it."""
        mark = _ANY_MARK.search(self._prefix)
        if mark is not None and mark.lastindex is not None:
            return _MARKS[mark.lastindex - 1][0]
        self.guessed = True
        return "exaone" if isinstance(self._framing, JSONStreamParser) else "openai"


def _loads(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _of_event(event: ServerSentEvent) -> Format | None:
    if event.event in ("token", "result", "signal"):
        return "clova"
    if event.data == "[DONE]":
        return "openai"
    return _of_json(_loads(event.data)) or ("clova" if event.event == "error" else None)


def _of_json(value: Any) -> Format | None:
    """The format whose frames have such members. The order matters: a test names what the later ones lack."""
    if not isinstance(value, dict):
        return None
    if "result_code" in value:
        return "exaone"
    if "jsonrpc" in value:
        return "a2a"
    if not value.keys().isdisjoint(("choices", "object", "error_message", "custom_status")):
        return "openai"
    if "kind" in value:
        return "a2a"
    result = value.get("result")
    if isinstance(result, dict):
        # CLOVA's whole answer, the same around an OpenAI-compatible one, or A2A whose envelope was taken off.
        return _of_json(result) or ("clova" if "status" in value else None)
    message = value.get("message")
    if isinstance(message, dict):
        return "clova" if message.keys().isdisjoint(("parts", "messageId", "kind")) else "a2a"
    if not value.keys().isdisjoint(
        ("task", "statusUpdate", "artifactUpdate", "artifact", "artifacts", "parts")
    ):
        return "a2a"
    status = value.get("status")
    if isinstance(status, dict):
        return "a2a" if "state" in status else "clova"
    if "error" in value or "usage" in value:
        return "openai"
    return "clova" if value.get("data") == "[DONE]" else None
