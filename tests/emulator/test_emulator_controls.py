"""The emulator's controls over a real socket: fragments, pacing, keep-alives, faults, seeds, clean ends."""

from __future__ import annotations

import asyncio
import gc
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from emulated import CLOVA, EXAONE, QUESTION, STREAM, STREAMS, ask, complete, decode, hash_of, raw

import hangang
from hangang import a2a, clova, exaone, openai
from hangang.emulator import CONTROLS, ControlError, Controls, create_app, run_in_thread

MODES = ("whole", "event", "random", "utf8", "1", "7", "300")


@pytest.fixture(scope="module")
def emulator() -> Iterator[Any]:
    with run_in_thread() as running:
        yield running


@pytest.fixture
def client(emulator: Any) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=emulator.url, timeout=10) as made:
        yield made
    assert emulator.wait_idle()


def fragments(client: httpx.Client, name: str, controls: dict[str, str]) -> list[bytes]:
    """The HTTP chunks of a stream, as httpx hands them out."""
    path, body, headers, _ = STREAMS[name]
    with client.stream("POST", path, json=body, headers={**headers, **controls}) as answer:
        answer.raise_for_status()
        return list(answer.iter_raw())


@pytest.mark.parametrize("name", STREAMS)
def test_same_answer_in_any_fragments(client: httpx.Client, name: str) -> None:
    dialect = STREAMS[name][3]
    expected = None
    for mode in MODES:
        controls = {"x-hangang-fragments": mode, "x-hangang-tokens": "9"}
        path, body, headers, _ = STREAMS[name]
        with client.stream("POST", path, json=body, headers={**headers, **controls}) as answer:
            assert answer.status_code == 200
            completion = complete(dialect, list(answer.iter_raw()))
            assert hash_of(completion.text) == answer.headers["x-hangang-text-sha256"]
        expected = expected or completion.text
        assert completion.text == expected


def test_fragments_reach_the_client_as_they_were_cut(client: httpx.Client) -> None:
    by_event = fragments(client, "clova-v3", {"x-hangang-fragments": "event"})
    whole = b"".join(by_event)
    assert all(piece.endswith(b"\n\n") and piece.count(b"\n\n") == 1 for piece in by_event)
    assert len(fragments(client, "clova-v3", {"x-hangang-fragments": "whole"})) == 1
    by_seven = fragments(client, "clova-v3", {"x-hangang-fragments": "7"})
    assert b"".join(by_seven) == whole
    assert {len(piece) for piece in by_seven[:-1]} == {7}
    by_random = fragments(client, "clova-v3", {"x-hangang-fragments": "random"})
    assert b"".join(by_random) == whole
    assert len({len(piece) for piece in by_random}) > 5
    inside = fragments(client, "clova-v3", {"x-hangang-fragments": "utf8"})
    assert b"".join(inside) == whole
    with pytest.raises(UnicodeDecodeError):
        inside[0].decode()


def test_fragments_are_http_chunks_on_the_wire(emulator: Any) -> None:
    answer = b"".join(raw(emulator.port, "gov-chat", {"x-hangang-fragments": "5", "x-hangang-tokens": "3"}))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"transfer-encoding: chunked" in head.lower()
    assert body.startswith(b"5\r\ndata:\r\n5\r\n")
    assert body.endswith(b"0\r\n\r\n")


def test_one_shot_answers_are_cut_too_and_keep_their_length(client: httpx.Client) -> None:
    headers = {**CLOVA, "x-hangang-fragments": "3"}
    path = "/v3/chat-completions/HCX-005"
    with client.stream("POST", path, json={"messages": QUESTION}, headers=headers) as answer:
        pieces = list(answer.iter_raw())
    assert int(answer.headers["content-length"]) == sum(map(len, pieces))


@pytest.mark.parametrize(("newline", "expected"), [("crlf", b"\r\n"), ("cr", b"\r"), ("lf", b"\n")])
@pytest.mark.parametrize("name", ["clova-v1", "gov-chat", "a2a-1.0"])
def test_line_ends(client: httpx.Client, name: str, newline: str, expected: bytes) -> None:
    body = ask(client, name, {"x-hangang-newline": newline}).content
    assert body.endswith(expected * 2)
    assert body.count(b"\n") == (0 if newline == "cr" else body.count(expected))
    assert complete(STREAMS[name][3], body).text


def test_default_line_ends(client: httpx.Client) -> None:
    assert b"\r" not in ask(client, "clova-v3").content
    assert b"\r" not in ask(client, "gov-chat").content
    assert ask(client, "a2a-1.0").content.endswith(b"\r\n\r\n")
    exaone_bytes = ask(client, "exaone-text").content
    assert b"\n" not in exaone_bytes
    assert b'}}{"result_code": 200' in exaone_bytes
    lines = ask(client, "exaone-text", {"x-hangang-newline": "lf"}).content
    assert lines.replace(b"\n", b"") == exaone_bytes


def test_keep_alive_comments(client: httpx.Client) -> None:
    plain = ask(client, "clova-v3").content
    noisy = ask(client, "clova-v3", {"x-hangang-keepalive": "0"}).content
    assert noisy.count(b": keep-alive\n\n") == plain.count(b"data:")
    assert decode("clova", noisy) == decode("clova", plain)
    assert b": ping - " in ask(client, "a2a-1.0", {"x-hangang-keepalive": "0"}).content
    assert ask(client, "exaone-text", {"x-hangang-keepalive": "0"}).content[:1] != b":"


def test_rate_paces_the_tokens_and_comments_fill_the_silence(client: httpx.Client) -> None:
    start = time.monotonic()
    controls = {"x-hangang-rate": "50", "x-hangang-tokens": "11", "x-hangang-keepalive": "0.005"}
    body = ask(client, "clova-v1", controls).content
    assert 0.18 < time.monotonic() - start < 1.0
    assert body.count(b": keep-alive") >= 10


def test_stall_goes_on_with_comments_and_ends(client: httpx.Client) -> None:
    start = time.monotonic()
    controls = {"x-hangang-stall": "3e,0.2", "x-hangang-keepalive": "0.02"}
    body = ask(client, "clova-v1", controls).content
    assert 0.2 <= time.monotonic() - start < 1.0
    assert body.count(b": keep-alive") >= 5
    assert body.index(b": keep-alive") > body.index(b'"outputLength":3')
    assert complete("clova", body).finish_reason == "stop_before"


@pytest.mark.parametrize("name", ["clova-v3", "exaone-text", "a2a-1.0"])
def test_stall_without_end_lasts_until_the_client_leaves(
    emulator: Any, client: httpx.Client, name: str
) -> None:
    path, body, headers, _ = STREAMS[name]
    controls = {"x-hangang-stall": "100", "x-hangang-fragments": "random"}
    request = client.build_request(
        "POST", path, json=body, headers={**headers, **controls}, timeout=httpx.Timeout(5, read=0.15)
    )
    answer = client.send(request, stream=True)
    got = b""
    with pytest.raises(httpx.ReadTimeout):
        for piece in answer.iter_raw():
            got += piece
    assert len(got) == 100
    answer.close()
    assert emulator.wait_idle()


@pytest.mark.parametrize("name", STREAMS)
def test_cut_closes_inside_http(client: httpx.Client, name: str) -> None:
    path, body, headers, _ = STREAMS[name]
    for place, size in (("0", 0), ("77", 77)):
        got = b""
        controls = {"x-hangang-cut": place}
        with (
            client.stream("POST", path, json=body, headers={**headers, **controls}) as answer,
            pytest.raises(httpx.RemoteProtocolError),
        ):
            for piece in answer.iter_raw():
                got += piece
        assert len(got) == size


def test_cut_after_events(client: httpx.Client) -> None:
    path, body, headers, _ = STREAMS["gov-chat"]
    got = b""
    with (
        client.stream("POST", path, json=body, headers={**headers, "x-hangang-cut": "3e"}) as answer,
        pytest.raises(httpx.RemoteProtocolError),
    ):
        for piece in answer.iter_raw():
            got += piece
    assert got.count(b"\n\n") == 3


def test_cut_of_a_one_shot_answer(client: httpx.Client) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        client.post(
            "/v3/chat-completions/HCX-005",
            json={"messages": QUESTION},
            headers={**CLOVA, "x-hangang-cut": "20"},
        )


@pytest.mark.parametrize("name", ["clova-v3", "exaone-chat", "gov-chat", "a2a-0.3"])
def test_reset(emulator: Any, name: str) -> None:
    got: list[bytes] = []
    with pytest.raises(ConnectionResetError):
        got.extend(raw(emulator.port, name, {"x-hangang-reset": "200"}))
    assert b"".join(got).partition(b"\r\n\r\n")[2]
    assert emulator.wait_idle()


@pytest.mark.parametrize("name", STREAMS)
def test_truncated_streams_are_told_from_ended_ones(client: httpx.Client, name: str) -> None:
    body = ask(client, name).content
    for place in (1, 40, len(body) // 2):
        cut = ask(client, name, {"x-hangang-truncate": str(place)})
        assert len(cut.content) == place
        assert body[:place] == cut.content or name in ("a2a-1.0", "a2a-0.3", "agent-v2")
    with pytest.raises(hangang.TruncatedStreamError):
        decode(STREAMS[name][3], ask(client, name, {"x-hangang-truncate": "2e"}).content)


@pytest.mark.parametrize("name", STREAMS)
def test_missing_end_marker(client: httpx.Client, name: str) -> None:
    body = ask(client, name, {"x-hangang-no-end": "1"}).content
    with pytest.raises(hangang.TruncatedStreamError) as caught:
        decode(STREAMS[name][3], body)
    assert caught.value.offset == len(body)


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("json", hangang.InvalidJSONError),
        ("utf8", hangang.InvalidUTF8Error),
        ("bracket", hangang.InvalidJSONError),
    ],
)
def test_malformed_event(client: httpx.Client, name: str, kind: str, error: type[Exception]) -> None:
    good = decode(STREAMS[name][3], ask(client, name).content)
    body = ask(client, name, {"x-hangang-malformed": f"2,{kind}"}).content
    with pytest.raises(error):
        decode(STREAMS[name][3], body)
    if kind != "bracket":
        parser = {"clova": clova, "exaone": exaone, "openai": openai, "a2a": a2a}[STREAMS[name][3]]
        events = list(hangang.iter_events([body], parser.StreamParser(errors="report")))
        assert [type(event) for event in events].count(hangang.Malformed) == 1
        assert isinstance(events[1], hangang.Malformed)
        assert len(events) == len(good)


def test_a_spoiled_end_marker(client: httpx.Client) -> None:
    count = ask(client, "gov-chat").content.count(b"\n\n")
    body = ask(client, "gov-chat", {"x-hangang-malformed": str(count)}).content
    assert body.endswith(b"data:nope [DONE]\n\n")
    with pytest.raises(hangang.InvalidJSONError):
        decode("openai", body)


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("after", [0, 3])
def test_error_event_on_200(client: httpx.Client, name: str, after: int) -> None:
    answer = ask(client, name, {"x-hangang-error": str(after)})
    assert answer.status_code == 200
    events = decode(STREAMS[name][3], answer.content)
    assert type(events[after]).__name__ == "Error"
    assert len(events) <= after + 2  # vLLM sends [DONE] even then


def test_error_event_with_a_code(client: httpx.Client) -> None:
    (event,) = decode("clova", ask(client, "clova-v3", {"x-hangang-error": "0,40003"}).content)
    assert (event.code, event.message) == ("40003", "Context length exceeded")
    assert decode("clova", ask(client, "clova-v3", {"x-hangang-error": "0"}).content)[0].code == "42901"
    (event,) = decode("exaone", ask(client, "exaone-chat", {"x-hangang-error": "0,429"}).content)
    assert event.code == 429
    first, _ = decode("openai", ask(client, "gov-chat", {"x-hangang-error": "0,503"}).content)
    assert first.code == 503
    (event,) = decode("a2a", ask(client, "a2a-1.0", {"x-hangang-error": "0,-32005"}).content)
    assert event.code == -32005


def test_status_fault_strikes_so_many_times(client: httpx.Client) -> None:
    controls = {
        "x-hangang-status": "429",
        "x-hangang-times": "2",
        "x-hangang-tag": "retries",
        "x-hangang-retry-after": "0.5",
        "x-hangang-reset-after": "1.5",
    }
    statuses = [ask(client, "clova-v3", controls) for _ in range(4)]
    assert [answer.status_code for answer in statuses] == [429, 429, 200, 200]
    assert statuses[0].headers["retry-after"] == "0.5"
    assert statuses[0].headers["x-ratelimit-reset-requests"] == "1.5s"
    assert ask(client, "clova-v3", {**controls, "x-hangang-tag": "another"}).status_code == 429


def test_code_alone_sets_the_status(client: httpx.Client) -> None:
    for code, status in (("40083", 400), ("40800", 408), ("64429", 429), ("65002", 500), ("50400", 504)):
        answer = ask(client, "clova-v3", {"x-hangang-code": code})
        assert (answer.status_code, answer.json()["status"]["code"]) == (status, code)


def test_delay_comes_before_the_status_line(client: httpx.Client) -> None:
    start = time.monotonic()
    path, body, headers, _ = STREAMS["clova-v3"]
    with client.stream("POST", path, json=body, headers={**headers, "x-hangang-delay": "0.15"}) as answer:
        assert time.monotonic() - start >= 0.15
        answer.read()


def test_same_seed_same_bytes(client: httpx.Client) -> None:
    for name in ("clova-v3", "clova-v1", "exaone-chat", "gov-chat", "clova-openai"):
        first = ask(client, name).content
        assert first == ask(client, name).content
        other = ask(client, name, {"x-hangang-seed": "7"}).content
        assert other != first
        assert other == ask(client, name, {"x-hangang-seed": "7"}).content


def test_tokens_and_hard_texts(client: httpx.Client) -> None:
    answer = ask(client, "clova-v1", {"x-hangang-tokens": "40"})
    events = decode("clova", answer.content)
    assert sum(isinstance(event, clova.Token) for event in events) == 40
    hard = complete("exaone", ask(client, "exaone-chat", {"x-hangang-text": "hard"}).content)
    assert any(trap in hard.text for trap in ("}{", "\u2028", '{"result_code"', "data:", "\ufeff"))


def test_wrong_controls_are_told(client: httpx.Client) -> None:
    for name, value in (
        ("fragments", "0"),
        ("newline", "vertical"),
        ("cut", "-1"),
        ("rate", "fast"),
        ("status", "99"),
        ("malformed", "1,purple"),
        ("nonsense", "1"),
    ):
        answer = ask(client, "clova-v3", {f"x-hangang-{name}": value})
        assert answer.status_code == 400
        assert name in answer.json()["emulator"]["error"]
    with pytest.raises(ControlError, match="fragments"):
        create_app(fragments="tiny")
    with pytest.raises(ControlError, match="unknown control 'speed'"):
        create_app(speed=3)  # type: ignore[call-arg]


def test_every_control_is_in_the_table() -> None:
    for name in Controls.__dataclass_fields__:
        assert f"| `{name}` |" in CONTROLS


def test_report(client: httpx.Client) -> None:
    before = client.get("/_emulator").json()
    ask(client, "clova-v3")
    after = client.get("/_emulator").json()
    assert after["requests"] == before["requests"] + 1
    assert after["open_streams"] == 0
    assert after["connections"] == 0


def test_keys_and_limit_of_create_app() -> None:
    with (
        run_in_thread(keys={"nv-mine", "mine"}, requests_per_minute=2) as emulator,
        httpx.Client(base_url=emulator.url) as client,
    ):
        assert ask(client, "clova-v3").status_code == 401
        path, body, headers, _ = STREAMS["clova-v3"]
        for expected in (200, 200, 429):
            answer = client.post(path, json=body, headers={**headers, "authorization": "Bearer nv-mine"})
            assert answer.status_code == expected
        assert answer.headers["x-ratelimit-remaining-requests"] == "0"
        assert float(answer.headers["retry-after"]) > 0
        assert answer.json()["status"]["code"] == "42901"
        other = client.post(STREAMS["exaone-chat"][0], json={"query": "a"}, headers={"x-api-key": "mine"})
        assert other.is_success


def test_stops_cleanly_with_streams_open() -> None:
    before = set(threading.enumerate())
    with run_in_thread() as emulator:
        streams = [raw(emulator.port, "clova-v3", {"x-hangang-stall": "50"}) for _ in range(5)]
        for stream in streams:
            next(stream)
        start = time.monotonic()
    assert time.monotonic() - start < 2
    for stream in streams:
        try:
            while next(stream, None):
                pass
        except ConnectionResetError:
            pass
    assert set(threading.enumerate()) == before
    with pytest.raises(ConnectionRefusedError):
        next(raw(emulator.port, "clova-v3"))
    gc.collect()  # an unclosed socket or loop would be a ResourceWarning, which fails the test


def test_writes_are_not_held_back(emulator: Any, client: httpx.Client) -> None:
    """Without TCP_NODELAY small fragments would wait for the client's delayed acknowledgement."""
    assert ask(client, "clova-v3").is_success
    for connection in emulator._server.server_state.connections:
        sock = connection.transport.get_extra_info("socket")
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_taken_port_is_an_os_error(emulator: Any) -> None:
    with pytest.raises(OSError), run_in_thread(port=emulator.port):
        pass


def test_under_a_foreign_server_a_cut_is_an_exception() -> None:
    app = create_app(cut="10")
    transport = httpx.ASGITransport(app)

    async def go() -> None:
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            with pytest.raises(Exception, match="x-hangang-cut"):
                await client.post(
                    STREAMS["clova-v3"][0], json=STREAMS["clova-v3"][1], headers={**CLOVA, **STREAM}
                )

    asyncio.run(go())


def test_importing_it_imports_no_server() -> None:
    code = "import sys, hangang.emulator\nprint(*{'starlette', 'uvicorn', 'h11', 'httpx'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("name", ["starlette", "uvicorn", "python_multipart"])
def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"hangang\[emulator\]"):
        create_app()
    with pytest.raises(ImportError, match=r"hangang\[emulator\]"):
        run_in_thread()


def test_module_runs() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "hangang.emulator", "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert httpx.get(url + "/_emulator").json()["requests"] == 0
    finally:
        process.send_signal(2)
        assert process.wait(5) == 0
        process.stdout.close()


def test_unknown_paths_in_the_words_of_their_service(client: httpx.Client) -> None:
    for path in ("/v3/nothing", "/v1/rag42/nothing", "/api/v1/nothing"):
        answer = client.post(path)
        assert (answer.status_code, answer.json()["status"]["code"]) == (404, "40400")
    assert client.post("/v1/chatexaone/nothing").json()["result_code"] == 404
    assert client.post("/v1/openai/nothing").json()["error"]["code"] == "40400"
    assert client.get(STREAMS["clova-v3"][0]).status_code == 405


def test_keys_are_needed_everywhere(client: httpx.Client) -> None:
    for name, (path, body, _, _) in STREAMS.items():
        if name != "a2a-1.0":
            assert client.post(path, json=body).status_code == 401
    for headers in ({"authorization": "Bearer no-nv"}, EXAONE):
        assert client.post(STREAMS["clova-v3"][0], json={}, headers=headers).status_code == 401
