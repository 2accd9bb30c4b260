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
from functools import partial
from typing import Any

from starlette.responses import Response

from ._a2a import RPCError, chosen_error, error_number
from ._call import JSON, Call, Refusal, routes
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


def answer_of(call: Call, text: str, context: str, *, stream: bool) -> tuple[Script, str]:
    """The answer to a text, and the word that steers the made-up agent: none beside a chosen answer."""
    turn = call.state.count("turns", context)
    random = call.random(call.request.url.path, text, turn)
    script = call.script(random, stream=stream, prompt=text, turn=turn, refuse=chosen_error)
    return script, "" if script.chosen else text


async def _serve(method: str, answer: Callable[[Call, JSON, JSON, Any], Response], call: Call) -> Response:
    """Serve a profile: `answer` gets the params, the message, and the request's `id`."""
    find_agent(call)
    body = await call.read_object()
    ident, params, message = body.get("id"), body.get("params"), member(body, "params", "message")
    try:
        if body.get("method") != method:
            raise RPCError(-32601)
        if not is_object(params) or not is_object(message) or message.get("role") != "user":
            raise RPCError(-32602)
        if not message.get("messageId") or not message.get("parts"):
            raise RPCError(-32602)
        return answer(call, params, message, ident)
    except RPCError as error:
        return call.reply(_error(ident, error.code, error.message))


def _error(ident: object, code: int, message: str) -> JSON:
    """An error; `error.data.detail` is where a client of these profiles looks."""
    error = {"code": code, "message": message, "data": {"detail": message}}
    return {"jsonrpc": "2.0", "id": ident, "error": error}


def _text(message: JSON) -> str:
    parts = message["parts"] if is_list(message["parts"]) else []
    return "".join(str(part.get("text", "")) for part in parts if is_object(part))


def _agent_v1(call: Call, params: JSON, message: JSON, ident: Any) -> Response:
    session = member(params, "metadata", "chat_session_id")
    if session is None and isinstance(message.get("contextId"), str):
        session = call.state.session_of(message["contextId"])
    session = session if isinstance(session, int) else call.state.new_session()
    script, word = answer_of(call, _text(message), f"session-{session}", stream=False)
    if word == "fail":
        raise RPCError(-32603, "실패")
    answer = {"parts": [{"kind": "text", "text": script.text}]}
    result = {"metadata": {"chat_session_id": session}, "message": answer}
    return call.reply({"jsonrpc": "2.0", "id": ident, "result": result})


def _agent_v2(call: Call, _: JSON, message: JSON, ident: Any) -> Response:
    context = str(message.get("contextId") or call.state.new_id())
    script, word = answer_of(call, _text(message), context, stream=True)
    return call.stream(
        _v2_frames(call, script, context, ident, word),
        error_frames=lambda code: [_frame(_error(ident, error_number(code), "Agent failed"))],
    )


def _frame(body: JSON, *, end: bool = False) -> Frame:
    return Frame(sse(dump(body)), end=end)


def _v2_frames(call: Call, script: Script, context: str, ident: object, word: str) -> Iterator[Frame]:
    task, count = call.state.new_id(), call.controls.artifacts

    def frame(kind: str, *, end: bool = False, **members: object) -> Frame:
        result = {kind: {"taskId": task, "contextId": context, **members}}
        return _frame({"jsonrpc": "2.0", "id": ident, "result": result}, end=end)

    submitted = {"id": task, "contextId": context, "status": {"state": "TASK_STATE_SUBMITTED"}}
    yield _frame({"jsonrpc": "2.0", "id": ident, "result": {"task": submitted}})
    yield frame("statusUpdate", status={"state": "TASK_STATE_WORKING"})
    if word == "fail":
        yield frame("statusUpdate", end=True, status={"state": "TASK_STATE_FAILED"})
        return
    for number in range(1, count + 1):
        # Each update has the text so far and replaces the one before; none sets `append`.
        shown = "".join(script.content[: len(script.content) * number // count])
        artifact = {"artifactId": "result", "parts": [{"text": shown}]}
        last = {"lastChunk": True} if number == count else {}
        yield frame("artifactUpdate", end=bool(last), artifact=artifact, **last)
    if script.error is not None:
        yield _frame(_error(ident, error_number(script.error[0]), script.error[1]))
        return
    yield frame("statusUpdate", end=True, status={"state": "TASK_STATE_COMPLETED"})


ROUTES = routes(
    CHAT,
    {
        "POST /v2/{slug}/a2a": partial(_serve, "SendStreamingMessage", _agent_v2),
        "POST /{slug}/a2a": partial(_serve, "message/send", _agent_v1),
    },
    ["/api/v1/external/agents"],
)
