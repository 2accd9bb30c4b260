"""Answers that a test chooses: `Reply`, and the order in which replies are used.

A service that has no field for a part of a reply leaves that part out: EXAONE and CLOVA's v1 have no
tool calls, agents have no finish reason.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

from ._requests import Request
from .json_types import is_list, is_object


@dataclass(frozen=True, slots=True)
class Reply:
    """One chosen answer of the emulator.

    Attributes:
        text: the answer's text.
        thinking: the reasoning before it.
        tool_calls: pairs of a function's name and its arguments: `(("get_weather", {"city": "서울"}),)`.
        finish_reason: None for the usual one, `tool_calls` or `stop`; any other is sent as it is.
        error: `(code, message)`. Alone it is the service's error answer, with the HTTP status that belongs to
            the code; a code from 400 to 599 is the status itself. After a text it is a stream's error event.
        capture: a path, or bytes: a recorded body, replayed byte for byte. It is the whole answer.

    Raises:
        TypeError: an argument of the wrong type; the message names it.
        ValueError: a capture beside another argument, or text that UTF-8 cannot encode.
        OSError: the file of a capture cannot be read.
    """

    text: str = ""
    thinking: str = ""
    tool_calls: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    finish_reason: str | None = None
    error: tuple[int | str, str] | None = None
    capture: bytes | str | os.PathLike[str] | None = None

    def __post_init__(self) -> None:
        for name, takes, words in _TYPES:
            if not isinstance(value := getattr(self, name), takes):
                raise TypeError(f"{name} must be {words}, not {_type(value)}")
        object.__setattr__(self, "tool_calls", _calls(self.tool_calls))
        object.__setattr__(self, "error", _error(self.error))
        if self.capture is not None:
            self.body()  # a file that is missing is an error here, not in the middle of a test
            if beside := [name for name in _NAMES[:-1] if getattr(self, name)]:
                raise ValueError(f"a capture is the whole answer: leave out {', '.join(beside)}")
        try:
            parts = [self.text, self.thinking, self.tool_calls, self.finish_reason, self.error]
            json.dumps(parts, ensure_ascii=False, allow_nan=False).encode()
        except UnicodeEncodeError:
            raise ValueError("a reply has a lone surrogate, which no service can send") from None
        except (TypeError, ValueError) as error:
            raise TypeError(f"tool_calls: the arguments are not JSON: {error}") from None

    def body(self) -> bytes:
        """The bytes of the capture."""
        if isinstance(self.capture, bytes):
            return self.capture
        return b"" if self.capture is None else Path(self.capture).read_bytes()


_TYPES: tuple[tuple[str, Any, str], ...] = (
    ("text", str, "a str"),
    ("thinking", str, "a str"),
    ("finish_reason", str | None, "a str or None"),
    ("capture", (bytes, str, os.PathLike, type(None)), "a path or bytes"),
)
_NAMES = tuple(field.name for field in fields(Reply))


def _type(value: object) -> str:
    return type(value).__name__


def _calls(given: object) -> tuple[tuple[str, Mapping[str, Any]], ...]:
    calls: list[tuple[str, Mapping[str, Any]]] = []
    for call in cast("Iterable[object]", given) if isinstance(given, tuple | list) else (given,):
        match call:
            case (str() as name, object() as arguments) if is_object(arguments):
                calls.append((name, arguments))
            case _:
                raise TypeError(
                    'tool_calls must be pairs of a name and arguments, such as (("get_weather", '
                    f'{{"city": "서울"}}),); {call!r} is no such pair'
                )
    return tuple(calls)


def _error(given: object) -> tuple[int | str, str] | None:
    match given:
        case None:
            return None
        case (int() | str() as code, str() as message):
            return code, message
        case _:
            raise TypeError(f"error must be a code and a message, such as (429, 'slow down'), not {given!r}")


Choose = Callable[[Request], Reply | None]


class AnswersError(Exception):
    """The callable of `answers` failed, or returned something else than a Reply or None."""


class Replies:
    """Picks the reply for each request; any number of threads may ask. `given` is what the test gave."""

    def __init__(self, answers: Iterable[Reply] | Choose | None) -> None:
        self.given: list[Reply] | Choose | None
        self.given = answers if answers is None or callable(answers) else _list_of(answers)
        self._lock = threading.Lock()
        self._used = 0

    def next(self, request: Request) -> Reply | None:
        """The reply to a request; None for a made-up answer.

        Raises:
            AnswersError: see there.
        """
        if self.given is None:
            return None
        if not callable(self.given):
            with self._lock:
                self._used += 1
                return self.given[min(self._used, len(self.given)) - 1]
        try:
            reply = cast("object", self.given(request))
        except Exception as error:
            raise AnswersError(f"answers raised {_type(error)}: {error}") from error
        if reply is None or isinstance(reply, Reply):
            return reply
        raise AnswersError(f"answers returned {_type(reply)}; it must return a Reply or None")


def _list_of(answers: object) -> list[Reply]:
    wrong = TypeError(f"answers must be a list of Reply or a callable, not {_type(answers)}")
    if isinstance(answers, Reply | str | bytes | Mapping) or not isinstance(answers, Iterable):
        raise wrong
    found: list[Reply] = []
    for number, reply in enumerate(cast("Iterable[object]", answers)):
        if not isinstance(reply, Reply):
            raise TypeError(f"answers[{number}] must be a Reply, not {_type(reply)}")
        found.append(reply)
    if not found:
        raise ValueError("answers is empty: give at least one Reply, or None for made-up answers")
    return found


def read_answers(path: str | os.PathLike[str]) -> list[Reply]:
    """The replies in a file of JSON lines, one an object with the fields of `Reply`; blank lines are skipped.

    A path in `capture` is relative to the file's folder.

    Raises:
        ValueError: a line is not such an object, or the file has none; the message names the line.
        OSError: the file cannot be read.
    """
    found: list[Reply] = []
    for number, line in enumerate(Path(path).read_bytes().split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            found.append(_reply_of(json.loads(line.decode("utf-8-sig")), Path(path).parent))
        except (TypeError, ValueError, OSError, RecursionError) as error:
            raise ValueError(f"{path}, line {number}: {_reason(error)}") from None
    if not found:
        raise ValueError(f"{path}: no line has a reply")
    return found


def _reason(error: Exception) -> str:
    match error:
        case json.JSONDecodeError():
            return f"not JSON: {error.msg} at column {error.colno}"
        case OSError():
            return f"capture: {error.filename}: {error.strerror}"
        case RecursionError():
            return "nested too deeply"
        case _:
            return str(error)


def _reply_of(value: object, folder: Path) -> Reply:
    if not is_object(value):
        raise TypeError('a line must be an object such as {"text": "안녕하세요"}')
    for name in value.keys() - set(_NAMES):
        near = get_close_matches(name, _NAMES, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"a reply has {', '.join(_NAMES)}"
        raise ValueError(f"unknown field {name!r}; {hint}")
    given = {name: member for name, member in value.items() if member is not None}
    if (capture := given.get("capture")) is not None:
        if not isinstance(capture, str):
            raise TypeError(f"capture must be a path, not {_type(capture)}")
        given["capture"] = folder / capture
    if is_list(calls := given.get("tool_calls")):
        given["tool_calls"] = [
            [call.get("name"), call.get("arguments", {})] if is_object(call) else call for call in calls
        ]
    return Reply(**given)
