"""One compressed bomb of test_limits.py in a process of its own, so that the peak of its memory is its own.

    python bombs_child.py sync rag br "200 OK" httpx

prints a JSON object: the error that the call raised, how long its body is, and the kilobytes by which the peak grew.
The bomb is made in pieces and sent over a socket; what it inflates to is nowhere but in the client.
"""

from __future__ import annotations

import asyncio
import gzip
import importlib
import json
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from limits_child import peak
from raw_http_server import RawHTTPServer, head

from hangang import clova, exaone, gov, openai

LIMIT = 8 * 2**20
INFLATED = 64 * 2**20
BLOCK = b" " * 2**20


def bomb(encoding: str) -> bytes:
    """64 MiB of white space inside the brackets of a list."""
    compressor: Any
    if encoding == "br":
        compressor = importlib.import_module("brotli").Compressor()
        compress, finish = compressor.process, compressor.finish
    elif encoding == "zstd":
        try:
            library = importlib.import_module("compression.zstd")
        except ImportError:
            library = importlib.import_module("backports.zstd")
        compressor = library.ZstdCompressor()
        compress, finish = compressor.compress, compressor.flush
    else:
        compressor = zlib.compressobj(9, zlib.DEFLATED, 31 if encoding.endswith("gzip") else 15)
        compress, finish = compressor.compress, compressor.flush
    out = [compress(b"[")]
    out += [compress(BLOCK) for _ in range(INFLATED // len(BLOCK))]
    data = b"".join([*out, compress(b"]"), finish()])
    return gzip.compress(data) if encoding == "gzip, gzip" else data


#: Every way to call what is not a chat: the module, and the call.
CALLS: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "files": (exaone, lambda client: client.files.list()),
    "upload": (exaone, lambda client: client.files.upload(b"x")),
    "request": (exaone, lambda client: client.request("GET", "/v1/other")),
    "rag": (gov, lambda client: client.rag.search("한강")),
    "collections": (gov, lambda client: client.rag.collections.list()),
    "embeddings": (gov, lambda client: client.tools.embeddings("한강")),
    "speech": (gov, lambda client: client.tools.speech("한강")),
    "models": (gov, lambda client: client.models()),
    "embedding": (clova, lambda client: client.embedding("한강")),
    "openai": (openai, lambda client: client.embeddings("한강", model="m")),
}


def call(mode: str, name: str, url: str, **options: Any) -> Any:
    """What the call returns or raises."""
    module, work = CALLS[name]
    options = {"base_url": url, "max_response_bytes": LIMIT, "max_retries": 0, **options}
    try:
        if mode == "sync":
            with module.Client("key", **options) as client:
                return work(client)

        async def run() -> Any:
            async with module.AsyncClient("key", **options) as client:
                return await work(client)

        return asyncio.run(run())
    except Exception as error:
        return error


def main() -> None:
    mode, name, encoding, status, library = sys.argv[1:6]
    headers = f"content-encoding: {encoding}\r\n"
    data = bomb(encoding)
    small = [head(kind="application/json"), b"{}"]
    with RawHTTPServer(
        [small, [head(status, "application/json", length=len(data), headers=headers), data]]
    ) as server:
        call(
            mode, name, server.url, http_client=library
        )  # what is loaded and allocated once is not the bomb's
        before = peak()
        found = call(mode, name, server.url, http_client=library)
        grown = peak() - before
        asked = [
            request.lower().split(b"accept-encoding: ")[1].split(b"\r\n")[0] for request in server.requests
        ]
    print(
        json.dumps(
            {
                "error": f"{type(found).__name__}: {found}",
                "body": len(getattr(found, "body", None) or ""),
                "grown": grown,
                "asked": [one.decode() for one in asked],
            }
        )
    )


if __name__ == "__main__":
    main()
