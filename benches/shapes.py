"""Streams for benchmarks and for the tests of Law II: deterministic, sized, and the bad ones by name.

`SHAPES[name](n)` builds a `Shape` whose wire is about proportional to n; `shape.chunks()` gives it as the network
would. The good shapes are the services' own streams; each bad one is the worst case of some implementation:

- `huge-frame-drip`: one frame of n KB in 1 KB pieces (a parser that starts again at each piece is quadratic);
- `one-byte`: a stream of frames, one byte a chunk (a cost per call, and any state that is lost between);
- `one-byte-huge`: one frame of n KB, one byte a chunk;
- `tiny-frames`: as many frames as possible in a byte;
- `idle-comments`: keep-alives without end;
- `deep-nesting`: containers in containers, up to the default depth, in pieces;
- `wrong-prediction`: frames that equal the one before almost to the end, and then do not.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

WORDS = [
    "한강",
    "은 ",
    "서울",
    "을 ",
    "지나 ",
    "서해",
    "로 ",
    "흐르",
    "는 ",
    "494",
    "km",
    "의 ",
    "강",
    "입니다",
    ". ",
    "😊\n",
]
RULES = (",", ":")


@dataclass(frozen=True)
class Shape:
    """A stream, the parser it is for (a framing class's name or a dialect) and how it arrives."""

    name: str
    parser: str
    wire: bytes
    chunk: int = 16 * 1024

    def chunks(self) -> Iterator[bytes]:
        for at in range(0, len(self.wire), self.chunk):
            yield self.wire[at : at + self.chunk]


def word(i: int) -> str:
    return WORDS[i * 7 % len(WORDS)]


def dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=RULES)


def uuid(i: int) -> str:
    """Looks like a UUID, differs for every i, and needs no random source."""
    digits = f"{(i + 1) * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128:032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def clova_frame(i: int, event: str, payload: str) -> str:
    return f"id:{uuid(i)}\nevent:{event}\ndata:{payload}\n\n"


def clova_v3(n: int) -> Shape:
    """CLOVA Studio v3: n tokens, a result with the whole text, the signal."""
    out = []
    rest = '"finishReason":null,"created":1755269271,"seed":2821919132,"usage":null}'
    for i in range(n):
        content = dumps(word(i))
        out.append(clova_frame(i, "token", f'{{"message":{{"role":"assistant","content":{content}}},{rest}'))
    result = {
        "message": {"role": "assistant", "content": "".join(word(i) for i in range(n))},
        "finishReason": "stop",
        "created": 1755269271,
        "seed": 2821919132,
        "usage": {"promptTokens": 20, "completionTokens": n, "totalTokens": n + 20},
    }
    out.append(clova_frame(n, "result", dumps(result)))
    out.append(clova_frame(n + 1, "signal", '{"data":"[DONE]"}'))
    return Shape("clova_v3", "clova", "".join(out).encode())


def clova_v1(n: int) -> Shape:
    """CLOVA Studio v1: a counter in every token."""
    out = []
    for i in range(n):
        payload = {
            "message": {"role": "assistant", "content": word(i)},
            "index": 0,
            "inputLength": 646,
            "outputLength": i + 1,
            "stopReason": None,
        }
        out.append(clova_frame(i, "token", dumps(payload)))
    result = {
        "message": {"role": "assistant", "content": "".join(word(i) for i in range(n))},
        "inputLength": 646,
        "outputLength": n,
        "stopReason": "stop_before",
    }
    out.append(clova_frame(n, "result", dumps(result)))
    out.append(clova_frame(n + 1, "signal", '{"data":"[DONE]"}'))
    return Shape("clova_v1", "clova", "".join(out).encode())


def openai(n: int) -> Shape:
    """An OpenAI-compatible stream: role, n deltas, finish, usage, [DONE]."""
    head = '{"id":"chatcmpl-7f0","object":"chat.completion.chunk","created":1763770000,'
    head += '"model":"HCX-GOV-THINK","choices":['

    def line(delta: str, reason: str = "null") -> str:
        return f'data: {head}{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{reason}}}]}}\n\n'

    out = [line('{"role":"assistant","content":""}')]
    out += [line(dumps({"content": word(i)})) for i in range(n)]
    out.append(line("{}", '"stop"'))
    out.append(
        f'data: {head}],"usage":{{"prompt_tokens":17,"total_tokens":{n + 17},"completion_tokens":{n}}}}}\n\n'
    )
    out.append("data: [DONE]\n\n")
    return Shape("openai", "openai", "".join(out).encode())


def exaone(n: int, references: list[dict[str, object]], query: str, intent: str) -> bytes:
    out = []
    for i in range(n + 2):
        state = ("planning", "optimizing")[i] if i < 2 else "answering"
        data = {
            "query": query,
            "intent": "" if i < 2 else intent,
            "answer": "" if i < 2 else word(i),
            "references": [{}] if i < 2 else references,
            "progress_state": state,
        }
        out.append(json.dumps({"result_code": 200, "description": None, "data": data}, ensure_ascii=False))
    return "".join(out).encode()


def exaone_small(n: int) -> Shape:
    """EXAONE text generation: n answering frames without references or separators."""
    return Shape("exaone_small", "exaone", exaone(n, [{}], "한강의 길이는?", "chitchat"))


def exaone_refs(n: int) -> Shape:
    """EXAONE web search: the same 20 references (some 4 KB) in each of n answering frames."""
    references: list[dict[str, object]] = [
        {
            "card": f"https://example.com/news/{i}",
            "index": i,
            "title": f'무더위를 이기는 방법 {i} {{"title":"',
            "contents": "물을 자주 마시고 한낮에는 쉬는 것이 좋다. <strong>기상청</strong> | " * 2,
        }
        for i in range(1, 21)
    ]
    return Shape(
        "exaone_refs", "exaone", exaone(n, references, "무더위를 슬기롭게 극복하는 방법", "web_search")
    )


def a2a(n: int) -> Shape:
    """A2A 1.0: a task, a working status, one artifact in n chunks, completed; CRLF, spaced JSON."""
    ids = {"taskId": uuid(1), "contextId": uuid(2)}

    def line(result: object) -> str:
        body = {"result": result, "id": "req-1", "jsonrpc": "2.0"}
        return f"data: {json.dumps(body, ensure_ascii=False)}\r\n\r\n"

    def status(state: str) -> object:
        return {
            "statusUpdate": {**ids, "status": {"state": state, "timestamp": "2026-11-22T01:18:18.287834Z"}}
        }

    out = [line({"task": {"id": uuid(1), "contextId": uuid(2), "status": {"state": "TASK_STATE_SUBMITTED"}}})]
    out.append(line(status("TASK_STATE_WORKING")))
    for i in range(n):
        update: dict[str, object] = {
            **ids,
            "artifact": {"artifactId": "art-1", "name": "answer", "parts": [{"text": word(i)}]},
        }
        if i:
            update["append"] = True
        if i == n - 1:
            update["lastChunk"] = True
        out.append(line({"artifactUpdate": update}))
    out.append(line(status("TASK_STATE_COMPLETED")))
    return Shape("a2a", "a2a", "".join(out).encode())


def huge_token(n: int) -> bytes:
    text = '가나다라마바사 \\n\\"' * (n * 1024 // 25)
    return f'{{"message":{{"role":"assistant","content":"{text}"}},"finishReason":"stop"}}'.encode()


def huge_frame_drip(n: int) -> Shape:
    """One SSE frame of about n KB in 1 KB pieces."""
    return Shape("huge-frame-drip", "clova", b"event:result\ndata:" + huge_token(n) + b"\n\n", 1024)


def huge_object_drip(n: int) -> Shape:
    """One bare JSON value of about n KB in 1 KB pieces."""
    return Shape("huge-object-drip", "clova", huge_token(n), 1024)


def one_byte(n: int) -> Shape:
    """n tokens of CLOVA v3, one byte a chunk."""
    return Shape("one-byte", "clova", clova_v3(n).wire, 1)


def one_byte_huge(n: int) -> Shape:
    """One frame of about n KB, one byte a chunk."""
    return Shape("one-byte-huge", "clova", b"event:result\ndata:" + huge_token(n) + b"\n\n", 1)


def tiny_frames(n: int) -> Shape:
    """1,000 n frames of eight bytes."""
    return Shape("tiny-frames", "openai", b"data:1\n\n" * (1000 * n) + b"data: [DONE]\n\n")


def tiny_objects(n: int) -> Shape:
    """1,000 n objects of two bytes, without separators."""
    return Shape("tiny-objects", "JSONStreamParser", b"{}" * (1000 * n))


def idle_comments(n: int) -> Shape:
    """1,000 n keep-alives in 1 KB pieces, then the end."""
    return Shape("idle-comments", "openai", b": keep-alive\n\n" * (1000 * n) + b"data: [DONE]\n\n", 1024)


def deep_nesting(n: int) -> Shape:
    """10 n values of 120 containers each, in pieces of 100 bytes."""
    deep = b'{"a":[' * 60 + b"1" + b"]}" * 60
    return Shape("deep-nesting", "JSONStreamParser", deep * (10 * n), 100)


def wrong_prediction(n: int) -> Shape:
    """10 n frames of 4 KB, each equal to one of five before it but for a late byte of a fixed part."""
    out = []
    for i in range(10 * n):
        pad = "한강 " * 500
        odd = "".join("ab"[(i >> bit) & 1] for bit in range(8))
        data = {
            "answer": word(i),
            "query": pad,
            "references": [{}],
            "progress_state": "answering",
            f"x{odd}": i,
        }
        out.append(json.dumps({"result_code": 200, "data": data}, ensure_ascii=False))
    return Shape("wrong-prediction", "exaone", "".join(out).encode())


GOOD: dict[str, Callable[[int], Shape]] = {
    "clova_v3": clova_v3,
    "clova_v1": clova_v1,
    "openai": openai,
    "exaone_small": exaone_small,
    "exaone_refs": exaone_refs,
    "a2a": a2a,
}
BAD: dict[str, Callable[[int], Shape]] = {
    "huge-frame-drip": huge_frame_drip,
    "huge-object-drip": huge_object_drip,
    "one-byte": one_byte,
    "one-byte-huge": one_byte_huge,
    "tiny-frames": tiny_frames,
    "tiny-objects": tiny_objects,
    "idle-comments": idle_comments,
    "deep-nesting": deep_nesting,
    "wrong-prediction": wrong_prediction,
}
SHAPES = {**GOOD, **BAD}
