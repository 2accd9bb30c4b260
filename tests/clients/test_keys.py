"""A key reaches the service, and nothing else: no log, no text, no traceback with its locals, no metric.

`secret_leak_plugin.py` reads along while the other files run, each in a process of its own. TLS verification is held against
every variable that switches it off somewhere.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import textwrap
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import secret_leak_plugin
from raw_http_server import HANG, RawHTTPServer, head
from transports import AWAITING, BLOCKING, KEY, QUESTION, SERVICES, WAYS

import hangang
from hangang import clova, exaone, gov
from hangang._client.http.environment import _context, tls_context

TESTS = Path(__file__).resolve().parents[1]
SUPPORT = TESTS / "support"
CLIENTS = (clova.Client, exaone.Client, gov.Client)
VARIABLES = ("CLOVA_STUDIO_API_KEY", "EXAONE_API_KEY", "CLOVA_STUDIO_GOV_API_KEY")


def environment(**more: str) -> dict[str, str]:
    """That of a child process, with the key in every variable that may hold one."""
    path = os.pathsep.join([str(SUPPORT), *sys.path])
    return {**os.environ, **dict.fromkeys(VARIABLES, KEY), "PYTHONPATH": path, **more}


def watched(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs tests under the watch, each child of theirs with the key in its environment."""
    command = [sys.executable, "-m", "pytest", "-n0", "-q", "--no-header", "--tb=short"]
    return subprocess.run(
        [*command, "-p", "no:cacheprovider", "-p", "secret_leak_plugin", *arguments],
        cwd=TESTS.parent,
        # The watch keeps errors and log records until a test is over: memory is not the library's.
        env=environment(PYTEST_ADDOPTS="", HANGANG_TEST_NO_PEAKS="1"),
        capture_output=True,
        text=True,
        timeout=3000,
        check=False,
    )


def looked_at(done: subprocess.CompletedProcess[str]) -> dict[str, int]:
    counts = re.search(r"secret_leak_plugin looked at (.*)", done.stdout)
    assert counts is not None, done.stdout + done.stderr
    return {kind: int(count) for count, kind in re.findall(r"(\d+) (\w+)", counts[1])}


FILES = sorted(
    str(path.relative_to(TESTS)) for path in TESTS.glob("*/test_*.py") if path.name != "test_keys.py"
)
#: There the service itself sends the key back, and the events of a stream are what the service sent.
ECHOED = "not test_a_key_is_in_no_text"
CLIENT = "records errors frames clients streams events"
#: What a file must show to the watch. Outputs and errors of parsers are required of these files only.
SHOWN = {
    "test_bench": "records clients streams events outputs",
    "test_cli": "outputs",
    "test_cli_live": "outputs",
    "test_clients_calls": f"{CLIENT} outputs",
    "test_clients_emulator": f"{CLIENT} answers outputs",
    "test_clients_openai": "records clients streams events answers",
    "test_clients_requests": f"{CLIENT} outputs",
    "test_clients_streams": CLIENT,
    "test_emulator_agents": "records answers",
    "test_emulator_clova": "records answers",
    "test_emulator_controls": "records answers outputs",
    "test_emulator_exaone": "records answers",
    "test_emulator_gov": "records answers",
    "test_emulator_sdks": "records answers",
    "test_faults": f"{CLIENT} outputs",
    "test_limits": f"{CLIENT} outputs",
    "test_readme": "answers",
    "test_threads": f"{CLIENT} outputs",
}


def test_no_key_in_what_a_fault_leaves_behind() -> None:
    done = watched("tests/clients/test_faults.py", "-k", "broken_before_any or json_error or redirect")
    assert done.returncode == 0, done.stdout[-8000:]
    looked = looked_at(done)
    assert looked["records"] > 100
    assert looked["errors"] > 30
    assert looked["frames"] > 100
    assert looked["streams"] > 30


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("file", FILES)
def test_no_key_in_the_whole_suite(file: str) -> None:
    done = watched("-k", ECHOED, f"tests/{file}")
    assert done.returncode == 0, done.stdout[-8000:]
    looked = looked_at(done)
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert looked["reports"] >= 3 * int(passed[1]), "set-up, call and tear-down of each test"
    for kind in SHOWN.get(Path(file).stem, "").split():
        assert looked[kind] > 0, kind


def test_the_watch_sees_every_kind_of_leak() -> None:
    """A watch that sees nothing would pass everything."""
    done = watched("tests/support/known_leaks.py")
    assert re.search(r"^22 passed, 1 xfailed", done.stdout, re.MULTILINE), done.stdout[-8000:]
    assert done.returncode == 1, "the tests pass, and the run fails"
    assert all(looked_at(done).values())
    planted = set(
        re.findall(r"^def test_(\w+)", (SUPPORT / "known_leaks.py").read_text("utf-8"), re.MULTILINE)
    )
    found: dict[str, set[str]] = {name: set() for name in planted}
    for kind, name in re.findall(r"^LEAK (.*?) \| .*?::test_(\w+) \|", done.stdout, re.MULTILINE):
        found[name].add(re.sub(r"\W", "_", kind))
    assert [name for name, kinds in found.items() if not any(name.startswith(kind) for kind in kinds)] == []


# -- the command line ------------------------------------------------------------------------------------------

#: The command with every log record on standard error, and a traceback with the variables of its frames.
LOUD = """
    import logging, sys, traceback
    from hangang.cli import _live, main
    logging.basicConfig(level=logging.DEBUG)
    if sys.argv[1] == "fail":
        _live.Live.text = lambda live, piece: 1 / 0
    try:
        code = main(sys.argv[2:])
    except ZeroDivisionError as error:
        code = 70
        for line in traceback.TracebackException.from_exception(error, capture_locals=True).format():
            print(line, file=sys.stderr)
    sys.exit(code)
"""


@pytest.mark.parametrize("service", ["clova", "exaone", "gov"])
@pytest.mark.parametrize(("faults", "code"), [("none", 0), ("refused", 1), ("fail", 70)])
def test_no_key_in_what_the_command_line_writes(service: str, faults: str, code: int) -> None:
    from hangang.emulator import run_in_thread

    with run_in_thread(keys=["another"] if faults == "refused" else None) as emulator:
        arguments = ["chat", "--service", service, "--base-url", emulator.url]
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(LOUD), faults, *arguments],
            input="hi\n",
            env=environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == code, done.stderr
    assert ("stream = Stream(POST /" in done.stderr) == (faults == "fail"), "variables are shown"
    assert "DEBUG:hangang.http:" in done.stderr
    assert KEY not in done.stdout + done.stderr
    assert emulator.state.report()["requests"] == 1, "the key was sent"


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.__module__)
def test_a_client_shows_no_key(client: type) -> None:
    one = client(KEY)
    shown = [repr(one), str(one), format(one), repr(vars(one)), repr(dir(one))]
    for value in list(vars(one).values()):
        shown.append(repr(value))
    one.close()
    assert not any(KEY in text for text in shown)


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.__module__)
def test_a_refused_argument_shows_no_key_in_its_text(client: type) -> None:
    for options in ({"base_url": "ftp://x"}, {"max_retries": -1}, {"timeout": -1}, {"http_client": object()}):
        with pytest.raises((ValueError, TypeError)) as caught:
            client(KEY, **options)
        text = "".join(traceback.format_exception(caught.value))
        assert KEY not in text


# -- the frames of a request -----------------------------------------------------------------------------------

#: A service whose key is in `authorization`, which the HTTP libraries hide, and one that has a header of its own.
ASKED = {
    "clova": lambda client, **options: client.chat("HCX-007", QUESTION, **options),
    "exaone": lambda client, **options: client.chat_completion("질문", **options),
}


def leaks(error: BaseException) -> list[str]:
    """The places in an error, its causes and the locals of their tracebacks that contain the key."""
    secret_leak_plugin.look_at_error(error)
    here = [f"{kind}: {text[:200]}" for kind, _, text in secret_leak_plugin.found]
    secret_leak_plugin.found.clear()
    return here


def raised(call: Callable[[], object]) -> BaseException:
    """What a call raises, be it Ctrl-C."""
    try:
        call()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize("library", BLOCKING)
@pytest.mark.parametrize("service", ASKED)
@pytest.mark.parametrize("value", ["한강", "a\nb", 3], ids=["not-ascii", "two-lines", "no-text"])
def test_no_key_in_the_frames_of_a_request_that_is_refused(library: str, service: str, value: Any) -> None:
    """By the HTTP library, before or while it is sent."""
    with (
        RawHTTPServer([[HANG]]) as server,
        SERVICES[service].client(KEY, base_url=server.url, http_client=library, max_retries=0) as client,
    ):
        error = raised(lambda: ASKED[service](client, extra_headers={"x-mine": value}))
        assert server.requests == []
    assert isinstance(error, (ValueError, TypeError, hangang.APIConnectionError))
    assert leaks(error) == []


@pytest.mark.parametrize("library", BLOCKING)
@pytest.mark.parametrize("service", ASKED)
@pytest.mark.parametrize("kind", [KeyboardInterrupt, TimeoutError, RuntimeError])
def test_no_key_in_the_frames_of_a_write_that_ends(
    monkeypatch: pytest.MonkeyPatch, library: str, service: str, kind: type[BaseException]
) -> None:
    """Ctrl-C, a timeout, a mistake: the library's frames hold the head of the request, as it is sent."""

    def send(*_: object) -> int:
        raise kind("while writing")

    monkeypatch.setattr(socket.socket, "send", send)
    monkeypatch.setattr(socket.socket, "sendall", send)
    with (
        RawHTTPServer([[HANG]]) as server,
        SERVICES[service].client(KEY, base_url=server.url, http_client=library, max_retries=0) as client,
    ):
        error = raised(lambda: ASKED[service](client))
    assert isinstance(error, (kind, hangang.APITimeoutError))
    assert leaks(error) == []


@pytest.mark.parametrize("library", AWAITING)
@pytest.mark.parametrize("service", ASKED)
def test_no_key_in_the_frames_of_a_request_that_is_cancelled(library: str, service: str) -> None:
    """At each turn of the loop, until the server has the request."""

    async def cancel_after(turns: int, url: str) -> BaseException:
        async with SERVICES[service].async_client(KEY, base_url=url, http_client=library) as client:
            task = asyncio.create_task(ASKED[service](client))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            try:
                await task
            except asyncio.CancelledError as error:
                return error
            raise AssertionError("it was not cancelled")

    with RawHTTPServer([[HANG]]) as server:
        turns = 0
        while not server.requests:
            error = asyncio.run(cancel_after(turns, server.url))
            assert leaks(error) == [], f"after {turns} turns"
            turns += 1
            time.sleep(0.01)
    assert turns > 5


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "body", [b'{"status":{"code":"40100","message":"no"}}', b"no json"], ids=["error", "text"]
)
def test_no_key_in_the_frames_of_an_answer_that_is_an_error(way: tuple[str, str], body: bytes) -> None:
    """A response that is not a chat, whose error is raised while it is read."""
    library, mode = way
    steps = [head(kind="application/json", length=len(body)), body]
    with RawHTTPServer([steps]) as server:
        options: dict[str, Any] = {"base_url": server.url, "http_client": library, "max_retries": 0}

        async def ask_awaited() -> Any:
            async with clova.AsyncClient(KEY, **options) as client:
                return await client.embedding("x")

        def ask_blocking() -> Any:
            with clova.Client(KEY, **options) as client:
                return client.embedding("x")

        error = raised(lambda: asyncio.run(ask_awaited()) if mode == "async" else ask_blocking())
    assert isinstance(error, hangang.APIError)
    assert leaks(error) == []


@pytest.mark.parametrize("service", ASKED)
def test_no_key_in_the_frames_of_a_parser_that_is_refused(service: str) -> None:
    """The parser checks its own options, when the attempt is made."""
    with SERVICES[service].client(KEY, max_frame_bytes="no", max_retries=0) as client:
        error = raised(lambda: ASKED[service](client))
    assert isinstance(error, TypeError | ValueError)
    assert leaks(error) == []


def test_only_the_frames_below_are_cut() -> None:
    """A mistake in a caller's own transport keeps its traceback, and so does what the caller was handling."""

    def broken(request: Any) -> Any:
        raise RuntimeError("a mistake of mine")

    def handled() -> None:
        asyncio.run(asyncio.wait_for(asyncio.sleep(1), 0.001))

    def frames(error: BaseException | None) -> list[str]:
        assert error is not None
        return [frame.f_code.co_name for frame, _ in traceback.walk_tb(error.__traceback__)]

    before = raised(handled)
    expected = frames(before)
    with (
        httpx.Client(transport=httpx.MockTransport(broken)) as http,
        clova.Client(KEY, http_client=http) as client,
    ):
        try:
            raise before
        except TimeoutError:
            error = raised(lambda: ASKED["clova"](client))
    assert frames(error)[-1] == "broken"
    assert error.__context__ is before
    assert frames(before)[1:] == expected
    assert leaks(error) == []


# -- TLS -------------------------------------------------------------------------------------------------------

HOST = "tls.hangang.test"
#: Everything that turns verification off in some tool, or might be thought to.
SWITCHES = {
    "PYTHONHTTPSVERIFY": "0",
    "CURL_CA_BUNDLE": "",
    "REQUESTS_CA_BUNDLE": "",
    "SSL_VERIFY": "0",
    "HTTPX_VERIFY": "0",
    "HTTPX_SSL_VERIFY": "false",
    "HANGANG_VERIFY": "0",
    "NODE_TLS_REJECT_UNAUTHORIZED": "0",
    "GIT_SSL_NO_VERIFY": "1",
    "SSL_NO_VERIFY": "1",
}

CHILD = """
    import socket, sys
    port, library, host = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    real = socket.getaddrinfo
    socket.getaddrinfo = lambda name, *a, **k: real("127.0.0.1" if name in (host, host.encode()) else name, *a, **k)
    import asyncio, hangang
    from hangang import clova
    options = {"base_url": f"https://{host}:{port}", "http_client": library, "max_retries": 0, "timeout": 5}
    async def ask():
        async with clova.AsyncClient("nv-key", **options) as client:
            await client.chat("HCX-007", [{"role": "user", "content": "x"}])
    try:
        if sys.argv[4] == "async":
            asyncio.run(ask())
        else:
            with clova.Client("nv-key", **options) as client:
                client.chat("HCX-007", [{"role": "user", "content": "x"}])
    except hangang.APIConnectionError as error:
        print("refused" if "(certificate verify failed: self-signed certificate)" in str(error) else error)
    except hangang.HangangError as error:
        print("reached", type(error).__name__)
"""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate that nobody has signed but itself."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed: no certificate for the test's server")
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={HOST}",
         "-addext", f"subjectAltName=DNS:{HOST}", "-addext", "basicConstraints=critical,CA:TRUE",
         "-keyout", str(key), "-out", str(cert)],
        check=True, capture_output=True,
    )  # fmt: skip
    return cert, key


@pytest.fixture
def tls_server(certificate: tuple[Path, Path]) -> Iterator[tuple[int, list[bytes]]]:
    """Answers 404 to every client that completes the handshake; records the bytes it received."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)
    stop = threading.Event()
    received: list[bytes] = []

    def serve() -> None:
        while not stop.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            try:
                connection.settimeout(5)
                with context.wrap_socket(connection, server_side=True) as secure:
                    request = b""
                    while not request.endswith(b"}"):  # the body is JSON
                        request += secure.recv(65536)
                    received.append(request)
                    secure.sendall(
                        b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                    )
            except OSError:
                connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1], received
    stop.set()
    thread.join(10)
    listener.close()


def ask(port: int, way: tuple[str, str], host: str, environment: dict[str, str]) -> str:
    clean = {
        name: value for name, value in os.environ.items() if "PROXY" not in name.upper() and "SSL" not in name
    }
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(CHILD), str(port), way[0], host, way[1]],
        env={**clean, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("host", [HOST, "localhost"])
def test_no_variable_switches_verification_off(
    tls_server: tuple[int, list[bytes]], way: tuple[str, str], host: str
) -> None:
    port, received = tls_server
    assert ask(port, way, host, SWITCHES) == "refused"
    assert received == [], "the key was sent before the certificate was checked"


@pytest.mark.parametrize("content", [None, b"no certificate"], ids=["missing", "wrong"])
def test_a_file_of_certificates_that_cannot_be_read_is_named(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with pytest.raises(OSError) as caught:  # ssl.SSLError is one
        tls_context()
    assert caught.value.__notes__ == [f"SSL_CERT_FILE is {str(file)!r}"]


@pytest.mark.parametrize(
    ("folder", "is_certifi"),
    [(None, True), ([], True), (["02265526.0"], False)],
    ids=["none", "empty", "filled"],
)
def test_a_system_without_certificates(
    folder: list[str] | None, is_certifi: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """aiohttp and urllib3 then trust certifi's, as httpx always does."""
    pytest.importorskip("certifi")
    for name in folder or ():
        (tmp_path / name).write_bytes(b"")
    where = None if folder is None else str(tmp_path)
    paths = ssl.DefaultVerifyPaths(None, where, "SSL_CERT_FILE", "", "SSL_CERT_DIR", "")
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
    monkeypatch.setattr(ssl.SSLContext, "load_default_certs", lambda *_: None)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    _context.cache_clear()
    try:
        assert bool(tls_context().cert_store_stats()["x509_ca"]) is is_certifi
    finally:
        _context.cache_clear()


@pytest.mark.parametrize("way", WAYS)
def test_a_trusted_certificate_is_a_decision_of_its_own(
    tls_server: tuple[int, list[bytes]], certificate: tuple[Path, Path], way: tuple[str, str]
) -> None:
    """The control: naming the certificate as trusted is the one thing that lets the same server in."""
    port, received = tls_server
    answer = ask(port, way, HOST, {"SSL_CERT_FILE": str(certificate[0])})
    assert answer == "reached NotFoundError"
    assert b"Bearer nv-key" in received[0]
