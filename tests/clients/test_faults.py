"""Faults on the wire, through the real clients and real sockets.

Whatever the network does, four things hold: nothing hangs past its timeout, no event that was complete is lost
and none comes twice, no request is sent again after the first event, and no connection and no task is left.
`check` asserts them after every case, for each HTTP library, blocking and awaiting.
"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import support
from raw_http_server import HALF, HANG, LAST_CHUNK, RESET, RawHTTPServer, Sleep, Step, chunk, head
from transports import KEY, QUESTION, SERVICES, WAYS

import hangang
from hangang._client import retry
from hangang.streams import Completion

CAPTURES = {
    "clova": "clova/v3_text.sse",
    "exaone": "exaone/chat_completion_web.ndjson",
    "openai": "openai/vllm_reasoning.sse",
    "a2a": "a2a/sdk-1.3.0_v1.0_stream.sse",
}
PING = b": keep-alive\n\n"
STALL = 0.4  # seconds that a stream may make no progress
LATE = 10.0  # seconds after which a case has hung: far more than any of them takes, for busy machines


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(retry, "JITTER", 0.001)


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> tuple[str, str]:
    library, mode = request.param
    return library, mode


def capture(service: str) -> bytes:
    return (support.CAPTURES / CAPTURES[service]).read_bytes()


def frames(service: str) -> list[bytes]:
    """The capture, cut after each frame."""
    data = capture(service)
    if service == "exaone":
        parser = support.implementation("pure").parser("JSONStreamParser")
        out = parser.feed(data)
        return [frame + b"\n" for frame in out]
    separator = b"\r\n\r\n" if b"\r\n\r\n" in data else b"\n\n"
    return [frame + separator for frame in data.split(separator) if frame]


def parsed(service: str, data: bytes) -> list[Any]:
    """The events that these bytes complete, by a parser of the service."""
    from hangang._backend import impl

    dialect = service if service in ("clova", "exaone", "openai") else "a2a"
    return list(getattr(impl, dialect).StreamParser().feed(data))


@dataclass
class Outcome:
    events: list[Any]
    error: BaseException | None
    completion: Any
    seconds: float


def read(way: tuple[str, str], server: RawHTTPServer, service: str = "clova", **options: Any) -> Outcome:
    """One stream to its end or its error, by a client of its own; then nothing may be left."""
    library, mode = way
    options = {"stall_timeout": LATE, "timeout": LATE, "base_url": server.url, **options}
    events: list[Any] = []
    error: BaseException | None = None
    stream: Any = None
    threads = threading.active_count()
    started = time.monotonic()
    if mode == "sync":
        with SERVICES[service].client(KEY, http_client=library, **options) as client:
            try:
                with SERVICES[service].open(client) as stream:
                    for event in stream:
                        events.append(event)
            except Exception as caught:
                error = caught
            assert server.settle() == 0, "the client keeps a connection that its stream has left"
    else:

        async def run() -> None:
            nonlocal error, stream
            async with SERVICES[service].async_client(KEY, http_client=library, **options) as client:
                try:
                    async with SERVICES[service].open(client) as stream:
                        async for event in stream:
                            events.append(event)
                except Exception as caught:
                    error = caught
                for _ in range(10):  # an inner generator of the HTTP library may be closed by the loop itself
                    await asyncio.sleep(0)
                assert asyncio.all_tasks() == {asyncio.current_task()}, "a task was left"
                assert await asyncio.to_thread(server.settle) == 0, "a connection was left"

        asyncio.run(run())
    seconds = time.monotonic() - started
    assert threading.active_count() <= threads + 1 + len(server.requests), "a thread was left"
    return Outcome(events, error, stream and stream.completion, seconds)


def check(outcome: Outcome, server: RawHTTPServer, want: list[Any], tries: int = 1) -> None:
    """The four promises; `want` are the events that were complete before the fault."""
    assert outcome.seconds < LATE, "it hung"
    assert outcome.events == want, "lost, or twice"
    assert len(server.requests) == tries
    if isinstance(outcome.error, hangang.ParseError | hangang.StreamError):
        assert outcome.error.completion == Completion.of(want)
        assert getattr(outcome.error, "events", []) == [], (
            "events that were delivered are no more the error's"
        )


def is_truncated(outcome: Outcome) -> None:
    assert isinstance(outcome.error, hangang.TruncatedStreamError), repr(outcome.error)


# -- the connection breaks ------------------------------------------------------------------------------


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("end", ["reset", "close", "half"])
def test_broken_between_frames(way: tuple[str, str], service: str, end: str) -> None:
    """After three frames the connection is reset, closed, or shut on one side, inside a chunked body."""
    steps: list[Step] = [head(chunked=True), *(chunk(frame) for frame in frames(service)[:3])]
    steps += {"reset": [RESET], "close": [], "half": [HALF]}[end]
    want = parsed(service, b"".join(frames(service)[:3]))
    with RawHTTPServer([steps]) as server:
        outcome = read(way, server, service)
        check(outcome, server, want)
        is_truncated(outcome)
        assert outcome.error is not None and outcome.error.__cause__ is not None


@pytest.mark.parametrize("service", SERVICES)
def test_broken_inside_a_frame(way: tuple[str, str], service: str) -> None:
    """A body that ends with its connection looks whole to HTTP: only the parser can see that it is not."""
    whole = frames(service)
    part = b"".join(whole[:2]) + whole[2][: len(whole[2]) // 2]
    with RawHTTPServer([[head(), part]]) as server:
        outcome = read(way, server, service)
        check(outcome, server, parsed(service, part))
        is_truncated(outcome)


@pytest.mark.parametrize("end", [RESET, HALF, HANG], ids=lambda end: end.name)
def test_broken_before_any_event(way: tuple[str, str], end: Any) -> None:
    """Then it may be tried again, as often as was said, and the error is the connection's."""
    with RawHTTPServer([[head(chunked=True), chunk(PING), end]]) as server:
        outcome = read(way, server, max_retries=2, stall_timeout=STALL if end is HANG else LATE)
        check(outcome, server, [], tries=3)
        wanted = hangang.APITimeoutError if end is HANG else hangang.APIConnectionError
        assert isinstance(outcome.error, wanted), repr(outcome.error)


def test_broken_before_the_answer(way: tuple[str, str]) -> None:
    for steps in ([RESET], [], [b"HTTP/1.1 200 OK\r\ncontent-"], [b"\x00\x01nonsense\r\n\r\n"]):
        with RawHTTPServer([steps]) as server:
            outcome = read(way, server, max_retries=1)
            check(outcome, server, [], tries=2)
            assert isinstance(outcome.error, hangang.APIConnectionError), repr(outcome.error)


def test_a_second_try_that_succeeds_delivers_once(way: tuple[str, str]) -> None:
    data = capture("clova")
    with RawHTTPServer([[head(chunked=True), chunk(PING), RESET], [head(), data]]) as server:
        outcome = read(way, server)
        check(outcome, server, parsed("clova", data), tries=2)
        assert outcome.error is None


def test_nobody_listens(way: tuple[str, str]) -> None:
    server = RawHTTPServer([[]])
    with server:
        pass  # the port was free, and is again
    outcome = read(way, server, max_retries=1)
    assert isinstance(outcome.error, hangang.APIConnectionError)
    assert outcome.seconds < LATE


# -- silence -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keep_alives", [False, True], ids=["silent", "keep-alives"])
@pytest.mark.parametrize("service", SERVICES)
def test_a_stall_after_events(way: tuple[str, str], service: str, keep_alives: bool) -> None:
    """Comments are no progress: a stream that only sends them ends like a silent one."""
    pings = [Sleep(0.05), chunk(b"\n" if service == "exaone" else PING)] * 400 if keep_alives else []
    steps = [head(chunked=True), chunk(b"".join(frames(service)[:3])), *pings, HANG]
    with RawHTTPServer([steps]) as server:
        outcome = read(way, server, service, stall_timeout=STALL)
        check(outcome, server, parsed(service, b"".join(frames(service)[:3])))
        is_truncated(outcome)
        assert isinstance(outcome.error.__cause__, Exception)  # type: ignore[union-attr]
        assert outcome.seconds >= STALL * 0.9


@pytest.mark.parametrize("keep_alives", [False, True], ids=["silent", "keep-alives"])
def test_a_stall_before_any_event(way: tuple[str, str], keep_alives: bool) -> None:
    pings = [Sleep(0.05), chunk(PING)] * 400 if keep_alives else []
    with RawHTTPServer([[head(chunked=True), *pings, HANG]]) as server:
        outcome = read(way, server, max_retries=0, stall_timeout=STALL)
        check(outcome, server, [])
        assert isinstance(outcome.error, hangang.APITimeoutError)


def test_a_stall_inside_a_frame(way: tuple[str, str]) -> None:
    part = b"".join(frames("clova")[:2]) + frames("clova")[2][:-3]
    with RawHTTPServer([[head(chunked=True), chunk(part), HANG]]) as server:
        outcome = read(way, server, stall_timeout=STALL)
        check(outcome, server, parsed("clova", part))
        is_truncated(outcome)


def test_a_stall_after_the_end_marker_is_nothing(way: tuple[str, str]) -> None:
    """The answer is whole; that the server does not close is its own affair."""
    with RawHTTPServer([[head(chunked=True), chunk(capture("clova")), HANG]]) as server:
        outcome = read(way, server, stall_timeout=STALL)
        check(outcome, server, parsed("clova", capture("clova")))
        assert outcome.error is None


# -- HTTP that lies -----------------------------------------------------------------------------------------


def test_a_content_length_that_is_too_long(way: tuple[str, str]) -> None:
    part = b"".join(frames("clova")[:3])
    with RawHTTPServer([[head(length=len(part) + 1000), part]]) as server:
        outcome = read(way, server)
        check(outcome, server, parsed("clova", part))
        is_truncated(outcome)


def test_a_content_length_that_is_too_long_for_a_whole_answer(way: tuple[str, str]) -> None:
    data = capture("clova")
    with RawHTTPServer([[head(length=len(data) + 1000), data]]) as server:
        outcome = read(way, server)
        check(outcome, server, parsed("clova", data))
        assert outcome.error is None, "it had ended before the fault"


def test_a_content_length_that_is_too_short(way: tuple[str, str]) -> None:
    part = b"".join(frames("clova")[:3])
    with RawHTTPServer([[head(length=len(part) + 20), Sleep(0.1), capture("clova")]]) as server:
        outcome = read(way, server)
        check(outcome, server, parsed("clova", part))
        is_truncated(outcome)


GARBAGE = {
    "no number": b"zz\r\nabc\r\n",
    "negative": b"-5\r\nabc\r\n",
    "too short": b"5\r\nabcdefgh\r\n",
    "too large": b"FFFFFFFFFFFFFFFFFFFF\r\nabc",
    "empty": b"\r\n\r\n\r\n",
}


@pytest.mark.parametrize("end", ["close", "silence"])
@pytest.mark.parametrize("garbage", GARBAGE)
def test_bad_chunked_encoding(way: tuple[str, str], garbage: str, end: str) -> None:
    """It arrives while a read waits. aiohttp does not end such a read by itself, whatever its time limits."""
    part = b"".join(frames("clova")[:3])
    steps: list[Step] = [head(chunked=True), chunk(part), Sleep(0.1), GARBAGE[garbage]]
    with RawHTTPServer([[*steps, HANG] if end == "silence" else steps]) as server:
        outcome = read(way, server, stall_timeout=STALL)
        check(outcome, server, parsed("clova", part))
        is_truncated(outcome)


@pytest.mark.parametrize("garbage", [*GARBAGE, "too short a length"])
def test_bad_http_in_one_piece_with_the_head(way: tuple[str, str], garbage: str) -> None:
    """aiohttp then loses the head, and with it everything: an error before any event, which may be retried."""
    part = b"".join(frames("clova")[:3])
    data = head(chunked=True) + chunk(part) + GARBAGE.get(garbage, b"")
    if garbage not in GARBAGE:
        data = head(length=len(part)) + part + frames("clova")[3]
    with RawHTTPServer([[data]]) as server:
        outcome = read(way, server, max_retries=1)
        if way[0] == "aiohttp":
            check(outcome, server, [], tries=2)
            assert type(outcome.error) is hangang.APIConnectionError
            assert str(outcome.error).endswith("(the answer is not valid HTTP)")
        else:
            check(outcome, server, parsed("clova", part))
            is_truncated(outcome)


def test_chunks_cut_anywhere(way: tuple[str, str]) -> None:
    data = capture("clova")
    pieces = b"".join(chunk(data[at : at + 7]) for at in range(0, len(data), 7))
    steps: list[Step] = [head(chunked=True)]
    for at in range(0, len(pieces), 997):
        steps += [pieces[at : at + 997], Sleep(0.001)]
    with RawHTTPServer([[*steps, LAST_CHUNK]]) as server:
        outcome = read(way, server)
        check(outcome, server, parsed("clova", data))
        assert outcome.error is None


# -- answers of another kind -----------------------------------------------------------------------------------

HTML = b"<!DOCTYPE html>\n<html><body><h1>Sign in</h1>\n\n<p>data: not yours</p></body></html>\n"


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("kind", ["text/html", "text/event-stream", "application/json"])
def test_an_html_page_on_a_200(way: tuple[str, str], service: str, kind: str) -> None:
    """A captive portal or a gateway: an error, whatever it calls itself, and no event."""
    with RawHTTPServer([[head(kind=kind, length=len(HTML)), HTML]]) as server:
        outcome = read(way, server, service, max_retries=0)
        check(outcome, server, [])
        assert isinstance(outcome.error, hangang.HangangError), repr(outcome.error)


ERRORS: dict[str, tuple[bytes, type[Exception]]] = {
    "clova": (b'{"status":{"code":"40100","message":"Unauthorized"}}', hangang.AuthenticationError),
    "exaone": (b'{"result_code":400,"description":"Bad Request","data":null}', hangang.APIError),
    "openai": (b'{"error":{"message":"no","code":"invalid_api_key","type":"x"}}', hangang.APIError),
    "a2a": (b'{"jsonrpc":"2.0","id":"1","error":{"code":-32600,"message":"no"}}', hangang.APIError),
}


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
def test_a_json_error_on_a_stream_request(way: tuple[str, str], service: str, kind: str) -> None:
    body, cls = ERRORS[service]
    with RawHTTPServer([[head(kind=kind, length=len(body)), body]]) as server:
        outcome = read(way, server, service, max_retries=0)
        check(outcome, server, [])
        assert isinstance(outcome.error, cls), repr(outcome.error)


@pytest.mark.parametrize(
    "status", ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"]
)
def test_a_redirect_to_another_host_is_not_followed(way: tuple[str, str], status: str) -> None:
    """The key and the conversation go to the host that was named, and to no other."""
    with RawHTTPServer([[head(), capture("clova")]]) as other:
        location = f"location: http://localhost:{other.port}/elsewhere\r\n"
        with RawHTTPServer([[head(status, length=0, headers=location)]]) as server:
            outcome = read(way, server)
            check(outcome, server, [])
            assert isinstance(outcome.error, hangang.APIError)
            assert outcome.error.status == int(status.split()[0])
        assert other.requests == []


@pytest.mark.parametrize("newline", [b"\r\n", b"\r"], ids=["CRLF", "CR"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"], ids=["", "BOM"])
@pytest.mark.parametrize("service", ["clova", "openai", "a2a"])
def test_a_proxy_that_recodes(way: tuple[str, str], service: str, newline: bytes, bom: bytes) -> None:
    """Line ends changed, a byte order mark before the first: the same events."""
    data = capture(service).replace(b"\r\n", b"\n")
    recoded = bom + data.replace(b"\n", newline)
    with RawHTTPServer(
        [[head(chunked=True), *map(chunk, support.pieces(recoded, 100)), LAST_CHUNK]]
    ) as server:
        outcome = read(way, server, service)
        check(outcome, server, parsed(service, data))
        assert outcome.error is None


def test_a_proxy_that_puts_a_bom_before_json(way: tuple[str, str]) -> None:
    data = b"\xef\xbb\xbf\r\n" + capture("exaone")
    with RawHTTPServer([[head(kind="application/json", length=len(data)), data]]) as server:
        outcome = read(way, server, "exaone")
        check(outcome, server, parsed("exaone", capture("exaone")))
        assert outcome.error is None


# -- a server that dies -------------------------------------------------------------------------------------------

SERVER = """
import socket, sys, time
data = open(sys.argv[1], "rb").read()
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
connection, _ = listener.accept()
connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
connection.recv(65536)
connection.sendall(b"HTTP/1.1 200 OK\\r\\ncontent-type: text/event-stream\\r\\ntransfer-encoding: chunked\\r\\n\\r\\n")
for at in range(0, len(data), 50):
    piece = data[at : at + 50]
    connection.sendall(b"%x\\r\\n%s\\r\\n" % (len(piece), piece))
    time.sleep(0.01)
time.sleep(60)
"""


@pytest.mark.parametrize("moment", [0.0, 0.05, 0.12, 0.25])
def test_a_server_that_is_killed(way: tuple[str, str], moment: float) -> None:
    """SIGKILL, some time after the request: whole events are delivered, and the end is an error."""
    library, mode = way
    path = support.CAPTURES / CAPTURES["clova"]
    command = [sys.executable, "-c", textwrap.dedent(SERVER), str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    url = f"http://127.0.0.1:{process.stdout.readline().strip()}"
    killer = threading.Timer(moment + 0.05, process.send_signal, (signal.SIGKILL,))
    killer.start()
    events: list[Any] = []
    started = time.monotonic()
    options: dict[str, Any] = {"base_url": url, "max_retries": 0, "timeout": LATE, "stall_timeout": LATE}
    try:
        with pytest.raises(hangang.HangangError) as caught:
            if mode == "sync":
                with (
                    hangang.clova.Client(KEY, http_client=library, **options) as client,
                    SERVICES["clova"].open(client) as stream,
                ):
                    for event in stream:
                        events.append(event)
            else:

                async def run() -> None:
                    async with (
                        hangang.clova.AsyncClient(KEY, http_client=library, **options) as client,
                        SERVICES["clova"].open(client) as stream,
                    ):
                        async for event in stream:
                            events.append(event)

                asyncio.run(run())
    finally:
        killer.join()
        process.kill()
        process.wait()
        process.stdout.close()
    assert time.monotonic() - started < LATE
    everything = parsed("clova", path.read_bytes())
    assert events == everything[: len(events)]
    assert bool(events) == isinstance(caught.value, hangang.TruncatedStreamError)


def test_one_shot_calls_meet_the_same_faults(way: tuple[str, str]) -> None:
    """A chat in one piece: cut short it is tried again, and never half an answer."""
    library, mode = way
    answer = json.dumps({"status": {"code": "20000"}, "result": {"message": {"content": "a" * 500}}}).encode()
    scripts: Sequence[Sequence[Step]] = [
        [head(kind="application/json", length=len(answer)), answer[:300]],
        [head(kind="application/json", length=len(answer)), answer[:300], RESET],
        [head(kind="application/json", length=len(answer)), answer],
    ]
    with RawHTTPServer(scripts) as server:
        options: dict[str, Any] = {"base_url": server.url, "timeout": LATE}
        if mode == "sync":
            with hangang.clova.Client(KEY, http_client=library, **options) as client:
                done = client.chat("HCX-007", QUESTION)
        else:

            async def run() -> Any:
                async with hangang.clova.AsyncClient(KEY, http_client=library, **options) as client:
                    return await client.chat("HCX-007", QUESTION)

            done = asyncio.run(run())
        assert done.text == "a" * 500
        assert len(server.requests) == 3
        assert server.settle() == 0
