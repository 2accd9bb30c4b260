"""Hypothesis strategies: streams of every dialect, valid, odd and damaged; cuts; limits."""

from __future__ import annotations

import json
from typing import Any

import support
from hypothesis import strategies as st

#: Bytes that mean something somewhere, and some that mean nothing anywhere.
TELLING = b'{}[]",:\\/ \t\n\r0123456789-+.eEtruefalsn uabx\x00\x01\x1f\x7f'
TELLING += b"\xef\xbb\xbf\xff\xc0\xed\xa0\x80\xf0\x9f\x98\xea\xb0"

words = st.sampled_from(
    [
        "",
        "a",
        "가",
        "안녕",
        " ",
        "\n",
        "}{",
        '"',
        "\\",
        "[DONE]",
        "😊",
        "\u2028",
        "\x00",
        "\ufffd",
        "stop",
        "LENGTH",
    ]
)
halves = st.sampled_from(["\ud83d", "\ude00", "\ud83d\ude00", "\ude00\ud83d"])
strings = words | halves | st.text(max_size=6)
numbers = st.sampled_from(
    [0, -1, 1, 200, 500, 2**31, 2**63 - 1, 2**63, -(2**63) - 1, 10**30, 1.0, -0.0, 1e5, 0.1]
)
scalars = st.none() | st.booleans() | numbers | strings
values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)


def odd(right: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly the right type, now and then anything."""
    return st.one_of(right, right, right, right, right, right, values)


def shape(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """An object with any of these members, each mostly of its right type."""
    return st.fixed_dictionaries({}, optional={name: odd(field) for name, field in fields.items()})


def several(item: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(odd(item), max_size=3)


reasons = st.none() | st.sampled_from(
    ["stop", "length", "LENGTH", "Stop_Before", "tool_calls", "", "null", "other"]
)
codes = st.sampled_from(["20000", "42901", "2", "", 20000, 50000, -1, 200, None])
parts = several(shape(text=strings, kind=words, data=values, metadata=values))
function = shape(name=strings, arguments=strings | values, partialJson=strings)
calls = several(shape(index=numbers, id=strings, type=strings, function=function))

clova_usage = shape(
    promptTokens=numbers,
    completionTokens=numbers,
    totalTokens=numbers,
    completionTokensDetails=shape(thinkingTokens=numbers),
)
clova_message = shape(role=words, content=strings | parts, thinkingContent=strings, toolCalls=calls)
clova_answer = shape(
    message=clova_message,
    finishReason=reasons,
    index=numbers,
    inputLength=numbers,
    outputLength=numbers,
    created=numbers,
    seed=numbers,
    usage=st.none() | clova_usage,
    aiFilter=several(shape(groupName=words, name=words, score=words | numbers, result=words)),
)
clova_old_answer = shape(message=clova_message, stopReason=reasons, inputLength=numbers, outputLength=numbers)
clova_status = shape(code=codes, message=strings)
clova = st.one_of(
    clova_answer,
    clova_old_answer,
    shape(status=clova_status, result=st.none() | clova_answer),
    shape(status=clova_status),
    shape(error=shape(code=codes, errorCode=codes, message=strings)),
    shape(data=words),
)

exaone = st.one_of(
    st.fixed_dictionaries(
        {"result_code": st.just(200), "description": st.none()},
        optional={
            "data": odd(
                shape(
                    query=strings,
                    intent=words,
                    answer=strings,
                    references=several(
                        st.just({}) | shape(card=strings, index=numbers, contents=strings)
                    ).map(lambda items: [item for item in items if isinstance(item, dict)]),
                    progress_state=st.sampled_from(["planning", "optimizing", "answering"]),
                )
            )
        },
    ),
    shape(result_code=numbers, description=st.none() | strings, data=values),
)

details = shape(reasoning_tokens=numbers, thinking_tokens=numbers)
openai_usage = shape(
    prompt_tokens=numbers,
    completion_tokens=numbers,
    total_tokens=numbers,
    reasoning_tokens=numbers,
    completion_tokens_details=details,
)
openai_function = shape(name=strings, arguments=strings | values)
openai_calls = several(shape(index=numbers, id=strings, type=strings, function=openai_function))
#: Text of an answer: strings, pieces of the tags of `TAGS`, and what servers send by mistake.
texts = (
    strings
    | st.sampled_from(["<t>", "</t>", "<", "<t", "t>", "</", "\n", " ", "각", "ab"])
    | st.booleans()
    | numbers
)
text_parts = several(shape(type=st.just("text"), text=texts))
openai_parts = several(
    shape(
        type=st.sampled_from(["text", "thinking", "reasoning", "image_url"]),
        text=texts | text_parts,
        thinking=texts | text_parts,
        reasoning=texts | text_parts,
    )
)
thoughts = {
    name: st.none() | texts for name in ("reasoning_content", "reasoning", "thinking", "thinking_content")
}
delta = shape(
    role=words,
    content=st.none() | texts | texts | openai_parts,
    refusal=st.none() | texts,
    tool_calls=openai_calls,
    function_call=st.none() | openai_function,
    reasoning_details=several(shape(text=texts)),
    **thoughts,
)
openai_error = shape(message=strings, type=words, param=words, code=codes | numbers)
choice = st.fixed_dictionaries(
    {},
    optional={
        "index": odd(st.sampled_from([0, 0, 1, 2])),
        "delta": odd(delta),
        "message": odd(delta),
        "finish_reason": odd(reasons),
        "reasoning": odd(texts),
        "usage": st.none() | openai_usage,
        "error": st.none() | openai_error.filter(bool),
    },
)
chunk = shape(
    id=words,
    object=st.sampled_from(["chat.completion.chunk", "chat.completion", "list", "error"]),
    created=numbers,
    model=words,
    choices=st.none() | st.lists(choice, max_size=3),
    usage=st.none() | openai_usage,
    x_groq=shape(usage=openai_usage),
    error_code=st.sampled_from([0, 0, 0, 1]),
)
#: What the events of one answer are mostly like, so that deltas and snapshots of the same choices meet.
plain_choice = st.fixed_dictionaries(
    {"index": st.sampled_from([0, 0, 1])},
    optional={
        "delta": shape(content=texts, reasoning=texts),
        "message": shape(content=texts, reasoning=texts, refusal=texts, tool_calls=openai_calls),
        "finish_reason": reasons,
    },
)
plain_chunk = st.fixed_dictionaries({"choices": st.lists(plain_choice, min_size=1, max_size=2)})
flat_error = shape(
    code=st.sampled_from([0, 399, 400, 500, "500"]), message=strings, type=words, param=words, text=strings
)
openai = st.one_of(
    chunk,
    chunk,
    plain_chunk,
    plain_chunk,
    shape(
        error=openai_error | words,
        error_type=words,
        custom_status=shape(Code=codes, Description=strings),
    ),
    flat_error,
    shape(data=flat_error, error_code=numbers, error_message=strings, detail=strings),
    shape(choices=st.none(), error_message=strings, error_type=words, error_code=codes),
    shape(status=shape(code=st.sampled_from(["20000", "40000", ""]), message=strings), result=chunk),
)

states = st.sampled_from(
    [
        "submitted",
        "working",
        "completed",
        "TASK_STATE_COMPLETED",
        "TASK_STATE_INPUT_REQUIRED",
        "TASK_STATE_CANCELLED",
        "failed",
        "x",
        "",
    ]
)
roles = st.sampled_from(["user", "agent", "ROLE_AGENT", "ROLE_USER", "x"])
a2a_message = shape(
    role=roles, messageId=words, taskId=words, contextId=words, parts=parts, content=parts, metadata=values
)
a2a_status = shape(state=states, message=a2a_message)
artifact = shape(artifactId=words, name=words, parts=parts, metadata=values)
task = shape(
    id=words,
    contextId=words,
    status=a2a_status,
    artifacts=several(artifact),
    history=several(a2a_message),
    metadata=values,
)
status_update = shape(
    taskId=words, contextId=words, status=a2a_status, final=st.booleans(), metadata=st.none() | values
)
artifact_update = shape(
    taskId=words,
    contextId=words,
    artifact=artifact,
    append=st.booleans(),
    lastChunk=st.booleans(),
    metadata=st.none() | values,
)
members = shape(task=task, message=a2a_message, statusUpdate=status_update, artifactUpdate=artifact_update)


def with_kind(inner: st.SearchStrategy[Any], kind: str) -> st.SearchStrategy[Any]:
    return st.tuples(inner, st.sampled_from([kind, kind, "new", 1])).map(
        lambda pair: {"kind": pair[1], **pair[0]}
    )


results = st.one_of(
    members,
    with_kind(task, "task"),
    with_kind(a2a_message, "message"),
    with_kind(status_update, "status-update"),
    with_kind(artifact_update, "artifact-update"),
    status_update,
    artifact_update,
    task,
    a2a_message,
)
a2a = st.one_of(
    results.map(lambda result: {"jsonrpc": "2.0", "id": "r", "result": result}),
    members,
    shape(error=shape(code=codes, message=strings, data=values) | words, jsonrpc=words),
    shape(jsonrpc=words, result=values),
)

FRAMES: dict[str, st.SearchStrategy[Any]] = {"clova": clova, "exaone": exaone, "openai": openai, "a2a": a2a}
NAMES = ["token", "token", "result", "signal", "error", "message", "", "planning", None, None, None]


@st.composite
def json_texts(draw: st.DrawFn, value: Any) -> bytes:
    """One way to write the value down."""
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t:\r")]))
    lone = any(0xD800 <= ord(c) < 0xE000 for c in json.dumps(value, ensure_ascii=False))
    ascii_only = lone or draw(st.booleans())
    return json.dumps(value, ensure_ascii=ascii_only, separators=separators).encode()


@st.composite
def payloads(draw: st.DrawFn, frames: st.SearchStrategy[Any]) -> bytes:
    value = draw(st.one_of(frames, frames, frames, frames, frames, values))
    text = draw(json_texts(value))
    if draw(st.integers(0, 11)) == 0:
        return draw(
            st.sampled_from(
                [
                    *(
                        b"[DONE]",
                        b"",
                        b" ",
                        b"\t\n",
                        b"[DONE] ",
                        b"\n[DONE]",
                        b"[DONE].",
                        b"null",
                        b"out of memory",
                    ),
                    *(text + b"]", text[:-1], b" " + text + b" "),
                ]
            )
        )
    return text


@st.composite
def damaged(draw: st.DrawFn, data: bytes) -> bytes:
    """The bytes, now and then with a few of them changed, left out or put in."""
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 1, 2, 3]))):
        at = draw(st.integers(0, len(data)))
        byte = bytes([draw(st.sampled_from(TELLING))])
        data = draw(
            st.sampled_from(
                [
                    data[:at] + byte + data[at + 1 :],
                    data[:at] + byte + data[at:],
                    data[:at] + data[at + 1 :],
                    data[:at],
                ]
            )
        )
    return data


#: Lines that are frames by themselves, and lines that are not.
outside = st.sampled_from(
    [
        b'{"x":1}',
        b'{"choices":[{"index":0,"delta":{"content":"a"}}]}',
        b'{"error":{"message":"m","code":500}}',
        b'{"code":500,"message":"m"} ',
        b'{"result_code":500}',
        b'{"status":{"code":"50000","message":"m"}}',
        b'{"error":[[[[[[[[]]]]]]]]}',
        b"{",
        b'{"x":\xff}',
        b'{"x":1}{',
        b' {"x":1}',
        b"[1]",
        b'error: {"error":{"message":"m"}}',
        b'error:{"code":"1","message":"m"}',
        b'error:  {"x":1}',
        b"error: died",
        b"error",
        b'errors: {"x":1}',
        b"<html>",
        b"Bad Gateway",
    ]
)


@st.composite
def sse_frame(draw: st.DrawFn, payload: bytes) -> bytes:
    end = draw(st.sampled_from([b"\n", b"\n", b"\r\n", b"\r"]))
    space = draw(st.sampled_from([b"", b" "]))
    lines = [b"data:" + space + part for part in payload.replace(b"\r", b"\n").split(b"\n")]
    if draw(st.integers(0, 5)) == 0:
        at = draw(st.integers(0, len(payload)))
        lines = [b"data:" + space + part for part in (payload[:at], payload[at:])]
    name = draw(st.sampled_from(NAMES))
    extra = [] if name is None else [b"event:" + space + name.encode()]
    extra += draw(
        st.lists(
            st.sampled_from(
                [
                    b"id:1",
                    b"id: \xea\xb0\x80",
                    b"id",
                    b"id:\xff",
                    b": ping",
                    b":",
                    b"retry: 5",
                    b"retry: 5x",
                    b"x: y",
                ]
            ),
            max_size=2,
        )
    )
    lines = extra + lines if draw(st.booleans()) else lines + extra
    if draw(st.integers(0, 5)) == 0:
        lines.insert(draw(st.integers(0, len(lines))), draw(outside))
    return b"".join(line + end for line in lines) + end


@st.composite
def streams(draw: st.DrawFn, frames: st.SearchStrategy[Any]) -> bytes:
    """A whole stream of a dialect, as SSE or bare JSON, with repetition, and mostly undamaged."""
    body = draw(st.lists(payloads(frames), max_size=5))
    if draw(st.booleans()) and body:
        body += body[-1:] * draw(st.integers(1, 3))  # what prediction lives on
    lead = draw(
        st.sampled_from([b"", b"", b"", b"\xef\xbb\xbf", b"\n", b" \r\n", b"\xef\xbb\xbf \n", b": hi\n\n"])
    )
    if draw(st.booleans()):
        data = b""
        for payload in body:
            if draw(st.integers(0, 9)) == 0:
                data += draw(outside) + draw(st.sampled_from([b"\n", b"\r", b"\r\n", b"\n\n"]))
            data += draw(sse_frame(payload))
        if draw(st.integers(0, 5)) == 0:
            data += draw(outside)
        if draw(st.integers(0, 3)) == 0:
            data = data.rstrip(b"\r\n")
    else:
        data = b"".join(payload + draw(st.sampled_from([b"", b"\n", b" \r\n"])) for payload in body)
    return draw(damaged(lead + data))


SEEDS: dict[str, list[bytes]] = {
    "clova": [
        b'{"message":{"role":"assistant","content":"@"},"finishReason":null,"created":#,"seed":#,"usage":null}',
        b'{"message":{"role":"assistant","content":"@"},"index":0,"inputLength":#,"outputLength":#,"stopReason":null}',
        b'{"message":{"role":"assistant","content":"","toolCalls":[{"type":"function","function":{"partialJson":"@"}}]}}',
        b'{"message":{"role":"assistant","thinkingContent":"@"},"finishReason":null,"usage":null}',
    ],
    "exaone": [
        (
            b'{"result_code": 200, "description": null, "data": {"query": "@", "intent": "chitchat", "answer": "@", '
            b'"references": [{}], "progress_state": "answering"}}'
        ),
        (
            b'{"result_code": 200, "data": {"answer": "@", "references": [{"card": "u", "index": #, "title": "@"}], '
            b'"progress_state": "answering"}}'
        ),
    ],
    "openai": [
        (
            b'{"id":"c","object":"chat.completion.chunk","created":#,"choices":[{"index":0,"delta":{"content":"@"},'
            b'"logprobs":null,"finish_reason":null}]}'
        ),
        b'{"id":"c","choices":[{"index":0,"delta":{"reasoning":"@"},"finish_reason":null}],"usage":{"prompt_tokens":#}}',
        b'{"choices":[{"index":0,"delta":{"content":"@","refusal":"@"}}],"error_code":0}',
        b'{"choices":[{"index":1,"delta":{"content":"@"}}]}',
    ],
    "a2a": [
        (
            b'{"result": {"artifactUpdate": {"taskId": "t", "artifact": {"artifactId": "a", "parts": [{"text": "@"}]}, '
            b'"append": true}}, "id": "r", "jsonrpc": "2.0"}'
        ),
        b'{"id":"r","jsonrpc":"2.0","result":{"kind":"status-update","final":false,"status":{"state":"@","n":#}}}',
    ],
}
inner_strings = st.sampled_from(
    [
        b"",
        b"a",
        "가".encode(),
        b" ",
        b"\\n",
        b"\\\\",
        b'\\"',
        b"}{",
        b"\\ud83d",
        b"\\ud83d\\ude00",
        b"\\u00e9",
        "😊".encode(),
        b"[DONE]",
        b"stop",
        b"working",
        b"completed",
        b"x" * 30,
    ]
) | st.sampled_from([b"\x01", b"\xff", b"\xea\xb0", b"\\x", b"\\", b'"', b"\n", b"\\u12", b"\xed\xa0\x80"])
inner_numbers = st.sampled_from(
    [b"0", b"1", b"42", b"1755269271", b"-1", b"-0", b"9223372036854775807"]
) | st.sampled_from(
    [b"9223372036854775808", b"01", b"-", b"1.0", b"1e2", b"", b"null", b'"1"', b"1 ", b" 1", b"1" * 30]
)


@st.composite
def filled(draw: st.DrawFn, seed: bytes) -> bytes:
    """The frame with its holes filled: mostly well, now and then so that it is invalid JSON, or of another shape."""
    text = b""
    for byte in seed:
        if byte == 0x40:
            text += draw(inner_strings)
        elif byte == 0x23:
            text += draw(inner_numbers)
        else:
            text += bytes([byte])
    return text


@st.composite
def repetitive(draw: st.DrawFn, dialect: str) -> bytes:
    """Frames that equal each other but for their holes: what prediction is for, and where it could go wrong."""
    seeds = draw(st.lists(st.sampled_from(SEEDS[dialect]), min_size=1, max_size=3))
    count = draw(st.integers(2, 12))
    body = [draw(filled(draw(st.sampled_from(seeds)))) for _ in range(count)]
    if draw(st.integers(0, 2)) == 0:
        at = draw(st.integers(0, count - 1))
        body[at] = draw(damaged(body[at]))
    if draw(st.booleans()):
        gap = draw(st.sampled_from([b"", b"\n"]))
        return b"".join(payload + gap for payload in body)
    head = draw(st.sampled_from([b"data:", b"data: ", b"event:token\ndata:", b"id:@\nevent:token\ndata:"]))
    end = draw(st.sampled_from([b"\n\n", b"\r\n\r\n"]))
    head_of = head
    out = b""
    for i, payload in enumerate(body):
        if draw(st.integers(0, 7)) == 0:
            # What no template may swallow: a line of its own, another name, a snapshot, an empty payload.
            line = end[: len(end) // 2]
            snapshot = b'data: {"choices":[{"index":0,"message":{"content":"x","reasoning":"y"}}]}' + end
            name = draw(st.sampled_from([b"event: error" + line, b""]))
            out += draw(
                st.sampled_from([b"data:" + end, snapshot]) | st.tuples(outside, st.just(line)).map(b"".join)
            )
            head = name + head_of
        else:
            head = head_of
        out += (
            head.replace(b"@", draw(st.sampled_from([b"", b"%d" % i, b"same", b"\xff", b"a b"])))
            + payload
            + end
        )
    return out


@st.composite
def sse_streams(draw: st.DrawFn) -> bytes:
    """Streams for SSEParser: lines of all kinds with all line ends."""
    names = [b"data", b"data:", b"data: ", b"event:", b"id:", b"retry:", b":", b"x:", b"", b"dat", b"id"]
    value = st.sampled_from(
        [b"", b"a", b" ", b"\xea\xb0\x80", b"\xff", b"\xf0\x9f", b"12", b"\x00", b"a:b", b"token"]
    )
    line = st.tuples(
        st.sampled_from(names), value, st.sampled_from([b"\n", b"\r", b"\r\n", b"\n\n", b"\r\r\n"])
    )
    lead = draw(st.sampled_from([b"", b"", b"\xef\xbb\xbf", b"\xef\xbb"]))
    return draw(damaged(lead + b"".join(b"".join(parts) for parts in draw(st.lists(line, max_size=12)))))


@st.composite
def json_streams(draw: st.DrawFn) -> bytes:
    """Streams for JSONStreamParser: values with any white space or none between."""
    body = draw(
        st.lists(st.lists(values, max_size=3) | st.dictionaries(words, values, max_size=3), max_size=4)
    )
    gap = st.sampled_from([b"", b"", b"\n", b" \t\r\n"])
    data = b"".join(draw(json_texts(value)) + draw(gap) for value in body)
    return draw(damaged(draw(st.sampled_from([b"", b"", b"\xef\xbb\xbf", b" "])) + data))


@st.composite
def cuts(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """The bytes in pieces: whole, byte by byte, or cut at random places."""
    way = draw(st.integers(0, 5))
    if way == 0:
        return [data]
    if way == 1:
        return support.byte_by_byte(data)
    return support.cut(data, draw(st.lists(st.integers(0, len(data)), max_size=8)))


def limits(dialect: str | None, depth: bool = True) -> st.SearchStrategy[dict[str, Any]]:
    optional: dict[str, st.SearchStrategy[Any]] = {"max_frame_bytes": st.integers(1, 250) | st.just(2**20)}
    if depth:
        optional["max_depth"] = st.integers(1, 7)
    if dialect:
        optional["errors"] = st.sampled_from(["strict", "report"])
    if dialect == "a2a":
        optional["end"] = st.sampled_from(["state", "last_chunk"])
    if dialect == "openai":
        optional["thinking_tags"] = tags
        optional["thinking_first"] = st.booleans()
    none: st.SearchStrategy[dict[str, Any]] = st.just({})
    return none | st.fixed_dictionaries({}, optional=optional).map(with_tags_only)


#: Tags that overlap themselves and each other, begin with white space, or share bytes of a character.
TAGS = [
    *(("<t>", "</t>"), ("<<", "<"), ("<t", "<t>"), ("a", "b"), ("aab", "ab")),
    *(("\n<", "\n</"), (" ", "\n"), ("가", "각"), ("<t></t>", "t>")),
]
tags = st.sampled_from(TAGS)


def with_tags_only(options: dict[str, Any]) -> dict[str, Any]:
    """`thinking_first` has no meaning without tags, and is refused."""
    if "thinking_tags" not in options:
        options = {name: value for name, value in options.items() if name != "thinking_first"}
    return options


@st.composite
def tagged_streams(draw: st.DrawFn) -> tuple[bytes, dict[str, Any]]:
    """A stream whose content is full of (pieces of) the tags that the options name, and those options."""
    opening, closing = draw(tags)
    pieces = [opening, closing, opening + closing, opening[:-1], closing[:-1], opening[1:], closing[:1]]
    piece = st.sampled_from([*pieces, *pieces, "", " ", "\n", "\r\n", "x", "안", "<", "\u00a0"])
    content = st.lists(piece, max_size=3).map("".join)
    frames = []
    for _ in range(draw(st.integers(1, 8))):
        place = draw(st.sampled_from(["delta", "delta", "delta", "delta", "message", "both"]))
        choice: dict[str, Any] = {"index": draw(st.sampled_from([0, 0, 0, 1]))}
        text = draw(content)
        parts = [{"type": "text", "text": text[:1]}, {"type": "thinking", "text": "p"}, {"text": text[1:]}]
        body = {"content": draw(st.sampled_from([text, text, text, parts]))}
        if draw(st.integers(0, 5)) == 0:
            body["reasoning"] = "r"
        for name in ("delta", "message") if place == "both" else (place,):
            choice[name] = body
        if draw(st.integers(0, 4)) == 0:
            choice["finish_reason"] = "stop"
        frames.append(b"data: " + json.dumps({"choices": [choice]}, ensure_ascii=False).encode() + b"\n\n")
        if draw(st.integers(0, 4)) == 0:
            frames.append(
                draw(
                    st.sampled_from(
                        [
                            b"data: [DONE]\n\n",
                            b'data: {"error":"m"}\n\n',
                            b'{"error":"m"}\n',
                            b"event: error\ndata: died\n\n",
                            b"data:\n\n",
                            b"data: [1]\n\n",
                            b"data: {x\n\n",
                            b'{"choices":[{"index":0,"delta":{"content":"<"}}]}\n',
                        ]
                    )
                )
            )
    options: dict[str, Any] = {"thinking_tags": (opening, closing), "thinking_first": draw(st.booleans())}
    if draw(st.booleans()):
        options["errors"] = "report"
    wire = b"".join(frames)
    return (wire if draw(st.integers(0, 2)) else wire[: draw(st.integers(0, len(wire)))]), options
