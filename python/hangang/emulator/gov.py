"""CLOVA Studio Gov: keys, the two error bodies, and chat completions ([gov §1.1, §1.2]).

Chat is served at `/v1/chat/completions` and `/api/v1/chat/completions`, in vLLM's shape. The
control `error_form` picks one of the two documented error bodies; without it chat answers
`{"error": …}` and the other endpoints, whose answers have a `status`, answer `{"status": …}`.
EXAONE's `/v1/code-cli/chat/completions` has the same format and is served here too.

Guesses: which error body belongs to which endpoint, 404 for an unknown model, the messages, and that
tool turns are checked for their types only, as vLLM does.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from starlette.responses import Response
from starlette.routing import BaseRoute

from . import compatible, exaone
from ._call import JSON, Call, Refusal, Service, bearer, check_key, phrase, routes, status_of
from .clova import chosen_tools
from .json_types import is_object, is_objects, member
from .tool_turns import OPENAI, wrong_turn

PREFIXES = ("", "/api")  # of the API reference, and of the gateway
MODELS = (
    *("HCX-GOV-THINK", "HCX-GOV", "HCX-GOV-VLM", "LLM42", "HCX-DASH-002"),
    *("HCX-GOV-THINK-V1-32B", "LLM42-Gemma4", "K-Exaone-236B"),
    *("openai/gpt-oss-120b", "google/gemma-4-31B-it"),
)
_CODE_CLI = tuple(f"chatexaone-code-cli-claude-compatible-{kind}" for kind in ("thinking", "instant"))
_TYPES = {401: ("authentication_error", "invalid_api_key")}


def authenticate(call: Call) -> str:
    """`Authorization: Bearer`, any key."""
    return check_key(call, bearer(call))


def _complete(refusal: Refusal) -> Refusal:
    status = refusal.status or status_of(refusal.code)
    status = {406: 400, 413: 400, 415: 400}.get(status, status)  # not among Gov's statuses
    code = refusal.code
    if code is None or code in ("wrong-key", "wrong-scheme", "no-boundary"):
        code = f"{status}00"
    message = refusal.message or ("Invalid API key provided" if status == 401 else phrase(status))
    return replace(refusal, status=status, code=code, message=message)


def _error_body(usual: str, call: Call, refusal: Refusal) -> JSON:
    if (call.controls.error_form or usual) == "status":
        return {"status": {"code": refusal.code, "message": refusal.message}}
    kind, code = _TYPES.get(refusal.status, ("invalid_request_error", refusal.code))
    return {"error": {"message": refusal.message, "type": kind, "code": code}}


def _rate_headers(limit: int, left: int, _: float) -> dict[str, str]:
    return {"x-ratelimit-remaining": str(left)}


CHAT = Service("gov", authenticate, partial(_error_body, "error"), _complete, rate_headers=_rate_headers)
TOOLS = replace(CHAT, error_body=partial(_error_body, "status"))
CODE_CLI = replace(CHAT, name="exaone-code-cli", authenticate=exaone.authenticate)


async def _models(call: Call) -> Response:
    return call.reply(compatible.models(MODELS, "CLOVA Studio Gov"))


async def _chat(models: tuple[str, ...], reasoning: str, call: Call) -> Response:
    body = await call.read_object()
    model = body.get("model")
    # With chosen answers a model's name is the caller's own affair: real lists change every month.
    if not isinstance(model, str) or (model not in models and call.state.replies.given is None):
        raise Refusal(404, message=f"The model `{model}` does not exist.")
    return vllm(call, body, model, reasoning or call.controls.reasoning, thinks=_thinks(model, body))


def vllm(call: Call, body: JSON, model: str, reasoning: str, *, thinks: bool = False) -> Response:
    """The answer of a vLLM server."""
    messages = body.get("messages")
    if not is_objects(messages):
        raise Refusal(400, message="messages must be a list of objects")
    if not messages:
        raise Refusal(422, message="messages must not be empty")
    if (wrong := wrong_turn(messages, OPENAI, matched=False)) is not None:
        raise Refusal(400, message=wrong)
    usage = member(body, "stream_options", "include_usage") is True
    return compatible.answer(
        call,
        body,
        messages,
        compatible.Shape(model=model, reasoning=reasoning, usage=usage),
        limit=body.get("max_tokens", body.get("max_completion_tokens", 4_096)),
        thoughts=2 if thinks else 0,
        tools=chosen_tools(body, messages, "tool_choice"),
        call_prefix="hcx_tool_call_",
    )


def _thinks(model: str, body: JSON) -> bool:
    """Reasoning by default; `force_reasoning` wins over `skip_reasoning` ([openai §4])."""
    options = body.get("chat_template_kwargs")
    options = options if is_object(options) else {}
    if options.get("force_reasoning"):
        return True
    off = options.get("skip_reasoning") or False in (options.get("thinking"), options.get("enable_thinking"))
    return "THINK" in model.upper() and not off


ROUTES: list[BaseRoute] = [
    *routes(
        CHAT, {"POST /v1/chat/completions": partial(_chat, MODELS, ""), "GET /v1/models": _models}, PREFIXES
    ),
    *routes(CODE_CLI, {"POST /v1/code-cli/chat/completions": partial(_chat, _CODE_CLI, "reasoning")}),
]
