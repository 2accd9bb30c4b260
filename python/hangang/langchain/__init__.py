"""LangChain models over the clients: CLOVA Studio, EXAONE, CLOVA Studio Gov, OpenAI-compatible servers.

Needs `hangang[langchain]`. Nothing else of `hangang` imports this package, and it imports LangChain.
"""

from __future__ import annotations

try:
    from ._embeddings import ClovaEmbeddings
    from ._models import ChatClova, ChatExaone, ChatGov, ChatOpenAICompatible
except ModuleNotFoundError as _error:
    if (_error.name or "").partition(".")[0] != "langchain_core":
        raise
    raise ImportError(
        "hangang.langchain needs langchain-core: pip install 'hangang[langchain]'", name=_error.name
    ) from _error

__all__ = ["ChatClova", "ChatExaone", "ChatGov", "ChatOpenAICompatible", "ClovaEmbeddings"]
