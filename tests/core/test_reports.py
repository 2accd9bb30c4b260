"""Streams of public bug reports: what their users need to read, on both implementations, however they are cut.

`tests/vectors/reports.json` has the streams. Each is folded by `Completion`, at every split, with prediction and
without, and through `feed_text`.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
import support
from support import Implementation

from hangang import Completion
from hangang._errors import ParseError, TruncatedStreamError

TABLE: dict[str, list[dict[str, Any]]] = json.loads(
    (support.VECTORS / "reports.json").read_text(encoding="utf-8")
)
REPORTS = TABLE["reports"] + TABLE["more"]
every_report = pytest.mark.parametrize("report", REPORTS, ids=lambda report: report["name"])


def wire_of(report: dict[str, Any]) -> bytes:
    return str(report["wire"]).encode("latin-1")


def shown(outcome: support.Outcome, names: Any) -> dict[str, Any]:
    """What the completion shows of the events, in the form of `expect`."""
    completion = Completion.of(outcome.events)
    usage, error = completion.usage, completion.error
    values = {
        "text": completion.text,
        "thinking": completion.thinking,
        "tool_calls": [[call.id, call.name, call.arguments] for call in completion.tool_calls],
        "finish_reason": completion.finish_reason,
        "usage": usage
        and [usage.prompt_tokens, usage.completion_tokens, usage.total_tokens, usage.thinking_tokens],
        "error": error and [error.code, error.message],
        "ended": outcome.error is None,
        "role": completion.role,
        "state": completion.state,
        "refusal": completion.refusal,
        "status_message": completion.status_message,
    }
    assert completion.failed == (error is not None or completion.state in ("failed", "rejected"))
    return {name: values[name] for name in names}


@every_report
def test_a_report_at_every_split(report: dict[str, Any], impl: Implementation, predict: bool) -> None:
    wire, options, expect = wire_of(report), report.get("options", {}), report["expect"]

    def check(chunks: list[bytes], name: object) -> None:
        outcome = support.drive(impl.parser(report["dialect"], **options), chunks)
        assert shown(outcome, expect) == expect, name
        assert outcome.error is None or type(outcome.error) is TruncatedStreamError

    check([wire], "whole")
    check(support.byte_by_byte(wire), "byte by byte")
    for at in range(len(wire) + 1):
        check(support.two_way(wire, at), at)


@every_report
def test_the_text_of_a_report(report: dict[str, Any], impl: Implementation, predict: bool) -> None:
    """`feed_text` gives the answer; what it defers to close() gives the error and the last state."""
    wire, options, expect = wire_of(report), report.get("options", {}), report["expect"]

    def check(chunks: list[bytes], name: object) -> None:
        outcome = support.drive_text(impl.parser(report["dialect"], **options), chunks)
        deferred = Completion.of(outcome.kept)
        # What thinking tags held back to the end is text of a deferred event; and A2A's answer may be in a status.
        text = outcome.text + "".join(event.text for event in outcome.kept)
        assert text == expect["text"] or (not text and deferred.text == expect["text"]), name
        # Of several errors the last one is deferred; that the stream failed is certain either way.
        error = deferred.error
        assert (error is None) == (expect["error"] is None), name
        if "two errors" not in report["name"]:
            assert (error and [error.code, error.message]) == expect["error"], name
        assert (outcome.error is None) == expect["ended"], name
        if "state" in expect:
            assert (deferred.state, deferred.status_message) == (expect["state"], expect["status_message"])

    check([wire], "whole")
    check(support.byte_by_byte(wire), "byte by byte")
    for at in range(len(wire) + 1):
        check(support.two_way(wire, at), at)


def test_an_error_makes_every_report_fail(impl: Implementation) -> None:
    """No later frame makes a stream successful: the first error stays, after whatever else."""
    for report in REPORTS:
        expect = report["expect"]
        if report["dialect"] != "openai" or expect["error"] is None or not expect["ended"]:
            continue
        parser = impl.parser("openai")
        healthy = b'data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop"}]}\n\n'
        events = parser.feed(wire_of(report) + healthy + b'data: {"error":"another"}\n\ndata: [DONE]\n\n')
        completion = Completion.of([*events, *parser.close()])
        assert completion.failed
        assert completion.error is not None
        assert [completion.error.code, completion.error.message] == expect["error"]


def test_every_report_names_its_source() -> None:
    assert len(TABLE["reports"]) == 16
    assert len({report["name"] for report in REPORTS}) == len(REPORTS)
    assert all(report["source"] and report["dialect"] in support.DIALECTS for report in REPORTS)
    assert issubclass(TruncatedStreamError, ParseError)
