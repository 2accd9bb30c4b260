"""A key reaches the service, and nothing else: no log, no text, no traceback with its locals, no metric.

`keywatch.py` reads along while the suites of the clients run, in a process of its own. TLS verification is held
against every variable that switches it off somewhere.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import ssl
import subprocess
import sys
import textwrap
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path

import keywatch
import pytest
from transports import KEY

import hangang
from hangang import clova, exaone, gov

TESTS = Path(__file__).parent
CLIENTS = (clova.Client, exaone.Client, gov.Client)


def watched(*arguments: str) -> dict[str, int]:
    """Runs tests under the watch; what it looked at."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--no-header",
        "--tb=short",
        "-p",
        "keywatch",
        *arguments,
    ]
    path = os.pathsep.join([str(TESTS), *sys.path])
    done = subprocess.run(
        command,
        cwd=TESTS.parent,
        env={**os.environ, "PYTHONPATH": path, "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        timeout=1500,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:]
    counts = re.search(r"keywatch looked at (.*)", done.stdout)
    assert counts is not None
    return {kind: int(count) for count, kind in re.findall(r"(\d+) (\w+)", counts[1])}


#: There the service itself sends the key back, and the events of a stream are what the service sent.
ECHOED = "not test_a_key_is_in_no_text"


def test_no_key_in_what_a_fault_leaves_behind() -> None:
    looked = watched("tests/test_faults.py", "-k", "broken_before_any or json_error or redirect")
    assert looked["records"] > 100
    assert looked["errors"] > 30
    assert looked["frames"] > 200
    assert looked["streams"] > 30


@pytest.mark.long
def test_no_key_in_the_whole_suite_of_the_clients() -> None:
    # Every file in which a client has the key.
    files = ("faults", "threads", "streams", "clients_requests", "clients_streams", "clients_emulator")
    looked = watched("-k", ECHOED, *(f"tests/test_{name}.py" for name in files))
    assert min(looked.values()) > 1000


def test_the_watch_sees_a_leak() -> None:
    """Each kind of leak, planted: a watch that sees nothing would pass everything."""

    def fail() -> None:
        headers = {"authorization": f"Bearer {KEY}"}
        raise hangang.APIConnectionError(f"no answer ({len(headers)})")

    module = {"__name__": "hangang.planted", "hangang": hangang, "KEY": KEY}
    planted = type(fail)(fail.__code__, module)
    try:
        planted()
    except hangang.APIConnectionError as error:
        keywatch.look_at_error(error)
    assert len(keywatch.found) == 1
    assert "local 'headers' of fail" in keywatch.found.pop()
    keywatch.look_at_error(hangang.APIConnectionError(f"key {KEY}"))
    assert len(keywatch.found) >= 2
    keywatch.found.clear()
    record = logging.LogRecord("httpx", logging.DEBUG, "", 0, "sent %s", ({"x-api-key": KEY},), None)
    keywatch.Watch().emit(record)
    assert len(keywatch.found) == 2
    keywatch.found.clear()


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
    socket.getaddrinfo = lambda name, *a, **k: real("127.0.0.1" if name == host else name, *a, **k)
    if library == "httpx2":
        sys.modules["httpx"] = None
    import hangang
    from hangang import clova
    try:
        with clova.Client("nv-key", base_url=f"https://{host}:{port}", max_retries=0, timeout=5) as client:
            client.chat("HCX-007", [{"role": "user", "content": "x"}])
    except hangang.APIConnectionError as error:
        print("refused" if "CERTIFICATE_VERIFY_FAILED" in str(error) or "certificate" in str(error) else error)
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
    """Answers 404 to whoever completes the handshake; remembers what it was sent."""
    import socket

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


def ask(port: int, library: str, host: str, environment: dict[str, str]) -> str:
    clean = {
        name: value for name, value in os.environ.items() if "PROXY" not in name.upper() and "SSL" not in name
    }
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(CHILD), str(port), library, host],
        env={**clean, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("library", ["httpx", "httpx2"])
@pytest.mark.parametrize("host", [HOST, "localhost"])
def test_no_variable_switches_verification_off(
    tls_server: tuple[int, list[bytes]], library: str, host: str
) -> None:
    port, received = tls_server
    assert ask(port, library, host, SWITCHES) == "refused"
    assert received == [], "the key was sent before the certificate was checked"


def test_a_trusted_certificate_is_a_decision_of_its_own(
    tls_server: tuple[int, list[bytes]], certificate: tuple[Path, Path]
) -> None:
    """The control: naming the certificate as trusted is the one thing that lets the same server in."""
    port, received = tls_server
    answer = ask(port, "httpx", HOST, {"SSL_CERT_FILE": str(certificate[0])})
    assert answer == "reached NotFoundError"
    assert b"Bearer nv-key" in received[0]
