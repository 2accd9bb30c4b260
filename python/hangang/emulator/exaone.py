"""The EXAONE API: chat completion, text generation, files (docs/protocol/exaone.md).

A stream is JSON objects in Python's spacing with nothing between them, under the content type
`text/event-stream`; each answering frame repeats the whole list of references. The control
`newline: lf` puts one object on a line, as the guide prints them.

Guesses: `Accept: application/json` asks for one object (no switch is documented); references of
weather and document answers look like those of the web; how files are listed and deleted; the
types that 415 refuses; 422 for a missing or wrong `model` and for a past turn without one of
`query`, `intent`, `answer`; 404 for unknown `doc_ids`; an error
frame in a stream; which intent a query gets.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Any
from urllib.parse import quote

from starlette.datastructures import UploadFile
from starlette.responses import Response

from ._call import JSON, Call, Refusal, Service, check_key, phrase, routes, status_of
from ._faults import Frame
from ._store import Store
from ._wire import dump
from .fake_answers import Script
from .json_types import is_between, is_list, is_objects, is_text, is_texts

MAX_FILE = 30 * 2**20
PROCESSING_SECONDS = 0.3
_REFUSED_TYPES = (".exe", ".dll", ".so", ".bin", ".zip", ".mp3", ".mp4")

_BROKEN = (
    "The service is currently experiencing a temporary issue and cannot process your request. "
    "Please try again shortly."
)


@dataclass
class StoredFile:
    """An uploaded file; it is `processing` for a moment, then `ready` (or `failed` by name)."""

    id: str
    name: str
    size: int
    ready_at: float

    @property
    def status(self) -> str:
        """Where the file is."""
        if time.monotonic() < self.ready_at:
            return "processing"
        return "failed" if "fail" in self.name else "ready"


def authenticate(call: Call) -> str:
    """`x-api-key`; a Bearer key is refused, as a real client observed."""
    return check_key(call, call.header("x-api-key"))


def _complete(refusal: Refusal) -> Refusal:
    status = refusal.status or status_of(refusal.code)
    status = 401 if status == 403 else status  # no 403 is listed: 401 covers authorisation too
    code = refusal.code or ""
    code = code if len(code) > 3 and code.isascii() and code.isdigit() else str(status)
    message = refusal.message or (_BROKEN if status == 500 else phrase(status))
    return replace(refusal, status=status, code=code, message=message)


def _error_body(_: Call | None, refusal: Refusal) -> JSON:
    return {"result_code": int(refusal.code or 0), "description": refusal.message}


SERVICE = Service("exaone", authenticate, _error_body, _complete, spaced=True)


# chat


async def _chat_completion(call: Call) -> Response:
    body = await _read(call)
    ids: object = body.get("doc_ids")
    if ids is not None and not is_texts(ids):
        raise Refusal(422, message="doc_ids must be a list of strings.")
    documents = _found(call, ids or [])
    return _answer(call, body, "document_answer" if documents else _intent(body["query"]), documents)


async def _text_generation(call: Call) -> Response:
    body = await _read(call)
    if body.get("model") != "32b":
        raise Refusal(422)
    return _answer(call, body, "chitchat", [])


async def _read(call: Call) -> JSON:
    body = await call.read_object()
    if not is_text(body.get("query")) or not body["query"].strip():
        raise Refusal(422)
    if not is_between(body.get("temperature", 0.8), 0, 1):
        raise Refusal(422)
    return body


def _previous(body: JSON) -> list[JSON]:
    """Past turns, under the name of the examples or that of the table ([exaone §3])."""
    name = "previous_messages" if "previous_messages" in body else "previous_message"
    previous: object = body.get(name) if body.get(name) is not None else []
    if not is_objects(previous):
        raise Refusal(422, message=f"{name} must be a list of objects.")
    for number, turn in enumerate(previous):
        for member in ("query", "intent", "answer"):
            if not isinstance(turn.get(member), str):
                raise Refusal(422, message=f"{name}[{number}].{member} must be a string.")
        if not turn["query"].strip():
            raise Refusal(422, message=f"{name}[{number}].query must not be empty.")
    return previous


def _answer(call: Call, body: JSON, intent: str, documents: list[StoredFile]) -> Response:
    accept = call.header("accept").lower()
    stream = "application/json" not in accept or "text/event-stream" in accept
    random, query = call.random_for(body), body["query"]
    script = call.script(random, stream=stream, prompt=query, turn=len(_previous(body)) + 1)
    references = _references(random, intent, documents)

    def frame(answer: str, state: str = "answering") -> JSON:
        data: JSON = {"query": query, "intent": intent, "answer": answer, "references": references}
        if state != "answering":
            data |= {"intent": "", "references": [{}]}
        return {"result_code": 200, "description": None, "data": {**data, "progress_state": state}}

    if not stream:
        return call.reply(frame(script.text))
    return call.stream(_frames(script, frame), newline="none", comment=None, error_frames=_error_frames)


def _frames(script: Script, frame: Callable[..., JSON]) -> Iterator[Frame]:
    yield Frame(_line(frame("", "planning")))
    yield Frame(_line(frame("", "optimizing")))
    for index, piece in enumerate(script.content or ("",)):
        # There is no end marker; a stream without an answering frame counts as truncated.
        yield Frame(_line(frame(piece)), end=True)
        if index == 0:
            yield Frame(_line(frame("")), paced=False, end=True)
    if script.error is not None:
        yield from _error_frames(*script.error)


def _line(frame: JSON) -> bytes:
    """The line end is what `newline` replaces: by nothing, as on the wire, unless asked for."""
    return dump(frame, spaced=True) + b"\n"


def _error_frames(code: str | None, message: str | None = None) -> Iterator[Frame]:
    yield Frame(_line(_error_body(None, _complete(Refusal(0, code, message)))))


_INTENTS = (
    (("주간 날씨", "이번 주 날씨", "weekly"), "weekly_weather"),
    (("날씨", "기온", "weather"), "cur_weather"),
    (("코드", "함수", "python", "파이썬", "code"), "code_generate"),
    (("안녕", "고마워", "hello", "hi"), "chitchat"),
)


def _intent(query: str) -> str:
    lower = query.lower()
    found = (intent for words, intent in _INTENTS if any(word in lower for word in words))
    return next(found, "web_search")


# Titles and contents are cut, and may hold what looks like JSON ([exaone §4]).
_CONTENTS = ("안녕하세요, 강변입", '[{"title":"', "<strong>한강", "물길 🌊을 따라")


def _references(random: Random, intent: str, documents: list[StoredFile]) -> list[JSON]:
    if intent in ("chitchat", "code_generate"):
        return [{}]
    sources = [(f"file://{file.id}", file.name) for file in documents] or [
        (
            f"https://blog.example.com/hangang/{n}?viewType=pc",
            f"[사설] 한강 산책길 완벽 정리 ({n}) | 강변 블로그",
        )
        for n in range(20 if intent == "web_search" else 2)
    ]
    return [
        {"card": card, "index": index, "title": title, "contents": random.choice(_CONTENTS)}
        for index, (card, title) in enumerate(sources, start=1)
    ]


# files


async def _upload(call: Call) -> Response:
    if not call.is_form:
        raise Refusal(400)
    async with call.request.form() as form:
        parts = [part for part in form.getlist("files") if isinstance(part, UploadFile)]
        if not parts:
            raise Refusal(422)
        stored: list[StoredFile] = []
        for part in parts:
            name, size = part.filename or "file", part.size or 0
            if size > MAX_FILE:
                raise Refusal(413)
            if name.lower().endswith(_REFUSED_TYPES):
                raise Refusal(415)
            stored.append(_store(call, name, size, upsert=form.get("upsert") == "true"))
    return _ok(call, files=[{"id": file.id, "name": quote(file.name)} for file in stored])


def _ok(call: Call, **members: object) -> Response:
    return call.reply({"result_code": 200, **members})


def _files(call: Call) -> Store[StoredFile]:
    return call.state.store("files")


def _store(call: Call, name: str, size: int, *, upsert: bool) -> StoredFile:
    same = next((file for file in _files(call) if file.name == name), None)
    ident = same.id if same is not None and upsert else call.state.new_id()
    made = StoredFile(ident, name, size, time.monotonic() + PROCESSING_SECONDS)
    _files(call).put(ident, made, len(name))
    return made


def _found(call: Call, ids: list[Any]) -> list[StoredFile]:
    """The files of these ids, all of which must be there."""
    found = [file for ident in ids if (file := _files(call).get(str(ident))) is not None]
    if len(found) < len(ids):
        raise Refusal(404)
    return found


async def _named(call: Call) -> list[StoredFile]:
    ids = (await call.read_object()).get("file_ids")
    if not is_list(ids) or not ids:
        raise Refusal(422)
    return _found(call, ids)


async def _query(call: Call) -> Response:
    return _ok(call, files=[{"id": file.id, "status": file.status} for file in await _named(call)])


async def _list(call: Call) -> Response:
    files = [{"id": file.id, "name": quote(file.name), "status": file.status} for file in _files(call)]
    return _ok(call, files=files)


async def _delete(call: Call) -> Response:
    for file in await _named(call):
        _files(call).delete(file.id)
    return _ok(call, description=None)


ROUTES = routes(
    SERVICE,
    {
        "POST /v1/chatexaone/chat-completion": _chat_completion,
        "POST /v1/chatexaone/text-generation": _text_generation,
        "POST /v1/files": _upload,
        "POST /v1/files/query": _query,
        "GET /v1/files": _list,
        "DELETE /v1/files": _delete,
    },
)
