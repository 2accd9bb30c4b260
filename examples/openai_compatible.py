"""Any OpenAI-compatible server: the first of its models, with the reasoning taken out of its answer.

Address: OPENAI_BASE_URL, such as http://localhost:8000/v1 for vLLM. Key: OPENAI_API_KEY, unless the server is
on this machine. Run: python openai_compatible.py
"""

import hangang

# EXAONE Deep and others leave their reasoning inside the content if the server has no reasoning parser.
with hangang.openai.Client(thinking_tags=("<thought>", "</thought>")) as client:
    model = client.models()["data"][0]["id"]
    with client.stream(model, "한강은 얼마나 길어?") as stream:
        for text in stream.text_stream:
            print(text, end="", flush=True)
    print(f"\n{model}: {len(stream.completion.thinking)} characters of thinking were left out")
