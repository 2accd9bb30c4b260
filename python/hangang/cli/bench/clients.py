"""Times whole clients, from the socket to the text, against a server in another process.

The server is a process of its own, so that CPU time of this process is the client's alone. It prepares its
answers byte for byte and sends them in one of three modes:
- `tokens`: one event at a time, with a pause after each: the client wakes up for each event, as with a model;
- `events`: all at once, each event in an HTTP chunk of its own: one chunk an event, but no wait between them;
- `bulk`: all at once, 16 KB in an HTTP chunk.

All contenders post the same body and read the same bytes, on a connection that stays open. Where an HTTP
library can be chosen, each is compared with the others on the same one.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from typing import Any, BinaryIO, Literal

from hangang.cli.bench.workloads import WORKLOADS

__all__ = ["MODEL", "Mode", "Server", "clients"]

MODEL = "HCX-007"
_MESSAGES = [{"role": "user", "content": "한강의 길이는?"}]
_BODY = {"model": MODEL, "messages": _MESSAGES, "stream": True}
_KEY = "key-of-the-benchmark"

Run = Callable[[], object]
Mode = Literal["tokens", "events", "bulk"]


# --- the server


class Server:
    """The server, for the length of a `with` block; `url` is its address.

    The first segment of a request's path selects the mode. The server exits when its standard input
    closes, so it also exits when this process dies.
    """

    def __init__(self, shape: str, n: int) -> None:
        self.events: int = len(WORKLOADS[shape](n).payloads())
        self._command = [sys.executable, "-m", "hangang.cli.bench.clients", shape, str(n)]
        self.url: str = ""

    def __enter__(self) -> Server:
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}"
        return self

    def __exit__(self, *exception: object) -> None:
        process = self._process
        process.terminate()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


_PAUSE = 0.0002  # seconds between tokens, and what the system adds: long enough to go back to waiting
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def _answers(shape: str, n: int) -> dict[str, list[bytes]]:
    """The HTTP answer for each mode, in the pieces that are sent."""
    stream = WORKLOADS[shape](n)
    events = [_http_chunk(frame) for frame in stream.frames()]
    bulk = [_http_chunk(chunk) for chunk in stream.chunks()]
    end = _http_chunk(b"")
    return {
        "tokens": [_HEAD, *events[:-1], events[-1] + end],
        "events": [b"".join([_HEAD, *events, end])],
        "bulk": [b"".join([_HEAD, *bulk, end])],
    }


def _http_chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _serve(shape: str, n: int) -> None:
    answers = _answers(shape, n)
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    threading.Thread(target=_accept, args=(listener, answers), daemon=True).start()
    sys.stdin.buffer.read()


def _accept(listener: socket.socket, answers: dict[str, list[bytes]]) -> None:
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_answer, args=(connection, answers), daemon=True).start()


def _answer(connection: socket.socket, answers: dict[str, list[bytes]]) -> None:
    with connection, connection.makefile("rb") as requests, contextlib.suppress(OSError):
        while request_line := requests.readline():
            _skip(requests)
            mode = request_line.split(b"/", 2)[1].decode()
            for piece in answers[mode]:
                connection.sendall(piece)
                if mode == "tokens":
                    time.sleep(_PAUSE)


def _skip(requests: BinaryIO) -> None:
    """Headers and body of a request."""
    length = 0
    for line in requests:
        if line in (b"\r\n", b"\n"):
            break
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    requests.read(length)


# --- the clients, blocking


def raw(http: Any, url: str) -> None:
    """The HTTP library alone: the cost every client has before its own code runs."""
    with http.stream("POST", f"{url}/chat/completions", json=_BODY) as response:
        for _chunk in response.iter_raw():
            pass


def hangang(client: Any) -> str:
    """This package's client."""
    text = ""
    with client.openai.stream(MODEL, _MESSAGES) as stream:
        for event in stream:
            text = event.text
    return text


def httpx_sse(http: Any, module: Any, loads: Callable[[str], Any], url: str) -> str:
    """httpx-sse, and a JSON parser."""
    text = ""
    with module.connect_sse(http, "POST", f"{url}/chat/completions", json=_BODY) as source:
        for event in source.iter_sse():
            if event.data != "[DONE]":
                choices = loads(event.data)["choices"]
                if choices:
                    text = choices[0]["delta"].get("content")
    return text


def openai(client: Any) -> str:
    """The openai SDK."""
    text = ""
    for chunk in client.chat.completions.create(model=MODEL, messages=_MESSAGES, stream=True):
        if chunk.choices:
            text = chunk.choices[0].delta.content
    return text


def langchain_naver(model: Any) -> str:
    """ChatClovaX of langchain-naver."""
    text = ""
    for chunk in model.stream(_MESSAGES):
        text = chunk.content
    return text


# --- the clients, awaited


async def raw_async(http: Any, url: str) -> None:
    """`raw`, awaited."""
    async with http.stream("POST", f"{url}/chat/completions", json=_BODY) as response:
        async for _chunk in response.aiter_raw():
            pass


async def hangang_async(client: Any) -> str:
    """`hangang`, awaited."""
    text = ""
    async with client.openai.stream(MODEL, _MESSAGES) as stream:
        async for event in stream:
            text = event.text
    return text


async def openai_async(client: Any) -> str:
    """`openai`, awaited."""
    text = ""
    async for chunk in await client.chat.completions.create(model=MODEL, messages=_MESSAGES, stream=True):
        if chunk.choices:
            text = chunk.choices[0].delta.content
    return text


# --- all that can run here


@contextlib.contextmanager
def clients(server: Server, mode: Mode) -> Generator[tuple[dict[str, Run], list[str]]]:
    """Every client that is installed, and the names of those that are not. All end with the block."""
    from hangang import clova

    base = f"{server.url}/{mode}/v1"
    options: dict[str, Any] = {"api_key": _KEY, "base_url": server.url, "openai_path": f"/{mode}/v1"}
    runs: dict[str, Run] = {}
    missing: list[str] = []
    with contextlib.ExitStack() as stack:
        loop = asyncio.new_event_loop()
        stack.callback(loop.close)

        def awaited(work: Callable[..., Coroutine[Any, Any, object]], *arguments: object) -> Run:
            return lambda: loop.run_until_complete(work(*arguments))

        for name in ("httpx", "httpx2"):
            library = _module(name, missing)
            if library is None:
                continue
            http = stack.enter_context(library.Client(trust_env=False))
            ours = clova.Client(http_client=http, **options)
            runs[f"{name} iter_raw"] = partial(raw, http, base)
            runs[f"hangang on {name}"] = partial(hangang, ours)
            http_async = library.AsyncClient(trust_env=False)
            stack.callback(awaited(http_async.aclose))
            ours_async = clova.AsyncClient(http_client=http_async, **options)
            runs[f"{name} aiter_raw"] = awaited(raw_async, http_async, base)
            runs[f"hangang async on {name}"] = awaited(hangang_async, ours_async)
            if name == "httpx" and (module := _module("httpx_sse", missing)) is not None:
                json = _module("orjson", []) or importlib.import_module("json")
                runs["httpx-sse + orjson"] = partial(httpx_sse, http, module, json.loads, base)

        if (module := _module("openai", missing)) is not None:
            sdk = stack.enter_context(module.OpenAI(api_key=_KEY, base_url=base))
            runs["openai SDK"] = partial(openai, sdk)
            sdk_async = module.AsyncOpenAI(api_key=_KEY, base_url=base)
            stack.callback(awaited(sdk_async.close))
            runs["openai SDK async"] = awaited(openai_async, sdk_async)
        if (module := _module("langchain_naver", missing)) is not None:
            model = module.ChatClovaX(model=MODEL, api_key=_KEY, base_url=base)
            runs["langchain-naver"] = partial(langchain_naver, model)
        yield runs, missing


def _module(name: str, missing: list[str]) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        missing.append(name.replace("_", "-"))
        return None


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]))
