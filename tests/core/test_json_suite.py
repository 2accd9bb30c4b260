"""JSON texts by the categories of nst/JSONTestSuite, made here by generators: accepted, refused, free.

A label is that of the text alone. `accepted` and `refused` are RFC 8259's; `free` texts may be either, and
`DECISIONS` says what the contract makes of them. A text alone is validated as the payload of an SSE frame, where
a scalar is allowed, and a container also as bare JSON. Then texts are glued in pairs, with and without white
space between them, and the whole streams compared with the naive reference, at every split.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
import reference
import support
from support import Implementation

ACCEPTED, REFUSED, FREE = "accepted", "refused", "free"
Text = tuple[str, bytes, str]

BAD_UTF8 = {
    "a lone continuation byte": b"\x81",
    "an overlong slash of two bytes": b"\xc0\xaf",
    "an overlong sequence of six bytes": b"\xfc\x83\xbf\xbf\xbf\xbf",
    "an overlong NUL": b"\xf0\x80\x80\x80",
    "a surrogate": b"\xed\xa0\x80",
    "behind the last code point": b"\xf4\x90\x80\x80",
    "latin-1": b"\xe9",
    "a truncated sequence": b"\xe0\xff",
    "0xff": b"\xff",
}


def arrays() -> Iterator[Text]:
    """y_array_*, n_array_*."""
    for inner in (
        "",
        " ",
        '""',
        "[]",
        "null",
        "1",
        "false",
        "1,2",
        "null, 1, {}",
        "[ ]   ",
        "1\n",
        "null,null,null",
    ):
        yield f"[{inner}]", f"[{inner}]".encode(), ACCEPTED
    yield "leading space", b" [1]", ACCEPTED
    yield "trailing space", b"[2] ", ACCEPTED
    for inner in (
        "1 true",
        "a: 1",
        ",",
        ",,",
        "1,,",
        "1,",
        "1,,2",
        ",1",
        "x",
        "-",
        "*",
        '""',
        "3[4]",
        "1:2",
        "\v",
    ):
        if inner != '""':
            yield f"[{inner!r}]", f"[{inner}]".encode(), REFUSED
    for text in ("[", '["",', "[1", "[1,", '["a', "[1]]", "[1]x", '["x"]]', "[[", "[{", "[}", "[*"):
        yield f"unclosed or extra {text}", text.encode(), REFUSED
    yield "spaces, vertical tab and form feed", b'["\va"\f]', REFUSED
    yield "just a byte of UTF-8", b"[\xff]", REFUSED


def literals() -> Iterator[Text]:
    """y_structure_lonely_*, n_incomplete_*, n_structure_capitalized_*."""
    for word in ("true", "false", "null"):
        yield word, f"[{word}]".encode(), ACCEPTED
        yield f"lonely {word}", word.encode(), ACCEPTED
        for at in range(1, len(word)):
            yield f"incomplete {word[:at]}", f"[{word[:at]}]".encode(), REFUSED
        yield f"{word} with another end", f"[{word[:-1]}x]".encode(), REFUSED
        yield f"{word} goes on", f"[{word}x]".encode(), REFUSED
        yield f"capital {word}", f"[{word.capitalize()}]".encode(), REFUSED
        yield f"{word} with a NUL", f"[{word[:-1]}\0]".encode(), REFUSED
    for word in ("NaN", "-NaN", "Infinity", "-Infinity", "+Inf", "undefined", "None", "True", "nan", "inf"):
        yield word, f"[{word}]".encode(), REFUSED


def numbers() -> Iterator[Text]:
    """y_number_*, n_number_*, i_number_*: every production of the grammar, and each with one part wrong."""
    whole = ("0", "-0", "1", "-1", "123", "-123", "10", "20000")
    fractions = ("", ".0", ".5", ".000", ".123456789")
    exponents = ("", "e1", "E1", "e+1", "E-2", "e00", "e+22")
    for parts in itertools.product(whole, fractions, exponents):
        text = "".join(parts)
        yield text, f"[{text}]".encode(), ACCEPTED
    yield "after a space", b"[ 4]", ACCEPTED
    yield "lonely", b"42", ACCEPTED
    yield "lonely negative", b"-0.1", ACCEPTED
    wrong = (
        "+1 ++1 +Inf -01 -1.0. -2. -x .-1 .2e-3 0.1.2 0.3e 0.3e+ 0.e1 0E 0E+ 1.0e 1.0e- 1.0e+ 1eE2 2.e+3 2.e-3 2.e3 "
        "9.e+ 1+2 0x1 0x42 - -a 1a 1ea -1x 1.2a 1.8011670033376514H-308 012 -012 . .5 1_000 1.5.5 --1 +-1 1e1.5 １ "
        "1\u0661 1,000,"
    )
    for text in wrong.split(" "):
        yield text, f"[{text}]".encode(), REFUSED
    yield "with a NUL", b"[1\x00]", REFUSED
    yield "with a space inside", b"[1 000]", REFUSED
    yield "a minus alone", b"-", REFUSED
    for text in ("1e400", "-1e400", "0.4e00669999999999999999", "1.5e+9999", "123e-10000000"):
        yield f"far exponent {text}", f"[{text}]".encode(), FREE
    for digits in (20, 100, 5000):
        yield f"{digits} digits", b"[" + b"9" * digits + b"]", FREE
        yield f"{digits} digits behind the point", b"[-0." + b"7" * digits + b"]", FREE


def objects() -> Iterator[Text]:
    """y_object_*, n_object_*."""
    good = (
        '{} {"a":[]} {"":0} {"a":"b"} {"a":"b","c":"d"} {"a":"b","a":"c"} {"a":"b","a":"b"} {"foo\\u0000bar":42} '
        '{"min":-1.0e+28,"max":1.0e+28} {"a":{"b":{"c":{}}}} {"\\ud834\\udd1e":1}'
    )
    for text in good.split(" "):
        yield text, text.encode(), ACCEPTED
    yield "with line ends", b'{\n"a"\r\n:\t"b"\n}', ACCEPTED
    bad = (
        '["x",truth] {[:"x"} {"x"::"b"} {"a" {"a" "b"} {x:x} {a:"b"} {"a":"a"123} {key:\'value\'} {"id":0,} {"id":0,,} '
        '{\'a\':0} {"a":"b",,"c":"d"} {1:1} {9999E9999:1} {null:null,null:null} {"a":"b"}/**/ {"a":"b"}// '
        '{"a":"b"}# {"a":/**/"b"} {"a":1,"b"} {"a":} {:1} {"a" {"a": {"a":1, { {"a {, {]'
    )
    for text in bad.split(" "):
        yield text, text.encode(), REFUSED
    yield "two objects are not one text", b'{"a":1}{"b":2}', REFUSED
    yield "a key of bad UTF-8", b'{"\xb9":"0",}', REFUSED


def strings() -> Iterator[Text]:
    """y_string_*, n_string_*, i_string_*: every escape, every control character, every kind of bad UTF-8."""
    for escape in '"\\/bfnrt':
        yield f"escape {escape}", f'["\\{escape}"]'.encode(), ACCEPTED
    for escape in "acdeghijklmopqsvxyz0123456789'U \n\x00":
        yield f"no escape {escape!r}", f'["\\{escape}"]'.encode(), REFUSED
    for code in (
        "0000",
        "0060",
        "00e9",
        "ffff",
        "FFFE",
        "200b",
        "2028",
        "D834\\uDD1E",
        "dbff\\udfff",
        "005C",
        "0022",
    ):
        yield f"escape {code}", f'["\\u{code}"]'.encode(), ACCEPTED
    for code in ("", "0", "00", "00A", "00AG", "{1234}", "+123", " 123", "-123", "00\n0"):
        yield f"no escape u{code}", f'["\\u{code}"]'.encode(), REFUSED
    lone = (
        "D800 DFAA D800\\n D800\\uD800 D800\\uD800\\n DADA dc00x Dd1e\\uD834 d800abc DBFF\\uE000 dc00\\ud800"
    )
    for code in lone.split(" "):
        yield f"lone surrogate {code}", f'["\\u{code}"]'.encode(), FREE
    for code in range(0x20):
        yield f"raw 0x{code:02x}", b'["a' + bytes([code]) + b'a"]', REFUSED
    for text in (
        "\x7f",
        "é",
        "한",
        "\u2028\u2029",
        "\u0085",
        "\ufeff",
        "\U0010ffff",
        "\ufdd0",
        "\uffff",
        "𝄞",
        "😊",
        "/",
        "'",
    ):
        yield f"raw {text!r}", json.dumps([text], ensure_ascii=False).encode(), ACCEPTED
    for name, data in BAD_UTF8.items():
        yield name, b'["' + data + b'"]', FREE
        yield f"{name}, behind an escape", b'["\\n' + data + b'"]', FREE
    for text in (
        '["',
        '["a',
        '["\\',
        '["\\u',
        '["\\"]',
        "['a']",
        '["a"b"]',
        '"',
        '["a\\',
        "[\\n]",
        '["x',
        '["\\ud83d"',
    ):
        yield f"unfinished {text}", text.encode(), REFUSED
    yield "lonely", b'"asd"', ACCEPTED
    yield "lonely and empty", b'""', ACCEPTED


def structures() -> Iterator[Text]:
    """y_structure_*, n_structure_*, i_structure_*."""
    for white in (" ", "\t", "\n", "\r", "\r\n", " \t\n\r "):
        yield f"white space {white!r}", f"{white}[{white}]{white}".encode(), ACCEPTED
    for white in ("\v", "\f", "\u00a0", "\u2060", "\ufeff", "\u3000", "\x00", "\x1c"):
        yield f"no white space {white!r} inside", f"[{white}]".encode(), REFUSED
        yield f"no white space {white!r} behind", f"[]{white}".encode(), REFUSED
    for text in (
        "[1}", "{]", '{"a":[}', "[{]", "]", "}", '{"a":true} "x"', '["a",\n4\n,1,1', "[1,{", "/*x*/", "[]/**/", "#",
        "<null>", "<.>", "@", "aå", "123\x00", '{"asd":"asd"', "[a", "[\\u000A\"\"]", "{\"\\u", "\\", "[][]", "[1]#",
        "*", "single_word", "'", "[open_array", "{open_object", ",", "(", "", " ",
    ):  # fmt: skip
        yield f"structure {text!r}", text.encode(), REFUSED
    for depth in (1, 2, 50, 128):
        yield f"{depth} open", b"[" * depth + b"]" * depth, ACCEPTED
        yield f"{depth} objects", b'{"a":' * depth + b"1" + b"}" * depth, ACCEPTED
        yield f"{depth} unclosed", b"[" * depth, REFUSED
    for depth in (129, 500, 5000):
        yield f"{depth} open", b"[" * depth + b"]" * depth, FREE
        yield f"{depth} objects", b'{"":[' * depth + b"]}" * depth, FREE
    yield "a byte order mark", b"\xef\xbb\xbf{}", FREE
    yield "half a byte order mark", b"\xef\xbb{}", REFUSED
    yield "UTF-16", "[]".encode("utf-16-le"), REFUSED
    yield "UTF-16 with its mark", "[]".encode("utf-16"), REFUSED
    yield "UTF-32", "[]".encode("utf-32"), REFUSED


GENERATORS = (arrays, literals, numbers, objects, strings, structures)
TEXTS = [text for generator in GENERATORS for text in generator()]

#: What we decided about texts that RFC 8259 leaves open. Numbers of any size pass ([design §4] rule 9), as do lone
#: surrogates ([design §3.5]); ill-formed UTF-8 does not ([design §4] rule 4), nor do more than max_depth containers
#: ([design §4] rule 3); a byte order mark at the start is skipped ([design §3.1]).
DECISIONS = {
    "far exponent": None,
    "digits": None,
    "lone surrogate": None,
    "open": "LimitExceededError",
    "objects": "LimitExceededError",
    "a byte order mark": None,
} | dict.fromkeys(BAD_UTF8, "InvalidUTF8Error")


def decision(name: str) -> str | None:
    return next(decided for part, decided in DECISIONS.items() if part in name)


def as_payload(impl: Implementation, text: bytes) -> Any:
    """How a payload of its own is validated: None, or the error. Line ends become data lines, joined by LF again."""
    lines = text.split(b"\n")
    wire = b"".join(b"data: " + line + b"\n" for line in lines) + b'\ndata: {"error":{"message":"end"}}\n\n'
    return support.drive(impl.parser("openai"), [wire]).error


@pytest.mark.parametrize(
    ("name", "text", "label"), TEXTS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_text_alone(name: str, text: bytes, label: str) -> None:
    try:
        json.loads(text, parse_constant=lambda word: pytest.fail(word))
        valid = True
    except (ValueError, RecursionError, pytest.fail.Exception):
        valid = False
    if label != FREE and not text.startswith(b"\xff\xfe") and b"\x00" not in text:
        # json guesses UTF-16 and UTF-32, which RFC 8259 does not allow.
        assert valid == (label == ACCEPTED), "the label is wrong"
    wanted = {ACCEPTED: None, REFUSED: "refused"}.get(label, label)
    for impl in support.implementations():
        if b"\r" not in text and text.strip():
            error = as_payload(impl, text)
            if label == FREE and not text.startswith(b"\xef\xbb\xbf"):
                assert (type(error).__name__ if error else None) == decision(name), impl
            elif label != FREE:
                assert (error is None) == (wanted is None), (impl, error)
        bare = support.drive(impl.parser("JSONStreamParser"), [text])
        stripped = text.strip(b" \t\r\n")
        if label == FREE:
            assert (type(bare.error).__name__ if bare.error else None) == decision(name), impl
        elif stripped[:1] in (b"{", b"[") and label == ACCEPTED:
            assert (bare.error, bare.events) == (None, [stripped]), impl
        elif label == ACCEPTED:
            assert type(bare.error).__name__ == "InvalidJSONError", (impl, "a scalar is no frame")
        elif stripped not in (b"", b"[][]", b'{"a":1}{"b":2}'):  # two texts, or none, are a stream
            assert bare.error is not None, impl


def check(impl: Implementation, wire: bytes, want: Any, places: Iterator[int] | range) -> None:
    frames, fault = want
    for chunks in ([wire], support.byte_by_byte(wire), *(support.two_way(wire, at) for at in places)):
        outcome = support.drive(impl.parser("JSONStreamParser"), chunks)
        assert (outcome.events, outcome.fault) == (frames, fault), (impl, wire, [len(c) for c in chunks])


def glued(first: bytes, second: bytes) -> list[bytes]:
    return [first + second, first + b"\n" + second, first + b" \r\n\t" + second]


def run_pairs(pairs: Iterator[tuple[Text, Text]] | list[tuple[Text, Text]]) -> int:
    count = 0
    for (_, first, _), (_, second, _) in pairs:
        for wire in glued(first, second):
            want = reference.json_stream(wire, reference.DEFAULT_LIMIT, reference.DEFAULT_DEPTH)
            step = 1 if len(wire) <= 300 else len(wire) // 40
            for impl in support.implementations():
                check(impl, wire, want, range(1, len(wire), step))
            count += 1
    return count


#: One of each kind, to be glued to every text; beside them each run takes pairs by chance.
PARTNERS = [
    ("object", b'{"a":1}', ACCEPTED),
    ("array", b"[]", ACCEPTED),
    ("open", b"[1", REFUSED),
    ("bad", b"[x]", REFUSED),
]


@pytest.mark.parametrize("generator", GENERATORS, ids=lambda generator: generator.__name__)
def test_glued_to_one_of_each_kind(generator: Any) -> None:
    texts = [text for text in generator() if len(text[1]) <= 400]
    rng = random.Random(generator.__name__)
    sample = texts if len(texts) <= 60 else rng.sample(texts, 60)
    pairs = [pair for text in sample for partner in PARTNERS for pair in ((text, partner), (partner, text))]
    assert run_pairs(pairs) == 3 * len(pairs)


def test_glued_by_chance() -> None:
    rng = random.Random(20261122)
    assert run_pairs([(rng.choice(TEXTS), rng.choice(TEXTS)) for _ in range(120)]) == 360


@pytest.mark.long
@pytest.mark.parametrize("generator", GENERATORS, ids=lambda generator: generator.__name__)
def test_glued_each_to_a_tenth_of_all(generator: Any) -> None:
    rng = random.Random(7)
    texts = [text for text in TEXTS if len(text[1]) <= 400]
    for text in generator():
        if len(text[1]) <= 400:
            run_pairs([(text, other) for other in rng.sample(texts, len(texts) // 10)])


def test_report_mode_skips_only_the_bad_text(impl: Implementation) -> None:
    """A delimited bad text between two good ones costs nothing but itself (rule 8)."""
    good = b'{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}'
    for name, text, label in TEXTS:
        if label != REFUSED or b"\n" in text or b"\r" in text or not text.strip():
            continue
        wire = b"".join(b"data: " + data + b"\n\n" for data in (good, text, good))
        for chunks in ([wire], support.byte_by_byte(wire)):
            outcome = support.drive(impl.parser("openai", errors="report"), chunks)
            kinds = [type(event).__name__ for event in outcome.events]
            assert (kinds, outcome.error) == (["Chunk", "Malformed", "Chunk"], None), name
            assert outcome.events[1].raw == text.removeprefix(b" "), name
