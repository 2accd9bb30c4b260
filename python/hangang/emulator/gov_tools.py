"""Gov's tools ([gov §1.3]): masking of personal data, embeddings, document parsers, speech.

Known: `/v1/text/pii-mask` and `/v1/text/embeddings` with the bodies of the API reference, `/tools/pii-mask`
and `/tools/embeddings` with the FAQ's bodies, that there are two document parsers, and the paths of the
speech endpoints, with `stream_format` audio or sse. Masks are regular expressions.

**Canned, for no source shows an answer:** the FAQ's forms are answered as the reference's are; a file in
UTF-8 is parsed to its own text; `TEXT` is in any other file and in every recording, and is the transcript in
every form but JSON; speech is a moment of silence.
"""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Iterable, Iterator
from functools import partial

from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response

from . import compatible
from ._call import Call, Refusal, routes
from ._faults import Frame
from ._wire import dump, ok, sse
from .fake_answers import count_tokens
from .gov import PREFIXES, TOOLS
from .json_types import is_between, is_text, is_texts

# The first six are the API reference's, the others the FAQ's. Each text is searched in linear time: an
# address begins where no character of an address is before it.
PATTERNS = {
    "RRN": r"\b\d{6}-[1-4]\d{6}\b",
    "FRR": r"\b\d{6}-[5-8]\d{6}\b",
    "DRIVER_LICENSE": r"\b\d{2}-\d{2}-\d{6}-\d{2}\b",
    "PASSPORT": r"\b[MSRODmsrod]\d{8}\b",
    "CREDIT_CARD": r"\b\d{4}[- ]\d{4}[- ]\d{4}[- ]\d{4}\b",
    "BANK_ACCOUNT": r"\b\d{3}-\d{2,6}-\d{5,7}\b",
    "EMAIL": r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}",
    "PHONE": r"\b01[016789]-?\d{3,4}-?\d{4}\b",
}
_REFERENCE_KINDS = list(PATTERNS)[:6]
_EMBEDDING_MODELS = ("bge-m3", "rag42-embed-v1", "clova-embedding")
FAQ_PREFIXES = ("/v1", "/api/v1", "", "/api")  # it leaves the base open
TEXT = "한강은 서울을 동서로 가로지릅니다."
_TRANSCRIPT = {
    "text": TEXT,
    "segments": [{"id": 0, "start": 0.0, "end": 2.0, "text": TEXT}],
    "words": [{"word": "한강은", "start": 0.0, "end": 0.5}],
}
_PCM = bytes(3_200)  # 16 kHz, one channel of 16 bits
_WAV_HEAD = (b"RIFF", 36 + len(_PCM), b"WAVEfmt ", 16, 1, 1, 16_000, 32_000, 2, 16, b"data", len(_PCM))
_WAV = struct.pack("<4sI8sIHHIIHH4sI", *_WAV_HEAD) + _PCM


async def _mask(field: str, usual: Iterable[str], call: Call) -> Response:
    """Mask the kinds of data that a field of the body names."""
    body = await call.read_object()
    text, kinds = body.get("text"), body.get(field) or list(usual)
    if not is_text(text) or not is_texts(kinds):
        raise Refusal(422, message=f"text must not be empty, and {field} must be a list")
    wanted = {kind.upper() for kind in kinds}
    if not wanted <= PATTERNS.keys():
        raise Refusal(422, message=f"unknown {field}")
    masked, total = text, 0
    for kind, pattern in PATTERNS.items():
        if kind in wanted:
            masked, count = re.subn(pattern, f"[{kind}]", masked)
            total += count
    result = {"original_text": text, "masked_text": masked, "detected_pii_count": total}
    usage = {"total_tokens": count_tokens(text)}
    return call.reply({**ok({"model": "pii-mask-v1", **result}), "usage": usage})


async def _embeddings(field: str, call: Call) -> Response:
    """Vectors of the texts in a field of the body; how many is limited by what they cost the emulator."""
    body = await call.read_object()
    model, form = body.get("model", "bge-m3"), body.get("encoding_format", "float")
    texts, dimensions = compatible.texts_of(body.get(field)), body.get("dimensions") or 1024
    if model not in _EMBEDDING_MODELS:
        raise Refusal(404, message=f"The model `{model}` does not exist.")
    if not texts or not all(texts) or form not in ("float", "base64"):
        raise Refusal(422)
    if not isinstance(dimensions, int) or not is_between(dimensions, 1, 4_096):
        raise Refusal(422, message="dimensions must be 1 to 4096")
    if len(texts) > 1_000 or sum(map(len, texts)) > 200_000:
        raise Refusal(422, message="at most 1000 texts of 200000 characters together")
    return call.reply(compatible.embeddings(texts, model, dimensions, form))


async def uploaded(call: Call) -> tuple[str, str, FormData]:
    """The name and the text of the file in a form, and the form.

    Raises:
        Refusal: there is no file.
    """
    async with call.request.form() as form:
        part = form.get("file")
        if not isinstance(part, UploadFile):
            raise Refusal(422, message="file is missing")
        content = await part.read()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = TEXT
    return part.filename or "file.txt", text, form


async def _parse(call: Call) -> Response:
    name, text, _ = await uploaded(call)
    return call.reply(ok({"name": name, "text": text}))


async def _transcribe(call: Call) -> Response:
    _, _, form = await uploaded(call)
    if form.get("response_format") in ("text", "srt", "vtt"):
        return call.whole(TEXT.encode(), "text/plain; charset=utf-8")
    return call.reply(_TRANSCRIPT)


async def _speak(call: Call) -> Response:
    body = await call.read_object()
    form = body.get("response_format", "wav")
    if form not in ("wav", "pcm"):
        raise Refusal(422, message="the emulator speaks wav and pcm only")
    sound = _WAV if form == "wav" else _PCM
    if body.get("stream_format") == "sse":
        return call.stream(_speech_events(sound))
    return call.whole(sound, f"audio/{form}")


def _speech_events(sound: bytes) -> Iterator[Frame]:
    """OpenAI's speech events."""
    audio = base64.b64encode(sound).decode()
    usage = {"input_tokens": 8, "output_tokens": 8, "total_tokens": 16}
    yield Frame(sse(dump({"type": "speech.audio.delta", "audio": audio})))
    yield Frame(sse(dump({"type": "speech.audio.done", "usage": usage})), end=True)


ROUTES = routes(
    TOOLS,
    {
        "POST /v1/text/pii-mask": partial(_mask, "pii_types", _REFERENCE_KINDS),
        "POST /v1/text/embeddings": partial(_embeddings, "input"),
        "POST /v1/audio/transcriptions": _transcribe,
        "POST /v1/audio/speech": _speak,
    },
    PREFIXES,
) + routes(
    TOOLS,
    {
        "POST /tools/pii-mask": partial(_mask, "mask_types", PATTERNS),
        "POST /tools/embeddings": partial(_embeddings, "texts"),
        "POST /tools/document-parser/rag42": _parse,
        "POST /tools/document-parser/lomin": _parse,
    },
    FAQ_PREFIXES,
)
