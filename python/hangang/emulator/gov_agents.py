"""Gov's own agent profiles, which deviate from standard A2A ([gov §1.4]).

`/api/v1/external/agents/{slug}/a2a` is agent v1: `message/send` alone, answered by a wrapper of
`metadata.chat_session_id` and a message. `/api/v1/external/agents/v2/{slug}/a2a` is agent v2:
`SendStreamingMessage` without a version header, the role in lower case, one artifact whose updates
replace each other. Of an agent called `missing` both say 404, of `undeployed` 403.

Guesses: the LF line ends of agent v2, its `COMPLETED` at the end ("maybe" in the source), and the
codes of bad requests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from starlette.responses import Response

from ._a2a import RPCError, chosen_error, error_number
from ._call import JSON, Call, Handler, Refusal, routes
from ._controls import MOST_TOKENS
from ._faults import Frame
from ._wire import dump, sse
from .fake_answers import Script
from .gov import CHAT
from .json_types import is_list, is_object, member


def find_agent(call: Call) -> None:
    """Raise a Refusal for the agents that are not there."""
    slug = call.path.get("slug")
    if slug == "missing":
        raise Refusal(404)
    if slug == "undeployed":
        raise Refusal(403, message="Agent not deployed")


def _profile(method: str, answer: Callable[[Call, JSON, JSON, Any], Response]) -> Handler:
    """The handler of a profile: `answer` gets the params, the message, and the request's `id`."""

    async def serve(call: Call) -> Response:
        find_agent(call)
        body = await call.read_object()
        try:
            if body.get("method") != method:
                raise RPCError(-32601)
            params = body.get("params")
            message = params.get("message") if is_object(params) else None
            if not is_object(params) or not is_object(message):
                raise RPCError(-32602)
            if message.get("role") != "user" or not message.get("messageId") or not message.get("parts"):
                raise RPCError(-32602)
            return answer(call, params, message, body.get("id"))
        except RPCError as error:  # `error.data.detail` is where that client looks
            failed = {"code": error.code, "message": error.message, "data": {"detail": error.message}}
            return call.reply({"jsonrpc": "2.0", "id": body.get("id"), "error": failed})

    return serve


def _text(message: JSON) -> str:
    parts = message["parts"] if is_list(message["parts"]) else []
    return "".join(str(part.get("text", "")) for part in parts if is_object(part))


def _script(call: Call, text: str, context: str, *, stream: bool) -> Script:
    turn = call.state.count("turns", context)
    random = call.random(call.request.url.path, text, turn)
    return call.script(random, stream=stream, prompt=text, turn=turn, refuse=chosen_error)


def _agent_v1(call: Call, params: JSON, message: JSON, ident: Any) -> Response:
    session = member(params, "metadata", "chat_session_id")
    if session is None and isinstance(message.get("contextId"), str):
        session = call.state.session_of(message["contextId"])
    session = session if isinstance(session, int) else call.state.new_session()
    text = _text(message)
    script = _script(call, text, f"session-{session}", stream=False)
    if text == "fail" and not script.chosen:
        raise RPCError(-32603, "실패")
    result = {
        "metadata": {"chat_session_id": session},
        "message": {"parts": [{"kind": "text", "text": script.text}]},
    }
    return call.reply({"jsonrpc": "2.0", "id": ident, "result": result})


def _agent_v2(call: Call, _: JSON, message: JSON, ident: Any) -> Response:
    if call.controls.artifacts * (call.controls.tokens or 0) > MOST_TOKENS:
        # Each update has the text so far.
        raise Refusal(400, message=f"x-hangang-artifacts times x-hangang-tokens is at most {MOST_TOKENS}")
    context = str(message.get("contextId") or call.state.new_id())
    text = _text(message)
    script = _script(call, text, context, stream=True)
    return call.stream(
        _v2_frames(call, script, context, ident, text),
        error_frames=lambda code: _v2_error(ident, code, "Agent failed", "emulated"),
    )


def _v2_error(ident: object, code: str | None, message: str, detail: str) -> Iterator[Frame]:
    error = {"code": error_number(code), "message": message, "data": {"detail": detail}}
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
    {
        "POST /v2/{slug}/a2a": _profile("SendStreamingMessage", _agent_v2),
        "POST /{slug}/a2a": _profile("message/send", _agent_v1),
    },
    ["/api/v1/external/agents"],
)
