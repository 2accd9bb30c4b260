"""Gov's tools: masking, embeddings, document parsers, speech ([gov §1.3]).

Each path is an argument: the FAQ and the API reference disagree on some, and for the document parsers
no source has one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar, Unpack

from hangang._client.files import FileInput, read_file
from hangang._client.options import CallOptions, checked_str
from hangang._client.request import Call, Operation, body_of, segment, strings, with_call_options

__all__ = ["Tools"]

R = TypeVar("R")
Extra = Mapping[str, Any] | None


class Tools(Generic[R]):
    """Tools for text, documents and speech. In `AsyncClient` every method is awaited.

    Each method takes `CallOptions`, such as `timeout=5`.
    """

    def __init__(self, execute: Callable[[Call], R]) -> None:
        self._execute = execute

    def _run(self, name: str, options: Mapping[str, Any], call: Call) -> R:
        return self._execute(with_call_options(call, f"tools.{name}", options))

    def pii_mask(
        self,
        text: str,
        *,
        pii_types: Sequence[str] | None = None,
        mask_types: Sequence[str] | None = None,
        path: str | None = None,
        extra: Extra = None,
        **options: Unpack[CallOptions],
    ) -> R:
        """Replace personal data in a text.

        Args:
            text: what to mask.
            pii_types: the API reference's form: `RRN`, `FRR`, `DRIVER_LICENSE`, `PASSPORT`,
                `BANK_ACCOUNT`, `CREDIT_CARD`.
            mask_types: the FAQ's form: e.g. `email`. It goes to the FAQ's path.
            path: by default `/v1/text/pii-mask`, or with `mask_types` `/v1/tools/pii-mask`.
            extra: further fields of the body.

        Returns:
            A `Response`: `response["masked_text"]`.
        """
        if path is None:
            path = "/v1/text/pii-mask" if mask_types is None else "/v1/tools/pii-mask"
        body = body_of(
            extra,
            text=checked_str("text", text),
            pii_types=strings(pii_types, "pii_types"),
            mask_types=strings(mask_types, "mask_types"),
        )
        return self._run("pii_mask", options, Call("POST", path, json=body))

    def embeddings(
        self,
        input: str | Sequence[str],
        *,
        model: str = "bge-m3",
        encoding_format: str | None = None,
        dimensions: int | None = None,
        path: str = "/v1/text/embeddings",
        extra: Extra = None,
        **options: Unpack[CallOptions],
    ) -> R:
        """Embeddings as an OpenAI list: `response["data"][0]["embedding"]`.

        Args:
            input: one text or several.
            model: `bge-m3` or `rag42-embed-v1`.
            encoding_format: `float` or `base64`.
            dimensions: of each vector.
            path: of the endpoint; the FAQ's `/tools/embeddings` takes `texts` (through `extra`).
            extra: further fields of the body.
        """
        body = body_of(
            extra,
            input=input if isinstance(input, str) else strings(input, "input"),
            model=checked_str("model", model),
            encoding_format=encoding_format,
            dimensions=dimensions,
        )
        return self._run(
            "embeddings",
            options,
            Call("POST", path, json=body, operation=Operation("embeddings", body.get("model"))),
        )

    def parse_document(
        self,
        file: FileInput,
        *,
        parser: str = "rag42",
        path: str | None = None,
        content_type: str | None = None,
        extra: Extra = None,
        **options: Unpack[CallOptions],
    ) -> R:
        """Read the text out of a document.

        Args:
            file: a path, bytes, an open binary file, or `(name, content[, content type])`.
            parser: `"rag42"` (for RAG) or `"lomin"` (layout).
            path: by default `/v1/tools/document-parser/{parser}`, which is a guess.
            content_type: by default guessed from the name.
            extra: text fields of the form, as the parser takes them.
        """
        return self._run(
            "parse_document",
            options,
            Call(
                "POST",
                path or f"/v1/tools/document-parser/{segment(parser, 'parser')}",
                files=[("file", read_file(file, content_type=content_type))],
                data=body_of(extra) or None,
            ),
        )

    def transcribe(
        self,
        file: FileInput,
        *,
        model: str | None = None,
        language: str | None = None,
        response_format: str | None = None,
        timestamps: str | Sequence[str] | None = None,
        path: str = "/v1/audio/transcriptions",
        content_type: str | None = None,
        extra: Extra = None,
        **options: Unpack[CallOptions],
    ) -> R:
        """Speech to text.

        Args:
            file: the sound.
            model: as the service names it.
            language: `ko` or `en`.
            response_format: `json`, `verbose_json`, `text`, `srt`, `vtt`.
            timestamps: `"segment"`, `"word"` or both; implies `verbose_json` by default.
            path: of the endpoint.
            content_type: by default guessed from the name.
            extra: further text fields of the form.

        Returns:
            A `Response`: `response["text"]`, with timestamps `response["segments"]` or `["words"]`;
            `response.text` is the body for the formats that are not JSON.
        """
        if timestamps is not None and response_format is None:
            response_format = "verbose_json"
        marks = [timestamps] if isinstance(timestamps, str) else strings(timestamps, "timestamps")
        data = body_of(
            extra,
            model=model,
            language=language,
            response_format=response_format,
            **{"timestamp_granularities[]": marks},
        )
        sound = read_file(file, content_type=content_type)
        return self._run(
            "transcribe",
            options,
            Call("POST", path, files=[("file", sound)], data=data or None, decode="any"),
        )

    def speech(
        self,
        text: str,
        *,
        voice: str | None = None,
        model: str | None = None,
        speed: float | None = None,
        pitch: float | None = None,
        response_format: str | None = None,
        path: str = "/v1/audio/speech",
        extra: Extra = None,
        **options: Unpack[CallOptions],
    ) -> R:
        """Text to speech.

        Args:
            text: what to say.
            voice: as the service names it.
            model: as the service names it.
            speed, pitch: as the service scales them.
            response_format: e.g. `wav`.
            path: of the endpoint.
            extra: further fields of the body, e.g. `stream_format`.

        Returns:
            A `Response` whose `body` is the sound.
        """
        body = body_of(
            extra,
            input=checked_str("text", text),
            voice=voice,
            model=model,
            speed=speed,
            pitch=pitch,
            response_format=response_format,
        )
        return self._run(
            "speech", options, Call("POST", path, json=body, headers={"accept": "*/*"}, decode="bytes")
        )
