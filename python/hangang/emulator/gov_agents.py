"""Gov's own agent profiles, which deviate from standard A2A ([gov §1.4]).

`/api/v1/external/agents/{slug}/a2a` is agent v1: `message/send` alone, answered by a wrapper of
`metadata.chat_session_id` and a message. `/api/v1/external/agents/v2/{slug}/a2a` is agent v2:
`SendStreamingMessage` without a version header, the role in lower case, one artifact whose updates
replace each other. Of an agent called `missing` both say 404, of `undeployed` 403.

Guesses: the LF line ends of agent v2, its `COMPLETED` at the end ("maybe" in the source), and the
codes of bad requests.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from starlette.responses import Response

from ._a2a import KnownError, Wire, rpc_error
from ._call import JSON, Call, Refusal, refusal_of, routes
from ._controls import MOST_TOKENS
from ._faults import Frame
from ._wire import dump, sse
from .fake_answers import Script
from .gov import CHAT
from .json_types import is_list, is_object


def find_agent(call: Call) -> None:
    """Raise a Refusal for the agents that are not there."""
    slug = call.path.get("slug")
    if slug == "missing":
        raise Refusal(404)
    if slug == "undeployed":
        raise Refusal(403, message="Agent not deployed")


async def _profile(call: Call, method: str) -> tuple[JSON, JSON, Any]:
    """The params and the message of a request to one of Gov's profiles, and its `id`."""
    find_agent(call)
    body = await call.read_object()
    if body.get("method") != method:
        raise KnownError(Wire(old=False, ident=body.get("id")), -32601)
    params = body.get("params")
    message = params.get("message") if is_object(params) else None
    if not is_object(params) or not is_object(message):
        raise KnownError(Wire(old=False, ident=body.get("id")), -32602)
    parts = message.get("parts")
    if message.get("role") != "user" or not message.get("messageId") or not parts:
        raise KnownError(Wire(old=False, ident=body.get("id")), -32602)
    return params, message, body.get("id")


def _failed(call: Call, error: KnownError) -> Response:
    """`error.data.detail` is where that client looks."""
    body = {"code": error.code, "message": error.message, "data": {"detail": error.message}}
    answer = {"jsonrpc": "2.0", "id": error.wire.ident, "error": body}
    return call.reply(answer)


def _text(message: JSON) -> str:
    parts = message.get("parts")
    found = parts if is_list(parts) else []
    return "".join(str(part.get("text", "")) for part in found if is_object(part))


def _script(call: Call, text: str, context: str, ident: object, *, stream: bool) -> Script:
    def refuse(code: int | str, message: str) -> Exception:
        failed = rpc_error(code, message)
        return (
            KnownError(Wire(old=False, ident=ident), failed.code, failed.message)
            if failed
            else refusal_of(code, message)
        )

    turn = call.state.count("turns", context)
    random = call.random(call.request.url.path, text, turn)
    return call.script(random, stream=stream, prompt=text, turn=turn, refuse=refuse)


async def _agent_v1(call: Call) -> Response:
    try:
        params, message, ident = await _profile(call, "message/send")
    except KnownError as error:
        return _failed(call, error)
    metadata = params.get("metadata")
    session = metadata.get("chat_session_id") if is_object(metadata) else None
    if session is None and isinstance(message.get("contextId"), str):
        session = call.state.session_of(message["contextId"])
    session = session if isinstance(session, int) else call.state.new_session()
    text = _text(message)
    try:
        script = _script(call, text, f"session-{session}", ident, stream=False)
    except KnownError as error:
        return _failed(call, error)
    if text == "fail" and not script.chosen:
        return _failed(call, KnownError(Wire(old=False, ident=ident), -32603, "실패"))
    result = {
        "metadata": {"chat_session_id": session},
        "message": {"parts": [{"kind": "text", "text": script.text}]},
    }
    answer = {"jsonrpc": "2.0", "id": ident, "result": result}
    return call.reply(answer, headers=script.text_hash)


async def _agent_v2(call: Call) -> Response:
    try:
        _, message, ident = await _profile(call, "SendStreamingMessage")
    except KnownError as error:
        return _failed(call, error)
    if call.controls.artifacts * (call.controls.tokens or 0) > MOST_TOKENS:
        # Each update has the text so far.
        raise Refusal(400, message=f"x-hangang-artifacts times x-hangang-tokens is at most {MOST_TOKENS}")
    context = str(message.get("contextId") or call.state.new_id())
    text = _text(message)
    try:
        script = _script(call, text, context, ident, stream=True)
    except KnownError as error:
        return _failed(call, error)

    def failed(code: str | None) -> Iterator[Frame]:
        return _v2_error(ident, code, "Agent failed", "emulated")

    return call.stream(
        _v2_frames(call, script, context, ident, text), error_frames=failed, headers=script.text_hash
    )


def _v2_error(ident: object, code: str | None, message: str, detail: str) -> Iterator[Frame]:
    number = int(code) if code and code.lstrip("-").isdigit() else -32603
    error = {"code": number, "message": message, "data": {"detail": detail}}
    yield Frame(sse(dump({"jsonrpc": "2.0", "id": ident, "error": error})))


def _v2_frames(call: Call, script: Script, context: str, ident: object, text: str) -> Iterator[Frame]:
    task = call.state.new_id()
    where = {"taskId": task, "contextId": context}

    def frame(result: JSON, *, end: bool = False) -> Frame:
        return Frame(sse(dump({"jsonrpc": "2.0", "id": ident, "result": result})), end=end)

    submitted = {"state": "TASK_STATE_SUBMITTED"}
    yield frame({"task": {"id": task, "contextId": context, "status": submitted}})
    yield frame({"statusUpdate": {**where, "status": {"state": "TASK_STATE_WORKING"}}})
    if text == "fail" and not script.chosen:
        state = {"state": "TASK_STATE_FAILED"}
        yield frame({"statusUpdate": {**where, "status": state}}, end=True)
        return
    count = call.controls.artifacts
    for number in range(1, count + 1):
        # Each update has the text so far and replaces the one before; none sets `append`.
        shown = "".join(script.content[: len(script.content) * number // count])
        artifact = {"artifactId": "result", "parts": [{"text": shown}]}
        last = {"lastChunk": True} if number == count else {}
        yield frame({"artifactUpdate": {**where, "artifact": artifact, **last}}, end=bool(last))
    if script.error is not None:
        yield from _v2_error(ident, *script.error, script.error[1])
        return
    completed = {"state": "TASK_STATE_COMPLETED"}
    yield frame({"statusUpdate": {**where, "status": completed}}, end=True)


ROUTES = routes(
    CHAT,
    {"POST /v2/{slug}/a2a": _agent_v2, "POST /{slug}/a2a": _agent_v1},
    ["/api/v1/external/agents"],
)
