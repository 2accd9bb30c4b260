"""The decoders to compare: this package, its pure Python twin, and the libraries people would use instead.

Every contender is the loop that its library's documentation shows, over the same chunks, reading the text of
each event into a variable and nothing else. A library that is not installed is skipped and reported.

Two kinds of contender are kept apart:
- decoders do the whole work: bytes cut anywhere to text;
- JSON parsers ("pre-split") are given each payload by itself: the framing is done for them, at no cost.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from hangang.cli.bench.workloads import WORKLOADS, Workload

__all__ = ["LABELS", "OURS", "Input", "decoders", "hangang_text", "parser_class", "prepare"]

OURS = "hangang"
LABELS = {
    "clova_v3": "CLOVA Studio v3",
    "clova_v1": "CLOVA Studio v1",
    "openai": "OpenAI-compatible",
    "exaone_small": "EXAONE",
    "exaone_refs": "EXAONE with references",
    "a2a": "A2A",
}
"""Display names of the workloads."""

Run = Callable[[], object]


@dataclass(frozen=True)
class Input:
    """A workload, cut in one way."""

    workload: Workload
    chunks: list[bytes]
    payloads: list[bytes]

    @property
    def events(self) -> int:
        """How many frames it has."""
        return len(self.payloads)


def prepare(name: str, n: int, chunk: int | None) -> Input:
    """The workload with n events, in chunks of `chunk` bytes; None: one event a chunk."""
    workload = WORKLOADS[name](n)
    if chunk is None:
        chunks = workload.frames()
    else:
        chunks = [workload.wire[at : at + chunk] for at in range(0, len(workload.wire), chunk)]
    return Input(workload, chunks, workload.payloads())


def parser_class(backend: str, dialect: str) -> Any:
    """The dialect's parser in one implementation, whichever `hangang` itself uses; None if it is absent."""
    try:
        module = importlib.import_module(f"hangang._{backend}")
    except ModuleNotFoundError:
        return None
    return getattr(module, dialect).StreamParser


# --- ours


def hangang_events(parser: Any, stream: Input) -> str:
    """`feed`, and `.text` of each event."""
    feed = parser().feed
    text = ""
    for chunk in stream.chunks:
        for event in feed(chunk):
            text = event.text
    return text


def hangang_text(parser: Any, stream: Input) -> str:
    """`feed_text`."""
    feed_text = parser().feed_text
    text = ""
    for chunk in stream.chunks:
        text = feed_text(chunk)
    return text


# --- the text in a parsed payload, for contenders that parse JSON


def clova_text(payload: Any) -> Any:
    """A token's delta. The result repeats the whole, the signal has none."""
    message = payload.get("message")
    return "" if message is None else message["content"]


def openai_text(payload: Any) -> Any:
    """The delta of the first choice; the usage chunk has no choice."""
    choices = payload["choices"]
    return choices[0]["delta"].get("content", "") if choices else ""


def exaone_text(payload: Any) -> Any:
    """The answer's delta."""
    return payload["data"]["answer"]


_TEXT: dict[str, Callable[[Any], Any]] = {
    "clova": clova_text,
    "openai": openai_text,
    "exaone": exaone_text,
}


# --- JSON parsers, on payloads that are already split


def pre_split(loads: Callable[[bytes], Any], stream: Input) -> None:
    """Only the parser's own time: not even the text is read."""
    for payload in stream.payloads:
        loads(payload)


def msgspec_decoder(msgspec: Any, dialect: str) -> Callable[[bytes], Any]:
    """A decoder for a struct that has just the fields on the way to the text: msgspec's fastest use."""
    Struct, define = msgspec.Struct, msgspec.defstruct
    if dialect == "clova":
        message = define("Message", [("content", str, "")], bases=(Struct,))
        whole = define("Token", [("message", message | None, None)])
    elif dialect == "openai":
        delta = define("Delta", [("content", str, "")])
        choice = define("Choice", [("delta", delta)])
        whole = define("Chunk", [("choices", list[choice])])  # type: ignore[valid-type]
    else:
        data = define("Data", [("answer", str, "")])
        whole = define("Answer", [("data", data)])
    decode: Callable[[bytes], Any] = msgspec.json.Decoder(whole).decode
    return decode


# --- decoders of server-sent events: each gives events, orjson parses their data


def httpx_sse(module: Any, stream: Input) -> Iterator[Any]:
    """httpx-sse, on a response of httpx."""
    httpx = importlib.import_module("httpx")
    response = httpx.Response(200, headers=_EVENT_STREAM, content=iter(stream.chunks))
    events: Iterator[Any] = module.EventSource(response).iter_sse()
    return events


def httpx2_sse(module: Any, stream: Input) -> Iterator[Any]:
    """The EventSource that httpx2 has itself."""
    request = module.Request("POST", "http://localhost/")
    response = module.Response(200, headers=_EVENT_STREAM, content=iter(stream.chunks), request=request)
    return iter(module.EventSource(response))


def openai_sse(module: Any, stream: Input) -> Iterator[Any]:
    """The decoder inside the openai SDK."""
    events: Iterator[Any] = module.SSEDecoder().iter_bytes(iter(stream.chunks))
    return events


def sseclient(module: Any, stream: Input) -> Iterator[Any]:
    """sseclient-py."""
    events: Iterator[Any] = module.SSEClient(iter(stream.chunks)).events()
    return events


def launchdarkly(module: Any, stream: Input) -> Iterator[Any]:
    """launchdarkly-eventsource, with a connection that is the chunks."""
    config = importlib.import_module("ld_eventsource.config")

    class Strategy(config.ConnectStrategy):  # type: ignore[misc, name-defined]
        def create_client(self, logger: object) -> Any:
            return self

        def connect(self, last_event_id: object) -> Any:
            return config.ConnectionResult(stream=iter(stream.chunks), closer=None)

        def close(self) -> None:
            pass

    client = module.SSEClient(
        Strategy(), error_strategy=config.ErrorStrategy.always_fail(), logger=_silent_logger()
    )
    remaining = stream.events + stream.workload.wire.count(b"data: [DONE]")
    for event in client.events:  # it would connect again at the end
        yield event
        remaining -= 1
        if not remaining:
            client.close()
            return


def axio_sse(module: Any, stream: Input) -> Iterator[Any]:
    """axio-sse."""
    decode = module.Decoder().decode
    for chunk in stream.chunks:
        yield from decode(chunk)


_EVENT_STREAM = {"content-type": "text/event-stream; charset=utf-8"}


def _silent_logger() -> logging.Logger:
    logger = logging.getLogger("hangang.bench")
    logger.disabled = True
    return logger


_SSE: dict[str, tuple[str, Callable[[Any, Input], Iterator[Any]], bool]] = {
    # what it is called: the module, its events, whether it parses the data itself
    "httpx-sse + orjson": ("httpx_sse", httpx_sse, False),
    "httpx2 sse + orjson": ("httpx2", httpx2_sse, False),
    "openai's decoder + json": ("openai._streaming", openai_sse, True),
    "sseclient-py + orjson": ("sseclient", sseclient, False),
    "launchdarkly + orjson": ("ld_eventsource", launchdarkly, False),
    "axio-sse + orjson": ("axio_sse", axio_sse, False),
}


def sse_events(
    events: Callable[[Any, Input], Iterator[Any]],
    loads: Callable[[Any], Any],
    stream: Input,
    text_of: Callable[[Any], Any],
    module: Any,
) -> Any:
    """Events, their data parsed, the text read."""
    text = ""
    for event in events(module, stream):
        data = event.data
        if data != "[DONE]":
            text = text_of(loads(data))
    return text


# --- decoders of bare JSON


def ijson_items(ijson: Any, stream: Input) -> Any:
    """ijson, pushed: as bytes arrive."""
    text: Any = ""
    found = ijson.sendable_list()
    items = ijson.items_coro(found, "", multiple_values=True)
    for chunk in stream.chunks:
        items.send(chunk)
        for item in found:
            text = exaone_text(item)
        del found[:]
    return text


# --- all that can run here


def decoders(stream: Input) -> tuple[dict[str, Run], list[str]]:
    """Every contender for a stream, ours first; and the names of those that are not installed."""
    dialect, text_of = stream.workload.parser, _TEXT[stream.workload.parser]
    runs: dict[str, Run] = {}
    missing: list[str] = []

    for backend, suffix in (("native", ""), ("pure", " (pure)")):
        parser = parser_class(backend, dialect)
        if parser is None:
            missing.append("hangang's native module")
            continue
        runs[f"{OURS} feed_text{suffix}"] = partial(hangang_text, parser, stream)
        runs[f"{OURS}{suffix}"] = partial(hangang_events, parser, stream)

    def peer(label: str, module_name: str, run: Callable[[Any], Run]) -> None:
        try:
            module = importlib.import_module(module_name)
        except ModuleNotFoundError:
            missing.append(label.partition(" ")[0] if "openai" not in label else "openai")
        else:
            runs[label] = run(module)

    peer("orjson (pre-split)", "orjson", lambda m: partial(pre_split, m.loads, stream))
    peer("jiter (pre-split)", "jiter", lambda m: partial(pre_split, m.from_json, stream))

    peer("msgspec (pre-split)", "msgspec", lambda m: partial(pre_split, msgspec_decoder(m, dialect), stream))
    if stream.workload.wire.startswith(b"{"):
        peer("ijson", "ijson", lambda m: partial(ijson_items, m, stream))
        return runs, missing

    json = importlib.import_module("json")
    try:
        fast: Any = importlib.import_module("orjson")
    except ModuleNotFoundError:
        fast = json
    for label, (module_name, events, own_json) in _SSE.items():
        loads = (json if own_json else fast).loads
        if fast is json:
            label = label.replace("orjson", "json")
        work = partial(sse_events, events, loads, stream, text_of)
        peer(label, module_name, partial(partial, work))
    return runs, missing
