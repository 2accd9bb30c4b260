"""The chat models, one a service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, NoReturn, cast

from langchain_core.messages import BaseMessage
from langchain_core.utils import secret_from_env
from pydantic import Field, SecretStr

from hangang import clova, exaone, gov, openai
from hangang.clova._client import _thinks_by_default

from ._base import ChatBase, Method, Request, ToolChatBase, _named
from ._messages import to_clova, to_exaone, to_openai

__all__ = ["ChatClova", "ChatExaone", "ChatGov", "ChatOpenAICompatible"]

_TOOL_TOKENS = 1024  # the least that CLOVA documents for requests with tools ([clova §4])


class ChatClova(ToolChatBase):
    """CLOVA Studio, through its native API: v3, and v1 for the models that only it has.

        model = ChatClova(model="HCX-007", thinking="low")
        message = model.invoke("한강의 길이는?")
        message.text, message.additional_kwargs.get("reasoning_content"), message.usage_metadata

    `thinking` that is not set is switched off for requests with tools, a response format or `stop`, which
    CLOVA Studio refuses together with thinking. If it is set, such a request is a ValueError.

    Fields are those of `hangang.clova.Client` and `hangang.clova.ChatOptions`, under the same names. Each
    can also be an argument of a call: `model.invoke(messages, temperature=0.2, model="HCX-005")`.
    """

    model: str | None = "HCX-007"
    """`HCX-007`, `HCX-005`, `HCX-DASH-002` (v3), `HCX-003`, `HCX-DASH-001` (v1)."""
    api_key: SecretStr | None = Field(
        default_factory=secret_from_env(["CLOVA_STUDIO_API_KEY", "CLOVASTUDIO_API_KEY"], default=None)
    )
    """By default `CLOVA_STUDIO_API_KEY` from the environment, then `CLOVASTUDIO_API_KEY`."""
    apigw_api_key: SecretStr | None = None
    """Of the deprecated pair of keys."""
    prefix: str | None = None
    """Before every path: `/testapp` or `/serviceapp`."""
    task_id: str | None = None
    """A tuned task instead of a model."""
    version: Literal["v1", "v2", "v3"] | None = None
    """Of the API; by default the model's."""
    thinking: bool | Literal["none", "low", "medium", "high"] | Mapping[str, Any] | None = None
    """True, False, an effort, or the wire's object. HCX-007 thinks by default."""
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    repetition_penalty: float | None = None
    """v3's `repetitionPenalty`, v1's `repeatPenalty`."""
    max_tokens: int | None = None
    """Most tokens of an answer. For a thinking model it is sent as `maxCompletionTokens`, which counts the
    thinking too; requests with tools get 1,024 if it is not set, the least that CLOVA Studio accepts."""
    include_ai_filters: bool | None = None
    """Ask for the AI filter's results: `response_metadata["ai_filter"]`."""

    _service: ClassVar[Any] = clova
    _provider: ClassVar[str] = "clova"
    _key_variables: ClassVar[tuple[str, ...]] = ("CLOVA_STUDIO_API_KEY", "CLOVASTUDIO_API_KEY")
    _client_fields: ClassVar[tuple[str, ...]] = ("apigw_api_key", "prefix")
    _option_fields: ClassVar[tuple[str, ...]] = (
        "temperature", "extra_body", "task_id", "version", "thinking", "top_p", "top_k", "seed",
        "repetition_penalty", "include_ai_filters",
    )  # fmt: skip
    _secrets: ClassVar[dict[str, str]] = {
        "api_key": "CLOVA_STUDIO_API_KEY",
        "apigw_api_key": "CLOVA_STUDIO_APIGW_API_KEY",
    }

    def _model_name(self, model: str | None) -> str:
        return self.task_id or super()._model_name(model)

    def _request(
        self,
        messages: Sequence[BaseMessage],
        stop: Sequence[str] | None,
        given: Mapping[str, Any],
        *,
        streaming: bool,
    ) -> Request:
        options = self._options(stop, given)
        model = options.pop("model", self.model)
        task = options.get("task_id")
        if task is not None:
            model = None
        has_tools = bool(options.get("tools"))
        thinking = options.get("thinking")
        if thinking is None and _thinks_by_default(model):
            if has_tools or options.get("response_format") or options.get("stop"):
                thinking = options["thinking"] = "none"
            else:
                thinking = True
        if "max_tokens" not in options and "max_completion_tokens" not in options and has_tools:
            options["max_tokens"] = _TOOL_TOKENS
        if _thinks(thinking) and "max_tokens" in options:
            options["max_completion_tokens"] = options.pop("max_tokens")
        return Request((model, to_clova(messages)), options, str(task or model))

    def _any_tool(self, names: list[str]) -> dict[str, Any] | str:
        # The native API has no value for "any": a single tool can be named, among several CLOVA chooses.
        return _named(names[0]) if len(names) == 1 else "auto"

    def _response_format(self, name: str, schema: dict[str, Any], method: Method, strict: bool | None) -> Any:
        return {"type": "json", "schema": schema}  # CLOVA's JSON mode always has a schema ([clova §4])


class ChatExaone(ChatBase):
    """EXAONE, LG AI Research's platform: chat-completion, or text-generation if a model is named.

        model = ChatExaone()
        message = model.invoke("한강의 길이는?")
        message.text, message.response_metadata["references"], message.response_metadata["intent"]

    EXAONE answers a question about earlier turns: it has no system message (its text is put before the
    question), no tool calling, no token counts, and no stop strings (`stop` is applied to the answer here).
    """

    model: str | None = None
    """`"32b"` for text-generation; without a model the question goes to chat-completion."""
    api_key: SecretStr | None = Field(default_factory=secret_from_env("EXAONE_API_KEY", default=None))
    """By default `EXAONE_API_KEY` from the environment."""
    previous_field: Literal["previous_messages", "previous_message"] | None = None
    """The name of the history in requests."""
    doc_ids: list[str] | None = None
    """Ids of uploaded files, for chat-completion."""
    max_tokens: int | None = None
    """Not documented by EXAONE: it is sent, and was seen to have no effect ([exaone §3])."""

    _service: ClassVar[Any] = exaone
    _provider: ClassVar[str] = "exaone"
    _key_variables: ClassVar[tuple[str, ...]] = ("EXAONE_API_KEY",)
    _client_fields: ClassVar[tuple[str, ...]] = ("previous_field",)
    _option_fields: ClassVar[tuple[str, ...]] = ("temperature", "extra_body", "doc_ids")
    _secrets: ClassVar[dict[str, str]] = {"api_key": "EXAONE_API_KEY"}

    def bind_tools(self, tools: Sequence[Any], *, tool_choice: str | None = None, **kwargs: Any) -> NoReturn:
        """Refused: a request has no member for tools or for the form of an answer ([exaone §3])."""
        raise NotImplementedError(
            "EXAONE's API has no tool calling and no structured output; use ChatClova, or "
            "ChatOpenAICompatible with an EXAONE model on an OpenAI-compatible server"
        )

    def _model_name(self, model: str | None) -> str:
        return model or "chat-completion"  # the endpoint that takes no model

    def _request(
        self,
        messages: Sequence[BaseMessage],
        stop: Sequence[str] | None,
        given: Mapping[str, Any],
        *,
        streaming: bool,
    ) -> Request:
        options = self._options(stop, given)
        model = options.setdefault("model", self.model)
        strings = tuple(options.pop("stop", ()))
        if (most := options.pop("max_tokens", None)) is not None:
            options["extra_body"] = {"max_tokens": most, **(options.get("extra_body") or {})}
        query, options["previous_messages"] = to_exaone(messages)
        return Request((query,), options, self._model_name(model), strings)


class _CompatibleBase(ToolChatBase):
    """Chat in the OpenAI-compatible format."""

    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    repetition_penalty: float | None = None
    reasoning_effort: str | None = None
    chat_template_kwargs: Mapping[str, Any] | None = None
    """For the model's chat template: `{"enable_thinking": True}`."""
    stream_usage: bool = True
    """Ask for token counts in streams. Set it to False for a server that refuses `stream_options`."""

    _option_fields: ClassVar[tuple[str, ...]] = (
        "temperature", "extra_body", "top_p", "top_k", "seed", "frequency_penalty", "presence_penalty",
        "repetition_penalty", "reasoning_effort", "chat_template_kwargs",
    )  # fmt: skip

    def _request(
        self,
        messages: Sequence[BaseMessage],
        stop: Sequence[str] | None,
        given: Mapping[str, Any],
        *,
        streaming: bool,
    ) -> Request:
        options = self._options(stop, given)
        model = options.pop("model", self.model)
        stream_usage = options.pop("stream_usage", self.stream_usage)
        if streaming and stream_usage:
            options.setdefault("stream_options", {"include_usage": True})
        return Request((model, to_openai(messages)), options, str(model))


class ChatGov(_CompatibleBase):
    """CLOVA Studio Gov.

        model = ChatGov(model="HCX-GOV-THINK")
        model.invoke("한강의 길이는?").additional_kwargs["reasoning_content"]

    Fields are those of `hangang.gov.Client` and `hangang.gov.ChatOptions`, under the same names.
    """

    model: str | None = "HCX-GOV-THINK"
    """`HCX-GOV-THINK` (it reasons by default), `HCX-GOV`, ..."""
    api_key: SecretStr | None = Field(
        default_factory=secret_from_env("CLOVA_STUDIO_GOV_API_KEY", default=None)
    )
    """By default `CLOVA_STUDIO_GOV_API_KEY` from the environment."""
    chat_path: str | None = None
    """`/api/v1/chat/completions` (the default) or `/v1/chat/completions`."""

    _service: ClassVar[Any] = gov
    _provider: ClassVar[str] = "clova-gov"
    _key_variables: ClassVar[tuple[str, ...]] = ("CLOVA_STUDIO_GOV_API_KEY",)
    _client_fields: ClassVar[tuple[str, ...]] = ("chat_path",)
    _secrets: ClassVar[dict[str, str]] = {"api_key": "CLOVA_STUDIO_GOV_API_KEY"}


class ChatOpenAICompatible(_CompatibleBase):
    """A model on an OpenAI-compatible server: vLLM, SGLang, Ollama, LM Studio, Friendli, a gateway.

        model = ChatOpenAICompatible(
            model="LGAI-EXAONE/EXAONE-4.0-32B",
            base_url="http://localhost:8000/v1",
            thinking_tags=("<think>", "</think>"),
        )

    Reasoning is `additional_kwargs["reasoning_content"]`, under whatever name the server sends it, or between
    `thinking_tags` in the text.
    """

    model: str | None = Field(default=...)
    """Its name on the server."""
    base_url: str | None = None
    """The API's root, e.g. `http://localhost:8000/v1`; by default `OPENAI_BASE_URL` from the environment."""
    api_key: SecretStr | None = Field(default_factory=secret_from_env("OPENAI_API_KEY", default=None))
    """By default `OPENAI_API_KEY` from the environment. A server on this machine needs none."""
    thinking_tags: tuple[str, str] | None = None
    """The tags around reasoning that a server leaves in the text."""
    thinking_first: bool | None = None
    """With `thinking_tags`: the answer begins inside the reasoning."""
    parallel_tool_calls: bool | None = None

    _service: ClassVar[Any] = openai
    _provider: ClassVar[str] = "openai-compatible"
    _client_fields: ClassVar[tuple[str, ...]] = ("thinking_tags", "thinking_first")
    _option_fields: ClassVar[tuple[str, ...]] = (*_CompatibleBase._option_fields, "parallel_tool_calls")
    _secrets: ClassVar[dict[str, str]] = {"api_key": "OPENAI_API_KEY"}


def _thinks(thinking: Any) -> bool:
    """Whether a value of `thinking` switches it on."""
    if isinstance(thinking, Mapping):
        return bool(cast("Mapping[str, Any]", thinking).get("effort") != "none")
    return thinking not in (None, False, "none")
