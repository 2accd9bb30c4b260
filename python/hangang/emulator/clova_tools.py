"""CLOVA Studio's embeddings and tokenizers ([clova §9]).

The envelope is the chat's. Token counts are the emulator's own estimate (two characters a token).
A guess: the code for an empty or over-long text (40004, 40003).
"""

from __future__ import annotations

from starlette.responses import Response

from ._call import JSON, Call, Refusal, routes
from ._wire import ok, text_of
from .clova import MODELS, PREFIXES, SERVICE, invalid, messages_of
from .fake_answers import count_tokens, embed
from .json_types import is_list, is_object


async def _text(call: Call, most: int) -> str:
    text = (await call.read_object()).get("text")
    if not isinstance(text, str):
        raise invalid("text")
    if not text:
        raise Refusal(400, "40004")
    if count_tokens(text) > most:
        raise Refusal(400, "40003")
    return text


async def _embedding(call: Call) -> Response:
    most = 8_192
    if "model" in call.path:
        if call.path["model"] not in ("clir-emb-dolphin", "clir-sts-dolphin"):
            raise Refusal(400, "40080")
        most = 500
    text = await _text(call, most)
    return call.reply(ok({"embedding": embed(text), "inputTokens": count_tokens(text)}))


async def _count_text(call: Call) -> Response:
    return call.reply(ok({"numTokens": count_tokens(await _text(call, 1_000_000))}))


async def _chat_body(call: Call) -> tuple[JSON, list[JSON]]:
    if call.path["model"] not in MODELS:
        raise Refusal(400, "40080")
    body = await call.read_object()
    return body, messages_of(body)


async def _count_chat(call: Call) -> Response:
    _, messages = await _chat_body(call)
    counted: list[JSON] = []
    for message in messages:
        content = message.get("content")
        count = count_tokens(text_of(content))
        counted.append({"role": message.get("role"), "content": content, "count": count})
    return call.reply(ok({"messages": counted}))


async def _count_chat_v3(call: Call) -> Response:
    body, messages = await _chat_body(call)
    result: JSON = {"messages": [_counted_v3(message) for message in messages]}
    for name in ("tools", "responseFormat"):
        if body.get(name):
            result[name] = {"count": count_tokens(str(body[name]))}
    return call.reply(ok(result))


def _counted_v3(message: JSON) -> JSON:
    """`content` is an object for a string, and an array for a list of parts."""
    content = message.get("content")
    if is_list(content):
        counted: object = [
            {"type": part.get("type"), "count": count_tokens(str(part.get("text", "")))}
            for part in content
            if is_object(part)
        ]
    else:
        counted = {"type": "text", "count": count_tokens(text_of(content))}
    return {"role": message.get("role"), "content": counted}


ROUTES = routes(
    SERVICE,
    {
        "POST /v1/api-tools/embedding/v2": _embedding,
        "POST /v1/api-tools/embedding/v2/tokenize": _count_text,
        "POST /v1/api-tools/embedding/{model}": _embedding,
        "POST /v1/api-tools/chat-tokenize/{model}": _count_chat,
        "POST /v3/api-tools/chat-tokenize/{model}": _count_chat_v3,
    },
    PREFIXES,
)
