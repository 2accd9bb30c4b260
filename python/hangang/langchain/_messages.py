"""LangChain's messages to the forms that the services take.

- LangChain's own converter turns every kind of content part into OpenAI's form; the clients turn that into
  CLOVA's.
- An assistant's message is its text and its tool calls. Reasoning is never sent back ([clova §4]).
- CLOVA takes one system message and EXAONE none; see `to_clova` and `to_exaone`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.messages import convert_to_openai_messages as converted

__all__ = ["to_clova", "to_exaone", "to_openai"]

Wire = list[dict[str, Any]]


def to_openai(messages: Iterable[BaseMessage]) -> Wire:
    """Messages in OpenAI's form."""
    wire: Wire = []
    for message in messages:
        if isinstance(message, AIMessage):
            wire.append(_assistant(message))
        else:
            wire += converted([message])  # a message with several tool results becomes several
    return wire


def to_clova(messages: Iterable[BaseMessage]) -> Wire:
    """Messages in OpenAI's form, as CLOVA's client takes them.

    All system messages become one at the start, because a request may have only one ([clova §4]). Names are
    left out: CLOVA's messages have none.
    """
    wire = to_openai(messages)
    system = [message for message in wire if message["role"] in ("system", "developer")]
    if len(system) > 1:
        wire = [{"role": "system", "content": _joined(system)}, *(one for one in wire if one not in system)]
    for message in wire:
        message.pop("name", None)
    return wire


def to_exaone(messages: Sequence[BaseMessage]) -> tuple[str, Wire]:
    """A question, and the turns before it as `{query, intent, answer}` ([exaone §3]).

    EXAONE has no system message: its text is put before the question. Messages of one role that follow each
    other become one.

    Raises:
        ValueError: the last message is not a question, an answer has no question before it, a message is of a
            role that EXAONE does not have, or one of the user's has more than text.
    """
    system: list[str] = []
    turns: Wire = []
    queries: list[str] = []
    for message in messages:
        text = str(message.text)
        if isinstance(message, SystemMessage | HumanMessage):
            _check_text(message)
            (system if isinstance(message, SystemMessage) else queries).append(text)
        elif isinstance(message, AIMessage) and not message.tool_calls:
            intent = message.response_metadata.get("intent") or ""
            if queries:
                turns.append({"query": _lines(queries), "intent": intent, "answer": text})
                queries = []
            elif turns:
                turns[-1]["answer"] = _lines([turns[-1]["answer"], text])
            else:
                raise ValueError(
                    "EXAONE's history is questions and answers: an answer needs a question first"
                )
        else:
            raise ValueError(f"EXAONE takes no {message.type} message with tools: it has no tool calling")
    if not queries:
        raise ValueError("EXAONE answers a question: the last message must be a human one")
    return _lines([*system, *queries]), turns


def _check_text(message: BaseMessage) -> None:
    """`message.text` leaves out every other part: an image would be lost without a word."""
    for part in message.content if isinstance(message.content, list) else ():
        kind = "text" if isinstance(part, str) else part.get("type")
        if kind != "text":
            raise ValueError(f"EXAONE takes only text; a {message.type} message has a part of type {kind}")


def _lines(texts: Iterable[str]) -> str:
    return "\n\n".join(text for text in texts if text)


def _joined(messages: Wire) -> str | list[Any]:
    contents = [message["content"] for message in messages]
    if all(isinstance(content, str) for content in contents):
        return _lines(contents)
    parts: list[Any] = []
    for content in contents:
        parts += [{"type": "text", "text": content}] if isinstance(content, str) else content
    return parts


def _assistant(message: AIMessage) -> dict[str, Any]:
    wire: dict[str, Any] = {"role": "assistant", "content": str(message.text)}
    if message.name:
        wire["name"] = message.name
    calls = [
        _call(one["id"], one["name"], json.dumps(one["args"], ensure_ascii=False))
        for one in message.tool_calls
    ]
    # Calls whose arguments could not be read, because the tool messages about them need their calls.
    calls += [_call(one["id"], one["name"], one["args"]) for one in message.invalid_tool_calls]
    if calls:
        wire["tool_calls"] = calls
    return wire


def _call(identity: str | None, name: str | None, arguments: str | None) -> dict[str, Any]:
    return {
        "id": identity,
        "type": "function",
        "function": {"name": name, "arguments": arguments or "{}"},
    }
