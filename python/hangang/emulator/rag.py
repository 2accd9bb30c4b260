"""RAG42, Gov's document store ([gov §1.3]): collections, documents, chunks, search.

Known: the paths under `/v1/rag42`, the envelope `{status, result}`, the header `CSG-TENANT-ID`, list sizes
1 to 100 (20) with `from`, a chunk's title up to 1000 and content up to 50000 characters, a collection's
`search_config{mode, alpha}`, the FAQ's short paths, the file types, and the kinds of search. **Everything
else is a guess**: the names of fields, the status of a document (always `completed`), and how chunks are
cut. **Search is canned**: the score is the share of the query's words that a chunk has, whatever the kind
of search.

Each tenant sees its own. All paths are also served under `/api`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import FormData
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ._call import JSON, Call, Handler, Refusal, endpoint
from ._store import Store
from ._wire import is_whole_text
from .canned import text_in_file, uploaded
from .gov import TOOLS
from .json_types import is_list, is_object, is_texts

CHUNK_CHARACTERS = 400
TYPES = (".pdf", ".docx", ".hwp", ".hwpx", ".txt", ".md", ".xlsx", ".csv", ".pptx", ".html")
PARENTS = {"documents": "collections", "chunks": "documents"}
#: The texts of each kind, with their largest length.
TEXTS = {
    "collections": {"name": 200, "description": 2_000},
    "documents": {"title": 1_000},
    "chunks": {"title": 1_000, "content": 50_000},
}


@dataclass(eq=False)
class Item:
    """A collection, a document or a chunk; `parent` is the id of what it is in."""

    tenant: str
    parent: str
    shown: JSON


def routes() -> list[BaseRoute]:
    """The long paths, and the FAQ's short ones."""
    table: list[tuple[str, str, Handler]] = [("POST", "/search", _search)]
    path = ""
    for kind in TEXTS:
        one = f"{path}/{kind}/{{{kind}}}"
        create = ("POST", f"{path}/{kind}", _create(kind))
        upload = ("POST", f"{path}/{kind}/upload", _upload)
        table += [upload if kind == "documents" else create, ("GET", f"{path}/{kind}", _list(kind))]
        table += [("GET", one, _get(kind)), ("PATCH", one, _patch(kind)), ("DELETE", one, _delete(kind))]
        path = one
    short: list[tuple[str, str, Handler]] = []
    for kind in PARENTS:
        one = f"/{kind}/{{{kind}}}"
        short += [("PATCH", one, _patch(kind)), ("DELETE", one, _delete(kind))]
    return [
        Route(prefix + base + path, endpoint(TOOLS, handler), methods=[method])
        for base, entries in (("/v1/rag42", table + short), ("/rag42", short))
        for prefix in ("", "/api")
        for method, path, handler in entries
    ]


def _store(call: Call, kind: str) -> Store[Item]:
    return call.state.store(kind)


def _tenant(call: Call) -> str:
    return call.header("csg-tenant-id") or call.header("x-csg-tenant-id")


def _items(call: Call, kind: str, parent: str | None = None) -> list[Item]:
    tenant = _tenant(call)
    found = [item for item in _store(call, kind) if item.tenant == tenant]
    return found if parent is None else [item for item in found if item.parent == parent]


def _find(call: Call, kind: str, ident: str | None = None) -> Item:
    """The item of a path or an id; the short paths do not name what it is in."""
    item = _store(call, kind).get(call.path[kind] if ident is None else ident)
    if item is None or item.tenant != _tenant(call):
        raise Refusal(404)
    above = PARENTS.get(kind, "")
    if ident is None and above in call.path and _find(call, above).shown["id"] != item.parent:
        raise Refusal(404)
    return item


def _keep(call: Call, kind: str, parent: str, shown: JSON) -> Item:
    made = Item(_tenant(call), parent, {"id": call.state.new_id(), **shown})
    _store(call, kind).put(made.shown["id"], made, len(str(shown)))
    return made


def _ok(call: Call, result: object) -> Response:
    return call.reply({"status": {"code": "20000", "message": "OK"}, "result": result})


def _shown(call: Call, kind: str, item: Item) -> JSON:
    counted = {"collections": "documents", "documents": "chunks"}.get(kind)
    if counted is None:
        return item.shown
    return {**item.shown, f"{counted[:-1]}_count": len(_items(call, counted, item.shown["id"]))}


def _changes(kind: str, body: JSON, old: JSON) -> JSON:
    """The members of a body that an item of this kind has, checked; missing ones are as in `old`."""
    found: JSON = {}
    for name, most in TEXTS[kind].items():
        value = body.get(name, old.get(name))
        if not isinstance(value, str) or len(value) > most:
            raise Refusal(422, message=f"{name} must be text of at most {most} characters")
        found[name] = value
    for name in ("search_config", "metadata"):
        if name in old:
            found[name] = value if is_object(value := body.get(name)) else old[name]
    if "tags" in old and not is_texts(found.setdefault("tags", body.get("tags", old["tags"]))):
        raise Refusal(422, message="tags must be a list")
    return found


def _create(kind: str) -> Handler:
    config = {"mode": "hybrid", "alpha": 0.5}
    old = {"description": "", "search_config": config} if kind == "collections" else {"title": ""}

    async def create(call: Call) -> Response:
        parent = _find(call, PARENTS[kind]).shown["id"] if kind in PARENTS else ""
        made = _changes(kind, await call.read_object(), old)
        if not made.get("name", "-").strip():
            raise Refusal(422, message="name must not be empty")
        return _ok(call, _shown(call, kind, _keep(call, kind, parent, made)))

    return create


def _get(kind: str) -> Handler:
    async def get(call: Call) -> Response:
        return _ok(call, _shown(call, kind, _find(call, kind)))

    return get


def _patch(kind: str) -> Handler:
    async def patch(call: Call) -> Response:
        item = _find(call, kind)
        item.shown.update(_changes(kind, await call.read_object(), item.shown))
        _store(call, kind).put(item.shown["id"], item, len(str(item.shown)))
        return _ok(call, _shown(call, kind, item))

    return patch


def _delete(kind: str) -> Handler:
    async def delete(call: Call) -> Response:
        _forget(call, kind, _find(call, kind))
        return _ok(call, None)

    return delete


def _forget(call: Call, kind: str, item: Item) -> None:
    for inner, outer in PARENTS.items():
        if outer == kind:
            for child in _items(call, inner, item.shown["id"]):
                _forget(call, inner, child)
    _store(call, kind).delete(item.shown["id"])


def _list(kind: str) -> Handler:
    async def listed(call: Call) -> Response:
        parent = _find(call, PARENTS[kind]).shown["id"] if kind in PARENTS else None
        query = call.request.query_params
        try:
            size, start = int(query.get("size", "20")), int(query.get("from", "0"))
        except ValueError:
            raise Refusal(400) from None
        if not 1 <= size <= 100 or start < 0:
            raise Refusal(422)
        items = _items(call, kind, parent)
        page = [_shown(call, kind, item) for item in items[start : start + size]]
        return _ok(call, {"items": page, "total": len(items), "from": start, "size": size})

    return listed


async def _upload(call: Call) -> Response:
    collection = _find(call, "collections").shown["id"]
    name, content, form = await uploaded(call, TYPES)
    document: JSON = {
        "collection_id": collection,
        "name": name,
        "title": str(form.get("title") or name),
        "status": "completed",
        "size": len(content),
        "tags": _tags(form),
        "metadata": _metadata(form),
    }
    made = _keep(call, "documents", collection, document)
    for number, piece in enumerate(_cut(text_in_file(name, content)), start=1):
        chunk = {"title": f"{document['title']} ({number})", "content": piece}
        _keep(call, "chunks", made.shown["id"], chunk)
    return _ok(call, _shown(call, "documents", made))


def _tags(form: FormData) -> list[str]:
    given = [tag for tag in form.getlist("tags") if isinstance(tag, str)]
    if len(given) != 1:
        return given
    if not given[0].strip().startswith("["):
        return [tag.strip() for tag in given[0].split(",") if tag.strip()]
    found = _json(given[0])
    if not is_list(found):
        raise Refusal(422, message="tags must be a list")
    return [str(tag) for tag in found]


def _metadata(form: FormData) -> JSON:
    found = _json(str(form.get("metadata") or "{}"))
    if not is_object(found):
        raise Refusal(422, message="metadata must be a JSON object")
    return found


def _json(text: str) -> Any:
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if is_whole_text(found) else None


def _cut(text: str) -> Iterator[str]:
    """Pieces of whole lines and words, near CHUNK_CHARACTERS long."""
    start = 0
    while True:
        end = start + CHUNK_CHARACTERS
        if end >= len(text):
            yield text[start:].strip()
            return
        end = max(text.rfind(" ", start, end), text.rfind("\n", start, end), start + CHUNK_CHARACTERS // 2)
        yield text[start:end].strip()
        start = end


async def _search(call: Call) -> Response:
    body = await call.read_object()
    query, count = body.get("query"), body.get("top_k", 5)
    wanted: Any = body.get("tags") or []
    kind, alpha = body.get("search_type", "hybrid"), body.get("alpha", 0.5)
    for wrong, message in (
        (not isinstance(query, str) or not query.strip() or len(query) > 10_000, "query must be a text"),
        (not is_texts(wanted), "tags must be a list"),
        (
            isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= 100,
            "top_k must be 1 to 100",
        ),
        (kind not in ("keyword", "vector", "hybrid"), "search_type must be keyword, vector or hybrid"),
        (not isinstance(alpha, int | float) or not 0 <= alpha <= 1, "alpha must be between 0 and 1"),
    ):
        if wrong:
            raise Refusal(422, message=message)
    words = str(query).lower().split()
    hits: list[JSON] = []
    for collection in _searched(call, body):
        for document in _items(call, "documents", collection.shown["id"]):
            if wanted and not set(wanted) & set(document.shown["tags"]):
                continue
            hits += [
                _hit(chunk, document, words, rerank=bool(body.get("rerank")))
                for chunk in _items(call, "chunks", document.shown["id"])
            ]
    hits = sorted((hit for hit in hits if hit["score"] > 0), key=lambda hit: -hit["score"])
    return _ok(call, {"items": hits[:count], "total": len(hits)})


def _searched(call: Call, body: JSON) -> list[Item]:
    idents: Any = body.get("collection_ids") or body.get("collection_id")
    if idents is None:
        return _items(call, "collections")
    return [_find(call, "collections", str(ident)) for ident in (idents if is_list(idents) else [idents])]


def _hit(chunk: Item, document: Item, words: list[str], *, rerank: bool) -> JSON:
    text = f"{chunk.shown['title']} {chunk.shown['content']}".lower()
    score = round(sum(word in text for word in words) / len(words), 6)
    return {
        "chunk_id": chunk.shown["id"],
        "document_id": document.shown["id"],
        "collection_id": document.parent,
        "title": chunk.shown["title"],
        "content": chunk.shown["content"],
        "score": score,
        "tags": document.shown["tags"],
        "metadata": document.shown["metadata"],
        **({"rerank_score": score} if rerank else {}),
    }
