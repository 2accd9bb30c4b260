"""The emulator's own uvicorn: connections that answers can cut and reset, and a clean stop.

`Protocol` is uvicorn's h11 protocol with two additions: it counts connections, and it puts itself
into the ASGI scope, so that an answer can end its connection (see `_faults`). h11 and not
httptools, because each ASGI message is then one HTTP chunk and one write.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Generator, Iterable, MutableMapping
from typing import Any, cast

import uvicorn
from starlette.applications import Starlette
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol

from ._addresses import url_of
from ._faults import CONNECTION
from ._replies import Choose, Replies, Reply
from ._requests import Request
from ._state import State

# Closing sends RST and drops what is unsent. Windows has shorts in this structure.
_NO_LINGER = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)


class Protocol(H11Protocol):
    """One connection, which its own answers can end."""

    def __init__(self, config: Config, *args: Any, **options: Any) -> None:
        super().__init__(config, *args, **options)
        self._state: State = cast("Starlette", config.app).state.emulator
        inner: Any = self.app

        async def with_connection(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
            scope.setdefault("extensions", {})[CONNECTION] = self
            await inner(scope, receive, send)

        self.app = cast("Any", with_connection)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count the connection."""
        super().connection_made(transport)
        self._state.connections = (self._state.connections or 0) + 1

    def connection_lost(self, exc: Exception | None) -> None:
        """Count the connection as closed."""
        super().connection_lost(exc)
        self._state.connections = (self._state.connections or 1) - 1

    def cut(self) -> None:
        """Send what was written, then FIN, without the last HTTP chunk."""
        self.transport.close()

    def reset(self) -> None:
        """Send RST."""
        found = self.transport.get_extra_info("socket")
        if found is not None and not self.transport.is_closing():
            with contextlib.suppress(OSError):  # the client has left already
                found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self.transport.abort()


class Server(uvicorn.Server):
    """A uvicorn server that signals when it is ready, and stops without waiting for streams.

    uvicorn's own stop takes a fifth of a second: it looks at a flag now and then, and lets connections
    finish. That is long where each test has a server of its own.
    """

    def __init__(self, app: Starlette, on_start: Callable[[], object], log_level: str = "critical") -> None:
        super().__init__(
            Config(
                app,
                http=Protocol,
                ws="none",
                loop="asyncio",
                lifespan="off",
                log_config=None,
                log_level=log_level,
                access_log=False,
                # A client under load may take long to come back to an idle connection.
                timeout_keep_alive=75,
                timeout_graceful_shutdown=2,
            )
        )
        self.failed: Exception | None = None  # by `on_start`
        self._on_start = on_start
        self._stopping = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def stop(self) -> None:
        """End `run`, from any thread."""
        self.should_exit = True
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed already
                self._loop.call_soon_threadsafe(self._stopping.set)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then call `on_start`: connections are accepted from here on."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets=sockets)
        try:
            self._on_start()
        except Exception as error:
            # Out of here uvicorn would log it as a fault of the application and skip the shutdown.
            self.failed = error

    async def main_loop(self) -> None:
        """As uvicorn's, a tick each 0.1 s, but `stop` ends it at once."""
        if self.failed is not None:
            return
        tick = 0
        while not await self.on_tick(tick % 10):
            tick += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), 0.1)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drop every connection: a stalled stream must not hold up the end."""
        for server in self.servers:
            server.close()
        for sock in sockets or []:
            sock.close()
        for connection in list(self.server_state.connections):
            if isinstance(connection, Protocol):
                connection.transport.abort()
        if self.server_state.tasks:  # each ends by itself when its client has left
            _, late = await asyncio.wait(list(self.server_state.tasks), timeout=2)
            for task in late:
                task.cancel()


def listen(app: Starlette, host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Of a name's addresses IPv4 goes first."""
    app.state.emulator.listening = host
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, address = min(found, key=lambda one: one[0] != socket.AF_INET)
    # asyncio sets TCP_NODELAY only where the protocol is named; accepted sockets inherit it.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name != "nt":  # there it would let two servers share a port
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(1024)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


class Emulator:
    """An emulator that runs in a thread of this process.

    Attributes:
        url: where clients on this machine reach it, without a slash at the end.
        host: the address that it listens on.
        port: its port.
        app: the application.
        state: counters and stores; read it, do not change it.
    """

    def __init__(self, app: Starlette, sock: socket.socket, server: Server) -> None:
        self.app = app
        self.state: State = app.state.emulator
        self.host, self.port = sock.getsockname()[:2]
        self.url = url_of(self.host, self.port)
        self._server = server

    def __repr__(self) -> str:
        return f"<Emulator {self.url}>"

    @property
    def requests(self) -> list[Request]:
        """The last requests, oldest first: at most 1,000, and at most 64 MiB of bodies."""
        return list(self.state.requests)

    @property
    def answers(self) -> Iterable[Reply] | Choose | None:
        """The chosen answers, as given; None: made-up ones.

        Set it to use other answers from the next request on; a list begins at its first reply.
        """
        return self.state.replies.given

    @answers.setter
    def answers(self, answers: Iterable[Reply] | Choose | None) -> None:
        self.state.replies = Replies(answers)

    def wait_idle(self, timeout: float = 2.0) -> bool:
        """Wait until no connection and no answer is left; False after `timeout` seconds."""
        end = time.monotonic() + timeout
        while self.state.open_streams or self.state.connections:
            if time.monotonic() > end:
                return False
            time.sleep(0.005)
        return True


@contextlib.contextmanager
def run_in_thread(app: Starlette, host: str, port: int) -> Generator[Emulator]:
    """See `hangang.emulator.run_in_thread`."""
    sock = listen(app, host, port)
    with contextlib.closing(sock):
        ready = threading.Event()
        server = Server(app, ready.set)
        failed: list[BaseException] = []

        def work() -> None:
            try:
                server.run(sockets=[sock])
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=work, name="hangang-emulator", daemon=True)
        thread.start()
        try:
            while not ready.wait(0.05):
                if not thread.is_alive():
                    raise RuntimeError("the emulator did not start") from (failed[0] if failed else None)
            yield Emulator(app, sock, server)
        finally:
            server.stop()
            thread.join(10)
    if failed:
        raise RuntimeError("the emulator failed") from failed[0]


def serve(
    app: Starlette, host: str, port: int, on_start: Callable[[str], None] | None, log_level: str
) -> None:
    """See `hangang.emulator.serve`."""
    sock = listen(app, host, port)
    url = url_of(*sock.getsockname()[:2])
    with contextlib.closing(sock), contextlib.suppress(KeyboardInterrupt):
        server = Server(app, lambda: on_start and on_start(url), log_level)
        server.run(sockets=[sock])
        if server.failed is not None:
            raise server.failed
