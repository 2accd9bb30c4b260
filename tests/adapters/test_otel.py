"""`hangang.otel` with the exporters of OpenTelemetry's SDK: names, times, failures, and nothing when it is off."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("opentelemetry.sdk", reason="the OpenTelemetry SDK is not installed (extra dev)")
pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

import support
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from transports import KEY, Answer, Script

import hangang
from hangang import clova, exaone, gov, openai, otel
from hangang._client import observer, retry
from hangang.emulator import run_in_thread

QUESTION = "비밀질문 about the river"  # must be in no attribute
SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)
DURATION = "gen_ai.client.operation.duration"
FIRST = "gen_ai.client.operation.time_to_first_chunk"
EACH = "gen_ai.client.operation.time_per_output_chunk"
USAGE = "gen_ai.client.token.usage"


class Recorded:
    """What was exported so far."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.tracer_provider = TracerProvider()
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self._reader = InMemoryMetricReader()
        self.meter_provider = MeterProvider([self._reader])

    @property
    def spans(self) -> list[Any]:
        return list(self._exporter.get_finished_spans())

    @property
    def span(self) -> Any:
        (span,) = self.spans
        return span

    @property
    def metrics(self) -> dict[str, list[Any]]:
        """The data points by the name of their metric."""
        data = self._reader.get_metrics_data()
        found: dict[str, list[Any]] = {}
        for resource in data.resource_metrics if data is not None else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    found.setdefault(metric.name, []).extend(metric.data.data_points)
        return found


@pytest.fixture
def recorded() -> Iterator[Recorded]:
    recorded = Recorded()
    otel.instrument(recorded.tracer_provider, recorded.meter_provider)
    yield recorded
    otel.uninstrument()
    assert observer._current is None


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(retry, "JITTER", 0.001)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with run_in_thread() as emulator:
        yield emulator.url


MODULES: dict[str, Any] = {"clova": clova, "exaone": exaone, "gov": gov, "openai": openai}


def client(service: str, url: str, *, is_async: bool = False, **options: Any) -> Any:
    base_url = f"{url}/v1/openai" if service == "openai" else url
    cls = MODULES[service].AsyncClient if is_async else MODULES[service].Client
    return cls(KEY, base_url=base_url, **options)


def faults(**values: Any) -> dict[str, dict[str, str]]:
    """The emulator's controls as an option of a call."""
    return {
        "extra_headers": {f"x-hangang-{name.replace('_', '-')}": str(value) for name, value in values.items()}
    }


#: (service, arguments of `chat` and `stream`, options, model in the span)
CHATS: dict[str, tuple[str, tuple[Any, ...], dict[str, Any], str | None]] = {
    "clova-v3": ("clova", ("HCX-007", QUESTION), {"temperature": 0.5, "top_p": 1, "max_completion_tokens": 900}, "HCX-007"),
    "clova-v1": ("clova", ("HCX-003", QUESTION), {"seed": 7, "max_tokens": 100}, "HCX-003"),
    "exaone": ("exaone", (QUESTION,), {"temperature": 0.5}, None),
    "exaone-model": ("exaone", (QUESTION,), {"model": "32b"}, "32b"),
    "gov": ("gov", ("HCX-GOV", QUESTION), {}, "HCX-GOV"),
    "openai": ("openai", ("HCX-005", QUESTION), {"top_k": 5, "top_p": 0.9}, "HCX-005"),
}  # fmt: skip


def ask(service: str, url: str, method: str, how: str, *arguments: Any, **options: Any) -> Any:
    """A whole answer, by blocking or awaiting; the method may be below an attribute: `agents.send`."""

    def chosen(client: Any) -> Any:
        for name in method.split("."):
            client = getattr(client, name)
        return client(*arguments, **options)

    if how == "blocking":
        with client(service, url) as blocking:
            answer = chosen(blocking)
            return answer.read() if hasattr(answer, "read") else answer

    async def awaited() -> Any:
        async with client(service, url, is_async=True) as awaiting:
            answer = chosen(awaiting)
            return await (answer.read() if hasattr(answer, "read") else answer)

    return asyncio.run(awaited())


@pytest.mark.parametrize("how", ["blocking", "awaited"])
@pytest.mark.parametrize("method", ["chat", "stream"])
@pytest.mark.parametrize("name", CHATS)
def test_chats(recorded: Recorded, url: str, name: str, method: str, how: str) -> None:
    service, arguments, options, model = CHATS[name]
    completion = ask(service, url, method, how, *arguments, **options)
    span = recorded.span
    assert span.name == ("chat" if model is None else f"chat {model}")
    assert span.kind is SpanKind.CLIENT
    assert span.status.status_code is StatusCode.UNSET
    found = dict(span.attributes)
    common: dict[str, Any] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": service,
        "server.address": "127.0.0.1",
        "server.port": int(url.rpartition(":")[2]),
        **({} if model is None else {"gen_ai.request.model": model}),
    }
    assert common.items() <= found.items()
    assert found["hangang.attempts"] == 1
    assert found["hangang.closed_early"] is False
    assert "error.type" not in found
    assert found.get("gen_ai.request.stream") is (True if method == "stream" else None)
    if completion.finish_reason:
        assert found["gen_ai.response.finish_reasons"] == (completion.finish_reason,)
    if completion.usage is not None:
        assert found["gen_ai.usage.input_tokens"] == completion.usage.prompt_tokens
        assert found["gen_ai.usage.output_tokens"] == completion.usage.completion_tokens
    if completion.dialect == "openai":
        assert found["gen_ai.response.model"] == model
        assert found["gen_ai.response.id"]
        common["gen_ai.response.model"] = model

    metrics = recorded.metrics
    (duration,) = metrics[DURATION]
    assert (dict(duration.attributes), duration.count, duration.explicit_bounds) == (common, 1, SECONDS)
    assert duration.sum > 0
    if method == "stream":
        (first,) = metrics[FIRST]
        assert (dict(first.attributes), first.count, first.explicit_bounds) == (common, 1, SECONDS)
        assert first.sum == found["gen_ai.response.time_to_first_chunk"] > 0
        for each in metrics.get(EACH, []):  # none if the whole answer arrived in one chunk
            assert (dict(each.attributes), each.explicit_bounds) == (common, SECONDS)
    else:
        assert FIRST not in metrics
        assert EACH not in metrics
        assert "gen_ai.response.time_to_first_chunk" not in found
    if completion.usage is None:
        assert USAGE not in metrics
    else:
        points = {point.attributes["gen_ai.token.type"]: point for point in metrics[USAGE]}
        assert points["input"].sum == completion.usage.prompt_tokens
        assert points["output"].sum == completion.usage.completion_tokens
        assert dict(points["input"].attributes) == {**common, "gen_ai.token.type": "input"}
        assert points["input"].explicit_bounds == TOKENS


@pytest.mark.parametrize(
    ("how", "library"),
    [("blocking", "httpx2"), ("blocking", "urllib3"), ("awaited", "httpx2"), ("awaited", "aiohttp")],
)
def test_the_http_library_does_not_matter(
    recorded: Recorded, url: str, how: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(library, reason=f"{library} is not installed (extra dev)")
    monkeypatch.setenv("HANGANG_HTTP_CLIENT", library)
    ask("clova", url, "stream", how, "HCX-005", QUESTION)
    with pytest.raises(hangang.InterruptedStreamError):
        ask("clova", url, "stream", how, "HCX-005", QUESTION, **faults(cut="3e"))
    whole, cut = recorded.spans
    assert whole.name == cut.name == "chat HCX-005"
    assert "error.type" not in whole.attributes
    assert cut.attributes["error.type"] == "InterruptedStreamError"
    assert whole.attributes["server.port"] == int(url.rpartition(":")[2])


def test_on_trio(recorded: Recorded, url: str) -> None:
    trio = pytest.importorskip("trio", reason="trio is not installed (extra dev)")

    async def main() -> None:
        async with client("clova", url, is_async=True) as made:
            await made.stream("HCX-005", QUESTION).read()
            with trio.move_on_after(0.3):
                await made.stream("HCX-005", QUESTION, **faults(stall="2e")).read()

    trio.run(main)
    whole, cancelled = recorded.spans
    assert "error.type" not in whole.attributes
    assert cancelled.attributes["error.type"] == "Cancelled"


def test_settings_of_the_request(recorded: Recorded, url: str) -> None:
    for name in ("clova-v3", "clova-v1", "openai"):
        service, arguments, options, _ = CHATS[name]
        ask(service, url, "chat", "blocking", *arguments, **options)
    v3, v1, compatible = [dict(span.attributes) for span in recorded.spans]
    assert v3["gen_ai.request.temperature"] == 0.5
    assert (v3["gen_ai.request.top_p"], type(v3["gen_ai.request.top_p"])) == (1.0, float)
    assert v3["gen_ai.request.max_tokens"] == 900
    assert (v1["gen_ai.request.seed"], v1["gen_ai.request.max_tokens"]) == (7, 100)
    assert type(v1["gen_ai.request.seed"]) is int
    assert (compatible["gen_ai.request.top_k"], compatible["gen_ai.request.top_p"]) == (5.0, 0.9)


def test_several_choices(recorded: Recorded) -> None:
    choices = [{"index": i, "message": {"content": "a"}, "finish_reason": "stop"} for i in range(3)]
    body = json.dumps({"id": "1", "model": "m-2", "choices": choices}).encode()
    script = Script([Answer(body, headers={"content-type": "application/json"})])
    with openai.Client(
        KEY, base_url="http://test/v1", http_client=script.client(), allow_insecure=True
    ) as made:
        made.chat("m", QUESTION, n=3, stop=[QUESTION])
    assert recorded.span.attributes["gen_ai.request.choice.count"] == 3
    assert recorded.span.attributes["gen_ai.request.model"] == "m"
    assert recorded.span.attributes["gen_ai.response.model"] == "m-2"
    assert recorded.span.attributes["server.address"] == "test"
    assert recorded.span.attributes["server.port"] == 80
    assert QUESTION not in recorded.span.to_json()


@pytest.mark.parametrize("how", ["blocking", "awaited"])
@pytest.mark.parametrize("method", ["agents.send", "agents.stream"])
def test_agents(recorded: Recorded, url: str, method: str, how: str) -> None:
    completion = ask("gov", url, method, how, "agent-7", QUESTION, team_id=1)
    span = recorded.span
    assert (span.name, span.kind) == ("invoke_agent", SpanKind.CLIENT)
    found = dict(span.attributes)
    assert found["gen_ai.operation.name"] == "invoke_agent"
    assert found["gen_ai.provider.name"] == "gov"
    assert found["gen_ai.agent.id"] == "agent-7"
    assert found["gen_ai.response.id"] == completion.task_id
    assert found["gen_ai.conversation.id"] == str(completion.chat_session_id or completion.context_id)
    assert found["hangang.task.state"] == completion.state == "completed"
    assert "gen_ai.request.model" not in found
    assert (FIRST in recorded.metrics) == (method == "agents.stream")


@pytest.mark.parametrize("how", ["blocking", "awaited"])
@pytest.mark.parametrize(
    ("service", "method", "arguments", "options"),
    [
        ("openai", "embeddings", (QUESTION,), {"model": "bge-m3"}),
        ("clova", "openai.embeddings", (QUESTION,), {"model": "bge-m3"}),
        ("clova", "embedding", (QUESTION,), {}),
        ("gov", "tools.embeddings", (QUESTION,), {}),
    ],
)
def test_embeddings(
    recorded: Recorded, url: str, service: str, method: str, arguments: Any, options: Any, how: str
) -> None:
    response = ask(service, url, method, how, *arguments, **options)
    span = recorded.span
    found = dict(span.attributes)
    assert span.name == ("embeddings" if method == "embedding" else "embeddings bge-m3")
    assert found["gen_ai.operation.name"] == "embeddings"
    assert found["gen_ai.provider.name"] == service
    if method == "embedding":
        assert found["gen_ai.usage.input_tokens"] == response["inputTokens"]
        assert found["gen_ai.embeddings.dimension.count"] == 1024
    else:
        assert found["gen_ai.response.model"] == response["model"]
        assert found["gen_ai.usage.input_tokens"] == response["usage"]["prompt_tokens"]
    assert set(recorded.metrics) == {DURATION, USAGE}
    assert {point.attributes["gen_ai.token.type"] for point in recorded.metrics[USAGE]} == {"input"}


def test_other_calls_are_not_recorded(recorded: Recorded, url: str) -> None:
    with client("clova", url) as made:
        made.count_embedding_tokens(QUESTION)
        made.openai.models()
    with client("exaone", url) as made:
        made.files.list()
    assert (recorded.spans, recorded.metrics) == ([], {})


#: Controls, the class of the error, and the HTTP status in the span (None: there was none).
FAILURES: dict[str, tuple[dict[str, Any], type[Exception], int | None]] = {
    "refused": ({"status": 401}, hangang.AuthenticationError, 401),
    "rate limit": ({"status": 429, "retry_after": 99}, hangang.RateLimitError, 429),
    "cut": ({"cut": "3e"}, hangang.InterruptedStreamError, 200),
    "truncated": ({"truncate": "3e"}, hangang.TruncatedStreamError, None),
    "stalled": ({"stall": "3e"}, hangang.StalledStreamError, 200),
    "malformed": ({"malformed": 3}, hangang.InvalidJSONError, None),
    "error event": ({"error": "3,50000"}, hangang.StreamError, 500),
}


@pytest.mark.parametrize("how", ["blocking", "awaited"])
@pytest.mark.parametrize("name", FAILURES)
def test_failures(recorded: Recorded, url: str, name: str, how: str) -> None:
    controls, error, status = FAILURES[name]
    with pytest.raises(error) as raised:
        ask(
            "clova",
            url,
            "stream",
            how,
            "HCX-005",
            QUESTION,
            stall_timeout=0.3,
            max_retries=0,
            **faults(**controls),
        )
    assert type(raised.value) is error
    span = recorded.span
    assert (span.status.status_code, span.status.description, span.events) == (StatusCode.ERROR, None, ())
    assert span.attributes["error.type"] == error.__name__
    assert span.attributes.get("http.response.status_code") == status
    assert span.attributes["hangang.closed_early"] is False
    (duration,) = recorded.metrics[DURATION]
    assert duration.attributes["error.type"] == error.__name__
    assert (FIRST in recorded.metrics) == (name not in ("refused", "rate limit"))
    for point in recorded.metrics.get(FIRST, []) + recorded.metrics.get(EACH, []):
        assert "error.type" not in point.attributes


@pytest.mark.parametrize("how", ["blocking", "awaited"])
def test_failed_embeddings(recorded: Recorded, url: str, how: str) -> None:
    options = {"model": "bge-m3", "max_retries": 0, **faults(status=500)}
    with pytest.raises(hangang.ServerError):
        ask("openai", url, "embeddings", how, QUESTION, **options)
    assert recorded.span.attributes["error.type"] == "ServerError"
    assert recorded.span.attributes["http.response.status_code"] == 500
    assert trace.get_current_span() is trace.INVALID_SPAN


@pytest.mark.parametrize("how", ["blocking", "awaited"])
def test_no_server(recorded: Recorded, how: str) -> None:
    with pytest.raises(hangang.APIConnectionError):
        ask("clova", "http://127.0.0.1:9", "chat", how, "HCX-005", QUESTION, max_retries=1)
    assert recorded.span.attributes["error.type"] == "APIConnectionError"
    assert recorded.span.attributes["hangang.attempts"] == 2
    assert "http.response.status_code" not in recorded.span.attributes
    assert trace.get_current_span() is trace.INVALID_SPAN


@pytest.mark.parametrize("how", ["blocking", "awaited"])
@pytest.mark.parametrize("controls", [{"status": 500}, {"error": "0,50000"}, {"cut": "0e"}], ids=str)
def test_retries_are_one_span(recorded: Recorded, url: str, controls: dict[str, Any], how: str) -> None:
    tag = f"otel-{how}-{controls}"
    ask("clova", url, "stream", how, "HCX-005", QUESTION, **faults(times=2, tag=tag, **controls))
    span = recorded.span
    assert span.attributes["hangang.attempts"] == 3
    assert "error.type" not in span.attributes
    assert [point.count for point in recorded.metrics[DURATION]] == [1]
    assert [point.count for point in recorded.metrics[FIRST]] == [1]


def test_times_begin_with_the_answer_that_is_delivered() -> None:
    """An error event that is retried is an arrival in `Metrics`, and none of the answer's chunks."""
    recorded = Recorded()
    otel.instrument(recorded.tracer_provider, recorded.meter_provider)
    error = b'event:error\ndata:{"status":{"code":"50000","message":"m"}}\n\n'
    chunk = b'event:token\ndata:{"message":{"content":"a"}}\n\n'
    result = b'event:result\ndata:{"message":{"content":"aa"},"finishReason":"stop"}\n\n'
    script = Script([Answer(error), Answer([chunk, chunk, result])])
    try:
        with clova.Client(KEY, http_client=script.client()) as made:
            made.stream("HCX-005", QUESTION).read()
    finally:
        otel.uninstrument()
    assert [point.count for point in recorded.metrics[EACH]] == [2]


def test_a_long_stream_records_every_chunk(recorded: Recorded) -> None:
    """More chunks than may wait: they reach the histogram in several lots."""
    chunk = b'event:token\ndata:{"message":{"content":"%s"}}\n\n' % (b"a" * 200)
    result = b'event:result\ndata:{"message":{"content":"a"},"finishReason":"stop"}\n\n'
    script = Script([Answer([*([chunk] * 2000), result])])
    with clova.Client(KEY, http_client=script.client()) as made:
        stream = made.stream("HCX-005", QUESTION)
        stream.read()
    (each,) = recorded.metrics[EACH]
    assert each.count == 2000 == stream.metrics.gaps.count
    assert each.sum == pytest.approx(stream.metrics.gaps.mean * 2000)


def test_the_time_of_each_chunk_can_be_left_out() -> None:
    recorded = Recorded()
    otel.instrument(recorded.tracer_provider, recorded.meter_provider, time_per_chunk=False)
    chunk = b'event:token\ndata:{"message":{"content":"a"}}\n\n'
    result = b'event:result\ndata:{"message":{"content":"a"},"finishReason":"stop"}\n\n'
    try:
        with clova.Client(KEY, http_client=Script([Answer([chunk, result])]).client()) as made:
            made.stream("HCX-005", QUESTION).read()
    finally:
        otel.uninstrument()
    assert set(recorded.metrics) == {DURATION, FIRST}


@pytest.mark.parametrize("leave", ["break", "raise", "block", "close", "next"])
def test_a_stream_that_the_caller_leaves_is_no_error(recorded: Recorded, url: str, leave: str) -> None:
    with client("clova", url) as made:
        stream = made.stream("HCX-005", QUESTION)
        if leave == "break":
            for _ in stream:
                break
        elif leave == "raise":  # the loop closes the stream before the block sees the error
            with pytest.raises(ZeroDivisionError), stream:
                for _ in stream:
                    _ = 1 / 0
        elif leave == "block":
            with stream:
                next(stream)
        else:
            next(stream)
            assert recorded.spans == []
            if leave == "next":
                del stream
                gc.collect()
            else:
                stream.close()
    span = recorded.span
    assert span.attributes["hangang.closed_early"] is True
    assert "error.type" not in span.attributes
    assert span.status.status_code is StatusCode.UNSET


def test_an_error_of_the_callers_block_is_named(recorded: Recorded, url: str) -> None:
    with client("clova", url) as made, pytest.raises(ZeroDivisionError), made.stream("HCX-005", QUESTION):
        _ = 1 / 0
    assert recorded.span.attributes["error.type"] == "ZeroDivisionError"
    with client("clova", url) as made:
        try:
            raise KeyError(1)
        except KeyError:  # not an error of the stream that is left here
            with made.stream("HCX-005", QUESTION) as stream:
                next(stream)
    assert "error.type" not in recorded.spans[-1].attributes


@pytest.mark.parametrize("place", ["head", "first event", "later"])
def test_cancelled(recorded: Recorded, url: str, place: str) -> None:
    async def cancelled() -> None:
        controls = {"head": {"delay": 30}, "first event": {"stall": "0e"}, "later": {"stall": "2e"}}[place]
        async with client("clova", url, is_async=True) as made:
            reached = asyncio.Event()

            async def reading() -> None:
                async for _ in made.stream("HCX-005", QUESTION, **faults(**controls)):
                    reached.set()

            task = asyncio.create_task(reading())
            await (reached.wait() if place == "later" else asyncio.sleep(0.2))
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(cancelled())
    span = recorded.span
    assert span.attributes["error.type"] == "CancelledError"
    assert span.status.status_code is StatusCode.ERROR


def test_a_cancelled_scope_of_anyio_still_ends_the_span(recorded: Recorded, url: str) -> None:
    """There every await of the clean-up is cancelled too."""
    import anyio

    async def main() -> None:
        async with client("clova", url, is_async=True) as made:
            with anyio.move_on_after(0.3):
                async with made.stream("HCX-005", QUESTION, **faults(stall="2e")) as stream:
                    async for _ in stream:
                        pass

    asyncio.run(main())
    assert recorded.span.attributes["error.type"] == "CancelledError"


def test_a_failed_task_is_an_error(recorded: Recorded) -> None:
    task = {"id": "t", "contextId": "c", "status": {"state": "failed"}, "kind": "task"}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "result": task}).encode()
    script = Script([Answer(body, headers={"content-type": "application/json"})])
    with gov.Client(KEY, http_client=script.client(), agent_profile="0.3") as made:
        assert made.agents.send(None, QUESTION).failed
    assert recorded.span.attributes["error.type"] == "failed"
    assert recorded.span.attributes["gen_ai.conversation.id"] == "c"
    assert "gen_ai.agent.id" not in recorded.span.attributes


def test_no_content(recorded: Recorded) -> None:
    """Not in attributes, events, names or descriptions; also not where a service repeats it in an error."""
    secret = "주민번호"
    token = {"message": {"content": secret, "thinkingContent": secret, "role": "assistant"}}
    call = {"id": "1", "type": "function", "function": {"name": secret, "arguments": {secret: secret}}}
    result = {"message": {"content": secret, "toolCalls": [call]}, "finishReason": "stop"}
    failed = {"status": {"code": "40003", "message": secret}}
    answers = [
        Answer(
            f"event:token\ndata:{json.dumps(token)}\n\nevent:result\ndata:{json.dumps(result)}\n\n".encode()
        ),
        Answer(
            f"event:token\ndata:{json.dumps(token)}\n\nevent:error\ndata:{json.dumps(failed)}\n\n".encode()
        ),
        Answer(json.dumps(failed).encode(), status=400, headers={"content-type": "application/json"}),
    ]
    messages = [{"role": "system", "content": secret}, {"role": "user", "content": secret}]
    tools = [{"type": "function", "function": {"name": secret, "description": secret, "parameters": {}}}]
    with clova.Client(KEY, http_client=Script(answers).client(), max_retries=0) as made:
        made.stream("HCX-005", messages, tools=tools, stop=[secret], max_tokens=1024).read()
        for _ in range(2):
            with pytest.raises(hangang.APIError, match=secret):
                made.stream("HCX-005", messages, request_id="of-the-caller").read()
    for span in recorded.spans:
        exported = json.dumps(json.loads(span.to_json()), ensure_ascii=False)
        assert secret not in exported
        assert KEY not in exported
    points = [point for points in recorded.metrics.values() for point in points]
    assert all(secret not in str(point.attributes) for point in points)
    assert len(recorded.spans) == 3


def test_the_span_is_current_while_the_request_is_made(recorded: Recorded) -> None:
    """So that spans of an instrumented HTTP library are its children; and only then."""
    seen: list[Any] = []
    chunk = b'event:result\ndata:{"message":{"content":"a"},"finishReason":"stop"}\n\n'
    script = Script([Answer(chunk)])

    def answer(request: Any) -> Any:
        seen.append(trace.get_current_span().get_span_context().span_id)
        return script._answer(request)

    tracer = recorded.tracer_provider.get_tracer("test")
    with (
        script.library.Client(transport=script.library.MockTransport(answer)) as http,
        clova.Client(KEY, http_client=http) as made,
        tracer.start_as_current_span("parent") as parent,
        made.stream("HCX-005", QUESTION) as stream,
    ):
        assert trace.get_current_span() is parent
        stream.read()
        assert trace.get_current_span() is parent
    inner, outer = recorded.spans
    assert seen == [inner.context.span_id]
    assert inner.parent.span_id == outer.context.span_id


def test_a_sampler_sees_the_names(url: str) -> None:
    from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult

    seen: list[Any] = []

    class Refuses(Sampler):
        def should_sample(self, *arguments: Any, **named: Any) -> SamplingResult:
            seen.append(named["attributes"] if "attributes" in named else arguments[4])
            return SamplingResult(Decision.DROP)

        def get_description(self) -> str:
            return "refuses"

    recorded = Recorded()
    otel.instrument(TracerProvider(sampler=Refuses()), recorded.meter_provider)
    try:
        ask("clova", url, "chat", "blocking", "HCX-005", QUESTION)
    finally:
        otel.uninstrument()
    assert seen[0]["gen_ai.request.model"] == "HCX-005"
    assert {"gen_ai.operation.name", "gen_ai.provider.name", "server.address", "server.port"} <= set(seen[0])
    assert [point.count for point in recorded.metrics[DURATION]] == [1]  # metrics do not depend on sampling


def test_there_and_back(url: str) -> None:
    first, second = Recorded(), Recorded()
    with client("clova", url) as made:
        otel.instrument(first.tracer_provider, first.meter_provider)
        begun = made.stream("HCX-005", QUESTION).open()
        otel.instrument(second.tracer_provider, second.meter_provider)
        made.chat("HCX-005", QUESTION)
        otel.uninstrument()
        made.chat("HCX-005", QUESTION)
        otel.uninstrument()
        begun.read()
    assert (len(first.spans), len(second.spans)) == (1, 1)


def test_what_is_no_provider_is_refused(recorded: Recorded, url: str) -> None:
    """And the providers from before stay in use."""
    provider = recorded.tracer_provider
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"tracer_provider": "x"}, "tracer_provider must be a TracerProvider of OpenTelemetry, not str"),
        ({"tracer_provider": type(provider)}, "tracer_provider must be .*, not the class TracerProvider"),
        ({"tracer_provider": provider.get_tracer("a")}, "tracer_provider must be .*, not Tracer"),
        ({"meter_provider": provider}, "meter_provider must be a MeterProvider .*, not TracerProvider"),
    ]
    for arguments, words in wrong:
        with pytest.raises(TypeError, match=words):
            otel.instrument(**arguments)
    ask("clova", url, "chat", "blocking", "HCX-005", QUESTION)
    assert len(recorded.spans) == 1


def test_the_global_providers_are_the_default(url: str, caplog: pytest.LogCaptureFixture) -> None:
    """Without an SDK they do nothing, and nothing is logged."""
    otel.instrument()
    try:
        with caplog.at_level(logging.WARNING):
            ask("clova", url, "stream", "awaited", "HCX-005", QUESTION)
    finally:
        otel.uninstrument()
    assert caplog.records == []


def test_nothing_runs_for_an_event() -> None:
    """The calls of Python functions for one more event are the same with an observer as without."""

    def calls(count: int) -> int:
        chunk = b'event:token\ndata:{"message":{"content":"a"}}\n\n'
        result = b'event:result\ndata:{"message":{"content":"a"},"finishReason":"stop"}\n\n'
        script = Script([Answer([*([chunk] * count), result])])
        seen = 0

        def profile(frame: Any, event: str, argument: Any) -> None:
            nonlocal seen
            seen += event == "call"

        with (
            clova.Client(KEY, http_client=script.client()) as made,
            made.stream("HCX-005", QUESTION) as stream,
        ):
            gc.collect()
            gc.disable()  # the finalizers of other tests' objects would be counted
            sys.setprofile(profile)
            try:
                for _ in stream:
                    pass
            finally:
                sys.setprofile(None)
                gc.enable()
        return seen

    class Counts:
        opened = ended = lambda *_, **__: None
        begun = 0

        def begin(self, *_: Any) -> Any:
            self.begun += 1
            return self

    counts = Counts()
    differences = []
    for observing in (None, counts):
        observer.observe(observing)
        try:
            calls(100)  # what is imported, compiled or cached at the first call
            differences.append(calls(100) - calls(50))
        finally:
            observer.observe(None)
    without, observed = differences
    assert observed == without
    assert counts.begun == 3
    assert without >= 50  # calls were counted


def run(code: str) -> subprocess.CompletedProcess[str]:
    environ = {"PYTHONPATH": str(support.REPO / "python"), "PATH": ""}
    return subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=False
    )


def test_it_is_imported_with_nothing() -> None:
    code = (
        "import hangang, sys; hangang.otel; "
        "print([name for name in sys.modules if name.startswith(('opentelemetry', 'httpx', 'httpcore', 'anyio', 'tenacity'))])"
    )
    done = run(code)
    assert done.stdout.strip() == "[]", done.stderr


def test_a_missing_extra_is_named() -> None:
    code = "import sys; sys.modules['opentelemetry.trace'] = None; import hangang; hangang.otel.instrument()"
    done = run(code)
    assert "ImportError: hangang.otel needs opentelemetry-api: pip install 'hangang[otel]'" in done.stderr
