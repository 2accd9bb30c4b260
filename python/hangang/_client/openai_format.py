"""Chat in the OpenAI-compatible format: CLOVA Studio's `/v1/openai`, CLOVA Studio Gov, self-hosted models.

Options are passed on under their names on the wire. A service refuses what it does not support ([openai §2]).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from .messages import Messages, checked_tools, to_openai
from .options import CALL_OPTIONS, CallOptions, check_options
from .request import OPENAI, Call, Operation, body_of, split_options, strings

__all__ = ["CompatibleOptions", "chat_call", "embeddings_call", "models_call"]


class CompatibleOptions(CallOptions, total=False):
    """Keyword arguments of chat in the OpenAI-compatible format; all optional. None leaves a field out.

    The names are those of the wire ([openai §2], [gov §1.1]). The options of every call are in
    `CallOptions`.
    """

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
_HINT = "; a field that is not known here goes into extra_body"


def chat_call(
    method: str,
    path: str,
    model: str,
    messages: Messages,
    options: Mapping[str, Any],
    *,
    streaming: bool,
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
        parser_options: more arguments of the parser.
    """
    check_options(method, options, _OPTIONS, _HINT)
    handled, members = split_options(options)
    checked_tools(members.get("tools"))
    headers: Mapping[str, str] | None = members.pop("extra_headers", None)
    extra_body: Mapping[str, Any] | None = members.pop("extra_body", None)
    query: Mapping[str, Any] | None = members.pop("extra_query", None)
    body = body_of(
        extra_body,
        model=model,
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
    body = body_of(others.get("extra_body"), input=texts, model=model, **members)
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
    check_options("models", options, sorted({*CALL_OPTIONS, "extra_headers", "extra_query"}))
    handled, others = split_options(options)
    return Call(
        "GET",
        path,
        params=others.get("extra_query"),
        headers=others.get("extra_headers") or {},
        options=handled,
    )
