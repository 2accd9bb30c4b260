"""`thinking_tags` and `thinking_first`: reasoning that a server left inside the content ([design §5.8]).

The vectors (`field_thinking.json`) say what each case means. Here: any text with tags in it, cut anywhere, in
any number of deltas; nothing is lost, nothing is held that is surely text, and the time is linear.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest
import reference
import strategies
import support
from hypothesis import given, note
from hypothesis import strategies as st
from support import Implementation

THINK = ("<think>", "</think>")


def frame(content: str, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": finish}
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"


def split_text(text: str, opening: str, closing: str, thinking_first: bool) -> tuple[str, str]:
    """The whole text by the contract's sentences, one character after the other: (text, thinking)."""
    out = {False: "", True: ""}
    inside, at_start = thinking_first, thinking_first
    pending = ""  # since the last tag
    for character in text:
        pending += character
        if at_start and pending.endswith(opening) and not pending.removesuffix(opening).strip(" \t\r\n"):
            out[True] += pending.removesuffix(opening)
            pending, at_start = "", False
        elif pending.endswith(closing if inside else opening):
            out[inside] += pending.removesuffix(closing if inside else opening)
            pending, inside, at_start = "", not inside, False
    out[inside] += pending
    return out[False], out[True]


@st.composite
def tagged_texts(draw: st.DrawFn) -> tuple[str, tuple[str, str]]:
    opening, closing = draw(strategies.tags)
    letters = sorted({*opening, *closing, "x", " ", "\n"})
    piece = st.sampled_from([opening, closing, opening[:-1], closing[1:], *letters, "한강"])
    return "".join(draw(st.lists(piece, max_size=12))), (opening, closing)


@given(tagged_texts(), st.booleans(), st.data())
def test_any_text_cut_into_any_deltas(
    made: tuple[str, tuple[str, str]], thinking_first: bool, data: st.DataObject
) -> None:
    """However the text is cut into deltas: the same answer and the same reasoning, and nothing is lost."""
    text, tags = made
    places = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    deltas = [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]
    want = split_text(text, *tags, thinking_first)
    for impl in support.implementations():
        parser = impl.parser("openai", thinking_tags=tags, thinking_first=thinking_first)
        given_text = given_thinking = ""
        sent = ""
        for delta in deltas:
            sent += delta
            for event in parser.feed(frame(delta)):
                given_text += event.text
                given_thinking += event.thinking
            # What may be a tag is held back, and not a character more.
            whole = split_text(sent, *tags, thinking_first)
            missing = len(whole[0]) + len(whole[1]) - len(given_text) - len(given_thinking)
            assert whole[0].startswith(given_text)
            assert whole[1].startswith(given_thinking)
            assert 0 <= missing < max(len(tag) for tag in tags)
            assert not missing or any(tag.startswith(sent[-missing:]) for tag in tags)
        (last,) = parser.feed(frame("", "stop"))
        assert (given_text + last.text, given_thinking + last.thinking) == want
        assert parser.close() == []


@given(strategies.tagged_streams(), st.data())
def test_feed_text_gives_the_same(made: tuple[bytes, dict[str, Any]], data: st.DataObject) -> None:
    """The text of `feed_text`, and the events that it defers, are those of `feed`."""
    wire, options = made
    note(repr((options, wire)))
    chunks = data.draw(strategies.cuts(wire))
    for impl in support.implementations():
        want = support.expected_text(impl.parser("openai", **options), chunks)
        got = support.drive_text(impl.parser("openai", **options), chunks)
        assert (got.text, got.kept, got.error) == (want.text, want.kept, want.error)


@pytest.mark.parametrize("thinking_first", [False, True])
@pytest.mark.parametrize("tags", strategies.TAGS, ids=repr)
def test_every_split_of_every_byte(impl: Implementation, tags: tuple[str, str], thinking_first: bool) -> None:
    opening, closing = tags
    text = f" {opening}a{closing}{opening[:-1]}b{opening}{closing[:-1]}c{opening}{closing}{opening}"
    options = {"thinking_tags": tags, "thinking_first": thinking_first}
    for wire in (
        b"".join(frame(character) for character in text),
        frame(text) + b"data: [DONE]\n\n",
        frame(text[:7]) + frame(text[7:], "stop"),
        json.dumps({"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}).encode(),
    ):
        want = reference.run("openai", wire, **options)
        for at in range(0, len(wire) + 1, 1 if len(wire) < 600 else 17):
            outcome = support.drive(impl.parser("openai", **options), support.two_way(wire, at))
            assert support.same(support.to_data(outcome.events), want.events)
            assert outcome.fault == want.error


def test_text_comes_at_once(impl: Implementation) -> None:
    """An answer without tags is delivered delta by delta, character by character."""
    parser = impl.parser("openai", thinking_tags=THINK)
    answer = "안녕하세요, a < b ... >"
    assert [parser.feed_text(frame(character)) for character in answer if character != "<"] == [
        character for character in answer if character != "<"
    ]
    assert parser.feed_text(frame("<")) == ""
    assert parser.feed_text(frame(" ")) == "< "


def test_held_text_after_feed_text(impl: Implementation) -> None:
    """What is held at an end comes out of close(), before the Done or Error that it comes before."""
    parser = impl.parser("openai", thinking_tags=THINK)
    assert parser.feed_text(frame("a<th") + b"data: [DONE]\n\n") == "a"
    held, done = parser.close()
    assert (type(held).__name__, held.text, held.raw, type(done).__name__) == ("Chunk", "<th", b"", "Done")
    # A second one is text of its call: memory stays bounded, and nothing is lost or out of order.
    parser = impl.parser("openai", thinking_tags=THINK)
    assert parser.feed_text(frame("a<") + b'data: {"error":"m"}\n\n') == "a"
    assert parser.feed_text(frame("b<") + b"data: [DONE]\n\n") == "b<"
    assert parser.feed_text(frame("c<")) == "c"
    assert [getattr(event, "text", "") for event in parser.close()] == ["<", "", "", "<"]


def test_the_held_chunk(impl: Implementation) -> None:
    parser = impl.parser("openai", thinking_tags=THINK)
    parser.feed(frame("<think>a</"))
    with pytest.raises(ValueError, match="truncated") as caught:
        parser.close()
    (held,) = caught.value.events  # type: ignore[attr-defined]
    choice = impl.cls("openai", "Choice")(0, "", "</", None, (), None, "")
    assert held == impl.cls("openai", "Chunk")(
        "", "</", None, (), None, None, None, None, None, (choice,), ""
    )
    assert held.raw == b""


@pytest.mark.parametrize("tags", [("a", "a"), ("", "b"), ("a", ""), ["", ""]])
def test_tags_are_two_different_strings(impl: Implementation, tags: Any) -> None:
    with pytest.raises(ValueError, match="thinking_tags"):
        impl.parser("openai", thinking_tags=tags)


@pytest.mark.parametrize("tags", ["ab", b"ab", ("a",), ("a", "b", "c"), (1, "b"), ("a", b"b"), 7, {"a", "b"}])
def test_tags_of_other_types(impl: Implementation, tags: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="thinking_tags"):
        impl.parser("openai", thinking_tags=tags)


def test_thinking_first_needs_tags(impl: Implementation) -> None:
    with pytest.raises(ValueError, match="thinking_first"):
        impl.parser("openai", thinking_first=True)
    impl.parser("openai", thinking_tags=None, thinking_first=False)
    impl.parser("openai", thinking_tags=list(THINK), thinking_first=True)


@pytest.mark.parametrize("dialect", ["clova", "exaone", "a2a"])
def test_only_openai_has_them(impl: Implementation, dialect: str) -> None:
    with pytest.raises(TypeError):
        impl.parser(dialect, thinking_tags=THINK)


def test_time_is_linear(pure: Implementation) -> None:
    """Counted in lines of Python that run, for text that begins a tag at every character."""
    tags = ("a" * 50 + "b", "c")

    def lines(run: Callable[[], object]) -> int:
        count = 0

        def trace(_frame: Any, event: str, _argument: Any) -> Any:
            nonlocal count
            count += event == "line"
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            run()
        finally:
            sys.settrace(before)
        return count

    def cost(count: int) -> int:
        parser = pure.parser("openai", thinking_tags=tags)
        wire = [frame("a" * 20) for _ in range(count)]
        return lines(lambda: [parser.feed(one) for one in wire])

    cost(10)
    small, large = cost(100), cost(400)
    assert large < 4.4 * small
