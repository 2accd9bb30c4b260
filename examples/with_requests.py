"""The parser below requests: bytes from any library, no client of Hangang.

Key: CLOVA_STUDIO_API_KEY. Needs: requests. Run: python with_requests.py
"""

import os

import requests

import hangang

BASE_URL = os.environ.get("CLOVA_STUDIO_BASE_URL", "https://clovastudio.stream.ntruss.com")
HEADERS = {"Authorization": f"Bearer {os.environ['CLOVA_STUDIO_API_KEY']}", "Accept": "text/event-stream"}
BODY = {"messages": [{"role": "user", "content": "한강은 얼마나 길어?"}]}

url = f"{BASE_URL}/v3/chat-completions/HCX-005"
with requests.post(url, headers=HEADERS, json=BODY, stream=True, timeout=(10, 60)) as response:
    response.raise_for_status()
    # chunk_size=None: chunks as they arrive. The default reads one byte at a time.
    chunks = response.iter_content(chunk_size=None)
    try:
        for event in hangang.iter_events(chunks, hangang.clova.StreamParser()):
            print(event.text, end="", flush=True)
    except hangang.ParseError as error:
        raise SystemExit(f"\nthe answer is incomplete: {error}") from None
print()
