"""The parser below the openai SDK: its keys and retries, a fraction of its CPU time for a chunk.

Key: OPENAI_API_KEY. Address: OPENAI_BASE_URL. Needs: openai. Run: python with_openai_sdk.py MODEL
"""

import sys

import openai

import hangang

messages = [{"role": "user", "content": "한강은 얼마나 길어?"}]

with (
    openai.OpenAI() as sdk,
    sdk.chat.completions.with_streaming_response.create(
        model=sys.argv[1], messages=messages, stream=True
    ) as response,
):
    for event in hangang.iter_events(response.iter_bytes(), hangang.openai.StreamParser()):
        print(event.text, end="", flush=True)
print()
