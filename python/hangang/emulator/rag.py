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
import re
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from starlette.datastructures import FormData
from starlette.responses import Response
from starlette.routing import BaseRoute

from ._call import JSON, Call, Handler, Refusal, routes
from ._store import Store
from ._wire import is_whole_text, ok
from .canned import text_in_file, uploaded
from .gov import PREFIXES, TOOLS
from .json_types import is_between, is_list, is_object, is_texts

TYPES = (".pdf", ".docx", ".hwp", ".hwpx", ".txt", ".md", ".xlsx", ".csv", ".pptx", ".html")
_CHUNK = re.compile(r".{1,400}(?=\s|$)|.{1,400}", re.DOTALL)  # whole words, if one ends there


class Kind(NamedTuple):
    """What items of a kind are in and hold, their texts with the largest length, and what may be missing."""

    outer: str
    inner: str
    texts: dict[str, int]
    usual: JSON


KINDS = {
    "collections": Kind(
        "",
        "documents",
        {"name": 200, "description": 2_000},
        {"name": None, "description": "", "search_config": {"mode": "hybrid", "alpha": 0.5}},
    ),
    "documents": Kind("collections", "chunks", {"title": 1_000}, {}),
    "chunks": Kind("documents", "", {"title": 1_000, "content": 50_000}, {"title": "", "content": None}),
}


@dataclass(eq=False)
class Item:
    """A collection, a document or a chunk; `outer` is the id of what it is in."""

    tenant: str
    outer: str
    shown: JSON


def _store(call: Call, kind: str) -> Store[Item]:
    return call.state.store(kind)


def _tenant(call: Call) -> str:
    return call.header("csg-tenant-id") or call.header("x-csg-tenant-id")


def _items(call: Call, kind: str, outer: str | None = None) -> list[Item]:
    tenant = _tenant(call)
    found = [item for item in _store(call, kind) if item.tenant == tenant]
    return found if outer is None else [item for item in found if item.outer == outer]


def _find(call: Call, kind: str, ident: str | None = None) -> Item:
    """The item of a path or an id; the short paths do not name what it is in."""
    item = _store(call, kind).get(call.path[kind] if ident is None else ident)
    if item is None or item.tenant != _tenant(call):
        raise Refusal(404)
    outer = KINDS[kind].outer
    if ident is None and outer in call.path and _find(call, outer).shown["id"] != item.outer:
        raise Refusal(404)
    return item


def _outer(call: Call, kind: str) -> str:
    """The id of what a new or listed item is in, by the path."""
    outer = KINDS[kind].outer
    return _find(call, outer).shown["id"] if outer else ""


def _keep(call: Call, kind: str, item: Item) -> Item:
    item.shown = {"id": item.shown.get("id") or call.state.new_id(), **item.shown}
    _store(call, kind).put(item.shown["id"], item, len(str(item.shown)))
    return item


def _shown(call: Call, kind: str, item: Item) -> JSON:
    if inner := KINDS[kind].inner:
        return {**item.shown, f"{inner[:-1]}_count": len(_items(call, inner, item.shown["id"]))}
    return item.shown


def _changed(kind: str, body: JSON, old: JSON) -> JSON:
    """The members of an item with those of a body, checked, in their places."""
    found = dict(old)
    for name, most in KINDS[kind].texts.items():
        found[name] = value = body.get(name, old.get(name))
        if not isinstance(value, str) or len(value) > most:
            raise Refusal(422, message=f"{name} must be text of at most {most} characters")
    for name in ("search_config", "metadata"):
        if name in old and is_object(value := body.get(name)):
            found[name] = value
    if "tags" in old:
        found["tags"] = body.get("tags", old["tags"])
        if not is_texts(found["tags"]):
            raise Refusal(422, message="tags must be a list")
    return found


async def _create(kind: str, call: Call) -> Response:
    outer = _outer(call, kind)
    made = _changed(kind, await call.read_object(), KINDS[kind].usual)
    if not made.get("name", "-").strip():
        raise Refusal(422, message="name must not be empty")
    return call.reply(ok(_shown(call, kind, _keep(call, kind, Item(_tenant(call), outer, made)))))


async def _list(kind: str, call: Call) -> Response:
    items = _items(call, kind, _outer(call, kind))
    query = call.request.query_params
    try:
        size, start = int(query.get("size", "20")), int(query.get("from", "0"))
    except ValueError:
        raise Refusal(400) from None
    if not 1 <= size <= 100 or start < 0:
        raise Refusal(422)
    page = [_shown(call, kind, item) for item in items[start : start + size]]
    return call.reply(ok({"items": page, "total": len(items), "from": start, "size": size}))


async def _one(kind: str, call: Call) -> Response:
    """Get, change or delete one item."""
    item = _find(call, kind)
    if call.request.method == "DELETE":
        _forget(call, kind, item)
        return call.reply(ok(None))
    if call.request.method == "PATCH":
        item.shown = _changed(kind, await call.read_object(), item.shown)
        _keep(call, kind, item)
    return call.reply(ok(_shown(call, kind, item)))


def _forget(call: Call, kind: str, item: Item) -> None:
    if inner := KINDS[kind].inner:
        for child in _items(call, inner, item.shown["id"]):
            _forget(call, inner, child)
    _store(call, kind).delete(item.shown["id"])


async def _upload(call: Call) -> Response:
    collection = _outer(call, "documents")
    name, content, form = await uploaded(call, TYPES)
    document: JSON = {
        "collection_id": collection,
        "name": name,
        "title": str(form.get("title") or name),
        "status": "completed",
        "size": len(content),
        "tags": _tags(form),
        "metadata": _json(str(form.get("metadata") or "{}")),
    }
    if not is_object(document["metadata"]):
        raise Refusal(422, message="metadata must be a JSON object")
    made = _keep(call, "documents", Item(_tenant(call), collection, document))
    pieces = _CHUNK.findall(text_in_file(name, content)) or [""]
    for number, piece in enumerate(pieces, start=1):
        chunk = {"title": f"{document['title']} ({number})", "content": piece.strip()}
        _keep(call, "chunks", Item(_tenant(call), made.shown["id"], chunk))
    return call.reply(ok(_shown(call, "documents", made)))


def _tags(form: FormData) -> list[str]:
    """Tags as fields of their own, or one field: a JSON array, or words between commas."""
    given = [tag for tag in form.getlist("tags") if isinstance(tag, str)]
    if len(given) != 1:
        return given
    if not given[0].strip().startswith("["):
        return [tag.strip() for tag in given[0].split(",") if tag.strip()]
    found = _json(given[0])
    if not is_list(found):
        raise Refusal(422, message="tags must be a list")
    return [str(tag) for tag in found]


def _json(text: str) -> Any:
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if is_whole_text(found) else None


async def _search(call: Call) -> Response:
    body = await call.read_object()
    query, count = body.get("query"), body.get("top_k", 5)
    tags: Any = body.get("tags") or []
    kind = body.get("search_type", "hybrid")
    for right, message in (
        (isinstance(query, str) and query.strip() and len(query) <= 10_000, "query must be a text"),
        (is_texts(tags), "tags must be a list"),
        (isinstance(count, int) and is_between(count, 1, 100), "top_k must be 1 to 100"),
        (kind in ("keyword", "vector", "hybrid"), "search_type must be keyword, vector or hybrid"),
        (is_between(body.get("alpha", 0.5), 0, 1), "alpha must be between 0 and 1"),
    ):
        if not right:
            raise Refusal(422, message=message)
    words = str(query).lower().split()
    hits = [
        _hit(chunk, document, words, rerank=bool(body.get("rerank")))
        for collection in _searched(call, body)
        for document in _items(call, "documents", collection.shown["id"])
        if not tags or set(tags) & set(document.shown["tags"])
        for chunk in _items(call, "chunks", document.shown["id"])
    ]
    hits = sorted((hit for hit in hits if hit["score"] > 0), key=lambda hit: -hit["score"])
    return call.reply(ok({"items": hits[:count], "total": len(hits)}))


def _searched(call: Call, body: JSON) -> list[Item]:
    idents: Any = body.get("collection_ids") or body.get("collection_id")
    if idents is None:
        return _items(call, "collections")
    return [_find(call, "collections", str(ident)) for ident in (idents if is_list(idents) else [idents])]


def _hit(chunk: Item, document: Item, words: list[str], *, rerank: bool) -> JSON:
    title, content = chunk.shown["title"], chunk.shown["content"]
    score = round(sum(word in f"{title} {content}".lower() for word in words) / len(words), 6)
    return {
        "chunk_id": chunk.shown["id"],
        "document_id": document.shown["id"],
        "collection_id": document.outer,
        "title": title,
        "content": content,
        "score": score,
        "tags": document.shown["tags"],
        "metadata": document.shown["metadata"],
        **({"rerank_score": score} if rerank else {}),
    }


def _handlers() -> tuple[dict[str, Handler], dict[str, Handler]]:
    """The handlers of the long paths, and of the FAQ's short ones."""
    long: dict[str, Handler] = {"POST /search": _search}
    short: dict[str, Handler] = {}
    path = ""
    for kind in KINDS:
        one = partial(_one, kind)
        path += f"/{kind}"
        long[f"GET {path}"] = partial(_list, kind)
        if kind == "documents":
            long[f"POST {path}/upload"] = _upload
        else:
            long[f"POST {path}"] = partial(_create, kind)
        path += f"/{{{kind}}}"
        long |= {f"{method} {path}": one for method in ("GET", "PATCH", "DELETE")}
        if kind != "collections":
            short |= {f"{method} /{kind}/{{{kind}}}": one for method in ("PATCH", "DELETE")}
    return long, short


_LONG, _SHORT = _handlers()
ROUTES: list[BaseRoute] = [
    *routes(TOOLS, _LONG | _SHORT, [f"{prefix}/v1/rag42" for prefix in PREFIXES]),
    *routes(TOOLS, _SHORT, [f"{prefix}/rag42" for prefix in PREFIXES]),
]
