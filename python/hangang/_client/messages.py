"""Chat messages as users write them, to what a service takes.

`messages` may be a `str` (one user message) or a sequence of dicts as on the service's wire, dicts in
OpenAI's form, and `Completion`s (the assistant's turn). Members that need no change are passed on.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias, TypeGuard, cast

from hangang._completion import Completion
from hangang._values import is_object

__all__ = ["Messages", "checked_tools", "to_clova", "to_openai"]

Messages: TypeAlias = str | Sequence[Mapping[str, Any] | Completion]

_FORM = "messages must be a str or a list of dicts such as {'role': 'user', 'content': '...'} and Completions"

# Members of an OpenAI message that CLOVA does not have. Empty ones come with every answer of OpenAI's SDK.
_OPENAI_ONLY = ("refusal", "audio", "function_call", "annotations", "reasoning_content", "reasoning")


def to_clova(messages: Messages) -> list[dict[str, Any]]:
    """Messages in CLOVA's native form ([clova §4]).

    Raises:
        TypeError: a wrong type.
        ValueError: tool arguments that are not a JSON object.
    """
    return [_clova_message(message, place) for place, message in enumerate(_dicts(messages))]


def to_openai(messages: Messages) -> list[dict[str, Any]]:
    """Messages in OpenAI's form.

    Raises:
        TypeError: a wrong type.
    """
    return [_openai_message(message, place) for place, message in enumerate(_dicts(messages))]


def _is_mapping(value: object) -> TypeGuard[Mapping[str, Any]]:
    """`isinstance`, as the type checkers understand it."""
    return isinstance(value, Mapping)


def _dicts(messages: object) -> Iterable[dict[str, Any]]:
    if isinstance(messages, str):
        return [{"role": "user", "content": messages}]
    if (
        _is_mapping(messages)
        or isinstance(messages, bytes | Completion)
        or not isinstance(messages, Iterable)
    ):
        raise TypeError(f"{_FORM}, not {type(messages).__name__}")
    found: list[dict[str, Any]] = []
    for place, message in enumerate(cast("Iterable[object]", messages)):
        if isinstance(message, Completion):
            found.append(message.to_message())
        elif _is_mapping(message):
            found.append(dict(message))
        else:
            raise TypeError(f"{_FORM}; messages[{place}] is {type(message).__name__}")
    return found


def _clova_message(message: dict[str, Any], place: int) -> dict[str, Any]:
    if message.get("role") == "developer":
        message["role"] = "system"
    for name in _OPENAI_ONLY:
        message.pop(name, None)
    if "tool_call_id" in message:
        message["toolCallId"] = message.pop("tool_call_id")
    if "tool_calls" in message:
        calls = message.pop("tool_calls")
        if calls:
            message["toolCalls"] = [
                _clova_call(call, f"messages[{place}]") for call in _listed(calls, "tool_calls", place)
            ]
    content = message.get("content")
    if content is None:
        message["content"] = ""  # null and a missing one are refused
    elif isinstance(content, list | tuple):
        parts = [_clova_part(part) for part in cast("Sequence[Any]", content)]
        message["content"] = _joined(parts) if message.get("role") == "tool" else parts
    return message


def _joined(parts: list[object]) -> object:
    """The text of a tool turn, for which CLOVA takes a string; the parts if they are not all of text."""
    texts = [part.get("text") for part in parts if _is_mapping(part) and part.get("type") == "text"]
    is_text = len(texts) == len(parts) and all(isinstance(text, str) for text in texts)
    return "".join(cast("list[str]", texts)) if is_text else parts


def _listed(calls: object, name: str, place: int) -> Iterable[object]:
    if isinstance(calls, str | bytes) or _is_mapping(calls) or not isinstance(calls, Iterable):
        raise TypeError(f"messages[{place}]: {name} must be a list of dicts, not {type(calls).__name__}")
    return cast("Iterable[object]", calls)


def _clova_call(call: object, where: str) -> object:
    function = call.get("function") if _is_mapping(call) else None
    if not _is_mapping(call) or not _is_mapping(function):
        return call
    arguments: Any = function.get("arguments")
    if arguments is None or isinstance(arguments, str):
        try:
            arguments = json.loads(arguments or "{}")
        except ValueError:
            arguments = None
        if not is_object(arguments):
            raise ValueError(
                f"{where}: the arguments of tool call {function.get('name')!r} are not a JSON object, which "
                "CLOVA Studio needs"
            )
    return {
        "id": call.get("id"),
        "type": call.get("type") or "function",
        "function": {**function, "arguments": arguments},
    }


def _clova_part(part: object) -> object:
    if not _is_mapping(part) or part.get("type") != "image_url" or "image_url" not in part:
        return part
    image: object = part["image_url"]
    url: object = image.get("url") if _is_mapping(image) else image
    if isinstance(url, str) and url.startswith("data:"):
        return {"type": "image_url", "dataUri": {"data": url.partition(",")[2]}}
    return {"type": "image_url", "imageUrl": {"url": url}}


def _openai_message(message: dict[str, Any], place: int) -> dict[str, Any]:
    if "toolCallId" in message:
        message["tool_call_id"] = message.pop("toolCallId")
    if "toolCalls" in message:
        calls = _listed(message.pop("toolCalls") or (), "toolCalls", place)
        message["tool_calls"] = [_openai_call(call) for call in calls]
    return message


def _openai_call(call: object) -> object:
    function = call.get("function") if _is_mapping(call) else None
    if not _is_mapping(call) or not _is_mapping(function) or isinstance(function.get("arguments"), str):
        return call
    arguments = json.dumps(function.get("arguments") or {}, ensure_ascii=False)
    return {**call, "function": {**function, "arguments": arguments}}


def checked_tools(tools: object) -> object:
    """`tools=` unchanged; a TypeError if it is not a list of tools, such as one tool by itself."""
    if tools is None:
        return None
    if isinstance(tools, str | bytes) or _is_mapping(tools) or not isinstance(tools, Sequence):
        raise TypeError(f"tools must be a list of dicts, not {type(tools).__name__}")
    for place, tool in enumerate(cast("Sequence[object]", tools)):
        if not _is_mapping(tool):
            raise TypeError(f"tools must be a list of dicts; tools[{place}] is {type(tool).__name__}")
    return cast("object", tools)
