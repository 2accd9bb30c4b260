"""What every test file needs: both implementations in one process, ways to cut bytes, one form of events.

Law I is "same bytes, any split, either implementation", so a test never asks `hangang` which
implementation is in use; it takes `Implementation` objects from here and compares them.
"""

from __future__ import annotations

import importlib
import importlib.util
import itertools
import json
import os
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[2]
VECTORS = REPO / "tests" / "vectors"
DIALECTS = ("clova", "exaone", "openai", "a2a")
FRAMING = ("SSEParser", "JSONStreamParser")

#: The event classes of each dialect.
EVENTS: dict[str, tuple[str, ...]] = {
    "clova": ("Token", "Result", "Signal", "Error", "Unknown"),
    "exaone": ("Answer", "Error", "Unknown"),
    "openai": ("Chunk", "Done", "Error", "Unknown"),
    "a2a": ("Task", "Message", "StatusUpdate", "ArtifactUpdate", "Error", "Unknown"),
}
SHARED = ("ToolCallDelta", "Usage", "AIFilter", "Malformed")

#: The kinds that `feed_text` defers to `close()`.
DEFERRED = ("Result", "Error", "Done", "Task", "StatusUpdate")

#: Whether memory is our own. Under a sanitizer, or under the key watch, it is mostly the tool's, and its peaks
#: are measured but not asserted on.
PEAKS = "HANGANG_TEST_NO_PEAKS" not in os.environ


def _captures() -> Path:
    for place in (REPO / "tests" / "captures", REPO / "python" / "hangang" / "captures"):
        if (place / "clova").is_dir():
            return place
    return REPO.parent / "shared" / "captures"


CAPTURES = _captures()


@dataclass(frozen=True)
class Implementation:
    """One of the two: its name and its module, which has a submodule for each dialect."""

    name: str
    module: Any

    def parser(self, kind: str, **options: Any) -> Any:
        """A fresh parser: `kind` is a framing class's name or a dialect's."""
        return self.parser_class(kind)(**options)

    def parser_class(self, kind: str) -> Any:
        if kind in FRAMING:
            return getattr(self.module, kind)
        return self.cls(kind, "StreamParser")

    def cls(self, module: str, name: str) -> Any:
        """The class of a public name: ("clova", "Token"), ("", "Usage"), ("openai", "Choice")."""
        return getattr(getattr(self.module, module) if module else self.module, name)

    def __repr__(self) -> str:
        return self.name


def native_absence() -> str | None:
    """Why the native implementation takes no part, or None if it does."""
    if os.environ.get("HANGANG_BACKEND") == "pure":
        return "HANGANG_BACKEND=pure leaves the native implementation out"
    if importlib.util.find_spec("hangang._native") is None:
        return "hangang._native is not built here"
    return None


def native_required() -> bool:
    if os.environ.get("HANGANG_BACKEND") == "pure":
        return False
    return os.environ.get("CI") == "true" or os.environ.get("HANGANG_REQUIRE_NATIVE") == "1"


_LOADED: dict[str, Implementation] = {}


def implementation(name: str) -> Implementation:
    if name not in _LOADED:
        module = importlib.import_module("hangang._native" if name == "native" else "hangang._pure")
        _LOADED[name] = Implementation(name, module)
    return _LOADED[name]


def implementations() -> list[Implementation]:
    """Those that take part, for tests that compare them with each other."""
    names = ["pure"] if native_absence() and not native_required() else ["native", "pure"]
    return [implementation(name) for name in names]


# -- cutting ---------------------------------------------------------------------------------


def two_way(data: bytes, at: int) -> list[bytes]:
    return [data[:at], data[at:]]


def byte_by_byte(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[i : i + size] for i in range(0, len(data), size)]


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    """`data` cut at each place; equal places give empty chunks."""
    edges = [0, *sorted(places), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def many_way(data: bytes, rng: random.Random) -> list[bytes]:
    return cut(data, (rng.randint(0, len(data)) for _ in range(rng.randint(2, 40))))


def with_empty(chunks: Sequence[bytes]) -> list[bytes]:
    """An empty chunk before, between and after all chunks."""
    out = [b""]
    for chunk in chunks:
        out += [chunk, b""]
    return out


#: The three input types of the contract. A memoryview is also given as a part of a larger buffer.
WRAPS: dict[str, Callable[[bytes], Any]] = {
    "bytes": bytes,
    "bytearray": bytearray,
    "memoryview": lambda chunk: memoryview(b"<" + chunk + b">")[1:-1],
}


# -- driving ---------------------------------------------------------------------------------


@dataclass
class Outcome:
    """All that one run of a parser gave: events or frames, and the error if one ended it."""

    events: list[Any] = field(default_factory=list)
    error: Any = None

    @property
    def fault(self) -> dict[str, Any] | None:
        if self.error is None:
            return None
        return {
            "class": type(self.error).__name__,
            "offset": self.error.offset,
            "message": str(self.error),
        }


def drive(parser: Any, chunks: Iterable[Any]) -> Outcome:
    """Feed all chunks, then close; the events of a failing call come from its error (rule 7)."""
    from hangang._errors import ParseError

    outcome = Outcome()
    try:
        for chunk in chunks:
            outcome.events += parser.feed(chunk)
        outcome.events += parser.close()
    except ParseError as error:
        outcome.events += error.events
        outcome.error = error
    return outcome


@dataclass
class TextOutcome:
    text: str = ""
    kept: list[Any] = field(default_factory=list)
    error: Any = None


def drive_text(parser: Any, chunks: Iterable[Any]) -> TextOutcome:
    """The same over `feed_text`: the joined text and what close() or the error gave."""
    from hangang._errors import ParseError

    outcome = TextOutcome()
    closing = False
    try:
        for chunk in chunks:
            outcome.text += parser.feed_text(chunk)
        closing = True
        outcome.kept += parser.close()
    except ParseError as error:
        if not closing:
            outcome.text += error.text
        outcome.kept += error.events
        outcome.error = error
    return outcome


def expected_text(parser: Any, chunks: Iterable[Any]) -> TextOutcome:
    """What `feed_text` must give, derived from a run of `feed` over the same chunks."""
    from hangang._errors import ParseError

    fed: list[Any] = []
    last: list[Any] = []
    error: Any = None
    closing = False
    try:
        for chunk in chunks:
            fed += parser.feed(chunk)
        closing = True
        last = parser.close()
    except ParseError as raised:
        error = raised
        if closing:
            last = raised.events
        else:
            fed += raised.events
    latest = {type(event).__name__: event for event in fed if type(event).__name__ in DEFERRED}
    # What `thinking_tags` held back: the first such chunk before an end, and the one that a fault ends with.
    flushed = [at for at, event in enumerate(fed) if type(event).__name__ == "Chunk" and event.raw == b""]
    apart = [fed[at] for at in flushed if at == flushed[0] or at == len(fed) - 1]
    kept = [event for event in fed if any(event is one for one in (*latest.values(), *apart))]
    text = "".join(event.text for event in fed if not any(event is one for one in kept))
    return TextOutcome(text, kept + last, error)


# -- one data form of events --------------------------------------------------------------------


def to_data(value: Any) -> Any:
    """An event, or a value in it, as plain JSON data: {"kind": …, field: …}; see vectors/README.md."""
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, BaseException):
        return {
            "class": type(value).__name__,
            "offset": value.offset,  # type: ignore[attr-defined]
            "message": str(value),
        }
    if isinstance(value, (tuple, list)):
        return [to_data(item) for item in value]
    if isinstance(value, dict):
        return value
    names = getattr(type(value), "__match_args__", None)
    if names is None or value is None:
        return value
    data = {name: to_data(getattr(value, name)) for name in names}
    # The field of an event tells its shared types apart; only events carry their kind.
    if type(value).__name__ in ("ToolCallDelta", "Usage", "AIFilter", "Choice", "ServerSentEvent"):
        return data
    return {"kind": type(value).__name__, **data}


def same(a: Any, b: Any) -> bool:
    """Equal as JSON values, so that 1 is neither 1.0 nor True."""
    return strict(a) == strict(b)


def strict(data: Any) -> str:
    return json.dumps(data, ensure_ascii=True, sort_keys=True)


# -- vectors -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Vector:
    """One case of tests/vectors/*.json, in the form that vectors/README.md describes."""

    file: str
    case: dict[str, Any]

    @property
    def id(self) -> str:
        return f"{self.file}: {self.case['name']}"

    @property
    def kind(self) -> str:
        return str(self.case["parser"])

    @property
    def options(self) -> dict[str, Any]:
        return dict(self.case["options"])

    @property
    def wire(self) -> bytes:
        return str(self.case["wire"]).encode("latin-1")


def vectors(section: str | None = None) -> Iterator[Vector]:
    """Every case of every file, or those of one section ("framing" or "dialects")."""
    for path in sorted(VECTORS.glob("*.json")):
        table = json.loads(path.read_text(encoding="utf-8"))
        for name in ("framing", "dialects"):
            if section in (None, name):
                for case in table.get(name, ()):
                    yield Vector(path.stem, case)
