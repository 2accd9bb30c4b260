"""How a parser is made and called: arguments, chunks, states, overlapping calls. The texts are part of the contract."""

from __future__ import annotations

import array
import gc
import json
import pickle
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import support
from support import Implementation

KINDS = [*support.FRAMING, *support.DIALECTS]
every_kind = pytest.mark.parametrize("kind", KINDS)

GOOD = {
    "SSEParser": b"data: a\n\n",
    "JSONStreamParser": b'{"a": [1]}',
    "clova": b'event:result\ndata:{"message":{"content":"a"}}\n\n',
    "exaone": b'{"result_code": 200, "data": {"answer": "a", "progress_state": "answering"}}',
    "openai": b'data: {"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n',
    "a2a": b'data: {"result":{"message":{"parts":[{"text":"a"}]}}}\n\n',
}
BAD = dict.fromkeys(support.DIALECTS, b"data: x\n\n") | {"JSONStreamParser": b"x"}


def limits_of(kind: str) -> list[str]:
    return ["max_frame_bytes"] if kind == "SSEParser" else ["max_frame_bytes", "max_depth"]


@every_kind
def test_limits_are_checked(kind: str, impl: Implementation) -> None:
    for name in limits_of(kind):
        for good in (1, 2**62, True):
            impl.parser(kind, **{name: good})
        for bad in (0, -1, 2**62 + 1, 10**30):
            with pytest.raises(ValueError) as caught:
                impl.parser(kind, **{name: bad})
            assert str(caught.value) == f"{name} must be between 1 and 2**62, not {bad}"
        for odd in (1.0, "1", None, b"1", [1]):
            with pytest.raises(TypeError) as wrong:
                impl.parser(kind, **{name: odd})
            assert str(wrong.value) == f"{name} must be an int, not {type(odd).__name__}"


@every_kind
def test_arguments_are_by_name_only(kind: str, impl: Implementation) -> None:
    with pytest.raises(TypeError):
        impl.parser_class(kind)(1024)
    with pytest.raises(TypeError):
        impl.parser(kind, no_such=1)
    if kind == "SSEParser":
        with pytest.raises(TypeError):
            impl.parser(kind, max_depth=1)
    if kind not in support.DIALECTS:
        with pytest.raises(TypeError):
            impl.parser(kind, errors="strict")


@pytest.mark.parametrize("dialect", support.DIALECTS)
def test_errors_argument(dialect: str, impl: Implementation) -> None:
    for good in ("strict", "report"):
        impl.parser(dialect, errors=good)
    for bad in ("ignore", "", "Strict", None, 1, b"strict"):
        with pytest.raises(ValueError) as caught:
            impl.parser(dialect, errors=bad)
        assert str(caught.value) == f"errors must be 'strict' or 'report', not {bad!r}"


def test_end_argument(impl: Implementation) -> None:
    for good in ("state", "last_chunk"):
        impl.parser("a2a", end=good)
    for bad in ("eof", "", None, True):
        with pytest.raises(ValueError) as caught:
            impl.parser("a2a", end=bad)
        assert str(caught.value) == f"end must be 'state' or 'last_chunk', not {bad!r}"
    with pytest.raises(TypeError):
        impl.parser("clova", end="state")


class Bytes(bytes):
    """A subclass is as good as bytes, whatever it claims to be."""

    def __bytes__(self) -> bytes:
        return b"no"


class Array(bytearray):
    pass


@every_kind
def test_input_types(kind: str, impl: Implementation) -> None:
    wire = GOOD[kind]
    want = support.drive(impl.parser(kind), [wire]).events
    assert want
    square = memoryview(wire + b" " * (len(wire) % 2)).cast("B", (2, (len(wire) + 1) // 2))
    chunks = [
        bytearray(wire),
        memoryview(wire),
        memoryview(bytearray(wire)),
        memoryview(b"xx" + wire + b"x")[2:-1],
        memoryview(wire).cast("c"),
        memoryview(wire).toreadonly(),
        Bytes(wire),
        Array(wire),
        square,
    ]
    for chunk in chunks:
        got = support.drive(impl.parser(kind), [chunk]).events
        assert got == want, type(chunk)


WRONG: list[tuple[Any, str]] = [
    ("data: a\n\n", "str"),
    (None, "NoneType"),
    (1, "int"),
    ([100, 97], "list"),
    (array.array("B", b"abc"), "array"),
    (memoryview(b"abcd")[::2], "a memoryview of another shape"),
    (memoryview(b"abcd")[::-1], "a memoryview of another shape"),
    (memoryview(array.array("I", [1, 2])), "a memoryview of another shape"),
    (memoryview(array.array("d", [1.0])), "a memoryview of another shape"),
]


@every_kind
@pytest.mark.parametrize(("chunk", "name"), WRONG, ids=[f"{i} {name}" for i, (_, name) in enumerate(WRONG)])
def test_wrong_chunks(kind: str, chunk: Any, name: str, impl: Implementation) -> None:
    """A wrong chunk is refused with the same text, and changes nothing."""
    parser = impl.parser(kind)
    wire = GOOD[kind]
    events = parser.feed(wire[:5])
    for call in [parser.feed] + ([parser.feed_text] if kind in support.DIALECTS else []):
        with pytest.raises(TypeError) as caught:
            call(chunk)
        expected = f"chunk must be bytes, bytearray or a contiguous memoryview of bytes, not {name}"
        assert str(caught.value) == expected
    events += parser.feed(wire[5:]) + parser.close()
    assert events == support.drive(impl.parser(kind), [wire]).events
    with pytest.raises(TypeError):
        parser.feed()
    with pytest.raises(TypeError):
        parser.feed(b"", b"")


@every_kind
def test_empty_chunks_do_nothing(kind: str, impl: Implementation) -> None:
    parser = impl.parser(kind)
    for empty in (b"", bytearray(), memoryview(b"")):
        assert parser.feed(empty) == []
        assert parser.pending == 0
    if kind in support.DIALECTS:
        assert parser.feed_text(b"") == ""
    assert parser.feed(GOOD[kind])
    assert parser.feed(b"") == []
    assert parser.close() == []


@every_kind
def test_after_close(kind: str, impl: Implementation) -> None:
    parser = impl.parser(kind)
    parser.feed(GOOD[kind])
    assert parser.close() == []
    assert parser.close() == []
    for call in [parser.feed] + ([parser.feed_text] if kind in support.DIALECTS else []):
        for chunk in (b"", b"x", GOOD[kind]):
            with pytest.raises(ValueError) as caught:
                call(chunk)
            assert str(caught.value) == "feed after close()"
            assert type(caught.value) is ValueError
        with pytest.raises(TypeError):
            call("a wrong chunk is a wrong chunk, also now")
    assert parser.pending == 0


@pytest.mark.parametrize("kind", BAD)
def test_after_a_fault(kind: str, impl: Implementation) -> None:
    from hangang._errors import InvalidJSONError

    parser = impl.parser(kind)
    with pytest.raises(InvalidJSONError) as caught:
        parser.feed(GOOD[kind] + BAD[kind] if kind != "exaone" else GOOD[kind] + b"x")
    first = caught.value
    assert len(first.events) == 1
    first.events.clear()  # the caller's list: changing it changes nothing else
    seen = [first]
    for call in (lambda: parser.feed(b""), lambda: parser.feed(GOOD[kind]), parser.close, parser.close):
        with pytest.raises(InvalidJSONError) as caught:
            call()
        assert caught.value == first
        assert all(caught.value is not one for one in seen)
        assert caught.value.events == []
        assert caught.value.text == ""
        seen.append(caught.value)
    with pytest.raises(TypeError):
        parser.feed("str")
    assert parser.pending == 0


def test_after_a_failed_close(impl: Implementation) -> None:
    from hangang._errors import TruncatedStreamError

    parser = impl.parser("clova")
    parser.feed(b'data:{"mess')
    for call in (parser.close, parser.close, lambda: parser.feed(b"age"), lambda: parser.feed_text(b"")):
        with pytest.raises(TruncatedStreamError) as caught:
            call()
        assert caught.value.offset == 11


def test_kept_events_come_first(impl: Implementation) -> None:
    """What `feed_text` kept is older than what a later failing `feed` or `close` completed."""
    from hangang._errors import ParseError

    result, token = GOOD["clova"], b'event:token\ndata:{"message":{"content":"b"}}\n\n'
    for ending in ("feed", "feed_text", "close"):
        parser = impl.parser("clova")
        assert parser.feed_text(token + result) == "b"
        with pytest.raises(ParseError) as caught:
            if ending == "close":
                parser.feed(b"data:{")
                parser.close()
            else:
                getattr(parser, ending)(token + b"data:x\n\n")
        kinds = [type(event).__name__ for event in caught.value.events]
        assert kinds == {"feed": ["Result", "Token"], "feed_text": ["Result"], "close": ["Result"]}[ending]
        assert caught.value.text == {"feed": "b", "feed_text": "b", "close": ""}[ending]


def test_one_of_each_kept_kind(impl: Implementation) -> None:
    """Each kind once, the last of it, in order of arrival."""
    parser = impl.parser("a2a")
    task = b'data: {"result":{"task":{"id":"%d","status":{"state":"completed"}}}}\n\n'
    assert parser.feed_text(task % 1 + b'data: {"error":{"code":5}}\n\n' + task % 2) == ""
    error, last = parser.close()
    assert (error.code, last.id) == (5, "2")
    parser = impl.parser("openai")
    assert parser.feed_text(b'data: {"error":"a"}\n\ndata: [DONE]\n\ndata: {"error":"b"}\n\n') == ""
    done, error = parser.close()
    assert (type(done).__name__, error.message) == ("Done", "b")


def test_feed_text_skips_malformed(impl: Implementation) -> None:
    parser = impl.parser("exaone", errors="report")
    assert parser.feed_text(GOOD["exaone"] + b'{"a":trx}' + GOOD["exaone"]) == "aa"
    assert parser.close() == []


@every_kind
def test_pending_counts_what_is_held(kind: str, impl: Implementation) -> None:
    parser = impl.parser(kind)
    wire = GOOD[kind]
    parser.feed(wire + wire[:7])
    assert parser.pending == 7
    parser.feed(wire[7:])
    assert parser.pending == 0
    for name in ("pending", "new"):
        with pytest.raises(AttributeError):
            setattr(parser, name, 1)


def test_pending_of_sse(impl: Implementation) -> None:
    """The unfinished line, the data so far with joining LFs, and the event name so far."""
    parser = impl.parser("SSEParser")
    for chunk, pending in (
        (b"\xef", 1),
        (b"\xbb", 2),
        (b"\xbf", 0),
        (b"data:", 5),
        (b" abc", 9),
        (b"\n", 3),
        (b"data: de", 3 + 8),
        (b"\r", 3 + 1 + 2),
        (b"\n", 6),
        (b"event: token\n", 6 + 5),
        (b"id: 12345\n", 11),
        (b": comment", 11 + 9),
        (b"\n", 11),
        (b"\n", 0),
    ):
        parser.feed(chunk)
        assert parser.pending == pending, chunk


@every_kind
def test_parsers_are_not_pickled(kind: str, impl: Implementation) -> None:
    # PicklingError where the class is not the one in use, and cannot be found by its name.
    with pytest.raises((TypeError, pickle.PicklingError)):
        pickle.dumps(impl.parser(kind))


@every_kind
def test_parser_classes(kind: str, impl: Implementation) -> None:
    cls = impl.parser_class(kind)
    assert cls.__name__ == ("StreamParser" if kind in support.DIALECTS else kind)
    assert cls.__module__ == (f"hangang.{kind}" if kind in support.DIALECTS else "hangang")
    assert cls.__doc__
    for name in ("feed", "close"):
        assert getattr(cls, name).__doc__
    assert hasattr(cls, "feed_text") == (kind in support.DIALECTS)
    assert hasattr(cls, "last_event_id") == (kind == "SSEParser")


TEXT = "overlapping calls: a parser serves one thread at a time"


@every_kind
def test_overlapping_calls_pure(kind: str, pure: Implementation) -> None:
    """A call while another is inside: held here by the lock that every call takes."""
    parser = pure.parser(kind)
    parser.feed(GOOD[kind][:3])
    with parser._lock:
        calls: list[Callable[[], Any]] = [lambda: parser.feed(b""), lambda: parser.feed(b"x"), parser.close]
        if kind in support.DIALECTS:
            calls.append(lambda: parser.feed_text(b"x"))
        for call in calls:
            with pytest.raises(RuntimeError) as caught:
                call()
            assert str(caught.value) == TEXT
        with pytest.raises(TypeError):
            parser.feed("the type of the chunk comes first")
    assert parser.feed(GOOD[kind][3:])  # and nothing was harmed
    assert parser.close() == []


def test_reentrant_calls(impl: Implementation) -> None:
    """The garbage collector runs Python code inside a call; a call from there is an overlapping one.

    On the native side this is the only way to be inside a call at a known moment, where the interpreter
    collects on allocation (CPython 3.11) or while `hangang._values` runs; other interpreters may never
    collect in time, and then nothing is shown here.
    """
    parser = impl.parser("a2a")
    metadata = b'{"a":[' + b'{"b":[[],{}]},' * 200 + b"1]}"
    update = (
        b'data: {"result":{"statusUpdate":{"status":{"state":"completed"},"metadata":' + metadata + b"}}}\n\n"
    )
    seen: list[str] = []
    inside = False

    def on_collect(phase: str, info: dict[str, int]) -> None:
        if inside and phase == "start":
            try:
                parser.feed(b"")
            except RuntimeError as error:
                seen.append(str(error))

    old = gc.get_threshold()
    gc.callbacks.append(on_collect)
    gc.set_threshold(20, 5, 5)
    try:
        inside = True
        events = [event for _ in range(20) for event in parser.feed(update)]
        inside = False
    finally:
        gc.set_threshold(*old)
        gc.callbacks.remove(on_collect)
    assert len(events) == 20
    assert set(seen) <= {TEXT}
    assert parser.close() == []


@every_kind
def test_two_threads(kind: str, impl: Implementation) -> None:
    """Two threads on one parser: each call works or raises RuntimeError, and the parser stays whole.

    On interpreters with a global lock the calls of the native side do not overlap, so this shows little
    there; on free-threaded builds it shows the guard.
    """
    parser = impl.parser(kind)
    wire = GOOD[kind]
    counts = [0, 0]
    texts: set[str] = set()
    start = threading.Barrier(2)

    def work(i: int) -> None:
        start.wait()
        for _ in range(300):
            try:
                counts[i] += len(parser.feed(wire * 4))
            except RuntimeError as error:
                texts.add(str(error))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts <= {TEXT}
    assert sum(counts) % 4 == 0
    assert sum(counts) > 0
    assert parser.pending == 0
    assert parser.close() == []


def test_two_parsers_share_nothing(impl: Implementation) -> None:
    one, two = impl.parser("clova"), impl.parser("clova")
    one.feed(b"id:1\ndata:{")
    assert two.pending == 0
    (event,) = two.feed(b'data:{"message":{"content":"a"}}\n\n')
    assert event.id == ""
    (event,) = one.feed(b'"message":{"content":"b"}}\n\n')
    assert (event.text, event.id) == ("b", "1")


def token(text: str) -> bytes:
    """A CLOVA token with this text."""
    return b'event:token\ndata:{"message":{"content":%b}}\n\n' % json.dumps(text).encode()


def test_texts_that_differ_little(impl: Implementation) -> None:
    """Equal texts may be one object, for all parsers of a process; texts that differ in one byte are not."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    texts = [letters[:length] for length in range(27)]
    texts += [text[:at] + "X" + text[at + 1 :] for text in texts for at in range(len(text))]
    texts += ["한" * length for length in range(1, 10)] + ["한" * length + "강" for length in range(9)]
    texts += ["\0", "\0\0", "a\0", "\0a", "\0" * 23, "\0" * 24]
    frames = [token(text) for text in texts]
    for _ in range(2):  # the second parser meets texts that the first has made
        parser = impl.parser("clova")
        assert [event.text for event in parser.feed(b"".join(frames))] == texts


def test_more_texts_than_are_remembered(impl: Implementation) -> None:
    texts = [f"{number:x}" for number in range(1, 20_000)]
    parser = impl.parser("clova")
    for start in range(0, len(texts), 100):
        some = texts[start : start + 100] + texts[:10]
        events = parser.feed(b"".join(map(token, some)))
        assert [event.text for event in events] == some


# --- the lists of `feed`: the native side returns a list of one event again that nobody has


class Anything:
    """What a caller may put into a list."""

    parser: Any = None


def test_a_list_that_is_kept_never_changes(impl: Implementation) -> None:
    parser = impl.parser("clova")
    texts = [str(number) for number in range(6)]
    kept = []
    for text in texts:
        parser.feed(token("dropped"))
        kept.append(parser.feed(token(text)))
    assert [[event.text for event in events] for events in kept] == [[text] for text in texts]


def test_a_list_that_is_iterated_never_changes(impl: Implementation) -> None:
    parser = impl.parser("clova")
    parser.feed(token("first"))
    outer = iter(parser.feed(token("outer")))
    for event in parser.feed(token("inner")):
        assert event.text == "inner"
        assert [event.text for event in outer] == ["outer"]
    assert list(outer) == []


def test_a_list_that_its_caller_changed_is_not_returned(impl: Implementation) -> None:
    parser = impl.parser("clova")

    def change(how: Callable[[list[Any]], object]) -> None:
        how(parser.feed(token("old")))

    for how in (list.clear, list.pop, lambda events: events.append(1), lambda events: events.extend(events)):
        change(how)
        assert [event.text for event in parser.feed(token("new"))] == ["new"]
    change(lambda events: events.__setitem__(0, None))
    assert [event.text for event in parser.feed(token("new"))] == ["new"]


def held_by_list(parser: Any, thing: Anything) -> weakref.ref[Anything]:
    """Puts `thing` into a list that then only the parser has."""
    parser.feed(token("a"))[0] = thing
    return weakref.ref(thing)


def test_what_a_list_held_is_released(impl: Implementation) -> None:
    parser = impl.parser("clova")
    held = held_by_list(parser, Anything())
    parser.feed(token("b"))
    gc.collect()
    assert held() is None
    held = held_by_list(parser, Anything())
    parser.feed(b'event:result\ndata:{"message":{"content":"a"}}\n\n')
    parser.close()
    gc.collect()
    assert held() is None


@pytest.mark.parametrize("dialect", support.DIALECTS)
def test_a_list_that_holds_its_parser_is_collected(dialect: str, impl: Implementation) -> None:
    parser = impl.parser(dialect)
    thing = Anything()
    thing.parser = parser
    events = parser.feed(GOOD[dialect])
    events[:] = [thing]
    held = weakref.ref(thing)
    del events, thing, parser
    gc.collect()
    assert held() is None
