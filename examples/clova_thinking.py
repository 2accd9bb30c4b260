"""CLOVA Studio: the reasoning of HCX-007, apart from its answer.

Key: CLOVA_STUDIO_API_KEY. Run: python clova_thinking.py
"""

import hangang

with hangang.clova.Client() as client:
    with client.stream("HCX-007", "1부터 100까지의 소수는 몇 개야?", thinking="low") as stream:
        is_thinking = False
        for event in stream:
            if event.thinking and not is_thinking:
                print("[thinking] ", end="")
            elif event.text and is_thinking:
                print("\n[answer] ", end="")
            is_thinking = bool(event.thinking)
            print(event.thinking or event.text, end="", flush=True)
    usage = stream.completion.usage
    print(f"\n({usage.thinking_tokens} of {usage.completion_tokens} tokens were thinking)")
