"""EXAONE's own stream, LG AI Research ([exaone §4, §5]).

Rules:
1. Frames are JSON objects without separators, despite `text/event-stream`; SSE is accepted too.
2. `result_code` 200 is an answer, any other integer an error, none at all an unknown shape.
3. `data.answer` is a delta; `data` may be absent.
4. `references` without its empty objects (`[{}]` means none); a list that is repeated byte for byte
   is the same tuple object in every answer.
5. There is no end marker: one `answering` frame, or an error, makes an end possible.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from hangang._json_types import JSONObject

from ..dialect import Dialect
from ..error import Missing
from ..framing.frame import RawFrame
from ..json import as_int, as_str, span, string_span, validate
from ..parser import ARGUMENTS, RAISES
from ..parser import StreamParser as BaseParser
from ..predict.budget import MAX_TEMPLATES
from ..predict.common import PredictableEvent, is_shared_with
from ..predict.template import MAX_TEMPLATE_BYTES, HoleKind, Holes, Template
from ..service import Service
from ..value import Event, common, event, field
from .wire import Malformed

__all__ = ["Answer", "Error", "Malformed", "StreamParser", "Unknown"]


@event("exaone")
class Answer(PredictableEvent):
    """A delta of the answer, or a step on the way to it."""

    text: str = field('The answer delta; `""` while the service plans and searches.', default="")
    query: str = common("The request's query, which every frame repeats.", default="")
    intent: str = common('What the service took the query for; `""` while planning.', default="")
    references: tuple[JSONObject, ...] = common(
        "Sources of the answer; one object for all answers that repeat them.", default=()
    )
    progress_state: str = common("`planning`, `optimizing`, `answering`, or another state.", default="")
    result_code: int = common("200.", default=200)
    description: str | None = common("The service's own text, usually None.", default=None)


@event("exaone")
class Error(Event):
    """The service's error, inside a stream or as the whole answer."""

    code: int | None = field("A code like an HTTP status.", default=None)
    message: str = field("The service's message.", default="")


@event("exaone")
class Unknown(Event):
    """A frame that is none of the others."""

    data: str = field("The payload's text.", default="")


_Answer = Answer._mutable_twin

AnyEvent: TypeAlias = Answer | Error | Unknown


class Exaone(Dialect[AnyEvent]):
    """The dialect: what one stream has shown, and the references that its answers share."""

    __slots__ = ("_ended", "_references")

    service = Service.EXAONE
    unknown = (Unknown, Malformed)
    strict_first_byte = True
    deferred = (Error,)

    def __init__(self) -> None:
        self._ended = False
        # Lists of references by their JSON text, the last used last.
        self._references: dict[bytes, tuple[dict[str, Any], ...]] = {}

    def decode(self, frame: RawFrame, max_depth: int) -> AnyEvent:
        """See the rules of this module."""
        payload = frame.payload
        value = validate(payload, max_depth)
        code = as_int(value.get("result_code")) if type(value) is dict else None
        if code is None:
            return unknown(frame)
        description = as_str(value.get("description"))
        if code != 200:
            self._ended = True
            return Error._make(code, description or "", payload)  # type: ignore[no-any-return]
        data = value.get("data")
        if type(data) is not dict:
            data = {}
        state = as_str(data.get("progress_state")) or ""
        if state == "answering":
            self._ended = True
        shared = (
            as_str(data.get("query")) or "",
            as_str(data.get("intent")) or "",
            self._shared_references(data.get("references"), payload),
            state,
            code,
            description,
            None,
        )
        return Answer._make(as_str(data.get("answer")) or "", shared, payload)  # type: ignore[no-any-return]

    def done(self, frame: RawFrame) -> AnyEvent:
        """EXAONE has no end marker."""
        return unknown(frame)

    def holes(self, event: AnyEvent, payload: bytes) -> Holes | None:
        """An answer's text."""
        if type(event) is not Answer:
            return None
        string = string_span(payload, ("data", "answer"))
        return None if string is None else Holes(HoleKind.TEXT, string, (), (), event._common, True)

    def predicted(
        self, template: Template, text: str, event_id: str, raw: bytes | None, counters: tuple[int, ...]
    ) -> Answer:
        """An answer."""
        answer = _Answer()
        answer.text = text
        answer._common = template.common
        answer._raw = raw
        answer.__class__ = Answer
        return answer  # type: ignore[no-any-return]

    @staticmethod
    def continues(event: Any, following: Any) -> bool:
        """Deltas of text."""
        return type(event) is type(following) is Answer and is_shared_with(event, following)

    @staticmethod
    def merge(run: list[Any]) -> Any:
        """One answer."""
        return Answer._make("".join([answer.text for answer in run]), (*run[0]._common[:-1], None), b"")

    def missing(self) -> Missing | None:
        """One answering frame or an error makes an end possible."""
        return None if self._ended else Missing.EXAONE_ANSWER

    def _shared_references(self, value: Any, payload: bytes) -> tuple[dict[str, Any], ...]:
        """References as a tuple without empty objects; an equal text gives the same object."""
        if type(value) is not list:
            return ()
        references = tuple([item for item in value if item != {}])
        if references:
            found = span(payload, ("data", "references"))
            assert found is not None
            text = payload[found[0] : found[1]]
            seen = self._references
            references = seen.pop(text, references)
            # A predicted answer may bring back a list that is not the last parsed one, so as many
            # are held as there are templates; of large ones, which make no template, only the last.
            if len(text) > MAX_TEMPLATE_BYTES:
                seen.clear()
            elif len(seen) >= MAX_TEMPLATES:
                del seen[next(iter(seen))]
            seen[text] = references
        return references

    def release(self) -> None:
        """Drops the references that later answers would share."""
        self._references.clear()


class StreamParser(BaseParser[AnyEvent]):
    __doc__ = f"EXAONE's streams and one-shot answers.\n\n{ARGUMENTS}\n\n{RAISES}"
    __slots__ = ()
    __module__ = "hangang.exaone"
    _dialect_class = Exaone


def unknown(frame: RawFrame) -> Unknown:
    """A frame of another shape; its payload is well-formed UTF-8."""
    return Unknown._make(frame.payload.decode("utf-8"), frame.payload)  # type: ignore[no-any-return]
