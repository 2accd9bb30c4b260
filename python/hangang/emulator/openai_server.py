"""An OpenAI-compatible server as vLLM, SGLang or Ollama are: `/openai/v1`, any model, any key or none.

For tests of code that takes a base URL. The format is vLLM's (see `compatible`); errors have OpenAI's body.
"""

from __future__ import annotations

from starlette.responses import Response

from . import compatible
from ._call import JSON, Call, Refusal, Service, bearer, check_key, routes
from .gov import CHAT, vllm


def _optional_key(call: Call) -> str:
    key = bearer(call)
    return "" if key is None and call.state.keys is None else check_key(call, key)


def _error_body(_: Call, refusal: Refusal) -> JSON:
    kind = "authentication_error" if refusal.status == 401 else "invalid_request_error"
    kind = "server_error" if refusal.status >= 500 else kind
    return {"error": {"message": refusal.message, "type": kind, "param": None, "code": refusal.code}}


def _complete(refusal: Refusal) -> Refusal:
    known = CHAT.complete(refusal)
    usual = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}
    if refusal.code is None or known.code != refusal.code:
        known.code = usual.get(known.status)
    return known


SERVICE = Service("openai", _optional_key, _error_body, _complete)


async def _chat(call: Call) -> Response:
    body = await call.read_object()
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise Refusal(400, message="you must provide a model parameter")
    return vllm(call, body, model, call.controls.reasoning)


async def _embeddings(call: Call) -> Response:
    body = await call.read_object()
    texts = compatible.texts_of(body.get("input"))
    if not texts:
        raise Refusal(400, message="input must be a text or a list of texts")
    form = "base64" if body.get("encoding_format") == "base64" else "float"
    return call.reply(compatible.embeddings(texts, str(body.get("model")), 1024, form))


async def _models(call: Call) -> Response:
    return call.reply(compatible.models(("hangang",), "hangang"))


ROUTES = routes(
    SERVICE,
    {"POST /chat/completions": _chat, "POST /embeddings": _embeddings, "GET /models": _models},
    ["/openai/v1"],
)
