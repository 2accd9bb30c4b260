"""Errors: each class says what was expected, what was found, and where; and behaves as a value.

The texts are part of the contract: both implementations build the same one from the same kind and offset.
"""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any

import pytest
import support
from support import Implementation

import hangang
from hangang import _errors

TREE = {
    "HangangError": "Exception",
    "ParseError": "HangangError",
    "InvalidJSONError": "ParseError",
    "InvalidUTF8Error": "ParseError",
    "LimitExceededError": "ParseError",
    "TruncatedStreamError": "ParseError",
    "UnrecognizedStreamError": "ParseError",
    "APIError": "HangangError",
    "BadRequestError": "APIError",
    "AuthenticationError": "APIError",
    "PermissionDeniedError": "APIError",
    "NotFoundError": "APIError",
    "PayloadTooLargeError": "APIError",
    "UnsupportedMediaTypeError": "APIError",
    "UnprocessableEntityError": "APIError",
    "RateLimitError": "APIError",
    "ServerError": "APIError",
    "StreamError": "APIError",
    "APIConnectionError": "APIError",
    "APITimeoutError": "APIError",
    "InterruptedStreamError": "TruncatedStreamError",
    "StalledStreamError": "TruncatedStreamError",
}
PARSE = (
    "InvalidJSONError",
    "InvalidUTF8Error",
    "LimitExceededError",
    "TruncatedStreamError",
    "UnrecognizedStreamError",
)
STATUS = {
    400: "BadRequestError",
    401: "AuthenticationError",
    403: "PermissionDeniedError",
    404: "NotFoundError",
    413: "PayloadTooLargeError",
    415: "UnsupportedMediaTypeError",
    422: "UnprocessableEntityError",
    429: "RateLimitError",
    500: "ServerError",
    503: "ServerError",
    504: "ServerError",
}

#: (parser, options, stream) -> the error's class, offset and whole message: one of each kind of text.
MESSAGES: list[tuple[str, dict[str, Any], bytes, str, int, str]] = [
    (
        "JSONStreamParser",
        {},
        b'{"a":trx}',
        "InvalidJSONError",
        7,
        "invalid JSON at byte 7: expected 'true', found 'x'",
    ),
    (
        "JSONStreamParser",
        {},
        b"{} ,",
        "InvalidJSONError",
        3,
        "invalid JSON at byte 3: expected '{' or '[', found ','",
    ),
    (
        "openai",
        {},
        b'data: {"a":1\n\n',
        "InvalidJSONError",
        12,
        "invalid JSON at byte 12: expected ',' or '}', found the end of the payload",
    ),
    (
        "exaone",
        {},
        b"<html>",
        "InvalidJSONError",
        0,
        (
            "invalid JSON at byte 0: expected '{', ':' or an ASCII letter, found '<'; "
            "the stream looks like HTML or XML"
        ),
    ),
    (
        "clova",
        {},
        b"<html>\n",
        "UnrecognizedStreamError",
        7,
        "stream not recognized at byte 7: expected CLOVA events, found an HTML page",
    ),
    (
        "openai",
        {},
        b'event: token\ndata: {"message":{"content":"a"}}\n\n',
        "UnrecognizedStreamError",
        48,
        "stream not recognized at byte 48: expected OpenAI-compatible events, found a stream of hangang.clova",
    ),
    (
        "JSONStreamParser",
        {},
        b'["\xea\xb0"]',
        "InvalidUTF8Error",
        2,
        "invalid UTF-8 at byte 2: expected a well-formed sequence, found byte 0xea",
    ),
    (
        "SSEParser",
        {"max_frame_bytes": 7},
        b"data: abc",
        "LimitExceededError",
        7,
        (
            "frame too large at byte 7: expected at most 7 bytes, found one more; "
            "raise max_frame_bytes if such frames are expected"
        ),
    ),
    (
        "JSONStreamParser",
        {"max_depth": 2},
        b"[[[",
        "LimitExceededError",
        2,
        (
            "nesting too deep at byte 2: expected at most 2 open containers, found one more; "
            "raise max_depth if such frames are expected"
        ),
    ),
    (
        "JSONStreamParser",
        {},
        b"[1",
        "TruncatedStreamError",
        2,
        (
            "stream truncated at byte 2: expected the rest of a JSON value, found the end of the stream; "
            "the answer is incomplete"
        ),
    ),
    (
        "JSONStreamParser",
        {},
        b"\xef\xbb",
        "TruncatedStreamError",
        2,
        (
            "stream truncated at byte 2: expected the rest of a byte order mark, found the end of the stream; "
            "the answer is incomplete"
        ),
    ),
    (
        "clova",
        {},
        b"event:token\ndata:{",
        "TruncatedStreamError",
        18,
        (
            "stream truncated at byte 18: expected the blank line that ends an event, found the end of the stream; "
            "the answer is incomplete"
        ),
    ),
    (
        "clova",
        {},
        b"",
        "TruncatedStreamError",
        0,
        (
            "stream truncated at byte 0: expected a result or error event, found the end of the stream; "
            "the answer is incomplete"
        ),
    ),
    (
        "exaone",
        {},
        b"",
        "TruncatedStreamError",
        0,
        (
            "stream truncated at byte 0: expected an answering frame, found the end of the stream; "
            "the answer is incomplete"
        ),
    ),
    (
        "openai",
        {},
        b"",
        "TruncatedStreamError",
        0,
        (
            "stream truncated at byte 0: expected a finish reason, [DONE] or an error, found the end of the stream; "
            "the answer is incomplete"
        ),
    ),
    (
        "a2a",
        {},
        b"",
        "TruncatedStreamError",
        0,
        (
            "stream truncated at byte 0: expected a final status, a message or an error, found the end of the stream; "
            "the answer is incomplete"
        ),
    ),
    (
        "a2a",
        {"end": "last_chunk"},
        b"",
        "TruncatedStreamError",
        0,
        (
            "stream truncated at byte 0: expected a final status, a last chunk, a message or an error, "
            "found the end of the stream; the answer is incomplete"
        ),
    ),
]


@pytest.mark.parametrize("row", MESSAGES, ids=[f"{row[0]} {row[5][:40]}" for row in MESSAGES])
def test_messages(row: tuple[str, dict[str, Any], bytes, str, int, str], impl: Implementation) -> None:
    kind, options, wire, name, offset, message = row
    for chunks in ([wire], support.byte_by_byte(wire)):
        error = support.drive(impl.parser(kind, **options), chunks).error
        assert type(error) is getattr(hangang, name)
        assert error.offset == offset
        assert str(error) == message
        assert error.args == (message,)
        assert error.completion is None


def test_every_parse_error_has_its_message() -> None:
    assert {row[3] for row in MESSAGES} == set(PARSE)


def test_hierarchy() -> None:
    classes = {
        name: cls
        for name, cls in vars(_errors).items()
        if inspect.isclass(cls)
        and issubclass(cls, Exception)
        and cls.__module__ == _errors.__name__
        and not name.startswith("_")
    }
    assert set(classes) == set(TREE) == set(_errors.__all__)
    for name, parent in TREE.items():
        assert parent in [base.__name__ for base in classes[name].__mro__]
        assert getattr(hangang, name) is classes[name]
        assert classes[name].__doc__
    assert issubclass(hangang.ParseError, ValueError)
    assert not issubclass(hangang.APIError, ValueError)


def test_errors_import_nothing_of_ours() -> None:
    source = inspect.getsource(_errors)
    assert "import hangang" not in source
    assert "from hangang" not in source
    assert "from ." not in source


@pytest.mark.parametrize("name", ["ParseError", *PARSE])
def test_parse_errors_are_values(name: str) -> None:
    cls = getattr(hangang, name)
    error = cls("m", offset=3, events=["x"], text="t")
    assert (error.offset, error.events, error.text, error.completion) == (3, ["x"], "t", None)
    assert error == cls("m", offset=3)
    assert hash(error) == hash(cls("m", offset=3))
    assert error != cls("m", offset=4)
    assert error != cls("n", offset=3)
    assert error != "m"
    assert error != next(other for other in (getattr(hangang, known) for known in PARSE) if other is not cls)(
        "m", offset=3
    )
    with pytest.raises(TypeError):
        cls("m")
    with pytest.raises(TypeError):
        cls("m", 3)


@pytest.mark.parametrize("name", ["ParseError", *PARSE])
def test_parse_errors_are_pickled_and_copied(name: str) -> None:
    error = getattr(hangang, name)("m", offset=3, events=[1, 2], text="t")
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(error, protocol))
        assert type(again) is type(error)
        assert again == error
        assert (again.offset, again.events, again.text, again.args) == (3, [1, 2], "t", ("m",))
    for again in (copy.copy(error), copy.deepcopy(error)):
        assert again == error
        assert again.events == error.events


def test_text_is_that_of_the_events(impl: Implementation) -> None:
    """The error of `feed` carries the answer text of its events, that of `feed_text` what the call completed."""
    good, bad = b'data: {"message":{"content":"%s"}}\n\n', b"data: x\n\n"
    wire = good % b"a" + good % "나".encode() + bad
    parser = impl.parser("clova")
    with pytest.raises(hangang.InvalidJSONError) as caught:
        parser.feed(wire)
    assert [event.text for event in caught.value.events] == ["a", "나"]
    assert caught.value.text == "a나"
    parser = impl.parser("clova")
    assert parser.feed_text(good % b"0") == "0"
    with pytest.raises(hangang.InvalidJSONError) as caught:
        parser.feed_text(wire)
    assert caught.value.text == "a나"
    assert caught.value.events == []


def test_a_raised_error_has_no_context_of_ours(impl: Implementation) -> None:
    """A traceback shows the fault, not the machinery that found it."""
    with pytest.raises(hangang.InvalidJSONError) as caught:
        impl.parser("JSONStreamParser").feed(b"[01]")
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_parse_error_can_have_a_cause() -> None:
    with pytest.raises(hangang.TruncatedStreamError) as caught:
        raise hangang.TruncatedStreamError("m", offset=1) from OSError("reset")
    assert isinstance(caught.value.__cause__, OSError)


@pytest.mark.parametrize(("status", "name"), STATUS.items())
def test_a_status_has_its_class(status: int, name: str) -> None:
    assert hangang.APIError.for_status(status) is getattr(hangang, name)


def test_other_statuses_are_api_errors() -> None:
    for status in (402, 409, 418, 451, 302):
        assert hangang.APIError.for_status(status) is hangang.APIError


def test_api_errors_are_pickled() -> None:
    error = hangang.RateLimitError(
        "m", status=429, code="42901", body={"a": 1}, request_id="r", retry_after=2.5
    )
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is hangang.RateLimitError
    names = ("status", "code", "message", "body", "request_id", "retry_after")
    assert [getattr(again, name) for name in names] == [429, "42901", "m", {"a": 1}, "r", 2.5]


def test_malformed_has_the_same_error(impl: Implementation) -> None:
    """In report mode the error is the one that strict mode raises, without events."""
    wire = b'{"result_code":200}{"a":01}'
    with pytest.raises(hangang.InvalidJSONError) as caught:
        impl.parser("exaone").feed(wire)
    _, malformed = impl.parser("exaone", errors="report").feed(wire)
    assert malformed.error == caught.value
    assert (malformed.error.events, malformed.error.text) == ([], "")
