"""Gov's document parsers and speech ([gov §1.3]): canned answers, for no source shows real ones.

Known: the paths of the speech endpoints with `stream_format` audio or sse, and that there are two document
parsers. Guesses: everything else. Binary documents and all recordings have the text `TEXT`; speech is a tone
(WAV or PCM, never MP3).
"""

from __future__ import annotations

import base64
import io
import math
import struct
import wave
import zlib
from collections.abc import Iterator

from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response

from ._call import JSON, Call, Refusal, routes
from ._faults import Frame
from ._wire import dump, ok, sse
from .gov import PREFIXES, TOOLS
from .json_types import is_between

TEXT = "한강은 서울을 동서로 가로지릅니다.\n길이는 약 494km입니다."
_TEXT_TYPES = (".txt", ".md", ".csv", ".html", ".htm", ".json")
_PARSED_TYPES = (
    *(*_TEXT_TYPES, ".pdf", ".docx", ".hwp", ".hwpx", ".xlsx", ".pptx"),
    *(".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"),
)
_LINES = TEXT.split("\n")  # two seconds each
_SECONDS = 2.0 * len(_LINES)
_SRT = "\n".join(
    f"{number + 1}\n00:00:0{2 * number},000 --> 00:00:0{2 * number + 2},000\n{line}\n"
    for number, line in enumerate(_LINES)
)
_TRANSCRIPTS = {"text": TEXT, "srt": _SRT, "vtt": "WEBVTT\n\n" + _SRT.replace(",000", ".000")}
_SEGMENTS = [
    {"id": number, "start": 2.0 * number, "end": 2.0 * number + 2.0, "text": line}
    for number, line in enumerate(_LINES)
]
_STEP = _SECONDS / len(TEXT.split())
_WORDS = [
    {"word": word, "start": round(_STEP * number, 2), "end": round(_STEP * (number + 1), 2)}
    for number, word in enumerate(TEXT.split())
]
_SAMPLE_RATE = 16_000


async def uploaded(call: Call, types: tuple[str, ...] = ()) -> tuple[str, bytes, FormData]:
    """The name and content of the file in a form, and the form.

    Raises:
        Refusal: no form, no file, or a file whose name has none of these endings.
    """
    if not call.is_form:
        raise Refusal(400, message="multipart/form-data expected")
    async with call.request.form() as form:
        part = form.get("file") or form.get("files")
        if not isinstance(part, UploadFile):
            raise Refusal(422, message="file is missing")
        name = part.filename or "file.txt"
        if types and not name.lower().endswith(types):
            raise Refusal(422, message="file type is not supported")
        return name, await part.read(), form


def text_in_file(name: str, content: bytes) -> str:
    """The text of a text file; of any other `TEXT`."""
    if name.lower().endswith(_TEXT_TYPES):
        return content.decode("utf-8-sig", errors="replace")
    return TEXT


async def _parse(call: Call) -> Response:
    parser = call.path["parser"]
    if parser not in ("rag42", "lomin"):
        raise Refusal(404)
    name, content, _ = await uploaded(call, _PARSED_TYPES)
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
            {"type": "paragraph", "text": page, "page": number, "bbox": [72, 72, 523, 770]}
            for number, page in enumerate(pages, start=1)
        ]
    return call.reply(ok(result))


async def _transcribe(call: Call) -> Response:
    _, content, form = await uploaded(call)
    if not content:
        raise Refusal(422, message="file is empty")
    shape = str(form.get("response_format") or "json")
    if shape == "json":
        return call.reply({"text": TEXT})
    if shape in _TRANSCRIPTS:
        return call.whole(_TRANSCRIPTS[shape].encode(), "text/plain; charset=utf-8")
    if shape != "verbose_json":
        raise Refusal(422, message="unknown response_format")
    kinds = form.getlist("timestamp_granularities[]") or form.getlist("timestamp_granularities")
    answer: JSON = {"task": "transcribe", "language": str(form.get("language") or "ko")}
    answer |= {"duration": _SECONDS, "text": TEXT}
    if "segment" in kinds or not kinds:
        answer["segments"] = _SEGMENTS
    if "word" in kinds:
        answer["words"] = _WORDS
    return call.reply(answer)


async def _speak(call: Call) -> Response:
    body = await call.read_object()
    text, voice, shape = body.get("input"), body.get("voice", "nara"), body.get("response_format", "wav")
    if not isinstance(text, str) or not text or not isinstance(voice, str) or not voice:
        raise Refusal(422, message="input and voice must not be empty")
    speed, pitch = _factor(body, "speed"), _factor(body, "pitch")
    if shape not in ("wav", "pcm"):
        raise Refusal(422, message="the emulator speaks wav and pcm only")
    # 50 ms a character, shorter when faster; the voice and the pitch set the frequency.
    frequency = (180 + zlib.crc32(voice.encode()) % 120) * pitch
    count = int(_SAMPLE_RATE * 0.05 * min(len(text), 400) / speed)
    step = 2 * math.pi * frequency / _SAMPLE_RATE
    sound = struct.pack(f"<{count}h", *(int(8_000 * math.sin(step * i)) for i in range(count)))
    whole = sound if shape == "pcm" else _wav(sound)
    if body.get("stream_format", "audio") == "sse":
        return call.stream(_speech_events(whole))
    return call.whole(whole, f"audio/{shape}")


def _factor(body: JSON, name: str) -> float:
    value = body.get(name, 1.0)
    if not is_between(value, 0.25, 4):
        raise Refusal(422, message=f"{name} must be between 0.25 and 4")
    return float(value)


def _wav(sound: bytes) -> bytes:
    held = io.BytesIO()
    with wave.open(held, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(_SAMPLE_RATE)
        out.writeframes(sound)
    return held.getvalue()


def _speech_events(sound: bytes) -> Iterator[Frame]:
    """OpenAI's speech events: pieces of base64, then a `done`."""
    for start in range(0, len(sound), 3 * 1_024):
        piece = base64.b64encode(sound[start : start + 3 * 1_024]).decode()
        yield Frame(sse(dump({"type": "speech.audio.delta", "audio": piece})))
    usage = {"input_tokens": 8, "output_tokens": 8, "total_tokens": 16}
    yield Frame(sse(dump({"type": "speech.audio.done", "usage": usage})), end=True)


ROUTES = routes(
    TOOLS,
    {
        "POST /v1/audio/transcriptions": _transcribe,
        "POST /v1/audio/speech": _speak,
        "POST /tools/document-parser/{parser}": _parse,
        "POST /v1/tools/document-parser/{parser}": _parse,
    },
    PREFIXES,
)
