"""Agents over A2A: a standard server, and Gov's three dialects (wire/gov.md §1.4, wire/a2a.md).

| path | dialect |
| --- | --- |
| `/a2a`, card at `/.well-known/agent-card.json` | as a2a-sdk 1.3.0 with 0.3 compatibility; key optional |
| `/api/v1/teams/{team}/agent/{agent}/a2a` | the FAQ's: the same, with a key |
| `/api/v1/external/agents/{slug}/a2a` | agent v1: `message/send`, a `{metadata, message}` wrapper |
| `/api/v1/external/agents/v2/{slug}/a2a` | agent v2: `SendStreamingMessage`, role `user`, no version |

The agent does what the text of the message says, as the one behind the captures did: `message: …`
answers with one message, `fail` fails, `input` asks back, `data` adds an artifact with other
parts, `errfirst` fails before the first event, `crash` after the second. Any other text is answered
by a task with an artifact in chunks. An agent called `missing` is 404, `undeployed` 403.

Guesses: the FAQ path's answers (no source shows them; `metadata.chat_session_id` is added to the
task), the LF line ends of agent v2, and its `COMPLETED` at the end ("maybe" in the source).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from ._a2a import (
    FRAMING,
    INTERRUPTED,
    STREAM_HEADERS,
    STREAM_TYPE,
    TERMINAL,
    RPCError,
    Wire,
    part_1_0,
    task_0_3,
    to_0_3,
)
from ._answer import SSE, Frame
from ._call import JSON, Call, Refusal, Service, bearer, check_key, dump, endpoint, no_headers, sse
from ._controls import Controls
from ._shapes import is_list, is_object, is_objects
from ._state import State
from ._words import Script, compose
from .gov import CHAT

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
_NEW = {*_OLD.values(), "ListTasks"}
_STREAMING = ("SendStreamingMessage", "SubscribeToTask")


def _optional_key(call: Call) -> str:
    key = bearer(call) or ""
    check_key(call, key) if key else None
    return key


GOV = CHAT
OPEN = Service("a2a", _optional_key, CHAT.error_body, CHAT.complete, rate_headers=no_headers)


def routes() -> list[BaseRoute]:
    """The agent endpoints and the card."""
    external = "/api/v1/external/agents"
    teams = "/api/v1/teams/{team}/agent/{slug}/a2a"
    return [
        Route("/.well-known/agent-card.json", _card, methods=["GET"]),
        Route("/a2a", endpoint(OPEN, _standard), methods=["POST"]),
        Route(teams, endpoint(GOV, _standard), methods=["POST"]),
        Route(external + "/v2/{slug}/a2a", endpoint(GOV, _agent_v2), methods=["POST"]),
        Route(external + "/{slug}/a2a", endpoint(GOV, _agent_v1), methods=["POST"]),
    ]


async def _card(request: Request) -> Response:
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


# A run: one task, its events, and the work that makes them.


class Run:
    """A task that is being worked on; any number of streams read its events."""

    def __init__(self, state: State, context: str, metadata: JSON | None) -> None:
        self.id = state.new_id()
        self.context = context
        self.metadata = metadata
        self.status: JSON = {"state": "TASK_STATE_SUBMITTED"}
        self.history: list[JSON] = []
        self.artifacts: list[JSON] = []
        self.events: list[JSON | RPCError] = []
        self.done = False
        self.work: asyncio.Task[None] | None = None
        self._state = state
        self._changed = asyncio.Event()

    def task(self, history: int | None = None) -> JSON:
        """The task as it is now."""
        found: JSON = {"id": self.id, "contextId": self.context, "status": self.status}
        if self.artifacts:
            found["artifacts"] = [
                {**artifact, "parts": list(artifact["parts"])} for artifact in self.artifacts
            ]
        kept = self.history if history is None else self.history[len(self.history) - history :]
        if kept:
            found["history"] = list(kept)
        if self.metadata:
            found["metadata"] = self.metadata
        return found

    def emit(self, event: JSON | RPCError) -> None:
        """Add an event and wake the readers."""
        self.events.append(event)
        self._wake()

    def end(self) -> None:
        """No more events come."""
        self.done = True
        self._wake()

    def set_status(self, name: str, text: str | None = None) -> None:
        """Change the state, with progress text or without, and tell the readers."""
        if "message" in self.status:
            self.history.append(self.status["message"])
        self.status = {"state": f"TASK_STATE_{name}"}
        if text is not None:
            self.status["message"] = {
                "messageId": self._state.new_id(),
                "contextId": self.context,
                "taskId": self.id,
                "role": "ROLE_AGENT",
                "parts": [{"text": text}],
            }
        self.status["timestamp"] = self._state.new_timestamp()
        self.emit({"statusUpdate": {"taskId": self.id, "contextId": self.context, "status": self.status}})

    def add_artifact(self, ident: str, name: str, parts: list[JSON], *, append: bool, last: bool) -> None:
        """Add parts to an artifact, new or old, and tell the readers."""
        if append:
            kept = next(found for found in self.artifacts if found["artifactId"] == ident)
            kept["parts"].extend(parts)
        else:
            self.artifacts.append({"artifactId": ident, "name": name, "parts": list(parts)})
        self.emit(
            {
                "artifactUpdate": {
                    "taskId": self.id,
                    "contextId": self.context,
                    "artifact": {"artifactId": ident, "name": name, "parts": parts},
                    **({"append": True} if append else {}),
                    **({"lastChunk": True} if last else {}),
                }
            }
        )

    async def follow(self, start: int = 0) -> AsyncIterator[JSON | RPCError]:
        """The events from one on, to the end of the work."""
        index = start
        while True:
            while index < len(self.events):
                yield self.events[index]
                index += 1
            if self.done:
                return
            await self._changed.wait()

    async def finished(self) -> None:
        """Wait for the end of the work."""
        while not self.done:
            await self._changed.wait()

    def _wake(self) -> None:
        waiting, self._changed = self._changed, asyncio.Event()
        waiting.set()


_MIXED: list[JSON] = [
    {"data": {"n": 1.0, "f": 1.5}, "mediaType": "application/json"},
    {"raw": "AAFoaQ==", "filename": "a.bin", "mediaType": "application/octet-stream"},
    {
        "url": "https://example.com/x.pdf",
        "filename": "x.pdf",
        "mediaType": "application/pdf",
    },
]


async def _work(run: Run, text: str, script: Script, controls: Controls) -> None:
    """What the agent does with a message; always ends the run."""
    try:
        run.set_status("WORKING", "처리 중")
        if text == "fail":
            run.set_status("FAILED", "실패")
            return
        if text == "input":
            run.set_status("INPUT_REQUIRED", "더 알려 주세요")
            return
        if text == "crash":
            run.emit(RPCError(-32603, "unexpected crash"))
            return
        pieces = ["".join(script.content[i : i + 2]) for i in range(0, len(script.content), 2)]
        # A task that goes on after `input` has artifacts already; each turn makes its own.
        ident = f"art-{len(run.artifacts) + 1}"
        for index, piece in enumerate(pieces):
            if controls.rate:
                await asyncio.sleep(2 / controls.rate)
            last = index == len(pieces) - 1
            run.add_artifact(ident, "answer", [{"text": piece}], append=index > 0, last=last)
            await asyncio.sleep(0)
        if text == "data":
            mixed = f"art-{len(run.artifacts) + 1}"
            run.add_artifact(mixed, "mixed", _MIXED, append=False, last=True)
        run.set_status("COMPLETED")
    finally:
        run.end()


# The standard server.


async def _standard(call: Call) -> Response:
    _find_agent(call)
    wire = Wire(old=False, ident=None)
    try:
        body, wire, method = await _envelope(call)
        _check_version(call, wire, method)
        params: object = body.get("params") or {}
        if not is_object(params):
            raise _invalid_params(wire, "params must be an object")
        return await _dispatch(call, wire, method, params)
    except _Known as error:
        return call.whole(error.wire.error_body(error), "application/json")
    except RPCError as error:
        return call.whole(wire.error_body(error), "application/json")


def _find_agent(call: Call) -> None:
    slug = call.path.get("slug")
    if slug == "missing":
        raise Refusal(404)
    if slug == "undeployed":
        raise Refusal(403, message="Agent not deployed")


async def _envelope(call: Call) -> tuple[JSON, Wire, str]:
    """The JSON-RPC request, how to answer it, and the 1.0 name of its method."""
    try:
        body = json.loads(await call.body())
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
    method = _OLD.get(given, given) if isinstance(given, str) else ""
    wire = Wire(old=given in _OLD, ident=ident)
    if body.get("jsonrpc") != "2.0":
        raise _Known(wire, -32600, "Invalid request: 'jsonrpc' must be exactly '2.0'")
    if not method:
        raise _Known(wire, -32600)
    if method not in _NEW:
        raise _Known(wire, -32601)
    return body, wire, method


class _Known(RPCError):
    """An error found while the envelope was read, when the `id` was known already."""

    def __init__(self, wire: Wire, code: int, message: str | None = None) -> None:
        super().__init__(code, message)
        self.wire = wire


def _check_version(call: Call, wire: Wire, method: str) -> None:
    """1.0 methods need `A2A-Version: 1.x`; absent means 0.3 (wire/a2a.md §7)."""
    version = call.header("a2a-version") or call.request.query_params.get("A2A-Version") or "0.3"
    wanted = "0.3" if wire.old else "1.0"
    if version.partition(".")[0] != wanted.partition(".")[0]:
        # 0.3 does not know -32009, so the SDK answers -32603 there.
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
    run = call.state.runs.get(str(params.get("id")))
    if method == "SubscribeToTask":
        return _subscribe(call, wire, run)
    if run is None:
        raise RPCError(-32001)
    if method == "CancelTask":
        _cancel(run)
    history = params.get("historyLength")
    task = run.task(history if isinstance(history, int) else None)
    return call.whole(wire.body(task_0_3(task) if wire.old else task), "application/json")


def _list_tasks(call: Call, wire: Wire, params: JSON) -> Response:
    context = params.get("contextId")
    found = [
        {key: value for key, value in run.task().items() if key != "artifacts"}
        for run in reversed(call.state.runs.values())
        if context in (None, "", run.context)
    ]
    size = params.get("pageSize")
    size = size if isinstance(size, int) and size > 0 else 50
    listed = {
        "tasks": found[:size],
        "pageSize": size,
        "totalSize": len(found),
        "nextPageToken": "",
    }
    return call.whole(wire.body(listed), "application/json")


def _cancel(run: Run) -> None:
    if run.status["state"] in TERMINAL:
        raise RPCError(-32002)
    if run.work is not None:
        run.work.cancel()
    run.set_status("CANCELED")
    run.end()


def _subscribe(call: Call, wire: Wire, run: Run | None) -> Response:
    error: RPCError | None = None
    if run is None:
        error = RPCError(-32001)
    elif run.status["state"] in TERMINAL:
        error = RPCError(-32004, _is_terminal(run))
    if error is not None or run is None:
        if wire.old and error is not None:  # 0.3 tells errors inside the stream
            return _stream(call, wire, [Frame(wire.error_event(error))])
        raise error or RPCError(-32001)
    return _stream(call, wire, _events(run, wire, len(run.events), first={"task": run.task()}))


def _is_terminal(run: Run) -> str:
    return f"Task {run.id} is in terminal state: {run.status['state']}"


async def _send(call: Call, wire: Wire, params: JSON, *, stream: bool) -> Response:
    message = _read_message(wire, params)
    text = "".join(part.get("text", "") for part in message["parts"])
    run = _run_for(call, params, message)
    turn = call.state.next_turn(run.context)
    script = compose(
        call.random(call.request.url.path, text, turn),
        prompt=text,
        turn=turn,
        tokens=call.controls.tokens,
        hard=call.controls.text == "hard",
    )
    message["contextId"] = run.context
    if text.startswith("message:"):
        reply = _direct_reply(call, run)
        if stream:
            return _stream(call, wire, [Frame(wire.event(reply), end=True)])
        result = to_0_3(reply) if wire.old else reply
        return call.whole(wire.body(result), "application/json")
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
    return call.whole(wire.body(result), "application/json")


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
    if not is_objects(parts):
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
    """The task that the message goes on with, or a new one."""
    if ident := message["taskId"]:
        found = call.state.runs.get(str(ident))
        if found is None:
            raise RPCError(-32001, f"Task {ident} not found")
        if found.status["state"] in TERMINAL:
            raise RPCError(-32004, _is_terminal(found))
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
    call.state.keep_run(run)
    run.work = asyncio.ensure_future(_work(run, text, script, call.controls))
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
        framing=FRAMING,
        error_frames=failed,
        headers={**STREAM_HEADERS, **(headers or {})},
        media_type=STREAM_TYPE,
    )


# Gov's own profiles.


async def _profile(call: Call, method: str) -> tuple[JSON, JSON, Any]:
    """The params and the message of a request to one of Gov's profiles, and its `id`."""
    _find_agent(call)
    body = await call.read_object()
    if body.get("method") != method:
        raise _Known(Wire(old=False, ident=body.get("id")), -32601)
    params = body.get("params")
    message = params.get("message") if is_object(params) else None
    if not is_object(params) or not is_object(message):
        raise _Known(Wire(old=False, ident=body.get("id")), -32602)
    parts = message.get("parts")
    if message.get("role") != "user" or not message.get("messageId") or not parts:
        raise _Known(Wire(old=False, ident=body.get("id")), -32602)
    return params, message, body.get("id")


def _failed(call: Call, error: _Known) -> Response:
    """`error.data.detail` is where that client looks."""
    body = {"code": error.code, "message": error.message, "data": {"detail": error.message}}
    answer = {"jsonrpc": "2.0", "id": error.wire.ident, "error": body}
    return call.reply(answer)


def _text(message: JSON) -> str:
    parts = message.get("parts")
    found = parts if is_list(parts) else []
    return "".join(str(part.get("text", "")) for part in found if is_object(part))


def _script(call: Call, text: str, context: str) -> Script:
    turn = call.state.next_turn(context)
    return compose(
        call.random(call.request.url.path, text, turn),
        prompt=text,
        turn=turn,
        tokens=call.controls.tokens,
        hard=call.controls.text == "hard",
    )


async def _agent_v1(call: Call) -> Response:
    try:
        params, message, ident = await _profile(call, "message/send")
    except _Known as error:
        return _failed(call, error)
    metadata = params.get("metadata")
    session = metadata.get("chat_session_id") if is_object(metadata) else None
    if session is None and isinstance(message.get("contextId"), str):
        session = call.state.session_of(message["contextId"])
    session = session if isinstance(session, int) else call.state.new_session()
    text = _text(message)
    script = _script(call, text, f"session-{session}")
    if text == "fail":
        return _failed(call, _Known(Wire(old=False, ident=ident), -32603, "실패"))
    result = {
        "metadata": {"chat_session_id": session},
        "message": {"parts": [{"kind": "text", "text": script.text}]},
    }
    answer = {"jsonrpc": "2.0", "id": ident, "result": result}
    return call.reply(answer, headers=script.text_hash)


async def _agent_v2(call: Call) -> Response:
    try:
        _, message, ident = await _profile(call, "SendStreamingMessage")
    except _Known as error:
        return _failed(call, error)
    context = str(message.get("contextId") or call.state.new_id())
    text = _text(message)
    script = _script(call, text, context)

    def failed(code: str | None) -> Iterator[Frame]:
        number = int(code) if code and code.lstrip("-").isdigit() else -32603
        error = {"code": number, "message": "Agent failed", "data": {"detail": "emulated"}}
        yield Frame(sse(dump({"jsonrpc": "2.0", "id": ident, "error": error})))

    return call.stream(
        _v2_frames(call, script, context, ident, text),
        framing=SSE,
        error_frames=failed,
        headers=script.text_hash,
    )


def _v2_frames(call: Call, script: Script, context: str, ident: object, text: str) -> Iterator[Frame]:
    task = call.state.new_id()
    where = {"taskId": task, "contextId": context}

    def frame(result: JSON, *, end: bool = False) -> Frame:
        return Frame(sse(dump({"jsonrpc": "2.0", "id": ident, "result": result})), end=end)

    submitted = {"state": "TASK_STATE_SUBMITTED"}
    yield frame({"task": {"id": task, "contextId": context, "status": submitted}})
    yield frame({"statusUpdate": {**where, "status": {"state": "TASK_STATE_WORKING"}}})
    if text == "fail":
        state = {"state": "TASK_STATE_FAILED"}
        yield frame({"statusUpdate": {**where, "status": state}}, end=True)
        return
    count = call.controls.artifacts
    for number in range(1, count + 1):
        # Each update has the text so far and replaces the one before: none says `append`.
        shown = "".join(script.content[: len(script.content) * number // count])
        artifact = {"artifactId": "result", "parts": [{"text": shown}]}
        last = {"lastChunk": True} if number == count else {}
        yield frame({"artifactUpdate": {**where, "artifact": artifact, **last}}, end=bool(last))
    completed = {"state": "TASK_STATE_COMPLETED"}
    yield frame({"statusUpdate": {**where, "status": completed}}, end=True)
