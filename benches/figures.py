"""The figures that the benches measure: a row each, with what is to be reached."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    what: str
    reach: str
    then: str = ""
    unit: str = " ×"


ROWS = {
    "orjson-16k": Row(
        "16 KB chunks, against orjson.loads on pre-split payloads", "3 / 3.5 / 4 / 20 ×", "4.5 / 6 / 6 / 35 ×"
    ),
    "orjson-event": Row("the same, one chunk an event", "2 / 2.5 / 2.5 / 15 ×", "3 / 4 / 4 / 25 ×"),
    "httpx-sse": Row("against httpx-sse + orjson, CLOVA v3", "12 / 10 ×", "20 / 18 ×"),
    "openai-decoder": Row("against openai's decoder + json, CLOVA v3", "30 / 25 ×", "60 / 40 ×"),
    "feed_text": Row("`feed_text` against `feed` and join", "2 / 1.3 ×", "3 / 1.6 ×"),
    "one-byte": Row("one-byte chunks, against a call that takes bytes and returns a list", "≤ 3 ×", "≤ 2 ×"),
    "pure": Row("pure twin against httpx-sse + orjson, CLOVA v3", "1.3 / 1.1 ×", "2 / 1.5 ×"),
    "growth": Row("size 2n against n on every bad shape, by operation counts", "≤ 2.05 ×"),
    "unpredicted": Row("a stream that never predicts, against HANGANG_PREDICT=0", "≤ 1.2 ×", "≤ 1.05 ×"),
    "peak": Row("64 MB frame in 1 KB pieces, peak memory of a child", "≤ 2.2 / 3.6 ×"),
    "resident": Row("resident memory between event 1 million and 10 million", "≤ 1 MB", unit=" MB"),
    "client-raw": Row("whole client, CPU above the same library's iter_raw", "≤ 15 %", "≤ 10 %", " %"),
    "client-sdk": Row("whole client, CPU an event, against openai / langchain", "8 / 9 × less", "11 / 13 ×"),
    "langchain": Row("LangChain model, CPU a chunk, against langchain-naver / ChatOpenAI", "3 × less", "4"),
    "memcmp": Row("the crate alone on EXAONE with references, against memcmp", "≥ 0.4", "≥ 0.6", ""),
}  # fmt: skip


def table(measured: dict[str, dict[str, str]]) -> Iterator[str]:
    """The rows that were measured, as Markdown."""
    yield "| what | reach | then | measured |"
    yield "| --- | --- | --- | --- |"
    for name, row in ROWS.items():
        if name in measured:
            cells = " · ".join(f"{what} **{value}**" for what, value in measured[name].items())
            yield f"| {row.what} | {row.reach} | {row.then} | {cells} |"
