"""What every capture must give, written down from tests/captures/README.md as data.

`kinds` is a list of (kind, count) in the order of the stream; `text` and `thinking` are the joined `.text`
and `.thinking` of all events; `fields` holds expected field values of single events, by position (from the
end where negative).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

ANSWER = "안녕하세요, A2A 😊\n둘째 줄"
Events = list[tuple[str, dict[str, Any]]]
STREAM_OF_THREE: Events = [
    ("Task", {"state": "submitted", "content": "", "message": None}),
    ("StatusUpdate", {"state": "working", "message": "처리 중", "final": False}),
    (
        "ArtifactUpdate",
        {"artifact_id": "art-1", "name": "answer", "text": "안녕하", "append": False, "last_chunk": False},
    ),
    ("ArtifactUpdate", {"artifact_id": "art-1", "text": "세요, ", "append": True, "last_chunk": False}),
    (
        "ArtifactUpdate",
        {"artifact_id": "art-1", "text": "A2A 😊\n둘째 줄", "append": True, "last_chunk": True},
    ),
]


@dataclass(frozen=True)
class Expected:
    """One capture: its dialect and the expected result."""

    dialect: str
    size: int
    kinds: list[tuple[str, int]]
    text: str
    thinking: str = ""
    fields: dict[int, dict[str, Any]] = field(default_factory=dict)


def a2a(size: int, events: Events, text: str) -> Expected:
    kinds = [(kind, 1) for kind, _ in events]
    return Expected("a2a", size, kinds, text, "", {i: fields for i, (_, fields) in enumerate(events)})


def usage(prompt: int, completion: int, total: int, thinking: int | None = None) -> dict[str, int | None]:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": total,
        "thinking_tokens": thinking,
    }


def hcx(city: str) -> str:
    """Arguments as that server sends them: one string, its non-ASCII escaped once more."""
    return f'{{"location": "{city}", "unit": "celsius"}}'


def completed(final: bool) -> tuple[str, dict[str, Any]]:
    return ("StatusUpdate", {"state": "completed", "message": None, "final": final})


EXPECTED: dict[str, Expected] = {
    "clova/v3_tool_call.sse": Expected(
        "clova",
        2161,
        [("Token", 7), ("Result", 1)],
        "",
        fields={
            0: {"tool_calls": [("call_zumbHGLfLwV3xn0Rn2gSPqfz", "get_weather", None, None)]},
            **{
                i: {"tool_calls": [(None, None, part, None)]}
                for i, part in enumerate(['{"', "location", '":', ' "', "서울", '",'], 1)
            },
            7: {
                "finish_reason": "tool_calls",
                "usage": usage(9, 47, 56),
                "tool_calls": [
                    (
                        "call_zumbHGLfLwV3xn0Rn2gSPqfz",
                        "get_weather",
                        None,
                        '{"location":"서울","unit":"celsius","date":"2025-06-13"}',
                    )
                ],
            },
        },
    ),
    "clova/v3_text.sse": Expected(
        "clova",
        1997,
        [("Token", 9), ("Result", 1), ("Signal", 1)],
        "안녕하세요! 😊\n무엇을 도와드릴까요?",
        fields={
            -2: {
                "content": "안녕하세요! 😊\n무엇을 도와드릴까요?",
                "finish_reason": "stop",
                "usage": usage(20, 9, 29),
            },
            -1: {"data": "[DONE]"},
        },
    ),
    "clova/v1_text.sse": Expected(
        "clova",
        1870,
        [("Token", 8), ("Result", 1), ("Signal", 1)],
        "변환이 완료되었습니다.\n감사합니다.",
        fields={
            0: {"input_length": 646, "index": 0},
            -2: {
                "content": "변환이 완료되었습니다.\n감사합니다.",
                "finish_reason": "stop_before",
                "input_length": 646,
                "output_length": 8,
                "ai_filter": 3,
            },
        },
    ),
    "clova/v3_thinking.sse": Expected(
        "clova",
        111740,
        [("Token", 588), ("Result", 1), ("Signal", 1)],
        "@result.content",  # 398 characters, equal to the result's
        "@result.thinking_content",  # 738 characters, equal to the result's
        fields={-2: {"finish_reason": "stop", "usage": usage(58, 588, 646, 361)}},
    ),
    "clova/error_midstream.sse": Expected(
        "clova",
        675,
        [("Token", 3), ("Error", 1)],
        "안녕하세요",
        fields={-1: {"code": "42901", "message": "Too many requests - rate exceeded"}},
    ),
    "exaone/text_generation.jsonstream": Expected(
        "exaone",
        6241,
        [("Answer", 26)],
        '네, 가능해요! 😊\n예를 들어 {"이름": "한강"}{"길이": 494} 처럼 "구분자" 없이 붙습니다. '
        "단, `}{`로 자르면 안 됩니다: "
        '{"t": "}{ 와 \\" 포함"}\n역슬래시 \\도 그대로예요."]}} 👩‍💻 끝.',
        fields={
            0: {"intent": "", "progress_state": "planning", "references": 0},
            1: {"intent": "", "progress_state": "optimizing", "references": 0},
            2: {"intent": "chitchat", "progress_state": "answering"},
            3: {"text": "", "progress_state": "answering"},
            -1: {"intent": "chitchat", "progress_state": "answering", "references": 0},
        },
    ),
    "exaone/chat_completion_web.ndjson": Expected(
        "exaone",
        43509,
        [("Answer", 12)],
        "더위를 슬기롭게 이기려면 물을 자주 마시고, 한낮 외출은 피하는 것이 좋아요.\n🥵",
        fields={
            0: {"progress_state": "planning", "references": 0, "query": "무더위를 슬기롭게 극복하는 방법"},
            1: {"progress_state": "optimizing", "references": 0},
            2: {"progress_state": "answering", "references": 20, "intent": "web_search"},
            3: {"text": "", "references": 20},
            -1: {"progress_state": "answering", "references": 20, "intent": "web_search"},
        },
    ),
    "exaone/error_midstream.jsonstream": Expected(
        "exaone",
        942,
        [("Answer", 5), ("Error", 1)],
        "안녕하세요",
        fields={
            -1: {
                "code": 500,
                "message": "The service is currently experiencing a temporary issue and cannot process your request."
                " Please try again shortly.",
            }
        },
    ),
    "openai/vllm_reasoning.sse": Expected(
        "openai",
        5191,
        [("Chunk", 21), ("Done", 1)],
        "한강의 길이는 약 494km입니다. 🌊",
        "사용자가 한강의 길이를 물었다.\n",
        fields={
            0: {"role": "assistant", "text": ""},
            -3: {"text": ". 🌊", "finish_reason": "stop"},
            -2: {"choices": 0, "usage": usage(17, 19, 36, 10)},
        },
    ),
    "openai/error_then_done.sse": Expected(
        "openai",
        1118,
        [("Chunk", 4), ("Error", 1), ("Done", 1)],
        "안녕하세요, 저는",
        fields={
            0: {"role": "assistant"},
            -2: {
                "code": 500,
                "type": "InternalServerError",
                "message": "Internal server error",
                "param": None,
            },
        },
    ),
    "openai/tool_call_hcx.sse": Expected(
        "openai",
        3836,
        [("Chunk", 15), ("Done", 1)],
        "날씨를 확인해 볼게요.",
        "두 도시의 날씨를 조회해야 해.",
        fields={
            -4: {"tool_calls": [("hcx_tool_call_0", "get_weather", None, hcx(r"\uc11c\uc6b8"))]},
            -3: {"tool_calls": [("hcx_tool_call_1", "get_weather", None, hcx(r"\ubd80\uc0b0"))]},
            -2: {"finish_reason": "tool_calls"},
        },
    ),
    "a2a/sdk-1.3.0_v1.0_send.json": a2a(
        748, [("Task", {"state": "completed", "content": ANSWER, "message": None})], ""
    ),
    "a2a/sdk-1.3.0_v1.0_stream.sse": a2a(2016, [*STREAM_OF_THREE, completed(False)], ANSWER),
    "a2a/sdk-1.3.0_v1.0_stream_messageonly.sse": a2a(
        244, [("Message", {"role": "agent", "text": "직접 답변입니다."})], "직접 답변입니다."
    ),
    "a2a/sdk-1.3.0_v1.0_stream_parts.sse": a2a(
        2516,
        [
            *STREAM_OF_THREE,
            (
                "ArtifactUpdate",
                {"artifact_id": "art-2", "name": "mixed", "text": "", "parts": 3, "last_chunk": True},
            ),
            completed(False),
        ],
        ANSWER,
    ),
    "a2a/sdk-1.3.0_v1.0_stream_failed.sse": a2a(
        1372,
        [
            *STREAM_OF_THREE[:2],
            ("StatusUpdate", {"state": "failed", "message": "실패", "final": False}),
        ],
        "",
    ),
    "a2a/sdk-1.3.0_v1.0_stream_errfirst.json": a2a(
        232, [("Error", {"code": -32005, "message": "boom before first event"})], ""
    ),
    "a2a/sdk-1.3.0_v1.0_bad_json.json": a2a(
        139,
        [
            (
                "Error",
                {
                    "code": -32700,
                    "message": "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
                    "data": None,
                },
            )
        ],
        "",
    ),
    "a2a/sdk-1.3.0_v1.0_unknown_method.json": a2a(
        77, [("Error", {"code": -32601, "message": "Method not found", "data": None})], ""
    ),
    "a2a/sdk-1.3.0_compat-v0.3_send.json": a2a(
        836, [("Task", {"state": "completed", "content": ANSWER, "message": None})], ""
    ),
    "a2a/sdk-1.3.0_compat-v0.3_stream.sse": a2a(2069, [*STREAM_OF_THREE, completed(True)], ANSWER),
    "a2a/sdk-1.3.0_compat-v0.3_stream_gov-kindless.sse": a2a(
        2069, [*STREAM_OF_THREE, completed(True)], ANSWER
    ),
    "a2a/sdk-0.3.26_v0.3_stream.sse": a2a(2079, [*STREAM_OF_THREE, completed(True)], ANSWER),
    "a2a/sdk-0.2.16_v0.2_stream.sse": a2a(2079, [*STREAM_OF_THREE, completed(True)], ANSWER),
}
