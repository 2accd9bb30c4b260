"""The clients' streams through an in-process transport: cuts, errors, retries, stalls, closing."""

from __future__ import annotations

import asyncio
import gzip
import time
from functools import lru_cache
from typing import Any

import httpx
import pytest
from support import CAPTURES
from transports import (
    KEY,
    LIBRARIES,
    QUESTION,
    SERVICES,
    WAYS,
    Answer,
    Outcome,
    Reader,
    Script,
    json_answer,
    read,
    read_async,
    read_sync,
)

import hangang
from hangang import clova, exaone, gov
from hangang._client import retry
from hangang.streams import iter_events

MODES = ("sync", "async")
STREAMS = sorted(
    str(path.relative_to(CAPTURES))
    for pattern in ("clova/*.sse", "exaone/*stream", "exaone/*.ndjson", "openai/*.sse", "a2a/*.sse")
    for path in CAPTURES.glob(pattern)
)
SMALL = [name for name in STREAMS if (CAPTURES / name).stat().st_size < 8000]
LARGE = [name for name in STREAMS if name not in SMALL]


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(retry, "JITTER", 0.001)


@lru_cache
def capture(name: str) -> bytes:
    return (CAPTURES / name).read_bytes()


def service_of(name: str) -> Any:
    return SERVICES[name.partition("/")[0]]


@lru_cache
def parsed(name: str) -> tuple[list[Any], list[int]]:
    """All events of a capture, and how many are complete after each number of bytes."""
    parser = hangang_parser(name)
    data = capture(name)
    events: list[Any] = []
    counts = [0]
    for place in range(len(data)):
        events += parser.feed(data[place : place + 1])
        counts.append(len(events))
    parser.close()
    return events, counts


def hangang_parser(name: str) -> Any:
    from hangang import a2a, openai

    dialect = name.partition("/")[0]
    module: Any = {"clova": clova, "exaone": exaone, "openai": openai, "a2a": a2a}[dialect]
    return module.StreamParser()


def cut(name: str, offset: int, fault: Exception | None) -> list[Any]:
    """The first bytes of a capture in two chunks, and what follows them."""
    data = capture(name)[:offset]
    items: list[Any] = [data[: offset // 2], data[offset // 2 :]]
    return [*items, fault] if fault is not None else items


def check_cut(name: str, offset: int, outcome: Outcome, fault: Exception | None) -> None:
    data = capture(name)[:offset]
    events, counts = parsed(name)
    delivered, error = outcome.events, outcome.error
    assert (outcome.script.opened, outcome.script.closed) == (1, 1)
    errors = [place for place, event in enumerate(events) if type(event).__name__ == "Error"]
    complete = counts[offset]
    if errors and complete > errors[0]:  # the service's own error ended it
        assert delivered == events[: errors[0]]
        assert isinstance(error, hangang.StreamError)
        assert error.completion.failed
        return
    # Rule 5: a last frame without its blank line may still be delivered at the end.
    assert delivered in (events[:complete], events[: complete + 1]), offset
    if fault is not None and not delivered and offset < len(capture(name)):
        assert isinstance(error, hangang.APIConnectionError | hangang.StreamError)
    elif errors and len(delivered) == errors[0] and isinstance(error, hangang.StreamError):
        assert error.completion.failed  # rule 5: the error event's own blank line was cut off
    elif error is not None:
        # The bytes before the cut may be lines without data, which could be of any format.
        unrecognized = isinstance(error, hangang.UnrecognizedStreamError) and not delivered
        assert unrecognized or isinstance(error, hangang.TruncatedStreamError), repr(error)
        assert error.events == []
        assert error.completion == type(error.completion).of(delivered)
        if fault is not None:
            # A socket that breaks has an exception of the library as its cause.
            assert error.__cause__ is fault or isinstance(outcome.script.library, str)
    else:  # an end by rule 6: the parser alone must agree
        assert list(iter_events([data], hangang_parser(name))) == delivered
        assert fault is None or not name.startswith("exaone"), "EXAONE ends by the end of the body alone"


FAULTS = {"eof": lambda: None, "reset": lambda: httpx.ReadError("connection lost")}


@pytest.mark.parametrize("library", ["httpx", pytest.param("urllib3", marks=pytest.mark.long)])
@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("name", SMALL)
def test_cut_at_each_offset(name: str, kind: str, library: str) -> None:
    reader = Reader(service_of(name), library, max_retries=0)
    for offset in range(len(capture(name)) + 1):
        fault = FAULTS[kind]()
        check_cut(name, offset, reader.read(cut(name, offset, fault)), fault)


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("name", LARGE)
def test_cut_of_a_long_stream(name: str, kind: str) -> None:
    """Each offset of the first frames and of the last ones, and a step through the rest."""
    size = len(capture(name))
    offsets = {*range(400), *range(0, size, size // 150), *range(size - 150, size + 1)}
    reader = Reader(service_of(name), max_retries=0)
    for offset in sorted(offsets):
        fault = FAULTS[kind]()
        check_cut(name, offset, reader.read(cut(name, offset, fault)), fault)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", LARGE)
def test_cut_at_each_offset_of_a_long_stream(name: str) -> None:
    reader = Reader(service_of(name), max_retries=0)
    for offset in range(len(capture(name)) + 1):
        check_cut(name, offset, reader.read(cut(name, offset, None)), None)


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("name", STREAMS)
def test_cut_awaited(name: str, kind: str) -> None:
    size = len(capture(name))
    for offset in range(0, size + 1, max(1, size // 40)):
        fault = FAULTS[kind]()
        script = Script([Answer(cut(name, offset, fault))])
        check_cut(name, offset, read("async", service_of(name), script, max_retries=0), fault)


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.__name__)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", STREAMS)
def test_whole_streams_with_both_libraries(name: str, mode: str, library: Any) -> None:
    events, _ = parsed(name)
    data = capture(name)
    script = Script([Answer([data[i : i + 97] for i in range(0, len(data), 97)])], library)
    outcome = read(mode, service_of(name), script)
    assert script.closed == 1
    if any(type(event).__name__ == "Error" for event in events):
        assert isinstance(outcome.error, hangang.StreamError)
        assert outcome.error.completion == outcome.completion  # type: ignore[attr-defined]
        return
    assert outcome.error is None
    assert outcome.events == events
    assert outcome.completion == type(outcome.completion).of(events)


# --- errors


def in_stream_error(code: str = "42901") -> bytes:
    return f'id:1\nevent:error\ndata:{{"status":{{"code":"{code}","message":"Too many"}}}}\n\n'.encode()


@pytest.mark.parametrize("mode", WAYS)
def test_an_error_before_any_event_is_retried_like_its_status(mode: tuple[str, str]) -> None:
    script = Script([Answer(in_stream_error()), Answer(capture("clova/v3_text.sse"))])
    outcome = read(mode, SERVICES["clova"], script)
    assert outcome.error is None
    assert len(outcome.events) == 11
    assert len(script.requests) == 2
    assert script.closed == script.opened == 2


@pytest.mark.parametrize("mode", WAYS)
def test_an_error_before_any_event_is_mapped(mode: tuple[str, str]) -> None:
    script = Script([Answer(in_stream_error("40003"))])
    outcome = read(mode, SERVICES["clova"], script)
    assert type(outcome.error) is hangang.BadRequestError
    assert (outcome.error.status, outcome.error.code, outcome.error.message) == (400, "40003", "Too many")
    assert len(script.requests) == 1


@pytest.mark.parametrize("mode", WAYS)
def test_an_error_after_events_is_not_retried(mode: tuple[str, str]) -> None:
    script = Script([Answer(capture("clova/error_midstream.sse"))])
    outcome = read(mode, SERVICES["clova"], script)
    assert isinstance(outcome.error, hangang.StreamError)
    assert (outcome.error.code, outcome.error.status) == ("42901", 429)
    assert [e.text for e in outcome.events] == ["안녕", "하세", "요"] or len(outcome.events) == 3
    assert outcome.completion.text == outcome.error.completion.text == "안녕하세요"  # type: ignore[attr-defined]
    assert outcome.completion.failed
    assert len(script.requests) == 1


@pytest.mark.parametrize("mode", WAYS)
def test_retries_end_with_the_last_error(mode: tuple[str, str]) -> None:
    script = Script([Answer(error=lambda request: httpx.ConnectError("refused", request=request))])
    outcome = read(mode, SERVICES["clova"], script, max_retries=3)
    assert isinstance(outcome.error, hangang.APIConnectionError)
    assert isinstance(outcome.error.__cause__, httpx.ConnectError) or mode[0] != "httpx"
    assert len(script.requests) == 4


@pytest.mark.parametrize("mode", MODES)
def test_a_timeout_has_its_own_class_and_is_retried(mode: str) -> None:
    late = Answer(error=lambda request: httpx.ReadTimeout("late", request=request))
    outcome = read(mode, SERVICES["clova"], Script([late, late]), max_retries=1)
    assert isinstance(outcome.error, hangang.APITimeoutError)
    assert len(outcome.script.requests) == 2


@pytest.mark.parametrize("mode", WAYS)
def test_a_connection_that_breaks_before_the_first_event_is_retried(mode: tuple[str, str]) -> None:
    broken = Answer([b": ping\n\nid:1\nevent:tok", httpx.RemoteProtocolError("gone")])
    script = Script([broken, Answer(capture("clova/v3_text.sse"))])
    outcome = read(mode, SERVICES["clova"], script)
    assert outcome.error is None
    assert len(outcome.events) == 11, "nothing of the first attempt is left in the second"


@pytest.mark.parametrize("mode", WAYS)
def test_nothing_is_retried_after_an_event(mode: tuple[str, str]) -> None:
    data = capture("clova/v3_text.sse")
    fault = httpx.ReadError("gone")
    script = Script([Answer([data[:600], fault])])
    outcome = read(mode, SERVICES["clova"], script, max_retries=5)
    assert isinstance(outcome.error, hangang.TruncatedStreamError)
    assert outcome.error.__cause__ is fault or mode[0] != "httpx"
    assert outcome.events
    assert len(script.requests) == 1


@pytest.mark.parametrize("mode", WAYS)
@pytest.mark.parametrize("name", ["clova/v3_text.sse", "openai/vllm_reasoning.sse"])
def test_a_fault_after_the_end_marker_is_nothing(name: str, mode: tuple[str, str]) -> None:
    script = Script([Answer([capture(name), httpx.ReadError("reset")])])
    outcome = read(mode, service_of(name), script)
    assert outcome.error is None
    assert outcome.events == parsed(name)[0]


def test_exaone_has_no_marker_so_a_broken_connection_is_a_truncation() -> None:
    data = capture("exaone/text_generation.jsonstream")
    fault = httpx.ReadError("reset")
    outcome = read_sync(SERVICES["exaone"], Script([Answer([data, fault])]))
    assert isinstance(outcome.error, hangang.TruncatedStreamError)
    assert (outcome.error.offset, outcome.error.__cause__) == (len(data), fault)
    assert outcome.error.completion.text == outcome.completion.text


@pytest.mark.parametrize("mode", WAYS)
def test_bad_bytes_are_a_parse_error_after_the_events(mode: tuple[str, str]) -> None:
    data = capture("clova/v3_text.sse")
    bad = data[:600] + b"\n\nevent:token\ndata:{oops}\n\n"
    outcome = read(mode, SERVICES["clova"], Script([Answer(bad)]))
    assert isinstance(outcome.error, hangang.ParseError)
    assert outcome.error.completion is not None
    assert not isinstance(outcome.error, hangang.TruncatedStreamError)


def test_max_frame_bytes_reaches_the_parser() -> None:
    script = Script([Answer(capture("clova/v3_text.sse"))])
    outcome = read_sync(SERVICES["clova"], script, max_frame_bytes=20)
    assert isinstance(outcome.error, hangang.LimitExceededError)


# --- what the services answer instead of a stream


BODIES: list[tuple[str, Any, int, type[hangang.APIError], Any, str]] = [
    # name, body, status, class, code, message
    ("clova", {"status": {"code": "40100", "message": "Unauthorized"}}, 401,
     hangang.AuthenticationError, "40100", "Unauthorized"),
    ("clova", {"status": {"code": "42901", "message": "Too many requests - rate exceeded"}, "result": None}, 429,
     hangang.RateLimitError, "42901", "Too many requests - rate exceeded"),
    ("clova", {"status": {"code": "40600", "message": "Not Acceptable"}}, 406,
     hangang.APIError, "40600", "Not Acceptable"),
    ("clova", {"status": {"code": "40800", "message": "Request timeout"}}, 408,
     hangang.APIError, "40800", "Request timeout"),
    ("clova", {"status": {"code": "42400", "message": "Processing Failed"}}, 424,
     hangang.APIError, "42400", "Processing Failed"),
    ("clova", {"status": {"code": "41300", "message": "Request body size exceeded"}}, 413,
     hangang.PayloadTooLargeError, "41300", "Request body size exceeded"),
    ("clova", {"status": {"code": "41500", "message": "MediaType error"}}, 415,
     hangang.UnsupportedMediaTypeError, "41500", "MediaType error"),
    ("clova", {"status": {"code": "50100", "message": "Not yet implemented"}}, 501,
     hangang.ServerError, "50100", "Not yet implemented"),
    ("clova", {"status": {"code": "61002", "message": "x"}}, 400, hangang.BadRequestError, "61002", "x"),
    ("clova", {"status": {"code": "64429", "message": "x"}}, 429, hangang.RateLimitError, "64429", "x"),
    ("clova", {"status": {"code": "65002", "message": "x"}}, 500, hangang.ServerError, "65002", "x"),
    ("clova", {"error": {"errorCode": "210", "message": "Permission Denied"}}, 401,
     hangang.AuthenticationError, "210", "Permission Denied"),
    ("clova", b"<html>Bad Gateway</html>", 502, hangang.ServerError, None, "<html>Bad Gateway</html>"),
    ("clova", b"", 403, hangang.PermissionDeniedError, None, "HTTP 403"),
    ("openai", {"error": {"message": "Invalid API key provided", "type": "invalid_request_error",
                          "code": "invalid_api_key"}}, 401,
     hangang.AuthenticationError, "invalid_api_key", "Invalid API key provided"),
    ("openai", {"status": {"code": "40000", "message": "Bad Request"}}, 400,
     hangang.BadRequestError, "40000", "Bad Request"),
    ("openai", {"status": {"code": "42200", "message": "x"}}, 422, hangang.UnprocessableEntityError, "42200", "x"),
    ("openai", {"object": "error", "message": "no model", "type": "NotFoundError", "code": 404}, 404,
     hangang.NotFoundError, 404, "no model"),
    ("openai", {"error": "plain words"}, 400, hangang.BadRequestError, None, "plain words"),
    ("openai", {"detail": "Not Found"}, 404, hangang.NotFoundError, None, "Not Found"),
    ("exaone", {"result_code": 422, "description": "empty query"}, 422,
     hangang.UnprocessableEntityError, 422, "empty query"),
    ("exaone", {"result_code": 500, "description": "try again"}, 500, hangang.ServerError, 500, "try again"),
    ("a2a", {"type": "about:blank", "title": "Not Found", "status": 404, "detail": "no task"}, 404,
     hangang.NotFoundError, None, "no task"),
]  # fmt: skip


@pytest.mark.parametrize("mode", WAYS)
@pytest.mark.parametrize(("name", "body", "status", "cls", "code", "message"), BODIES)
def test_error_bodies(
    mode: tuple[str, str],
    name: str,
    body: Any,
    status: int,
    cls: type[hangang.APIError],
    code: Any,
    message: str,
) -> None:
    script = Script([json_answer(body, status, x_request_id="req-7")])
    error = read(mode, SERVICES[name], script, max_retries=0).error
    assert type(error) is cls
    assert (error.status, error.code, error.message, error.request_id) == (status, code, message, "req-7")
    assert error.body == script.answers[0].body.decode()  # type: ignore[union-attr]
    assert script.closed == 1


# A 200 whose body is an error: EXAONE's result_code, CLOVA's status, JSON-RPC's error.
IN_200 = [
    ("exaone", {"result_code": 429, "description": "slow"}, hangang.RateLimitError, 429),
    ("clova", {"status": {"code": "40103", "message": "expired"}}, hangang.AuthenticationError, "40103"),
    ("clova", {"status": {"code": "64500", "message": "x"}}, hangang.ServerError, "64500"),
    ("openai", {"error": {"message": "x", "code": "50000"}}, hangang.ServerError, "50000"),
    ("openai", {"error": {"message": "x", "type": "InternalServerError", "code": 500}}, hangang.ServerError, 500),
    ("openai", {"status": {"code": "40300", "message": "Agent not deployed"}}, hangang.PermissionDeniedError, "40300"),
    ("a2a", {"jsonrpc": "2.0", "id": "1", "error": {"code": -32001, "message": "x"}}, hangang.NotFoundError, -32001),
    ("a2a", {"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "x"}}, hangang.BadRequestError, -32700),
    ("a2a", {"jsonrpc": "2.0", "id": 1, "error": {"code": -32603, "message": "x"}}, hangang.ServerError, -32603),
    ("a2a", {"jsonrpc": "2.0", "id": 1, "error": {"code": -1, "message": "x"}}, hangang.StreamError, -1),
]  # fmt: skip


@pytest.mark.parametrize("mode", WAYS)
@pytest.mark.parametrize(("name", "body", "cls", "code"), IN_200)
def test_errors_in_a_200(
    mode: tuple[str, str], name: str, body: Any, cls: type[Exception], code: Any
) -> None:
    error: Any = read(mode, SERVICES[name], Script([json_answer(body)]), max_retries=0).error
    assert type(error) is cls
    assert error.code == code


@pytest.mark.parametrize("mode", WAYS)
def test_a_streaming_agent_call_answered_with_json(mode: tuple[str, str]) -> None:
    for name in ("sdk-1.3.0_v1.0_send.json", "sdk-1.3.0_compat-v0.3_send.json"):
        outcome = read(mode, SERVICES["a2a"], Script([json_answer(capture(f"a2a/{name}"))]))
        assert outcome.error is None
        assert outcome.completion.text == "안녕하세요, A2A 😊\n둘째 줄"
    working = {
        "jsonrpc": "2.0",
        "id": 1,
        "result": {"task": {"id": "t", "status": {"state": "TASK_STATE_WORKING"}}},
    }
    assert read(mode, SERVICES["a2a"], Script([json_answer(working)])).completion.state == "working"


def test_a_second_json_after_the_answer_is_an_error_with_the_answer() -> None:
    answer = {"choices": [{"message": {"content": "답"}, "finish_reason": "stop"}]}
    late = {"error": {"type": "x"}, "custom_status": {"Code": 6004, "Description": "policy"}}
    body = b"".join(bytes(json_answer(value).body) for value in (answer, late))  # type: ignore[arg-type]
    client = gov.Client(KEY, http_client=Script([json_answer(body)]).client())
    with pytest.raises(hangang.StreamError, match="policy") as caught:
        client.chat("HCX-GOV-THINK", QUESTION)
    assert caught.value.completion.text == "답"  # type: ignore[attr-defined]


# --- waiting


def waits_of(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waits: list[float] = []
    monkeypatch.setattr(retry.time, "sleep", waits.append)
    return waits


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"x-ratelimit-reset-requests": "2.5s", "x-ratelimit-reset-tokens": "1m30s"}, 90),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "2.5s",
          "x-ratelimit-reset-tokens": "1m30s"}, 2.5),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-requests": "1h",
          "x-ratelimit-reset-tokens": "120ms"}, 0.12),
        ({"retry-after": "1", "x-ratelimit-reset-requests": "9s"}, 1),
    ],
)  # fmt: skip
def test_the_services_wish_is_honoured(
    headers: dict[str, str], seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = waits_of(monkeypatch)
    limited = json_answer({"status": {"code": "42901", "message": "x"}}, 429)
    limited.headers.update(headers)
    script = Script([limited, Answer(capture("clova/v3_text.sse"))])
    outcome = read_sync(SERVICES["clova"], script, max_retry_wait=120)
    assert outcome.error is None
    (wait,) = waits
    assert seconds <= wait <= seconds + 0.2


def test_an_http_date_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    from email.utils import formatdate

    waits = waits_of(monkeypatch)
    limited = json_answer({}, 503, retry_after=formatdate(time.time() + 30, usegmt=True))
    read_sync(SERVICES["clova"], Script([limited, Answer(capture("clova/v3_text.sse"))]))
    assert 28 <= waits[0] <= 31


def test_a_wish_that_is_too_long_is_the_callers_to_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = waits_of(monkeypatch)
    script = Script([json_answer({}, 429, retry_after="3600")])
    error = read_sync(SERVICES["clova"], script).error
    assert isinstance(error, hangang.RateLimitError)
    assert error.retry_after == 3600
    assert (waits, len(script.requests)) == ([], 1)


def test_waits_double_with_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = waits_of(monkeypatch)
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.5)
    monkeypatch.setattr(retry, "JITTER", 0.5)
    read_sync(SERVICES["clova"], Script([json_answer({}, 500)]), max_retries=7)
    lows = [0.5, 1, 2, 4, 8, 8, 8]
    assert all(low <= wait <= low + 0.5 for low, wait in zip(lows, waits, strict=True)), waits
    assert len({round(wait % 0.5, 6) for wait in waits}) > 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 406, 413, 415, 422, 501])
def test_not_retried(status: int) -> None:
    script = Script([json_answer({}, status)])
    read_sync(SERVICES["clova"], script)
    assert len(script.requests) == 1


@pytest.mark.parametrize("status", [408, 424, 429, 500, 502, 503, 504])
def test_retried(status: int) -> None:
    script = Script([json_answer({}, status)])
    read_sync(SERVICES["clova"], script)
    assert len(script.requests) == 3


@pytest.mark.parametrize(
    ("code", "status", "tries"),
    [("40063", 400, 3), ("50100", 501, 1), ("64429", 429, 3), ("64400", 400, 1), ("42903", 429, 3)],
)
def test_clovas_own_list_decides(code: str, status: int, tries: int) -> None:
    script = Script([json_answer({"status": {"code": code, "message": "x"}}, status)])
    read_sync(SERVICES["clova"], script)
    assert len(script.requests) == tries


# --- stalls


PING = b": keep-alive\n\n"


@pytest.mark.parametrize("mode", WAYS)
def test_keep_alive_comments_are_no_progress(mode: tuple[str, str]) -> None:
    first = capture("clova/v3_text.sse")[:600]
    items: list[Any] = [first, b"\n\n"]
    for _ in range(100):
        items += [0.02, PING]
    started = time.monotonic()
    outcome = read(mode, SERVICES["clova"], Script([Answer(items)]), stall_timeout=0.1)
    assert time.monotonic() - started < 1.5
    assert outcome.events
    assert isinstance(outcome.error, hangang.TruncatedStreamError | hangang.InvalidJSONError)


@pytest.mark.parametrize("mode", WAYS)
def test_a_stall_after_events_is_a_truncation_with_a_timeout_as_its_cause(mode: tuple[str, str]) -> None:
    data = capture("clova/v3_text.sse")
    head = data[: data.index(b"\n\n", 300) + 2]
    outcome = read(mode, SERVICES["clova"], Script([Answer([head] + [0.03, PING] * 50)]), stall_timeout=0.1)
    assert isinstance(outcome.error, hangang.TruncatedStreamError)
    assert isinstance(outcome.error.__cause__, hangang.APITimeoutError)
    assert outcome.completion.text != ""


@pytest.mark.parametrize("mode", WAYS)
def test_a_stall_before_any_event_is_a_timeout(mode: tuple[str, str]) -> None:
    script = Script([Answer([0.03, PING] * 50)])
    outcome = read(mode, SERVICES["clova"], script, stall_timeout=0.1, max_retries=0)
    assert isinstance(outcome.error, hangang.APITimeoutError)
    assert "stall" in str(outcome.error)


@pytest.mark.parametrize("mode", WAYS)
def test_a_stall_after_the_end_is_an_end(mode: tuple[str, str]) -> None:
    data = capture("clova/v3_text.sse")
    outcome = read(mode, SERVICES["clova"], Script([Answer([data] + [0.03, PING] * 50)]), stall_timeout=0.1)
    assert outcome.error is None
    assert len(outcome.events) == 11


def test_a_silent_connection_is_the_http_librarys_timeout() -> None:
    script = Script([Answer(capture("clova/v3_text.sse"))])
    read_sync(SERVICES["clova"], script, stall_timeout=3, timeout=60)
    assert script.requests[0].extensions["timeout"] == {"connect": 60, "read": 3, "write": 60, "pool": 60}
    with clova.Client(KEY, http_client=script.client(), stall_timeout=3, timeout=60) as client:
        client.chat("HCX-005", QUESTION)
    assert script.requests[1].extensions["timeout"]["read"] == 60


# --- closing


def test_leaving_early_closes_at_once() -> None:
    items: list[Any] = [capture("clova/v3_text.sse")[:700], 100.0]
    script = Script([Answer(items)])
    with clova.Client(KEY, http_client=script.client()) as client:
        with client.stream("HCX-005", QUESTION) as stream:
            first = next(stream)
            assert script.closed == 0
            for _ in stream:
                break
            assert script.closed == 1, "leaving the loop closes, before the block is left"
            assert stream.completion.text.startswith(first.text)
            with pytest.raises(RuntimeError, match="closed before its end"):
                next(stream)
            with pytest.raises(RuntimeError, match="closed before its end"):
                list(stream)
        stream = client.stream("HCX-005", QUESTION)
        with stream:
            pass
        assert script.closed == 2
        for _ in client.stream("HCX-005", QUESTION):
            break
        assert script.closed == 3


def test_leaving_early_closes_at_once_awaited() -> None:
    async def run() -> None:
        script = Script([Answer([capture("clova/v3_text.sse")[:700], 100.0])])
        async with (
            script.async_client() as http,
            clova.AsyncClient(KEY, http_client=http) as client,
        ):
            async with client.stream("HCX-005", QUESTION) as stream:
                await anext(stream)
                async for _ in stream:
                    break
            assert script.closed == 1
            with pytest.raises(RuntimeError, match="closed before its end"):
                await anext(stream)
            async for _ in client.stream("HCX-005", QUESTION):
                break
            await asyncio.sleep(0.01)
            assert script.closed == 2

    asyncio.run(run())


@pytest.mark.parametrize("started", [False, True])
def test_cancelling_closes_at_once(started: bool) -> None:
    async def run() -> None:
        head = capture("clova/v3_text.sse")[:700] if started else b": ping\n\n"
        script = Script([Answer([head, 100.0])])
        async with script.async_client() as http:
            client = clova.AsyncClient(KEY, http_client=http)

            async def consume() -> None:
                async with client.stream("HCX-005", QUESTION) as stream:
                    async for _ in stream:
                        pass

            task = asyncio.create_task(consume())
            await asyncio.sleep(0.05)
            assert script.opened == 1
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert script.closed == 1
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.chat("HCX-005", QUESTION), 0.05)
            assert script.closed == 2

    asyncio.run(run())


def test_an_exception_in_the_loop_closes() -> None:
    script = Script([Answer(capture("clova/v3_text.sse"))])
    client = clova.Client(KEY, http_client=script.client())
    with pytest.raises(KeyError), client.stream("HCX-005", QUESTION) as stream:
        for _ in stream:
            raise KeyError("mine")
    assert script.closed == 1


# --- the rest of a stream's surface


@pytest.mark.parametrize("mode", MODES)
def test_completion_is_what_was_delivered(mode: str) -> None:
    async def run_async() -> list[str]:
        script = Script([Answer(capture("clova/v3_text.sse"))])
        client = clova.AsyncClient(KEY, http_client=script.async_client())
        async with client.stream("HCX-005", QUESTION) as stream:
            return [stream.completion.text async for _ in stream]

    if mode == "sync":
        script = Script([Answer(capture("clova/v3_text.sse"))])
        with clova.Client(KEY, http_client=script.client()).stream("HCX-005", QUESTION) as stream:
            texts = [stream.completion.text for _ in stream]
    else:
        texts = asyncio.run(run_async())
    events, _ = parsed("clova/v3_text.sse")
    assert texts == ["".join(e.text for e in events[: n + 1]) for n in range(len(events))]


def test_a_stream_before_and_after() -> None:
    answer = Answer(capture("clova/v3_text.sse"))
    answer.headers.update({"x-ratelimit-remaining-requests": "59", "x-request-id": "r1"})
    with clova.Client(KEY, http_client=Script([answer]).client()) as client:
        stream = client.stream("HCX-005", QUESTION)
        assert stream.completion == hangang.Completion()
        assert (stream.request_id, dict(stream.headers)) == (None, {})
        assert stream.rate_limit.remaining_requests is None
        assert "new" in repr(stream)
        with stream:
            assert "open" in repr(stream)
            assert stream.read().text == "안녕하세요! 😊\n무엇을 도와드릴까요?"
        assert "closed" in repr(stream)
        assert stream.rate_limit.remaining_requests == 59
        assert stream.request_id == stream.completion.request_id == "r1"
        assert stream.completion.rate_limit == stream.rate_limit
        assert (stream.metrics.events, stream.metrics.attempts) == (11, 1)
        assert stream.metrics.bytes == len(capture("clova/v3_text.sse"))
        assert list(stream) == []
        with pytest.raises(StopIteration):
            next(stream)


def test_next_reads_to_the_end_and_its_error() -> None:
    with clova.Client(
        KEY, http_client=Script([Answer(capture("clova/error_midstream.sse"))]).client()
    ) as client:
        stream = client.stream("HCX-005", QUESTION)
        for _ in range(3):
            next(stream)
        for _ in range(2):
            with pytest.raises(hangang.StreamError):
                next(stream)


def test_a_stream_read_in_two_places_loses_nothing() -> None:
    """`next` inside the loop over the stream, and a second loop: every event goes to exactly one of them."""
    data = capture("clova/v3_text.sse")
    events, _ = parsed("clova/v3_text.sse")
    for size in (90, 700, len(data)):
        chunks = [data[at : at + size] for at in range(0, len(data), size)]
        with clova.Client(KEY, http_client=Script([Answer(chunks)]).client()) as client:
            stream = client.stream("HCX-005", QUESTION)
            seen: list[Any] = []
            for event in stream:
                seen.append(event)
                seen += [event for event in [next(stream, None)] if event is not None]
                assert stream.completion.text == "".join(event.text for event in seen)
            assert seen == events

        async def run(chunks: list[bytes] = chunks) -> list[Any]:
            http = Script([Answer(chunks)]).async_client()
            async with clova.AsyncClient(KEY, http_client=http) as client:
                stream = client.stream("HCX-005", QUESTION)
                seen: list[Any] = []
                async for event in stream:
                    seen.append(event)
                    seen += [event for event in [await anext(stream, None)] if event is not None]
                return seen

        assert asyncio.run(run()) == events

        with clova.Client(KEY, http_client=Script([Answer(chunks)]).client()) as client:
            stream = client.stream("HCX-005", QUESTION)
            one, two = iter(stream), iter(stream)
            seen = [next(one), next(two), next(two), next(one)]
            seen += list(two)
            assert list(one) == []
            assert seen == events


@pytest.mark.parametrize("mode", MODES)
def test_closed_inside_the_loop(mode: str) -> None:
    """Events that have arrived are delivered; then iteration raises, because the rest is lost."""
    data = capture("clova/v3_text.sse")
    script = Script([Answer([data[:700], data[700:]])])
    came = parsed("clova/v3_text.sse")[1][700]
    seen: list[Any] = []

    async def run() -> None:
        async with clova.AsyncClient(KEY, http_client=script.async_client()) as client:
            stream = client.stream("HCX-005", QUESTION)
            async for event in stream:
                seen.append(event)
                await stream.aclose()

    with pytest.raises(RuntimeError, match="closed before its end"):
        if mode == "sync":
            with clova.Client(KEY, http_client=script.client()) as client:
                stream = client.stream("HCX-005", QUESTION)
                for event in stream:
                    seen.append(event)
                    stream.close()
        else:
            asyncio.run(run())
    assert 1 < len(seen) == came
    assert script.closed == 1


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("mode", MODES)
def test_a_fault_knows_its_request(mode: str, library: Any) -> None:
    data = capture("clova/v3_text.sse")[:700]
    for body in ([library.ReadTimeout("slow")], [data, library.ReadError("gone")]):
        script = Script([Answer(body)], library)
        error: Any = read(mode, SERVICES["clova"], script, max_retries=0).error
        assert error.__cause__.request is script.requests[0]


@pytest.mark.parametrize("mode", MODES)
def test_delivered_events_are_not_kept(mode: str) -> None:
    """However long the stream, all but the last few are folded and gone."""
    kept: list[int] = []
    frame = next(part for part in capture("clova/v3_text.sse").split(b"\n\n") if b"event:token" in part)
    body = [frame + b"\n\n"] * 5000

    async def run() -> str:
        async with clova.AsyncClient(KEY, http_client=Script([Answer(body)]).async_client()) as client:
            stream = client.stream("HCX-005", QUESTION)
            with pytest.raises(hangang.TruncatedStreamError):
                async for _ in stream:
                    kept.append(len(stream._attempt._unfolded))  # type: ignore[union-attr]
            return stream.completion.text

    if mode == "sync":
        with clova.Client(KEY, http_client=Script([Answer(body)]).client()) as client:
            stream = client.stream("HCX-005", QUESTION)
            with pytest.raises(hangang.TruncatedStreamError):
                for _ in stream:
                    kept.append(len(stream._attempt._unfolded))  # type: ignore[union-attr]
            text = stream.completion.text
    else:
        text = asyncio.run(run())
    assert len(kept) == 5000
    assert max(kept) * len(body[0]) <= (1 << 16) + len(body[0])
    assert text == clova.StreamParser().feed(body[0])[0].text * 5000


def test_an_answer_closed_before_it_reached_us() -> None:
    """A hook of the caller's own HTTP client may close an answer: that is a fault of the connection."""
    for library in LIBRARIES:
        script = Script([Answer(capture("clova/v3_text.sse"))], library)
        hooks = {"response": [lambda response: response.close()]}
        http = library.Client(transport=script.transport(), event_hooks=hooks)
        with (
            clova.Client(KEY, http_client=http, max_retries=0) as client,
            pytest.raises(hangang.APIConnectionError),
        ):
            client.chat("HCX-005", QUESTION)


def test_compressed_streams_are_read_too() -> None:
    answer = Answer(gzip.compress(capture("clova/v3_text.sse")))
    answer.headers["content-encoding"] = "gzip"
    outcome = read_sync(SERVICES["clova"], Script([answer]))
    assert outcome.error is None
    assert len(outcome.events) == 11


def test_a_body_read_before_it_reached_us() -> None:
    """MockTransport with `content=` gives answers whose bytes were read already."""
    for library in LIBRARIES:
        data = capture("clova/v3_text.sse")

        def answer(request: Any, library: Any = library, data: bytes = data) -> Any:
            return library.Response(200, content=data)

        http = library.Client(transport=library.MockTransport(answer))
        with clova.Client(KEY, http_client=http).stream("HCX-005", QUESTION) as stream:
            assert len(list(stream)) == 11


def test_one_shot_answers_need_no_end_marker() -> None:
    image = {
        "status": {"code": "20000", "message": "OK"},
        "result": {"message": {"role": "assistant", "content": "답"}},
    }
    with clova.Client(KEY, http_client=Script([json_answer(image)]).client()) as client:
        assert client.chat("HCX-005", QUESTION).text == "답"
    bare = {
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "답"}, "finish_reason": None}]
    }
    with gov.Client(KEY, http_client=Script([json_answer(bare)]).client()) as client:
        assert client.chat("HCX-GOV", QUESTION).text == "답"
    with exaone.Client(
        KEY, http_client=Script([json_answer({"result_code": 200, "description": None})]).client()
    ) as c:
        assert c.chat_completion("질문").text == ""


def test_a_one_shot_answer_cut_short_is_retried_then_an_error() -> None:
    body = b'{"status":{"code":"20000"},"result":{"message":{"content":"...'
    script = Script([json_answer(body)])
    script.answers[0].body = [body, httpx.RemoteProtocolError("peer closed")]
    with clova.Client(KEY, http_client=script.client()) as client:
        with pytest.raises(hangang.APIConnectionError):
            client.chat("HCX-005", QUESTION)
        assert len(script.requests) == 3
        script.answers = [json_answer(body)]
        with pytest.raises(hangang.TruncatedStreamError):
            client.chat("HCX-005", QUESTION)


def test_many_streams_at_once() -> None:
    async def run() -> list[Outcome]:
        names = [STREAMS[i % len(STREAMS)] for i in range(200)]
        scripts = [
            Script([Answer([data[j : j + 501] for j in range(0, len(data), 501)])])
            for data in (capture(name) for name in names)
        ]
        work = [read_async(service_of(n), s) for n, s in zip(names, scripts, strict=True)]
        return list(await asyncio.gather(*work))

    for outcome in asyncio.run(run()):
        assert outcome.script.closed == 1
        assert outcome.error is None or isinstance(outcome.error, hangang.StreamError)
