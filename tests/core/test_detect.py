"""`hangang.detect`: which service's stream is it ([design §5.9])."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
import reference
import strategies
import support
from hypothesis import given
from hypothesis import strategies as st
from support import Implementation

CAPTURES = sorted(path for path in support.CAPTURES.rglob("*") if path.is_file() and path.suffix != ".md")


def name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


@pytest.mark.parametrize("path", CAPTURES, ids=name)
def test_every_capture(path: Path, impl: Implementation) -> None:
    """Its first 1,024 bytes tell; each beginning of them tells the same or nothing."""
    data = path.read_bytes()
    detect = impl.module.detect
    assert detect(data) == path.parent.name
    assert detect(data[:1024]) == path.parent.name
    seen = [detect(data[:n]) for n in range(1025)]
    assert set(seen) <= {None, path.parent.name}
    assert seen == sorted(seen, key=lambda service: service is not None)


TABLE = [
    ("", None),
    (" \n", None),
    ("\ufeff", None),
    ("<html>", None),
    ("Internal Server Error", None),
    ("[1]", None),
    ("{}", None),
    ('{"a":1}', None),
    (": ping\n\n", None),
    ("data:\n\n", None),
    ("data: 1\n\n", None),
    # EXAONE
    ('\ufeff \r\n{"result_code": 200}', "exaone"),
    ('{"result_code"', None),
    ('{"result_code": ', None),
    ('{"result_code": 2', "exaone"),
    ('{"description":"\\"choices\\":","result_code":1', "exaone"),
    ('data: {"result_code":200}', "exaone"),
    # CLOVA
    ("event: token\n", "clova"),
    ("event:result\r", "clova"),
    ("event: token", None),
    ("event:  token\n", None),
    ("event: tokens\n", None),
    ("event: error\n", None),
    ("id: 1\nevent: signal\ndata: {", "clova"),
    ('{"message":{"role":"assistant","content":"', "clova"),
    ('{"message":{"role":"assistant","content":[', None),
    ('{"message":{"thinkingContent":""', "clova"),
    ('{"message":"x","stopReason":null}', "clova"),
    ('{"status":{"code":"40000","message":"m"},"result":null}', "clova"),
    ('{"status":{"code":"40000","message":"m"}', None),
    ('{"status":{"code":"20000"},"result":{"message":{"content":"x', "clova"),
    ('event: error\ndata: {"status":{"code":"42901"}}\n\n', "clova"),
    # OpenAI-compatible
    ("data: [DONE]\n\n", "openai"),
    ("data: [DONE]", None),
    ("data:\ndata: [DONE] \n", "openai"),
    (': ping\n\ndata: {"choices":[]}\n\n', "openai"),
    ('{"id":"c","object":"chat.', "openai"),
    ('{"status":{"code":"20000"},"result":{"choices":[]}}', "openai"),
    ('{"error":{"message":"m","code":"invalid_api_key"}}', "openai"),
    ('{"error":{"message":"m","code":"invalid_api_key"}', None),
    ('{"error":"m"}', "openai"),
    ('{"error":null}', None),
    ('{"usage":{"total_tokens":1}}', "openai"),
    ('{"usage":null}', None),
    ('{"text":"m","error_code":50001}', "openai"),
    ('x\n{"choices":[', "openai"),
    ('error: {"error":{"message":"m"}}\n', "openai"),
    ('error: {"error":{"message":"m"}', None),
    # A2A
    ('{"message":{"messageId":"m","role":"ROLE_AGENT","parts":[{"text":"x"}]}}', "a2a"),
    ('{"statusUpdate":{"taskId":"t","status":{"state":"TASK_STATE_WORKING"}}}', "a2a"),
    ('{"result":{"kind":"message","parts":[]}}', "a2a"),
    ('{"result":{"status":{"state":"working"', "a2a"),
    ('{"error":{"code":-32603,"message":"m"},"id":1,"jsonrpc":"2.0"}', "a2a"),
    ('data: {}\n\nid: 1\ndata: {"jsonrpc":"2.0"}\n\n', "a2a"),
    ('{}\n{"jsonrpc":"2.0"}', "a2a"),
    ('{"result":{"result":{"kind":1}}}', None),
    # where evidence counts: names of members, at their place, as they are written
    ('{"a":{"choices":[]},"b":["jsonrpc"],"c":"result_code"}', None),
    ('{"a":["jsonrpc",{"kind":1}],"choices":', None),
    ('{"a":["jsonrpc",{"kind":1}],"choices":n', "openai"),
    ('{"cho\\u0069ces":[]}', None),
    ('{"message":"x"{"content":"a"}}', None),
    ('{"message":7{"content":"a"}}', None),
    ('{"message":[{"content":"a"}]}', None),
    ('{"status":"x",{"state":1},"result":[{"kind":1}]}', None),
    ('{"a":"x\\"","jsonrpc":1', "a2a"),
    ('{"a":[}],"jsonrpc":"2.0"}', None),
    ('data: {"a":[}\n\ndata: {"jsonrpc":"2.0"}\n\n', "a2a"),
    ('data: {"a":\ndata: 1,\ndata: "choices":[]}\n\n', "openai"),
    ('data: {"a":1}\n\nevent: token\n', "clova"),
    ('{"jsonrpc":"2.0","choices":[]}', "a2a"),
    ('{"choices":[],"jsonrpc":"2.0"}', "openai"),
    ("{" + " " * 1012 + '"choices":[', "openai"),
    ("{" + " " * 1013 + '"choices":[', None),
]


@pytest.mark.parametrize(("text", "service"), TABLE, ids=[repr(text[-40:]) for text, _ in TABLE])
def test_evidence(text: str, service: str | None, impl: Implementation) -> None:
    assert reference.detect(text.encode()) == service
    assert impl.module.detect(text.encode()) == service


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_types_of_input(kind: type, impl: Implementation) -> None:
    assert impl.module.detect(kind(b'{"result_code":1}')) == "exaone"


def test_other_types_are_refused(impl: Implementation) -> None:
    with pytest.raises(TypeError):
        impl.module.detect('{"result_code":1}')


def test_compressed_streams_tell_nothing(impl: Implementation) -> None:
    for path in CAPTURES[:3]:
        assert impl.module.detect(gzip.compress(path.read_bytes())) is None


@pytest.mark.parametrize("dialect", support.DIALECTS)
@given(data=st.data())
def test_generated_streams(dialect: str, data: st.DataObject) -> None:
    """Both implementations and the reference agree about every beginning of any stream."""
    wire = data.draw(strategies.streams(strategies.FRAMES[dialect]))[:1100]
    at = data.draw(st.integers(0, len(wire)))
    for impl in support.implementations():
        assert impl.module.detect(wire) == reference.detect(wire)
        assert impl.module.detect(wire[:at]) == reference.detect(wire[:at])
        assert impl.module.detect(wire[:at]) in (None, impl.module.detect(wire))


def test_names_inside_strings_are_text(impl: Implementation) -> None:
    answer = '{"choices":[{"jsonrpc":"2.0"}],"result_code":200}'
    body = {"id": answer, "x": {"y": answer}, "message": {"role": "assistant", "content": answer}}
    assert impl.module.detect(json.dumps(body).encode()) == "clova"
