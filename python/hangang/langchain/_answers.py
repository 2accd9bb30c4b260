"""Answers of the services as LangChain's messages: whole, and chunk by chunk.

- Every event with text, reasoning, a refusal or tool calls is one chunk. The last chunk has what belongs to
  the whole answer: usage, metadata, `chunk_position="last"`, and whatever the deltas left out.
- Deltas of tool calls are numbered by the rules of [design §6]: LangChain silently puts deltas without an
  index side by side instead of together. All calls of CLOVA's native API are in the last chunk, because its
  result has the last word on them, and what was sent cannot be taken back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.ai import OutputTokenDetails, UsageMetadata
from langchain_core.messages.tool import ToolCallChunk, invalid_tool_call, tool_call, tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk

from hangang._backend import impl
from hangang._completion import Completion
from hangang._openai_shape import call_id
from hangang._openai_shape import tool_call as shaped_call
from hangang._to_chunks import Choice

__all__ = ["Relay", "message_of"]

Metadata = dict[str, Any]

_Chunk = impl.openai.Chunk
_new = object.__new__
_set = object.__setattr__  # what pydantic has in its place refuses the names of a model's own state


class _Template:
    """Makes chunks of text by copying one that was validated.

    LangChain's validation of a chunk takes longer than everything else that this package does for it, and it
    would find nothing: the text is a `str` of the parser's. The members are set as pydantic's own
    `model_construct` sets them, which is not used because it takes fifty times as long as validating.

    A copy equals a validated chunk in every respect. Copies share no list, dict or set, because LangChain and
    its users change chunks in place.
    """

    def __init__(self, **members: Any) -> None:
        message = AIMessageChunk(content="", **members)
        generation = ChatGenerationChunk(message=message)
        self._message, self._message_fields = message.__dict__, message.__pydantic_fields_set__
        self._generation, self._generation_fields = generation.__dict__, generation.__pydantic_fields_set__
        kinds: tuple[type[Any], ...] = (dict, list)
        self._containers = [
            (name, kind) for kind in kinds for name, value in self._message.items() if type(value) is kind
        ]
        self._text_type = type(message.text)

    def chunk(self, text: str, additional_kwargs: Metadata) -> ChatGenerationChunk:
        """A new chunk. This runs for each token."""
        members = self._message.copy()
        for name, container in self._containers:
            members[name] = container()
        members["content"] = text
        members["additional_kwargs"] = additional_kwargs
        message = _new(AIMessageChunk)
        _set(message, "__dict__", members)
        _set(message, "__pydantic_fields_set__", self._message_fields.copy())
        _set(message, "__pydantic_extra__", {})
        _set(message, "__pydantic_private__", None)
        members = self._generation.copy()
        members["message"] = message
        members["text"] = self._text_type(text)
        generation = _new(ChatGenerationChunk)
        _set(generation, "__dict__", members)
        _set(generation, "__pydantic_fields_set__", self._generation_fields.copy())
        _set(generation, "__pydantic_extra__", None)
        _set(generation, "__pydantic_private__", None)
        return generation


_text = _Template()
_thinking = _Template(additional_kwargs={})


class Relay:
    """The events of one answer to chunks.

    Args:
        metadata: of every answer of this request: the model and its provider.
        stop: strings before which the answer ends, for a service that does not look for them itself.
    """

    def __init__(self, metadata: Metadata, stop: Sequence[str] = ()) -> None:
        self._metadata = metadata
        self._calls = Choice(0)
        self._has_text = False
        self._has_thinking = False
        self._cutter = StopCutter(stop) if stop else None

    @property
    def is_stopped(self) -> bool:
        """Whether a string of `stop` was found: the rest of the answer is not needed."""
        return self._cutter is not None and self._cutter.is_stopped

    def add(self, event: Any) -> ChatGenerationChunk | None:
        """The chunk of an event, or None. This runs for each token."""
        text, thinking = event.text, event.thinking
        if event.__class__ is _Chunk and (event.tool_calls or event.refusal):
            return self._with_calls(event)
        if self._cutter is not None:
            text = self._cutter.feed(text)
        if text:
            self._has_text = True
            if not thinking:
                return _text.chunk(text, {})
        elif not thinking:
            return None
        self._has_thinking = True
        return _thinking.chunk(text, {"reasoning_content": thinking})

    def _with_calls(self, event: Any) -> ChatGenerationChunk | None:
        """The chunk of an event that has tool calls or a refusal; None if nothing of it can be sent yet."""
        shaped = self._calls.add_calls(event.tool_calls)
        more: Metadata = {}
        if event.thinking:
            more["reasoning_content"], self._has_thinking = event.thinking, True
        if event.refusal:
            more["refusal"] = event.refusal
        self._has_text = self._has_text or bool(event.text)
        if not (shaped or more or event.text):
            return None
        return _chunk(event.text, more, tool_call_chunks=_call_chunks(shaped))

    def last(self, completion: Completion) -> ChatGenerationChunk:
        """The last chunk, from the whole answer."""
        text = "" if self._has_text else completion.text
        if self._cutter is not None:
            text = self._cutter.flush()
        more: Metadata = {}
        if completion.thinking and not self._has_thinking:
            more["reasoning_content"] = completion.thinking
        return _chunk(
            text,
            more,
            tool_call_chunks=_call_chunks(self._remaining_calls(completion)),
            response_metadata=_response_metadata(completion, self._metadata),
            usage_metadata=_usage(completion),
            chunk_position="last",
        )

    def _remaining_calls(self, completion: Completion) -> list[dict[str, Any]]:
        """The tool calls, or their parts, that no chunk had yet."""
        if completion.dialect == "openai":
            return self._calls.remaining_calls()
        return [{"index": number, **shaped_call(call)} for number, call in enumerate(completion.tool_calls)]


class StopCutter:
    """Ends a text before the first of some strings, while the text arrives in pieces.

    Text that may be the beginning of such a string is held back.
    """

    def __init__(self, stop: Sequence[str]) -> None:
        self._stop = [one for one in stop if one]
        self._held: str = ""
        self.is_stopped = False

    def feed(self, text: str) -> str:
        """Take a piece; returns what can be shown."""
        if self.is_stopped:
            return ""
        text = self._held + text
        # The one that ends first counts, as for a service that looks after each token: which one begins first
        # may depend on text that is not there yet.
        found = [(place + len(one), place) for one in self._stop if (place := text.find(one)) >= 0]
        if found:
            self.is_stopped = True
            self._held = ""
            return text[: min(found)[1]]
        held = max((_overlap(text, one) for one in self._stop), default=0)
        self._held = text[len(text) - held :]
        return text[: len(text) - held]

    def flush(self) -> str:
        """What was held back, at the end of the text."""
        held = self._held
        self._held = ""
        return held


def _overlap(text: str, stop: str) -> int:
    """How many characters at the end of `text` begin `stop`."""
    for size in range(min(len(stop) - 1, len(text)), 0, -1):
        if text.endswith(stop[:size]):
            return size
    return 0


def message_of(completion: Completion, metadata: Metadata, stop: Sequence[str] = ()) -> AIMessage:
    """A whole answer as a message. Arguments as `Relay`."""
    more: Metadata = {}
    if completion.thinking:
        more["reasoning_content"] = completion.thinking
    if completion.refusal:
        more["refusal"] = completion.refusal
    text = completion.text
    if stop:
        cutter = StopCutter(stop)
        text = cutter.feed(text) + cutter.flush()
    calls: list[Any] = []
    invalid: list[Any] = []
    for number, call in enumerate(completion.tool_calls):
        identity, name = call_id(call.id, number), call.name or ""
        try:
            calls.append(tool_call(name=name, args=call.args, id=identity))
        except ValueError as error:
            invalid.append(invalid_tool_call(name=name, args=call.arguments, id=identity, error=str(error)))
    return AIMessage(
        content=text,
        additional_kwargs=more,
        tool_calls=calls,
        invalid_tool_calls=invalid,
        response_metadata=_response_metadata(completion, metadata),
        usage_metadata=_usage(completion),
    )


def _chunk(text: str, more: Metadata, **members: Any) -> ChatGenerationChunk:
    return ChatGenerationChunk(message=AIMessageChunk(content=text, additional_kwargs=more, **members))


def _call_chunks(shaped: Iterable[dict[str, Any]]) -> list[ToolCallChunk]:
    return [
        tool_call_chunk(
            name=one["function"].get("name"),
            args=one["function"]["arguments"],
            id=one.get("id"),
            index=one["index"],
        )
        for one in shaped
    ]


def _response_metadata(completion: Completion, metadata: Metadata) -> Metadata:
    found = dict(metadata)
    if completion.finish_reason is not None:
        found["finish_reason"] = completion.finish_reason
    if completion.request_id is not None:
        found["request_id"] = completion.request_id
    if completion.ai_filter:
        found["ai_filter"] = [one.to_dict() for one in completion.ai_filter]
    if completion.dialect == "exaone":
        found["references"] = list(completion.references)
        found["intent"] = completion.intent
    return found


def _usage(completion: Completion) -> UsageMetadata | None:
    counts = completion.usage
    if counts is None:
        return None
    given, made = counts.prompt_tokens or 0, counts.completion_tokens or 0
    usage = UsageMetadata(
        input_tokens=given,
        output_tokens=made,
        total_tokens=given + made if counts.total_tokens is None else counts.total_tokens,
    )
    if counts.thinking_tokens is not None:
        usage["output_token_details"] = OutputTokenDetails(reasoning=counts.thinking_tokens)
    return usage
