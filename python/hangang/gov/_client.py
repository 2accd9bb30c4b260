"""Clients of CLOVA Studio Gov: chat, agents, RAG42, tools.

Facts and their sources: docs/protocol/gov.md (service A). Where the sources disagree on a path, the path is
an argument.
"""

from __future__ import annotations

import os
from typing import Generic, TypeVar, Unpack

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
from hangang._client.messages import Messages
from hangang._client.openai_format import CompatibleOptions as ChatOptions
from hangang._client.openai_format import chat_call, models_call, thinking_of_gov
from hangang._client.options import CallOptions, ConnectionOptions
from hangang._client.request import Call, Service, required_key
from hangang._client.response import Response
from hangang._client.stream import AsyncStream, Stream
from hangang._client.transport import AsyncTransport, SyncTransport
from hangang._completion import Completion
from hangang._metrics import Metrics
from hangang._rate_limit import RateLimit
from hangang.a2a import Event as AgentEvent
from hangang.openai._events import Event

from ._agents import PROFILES, AgentDefaults, AgentOptions, AgentProfile, Agents
from ._rag import RAG
from ._tools import Tools

__all__ = [
    "PROFILES",
    "AgentOptions",
    "AgentProfile",
    "AsyncClient",
    "AsyncStream",
    "CallOptions",
    "ChatOptions",
    "Client",
    "ConnectionOptions",
    "Metrics",
    "RateLimit",
    "Response",
    "Stream",
]

S = TypeVar("S")
C = TypeVar("C")
R = TypeVar("R")

_SERVICE = Service(
    name="gov", base_url="https://api.clovastudio.go.kr", base_variable="CLOVA_STUDIO_GOV_BASE_URL"
)
_KEY = "CLOVA_STUDIO_GOV_API_KEY"


def _tenant(tenant_id: str | None) -> dict[str, str]:
    return {} if tenant_id is None else {"csg-tenant-id": tenant_id}


@bare_names
class _Methods(Generic[S, C, R]):
    """The methods of both clients. In `AsyncClient` their results are awaited; streams need no await."""

    _run: Runner[S, C, R]
    _chat_path: str

    def stream(self, model: str, messages: Messages, **options: Unpack[ChatOptions]) -> S:
        """Stream an answer: `Chunk` events, then `Done`.

        Args:
            model: `HCX-GOV-THINK` (it reasons by default), `HCX-GOV`, ... ([gov §1.1]).
            messages: a str (one user message), or a list of dicts and `Completion`s.
            **options: see `ChatOptions`.

        Returns:
            A `Stream`; nothing is sent before it is entered, opened or iterated.

        Raises:
            TypeError: an argument of the wrong type, or an unknown option.
            APIError: on entering: what the service answered, in either of its two forms, by class.
            APIConnectionError, APITimeoutError: no answer, after the retries.
        """
        return self._run.stream(self._chat("stream", model, messages, options, streaming=True))

    def chat(self, model: str, messages: Messages, **options: Unpack[ChatOptions]) -> C:
        """A whole answer at once: a `Completion` with `text`, `thinking`, `tool_calls`, `usage`.

        Args:
            model: `HCX-GOV-THINK` (it reasons by default), `HCX-GOV`, ... ([gov §1.1]).
            messages: a str (one user message), or a list of dicts and `Completion`s.
            **options: see `ChatOptions`.

        Raises:
            TypeError, APIError, APIConnectionError, APITimeoutError: as `stream`.
        """
        return self._run.complete(self._chat("chat", model, messages, options, streaming=False))

    def _chat(
        self, method: str, model: str, messages: Messages, options: ChatOptions, *, streaming: bool
    ) -> Call:
        return chat_call(
            method, self._chat_path, model, messages, options, streaming=streaming, thinking=thinking_of_gov
        )

    def models(self, **options: Unpack[CallOptions]) -> R:
        """The models that the key can use: `response["data"]`. The path is beside that of the chat."""
        base = self._chat_path.removesuffix("/chat/completions")
        return self._run.execute(models_call(f"{base}/models", options))


class Client(_Methods[Stream[Event], Completion, Response], ClientBase):
    """CLOVA Studio Gov, blocking.

    Args:
        api_key: sent as Bearer; by default `CLOVA_STUDIO_GOV_API_KEY` from the environment.
        chat_path: `/api/v1/chat/completions` (API reference) or `/v1/chat/completions` (FAQ).
        rag_path: before all paths of RAG42.
        tenant_id: sent with RAG42 requests as `CSG-TENANT-ID`.
        agent_profile: how requests to agents are made: a name of `PROFILES` or an `AgentProfile`.
        team_id: for agent paths with a team.
        **options: see `ConnectionOptions`; `base_url` defaults to `CLOVA_STUDIO_GOV_BASE_URL`, then to
            the documented address. With a `base_url` of your own all requests go there, agents too.

    Attributes:
        agents: `send` and `stream`, over A2A.
        rag: RAG42: `collections`, `documents`, `chunks`, `search`.
        tools: masking, embeddings, document parsers, speech.

    Raises:
        ValueError: no key, a key that cannot be one, or an address the key must not be sent to.
        ImportError: the extra `hangang[client]` is not installed.
    """

    agents: Agents[Completion, Stream[AgentEvent]]
    rag: RAG[Response]
    tools: Tools[Response]

    def __init__(
        self,
        api_key: str | None = None,
        *,
        chat_path: str = "/api/v1/chat/completions",
        rag_path: str = "/v1/rag42",
        tenant_id: str | None = None,
        agent_profile: str | AgentProfile = "faq",
        team_id: str | int | None = None,
        **options: Unpack[ConnectionOptions],
    ) -> None:
        key = required_key(api_key, "api_key", _KEY)
        self._chat_path = chat_path
        self._rag = rag_path, _tenant(tenant_id)
        self._agent = agent_profile, team_id
        self._bind(
            SyncTransport(
                _SERVICE,
                auth={"authorization": f"Bearer {key}"},
                secrets=(key,),
                default_base_url=os.environ.get(_SERVICE.base_variable),
                options=options,
            )
        )

    def _bind(self, transport: SyncTransport) -> None:
        super()._bind(transport)
        self._run = run = blocking(transport)
        self.agents = Agents(
            run.complete, run.stream, AgentDefaults(*self._agent, transport.has_documented_address)
        )
        self.rag = RAG(run.execute, *self._rag)
        self.tools = Tools(run.execute)


class AsyncClient(_Methods[AsyncStream[Event], AwaitedCompletion, AwaitedResponse], AsyncClientBase):
    """CLOVA Studio Gov, awaited. Arguments and attributes as `Client`; `http_client` is an async one."""

    agents: Agents[AwaitedCompletion, AsyncStream[AgentEvent]]
    rag: RAG[AwaitedResponse]
    tools: Tools[AwaitedResponse]

    def __init__(
        self,
        api_key: str | None = None,
        *,
        chat_path: str = "/api/v1/chat/completions",
        rag_path: str = "/v1/rag42",
        tenant_id: str | None = None,
        agent_profile: str | AgentProfile = "faq",
        team_id: str | int | None = None,
        **options: Unpack[ConnectionOptions],
    ) -> None:
        key = required_key(api_key, "api_key", _KEY)
        self._chat_path = chat_path
        self._rag = rag_path, _tenant(tenant_id)
        self._agent = agent_profile, team_id
        self._bind(
            AsyncTransport(
                _SERVICE,
                auth={"authorization": f"Bearer {key}"},
                secrets=(key,),
                default_base_url=os.environ.get(_SERVICE.base_variable),
                options=options,
            )
        )

    def _bind(self, transport: AsyncTransport) -> None:
        super()._bind(transport)
        self._run = run = awaiting(transport)
        self.agents = Agents(
            run.complete, run.stream, AgentDefaults(*self._agent, transport.has_documented_address)
        )
        self.rag = RAG(run.execute, *self._rag)
        self.tools = Tools(run.execute)
