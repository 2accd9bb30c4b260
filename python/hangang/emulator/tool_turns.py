"""What a conversation with tools must look like, in CLOVA's own form and in OpenAI's.

CLOVA ([clova §4]): the assistant's `toolCalls` have an id and `arguments` as an object; the answer
is a `tool` message with that id in `toolCallId` and a string as content. OpenAI's form has
`tool_calls`, `tool_call_id`, and `arguments` as JSON text.

Each function returns what is wrong, as the name of a member and a few words, or None.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .json_types import is_list, is_object, is_text, member

JSON = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Form:
    """The member names of a form, and the type of arguments."""

    calls: str
    call_id: str
    choice: str
    arguments: type
    arguments_name: str


NATIVE = Form("toolCalls", "toolCallId", "toolChoice", dict, "an object")
OPENAI = Form("tool_calls", "tool_call_id", "tool_choice", str, "a string")


def has_tool_turn(messages: list[JSON], form: Form) -> bool:
    """Whether a message is a tool's answer, or has calls."""
    return any(message.get("role") == "tool" or form.calls in message for message in messages)


def wrong_turn(messages: list[JSON], form: Form, *, matched: bool = True) -> str | None:
    """What is wrong with the calls and the tools' answers; `matched`: each answer has an earlier call."""
    called: set[str] = set()
    for number, message in enumerate(messages):
        at = f"messages[{number}]"
        if (calls := message.get(form.calls)) is not None:
            if message.get("role") != "assistant":
                return f"{at}.{form.calls}: only an assistant message has it"
            if not is_list(calls) or (matched and not calls):
                return f"{at}.{form.calls}: must be a list of calls"
            for index, call in enumerate(calls):
                wrong = _wrong_call(call, form)
                if wrong is not None:
                    return f"{at}.{form.calls}[{index}]{wrong}"
                called.add(call["id"])
        if message.get("role") == "tool":
            ident = message.get(form.call_id)
            if not is_text(ident):
                return f"{at}.{form.call_id}: a tool message needs the id of its call"
            if matched and ident not in called:
                return f"{at}.{form.call_id}: no call before it has this id"
            if matched and not isinstance(message.get("content"), str):
                return f"{at}.content: a tool message needs a string"
    return None


def _wrong_call(call: object, form: Form) -> str | None:
    if not is_object(call):
        return ": must be an object"
    if not is_text(call.get("id")):
        return ".id: must be a string"
    if call.get("type") != "function":
        return ".type: must be function"
    if not is_text(member(call, "function", "name")):
        return ".function.name: must be a string"
    if not isinstance(member(call, "function", "arguments"), form.arguments):
        return f".function.arguments: must be {form.arguments_name}"
    return None


def wrong_tools(body: JSON, form: Form) -> str | None:
    """What is wrong with `tools` and the choice; `type` may be missing, as in NAVER's own example."""
    tools = body.get("tools")
    if tools is None:
        return None
    if not is_list(tools):
        return "tools: must be a list"
    names: list[str] = []
    for number, tool in enumerate(tools):
        at = f"tools[{number}]"
        if not is_object(tool) or tool.get("type", "function") != "function":
            return f"{at}.type: must be function"
        name = member(tool, "function", "name")
        if not is_text(name):
            return f"{at}.function.name: must be a string"
        if not is_object(tool["function"].get("parameters", {})):
            return f"{at}.function.parameters: must be a JSON Schema"
        names.append(name)
    choice = body.get(form.choice, "auto")
    if is_object(choice):
        if choice.get("type") != "function" or member(choice, "function", "name") not in names:
            return f"{form.choice}.function.name: names no function of tools"
    elif choice not in ("auto", "none"):
        return f"{form.choice}: must be auto, none or a function"
    return None
