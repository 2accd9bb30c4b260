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
from collections.abc import Iterable, Iterator, Sequence
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
    def scalar(self) -> str:
        """The text of a string; of a number or boolean its own JSON text; else nothing."""
        if self.string is not None:
            return self.string
        return "" if self.text[0] in "{[n" else self.text

    @property
    def integer(self) -> int | None:
        if not re.fullmatch(r"-?[0-9]+", self.text):
            return None
        # Counted from the digits, because int() refuses more than 4,300 of them.
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


def validate(payload: bytes, places: list[int], max_depth: int | None) -> Node:
    """The payload's value, or the first fault by rule 2. `places[i]` is the offset of byte i in the stream."""
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
    """Each frame of `data[start:]` in order; a `Fault` in place of a bad one."""
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
            validate(frame.payload, frame.places, None)
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
    #: White space before the stream's first other byte opens no frame: here is the position of that byte.
    first: int = 0
    #: A line other than a comment or data had other bytes than white space.
    came: bool = False
    last_line: bytes = b""
    last_is_cut: bool = False
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


def sse_frames(data: bytes, limit: int, state: SSE, outside: int | None = None) -> Iterator[Framed]:
    """Each frame that its blank line completed; the rest of a last frame stays in `state`.

    `outside`, for dialects: the depth within which a line, or the value of a field `error`, is a frame by itself.
    """
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
        state.last_line, state.last_is_cut = line, not terminated
        if line[:1] == b":":
            state.loose = state.loose or (state.inside and not terminated)
            continue
        if outside is not None:
            alone = outside_frame(line, name, value[skip:], start, begin, state, outside)
            if alone:
                yield alone
                continue
        if name != b"data" and line.strip(WHITE):
            state.came = True
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


def outside_frame(
    line: bytes, name: bytes, value: bytes, start: int, begin: int, state: SSE, depth: int
) -> Framed | None:
    """The frame that a line is by itself: an object without a field name, or under the name `error`."""
    if line[:1] == b"{":
        payload, first, event = line, start, "message"
    elif line[:6] == b"error:" and value[:1] == b"{":
        payload, first, event = value, begin, "error"
    else:
        return None
    places = list(range(first, first + len(payload) + 1))
    try:
        validate(payload, places, depth)
    except Fault:
        return None
    return Framed(payload, places, event, state.last_event_id, sse=True)


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
SERVICES = {"clova": "CLOVA", "exaone": "EXAONE", "openai": "OpenAI-compatible", "a2a": "A2A"}
FOLLOWED = 128
SNAPSHOT = ("text", "thinking", "refusal", "tool_calls")
BLANKS = b" \t\n"

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
        thinking_tags: Sequence[str] | None = None,
        thinking_first: bool = False,
    ) -> None:
        self.dialect, self.data = dialect, data
        self.limit, self.depth, self.report, self.end = max_frame_bytes, max_depth, errors == "report", end
        self.tags, self.thinking_first = thinking_tags, thinking_first
        self.out = Run()
        self.ended = False
        self.last_state: str | None = None
        #: An event that is neither Unknown nor Malformed.
        self.known = False
        #: Something other than a BOM, white space, comments and empty payloads.
        self.came = False
        #: The end of the stream is inside a frame, as UnrecognizedStreamError has it.
        self.inside = False
        #: Where the last lines are no frame: they end in nothing.
        self.hanging = False
        self.choices: dict[int, Followed] = {}
        self.too_many_choices = False

    def run(self) -> Run:
        try:
            self.stream()
            self.flush()
            self.close()
        except Fault as fault:
            self.flush()
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
            return
        byte = data[first : first + 1]
        if byte == b"{":
            self.came = True
            for frame in json_frames(data, first, self.limit, self.depth):
                self.frame(frame, None, fatal=frame.mismatch)
        elif self.dialect == "exaone" and byte != b":" and not (byte.isascii() and byte.isalpha()):
            look = {b"\x1f": "gzip data", b"(": "zstd data", b"<": "HTML or XML"}.get(byte)
            found = found_at(data, first) + (f"; the stream looks like {look}" if look else "")
            raise bad_json(first, "'{', ':' or an ASCII letter", found)
        else:
            state = SSE(first=first)
            for frame in sse_frames(data, self.limit, state, outside=self.depth):
                self.frame(frame, self.depth)
            self.last_frame(state)
            self.came = self.came or state.came

    def close(self) -> None:
        """What the end of the stream means: no stream at all, a cut frame, a cut stream, or nothing."""
        if self.came and not self.known and not self.inside:
            raise unrecognized(self.data, self.dialect)
        if self.hanging:
            raise truncated(len(self.data), BLANK)
        if not (self.ended or self.last_state in LAST_STATES or self.every_choice_finished()):
            last_chunk = self.end == "last_chunk"
            raise truncated(len(self.data), LAST_CHUNK if last_chunk else NOT_ENDED[self.dialect])

    def every_choice_finished(self) -> bool:
        followed = self.choices.values()
        return bool(followed) and not self.too_many_choices and all(one.finished for one in followed)

    def last_frame(self, state: SSE) -> None:
        """Rule 5: a last frame without its blank line."""
        line = state.last_line
        self.inside = bool(state.data) or (
            state.last_is_cut
            and any(line.startswith(field) or field.startswith(line) for field in FIELD_STARTS)
        )
        if not state.inside:
            return
        self.hanging = True
        if state.data and not state.loose:
            state.last_event_id = state.id_buffer.decode("utf-8", "replace")
            frame = state.joined()
            whole = frame.payload.strip(BLANKS) in (b"", b"[DONE]")
            if not whole:
                try:
                    whole = validate(frame.payload, frame.places, self.depth).members is not None
                except Fault:
                    whole = False
            if whole:
                self.hanging = False
                self.frame(frame, self.depth)

    def frame(self, frame: Framed, depth: int | None, fatal: bool = False) -> None:
        if frame.sse and not frame.payload.strip(BLANKS):
            return
        self.came = True
        try:
            event = self.event(frame, depth)
        except Fault as fault:
            if not self.report or fatal or fault.cls == "LimitExceededError":
                raise
            raw = frame.payload.decode("latin-1")
            event = {"kind": "Malformed", "raw": raw, "error": fault.data}
        if event is None:
            return
        if event["kind"] in ("Done", "Error"):
            self.flush()
        self.known = self.known or event["kind"] not in ("Unknown", "Malformed")
        self.out.events.append(event)
        self.out.raws.append(frame.payload)

    def event(self, frame: Framed, depth: int | None) -> Event | None:
        name, payload = frame.event, frame.payload
        if frame.sse and payload.strip(BLANKS) == b"[DONE]":
            if self.dialect == "a2a":
                return None
            if self.dialect == "openai":
                self.ended = True
                return {"kind": "Done"}
            return self.unknown(frame)
        if self.dialect == "clova" and name not in CLOVA_NAMES:
            return self.unknown(frame, readable(frame))
        try:
            node = validate(payload, frame.places, depth)
        except Fault as fault:
            if self.dialect == "openai" and name == "error" and fault.cls == "InvalidJSONError":
                return self.openai_error_event(None, readable(frame), None, None)
            raise
        event = None
        if node.members is not None:
            event = getattr(self, self.dialect)(node, frame)
        elif self.dialect == "openai" and name == "error" and node.string is not None:
            event = self.openai_error_event(None, node.string, None, None)
        return event or self.unknown(frame)

    def unknown(self, frame: Framed, text: str | None = None) -> Event:
        text = frame.payload.decode() if text is None else text
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
        error = obj(node, "error")
        return self.clova_error(error, frame.id) if error else None

    def clova_result(self, node: Node, message: Node, id: str) -> Event:
        self.ended = True
        filters = node.get("aiFilter")
        names = ("group_name", "groupName"), ("name", "name"), ("score", "score"), ("result", "result")
        return {
            "kind": "Result",
            "content": content(message, "content"),
            "thinking_content": text_or_none(message, "thinkingContent") or "",
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
        error = node.get("error")
        if error and (error.members or error.string):
            return self.openai_error(error, node)
        if frame.event == "error" and not inner:
            return self.flat_error(node)
        if text_or_none(node, "object") == "error":
            return self.openai_error(node, node)
        choices = node.get("choices")
        shown = objects(choices)
        for item in shown:
            if obj(item, "error"):
                return self.openai_error(item.members["error"], node)  # type: ignore[index]
        code = int_or_none(node, "error_code")
        if code:
            message = first_text(node, "error_message", "message", "text")
            return self.openai_error_event(code, message, text_or_none(node, "error_type"), None)
        if choices and choices.items is not None:
            return self.chunk(
                node,
                [self.choice(item, i) for i, item in enumerate(choices.items) if item.members is not None],
                shown,
            )
        flat = text_or_none(node, "error_message")
        if flat is not None:
            code_value = int_or_str(node, "error_code")
            return self.openai_error_event(code_value, flat, text_or_none(node, "error_type"), None)
        for level in (node, obj(node, "data")):
            text = text_or_none(level, "message")
            code = int_or_none(level, "code") if level else None
            if code is not None and code >= 400 and text is not None:
                return self.openai_error_event(
                    code, text, text_or_none(level, "type"), text_or_none(level, "param")
                )
        status = obj(node, "status")
        if status and not inner:
            status_code, result = code_text(status, "code"), obj(node, "result")
            if status_code is not None and status_code.startswith("2"):
                if result:
                    return self.openai(result, frame, inner=True)
            elif status_code is not None:
                message = text_or_none(status, "message") or ""
                return self.openai_error_event(int_or_str(status, "code"), message, None, None)
        usage = obj(node, "usage") or obj(obj(node, "x_groq"), "usage")
        if usage or (text_or_none(node, "object") or "").startswith("chat.completion"):
            return self.chunk(node, [], [])
        return None

    def openai_error_event(
        self, code: int | str | None, message: str | None, type: str | None, param: str | None
    ) -> Event:
        self.ended = True
        return {"kind": "Error", "code": code, "message": message or "", "type": type, "param": param}

    def openai_error(self, error: Node, node: Node) -> Event:
        """The error in a member of its own; `custom_status` and `error_type` beside it fill what is missing."""
        custom = obj(node, "custom_status")
        text, is_object = error.string, error.members is not None
        code = None if text is not None else int_or_str(error, "code")
        message = text if text is not None else text_or_none(error, "message")
        if custom:
            code = int_or_str(custom, "Code") if code is None else code
            message = text_or_none(custom, "Description") if message is None else message
        type = text_or_none(error, "type") if is_object else None
        type = text_or_none(node, "error_type") if type is None else type
        return self.openai_error_event(
            code, message, type, text_or_none(error, "param") if is_object else None
        )

    def flat_error(self, node: Node) -> Event:
        """Under the name `error`: any object is one."""
        custom = obj(node, "custom_status")
        message = first_text(node, "message", "error_message", "text", "detail")
        code = int_or_str(node, "code")
        code = int_or_str(node, "error_code") if code is None else code
        if custom:
            code = int_or_str(custom, "Code") if code is None else code
            message = text_or_none(custom, "Description") if message is None else message
        type = text_or_none(node, "type")
        type = text_or_none(node, "error_type") if type is None else type
        return self.openai_error_event(code, message, type, text_or_none(node, "param"))

    def chunk(self, node: Node, choices: list[Event], items: list[Node]) -> Event:
        first: Event = next((one for one in choices if one["index"] == 0), {})
        usage = obj(node, "usage")
        for item in items:
            usage = usage or obj(item, "usage")
        usage = usage or obj(obj(node, "x_groq"), "usage")
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
            "refusal": first.get("refusal", ""),
        }

    def choice(self, item: Node, position: int) -> Event:
        number = int_or_none(item, "index")
        index = position if number is None else number
        if index not in self.choices and len(self.choices) == FOLLOWED:
            self.too_many_choices = True
            followed = None
        else:
            followed = self.choices.setdefault(index, Followed(self.thinking_first))
        delta, message = obj(item, "delta"), obj(item, "message")
        fields = answer_fields(delta, None if message and not delta else item)
        whole = answer_fields(message, None if delta else item) if message else {}
        for name in SNAPSHOT:
            if fields[name] and followed:
                followed.by_delta.add(name)
            if not fields[name] and whole and followed and name not in followed.by_delta:
                fields[name] = whole[name]
        role = text_or_none(delta, "role")
        reason = reason_of(item, "finish_reason")
        reason = None if reason == "null" else reason
        if followed and self.tags:
            text, thinking = followed.tagged(fields["text"], self.tags)
            fields["text"], fields["thinking"] = text, fields["thinking"] + thinking
            if reason:
                text, thinking = followed.held(self.tags)
                fields["text"], fields["thinking"] = fields["text"] + text, fields["thinking"] + thinking
        if followed and reason:
            followed.finished = True
        return {
            "index": index,
            "text": fields["text"],
            "thinking": fields["thinking"],
            "role": text_or_none(message, "role") if role is None else role,
            "tool_calls": fields["tool_calls"],
            "finish_reason": reason,
            "refusal": fields["refusal"],
        }

    def flush(self) -> None:
        """What `thinking_tags` holds back, in a chunk of its own."""
        if not self.tags:
            return
        choices = []
        for index, followed in self.choices.items():
            text, thinking = followed.held(self.tags)
            if text or thinking:
                choices.append(
                    {
                        "index": index,
                        "text": text,
                        "thinking": thinking,
                        "role": None,
                        "tool_calls": [],
                        "finish_reason": None,
                        "refusal": "",
                    }
                )
        if choices:
            self.out.events.append(self.chunk(Node(b"null", 0, 4), choices, []))
            self.out.raws.append(b"")

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
        message = obj(status, "message")
        self.last_state = fold_state(text_or_none(status, "state"))
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
            "message": parts_text(message_parts(message)) if message else None,
        }

    def message(self, node: Node, metadata: Node | None) -> Event:
        self.ended = True
        role = text_or_none(node, "role")
        return {
            "kind": "Message",
            "text": parts_text(message_parts(node)),
            "role": None if role is None else fold(role),
            "message_id": text_or_none(node, "messageId"),
            "task_id": text_or_none(node, "taskId"),
            "context_id": text_or_none(node, "contextId"),
            "parts": [item.value for item in objects(message_parts(node))],
            "metadata": metadata_of(node, metadata),
        }

    def status_update(self, node: Node, metadata: Node | None) -> Event:
        status = obj(node, "status")
        self.last_state = fold_state(text_or_none(status, "state"))
        message = obj(status, "message")
        final = flag(node, "final")
        self.ended = self.ended or final
        return {
            "kind": "StatusUpdate",
            "task_id": text_or_none(node, "taskId"),
            "context_id": text_or_none(node, "contextId"),
            "state": self.last_state,
            "message": parts_text(message_parts(message)) if message else None,
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


def fold_state(text: str | None) -> str:
    folded = fold(text)
    return "canceled" if folded == "cancelled" else folded


def message_parts(message: Node) -> Node | None:
    """A list `parts`, else a list `content`."""
    for name in ("parts", "content"):
        node = message.get(name)
        if node is not None and node.items is not None:
            return node
    return None


def metadata_of(node: Node, sibling: Node | None) -> Any:
    own = obj(node, "metadata") or sibling
    return own.value if own else None


def clova_token(node: Node, message: Node, id: str) -> Event:
    return {
        "kind": "Token",
        "text": content(message, "content"),
        "thinking": text_or_none(message, "thinkingContent") or "",
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
        calls.append(
            {
                "index": int_or_none(item, "index"),
                "id": text_or_none(item, "id"),
                "type": text_or_none(item, "type"),
                "name": text_or_none(function, "name"),
                "partial_json": text_or_none(function, "partialJson") if partial else None,
                "arguments": arguments_text(function),
            }
        )
    return calls


def arguments_text(function: Node | None) -> str | None:
    node = function.get("arguments") if function else None
    if node is None or node.text == "null":
        return None
    return node.string if node.string is not None else node.text


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
    places = ((details, "reasoning_tokens"), (details, "thinking_tokens"), (node, "reasoning_tokens"))
    counts = [int_or_none(place, name) for place, name in places if place]
    return {
        "prompt_tokens": int_or_none(node, "prompt_tokens"),
        "completion_tokens": int_or_none(node, "completion_tokens"),
        "total_tokens": int_or_none(node, "total_tokens"),
        "thinking_tokens": next((count for count in counts if count is not None), None),
    }


def first_text(node: Node, *names: str) -> str | None:
    """The first string that is not empty."""
    return next((text for name in names if (text := text_or_none(node, name))), None)


def scalar(node: Node | None, name: str) -> str:
    inner = node.get(name) if node else None
    return inner.scalar if inner is not None else ""


def scalar_parts(node: Node | None) -> str:
    return "".join(scalar(item, "text") for item in objects(node))


def answer_fields(place: Node | None, item: Node | None) -> Event:
    """The fields of a delta or a message; `item`, its choice, may have the reasoning too."""
    text = thought = ""
    node = place.get("content") if place else None
    if node is not None and node.items is not None:
        for part in objects(node):
            kind = text_or_none(part, "type")
            if kind in ("thinking", "reasoning"):
                value = part.get(str(kind))
                if value is None or value.members is not None or value.text == "null":
                    value = part.get("text")
                if value is not None:
                    thought += scalar_parts(value) if value.items is not None else value.scalar
            else:
                text += scalar(part, "text")
    elif node is not None:
        text = node.scalar
    names = ("reasoning_content", "reasoning", "thinking", "thinking_content")
    fields = [scalar(one, name) for one in (place, item) for name in names]
    thinking = next((field for field in fields if field), "")
    if not thinking and place:
        thinking = scalar_parts(place.get("reasoning_details"))
    calls = tool_calls(place.get("tool_calls"), partial=False) if place else []
    legacy = obj(place, "function_call")
    if legacy and not calls:
        calls = [
            {
                "index": 0,
                "id": None,
                "type": "function",
                "name": text_or_none(legacy, "name"),
                "partial_json": None,
                "arguments": arguments_text(legacy),
            }
        ]
    return {
        "text": text,
        "thinking": thinking + thought,
        "refusal": scalar(place, "refusal"),
        "tool_calls": calls,
    }


# Thinking tags: the content so far is cut anew for each piece


class Followed:
    """A choice of the stream: which of its fields came as deltas, its finish reason, and its content."""

    def __init__(self, thinking_first: bool) -> None:
        self.by_delta: set[str] = set()
        self.finished = False
        #: "start" (perhaps an opening tag, inside), "inside" or "outside", where `content` begins.
        self.state = "start" if thinking_first else "outside"
        self.content = ""
        self.given = ("", "")

    def tagged(self, piece: str, tags: Sequence[str]) -> tuple[str, str]:
        """(text, thinking) that this piece of the content completes."""
        self.content += piece
        text, thinking, _, _ = cut_at_tags(self.content, self.state, *tags)
        before = self.given
        assert text.startswith(before[0])
        assert thinking.startswith(before[1])
        self.given = (text, thinking)
        return text[len(before[0]) :], thinking[len(before[1]) :]

    def held(self, tags: Sequence[str]) -> tuple[str, str]:
        """(text, thinking) that is still held back; what comes later begins anew in the same state."""
        _, _, held, state = cut_at_tags(self.content, self.state, *tags)
        if state == "start" and held.strip(" \t\n\r"):
            state = "inside"
        self.content, self.given, self.state = "", ("", ""), state
        return (held, "") if state == "outside" else ("", held)


def cut_at_tags(content: str, state: str, opening: str, closing: str) -> tuple[str, str, str, str]:
    """The text, the thinking, the suffix that may be the beginning of a tag, and the state there."""
    text = thinking = ""
    while True:
        if state == "start":
            blank = len(content) - len(content.lstrip(" \t\n\r"))
            opens = [at for at in range(blank + 1) if content.startswith(opening, at)]
            closes = content.find(closing)
            if opens and (closes < 0 or opens[0] + len(opening) <= closes + len(closing)):
                thinking += content[: opens[0]]
                content, state = content[opens[0] + len(opening) :], "inside"
                continue
            if closes < 0:
                ends = [begun(content, closing), *(begun(content, opening, at) for at in range(blank + 1))]
                held = max(ends, key=len)
                before = content[: len(content) - len(held)]
                return text, thinking + before, held, "inside" if before.strip(" \t\n\r") else "start"
        tag = opening if state == "outside" else closing
        before, found, after = content.partition(tag)
        if not found:
            held = begun(content, tag)
            before = content[: len(content) - len(held)]
        if state == "outside":
            text += before
        else:
            thinking += before
        if not found:
            return text, thinking, held, state
        content, state = after, "inside" if state == "outside" else "outside"


def begun(content: str, tag: str, earliest: int | None = None) -> str:
    """The longest end of the content with which the tag begins, but not all of it; or that from one place."""
    places = range(len(content) + 1) if earliest is None else [earliest]
    return next((content[at:] for at in places if tag != content[at:] and tag.startswith(content[at:])), "")


def readable(frame: Framed) -> str:
    try:
        return frame.payload.decode("utf-8")
    except UnicodeDecodeError as wrong:
        place = frame.places[wrong.start]
        raise bad_utf8(place, found_at(frame.payload, wrong.start)) from None


# -- which service's stream is it -------------------------------------------------------------------------

WINDOW = 1024
FIELD_STARTS = (b"data:", b"event:", b"id:", b"retry:", b":")
EVIDENCE = {
    "exaone": {"result_code"},
    "a2a": {
        *("jsonrpc", "kind", "task", "statusUpdate", "artifactUpdate", "artifact", "artifacts", "parts"),
        *("contextId", "taskId", "messageId"),
    },
    "openai": {"choices", "object", "error_message", "error_code", "custom_status"},
    "clova": {"stopReason", "finishReason", "inputLength", "outputLength", "aiFilter"},
}
IN_MESSAGE = {
    "a2a": {"messageId", "parts", "kind", "contextId", "taskId"},
    "clova": {"thinkingContent", "toolCalls"},
}


def unrecognized(data: bytes, dialect: str) -> Fault:
    kept = data[:WINDOW]
    service = detect(kept)
    if kept.startswith(b"\x1f\x8b"):
        look = "gzip data; decompress it first"
    elif kept.startswith(b"\x28\xb5\x2f\xfd"):
        look = "zstd data; decompress it first"
    elif re.match(rb"<!doctype html|<html", kept.removeprefix(BOM).lstrip(WHITE), re.IGNORECASE):
        look = "an HTML page"
    elif service not in (None, dialect):
        look = f"a stream of hangang.{service}"
    else:
        look = "nothing of the kind"
    text = f"stream not recognized at byte {len(data)}: expected {SERVICES[dialect]} events, found {look}"
    return Fault("UnrecognizedStreamError", len(data), text)


class Mismatch(Exception):
    """A bracket that does not match: nothing after it in this value is looked at."""


def detect(first_bytes: bytes) -> str | None:
    window = first_bytes[:WINDOW].removeprefix(BOM)
    data = window.lstrip(WHITE)
    if data[:1] == b"{":
        while data[:1] == b"{":
            try:
                service, end = evidence(data)
            except Mismatch:
                return None
            if service or end is None:
                return service
            data = data[end:].lstrip(WHITE)
        return None
    return detect_sse(data)


def detect_sse(window: bytes) -> str | None:
    """The first line that tells; a payload is looked at again with each line that it grows by."""
    lines = re.findall(rb"([^\r\n]*)(\r\n|\r|\n|\Z)", window)
    payload: bytes | None = None
    for line, end in lines:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if not line:
            payload = None
        elif name == b"event" and end and value in (b"token", b"result", b"signal"):
            return "clova"
        elif name == b"data":
            payload = value if payload is None else payload + b"\n" + value
            if end and payload.strip(WHITE) == b"[DONE]":
                return "openai"
            service = first_value(payload.lstrip(BLANKS))
            if service:
                return service
        elif line[:1] == b"{" or (name == b"error" and value[:1] == b"{"):
            service = first_value(line if line[:1] == b"{" else value)
            if service:
                return service
    return None


def first_value(payload: bytes) -> str | None:
    if payload[:1] != b"{":
        return None
    try:
        return evidence(payload)[0]
    except Mismatch:
        return None


def evidence(data: bytes) -> tuple[str | None, int | None]:
    """(the service that the value's member names tell, where the value ends, None if it is cut)."""
    stack: list[tuple[bytes, str]] = []  # each open bracket, and the level of an object: "" tells nothing
    weak: set[str] = set()
    may_name, level, at = False, "top", 0
    while at < len(data):
        byte = data[at : at + 1]
        at += 1
        if byte == b'"':
            match = re.match(rb'(?s)((?:[^"\\]|\\.)*)"', data[at:])
            if not match:
                return None, None
            at += match.end()
            member = re.match(rb"[ \t\n\r]*:[ \t\n\r]*", data[at:])
            if may_name and member:
                at += member.end()
                first = data[at : at + 1]
                if not first:
                    return None, None
                name, place = match.group(1).decode("latin-1"), stack[-1][1]
                service = strong(place, name, first)
                if service:
                    return service, None
                weak |= weaker(place, name, first)
                level = inner_level(place, name) if first == b"{" else ""
            may_name = False
        elif byte in (b"{", b"["):
            stack.append((byte, level if byte == b"{" else ""))
            may_name, level = byte == b"{", ""
        elif byte in (b"}", b"]"):
            if stack[-1][0] + byte not in (b"{}", b"[]"):
                raise Mismatch
            stack.pop()
            if not stack:
                return next((one for one in ("clova", "openai") if one in weak), None), at
            may_name, level = False, ""
        elif byte not in WHITE:
            may_name, level = byte == b"," and stack[-1][0] == b"{", ""
    return None, None


def strong(place: str, name: str, first: bytes) -> str | None:
    if place in ("top", "result"):
        return next((service for service, names in EVIDENCE.items() if name in names), None)
    if place == "message":
        if name == "content" and first == b'"':
            return "clova"
        return next((service for service, names in IN_MESSAGE.items() if name in names), None)
    return "a2a" if place == "status" and name == "state" else None


def weaker(place: str, name: str, first: bytes) -> set[str]:
    if place == "status" and name == "code":
        return {"clova"}
    if place in ("top", "result") and (
        (name == "error" and first in b'{"') or (name == "usage" and first == b"{")
    ):
        return {"openai"}
    return set()


def inner_level(place: str, name: str) -> str:
    if place in ("top", "result") and name in ("message", "status"):
        return name
    return "result" if place == "top" and name == "result" else ""


# -- tool calls -------------------------------------------------------------------------------------------


@dataclass
class Call:
    """A call that deltas are folded to."""

    index: int | None = None
    id: str | None = None
    name: str | None = None
    arguments: str = ""


def fold_calls(deltas: Iterable[Any]) -> list[Call]:
    """The calls of these deltas (objects with index, id, name, arguments), by the sentences of the contract."""
    calls: list[Call] = []
    for delta in deltas:
        fragment = delta.arguments or ""
        same_id = [call for call in calls if delta.id and call.id == delta.id]
        same_index = [call for call in calls if delta.index is not None and call.index == delta.index]
        candidates = same_id or same_index or (calls if delta.index is None else [])
        call = candidates[-1] if candidates else None
        if call and call.name and delta.name:
            both = bool(call.id and delta.id)
            differs = both and call.id != delta.id
            again = not both and is_whole_object(call.arguments) and bool(fragment)
            if differs or call.name != delta.name or again:
                call = None
        if call is None:
            call = Call(delta.index)
            calls.append(call)
        if call.index is None:
            call.index = delta.index
        call.id = call.id or delta.id or None
        call.name = call.name or delta.name or None
        begun_again = call.arguments[:2] == "{}" and not call.arguments[2:].strip(" \t\n\r")
        if begun_again and fragment.lstrip(" \t\n\r").startswith("{"):
            call.arguments = call.arguments[2:]
        call.arguments += fragment
    return calls


def is_whole_object(text: str) -> bool:
    """By its brackets and strings: what is between them is not looked at."""
    text = text.strip(" \t\n\r")
    depth = 0
    inside = escaped = False
    for at, character in enumerate(text):
        if inside:
            escaped, inside = character == "\\" and not escaped, character != '"' or escaped
        elif character == '"':
            inside = True
        elif character in "{[":
            depth += 1
        elif character in "}]":
            depth -= 1
        if not depth and not inside:
            return text[:1] == "{" and at == len(text) - 1
    return False
