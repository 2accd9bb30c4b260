"""Gov's text tools ([gov §1.3]): masking of personal data, and embeddings.

Known: `/v1/text/pii-mask` and `/v1/text/embeddings` with the bodies of the API reference, `/tools/pii-mask`
and `/tools/embeddings` with the FAQ's. Guesses: the FAQ form of the embeddings' answer, and the largest
text. No model is involved: masks are regular expressions.
"""

from __future__ import annotations

import re

from starlette.responses import Response

from . import compatible
from ._call import JSON, Call, Refusal, routes
from ._wire import ok
from .fake_answers import count_tokens, embed
from .gov import PREFIXES, TOOLS
from .json_types import is_between, is_texts

# Kind to the pattern and the mask. The first six are the API reference's, the others the FAQ's. Each text
# is searched in linear time: an address begins where no character of an address is before it.
PATTERNS: dict[str, tuple[str, str]] = {
    "RRN": (r"\b\d{6}-[1-4]\d{6}\b", "[RRN]"),
    "FRR": (r"\b\d{6}-[5-8]\d{6}\b", "[FRR]"),
    "DRIVER_LICENSE": (r"\b\d{2}-\d{2}-\d{6}-\d{2}\b", "[DRIVER_LICENSE]"),
    "PASSPORT": (r"\b[MSRODmsrod]\d{8}\b", "[PASSPORT]"),
    "CREDIT_CARD": (r"\b\d{4}[- ]\d{4}[- ]\d{4}[- ]\d{4}\b", "[CREDIT_CARD]"),
    "BANK_ACCOUNT": (r"\b\d{3}-\d{2,6}-\d{5,7}\b", "[BANK_ACCOUNT]"),
    "EMAIL": (r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}", "[EMAIL]"),
    "PHONE": (r"\b01[016789]-?\d{3,4}-?\d{4}\b", "[PHONE]"),
}
_REFERENCE = {kind: kind for kind in list(PATTERNS)[:6]}
_FAQ = {"email": "EMAIL", "phone": "PHONE", "rrn": "RRN", "credit_card": "CREDIT_CARD"}
MOST_CHARACTERS = 200_000


def _masked(body: JSON, name: str, kinds: dict[str, str]) -> tuple[str, str, int]:
    """The text of a body, the same with what was found replaced, and how often."""
    text = body.get("text")
    if not isinstance(text, str) or not text:
        raise Refusal(422, message="text must not be empty")
    wanted = body.get(name) or list(kinds)
    if not is_texts(wanted) or not set(wanted) <= kinds.keys():
        raise Refusal(422, message=f"unknown {name}")
    masked, total = text, 0
    for kind in (kind for kind in PATTERNS if kind in {kinds[one] for one in wanted}):
        masked, count = re.subn(*PATTERNS[kind], masked)
        total += count
    return text, masked, total


async def _mask(call: Call) -> Response:
    text, masked, count = _masked(await call.read_object(), "pii_types", _REFERENCE)
    result: JSON = {"model": "pii-mask-v1", "original_text": text}
    result |= {"masked_text": masked, "detected_pii_count": count}
    usage = {"total_tokens": count_tokens(text)}
    return call.reply({**ok(result), "usage": usage})


async def _mask_faq(call: Call) -> Response:
    _, masked, count = _masked(await call.read_object(), "mask_types", _FAQ)
    result = {"masked_text": masked, "detected_pii_count": count}
    return call.reply(ok(result))


async def _embeddings(call: Call) -> Response:
    body = await call.read_object()
    model = body.get("model", "bge-m3")
    if model not in ("bge-m3", "rag42-embed-v1"):
        raise Refusal(404, message=f"The model `{model}` does not exist.")
    form, dimensions = body.get("encoding_format", "float"), body.get("dimensions") or 1024
    if (
        form not in ("float", "base64")
        or not isinstance(dimensions, int)
        or not is_between(dimensions, 1, 4_096)
    ):
        raise Refusal(422)
    return call.reply(compatible.embeddings(_texts(body.get("input")), model, dimensions, form))


async def _embeddings_faq(call: Call) -> Response:
    body = await call.read_object()
    vectors = [embed(text) for text in _texts(body.get("texts"))]
    return call.reply({"embeddings": vectors, "model": body.get("model", "clova-embedding")})


def _texts(given: object) -> list[str]:
    texts = compatible.texts_of(given)
    if not texts or not all(texts):
        raise Refusal(422)
    if len(texts) > 1_000 or sum(map(len, texts)) > MOST_CHARACTERS:
        raise Refusal(422, message=f"at most 1000 texts of {MOST_CHARACTERS} characters together")
    return texts


ROUTES = routes(
    TOOLS,
    {
        "POST /v1/text/pii-mask": _mask,
        "POST /v1/text/embeddings": _embeddings,
        "POST /tools/pii-mask": _mask_faq,
        "POST /tools/embeddings": _embeddings_faq,
        "POST /v1/tools/pii-mask": _mask_faq,
        "POST /v1/tools/embeddings": _embeddings_faq,
    },
    PREFIXES,
)
