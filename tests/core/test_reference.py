"""The naive reference keeps law I by itself: what a beginning of a stream shows is what the whole stream shows.

The reference sees a stream at once. Here it sees each beginning of every vector as `feed` would, without the
end of the stream: its events are the first events of the whole stream, and a fault in it is the fault of the
whole. So no rule that the vectors have needs a byte that comes later.
"""

from __future__ import annotations

from typing import Any

import pytest
import reference
import support
from support import Implementation, Vector

FILES = {
    file: [one for one in support.vectors("dialects") if one.file == file]
    for file in dict.fromkeys(vector.file for vector in support.vectors("dialects"))
}


class Beginning(reference.Dialect):
    """The stream so far: no last frame, no last line, no end."""

    def last_frame(self, state: reference.SSE) -> None:
        return

    def run(self) -> reference.Run:
        try:
            self.stream()
        except reference.Fault as fault:
            if fault.cls != "TruncatedStreamError":
                self.flush()
                self.out.error = fault.data
        return self.out


def beginning(vector: Vector, size: int) -> reference.Run:
    data = vector.wire[:size]
    is_sse = not vector.wire.removeprefix(reference.BOM).lstrip(reference.WHITE).startswith(b"{")
    if is_sse and not data.endswith((b"\n", b"\r")):
        # An unterminated line is complete at the end of the stream only, but its length counts at once.
        rest = data.rpartition(b"\n")[2].rpartition(b"\r")[2]
        if rest.startswith((b"{", b"error:")):
            data = data[: len(data) - len(rest)]
    return Beginning(vector.kind, data, **vector.options).run()


def check(vector: Vector) -> None:
    whole = reference.run(vector.kind, vector.wire, **vector.options)
    want: list[Any] = [*zip(map(support.strict, whole.events), whole.raws, strict=True)]
    length = len(vector.wire)
    for size in range(0, length, max(1, length // 100)):
        part = beginning(vector, size)
        got = [*zip(map(support.strict, part.events), part.raws, strict=True)]
        assert got == want[: len(got)], (vector.id, size)
        if part.error is not None:
            assert (part.error, got) == (whole.error, want), (vector.id, size)


@pytest.mark.parametrize("file", FILES)
def test_law_one_holds_in_the_reference(file: str) -> None:
    for vector in FILES[file]:
        check(vector)


@pytest.mark.parametrize("file", FILES)
def test_events_are_given_as_early_as_can_be(file: str, impl: Implementation) -> None:
    """An event is given by the `feed` that brings its last byte: a blank line, a line end, a closing bracket."""
    for vector in FILES[file]:
        check_earliness(vector, impl)


def check_earliness(vector: Vector, impl: Implementation) -> None:
    wire = vector.wire
    places = [at + 1 for at, byte in enumerate(wire) if byte in b"\n\r}]"]
    places = places[:: max(1, len(places) // 25)]
    parser = impl.parser(vector.kind, **vector.options)
    given = fed = 0
    for place in places:
        try:
            given += len(parser.feed(wire[fed:place]))
        except ValueError:
            return  # the table has the events of a fault
        fed = place
        assert given == len(beginning(vector, place).events), (vector.id, place)
