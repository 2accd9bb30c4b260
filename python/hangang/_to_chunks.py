"""Events of any dialect to `chat.completion.chunk` objects: what a gateway sends to OpenAI's clients.

The rules of this file:
- The chunks of choice 0, put together, are what `Completion.of` makes of the same events: its text,
  thinking, refusal, tool calls and finish reason. The docstring of `to_chunks` has the exceptions.
- A delta is sent as soon as nothing later can change it. Held back until then: an opening `{}` of
  arguments ([design §6]); a tool call without a name; all calls of CLOVA's native API, whose
  result has the last word on them; CLOVA's finish reason, which precedes the result.
- A failure is the last thing sent, and no finish reason follows it: nothing that failed may look
  successful.
- Memory: flags and tool calls; of A2A, where a later event may replace text, also the text.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from typing import Any, TypeAlias, overload

from ._completion import Completion, Fold, error_object
from ._openai_shape import call_id, error, finish_reason, new_id, tool_call, usage
from ._tool_calls import PartialCall, ToolCalls

__all__ = ["to_chunks"]

ChunkDict: TypeAlias = dict[str, Any]


@overload
def to_chunks(
    events: Iterable[Any], *, model: str | None = None, include_usage: bool = False
) -> Iterator[ChunkDict]: ...
@overload
def to_chunks(
    events: AsyncIterable[Any], *, model: str | None = None, include_usage: bool = False
) -> AsyncIterator[ChunkDict]: ...
def to_chunks(
    events: Iterable[Any] | AsyncIterable[Any], *, model: str | None = None, include_usage: bool = False
) -> Iterator[ChunkDict] | AsyncIterator[ChunkDict]:
    """Turn the events of any dialect into `chat.completion.chunk` dicts, for a gateway.

    Each dict is the payload of one SSE event; send `[DONE]` after the last. Tool calls are numbered and
    each has an id, and every choice gets exactly one finish reason (`"stop"` or `"tool_calls"` where
    the service gave none). Thinking is `reasoning_content`, a refusal `refusal`. Text that comes only
    with the end of an answer (CLOVA's `Result`, A2A's completed status) is one delta before the finish
    reason. EXAONE's references and an A2A task's question have no place in this format: fold the
    events with `Completion` for those.

    An `Error` event, and an A2A task that failed or was rejected or canceled, become
    `{"error": {"message", "type", "param", "code"}}`, for which OpenAI's clients raise an APIError. It is
    the last dict.

    Text of A2A's artifacts is sent in the order of arrival. What was sent cannot be taken back: if an
    artifact is replaced by a text that does not continue the old one, the new text follows it.

    Args:
        events: of one stream, in order: a list, `iter_events(...)`, a client's stream in its `with`. An async
            iterable gives an async iterator. It is read lazily, one event at a time.
        model: the model's name in every chunk; None takes the stream's, or `""`.
        include_usage: end with a chunk of no choices that holds the token counts, if the service sent
            any; what `stream_options={"include_usage": True}` requests.

    Raises:
        Exception: whatever `events` raises, unchanged, after the dicts before it. No finish reason
            is sent then.
    """
    relay = _Relay(model, include_usage)
    if isinstance(events, AsyncIterable):
        return _to_chunks_async(events, relay)
    return _to_chunks(events, relay)


def _to_chunks(events: Iterable[Any], relay: _Relay) -> Iterator[ChunkDict]:
    for event in events:
        yield from relay.add(event)
        if relay.failed:
            return
    yield from relay.end()


async def _to_chunks_async(events: AsyncIterable[Any], relay: _Relay) -> AsyncIterator[ChunkDict]:
    async for event in events:
        for chunk in relay.add(event):
            yield chunk
        if relay.failed:
            return
    for chunk in relay.end():
        yield chunk


class Choice:
    """What was sent of one choice."""

    __slots__ = (
        "calls", "has_calls", "has_text", "has_thinking", "index", "is_finished", "is_open", "numbers",
        "sent",
    )  # fmt: skip

    def __init__(self, index: int) -> None:
        self.index = index
        self.is_open = False  # its first delta, which has the role, was sent
        self.is_finished = False
        self.has_text = False
        self.has_thinking = False
        self.has_calls = False
        self.calls = ToolCalls()
        self.sent: dict[int, int] = {}  # fragments of arguments that were sent, by the call's number
        self.numbers: dict[int, int] = {}  # the call's index as sent to the client

    def delta(
        self, text: str = "", thinking: str = "", refusal: str = "", calls: list[dict[str, Any]] | None = None
    ) -> dict[str, Any]:
        """A delta of these members; `{}` if there is nothing to send."""
        delta: dict[str, Any] = {}
        if text:
            delta["content"], self.has_text = text, True
        if thinking:
            delta["reasoning_content"], self.has_thinking = thinking, True
        if refusal:
            delta["refusal"] = refusal
        if calls:
            delta["tool_calls"], self.has_calls = calls, True
        if delta and not self.is_open:
            self.is_open = True
            delta = {"role": "assistant", "content": None, **delta}
        return delta

    def add_calls(self, deltas: Iterable[Any]) -> list[dict[str, Any]]:
        """Take deltas of tool calls; returns the members of `tool_calls` that can be sent."""
        # One delta a call, in case several of one call arrived at once.
        touched = {call.number: call for call in map(self.calls._place, deltas)}
        return [shaped for call in touched.values() if (shaped := self._shaped(call)) is not None]

    def remaining_calls(self) -> list[dict[str, Any]]:
        """What was held back of tool calls, once no more of them is expected."""
        shaped: list[dict[str, Any]] = []
        for call in self.calls._partial:
            call.settle()
            if call.number not in self.sent:
                shaped.append(self._first(call, self._unsent(call) or "{}"))
            elif not call.fragments and not self.is_finished:
                # No arguments at all: clients decode them, and `""` cannot be decoded.
                shaped.append(self._next(call, "{}"))
            elif rest := self._unsent(call):
                shaped.append(self._next(call, rest))
        return shaped

    def _shaped(self, call: PartialCall) -> dict[str, Any] | None:
        if call.name is None:
            return None
        is_first = call.number not in self.sent
        arguments = self._unsent(call)
        if is_first:
            return self._first(call, arguments)
        return self._next(call, arguments) if arguments else None

    def _unsent(self, call: PartialCall) -> str:
        fragments = call.certain(self.sent.get(call.number, 0))
        self.sent[call.number] = self.sent.get(call.number, 0) + len(fragments)
        return "".join(fragments)

    def _first(self, call: PartialCall, arguments: str) -> dict[str, Any]:
        """The delta that opens a call. It alone has the name: clients join names that repeat."""
        # A call that was held back comes after others, and clients want the numbers in the order of arrival.
        number = self.numbers[call.number] = len(self.numbers)
        return {
            "index": number,
            "id": call_id(call.id, call.number),
            "type": call.type or "function",
            "function": {"name": call.name or "", "arguments": arguments},
        }

    def _next(self, call: PartialCall, arguments: str) -> dict[str, Any]:
        return {"index": self.numbers[call.number], "function": {"arguments": arguments}}


class _Relay:
    """Events in, chunks out: the I/O-free state of one answer."""

    def __init__(self, model: str | None, include_usage: bool) -> None:
        self._model = model
        self._include_usage = include_usage
        self._head: dict[str, Any] | None = None  # the members that all chunks share
        self._choices: dict[int, Choice] = {}
        self._usage: Any = None
        self._fold = Fold()  # for the dialects whose end may fill something in: CLOVA and A2A
        self.failed = False

    # Chunks

    def _chunk(self, choices: list[dict[str, Any]], **members: Any) -> ChunkDict:
        if self._head is None:
            self._set_head()
        assert self._head is not None
        chunk = {**self._head, "choices": choices, **members}
        if self._include_usage:
            chunk.setdefault("usage", None)  # as OpenAI's API does
        return chunk

    def _set_head(
        self, identity: str | None = None, created: int | None = None, model: str | None = None
    ) -> None:
        self._head = {
            "id": identity or new_id(),
            "object": "chat.completion.chunk",
            "created": int(time.time()) if created is None else created,
            "model": self._model or model or "",
        }

    def _choice(self, index: int = 0) -> Choice:
        if index not in self._choices:
            self._choices[index] = Choice(index)
        return self._choices[index]

    def _deltas(self, choice: Choice, **members: Any) -> list[ChunkDict]:
        delta = choice.delta(**members)
        return [self._chunk([_shaped_choice(choice, delta)])] if delta else []

    # Events

    def add(self, event: object) -> list[ChunkDict]:
        """The chunks that `event` brings."""
        cls = type(event)
        handler = _HANDLERS.get((cls.__module__, cls.__name__))
        return [] if handler is None else handler(self, event)

    def openai_chunk(self, event: Any) -> list[ChunkDict]:
        if self._head is None:
            self._set_head(event.id, event.created, event.model)
        if event.usage is not None:
            self._usage = event.usage
        shaped: list[dict[str, Any]] = []
        # A chunk made by hand may have the members of choice 0 and no choices.
        for part in event.choices or ((event,) if _has_content(event) else ()):
            choice = self._choice(getattr(part, "index", 0))
            delta = choice.delta(part.text, part.thinking, part.refusal, choice.add_calls(part.tool_calls))
            if delta:
                shaped.append(_shaped_choice(choice, delta))
            if part.finish_reason is not None and not choice.is_finished:
                shaped += self._finished(choice, part.finish_reason)
        # Choices of one chunk have different indexes: a second delta of one choice is a chunk of its own.
        chunks: list[ChunkDict] = []
        for one in shaped:
            if chunks and all(one["index"] != other["index"] for other in chunks[-1]["choices"]):
                chunks[-1]["choices"].append(one)
            else:
                chunks.append(self._chunk([one]))
        return chunks

    def openai_done(self, event: Any) -> list[ChunkDict]:
        if not self._choices:  # an answer without any chunk: it has ended all the same
            self._choice()
        return []

    def clova_token(self, event: Any) -> list[ChunkDict]:
        if self._head is None:
            self._set_head(None, event.created)
        self._fold_without_text(event)
        return self._deltas(self._choice(), text=event.text, thinking=event.thinking)

    def clova_result(self, event: Any) -> list[ChunkDict]:
        if self._head is None:
            self._set_head(None, event.created)
        self._fold.extend([event])
        return []

    def exaone_answer(self, event: Any) -> list[ChunkDict]:
        return self._deltas(self._choice(), text=event.text)

    def a2a_message(self, event: Any) -> list[ChunkDict]:
        self._fold.extend([event])
        # Artifacts are the answer where there are any, and messages beside them are not.
        return [] if self._fold.artifacts else self._deltas(self._choice(), text=event.text)

    def a2a_artifact(self, event: Any) -> list[ChunkDict]:
        """The text of the update, less what was sent of an artifact that it replaces."""
        old = self._fold.artifacts.get(event.artifact_id)
        is_last = next(reversed(self._fold.artifacts), None) == event.artifact_id
        before = "".join(old.texts) if old is not None and is_last and not event.append else ""
        self._fold.extend([event])
        return self._deltas(self._choice(), text=_unsent(event.text, before))

    def a2a_task(self, event: Any) -> list[ChunkDict]:
        """The text of a snapshot, less what was sent."""
        choice = self._choice()
        if not event.artifacts:
            self._fold.extend([event])
            return []
        before = self._fold.completion().text if self._fold.artifacts else ""
        self._fold.extend([event])
        return self._deltas(choice, text=_unsent(self._fold.completion().text, before))

    def a2a_status(self, event: Any) -> list[ChunkDict]:
        self._choice()
        self._fold.extend([event])
        return []

    def _fold_without_text(self, event: Any) -> None:
        self._fold.extend([event])
        self._fold.text.clear()
        self._fold.thinking.clear()

    # Ends

    def service_error(self, event: Any) -> list[ChunkDict]:
        self.failed = True
        return [{"error": error(event)}]

    def _finished(self, choice: Choice, reason: str | None) -> list[dict[str, Any]]:
        """What was held back of a choice, and its finish reason."""
        shaped: list[dict[str, Any]] = []
        delta = choice.delta(calls=choice.remaining_calls())
        choice.is_finished = True
        if delta:
            shaped.append(_shaped_choice(choice, delta))
        if reason is None:
            reason = "tool_calls" if choice.has_calls else "stop"
        delta = {} if choice.is_open else {"role": "assistant", "content": ""}
        choice.is_open = True
        return [*shaped, _shaped_choice(choice, delta, finish_reason(reason))]

    def end(self) -> list[ChunkDict]:
        """The end of the events."""
        whole = self._fold.completion()
        if whole.failed or whole.state == "canceled":
            self.failed = True
            return [{"error": error_object(whole)}]
        chunks = self._filled_in(whole) if whole.dialect is not None else []
        for choice in self._choices.values():
            if choice.is_finished:  # tool calls may follow the finish reason
                chunks += self._deltas(choice, calls=choice.remaining_calls())
                continue
            reason = whole.finish_reason if choice.index == 0 else None
            chunks += [self._chunk([one]) for one in self._finished(choice, reason)]
        counts = self._usage if self._usage is not None else whole.usage
        if self._include_usage and counts is not None:
            chunks.append(self._chunk([], usage=usage(counts)))
        return chunks

    def _filled_in(self, whole: Completion) -> list[ChunkDict]:
        """What only the whole answer has: CLOVA's result and calls, A2A's task content or status."""
        choice = self._choice()
        calls = [{"index": call.index, **tool_call(call)} for call in whole.tool_calls]
        return self._deltas(
            choice,
            text="" if choice.has_text else whole.text,
            thinking="" if choice.has_thinking else whole.thinking,
            calls=calls,
        )


def _shaped_choice(choice: Choice, delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
    return {"index": choice.index, "delta": delta, "logprobs": None, "finish_reason": reason}


def _unsent(text: str, before: str) -> str:
    """What to send of `text`, of which `before` was sent; all of it if it does not continue `before`."""
    return "" if before.startswith(text) else text.removeprefix(before)


def _has_content(event: Any) -> bool:
    return bool(
        event.text
        or event.thinking
        or event.tool_calls
        or event.finish_reason is not None
        or event.role
        or event.refusal
    )


_HANDLERS: dict[tuple[str, str], Callable[[_Relay, Any], list[ChunkDict]]] = {
    ("hangang.openai", "Chunk"): _Relay.openai_chunk,
    ("hangang.openai", "Done"): _Relay.openai_done,
    ("hangang.openai", "Error"): _Relay.service_error,
    ("hangang.clova", "Token"): _Relay.clova_token,
    ("hangang.clova", "Result"): _Relay.clova_result,
    ("hangang.clova", "Error"): _Relay.service_error,
    ("hangang.exaone", "Answer"): _Relay.exaone_answer,
    ("hangang.exaone", "Error"): _Relay.service_error,
    ("hangang.a2a", "Message"): _Relay.a2a_message,
    ("hangang.a2a", "ArtifactUpdate"): _Relay.a2a_artifact,
    ("hangang.a2a", "Task"): _Relay.a2a_task,
    ("hangang.a2a", "StatusUpdate"): _Relay.a2a_status,
    ("hangang.a2a", "Error"): _Relay.service_error,
}
