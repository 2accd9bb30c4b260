"""What a dialect is: frames to typed events, and when its streams end.

A dialect holds the state of one stream and nothing of its bytes. `parser.StreamParser` drives it: it has the
framing, the limits, prediction and the rules of error.

How it differs from `dialect.rs`: the places of a frame's holes are not a by-product of decoding here, so
`holes` looks for them, and only when a template is to be learnt.
"""

from __future__ import annotations

from typing import Any, ClassVar, Generic, TypeVar

from .error import Missing
from .framing.frame import RawFrame
from .predict.template import Holes, Template
from .service import Service
from .value import Event

E = TypeVar("E", bound=Event)


class Dialect(Generic[E]):
    """Base of the four dialects."""

    __slots__ = ()

    #: Whether the first byte of an SSE stream must be a colon or an ASCII letter.
    strict_first_byte: ClassVar[bool] = False
    #: Which service it is, for messages.
    service: ClassVar[Service]
    #: The kinds of events that are not of the dialect.
    unknown: ClassVar[tuple[type[Event], ...]]
    #: The kinds of events that `feed_text` defers to `close()`: the last one of each.
    deferred: ClassVar[tuple[type[Event], ...]] = ()
    #: The kinds before which text held back is delivered.
    flushed_by: ClassVar[tuple[type[Event], ...]] = ()

    def decode(self, frame: RawFrame, max_depth: int) -> E | None:
        """Validates a frame and turns it into an event; None for one that means nothing.

        Args:
            frame: the frame.
            max_depth: most open containers, 0 where framing has counted them already.

        Raises:
            FrameError: the payload is invalid.
        """
        raise NotImplementedError

    def done(self, frame: RawFrame) -> E | None:
        """What the payload `[DONE]` is, which is not JSON."""
        raise NotImplementedError

    def holes(self, event: Any, payload: bytes) -> Holes | None:
        """What may change from frame to frame like this one, which was just decoded to `event`."""
        return None

    def predicted(
        self, template: Template, text: str, event_id: str, raw: bytes | None, counters: tuple[int, ...]
    ) -> E:
        """The event of a frame that fits `template`; `raw` as `Event._raw` wants it."""
        raise NotImplementedError

    @staticmethod
    def continues(event: Any, following: Any) -> bool:
        """Whether an event differs from the one before in nothing but deltas and counters."""
        return False

    @staticmethod
    def merge(run: list[Any]) -> Any:
        """One event for a run of events each of which continues the one before. It has no payload."""
        raise NotImplementedError

    def flush(self) -> E | None:
        """The text that is held back until more content decides what it is, in an event of its own."""
        return None

    def missing(self) -> Missing | None:
        """What the stream lacks that must come before its end; None when it may end."""
        raise NotImplementedError

    def release(self) -> None:
        """Drops what is held for later frames."""
