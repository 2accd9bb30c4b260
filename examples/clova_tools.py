"""CLOVA Studio: a function that the model calls until it has its answer.

Key: CLOVA_STUDIO_API_KEY. Run: python clova_tools.py
"""

import json

import hangang

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_water_level",
            "description": "수위 관측소의 현재 수위",
            "parameters": {
                "type": "object",
                "properties": {"station": {"type": "string", "description": "관측소 이름"}},
                "required": ["station"],
            },
        },
    }
]


def get_water_level(station):
    return {"station": station, "meters": 3.2}


messages = [{"role": "user", "content": "잠수교 수위 알려 줘"}]

with hangang.clova.Client() as client:
    for _ in range(5):  # a model could call without end
        answer = client.chat("HCX-005", messages, tools=TOOLS, max_tokens=1024)
        messages.append(answer.to_message())
        if not answer.tool_calls:
            break
        for call in answer.tool_calls:
            result = get_water_level(**call.args)
            print(f"{call.name}({call.arguments}) -> {result}")
            messages.append(answer.tool_message(call, json.dumps(result, ensure_ascii=False)))
    print(answer.text)
