"""A paced server in a process of its own: each open stream gets one event a tick, in a segment of its own.

The text of each event ends in the time at which it was sent (`time.monotonic_ns`, which all processes of a
machine share), so that a client can tell how late it read it. One loop writes to all sockets without an event
loop, because the server must not be what limits the client.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor

HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
    b"Connection: close\r\n\r\n"
)
EVENT = (
    'data: {"id":"chatcmpl-8f1c2d","object":"chat.completion.chunk","created":1764115200,"model":"HCX-005",'
    '"choices":[{"index":0,"delta":{"content":"한강은 %d"},"finish_reason":null}]}\n\n'
)
LAST = (
    b'data: {"id":"chatcmpl-8f1c2d","object":"chat.completion.chunk","created":1764115200,"model":"HCX-005",'
    b'"choices":[{"index":0,"delta":{"content":""},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


END = chunk(LAST) + b"0\r\n\r\n"


class Server:
    def __init__(
        self, listener: socket.socket, context: ssl.SSLContext | None, ticks: int, rate: float
    ) -> None:
        self._listener, self._context = listener, context
        self._ticks, self._interval = ticks, 1 / rate
        self._new: list[socket.socket] = []
        self._lock = threading.Lock()

    def accept(self) -> None:
        with ThreadPoolExecutor(16) as pool:
            while True:
                pool.submit(self._begin, self._listener.accept()[0])

    def _begin(self, sock: socket.socket) -> None:
        try:
            sock.settimeout(60)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context is not None:
                sock = self._context.wrap_socket(sock, server_side=True)
            received = b""
            while b"\r\n\r\n" not in received:
                received += sock.recv(65536)
            head, _, body = received.partition(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0] or 0)
            while len(body) < length:
                body += sock.recv(65536)
            sock.sendall(HEAD)
            sock.settimeout(5)
            with self._lock:
                self._new.append(sock)
        except OSError:
            sock.close()

    def pace(self) -> None:
        """Send until the process is ended. A client that does not read is given up after five seconds."""
        live: dict[socket.socket, int] = {}
        next_tick = time.monotonic()
        while True:
            next_tick += self._interval
            time.sleep(max(0.0, next_tick - time.monotonic()))
            with self._lock:
                live.update(dict.fromkeys(self._new, 0))
                self._new.clear()
            for sock, sent in list(live.items()):
                try:
                    if sent < self._ticks:
                        sock.sendall(chunk((EVENT % time.monotonic_ns()).encode()))
                        live[sock] = sent + 1
                        continue
                    sock.sendall(END)
                except OSError:
                    pass
                del live[sock]
                sock.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=400)
    parser.add_argument("--rate", type=float, default=50)
    parser.add_argument("--certificate")
    options = parser.parse_args()
    context = None
    if options.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.certificate)
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    print(listener.getsockname()[1], flush=True)
    server = Server(listener, context, options.events, options.rate)
    threading.Thread(target=server.accept, daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    server.pace()


if __name__ == "__main__":
    main()
