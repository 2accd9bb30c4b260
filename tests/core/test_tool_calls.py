"""Tool calls from their deltas: the rules of `hangang.ToolCalls`, one by one and as a property of every manner."""

from __future__ import annotations

import json
import pickle
import random
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import Implementation

import hangang
from hangang import ToolCall, ToolCallDelta, ToolCalls

Folded = list[tuple[str | None, str | None, str]]


def folded(*deltas: ToolCallDelta) -> Folded:
    calls = ToolCalls()
    calls.add(deltas)
    return [(call.id, call.name, call.arguments) for call in calls.calls]


def d(
    index: int | None = None, id: str | None = None, name: str | None = None, arguments: str | None = None
) -> ToolCallDelta:
    return ToolCallDelta(index=index, id=id, name=name, arguments=arguments)


# --- the value


def test_a_tool_call_is_a_value() -> None:
    call = ToolCall("a", "f", '{"x": 1}', 0, "function")
    assert call == ToolCall(id="a", name="f", arguments='{"x": 1}', index=0, type="function")
    assert hash(call) == hash(ToolCall("a", "f", '{"x": 1}', 0, "function"))
    assert call != ToolCall("b", "f", '{"x": 1}', 0, "function")
    assert repr(call) == """ToolCall(id='a', name='f', arguments='{"x": 1}', index=0, type='function')"""
    assert pickle.loads(pickle.dumps(call)) == call
    assert b"_tool_calls" not in pickle.dumps(call)
    match call:
        case ToolCall(id, name, arguments, index, type):
            assert (id, name, arguments, index, type) == ("a", "f", '{"x": 1}', 0, "function")
    with pytest.raises(AttributeError):
        call.name = "g"  # type: ignore[misc]
    assert call.to_dict() == {
        "id": "a",
        "name": "f",
        "arguments": '{"x": 1}',
        "index": 0,
        "type": "function",
    }
    assert json.loads(json.dumps(call.to_dict())) == call.to_dict()
    assert ToolCall() == ToolCall(None, None, "", None, None)


@pytest.mark.parametrize(
    ("arguments", "args"),
    [
        ("", {}),
        (" \n", {}),
        ("{}", {}),
        (' {"도시": "서울", "n": [1, 2.5]}\n', {"도시": "서울", "n": [1, 2.5]}),
        (r'{"x": "\ud83d"}', {"x": "\ufffd"}),
        (r'{"x": "\ud83d\ude0a"}', {"x": "😊"}),
        ('{"x": 1, "x": 2}', {"x": 2}),
    ],
)
def test_args(arguments: str, args: dict[str, Any]) -> None:
    assert ToolCall(name="f", arguments=arguments).args == args


@pytest.mark.parametrize(
    "arguments", ['{"x":', "null", "[1]", '"x"', "{'x': 1}", '{"x": NaN}', "{}{}", '{"x":' + "[" * 100_000]
)
def test_args_of_what_is_no_object(arguments: str) -> None:
    with pytest.raises(ValueError, match="the arguments of tool call 'f' are not a JSON object"):
        _ = ToolCall(name="f", arguments=arguments).args


def test_args_are_new_each_time() -> None:
    call = ToolCall(arguments='{"x": []}')
    call.args["x"].append(1)
    assert call.args == {"x": []}


# --- the rules of [design §6]


def test_add_numbers_the_deltas_and_leaves_the_rest_of_them() -> None:
    calls = ToolCalls()
    first, second = calls.add([d(0, "a", "f", '{"x":1}'), d(0, "b", "f", "{}")])
    assert first == d(0, "a", "f", '{"x":1}')
    assert second == d(1, "b", "f", "{}")
    assert calls.add([ToolCallDelta(partial_json=" ", type="function")]) == [
        ToolCallDelta(index=1, partial_json=" ", type="function")
    ]
    assert calls.add(()) == []
    assert calls.calls == (ToolCall("a", "f", '{"x":1}', 0), ToolCall("b", "f", "{} ", 1, "function"))
    assert repr(calls) == f"ToolCalls(calls={calls.calls!r})"


def test_index_is_the_number_of_the_call() -> None:
    """Servers count from 1, leave numbers out or number every call 0; the numbers of an answer's calls do not."""
    calls = ToolCalls()
    calls.add([d(1, "a", "f"), d(4, "b", "g"), d(4, None, None, "{}"), d(None, "c", "h")])
    assert [(call.index, call.name) for call in calls.calls] == [(0, "f"), (1, "g"), (2, "h")]


def test_a_call_without_anything() -> None:
    assert folded(ToolCallDelta()) == [(None, None, "")]
    assert folded() == []


@pytest.mark.parametrize(
    ("why", "deltas", "wanted"),
    [
        (
            "a new id in each fragment, without a name",
            [d(0, "1", "f", ""), d(0, "2", "", '{"x":'), d(0, "3", "", "1}")],
            [("1", "f", '{"x":1}')],
        ),
        (
            "a new id in each fragment, without an index",
            [d(None, "1", "f", ""), d(None, "2", "", '{"x":'), d(None, "3", "", "1}")],
            [("1", "f", '{"x":1}')],
        ),
        ("the first name is empty", [d(0, "a", "", ""), d(0, "a", "f", "{}")], [("a", "f", "{}")]),
        ("the first id is empty", [d(0, "", "f", ""), d(0, "a", None, "{}")], [("a", "f", "{}")]),
        (
            "one index, no ids, two whole calls",
            [d(0, None, "f", '{"q":"a"}'), d(0, None, "f", '{"q":"b"}')],
            [(None, "f", '{"q":"a"}'), (None, "f", '{"q":"b"}')],
        ),
        (
            "the name repeated in each fragment, without ids",
            [d(0, None, "f", '{"q":"{'), d(0, None, "f", '}\\"'), d(0, None, "f", '"}')],
            [(None, "f", '{"q":"{}\\""}')],
        ),
        (
            "no index and no ids, two whole calls",
            [d(None, None, "f", '{"q":1}'), d(None, None, "f", '{"q":2}')],
            [(None, "f", '{"q":1}'), (None, "f", '{"q":2}')],
        ),
        (
            "interleaved by id on one index",
            [
                d(0, "a", "f"),
                d(0, "b", "g"),
                d(0, "a", None, "{"),
                d(0, "b", None, "["),
                d(0, "a", None, "}"),
            ],
            [("a", "f", "{}"), ("b", "g", "[")],
        ),
        (
            "interleaved by id on one index, names repeated",
            [d(0, "a", "f", "{"), d(0, "b", "f", "{"), d(0, "a", "f", "}"), d(0, "b", "f", "}")],
            [("a", "f", "{}"), ("b", "f", "{}")],
        ),
        (
            "without an id, the call opened last with the index",
            [d(0, "a", "f"), d(0, "b", "g"), d(0, "a", None, "{"), d(0, None, None, "x")],
            [("a", "f", "{"), ("b", "g", "x")],
        ),
        (
            "an empty last fragment",
            [d(0, "a", "f", '{"x":1}'), d(0, "a", "f", ""), d(0, None, "f", "")],
            [("a", "f", '{"x":1}')],
        ),
        (
            "calls without arguments, index or id",
            [d(name="f"), d(name="g"), d(name="f", arguments="{}")],
            [(None, "f", ""), (None, "g", ""), (None, "f", "{}")],
        ),
        (
            "one id, two functions",
            [d(0, "x", "f", "{}"), d(0, "x", "g", "{}"), d(0, "x", None, " ")],
            [("x", "f", "{}"), ("x", "g", "{} ")],
        ),
        (
            "one id, one function, two objects: the same call, though it is no JSON",
            [d(0, "x", "f", '{"a":1}'), d(0, "x", "f", '{"a":1}')],
            [("x", "f", '{"a":1}{"a":1}')],
        ),
        (
            "an id of which only one side has any",
            [d(0, "a", "f", '{"x":1}'), d(0, None, "f", '{"x":2}'), d(0, "c", "f", '{"x":3}')],
            [("a", "f", '{"x":1}'), (None, "f", '{"x":2}'), ("c", "f", '{"x":3}')],
        ),
        (
            "an unknown index opens a call, also beside a call without any",
            [d(None, None, "f", "{"), d(3, None, None, "}")],
            [(None, "f", "{"), (None, None, "}")],
        ),
        (
            "a call opened by its id alone gets its index later",
            [d(None, "a", "f"), d(2, "a", None, "{"), d(2, None, None, "}")],
            [("a", "f", "{}")],
        ),
        (
            "an index that comes late does not hide a call opened after it",
            [d(None, "a", "f"), d(2, "b", "g"), d(2, "a", None, "{"), d(2, None, None, "!")],
            [("a", "f", "{"), ("b", "g", "!")],
        ),
        (
            "ids that differ, but no name: a fragment",
            [d(0, "a", "f", '{"x":1}'), d(0, "b", None, " ")],
            [("a", "f", '{"x":1} ')],
        ),
        (
            "a name that comes after arguments",
            [d(0, "a", None, '{"x":1}'), d(0, None, "f", " ")],
            [("a", "f", '{"x":1} ')],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_rules(why: str, deltas: list[ToolCallDelta], wanted: Folded) -> None:
    assert folded(*deltas) == wanted, why


@pytest.mark.parametrize(
    ("fragments", "wanted"),
    [
        (["{}", '{"x":1}'], '{"x":1}'),
        (["{}", "", '{"x"', ":1}"], '{"x":1}'),
        (["", "{}", '{"x":1}'], '{"x":1}'),
        (["{", "}", '{"x":1}'], '{"x":1}'),
        (["{}", ' \n{"x":1}'], ' \n{"x":1}'),
        (["{}", " ", "\n", '{"x":1}'], ' \n{"x":1}'),
        (["{}", "{}", '{"x":1}'], '{"x":1}'),
        (["{}", "{", '"x":1}'], '{"x":1}'),
        (["{}"], "{}"),
        (["{}", "{}"], "{}"),
        (["{}", " ", " "], "{}  "),
        (["{}", "x"], "{}x"),
        (["{}", " ", "x", "{"], "{} x{"),
        (["{", '"x":1}'], '{"x":1}'),
        (["{", "{}"], "{{}"),
        ([" {}", '{"x":1}'], ' {}{"x":1}'),
        (["{} ", '{"x":1}'], ' {"x":1}'),
        (["{", "} ", "[1]"], "{} [1]"),
        (['{"x":1}', '{"y":2}'], '{"x":1}{"y":2}'),
    ],
)
def test_an_empty_object_at_the_start_gives_way(fragments: list[str], wanted: str) -> None:
    assert folded(d(0, "a", "f"), *[d(0, arguments=fragment) for fragment in fragments]) == [
        ("a", "f", wanted)
    ]


def test_an_empty_object_is_a_whole_one() -> None:
    assert folded(d(0, None, "f", "{}"), d(0, None, "f", '{"x":1}')) == [
        (None, "f", "{}"),
        (None, "f", '{"x":1}'),
    ]


def test_clova_fragments() -> None:
    piece = ToolCallDelta
    assert folded(
        piece(id="a", type="function", name="f"),
        piece(type="function", partial_json='{"x":'),
        piece(partial_json="1}"),
        piece(id="b", type="function", name="f"),
        piece(partial_json="{}"),
    ) == [("a", "f", '{"x":1}'), ("b", "f", "{}")]


def test_both_backends(impl: Implementation) -> None:
    piece = impl.cls("", "ToolCallDelta")
    calls = ToolCalls()
    calls.add([piece(index=0, id="a", name="f", arguments="{"), piece(index=0, arguments="}")])
    assert calls.calls == (ToolCall("a", "f", "{}", 0),)


# --- every manner of cutting calls folds to the same calls

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('a"\\{}[]한 ', max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text('k"\\}', max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
objects = st.dictionaries(st.text('k"\\{}', max_size=3), values, max_size=3)
whole_calls = st.lists(
    st.tuples(st.sampled_from(["search", "weather"]), objects.map(json.dumps)), min_size=1, max_size=4
)


def cut(text: str, rng: random.Random) -> list[str]:
    places = sorted(rng.choices(range(len(text) + 1), k=rng.randrange(4)))
    pieces = [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]
    return pieces if rng.random() < 0.3 else [piece for piece in pieces if piece]


Sequence = list[tuple[str, str]]


def openai_style(calls: Sequence, rng: random.Random) -> list[ToolCallDelta]:
    out = []
    for n, (name, text) in enumerate(calls):
        out.append(d(n, f"id{n}", name, rng.choice([None, ""])))
        out += [d(n, None, None, piece) for piece in cut(text, rng)]
    return out


def interleaved_by_index(calls: Sequence, rng: random.Random) -> list[ToolCallDelta]:
    return interleave(
        [openai_style([call], rng) for call in calls], lambda n, one: one_of(n, one, index=n), rng
    )


def interleaved_by_id(calls: Sequence, rng: random.Random) -> list[ToolCallDelta]:
    return interleave(
        [openai_style([call], rng) for call in calls],
        lambda n, one: one_of(n, one, index=0, id=f"id{n}"),
        rng,
    )


def one_of(number: int, delta: ToolCallDelta, *, index: int | None, id: str | None = None) -> ToolCallDelta:
    id = id or (delta.id and f"id{number}")
    return ToolCallDelta(index=index, id=id, name=delta.name, arguments=delta.arguments)


def interleave(
    streams: list[list[ToolCallDelta]],
    change: Callable[[int, ToolCallDelta], ToolCallDelta],
    rng: random.Random,
) -> list[ToolCallDelta]:
    todo = [[change(n, delta) for delta in stream] for n, stream in enumerate(streams)]
    out = [stream.pop(0) for stream in todo]  # calls open in order
    while any(todo):
        out.append(rng.choice([stream for stream in todo if stream]).pop(0))
    return out


def names_and_ids_repeated(calls: Sequence, rng: random.Random) -> list[ToolCallDelta]:
    return [
        d(n, f"id{n}", name, piece) for n, (name, text) in enumerate(calls) for piece in ["", *cut(text, rng)]
    ]


def every_call_is_number_0(calls: Sequence, rng: random.Random) -> list[ToolCallDelta]:
    return [
        d(0, f"id{n}", name if first else "", piece)
        for n, (name, text) in enumerate(calls)
        for first, piece in [(True, ""), *[(False, piece) for piece in cut(text, rng)]]
    ]


def a_new_id_each_time(calls: Sequence, rng: random.Random) -> list[ToolCallDelta]:
    return [
        d(n, f"id{n}" if first else f"other{rng.random()}", name if first else rng.choice(["", None]), piece)
        for n, (name, text) in enumerate(calls)
        for first, piece in [(True, ""), *[(False, piece) for piece in cut(text, rng)]]
    ]


def opened_with_an_empty_object(calls: Sequence, rng: random.Random) -> list[ToolCallDelta]:
    return [
        d(n, f"id{n}" if first else None, name if first else None, piece)
        for n, (name, text) in enumerate(calls)
        for first, piece in [(True, "{}"), *[(False, piece) for piece in cut(text, rng)]]
    ]


def clova_style(calls: Sequence, rng: random.Random) -> list[ToolCallDelta]:
    out = []
    for n, (name, text) in enumerate(calls):
        out.append(ToolCallDelta(id=f"id{n}", type="function", name=name))
        out += [
            ToolCallDelta(type=rng.choice([None, "", "function"]), partial_json=p) for p in cut(text, rng)
        ]
    return out


def whole(calls: Sequence, rng: random.Random) -> list[ToolCallDelta]:
    index = rng.choice([None, 0])
    return [d(index, f"id{n}", name, text) for n, (name, text) in enumerate(calls)]


MANNERS = [
    openai_style, interleaved_by_index, interleaved_by_id, names_and_ids_repeated, every_call_is_number_0,
    a_new_id_each_time, opened_with_an_empty_object, clova_style, whole,
]  # fmt: skip


def names_repeated(calls: Sequence, rng: random.Random) -> list[ToolCallDelta]:
    index = rng.choice([None, 0])
    return [d(index, None, name, piece) for name, text in calls for piece in cut(text, rng)]


def whole_without_ids(calls: Sequence, rng: random.Random) -> list[ToolCallDelta]:
    index = rng.choice([None, 0])
    return [d(index, None, name, text) for name, text in calls]


@pytest.mark.parametrize("manner", MANNERS)
@given(calls=whole_calls, seed=st.integers(0, 2**32))
def test_manners(manner: Any, calls: Sequence, seed: int) -> None:
    deltas = manner(calls, random.Random(seed))
    assert folded(*deltas) == [(f"id{n}", name, text) for n, (name, text) in enumerate(calls)]


@pytest.mark.parametrize("manner", [names_repeated, whole_without_ids])
@given(calls=whole_calls, seed=st.integers(0, 2**32))
def test_manners_without_ids(manner: Any, calls: Sequence, seed: int) -> None:
    deltas = manner(calls, random.Random(seed))
    assert folded(*deltas) == [(None, name, text) for name, text in calls]


@given(calls=whole_calls, seed=st.integers(0, 2**32), manner=st.sampled_from(MANNERS))
def test_the_numbers_of_add_are_the_calls(calls: Sequence, seed: int, manner: Any) -> None:
    """What `add` returns, grouped by number, is the fragments of each call, however many deltas a call of it takes."""
    rng = random.Random(seed)
    deltas = manner(calls, rng)
    one, many = ToolCalls(), ToolCalls()
    numbered = one.add(deltas)
    again = [many.add([delta])[0] for delta in deltas]
    assert numbered == again
    assert one.calls == many.calls
    for call in one.calls:
        pieces = [(p.arguments or "") + (p.partial_json or "") for p in numbered if p.index == call.index]
        assert call.arguments in ("".join(pieces), "".join(pieces).removeprefix("{}"))


@given(objects.map(json.dumps), st.text('{}[]",:x \\', max_size=5), st.integers(0, 2**32))
def test_the_end_of_an_object_is_found_at_any_split(text: str, after: str, seed: int) -> None:
    from hangang._tool_calls import PartialCall

    call = PartialCall(0)
    for piece in cut(text, random.Random(seed)):
        assert not call.is_whole() or call.arguments in ("{}", text)
        call.extend(piece)
    assert call.is_whole()
    call.extend(" ")
    assert call.is_whole()
    if after.strip() and text != "{}":
        for character in after:
            call.extend(character)
        assert not call.is_whole()


def _lines(count: int) -> int:
    """Lines of Python that it takes to add fragments that each repeat the name."""
    deltas = [
        d(0, None, "f", '{"k":"'),
        *[d(0, None, "f", r"\"{]ab\\") for _ in range(count)],
        d(0, None, "f", '"}'),
    ]
    calls = ToolCalls()
    lines = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal lines
        lines += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        calls.add(deltas)
    finally:
        sys.settrace(before)
    assert len(calls.calls) == 1
    assert isinstance(calls.calls[0].args["k"], str)
    return lines


def test_adding_is_linear() -> None:
    small, large = _lines(400), _lines(800)
    assert small > 400
    assert large <= 2.05 * small


def test_exported() -> None:
    assert hangang.ToolCall.__module__ == "hangang"
    assert {"ToolCall", "ToolCalls"} <= {*hangang.__all__}
