"""The child of test_memory.py: feeds one parser and prints memory in bytes. `python memory.py WHAT BACKEND`.

A process of its own, for a peak is never forgotten; what is fed is made piece by piece, and little is
imported, so that only the parser and its result hold memory.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from typing import Any

FRAME = 64 * 2**20
PIECE = 1024
HEADS = {
    "JSONStreamParser": (b'{"message":{"content":"', b'"}}'),
    "clova": (
        b'event:result\ndata:{"message":{"role":"assistant","content":"',
        b'"},"finishReason":"stop"}\n\n',
    ),
    "exaone": (b'{"result_code": 200, "data": {"answer": "', b'", "progress_state": "answering"}}'),
}


def memory(name: str) -> int:
    """VmHWM (the peak) or VmRSS of this process, in bytes."""
    with open("/proc/self/status", encoding="ascii") as status:
        for line in status:
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
    raise SystemExit("this system does not tell")


def pieces(head: bytes, tail: bytes) -> Iterator[bytes]:
    yield head
    text = "한강은 서울을 지나 서해로 흐른다. ".encode()
    body = (text * (PIECE // len(text) + 1))[: PIECE // len(text) * len(text)].ljust(PIECE, b".")
    for _ in range(FRAME // PIECE):
        yield body
    yield tail


def parser_of(what: str, backend: str) -> Any:
    if what == "JSONStreamParser":
        return importlib.import_module(f"hangang._{backend}").JSONStreamParser(max_frame_bytes=2 * FRAME)
    from hangang.cli.bench.decoders import parser_class

    return parser_class(backend, what)(max_frame_bytes=2 * FRAME)


def peak(what: str, backend: str) -> tuple[int, int]:
    """The peak, and what of it was there before the first byte was fed."""
    parser = parser_of(what, backend)
    before = memory("VmHWM")
    found: list[Any] = []
    for piece in pieces(*HEADS[what]):
        found += parser.feed(piece)
    (frame,) = found
    size = len(frame) if isinstance(frame, bytes) else len(frame.text or getattr(frame, "content", ""))
    if size < FRAME // 4:
        raise SystemExit("the frame is not whole")
    return memory("VmHWM"), before


def resident(backend: str) -> int:
    """Growth between event one million and ten million of one parser."""
    import workloads

    from hangang.cli.bench.decoders import parser_class

    frames = b"".join(workloads.clova_v3(1000).frames()[:1000])  # without the end
    chunks = [frames[at : at + 16384] for at in range(0, len(frames), 16384)]
    parser, events, first = parser_class(backend, "clova")(), 0, 0
    while events < 10_000_000:
        for chunk in chunks:
            events += len(parser.feed(chunk))
        if not first and events >= 1_000_000:
            first = memory("VmRSS")
    return memory("VmRSS") - first


if __name__ == "__main__":
    what, backend = sys.argv[1:]
    print(*([resident(backend)] if what == "resident" else peak(what, backend)))
