"""A naive reference: the whole stream at once, the contract written down as plainly as possible.

Nothing here is fast, resumable or clever, and nothing is shared with either implementation. `json` of the
standard library says what is valid and what the values are; the small scanner below only says *where* a
text stops being JSON (rule 2), which `json` cannot tell, and keeps the place of each value. An assertion
holds the two against each other on every payload.

Events are in the data form of `support.to_data`, each with its raw payload beside it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

BOM = b"\xef\xbb\xbf"
WHITE = b" \t\n\r"
DIGITS = b"0123456789"
HEX = b"0123456789abcdefABCDEF"
DEFAULT_LIMIT = 16 * 2**20
DEFAULT_DEPTH = 128


# -- errors --------------------------------------------------------------------------------------


class Fault(Exception):
    """An error of the contract: class name, offset and the whole message."""

    def __init__(self, cls: str, offset: int, text: str) -> None:
        super().__init__(text)
        self.data = {"class": cls, "offset": offset, "message": text}
        self.cls, self.offset = cls, offset


def found_at(payload: bytes, at: int) -> str:
    if at >= len(payload):
        return "the end of the payload"
    byte = payload[at]
    if byte == 0x20:
        return "a space"
    if byte == 0x27:
        return '"\'"'
    if 0x21 <= byte <= 0x7E:
        return f"'{chr(byte)}'"
    return f"byte 0x{byte:02x}"


def bad_json(offset: int, expected: str, found: str) -> Fault:
    return Fault(
        "InvalidJSONError", offset, f"invalid JSON at byte {offset}: expected {expected}, found {found}"
    )


def bad_utf8(offset: int, found: str) -> Fault:
    text = f"invalid UTF-8 at byte {offset}: expected a well-formed sequence, found {found}"
    return Fault("InvalidUTF8Error", offset, text)


def too_large(offset: int, limit: int) -> Fault:
    text = f"frame too large at byte {offset}: expected at most {limit} bytes, found one more; "
    return Fault("LimitExceededError", offset, text + "raise max_frame_bytes if such frames are expected")


def too_deep(offset: int, depth: int) -> Fault:
    text = f"nesting too deep at byte {offset}: expected at most {depth} open containers, found one more; "
    return Fault("LimitExceededError", offset, text + "raise max_depth if such frames are expected")


def truncated(offset: int, expected: str) -> Fault:
    text = f"stream truncated at byte {offset}: expected {expected}, found the end of the stream; "
    return Fault("TruncatedStreamError", offset, text + "the answer is incomplete")


# -- JSON: where a text stops being one ---------------------------------------------------------------


class Stop(Exception):
    """The first byte at which the text stops being a prefix of any JSON text."""

    def __init__(self, at: int, expected: str) -> None:
        self.at, self.expected = at, expected


class Deep(Exception):
    def __init__(self, at: int) -> None:
        self.at = at


@dataclass
class Node:
    """A JSON value with its place; `members` by name, the last of equal names."""

    source: bytes
    start: int
    end: int = 0
    members: dict[str, Node] | None = None
    items: list[Node] | None = None

    @property
    def text(self) -> str:
        return self.source[self.start : self.end].decode()

    @property
    def value(self) -> Any:
        return scrub(json.loads(self.text))

    def get(self, name: str) -> Node | None:
        return None if self.members is None else self.members.get(name)

    @property
    def string(self) -> str | None:
        return str(self.value) if self.source[self.start : self.start + 1] == b'"' else None

    @property
    def integer(self) -> int | None:
        if not re.fullmatch(r"-?[0-9]+", self.text):
            return None
        # Told from the digits, because int() refuses more than 4,300 of them.
        if len(self.text) > 20 or not -(2**63) <= int(self.text) < 2**63:
            return None
        return int(self.text)

    @property
    def number_text(self) -> str | None:
        return self.text if self.text[0] in "-0123456789" else None


def scrub(value: Any) -> Any:
    """Every lone surrogate as U+FFFD; `json` has joined the pairs already."""
    if isinstance(value, str):
        return re.sub("[\ud800-\udfff]", "\ufffd", value)
    if isinstance(value, list):
        return [scrub(item) for item in value]
    if isinstance(value, dict):
        return {scrub(key): scrub(item) for key, item in value.items()}
    return value


class Scanner:
    def __init__(self, payload: bytes, max_depth: int | None) -> None:
        self.payload, self.at, self.max_depth = payload, 0, max_depth

    def peek(self) -> bytes:
        return self.payload[self.at : self.at + 1]

    def space(self) -> None:
        while self.peek() and self.peek() in WHITE:
            self.at += 1

    def need(self, byte: bytes, expected: str) -> None:
        if self.peek() != byte:
            raise Stop(self.at, expected)
        self.at += 1

    def document(self) -> Node:
        self.space()
        node = self.one("a JSON value", 0)
        self.space()
        if self.peek():
            raise Stop(self.at, "the end of the payload")
        return node

    def one(self, expected: str, depth: int) -> Node:
        node = Node(self.payload, self.at)
        byte = self.peek()
        if byte in (b"{", b"["):
            if self.max_depth is not None and depth == self.max_depth:
                raise Deep(self.at)
            self.at += 1
            if byte == b"{":
                node.members = self.object(depth + 1)
            else:
                node.items = self.array(depth + 1)
        elif byte == b'"':
            self.string()
        elif byte in (b"t", b"f", b"n"):
            self.literal({b"t": b"true", b"f": b"false", b"n": b"null"}[byte])
        elif byte == b"-" or (byte and byte in DIGITS):
            self.number()
        else:
            raise Stop(self.at, expected)
        node.end = self.at
        return node

    def object(self, depth: int) -> dict[str, Node]:
        members: dict[str, Node] = {}
        self.space()
        if self.peek() == b"}":
            self.at += 1
            return members
        expected = "a string or '}'"
        while True:
            self.space()
            if self.peek() != b'"':
                raise Stop(self.at, expected)
            start = self.at
            self.string()
            try:
                name = json.loads(self.payload[start : self.at])
            except UnicodeDecodeError:
                name = "�"  # the payload is refused anyway
            self.space()
            self.need(b":", "':'")
            self.space()
            members[scrub(name)] = self.one("a JSON value", depth)
            self.space()
            if self.peek() == b"}":
                self.at += 1
                return members
            self.need(b",", "',' or '}'")
            expected = "a string"

    def array(self, depth: int) -> list[Node]:
        items: list[Node] = []
        self.space()
        if self.peek() == b"]":
            self.at += 1
            return items
        expected = "a JSON value or ']'"
        while True:
            self.space()
            items.append(self.one(expected, depth))
            self.space()
            if self.peek() == b"]":
                self.at += 1
                return items
            self.need(b",", "',' or ']'")
            expected = "a JSON value"

    def string(self) -> None:
        self.at += 1
        while True:
            byte = self.peek()
            if not byte:
                raise Stop(self.at, "the end of the string")
            if byte < b" ":
                raise Stop(self.at, "an escaped control character")
            self.at += 1
            if byte == b'"':
                return
            if byte == b"\\":
                if not self.peek() or self.peek() not in b'"\\/bfnrtu':
                    raise Stop(self.at, "an escape character")
                self.at += 1
                if self.payload[self.at - 1 : self.at] == b"u":
                    for _ in range(4):
                        if not self.peek() or self.peek() not in HEX:
                            raise Stop(self.at, "a hexadecimal digit")
                        self.at += 1

    def literal(self, word: bytes) -> None:
        for i in range(len(word)):
            self.need(word[i : i + 1], f"'{word.decode()}'")

    def number(self) -> None:
        if self.peek() == b"-":
            self.at += 1
        if self.peek() == b"0":
            self.at += 1
        else:
            self.digits()
        if self.peek() == b".":
            self.at += 1
            self.digits()
        if self.peek() in (b"e", b"E"):
            self.at += 1
            if self.peek() in (b"+", b"-"):
                self.at += 1
            self.digits()

    def digits(self) -> None:
        if not self.peek() or self.peek() not in DIGITS:
            raise Stop(self.at, "a digit")
        while self.peek() and self.peek() in DIGITS:
            self.at += 1


def refuse(name: str) -> Any:
    raise ValueError(name)


def accepted(payload: bytes) -> bool:
    """What the standard library says: strict UTF-8, then JSON without NaN."""
    try:
        json.loads(payload.decode("utf-8"), parse_constant=refuse, parse_int=str)
    except ValueError:
        return False
    return True


def judge(payload: bytes, places: list[int], max_depth: int | None) -> Node:
    """The payload's value, or the first fault by rule 2. `places[i]` is where byte i stands in the stream."""
    stop: tuple[int, int, Fault] | None = None
    node = None
    try:
        node = Scanner(payload, max_depth).document()
    except Stop as wrong:
        place = places[wrong.at]
        stop = (wrong.at, 1, bad_json(place, wrong.expected, found_at(payload, wrong.at)))
    except Deep as deep:
        stop = (deep.at, 1, too_deep(places[deep.at], max_depth or 0))
    faults = [stop] if stop else []
    try:
        payload.decode("utf-8")
    except UnicodeDecodeError as wrong:
        faults.append((wrong.start, 0, bad_utf8(places[wrong.start], found_at(payload, wrong.start))))
    assert accepted(payload) == (not faults) or isinstance_deep(stop), payload
    if faults:
        raise min(faults, key=lambda fault: fault[:2])[2]
    assert node is not None
    return node


def isinstance_deep(stop: tuple[int, int, Fault] | None) -> bool:
    return stop is not None and stop[2].cls == "LimitExceededError"


# -- bare JSON framing ----------------------------------------------------------------------------------


@dataclass
class Framed:
    """A delimited frame: its payload, and the offset in the stream of each byte of it and of its end."""

    payload: bytes
    places: list[int]
    event: str = "message"
    id: str = ""
    mismatch: bool = False
    sse: bool = False


def json_frames(data: bytes, start: int, limit: int, depth: int) -> Iterator[Framed]:
    """Each frame of `data[start:]` in order; a Fault where one stands."""
    at = start
    while True:
        while data[at : at + 1] and data[at : at + 1] in WHITE:
            at += 1
        if at == len(data):
            return
        if data[at : at + 1] not in (b"{", b"["):
            raise bad_json(at, "'{' or '['", found_at(data, at))
        first, stack, inside, escaped = at, b"", False, False
        mismatch = False
        while True:
            if at == len(data):
                raise truncated(len(data), "the rest of a JSON value")
            if at - first == limit:
                raise too_large(at, limit)
            byte = data[at : at + 1]
            if inside:
                if escaped:
                    escaped = False
                elif byte == b"\\":
                    escaped = True
                elif byte == b'"':
                    inside = False
            elif byte == b'"':
                inside = True
            elif byte in (b"{", b"["):
                if len(stack) == depth:
                    raise too_deep(at, depth)
                stack += byte
            elif byte in (b"}", b"]"):
                mismatch = stack[-1:] + byte not in (b"{}", b"[]")
                stack = stack[:-1]
            at += 1
            if mismatch or not stack:
                break
        yield Framed(data[first:at], list(range(first, at + 1)), mismatch=mismatch)
        if mismatch:
            return


def json_stream(
    data: bytes, limit: int = DEFAULT_LIMIT, depth: int = DEFAULT_DEPTH
) -> tuple[list[bytes], Any]:
    """What JSONStreamParser must give: the frames and the error's data, or None."""
    frames: list[bytes] = []
    try:
        for frame in json_frames(data, skip_bom(data), limit, depth):
            judge(frame.payload, frame.places, None)
            frames.append(frame.payload)
    except Fault as fault:
        return frames, fault.data
    return frames, None


def skip_bom(data: bytes) -> int:
    """Where the first value may begin; a cut BOM is a truncated stream, a wrong one a fault at 0."""
    if data[:3] == BOM:
        return 3
    if data and BOM.startswith(data):
        raise truncated(len(data), "the rest of a byte order mark")
    return 0


# -- SSE framing ------------------------------------------------------------------------------------------


@dataclass
class SSE:
    """The state of WHATWG's algorithm, and the frames so far."""

    retry: int | None = None
    last_event_id: str = ""
    #: Since the last blank line there was a line that is neither empty nor a comment.
    inside: bool = False
    #: Inside a frame the last line was not terminated, and was no `data` line.
    loose: bool = False
    #: White space before the stream's first other byte opens no frame: here that byte stands.
    first: int = 0
    id_buffer: bytes = b""
    event_buffer: bytes = b""
    #: (value, offset of its first byte, offset of its line's terminator)
    data: list[tuple[bytes, int, int]] = field(default_factory=list)

    def joined(self) -> Framed:
        payload, places = b"", []
        for i, (value, start, _end) in enumerate(self.data):
            if i:
                payload += b"\n"
                places.append(self.data[i - 1][2])
            payload += value
            places += range(start, start + len(value))
        places.append(self.data[-1][2])
        event = self.event_buffer.decode("utf-8", "replace") or "message"
        return Framed(payload, places, event, self.last_event_id, sse=True)


def sse_lines(data: bytes) -> Iterator[tuple[int, int, bool]]:
    """(start, end, terminated) of every line; CR, LF and CRLF end one."""
    at = 3 if data[:3] == BOM else 0
    for match in re.finditer(rb"[^\r\n]*(\r\n|\r|\n|\Z)", data[at:]):
        if match.group(1) or match.start() != match.end():
            yield at + match.start(), at + match.start(1), bool(match.group(1))


def sse_frames(data: bytes, limit: int, state: SSE) -> Iterator[Framed]:
    """Each frame that its blank line completed; the rest of a last frame stays in `state`."""
    for start, end, terminated in sse_lines(data):
        line = data[start:end]
        name, colon, value = line.partition(b":")
        skip = 1 if value[:1] == b" " else 0
        begin = start + len(name) + len(colon) + skip
        check_limits(start, begin, line, state, limit, terminated)
        if not line:
            if not terminated:
                continue
            state.last_event_id = state.id_buffer.decode("utf-8", "replace")
            if state.data:
                yield state.joined()
            state.data, state.event_buffer, state.inside = [], b"", False
            continue
        if line[:1] == b":":
            state.loose = state.loose or (state.inside and not terminated)
            continue
        state.inside = state.inside or end > state.first
        if name == b"data":
            state.data.append((value[skip:], begin, end))
        elif not terminated:
            state.loose = True
        elif name == b"event":
            state.event_buffer = value[skip:]
        elif name == b"id" and b"\0" not in value:
            state.id_buffer = value[skip:]
        elif name == b"retry" and re.fullmatch(rb"[0-9]+", value[skip:]):
            digits = value[skip:].lstrip(b"0") or b"0"
            state.retry = 2**64 - 1 if len(digits) > 20 else min(int(digits), 2**64 - 1)


def check_limits(start: int, begin: int, line: bytes, state: SSE, limit: int, terminated: bool) -> None:
    """Rule 3 for one line: (byte at which it is seen, tie order, offset) of each fault, the first wins."""
    seen: list[tuple[int, int, int]] = []
    if len(line) > limit:
        seen.append((start + limit, 0, start + limit))
    if line.partition(b":")[0] == b"data":
        charged = sum(len(value) for value, _, _ in state.data) + max(len(state.data) - 1, 0)
        if state.data:
            charged += 1
            if charged > limit and (b":" in line or terminated):
                seen.append((start + 4, 1, state.data[-1][2]))
        value_length = start + len(line) - begin
        if charged <= limit and charged + value_length > limit:
            place = begin + limit - charged
            seen.append((place, 1, place))
    if seen:
        raise too_large(min(seen)[2], limit)


def sse_stream(data: bytes, limit: int = DEFAULT_LIMIT) -> tuple[list[dict[str, str]], SSE, Any]:
    """What SSEParser must give: events, last_event_id and retry (in the state), the error's data or None."""
    events: list[dict[str, str]] = []
    state = SSE()
    if data in (b"\xef", b"\xef\xbb"):  # perhaps a BOM, so no line yet: nothing to count
        return events, state, None
    try:
        for frame in sse_frames(data, limit, state):
            text = frame.payload.decode("utf-8", "replace")
            events.append({"event": frame.event, "data": text, "id": frame.id})
    except Fault as fault:
        return events, state, fault.data
    return events, state, None


# -- dialects -----------------------------------------------------------------------------------------------

NOT_ENDED = {
    "clova": "a result or error event",
    "exaone": "an answering frame",
    "openai": "a finish reason, [DONE] or an error",
    "a2a": "a final status, a message or an error",
}
LAST_CHUNK = "a final status, a last chunk, a message or an error"
BLANK = "the blank line that ends an event"
REASONS = ("length", "end_token", "stop_before", "stop", "tool_calls", "content_filter", "function_call")
LAST_STATES = ("completed", "failed", "canceled", "rejected", "input-required", "auth-required")
CLOVA_NAMES = ("token", "result", "signal", "error", "message")

Event = dict[str, Any]


@dataclass
class Run:
    events: list[Event] = field(default_factory=list)
    raws: list[bytes] = field(default_factory=list)
    error: Any = None


def run(dialect: str, data: bytes, **options: Any) -> Run:
    """What the dialect's StreamParser must give for the whole stream, feed and close together."""
    return Dialect(dialect, data, **options).run()


class Dialect:
    def __init__(
        self,
        dialect: str,
        data: bytes,
        *,
        max_frame_bytes: int = DEFAULT_LIMIT,
        max_depth: int = DEFAULT_DEPTH,
        errors: str = "strict",
        end: str = "state",
    ) -> None:
        self.dialect, self.data = dialect, data
        self.limit, self.depth, self.report, self.end = max_frame_bytes, max_depth, errors == "report", end
        self.out = Run()
        self.ended = False
        self.last_state: str | None = None

    def run(self) -> Run:
        try:
            self.stream()
        except Fault as fault:
            self.out.error = fault.data
        return self.out

    def stream(self) -> None:
        data = self.data
        if data and len(data) < 3 and BOM.startswith(data):
            raise truncated(len(data), "the rest of a byte order mark")
        start = 3 if data[:3] == BOM else 0
        first = start
        while data[first : first + 1] and data[first : first + 1] in WHITE:
            first += 1
        if first == len(data):
            raise self.not_ended()
        byte = data[first : first + 1]
        if byte == b"{":
            for frame in json_frames(data, first, self.limit, self.depth):
                self.frame(frame, None, fatal=frame.mismatch)
        elif self.dialect == "exaone" and byte != b":" and not (byte.isascii() and byte.isalpha()):
            raise bad_json(first, "'{', ':' or an ASCII letter", found_at(data, first))
        else:
            state = SSE(first=first)
            for frame in sse_frames(data, self.limit, state):
                self.frame(frame, self.depth)
            self.last_frame(state)
        if not (self.ended or self.last_state in LAST_STATES):
            raise self.not_ended()

    def not_ended(self) -> Fault:
        last_chunk = self.end == "last_chunk"
        return truncated(len(self.data), LAST_CHUNK if last_chunk else NOT_ENDED[self.dialect])

    def last_frame(self, state: SSE) -> None:
        """Rule 5: a last frame without its blank line."""
        if not state.inside:
            return
        if state.data and not state.loose:
            state.last_event_id = state.id_buffer.decode("utf-8", "replace")
            frame = state.joined()
            whole = frame.payload == b"[DONE]"
            if not whole:
                try:
                    whole = judge(frame.payload, frame.places, self.depth).members is not None
                except Fault:
                    whole = False
            if whole:
                self.frame(frame, self.depth)
                return
        raise truncated(len(self.data), BLANK)

    def frame(self, frame: Framed, depth: int | None, fatal: bool = False) -> None:
        try:
            event = self.event(frame, depth)
        except Fault as fault:
            if not self.report or fatal or fault.cls == "LimitExceededError":
                raise
            raw = frame.payload.decode("latin-1")
            event = {"kind": "Malformed", "raw": raw, "error": fault.data}
        if event is not None:
            self.out.events.append(event)
            self.out.raws.append(frame.payload)

    def event(self, frame: Framed, depth: int | None) -> Event | None:
        name, payload = frame.event, frame.payload
        if frame.sse and payload == b"[DONE]":
            if self.dialect == "a2a":
                return None
            if self.dialect == "openai":
                self.ended = True
                return {"kind": "Done"}
            return self.unknown(frame)
        if self.dialect == "clova" and name not in CLOVA_NAMES:
            try:
                payload.decode("utf-8")
            except UnicodeDecodeError as wrong:
                raise bad_utf8(frame.places[wrong.start], found_at(payload, wrong.start)) from None
            return self.unknown(frame)
        node = judge(payload, frame.places, depth)
        event = None
        if node.members is not None:
            event = getattr(self, self.dialect)(node, frame)
        return event or self.unknown(frame)

    def unknown(self, frame: Framed) -> Event:
        text = frame.payload.decode()
        if self.dialect == "clova":
            return {"kind": "Unknown", "event": frame.event, "data": text, "id": frame.id}
        return {"kind": "Unknown", "data": text}

    # CLOVA

    def clova(self, node: Node, frame: Framed) -> Event | None:
        message, status = obj(node, "message"), obj(node, "status")
        if frame.event == "token":
            return clova_token(node, message, frame.id) if message else None
        if frame.event == "result":
            return self.clova_result(node, message, frame.id) if message else None
        if frame.event == "signal":
            data = text_or_none(node, "data")
            return None if data is None else {"kind": "Signal", "data": data, "id": frame.id}
        if frame.event == "error":
            return self.clova_error(status or obj(node, "error") or node, frame.id)
        if message:
            reason = text_or_none(node, "finishReason") or text_or_none(node, "stopReason")
            if reason or obj(node, "usage"):
                return self.clova_result(node, message, frame.id)
            return clova_token(node, message, frame.id)
        if status:
            code, result = code_text(status, "code"), obj(node, "result")
            inner = obj(result, "message") if result else None
            if result and inner and (code is None or code.startswith("2")):
                return self.clova_result(result, inner, frame.id)
            if code is not None and code.startswith("2"):
                return None
            return self.clova_error(status, frame.id)
        if text_or_none(node, "data") == "[DONE]":
            return {"kind": "Signal", "data": "[DONE]", "id": frame.id}
        return None

    def clova_result(self, node: Node, message: Node, id: str) -> Event:
        self.ended = True
        filters = node.get("aiFilter")
        names = ("group_name", "groupName"), ("name", "name"), ("score", "score"), ("result", "result")
        return {
            "kind": "Result",
            "content": content(message, "content"),
            "thinking_content": content(message, "thinkingContent"),
            "role": text_or_none(message, "role"),
            "tool_calls": tool_calls(message.get("toolCalls"), partial=True),
            "finish_reason": reason_of(node, "finishReason", "stopReason"),
            "input_length": int_or_none(node, "inputLength"),
            "output_length": int_or_none(node, "outputLength"),
            "created": int_or_none(node, "created"),
            "seed": int_or_none(node, "seed"),
            "usage": clova_usage(obj(node, "usage")),
            "ai_filter": [
                {name: code_text(item, key) for name, key in names}
                for item in ((filters.items or []) if filters else [])
                if item.members is not None
            ],
            "id": id,
        }

    def clova_error(self, node: Node, id: str) -> Event:
        self.ended = True
        code = code_text(node, "code")
        if code is None:
            code = code_text(node, "errorCode")
        return {"kind": "Error", "code": code, "message": text_or_none(node, "message") or "", "id": id}

    # EXAONE

    def exaone(self, node: Node, frame: Framed) -> Event | None:
        code = int_or_none(node, "result_code")
        if code is None:
            return None
        description = text_or_none(node, "description")
        if code != 200:
            self.ended = True
            return {"kind": "Error", "code": code, "message": description or ""}
        data = obj(node, "data")

        def string(name: str) -> str:
            return (text_or_none(data, name) if data else None) or ""

        references = data.get("references") if data else None
        state = string("progress_state")
        self.ended = self.ended or state == "answering"
        return {
            "kind": "Answer",
            "text": string("answer"),
            "query": string("query"),
            "intent": string("intent"),
            "references": [item.value for item in (references.items or []) if item.members != {}]
            if references
            else [],
            "progress_state": state,
            "result_code": code,
            "description": description,
        }

    # OpenAI-compatible

    def openai(self, node: Node, frame: Framed, inner: bool = False) -> Event | None:
        error, custom = node.get("error"), obj(node, "custom_status")
        if error and (error.members or error.string):
            return self.openai_error(error, custom)
        if text_or_none(node, "object") == "error":
            return self.openai_error(node, custom)
        choices = node.get("choices")
        if choices and choices.items is not None:
            for item in choices.items:
                if obj(item, "error"):
                    return self.openai_error(item.members["error"], custom)  # type: ignore[index]
            return self.chunk(
                node, [choice(item, i) for i, item in enumerate(choices.items) if item.members is not None]
            )
        flat = text_or_none(node, "error_message")
        if flat is not None:
            self.ended = True
            return {
                "kind": "Error",
                "code": int_or_str(node, "error_code"),
                "message": flat,
                "type": text_or_none(node, "error_type"),
                "param": None,
            }
        status = obj(node, "status")
        if status and not inner:
            code, result = code_text(status, "code"), obj(node, "result")
            if code is not None and code.startswith("2"):
                if result:
                    return self.openai(result, frame, inner=True)
            elif code is not None:
                self.ended = True
                message = text_or_none(status, "message") or ""
                code_value = int_or_str(status, "code")
                return {"kind": "Error", "code": code_value, "message": message, "type": None, "param": None}
        if obj(node, "usage") or (text_or_none(node, "object") or "").startswith("chat.completion"):
            return self.chunk(node, [])
        return None

    def openai_error(self, error: Node, custom: Node | None) -> Event:
        self.ended = True
        text = error.string
        code = None if text is not None else int_or_str(error, "code")
        message = text if text is not None else text_or_none(error, "message")
        if custom:
            code = int_or_str(custom, "Code") if code is None else code
            message = text_or_none(custom, "Description") if message is None else message
        is_object = error.members is not None
        return {
            "kind": "Error",
            "code": code,
            "message": message or "",
            "type": text_or_none(error, "type") if is_object else None,
            "param": text_or_none(error, "param") if is_object else None,
        }

    def chunk(self, node: Node, choices: list[Event]) -> Event:
        first: Event = next((one for one in choices if one["index"] == 0), {})
        self.ended = self.ended or any(one["finish_reason"] for one in choices)
        usage = obj(node, "usage")
        return {
            "kind": "Chunk",
            "text": first.get("text", ""),
            "thinking": first.get("thinking", ""),
            "role": first.get("role"),
            "tool_calls": first.get("tool_calls", []),
            "finish_reason": first.get("finish_reason"),
            "id": text_or_none(node, "id"),
            "model": text_or_none(node, "model"),
            "created": int_or_none(node, "created"),
            "usage": openai_usage(usage),
            "choices": choices,
        }

    # A2A

    def a2a(self, node: Node, frame: Framed) -> Event | None:
        error = node.get("error")
        if error and (error.members is not None or error.string is not None):
            return self.a2a_error(error)
        result = node.get("result")
        if result and result.members is not None:
            return self.a2a_result(result)
        if result is None and node.get("jsonrpc") is None:
            return self.a2a_member(node)
        return None

    def a2a_error(self, error: Node) -> Event:
        self.ended = True
        data = error.get("data")
        message = error.string if error.string is not None else text_or_none(error, "message")
        if message is None and data and data.members is not None:
            message = text_or_none(data, "detail")
        return {
            "kind": "Error",
            "code": int_or_str(error, "code") if error.members is not None else None,
            "message": message or "",
            "data": data.value if data else None,
        }

    def a2a_result(self, result: Node) -> Event | None:
        kinds = {
            "task": self.task,
            "message": self.message,
            "status-update": self.status_update,
            "artifact-update": self.artifact_update,
        }
        kind = text_or_none(result, "kind")
        if kind in kinds:
            return kinds[str(kind)](result, None)
        member = self.a2a_member(result)
        if member:
            return member
        if obj(result, "artifact"):
            return self.artifact_update(result, None)
        if obj(result, "status"):
            if result.get("taskId"):
                return self.status_update(result, None)
            if result.get("id"):
                return self.task(result, None)
        parts = result.get("parts")
        if parts and parts.items is not None:
            return self.message(result, None)
        return None

    def a2a_member(self, node: Node) -> Event | None:
        for name, make in (
            ("task", self.task),
            ("message", self.message),
            ("statusUpdate", self.status_update),
            ("artifactUpdate", self.artifact_update),
        ):
            inner = obj(node, name)
            if inner:
                return make(inner, obj(node, "metadata"))
        return None

    def task(self, node: Node, metadata: Node | None) -> Event:
        status = obj(node, "status")
        self.last_state = fold(text_or_none(status, "state") if status else None)
        artifacts = objects(node.get("artifacts"))
        return {
            "kind": "Task",
            "id": text_or_none(node, "id"),
            "context_id": text_or_none(node, "contextId"),
            "state": self.last_state,
            "content": "".join(parts_text(item.get("parts")) for item in artifacts),
            "artifacts": [item.value for item in artifacts],
            "history": [item.value for item in objects(node.get("history"))],
            "metadata": metadata_of(node, metadata),
        }

    def message(self, node: Node, metadata: Node | None) -> Event:
        self.ended = True
        role = text_or_none(node, "role")
        return {
            "kind": "Message",
            "text": parts_text(node.get("parts")),
            "role": None if role is None else fold(role),
            "message_id": text_or_none(node, "messageId"),
            "task_id": text_or_none(node, "taskId"),
            "context_id": text_or_none(node, "contextId"),
            "parts": [item.value for item in objects(node.get("parts"))],
            "metadata": metadata_of(node, metadata),
        }

    def status_update(self, node: Node, metadata: Node | None) -> Event:
        status = obj(node, "status")
        self.last_state = fold(text_or_none(status, "state") if status else None)
        message = obj(status, "message") if status else None
        final = flag(node, "final")
        self.ended = self.ended or final
        return {
            "kind": "StatusUpdate",
            "task_id": text_or_none(node, "taskId"),
            "context_id": text_or_none(node, "contextId"),
            "state": self.last_state,
            "message": parts_text(message.get("parts")) if message else None,
            "final": final,
            "metadata": metadata_of(node, metadata),
        }

    def artifact_update(self, node: Node, metadata: Node | None) -> Event:
        artifact = obj(node, "artifact")
        last = flag(node, "lastChunk")
        self.ended = self.ended or (last and self.end == "last_chunk")
        parts = artifact.get("parts") if artifact else None
        own = obj(node, "metadata") or (obj(artifact, "metadata") if artifact else None)
        return {
            "kind": "ArtifactUpdate",
            "text": parts_text(parts),
            "task_id": text_or_none(node, "taskId"),
            "context_id": text_or_none(node, "contextId"),
            "artifact_id": text_or_none(artifact, "artifactId") if artifact else None,
            "name": text_or_none(artifact, "name") if artifact else None,
            "parts": [item.value for item in objects(parts)],
            "append": flag(node, "append"),
            "last_chunk": last,
            "metadata": own.value if own else metadata.value if metadata else None,
        }


# Field rules


def obj(node: Node | None, name: str) -> Node | None:
    inner = node.get(name) if node else None
    return inner if inner is not None and inner.members is not None else None


def objects(node: Node | None) -> list[Node]:
    return [item for item in (node.items or []) if item.members is not None] if node else []


def text_or_none(node: Node | None, name: str) -> str | None:
    inner = node.get(name) if node else None
    return inner.string if inner is not None else None


def int_or_none(node: Node, name: str) -> int | None:
    inner = node.get(name)
    return inner.integer if inner is not None else None


def int_or_str(node: Node, name: str) -> int | str | None:
    number = int_or_none(node, name)
    return text_or_none(node, name) if number is None else number


def code_text(node: Node, name: str) -> str | None:
    """A string, or a number as its JSON text."""
    inner = node.get(name)
    if inner is None:
        return None
    return inner.string if inner.string is not None else inner.number_text


def flag(node: Node, name: str) -> bool:
    inner = node.get(name)
    return inner is not None and inner.text == "true"


def content(node: Node, name: str) -> str:
    inner = node.get(name)
    if inner is None:
        return ""
    return parts_text(inner) if inner.items is not None else inner.string or ""


def parts_text(node: Node | None) -> str:
    return "".join(text_or_none(item, "text") or "" for item in objects(node))


def reason_of(node: Node, *names: str) -> str | None:
    reason = next((text for name in names if (text := text_or_none(node, name)) is not None), None)
    if not reason:
        return None
    folded = "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in reason)
    return folded if folded in REASONS else reason


def fold(text: str | None) -> str:
    folded = "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in text or "")
    return folded.removeprefix("task_state_").removeprefix("role_").replace("_", "-")


def metadata_of(node: Node, sibling: Node | None) -> Any:
    own = obj(node, "metadata") or sibling
    return own.value if own else None


def clova_token(node: Node, message: Node, id: str) -> Event:
    return {
        "kind": "Token",
        "text": content(message, "content"),
        "thinking": content(message, "thinkingContent"),
        "role": text_or_none(message, "role"),
        "tool_calls": tool_calls(message.get("toolCalls"), partial=True),
        "finish_reason": reason_of(node, "finishReason", "stopReason"),
        "index": int_or_none(node, "index"),
        "input_length": int_or_none(node, "inputLength"),
        "output_length": int_or_none(node, "outputLength"),
        "created": int_or_none(node, "created"),
        "seed": int_or_none(node, "seed"),
        "usage": clova_usage(obj(node, "usage")),
        "id": id,
    }


def tool_calls(node: Node | None, partial: bool) -> list[Event]:
    calls = []
    for item in objects(node):
        function = obj(item, "function")
        arguments = function.get("arguments") if function else None
        text = None
        if arguments is not None and arguments.text != "null":
            text = arguments.string if arguments.string is not None else arguments.text
        calls.append(
            {
                "index": int_or_none(item, "index"),
                "id": text_or_none(item, "id"),
                "type": text_or_none(item, "type"),
                "name": text_or_none(function, "name"),
                "partial_json": text_or_none(function, "partialJson") if partial else None,
                "arguments": text,
            }
        )
    return calls


def clova_usage(node: Node | None) -> Event | None:
    if node is None:
        return None
    details = obj(node, "completionTokensDetails")
    return {
        "prompt_tokens": int_or_none(node, "promptTokens"),
        "completion_tokens": int_or_none(node, "completionTokens"),
        "total_tokens": int_or_none(node, "totalTokens"),
        "thinking_tokens": int_or_none(details, "thinkingTokens") if details else None,
    }


def openai_usage(node: Node | None) -> Event | None:
    if node is None:
        return None
    details = obj(node, "completion_tokens_details")
    thinking = None
    if details:
        thinking = int_or_none(details, "reasoning_tokens")
        if thinking is None:
            thinking = int_or_none(details, "thinking_tokens")
    return {
        "prompt_tokens": int_or_none(node, "prompt_tokens"),
        "completion_tokens": int_or_none(node, "completion_tokens"),
        "total_tokens": int_or_none(node, "total_tokens"),
        "thinking_tokens": thinking,
    }


def choice(node: Node, position: int) -> Event:
    delta = obj(node, "delta") or obj(node, "message")
    index = int_or_none(node, "index")
    names = ("reasoning_content", "reasoning", "thinking", "thinking_content")
    thinking = next(
        (text for place in (delta, node) if place for name in names if (text := text_or_none(place, name))),
        "",
    )
    if not thinking and delta:
        thinking = parts_text(delta.get("reasoning_details"))
    reason = reason_of(node, "finish_reason")
    return {
        "index": position if index is None else index,
        "text": content(delta, "content") if delta else "",
        "thinking": thinking,
        "role": text_or_none(delta, "role"),
        "tool_calls": tool_calls(delta.get("tool_calls"), partial=False) if delta else [],
        "finish_reason": None if reason == "null" else reason,
    }
