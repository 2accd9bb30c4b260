"""RAG42, Gov's document store ([gov §1.3]): collections, documents, chunks, search.

Known: the paths under `/v1/rag42` and the FAQ's short ones, the envelope `{status, result}`, the header
`CSG-TENANT-ID` (each tenant sees its own), list sizes 1 to 100 (20) with `from`, a chunk's title of up to
1000 and content of up to 50000 characters, and the types of files.

**Canned, for no source shows an answer:** an item is what the client sent, unchecked, with ids; a document
is `completed` at once, its text in one chunk; a search finds every chunk of its collections with one score.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from starlette.datastructures import FormData
from starlette.responses import Response

from ._call import JSON, Call, Handler, Refusal, routes
from ._wire import ok, read_json
from .gov import TOOLS
from .gov_tools import FAQ_PREFIXES, uploaded
from .json_types import is_list

PATHS = {
    "collections": "/collections",
    "documents": "/collections/{collection_id}/documents",
    "chunks": "/collections/{collection_id}/documents/{document_id}/chunks",
}
FILE_TYPES = (".pdf", ".docx", ".hwp", ".hwpx", ".txt", ".md", ".xlsx", ".csv", ".pptx", ".html")
MOST_CONTENT = 50_000


def _items(call: Call, kind: str, members: JSON) -> list[JSON]:
    """The items of a kind that have these members."""
    return [item for item in call.state.store(kind) if members.items() <= item.items()]


def _place(call: Call) -> JSON:
    """The tenant and the ids in the path, which are members of the items there.

    Raises:
        Refusal: what the items are in does not exist.
    """
    place: JSON = {"tenant_id": call.header("csg-tenant-id") or call.header("x-csg-tenant-id")}
    for name, ident in call.path.items():
        if name != "id" and not _items(call, name.replace("_id", "s"), {**place, "id": ident}):
            raise Refusal(404)
        place[name] = ident
    return place


def _put(call: Call, kind: str, item: JSON) -> Response:
    for name, most in (("title", 1_000), ("content", MOST_CONTENT)):
        if kind == "chunks" and len(str(item.get(name, ""))) > most:
            raise Refusal(422, message=f"{name} must be at most {most} characters")
    call.state.store(kind).put(item["id"], item, len(str(item)))
    return call.reply(ok(item))


async def _create(kind: str, call: Call) -> Response:
    place = _place(call)
    return _put(call, kind, {**await call.read_object(), **place, "id": call.state.new_id()})


async def _list(kind: str, call: Call) -> Response:
    items = _items(call, kind, _place(call))
    query = call.request.query_params
    try:
        size, start = int(query.get("size", "20")), int(query.get("from", "0"))
    except ValueError:
        raise Refusal(400) from None
    if not 1 <= size <= 100 or start < 0:
        raise Refusal(422)
    page = {"items": items[start : start + size], "total": len(items), "from": start, "size": size}
    return call.reply(ok(page))


async def _one(kind: str, call: Call) -> Response:
    """Get, change or delete one item; the short paths leave out the ids of what it is in."""
    place = _place(call)
    found = _items(call, kind, place)
    if not found:
        raise Refusal(404)
    if call.request.method == "PATCH":
        return _put(call, kind, {**found[0], **await call.read_object(), **place})
    if call.request.method == "DELETE":
        call.state.store(kind).delete(place["id"])
        for inner in PATHS:
            for item in _items(call, inner, {f"{kind[:-1]}_id": place["id"]}):
                call.state.store(inner).delete(item["id"])
        return call.reply(ok(None))
    return call.reply(ok(found[0]))


async def _upload(call: Call) -> Response:
    place = _place(call)
    name, text, form = await uploaded(call)
    if not name.lower().endswith(FILE_TYPES):
        raise Refusal(422, message="file type is not supported")
    document = {**place, "id": call.state.new_id(), "status": "completed"}
    document |= {"name": name, "title": str(form.get("title") or name)}
    document |= {"tags": _json(form, "tags", "[]"), "metadata": _json(form, "metadata", "{}")}
    chunk = {**place, "document_id": document["id"], "id": call.state.new_id()}
    _put(call, "chunks", {**chunk, "title": name, "content": text[:MOST_CONTENT]})
    return _put(call, "documents", document)


def _json(form: FormData, name: str, usual: str) -> Any:
    try:
        return read_json(str(form.get(name, usual)).encode())
    except (ValueError, RecursionError):
        raise Refusal(422, message=f"{name} must be JSON") from None


async def _search(call: Call) -> Response:
    body = await call.read_object()
    given, count = body.get("collection_ids") or body.get("collection_id"), body.get("top_k", 5)
    if not isinstance(count, int):
        raise Refusal(422, message="top_k must be a number")
    wanted = given if is_list(given) else [given]
    chunks = _items(call, "chunks", _place(call))
    hits = [{**chunk, "score": 0.5} for chunk in chunks if given is None or chunk["collection_id"] in wanted]
    return call.reply(ok({"items": hits[:count], "total": len(hits)}))


_HANDLERS: dict[str, Handler] = {
    f"POST {PATHS['collections']}": partial(_create, "collections"),
    f"POST {PATHS['documents']}/upload": _upload,
    f"POST {PATHS['chunks']}": partial(_create, "chunks"),
    "POST /search": _search,
}
for _kind, _path in PATHS.items():
    _HANDLERS[f"GET {_path}"] = partial(_list, _kind)
    _HANDLERS[f"GET {_path}/{{id}}"] = partial(_one, _kind)
    for _method in ("PATCH", "DELETE"):
        _HANDLERS[f"{_method} {_path}/{{id}}"] = partial(_one, _kind)
        _HANDLERS[f"{_method} /{_kind}/{{id}}"] = partial(_one, _kind)  # the FAQ's, short
ROUTES = routes(TOOLS, _HANDLERS, [f"{prefix}/rag42" for prefix in FAQ_PREFIXES])
