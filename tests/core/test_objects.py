"""Events and shared values: immutable, compared, hashed, shown and pickled by their fields, alike on both.

The fields and their order are the public contract's; the defaults are the value of what is absent.
"""

from __future__ import annotations

import copy
import json
import os
import pickle
import subprocess
import sys
from typing import Any

import pytest
import support
from fields import FIELDS
from support import Implementation

EVENTS = [key for key in FIELDS if key[0] and key[1] != "Choice"]
NAMES = [f"{module or 'hangang'}.{name}" for module, name in FIELDS]
every_class = pytest.mark.parametrize("key", FIELDS, ids=NAMES)


def others(fields: dict[str, Any]) -> dict[str, Any]:
    """A value for each field that differs from its default and from its neighbours'."""
    made: dict[str, Any] = {}
    for i, (name, default) in enumerate(fields.items()):
        if isinstance(default, bool):
            made[name] = not default
        elif isinstance(default, int) or name in (
            "index",
            "input_length",
            "created",
            "seed",
            "prompt_tokens",
        ):
            made[name] = 100 + i
        elif default == ():
            made[name] = (f"item {i}",)
        else:
            made[name] = f"값 {i}"
    return made


@every_class
def test_fields_and_defaults(key: tuple[str, str], impl: Implementation) -> None:
    cls, fields = impl.cls(*key), FIELDS[key]
    assert cls.__match_args__ == tuple(fields)
    value = cls()
    assert {name: getattr(value, name) for name in fields} == fields
    # A class without the field answers with the empty text, so that "".join(e.text …) always works.
    if key in EVENTS:
        if "text" not in fields:
            assert value.text == ""
        if "thinking" not in fields:
            assert value.thinking == ""
        assert value.raw == b""


@every_class
def test_construction_by_position_and_by_name(key: tuple[str, str], impl: Implementation) -> None:
    cls, values = impl.cls(*key), others(FIELDS[key])
    by_name, by_position = cls(**values), cls(*values.values())
    assert by_name == by_position
    assert {name: getattr(by_position, name) for name in values} == values
    with pytest.raises(TypeError):
        cls(*values.values(), "one more")
    with pytest.raises(TypeError):
        cls(no_such_field=1)
    if values:
        with pytest.raises(TypeError):
            cls(*list(values.values())[:1], **dict(list(values.items())[:1]))


@every_class
def test_nothing_is_checked(key: tuple[str, str], impl: Implementation) -> None:
    """Constructors take what they are given, None too: there are no type checks and no second defaults."""
    marker = object()
    for name in FIELDS[key]:
        for given in (None, marker):
            assert getattr(impl.cls(*key)(**{name: given}), name) is given


@every_class
def test_repr(key: tuple[str, str], impl: Implementation) -> None:
    cls, values = impl.cls(*key), others(FIELDS[key])
    shown = ", ".join(f"{name}={value!r}" for name, value in values.items())
    assert repr(cls(**values)) == f"{key[1]}({shown})"


@every_class
def test_names(key: tuple[str, str], impl: Implementation) -> None:
    cls = impl.cls(*key)
    assert cls.__name__ == cls.__qualname__ == key[1]
    assert cls.__module__ == (f"hangang.{key[0]}" if key[0] else "hangang")
    assert cls.__doc__


@every_class
def test_equality_and_hash(key: tuple[str, str], impl: Implementation) -> None:
    cls, values = impl.cls(*key), others(FIELDS[key])
    value = cls(**values)
    assert value == cls(**values)
    assert value == cls(**values)
    assert hash(value) == hash(cls(**values)) == hash(tuple(values.values()))
    assert value != tuple(values.values())
    assert value != object()
    assert (value == 1) is False
    for name, default in FIELDS[key].items():
        assert value != cls(**{**values, name: default})
    with pytest.raises(TypeError):
        value < value  # noqa: B015
    assert {value: 1}[cls(**values)] == 1


@every_class
def test_immutable(key: tuple[str, str], impl: Implementation) -> None:
    value = impl.cls(*key)()
    for name in [*FIELDS[key], "raw", "text", "new"]:
        with pytest.raises(AttributeError):
            setattr(value, name, "x")
        with pytest.raises(AttributeError):
            delattr(value, name)
    assert not hasattr(value, "__dict__")
    with pytest.raises(TypeError):
        type("Sub", (impl.cls(*key),), {})


@every_class
def test_unhashable_contents(key: tuple[str, str], impl: Implementation) -> None:
    """`hash` where contents allow: a dict inside has none."""
    if FIELDS[key]:
        name = next(iter(FIELDS[key]))
        with pytest.raises(TypeError):
            hash(impl.cls(*key)(**{name: {}}))


@every_class
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle_and_copy(key: tuple[str, str], protocol: int, impl: Implementation) -> None:
    """A pickle of either implementation opens as the one in use."""
    values = others(FIELDS[key])
    value = impl.cls(*key)(**values)
    opened = pickle.loads(pickle.dumps(value, protocol))
    assert repr(opened) == repr(value)
    assert type(opened).__module__ == type(value).__module__
    assert type(opened) is public(key)
    for again in (copy.copy(value), copy.deepcopy(value)):
        assert repr(again) == repr(value)


NO_EVENTS = ("ToolCallDelta", "Usage", "AIFilter", "Choice")


@every_class
def test_to_dict(key: tuple[str, str], impl: Implementation) -> None:
    """The fields in order, after an event's dialect and kind; values that `json.dumps` accepts."""
    values = others(FIELDS[key])
    plain = {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
    head = {} if key[1] in NO_EVENTS else {"dialect": key[0], "kind": key[1]}
    made = impl.cls(*key)(**values).to_dict()
    assert made == {**head, **plain}
    assert list(made) == [*head, *plain]
    assert json.loads(json.dumps(made)) == made


def test_to_dict_of_nested_values(impl: Implementation) -> None:
    """Lists for tuples, dicts for values inside, None for numbers that JSON does not have; dicts are copies."""
    deep: Any = {}
    for _ in range(100_000):
        deep = {"a": [deep]}
    error = impl.cls("a2a", "Error")(1, "m", {"x": float("inf"), "y": [float("nan"), 1.5], "z": deep})
    plain = error.to_dict()["data"]
    assert (plain["x"], plain["y"]) == (None, [None, 1.5])
    assert plain["z"] is not deep
    levels = 0
    while plain := (plain.get("z") or plain.get("a", [{}])[0]):
        levels += 1
    assert levels == 100_000
    call = impl.cls("", "ToolCallDelta")(0, "c", "function", "f", None, "{}")
    choice = impl.cls("openai", "Choice")(1, "t", "", None, (call,), "stop", "no")
    usage = impl.cls("", "Usage")(1, 2, 3, None)
    chunk = impl.cls("openai", "Chunk")(text="t", usage=usage, choices=(choice,), tool_calls=(call,))
    made = chunk.to_dict()
    assert made["usage"] == usage.to_dict() == {**dict.fromkeys(made["usage"]), **usage.to_dict()}
    assert made["tool_calls"] == [call.to_dict()]
    assert made["choices"] == [choice.to_dict()]
    assert made["choices"][0]["tool_calls"] == [call.to_dict()]


def test_to_dict_of_other_values(impl: Implementation) -> None:
    sse = impl.cls("", "ServerSentEvent")("x", "a", "1")
    assert sse.to_dict() == {"event": "x", "data": "a", "id": "1"}
    (malformed,) = impl.parser("openai", errors="report").feed(b'data: {"a":\xfftrx}\n\n')
    assert malformed.to_dict() == {
        "dialect": None,
        "kind": "Malformed",
        "raw": '{"a":\ufffdtrx}',
        "error": {
            "class": "InvalidUTF8Error",
            "offset": 11,
            "message": str(malformed.error),
        },
    }


def public(key: tuple[str, str]) -> Any:
    import hangang

    place: Any = getattr(hangang, key[0]) if key[0] else hangang
    return getattr(place, key[1])


def test_pickles_cross_implementations() -> None:
    """Written by this process's implementation, read by a process with the other one."""
    names = [impl.name for impl in support.implementations()]
    if len(names) < 2:
        pytest.skip(support.native_absence() or "one implementation only")
    import hangang

    events = [public(key)(**others(FIELDS[key])) for key in FIELDS]
    events += real_events()
    other = "pure" if hangang.BACKEND == "native" else "native"
    script = (
        "import sys, pickle, hangang\n"
        "events = pickle.load(sys.stdin.buffer)\n"
        "assert hangang.BACKEND == sys.argv[1]\n"
        "sys.stdout.buffer.write(pickle.dumps((repr(events), events)))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, other],
        input=pickle.dumps(events),
        env=dict(os.environ, HANGANG_BACKEND=other),
        capture_output=True,
        check=True,
    )
    shown, back = pickle.loads(result.stdout)
    assert shown == repr(events)
    assert back == events


def test_pickles_of_the_first_version_open() -> None:
    """They name `hangang._backend.restore`, and have the fields of their time: fewer than today's."""
    import hangang

    written = pickle.dumps(_Old("a2a", "Task", ("t", None, "working", "", (), (), None)), 0)
    task = pickle.loads(written.replace(b"hangang._pickle\nunpickle", b"hangang._backend\nrestore"))
    assert task == hangang.a2a.Task("t", None, "working", "", (), (), None, None)
    with pytest.raises(LookupError):
        pickle.loads(pickle.dumps(_Old("clova", "StreamParser", ())))


class _Old:
    """Pickles as an event of version 0.1 did."""

    def __init__(self, *state: Any) -> None:
        self.state = state

    def __reduce__(self) -> Any:
        from hangang._backend import restore

        return restore, self.state


def real_events() -> list[Any]:
    """Events of real streams, with nested values and dicts."""
    import hangang

    found: list[Any] = []
    for name in ("clova/v3_tool_call.sse", "clova/v1_text.sse", "a2a/sdk-1.3.0_v1.0_stream_parts.sse"):
        parser: Any = getattr(hangang, name.split("/")[0]).StreamParser()
        found += parser.feed((support.CAPTURES / name).read_bytes())
    return found


def test_pickled_malformed(impl: Implementation) -> None:
    parser = impl.parser("openai", errors="report")
    (malformed,) = parser.feed(b'data: {"a":trx}\n\n')
    opened = pickle.loads(pickle.dumps(malformed))
    assert (opened.raw, opened.error) == (malformed.raw, malformed.error)
    assert repr(opened) == repr(malformed)
    assert malformed.error.events == []


def test_malformed(impl: Implementation) -> None:
    cls = impl.cls("", "Malformed")
    assert cls.__match_args__ == ("raw", "error")
    assert cls.__module__ == "hangang"
    parser = impl.parser("exaone", errors="report")
    (event,) = parser.feed(b'{"a":trx}')
    assert (event.text, event.thinking, event.raw) == ("", "", b'{"a":trx}')
    assert type(event.error).__name__ == "InvalidJSONError"
    assert event.error.offset == 7
    assert event == impl.cls("", "Malformed")(b'{"a":trx}', event.error)
    assert hash(event) == hash((event.raw, event.error))
    with pytest.raises(AttributeError):
        event.raw = b""
    with pytest.raises(ValueError):
        event.json()


def test_equal_across_classes_is_false(impl: Implementation) -> None:
    """Only the same class is equal: an Unknown of another dialect with the same fields is not."""
    assert impl.cls("exaone", "Unknown")("x") != impl.cls("openai", "Unknown")("x")
    assert impl.cls("", "Usage")() != impl.cls("", "AIFilter")()
    assert impl.cls("exaone", "Error")(1, "m") != impl.cls("clova", "Error")(1, "m")


def test_hashes_are_equal_on_both() -> None:
    """The hash is that of the tuple of fields, so it is the same number on both."""
    hashes = [
        [hash(impl.cls(*key)(**others(FIELDS[key]))) for key in FIELDS] for impl in support.implementations()
    ]
    assert all(one == hashes[0] for one in hashes)
    nested = [
        hash(impl.cls("clova", "Token")(tool_calls=(impl.cls("", "ToolCallDelta")(id="a"),)))
        for impl in support.implementations()
    ]
    assert len(set(nested)) == 1


def test_match_statement(impl: Implementation) -> None:
    Token, Usage = impl.cls("clova", "Token"), impl.cls("", "Usage")
    seen: list[tuple[Any, ...]] = []
    for event in (Token("가", usage=Usage(1, 2, 3)), Token("나", "생각"), Token()):
        match event:
            case Token(text, thinking="", usage=Usage(prompt)):
                seen.append((text, prompt))
            case Token(text, thinking) if thinking:
                seen.append((text, thinking))
            case Token():
                seen.append(())
    assert seen == [("가", 1), ("나", "생각"), ()]


def test_raw_and_json(impl: Implementation) -> None:
    """`.raw` is the payload as received, `data` lines joined by LF; `.json()` its value."""
    payload = '{"message": {"content": "가\\ud55c"},\n "x": [1.0, 1e400, 12345678901234567890]}'
    lines = "".join(f"data: {line}\r\n" for line in payload.split("\n"))
    (event,) = impl.parser("clova").feed(f"event: token\r\n{lines}\r\n".encode())
    assert event.raw == payload.encode()
    assert event.json() == json.loads(payload)
    assert event.json()["x"][2] == 12345678901234567890
    assert event.raw == event.raw
    (event,) = impl.parser("clova").feed(payload.encode())
    assert event.raw == payload.encode()
    (done,) = impl.parser("openai").feed(b"data: [DONE]\n\n")
    assert done.raw == b"[DONE]"


def test_raw_survives_the_chunk(impl: Implementation) -> None:
    """A bytearray that is written over after feed changes no event."""
    chunk = bytearray(b'data: {"message":{"content":"abc"}}\n\n')
    (event,) = impl.parser("clova").feed(chunk)
    chunk[:] = b"x" * len(chunk)
    assert (event.text, event.raw) == ("abc", b'{"message":{"content":"abc"}}')


def test_raw_of_predicted_frames(impl: Implementation) -> None:
    """Frames that repeat have their own payloads."""
    parser = impl.parser("openai")
    for i in range(50):
        payload = b'{"choices":[{"index":0,"delta":{"content":"%d"}}],"created":%d}' % (i, i)
        (event,) = parser.feed(b"data: " + payload + b"\n\n")
        assert (event.text, event.created, event.raw) == (str(i), i, payload)


def test_shared_objects(impl: Implementation) -> None:
    """Equal reference lists are one object; a different list between them is another."""
    parser = impl.parser("exaone")
    frame = '{"result_code": 200, "data": {"answer": "%s", "references": %s, "progress_state": "answering"}}'
    one, two = '[{"index": 1, "title": "가"}]', '[{"index": 2, "title": "가"}]'
    chunks = [frame % pair for pair in (("a", one), ("b", one), ("c", two), ("d", two))]
    a, b, c, d = (event for chunk in chunks for event in parser.feed(chunk.encode()))
    assert a.references is b.references
    assert c.references is d.references
    assert a.references != c.references
    assert isinstance(a.references, tuple)
    assert type(a.references[0]) is dict


def test_server_sent_event(impl: Implementation) -> None:
    (event,) = impl.parser("SSEParser").feed(b"id: 1\nevent: x\ndata: a\n\n")
    assert type(event) is impl.cls("", "ServerSentEvent")
    assert (event.event, event.data, event.id) == ("x", "a", "1")
    assert repr(event) == "ServerSentEvent(event='x', data='a', id='1')"
    assert type(event).__match_args__ == ("event", "data", "id")
    assert type(event).__module__ == "hangang"
    assert event == type(event)("x", "a", "1")
    assert hash(event) == hash(("x", "a", "1"))
    assert pickle.loads(pickle.dumps(event)) == public(("", "ServerSentEvent"))("x", "a", "1")
    with pytest.raises(AttributeError):
        event.data = "b"


def test_json_frames_are_bytes(impl: Implementation) -> None:
    frames = impl.parser("JSONStreamParser").feed(bytearray(b"[1]{}"))
    assert frames == [b"[1]", b"{}"]
    assert {type(frame) for frame in frames} == {bytes}
