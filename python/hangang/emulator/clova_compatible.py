"""CLOVA Studio's OpenAI-compatible endpoint, `/v1/openai` ([openai §2]).

Guesses: which unsupported fields are refused with 40002 (here all that the page lists, but
`stream_options`, which a public client sends successfully), and that usage is left out of streams.
The reasoning field's name is a control (`reasoning`), since the sources disagree.
"""

from __future__ import annotations

from dataclasses import replace

from starlette.responses import Response

from . import clova, compatible
from ._call import JSON, Call, Refusal, routes
from .json_types import is_object, member
from .tool_turns import OPENAI, wrong_tools, wrong_turn

_UNSUPPORTED = {
    *("logprobs", "top_logprobs", "frequency_penalty", "presence_penalty", "logit_bias", "user", "store"),
    *("metadata", "modalities", "prediction", "audio", "service_tier", "web_search_options"),
    *("prompt_cache_key", "safety_identifier"),
}


def _error_body(_: Call, refusal: Refusal) -> JSON:
    return {"error": {"message": refusal.message, "type": None, "param": None, "code": refusal.code}}


SERVICE = replace(clova.SERVICE, name="clova-openai", error_body=_error_body)


async def _models(call: Call) -> Response:
    return call.reply(compatible.models((*clova.MODELS, "bge-m3"), "NAVER Cloud"))


async def _embeddings(call: Call) -> Response:
    body = await call.read_object()
    if body.get("model") != "bge-m3":
        raise Refusal(400, "40080")
    if body.get("encoding_format", "float") != "float" or body.get("dimensions", 1024) != 1024:
        raise Refusal(400, "40002")
    texts = compatible.texts_of(body.get("input"))
    if texts is None:
        raise clova.invalid("input")
    if not texts or not all(texts):
        raise Refusal(400, "40004")
    return call.reply(compatible.embeddings(texts, "bge-m3", 1024, "float"))


async def _chat(call: Call) -> Response:
    body = await call.read_object()
    model = clova.known_model(body.get("model")).name
    messages = clova.messages_of(body)
    if not messages:
        raise Refusal(400, "40004")
    if any(message.get("content", "") is None for message in messages):
        raise clova.invalid("messages.content")
    if (wrong := wrong_turn(messages, OPENAI) or wrong_tools(body, OPENAI)) is not None:
        raise clova.invalid(wrong)
    for name in sorted(_UNSUPPORTED & body.keys()):
        raise Refusal(400, "40002", f"Unsupported parameter: {name}")
    effort = _effort(model, body)
    tools = clova.chosen_tools(body, messages, "tool_choice")
    if tools and effort != "none":
        raise Refusal(400, "40009")  # seen with HCX-007 and some tools
    return compatible.answer(
        call,
        body,
        messages,
        compatible.Shape(model=model, reasoning=call.controls.reasoning, vllm=False, error="50000"),
        limit=body.get("max_completion_tokens", body.get("max_tokens", 512)),
        thoughts=clova.THOUGHTS[effort],
        tools=tools,
        schema=_schema(body.get("response_format")),
    )


def _effort(model: str, body: JSON) -> str:
    if model != "HCX-007":
        return "none"
    nested = is_object(body.get("reasoning"))
    given = member(body, "reasoning", "effort") if nested else body.get("reasoning_effort")
    effort = given or ("none" if body.get("tools") else "low")
    if not isinstance(effort, str) or effort not in clova.THOUGHTS:
        raise clova.invalid("reasoning_effort")
    return effort


def _schema(form: object) -> JSON | None:
    if not is_object(form):
        return None
    schema = member(form, "json_schema", "schema")
    if form.get("type") != "json_schema" or not is_object(schema):
        raise Refusal(400, "40055")
    return schema


ROUTES = routes(
    SERVICE,
    {"POST /chat/completions": _chat, "POST /embeddings": _embeddings, "GET /models": _models},
    [f"{prefix}/v1/openai" for prefix in clova.PREFIXES],
)
