"""CLOVA Studio: stream an answer, then ask again with the conversation so far.

Key: CLOVA_STUDIO_API_KEY. Run: python clova.py
"""

import hangang

messages = [{"role": "user", "content": "한강은 얼마나 길어?"}]

with hangang.clova.Client() as client:
    for question in ("그럼 낙동강은?", None):
        with client.stream("HCX-005", messages) as stream:
            for text in stream.text_stream:
                print(text, end="", flush=True)
        print(f"\n({stream.completion.usage.completion_tokens} tokens)")
        if question is not None:
            messages += [stream.completion.to_message(), {"role": "user", "content": question}]
