"""`hangang.ToolCalls` against the naive folding of tests/support/reference.py, on any deltas whatever.

`test_tool_calls.py` has the rules one by one, and calls cut in the manners of servers. Here nothing is well
behaved: ids, indexes, names and fragments in every combination, so that the two readings of the contract meet
everywhere.
"""

from __future__ import annotations

import reference
from hypothesis import given
from hypothesis import strategies as st

from hangang import ToolCallDelta, ToolCalls

ids = st.sampled_from([None, None, "", "a", "b"])
indexes = st.sampled_from([None, None, 0, 0, 1])
names = st.sampled_from([None, None, "", "f", "f", "g"])
fragments = st.sampled_from(
    [
        *(None, "", "", "{}", "{", "}", '{"x":1}', '{"x":', "1}", ' {"y":"}"}', " ", "\n", "{} "),
        *('"', '{"x":"\\', '\\"', '{"z":[{', "}]}", "x", "[1]", '{"한":"강"}'),
    ]
)
deltas = st.lists(
    st.builds(ToolCallDelta, index=indexes, id=ids, name=names, arguments=fragments), max_size=10
)


def folded(calls: ToolCalls) -> list[tuple[str | None, str | None, str]]:
    return [(call.id, call.name, call.arguments) for call in calls.calls]


@given(deltas, st.data())
def test_any_deltas(given_deltas: list[ToolCallDelta], data: st.DataObject) -> None:
    want = [(call.id, call.name, call.arguments) for call in reference.fold_calls(given_deltas)]
    whole, pieces = ToolCalls(), ToolCalls()
    numbered = whole.add(given_deltas)
    for delta in given_deltas:
        pieces.add([delta])
        if data.draw(st.booleans()):
            assert pieces.calls == pieces.calls  # looking changes nothing
    assert folded(whole) == folded(pieces) == want
    # The numbers that `add` gives are those of the calls, and the rest of a delta is as it was.
    assert [call.index for call in whole.calls] == list(range(len(want)))
    assert len(numbered) == len(given_deltas)
    for delta, got in zip(given_deltas, numbered, strict=True):
        assert got.index is not None
        assert 0 <= got.index < len(want)
        assert (got.id, got.name, got.arguments) == (delta.id, delta.name, delta.arguments)


@given(st.lists(deltas, min_size=1, max_size=2))
def test_the_numbers_tell_the_calls(parts: list[list[ToolCallDelta]]) -> None:
    """Numbered deltas fold to the same calls again, by their numbers alone: that is what a gateway sends."""
    calls = ToolCalls()
    numbered = [delta for part in parts for delta in calls.add(part)]
    names: dict[int, str] = {}
    for delta in numbered:
        assert delta.index is not None
        names.setdefault(delta.index, "")
        names[delta.index] = names[delta.index] or delta.name or ""
    assert [(call.index, call.name or "") for call in calls.calls] == sorted(names.items())
