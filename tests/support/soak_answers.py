"""The answers of the soak: a number gives a service, the pieces of a body, a fault, and what a client must make of it.

Server and client make the same answer from the same number, so nothing but the number goes over the wire.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass

SERVICES = ("clova", "exaone", "openai", "a2a")
FAULTS = (
    "none",
    "none",
    "none",
    "cut",  # the connection ends inside the body
    "reset",  # by a TCP reset
    "truncate",  # HTTP ends as it should, the stream does not
    "stall",  # silence
    "malformed",
    "error",  # the service's own error event
    "status",  # 503 instead of a stream
)
WORDS = "한강은 서울을 지나는 강이다 . 길이 는 494 km , 🌊 }{ data: \\n <b> “따옴표”".split(" ")  # noqa: SIM905


@dataclass(frozen=True)
class Answer:
    """One answer.

    Attributes:
        service: whose client asks.
        fault: one of FAULTS.
        frames: the body as it would be, a frame each.
        sent: the pieces that are sent, cut anywhere; pauses are seconds between them.
        texts: the text of each frame that is complete before the fault.
        tag: names the answer's texts: no other answer has the same.
    """

    service: str
    fault: str
    sent: tuple[bytes, ...]
    pauses: tuple[float, ...]
    texts: tuple[str, ...]

    @property
    def expected(self) -> frozenset[str]:
        """The names of the exceptions that may end it; empty if none may."""
        if self.fault == "none":
            return frozenset()
        started = bool(self.texts)
        if self.fault in ("cut", "reset"):
            return frozenset({"InterruptedStreamError"} if started else {"APIConnectionError"})
        if self.fault == "stall":
            return frozenset({"StalledStreamError"} if started else {"APITimeoutError"})
        if self.fault == "truncate":
            # EXAONE has no end marker: a body that ends between frames is whole as far as anybody can tell.
            return (
                frozenset() if self.service == "exaone" and started else frozenset({"TruncatedStreamError"})
            )
        if self.fault == "malformed":
            return frozenset({"InvalidJSONError"})
        if self.fault == "error":
            return frozenset({"StreamError"} if started else {"ServerError"})
        return frozenset({"ServerError"})


def _frame(service: str, text: str) -> bytes:
    value: object
    if service == "clova":
        value = {"message": {"role": "assistant", "content": text}}
        return b"event: token\ndata: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"
    if service == "exaone":
        data = {"answer": text, "references": [{}], "progress_state": "answering"}
        return json.dumps({"result_code": 200, "data": data}, ensure_ascii=False).encode() + b"\n"
    if service == "openai":
        value = {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}
    else:
        artifact = {"artifactId": "a", "parts": [{"kind": "text", "text": text}]}
        value = {"result": {"kind": "artifact-update", "taskId": "t", "append": True, "artifact": artifact}}
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"


_END = {
    "clova": b'event: result\ndata: {"message": {"role": "assistant", "content": ""}, "stopReason": "stop_before"}\n\n',
    "exaone": b"",
    "openai": b'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n',
    "a2a": b'data: {"result": {"kind": "status-update", "taskId": "t", "status": {"state": "completed"}, "final": true}}\n\n',
}
_ERROR = {
    "clova": b'event: error\ndata: {"status": {"code": "50000", "message": "x"}}\n\n',
    "exaone": b'{"result_code": 500, "description": "x"}\n',
    "openai": b'data: {"error": {"message": "x", "code": "500", "type": "server_error"}}\n\n',
    "a2a": b'data: {"jsonrpc": "2.0", "error": {"code": -32603, "message": "x"}}\n\n',
}


def answer(number: int) -> Answer:
    """The answer of this number."""
    rng = random.Random(number)
    service, fault = rng.choice(SERVICES), rng.choice(FAULTS)
    texts = [f"{number} "] + [rng.choice(WORDS) + " " for _ in range(rng.randint(0, 60))]
    if fault not in ("none", "status"):
        texts = texts[: rng.randint(0, len(texts))]
    if fault == "status":
        texts = []
    data = b"".join(_frame(service, text) for text in texts)
    if fault == "none":
        data += _END[service]
    elif fault == "error":
        data += _ERROR[service]
    elif fault == "malformed":
        data += _frame(service, "x").replace(b'"x', b'trx"x')
    elif fault == "cut" and rng.random() < 0.5:
        data += _frame(service, "x")[: rng.randint(1, 12)]
    pieces: list[bytes] = []
    while data:
        # At most some 60 pieces: with 500 streams on a busy machine each takes a tenth of a second.
        size = rng.choice((1, 7, 40, 200, 1000, 1000)) if len(pieces) < 40 else 1000
        pieces.append(data[:size])
        data = data[size:]
    pauses = tuple(rng.choice((0.0, 0.0, 0.0, 0.001, 0.01, 0.05)) for _ in pieces)
    return Answer(service, fault, tuple(pieces), pauses, tuple(texts))
