"""Law II by operation counts: twice the stream, twice the bytes examined, on every bad shape."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
import workloads

from hangang.cli.bench.decoders import parser_class

SIZES = {
    "huge-frame-drip": 512,
    "huge-object-drip": 512,
    "one-byte": 150,
    "one-byte-huge": 48,
    "tiny-frames": 20,
}


def examined(backend: str, shape: workloads.Workload) -> int:
    if shape.parser == "JSONStreamParser":
        parser = importlib.import_module(f"hangang._{backend}").JSONStreamParser()
    else:
        parser = parser_class(backend, shape.parser)()
    for chunk in shape.chunks():
        parser.feed(chunk)
    parser.close()
    return int(parser._examined)


@pytest.mark.parametrize("backend", ["native", "pure"])
def test_growth(backend: str, benchmark: Any, record: Any) -> None:
    def worst() -> float:
        ratios = {}
        for name, shape in workloads.BAD.items():
            n = SIZES.get(name, 20)
            ratios[name] = examined(backend, shape(2 * n)) / examined(backend, shape(n))
        benchmark.extra_info.update(ratios)
        return max(ratios.values())

    record("growth", backend, benchmark.pedantic(worst, rounds=1))
