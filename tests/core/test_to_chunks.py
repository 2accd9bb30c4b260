"""`openai.to_chunks`: what it sends, put together as clients do it, is what `Completion` makes of the same events."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import pytest
import support
from support import CAPTURES, Implementation

import hangang
from hangang import Completion, ToolCallDelta, Usage, a2a, clova, exaone, openai
from hangang._openai_shape import finish_reason

STREAMS = sorted(
    str(path.relative_to(CAPTURES)) for path in CAPTURES.glob("*/*") if path.parent.name in support.DIALECTS
)


def chunks_of(*events: Any, **options: Any) -> list[dict[str, Any]]:
    return list(openai.to_chunks(events, **options))


def call(**fields: Any) -> tuple[ToolCallDelta, ...]:
    return (ToolCallDelta(**fields),)


class Collected:
    """Chunks put together as OpenAI's clients do: strings of one place are joined, calls go by their index."""

    def __init__(self, chunks: Iterable[dict[str, Any]], choice: int = 0) -> None:
        self.text = self.thinking = self.refusal = ""
        self.calls: list[dict[str, str]] = []
        self.reasons: list[str] = []
        self.roles: list[str] = []
        self.usage: Any = None
        self.error: Any = None
        self.order: list[str] = []
        for chunk in chunks:
            assert self.error is None, "an error is the last dict"
            if "error" in chunk:
                assert list(chunk) == ["error"]
                assert list(chunk["error"]) == ["message", "type", "param", "code"]
                self.error = chunk["error"]
                continue
            assert chunk["object"] == "chat.completion.chunk"
            assert chunk["id"] and isinstance(chunk["created"], int) and isinstance(chunk["model"], str)
            assert len({one["index"] for one in chunk["choices"]}) == len(chunk["choices"])
            self.usage = chunk.get("usage") or self.usage
            for one in chunk["choices"]:
                if one["index"] == choice:
                    self._add(one)

    def _add(self, choice: dict[str, Any]) -> None:
        delta = choice["delta"]
        self.order += [name for name, value in delta.items() if value and name != "role"]
        self.text += delta.get("content") or ""
        self.thinking += delta.get("reasoning_content") or ""
        self.refusal += delta.get("refusal") or ""
        if "role" in delta:
            self.roles.append(delta["role"])
        for one in delta.get("tool_calls", ()):
            if one["index"] == len(self.calls):
                self.calls.append(
                    {"id": one["id"], "type": one["type"], "name": one["function"]["name"], "arguments": ""}
                )
            else:
                assert set(one) == {"index", "function"}, "a call is named once"
            self.calls[one["index"]]["arguments"] += one["function"]["arguments"]
        if choice["finish_reason"] is not None:
            self.reasons.append(choice["finish_reason"])
            self.order.append("finish_reason")


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("size", [7, 1_000_000])
def test_captures(name: str, size: int, impl: Implementation) -> None:
    data = (CAPTURES / name).read_bytes()
    parser = impl.parser(name.partition("/")[0])
    pieces = [data[i : i + size] for i in range(0, len(data), size)]
    raised: hangang.ParseError | None = None
    chunks: list[dict[str, Any]] = []
    try:
        for chunk in openai.to_chunks(hangang.iter_events(pieces, parser), model="m", include_usage=True):
            chunks.append(chunk)
        whole = Completion.of(hangang.iter_events(pieces, impl.parser(name.partition("/")[0])))
    except hangang.ParseError as error:
        raised = error
        whole = error.completion
    json.dumps(chunks, allow_nan=False)
    got = Collected(chunks)
    if raised is not None:
        assert (got.reasons, got.usage) == ([], None) or whole.finish_reason is not None
        return
    assert (got.text, got.thinking, got.refusal) == (whole.text, whole.thinking, whole.refusal)
    assert (got.error is not None) is whole.failed
    if whole.failed:
        assert got.reasons == [] or whole.finish_reason is not None
        return
    assert [(c["name"], json.loads(c["arguments"])) for c in got.calls] == [
        (c.name, c.args) for c in whole.tool_calls
    ]
    wanted = "tool_calls" if whole.tool_calls else "stop"
    assert got.reasons == [finish_reason(whole.finish_reason or wanted)]
    assert got.order[-1] == "finish_reason"
    assert got.roles == ["assistant"]
    assert (got.usage is None) is (whole.usage is None)
    assert {chunk["model"] for chunk in chunks} == {"m"}
    assert len({chunk["id"] for chunk in chunks}) == 1


# --- each dialect


def test_openai_is_passed_on_at_once() -> None:
    def events() -> Iterator[Any]:
        yield openai.Chunk(text="가", id="c-1", model="solar", created=5)
        raise AssertionError("read too far")

    chunks = openai.to_chunks(events())
    assert next(chunks) == {
        "id": "c-1",
        "object": "chat.completion.chunk",
        "created": 5,
        "model": "solar",
        "choices": [
            {
                "index": 0,
                "delta": {"role": "assistant", "content": "가"},
                "logprobs": None,
                "finish_reason": None,
            }
        ],
    }


def test_thinking_comes_as_reasoning_content() -> None:
    first, second, last = chunks_of(
        openai.Chunk(thinking="음"), openai.Chunk(text="답", thinking="더", finish_reason="stop")
    )
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": None, "reasoning_content": "음"}
    assert second["choices"][0]["delta"] == {"content": "답", "reasoning_content": "더"}
    assert (last["choices"][0]["delta"], last["choices"][0]["finish_reason"]) == ({}, "stop")


def test_one_finish_reason() -> None:
    chunks = chunks_of(
        openai.Chunk(tool_calls=call(index=0, id="a", name="f", arguments="{}"), finish_reason="tool_calls"),
        openai.Chunk(finish_reason="stop"),
        openai.Done(),
    )
    assert Collected(chunks).reasons == ["tool_calls"]


@pytest.mark.parametrize(
    ("events", "reasons"),
    [
        ([], []),
        ([openai.Done()], ["stop"]),
        ([openai.Chunk(text="가"), openai.Done()], ["stop"]),
        ([openai.Chunk(tool_calls=call(name="f")), openai.Done()], ["tool_calls"]),
        ([openai.Chunk(usage=Usage(1, 1, 2)), openai.Done()], ["stop"]),
        ([exaone.Answer(text="가")], ["stop"]),
        ([clova.Token(text="가", finish_reason="length"), clova.Result(finish_reason="stop")], ["length"]),
        ([clova.Token(text="가", finish_reason="end_token")], ["stop"]),
        ([clova.Result(content="가")], ["stop"]),
        ([clova.Token(tool_calls=call(id="a", name="f"))], ["tool_calls"]),
        ([a2a.StatusUpdate(state="completed")], ["stop"]),
        ([clova.Unknown(event="x", data="y"), clova.Signal(data="[DONE]"), object()], []),
    ],
)
def test_a_finish_reason_for_every_answer(events: list[Any], reasons: list[str]) -> None:
    assert Collected(chunks_of(*events)).reasons == reasons


def test_every_choice_by_itself() -> None:
    def part(index: int, **fields: Any) -> Any:
        return openai.Choice(index=index, **fields)

    chunks = chunks_of(
        openai.Chunk(text="A", choices=(part(0, text="A"), part(1, text="B"))),
        openai.Chunk(choices=(part(1, finish_reason="length"),)),
        openai.Chunk(choices=(part(1, finish_reason="stop"), part(0, tool_calls=call(name="f")))),
        openai.Done(),
    )
    assert [len(chunk["choices"]) for chunk in chunks[:2]] == [2, 1]
    one, two = Collected(chunks), Collected(chunks, 1)
    assert (one.text, one.reasons, one.roles) == ("A", ["tool_calls"], ["assistant"])
    assert (two.text, two.reasons, two.roles) == ("B", ["length"], ["assistant"])


def test_one_index_twice_in_a_chunk_is_two_chunks() -> None:
    part = openai.Choice(index=0, text="가")
    chunks = chunks_of(openai.Chunk(text="가", choices=(part, part)))
    assert Collected(chunks).text == "가가"


def test_clova_fills_in_before_the_finish_reason() -> None:
    chunks = chunks_of(
        clova.Token(role="assistant", finish_reason="stop"),
        clova.Result(content="전체", thinking_content="생각", usage=Usage(1, 2, 3, 4)),
        include_usage=True,
    )
    got = Collected(chunks)
    assert (got.text, got.thinking) == ("전체", "생각")
    assert got.order == ["content", "reasoning_content", "finish_reason"]
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == {
        "prompt_tokens": 1,
        "completion_tokens": 2,
        "total_tokens": 3,
        "completion_tokens_details": {"reasoning_tokens": 4},
    }
    assert all(chunk["usage"] is None for chunk in chunks[:-1]), "as OpenAI's API does"


def test_clova_calls_are_those_of_the_result() -> None:
    got = Collected(
        chunks_of(
            clova.Token(text="잠깐", tool_calls=call(id="a", type="function", name="f")),
            clova.Token(tool_calls=call(partial_json='{"x"')),
            clova.Result(
                content="잠깐", tool_calls=call(id="a", type="function", name="f", arguments='{"x":1}')
            ),
        )
    )
    assert got.text == "잠깐"
    assert got.calls == [{"id": "a", "type": "function", "name": "f", "arguments": '{"x":1}'}]


def test_usage_only_on_request() -> None:
    events = [openai.Chunk(text="가"), openai.Chunk(usage=Usage(1, 2, None)), openai.Done()]
    assert all("usage" not in chunk for chunk in chunks_of(*events))
    assert Collected(chunks_of(*events, include_usage=True)).usage == {
        "prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3,
    }  # fmt: skip
    assert Collected(chunks_of(exaone.Answer(text="가"), include_usage=True)).usage is None


# --- tool calls


def test_calls_are_numbered_and_named_once() -> None:
    got = Collected(
        chunks_of(
            openai.Chunk(tool_calls=call(index=0, id="a", name="f", arguments='{"x":')),
            openai.Chunk(tool_calls=call(index=0, id="a", name="f", arguments="1}")),
            openai.Chunk(tool_calls=call(index=0, id="b", name="f", arguments="{}")),
            openai.Chunk(finish_reason="tool_calls"),
        )
    )
    assert got.calls == [
        {"id": "a", "type": "function", "name": "f", "arguments": '{"x":1}'},
        {"id": "b", "type": "function", "name": "f", "arguments": "{}"},
    ]


def test_fragments_are_sent_as_they_come() -> None:
    chunks = chunks_of(
        openai.Chunk(tool_calls=call(index=0, id="a", name="f", arguments="")),
        openai.Chunk(tool_calls=call(index=0, arguments='{"x"')),
        openai.Chunk(tool_calls=call(index=0, arguments=":1}")),
    )
    sent = [chunk["choices"][0]["delta"].get("tool_calls") for chunk in chunks]
    assert sent[0] == [
        {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}
    ]
    assert sent[1:3] == [
        [{"index": 0, "function": {"arguments": '{"x"'}}],
        [{"index": 0, "function": {"arguments": ":1}"}}],
    ]


def test_several_fragments_of_one_call_in_a_chunk_are_one_delta() -> None:
    fragments = (
        ToolCallDelta(index=0, id="a", name="f", arguments="{"),
        ToolCallDelta(index=0, arguments='"x":1}'),
    )
    first, *_ = chunks_of(openai.Chunk(tool_calls=fragments))
    assert len(first["choices"][0]["delta"]["tool_calls"]) == 1
    assert Collected(chunks_of(openai.Chunk(tool_calls=fragments))).calls[0]["arguments"] == '{"x":1}'


@pytest.mark.parametrize(
    ("fragments", "wanted"),
    [
        (["{}", '{"x":1}'], '{"x":1}'),
        (["{", "}", ' {"x":1}'], ' {"x":1}'),
        (["{}"], "{}"),
        (["{", "}"], "{}"),
        (["{"], "{"),
        ([""], "{}"),
        ([], "{}"),
        (["{}", " "], "{} "),
    ],
)
def test_an_opening_empty_object_is_held_back(fragments: list[str], wanted: str) -> None:
    """What was sent cannot give way; and a call without arguments has `{}`, which is JSON."""
    first = openai.Chunk(tool_calls=call(index=0, id="a", name="f"))
    rest = [openai.Chunk(tool_calls=call(index=0, arguments=fragment)) for fragment in fragments]
    for last in ([openai.Chunk(finish_reason="tool_calls")], [openai.Done()], []):
        assert Collected(chunks_of(first, *rest, *last)).calls[0]["arguments"] == wanted


def test_a_call_is_sent_with_its_name() -> None:
    """Clients make a call of the first delta; one whose name comes late is held back until then."""
    chunks = chunks_of(
        openai.Chunk(tool_calls=call(index=0, id="a", name="", arguments='{"x"')),
        openai.Chunk(tool_calls=call(index=0, id="a", name="f", arguments=":1}")),
    )
    assert chunks[0]["choices"][0]["delta"]["tool_calls"] == [
        {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}}
    ]
    nameless = Collected(chunks_of(openai.Chunk(tool_calls=call(arguments='{"x":1}')), openai.Done()))
    assert nameless.calls == [{"id": "call_0", "type": "function", "name": "", "arguments": '{"x":1}'}]


def test_calls_without_ids_get_one() -> None:
    events = [openai.Chunk(tool_calls=call(index=0, name=name, arguments='{"q":1}')) for name in "fg"]
    assert [one["id"] for one in Collected(chunks_of(*events)).calls] == ["call_0", "call_1"]
    late = [
        openai.Chunk(tool_calls=call(index=0, name="f")),
        openai.Chunk(tool_calls=call(index=0, id="late")),
    ]
    assert [one["id"] for one in Collected(chunks_of(*late)).calls] == ["call_0"]


def test_calls_after_the_finish_reason_are_not_lost() -> None:
    got = Collected(
        chunks_of(
            openai.Chunk(finish_reason="tool_calls"),
            openai.Chunk(tool_calls=call(index=0, id="a", name="f", arguments="{}")),
            openai.Chunk(text="뒤"),
            openai.Done(),
        )
    )
    assert (got.calls[0]["arguments"], got.text, got.reasons) == ("{}", "뒤", ["tool_calls"])


# --- failures


@pytest.mark.parametrize(
    ("event", "error"),
    [
        (
            openai.Error(code=500, message="m", type="t", param="p"),
            {"message": "m", "type": "t", "param": "p", "code": 500},
        ),
        (
            clova.Error(code="42901", message="m"),
            {"message": "m", "type": None, "param": None, "code": "42901"},
        ),
        (exaone.Error(code=500, message="m"), {"message": "m", "type": None, "param": None, "code": 500}),
        (a2a.Error(code=-32603, message="m"), {"message": "m", "type": None, "param": None, "code": -32603}),
    ],
)
def test_an_error_is_the_last_dict(event: Any, error: dict[str, Any]) -> None:
    module = {"openai": openai.Chunk, "clova": clova.Token, "exaone": exaone.Answer, "a2a": a2a.Message}
    before = module[type(event).__module__.partition(".")[2]](text="가")
    after = [openai.Chunk(text="x", finish_reason="stop"), openai.Done()]
    got = Collected(chunks_of(before, event, *after, include_usage=True))
    assert (got.text, got.error, got.reasons) == ("가", error, [])


@pytest.mark.parametrize("state", ["failed", "rejected", "canceled"])
def test_a_failed_task_does_not_look_successful(state: str) -> None:
    got = Collected(chunks_of(update("가"), a2a.StatusUpdate(state=state, message="quota")))
    assert (got.text, got.error["message"], got.error["code"], got.reasons) == ("가", "quota", state, [])
    assert Collected(chunks_of(a2a.StatusUpdate(state=state))).error["message"] == f"task {state}"


def test_what_the_events_raise_passes_through() -> None:
    def events() -> Iterator[Any]:
        yield openai.Chunk(text="가", finish_reason=None)
        raise hangang.TruncatedStreamError("cut", offset=3)

    seen = []
    with pytest.raises(hangang.TruncatedStreamError):
        for chunk in openai.to_chunks(events(), include_usage=True):
            seen.append(chunk)
    assert (Collected(seen).text, Collected(seen).reasons) == ("가", [])


# --- A2A


def update(text: str, key: str = "a", **fields: Any) -> Any:
    return a2a.ArtifactUpdate(text=text, artifact_id=key, parts=({"text": text},), **fields)


def task(state: str, *texts: str, **fields: Any) -> Any:
    artifacts = tuple([{"artifactId": "abc"[n], "parts": [{"text": text}]} for n, text in enumerate(texts)])
    return a2a.Task(id="t", state=state, artifacts=artifacts, **fields)


@pytest.mark.parametrize(
    ("why", "events", "wanted"),
    [
        ("appended", [update("가"), update("나", append=True)], "가나"),
        ("two artifacts", [update("가"), update("나", "b")], "가나"),
        ("a message", [a2a.Message(text="말")], "말"),
        ("the task repeats what was sent", [update("가"), update("나", append=True), task("completed", "가나")], "가나"),
        ("the task has more", [update("가"), task("completed", "가나")], "가나"),
        ("the task has another artifact", [update("가"), task("completed", "가", "나")], "가나"),
        ("the task alone", [task("completed", "가", "나")], "가나"),
        ("snapshots that grow", [update("가"), update("가나"), update("가나다")], "가나다"),
        ("a snapshot repeated", [update("가나"), update("가나")], "가나"),
        ("the task's content", [a2a.Task(content="전체", state="completed")], "전체"),
        ("the completed status", [a2a.StatusUpdate(state="working", message="음"), a2a.StatusUpdate(state="completed", message="답")], "답"),
        ("artifacts, and a message after them", [update("가"), a2a.Message(text="말")], "가"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a2a_text_is_the_completions(why: str, events: list[Any], wanted: str) -> None:
    got = Collected(chunks_of(*events))
    assert got.text == wanted == Completion.of(events).text, why
    assert got.reasons == ["stop"]


def test_a2a_text_that_was_sent_cannot_be_taken_back() -> None:
    assert Collected(chunks_of(update("가"), update("나"))).text == "가나"
    assert Collected(chunks_of(update("가"), update("나", "b"), update("다", append=True))).text == "가나다"


# --- async


def test_async_iterables() -> None:
    events = [openai.Chunk(text="가", id="c", created=1, finish_reason="stop"), openai.Done()]

    async def source() -> AsyncIterator[Any]:
        for event in events:
            yield event

    async def collect() -> list[dict[str, Any]]:
        return [chunk async for chunk in openai.to_chunks(source(), model="m")]

    assert asyncio.run(collect()) == chunks_of(*events, model="m")

    async def failing() -> list[dict[str, Any]]:
        async def broken() -> AsyncIterator[Any]:
            yield openai.Error(message="m")
            raise AssertionError("read too far")

        return [chunk async for chunk in openai.to_chunks(broken())]

    assert [list(chunk) for chunk in asyncio.run(failing())] == [["error"]]


# --- the openai SDK


def test_the_openai_sdk_reads_every_chunk() -> None:
    types = pytest.importorskip("openai.types.chat")
    for name in STREAMS:
        parser: Any = support.implementation("pure").parser(name.partition("/")[0])
        try:
            events = parser.feed((CAPTURES / name).read_bytes()) + parser.close()
        except hangang.ParseError:
            continue
        for chunk in chunks_of(*events, include_usage=True):
            if "error" not in chunk:
                types.ChatCompletionChunk.model_validate(chunk)


def test_any_stream_agrees_with_completion() -> None:
    """Random deltas of choices 0 and 1: choice 0 is what `Completion` says, whatever is beside it."""
    rng = random.Random(7)

    def delta() -> dict[str, Any]:
        fragment = rng.choice(["", " ", "{}", '{"x":1}', '{"y":', "2}"])
        known = {"index": rng.choice([0, 0, 1]), "function": {"arguments": fragment}}
        named = {
            "index": rng.choice([0, 0, 1, None]),
            "id": rng.choice(["a", "b", "", None]),
            "function": {"name": rng.choice(["f", "f", "g", ""]), "arguments": fragment},
        }
        return rng.choice(
            [
                {"content": rng.choice(["가", "", "나"])},
                {"reasoning_content": "음"},
                {"tool_calls": [known]},
                {"tool_calls": [named]},
                {"tool_calls": [named, known]},
            ]
        )

    for _ in range(500):
        frames = [
            [{"index": index, "delta": delta()} for index in rng.sample([0, 1], rng.randrange(3))]
            for _ in range(rng.randrange(1, 12))
        ]
        frames += [
            [{"index": rng.randrange(2), "finish_reason": rng.choice(["stop", "length"])}] for _ in range(3)
        ]
        wire = b"".join(b"data: %s\n\n" % json.dumps({"choices": choices}).encode() for choices in frames)
        events = openai.StreamParser().feed(wire)
        whole = Completion.of(events)
        got = Collected(chunks_of(*events, openai.Done()))
        assert (got.text, got.thinking) == (whole.text, whole.thinking)
        # A call is sent when it has a name, so one whose name is late comes after others.
        assert sorted((c["name"], c["arguments"]) for c in got.calls) == sorted(
            (c.name or "", c.arguments or "{}") for c in whole.tool_calls
        )
        if whole.finish_reason is not None:
            assert got.reasons == [whole.finish_reason]


def test_any_clova_stream_agrees_with_completion() -> None:
    rng = random.Random(8)

    def event() -> Any:
        text = {name: rng.choice(["", "", "가", "나\n"]) for name in ("text", "thinking")}
        calls = [
            ToolCallDelta(id=f"id{rng.randrange(2)}", type="function", name=rng.choice("fg")),
            ToolCallDelta(type="function", partial_json=rng.choice(["{}", '{"x":', "1}"])),
        ]
        deltas = tuple(rng.sample(calls, rng.choice([0, 0, 1, 2])))
        return clova.Token(**text, tool_calls=deltas, finish_reason=rng.choice([None, None, "stop"]))

    for _ in range(300):
        events = [event() for _ in range(rng.randrange(6))]
        if rng.random() < 0.7:
            whole_call = call(id="r", type="function", name="h", arguments='{"y":2}')
            events.append(
                clova.Result(
                    content=rng.choice(["", "전체"]),
                    thinking_content=rng.choice(["", "생각"]),
                    tool_calls=rng.choice([(), whole_call]),
                    usage=rng.choice([None, Usage(1, 2, 3)]),
                    finish_reason="length",
                )
            )
        whole = Completion.of(events)
        got = Collected(chunks_of(*events, include_usage=True))
        assert (got.text, got.thinking) == (whole.text, whole.thinking)
        assert got.calls == [
            {
                "id": c.id or f"call_{c.index}",
                "type": c.type or "function",
                "name": c.name or "",
                "arguments": c.arguments or "{}",
            }
            for c in whole.tool_calls
        ]
        assert got.reasons == (
            [whole.finish_reason or ("tool_calls" if got.calls else "stop")] if events else []
        )
        assert (got.usage is None) is (whole.usage is None)
        assert not got.order or got.order[-1] == "finish_reason"
