"""Clients of any OpenAI-compatible server: vLLM, SGLang, Ollama, LM Studio, Friendli, a gateway.

The base URL is the server's API root, as in OpenAI's SDK: `http://localhost:8000/v1`. Facts about servers:
docs/protocol/openai.md.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Generic, TypeVar, Unpack
from urllib.parse import urlsplit

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
from hangang._client.http.interface import is_loopback
from hangang._client.messages import Messages
from hangang._client.openai_format import CompatibleOptions, chat_call, embeddings_call, models_call
from hangang._client.options import CallOptions, ConnectionOptions, checked_str
from hangang._client.request import Call, Service, checked_key
from hangang._client.response import Response
from hangang._client.stream import AsyncStream, Stream
from hangang._client.transport import AsyncTransport, SyncTransport
from hangang._completion import Completion
from hangang._metrics import Metrics
from hangang._rate_limit import RateLimit

from ._events import Event

__all__ = [
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

_SERVICE = Service(name="openai", base_url=None, base_variable="OPENAI_BASE_URL")
_KEY = "OPENAI_API_KEY"

Tags = tuple[str, str]


class ChatOptions(CompatibleOptions, total=False):
    """Keyword arguments of `stream` and `chat`: `CompatibleOptions`, and

    - `thinking_tags`, `thinking_first`: see `Client`; over those of the client.
    """

    thinking_tags: Tags | None
    thinking_first: bool


@bare_names
class _Methods(Generic[S, C, R]):
    """The methods of both clients. In `AsyncClient` their results are awaited; streams need no await."""

    _run: Runner[S, C, R]
    _tags: tuple[Tags | None, bool]

    def stream(self, model: str, messages: Messages, **options: Unpack[ChatOptions]) -> S:
        """Stream an answer: `Chunk` events, then `Done`.

        Args:
            model: its name on the server.
            messages: a str (one user message), or a list of dicts and `Completion`s.
            **options: see `ChatOptions`.

        Returns:
            A `Stream`; nothing is sent before it is entered, opened or iterated.

        Raises:
            TypeError: an argument of the wrong type, or an unknown option.
            APIError: on entering: what the server answered, by class.
            APIConnectionError, APITimeoutError: no answer, after the retries.
        """
        return self._run.stream(self._chat("stream", model, messages, options, streaming=True))

    def chat(self, model: str, messages: Messages, **options: Unpack[ChatOptions]) -> C:
        """A whole answer at once: a `Completion` with `text`, `thinking`, `tool_calls`, `usage`.

        Args:
            model: its name on the server.
            messages: a str (one user message), or a list of dicts and `Completion`s.
            **options: see `ChatOptions`.

        Raises:
            TypeError, APIError, APIConnectionError, APITimeoutError: as `stream`.
        """
        return self._run.complete(self._chat("chat", model, messages, options, streaming=False))

    def _chat(
        self, method: str, model: str, messages: Messages, options: ChatOptions, *, streaming: bool
    ) -> Call:
        chosen: dict[str, Any] = {**options}
        tags, first = self._tags
        tags, first = chosen.pop("thinking_tags", tags), chosen.pop("thinking_first", first)
        # Only what is set, so that the parser's own defaults and checks apply.
        parser_options: dict[str, Any] = {} if tags is None else {"thinking_tags": tags}
        if first:
            parser_options["thinking_first"] = first
        return chat_call(
            method,
            "/chat/completions",
            model,
            messages,
            chosen,
            streaming=streaming,
            parser_options=parser_options,
        )

    def embeddings(self, input: str | Sequence[str], *, model: str, **options: Unpack[CallOptions]) -> R:
        """Embeddings as an OpenAI list: `response["data"][0]["embedding"]`."""
        return self._run.execute(embeddings_call("/embeddings", input, model, options))

    def models(self, **options: Unpack[CallOptions]) -> R:
        """The models of the server: `response["data"]`."""
        return self._run.execute(models_call("/models", options))


def _auth(
    api_key: str | None, options: ConnectionOptions
) -> tuple[dict[str, str], tuple[str, ...], str | None]:
    """Headers, secrets, and the address from the environment."""
    key = checked_key(api_key, "api_key", _KEY)
    address = os.environ.get(_SERVICE.base_variable)
    if key is not None:
        return {"authorization": f"Bearer {key}"}, (key,), address
    base_url = options.get("base_url") or address
    if base_url is not None and not is_loopback(urlsplit(checked_str("base_url", base_url)).hostname or ""):
        raise ValueError(
            f"no API key: pass api_key= or set {_KEY} (only a server on this machine needs none)"
        )
    return {}, (), address


class Client(_Methods[Stream[Event], Completion, Response], ClientBase):
    """A client of an OpenAI-compatible server, blocking.

    Args:
        api_key: sent as Bearer; by default `OPENAI_API_KEY` from the environment. A server on this
            machine needs none.
        thinking_tags: the tags around the reasoning of a server that leaves it in the content, e.g.
            `("<think>", "</think>")`; then it is in `.thinking` and not in `.text`.
        thinking_first: with `thinking_tags`, for a chat template that opens the tag itself: the answer
            begins inside the reasoning.
        **options: see `ConnectionOptions`; `base_url` defaults to `OPENAI_BASE_URL`, and one of the two is
            needed: `http://localhost:8000/v1` for vLLM, `http://localhost:11434/v1` for Ollama.

    Raises:
        ValueError: no address, no key, a key that cannot be one, or an address the key must not be sent
            to.
        ImportError: the extra `hangang[client]` is not installed.
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        thinking_tags: Tags | None = None,
        thinking_first: bool = False,
        **options: Unpack[ConnectionOptions],
    ) -> None:
        auth, secrets, address = _auth(api_key, options)
        self._tags = thinking_tags, thinking_first
        self._bind(
            SyncTransport(_SERVICE, auth=auth, secrets=secrets, default_base_url=address, options=options)
        )

    def _bind(self, transport: SyncTransport) -> None:
        super()._bind(transport)
        self._run = blocking(transport)


class AsyncClient(_Methods[AsyncStream[Event], AwaitedCompletion, AwaitedResponse], AsyncClientBase):
    """A client of an OpenAI-compatible server, awaited. Arguments as `Client`; `http_client` is async."""

    def __init__(
        self,
        api_key: str | None = None,
        *,
        thinking_tags: Tags | None = None,
        thinking_first: bool = False,
        **options: Unpack[ConnectionOptions],
    ) -> None:
        auth, secrets, address = _auth(api_key, options)
        self._tags = thinking_tags, thinking_first
        self._bind(
            AsyncTransport(_SERVICE, auth=auth, secrets=secrets, default_base_url=address, options=options)
        )

    def _bind(self, transport: AsyncTransport) -> None:
        super()._bind(transport)
        self._run = awaiting(transport)
