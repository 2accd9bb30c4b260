"""The parser below aiohttp, with the events folded into one answer.

Key: EXAONE_API_KEY. Needs: aiohttp. Run: python with_aiohttp.py
"""

import asyncio
import os

import aiohttp

import hangang

BASE_URL = os.environ.get("EXAONE_BASE_URL", "https://api.lgresearch.ai")
HEADERS = {"x-api-key": os.environ["EXAONE_API_KEY"]}


async def main():
    events = []
    async with (
        aiohttp.ClientSession(BASE_URL, headers=HEADERS, raise_for_status=True) as http,
        http.post("/v1/chatexaone/chat-completion", json={"query": "한강은 얼마나 길어?"}) as response,
    ):
        chunks = response.content.iter_any()  # whatever has arrived; iterating over `content` waits for lines
        async for event in hangang.aiter_events(chunks, hangang.exaone.StreamParser()):
            print(event.text, end="", flush=True)
            events.append(event)
    print(f"\n{len(hangang.Completion.of(events).references)} references")


asyncio.run(main())
