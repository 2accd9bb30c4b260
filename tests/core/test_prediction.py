"""Prediction is exact: bytes flipped, inserted and deleted all over predicted frames change nothing but the speed.

A stream of three frames that differ in their holes only: the first is learned, the second is predicted, and the
third is damaged at one place. With prediction on and off the events, their payloads, the error and what is held
must be the same, whole, cut at the damage, and cut after each frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support import Implementation

ID = b"8f14e45f-ceea-467f-a8d5-%012d"
TEXTS = ("안", 'a\\n\\"b', "한강 😊")

CLOVA_V3 = (
    b'id:%s\nevent:token\ndata:{"message":{"role":"assistant","content":"%s"},"finishReason":null,'
    b'"created":1744710905,"seed":3284419119,"usage":null}\n\n'
)
CLOVA_V1 = (
    b'id: %s\r\nevent: token\r\ndata: {"message":{"role":"assistant","content":"%s"},"index":0,'
    b'"inputLength":646,"outputLength":%d,"stopReason":null}\r\n\r\n'
)
EXAONE = (
    b'{"result_code": 200, "description": null, "data": {"query": "q", "intent": "web_search", "answer": "%s", '
    b'"references": [{"card": "https://example.com", "index": 1}], "progress_state": "answering"}}'
)
OPENAI = (
    b'data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":null}]}\n\n'
)
REASONING = b'data: {"id":"c","choices":[{"index":0,"delta":{"reasoning":"%s"},"finish_reason":null}]}\n\n'
A2A = (
    b'data: {"result":{"artifactUpdate":{"taskId":"t","contextId":"c","artifact":{"artifactId":"a",'
    b'"parts":[{"text":"%s"}]},"append":true}},"id":"r","jsonrpc":"2.0"}\r\n\r\n'
)


def frames(name: str) -> tuple[str, list[bytes]]:
    """The dialect and three frames that one template fits."""
    texts = [text.encode() for text in TEXTS]
    if name == "clova v3":
        return "clova", [CLOVA_V3 % (ID % at, text) for at, text in enumerate(texts)]
    if name == "clova v1":
        return "clova", [CLOVA_V1 % (ID % at, text, 9 + at) for at, text in enumerate(texts)]
    shape = {"exaone": EXAONE, "openai": OPENAI, "openai reasoning": REASONING, "a2a": A2A}[name]
    return name.split()[0], [shape % text for text in texts]


def damaged(frame: bytes) -> Iterator[tuple[int, bytes]]:
    """The frame with one byte flipped, inserted or deleted, and where."""
    for at in range(len(frame)):
        for bit in (0, 5, 7):
            yield at, frame[:at] + bytes([frame[at] ^ 1 << bit]) + frame[at + 1 :]
        for byte in b'"\\\n {0\x00\xff':
            yield at, frame[:at] + bytes([byte]) + frame[at:]
        yield at, frame[:at] + frame[at + 1 :]


def outcome(impl: Implementation, dialect: str, chunks: list[bytes], errors: str) -> Any:
    parser = impl.parser(dialect, errors=errors)
    seen: list[Any] = []
    try:
        for chunk in chunks:
            seen += [(event, repr(event), event.raw) for event in parser.feed(chunk)]
            seen.append(parser.pending)
        seen += [(event, repr(event), event.raw) for event in parser.close()]
    except ValueError as error:
        fault: Any = error
        seen += [(event, repr(event), event.raw) for event in fault.events]
        seen.append((type(fault), fault.offset, str(fault)))
    return seen


SHAPES = ("clova v3", "clova v1", "exaone", "openai", "openai reasoning", "a2a")


@pytest.mark.parametrize("name", SHAPES)
def test_the_third_frame_is_predicted(
    name: str, impl: Implementation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What this file damages is indeed predicted: it costs fewer examinations than with prediction off."""
    dialect, good = frames(name)
    costs = []
    for switch in ("1", "0"):
        monkeypatch.setenv("HANGANG_PREDICT", switch)
        parser = impl.parser(dialect)
        parser.feed(good[0])
        parser.feed(good[1])
        before = parser._examined
        parser.feed(good[2])
        costs.append(parser._examined - before)
    assert costs[0] < costs[1]


@pytest.mark.parametrize("errors", ["strict", "report"])
@pytest.mark.parametrize("name", SHAPES)
def test_damage_is_found_as_without_prediction(
    name: str, errors: str, impl: Implementation, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialect, (first, second, third) = frames(name)
    step = 1 if impl.name == "native" else 3  # the pure twin is slower: every third damage, at all places
    for number, (at, broken) in enumerate(damaged(third)):
        if number % step:
            continue
        for chunks in (
            [first + second + broken + second],
            [first, second, broken[:at], broken[at:], second],
            [first, second, broken, second],
        ):
            monkeypatch.setenv("HANGANG_PREDICT", "1")
            with_prediction = outcome(impl, dialect, chunks, errors)
            monkeypatch.setenv("HANGANG_PREDICT", "0")
            assert with_prediction == outcome(impl, dialect, chunks, errors), (at, chunks)


#: What no template may swallow ([design §5]): objects outside `data:`, another event name, an empty payload.
INSERTED = (
    b'\n{"error":{"message":"m"}}\n',
    b'\nerror: {"code":"1","message":"m"}\n',
    b"\ndata:\n\n",
    b"\n\nevent: error\n",
    b"\nid: 7\ndata: \n",
)


@pytest.mark.parametrize("inserted", INSERTED, ids=repr)
@pytest.mark.parametrize("name", [name for name in SHAPES if name != "exaone"])
def test_lines_inside_a_predicted_frame(
    name: str, inserted: bytes, impl: Implementation, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialect, (first, second, third) = frames(name)
    for at in range(0, len(third) + 1, 1 if impl.name == "native" else 3):
        broken = third[:at] + inserted + third[at:]
        for chunks in (
            [first + second + broken + second],
            [first, second, broken[: at + 2], broken[at + 2 :], second],
        ):
            monkeypatch.setenv("HANGANG_PREDICT", "1")
            with_prediction = outcome(impl, dialect, chunks, "report")
            monkeypatch.setenv("HANGANG_PREDICT", "0")
            assert with_prediction == outcome(impl, dialect, chunks, "report"), (at, chunks)


SNAPSHOT = b'data: {"choices":[{"index":0,"message":{"content":"whole","reasoning":"why"},"finish_reason":"stop"}]}\n\n'


@pytest.mark.parametrize("chunk", [1, 7, 2**20])
@pytest.mark.parametrize("shape", [OPENAI, REASONING])
@pytest.mark.parametrize("texts", [(b"", b"", b"", b""), (b"", b"", b"", b"a"), (b"a", b"b", b"", b"")])
def test_predicted_frames_count_as_deltas(
    shape: bytes, texts: tuple[bytes, ...], chunk: int, impl: Implementation, predict: bool
) -> None:
    """A snapshot after predicted frames: empty where one of them had text, in `feed` and in `feed_text`."""
    field, other = ("text", "thinking") if shape is OPENAI else ("thinking", "text")
    whole = {"text": "whole", "thinking": "why"}
    wire = b"".join(shape % text for text in texts) + SNAPSHOT
    parser = impl.parser("openai")
    events = [event for at in range(0, len(wire), chunk) for event in parser.feed(wire[at : at + chunk])]
    assert parser.close() == []
    assert getattr(events[-1], field) == ("" if any(texts) else whole[field])
    assert getattr(events[-1], other) == whole[other]
    parser = impl.parser("openai")
    text = "".join(parser.feed_text(wire[at : at + chunk]) for at in range(0, len(wire), chunk))
    assert text == "".join(event.text for event in events)


def test_equal_frames_of_more_than_128_choices(impl: Implementation, predict: bool) -> None:
    """Predicted frames of a choice that is not followed set no flags, and end nothing."""
    wide = b'data: {"choices":[' + b",".join(b'{"finish_reason":"stop"}' for _ in range(128)) + b"]}\n\n"
    one = b'data: {"choices":[{"index":%d,"delta":{"content":"a"},"finish_reason":null}]}\n\n'
    last = b'data: {"choices":[{"index":%d,"message":{"content":"b"},"finish_reason":"stop"}]}\n\n'
    parser = impl.parser("openai")
    events = parser.feed(wide + (one % 500) * 4 + (one % 5) * 4 + last % 500 + last % 5)
    assert [event.choices[0].text for event in events[1:]] == ["a"] * 8 + ["", ""]
    with pytest.raises(ValueError, match="truncated"):
        parser.close()
