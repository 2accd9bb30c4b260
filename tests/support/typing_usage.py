"""User code over every event class: passes mypy --strict and pyright, and runs (tests/core/test_typing.py).

Nothing here is called for its result; each line states the type that a user may rely on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any, assert_never, assert_type

import hangang
from hangang import a2a, clova, exaone, openai
from hangang.streams import JSONValue


def sse(chunk: bytes) -> None:
    parser = hangang.SSEParser(max_frame_bytes=1024)
    for event in parser.feed(chunk):
        assert_type(event, hangang.ServerSentEvent)
        assert_type(event.event, str)
        assert_type(event.data, str)
        assert_type(event.id, str)
    assert_type(parser.last_event_id, str)
    assert_type(parser.retry, int | None)
    assert_type(parser.pending, int)
    assert_type(parser.close(), list[hangang.ServerSentEvent])


def frames(chunk: bytearray, view: memoryview) -> list[bytes]:
    parser = hangang.JSONStreamParser(max_frame_bytes=1024, max_depth=8)
    assert_type(parser.feed(chunk), list[bytes])
    found = parser.feed(view)
    assert_type(parser.close(), list[bytes])
    return found


def shared(usage: hangang.Usage | None, call: hangang.ToolCallDelta, filtered: hangang.AIFilter) -> None:
    if usage is not None:
        assert_type(usage.prompt_tokens, int | None)
        assert_type(usage.completion_tokens, int | None)
        assert_type(usage.total_tokens, int | None)
        assert_type(usage.thinking_tokens, int | None)
    assert_type(call.index, int | None)
    assert_type(call.id, str | None)
    assert_type(call.type, str | None)
    assert_type(call.name, str | None)
    assert_type(call.partial_json, str | None)
    assert_type(call.arguments, str | None)
    assert_type(filtered.group_name, str | None)
    assert_type(filtered.name, str | None)
    assert_type(filtered.score, str | None)
    assert_type(filtered.result, str | None)


def malformed(event: hangang.Malformed) -> tuple[bytes, int, str]:
    assert_type(event.raw, bytes)
    assert_type(event.error, hangang.ParseError)
    assert_type(event.text, str)
    return event.raw, event.error.offset, str(event.error)


def of_clova(chunk: bytes) -> str:
    parser = clova.StreamParser(max_frame_bytes=1024, max_depth=8, errors="report")
    assert_type(parser.feed_text(chunk), str)
    text = ""
    for event in parser.feed(chunk):
        text += event.text + event.thinking
        assert_type(event.raw, bytes)
        if isinstance(event, clova.Token):
            assert_type(event.role, str | None)
            assert_type(event.tool_calls, tuple[hangang.ToolCallDelta, ...])
            assert_type(event.finish_reason, str | None)
            assert_type(event.index, int | None)
            assert_type(event.input_length, int | None)
            assert_type(event.output_length, int | None)
            assert_type(event.created, int | None)
            assert_type(event.seed, int | None)
            assert_type(event.usage, hangang.Usage | None)
            assert_type(event.id, str)
        elif isinstance(event, clova.Result):
            assert_type(event.content, str)
            assert_type(event.thinking_content, str)
            assert_type(event.ai_filter, tuple[hangang.AIFilter, ...])
            assert_type(event.usage, hangang.Usage | None)
        elif isinstance(event, clova.Signal):
            assert_type(event.data, str)
        elif isinstance(event, clova.Error):
            assert_type(event.code, str | None)
            assert_type(event.message, str)
        elif isinstance(event, clova.Unknown):
            assert_type(event.event, str)
            assert_type(event.data, str)
            assert_type(event.id, str)
        else:
            assert_type(event, hangang.Malformed)
            malformed(event)
    return text


def of_exaone(events: Iterable[exaone.Event]) -> Iterator[str]:
    for event in events:
        match event:
            case exaone.Answer(text, progress_state="answering"):
                yield text
                assert_type(event.query, str)
                assert_type(event.intent, str)
                assert_type(event.references, tuple[dict[str, JSONValue], ...])
                assert_type(event.result_code, int)
                assert_type(event.description, str | None)
            case exaone.Answer():
                pass
            case exaone.Error(code, message):
                assert_type(code, int | None)
                assert_type(message, str)
            case exaone.Unknown(data):
                assert_type(data, str)
            case hangang.Malformed():
                malformed(event)
            case _:
                assert_never(event)


def of_openai(chunk: memoryview) -> None:
    for event in openai.StreamParser().feed(chunk):
        match event:
            case openai.Chunk():
                assert_type(event.text, str)
                assert_type(event.thinking, str)
                assert_type(event.id, str | None)
                assert_type(event.model, str | None)
                assert_type(event.created, int | None)
                assert_type(event.usage, hangang.Usage | None)
                for choice in event.choices:
                    assert_type(choice, openai.Choice)
                    assert_type(choice.index, int)
                    assert_type(choice.text, str)
                    assert_type(choice.tool_calls, tuple[hangang.ToolCallDelta, ...])
                    assert_type(choice.finish_reason, str | None)
            case openai.Done():
                pass
            case openai.Error():
                assert_type(event.code, int | str | None)
                assert_type(event.message, str)
                assert_type(event.type, str | None)
                assert_type(event.param, str | None)
            case openai.Unknown():
                assert_type(event.data, str)
            case hangang.Malformed():
                malformed(event)
            case _:
                assert_never(event)


def of_a2a(chunk: bytes) -> None:
    parser = a2a.StreamParser(end="last_chunk")
    for event in [*parser.feed(chunk), *parser.close()]:
        match event:
            case a2a.Task():
                assert_type(event.id, str | None)
                assert_type(event.context_id, str | None)
                assert_type(event.state, str)
                assert_type(event.content, str)
                assert_type(event.artifacts, tuple[dict[str, JSONValue], ...])
                assert_type(event.history, tuple[dict[str, JSONValue], ...])
                assert_type(event.metadata, dict[str, JSONValue] | None)
            case a2a.Message():
                assert_type(event.role, str | None)
                assert_type(event.message_id, str | None)
                assert_type(event.parts, tuple[dict[str, JSONValue], ...])
            case a2a.StatusUpdate():
                assert_type(event.message, str | None)
                assert_type(event.final, bool)
            case a2a.ArtifactUpdate():
                assert_type(event.artifact_id, str | None)
                assert_type(event.name, str | None)
                assert_type(event.append, bool)
                assert_type(event.last_chunk, bool)
            case a2a.Error():
                assert_type(event.code, int | str | None)
                assert_type(event.data, JSONValue)
            case a2a.Unknown():
                assert_type(event.data, str)
            case hangang.Malformed():
                malformed(event)
            case _:
                assert_never(event)


def driven(chunks: Iterable[bytes]) -> hangang.Completion:
    events = list(hangang.iter_events(chunks, clova.StreamParser()))
    assert_type(events, list[clova.Event])
    completion = hangang.Completion.of(events)
    assert_type(completion, hangang.Completion)
    assert_type(completion.text, str)
    assert_type(completion.refusal, str)
    assert_type(completion.status_message, str | None)
    assert_type(completion.tool_calls, tuple[hangang.ToolCall, ...])
    assert_type(completion.references, tuple[dict[str, JSONValue], ...])
    for call in completion.tool_calls:
        assert_type(call.id, str | None)
        assert_type(call.name, str | None)
        assert_type(call.arguments, str)
        assert_type(call.args, dict[str, JSONValue])
        assert_type(call.index, int | None)
        assert_type(completion.tool_message(call, ""), dict[str, Any])
    assert_type(completion.to_openai("m"), dict[str, Any])
    for chunk in openai.to_chunks(events, model="m", include_usage=True):
        assert_type(chunk, dict[str, Any])
    return completion


def folded(event: clova.Token, calls: hangang.ToolCalls) -> tuple[hangang.ToolCall, ...]:
    assert_type(calls.add(event.tool_calls), list[hangang.ToolCallDelta])
    return calls.calls


async def driven_async(chunks: AsyncIterator[bytes]) -> list[str]:
    async for chunk in openai.to_chunks(hangang.aiter_events(chunks, openai.StreamParser())):
        assert_type(chunk, dict[str, Any])
    return [event.text async for event in hangang.aiter_events(chunks, openai.StreamParser())]


def failed(chunk: bytes) -> str:
    parser = exaone.StreamParser()
    try:
        parser.feed(chunk)
        parser.close()
    except hangang.TruncatedStreamError as error:
        assert_type(error.offset, int)
        return error.text
    except hangang.ParseError as error:
        return str(error)
    except hangang.RateLimitError as error:
        assert_type(error.retry_after, float | None)
        assert_type(error.status, int | None)
        return error.message
    return ""


def made_by_hand() -> clova.Token:
    call = hangang.ToolCallDelta(id="c", name="f", arguments="{}")
    return clova.Token("가", tool_calls=(call,), usage=hangang.Usage(1, 2, 3), id="1")


if __name__ == "__main__":
    sse(b"id: 1\ndata: a\n\n")
    frames(bytearray(b"{}"), memoryview(b"[]"))
    shared(hangang.Usage(), hangang.ToolCallDelta(), hangang.AIFilter())
    of_clova(b'data: {"message":{"content":"a"}}\n\ndata: {"a":trx}\n\ndata: {}\n\n')
    list(of_exaone(exaone.StreamParser().feed(b'{"result_code": 200}{"result_code": 500}{}')))
    of_openai(memoryview(b'data: {"choices":[{}]}\n\ndata: [DONE]\n\ndata: {"error":"x"}\n\ndata: 1\n\n'))
    of_a2a(b'data: {"result":{"message":{}}}\n\ndata: {"result":{"task":{}}}\n\ndata: {"error":"x"}\n\n')
    driven([b'event: result\ndata: {"message":{"content":"a"}}\n\n'])
    failed(b"{")
    folded(made_by_hand(), hangang.ToolCalls())
