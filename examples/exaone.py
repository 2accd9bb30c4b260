"""EXAONE: an answer with its sources, and a second question that refers to the first.

Key: EXAONE_API_KEY. Run: python exaone.py
"""

import hangang

with hangang.exaone.Client() as client:
    with client.stream("한강은 얼마나 길어?") as stream:
        for event in stream:
            print(event.text, end="", flush=True)
    first = stream.completion
    print()
    for number, reference in enumerate(first.references, 1):
        print(f"[{number}] {reference.get('title') or reference}")

    second = client.chat("그 강의 발원지는?", previous_messages=[first])
    print(second.text)
