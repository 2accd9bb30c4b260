"""CLOVA Studio as a provider of LiteLLM, streams and tools included: `model="hangang/HCX-005"`.

Key: CLOVA_STUDIO_API_KEY. Needs: litellm. Run: python litellm_provider.py
"""

import asyncio
from contextlib import contextmanager

import litellm
from litellm.llms.custom_llm import CustomLLMError

from hangang import APIError, clova

OPTIONS = ("temperature", "top_p", "max_tokens", "seed", "stop", "tools", "tool_choice", "thinking")


@contextmanager
def errors():
    try:
        yield
    except APIError as error:  # with its status LiteLLM makes it a RateLimitError and so on, and can retry
        raise CustomLLMError(status_code=error.status or 500, message=error.message) from error


def chosen(optional_params):
    return {name: optional_params[name] for name in OPTIONS if name in optional_params}


def chunk(text="", tool=None, reason=None, usage=None):
    return {
        "text": text,
        "tool_use": tool,
        "is_finished": reason is not None,
        "finish_reason": reason or "",
        "usage": usage,
        "index": 0,
    }


def last_chunks(completion):
    whole = completion.to_openai()
    choice = whole["choices"][0]
    for index, call in enumerate(choice["message"].get("tool_calls", ())):
        yield chunk(tool={**call, "index": index})
    yield chunk(reason=choice["finish_reason"], usage=whole.get("usage"))


class Hangang(litellm.CustomLLM):
    def completion(self, model, messages, optional_params, **_):
        with errors(), clova.Client() as client:
            answer = client.chat(model, messages, **chosen(optional_params))
        return litellm.ModelResponse(**answer.to_openai(model))

    def streaming(self, model, messages, optional_params, **_):
        options = chosen(optional_params)
        with errors(), clova.Client() as client, client.stream(model, messages, **options) as stream:
            yield from map(chunk, stream.text_stream)
        yield from last_chunks(stream.completion)

    async def acompletion(self, model, messages, optional_params, **_):
        with errors():
            async with clova.AsyncClient() as client:
                answer = await client.chat(model, messages, **chosen(optional_params))
        return litellm.ModelResponse(**answer.to_openai(model))

    async def astreaming(self, model, messages, optional_params, **_):
        options = chosen(optional_params)
        with errors():
            async with clova.AsyncClient() as client, client.stream(model, messages, **options) as stream:
                async for text in stream.text_stream:
                    yield chunk(text)
        for one in last_chunks(stream.completion):
            yield one


litellm.custom_provider_map = [{"provider": "hangang", "custom_handler": Hangang()}]


async def awaited(asked):
    print((await litellm.acompletion(**asked)).choices[0].message.content)
    async for part in await litellm.acompletion(**asked, stream=True):
        print(part.choices[0].delta.content or "", end="", flush=True)
    print()


if __name__ == "__main__":
    asked = {"model": "hangang/HCX-005", "messages": [{"role": "user", "content": "한강은 얼마나 길어?"}]}
    print(litellm.completion(**asked).choices[0].message.content)
    for part in litellm.completion(**asked, stream=True):
        print(part.choices[0].delta.content or "", end="", flush=True)
    print()
    asyncio.run(awaited(asked))
