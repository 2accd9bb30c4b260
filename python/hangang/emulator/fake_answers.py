"""Answers without a model: texts, tokens, thinking, tool calls and values for a JSON Schema.

Everything comes from a `random.Random` that the caller seeds from the request, so the same
request has the same answer, streamed or not. The texts are about the Han river; they echo the
question, so that a conversation with the emulator makes sense.
"""

from __future__ import annotations

import json
import math
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from random import Random
from typing import Any

from ._controls import Controls
from ._replies import Reply
from .json_types import is_list, is_object

_SENTENCES = (
    "한강은 태백산맥에서 시작해 서해로 흘러가는 강입니다.",
    "길이는 약 494km이고, 서울을 동서로 가로지릅니다.",
    "북한강과 남한강은 양평 두물머리에서 하나로 만납니다. 🌊",
    "강을 따라 걷다 보면 다리마다 다른 불빛이 켜집니다.",
    "봄에는 여의도에 벚꽃이 피고, 가을에는 억새가 하늘공원을 덮습니다.",
    "비가 많이 온 날에는 잠수교가 물에 잠기기도 합니다.",
    "밤이 되면 반포대교의 무지개 분수가 노래에 맞춰 춤을 춥니다. ✨",
    "자전거를 타고 팔당까지 다녀오는 사람도 많습니다. 🚴‍♀️",
    "물은 서두르지 않지만, 한 번도 멈춘 적이 없습니다.",
    "강바람이 시원하니 해 질 무렵에 나가 보시길 권합니다.",
    "조선 시대에는 마포나루로 소금과 젓갈이 들어왔습니다.",
    '어떤 시인은 이 강을 "도시의 긴 숨"이라고 불렀습니다.',
)
_HARD = (
    '따옴표 "와 역슬래시 \\ 그리고 }{ 를 그대로 씁니다.',
    "data: id: event: 라고 써도 줄이 아닙니다.",
    "\u2028 줄 구분자\u2029 와 \x85 는 글자입니다.",
    '{"result_code": 500} 은 답의 일부입니다. 👩‍💻',
    "\t탭과 \x7f 그리고 \ufeff 도 있습니다.",
)
_THOUGHTS = (
    "사용자가 무엇을 알고 싶은지 먼저 생각해 보자.",
    "핵심은 짧게, 근거는 분명하게 적는 것이 좋겠어.",
    "강의 길이와 흐르는 방향을 확인해야 해.",
    "예시를 하나 들면 이해하기 쉬울 거야.",
    "순서대로 정리한 다음 답하자.",
)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a tool; `arguments` is the parsed object."""

    id: str
    name: str
    arguments: dict[str, Any]

    @property
    def arguments_text(self) -> str:
        """The arguments as JSON text."""
        return json.dumps(self.arguments, ensure_ascii=False)

    @property
    def pieces(self) -> list[str]:
        """The same in tokens, as streams have it."""
        return tokens_of(self.arguments_text)


@dataclass(frozen=True, slots=True)
class Script:
    """An answer before it is put into a service's shape.

    `finish` is `stop`, `length` or `tool_calls`, or what a chosen reply says; `said` is only the latter.
    `error` is the error event after the text, of a chosen reply. `chosen` is false for made-up answers.
    """

    thinking: tuple[str, ...] = ()
    content: tuple[str, ...] = ()
    calls: tuple[ToolCall, ...] = ()
    finish: str = "stop"
    prompt_tokens: int = 0
    said: str | None = None
    error: tuple[str, str] | None = None
    chosen: bool = False

    @property
    def text(self) -> str:
        """The whole answer text."""
        return "".join(self.content)

    @property
    def thinking_text(self) -> str:
        """The whole reasoning text."""
        return "".join(self.thinking)

    @property
    def completion_tokens(self) -> int:
        """Answer, reasoning and tool tokens together."""
        calls = sum(count_tokens(call.name + call.arguments_text) for call in self.calls)
        return len(self.thinking) + len(self.content) + calls


_TOKEN = re.compile(r" ?[^ \n]{1,2}|[ \n]")


def tokens_of(text: str) -> list[str]:
    """The text in pieces of one or two characters, a space going with what follows it."""
    return _TOKEN.findall(text)


def count_tokens(text: str) -> int:
    """An estimate that is the same each time: two characters are a token."""
    return math.ceil(len(text) / 2)


def compose(
    random: Random,
    controls: Controls,
    *,
    prompt: str,
    turn: int = 1,
    thoughts: int = 0,
    tools: Sequence[dict[str, Any]] = (),
    schema: dict[str, Any] | None = None,
) -> Reply:
    """Write an answer.

    Args:
        random: seeded from the request.
        controls: `tokens`, `text` and `calls` of them.
        prompt: the last question.
        turn: which question of the conversation it is.
        thoughts: sentences of reasoning.
        tools: function descriptions (`name`, `parameters`); if any, the answer is calls.
        schema: a JSON Schema; the answer is then one JSON value of it.
    """
    thinking = " ".join(_some(random, _THOUGHTS, thoughts))
    if tools:
        called = islice(cycle(tools), controls.calls)
        return Reply(thinking=thinking, tool_calls=tuple(_call(random, tool) for tool in called))
    if schema is not None:
        return Reply(json.dumps(value_of(schema, random), ensure_ascii=False, indent=2), thinking)
    return Reply(_text(random, controls, prompt, turn), thinking)


def scripted(random: Random, reply: Reply, call_prefix: str = "call_", limit: object = None) -> Script:
    """An answer cut into tokens, at most `limit` of them.

    `call_prefix` is `call_` for random ids of calls, `hcx_tool_call_` for numbered ones.
    """
    thinking, content = tokens_of(reply.thinking), tokens_of(reply.text)
    finish = reply.finish_reason or ("tool_calls" if reply.tool_calls else "stop")
    if isinstance(limit, int) and len(thinking) + len(content) > limit:
        finish = "length"
        thinking = thinking[:limit]
        content = content[: limit - len(thinking)]
    return Script(
        thinking=tuple(thinking),
        content=tuple(content),
        calls=tuple(
            ToolCall(_call_id(random, index, call_prefix), name, dict(arguments))
            for index, (name, arguments) in enumerate(reply.tool_calls)
        ),
        finish=finish,
        said=reply.finish_reason,
        error=None if reply.error is None else (str(reply.error[0]), reply.error[1]),
    )


def _some(random: Random, sentences: Sequence[str], count: int) -> list[str]:
    """Sentences in an order of their own, each once before the first comes again."""
    return list(islice(cycle(random.sample(sentences, len(sentences))), count))


def _text(random: Random, controls: Controls, prompt: str, turn: int) -> str:
    """As many tokens as asked for, or an opening and three sentences."""
    question = " ".join(prompt.split())
    question = question if len(question) <= 24 else question[:24] + "…"
    opening = f"{turn}번째 질문 “{question}”" if turn > 1 else f"“{question}”"
    count = 3 if controls.tokens is None else math.ceil(controls.tokens / 8)  # no sentence is shorter
    sentences = _some(random, _HARD if controls.text == "hard" else _SENTENCES, count)
    return "".join(tokens_of(f"{opening}에 답합니다.\n{' '.join(sentences)}")[: controls.tokens])


def _call(random: Random, tool: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    parameters = tool.get("parameters")
    made: object = value_of(parameters, random) if is_object(parameters) else None
    return str(tool.get("name", "")), made if is_object(made) else {}


def _call_id(random: Random, index: int, prefix: str) -> str:
    if prefix.startswith("hcx"):  # numbered
        return f"{prefix}{index}"
    return prefix + "".join(random.choices("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789", k=24))


_FORMATS = {
    "date-time": "2026-01-01T09:00:00+09:00",
    "date": "2026-01-01",
    "time": "09:00:00",
    "duration": "PT1H",
    "email": "hangang@example.com",
    "hostname": "example.com",
    "ipv4": "127.0.0.1",
    "ipv6": "::1",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
MOST_VALUES = 10_000


class UnusableSchema(ValueError):
    """A schema without a value that the emulator can make."""


def value_of(schema: dict[str, Any], random: Random) -> Any:
    """A value that fits a JSON Schema of the subset that CLOVA documents ([clova §4]).

    Raises:
        UnusableSchema: a bound of another type, or more than `MOST_VALUES` values.
    """
    left = iter(range(MOST_VALUES))
    try:
        return _value_of(schema, random, left)
    except (TypeError, ValueError, OverflowError, RecursionError, AttributeError) as error:
        raise UnusableSchema(str(error)) from None


def _value_of(schema: dict[str, Any], random: Random, left: Iterator[int]) -> Any:
    if next(left, None) is None:
        raise UnusableSchema("too many values")
    choices, options = schema.get("enum"), schema.get("anyOf")
    if is_list(choices) and choices:
        return random.choice(choices)
    if is_list(options) and options and is_object(options[0]):
        return _value_of(options[0], random, left)
    kind = schema.get("type")
    if kind == "object" or (kind is None and "properties" in schema):
        members = schema.get("properties")
        found = members.items() if is_object(members) else ()
        return {key: _value_of(inner, random, left) for key, inner in found if is_object(inner)}
    if kind == "array":
        inner = schema.get("items")
        item = inner if is_object(inner) else dict[str, Any]()
        return [_value_of(item, random, left) for _ in range(max(int(schema.get("minItems", 1)), 1))]
    if kind in ("integer", "number"):
        low = schema.get("minimum", 1)
        high = schema.get("maximum", low + 9)
        drawn = random.randint(math.ceil(low), max(math.floor(high), math.ceil(low)))
        return drawn if kind == "integer" else drawn + 0.5 if drawn + 0.5 <= high else drawn
    if kind == "boolean":
        return random.choice((True, False))
    if kind == "null":
        return None
    if (form := schema.get("format")) in _FORMATS:
        return _FORMATS[form]
    return random.choice(("한강", '서울의 "강"', "물결"))


def embed(text: str, dimensions: int = 1024) -> list[float]:
    """A vector of unit length; texts that share words and pairs of letters are near each other."""
    vector = [0.0] * dimensions
    words = text.lower().split()
    features = words + [word[i : i + 2] for word in words for i in range(len(word) - 1)]
    for feature in features or [""]:
        number = zlib.crc32(feature.encode())
        vector[number % dimensions] += 1.0 if number & 0x8000_0000 else -1.0
    length = math.hypot(*vector) or 1.0
    return [round(x / length, 6) for x in vector]
