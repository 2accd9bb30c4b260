"""Gov's tools ([gov §1.3]): masking, embeddings, document parsers, speech.

Known: `/v1/text/pii-mask` and `/v1/text/embeddings` with the bodies of the API reference,
`/tools/pii-mask` and `/tools/embeddings` with the FAQ's, `/v1/audio/transcriptions` and
`/v1/audio/speech` (`stream_format` audio or sse), and that there are two document parsers.
Guesses: the parsers' paths (`/tools/document-parser/rag42`, `…/lomin`) and answers, the FAQ
form of the embeddings' answer, and everything inside the speech endpoints, which follow OpenAI's
shape with `pitch` added.

No model is involved: masks are regular expressions, binary documents and sound are
answered with a text made from their size, and speech is a tone (WAV or PCM, never MP3).
"""

from __future__ import annotations

import base64
import io
import math
import re
import struct
import wave
import zlib
from collections.abc import Iterator
from random import Random

from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from . import compatible
from ._answer import Frame
from ._call import JSON, Call, Handler, Refusal, dump, endpoint, sse
from .fake_answers import compose, count_tokens, embed
from .gov import TOOLS
from .json_types import is_list

# Kind to the pattern and the mask. The first six are the API reference's, the others the FAQ's.
PATTERNS: dict[str, tuple[str, str]] = {
    "RRN": (r"\b\d{6}-[1-4]\d{6}\b", "[RRN]"),
    "FRR": (r"\b\d{6}-[5-8]\d{6}\b", "[FRR]"),
    "DRIVER_LICENSE": (r"\b\d{2}-\d{2}-\d{6}-\d{2}\b", "[DRIVER_LICENSE]"),
    "PASSPORT": (r"\b[MSRODmsrod]\d{8}\b", "[PASSPORT]"),
    "CREDIT_CARD": (r"\b\d{4}[- ]\d{4}[- ]\d{4}[- ]\d{4}\b", "[CREDIT_CARD]"),
    "BANK_ACCOUNT": (r"\b\d{3}-\d{2,6}-\d{5,7}\b", "[BANK_ACCOUNT]"),
    "EMAIL": (r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}", "[EMAIL]"),
    "PHONE": (r"\b01[016789]-?\d{3,4}-?\d{4}\b", "[PHONE]"),
}
_REFERENCE = ("RRN", "FRR", "DRIVER_LICENSE", "PASSPORT", "CREDIT_CARD", "BANK_ACCOUNT")
_FAQ = {
    "email": "EMAIL",
    "phone": "PHONE",
    "rrn": "RRN",
    "credit_card": "CREDIT_CARD",
}
_TEXT_TYPES = (".txt", ".md", ".csv", ".html", ".htm", ".json")
_PARSED_TYPES = (
    *(*_TEXT_TYPES, ".pdf", ".docx", ".hwp", ".hwpx", ".xlsx", ".pptx"),
    *(".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"),
)
_VOICES = ("nara", "jinho", "sora", "minjun", "alloy")
_SAMPLE_RATE = 16_000


def routes() -> list[BaseRoute]:
    """Each tool under the prefixes of the API reference, the FAQ and the gateway."""
    table: list[tuple[str, Handler]] = [
        ("/v1/text/pii-mask", _mask),
        ("/v1/text/embeddings", _embeddings),
        ("/v1/audio/transcriptions", _transcribe),
        ("/v1/audio/speech", _speak),
    ]
    for prefix in ("", "/v1"):
        table += [
            (prefix + "/tools/pii-mask", _mask_faq),
            (prefix + "/tools/embeddings", _embeddings_faq),
            (prefix + "/tools/document-parser/{parser}", _parse),
        ]
    return [
        Route(prefix + path, endpoint(TOOLS, handler), methods=["POST"])
        for prefix in ("", "/api")
        for path, handler in table
    ]


# masking


async def _mask(call: Call) -> Response:
    body = await call.read_object()
    text = _given(body, "text")
    kinds = body.get("pii_types") or list(_REFERENCE)
    if not is_list(kinds) or not set(kinds) <= set(_REFERENCE):
        raise Refusal(422, message="unknown pii_types")
    masked, count = mask(text, [str(kind) for kind in kinds])
    return call.reply(
        {
            "status": {"code": "20000", "message": "OK"},
            "result": {
                "model": "pii-mask-v1",
                "original_text": text,
                "masked_text": masked,
                "detected_pii_count": count,
            },
            "usage": {"total_tokens": count_tokens(text)},
        }
    )


async def _mask_faq(call: Call) -> Response:
    body = await call.read_object()
    text = _given(body, "text")
    names = body.get("mask_types") or list(_FAQ)
    if not is_list(names) or not set(names) <= set(_FAQ):
        raise Refusal(422, message="unknown mask_types")
    masked, count = mask(text, [_FAQ[name] for name in names])
    result = {"masked_text": masked, "detected_pii_count": count}
    return call.reply({"status": {"code": "20000", "message": "OK"}, "result": result})


def mask(text: str, kinds: list[str]) -> tuple[str, int]:
    """The text with what was found replaced, and how often."""
    total = 0
    for kind, (pattern, replacement) in PATTERNS.items():
        if kind in kinds:
            text, count = re.subn(pattern, replacement, text)
            total += count
    return text, total


def _given(body: JSON, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise Refusal(422, message=f"{name} must not be empty")
    return value


# embeddings


async def _embeddings(call: Call) -> Response:
    body = await call.read_object()
    model = body.get("model", "bge-m3")
    if model not in ("bge-m3", "rag42-embed-v1"):
        raise Refusal(404, message=f"The model `{model}` does not exist.")
    form = body.get("encoding_format", "float")
    dimensions = body.get("dimensions") or 1024
    if form not in ("float", "base64") or not isinstance(dimensions, int):
        raise Refusal(422)
    if not 1 <= dimensions <= 4_096:
        raise Refusal(422)
    given = body.get("input")
    return call.reply(compatible.embeddings(_texts(given), model, dimensions, form))


async def _embeddings_faq(call: Call) -> Response:
    body = await call.read_object()
    vectors = [embed(text) for text in _texts(body.get("texts"))]
    return call.reply({"embeddings": vectors, "model": body.get("model", "clova-embedding")})


def _texts(given: object) -> list[str]:
    texts = [given] if isinstance(given, str) else given
    if not is_list(texts) or not texts:
        raise Refusal(422)
    if not all(isinstance(text, str) and text for text in texts):
        raise Refusal(422)
    return texts


# document parsers


async def _parse(call: Call) -> Response:
    parser = call.path["parser"]
    if parser not in ("rag42", "lomin"):
        raise Refusal(404)
    name, content, _ = await _file(call)
    if not name.lower().endswith(_PARSED_TYPES):
        raise Refusal(422, message="file type is not supported")
    text = text_in_file(name, content)
    pages = [page for page in text.split("\f") if page.strip()] or [""]
    result: JSON = {
        "parser": parser,
        "name": name,
        "text": text,
        "markdown": f"# {name}\n\n{text}",
        "pages": [{"page": number, "text": page} for number, page in enumerate(pages, start=1)],
    }
    if parser == "lomin":
        result["elements"] = [
            {
                "type": "heading" if index == 0 else "paragraph",
                "text": line,
                "page": number,
                "bbox": [72, 72 + 24 * index, 523, 90 + 24 * index],
            }
            for number, page in enumerate(pages, start=1)
            for index, line in enumerate(line for line in page.splitlines() if line.strip())
        ]
    return call.reply({"status": {"code": "20000", "message": "OK"}, "result": result})


def text_in_file(name: str, content: bytes) -> str:
    """The text of a text file; for any other, a stand-in made from its name and bytes."""
    if name.lower().endswith(_TEXT_TYPES):
        return content.decode("utf-8-sig", errors="replace")
    random = Random(zlib.crc32(content))
    return compose(random, prompt=name, tokens=60).text


async def _file(call: Call) -> tuple[str, bytes, FormData]:
    kind = call.header("content-type").lower()
    if not kind.startswith("multipart/form-data") or "boundary=" not in kind:
        raise Refusal(400, message="multipart/form-data expected")
    async with call.request.form() as form:
        part = form.get("file") or form.get("files")
        if not isinstance(part, UploadFile):
            raise Refusal(422, message="file is missing")
        return part.filename or "file", await part.read(), form


# speech to text


async def _transcribe(call: Call) -> Response:
    _, content, form = await _file(call)
    if not content:
        raise Refusal(422, message="file is empty")
    shape = str(form.get("response_format") or "json")
    if shape not in ("json", "text", "verbose_json", "srt", "vtt"):
        raise Refusal(422, message="unknown response_format")
    language = str(form.get("language") or "ko")
    text = compose(Random(zlib.crc32(content)), prompt="녹음", tokens=call.controls.tokens).text
    segments, duration = _segments(text)
    if shape == "text":
        return call.whole(text.encode(), "text/plain; charset=utf-8")
    if shape in ("srt", "vtt"):
        return call.whole(_subtitles(segments, shape).encode(), "text/plain; charset=utf-8")
    if shape == "json":
        return call.reply({"text": text})
    kinds = form.getlist("timestamp_granularities[]") or form.getlist("timestamp_granularities")
    answer: JSON = {
        "task": "transcribe",
        "language": language,
        "duration": duration,
        "text": text,
    }
    if "segment" in kinds or not kinds:
        answer["segments"] = segments
    if "word" in kinds:
        answer["words"] = _words(segments)
    return call.reply(answer)


def _segments(text: str) -> tuple[list[JSON], float]:
    """A segment for each line, a tenth of a second for each character."""
    segments: list[JSON] = []
    start = 0.0
    for number, line in enumerate(line for line in text.splitlines() if line):
        end = round(start + 0.1 * len(line), 2)
        segments.append({"id": number, "start": start, "end": end, "text": line})
        start = end
    return segments, start


def _words(segments: list[JSON]) -> list[JSON]:
    words: list[JSON] = []
    for segment in segments:
        start = segment["start"]
        for word in segment["text"].split():
            end = round(start + 0.1 * len(word), 2)
            words.append({"word": word, "start": start, "end": end})
            start = round(end + 0.1, 2)
    return words


def _subtitles(segments: list[JSON], shape: str) -> str:
    comma = "," if shape == "srt" else "."

    def clock(seconds: float) -> str:
        whole, part = divmod(round(seconds * 1000), 1000)
        return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{comma}{part:03}"

    blocks = [
        f"{segment['id'] + 1}\n{clock(segment['start'])} --> {clock(segment['end'])}\n{segment['text']}\n"
        for segment in segments
    ]
    return ("WEBVTT\n\n" if shape == "vtt" else "") + "\n".join(blocks)


# text to speech


async def _speak(call: Call) -> Response:
    body = await call.read_object()
    text = _given(body, "input")
    voice = body.get("voice", _VOICES[0])
    if not isinstance(voice, str) or not voice:
        raise Refusal(422, message="voice must not be empty")
    speed, pitch = _factor(body, "speed", 0.25, 4), _factor(body, "pitch", 0.25, 4)
    shape = body.get("response_format", "wav")
    if shape not in ("wav", "pcm"):
        raise Refusal(422, message="the emulator speaks wav and pcm only")
    sound = _tone(text, voice, speed, pitch)
    whole = sound if shape == "pcm" else _wav(sound)
    if body.get("stream_format", "audio") == "sse":
        return call.stream(_speech_events(whole, text))
    return call.whole(whole, "audio/wav" if shape == "wav" else "audio/pcm")


def _factor(body: JSON, name: str, low: float, high: float) -> float:
    value = body.get(name, 1.0)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise Refusal(422, message=f"{name} must be between {low} and {high}")
    return float(value)


def _tone(text: str, voice: str, speed: float, pitch: float) -> bytes:
    """50 ms a character, shorter when faster; the voice and the pitch set the frequency."""
    frequency = (180 + zlib.crc32(voice.encode()) % 120) * pitch
    count = int(_SAMPLE_RATE * 0.05 * min(len(text), 400) / speed)
    step = 2 * math.pi * frequency / _SAMPLE_RATE
    return struct.pack(f"<{count}h", *(int(8_000 * math.sin(step * i)) for i in range(count)))


def _wav(sound: bytes) -> bytes:
    held = io.BytesIO()
    with wave.open(held, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(_SAMPLE_RATE)
        out.writeframes(sound)
    return held.getvalue()


def _speech_events(sound: bytes, text: str) -> Iterator[Frame]:
    """OpenAI's speech events: pieces of base64, then a `done`."""
    for start in range(0, len(sound), 3 * 1_024):
        piece = base64.b64encode(sound[start : start + 3 * 1_024]).decode()
        yield Frame(sse(dump({"type": "speech.audio.delta", "audio": piece})))
    tokens = count_tokens(text)
    usage = {"input_tokens": tokens, "output_tokens": tokens, "total_tokens": 2 * tokens}
    yield Frame(sse(dump({"type": "speech.audio.done", "usage": usage})), end=True)
