"""How other people's SSE decoders do on the vectors that were made from other people's tests.

    python benches/conformance_peers.py            # the summary, for the versions installed here
    python benches/conformance_peers.py --cases    # and every case that a decoder fails
    python benches/conformance_peers.py --write    # puts both into CONFORMANCE.md

Every decoder gets the bytes as its users give them, through its own public way in: whole, byte by byte, and
cut in two at every place. What counts is what WHATWG says is dispatched: name, data and last event id of
every event, in order. Libraries that are not installed are left out; `pip install httpx-sse httpx2 openai
anthropic sseclient-py` brings them.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import platform
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parent.parent
FILES = ("wpt", "launchdarkly", "eventsource_parser")
HEADERS = {"content-type": "text/event-stream"}
Event = tuple[str, str, str]
Decoder = Callable[[list[bytes]], list[Event]]


def events(items: Iterable[Any]) -> list[Event]:
    """In the words of WHATWG; None is what some libraries say for a default."""
    return [(item.event or "message", item.data or "", item.id or "") for item in items]


def hangang(name: str) -> Decoder:
    module = importlib.import_module("hangang._native" if name == "native" else "hangang._pure")

    def run(chunks: list[bytes]) -> list[Event]:
        parser = module.SSEParser()
        return events([event for chunk in chunks for event in parser.feed(chunk)] + parser.close())

    return run


def httpx_sse() -> Decoder:
    import httpx
    import httpx_sse

    def run(chunks: list[bytes]) -> list[Event]:
        response = httpx.Response(200, headers=HEADERS, content=iter(chunks))
        return events(httpx_sse.EventSource(response).iter_sse())

    return run


def httpx2() -> Decoder:
    import httpx2

    def run(chunks: list[bytes]) -> list[Event]:
        request = httpx2.Request("GET", "http://localhost/")
        response = httpx2.Response(200, headers=HEADERS, content=iter(chunks), request=request)
        return events(httpx2.EventSource(response))

    return run


def openai() -> Decoder:
    from openai._streaming import SSEDecoder

    return lambda chunks: events(SSEDecoder().iter_bytes(iter(chunks)))


def anthropic() -> Decoder:
    from anthropic._streaming import SSEDecoder

    return lambda chunks: events(SSEDecoder().iter_bytes(iter(chunks)))


def sseclient_py() -> Decoder:
    import sseclient

    return lambda chunks: events(sseclient.SSEClient(iter(chunks)).events())


PEERS: dict[str, Callable[[], Decoder]] = {
    "httpx-sse": httpx_sse,
    "httpx2": httpx2,
    "openai": openai,
    "anthropic": anthropic,
    "sseclient-py": sseclient_py,
}


def cases() -> Iterator[dict[str, Any]]:
    """Those without options: what a limit does is a library's own affair."""
    for name in FILES:
        table = json.loads((REPO / "tests" / "vectors" / f"{name}.json").read_text(encoding="utf-8"))
        yield from ({**case, "file": name} for case in table["framing"] if not case["options"])


def result(decode: Decoder, case: dict[str, Any]) -> str:
    """`yes`, `whole` (right in one piece, wrong at some split) or `no`."""
    wire = case["wire"].encode("latin-1")
    want = [(event["event"], event["data"], event["id"]) for event in case["events"]]

    def right(chunks: list[bytes]) -> bool:
        try:
            return decode(chunks) == want
        except Exception:
            return False

    if not right([wire]):
        return "no"
    # Every place of a short stream, three hundred of a long one: the slowest of them takes a second a case.
    step = max(1, len(wire) // 300)
    splits = [[wire[:at], wire[at:]] for at in range(1, len(wire), step)]
    splits.append([wire[at : at + 1] for at in range(len(wire))])
    return "yes" if all(right(chunks) for chunks in splits) else "whole"


def ours() -> dict[str, Decoder]:
    decoders = {}
    for name in ("native", "pure"):
        try:
            decoders[f"hangang ({name})"] = hangang(name)
        except ImportError:
            print(f"hangang ({name}) is not built here", file=sys.stderr)
    return decoders


def installed() -> dict[str, Decoder]:
    decoders = {}
    for name, make in PEERS.items():
        try:
            decoders[f"{name} {importlib.metadata.version(name)}"] = make()
        except ImportError:
            print(f"{name} is not installed here", file=sys.stderr)
    return decoders


def row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def label(case: dict[str, Any]) -> str:
    """A case's file and name, inside a table."""
    return f"{case['file']}: {case['name']}".replace("|", "\\|")


def report(with_cases: bool) -> str:
    decoders = ours() | installed()
    for name, decode in decoders.items():
        # A wrong way in would look like a wrong answer to every case.
        assert decode([b"data: a\n", b"\n"]) == [("message", "a", "")], name
    table = [(case, [result(decode, case) for decode in decoders.values()]) for case in cases()]
    legend = (
        "`yes`: right whole and at every split; `whole`: right only in one piece; `no`: wrong in one piece."
    )
    out = [
        f"{len(table)} cases, CPython {platform.python_version()}. {legend}",
        "",
        row(["decoder", "yes", "whole", "no"]),
        row(["---"] * 4),
    ]
    for at, name in enumerate(decoders):
        results = [results[at] for _, results in table]
        out.append(row([name, *(str(results.count(kind)) for kind in ("yes", "whole", "no"))]))
    if with_cases:
        failed = [(case, results) for case, results in table if set(results) != {"yes"}]
        out += [
            "",
            f"All of them are right about {len(table) - len(failed)} cases. The others:",
            "",
            row(["case (file and name in tests/vectors)", *decoders]),
            row(["---"] * (len(decoders) + 1)),
        ]
        out += [row([label(case), *results]) for case, results in failed]
    return "\n".join(out) + "\n"


def write(text: str) -> None:
    path = REPO / "CONFORMANCE.md"
    begin, end = "<!-- peers: begin -->\n", "<!-- peers: end -->\n"
    page = path.read_text(encoding="utf-8")
    head, rest = page.split(begin)
    path.write_text(head + begin + "\n" + text + "\n" + end + rest.split(end)[1], encoding="utf-8")


def main() -> None:
    arguments = argparse.ArgumentParser(description="SSE decoders on the vectors of other people's tests.")
    arguments.add_argument("--cases", action="store_true", help="every case that one fails, too")
    arguments.add_argument("--write", action="store_true", help="into CONFORMANCE.md")
    given = arguments.parse_args()
    text = report(given.cases or given.write)
    if given.write:
        write(text)
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
