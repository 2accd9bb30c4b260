"""RAG42: collections, documents, chunks, search ([gov §1.3]).

The paths and the envelope are documented, most fields of the bodies are not in our sources: they are
keyword arguments under the names we know, and `extra` carries any other.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar, Unpack

from hangang._client.files import FileInput, read_file
from hangang._client.options import CallOptions, check_mapping, checked_str
from hangang._client.request import Call, body_of, segment, strings, with_call_options

__all__ = ["RAG", "Chunks", "Collections", "Documents"]

R = TypeVar("R")
Extra = Mapping[str, Any] | None


class _Resource(Generic[R]):
    def __init__(self, execute: Callable[[Call], R], path: str, headers: Mapping[str, str]) -> None:
        self._run = execute
        self._path = path
        self._headers = headers

    def _call(self, name: str, options: Mapping[str, Any], method: str, path: str, **more: Any) -> R:
        call = Call(method, self._path + path, headers=self._headers, **more)
        return self._run(with_call_options(call, f"rag.{name}", options))


def _split(fields: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Keyword arguments in two: the options of the call, and the fields of what is changed."""
    options = {name: value for name, value in fields.items() if name in CallOptions.__annotations__}
    return options, {name: value for name, value in fields.items() if name not in options}


def _page(size: int | None, start: int | None) -> dict[str, Any] | None:
    return body_of(None, size=size, **{"from": start}) or None


class Collections(_Resource[R]):
    """Collections of documents. In `AsyncClient` every method is awaited."""

    def create(
        self,
        name: str,
        *,
        description: str | None = None,
        search_config: Mapping[str, Any] | None = None,
        extra: Extra = None,
        **options: Unpack[CallOptions],
    ) -> R:
        """Make a collection; `search_config` is e.g. `{"mode": "hybrid", "alpha": 0.5}`."""
        body = body_of(
            extra, name=checked_str("name", name), description=description, search_config=search_config
        )
        return self._call("collections.create", options, "POST", "/collections", json=body)

    def list(self, *, size: int | None = None, start: int | None = None, **options: Unpack[CallOptions]) -> R:
        """Collections, `size` (1 to 100, 20 by default) from the `start`-th."""
        return self._call("collections.list", options, "GET", "/collections", params=_page(size, start))

    def get(self, collection_id: str, **options: Unpack[CallOptions]) -> R:
        """One collection; NotFoundError if it does not exist."""
        return self._call("collections.get", options, "GET", _collection(collection_id))

    def update(self, collection_id: str, **fields: Any) -> R:
        """Change fields of a collection. Options of the call may be among them."""
        options, fields = _split(fields)
        return self._call("collections.update", options, "PATCH", _collection(collection_id), json=fields)

    def delete(self, collection_id: str, **options: Unpack[CallOptions]) -> R:
        """Delete a collection with its documents."""
        return self._call("collections.delete", options, "DELETE", _collection(collection_id))


class Documents(_Resource[R]):
    """Documents of a collection. In `AsyncClient` every method is awaited."""

    def upload(
        self,
        collection_id: str,
        file: FileInput,
        *,
        title: str | None = None,
        tags: Sequence[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        content_type: str | None = None,
        extra: Extra = None,
        **options: Unpack[CallOptions],
    ) -> R:
        """Upload a document; the service parses, cuts, embeds and indexes it.

        Args:
            collection_id: where it goes.
            file: a path, bytes, an open binary file, or `(name, content[, content type])`.
            title, tags, metadata: of the document; tags and metadata travel as JSON text.
            content_type: by default guessed from the name.
            extra: further text fields of the form.
        """
        check_mapping("metadata", metadata)
        data = body_of(
            extra,
            title=title,
            tags=None if tags is None else json.dumps(strings(tags, "tags"), ensure_ascii=False),
            metadata=None if metadata is None else json.dumps(dict(metadata), ensure_ascii=False),
        )
        return self._call(
            "documents.upload",
            options,
            "POST",
            _collection(collection_id) + "/documents/upload",
            files=[("file", read_file(file, content_type=content_type))],
            data=data or None,
        )

    def list(
        self,
        collection_id: str,
        *,
        size: int | None = None,
        start: int | None = None,
        **options: Unpack[CallOptions],
    ) -> R:
        """Documents of a collection, `size` (1 to 100, 20 by default) from the `start`-th."""
        path = _collection(collection_id) + "/documents"
        return self._call("documents.list", options, "GET", path, params=_page(size, start))

    def get(self, collection_id: str, document_id: str, **options: Unpack[CallOptions]) -> R:
        """One document; NotFoundError if it does not exist."""
        return self._call("documents.get", options, "GET", _document(collection_id, document_id))

    def update(self, collection_id: str, document_id: str, **fields: Any) -> R:
        """Change fields of a document: `title`, `tags`, `metadata`. Options of the call may be among them."""
        options, fields = _split(fields)
        return self._call(
            "documents.update", options, "PATCH", _document(collection_id, document_id), json=fields
        )

    def delete(self, collection_id: str, document_id: str, **options: Unpack[CallOptions]) -> R:
        """Delete a document with its chunks."""
        return self._call("documents.delete", options, "DELETE", _document(collection_id, document_id))


class Chunks(_Resource[R]):
    """Chunks of a document. In `AsyncClient` every method is awaited."""

    def list(
        self,
        collection_id: str,
        document_id: str,
        *,
        size: int | None = None,
        start: int | None = None,
        **options: Unpack[CallOptions],
    ) -> R:
        """Chunks in order, `size` (1 to 100, 20 by default) from the `start`-th."""
        path = _document(collection_id, document_id) + "/chunks"
        return self._call("chunks.list", options, "GET", path, params=_page(size, start))

    def create(
        self, collection_id: str, document_id: str, *, content: str, title: str | None = None, **fields: Any
    ) -> R:
        """Add a chunk: a title of up to 1,000 and a content of up to 50,000 characters."""
        options, fields = _split(fields)
        body = body_of(fields, content=checked_str("content", content), title=title)
        return self._call(
            "chunks.create", options, "POST", _document(collection_id, document_id) + "/chunks", json=body
        )

    def get(self, collection_id: str, document_id: str, chunk_id: str, **options: Unpack[CallOptions]) -> R:
        """One chunk; NotFoundError if it does not exist."""
        return self._call("chunks.get", options, "GET", _chunk(collection_id, document_id, chunk_id))

    def update(self, collection_id: str, document_id: str, chunk_id: str, **fields: Any) -> R:
        """Change `title` or `content` of a chunk. Options of the call may be among them."""
        options, fields = _split(fields)
        return self._call(
            "chunks.update", options, "PATCH", _chunk(collection_id, document_id, chunk_id), json=fields
        )

    def delete(
        self, collection_id: str, document_id: str, chunk_id: str, **options: Unpack[CallOptions]
    ) -> R:
        """Delete a chunk."""
        return self._call("chunks.delete", options, "DELETE", _chunk(collection_id, document_id, chunk_id))


class RAG(_Resource[R]):
    """RAG42. In `AsyncClient` every method is awaited. Each takes `CallOptions`, such as `timeout=5`.

    Attributes:
        collections, documents, chunks: what is stored.
    """

    def __init__(self, execute: Callable[[Call], R], path: str, headers: Mapping[str, str]) -> None:
        super().__init__(execute, path, headers)
        self.collections: Collections[R] = Collections(execute, path, headers)
        self.documents: Documents[R] = Documents(execute, path, headers)
        self.chunks: Chunks[R] = Chunks(execute, path, headers)

    def search(
        self,
        query: str,
        *,
        collection_id: str | None = None,
        collection_ids: Sequence[str] | None = None,
        search_type: str | None = None,
        top_k: int | None = None,
        alpha: float | None = None,
        rerank: bool | None = None,
        tags: Sequence[str] | None = None,
        extra: Extra = None,
        **options: Unpack[CallOptions],
    ) -> R:
        """Search collections.

        Args:
            query: what to look for.
            collection_id, collection_ids: where; one of the two.
            search_type: `"keyword"`, `"vector"` or `"hybrid"`; by default the collection's.
            top_k: how many hits.
            alpha: weight of the vector part of a hybrid search, 0 to 1.
            rerank: order the hits anew by relevance.
            tags: only documents with one of these.
            extra: further fields of the body.
        """
        body = body_of(
            extra,
            query=checked_str("query", query),
            collection_id=collection_id,
            collection_ids=strings(collection_ids, "collection_ids"),
            search_type=search_type,
            top_k=top_k,
            alpha=alpha,
            rerank=rerank,
            tags=strings(tags, "tags"),
        )
        return self._call("search", options, "POST", "/search", json=body)


def _collection(collection_id: str) -> str:
    return f"/collections/{segment(collection_id, 'collection_id')}"


def _document(collection_id: str, document_id: str) -> str:
    return f"{_collection(collection_id)}/documents/{segment(document_id, 'document_id')}"


def _chunk(collection_id: str, document_id: str, chunk_id: str) -> str:
    return f"{_document(collection_id, document_id)}/chunks/{segment(chunk_id, 'chunk_id')}"
