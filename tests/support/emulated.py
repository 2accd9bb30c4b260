"""What the emulator's tests share: keys, requests, and decoding the answers with our own parsers."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
from transports import KEY

import hangang
from hangang import a2a, clova, exaone, openai

CLOVA = GOV = {"authorization": f"Bearer {KEY}"}
EXAONE = {"x-api-key": KEY}
STREAM = {"accept": "text/event-stream"}
QUESTION = [{"role": "user", "content": "한강의 길이는?"}]

PARSERS: dict[str, Any] = {
    "clova": clova.StreamParser,
    "exaone": exaone.StreamParser,
    "openai": openai.StreamParser,
    "a2a": a2a.StreamParser,
}

#: Each streaming service: method path, body, headers, our dialect.
STREAMS: dict[str, tuple[str, dict[str, Any], dict[str, str], str]] = {
    "clova-v3": ("/v3/chat-completions/HCX-007", {"messages": QUESTION}, {**CLOVA, **STREAM}, "clova"),
    "clova-v1": ("/v1/chat-completions/HCX-003", {"messages": QUESTION}, {**CLOVA, **STREAM}, "clova"),
    "clova-openai": (
        "/v1/openai/chat/completions",
        {"model": "HCX-005", "messages": QUESTION, "stream": True},
        CLOVA,
        "openai",
    ),
    "exaone-chat": ("/v1/chatexaone/chat-completion", {"query": "한강"}, EXAONE, "exaone"),
    "exaone-text": ("/v1/chatexaone/text-generation", {"query": "한강", "model": "32b"}, EXAONE, "exaone"),
    "gov-chat": (
        "/v1/chat/completions",
        {"model": "HCX-GOV-THINK", "messages": QUESTION, "stream": True},
        GOV,
        "openai",
    ),
    "a2a-1.0": (
        "/a2a",
        {
            "jsonrpc": "2.0",
            "id": "req-1",
            "method": "SendStreamingMessage",
            "params": {"message": {"role": "ROLE_USER", "messageId": "msg-1", "parts": [{"text": "한강"}]}},
        },
        {"a2a-version": "1.0"},
        "a2a",
    ),
    "a2a-0.3": (
        "/api/v1/teams/1/agent/2/a2a",
        {
            "jsonrpc": "2.0",
            "id": "req-1",
            "method": "message/stream",
            "params": {
                "message": {"role": "user", "messageId": "msg-1", "parts": [{"text": "한강"}]},
            },
        },
        GOV,
        "a2a",
    ),
    "agent-v2": (
        "/api/v1/external/agents/v2/x/a2a",
        {
            "jsonrpc": "2.0",
            "id": "req-1",
            "method": "SendStreamingMessage",
            "params": {"message": {"role": "user", "messageId": "msg-1", "parts": [{"text": "한강"}]}},
        },
        GOV,
        "a2a",
    ),
}


def ask(
    client: httpx.Client, name: str, controls: Mapping[str, str] | None = None, **changes: Any
) -> httpx.Response:
    """One whole answer of a service in `STREAMS`; `changes` go into the body."""
    path, body, headers, _ = STREAMS[name]
    return client.post(path, json={**body, **changes}, headers={**headers, **(controls or {})})


def decode(dialect: str, data: bytes | list[bytes]) -> list[Any]:
    """The events of a stream, in one piece or in these pieces."""
    pieces = [data] if isinstance(data, bytes) else data
    return list(hangang.iter_events(iter(pieces), PARSERS[dialect]()))


def complete(dialect: str, data: bytes | list[bytes]) -> hangang.Completion:
    return hangang.Completion.of(decode(dialect, data))


def hash_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def raw(port: int, name: str, controls: Mapping[str, str] | None = None) -> Iterator[bytes]:
    """What each `recv` of a bare socket gives, until the end; the request asks to close."""
    path, body, headers, _ = STREAMS[name]
    content = json.dumps(body).encode()
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
        "Connection: close",
        *(f"{key}: {value}" for key, value in {**headers, **(controls or {})}.items()),
    ]
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        sock.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + content)
        while piece := sock.recv(65536):
            yield piece
