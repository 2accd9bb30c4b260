"""Streams as the services send them, of any length: for `hangang bench` and the tests of Law II.

`WORKLOADS[name](n)` builds a `Workload` of about n events: the wire, and how it arrives.
`benches/workloads.py` adds the bad ones, which no service sends.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

WORDS = [
    "한강", "은 ", "서울", "을 ", "지나 ", "서해", "로 ", "흐르", "는 ", "494",
    "km", "의 ", "강", "입니다", ". ", "😊\n",
]  # fmt: skip
SYLLABLES = "가나다라마바사아자차카타파하거너더러머버서어저처커터퍼허고노도로"
GOLDEN = 0.6180339887498949  # its multiples, modulo 1, are spread evenly
RULES = (",", ":")


@dataclass(frozen=True)
class Workload:
    """A stream, the parser it is for (a framing class's name or a dialect) and how it arrives."""

    name: str
    parser: str
    wire: bytes
    chunk: int = 16 * 1024

    def chunks(self) -> Iterator[bytes]:
        for at in range(0, len(self.wire), self.chunk):
            yield self.wire[at : at + self.chunk]

    def frames(self) -> list[bytes]:
        """The wire cut between its frames (of a good shape): one event a chunk."""
        if not self.wire.startswith(b"{"):
            end = b"\r\n\r\n" if b"\r" in self.wire else b"\n\n"
            return [frame + end for frame in self.wire.split(end)[:-1]]
        text, at, frames = self.wire.decode(), 0, []
        decode = json.JSONDecoder().raw_decode
        while at < len(text):
            start, at = at, decode(text, at)[1]
            frames.append(text[start:at].encode())
        return frames

    def payloads(self) -> list[bytes]:
        """The JSON of each frame (of a good shape), as a JSON parser needs it."""
        if self.wire.startswith(b"{"):
            return self.frames()
        lines = (line for line in self.wire.split(b"\n") if line.startswith(b"data:"))
        payloads = [line[5:].strip() for line in lines]
        return [payload for payload in payloads if payload != b"[DONE]"]


def word(i: int) -> str:
    """Token i of an answer: as in real text, the word of rank r comes 1/r as often as the first (Zipf).

    That matters: a parser that caches words saves creating them, and a stream of few words would flatter
    it. There are 1,023 words; two thousand tokens use about six hundred of them.
    """
    rank = int(1024 ** (i * GOLDEN % 1.0)) - 1
    if rank < len(WORDS):
        return WORDS[rank]
    return SYLLABLES[rank % 32] + SYLLABLES[rank // 32] + " "


def dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=RULES)


def uuid(i: int) -> str:
    """Looks like a UUID, differs for every i, and uses no random source."""
    digits = f"{(i + 1) * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128:032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def clova_frame(i: int, event: str, payload: str) -> str:
    return f"id:{uuid(i)}\nevent:{event}\ndata:{payload}\n\n"


def clova_v3(n: int) -> Workload:
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
    return Workload("clova_v3", "clova", "".join(out).encode())


def clova_v1(n: int) -> Workload:
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
    return Workload("clova_v1", "clova", "".join(out).encode())


def openai(n: int) -> Workload:
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
    return Workload("openai", "openai", "".join(out).encode())


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


def exaone_small(n: int) -> Workload:
    """EXAONE text generation: n answering frames without references or separators."""
    return Workload("exaone_small", "exaone", exaone(n, [{}], "한강의 길이는?", "chitchat"))


def exaone_refs(n: int) -> Workload:
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
    return Workload(
        "exaone_refs", "exaone", exaone(n, references, "무더위를 슬기롭게 극복하는 방법", "web_search")
    )


def a2a(n: int) -> Workload:
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
    return Workload("a2a", "a2a", "".join(out).encode())


WORKLOADS: dict[str, Callable[[int], Workload]] = {
    "clova_v3": clova_v3,
    "clova_v1": clova_v1,
    "openai": openai,
    "exaone_small": exaone_small,
    "exaone_refs": exaone_refs,
    "a2a": a2a,
}
