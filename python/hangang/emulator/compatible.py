"""OpenAI-shaped answers, for CLOVA Studio's compatible endpoint and for Gov chat (docs/protocol/openai.md).

The shape is vLLM's: `data: ` with one space, LF, role chunk first, the finish reason in the last
content chunk, `[DONE]`. Tool calls come whole in one delta, as NAVER's vLLM plugin sends them, or,
for CLOVA's endpoint, in fragments as OpenAI sends them. No raw chunk of either service is public,
so the order of keys and the split of tool calls are guesses.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from ._call import JSON, Call, question_of
from ._faults import Frame
from ._wire import dump, sse
from .fake_answers import Script, ToolCall, count_tokens, embed
from .json_types import is_texts


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What differs between the services that use this shape; an error in a stream has `error` as its code."""

    model: str
    reasoning: str
    vllm: bool = True
    usage: bool = False
    error: str = ""


def answer(call: Call, body: JSON, messages: list[JSON], shape: Shape, **options: Any) -> Response:
    """The answer, streamed or not; `options` as in `fake_answers.compose`."""
    random = call.random_for(body)
    stream = body.get("stream") is True
    script = call.script(random, stream=stream, **question_of(messages), **options)
    head: JSON = {
        "id": f"chatcmpl-{random.getrandbits(128):032x}",
        "object": "chat.completion.chunk" if stream else "chat.completion",
        "created": 1_767_225_600 + random.randrange(10_000_000),
        "model": shape.model,
    }
    if not stream:
        return call.reply(_completion(script, shape, head))
    return call.stream(
        _chunks(script, shape, head),
        error_frames=lambda given: error_frames(given or shape.error),
        media_type="text/event-stream; charset=utf-8" if shape.vllm else "text/event-stream",
    )


def _chunks(script: Script, shape: Shape, head: JSON) -> Iterator[Frame]:
    def chunk(delta: JSON, finish: str | None = None) -> Frame:
        choice: JSON = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        if finish is not None and shape.vllm:
            choice["stop_reason"] = None
        return Frame(sse(dump({**head, "choices": [choice]})), end=finish is not None)

    deltas: list[JSON] = [{"role": "assistant", "content": ""}]
    deltas += ({shape.reasoning: piece} for piece in script.thinking)
    deltas += ({"content": piece} for piece in script.content)
    deltas += ({"tool_calls": [delta]} for delta in _call_deltas(script.calls, shape))
    # vLLM's last token carries the finish reason.
    ends_in_text = shape.vllm and script.content and not script.calls and script.error is None
    last = deltas.pop() if ends_in_text else {}
    yield from map(chunk, deltas)
    if script.error is not None:
        yield from error_frames(*script.error)
        return
    yield chunk(last, script.finish)
    if shape.usage:
        counted: JSON = {**head, "choices": [], "usage": _usage(script, shape)}
        yield Frame(sse(dump(counted)), paced=False, end=True)
    yield Frame(b"data: [DONE]\n\n", paced=False, end=True)


def _call_deltas(calls: tuple[ToolCall, ...], shape: Shape) -> Iterator[JSON]:
    for index, made in enumerate(calls):
        head: JSON = {"index": index, "id": made.id, "type": "function"}
        if shape.vllm:
            arguments = json.dumps(made.arguments, separators=(",", ":"))  # \uXXXX, as the plugin
            yield {**head, "function": {"name": made.name, "arguments": arguments}}
            continue
        yield {**head, "function": {"name": made.name, "arguments": ""}}
        for piece in made.pieces:
            yield {"index": index, "function": {"arguments": piece}}


def _completion(script: Script, shape: Shape, head: JSON) -> JSON:
    message: JSON = {"role": "assistant", "content": script.text}
    if script.thinking:
        message[shape.reasoning] = script.thinking_text
    if script.calls or shape.vllm:
        functions = [{"name": made.name, "arguments": made.arguments_text} for made in script.calls]
        message["tool_calls"] = [
            {"id": made.id, "type": "function", "function": function}
            for made, function in zip(script.calls, functions, strict=True)
        ]
    choice: JSON = {"index": 0, "message": message, "logprobs": None, "finish_reason": script.finish}
    found: JSON = {**head, "choices": [choice], "usage": _usage(script, shape)}
    if shape.vllm:
        choice["stop_reason"] = None
        found["prompt_logprobs"] = None
    return found


def _usage(script: Script, shape: Shape) -> JSON:
    counted: JSON = {
        "prompt_tokens": script.prompt_tokens,
        "total_tokens": script.prompt_tokens + script.completion_tokens,
        "completion_tokens": script.completion_tokens,
    }
    if shape.vllm:
        counted["prompt_tokens_details"] = None
    if script.thinking:
        counted["completion_tokens_details"] = {"reasoning_tokens": len(script.thinking)}
    return counted


def error_frames(code: str | None, message: str = "Internal server error") -> Iterator[Frame]:
    """vLLM's error in a stream, in Python's spacing, and then still `[DONE]`."""
    number: int | str = int(code) if code and code.isascii() and code.isdigit() else code or 500
    body = {"error": {"message": message, "type": "InternalServerError", "param": None, "code": number}}
    yield Frame(sse(dump(body, spaced=True)))
    yield Frame(b"data: [DONE]\n\n", paced=False)


def texts_of(given: object) -> list[str] | None:
    """The texts to embed: one text, or a list; None for anything else."""
    texts = [given] if isinstance(given, str) else given
    return texts if is_texts(texts) else None


def embeddings(texts: list[str], model: str, dimensions: int, form: str) -> JSON:
    """The list of vectors, as numbers or as base64 of little-endian float32."""
    data: list[JSON] = []
    for index, text in enumerate(texts):
        vector = embed(text, dimensions)
        packed = base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
        value = packed if form == "base64" else vector
        data.append({"object": "embedding", "index": index, "embedding": value})
    tokens = sum(count_tokens(text) for text in texts)
    return {
        "object": "list",
        "data": data,
        "model": model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def models(names: Iterable[str], owner: str) -> JSON:
    """The list of models."""
    found = [{"id": name, "object": "model", "created": 1_744_848_000, "owned_by": owner} for name in names]
    return {"object": "list", "data": found}
