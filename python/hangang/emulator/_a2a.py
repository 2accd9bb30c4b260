"""A2A on the wire: the JSON-RPC envelopes, errors and events of a2a-sdk 1.3.0 ([a2a §5, §6, §7]).

Inside the emulator an event is in 1.0 form: an object with one member, `task`, `message`,
`statusUpdate` or `artifactUpdate`. `Wire` writes it as protocol 1.0 or 0.3. Bytes were compared
with a server made with a2a-sdk 1.3.0, 0.3 compatibility on.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ._call import JSON
from ._wire import dump, sse
from .json_types import is_object

TERMINAL = frozenset(f"TASK_STATE_{name}" for name in ("COMPLETED", "FAILED", "CANCELED", "REJECTED"))
INTERRUPTED = frozenset(("TASK_STATE_INPUT_REQUIRED", "TASK_STATE_AUTH_REQUIRED"))

_REASONS = {
    -32600: "INVALID_REQUEST",
    -32602: "INVALID_PARAMS",
    -32001: "TASK_NOT_FOUND",
    -32002: "TASK_NOT_CANCELABLE",
    -32003: "PUSH_NOTIFICATION_NOT_SUPPORTED",
    -32004: "UNSUPPORTED_OPERATION",
    -32005: "CONTENT_TYPE_NOT_SUPPORTED",
    -32006: "INVALID_AGENT_RESPONSE",
    -32007: "EXTENDED_AGENT_CARD_NOT_CONFIGURED",
    -32008: "EXTENSION_SUPPORT_REQUIRED",
    -32009: "VERSION_NOT_SUPPORTED",
}
_MESSAGES = {
    -32700: "Parse error",
    -32600: "Invalid Request",
    -32601: "Method not found",
    -32602: "Invalid params",
    -32603: "Internal error",
    -32001: "Task not found",
    -32002: "Task cannot be canceled",
    -32003: "Push notifications are not supported by the agent",
    -32004: "This operation is not supported",
    -32005: "Incompatible content types",
}


def ping() -> bytes:
    """The keep-alive of sse-starlette."""
    return f": ping - {datetime.now(UTC)}\n\n".encode()


STREAM_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}
STREAM_TYPE = "text/event-stream; charset=utf-8"


class RPCError(Exception):
    """A JSON-RPC error; 1.0 adds an ErrorInfo and, for fields, a BadRequest to it."""

    def __init__(
        self,
        code: int,
        message: str | None = None,
        *,
        metadata: JSON | None = None,
        fields: tuple[tuple[str, str], ...] = (),
        detail: str | None = None,
    ) -> None:
        super().__init__(code, message)
        self.code = code
        self.message: str = message or _MESSAGES.get(code, "Server error")
        self.metadata: dict[str, str] = metadata or {}
        self.fields = fields
        self.detail = detail

    def to_1_0(self) -> JSON:
        """The error object of protocol 1.0."""
        error: JSON = {"code": self.code, "message": self.message}
        details: list[JSON] = []
        if self.code in _REASONS:
            metadata: JSON = dict(self.metadata)
            if self.fields:
                metadata["errors"] = [{"field": name, "message": text} for name, text in self.fields]
            details.append(
                {
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                    "reason": _REASONS[self.code],
                    "domain": "a2a-protocol.org",
                    "metadata": metadata,
                }
            )
        if self.fields:
            violations = [{"field": name, "description": text} for name, text in self.fields]
            details.append(
                {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": violations}
            )
        if details:
            error["data"] = details
        return error


def rpc_error(code: int | str, message: str) -> RPCError | None:
    """A chosen error as JSON-RPC's; None for an HTTP status."""
    text = str(code)
    if not (text.removeprefix("-").isdigit() and text.isascii()):
        return RPCError(-32603, message)
    return None if 400 <= int(text) <= 599 else RPCError(int(text), message)


@dataclass(frozen=True, slots=True)
class Wire:
    """How one request is answered: the protocol, and the request's `id`."""

    old: bool
    ident: Any

    def body(self, result: JSON) -> bytes:
        """A one-shot result: in 1.0 as it is, in 0.3 with sorted keys."""
        if self.old:
            return _sorted({"id": self.ident, "jsonrpc": "2.0", "result": result})
        return dump({"result": result, "id": self.ident, "jsonrpc": "2.0"})

    def error_body(self, error: RPCError) -> bytes:
        """A one-shot error."""
        if self.old:
            body: JSON = {"code": error.code, "data": None, "message": error.message}
            if error.detail is not None:
                body = {"code": error.code, "message": error.message, "data": error.detail}
            return dump({"jsonrpc": "2.0", "id": self.ident, "error": body})
        return dump({"error": error.to_1_0(), "id": self.ident, "jsonrpc": "2.0"})

    def event(self, event: JSON) -> bytes:
        """One event of a stream: 1.0 spaced, 0.3 compact and sorted."""
        if self.old:
            result = to_0_3(event)
            return sse(_sorted({"id": self.ident, "jsonrpc": "2.0", "result": result}))
        return sse(dump({"result": event, "id": self.ident, "jsonrpc": "2.0"}, spaced=True))

    def error_event(self, error: RPCError) -> bytes:
        """An error inside a stream: `event: error` in 1.0, a plain event in 0.3."""
        if self.old:
            body = {"code": error.code, "message": error.message}
            return sse(_sorted({"error": body, "id": self.ident, "jsonrpc": "2.0"}))
        body = {"error": error.to_1_0(), "id": self.ident, "jsonrpc": "2.0"}
        return sse(dump(body, spaced=True), event="error")


class KnownError(RPCError):
    """An error found while the envelope was read, when the `id` was known already."""

    def __init__(self, wire: Wire, code: int, message: str | None = None) -> None:
        super().__init__(code, message)
        self.wire = wire


def _sorted(value: JSON) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def state_0_3(state: str) -> str:
    """`TASK_STATE_INPUT_REQUIRED` as `input-required`."""
    return state.removeprefix("TASK_STATE_").lower().replace("_", "-")


def to_0_3(event: JSON) -> JSON:
    """A 1.0 event as the `result` of protocol 0.3."""
    ((kind, inner),) = event.items()
    if kind == "task":
        return task_0_3(inner)
    if kind == "message":
        return message_0_3(inner)
    if kind == "statusUpdate":
        return {
            "kind": "status-update",
            "taskId": inner["taskId"],
            "contextId": inner["contextId"],
            "status": _status_0_3(inner["status"]),
            # An interrupted status has `final: false` even where the stream then closes.
            "final": inner["status"]["state"] in TERMINAL,
            **_metadata(inner),
        }
    return {
        "kind": "artifact-update",
        "taskId": inner["taskId"],
        "contextId": inner["contextId"],
        "artifact": _artifact_0_3(inner["artifact"]),
        "append": inner.get("append", False),
        "lastChunk": inner.get("lastChunk", False),
        **_metadata(inner),
    }


def task_0_3(task: JSON) -> JSON:
    """A 1.0 task in 0.3 form."""
    found: JSON = {
        "kind": "task",
        "id": task["id"],
        "contextId": task["contextId"],
        "status": _status_0_3(task["status"]),
        **_metadata(task),
    }
    if task.get("artifacts"):
        found["artifacts"] = [_artifact_0_3(artifact) for artifact in task["artifacts"]]
    if task.get("history"):
        found["history"] = [message_0_3(message) for message in task["history"]]
    return found


def message_0_3(message: JSON) -> JSON:
    """A 1.0 message in 0.3 form."""
    found = {**message, "kind": "message"}
    found["role"] = "user" if message["role"] == "ROLE_USER" else "agent"
    found["parts"] = [part_0_3(part) for part in message["parts"]]
    return found


def part_0_3(part: JSON) -> JSON:
    """A 1.0 part in 0.3 form."""
    if "text" in part:
        return {"kind": "text", "text": part["text"]}
    if "data" in part:
        return {"kind": "data", "data": part["data"]}
    file: JSON = {"name": part.get("filename"), "mimeType": part.get("mediaType")}
    if "raw" in part:
        file["bytes"] = part["raw"]
    else:
        file["uri"] = part.get("url")
    return {"kind": "file", "file": {key: value for key, value in file.items() if value}}


def part_1_0(part: JSON) -> JSON:
    """A part of either protocol, or one without `kind`, in 1.0 form: by its members alone."""
    file = part.get("file")
    if is_object(file):
        found: JSON = {}
        if "bytes" in file:
            found["raw"] = file["bytes"]
        if "uri" in file:
            found["url"] = file["uri"]
        if file.get("name"):
            found["filename"] = file["name"]
        if file.get("mimeType"):
            found["mediaType"] = file["mimeType"]
        return found
    return {key: value for key, value in part.items() if key not in ("kind", "type")}


def _status_0_3(status: JSON) -> JSON:
    found = {**status, "state": state_0_3(status["state"])}
    if "message" in status:
        found["message"] = message_0_3(status["message"])
    return found


def _artifact_0_3(artifact: JSON) -> JSON:
    return {**artifact, "parts": [part_0_3(part) for part in artifact["parts"]]}


def _metadata(found: JSON) -> JSON:
    return {"metadata": found["metadata"]} if found.get("metadata") else {}
