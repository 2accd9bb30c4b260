"""LangChain's own standard tests, unit and integration, for each class, against the emulator.

- What a service does not have is switched off by the tests' own properties; the comment beside each names the
  page that documents it.
- The emulator calls tools as these tests want them called (`answers`); everything else it makes up.
- Async tests run by anyio's plugin: that of pytest-asyncio would need a mode that takes every async test of the suite.
- `test_serdes` is skipped: `langchain_core.load.load` takes only the classes in langchain-core's own list, so ours
  do not say that they can be loaded.
"""
# ruff: noqa: RUF012 - class attributes take the place of the properties of LangChain's classes; nothing changes them

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_tests.integration_tests import ChatModelIntegrationTests, EmbeddingsIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests, EmbeddingsUnitTests
from transports import KEY

from hangang import emulator
from hangang.langchain import ChatClova, ChatExaone, ChatGov, ChatOpenAICompatible, ClovaEmbeddings

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAEUlEQVR42mNgGAWjYBSMAggAAAQIAAFpE8wXAAAAAElFTkSuQmCC"
)
VARIABLES = [
    f"{name}_{what}"
    for name in ("CLOVA_STUDIO", "CLOVASTUDIO", "EXAONE", "CLOVA_STUDIO_GOV", "OPENAI")
    for what in ("API_KEY", "BASE_URL")
]


def answers(request: emulator.Request) -> emulator.Reply | None:
    """The tool calls and the JSON that the standard tests look for; None is a made-up answer."""
    body = request.body
    messages = body.get("messages") or [{}]
    if messages[-1].get("role") == "tool":
        return None
    names = [tool["function"]["name"] for tool in body.get("tools") or ()]
    if "magic_function" in names:
        return emulator.Reply(tool_calls=(("magic_function", {"input": 3}),))
    if "unicode_customer" in names:
        name = re.search("'(.+?)'", messages[-1]["content"])
        assert name is not None
        arguments = {"customer_name": name[1], "description": "회사"}
        return emulator.Reply(tool_calls=(("unicode_customer", arguments),))
    if (body.get("response_format") or {}).get("type") == "json_object":
        return emulator.Reply(text=json.dumps({"setup": "고양이가", "punchline": "야옹"}, ensure_ascii=False))
    return None


@pytest.fixture(scope="module")
def server() -> Iterator[emulator.Emulator]:
    with emulator.run_in_thread(answers=answers) as running:
        yield running


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _no_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the reader's shell counts, and the files that the tests fetch are here."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANGCHAIN_TESTS_USER_AGENT", "hangang")
    monkeypatch.setattr(httpx, "get", lambda url, **_: httpx.Response(200, content=PNG))


# --- unit tests: no request is made


class TestClovaUnit(ChatModelUnitTests):
    chat_model_class = ChatClova
    init_from_env_params = ({"CLOVA_STUDIO_API_KEY": KEY}, {}, {"api_key": KEY, "model": "HCX-007"})
    chat_model_params = {"api_key": KEY}


class TestExaoneUnit(ChatModelUnitTests):
    chat_model_class = ChatExaone
    has_tool_calling = False  # [exaone §3]: a request has no tools
    has_structured_output = False  # [exaone §3]: nor a response format
    init_from_env_params = ({"EXAONE_API_KEY": KEY}, {}, {"api_key": KEY})
    chat_model_params = {"api_key": KEY}


class TestGovUnit(ChatModelUnitTests):
    chat_model_class = ChatGov
    init_from_env_params = ({"CLOVA_STUDIO_GOV_API_KEY": KEY}, {}, {"api_key": KEY})
    chat_model_params = {"api_key": KEY}


class TestOpenAICompatibleUnit(ChatModelUnitTests):
    chat_model_class = ChatOpenAICompatible
    init_from_env_params = ({"OPENAI_API_KEY": KEY}, {"model": "exaone"}, {"api_key": KEY})
    chat_model_params = {"model": "exaone", "api_key": KEY, "thinking_tags": ("<think>", "</think>")}


class TestClovaEmbeddingsUnit(EmbeddingsUnitTests):
    embeddings_class = ClovaEmbeddings
    init_from_env_params = ({"CLOVA_STUDIO_API_KEY": KEY}, {}, {"api_key": KEY, "model": "bge-m3"})
    embedding_model_params = {"api_key": KEY}


# --- integration tests, against the emulator


class OnEmulator:
    """`chat_model_params` of a class, with the emulator's address and a key."""

    path = ""
    params: dict[str, Any] = {}
    _url = ""

    @pytest.fixture(autouse=True)
    def _use(self, server: emulator.Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(type(self), "_url", server.url)

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"base_url": self._url + self.path, "api_key": KEY, **self.params}

    def invoke_with_reasoning_output(self, *, stream: bool = False) -> AIMessage:
        model = self.chat_model_class(**self.chat_model_params)  # type: ignore[attr-defined]
        if not stream:
            return model.invoke("한강의 길이는?")
        full: AIMessageChunk | None = None
        for chunk in model.stream("한강의 길이는?"):
            full = chunk if full is None else full + chunk
        assert full is not None
        return full


REASONING = {"invoke": ["reasoning_output"], "stream": ["reasoning_output"]}


@pytest.mark.anyio
class TestClova(OnEmulator, ChatModelIntegrationTests):
    """HCX-007: thinking, tools, structured outputs."""

    chat_model_class = ChatClova
    model_override_value = "HCX-DASH-002"
    supported_usage_metadata_details = REASONING
    supports_json_mode = True
    supports_anthropic_inputs = True
    # Off: images (HCX-005 alone takes them), PDF and audio ([clova §1.3, §4]: parts are `text` and `image_url`),
    # images and PDF in tool messages ([clova §4]: the content of a tool turn is a string).


@pytest.mark.anyio
class TestClovaImages(OnEmulator, ChatModelIntegrationTests):
    """HCX-005: images and tools."""

    chat_model_class = ChatClova
    params = {"model": "HCX-005"}
    model_override_value = "HCX-DASH-002"
    supports_image_inputs = True
    supports_image_urls = True
    # Off: JSON mode and thinking ([clova §4]: HCX-007 alone has structured outputs and thinking), Anthropic's form,
    # whose test sends tools and an image together ([clova §4]: function calling not with images).


@pytest.mark.anyio
class TestClovaV1(OnEmulator, ChatModelIntegrationTests):
    """HCX-003, through v1 of the API."""

    chat_model_class = ChatClova
    params = {"model": "HCX-003"}
    model_override_value = "HCX-DASH-001"
    has_tool_calling = False  # [clova §3]: a v1 request has no tools
    has_tool_choice = False
    has_structured_output = False  # [clova §3]: nor a response format


@pytest.mark.anyio
class TestExaone(OnEmulator, ChatModelIntegrationTests):
    """chat-completion; the model of the override is text-generation's."""

    chat_model_class = ChatExaone
    model_override_value = "32b"
    has_tool_calling = False  # [exaone §3]: a request has no tools
    has_structured_output = False  # [exaone §3]: nor a response format
    returns_usage_metadata = False  # [exaone §4]: a frame has no token counts
    # Off: images, PDF, audio ([exaone §3]: the question is a string).


@pytest.mark.anyio
class TestGov(OnEmulator, ChatModelIntegrationTests):
    """HCX-GOV-THINK."""

    chat_model_class = ChatGov
    model_override_value = "HCX-GOV"
    supported_usage_metadata_details = REASONING
    supports_anthropic_inputs = True
    # Off: JSON mode, images, PDF, audio ([gov §1.1]: none of them is among the documented parameters).


@pytest.mark.anyio
@pytest.mark.filterwarnings("ignore:OpenAI may require a filename:UserWarning")
class TestOpenAICompatible(OnEmulator, ChatModelIntegrationTests):
    """A server such as vLLM."""

    chat_model_class = ChatOpenAICompatible
    path = "/openai/v1"
    params = {"model": "LGAI-EXAONE/EXAONE-4.0-32B"}
    model_override_value = "LGAI-EXAONE/EXAONE-4.0-1.2B"
    supports_json_mode = True
    supports_image_inputs = True
    supports_image_urls = True
    supports_image_tool_message = True
    supports_pdf_inputs = True
    supports_audio_inputs = True
    supports_pdf_tool_message = True
    supports_anthropic_inputs = True


@pytest.mark.anyio
class TestThinkingTags(OnEmulator, ChatModelIntegrationTests):
    """The same with a splitter of thinking tags in the way."""

    chat_model_class = ChatOpenAICompatible
    path = "/openai/v1"
    params = {
        "model": "LGAI-EXAONE/EXAONE-4.0-32B",
        "thinking_tags": ("<think>", "</think>"),
    }
    model_override_value = "LGAI-EXAONE/EXAONE-4.0-1.2B"
    supports_json_mode = True


@pytest.mark.anyio
class TestClovaEmbeddings(OnEmulator, EmbeddingsIntegrationTests):
    embeddings_class = ClovaEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return self.chat_model_params
