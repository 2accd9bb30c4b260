"""Parts of OpenAI-shaped answers that `Completion.to_openai` and `openai.to_chunks` share ([openai §2])."""

from __future__ import annotations

import os
from typing import Any

from ._backend import impl
from ._tool_calls import ToolCall

__all__ = ["call_id", "finish_reason", "new_id", "tool_call", "usage"]

Usage = impl.Usage

#: Finish reasons that OpenAI's clients do not know, and what they mean there: v1's ([clova §2]), and that of
#: legacy function calls, which are tool calls here.
_FINISH_REASONS = {"end_token": "stop", "stop_before": "stop", "function_call": "tool_calls"}


def new_id() -> str:
    """An id for an answer whose service gives none."""
    return f"chatcmpl-{os.urandom(12).hex()}"


def finish_reason(reason: str) -> str:
    """`reason` as OpenAI's clients know it; unknown ones are passed on."""
    return _FINISH_REASONS.get(reason, reason)


def call_id(identity: str | None, number: int | None) -> str:
    """The id of a call; one made from its number where the service gives none, as clients require one."""
    return identity or f"call_{number or 0}"


def tool_call(call: ToolCall) -> dict[str, Any]:
    """A whole call as a member of `tool_calls`."""
    return {
        "id": call_id(call.id, call.index),
        "type": call.type or "function",
        "function": {"name": call.name or "", "arguments": call.arguments or "{}"},
    }


def usage(counts: Usage) -> dict[str, Any]:
    """Token counts as OpenAI's clients require them: integers, and a total."""
    prompt, completion = counts.prompt_tokens or 0, counts.completion_tokens or 0
    total = counts.total_tokens
    shaped: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion if total is None else total,
    }
    if counts.thinking_tokens is not None:
        shaped["completion_tokens_details"] = {"reasoning_tokens": counts.thinking_tokens}
    return shaped


def error(event: Any) -> dict[str, Any]:
    """An `Error` event of any dialect as the object that OpenAI's clients raise for."""
    return {
        "message": event.message,
        "type": getattr(event, "type", None),
        "param": getattr(event, "param", None),
        "code": event.code,
    }
