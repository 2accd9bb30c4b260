"""Whole clients, from a socket on loopback to the text: CPU time of the client."""

from __future__ import annotations

from typing import Any

import pytest

from hangang.cli.bench.clients import Mode, Server, clients
from hangang.cli.bench.timing import Comparison

EVENTS = 2000


@pytest.mark.parametrize("mode", ["events", "tokens", "bulk"])
def test_clients(mode: Mode, measure: Any, record: Any) -> None:
    with Server("openai", 1000 if mode == "tokens" else EVENTS) as server, clients(server, mode) as (runs, _):
        done = measure(
            Comparison(runs, server.events, sample=0.0 if mode == "tokens" else 0.05), 11, "hangang on httpx"
        )
    for library in ("httpx", "httpx2"):
        for ours, raw in (
            (f"hangang on {library}", "iter_raw"),
            (f"hangang async on {library}", "aiter_raw"),
        ):
            if ours in runs:
                above = (done.ratio(ours, f"{library} {raw}") - 1) * 100
                record("client-raw", f"{mode}, {ours.removeprefix('hangang ')}", above)
    for peer, ours in (
        ("openai SDK", "hangang on httpx2"),
        ("openai SDK async", "hangang async on httpx2"),
        ("langchain-naver", "hangang on httpx2"),
    ):
        if peer in runs and ours in runs:
            record("client-sdk", f"{mode}, {peer}", done.ratio(peer, ours))
