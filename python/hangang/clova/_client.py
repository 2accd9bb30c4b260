"""Clients of CLOVA Studio: native chat v1 to v3, tuned tasks, the OpenAI-compatible base, tools.

Facts and their sources: docs/protocol/clova.md. `chat_call` builds the request for both clients; what the
documentation says is refused is raised there, before anything is sent. Ranges are left to the service, whose
errors name them better.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypedDict, TypeVar, Unpack, cast

from hangang._client.base import (
    AsyncClientBase,
    AwaitedCompletion,
    AwaitedResponse,
    ClientBase,
    Runner,
    awaiting,
    bare_names,
    blocking,
)
from hangang._client.messages import Messages, checked_tools, to_clova
from hangang._client.openai_format import (
    CompatibleOptions,
    embeddings_call,
    models_call,
    thinking_by_effort,
)
from hangang._client.openai_format import chat_call as compatible_call
from hangang._client.options import (
    CallOptions,
    ConnectionOptions,
    Effort,
    check_forms,
    check_options,
    checked_str,
    checked_thinking,
)
from hangang._client.request import (
    CLOVA,
    Call,
    Operation,
    Service,
    body_of,
    checked_key,
    required_key,
    segment,
    split_options,
    strings,
    with_call_options,
)
from hangang._client.response import Response
from hangang._client.stream import AsyncStream, Stream
from hangang._client.transport import AsyncTransport, SyncTransport
from hangang._completion import Completion
from hangang._metrics import Metrics
from hangang._rate_limit import RateLimit
from hangang.openai._events import Event as OpenAIEvent

from ._events import Event

__all__ = [
    "AsyncClient",
    "AsyncStream",
    "CallOptions",
    "ChatOptions",
    "Client",
    "CompatibleOptions",
    "ConnectionOptions",
    "Metrics",
    "RateLimit",
    "Response",
    "Stream",
]

S = TypeVar("S")
Q = TypeVar("Q")
C = TypeVar("C")
R = TypeVar("R")

_SERVICE = Service(
    name="clova",
    base_url="https://clovastudio.stream.ntruss.com",
    base_variable="CLOVA_STUDIO_BASE_URL",
)
_KEYS = ("CLOVA_STUDIO_API_KEY", "CLOVASTUDIO_API_KEY")  # the second is langchain-naver's
_V1_MODELS = frozenset({"HCX-002", "HCX-003", "HCX-DASH-001"})


class ChatOptions(CallOptions, total=False):
    """Keyword arguments of `stream` and `chat`; all optional. None leaves a field out.

    - `thinking`: True (the service's default depth), False or `"none"`, `"low"`, `"medium"`, `"high"`, or
      the wire's object. HCX-007 thinks unless this is False or `"none"`.
    - `tools`, `tool_choice`: function calling, as on the wire ([clova §2, §4]); v3.
    - `response_format`: structured outputs, `{"type": "json", "schema": {...}}`; HCX-007.
    - `temperature`, `top_p`, `top_k`, `seed`, `max_tokens`, `max_completion_tokens`: as on the wire.
    - `repetition_penalty`: v3's `repetitionPenalty`, v1's `repeatPenalty` (other range, other default).
    - `stop`: v3's `stop`, v1's `stopBefore`.
    - `include_ai_filters`: ask for the results of the AI filter.
    - `task_id`: a tuned task instead of a model; pass None as the model.
    - `version`: `"v1"`, `"v2"` or `"v3"`; by default the one of the model, for tasks `"v3"`.
    - `request_id`: sent as `X-NCP-CLOVASTUDIO-REQUEST-ID`.
    - the options of every call: see `CallOptions`.
    """

    thinking: bool | Effort | Mapping[str, Any] | None
    tools: Sequence[Mapping[str, Any]] | None
    tool_choice: str | Mapping[str, Any] | None
    response_format: Mapping[str, Any] | None
    temperature: float | None
    top_p: float | None
    top_k: int | None
    seed: int | None
    max_tokens: int | None
    max_completion_tokens: int | None
    repetition_penalty: float | None
    stop: Sequence[str] | None
    include_ai_filters: bool | None
    task_id: str | None
    version: str | None
    request_id: str | None


class TokenCountOptions(TypedDict, total=False):
    """Keyword arguments of `count_chat_tokens`; see `ChatOptions`."""

    tools: Sequence[Mapping[str, Any]] | None
    tool_choice: str | Mapping[str, Any] | None
    response_format: Mapping[str, Any] | None


_OPTIONS = sorted({*ChatOptions.__annotations__, *CallOptions.__annotations__})

# Option -> its name on the wire of v3, and of v1 and v2; None where the version does not have it.
_WIRE_NAMES: dict[str, tuple[str, str | None]] = {
    "temperature": ("temperature", "temperature"),
    "top_p": ("topP", "topP"),
    "top_k": ("topK", "topK"),
    "seed": ("seed", "seed"),
    "max_tokens": ("maxTokens", "maxTokens"),
    "include_ai_filters": ("includeAiFilters", "includeAiFilters"),
    "repetition_penalty": ("repetitionPenalty", "repeatPenalty"),
    "stop": ("stop", "stopBefore"),
    "thinking": ("thinking", None),
    "tools": ("tools", None),
    "tool_choice": ("toolChoice", None),
    "response_format": ("responseFormat", None),
    "max_completion_tokens": ("maxCompletionTokens", None),
}


# --- requests


def chat_call(
    method: str,
    prefix: str,
    model: str | None,
    messages: Messages,
    options: Mapping[str, Any],
    *,
    streaming: bool,
) -> Call:
    """A chat request of any version; raises ValueError for what the documentation refuses.

    Args:
        method: the public method, for errors.
        prefix: before the path.
        model: None for a tuned task.
        messages: see `hangang._client.messages`.
        options: `ChatOptions`.
        streaming: whether to ask for a stream.
    """
    check_options(method, options, _OPTIONS)
    handled, chosen = split_options(options)
    version, path = _path(prefix, model, chosen.get("task_id"), chosen.get("version"))
    checked_tools(chosen.get("tools"))
    chosen["stop"] = strings(chosen.get("stop"), "stop")
    chosen["thinking"] = _thinking(chosen.get("thinking"), model)
    turns = to_clova(messages)
    if any("thinkingContent" in turn for turn in turns):
        raise ValueError(
            "thinkingContent must not be sent back: only an answer's content belongs to the next turn "
            "(CLOVA Studio, chat v3); use completion.to_message()"
        )
    if version == "v3":
        refuse_v3(model, turns, chosen)
    body: dict[str, Any] = {"messages": turns}
    for name, (v3_name, older_name) in _WIRE_NAMES.items():
        value = chosen.get(name)
        if value is None:
            continue
        wire_name = v3_name if version == "v3" else older_name
        if wire_name is None:
            raise ValueError(f"{version} of the chat API has no field {v3_name}: it came with v3")
        body[wire_name] = value
    return Call(
        "POST",
        path,
        json=body_of(chosen.get("extra_body"), **body),
        params=chosen.get("extra_query"),
        headers=_headers(chosen.get("request_id"), chosen.get("extra_headers")),
        dialect=CLOVA,
        streaming=streaming,
        options=handled,
        operation=Operation("chat", model),
    )


def _thinking(thinking: object, model: str | None) -> Mapping[str, Any] | None:
    """`thinking=` as the wire's object, or None to leave it to the model."""
    if thinking is None or isinstance(thinking, Mapping):
        return cast("Mapping[str, Any] | None", thinking)
    thinking = checked_thinking(thinking)
    if thinking is True:
        return {"effort": "low"}  # the documented default
    if thinking is False:
        # Only HCX-007 takes the field, and only it thinks.
        return {"effort": "none"} if _thinks_by_default(model) or model is None else None
    return {"effort": thinking}


def _thinks_by_default(model: str | None) -> bool:
    return (model or "").upper().startswith("HCX-007")


def refuse_v3(model: str | None, messages: Sequence[Mapping[str, Any]], options: Mapping[str, Any]) -> None:
    """Raise ValueError for each combination that the v3 pages say is refused ([clova §4])."""
    tools, response_format = options.get("tools"), options.get("response_format")
    max_tokens, thinking = options.get("max_tokens"), options.get("thinking")
    if sum(message.get("role") == "system" for message in messages) > 1:
        raise ValueError("at most one system message per request (CLOVA Studio, chat v3)")
    if max_tokens is not None and options.get("max_completion_tokens") is not None:
        raise ValueError("max_tokens and max_completion_tokens exclude each other (CLOVA Studio, chat v3)")
    if tools and response_format is not None:
        raise ValueError("tools and response_format exclude each other (CLOVA Studio, chat v3)")
    if tools and any(_has_image(message) for message in messages):
        raise ValueError("tools cannot be combined with image parts (CLOVA Studio, function calling)")
    by_default = thinking is None
    thinks = _thinks_by_default(model) if thinking is None else thinking.get("effort") != "none"
    if not thinks:
        return
    for name, is_used, instead in (
        ("tools", bool(tools), ""),
        ("response_format", response_format is not None, ""),
        ("stop", bool(options.get("stop")), ""),
        ("max_tokens", max_tokens is not None, "use max_completion_tokens, or "),
    ):
        if is_used:
            why = f"{model} thinks by default: " if by_default else ""
            raise ValueError(
                f"{name} cannot be combined with thinking (CLOVA Studio, chat v3); {why}{instead}"
                "pass thinking='none'"
            )


def _has_image(message: Mapping[str, Any]) -> bool:
    content = message.get("content")
    parts = cast("Sequence[Any]", content) if isinstance(content, list | tuple) else ()
    return any(
        isinstance(part, Mapping) and cast("Mapping[str, Any]", part).get("type") == "image_url"
        for part in parts
    )


def _path(prefix: str, model: str | None, task_id: str | None, version: str | None) -> tuple[str, str]:
    if (model is None) == (task_id is None):
        raise ValueError("pass either a model or task_id=, not both and not neither")
    if version not in (None, "v1", "v2", "v3"):
        raise ValueError(f"version must be 'v1', 'v2' or 'v3', not {version!r}")
    if task_id is not None:
        version = version or "v3"
        return version, f"{prefix}/{version}/tasks/{segment(task_id, 'task_id')}/chat-completions"
    model = checked_str("model", model)
    version = version or ("v1" if model.upper() in _V1_MODELS else "v3")
    if version == "v2":
        raise ValueError("v2 serves tuned tasks only; there is no v2 path for a model ([clova §1.2])")
    return version, f"{prefix}/{version}/chat-completions/{segment(model, 'model')}"


def _headers(request_id: str | None, extra: Mapping[str, str] | None) -> dict[str, str]:
    headers: dict[str, str] = {}
    if request_id is not None:
        if not request_id or any(not "!" <= char <= "~" for char in request_id):
            raise ValueError("request_id must be visible ASCII without spaces")
        headers["x-ncp-clovastudio-request-id"] = request_id
    headers.update(extra or {})
    return headers


def _tool_call(
    method: str,
    path: str,
    body: Mapping[str, Any],
    options: Mapping[str, Any],
    operation: Operation | None = None,
) -> Call:
    """A request to one of the API tools ([clova §9]); `method` is the public one, for errors."""
    return with_call_options(Call("POST", path, json=body, operation=operation), method, options)


def _auth(api_key: str | None, apigw_api_key: str | None) -> tuple[dict[str, str], tuple[str, ...]]:
    key = required_key(api_key, "api_key", *_KEYS)
    gateway = checked_key(apigw_api_key, "apigw_api_key", "CLOVA_STUDIO_APIGW_API_KEY")
    if gateway is None:
        return {"authorization": f"Bearer {key}"}, (key,)
    # Deprecated, for apps issued before January 2025 ([clova §1.1]).
    return {"x-ncp-clovastudio-api-key": key, "x-ncp-apigw-api-key": gateway}, (key, gateway)


def _checked_prefix(prefix: str) -> str:
    if prefix and (not prefix.startswith("/") or prefix.endswith("/") or any(c <= " " for c in prefix)):
        raise ValueError("prefix must be '' or begin with '/' and not end with it, e.g. '/testapp'")
    return prefix


# --- the methods, once for both clients


class Compatible(Generic[Q, C, R]):
    """CLOVA Studio's OpenAI-compatible endpoints, `/v1/openai` ([openai §2]). Awaited in `AsyncClient`."""

    def __init__(self, run: Runner[Q, C, R], path: str) -> None:
        self._run = run
        self._path = path

    def stream(self, model: str, messages: Messages, **options: Unpack[CompatibleOptions]) -> Q:
        """Stream an answer: events of `hangang.openai`. Arguments: `CompatibleOptions`.

        The endpoint does not support `stream_options`, so usage is not asked for.
        """
        return self._run.stream(self._chat("openai.stream", model, messages, options, streaming=True))

    def chat(self, model: str, messages: Messages, **options: Unpack[CompatibleOptions]) -> C:
        """A whole answer at once. Arguments: `CompatibleOptions`; errors: as `Client.chat`."""
        return self._run.complete(self._chat("openai.chat", model, messages, options, streaming=False))

    def _chat(
        self, method: str, model: str, messages: Messages, options: CompatibleOptions, *, streaming: bool
    ) -> Call:
        path = f"{self._path}/chat/completions"
        return compatible_call(
            method, path, model, messages, options, streaming=streaming, thinking=thinking_by_effort
        )

    def embeddings(
        self, input: str | Sequence[str], *, model: str = "bge-m3", **options: Unpack[CallOptions]
    ) -> R:
        """Embeddings as an OpenAI list: `response["data"][0]["embedding"]`, 1,024 floats each."""
        # The endpoint supports float only; naming it keeps a gateway from choosing base64.
        path = f"{self._path}/embeddings"
        return self._run.execute(embeddings_call(path, input, model, options, encoding_format="float"))

    def models(self, **options: Unpack[CallOptions]) -> R:
        """The models that the key can use: `response["data"]`."""
        return self._run.execute(models_call(f"{self._path}/models", options))


@bare_names
class _Methods(Generic[S, Q, C, R]):
    """The methods of both clients. In `AsyncClient` their results are awaited; streams need no await."""

    openai: Compatible[Q, C, R]
    _run: Runner[S, C, R]
    _prefix: str

    def stream(self, model: str | None, messages: Messages, **options: Unpack[ChatOptions]) -> S:
        """Stream an answer: `Token` events, then `Result` and usually `Signal`.

        Args:
            model: `HCX-007`, `HCX-005`, `HCX-DASH-002` (v3), `HCX-003`, `HCX-DASH-001` (v1), or None
                with `task_id=`.
            messages: a str (one user message), or a list of dicts as on the wire ([clova §4]) or in
                OpenAI's form, and of `Completion`s.
            **options: see `ChatOptions`.

        Returns:
            A `Stream`; nothing is sent before it is entered, opened or iterated.

        Raises:
            TypeError: an argument of the wrong type, or an unknown option.
            ValueError: the documentation refuses this request; the message names the rule.
            APIError: on entering: what the service answered ([clova §7]), by class; an error
                event that comes first is one too.
            APIConnectionError, APITimeoutError: no answer, after the retries.
        """
        return self._run.stream(chat_call("stream", self._prefix, model, messages, options, streaming=True))

    def chat(self, model: str | None, messages: Messages, **options: Unpack[ChatOptions]) -> C:
        """A whole answer at once: a `Completion` with `text`, `thinking`, `tool_calls`, `usage`.

        Args:
            model: `HCX-007`, `HCX-005` and so on, as `stream`; or None with `task_id=`.
            messages: a str (one user message), or a list of dicts and `Completion`s.
            **options: see `ChatOptions`.

        Raises:
            TypeError, ValueError, APIError, APIConnectionError, APITimeoutError: as `stream`.
        """
        return self._run.complete(chat_call("chat", self._prefix, model, messages, options, streaming=False))

    def embedding(self, text: str, **options: Unpack[CallOptions]) -> R:
        """Embedding v2 of up to 8,192 tokens: `response["embedding"]`, 1,024 floats."""
        path = f"{self._prefix}/v1/api-tools/embedding/v2"
        return self._run.execute(
            _tool_call(
                "embedding", path, {"text": checked_str("text", text)}, options, Operation("embeddings")
            )
        )

    def count_embedding_tokens(self, text: str, **options: Unpack[CallOptions]) -> R:
        """Tokens of a text for embedding v2: `response["numTokens"]`."""
        path = f"{self._prefix}/v1/api-tools/embedding/v2/tokenize"
        return self._run.execute(
            _tool_call("count_embedding_tokens", path, {"text": checked_str("text", text)}, options)
        )

    def count_chat_tokens(
        self,
        model: str,
        messages: Messages,
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
        response_format: Mapping[str, Any] | None = None,
        **options: Unpack[CallOptions],
    ) -> R:
        """Tokens of each message, and (v3) of tools and response format ([clova §9])."""
        version = "v1" if checked_str("model", model).upper() in _V1_MODELS else "v3"
        path = f"{self._prefix}/{version}/api-tools/chat-tokenize/{segment(model, 'model')}"
        check_forms({"tool_choice": tool_choice, "response_format": response_format})
        body = body_of(
            None,
            messages=to_clova(messages),
            tools=checked_tools(tools),
            toolChoice=tool_choice,
            responseFormat=response_format,
        )
        return self._run.execute(_tool_call("count_chat_tokens", path, body, options))


# --- the clients


class Client(_Methods[Stream[Event], Stream[OpenAIEvent], Completion, Response], ClientBase):
    """CLOVA Studio, blocking.

    Args:
        api_key: `nv-...`; by default `CLOVA_STUDIO_API_KEY` from the environment, then
            `CLOVASTUDIO_API_KEY`.
        apigw_api_key: with it the deprecated header pair is sent instead of Bearer; by default
            `CLOVA_STUDIO_APIGW_API_KEY` from the environment.
        prefix: before every native path: `""`, or `"/testapp"` or `"/serviceapp"` for the public
            region and for apps that still use them ([clova §1.1]).
        openai_path: path of the OpenAI-compatible endpoints; the prefix is not put before it.
        **options: see `ConnectionOptions`; `base_url` defaults to `CLOVA_STUDIO_BASE_URL`, then to
            the documented address. The public region is
            `base_url="https://clovastudio.stream.gov-ntruss.com"` ([gov §2]).

    Attributes:
        openai: the OpenAI-compatible endpoints: `stream`, `chat`, `embeddings`, `models`.

    Raises:
        ValueError: no key, a key that cannot be one, or an address the key must not be sent to.
        ImportError: the extra `hangang[client]` is not installed.
    """

    openai: Compatible[Stream[OpenAIEvent], Completion, Response]

    def __init__(
        self,
        api_key: str | None = None,
        *,
        apigw_api_key: str | None = None,
        prefix: str = "",
        openai_path: str = "/v1/openai",
        **options: Unpack[ConnectionOptions],
    ) -> None:
        auth, secrets = _auth(api_key, apigw_api_key)
        self._prefix = _checked_prefix(prefix)
        self._openai_path = openai_path
        self._bind(
            SyncTransport(
                _SERVICE,
                auth=auth,
                secrets=secrets,
                default_base_url=os.environ.get(_SERVICE.base_variable),
                options=options,
            )
        )

    def _bind(self, transport: SyncTransport) -> None:
        super()._bind(transport)
        self._run = blocking(transport)
        self.openai = Compatible(blocking(transport), self._openai_path)


class AsyncClient(
    _Methods[AsyncStream[Event], AsyncStream[OpenAIEvent], AwaitedCompletion, AwaitedResponse],
    AsyncClientBase,
):
    """CLOVA Studio, awaited. Arguments and attributes as `Client`; `http_client` is an async one."""

    openai: Compatible[AsyncStream[OpenAIEvent], AwaitedCompletion, AwaitedResponse]

    def __init__(
        self,
        api_key: str | None = None,
        *,
        apigw_api_key: str | None = None,
        prefix: str = "",
        openai_path: str = "/v1/openai",
        **options: Unpack[ConnectionOptions],
    ) -> None:
        auth, secrets = _auth(api_key, apigw_api_key)
        self._prefix = _checked_prefix(prefix)
        self._openai_path = openai_path
        self._bind(
            AsyncTransport(
                _SERVICE,
                auth=auth,
                secrets=secrets,
                default_base_url=os.environ.get(_SERVICE.base_variable),
                options=options,
            )
        )

    def _bind(self, transport: AsyncTransport) -> None:
        super()._bind(transport)
        self._run = awaiting(transport)
        self.openai = Compatible(awaiting(transport), self._openai_path)
