"""Agents over A2A, as a2a-sdk 1.3.0 serves them with 0.3 compatibility on (docs/protocol/a2a.md).

Served at `/a2a` (key optional, card at `/.well-known/agent-card.json`), and with a key at the path
of Gov's FAQ, `/api/v1/teams/{team}/agent/{agent}/a2a`. Gov's other profiles: `gov_agents`.

The agent does what the text of the message asks for, like the agent of the recorded captures: `message: …`
answers with one message, `fail` fails, `input` asks back, `data` adds an artifact with other
parts, `errfirst` fails before the first event, `crash` after the second. Any other text is answered
by a task with an artifact in chunks.

A guess: the answers at the FAQ's path, which no source shows; `metadata.chat_session_id` is added
to the task there.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator

from starlette.responses import Response
from starlette.routing import BaseRoute

from ._a2a import (
    INTERRUPTED,
    STREAM_HEADERS,
    STREAM_TYPE,
    TERMINAL,
    RPCError,
    Wire,
    error_number,
    part_1_0,
    ping,
)
from ._call import JSON, Call, Service, bearer, check_key, routes
from ._faults import Frame
from ._run import Run
from ._store import Store
from ._wire import read_json
from .gov import CHAT
from .gov_agents import answer_of, find_agent
from .json_types import is_object, is_objects, is_text, member

MOST_OF_A_TASK = 2**23


def _optional_key(call: Call) -> str:
    key = bearer(call)
    return "" if key is None else check_key(call, key)


OPEN = Service("a2a", _optional_key, CHAT.error_body, CHAT.complete)


async def _card(call: Call) -> Response:
    url = str(call.request.base_url) + "a2a"
    interface = {"url": url, "protocolBinding": "JSONRPC"}
    about = "Answers any question about the Han river."
    skill = {"id": "answer", "name": "answer", "description": about, "tags": ["emulator"]}
    return call.reply(
        {
            "name": "한강",
            "description": "The agent of the local emulator.",
            "supportedInterfaces": [{**interface, "protocolVersion": version} for version in ("1.0", "0.3")],
            "version": "1",
            "capabilities": {"streaming": True},
            "defaultInputModes": ["text/plain"],
            "defaultOutputModes": ["text/plain"],
            "skills": [skill],
            "preferredTransport": "JSONRPC",
            "protocolVersion": "0.3",
            "url": url,
        }
    )


# The JSON-RPC envelope.


async def _standard(call: Call) -> Response:
    find_agent(call)
    wire, serve = Wire(), None
    try:
        try:
            body = read_json(call.content)
        except (ValueError, RecursionError) as error:
            raise RPCError(-32700, str(error)) from None
        if not is_object(body):
            raise RPCError(-32600)
        method, ident = body.get("method"), body.get("id")
        is_known = isinstance(ident, str | int | None) and not isinstance(ident, bool)
        old, serve = _METHODS.get(str(method), (False, None))
        wire = Wire(old, ident if is_known else None)
        if body.get("jsonrpc") != "2.0":
            raise RPCError(-32600, "Invalid request: 'jsonrpc' must be exactly '2.0'")
        if not is_text(method):
            raise RPCError(-32600)
        if serve is None:
            raise RPCError(-32601)
        _check_version(call, wire)
        params: object = body.get("params") or {}
        if not is_object(params):
            raise _invalid(wire, "params", "Must be an object.")
        return await serve(call, wire, params)
    except RPCError as error:
        if error.late and wire.old and serve in (_send_stream, _subscribe):
            return _stream(call, wire, [Frame(wire.error_event(error))])
        return call.whole(wire.error_body(error))


def _check_version(call: Call, wire: Wire) -> None:
    """1.0 methods need `A2A-Version: 1.x`; absent means 0.3 ([a2a §7])."""
    version = call.header("a2a-version") or call.request.query_params.get("A2A-Version") or "0.3"
    wanted = "0.3" if wire.old else "1.0"
    if version.partition(".")[0] != wanted.partition(".")[0]:
        # 0.3 has no -32009, so the SDK answers -32603 there.
        raise RPCError(
            -32603 if wire.old else -32009,
            f"A2A version '{version}' is not supported by this handler. Expected version '{wanted}'.",
        )


def _invalid(wire: Wire, name: str, text: str = "Field is required.") -> RPCError:
    if wire.old:
        return RPCError(-32600, violation=(name, text))
    return RPCError(-32602, "Validation failed", violation=(name, text))


# Tasks.


def _tasks(call: Call) -> Store[Run]:
    return call.state.store("tasks")


def _find(call: Call, params: JSON) -> Run:
    run = _tasks(call).get(str(params.get("id")))
    if run is None:
        raise RPCError(-32001, late=True)
    return run


async def _get_task(call: Call, wire: Wire, params: JSON) -> Response:
    history = params.get("historyLength")
    task = _find(call, params).task(history if isinstance(history, int) else None)
    return call.whole(wire.body({"task": task} if wire.old else task))


async def _cancel_task(call: Call, wire: Wire, params: JSON) -> Response:
    run = _find(call, params)
    if run.state in TERMINAL:
        raise RPCError(-32002)
    run.cancel()
    return await _get_task(call, wire, params)


async def _list_tasks(call: Call, wire: Wire, params: JSON) -> Response:
    context, size = params.get("contextId"), params.get("pageSize")
    found = [
        {key: value for key, value in run.task().items() if key != "artifacts"}
        for run in reversed(list(_tasks(call)))
        if context in (None, "", run.context)
    ]
    size = size if isinstance(size, int) and size > 0 else 50
    listed = {"tasks": found[:size], "pageSize": size, "totalSize": len(found), "nextPageToken": ""}
    return call.whole(wire.body(listed))


async def _subscribe(call: Call, wire: Wire, params: JSON) -> Response:
    run = _find(call, params)
    run.refuse_if_ended(late=True)
    return _stream(call, wire, _events(run, wire, len(run.past()), first={"task": run.task()}))


async def _no_push(*_: object) -> Response:
    raise RPCError(-32003)


async def _no_card(*_: object) -> Response:
    raise RPCError(-32004, "The agent does not support authenticated extended cards")


# Messages.


async def _send(call: Call, wire: Wire, params: JSON, *, stream: bool = False) -> Response:
    message = _read_message(wire, params)
    text = "".join(part.get("text", "") for part in message["parts"])
    run = _run_for(call, params, message)
    script, word = answer_of(call, text, run.context, stream=stream)
    message["contextId"] = run.context
    if word == "errfirst":
        raise RPCError(-32005, "boom before first event", late=True)
    if word.startswith("message:"):
        found = {"messageId": call.state.new_id(), "contextId": run.context}
        reply = {"message": {**found, "role": "ROLE_AGENT", "parts": [{"text": "직접 답변입니다."}]}}
        if stream:
            return _stream(call, wire, [Frame(wire.event(reply), end=True)])
        return call.whole(wire.body(reply))
    message["taskId"] = run.id
    run.size += len(call.content) + 512 * len(script.content)  # an event for two tokens
    run.begin(message, word, script, call.controls.rate)
    _tasks(call).put(run.id, run, run.size)
    if stream:
        return _stream(call, wire, _events(run, wire))
    option, at_once = ("blocking", False) if wire.old else ("returnImmediately", True)
    if member(params, "configuration", option) is not at_once:
        async for event in run.follow():
            if isinstance(event, RPCError):
                raise event
    return call.whole(wire.body({"task": run.task()}))


async def _send_stream(call: Call, wire: Wire, params: JSON) -> Response:
    return await _send(call, wire, params, stream=True)


def _read_message(wire: Wire, params: JSON) -> JSON:
    """The message in 1.0 form, checked as a2a-sdk checks it."""
    message = params.get("message")
    if not is_object(message):
        raise _invalid(wire, "message")
    given = message.get("parts")
    parts = given if is_objects(given) else []
    roles = ("user", "agent") if wire.old else ("ROLE_USER", "ROLE_AGENT")
    for name, fine in (
        ("role", message.get("role") in roles),
        ("message_id", is_text(message.get("messageId"))),
        ("parts", bool(parts) and all(isinstance(part.get("text", ""), str) for part in parts)),
    ):
        if not fine:
            raise _invalid(wire, f"message.{name}")
    found: JSON = {
        "messageId": message["messageId"],
        "contextId": message.get("contextId") or "",
        "taskId": message.get("taskId") or "",
        "role": "ROLE_USER" if message["role"] in ("user", "ROLE_USER") else "ROLE_AGENT",
        "parts": [part_1_0(part) for part in parts],
    }
    if is_object(message.get("metadata")):
        found["metadata"] = message["metadata"]
    return found


def _run_for(call: Call, params: JSON, message: JSON) -> Run:
    """The task that the message continues, or a new one."""
    if ident := message["taskId"]:
        found = _tasks(call).get(str(ident))
        if found is None:
            raise RPCError(-32001, f"Task {ident} not found")
        found.refuse_if_ended(late=False)
        if found.size > MOST_OF_A_TASK:
            raise RPCError(-32004, f"Task {ident} is too long: the emulator keeps {MOST_OF_A_TASK} bytes")
        return found
    session = member(params, "metadata", "chat_session_id")
    metadata: JSON | None = None
    if "team" in call.path:
        metadata = {"chat_session_id": session or call.state.new_session()}
    context = message["contextId"] or (f"session-{session}" if session is not None else call.state.new_id())
    return Run(call.state, str(context), metadata)


async def _events(run: Run, wire: Wire, start: int = 0, *, first: JSON | None = None) -> AsyncIterator[Frame]:
    if first is not None:
        yield Frame(wire.event(first), paced=False)
    async for event in run.follow(start):
        if isinstance(event, RPCError):
            yield Frame(wire.error_event(event), paced=False)
            continue
        last = member(event, "statusUpdate", "status", "state") in TERMINAL | INTERRUPTED
        yield Frame(wire.event(event), paced=False, end=last)


def _stream(call: Call, wire: Wire, frames: Iterable[Frame] | AsyncIterable[Frame]) -> Response:
    def failed(code: str | None) -> Iterator[Frame]:
        yield Frame(wire.error_event(RPCError(error_number(code))))

    call.headers |= STREAM_HEADERS
    return call.stream(frames, newline="crlf", comment=ping, error_frames=failed, media_type=STREAM_TYPE)


_Handler = Callable[[Call, Wire, JSON], Awaitable[Response]]
# The names of 1.0 and of 0.3.
_NAMES: tuple[tuple[str, str, _Handler], ...] = (
    ("SendMessage", "message/send", _send),
    ("SendStreamingMessage", "message/stream", _send_stream),
    ("GetTask", "tasks/get", _get_task),
    ("ListTasks", "", _list_tasks),
    ("CancelTask", "tasks/cancel", _cancel_task),
    ("SubscribeToTask", "tasks/resubscribe", _subscribe),
    ("CreateTaskPushNotificationConfig", "tasks/pushNotificationConfig/set", _no_push),
    ("GetTaskPushNotificationConfig", "tasks/pushNotificationConfig/get", _no_push),
    ("ListTaskPushNotificationConfigs", "tasks/pushNotificationConfig/list", _no_push),
    ("DeleteTaskPushNotificationConfig", "tasks/pushNotificationConfig/delete", _no_push),
    ("GetExtendedAgentCard", "agent/getAuthenticatedExtendedCard", _no_card),
)
# A method's name to whether it is that of 0.3, and the handler.
_METHODS: dict[str, tuple[bool, _Handler]] = {
    name: (name == old, handler) for new, old, handler in _NAMES for name in (new, old) if name
}
ROUTES: list[BaseRoute] = [
    *routes(OPEN, {"GET /.well-known/agent-card.json": _card, "POST /a2a": _standard}),
    *routes(CHAT, {"POST /api/v1/teams/{team}/agent/{slug}/a2a": _standard}),
]
