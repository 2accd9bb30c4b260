"""RAG42, Gov's document store ([gov §1.3]): collections, documents, chunks, search.

Known: the paths under `/v1/rag42`, the envelope `{status, result}`, the header `CSG-TENANT-ID`,
list sizes 1 to 100 (20) with `from`, a chunk's title up to 1000 and content up to 50000
characters, a collection's `search_config{mode, alpha}`, the FAQ's short paths for changing and
deleting documents and chunks, the file types, and the kinds of search (keyword, vector, hybrid,
rerank, tags). **Everything else is a guess**: the names of fields in bodies and answers, the
status of a document (here always `completed`), how chunks are cut, and how results are scored.

Everything is kept in memory, each tenant by itself. All paths are also served under `/api`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ._call import JSON, Call, Handler, Refusal, endpoint
from .fake_answers import embed
from .gov import TOOLS
from .json_types import is_list, is_object
from .tools import text_in_file

CHUNK_CHARACTERS = 400
TYPES = (
    *(".pdf", ".docx", ".hwp", ".hwpx", ".txt", ".md"),
    *(".xlsx", ".csv", ".pptx", ".html"),
)


@dataclass
class Chunk:
    """A piece of a document."""

    id: str
    title: str
    content: str
    vector: list[float]

    def shown(self) -> JSON:
        """The chunk in an answer."""
        return {"id": self.id, "title": self.title, "content": self.content}


@dataclass
class Document:
    """A document with its chunks, in order."""

    id: str
    name: str
    title: str
    size: int
    tags: list[str]
    metadata: JSON
    chunks: dict[str, Chunk] = field(default_factory=dict[str, Chunk])


@dataclass
class Collection:
    """A collection of one tenant."""

    id: str
    tenant: str
    name: str
    description: str
    search_config: JSON
    documents: dict[str, Document] = field(default_factory=dict[str, Document])

    def shown(self) -> JSON:
        """The collection in an answer."""
        return {
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "search_config": self.search_config,
            "document_count": len(self.documents),
        }


def routes() -> list[BaseRoute]:
    """The long paths, and the FAQ's short ones."""
    collection = "/collections/{cid}"
    document = collection + "/documents/{did}"
    chunk = document + "/chunks/{chunk_id}"
    table: list[tuple[str, str, Handler]] = [
        ("POST", "/collections", _create_collection),
        ("GET", "/collections", _list_collections),
        ("GET", collection, _get_collection),
        ("PATCH", collection, _change_collection),
        ("DELETE", collection, _delete_collection),
        ("POST", collection + "/documents/upload", _upload),
        ("GET", collection + "/documents", _list_documents),
        ("GET", document, _get_document),
        ("PATCH", document, _change_document),
        ("DELETE", document, _delete_document),
        ("GET", document + "/chunks", _list_chunks),
        ("POST", document + "/chunks", _create_chunk),
        ("GET", chunk, _get_chunk),
        ("PATCH", chunk, _change_chunk),
        ("DELETE", chunk, _delete_chunk),
        ("POST", "/search", _search),
    ]
    short: list[tuple[str, str, Handler]] = [
        ("PATCH", "/documents/{did}", _change_document),
        ("DELETE", "/documents/{did}", _delete_document),
        ("PATCH", "/chunks/{chunk_id}", _change_chunk),
        ("DELETE", "/chunks/{chunk_id}", _delete_chunk),
    ]
    found: list[BaseRoute] = []
    for base, entries in (("/v1/rag42", table + short), ("/rag42", short)):
        for prefix in ("", "/api"):
            found += [
                Route(prefix + base + path, endpoint(TOOLS, handler), methods=[method])
                for method, path, handler in entries
            ]
    return found


# finding


def _tenant(call: Call) -> str:
    return call.header("csg-tenant-id") or call.header("x-csg-tenant-id")


def _collections(call: Call) -> list[Collection]:
    tenant = _tenant(call)
    return [found for found in call.state.collections.values() if found.tenant == tenant]


def _collection(call: Call, ident: str | None = None) -> Collection:
    found = call.state.collections.get(ident or call.path["cid"])
    if found is None or found.tenant != _tenant(call):
        raise Refusal(404)
    return found


def _document(call: Call) -> tuple[Collection, Document]:
    """The document of the path; the short paths do not name its collection."""
    within = [_collection(call)] if "cid" in call.path else _collections(call)
    for collection in within:
        if call.path["did"] in collection.documents:
            return collection, collection.documents[call.path["did"]]
    raise Refusal(404)


def _chunk(call: Call) -> tuple[Document, Chunk]:
    if "did" in call.path:
        documents: Iterable[Document] = [_document(call)[1]]
    else:
        documents = [d for c in _collections(call) for d in c.documents.values()]
    for document in documents:
        if call.path["chunk_id"] in document.chunks:
            return document, document.chunks[call.path["chunk_id"]]
    raise Refusal(404)


def _ok(call: Call, result: object) -> Response:
    return call.reply({"status": {"code": "20000", "message": "OK"}, "result": result})


def _page(call: Call, items: list[JSON]) -> Response:
    query = call.request.query_params
    try:
        size, start = int(query.get("size", "20")), int(query.get("from", "0"))
    except ValueError:
        raise Refusal(400) from None
    if not 1 <= size <= 100 or start < 0:
        raise Refusal(422)
    listed = items[start : start + size]
    return _ok(call, {"items": listed, "total": len(items), "from": start, "size": size})


def _text(body: JSON, name: str, most: int, default: str | None = None) -> str:
    value = body.get(name, default)
    if not isinstance(value, str) or len(value) > most:
        raise Refusal(422, message=f"{name} must be text of at most {most} characters")
    return value


# collections


async def _create_collection(call: Call) -> Response:
    body = await call.read_object()
    name = _text(body, "name", 200)
    if not name.strip():
        raise Refusal(422, message="name must not be empty")
    config = body.get("search_config") or {"mode": "hybrid", "alpha": 0.5}
    made = Collection(call.state.new_id(), _tenant(call), name, _text(body, "description", 2_000, ""), config)
    call.state.collections[made.id] = made
    return _ok(call, made.shown())


async def _list_collections(call: Call) -> Response:
    return _page(call, [found.shown() for found in _collections(call)])


async def _get_collection(call: Call) -> Response:
    return _ok(call, _collection(call).shown())


async def _change_collection(call: Call) -> Response:
    found, body = _collection(call), await call.read_object()
    found.name = _text(body, "name", 200, found.name)
    found.description = _text(body, "description", 2_000, found.description)
    if is_object(body.get("search_config")):
        found.search_config = body["search_config"]
    return _ok(call, found.shown())


async def _delete_collection(call: Call) -> Response:
    del call.state.collections[_collection(call).id]
    return _ok(call, None)


# documents


async def _upload(call: Call) -> Response:
    collection = _collection(call)
    kind = call.header("content-type").lower()
    if not kind.startswith("multipart/form-data") or "boundary=" not in kind:
        raise Refusal(400, message="multipart/form-data expected")
    async with call.request.form() as form:
        part = form.get("file") or form.get("files")
        if not isinstance(part, UploadFile):
            raise Refusal(422, message="file is missing")
        name = part.filename or "file.txt"
        if not name.lower().endswith(TYPES):
            raise Refusal(422, message="file type is not supported")
        content = await part.read()
        document = Document(
            call.state.new_id(),
            name,
            str(form.get("title") or name),
            len(content),
            _tags(form),
            _metadata(form),
        )
    for number, piece in enumerate(_cut(text_in_file(name, content)), start=1):
        _add_chunk(call, document, f"{document.title} ({number})", piece)
    collection.documents[document.id] = document
    return _ok(call, _shown(collection, document))


def _tags(form: FormData) -> list[str]:
    given = form.getlist("tags")
    if len(given) == 1 and isinstance(given[0], str):
        text = given[0].strip()
        if text.startswith("["):
            try:
                return [str(tag) for tag in json.loads(text)]
            except (ValueError, TypeError):
                raise Refusal(422, message="tags must be a list") from None
        return [tag.strip() for tag in text.split(",") if tag.strip()]
    return [tag for tag in given if isinstance(tag, str)]


def _metadata(form: FormData) -> JSON:
    given = form.get("metadata")
    if not isinstance(given, str) or not given:
        return {}
    try:
        found = json.loads(given)
    except ValueError:
        found = None
    if not is_object(found):
        raise Refusal(422, message="metadata must be a JSON object")
    return found


def _cut(text: str) -> list[str]:
    """Pieces of whole paragraphs or sentences, near CHUNK_CHARACTERS long."""
    pieces: list[str] = []
    held = ""
    for sentence in re.split(r"(?<=[.!?。])\s+|\n\s*\n", text):
        if held and len(held) + len(sentence) > CHUNK_CHARACTERS:
            pieces.append(held)
            held = ""
        held = f"{held} {sentence}".strip()
    return [*pieces, held] if held else pieces or [""]


def _add_chunk(call: Call, document: Document, title: str, content: str) -> Chunk:
    made = Chunk(call.state.new_id(), title, content, embed(f"{title} {content}"))
    document.chunks[made.id] = made
    return made


def _shown(collection: Collection, document: Document) -> JSON:
    return {
        "id": document.id,
        "collection_id": collection.id,
        "name": document.name,
        "title": document.title,
        "status": "completed",
        "size": document.size,
        "tags": document.tags,
        "metadata": document.metadata,
        "chunk_count": len(document.chunks),
    }


async def _list_documents(call: Call) -> Response:
    collection = _collection(call)
    return _page(call, [_shown(collection, found) for found in collection.documents.values()])


async def _get_document(call: Call) -> Response:
    return _ok(call, _shown(*_document(call)))


async def _change_document(call: Call) -> Response:
    (collection, document), body = _document(call), await call.read_object()
    document.title = _text(body, "title", 1_000, document.title)
    if "tags" in body:
        if not is_list(body["tags"]):
            raise Refusal(422, message="tags must be a list")
        document.tags = [str(tag) for tag in body["tags"]]
    if is_object(body.get("metadata")):
        document.metadata = body["metadata"]
    return _ok(call, _shown(collection, document))


async def _delete_document(call: Call) -> Response:
    collection, document = _document(call)
    del collection.documents[document.id]
    return _ok(call, None)


# chunks


async def _list_chunks(call: Call) -> Response:
    return _page(call, [chunk.shown() for chunk in _document(call)[1].chunks.values()])


async def _create_chunk(call: Call) -> Response:
    (_, document), body = _document(call), await call.read_object()
    title, content = _text(body, "title", 1_000, ""), _text(body, "content", 50_000)
    return _ok(call, _add_chunk(call, document, title, content).shown())


async def _get_chunk(call: Call) -> Response:
    return _ok(call, _chunk(call)[1].shown())


async def _change_chunk(call: Call) -> Response:
    (_, chunk), body = _chunk(call), await call.read_object()
    chunk.title = _text(body, "title", 1_000, chunk.title)
    chunk.content = _text(body, "content", 50_000, chunk.content)
    chunk.vector = embed(f"{chunk.title} {chunk.content}")
    return _ok(call, chunk.shown())


async def _delete_chunk(call: Call) -> Response:
    document, chunk = _chunk(call)
    del document.chunks[chunk.id]
    return _ok(call, None)


# search


@dataclass(frozen=True)
class _Query:
    words: list[str]
    vector: list[float]


@dataclass
class _Hit:
    collection: Collection
    document: Document
    chunk: Chunk
    score: float
    rerank_score: float | None = None

    def shown(self) -> JSON:
        found: JSON = {
            "chunk_id": self.chunk.id,
            "document_id": self.document.id,
            "collection_id": self.collection.id,
            "title": self.chunk.title,
            "content": self.chunk.content,
            "score": round(self.score, 6),
            "tags": self.document.tags,
            "metadata": self.document.metadata,
        }
        if self.rerank_score is not None:
            found["rerank_score"] = round(self.rerank_score, 6)
        return found


async def _search(call: Call) -> Response:
    body = await call.read_object()
    query = _text(body, "query", 10_000)
    if not query.strip():
        raise Refusal(422, message="query must not be empty")
    collections = _searched(call, body)
    wanted: object = body.get("tags") or []
    if not is_list(wanted):
        raise Refusal(422, message="tags must be a list")
    count = body.get("top_k", 5)
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= 100:
        raise Refusal(422, message="top_k must be between 1 and 100")
    asked = _Query(query.lower().split(), embed(query))
    hits = [
        _Hit(collection, document, chunk, _scorer(collection, body)(asked, chunk))
        for collection in collections
        for document in collection.documents.values()
        if not wanted or set(wanted) & set(document.tags)
        for chunk in document.chunks.values()
    ]
    hits = [hit for hit in hits if hit.score > 0]
    hits.sort(key=lambda hit: -hit.score)
    if body.get("rerank"):
        hits = hits[: max(count * 4, 20)]
        for hit in hits:
            hit.rerank_score = (_keyword(asked, hit.chunk) * 2 + _vector(asked, hit.chunk)) / 3
        hits.sort(key=lambda hit: -(hit.rerank_score or 0))
    return _ok(call, {"items": [hit.shown() for hit in hits[:count]], "total": len(hits)})


def _searched(call: Call, body: JSON) -> list[Collection]:
    idents: Any = body.get("collection_ids") or body.get("collection_id")
    if idents is None:
        return _collections(call)
    return [_collection(call, str(ident)) for ident in (idents if is_list(idents) else [idents])]


def _scorer(collection: Collection, body: JSON) -> Callable[[_Query, Chunk], float]:
    mode = body.get("search_type") or collection.search_config.get("mode", "hybrid")
    if mode == "keyword":
        return _keyword
    if mode == "vector":
        return _vector
    if mode != "hybrid":
        raise Refusal(422, message="search_type must be keyword, vector or hybrid")
    alpha = body.get("alpha", collection.search_config.get("alpha", 0.5))
    if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not 0 <= alpha <= 1:
        raise Refusal(422, message="alpha must be between 0 and 1")
    return lambda asked, chunk: alpha * _vector(asked, chunk) + (1 - alpha) * _keyword(asked, chunk)


def _keyword(asked: _Query, chunk: Chunk) -> float:
    """The share of the query's words that the chunk has."""
    text = f"{chunk.title} {chunk.content}".lower()
    return sum(word in text for word in asked.words) / len(asked.words)


def _vector(asked: _Query, chunk: Chunk) -> float:
    return max(sum(a * b for a, b in zip(asked.vector, chunk.vector, strict=True)), 0.0)
