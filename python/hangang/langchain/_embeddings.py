"""Embeddings of CLOVA Studio."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from langchain_core.embeddings import Embeddings
from langchain_core.utils import secret_from_env
from pydantic import Field, PositiveInt, SecretStr

from hangang import clova
from hangang._client.response import Response
from hangang._errors import APIError

from ._connection import Connection

__all__ = ["ClovaEmbeddings"]


class ClovaEmbeddings(Connection, Embeddings):
    """CLOVA Studio's embeddings, through its OpenAI-compatible endpoint: 1,024 floats a text.

    embeddings = ClovaEmbeddings()
    vectors = embeddings.embed_documents(["한강", "낙동강"])
    """

    model: str = "bge-m3"
    """The only one that the endpoint documents."""
    api_key: SecretStr | None = Field(
        default_factory=secret_from_env(["CLOVA_STUDIO_API_KEY", "CLOVASTUDIO_API_KEY"], default=None)
    )
    """By default `CLOVA_STUDIO_API_KEY` from the environment, then `CLOVASTUDIO_API_KEY`."""
    batch_size: PositiveInt = 1
    """Texts of one request. CLOVA Studio does not document whether it takes more than one."""

    _service: ClassVar[Any] = clova
    _key_variables: ClassVar[tuple[str, ...]] = ("CLOVA_STUDIO_API_KEY", "CLOVASTUDIO_API_KEY")

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """A vector for each text, in order."""
        client = self._blocking()
        return [
            vector
            for batch in self._batches(texts)
            for vector in _vectors(client.openai.embeddings(batch, model=self.model), batch)
        ]

    def embed_query(self, text: str) -> list[float]:
        """The vector of a text."""
        return self.embed_documents([text])[0]

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """As `embed_documents`, awaited."""
        client = self._awaited()
        return [
            vector
            for batch in self._batches(texts)
            for vector in _vectors(await client.openai.embeddings(batch, model=self.model), batch)
        ]

    async def aembed_query(self, text: str) -> list[float]:
        """As `embed_query`, awaited."""
        return (await self.aembed_documents([text]))[0]

    def _batches(self, texts: Sequence[str]) -> Iterator[str | list[str]]:
        for start in range(0, len(texts), self.batch_size):
            batch = list(texts[start : start + self.batch_size])
            yield batch[0] if self.batch_size == 1 else batch


def _vectors(response: Response, batch: str | list[str]) -> list[list[float]]:
    """The vectors of an answer, in the order of their texts."""
    listed: list[dict[str, Any]] = sorted(response["data"], key=lambda one: one.get("index") or 0)
    wanted = 1 if isinstance(batch, str) else len(batch)
    if len(listed) != wanted:
        raise APIError(f"the service answered with {len(listed)} embeddings for {wanted} texts")
    return [one["embedding"] for one in listed]
