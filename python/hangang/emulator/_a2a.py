"""A2A on the wire: the JSON-RPC envelopes, errors and events of a2a-sdk 1.3.0 ([a2a §5, §6, §7]).

Inside the emulator an event is in 1.0 form: an object with one member, `task`, `message`,
`statusUpdate` or `artifactUpdate`. `Wire` writes it as protocol 1.0 or 0.3. Bytes were compared
with a server made with a2a-sdk 1.3.0, 0.3 compatibility on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ._call import JSON, Refusal, refusal_of
from ._wire import dump, sse
from .json_types import is_object

TERMINAL = frozenset(f"TASK_STATE_{name}" for name in ("COMPLETED", "FAILED", "CANCELED", "REJECTED"))
INTERRUPTED = frozenset(("TASK_STATE_INPUT_REQUIRED", "TASK_STATE_AUTH_REQUIRED"))

# Code to the SDK's message, and the reason that 1.0 adds.
_ERRORS = {
    -32700: ("Parse error", None),
    -32600: ("Invalid Request", "INVALID_REQUEST"),
    -32601: ("Method not found", None),
    -32602: ("Invalid params", "INVALID_PARAMS"),
    -32603: ("Internal error", None),
    -32001: ("Task not found", "TASK_NOT_FOUND"),
    -32002: ("Task cannot be canceled", "TASK_NOT_CANCELABLE"),
    -32003: ("Push notifications are not supported by the agent", "PUSH_NOTIFICATION_NOT_SUPPORTED"),
    -32004: ("This operation is not supported", "UNSUPPORTED_OPERATION"),
    -32005: ("Incompatible content types", "CONTENT_TYPE_NOT_SUPPORTED"),
    -32006: ("Server error", "INVALID_AGENT_RESPONSE"),
    -32007: ("Server error", "EXTENDED_AGENT_CARD_NOT_CONFIGURED"),
    -32008: ("Server error", "EXTENSION_SUPPORT_REQUIRED"),
    -32009: ("Server error", "VERSION_NOT_SUPPORTED"),
}


def ping() -> bytes:
    """The keep-alive of sse-starlette."""
    return f": ping - {datetime.now(UTC)}\n\n".encode()


STREAM_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}
STREAM_TYPE = "text/event-stream; charset=utf-8"


@dataclass(eq=False)
class RPCError(Exception):
    """A JSON-RPC error.

    `violation` is a field of the params and what is wrong with it. 0.3 reports an error that is `late` inside
    the stream, where one was asked for.
    """

    code: int
    message: str = ""
    violation: tuple[str, str] | None = None
    late: bool = False

    def __post_init__(self) -> None:
        self.message = self.message or _ERRORS.get(self.code, ("Server error", None))[0]

    def to_1_0(self) -> JSON:
        """The error object of protocol 1.0, with an ErrorInfo and, for a violation, a BadRequest."""
        details: list[JSON] = []
        _, reason = _ERRORS.get(self.code, ("", None))
        if reason is not None:
            details.append(_detail("ErrorInfo", reason=reason, domain="a2a-protocol.org", metadata={}))
        if self.violation is not None:
            name, text = self.violation
            details[0]["metadata"] = {"errors": [{"field": name, "message": text}]}
            details.append(_detail("BadRequest", fieldViolations=[{"field": name, "description": text}]))
        return {"code": self.code, "message": self.message, **({"data": details} if details else {})}


def _detail(kind: str, **members: object) -> JSON:
    return {"@type": f"type.googleapis.com/google.rpc.{kind}", **members}


def error_number(code: int | str | None) -> int:
    """A code as JSON-RPC's number: -32603 for any that is none."""
    text = str(code)
    return int(text) if text.isascii() and text.removeprefix("-").isdigit() else -32603


def chosen_error(code: int | str, message: str) -> RPCError | Refusal:
    """A chosen error: a refusal for an HTTP status."""
    number = error_number(code)
    return refusal_of(code, message) if 400 <= number <= 599 else RPCError(number, message, late=True)


@dataclass(frozen=True, slots=True)
class Wire:
    """How one request is answered: by protocol 0.3 or 1.0, and with the request's `id`."""

    old: bool = False
    ident: Any = None

    def body(self, result: JSON) -> bytes:
        """A one-shot result: in 1.0 as it is, in 0.3 an event in that form, with sorted keys."""
        return dump(self._answer("result", to_0_3(result) if self.old else result), sort=self.old)

    def error_body(self, error: RPCError) -> bytes:
        """A one-shot error."""
        if not self.old:
            return dump(self._answer("error", error.to_1_0()))
        detail = None if error.violation is None else ": ".join(error.violation)
        body = {"code": error.code, "message": error.message, "data": detail}
        return dump({"jsonrpc": "2.0", "id": self.ident, "error": body})

    def event(self, event: JSON) -> bytes:
        """One event of a stream: 1.0 spaced, 0.3 compact and sorted."""
        result = to_0_3(event) if self.old else event
        return sse(dump(self._answer("result", result), spaced=not self.old, sort=self.old))

    def error_event(self, error: RPCError) -> bytes:
        """An error inside a stream: `event: error` in 1.0, a plain event in 0.3."""
        if self.old:
            body = {"code": error.code, "message": error.message}
            return sse(dump(self._answer("error", body), sort=True))
        return sse(dump(self._answer("error", error.to_1_0()), spaced=True), event="error")

    def _answer(self, member: str, value: JSON) -> JSON:
        return {member: value, "id": self.ident, "jsonrpc": "2.0"}


_KINDS = {"statusUpdate": "status-update", "artifactUpdate": "artifact-update"}


def to_0_3(event: JSON) -> JSON:
    """A 1.0 event as the `result` of protocol 0.3."""
    ((kind, inner),) = event.items()
    found: JSON = {"kind": _KINDS.get(kind, kind), **_members_0_3(inner)}
    if kind == "statusUpdate":
        # An interrupted status has `final: false` even where the stream then closes.
        found["final"] = inner["status"]["state"] in TERMINAL
    if kind == "artifactUpdate":
        found = {"append": False, "lastChunk": False, **found}
    return found


def _members_0_3(value: JSON) -> JSON:
    return {name: _member_0_3(name, member) for name, member in value.items()}


def _member_0_3(name: str, value: Any) -> Any:
    """A member of a 1.0 object in 0.3 form; `metadata` is its sender's own."""
    match name:
        case "state":  # `TASK_STATE_INPUT_REQUIRED` is `input-required`
            return value.removeprefix("TASK_STATE_").lower().replace("_", "-")
        case "role":
            return value.removeprefix("ROLE_").lower()
        case "message":
            return {"kind": "message", **_members_0_3(value)}
        case "history":
            return [_member_0_3("message", message) for message in value]
        case "status" | "artifact":
            return _members_0_3(value)
        case "artifacts":
            return [_members_0_3(artifact) for artifact in value]
        case "parts":
            return [_part_0_3(part) for part in value]
        case _:
            return value


# The names of a file's members: in a part of 1.0, and in the `file` of 0.3.
_FILE = {"raw": "bytes", "url": "uri", "filename": "name", "mediaType": "mimeType"}


def _part_0_3(part: JSON) -> JSON:
    for kind in ("text", "data"):
        if kind in part:
            return {"kind": kind, kind: part[kind]}
    other = "url" if "raw" in part else "raw"
    file = {old: part[new] for new, old in _FILE.items() if part.get(new) and new != other}
    return {"kind": "file", "file": file}


def part_1_0(part: JSON) -> JSON:
    """A part of either protocol, or one without `kind`, in 1.0 form: by its members alone."""
    file = part.get("file")
    if is_object(file):
        return {new: file[old] for new, old in _FILE.items() if file.get(old)}
    return {name: member for name, member in part.items() if name not in ("kind", "type")}
