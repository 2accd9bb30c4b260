"""`hangang bench` and its parts: that it runs, that it reports what it did, and that it compares like with like. No clock."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

pytest.importorskip("httpx", reason="hangang bench needs the extra client")

import workloads

from hangang.cli import _app, main
from hangang.cli._terminal import width
from hangang.cli.bench.clients import Server, clients
from hangang.cli.bench.decoders import OURS, Input, decoders, prepare
from hangang.cli.bench.timing import Comparison

#: As short as it can be.
QUICK = ["bench", "--rounds", "1", "--scale", "0.005"]


def test_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(QUICK) == _app.OK
    lines = capsys.readouterr().out.splitlines()
    assert max(width(line) for line in lines) <= 60
    titles = [line for line in lines if line.startswith(("Decoding only: ", "Whole client: "))]
    assert len(titles) == 5
    row = re.compile(r"(\S.*?) +([\d.]+) × +([\d.]+) µs +([\d.]+) × +([\d.]+) µs")
    rows = [found[1] for line in lines if (found := row.fullmatch(line))]
    assert rows.count(f"{OURS} (pure)") == 4
    assert rows.count("hangang on httpx") == 1


def test_the_page_needs_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    page, folder = tmp_path / "report.html", tmp_path / "charts"
    assert main([*QUICK, "--html", str(page), "--svg", str(folder)]) == _app.OK
    tags: list[str] = []
    fetched: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            tags.append(tag)
            fetched.extend(
                str(value)
                for name, value in attrs
                if name in ("src", "href") and not str(value).startswith("#")
            )

    Reader().feed(page.read_text(encoding="utf-8"))
    assert tags.count("svg") == 3
    assert tags.count("table") == 5
    assert "script" not in tags
    assert fetched == []
    assert sorted(path.name for path in folder.iterdir()) == ["clients.svg", "decoding.svg", "length.svg"]
    assert "wrote" in capsys.readouterr().err


def test_every_decoder_reads_the_same_text() -> None:
    for name in ("clova_v3", "openai", "exaone_small", "exaone_refs"):
        whole = prepare(name, 12, None)
        some = Input(whole.workload, whole.chunks[:9], whole.payloads[:9])
        runs, _ = decoders(some)
        texts = {label: run() for label, run in runs.items() if "pre-split" not in label}
        assert len(set(texts.values())) == 1, texts
        assert texts[f"{OURS} (pure)"]


def test_every_client_reads_every_way_of_sending() -> None:
    with Server("openai", 5) as server:
        for way in ("events", "tokens", "bulk"):
            with clients(server, way) as (runs, _):
                assert "hangang on httpx" in runs
                for run in runs.values():
                    run()


def test_a_race_is_even() -> None:
    order: list[str] = []

    def contender(name: str) -> Callable[[], object]:
        return lambda: order.append(name)

    comparison = Comparison({name: contender(name) for name in "abc"}, 10, sample=0.0).run(6)
    assert {name: len(samples) for name, samples in comparison.samples.items()} == dict.fromkeys("abc", 6)
    rounds = order[6:]  # after the first run and its timing
    assert all(sorted(rounds[at : at + 6]) == list("aabbcc") for at in range(0, 36, 6))  # warm, then timed
    assert len({tuple(rounds[at : at + 6]) for at in range(0, 36, 6)}) > 1  # shuffled
    assert comparison.ratio("a", "a") == pytest.approx(1)


@pytest.mark.parametrize("name", workloads.GOOD)
def test_frames_are_the_wire(name: str) -> None:
    shape = workloads.GOOD[name](20)
    assert b"".join(shape.frames()) == shape.wire
    assert len(shape.payloads()) == len(shape.frames()) - shape.wire.count(b"data: [DONE]")
