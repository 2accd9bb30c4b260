"""CLOVA Studio's embeddings and tokenizers ([clova §9]).

Known: the paths, the bodies, and the largest texts. The envelope is the chat's. Guesses: the code for an
empty or over-long text (40004, 40003), and the counts: two characters are a token.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from starlette.responses import Response

from ._call import JSON, Call, Refusal, routes
from ._wire import ok, text_of
from .clova import MODELS, PREFIXES, SERVICE, messages_of
from .fake_answers import count_tokens, embed
from .json_types import is_list, is_objects, is_text

_MOST_TOKENS = {"v2": 8_192, "clir-emb-dolphin": 500, "clir-sts-dolphin": 500}


async def _text(call: Call) -> str:
    text = (await call.read_object()).get("text")
    if not is_text(text):
        raise Refusal(400, "40004")
    return text


async def _embedding(call: Call) -> Response:
    most = _MOST_TOKENS.get(call.path["model"])
    if most is None:
        raise Refusal(400, "40080")
    text = await _text(call)
    if count_tokens(text) > most:
        raise Refusal(400, "40003")
    return call.reply(ok({"embedding": embed(text), "inputTokens": count_tokens(text)}))


async def _count_text(call: Call) -> Response:
    return call.reply(ok({"numTokens": count_tokens(await _text(call))}))


async def _count_chat(counted: Callable[[JSON], JSON], call: Call) -> Response:
    if call.path["model"] not in MODELS:
        raise Refusal(400, "40080")
    body = await call.read_object()
    result: JSON = {"messages": [counted(message) for message in messages_of(body)]}
    for name in ("tools", "responseFormat"):
        if body.get(name):
            result[name] = {"count": count_tokens(str(body[name]))}
    return call.reply(ok(result))


def _counted_v1(message: JSON) -> JSON:
    return {**message, "count": count_tokens(text_of(message.get("content")))}


def _counted_v3(message: JSON) -> JSON:
    """`content` is an object for a string, and an array for a list of parts."""
    content = message.get("content")
    parts = content if is_objects(content) else [{"type": "text", "text": text_of(content)}]
    counts = [{"type": part.get("type"), "count": count_tokens(text_of([part]))} for part in parts]
    return {**message, "content": counts if is_list(content) else counts[0]}


ROUTES = routes(
    SERVICE,
    {
        "POST /v1/api-tools/embedding/{model}": _embedding,
        "POST /v1/api-tools/embedding/v2/tokenize": _count_text,
        "POST /v1/api-tools/chat-tokenize/{model}": partial(_count_chat, _counted_v1),
        "POST /v3/api-tools/chat-tokenize/{model}": partial(_count_chat, _counted_v3),
    },
    PREFIXES,
)
