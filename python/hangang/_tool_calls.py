"""Tool calls from their deltas: `ToolCalls`, the only place that decides which delta belongs to which call.

Servers identify the calls of a stream in every way there is: by index, by id, by order; some repeat
the name in each delta, some send a new id each time, some number every call 0 ([design §6]). The rules:

- An empty name, id or type is none.
- A delta's candidate is the call with its id; else the call opened last with its index; else, if the
  delta has no index, the call opened last.
- The delta continues its candidate, unless the candidate has a name, the delta names a function, and
  one of: both have ids and they differ; the names differ; they share no id, the candidate's arguments
  are one whole JSON object and the delta brings arguments. Otherwise it opens a call.
- The first id, name and type of a call stay.
- Arguments that are exactly `{}` give way to arguments that begin with `{`: some servers open with it.

Adding is linear: fragments go to a list and are joined when `calls` is read, and the scanner that finds
the end of an object resumes where it stopped. It runs only where the third case above needs it, so
the streams of well-behaved servers are never scanned.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ._backend import impl
from ._json_types import JSONObject
from ._values import is_object, replace_surrogates, scan

__all__ = ["ToolCall", "ToolCalls"]

ToolCallDelta = impl.ToolCallDelta

_SPACE = " \t\n\r"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One whole tool call.

    Attributes:
        id: the id that the service gave the call, or None.
        name: the function's name, or None if the stream stopped before it.
        arguments: JSON text as received; `""` if there was none. It may be incomplete if the stream
            was cut.
        index: the call's number within its answer, from 0.
        type: `"function"`, or None if the service named no type.
    """

    id: str | None = None
    name: str | None = None
    arguments: str = ""
    index: int | None = None
    type: str | None = None

    @property
    def args(self) -> JSONObject:
        """The arguments, decoded; `{}` if there are none. A new dict each time.

        Raises:
            ValueError: the arguments are not one JSON object, for example because the stream was
                cut inside them.
        """
        text = self.arguments.strip(_SPACE)
        if not text:
            return {}
        value = None
        try:
            value = scan(text)
        except (ValueError, RecursionError):
            pass
        if not is_object(value):
            raise ValueError(
                f"the arguments of tool call {self.name!r} are not a JSON object; "
                "was the stream cut inside them?"
            )
        if "\\ud" in text or "\\uD" in text:  # lone surrogates cannot be encoded again
            replace_surrogates(value)
        return value

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values."""
        return {
            "id": self.id,
            "name": self.name,
            "arguments": self.arguments,
            "index": self.index,
            "type": self.type,
        }


ToolCall.__module__ = "hangang"  # where it is public, so that pickles do not name this file


def whole_call(number: int, delta: ToolCallDelta) -> ToolCall:
    """Call `number` of an answer, from a delta that is a whole call (CLOVA's `Result` has such)."""
    arguments = delta.partial_json if delta.arguments is None else delta.arguments
    return ToolCall(delta.id or None, delta.name or None, arguments or "", number, delta.type or None)


class ToolCalls:
    """Puts the tool calls of one answer together from their deltas.

        calls = hangang.ToolCalls()
        for event in stream:
            for delta in calls.add(event.tool_calls):
                ...  # delta.index is the number of its call
        calls.calls

    `Completion` and `openai.to_chunks` use it; use it yourself to show calls while they arrive. One
    object a choice. A CLOVA `Result` repeats whole calls: do not add those after the deltas.
    """

    __slots__ = ("_by_id", "_by_index", "_partial")

    def __init__(self) -> None:
        self._partial: list[PartialCall] = []
        self._by_id: dict[str, PartialCall] = {}
        self._by_index: dict[int, PartialCall] = {}  # the call opened last with each index

    def add(self, deltas: Iterable[ToolCallDelta]) -> list[ToolCallDelta]:
        """Take deltas in order; returns them with the number of their call as `index`."""
        return [
            delta
            if delta.index == (number := self._place(delta).number)
            else ToolCallDelta(number, delta.id, delta.type, delta.name, delta.partial_json, delta.arguments)
            for delta in deltas
        ]

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """The calls so far, in the order in which they were opened."""
        return tuple([call.whole() for call in self._partial])

    def __repr__(self) -> str:
        return f"ToolCalls(calls={self.calls!r})"

    def _place(self, delta: ToolCallDelta) -> PartialCall:
        """Take one delta; returns its call."""
        index, identity, name = delta.index, delta.id, delta.name
        call = self._by_id.get(identity) if identity else None
        if call is None:
            if index is not None:
                call = self._by_index.get(index)
            elif self._partial:
                call = self._partial[-1]
        if call is None or (name and call.name and _opens(call, delta)):
            call = PartialCall(len(self._partial))
            self._partial.append(call)
            if index is not None:
                call.index = index
                self._by_index[index] = call
        elif index is not None and call.index is None:
            # The call was opened without an index, and counts as opened when it was.
            call.index = index
            last = self._by_index.get(index)
            if last is None or last.number < call.number:
                self._by_index[index] = call
        if identity and call.id is None:
            call.id = identity
            self._by_id[identity] = call
        if name and call.name is None:
            call.name = name
        if call.type is None:
            call.type = delta.type or None
        if fragment := delta.partial_json:
            call.extend(fragment)
        if fragment := delta.arguments:
            if call.opening is None:  # as in `extend`: this runs for every fragment
                call.fragments.append(fragment)
            else:
                call.extend(fragment)
        return call


def _opens(call: PartialCall, delta: ToolCallDelta) -> bool:
    """Whether a delta with a name opens a call of its own, though `call` (with a name) is its candidate."""
    if delta.name != call.name:
        return True
    if delta.id and call.id:
        return delta.id != call.id
    return bool(delta.arguments or delta.partial_json) and call.is_whole()


class PartialCall:
    """A tool call that is being put together."""

    __slots__ = ("_scanned", "_scanner", "fragments", "id", "index", "name", "number", "opening", "type")

    def __init__(self, number: int) -> None:
        self.number = number  # among the calls of its answer
        self.index: int | None = None  # on the wire
        self.id: str | None = None
        self.type: str | None = None
        self.name: str | None = None
        # As long as the arguments may be a `{}` that gives way they are `opening` ("", "{" or "{}") and
        # then `fragments`, which are only white space. Afterwards `opening` is None.
        self.opening: str | None = ""
        self.fragments: list[str] = []
        self._scanner: _ObjectScanner | None = None
        self._scanned = 0  # fragments that the scanner has seen

    def whole(self) -> ToolCall:
        """The call as it is now."""
        return ToolCall(self.id, self.name, self.arguments, self.number, self.type)

    @property
    def arguments(self) -> str:
        """The arguments so far."""
        return (self.opening or "") + "".join(self.fragments)

    def certain(self, start: int) -> list[str]:
        """Fragments from number `start` on that no `{}` rule can take back."""
        return [] if self.opening is not None else self.fragments[start:]

    def extend(self, text: str) -> None:
        """Append a fragment of the arguments."""
        if self.opening is None:
            self.fragments.append(text)
        else:
            self._extend_opening(self.opening, text)

    def _extend_opening(self, opening: str, text: str) -> None:
        if opening != "{}":
            text = opening + text
            if text == "{":
                self.opening = text
            elif text.startswith("{}") and not text[2:].strip(_SPACE):
                self.opening = "{}"
                if len(text) > 2:
                    self.fragments.append(text[2:])
            else:
                self.opening = None
                self.fragments.append(text)
            return
        more = text.lstrip(_SPACE)
        if not more:
            self.fragments.append(text)
        elif more[0] != "{":
            self.opening = None
            self.fragments.insert(0, opening)
            self.fragments.append(text)
        elif self.fragments or len(more) < len(text):  # white space before it: this can be no `{}` again
            self.opening = None
            self.fragments.append(text)
        else:
            self.opening = ""
            self._extend_opening("", text)

    def settle(self) -> None:
        """No arguments follow: a `{}` at the start stays."""
        if self.opening:
            self.fragments.insert(0, self.opening)
        self.opening = None

    def is_whole(self) -> bool:
        """Whether the arguments so far are one whole JSON object, by its brackets."""
        if self.opening is not None:
            return self.opening == "{}"
        if self._scanner is None:
            self._scanner = _ObjectScanner()
        for fragment in self.fragments[self._scanned :]:
            self._scanner.feed(fragment)
        self._scanned = len(self.fragments)
        return self._scanner.is_whole


_BRACKET_OR_QUOTE = re.compile(r'["{}\[\]]')
_STRING_PART = re.compile(r'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)


class _ObjectScanner:
    """Finds the end of one JSON object in text that arrives in fragments; each character is read once.

    It follows brackets and strings and does not validate: arguments with a fault inside still end.
    """

    __slots__ = ("_depth", "_escaped", "_in_string", "_is_other", "is_whole")

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = False
        self._escaped = False  # the last fragment ended with a backslash inside a string
        self._is_other = False  # not one object: something before or after it
        self.is_whole = False

    def feed(self, text: str) -> None:
        if self._is_other:
            return
        position = 0
        if not self._depth:
            text = text.lstrip(_SPACE)
            if not text:
                return
            if self.is_whole or text[0] != "{":
                self._is_other, self.is_whole = True, False
                return
        while position < len(text):
            if self._in_string:
                position = self._skip_string(text, position)
                continue
            found = _BRACKET_OR_QUOTE.search(text, position)
            if found is None:
                return
            position = found.end()
            character = found.group()
            if character == '"':
                self._in_string = True
            elif character in "{[":
                self._depth += 1
            else:
                self._depth -= 1
                if not self._depth:
                    self.is_whole = not text[position:].strip(_SPACE)
                    self._is_other = not self.is_whole
                    return

    def _skip_string(self, text: str, position: int) -> int:
        """Position after the string's closing quote, or the end of the text."""
        if self._escaped:
            self._escaped = False
            position += 1
        found = _STRING_PART.match(text, position)
        assert found is not None
        position = found.end()
        if position == len(text):
            return position
        if text[position] == "\\":  # the last character: what it escapes is in the next fragment
            self._escaped = True
        else:
            self._in_string = False
        return position + 1
