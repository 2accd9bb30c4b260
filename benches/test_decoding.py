"""Decoding only: chunks in memory to the text of each event."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

import pytest
import workloads

from hangang.cli.bench.decoders import (
    OURS,
    Input,
    decoders,
    hangang_events,
    hangang_text,
    parser_class,
    prepare,
)
from hangang.cli.bench.timing import Comparison
from hangang.cli.bench.workloads import clova_frame

ROUNDS = 15
EVENTS = {"clova_v3": 2000, "openai": 2000, "exaone_small": 2000, "exaone_refs": 400}
CUTS = {"16k": 16 * 1024, "event": None}
PURE = f"{OURS} (pure)"


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("shape", EVENTS)
def test_decoders(shape: str, cut: str, measure: Any, record: Any) -> None:
    stream = prepare(shape, EVENTS[shape], CUTS[cut])
    runs, _ = decoders(stream)
    done = measure(Comparison(runs, stream.events), ROUNDS, OURS)
    if OURS in runs and "orjson (pre-split)" in runs:
        record(f"orjson-{cut}", shape, done.ratio("orjson (pre-split)", OURS))
    if shape != "clova_v3":
        return
    for row, peer in (("httpx-sse", "httpx-sse + orjson"), ("openai-decoder", "openai's decoder + json")):
        if OURS in runs and peer in runs:
            record(row, cut, done.ratio(peer, OURS))
    if "httpx-sse + orjson" in runs:
        record("pure", cut, done.ratio("httpx-sse + orjson", PURE))


def feed_and_join(parser: Any, stream: Input) -> str:
    feed = parser().feed
    text = ""
    for chunk in stream.chunks:
        text = "".join([event.text for event in feed(chunk)])
    return text


@pytest.mark.parametrize("backend", ["native", "pure"])
@pytest.mark.parametrize("shape", EVENTS)
def test_feed_text(shape: str, backend: str, measure: Any, record: Any) -> None:
    stream = prepare(shape, EVENTS[shape], CUTS["16k"])
    parser = parser_class(backend, stream.workload.parser)
    runs = {
        "feed_text": partial(hangang_text, parser, stream),
        "feed and join": partial(feed_and_join, parser, stream),
    }
    done = measure(Comparison(runs, stream.events), ROUNDS, "feed_text")
    label = shape if backend == "native" else f"{shape} (pure)"
    record("feed_text", label, done.ratio("feed and join", "feed_text"))


def each(parser: Any, chunks: list[bytes]) -> None:
    feed = parser().feed
    for chunk in chunks:
        feed(chunk)


def nothing(parser: Any, chunks: list[bytes]) -> None:
    feed, empty = parser().feed, b""
    for _ in chunks:
        feed(empty)


def split(chunks: list[bytes]) -> None:
    method = b"".split
    for chunk in chunks:
        method(chunk)


@pytest.mark.parametrize("shape", ["clova_v3", "openai", "exaone_small"])
def test_one_byte_chunks(shape: str, measure: Any, record: Any) -> None:
    """Against bytes.split, which takes bytes and returns a new list; and against our own feed(b"")."""
    stream = prepare(shape, 100, 1)
    parser = parser_class("native", stream.workload.parser)
    runs = {
        OURS: partial(each, parser, stream.chunks),
        "bytes.split": partial(split, stream.chunks),
        "feed(b'')": partial(nothing, parser, stream.chunks),
    }
    done = measure(Comparison(runs, len(stream.chunks)), ROUNDS, "bytes.split")
    record("one-byte", f"{shape} to bytes.split", done.ratio(OURS, "bytes.split"))
    record("one-byte", f"{shape} to feed(b'')", done.ratio(OURS, "feed(b'')"))


def with_prediction(on: bool, run: Any) -> Any:
    os.environ["HANGANG_PREDICT"] = "1" if on else "0"
    try:
        return run()
    finally:
        del os.environ["HANGANG_PREDICT"]


def changing_names(n: int) -> workloads.Workload:
    """Tokens of CLOVA, each with a member that no token before it had."""
    frames = [
        clova_frame(i, "token", f'{{"message":{{"content":"{workloads.word(i).strip()}","k{i:x}":0}}}}')
        for i in range(n)
    ]
    return workloads.Workload("changing-names", "clova", "".join(frames).encode())


@pytest.mark.parametrize("backend", ["native", "pure"])
@pytest.mark.parametrize(
    "shape", [changing_names(1000), workloads.wrong_prediction(20)], ids=lambda s: s.name
)
def test_never_predicts(shape: workloads.Workload, backend: str, measure: Any, record: Any) -> None:
    stream = Input(shape, list(shape.chunks()), [b""])
    run = partial(hangang_events, parser_class(backend, shape.parser), stream)
    runs = {"with": partial(with_prediction, True, run), "without": partial(with_prediction, False, run)}
    done = measure(Comparison(runs, 1), ROUNDS, "without")
    record("unpredicted", f"{shape.name} ({backend})", done.ratio("with", "without"))
