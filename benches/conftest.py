"""The table of figures, filled in by the benches and printed at the end: promised, and measured."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path[:0] = [str(Path(__file__).parent)]

import figures  # noqa: E402

_MEASURED: dict[str, dict[str, str]] = {}


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Any:
    """`record(row, what, value)`: one number of a row of the table."""

    def put(row: str, what: str, value: float) -> None:
        unit = figures.ROWS[row].unit
        _MEASURED.setdefault(row, {})[what] = f"{value:.2f}{unit}"

    return put


@pytest.fixture
def measure(benchmark: Any) -> Any:
    """`measure(comparison, rounds, reference)`: run the rounds under pytest-benchmark, with `extra_info`."""

    def run(comparison: Any, rounds: int, reference: str) -> Any:
        benchmark.pedantic(comparison.round, rounds=rounds, iterations=1)
        for name in comparison.samples:
            benchmark.extra_info[name] = {
                "ratio": comparison.ratio(name, reference),
                "microseconds": comparison.cost(name) * 1e6,
            }
        return comparison

    return run


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if not _MEASURED:
        return
    terminalreporter.section("figures")
    for line in figures.table(_MEASURED):
        terminalreporter.write_line(line)
