"""What never ends, and what is only long: a named error within the limit's memory, or a pass in flat memory.

Each scenario runs in a process of its own (`limits_child.py`), which measures by how much its peak of memory
grew. Law II says that memory stays under the caller's limit; the tests give it a small factor for buffers
that double as they grow.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import httpx
import pytest
import transports
from support import Implementation
from transports import KEY, QUESTION, Answer, Script

from hangang import LimitExceededError, clova, exaone

CHILD = Path(__file__).parents[1] / "support" / "limits_child.py"
KIB = 1024  # kilobytes of the limit, 1 MiB

needs_peak = pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process is read from /proc")


def run(impl: Implementation, kind: str, scenario: str, count: int = 0) -> dict[str, Any]:
    command = [sys.executable, str(CHILD), impl.name, kind, scenario, str(count)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


ENDLESS = [
    # kind, scenario, offset of the byte too many (1 MiB is the limit), and the memory allowed, in limits
    ("SSEParser", "line", 2**20, 8),
    ("SSEParser", "comment", 2**20, 8),
    ("SSEParser", "name", 2**20, 8),
    ("SSEParser", "id", 2**20, 8),
    ("SSEParser", "field", 2**20, 8),
    ("SSEParser", "lines", None, 16),
    ("openai", "line", 2**20, 8),
    ("openai", "comment", 2**20, 8),
    ("openai", "lines", None, 16),
    # A line of one byte in the sum costs the place of a line besides: the dearest that a stream can do.
    ("openai", "empty_lines", None, 16),
    ("JSONStreamParser", "string", 2**20, 8),
    ("JSONStreamParser", "escapes", 2**20, 8),
    ("JSONStreamParser", "digits", 2**20, 8),
    ("JSONStreamParser", "blanks", 2**20, 8),
    ("JSONStreamParser", "members", 2**20, 8),
    ("JSONStreamParser", "nesting", 5 + 127, 2),
    ("exaone", "string", 2**20, 8),
    ("exaone", "nesting", 5 + 127, 2),
    ("clova", "string", 2**20, 8),
    ("a2a", "blanks", 2**20, 8),
]


@needs_peak
@pytest.mark.parametrize(("kind", "scenario", "offset", "limits"), ENDLESS)
def test_what_never_ends_is_a_named_error(
    impl: Implementation, kind: str, scenario: str, offset: int | None, limits: int
) -> None:
    result = run(impl, kind, scenario)
    assert result["error"]["class"] == "LimitExceededError", result
    if offset is not None:
        assert result["error"]["offset"] == offset
    assert result["pending"] <= 2**20
    assert result["fed"] <= result["error"]["offset"] + 64 * KIB + 16, "the fault came with its chunk"
    assert result["grown"] <= limits * KIB, f"{result['grown']} KiB for a limit of 1 MiB"


LONG = [
    # kind, scenario, count on the native side, on the pure side, events
    ("SSEParser", "comments", 1_000_000, 1_000_000, 0),
    ("SSEParser", "empty_events", 1_000_000, 1_000_000, 1_000_000),
    ("openai", "comments", 1_000_000, 1_000_000, 1),
    ("exaone", "comments", 1_000_000, 200_000, 1),
    ("a2a", "blank_lines", 1_000_000, 1_000_000, 1),
    ("clova", "no_data", 1_000_000, 200_000, 1),
    # The pure side takes half a microsecond a byte, its drip a microsecond and a half.
    ("SSEParser", "drip", 1_000_000, 200_000, None),
    ("JSONStreamParser", "drip", 1_000_000, 200_000, None),
    ("clova", "drip", 1_000_000, 200_000, None),
    ("exaone", "drip", 1_000_000, 200_000, None),
    ("openai", "drip", 1_000_000, 200_000, None),
    ("a2a", "drip", 1_000_000, 200_000, None),
]


@needs_peak
@pytest.mark.parametrize(("kind", "scenario", "native", "pure", "events"), LONG)
def test_what_is_only_long_passes_in_flat_memory(
    impl: Implementation, kind: str, scenario: str, native: int, pure: int, events: int | None
) -> None:
    result = run(impl, kind, scenario, native if impl.name == "native" else pure)
    assert result["error"] is None
    if events is not None:
        assert result["events"] == events
    else:
        assert result["events"] > 1000
    assert result["pending"] < 200
    # Chunks are of 64 KiB, and the events of one chunk of a million empty ones are ten thousand objects.
    assert result["grown"] <= 4 * KIB, f"{result['grown']} KiB"


@needs_peak
@pytest.mark.long
@pytest.mark.parametrize(
    ("kind", "scenario", "count"), [(kind, name, count) for kind, name, count, *_ in LONG]
)
def test_the_same_as_often_on_the_pure_side(
    pure: Implementation, kind: str, scenario: str, count: int
) -> None:
    result = run(pure, kind, scenario, count)
    assert (result["error"], result["grown"] <= 4 * KIB) == (None, True), result


@needs_peak
@pytest.mark.parametrize("kind", ["JSONStreamParser", "clova", "exaone", "openai", "a2a"])
def test_depth_that_is_allowed_is_no_recursion(impl: Implementation, kind: str) -> None:
    """A hundred thousand open containers, twice, where max_depth lets them pass."""
    result = run(impl, kind, "deep", 100_000)
    assert (result["error"], result["events"]) == (None, 1 if kind == "JSONStreamParser" else 2)
    assert result["grown"] <= 64 * KIB


@needs_peak
@pytest.mark.parametrize("kind", ["JSONStreamParser", "openai"])
def test_a_number_of_ten_megabytes(impl: Implementation, kind: str) -> None:
    """Within the default limit it is a number like any other: read once, and no field's value."""
    result = run(impl, kind, "number", 10_000_000)
    assert (result["error"], result["events"]) == (None, 1 if kind == "JSONStreamParser" else 2)
    assert result["grown"] <= 6 * 10_000, f"{result['grown']} KiB for ten megabytes"


def test_a_number_of_ten_megabytes_over_the_limit(impl: Implementation) -> None:
    parser = impl.parser("JSONStreamParser", max_frame_bytes=2**20)
    with pytest.raises(LimitExceededError) as caught:
        parser.feed(b"[" + b"1" * 10_000_000 + b"]")
    assert caught.value.offset == 2**20
    assert parser.pending == 0


# -- compressed bombs, through the clients ----------------------------------------------------------------


def compressed(data: bytes, encoding: str) -> bytes:
    return gzip.compress(data, 9) if encoding == "gzip" else zlib.compress(data, 9)


def bomb(start: bytes, encoding: str) -> list[bytes]:
    """64 MiB in about 64 KiB, in the pieces of a slow network: what one piece inflates to is the HTTP library's."""
    data = compressed(start + b" " * (64 * 2**20), encoding)
    return [data[at : at + 1024] for at in range(0, len(data), 1024)]


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@pytest.mark.parametrize("library", transports.LIBRARIES, ids=lambda library: library.__name__)
def test_a_compressed_bomb_in_a_stream(encoding: str, library: Any) -> None:
    """The limit counts decoded bytes, and reading stops there: the bomb is not inflated to its end."""
    pieces = bomb(b"data: {", encoding)
    taken: list[int] = []

    def watched() -> Any:
        for piece in pieces:
            taken.append(len(piece))
            yield piece

    headers = {"content-type": "text/event-stream", "content-encoding": encoding}

    class Lazy(library.SyncByteStream):  # type: ignore[misc,name-defined]
        def __iter__(self) -> Any:
            return watched()

    transport = library.MockTransport(lambda request: library.Response(200, headers=headers, stream=Lazy()))
    with (
        library.Client(transport=transport) as http,
        clova.Client(KEY, http_client=http, max_frame_bytes=2**20, max_retries=0) as client,
        pytest.raises(LimitExceededError) as caught,
        client.stream("HCX-007", QUESTION) as stream,
    ):
        list(stream)
    assert caught.value.offset == 2**20, "decoded bytes"
    assert len(taken) < len(pieces) // 8, "the rest of the bomb was read too"


def test_a_compressed_bomb_after_events_loses_none() -> None:
    event = b'event: token\ndata: {"message":{"content":"a"}}\n\n'
    script = Script([Answer(bomb(event * 3 + b"data: {", "gzip"), headers=GZIP)])
    seen = []
    with (
        script.client() as http,
        clova.Client(KEY, http_client=http, max_frame_bytes=2**20) as client,
        pytest.raises(LimitExceededError) as caught,
        client.stream("HCX-007", QUESTION) as stream,
    ):
        for one in stream:
            seen.append(one.text)
    assert seen == ["a"] * 3
    assert caught.value.completion.text == "aaa"
    assert len(script.requests) == 1


GZIP = {"content-type": "text/event-stream", "content-encoding": "gzip"}


def test_a_compressed_bomb_as_bare_json() -> None:
    pieces = bomb(b'{"result_code":', "gzip")
    script = Script([Answer(pieces, headers={**GZIP, "content-type": "application/json"})])
    with (
        script.client() as http,
        exaone.Client(KEY, http_client=http, max_frame_bytes=2**20, max_retries=0) as client,
        pytest.raises(LimitExceededError) as caught,
    ):
        client.chat_completion("한강의 길이는?")
    assert caught.value.offset == 2**20


def test_an_error_answer_keeps_a_megabyte_at_most() -> None:
    script = Script([Answer(bomb(b"{", "gzip"), 400, {**GZIP, "content-type": "application/json"})])
    with (
        script.client() as http,
        clova.Client(KEY, http_client=http, max_retries=0) as client,
        pytest.raises(Exception) as caught,
        client.stream("HCX-007", QUESTION) as stream,
    ):
        list(stream)
    assert caught.value.status == 400
    # What one piece of the network inflates to may be over it; 1 KiB inflates to a megabyte at the most.
    assert len(caught.value.body) <= 2 * 2**20 + 2**17


def test_broken_compression_is_a_transport_fault() -> None:
    script = Script([Answer([b"\x1f\x8b not gzip"], headers=GZIP)])
    with (
        script.client() as http,
        clova.Client(KEY, http_client=http, max_retries=0) as client,
        pytest.raises(Exception) as caught,
        client.stream("HCX-007", QUESTION) as stream,
    ):
        list(stream)
    assert type(caught.value).__name__ in ("APIConnectionError", "TruncatedStreamError")
    assert isinstance(caught.value.__cause__, httpx.DecodingError)
