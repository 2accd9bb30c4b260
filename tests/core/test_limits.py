"""What never ends, and what is only long: a named error within the limit's memory, or a pass in flat memory.

Each scenario runs in a process of its own (`limits_child.py`), which measures by how much its peak of memory
grew. Law II says that memory stays under the caller's limit; the tests give it a small factor for buffers
that double as they grow.
"""

from __future__ import annotations

import copy
import gzip
import importlib
import json
import os
import pickle
import re
import signal
import subprocess
import sys
import textwrap
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import support
import transports
from support import Implementation
from transports import KEY, QUESTION, Answer, Script

from hangang import APIConnectionError, APIError, Completion, LimitExceededError, clova, exaone
from hangang._client.http.decode import PIECE, DecodingError, decoded

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
    # Chunks are of 64 KiB, and the events of one chunk of a million empty ones are ten thousand objects, some 4 MiB.
    assert result["grown"] <= 6 * KIB, f"{result['grown']} KiB"


@needs_peak
@pytest.mark.parametrize("kind", ["SSEParser", "clova", "exaone", "openai", "a2a"])
def test_one_long_id_then_many_events(impl: Implementation, kind: str) -> None:
    """The id is one string, however many events repeat it and are kept: each had a copy of a megabyte."""
    result = run(impl, kind, "long_id", 6000)
    assert result["error"] is None
    assert result["events"] >= 6001
    if kind in ("SSEParser", "clova"):
        # The last event of a chunk and the first of the next may have one each.
        assert 1 <= result["ids"] <= result["fed"] // (64 * KIB) + 2
    assert result["grown"] <= 8 * KIB, f"{result['grown']} KiB for an id of 1 MiB"


#: SECURITY.md names these factors.
FACTORS = [("openai", "choices", 140), ("openai", "tool_calls", 70), ("clova", "filters", 60)]
FACTORS += [("exaone", "references", 45), ("a2a", "parts", 45)]


@needs_peak
@pytest.mark.parametrize(("kind", "scenario", "factor"), FACTORS)
def test_the_objects_of_a_frame(impl: Implementation, kind: str, scenario: str, factor: int) -> None:
    """How much memory a frame takes once it is objects: many times its bytes, but no more than is documented."""
    result = run(impl, kind, scenario)
    assert result["error"] is None
    factor_seen = result["grown"] * 1024 / result["fed"]
    assert factor_seen <= factor or not support.PEAKS, f"{factor_seen:.0f} times the frame"


#: A frame of each dialect with a value of depth D in it, as `feed` gives it.
NESTED = {
    "clova": b'event: x\ndata: {"a":%s}\n\n',
    "exaone": b'data: {"result_code":200,"data":{"answer":"a","references":[%s],"progress_state":"answering"}}\n\n',
    "openai": b'data: {"choices":[{"index":0,"delta":{"content":"a","tool_calls":[{"function":{"arguments":{"a":%s}}}]}}]}\n\n',
    "a2a": b'data: {"result":{"kind":"message","messageId":"m","parts":[{"kind":"data","data":%s}],"metadata":{"a":%s}}}\n\n',
}


def nested(impl: Implementation, kind: str, depth: int, opening: bytes = b"[", closing: bytes = b"]") -> Any:
    value = opening * depth + b"0" + closing * depth
    frame = NESTED[kind].replace(b"%s", value)
    (event,) = impl.parser(kind, max_depth=10**6).feed(frame)
    return event


USES: dict[str, Callable[[Any, Any], object]] = {
    "repr": lambda event, _: repr(event),
    "==": lambda event, other: event == other,
    "!=": lambda event, other: event != other,
    "copy": lambda event, _: copy.copy(event),
    "deepcopy": lambda event, _: copy.deepcopy(event),
    "pickle": lambda event, _: pickle.loads(pickle.dumps(event)),
    "json": lambda event, _: event.json(),
    "to_dict": lambda event, _: event.to_dict(),
    "dumps": lambda event, _: json.dumps(event.to_dict()),
    "fold": lambda event, _: Completion.of([event]),
    "raw": lambda event, _: event.raw,
}
#: These are Python's own over dicts and lists, which recurse. The others never do.
RECURSIVE = {"repr", "==", "!=", "deepcopy", "pickle", "json", "dumps"}


@pytest.mark.parametrize("brackets", [(b"[", b"]"), (b'{"a":', b"}")], ids=["lists", "objects"])
@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("kind", NESTED)
def test_an_event_of_depth_300_can_be_used(
    impl: Implementation, kind: str, use: str, brackets: tuple[bytes, bytes]
) -> None:
    """More than twice the default max_depth. A hash needs hashable contents, which nested ones are not."""
    event, other = (nested(impl, kind, 290, *brackets) for _ in range(2))
    USES[use](event, other)
    with suppress(TypeError):
        hash(event)


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("kind", NESTED)
def test_a_deeper_event_ends_in_a_recursion_error_at_most(impl: Implementation, kind: str, use: str) -> None:
    """With a max_depth of 100,000: what recurses raises, as it does for any such list; nothing crashes."""
    event, other = nested(impl, kind, 100_000), nested(impl, kind, 100_000)
    if use in RECURSIVE:
        with suppress(RecursionError):
            USES[use](event, other)
    else:
        USES[use](event, other)
    with suppress(TypeError):
        hash(event)


@needs_peak
@pytest.mark.skipif(not support.PEAKS, reason="a sanitizer needs more address space than any limit")
@pytest.mark.parametrize("backtrace", ["0", "1", "full"])
@pytest.mark.parametrize("size", [1, 1000, 1_000_000])
def test_a_process_without_memory_ends(native: Implementation, size: int, backtrace: str) -> None:
    """By an exception or by abort(), with every RUST_BACKTRACE. A panic hook that collects a backtrace hung."""
    script = f"""
        import resource, sys
        from hangang import _native
        frame = b'data: {{"choices":[{{"index":0,"delta":{{"content":"' + b"x" * {size} + b'"}}}}]}}\n\n'
        chunk = frame * max(1, 2**20 // len(frame))
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        for room in (64, 128):
            resource.setrlimit(resource.RLIMIT_AS, (used + room * 2**20, -1))
            parser, kept = _native.openai.StreamParser(), []
            try:
                while True:
                    kept += parser.feed(chunk)
                    kept[-1].text
            except (MemoryError, RuntimeError):
                kept.clear()
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "RUST_BACKTRACE": backtrace},
    )
    assert done.returncode in (0, 1, -signal.SIGABRT), (done.returncode, done.stderr[-2000:])


def test_a_panic_prints_no_backtrace(native: Implementation) -> None:
    """It would be collected under a lock that a failed allocation waits for."""
    script = (
        "from hangang import _native\ntry: _native.clova.StreamParser()._panic()\nexcept RuntimeError: pass"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "RUST_BACKTRACE": "full"},
    )
    assert done.returncode == 0
    assert re.fullmatch(r"hangang: panicked at \S+:\na panic asked for by a test\n", done.stderr), done.stderr


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
    assert len(caught.value.body) == 2**20


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
    assert type(caught.value.__cause__).__name__ == "DecodingError"


BOMBS = Path(__file__).parent.parent / "support" / "bombs_child.py"
LIMIT = 8 * KIB  # kilobytes of bombs_child.py's max_response_bytes


def burst(way: str, call: str, encoding: str, status: str = "200 OK") -> dict[str, Any]:
    mode, library = way.split("-")
    command = [sys.executable, str(BOMBS), mode, call, encoding, status, library]
    done = subprocess.run(command, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


CALLS = ("files", "upload", "request", "collections", "embeddings", "speech", "models", "embedding", "openai")
ENCODINGS = ("gzip", "deflate", "br", "zstd", "gzip, gzip")
HTTPX = ("sync-httpx", "async-httpx")
WAYS = (*HTTPX, "sync-httpx2", "sync-urllib3", "async-aiohttp")


@needs_peak
@pytest.mark.parametrize(
    ("way", "call", "encoding"),
    [(way, call, "br") for way in HTTPX for call in CALLS]
    + [(way, "rag", encoding) for way in WAYS for encoding in ("gzip", "br", "zstd")]
    + [(way, "rag", encoding) for way in HTTPX for encoding in ("deflate", "gzip, gzip")],
)
def test_a_compressed_bomb_through_what_is_not_a_chat(way: str, call: str, encoding: str) -> None:
    """64 MiB in a few bytes. Memory grows by less than two limits, whatever one read of the network inflates to."""
    result = burst(way, call, encoding)
    assert result["error"] == f"APIError: the answer is larger than max_response_bytes={8 * 2**20}"
    assert result["asked"] == ["identity", "identity"]
    assert result["grown"] <= 2 * LIMIT or not support.PEAKS, f"{result['grown']} KiB"


@needs_peak
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd"])
def test_a_compressed_bomb_as_an_error(way: str, encoding: str) -> None:
    """Of an error the first megabyte is kept; the rest is not even inflated."""
    result = burst(way, "rag", encoding, "400 Bad Request")
    assert result["error"].startswith("BadRequestError")
    assert result["body"] == 2**20
    assert result["grown"] <= 2 * LIMIT or not support.PEAKS, f"{result['grown']} KiB"


@pytest.mark.parametrize("decode", ["json", "any"])
def test_an_error_inside_a_large_answer_keeps_a_megabyte(decode: str) -> None:
    body = b'{"error": {"message": "x", "code": "40000"}, "more": "' + b"y" * 3 * 2**20 + b'"}'
    script = Script([Answer(body, headers={"content-type": "application/json"})])
    with (
        script.client() as http,
        exaone.Client(KEY, http_client=http, max_retries=0) as client,
        pytest.raises(APIError) as caught,
    ):
        if decode == "json":
            client.files.list()
        else:
            client.request("GET", "/x")
    assert len(caught.value.body) == 2**20


def test_max_response_bytes_is_large_by_default() -> None:
    assert clova.Client(KEY)._transport.settings.max_response_bytes == 256 * 2**20


@pytest.mark.parametrize("size", [1, 7, 1000, 10**9])
@pytest.mark.parametrize("encoding", [*ENCODINGS, "deflate raw", "zstd zstd", "identity, gzip", "GZip "])
def test_a_content_encoding_is_undone(encoding: str, size: int) -> None:
    """In pieces of any size, to pieces of a bounded one; and a body that ends early is not whole."""
    plain = bytes(range(256)) * 2000 + b"a" * 2_000_000
    zstd = importlib.import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
    raw = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = {
        "deflate": lambda: zlib.compress(plain),
        "deflate raw": lambda: raw.compress(plain) + raw.flush(),
        "br": lambda: importlib.import_module("brotli").compress(plain, quality=5),
        "zstd": lambda: zstd.compress(plain),
        "zstd zstd": lambda: zstd.compress(plain[:1000]) + zstd.compress(plain[1000:]),
        "gzip, gzip": lambda: gzip.compress(gzip.compress(plain)),
    }.get(encoding, lambda: gzip.compress(plain))()
    name = encoding.removesuffix(" raw").removesuffix(" zstd")
    chunks = [data[at : at + size] for at in range(0, len(data), size)]
    out = list(decoded(iter(chunks), name))
    assert b"".join(out) == plain
    assert max(map(len, out)) <= 2 * PIECE
    with pytest.raises(DecodingError, match="ended early"):
        list(decoded(iter([*chunks[:-1], chunks[-1][:-1]] if size < 10**9 else [data[:-4]]), name))
    assert list(decoded(iter([]), name)) == []  # the answer to a HEAD, or a 204


@pytest.mark.parametrize("encoding", ["compress", "br, unknown", "gzip, gzip, gzip, gzip, gzip"])
def test_an_encoding_that_was_not_asked_for_is_named(encoding: str) -> None:
    script = Script(
        [Answer(b"x", headers={"content-type": "application/json", "content-encoding": encoding})]
    )
    with (
        script.client() as http,
        exaone.Client(KEY, http_client=http, max_retries=0) as client,
        pytest.raises(APIConnectionError, match=r"not asked for|more than four times"),
    ):
        client.files.list()


@pytest.mark.parametrize("missing", ["brotli", "backports.zstd"])
def test_without_a_library_an_encoding_is_refused(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in {missing, missing.replace("backports", "compression")}:
        monkeypatch.setitem(sys.modules, name, None)
    encoding = "br" if missing == "brotli" else "zstd"
    with pytest.raises(DecodingError, match=f"compressed with '{encoding}', which was not asked for"):
        list(decoded(iter([b"x"]), encoding))
