"""A server that misbehaves on purpose: a socket, a script of steps a request, and no HTTP library.

    with RawHTTPServer([[head(chunked=True), chunk(b"data: ..."), RESET]]) as server:
        ...  # server.url, server.requests, server.open

Each request takes the next script; the last one is repeated. A step is bytes to send, a `Sleep`, or one of the
ends below. After its script the server closes the connection, unless the script ended it in another way.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class Sleep:
    seconds: float


@dataclass(frozen=True)
class End:
    name: str


RESET = End("reset")  # a TCP reset: the connection is gone
HALF = End("half")  # our side is shut, the other may send more: the connection stays until the client leaves
HANG = End("hang")  # silence, until the client leaves
Step = bytes | Sleep | End


def head(
    status: str = "200 OK",
    kind: str = "text/event-stream",
    *,
    chunked: bool = False,
    length: int | None = None,
    headers: str = "",
) -> bytes:
    """Status line and headers; neither chunked nor of a length, the body ends with the connection."""
    lines = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\n{headers}"
    if chunked:
        lines += "transfer-encoding: chunked\r\n"
    elif length is not None:
        lines += f"content-length: {length}\r\n"
    else:
        lines += "connection: close\r\n"
    return (lines + "\r\n").encode()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


LAST_CHUNK = b"0\r\n\r\n"


class RawHTTPServer:
    """Threads and sockets of its own; `open` counts the connections that nobody has closed yet."""

    def __init__(self, scripts: Sequence[Sequence[Step]]) -> None:
        self.scripts = scripts
        self.requests: list[bytes] = []
        self.open = 0
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._listener.settimeout(0.01)
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *exc: object) -> None:
        self._stopping.set()
        self._listener.close()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()

    def settle(self, seconds: float = 5.0) -> int:
        """The connections that are still open once the clients had time to close theirs."""
        end = time.monotonic() + seconds
        while self.open and time.monotonic() < end:
            time.sleep(0.005)
        return self.open

    def _start(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            with self._lock:
                self.open += 1
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(0.01)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            request = self._request(connection)
            if request:
                with self._lock:
                    self.requests.append(request)
                    script = self.scripts[min(len(self.requests), len(self.scripts)) - 1]
                self._play(connection, script)
        except OSError:
            pass  # the client has left
        finally:
            connection.close()
            with self._lock:
                self.open -= 1

    def _request(self, connection: socket.socket) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data:
            more = self._receive(connection)
            if not more:
                return b""
            data += more
        headers, _, body = data.partition(b"\r\n\r\n")
        length = 0
        for line in headers.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        while len(body) < length:
            more = self._receive(connection)
            if not more:
                return b""
            body += more
        return headers + b"\r\n\r\n" + body

    def _receive(self, connection: socket.socket) -> bytes:
        while not self._stopping.is_set():
            try:
                return connection.recv(65536)
            except TimeoutError:
                continue
        return b""

    def _play(self, connection: socket.socket, script: Sequence[Step]) -> None:
        for step in script:
            if isinstance(step, bytes):
                connection.settimeout(5)
                connection.sendall(step)
                connection.settimeout(0.01)
            elif isinstance(step, Sleep):
                if self._stopping.wait(step.seconds):
                    return
            elif step is RESET:
                # What was sent should arrive first: a reset may throw away what nobody has read yet.
                time.sleep(0.03)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
            else:
                if step is HALF:
                    connection.shutdown(socket.SHUT_WR)
                while self._receive(connection):
                    pass
                return
