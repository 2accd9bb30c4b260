"""The server of the soak, in a process of its own: asyncio and sockets, no HTTP library.

    python soak_server.py

prints its port. A request with the header `x-soak: N` gets the answer of that number (`soak_answers.py`); `GET /open`
gets how many connections are open besides its own, and `GET /served` how many answers were begun.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from soak_answers import answer

HANG = 100.0  # seconds of silence: far longer than any client of the soak waits


class Server:
    def __init__(self) -> None:
        self.open = 0
        self.served = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until the client leaves or an answer ends it."""
        self.open += 1
        try:
            while head := await self._head(reader):
                if not await self._respond(head, reader, writer):
                    return
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client has left
        finally:
            self.open -= 1
            writer.close()

    async def _head(self, reader: asyncio.StreamReader) -> bytes:
        try:
            return await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return b""

    async def _respond(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        fields = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:] if line)
        await reader.readexactly(int(fields.get(b"content-length", b"0")))
        if head.startswith(b"GET /"):
            count = self.open - 1 if head.startswith(b"GET /open") else self.served
            body = b"%d" % count
            writer.write(
                b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)
            )
            await writer.drain()
            return False
        self.served += 1
        wanted = answer(int(fields[b"x-soak"]))
        if wanted.fault == "status":
            body = b'{"message": "x"}'
            writer.write(
                b"HTTP/1.1 503 Busy\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
                % (len(body), body)
            )
            await writer.drain()
            return True
        kind = b"application/json" if wanted.service == "exaone" else b"text/event-stream"
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\ntransfer-encoding: chunked\r\n\r\n" % kind)
        for piece, pause in zip(wanted.sent, wanted.pauses, strict=True):
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            await writer.drain()
            if pause:
                await asyncio.sleep(pause)
        if wanted.fault in ("none", "truncate", "malformed", "error"):
            writer.write(b"0\r\n\r\n")
            await writer.drain()
            return True
        if wanted.fault == "stall":
            await asyncio.wait_for(reader.read(1), HANG)  # ends when the client leaves
        elif wanted.fault == "reset":
            await asyncio.sleep(0.05)  # what was sent should arrive first
            connection: socket.socket = writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        return False


async def main() -> None:
    server = Server()
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, backlog=1024)
    print(listener.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)  # until the parent leaves


if __name__ == "__main__":
    asyncio.run(main())
