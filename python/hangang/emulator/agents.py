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

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ._a2a import (
    INTERRUPTED,
    STREAM_HEADERS,
    STREAM_TYPE,
    TERMINAL,
    KnownError,
    RPCError,
    Wire,
    part_1_0,
    ping,
    rpc_error,
    task_0_3,
    to_0_3,
)
from ._call import JSON, Call, Service, bearer, check_key, keep, no_headers, refusal_of, routes
from ._faults import Frame
from ._run import Run, work
from ._store import Store
from ._wire import read_json
from .fake_answers import Script
from .gov import CHAT
from .gov_agents import find_agent
from .json_types import is_object, is_objects

_OLD = {
    "message/send": "SendMessage",
    "message/stream": "SendStreamingMessage",
    "tasks/get": "GetTask",
    "tasks/cancel": "CancelTask",
    "tasks/resubscribe": "SubscribeToTask",
    "tasks/pushNotificationConfig/set": "CreateTaskPushNotificationConfig",
    "tasks/pushNotificationConfig/get": "GetTaskPushNotificationConfig",
    "tasks/pushNotificationConfig/list": "ListTaskPushNotificationConfigs",
    "tasks/pushNotificationConfig/delete": "DeleteTaskPushNotificationConfig",
    "agent/getAuthenticatedExtendedCard": "GetExtendedAgentCard",
}
MOST_OF_A_TASK = 2**23
_NEW = {*_OLD.values(), "ListTasks"}


def _optional_key(call: Call) -> str:
    key = bearer(call) or ""
    if key:
        check_key(call, key)
    return key


OPEN = Service("a2a", _optional_key, CHAT.error_body, CHAT.complete, rate_headers=no_headers)


async def _card(request: Request) -> Response:
    keep(request, b"", OPEN.name)
    url = str(request.base_url) + "a2a"
    interface = {"url": url, "protocolBinding": "JSONRPC"}
    return JSONResponse(
        {
            "name": "한강",
            "description": "The agent of the local emulator.",
            "supportedInterfaces": [
                {**interface, "protocolVersion": "1.0"},
                {**interface, "protocolVersion": "0.3"},
            ],
            "version": "1",
            "capabilities": {"streaming": True},
            "defaultInputModes": ["text/plain"],
            "defaultOutputModes": ["text/plain"],
            "skills": [
                {
                    "id": "answer",
                    "name": "answer",
                    "description": "Answers any question about the Han river.",
                    "tags": ["emulator"],
                }
            ],
            "preferredTransport": "JSONRPC",
            "protocolVersion": "0.3",
            "url": url,
        }
    )


# The standard server.


async def _standard(call: Call) -> Response:
    find_agent(call)
    wire = Wire(old=False, ident=None)
    try:
        body, wire, method = await _envelope(call)
        _check_version(call, wire, method)
        params: object = body.get("params") or {}
        if not is_object(params):
            raise _invalid_params(wire, "params must be an object")
        return await _dispatch(call, wire, method, params)
    except KnownError as error:
        return call.whole(error.wire.error_body(error))
    except RPCError as error:
        return call.whole(wire.error_body(error))


async def _envelope(call: Call) -> tuple[JSON, Wire, str]:
    """The JSON-RPC request, how to answer it, and the 1.0 name of its method."""
    try:
        body = read_json(call.content)
    except RecursionError:
        raise RPCError(-32700) from None
    except ValueError as error:
        raise RPCError(-32700, str(error)) from None
    if not is_object(body):
        raise RPCError(-32600)
    ident = body.get("id")
    if isinstance(ident, bool) or not isinstance(ident, str | int | None):
        ident = None
    given = body.get("method")
    given = given if isinstance(given, str) else ""
    method = _OLD.get(given, given)
    wire = Wire(old=given in _OLD, ident=ident)
    if body.get("jsonrpc") != "2.0":
        raise KnownError(wire, -32600, "Invalid request: 'jsonrpc' must be exactly '2.0'")
    if not method:
        raise KnownError(wire, -32600)
    if method not in _NEW:
        raise KnownError(wire, -32601)
    return body, wire, method


def _tasks(call: Call) -> Store[Run]:
    return call.state.store("tasks", forget=_stop)


def _stop(run: Run) -> None:
    """End a task: it was canceled, or is forgotten because newer ones were kept."""
    if run.work is not None:
        run.work.cancel()
    run.end()


def _check_version(call: Call, wire: Wire, method: str) -> None:
    """1.0 methods need `A2A-Version: 1.x`; absent means 0.3 ([a2a §7])."""
    version = call.header("a2a-version") or call.request.query_params.get("A2A-Version") or "0.3"
    wanted = "0.3" if wire.old else "1.0"
    if version.partition(".")[0] != wanted.partition(".")[0]:
        # 0.3 has no -32009, so the SDK answers -32603 there.
        raise RPCError(
            -32603 if wire.old else -32009,
            f"A2A version '{version}' is not supported by this handler. Expected version '{wanted}'.",
        )


def _invalid_params(wire: Wire, text: str) -> RPCError:
    if wire.old:
        return RPCError(-32600, detail=text)
    return RPCError(-32602, metadata={"parseError": text})


async def _dispatch(call: Call, wire: Wire, method: str, params: JSON) -> Response:
    if method in ("SendMessage", "SendStreamingMessage"):
        return await _send(call, wire, params, stream=method == "SendStreamingMessage")
    if method.endswith(("PushNotificationConfig", "PushNotificationConfigs")):
        raise RPCError(-32003)
    if method == "GetExtendedAgentCard":
        raise RPCError(-32004, "The agent does not support authenticated extended cards")
    if method == "ListTasks":
        return _list_tasks(call, wire, params)
    run = _tasks(call).get(str(params.get("id")))
    if method == "SubscribeToTask":
        return _subscribe(call, wire, run)
    if run is None:
        raise RPCError(-32001)
    if method == "CancelTask":
        _cancel(run)
    history = params.get("historyLength")
    task = run.task(history if isinstance(history, int) else None)
    return call.whole(wire.body(task_0_3(task) if wire.old else task))


def _list_tasks(call: Call, wire: Wire, params: JSON) -> Response:
    context = params.get("contextId")
    found = [
        {key: value for key, value in run.task().items() if key != "artifacts"}
        for run in reversed(list(_tasks(call)))
        if context in (None, "", run.context)
    ]
    size = params.get("pageSize")
    size = size if isinstance(size, int) and size > 0 else 50
    listed = {"tasks": found[:size], "pageSize": size, "totalSize": len(found), "nextPageToken": ""}
    return call.whole(wire.body(listed))


def _cancel(run: Run) -> None:
    if run.status["state"] in TERMINAL:
        raise RPCError(-32002)
    run.set_status("CANCELED")
    _stop(run)


def _subscribe(call: Call, wire: Wire, run: Run | None) -> Response:
    error: RPCError | None = None
    if run is None:
        error = RPCError(-32001)
    elif run.status["state"] in TERMINAL:
        error = RPCError(-32004, _is_terminal(run))
    if error is not None or run is None:
        if wire.old and error is not None:  # 0.3 reports errors inside the stream
            return _stream(call, wire, [Frame(wire.error_event(error))])
        raise error or RPCError(-32001)
    return _stream(call, wire, _events(run, wire, len(run.events), first={"task": run.task()}))


def _is_terminal(run: Run) -> str:
    return f"Task {run.id} is in terminal state: {run.status['state']}"


async def _send(call: Call, wire: Wire, params: JSON, *, stream: bool) -> Response:
    message = _read_message(wire, params)
    text = "".join(part.get("text", "") for part in message["parts"])
    run = _run_for(call, params, message)
    turn = call.state.count("turns", run.context)
    random = call.random(call.request.url.path, text, turn)
    try:
        script = call.script(random, stream=stream, prompt=text, turn=turn, refuse=_refuse)
    except RPCError as error:
        if stream and wire.old:  # 0.3 reports errors inside the stream
            return _stream(call, wire, [Frame(wire.error_event(error))])
        raise
    if script.chosen:
        text = ""  # the words that steer the made-up agent do nothing
    message["contextId"] = run.context
    if text.startswith("message:"):
        reply = _direct_reply(call, run)
        if stream:
            return _stream(call, wire, [Frame(wire.event(reply), end=True)])
        result = to_0_3(reply) if wire.old else reply
        return call.whole(wire.body(result))
    if text == "errfirst":
        failed = RPCError(-32005, "boom before first event")
        if stream and wire.old:
            return _stream(call, wire, [Frame(wire.error_event(failed))])
        raise failed
    start = _start(call, run, message, text, script)
    if stream:
        return _stream(call, wire, _events(run, wire, start), script.text_hash)
    if not _returns_at_once(wire, params):
        await run.finished()
        if isinstance(run.events[-1], RPCError):
            raise run.events[-1]
    task = run.task()
    result = task_0_3(task) if wire.old else {"task": task}
    return call.whole(wire.body(result))


def _refuse(code: int | str, message: str) -> Exception:
    return rpc_error(code, message) or refusal_of(code, message)


def _read_message(wire: Wire, params: JSON) -> JSON:
    """The message in 1.0 form, checked as a2a-sdk checks it."""
    message = params.get("message")
    if message is None:
        raise _missing(wire, "message", "message")
    if not is_object(message):
        raise _invalid_params(wire, "Failed to parse message field.")
    roles = ("user", "agent") if wire.old else ("ROLE_USER", "ROLE_AGENT")
    if message.get("role") not in roles:
        raise _missing(wire, "message.role", "message.role")
    if not isinstance(message.get("messageId"), str) or not message["messageId"]:
        raise _missing(wire, "message.messageId", "message.message_id")
    parts = message.get("parts", [])
    if not is_objects(parts) or not all(isinstance(part.get("text", ""), str) for part in parts):
        raise _invalid_params(wire, "Failed to parse message.parts field.")
    if not parts:
        text = "Field must contain at least one element."
        raise _missing(wire, "message.parts", "message.parts", text)
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


def _missing(wire: Wire, old: str, new: str, text: str = "Field is required.") -> RPCError:
    if wire.old:
        return RPCError(-32600, detail=f"1 validation error\nparams.{old}\n  Field required")
    return RPCError(-32602, "Validation failed", fields=((new, text),))


def _run_for(call: Call, params: JSON, message: JSON) -> Run:
    """The task that the message continues, or a new one."""
    if ident := message["taskId"]:
        found = _tasks(call).get(str(ident))
        if found is None:
            raise RPCError(-32001, f"Task {ident} not found")
        if found.status["state"] in TERMINAL:
            raise RPCError(-32004, _is_terminal(found))
        if found.size > MOST_OF_A_TASK:
            raise RPCError(-32004, f"Task {ident} is too long: the emulator keeps {MOST_OF_A_TASK} bytes")
        return found
    given = params.get("metadata")
    session = given.get("chat_session_id") if is_object(given) else None
    metadata: JSON | None = None
    if "team" in call.path:
        metadata = {"chat_session_id": session or call.state.new_session()}
    context = message["contextId"] or (f"session-{session}" if session is not None else call.state.new_id())
    return Run(call.state, str(context), metadata)


def _start(call: Call, run: Run, message: JSON, text: str, script: Script) -> int:
    """Begin the work; returns the number of the first event of this turn."""
    message["taskId"] = run.id
    start = len(run.events)
    run.history.append(message)
    run.done = False
    run.emit({"task": run.task()})
    run.size += len(call.content) + 512 * len(script.content)  # an event for two tokens
    _tasks(call).put(run.id, run, run.size)
    run.work = asyncio.ensure_future(work(run, text, script, call.controls))
    call.state.keep_work(run.work)
    return start


def _returns_at_once(wire: Wire, params: JSON) -> bool:
    options = params.get("configuration")
    if not is_object(options):
        return False
    if wire.old:
        return options.get("blocking") is False
    return options.get("returnImmediately") is True


def _direct_reply(call: Call, run: Run) -> JSON:
    return {
        "message": {
            "messageId": call.state.new_id(),
            "contextId": run.context,
            "role": "ROLE_AGENT",
            "parts": [{"text": "직접 답변입니다."}],
        }
    }


async def _events(run: Run, wire: Wire, start: int, *, first: JSON | None = None) -> AsyncIterator[Frame]:
    if first is not None:
        yield Frame(wire.event(first), paced=False)
        if run.status["state"] in INTERRUPTED:
            return
    async for event in run.follow(start):
        if isinstance(event, RPCError):
            yield Frame(wire.error_event(event), paced=False)
            continue
        status = event.get("statusUpdate", {}).get("status", {})
        last = status.get("state") in TERMINAL | INTERRUPTED
        yield Frame(wire.event(event), paced=False, end=last)


def _stream(call: Call, wire: Wire, frames: Any, headers: Mapping[str, str] | None = None) -> Response:
    def failed(code: str | None) -> Iterator[Frame]:
        number = int(code) if code and code.lstrip("-").isdigit() else -32603
        yield Frame(wire.error_event(RPCError(number)))

    return call.stream(
        frames,
        newline="crlf",
        comment=ping,
        error_frames=failed,
        headers={**STREAM_HEADERS, **(headers or {})},
        media_type=STREAM_TYPE,
    )


ROUTES = [
    Route("/.well-known/agent-card.json", _card, methods=["GET"]),
    *routes(OPEN, {"POST /a2a": _standard}),
    *routes(CHAT, {"POST /api/v1/teams/{team}/agent/{slug}/a2a": _standard}),
]
