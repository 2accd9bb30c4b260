"""Chat in the OpenAI-compatible format: CLOVA Studio's `/v1/openai`, CLOVA Studio Gov, self-hosted models.

Options are passed on under their names on the wire. A service refuses what it does not support ([openai §2]).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from .messages import Messages, checked_tools, to_openai
from .options import CallOptions, Effort, check_options, checked_str, checked_thinking
from .request import OPENAI, Call, Operation, body_of, split_options, strings, with_call_options

__all__ = [
    "CompatibleOptions",
    "chat_call",
    "embeddings_call",
    "models_call",
    "thinking_by_effort",
    "thinking_by_template",
    "thinking_of_gov",
]


class CompatibleOptions(CallOptions, total=False):
    """Keyword arguments of chat in the OpenAI-compatible format; all optional. None leaves a field out.

    - `thinking`: True, False or `"none"`; where the service has depths, also `"low"`, `"medium"`, `"high"`.
      It is sent as `reasoning_effort`, or as a switch in `chat_template_kwargs`.
    - the others have the names of the wire ([openai §2], [gov §1.1]).
    - the options of every call: see `CallOptions`.
    """

    thinking: bool | Effort | None

    temperature: float | None
    top_p: float | None
    top_k: int | None
    max_tokens: int | None
    max_completion_tokens: int | None
    stop: Sequence[str] | str | None
    seed: int | None
    n: int | None
    tools: Sequence[Mapping[str, Any]] | None
    tool_choice: str | Mapping[str, Any] | None
    parallel_tool_calls: bool | None
    response_format: Mapping[str, Any] | None
    reasoning_effort: str | None
    repetition_penalty: float | None
    repeat_penalty: float | None
    frequency_penalty: float | None
    presence_penalty: float | None
    skip_special_tokens: bool | None
    chat_template_kwargs: Mapping[str, Any] | None
    stream_options: Mapping[str, Any] | None


_OPTIONS = sorted({*CompatibleOptions.__annotations__, *CallOptions.__annotations__})
_HINT = "a field that is not known here goes into extra_body"

Thinking: TypeAlias = Callable[[str, bool | Effort], Mapping[str, Any]]
"""The fields of the body for a model and a value of `thinking`."""


def thinking_by_effort(model: str, thinking: bool | Effort) -> Mapping[str, Any]:
    """CLOVA Studio's endpoint: `reasoning_effort` ([openai §2]), by default as in its native API."""
    if isinstance(thinking, bool):
        thinking = "low" if thinking else "none"
    return {"reasoning_effort": thinking}


def thinking_by_template(model: str, thinking: bool | Effort) -> Mapping[str, Any]:
    """A model on vLLM, SGLang or the like: a switch of its chat template, or `reasoning_effort` for a depth.

    HCX's template has its own names for the switch ([openai §4], [gov §1.1]); EXAONE's and most others have
    `enable_thinking` ([openai §5.1]).
    """
    if thinking in ("low", "medium", "high"):
        return {"reasoning_effort": thinking}
    on = thinking is True
    if "HCX" in model.upper() or "HYPERCLOVA" in model.upper():
        return {"chat_template_kwargs": {"force_reasoning" if on else "skip_reasoning": True}}
    return {"chat_template_kwargs": {"enable_thinking": on}}


def thinking_of_gov(model: str, thinking: bool | Effort) -> Mapping[str, Any]:
    """CLOVA Studio Gov: the switch of the chat template. It documents no depth ([gov §1.1])."""
    if thinking in ("low", "medium", "high"):
        raise ValueError(
            "CLOVA Studio Gov documents no depth of reasoning: pass thinking=True or False, not "
            f"{thinking!r}, or a field of your own in extra_body"
        )
    return thinking_by_template(model, thinking)


def _with_thinking(members: dict[str, Any], model: str, fields_of: Thinking) -> dict[str, Any]:
    """The members of a body with `thinking` in the service's own fields."""
    thinking: Any = members.pop("thinking", None)
    if thinking is None:
        return members
    thinking = checked_thinking(thinking)
    for name, value in fields_of(model, thinking).items():
        given = members.get(name)
        if name == "chat_template_kwargs":
            members[name] = {**value, **(given or {})}
        elif given is not None:
            raise ValueError(f"pass thinking or {name}, not both: the one is sent as the other")
        else:
            members[name] = value
    return members


def chat_call(
    method: str,
    path: str,
    model: str,
    messages: Messages,
    options: Mapping[str, Any],
    *,
    streaming: bool,
    thinking: Thinking = thinking_by_template,
    parser_options: Mapping[str, Any] | None = None,
) -> Call:
    """A chat request.

    Args:
        method: the public method, for errors.
        path: of the endpoint.
        model: its name on the service.
        messages: see `messages`.
        options: `CompatibleOptions`.
        streaming: whether to ask for a stream; only then the body has `stream`.
        thinking: the fields for `thinking=`.
        parser_options: more arguments of the parser.
    """
    check_options(method, options, _OPTIONS, _HINT)
    handled, members = split_options(options)
    checked_tools(members.get("tools"))
    if not isinstance(members.get("stop"), str):
        members["stop"] = strings(members.get("stop"), "stop")
    members = _with_thinking(members, model, thinking)
    headers: Mapping[str, str] | None = members.pop("extra_headers", None)
    extra_body: Mapping[str, Any] | None = members.pop("extra_body", None)
    query: Mapping[str, Any] | None = members.pop("extra_query", None)
    body = body_of(
        extra_body,
        model=checked_str("model", model),
        messages=to_openai(messages),
        stream=True if streaming else None,
        **members,
    )
    dialect = OPENAI if not parser_options else replace(OPENAI, options=parser_options)
    return Call(
        "POST",
        path,
        json=body,
        params=query,
        headers=headers or {},
        dialect=dialect,
        streaming=streaming,
        options=handled,
        operation=Operation("chat", body.get("model")),
    )


def embeddings_call(
    path: str,
    input: str | Sequence[str],
    model: str,
    options: Mapping[str, Any],
    **members: Any,
) -> Call:
    """Embeddings as an OpenAI list."""
    check_options("embeddings", options, sorted(CallOptions.__annotations__), _HINT)
    handled, others = split_options(options)
    texts = input if isinstance(input, str) else strings(input, "input")
    body = body_of(others.get("extra_body"), input=texts, model=checked_str("model", model), **members)
    return Call(
        "POST",
        path,
        json=body,
        params=others.get("extra_query"),
        headers=others.get("extra_headers") or {},
        options=handled,
        operation=Operation("embeddings", body.get("model")),
    )


def models_call(path: str, options: Mapping[str, Any]) -> Call:
    """The models that a key can use."""
    return with_call_options(Call("GET", path), "models", options)
