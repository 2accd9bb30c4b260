"""What an emulator keeps of its requests, where it says that it listens, and how it explains a wrong control."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from emulated import CLOVA, EXAONE, QUESTION, STREAMS, ask
from transports import KEY

import hangang
from hangang import clova, exaone, gov
from hangang.emulator import ControlError, Controls, Request, create_app, run_in_thread
from hangang.emulator._store import MOST, MOST_BYTES, Store


@pytest.fixture
def emulator() -> Iterator[Any]:
    with run_in_thread() as running:
        yield running


def listed(emulator: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = httpx.get(f"{emulator.url}/_emulator/requests").json()
    return rows


# --- requests


def test_what_the_sync_clients_sent(emulator: Any) -> None:
    with clova.Client(KEY, base_url=emulator.url) as client:
        client.chat("HCX-005", QUESTION, seed=7)
    with exaone.Client(KEY, base_url=emulator.url) as client, client.stream("한강?") as stream:
        list(stream)
    with gov.Client(KEY, base_url=emulator.url) as client:
        client.chat("HCX-GOV", QUESTION)
    first, second, third = emulator.requests
    assert (first.service, first.method, first.path) == ("clova", "POST", "/v3/chat-completions/HCX-005")
    assert first.body == {"messages": QUESTION, "seed": 7}
    assert first.headers["authorization"] == f"Bearer {KEY}"
    assert all(name == name.lower() for name in first.headers)
    assert (second.service, second.path) == ("exaone", "/v1/chatexaone/chat-completion")
    assert (second.headers["x-api-key"], second.body["query"]) == (KEY, "한강?")
    assert third.service == "gov"
    assert third.body["model"] == "HCX-GOV"
    assert [row["path"] for row in listed(emulator)] == [first.path, second.path, third.path]
    assert len(emulator.requests) == 3, "the list itself is no request"


def test_what_the_async_clients_sent(emulator: Any) -> None:
    async def go() -> None:
        async with clova.AsyncClient(KEY, base_url=emulator.url) as client:
            await client.chat("HCX-005", QUESTION, seed=7)

    asyncio.run(go())
    (request,) = emulator.requests
    assert (request.path, request.body["seed"]) == ("/v3/chat-completions/HCX-005", 7)


def test_refused_and_unknown_requests_are_kept(emulator: Any) -> None:
    with httpx.Client(base_url=emulator.url) as client:
        client.post("/v3/chat-completions/HCX-005?a=1&b=%20", json={"messages": []}, headers=CLOVA)
        client.post("/v3/chat-completions/HCX-005", json={"no": "key"})
        client.post("/v3/nothing", json={"x": 1})
        client.post("/v3/chat-completions/HCX-005", json={}, headers={**CLOVA, "x-hangang-rate": "fast"})
        client.get("/_emulator")
        client.get("/.well-known/agent-card.json")
    assert [(r.method, r.path, r.query, r.body) for r in emulator.requests] == [
        ("POST", "/v3/chat-completions/HCX-005", "a=1&b=%20", {"messages": []}),
        ("POST", "/v3/chat-completions/HCX-005", "", {"no": "key"}),
        ("POST", "/v3/nothing", "", {"x": 1}),
        ("POST", "/v3/chat-completions/HCX-005", "", {}),
        ("GET", "/.well-known/agent-card.json", "", b""),
    ]


def test_bodies_that_are_not_json_are_bytes(emulator: Any) -> None:
    with httpx.Client(base_url=emulator.url, headers=EXAONE) as client:
        client.post("/v1/files", files={"files": ("a.txt", b"\xff\x00", "text/plain")})
        client.post("/v1/files/query", content=b"{broken", headers={"content-type": "application/json"})
        client.get("/v1/files")
    upload, broken, empty = emulator.requests
    assert isinstance(upload.body, bytes)
    assert b"\xff\x00" in upload.body
    assert (broken.body, empty.body) == (b"{broken", b"")
    row = listed(emulator)[1]
    assert (row["body"], row["body_base64"]) == (None, "e2Jyb2tlbg==")


def test_a_key_is_in_the_headers_and_nowhere_else(emulator: Any) -> None:
    with httpx.Client(base_url=emulator.url) as client:
        ask(client, "clova-v3")
    pair = {"x-ncp-clovastudio-api-key": KEY, "x-ncp-apigw-api-key": KEY, "cookie": KEY, "x-api-key": KEY}
    httpx.post(f"{emulator.url}/v3/chat-completions/HCX-005", json={"messages": QUESTION}, headers=pair)
    bearer, others = emulator.requests
    assert bearer.headers["authorization"] == f"Bearer {KEY}"
    assert {name: others.headers[name] for name in pair} == pair
    for request, row in zip(emulator.requests, listed(emulator), strict=True):
        assert KEY not in repr(request) + json.dumps(row)
        assert "'content-type': 'application/json'" in repr(request)
        assert row["headers"]["content-type"] == "application/json"
    assert KEY not in repr(emulator.requests) + str(emulator.requests)
    assert "'authorization': 'Bearer ***'" in repr(bearer)
    assert listed(emulator)[0]["headers"]["authorization"] == "Bearer ***"
    assert [listed(emulator)[1]["headers"][name] for name in pair] == ["***"] * 4


def test_only_the_last_requests_are_kept(emulator: Any) -> None:
    log: Store[str] = Store()
    for number in range(MOST + 5):
        log.put(str(number), f"/{number}", 10)
    paths = list(log)
    assert len(paths) == len(log) == MOST == 1_000
    assert (paths[0], paths[-1]) == ("/5", f"/{MOST + 4}")
    for number in range(3):
        log.put(f"large {number}", f"/large-{number}", MOST_BYTES // 2)
    assert list(log) == ["/large-1", "/large-2"]
    log.put("larger", "/larger", MOST_BYTES + 1)
    assert list(log) == ["/larger"]
    with httpx.Client(base_url=emulator.url) as client:
        for number in range(MOST + 2):
            client.post(f"/{number}")
        assert client.get("/_emulator").json()["requests"] == MOST + 2
    assert [emulator.requests[0].path, emulator.requests[-1].path] == ["/2", f"/{MOST + 1}"]
    assert len(emulator.requests) == MOST


def test_requests_of_an_application_without_the_server() -> None:
    app = create_app()

    async def go() -> Any:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            path, body, headers, _ = STREAMS["clova-v3"]
            assert (await client.post(path, json=body, headers=headers)).is_success
            return (await client.get("/_emulator/requests")).json()

    (row,) = asyncio.run(go())
    assert row["body"] == STREAMS["clova-v3"][1]


def test_the_emulator_after_import_hangang() -> None:
    code = (
        "import sys, hangang\n"
        "assert 'hangang.emulator' not in sys.modules\n"
        "with hangang.emulator.run_in_thread() as running:\n"
        "    print(running.url)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+\n", done.stdout)
    assert hangang.emulator.Request is Request


# --- addresses

HOSTS = {
    "127.0.0.1": ("http://127.0.0.1:{}", None),
    "localhost": ("http://127.0.0.1:{}", None),
    "0.0.0.0": ("http://127.0.0.1:{}", "listening on 0.0.0.0:{}: other machines can reach it"),
    "::1": ("http://[::1]:{}", None),
    "::": ("http://[::1]:{}", "listening on [::]:{}: other machines can reach it"),
}


def needs(host: str) -> None:
    if ":" in host:
        try:
            with socket.socket(socket.AF_INET6) as sock:
                sock.bind(("::1", 0))
        except OSError:
            pytest.skip("no IPv6 here")


@pytest.mark.parametrize("host", HOSTS)
def test_the_url_is_where_it_listens(host: str) -> None:
    needs(host)
    with run_in_thread(host=host) as emulator:
        assert emulator.url == HOSTS[host][0].format(emulator.port)
        assert emulator.port
        assert httpx.get(f"{emulator.url}/_emulator").is_success


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("command", [("hangang", "serve"), ("hangang.emulator",)])
def test_the_address_that_is_printed_answers_at_once(host: str, command: tuple[str, ...]) -> None:
    needs(host)
    process = subprocess.Popen(
        [sys.executable, "-m", *command, "--host", host, "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None and process.stderr is not None
        found = re.search(r"http://\S+:(\d+)", process.stdout.readline())
        assert found is not None
        url, note = HOSTS[host]
        assert found[0] == url.format(found[1])
        assert found[1] != "0"
        # No wait: it is printed when connections are accepted.
        assert httpx.get(f"{found[0]}/_emulator").is_success
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=10)
        assert process.returncode == 0
        assert errors.removeprefix("hangang: ").strip() == (note or "").format(found[1])


# --- controls


@pytest.mark.parametrize("name", STREAMS)
def test_a_wrong_control_is_explained_in_the_service_s_own_form(emulator: Any, name: str) -> None:
    with httpx.Client(base_url=emulator.url) as client:
        answer = ask(client, name, {"x-hangang-rate": "fast"})
    assert answer.status_code == 400
    sentence = (
        "header x-hangang-rate cannot be 'fast': it takes tokens a second, from 0 (all at once) to 1000000"
    )
    assert answer.json()["emulator"]["error"] == sentence
    assert sentence in json.dumps({k: v for k, v in answer.json().items() if k != "emulator"})


def test_a_client_shows_the_sentence(emulator: Any) -> None:
    with (
        clova.Client(KEY, base_url=emulator.url) as client,
        pytest.raises(
            hangang.BadRequestError, match="header x-hangang-cut cannot be 'there': it takes a number"
        ),
    ):
        client.chat("HCX-005", QUESTION, extra_headers={"x-hangang-cut": "there"})


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("rate", ["nan", "-1", "1000001", "inf"]),
        ("tokens", ["-1", "1_0", "100001", "3000000", "١", "1e3", ""]),
        ("text", ["soft", ""]),
        ("fragments", ["0", "tiny", "9" * 30]),
        ("newline", ["vertical"]),
        ("keepalive", ["-0.1", "often"]),
        ("seed", ["1.5", "x", "9" * 5000]),
        ("delay", ["86401"]),
        ("calls", ["0", "1001"]),
        ("artifacts", ["0"]),
        ("error_form", ["both"]),
        ("cut", ["-1", "3x", "e"]),
        ("stall", ["3e,", "1,x"]),
        ("malformed", ["0", "1,purple"]),
        ("error", ["x", "-1,42901"]),
        ("no_end", ["maybe"]),
        ("status", ["99", "600"]),
        ("retry_after", ["soon"]),
        ("times", ["-1"]),
    ],
)
def test_every_wrong_value_says_what_the_control_takes(name: str, values: list[str]) -> None:
    for value in values:
        header = "x-hangang-" + name.replace("_", "-")
        with pytest.raises(ControlError, match=f"^header {header} cannot be '.*: it takes \\S") as caught:
            Controls().with_headers([(header, value)])
        assert len(str(caught.value)) < 240
        with pytest.raises(ControlError, match=f"^control '{name}' cannot be .*: it takes \\S"):
            Controls().changed([(name, value)])


def test_an_unknown_control_names_the_nearest() -> None:
    with pytest.raises(ControlError, match=r"^unknown control 'fragment'; did you mean 'fragments'\?$"):
        Controls().changed([("fragment", "1")])
    with pytest.raises(
        ControlError, match=r"^unknown header x-hangang-retry; did you mean x-hangang-retry-after"
    ):
        Controls().with_headers([("X-Hangang-Retry", "1")])
    with pytest.raises(
        ControlError, match=r"^unknown control 'zzzz'; `hangang serve --controls` lists them$"
    ):
        Controls().changed([("zzzz", "1")])
