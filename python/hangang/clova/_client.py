"""Clients of CLOVA Studio: native chat v1 to v3, tuned tasks, the OpenAI-compatible base, tools.

Facts and their sources: docs/protocol/clova.md. The request is built in one place for both clients, by
`chat_call`; what the documentation states as a refusal is raised there, before anything is sent.
Ranges are left to the service, which names them better.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, TypeGuard, Unpack, cast

from hangang._call import CLOVA, Call, Response, Service, body_of, checked_key, required_key, segment
from hangang._compatible import CompatibleOptions, compatible_call
from hangang._http import (
    AsyncClientBase,
    AsyncStream,
    AsyncTransport,
    ClientBase,
    ConnectionOptions,
    Stream,
    SyncTransport,
)
from hangang.streams import Completion

__all__ = ["AsyncClient", "AsyncStream", "ChatOptions", "Client", "Response", "Stream"]

Messages = Sequence[Mapping[str, Any]]

_SERVICE = Service(base_url="https://clovastudio.stream.ntruss.com", base_variable="CLOVA_STUDIO_BASE_URL")
_V1_MODELS = frozenset({"HCX-002", "HCX-003", "HCX-DASH-001"})


class ChatOptions(TypedDict, total=False):
    """Keyword arguments of `stream` and `chat`; all optional. None leaves a field out.

    - `thinking`: `"none"`, `"low"`, `"medium"`, `"high"`, or the wire's object. HCX-007 thinks (low)
      unless told `"none"`.
    - `tools`, `tool_choice`: function calling, as on the wire ([clova §2, §4]); v3.
    - `response_format`: structured outputs, `{"type": "json", "schema": {...}}`; HCX-007.
    - `temperature`, `top_p`, `top_k`, `seed`, `max_tokens`, `max_completion_tokens`: as on the wire.
    - `repetition_penalty`: v3's `repetitionPenalty`, v1's `repeatPenalty` (other range, other default).
    - `stop`: v3's `stop`, v1's `stopBefore`.
    - `include_ai_filters`: ask for the AI filter's verdict.
    - `task_id`: a tuned task instead of a model; pass None as the model.
    - `version`: `"v1"`, `"v2"` or `"v3"`; by default what the model speaks, for tasks `"v3"`.
    - `request_id`: sent as `X-NCP-CLOVASTUDIO-REQUEST-ID`.
    - `extra_body`, `extra_headers`: fields and headers of this request, over all others.
    """

    thinking: str | Mapping[str, Any] | None
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
    extra_body: Mapping[str, Any] | None
    extra_headers: Mapping[str, str] | None


# --- requests


def chat_call(
    prefix: str,
    model: str | None,
    messages: Messages,
    *,
    streaming: bool,
    thinking: str | Mapping[str, Any] | None = None,
    tools: Sequence[Mapping[str, Any]] | None = None,
    tool_choice: str | Mapping[str, Any] | None = None,
    response_format: Mapping[str, Any] | None = None,
    temperature: float | None = None,
    top_p: float | None = None,
    top_k: int | None = None,
    seed: int | None = None,
    max_tokens: int | None = None,
    max_completion_tokens: int | None = None,
    repetition_penalty: float | None = None,
    stop: Sequence[str] | None = None,
    include_ai_filters: bool | None = None,
    task_id: str | None = None,
    version: str | None = None,
    request_id: str | None = None,
    extra_body: Mapping[str, Any] | None = None,
    extra_headers: Mapping[str, str] | None = None,
) -> Call:
    """A chat request of any version; raises ValueError for what the documentation refuses."""
    version, path = _path(prefix, model, task_id, version)
    if isinstance(stop, str):
        raise TypeError("stop must be a list of strings")
    effort = {"effort": thinking} if isinstance(thinking, str) else thinking
    if any("thinkingContent" in message for message in messages):
        raise ValueError(
            "thinkingContent must not be sent back: only an answer's content belongs to the next turn "
            "(CLOVA Studio, chat v3); use completion.to_message()"
        )
    v3_only = {
        "thinking": effort,
        "tools": tools,
        "toolChoice": tool_choice,
        "responseFormat": response_format,
        "maxCompletionTokens": max_completion_tokens,
    }
    common = body_of(
        None,
        messages=list(messages),
        temperature=temperature,
        topP=top_p,
        topK=top_k,
        seed=seed,
        maxTokens=max_tokens,
        includeAiFilters=include_ai_filters,
    )
    if version == "v3":
        refuse_v3(model, messages, effort, tools, response_format, stop, max_tokens, max_completion_tokens)
        common.update(body_of(None, **v3_only, repetitionPenalty=repetition_penalty, stop=_list(stop)))
    else:
        for name, value in v3_only.items():
            if value is not None:
                raise ValueError(f"{version} of the chat API has no field {name}: it came with v3")
        common.update(body_of(None, repeatPenalty=repetition_penalty, stopBefore=_list(stop)))
    return Call(
        "POST",
        path,
        json=body_of(extra_body, **common),
        headers=_headers(request_id, extra_headers),
        dialect=CLOVA,
        streaming=streaming,
    )


def refuse_v3(
    model: str | None,
    messages: Messages,
    thinking: Mapping[str, Any] | None,
    tools: Sequence[Mapping[str, Any]] | None,
    response_format: Mapping[str, Any] | None,
    stop: Sequence[str] | None,
    max_tokens: int | None,
    max_completion_tokens: int | None,
) -> None:
    """Raise ValueError for each combination that the v3 pages say is refused ([clova §4])."""
    if sum(message.get("role") == "system" for message in messages) > 1:
        raise ValueError("at most one system message per request (CLOVA Studio, chat v3)")
    if max_tokens is not None and max_completion_tokens is not None:
        raise ValueError("max_tokens and max_completion_tokens exclude each other (CLOVA Studio, chat v3)")
    if tools and response_format is not None:
        raise ValueError("tools and response_format exclude each other (CLOVA Studio, chat v3)")
    if tools and any(_has_image(message) for message in messages):
        raise ValueError("tools cannot be combined with image parts (CLOVA Studio, function calling)")
    by_default = thinking is None
    if by_default:
        thinks = (model or "").upper().startswith("HCX-007")
    else:
        assert thinking is not None
        thinks = thinking.get("effort") != "none"
    if not thinks:
        return
    for name, used, instead in (
        ("tools", bool(tools), ""),
        ("response_format", response_format is not None, ""),
        ("stop", bool(stop), ""),
        ("max_tokens", max_tokens is not None, "use max_completion_tokens, or "),
    ):
        if used:
            why = f"{model} thinks unless told not to: " if by_default else ""
            raise ValueError(
                f"{name} cannot be combined with thinking (CLOVA Studio, chat v3); {why}{instead}"
                "pass thinking='none'"
            )


def _has_image(message: Mapping[str, Any]) -> bool:
    content = message.get("content")
    parts = cast("Sequence[Any]", content) if isinstance(content, list | tuple) else ()
    return any(_is_part(part) and part.get("type") == "image_url" for part in parts)


def _is_part(value: object) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, Mapping)


def _path(prefix: str, model: str | None, task_id: str | None, version: str | None) -> tuple[str, str]:
    if (model is None) == (task_id is None):
        raise ValueError("pass either a model or task_id=, not both and not neither")
    if version not in (None, "v1", "v2", "v3"):
        raise ValueError(f"version must be 'v1', 'v2' or 'v3', not {version!r}")
    if task_id is not None:
        version = version or "v3"
        return version, f"{prefix}/{version}/tasks/{segment(task_id, 'task_id')}/chat-completions"
    assert model is not None
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


def _list(values: Sequence[str] | None) -> list[str] | None:
    return None if values is None else list(values)


def embedding_call(prefix: str, text: str) -> Call:
    """Embedding v2 ([clova §9])."""
    return Call("POST", f"{prefix}/v1/api-tools/embedding/v2", json={"text": text})


def embedding_tokens_call(prefix: str, text: str) -> Call:
    """Tokenizer of embedding v2 ([clova §9])."""
    return Call("POST", f"{prefix}/v1/api-tools/embedding/v2/tokenize", json={"text": text})


def chat_tokens_call(
    prefix: str,
    model: str,
    messages: Messages,
    tools: Sequence[Mapping[str, Any]] | None,
    tool_choice: str | Mapping[str, Any] | None,
    response_format: Mapping[str, Any] | None,
) -> Call:
    """Tokenizer of chat, v1 or v3 by the model ([clova §9])."""
    version = "v1" if model.upper() in _V1_MODELS else "v3"
    body = body_of(
        None,
        messages=list(messages),
        tools=tools,
        toolChoice=tool_choice,
        responseFormat=response_format,
    )
    return Call("POST", f"{prefix}/{version}/api-tools/chat-tokenize/{segment(model, 'model')}", json=body)


def _auth(api_key: str | None, apigw_api_key: str | None) -> tuple[dict[str, str], tuple[str, ...]]:
    key = required_key(api_key, "api_key", "CLOVA_STUDIO_API_KEY")
    gateway = checked_key(apigw_api_key, "apigw_api_key", "CLOVA_STUDIO_APIGW_API_KEY")
    if gateway is None:
        return {"authorization": f"Bearer {key}"}, (key,)
    # Deprecated, for apps issued before January 2025 ([clova §1.1]).
    return {"x-ncp-clovastudio-api-key": key, "x-ncp-apigw-api-key": gateway}, (key, gateway)


def _checked_prefix(prefix: str) -> str:
    if prefix and (not prefix.startswith("/") or prefix.endswith("/") or any(c <= " " for c in prefix)):
        raise ValueError("prefix must be '' or begin with '/' and not end with it, e.g. '/testapp'")
    return prefix


# --- the OpenAI-compatible base


def _embeddings_body(
    input: str | Sequence[str], model: str, extra_body: Mapping[str, Any] | None
) -> dict[str, Any]:
    texts = input if isinstance(input, str) else list(input)
    # The endpoint knows float only; naming it keeps a gateway from choosing base64.
    return body_of(extra_body, input=texts, model=model, encoding_format="float")


class Compatible:
    """CLOVA Studio's OpenAI-compatible endpoints, `/v1/openai` ([openai §2])."""

    def __init__(self, transport: SyncTransport, path: str) -> None:
        self._transport = transport
        self._path = path

    def stream(self, model: str, messages: Messages, **options: Unpack[CompatibleOptions]) -> Stream:
        """Stream an answer: events of `hangang.openai`. Arguments: `CompatibleOptions`.

        `stream_options` is not among what the endpoint supports, so nothing asks for usage.
        """
        return self._transport.stream(
            compatible_call(f"{self._path}/chat/completions", model, messages, options, streaming=True)
        )

    def chat(self, model: str, messages: Messages, **options: Unpack[CompatibleOptions]) -> Completion:
        """A whole answer at once. Arguments: `CompatibleOptions`; errors: as `Client.chat`."""
        return self._transport.complete(
            compatible_call(f"{self._path}/chat/completions", model, messages, options, streaming=False)
        )

    def embeddings(
        self,
        input: str | Sequence[str],
        *,
        model: str = "bge-m3",
        extra_body: Mapping[str, Any] | None = None,
    ) -> Response:
        """Embeddings as an OpenAI list: `response["data"][0]["embedding"]`, 1,024 floats each."""
        body = _embeddings_body(input, model, extra_body)
        return self._transport.execute(Call("POST", f"{self._path}/embeddings", json=body))

    def models(self) -> Response:
        """The models that the key can use: `response["data"]`."""
        return self._transport.execute(Call("GET", f"{self._path}/models"))


class AsyncCompatible:
    """The same as `Compatible`, awaited."""

    def __init__(self, transport: AsyncTransport, path: str) -> None:
        self._transport = transport
        self._path = path

    def stream(self, model: str, messages: Messages, **options: Unpack[CompatibleOptions]) -> AsyncStream:
        """As `Compatible.stream`; use it with `async with` and `async for`."""
        return self._transport.stream(
            compatible_call(f"{self._path}/chat/completions", model, messages, options, streaming=True)
        )

    async def chat(self, model: str, messages: Messages, **options: Unpack[CompatibleOptions]) -> Completion:
        """As `Compatible.chat`."""
        return await self._transport.complete(
            compatible_call(f"{self._path}/chat/completions", model, messages, options, streaming=False)
        )

    async def embeddings(
        self,
        input: str | Sequence[str],
        *,
        model: str = "bge-m3",
        extra_body: Mapping[str, Any] | None = None,
    ) -> Response:
        """As `Compatible.embeddings`."""
        body = _embeddings_body(input, model, extra_body)
        return await self._transport.execute(Call("POST", f"{self._path}/embeddings", json=body))

    async def models(self) -> Response:
        """As `Compatible.models`."""
        return await self._transport.execute(Call("GET", f"{self._path}/models"))


# --- the clients


class Client(ClientBase):
    """CLOVA Studio, blocking.

    Args:
        api_key: `nv-...`; by default `CLOVA_STUDIO_API_KEY` from the environment.
        apigw_api_key: with it the deprecated header pair is sent instead of Bearer; by default
            `CLOVA_STUDIO_APIGW_API_KEY` from the environment.
        prefix: before every native path: `""`, or `"/testapp"` or `"/serviceapp"` for the public
            region and for apps that still use them ([clova §1.1]).
        openai_path: path of the OpenAI-compatible endpoints; the prefix is not put before it.
        **options: see `ConnectionOptions`; `base_url` defaults to `CLOVA_STUDIO_BASE_URL`, then to
            the documented address. The public region is
            `base_url="https://clovastudio.stream.gov-ntruss.com"` ([gov §2]).

    Raises:
        ValueError: no key, a key that cannot be one, or an address the key must not be sent to.
        ImportError: the extra `hangang[client]` is not installed.
    """

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
        self._transport = SyncTransport(_SERVICE, auth=auth, secrets=secrets, **options)
        self.openai = Compatible(self._transport, openai_path)

    def stream(self, model: str | None, messages: Messages, **options: Unpack[ChatOptions]) -> Stream:
        """Stream an answer: `Token` events, then `Result` and usually `Signal`.

        Args:
            model: `HCX-007`, `HCX-005`, `HCX-DASH-002` (v3), `HCX-003`, `HCX-DASH-001` (v1), or None
                with `task_id=`.
            messages: plain dicts as on the wire ([clova §4]), passed on as they are.
            **options: see `ChatOptions`.

        Returns:
            A `Stream`; nothing is sent before it is entered or iterated.

        Raises:
            ValueError: the documentation refuses this request; the message names the rule.
            APIError: on entering: what the service answered ([clova §7]), by class; an error
                event that comes first is one too.
            APIConnectionError, APITimeoutError: no answer, after the retries.
        """
        return self._transport.stream(chat_call(self._prefix, model, messages, streaming=True, **options))

    def chat(self, model: str | None, messages: Messages, **options: Unpack[ChatOptions]) -> Completion:
        """A whole answer at once. Arguments and errors as `stream`."""
        return self._transport.complete(chat_call(self._prefix, model, messages, streaming=False, **options))

    def embedding(self, text: str) -> Response:
        """Embedding v2 of up to 8,192 tokens: `response["embedding"]`, 1,024 floats."""
        return self._transport.execute(embedding_call(self._prefix, text))

    def count_embedding_tokens(self, text: str) -> Response:
        """Tokens of a text for embedding v2: `response["numTokens"]`."""
        return self._transport.execute(embedding_tokens_call(self._prefix, text))

    def count_chat_tokens(
        self,
        model: str,
        messages: Messages,
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
        response_format: Mapping[str, Any] | None = None,
    ) -> Response:
        """Tokens of each message, and (v3) of tools and response format ([clova §9])."""
        return self._transport.execute(
            chat_tokens_call(self._prefix, model, messages, tools, tool_choice, response_format)
        )


class AsyncClient(AsyncClientBase):
    """CLOVA Studio, awaited. Arguments as `Client`; `http_client` is an async one."""

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
        self._transport = AsyncTransport(_SERVICE, auth=auth, secrets=secrets, **options)
        self.openai = AsyncCompatible(self._transport, openai_path)

    def stream(self, model: str | None, messages: Messages, **options: Unpack[ChatOptions]) -> AsyncStream:
        """As `Client.stream`; use it with `async with` and `async for`."""
        return self._transport.stream(chat_call(self._prefix, model, messages, streaming=True, **options))

    async def chat(self, model: str | None, messages: Messages, **options: Unpack[ChatOptions]) -> Completion:
        """As `Client.chat`."""
        return await self._transport.complete(
            chat_call(self._prefix, model, messages, streaming=False, **options)
        )

    async def embedding(self, text: str) -> Response:
        """As `Client.embedding`."""
        return await self._transport.execute(embedding_call(self._prefix, text))

    async def count_embedding_tokens(self, text: str) -> Response:
        """As `Client.count_embedding_tokens`."""
        return await self._transport.execute(embedding_tokens_call(self._prefix, text))

    async def count_chat_tokens(
        self,
        model: str,
        messages: Messages,
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
        response_format: Mapping[str, Any] | None = None,
    ) -> Response:
        """As `Client.count_chat_tokens`."""
        return await self._transport.execute(
            chat_tokens_call(self._prefix, model, messages, tools, tool_choice, response_format)
        )
