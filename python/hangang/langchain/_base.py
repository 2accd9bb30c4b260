"""The chat models' common base: requests from fields and arguments, answers by `_answers`.

Each public method of LangChain has one implementation here, in two kinds: `_generate` and `_stream` block,
`_agenerate` and `_astream` await. Nothing runs in a thread.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, ClassVar, Literal

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import LangSmithParams, LanguageModelInput
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.output_parsers import JsonOutputParser, PydanticOutputParser
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableMap, RunnablePassthrough
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_json_schema, convert_to_openai_tool
from langchain_core.utils.pydantic import is_basemodel_subclass
from pydantic import BaseModel, ConfigDict

from hangang._completion import Completion

from ._answers import Relay, message_of
from ._connection import Connection

__all__ = ["ChatBase", "Request", "ToolChatBase"]

Method = Literal["function_calling", "json_schema", "json_mode"]


@dataclass(frozen=True, slots=True)
class Request:
    """One call of a client's `stream` or `chat`.

    Attributes:
        arguments: the positional ones.
        options: the keyword ones.
        model: the name of the model, for the answer's metadata.
        stop: strings that the service does not look for itself.
    """

    arguments: tuple[Any, ...]
    options: dict[str, Any]
    model: str
    stop: tuple[str, ...] = ()


class ChatBase(Connection, BaseChatModel):
    """What all chat models share."""

    # As in `Connection`: LangChain's base class sets `extra` again.
    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", hide_input_in_errors=True)

    model: str | None = None
    """The model's name on the service."""
    temperature: float | None = None
    """By default the service's."""
    max_tokens: int | None = None
    """Most tokens of an answer; by default the service's limit."""
    stop: list[str] | str | None = None
    """Strings before which the answer ends."""
    streaming: bool = False
    """Whether `invoke` and `ainvoke` stream as well."""
    extra_body: Mapping[str, Any] | None = None
    """Adds or replaces members of the request's body."""

    #: The provider's name in traces and in the answer's metadata.
    _provider: ClassVar[str]
    #: Fields that are options of the client's `stream` and `chat`.
    _option_fields: ClassVar[tuple[str, ...]] = ("temperature", "extra_body")
    #: Names of the key's field and of its environment variable.
    _secrets: ClassVar[dict[str, str]] = {}

    # What LangChain asks of a model

    @property
    def _llm_type(self) -> str:
        return f"hangang-{self._provider}"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        """What the answers depend on: for traces, and for the key of LangChain's cache."""
        names = ["base_url", *(name for name in self._client_fields if name not in self._secrets)]
        where = {name: value for name in names if (value := getattr(self, name)) is not None}
        return {"model": self._model_name(self.model), **where, **self._options(None, {})}

    @property
    def lc_secrets(self) -> dict[str, str]:
        """Names of the fields that are secrets, and of the variables they are read from."""
        return dict(self._secrets)

    @classmethod
    def get_lc_namespace(cls) -> list[str]:
        """The public module, whatever file the class is in.

        Models are not "serializable" as LangChain uses the word: its `load` takes only the classes in a list
        of its own. They can be pickled.
        """
        return ["hangang", "langchain"]

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        if stop is None:
            stop = _listed(self.stop)
        params = super()._get_ls_params(stop=stop, **kwargs)
        params["ls_provider"] = self._provider
        params["ls_model_name"] = self._model_name(kwargs.get("model") or self.model)
        return params

    # Requests

    def _model_name(self, model: str | None) -> str:
        return model or ""

    def _options(self, stop: Sequence[str] | str | None, given: Mapping[str, Any]) -> dict[str, Any]:
        """The options of a call: fields that are set, and over them the arguments of the call."""
        names = self._option_fields
        options = {name: value for name in names if (value := getattr(self, name)) is not None}
        if self.max_tokens is not None:
            options["max_tokens"] = self.max_tokens
        if strings := _listed(self.stop if stop is None else stop):
            options["stop"] = strings
        options.update(given)
        options.pop("stream", None)  # LangChain's own switch
        return options

    def _request(
        self,
        messages: Sequence[BaseMessage],
        stop: Sequence[str] | None,
        given: Mapping[str, Any],
        *,
        streaming: bool,
    ) -> Request:
        """What the client is called with."""
        raise NotImplementedError

    def _metadata(self, request: Request) -> dict[str, Any]:
        return {"model_name": request.model, "model_provider": self._provider}

    def _result(self, completion: Completion, request: Request) -> ChatResult:
        message = message_of(completion, self._metadata(request), request.stop)
        return ChatResult(generations=[ChatGeneration(message=message)])

    # Answers

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        request = self._request(messages, stop, kwargs, streaming=False)
        return self._result(self._blocking().chat(*request.arguments, **request.options), request)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        request = self._request(messages, stop, kwargs, streaming=False)
        client = self._awaited()
        return self._result(await client.chat(*request.arguments, **request.options), request)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        request = self._request(messages, stop, kwargs, streaming=True)
        relay = Relay(self._metadata(request), request.stop)
        with self._blocking().stream(*request.arguments, **request.options) as stream:
            for event in stream:
                if (chunk := relay.add(event)) is not None:
                    if run_manager is not None:
                        run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                    yield chunk
                if relay.is_stopped:
                    break
            chunk = relay.last(stream.completion)
        if run_manager is not None:
            run_manager.on_llm_new_token(chunk.text, chunk=chunk)
        yield chunk

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        request = self._request(messages, stop, kwargs, streaming=True)
        relay = Relay(self._metadata(request), request.stop)
        client = self._awaited()
        async with client.stream(*request.arguments, **request.options) as stream:
            async for event in stream:
                if (chunk := relay.add(event)) is not None:
                    if run_manager is not None:
                        await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                    yield chunk
                if relay.is_stopped:
                    break
            chunk = relay.last(stream.completion)
        if run_manager is not None:
            await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
        yield chunk


class ToolChatBase(ChatBase):
    """What the chat models with tool calling share."""

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: dict[str, Any] | str | bool | None = None,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """A model that can call tools.

        Args:
            tools: functions, Pydantic classes, LangChain tools, or dicts in OpenAI's form.
            tool_choice: the name of a tool that must be called; `"any"`, `"required"` or True for any of
                them; `"auto"`, `"none"`; or the wire's object.
            strict: for OpenAI-compatible servers: arguments must follow the schema exactly.
            **kwargs: more options of each call.

        Raises:
            ValueError: no tool has the name `tool_choice`.
        """
        shaped = [convert_to_openai_tool(tool, strict=strict) for tool in tools]
        if tool_choice:
            kwargs["tool_choice"] = self._tool_choice(
                [one["function"]["name"] for one in shaped], tool_choice
            )
        return self.bind(tools=shaped, **kwargs)

    def _tool_choice(self, names: list[str], choice: dict[str, Any] | str | bool) -> dict[str, Any] | str:
        """`tool_choice` as the service takes it."""
        if isinstance(choice, dict) or choice in ("auto", "none"):
            return choice
        if choice is True or choice in ("any", "required"):
            return self._any_tool(names)
        if choice not in names:
            raise ValueError(
                f"tool_choice must be the name of a bound tool ({', '.join(names)}), not {choice!r}"
            )
        return _named(str(choice))

    def _any_tool(self, names: list[str]) -> dict[str, Any] | str:
        """The value that means "one of them must be called"."""
        return "required"

    def _response_format(self, name: str, schema: dict[str, Any], method: Method, strict: bool | None) -> Any:
        """The request's member that asks for JSON of a schema."""
        if method == "json_mode":
            return {"type": "json_object"}
        described = {"name": name, "schema": schema}
        return {
            "type": "json_schema",
            "json_schema": described if strict is None else {**described, "strict": strict},
        }

    def with_structured_output(
        self,
        schema: dict[str, Any] | type,
        *,
        include_raw: bool = False,
        method: Method = "function_calling",
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, dict[str, Any] | BaseModel]:
        """A model whose answers have the form of a schema.

        Args:
            schema: a Pydantic class, whose instances are the answers; or a TypedDict or a JSON Schema, and
                the answers are dicts.
            include_raw: answer with `{"raw", "parsed", "parsing_error"}` instead, and never raise for an
                answer that cannot be parsed.
            method: `"function_calling"`: the schema is a tool that must be called. `"json_schema"`: the
                service makes sure of the form. `"json_mode"`: JSON of any form; the prompt must describe it.
            strict: with `"json_schema"`: passed on.
            **kwargs: refused.

        Raises:
            ValueError: an unknown method or argument.
        """
        if method == "function_calling":
            return super().with_structured_output(schema, include_raw=include_raw, **kwargs)
        if kwargs:
            raise ValueError(f"with_structured_output() has no argument {', '.join(kwargs)}")
        if method not in ("json_schema", "json_mode"):
            raise ValueError(f"method must be function_calling, json_schema or json_mode, not {method!r}")
        described = convert_to_json_schema(schema)
        name = convert_to_openai_tool(schema)["function"]["name"]
        model = self.bind(
            response_format=self._response_format(name, described, method, strict),
            ls_structured_output_format={"kwargs": {"method": method}, "schema": schema},
        )
        parser: Runnable[Any, Any] = JsonOutputParser()
        if isinstance(schema, type) and is_basemodel_subclass(schema):
            parser = PydanticOutputParser[Any](pydantic_object=schema)
        if not include_raw:
            return model | parser
        parsed = RunnablePassthrough.assign(parsed=itemgetter("raw") | parser, parsing_error=lambda _: None)
        failed = RunnablePassthrough.assign(parsed=lambda _: None)
        return RunnableMap(raw=model) | parsed.with_fallbacks([failed], exception_key="parsing_error")


def _named(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


def _listed(strings: Sequence[str] | str | None) -> list[str]:
    if strings is None:
        return []
    return [strings] if isinstance(strings, str) else list(strings)
