"""Chat in the OpenAI-compatible format: CLOVA Studio's `/v1/openai` and CLOVA Studio Gov.

The fields are passed on as they are: what a service does not know, it says ([openai §2]).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from ._call import OPENAI, Call, body_of

__all__ = ["CompatibleOptions", "compatible_call"]


class CompatibleOptions(TypedDict, total=False):
    """Keyword arguments of chat in the OpenAI-compatible format; all optional.

    `extra_body` adds or replaces fields of the body, `extra_headers` headers of this request. The
    other names are those of the wire ([openai §2], [gov §1.1]). None leaves a field out.
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
    extra_body: Mapping[str, Any] | None
    extra_headers: Mapping[str, str] | None


_FIELDS = frozenset(CompatibleOptions.__annotations__)


def compatible_call(
    path: str,
    model: str,
    messages: Sequence[Mapping[str, Any]],
    options: CompatibleOptions,
    *,
    streaming: bool,
) -> Call:
    """A chat request; `stream` is in the body only where a stream is wanted."""
    fields: dict[str, Any] = {**options}
    if unknown := sorted(fields.keys() - _FIELDS):
        raise TypeError(
            f"unexpected argument {unknown[0]!r}; a field that is not known here goes into extra_body"
        )
    extra_body: Mapping[str, Any] | None = fields.pop("extra_body", None)
    headers: Mapping[str, str] | None = fields.pop("extra_headers", None)
    body = body_of(
        extra_body,
        model=model,
        messages=list(messages),
        stream=True if streaming else None,
        **fields,
    )
    return Call("POST", path, json=body, headers=headers or {}, dialect=OPENAI, streaming=streaming)
