"""OpenTelemetry for the clients: a span for each answer, and the GenAI metrics. Extra: `hangang[otel]`.

    hangang.otel.instrument()

What always holds:
- One span an answer, of kind client, from the request to the last event or the close, retries included.
- Names are those of OpenTelemetry's conventions for generative AI, which are still in development; what
  they have no name for begins with `hangang.`.
- No content: no messages, no answer, no tool arguments, no stop sequences. Trap: the message of an
  exception can repeat what the user wrote, so a span has the class of an error, never its text, and no
  exception event.
- Nothing is imported from `opentelemetry` before `instrument` is called.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from hangang._client import observer
from hangang._client.request import Call
from hangang._client.response import Response
from hangang._completion import Completion
from hangang._metrics import Metrics
from hangang._values import is_list, is_object
from hangang._version import __version__

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

__all__ = ["instrument", "uninstrument"]

# Bounds of buckets, from the conventions. A view of the SDK replaces them.
_SECONDS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]
_TOKENS = [4**power for power in range(14)]

#: Members of request bodies, in all the services' spellings, as attributes. Only numbers are recorded.
_REQUEST = {
    "temperature": "gen_ai.request.temperature",
    "topP": "gen_ai.request.top_p",
    "top_p": "gen_ai.request.top_p",
    "topK": "gen_ai.request.top_k",
    "top_k": "gen_ai.request.top_k",
    "maxTokens": "gen_ai.request.max_tokens",
    "maxCompletionTokens": "gen_ai.request.max_tokens",
    "max_tokens": "gen_ai.request.max_tokens",
    "max_completion_tokens": "gen_ai.request.max_tokens",
    "seed": "gen_ai.request.seed",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "dimensions": "gen_ai.embeddings.dimension.count",
}
_WHOLE_NUMBERS = (
    "max_tokens",
    "seed",
    "count",
)  # ends of attributes that are integers; the others are floats


def instrument(
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
    *,
    time_per_chunk: bool = True,
) -> None:
    """Record a span and metrics for each answer of every client in this process.

    Answers are those of chats, of agents and of embeddings. Called again, it replaces the providers. Answers
    that have begun before keep what they began with.

    Args:
        tracer_provider: by default the global one.
        meter_provider: by default the global one.
        time_per_chunk: record `gen_ai.client.operation.time_per_output_chunk`. It is the only figure whose
            cost grows with a stream: an SDK takes several microseconds for each value, also where a view
            drops them.

    Raises:
        ImportError: the extra `hangang[otel]` is not installed.
        TypeError: an argument that is not a provider.
    """
    try:
        import opentelemetry.metrics
        import opentelemetry.trace
    except ImportError as error:
        raise ImportError("hangang.otel needs opentelemetry-api: pip install 'hangang[otel]'") from error
    _check_provider("tracer_provider", tracer_provider, "get_tracer")
    _check_provider("meter_provider", meter_provider, "get_meter")
    tracer = opentelemetry.trace.get_tracer("hangang", __version__, tracer_provider)
    meter = opentelemetry.metrics.get_meter("hangang", __version__, meter_provider)
    observer.observe(_Observer(tracer, meter, time_per_chunk))


def _check_provider(name: str, provider: object, method: str) -> None:
    if provider is not None and (isinstance(provider, type) or not callable(getattr(provider, method, None))):
        kind = "TracerProvider" if method == "get_tracer" else "MeterProvider"
        given = f"the class {provider.__name__}" if isinstance(provider, type) else type(provider).__name__
        raise TypeError(f"{name} must be a {kind} of OpenTelemetry, not {given}")


def uninstrument() -> None:
    """Undo `instrument`. Answers that have begun are still recorded."""
    observer.observe(None)


class _Observer:
    """The tracer and the instruments."""

    def __init__(self, tracer: Any, meter: Any, time_per_chunk: bool) -> None:
        self.tracer = tracer
        self.has_time_per_chunk = time_per_chunk
        self.duration = meter.create_histogram(
            "gen_ai.client.operation.duration",
            unit="s",
            description="Time of a whole answer.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self.time_to_first_chunk = meter.create_histogram(
            "gen_ai.client.operation.time_to_first_chunk",
            unit="s",
            description="Time from the request to the first event of a stream.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self.time_per_output_chunk = meter.create_histogram(
            "gen_ai.client.operation.time_per_output_chunk",
            unit="s",
            description="Time between two chunks of a stream that completed events.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self.token_usage = meter.create_histogram(
            "gen_ai.client.token.usage",
            unit="{token}",
            description="Input and output tokens of an answer, as the service counted them.",
            explicit_bucket_boundaries_advisory=_TOKENS,
        )

    def begin(self, service: str, call: Call, url: str, metrics: Metrics | None) -> _Observation:
        """See `hangang._client.observer`."""
        return _Observation(self, service, call, url, metrics)


class _Observation:
    """The span of one answer, and what its metrics need."""

    _has_ended = True  # until there is a span

    def __init__(
        self, instruments: _Observer, service: str, call: Call, url: str, metrics: Metrics | None
    ) -> None:
        from opentelemetry import context
        from opentelemetry.trace import SpanKind, set_span_in_context

        operation = call.operation
        assert operation is not None
        self._instruments = instruments
        self._metrics = metrics
        self._is_stream = call.streaming
        address = urlsplit(url)
        self._common: dict[str, Any] = {  # the attributes of the metrics, and the first ones of the span
            "gen_ai.operation.name": operation.name,
            "gen_ai.provider.name": service,
            "server.address": address.hostname or "",
            "server.port": address.port or (443 if address.scheme == "https" else 80),
        }
        name: str = operation.name
        if isinstance(operation.model, str):
            self._common["gen_ai.request.model"] = operation.model
            name = f"{name} {operation.model}"
        attributes = {**self._common, **_request_attributes(call)}
        if operation.agent_id is not None:
            attributes["gen_ai.agent.id"] = operation.agent_id
        self._since = time.perf_counter()
        self._span = instruments.tracer.start_span(name, kind=SpanKind.CLIENT, attributes=attributes)
        # Spans of an instrumented HTTP library become children of this one.
        self._token: Any = context.attach(set_span_in_context(self._span))
        self._has_ended = False

    def __del__(self) -> None:
        if not self._has_ended:  # the stream was dropped without being closed
            self.ended(None, None, is_whole=False)

    def opened(self, first: Any) -> None:
        """See `hangang._client.observer`."""
        self._leave_context()
        if first is None:
            return
        if isinstance(model := getattr(first, "model", None), str) and model:
            self._common["gen_ai.response.model"] = model
            self._span.set_attribute("gen_ai.response.model", model)
            if isinstance(first.id, str) and first.id:
                self._span.set_attribute("gen_ai.response.id", first.id)
        if self._is_stream and self._metrics is not None:
            waited = time.perf_counter() - self._since
            self._span.set_attribute("gen_ai.response.time_to_first_chunk", waited)
            self._instruments.time_to_first_chunk.record(waited, self._common)
            if self._instruments.has_time_per_chunk:
                self._metrics.gaps._listen(self._chunks_arrived)

    def _chunks_arrived(self, gaps: list[float]) -> None:
        record = self._instruments.time_per_output_chunk.record
        for gap in gaps:
            record(gap, self._common)

    def ended(
        self, answer: Completion | Response | None, error: BaseException | None, *, is_whole: bool = True
    ) -> None:
        """See `hangang._client.observer`."""
        from opentelemetry.trace import StatusCode

        self._has_ended = True
        took = time.perf_counter() - self._since
        if self._metrics is None:
            self._leave_context()
        found = _answer_attributes(answer)
        if isinstance(model := found.get("gen_ai.response.model"), str):
            self._common["gen_ai.response.model"] = model
        self._record_usage(found)
        if self._metrics is not None:
            found["hangang.attempts"] = self._metrics.attempts
            found["hangang.closed_early"] = not is_whole and _kind(error) is None
        kind = _kind(error) or _state_of_failure(answer)
        if kind is not None:
            found["error.type"] = kind
            if isinstance(status := getattr(error, "status", None), int):
                found["http.response.status_code"] = status
            self._span.set_status(StatusCode.ERROR)  # without a description: see above
        self._span.set_attributes(found)
        self._span.end()
        failed = {} if kind is None else {"error.type": kind}
        self._instruments.duration.record(took, {**self._common, **failed})

    def _record_usage(self, found: Mapping[str, Any]) -> None:
        for kind in ("input", "output"):
            tokens = found.get(f"gen_ai.usage.{kind}_tokens")
            if tokens is not None:
                self._instruments.token_usage.record(tokens, {**self._common, "gen_ai.token.type": kind})

    def _leave_context(self) -> None:
        from opentelemetry import context

        token, self._token = self._token, None
        if token is not None:
            context.detach(token)


def _request_attributes(call: Call) -> dict[str, Any]:
    """The settings of a request. Only numbers: a text could be content."""
    found: dict[str, Any] = {"gen_ai.request.stream": True} if call.streaming else {}
    body: Any = call.json
    if not is_object(body):
        return found
    for member, attribute in _REQUEST.items():
        value = body.get(member)
        if isinstance(value, int | float) and not isinstance(value, bool):
            found[attribute] = int(value) if attribute.endswith(_WHOLE_NUMBERS) else float(value)
    if isinstance(choices := body.get("n"), int) and choices > 1:
        found["gen_ai.request.choice.count"] = choices
    return found


def _answer_attributes(answer: Completion | Response | None) -> dict[str, Any]:
    """What an answer says about itself. None of it is content."""
    if isinstance(answer, Completion):
        usage = answer.usage
        conversation = answer.chat_session_id or answer.context_id
        found = {
            "gen_ai.response.finish_reasons": [answer.finish_reason] if answer.finish_reason else None,
            "gen_ai.response.id": answer.task_id,
            "gen_ai.conversation.id": str(conversation) if conversation else None,
            "gen_ai.usage.input_tokens": usage.prompt_tokens if usage is not None else None,
            "gen_ai.usage.output_tokens": usage.completion_tokens if usage is not None else None,
            "gen_ai.usage.reasoning.output_tokens": usage.thinking_tokens if usage is not None else None,
            "hangang.request_id": answer.request_id,
            "hangang.task.state": answer.state,
        }
    elif answer is not None:
        found = {**_embeddings_attributes(answer), "hangang.request_id": answer.request_id}
    else:
        found = {}
    return {name: value for name, value in found.items() if value is not None}


def _embeddings_attributes(answer: Response) -> dict[str, Any]:
    """Model and tokens, in OpenAI's form and in CLOVA's."""
    usage: Any = answer.get("usage")
    tokens: Any = usage.get("prompt_tokens") if is_object(usage) else answer.get("inputTokens")
    vector: Any = answer.get("embedding")
    model: Any = answer.get("model")
    return {
        "gen_ai.response.model": model if isinstance(model, str) and model else None,
        "gen_ai.usage.input_tokens": tokens if isinstance(tokens, int) else None,
        "gen_ai.embeddings.dimension.count": len(vector) if is_list(vector) else None,
    }


def _kind(error: BaseException | None) -> str | None:
    """`error.type`. GeneratorExit is the end of a loop that the caller left: no error."""
    return None if error is None or isinstance(error, GeneratorExit) else type(error).__name__


def _state_of_failure(answer: Completion | Response | None) -> str | None:
    """The state of an agent's task that failed: nothing is raised for it."""
    return answer.state if isinstance(answer, Completion) and answer.failed else None
