"""EXAONE's own stream, LG AI Research ([exaone §4, §5]).

Rules:
1. Frames are JSON objects without separators, despite `text/event-stream`; SSE is accepted too.
2. `result_code` 200 is an answer, any other integer an error, none at all a foreign shape.
3. `data.answer` is a delta; `data` may be absent.
4. `references` without its empty objects (`[{}]` means none); a list that is repeated byte for byte
   is the same tuple object in every answer.
5. There is no end marker: one `answering` frame, or an error, makes an end possible.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from ..base import DEFAULT_DEPTH, DEFAULT_FRAME_BYTES
from ..json import as_int, as_str, judge, span
from ..parser import DialectParser
from ..predict.common import PredictableEvent
from ..predict.template import MAX_BYTES, MAX_TEMPLATES, Holes, Template
from ..value import Event, common, event, field, with_raw
from .wire import Malformed, string_span


@event("exaone")
class Answer(PredictableEvent):
    """A delta of the answer (`text`) with the state of the service's work.

    `intent` and `progress_state` are open sets ([exaone §4]).
    """

    text: str = field("Answer delta.", default="")
    query: str = common("The request's query, echoed in every frame.", default="")
    intent: str = common('What the service took the query for; `""` while planning.', default="")
    references: tuple[dict[str, Any], ...] = common(
        "Sources of the answer as received; one object for all answers that repeat them.", default=()
    )
    progress_state: str = common("`planning`, `optimizing`, `answering`, or a state yet unknown.", default="")
    result_code: int = common("200.", default=200)
    description: str | None = common("Text of the service, usually None.", default=None)


@event("exaone")
class Error(Event):
    """The service's error."""

    code: int | None = field("Like an HTTP status ([exaone §7]).", default=None)
    message: str = field("The service's message.", default="")


@event("exaone")
class Unknown(Event):
    """A frame that is none of the others."""

    data: str = field("The payload as text.", default="")


_Answer = Answer._mutable_twin

AnyEvent: TypeAlias = Answer | Error | Unknown


class StreamParser(DialectParser[AnyEvent]):
    """EXAONE's streams and one-shot answers: bytes to events."""

    __doc__ = f"{__doc__}\n{DialectParser.__doc__}"
    __slots__ = ("_references",)
    __module__ = "hangang.exaone"
    _not_ended = "an answering frame"
    _keep = (Error,)
    _letters_only = True

    def __init__(
        self,
        *,
        max_frame_bytes: int = DEFAULT_FRAME_BYTES,
        max_depth: int = DEFAULT_DEPTH,
        errors: Literal["strict", "report"] = "strict",
    ) -> None:
        super().__init__(max_frame_bytes=max_frame_bytes, max_depth=max_depth, errors=errors)
        # Lists of references by their JSON text, the last used last.
        self._references: dict[bytes, tuple[dict[str, Any], ...]] = {}

    def _done(self, name: bytes, ident: str) -> AnyEvent:
        return with_raw(Unknown("[DONE]"), b"[DONE]")  # type: ignore[no-any-return]

    def _event(self, payload: bytes, name: bytes, ident: str, depth: int) -> AnyEvent:
        value = judge(payload, depth)
        code = as_int(value.get("result_code")) if type(value) is dict else None
        if code is None:
            return with_raw(Unknown(payload.decode("utf-8")), payload)  # type: ignore[no-any-return]
        description = as_str(value.get("description"))
        if code != 200:
            self._ended = True
            return with_raw(Error(code, description or ""), payload)  # type: ignore[no-any-return]
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

    def _holes(self, event: AnyEvent, payload: bytes) -> Holes | None:
        if type(event) is not Answer:
            return None
        place = string_span(payload, ("data", "answer"))
        return None if place is None else Holes(False, *place, (), (), event._common, True)

    def _predicted(
        self, template: Template, text: str, ident: str, raw: bytes | None, ints: tuple[int, ...]
    ) -> Answer:
        answer = _Answer()
        answer.text = text
        answer._common = template.common
        answer._raw = raw
        answer.__class__ = Answer
        return answer  # type: ignore[no-any-return]

    def _shared_references(self, value: Any, payload: bytes) -> tuple[dict[str, Any], ...]:
        """References as a tuple without empty objects; an equal text gives the same object."""
        if type(value) is not list:
            return ()
        references = tuple([item for item in value if item != {}])
        if references:
            place = span(payload, ("data", "references"))
            assert place is not None
            text = payload[place[0] : place[1]]
            seen = self._references
            references = seen.pop(text, references)
            # A predicted answer may bring back a list that is not the last parsed one, so as many
            # are kept as there are templates; of large ones, which make no template, only the last.
            if len(text) > MAX_BYTES:
                seen.clear()
            elif len(seen) >= MAX_TEMPLATES:
                del seen[next(iter(seen))]
            seen[text] = references
        return references

    def _drop(self) -> None:
        super()._drop()
        self._references.clear()


__all__ = ["Answer", "Error", "Malformed", "StreamParser", "Unknown"]
