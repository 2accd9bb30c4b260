"""Clients of CLOVA Studio Gov: chat, agents, RAG42, tools.

Facts and their sources: docs/protocol/gov.md (service A). Where the sources disagree on a path, the path is
an argument.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Unpack

from hangang._call import Response, Service, required_key
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

from ._agents import PROFILES, AgentDefaults, AgentOptions, AgentProfile, Agents
from ._rag import RAG
from ._tools import Tools

__all__ = [
    "PROFILES",
    "AgentOptions",
    "AgentProfile",
    "AsyncClient",
    "AsyncStream",
    "Client",
    "Response",
    "Stream",
]

Messages = Sequence[Mapping[str, Any]]

_SERVICE = Service(base_url="https://api.clovastudio.go.kr", base_variable="CLOVA_STUDIO_GOV_BASE_URL")
_KEY = "CLOVA_STUDIO_GOV_API_KEY"


def _tenant(tenant_id: str | None) -> dict[str, str]:
    return {} if tenant_id is None else {"csg-tenant-id": tenant_id}


class Client(ClientBase):
    """CLOVA Studio Gov, blocking.

    Args:
        api_key: sent as Bearer; by default `CLOVA_STUDIO_GOV_API_KEY` from the environment.
        chat_path: `/api/v1/chat/completions` (API reference) or `/v1/chat/completions` (FAQ).
        rag_path: before all paths of RAG42.
        tenant_id: sent with RAG42 requests as `CSG-TENANT-ID`.
        agent_profile: which dialect agents are asked in, a name of `PROFILES` or an `AgentProfile`.
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

    agents: Agents[Completion, Stream]
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
        auth = {"authorization": f"Bearer {key}"}
        transport = SyncTransport(_SERVICE, auth=auth, secrets=(key,), **options)
        self._transport = transport
        self._chat_path = chat_path
        defaults = AgentDefaults(agent_profile, team_id, transport.has_default_base_url)
        self.agents = Agents(transport.complete, transport.stream, defaults)
        self.rag = RAG(transport.execute, rag_path, _tenant(tenant_id))
        self.tools = Tools(transport.execute)

    def stream(self, model: str, messages: Messages, **options: Unpack[CompatibleOptions]) -> Stream:
        """Stream an answer: `Chunk` events, then `Done`.

        Args:
            model: `HCX-GOV-THINK` (it reasons by default), `HCX-GOV`, ... ([gov §1.1]).
            messages: plain dicts as on the wire.
            **options: see `CompatibleOptions`.

        Returns:
            A `Stream`; nothing is sent before it is entered or iterated.

        Raises:
            APIError: on entering: what the service answered, in either of its two forms, by class.
            APIConnectionError, APITimeoutError: no answer, after the retries.
        """
        return self._transport.stream(
            compatible_call(self._chat_path, model, messages, options, streaming=True)
        )

    def chat(self, model: str, messages: Messages, **options: Unpack[CompatibleOptions]) -> Completion:
        """A whole answer at once. Arguments and errors as `stream`."""
        return self._transport.complete(
            compatible_call(self._chat_path, model, messages, options, streaming=False)
        )


class AsyncClient(AsyncClientBase):
    """CLOVA Studio Gov, awaited. Arguments and attributes as `Client`; `http_client` is an async one."""

    agents: Agents[Awaitable[Completion], AsyncStream]
    rag: RAG[Awaitable[Response]]
    tools: Tools[Awaitable[Response]]

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
        auth = {"authorization": f"Bearer {key}"}
        transport = AsyncTransport(_SERVICE, auth=auth, secrets=(key,), **options)
        self._transport = transport
        self._chat_path = chat_path
        defaults = AgentDefaults(agent_profile, team_id, transport.has_default_base_url)
        self.agents = Agents(transport.complete, transport.stream, defaults)
        self.rag = RAG(transport.execute, rag_path, _tenant(tenant_id))
        self.tools = Tools(transport.execute)

    def stream(self, model: str, messages: Messages, **options: Unpack[CompatibleOptions]) -> AsyncStream:
        """As `Client.stream`; use it with `async with` and `async for`."""
        return self._transport.stream(
            compatible_call(self._chat_path, model, messages, options, streaming=True)
        )

    async def chat(self, model: str, messages: Messages, **options: Unpack[CompatibleOptions]) -> Completion:
        """As `Client.chat`."""
        return await self._transport.complete(
            compatible_call(self._chat_path, model, messages, options, streaming=False)
        )
