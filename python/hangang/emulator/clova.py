"""CLOVA Studio's own chat API: v1, v2 and v3, model paths and tuned tasks (docs/protocol/clova.md).

Clients choose streaming by `Accept: text/event-stream`. Every path is also served under the old
`/testapp` and `/serviceapp` prefixes.

Documented and kept: paths, models and their API version, both key forms, bodies, event order
(`token`*, `result`, `signal`), the code table, an over-long v1 prompt as `event:error` on a 200.

Guesses, because no source shows them: which 400 code answers a combination that the pages forbid
or a tool turn that is not as they show it (here 40001), that tools without any limit are refused
because the default limit is below the least one, that nothing follows `event:error`, the names
`x-ratelimit-limit-*` and `-remaining-*`, upper case reasons in v1's JSON other than `LENGTH`, and the
ids of parallel tool calls.
"""

from __future__ import annotations

import base64
import sys
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any, NamedTuple

from starlette.responses import Response

from hangang._clova_codes import CLOVA_CODES

from ._call import (
    JSON,
    Call,
    Refusal,
    Service,
    bearer,
    check_key,
    question_of,
    refusal_of,
    routes,
    status_of,
)
from ._faults import Frame
from ._wire import dump, ok, sse
from .fake_answers import Script
from .json_types import is_between, is_list, is_number, is_object, is_objects, member
from .tool_turns import NATIVE, has_tool_turn, wrong_tools, wrong_turn

PREFIXES = ("", "/testapp", "/serviceapp")

CODES = CLOVA_CODES
# By what the emulator calls it, or by the status.
_CODE = {"wrong-key": "40104", "wrong-scheme": "40102", "no-boundary": "41501", 429: "42901"}


class Model(NamedTuple):
    """A model: its API, context length, largest output, and requests a minute of a test key."""

    name: str
    version: str
    context: int
    most: int
    requests: int = 60


MODELS = {
    model.name: model
    for model in (
        Model("HCX-007", "v3", 128_000, 32_768),
        Model("HCX-005", "v3", 128_000, 4_096),
        Model("HCX-DASH-002", "v3", 32_000, 4_096, 90),
        Model("HCX-003", "v1", 8_192, 4_096, 200),
        Model("HCX-DASH-001", "v1", 4_096, 4_096, 200),
    )
}
TUNED = {"v1": Model("tuned", "v1", 8_192, 4_096), "v3": Model("tuned", "v3", 32_000, 4_096)}
THOUGHTS = {"none": 0, "low": 2, "medium": 4, "high": 9}
_DEFAULT_LIMIT = {"v1": 100, "none": 512, "low": 5_120, "medium": 10_240, "high": 20_480}
MIN_TOKENS_WITH_TOOLS = 1_024


def _complete(refusal: Refusal) -> Refusal:
    """Fill in what a refusal leaves open from the code table."""
    code = _CODE.get(refusal.code or refusal.status, refusal.code) or f"{refusal.status}00"
    status, message, _ = CODES.get(code) or (refusal.status or status_of(code), "Bad request", False)
    return replace(refusal, status=refusal.status or status, code=code, message=refusal.message or message)


def _authenticate(call: Call) -> str:
    """A Bearer key that begins with `nv-`, or the deprecated header pair."""
    key = bearer(call)
    if key is None:
        key = call.header("x-ncp-clovastudio-api-key")
        if not key or not call.header("x-ncp-apigw-api-key"):
            raise Refusal(401)
    elif call.state.keys is None and not key.startswith("nv-"):
        raise Refusal(401, "wrong-key")
    check_key(call, key)
    if key.endswith("-expired"):
        raise Refusal(401, "40103")
    if key.endswith("-nosub"):
        raise Refusal(401, "40170")
    return key


def _limit(call: Call) -> int:
    return MODELS.get(call.path.get("model", ""), TUNED["v3"]).requests


def _rate_headers(limit: int, left: int, reset: float) -> dict[str, str]:
    """`reset` in Go's notation as real clients read it; the two other names are a guess."""
    return {
        "x-ratelimit-limit-requests": str(limit),
        "x-ratelimit-remaining-requests": str(left),
        "x-ratelimit-reset-requests": f"{reset:.1f}s",
        "x-ratelimit-reset-tokens": f"{reset:.1f}s",
    }


def _error_body(_: Call, refusal: Refusal) -> JSON:
    body: JSON = {"status": {"code": refusal.code, "message": refusal.message}}
    if refusal.status == 429:
        body["result"] = None  # as seen in real answers
    return body


SERVICE = Service("clova", _authenticate, _error_body, _complete, _limit, _rate_headers)


async def _chat(version: str, call: Call) -> Response:
    stream = accepts_stream(call)
    if ident := call.header("x-ncp-clovastudio-request-id"):
        call.headers["x-ncp-clovastudio-request-id"] = ident
    model = _model(call, version)
    body = await call.read_object()
    messages = messages_of(body)
    if not any(message.get("content") or message.get("toolCalls") for message in messages):
        raise Refusal(400, "40004")
    effort = _check_v1(messages) if version == "v1" else _check_v3(model, body, messages)
    _check_numbers(model, body)
    random = call.random_for(body)
    question = question_of(messages)
    if question["prompt_tokens"] > model.context:
        if stream and version == "v1":  # an error event on HTTP 200 ([clova §7.3])
            return call.stream(list(error_frames("40003", None, random)))
        raise Refusal(400, "40003")
    usual = _DEFAULT_LIMIT["v1" if version == "v1" else effort]
    script = call.script(
        random,
        stream=stream,
        limit=body.get("maxCompletionTokens", body.get("maxTokens", usual)),
        thoughts=THOUGHTS[effort],
        tools=chosen_tools(body, messages, "toolChoice") if version == "v3" else (),
        schema=member(body, "responseFormat", "schema") if version == "v3" else None,
        **question,
    )
    seed = body.get("seed") or random.randrange(1, 2**32)
    if version == "v1":
        tokens, result = _v1_tokens(script), _v1_result(script, None if stream else seed)
    else:
        shared = {"created": 1_767_225_600 + random.randrange(10_000_000), "seed": seed}
        tokens, result = _v3_tokens(script, shared), _v3_result(script, shared)
    if body.get("includeAiFilters"):
        result["aiFilter"] = _ai_filters(random, {"result": "OK"} if version == "v3" else {})
    if not stream:
        return call.reply(ok(result))
    return call.stream(
        _frames(script, tokens, result, random), error_frames=lambda code: error_frames(code, None, random)
    )


def accepts_stream(call: Call) -> bool:
    """Whether the answer is a stream.

    Raises:
        Refusal: 406 where neither form is accepted.
    """
    accept = call.header("accept") or "*/*"
    kinds = {part.partition(";")[0].strip().lower() for part in accept.split(",")}
    if "text/event-stream" in kinds:
        return True
    if kinds & {"*/*", "application/*", "application/json"}:
        return False
    raise Refusal(406)


def _model(call: Call, version: str) -> Model:
    if "task" in call.path:
        return TUNED[version]
    model = known_model(call.path["model"])
    if model.version != version:
        raise Refusal(400, "40084")
    return model


def known_model(name: object) -> Model:
    """The model of this name.

    Raises:
        Refusal: there is none.
    """
    if not isinstance(name, str) or name not in MODELS:
        raise Refusal(400, "40082" if name == "HCX-002" else "40080")
    return MODELS[name]


def messages_of(body: JSON) -> list[JSON]:
    """The messages of a body, which may be none.

    Raises:
        Refusal: they are no list of objects.
    """
    messages = body.get("messages")
    if not is_objects(messages):
        raise invalid("messages")
    return messages


def invalid(*names: str) -> Refusal:
    """The refusal of a parameter, or of some that exclude each other."""
    return Refusal(400, "40001", f"Invalid parameter: {', '.join(names)}")


# Parameter to its least and largest value ([clova §3, §4]).
_ABOVE_0 = sys.float_info.min
_BOTH = {"topP": (_ABOVE_0, 1), "topK": (0, 128), "seed": (0, 4_294_967_295)}
NUMBERS: dict[str, dict[str, tuple[float, float]]] = {
    "v1": {**_BOTH, "temperature": (_ABOVE_0, 1), "repeatPenalty": (_ABOVE_0, 10), "maxTokens": (1, 4_096)},
    "v3": {
        **_BOTH,
        "temperature": (0, 1),
        "repetitionPenalty": (_ABOVE_0, 2),
        "maxTokens": (1, 32_768),
        "maxCompletionTokens": (1, 32_768),
    },
}
# What v3 refuses together ([clova §4]); `thinking` is an effort other than none.
EXCLUSIONS = (
    ("maxTokens", "maxCompletionTokens"),
    ("thinking", "tools"),
    ("thinking", "responseFormat"),
    ("thinking", "stop"),
    ("thinking", "maxTokens"),
    ("tools", "responseFormat"),
)


def _check_numbers(model: Model, body: JSON) -> None:
    for name, (low, high) in NUMBERS[model.version].items():
        most = min(high, model.most) if name in ("maxTokens", "maxCompletionTokens") else high
        if body.get(name) is not None and not is_between(body[name], low, most):
            raise invalid(name)


# v1 and v2


def _check_v1(messages: list[JSON]) -> str:
    """The documented refusals of v1; returns the thinking effort, which is none."""
    for message in messages:
        if message.get("role") not in ("system", "user", "assistant"):
            raise invalid("messages.role")
        if not isinstance(message.get("content"), str):
            raise invalid("messages.content")
    return "none"


def _v1_result(script: Script, seed: int | None) -> JSON:
    """The whole answer; JSON has a seed and the reason in upper case, the event has neither."""
    reason = script.said or ("length" if script.finish == "length" else "stop_before")
    return {
        "message": {"role": "assistant", "content": script.text},
        "stopReason": reason if seed is None else reason.upper(),
        "inputLength": script.prompt_tokens,
        "outputLength": len(script.content),
        **({} if seed is None else {"seed": seed}),
    }


def _v1_tokens(script: Script) -> Iterator[JSON]:
    for count, piece in enumerate(script.content, start=1):
        yield {
            "message": {"role": "assistant", "content": piece},
            "index": 0,
            "inputLength": script.prompt_tokens,
            "outputLength": count,
            "stopReason": None,
        }


# v3


def _check_v3(model: Model, body: JSON, messages: list[JSON]) -> str:
    """The documented refusals of v3 ([clova §4]); returns the thinking effort."""
    if sum(message.get("role") == "system" for message in messages) > 1:
        raise invalid("messages.role: only one system message")
    effort = _effort(model, body)
    images = sum(_images(model, message) for message in messages)
    if images > 5:
        raise Refusal(400, "40003", "Image limit exceeded")
    given = {name for name in ("tools", "responseFormat", "stop") if body.get(name)}
    given |= body.keys() & {"maxTokens", "maxCompletionTokens"}
    given |= {"thinking"} if effort != "none" else set()
    for pair in EXCLUSIONS:
        if given.issuperset(pair):
            raise invalid(*pair)
    if model.name == "tuned" and (given & {"tools", "responseFormat"} or has_tool_turn(messages, NATIVE)):
        raise Refusal(400, "40009")
    if (wrong := wrong_turn(messages, NATIVE) or wrong_tools(body, NATIVE)) is not None:
        raise invalid(wrong)
    if "tools" in given:
        if images:
            raise invalid("tools", "image_url")
        # Without either the limit is 512, which is too little as well.
        most = body.get("maxTokens", body.get("maxCompletionTokens", _DEFAULT_LIMIT["none"]))
        if not is_number(most) or most < MIN_TOKENS_WITH_TOOLS:
            raise invalid(
                f"maxTokens: tools need maxTokens or maxCompletionTokens of at least {MIN_TOKENS_WITH_TOOLS}"
            )
    if (form := body.get("responseFormat")) is not None:
        if model.name != "HCX-007":
            raise Refusal(400, "40009")
        if member(form, "type") != "json" or not _fits(form):
            raise Refusal(400, "40055")
    return effort


def _effort(model: Model, body: JSON) -> str:
    thinking = body.get("thinking")
    if model.name != "HCX-007":
        if thinking is not None:
            raise invalid("thinking")
        return "none"
    effort = "low" if thinking is None else thinking.get("effort", "low") if is_object(thinking) else None
    if not isinstance(effort, str) or effort not in THOUGHTS:
        raise invalid("thinking.effort")
    return effort


def _images(model: Model, message: JSON) -> int:
    """Check a message of v3; returns how many images it has."""
    if message.get("role") not in ("system", "user", "assistant", "tool"):
        raise invalid("messages.role")
    if "thinkingContent" in message:
        raise invalid("messages.thinkingContent")
    content = message.get("content")
    if isinstance(content, str):
        return 0
    if not is_list(content):
        raise invalid("messages.content")
    images = [part for part in content if member(part, "type") == "image_url"]
    if len(images) > 1:
        raise Refusal(400, "40000", "Each user message can contain only one image")
    if images and model.name != "HCX-005":
        raise Refusal(400, "40009", "Unsupported input format")
    for part in content:
        if part in images:
            _check_image(part)
        elif member(part, "type") != "text" or not isinstance(part.get("text"), str):
            raise invalid("messages.content.type")
    return len(images)


def _check_image(part: JSON) -> None:
    url, data = member(part, "imageUrl", "url"), member(part, "dataUri", "data")
    if isinstance(url, str):
        if not url.startswith(("http://", "https://")):
            raise Refusal(400, "40063", "Invalid image url")
    elif isinstance(data, str):
        try:
            size = len(base64.b64decode(data, validate=True))
        except ValueError:
            raise Refusal(400, "40063", "Invalid image file") from None
        if not 0 < size <= 20 * 2**20:
            raise Refusal(400, "40061")
    else:
        raise invalid("messages.content.imageUrl")


def _fits(value: object) -> bool:
    """Whether a schema stays in the subset: no `pattern`."""
    inner: Iterable[Any] = value.values() if is_object(value) else value if is_list(value) else ()
    return not isinstance(member(value, "pattern"), str) and all(map(_fits, inner))


def chosen_tools(body: JSON, messages: list[JSON], choice: str) -> list[JSON]:
    """The functions to call now: none after a tool's answer, or where the choice forbids it."""
    wanted, tools = body.get(choice, "auto"), body.get("tools")
    if not tools or wanted == "none" or messages[-1].get("role") == "tool":
        return []
    functions = [member(tool, "function") for tool in tools] if is_list(tools) else []
    name = member(wanted, "function", "name")
    found = [made for made in functions if is_object(made) and (name is None or made.get("name") == name)]
    if not found:
        raise invalid("tools")
    return found


def _v3_result(script: Script, shared: JSON) -> JSON:
    message: JSON = {"role": "assistant", "content": script.text}
    usage: JSON = {
        "promptTokens": script.prompt_tokens,
        "completionTokens": script.completion_tokens,
        "totalTokens": script.prompt_tokens + script.completion_tokens,
    }
    if script.thinking:
        message["thinkingContent"] = script.thinking_text
        usage["completionTokensDetails"] = {"thinkingTokens": len(script.thinking)}
    if script.calls:
        message["toolCalls"] = [
            {"id": made.id, "type": "function", "function": {"name": made.name, "arguments": made.arguments}}
            for made in script.calls
        ]
    return {"message": message, "finishReason": script.finish, **shared, "usage": usage}


def _v3_tokens(script: Script, shared: JSON) -> Iterator[JSON]:
    for delta in _v3_deltas(script):
        yield {"message": {"role": "assistant", **delta}, "finishReason": None, **shared, "usage": None}


def _v3_deltas(script: Script) -> Iterator[JSON]:
    for piece in script.thinking:
        yield {"thinkingContent": piece}
    for piece in script.content:
        yield {"content": piece}
    for made in script.calls:
        # The first delta opens the call with id and name; the others have neither id nor index.
        opening = {"id": made.id, "type": "function", "function": {"name": made.name}}
        yield {"content": "", "toolCalls": [opening]}
        for piece in made.pieces:
            yield {"content": "", "toolCalls": [{"type": "function", "function": {"partialJson": piece}}]}


# both


def _ai_filters(random: Random, more: JSON) -> list[JSON]:
    """The three documented filters; the score is a string."""
    names = (("curse", "insult"), ("curse", "discrimination"), ("unsafeContents", "sexualHarassment"))
    return [
        {"groupName": group, "name": name, "score": random.choice(("1", "2")), **more}
        for group, name in names
    ]


def _frames(script: Script, tokens: Iterator[JSON], result: JSON, random: Random) -> Iterator[Frame]:
    for token in tokens:
        yield _event("token", token, random)
    if script.error is not None:
        yield from error_frames(*script.error, random)
        return
    yield _event("result", result, random, end=True)
    yield _event("signal", {"data": "[DONE]"}, random, end=True)


def _event(name: str, data: JSON, random: Random, *, end: bool = False) -> Frame:
    """`id:`, `event:`, `data:` without a space, compact JSON; a fresh UUID for each event."""
    ident = str(uuid.UUID(int=random.getrandbits(128), version=4))
    return Frame(sse(dump(data), event=name, ident=ident, space=""), paced=name == "token", end=end)


def error_frames(code: str | None, message: str | None, random: Random) -> Iterator[Frame]:
    """The documented ErrorEvent; no real one is public, and nothing follows it here."""
    known = _complete(refusal_of(code or "42901", message or ""))
    yield _event("error", {"status": {"code": known.code, "message": known.message}}, random)


_V1, _V3 = partial(_chat, "v1"), partial(_chat, "v3")
ROUTES = routes(
    SERVICE,
    {
        "POST /v1/chat-completions/{model}": _V1,
        "POST /v3/chat-completions/{model}": _V3,
        "POST /v1/tasks/{task}/chat-completions": _V1,
        "POST /v2/tasks/{task}/chat-completions": _V1,
        "POST /v3/tasks/{task}/chat-completions": _V3,
    },
    PREFIXES,
)
