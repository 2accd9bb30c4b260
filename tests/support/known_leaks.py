"""Leaks of the test key, one of each kind: `test_keys.py` runs them under `secret_leak_plugin`, which must find every one.

Each test passes by itself and is named after the kind under which the watch reports it.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from transports import KEY, QUESTION, Answer, Script, json_answer

import hangang
from hangang import clova
from hangang._client.errors import Secrets
from hangang._client.stream import Stream
from hangang.emulator import run_in_thread

CHILD = [sys.executable, "-c", f"print('{KEY}')"]
EVENT = 'event:result\ndata:{"message":{"role":"assistant","content":"%s"}}\n\n'


@pytest.fixture
def client() -> Iterator[clova.Client]:
    script = Script([Answer((EVENT % "").encode())])
    with script.client() as http, clova.Client(KEY, http_client=http) as made:
        yield made


def test_log_record() -> None:
    logging.getLogger("httpcore").debug("sent %s", {"x-api-key": KEY})


def test_log_record_s_values() -> None:
    logging.getLogger("hangang.http").info("sent", extra={"headers": {"x-api-key": KEY}})


def test_log_record_s_traceback() -> None:
    try:
        raise OSError(f"refused: {KEY}")
    except OSError:
        logging.getLogger("hangang.http").exception("sent")


def test_str_of_APIConnectionError() -> None:
    hangang.APIConnectionError(f"cannot connect with {KEY}")


def test_str_of_OSError() -> None:
    """A cause."""
    hangang.APIConnectionError("cannot connect").__cause__ = OSError(KEY)


def test_attributes_of_APIError() -> None:
    hangang.APIError("refused", body={"key": KEY})


def planted(function: Any) -> Any:
    """The same function, as if a module of ours defined it."""
    return type(function)(function.__code__, {"__name__": "hangang.planted", "hangang": hangang, "KEY": KEY})


def test_local() -> None:
    def fail() -> None:
        headers = {"authorization": f"Bearer {KEY}"}
        raise hangang.APIConnectionError(f"no answer to {len(headers)} headers")

    with pytest.raises(hangang.APIConnectionError):
        planted(fail)()


def test_local_of_an_exception_that_is_not_ours() -> None:
    def fail() -> None:
        headers = {"authorization": f"Bearer {KEY}"}
        raise RuntimeError(f"no answer to {len(headers)} headers")

    with pytest.raises(RuntimeError):
        planted(fail)()


def test_metrics(client: clova.Client) -> None:
    with client.stream("HCX-005", QUESTION) as stream:
        stream.metrics.attempts = KEY  # type: ignore[assignment]


def test_stream(client: clova.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stream, "__repr__", lambda stream: repr(stream._transport._auth._headers))
    client.stream("HCX-005", QUESTION)


def test_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clova.Client, "__repr__", lambda client: repr(client._transport.secrets._values))
    clova.Client(KEY).close()


def test_events() -> None:
    script = Script([Answer((EVENT % KEY).encode())])
    with script.client() as http, clova.Client(KEY, http_client=http) as made:
        made.stream("HCX-005", QUESTION).read()


def test_answer_s_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Secrets, "struck_out_of_headers", lambda secrets, headers: headers)
    script = Script([json_answer({"status": {"code": "20000"}, "result": {"message": {}}}, x_key=KEY)])
    with script.client() as http, clova.Client(KEY, http_client=http) as made:
        made.chat("HCX-005", QUESTION)


def test_answer_s_body() -> None:
    """The emulator answers with the words of the question, here in pieces that are shorter than the key."""
    with run_in_thread(text="plain", fragments="7") as emulator, httpx.Client(base_url=emulator.url) as http:
        body = {"model": "HCX-GOV", "messages": [{"role": "user", "content": KEY}]}
        answer = http.post("/v1/chat/completions", json=body, headers={"authorization": "Bearer other"})
        assert KEY in answer.text


def test_printed() -> None:
    print(f"export CLOVA_STUDIO_API_KEY={KEY}", file=sys.stderr)


def test_printed_and_taken(capsys: pytest.CaptureFixture[str]) -> None:
    print(KEY)
    assert KEY in capsys.readouterr().out


def test_printed_by_a_child() -> None:
    subprocess.run(CHILD, check=True)


def test_output_of_a_child_process() -> None:
    assert subprocess.run(CHILD, check=True, capture_output=True).stdout.strip().decode() == KEY


def test_output_of_a_child_process_through_one_pipe() -> None:
    assert subprocess.check_output(CHILD, text=True).strip() == KEY


def test_output_of_a_child_process_in_lines() -> None:
    with subprocess.Popen(CHILD, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == KEY


def test_output_of_a_child_process_in_bytes() -> None:
    with subprocess.Popen(CHILD, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        shown = b""
        while piece := os.read(process.stdout.fileno(), 5):
            shown += piece
    assert shown.strip().decode() == KEY


@pytest.mark.filterwarnings("default")
def test_warning() -> None:
    warnings.warn(f"an old key: {KEY}", stacklevel=1)


@pytest.mark.xfail(strict=True, reason="so that pytest tells what failed")
def test_report() -> None:
    assert "" == KEY  # noqa: SIM300
