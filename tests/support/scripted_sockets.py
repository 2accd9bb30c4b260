"""The answers of a `Script` for aiohttp and urllib3: real client objects, over pairs of sockets instead of a network.

An exception in a script breaks the connection in the middle of the body; as `Answer.error` it refuses the connection.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import threading
import time
from typing import Any

import aiohttp
import httpx
import urllib3


def manager(script: Any) -> urllib3.PoolManager:
    class Connection(urllib3.connection.HTTPConnection):
        scheme = "http"

        def connect(self) -> None:
            if (refused := refusal(script)) is not None:
                raise urllib3.exceptions.NewConnectionError(self, "refused") from refused
            self.sock = connected(script, self.scheme)

    class SecureConnection(Connection):
        scheme = "https"

    class Pool(urllib3.HTTPConnectionPool):
        ConnectionCls = Connection  # type: ignore[assignment]

    class SecurePool(urllib3.HTTPConnectionPool):
        ConnectionCls = SecureConnection  # type: ignore[assignment]

    made = urllib3.PoolManager(timeout=urllib3.Timeout(5, read=5))
    made.pool_classes_by_scheme = {"http": Pool, "https": SecurePool}
    return made


def session(script: Any) -> aiohttp.ClientSession:
    class Connector(aiohttp.TCPConnector):
        async def _create_connection(self, req: Any, traces: Any, timeout: Any) -> Any:
            if (refused := refusal(script)) is not None:
                raise aiohttp.ClientConnectorError(req.connection_key, refused)
            _, protocol = await self._loop.create_connection(
                self._factory, sock=connected(script, req.url.scheme)
            )
            return protocol

    return aiohttp.ClientSession(
        connector=Connector(limit=0), timeout=aiohttp.ClientTimeout(sock_connect=5, sock_read=5)
    )


def refusal(script: Any) -> OSError | None:
    """Why the next connection is refused, if it is; that counts as a request."""
    if script.current().error is None:
        return None
    script.requests.append(None)
    return ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))


def connected(script: Any, scheme: str) -> socket.socket:
    """The client's end of a connection, whose other end plays the script."""
    ours, theirs = socket.socketpair()
    thread = threading.Thread(target=serve, args=(script, theirs, scheme), daemon=True)
    thread.start()
    ours.setblocking(True)
    return ours


def serve(script: Any, connection: socket.socket, scheme: str) -> None:
    with connection, contextlib.suppress(OSError):
        while (request := received(connection, scheme)) is not None:
            answer = script.current()
            script.requests.append(request)
            items = [answer.body] if isinstance(answer.body, bytes) else list(answer.body)
            script.opened += 1
            try:
                if not play(connection, answer, items):
                    return
            finally:
                script.ended += 1


def received(connection: socket.socket, scheme: str) -> httpx.Request | None:
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    named = httpx.Headers(headers)
    while len(body) < int(named.get("content-length", 0)):
        body += connection.recv(65536)
    return httpx.Request(method, f"{scheme}://{named['host']}{target}", headers=headers, content=body)


def play(connection: socket.socket, answer: Any, items: list[Any]) -> bool:
    """Whether the whole answer was sent."""
    lines = [
        f"HTTP/1.1 {answer.status} Scripted",
        *(f"{name}: {text}" for name, text in answer.headers.items()),
    ]
    connection.sendall("\r\n".join([*lines, "transfer-encoding: chunked", "", ""]).encode("latin-1"))
    for item in items:
        if isinstance(item, Exception):
            return False
        if isinstance(item, float):
            if is_left(connection, item):
                return False
        elif item:
            connection.sendall(b"%x\r\n%s\r\n" % (len(item), item))
    connection.sendall(b"0\r\n\r\n")
    return True


def is_left(connection: socket.socket, seconds: float) -> bool:
    """Wait; whether the client closes the connection meanwhile."""
    until = time.monotonic() + seconds
    connection.settimeout(max(seconds, 1e-6))
    try:
        return connection.recv(1, socket.MSG_PEEK) == b"" and time.monotonic() < until
    except (TimeoutError, BlockingIOError):
        return False
    finally:
        connection.settimeout(None)
