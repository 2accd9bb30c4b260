"""CLOVA Studio's error codes ([clova §7.2]), for the clients and for the emulator."""

from __future__ import annotations

from typing import NamedTuple


class Code(NamedTuple):
    """What a code means.

    Attributes:
        status: the HTTP status.
        message: the service's usual words.
        retried: whether the same request may succeed later.
    """

    status: int
    message: str
    retried: bool = False


CLOVA_CODES: dict[str, Code] = {
    "40000": Code(400, "Bad request"),
    "40001": Code(400, "Invalid parameter"),
    "40002": Code(400, "Unsupported parameter"),
    "40003": Code(400, "Context length exceeded"),
    "40004": Code(400, "Text empty"),
    "40005": Code(400, "Unavailable output"),
    "40006": Code(400, "Unavailable output"),
    "40009": Code(400, "Unsupported function"),
    "40055": Code(400, "Invalid response format schema"),
    "40060": Code(400, "Unsupported image format"),
    "40061": Code(400, "File size error"),
    "40063": Code(400, "Image download failed", True),
    "40080": Code(400, "Model not found"),
    "40082": Code(400, "Model fade out"),
    "40083": Code(400, "Model no resource"),
    "40084": Code(400, "Unsupported API for model"),
    "40100": Code(401, "Unauthorized"),
    "40101": Code(401, "Invalid signature"),
    "40102": Code(401, "Invalid Authentication Type"),
    "40103": Code(401, "Access token expired"),
    "40104": Code(401, "Invalid key"),
    "40170": Code(401, "No subscription request history found. Please request a subscription to use"),
    "40300": Code(403, "Forbidden"),
    "40301": Code(403, "No ownership"),
    "40400": Code(404, "Not found"),
    "40600": Code(406, "Not Acceptable"),
    "40800": Code(408, "Request timeout", True),
    "41300": Code(413, "Request body size exceeded"),
    "41500": Code(415, "MediaType error"),
    "41501": Code(415, "No multipart boundary Content-Type"),
    "42200": Code(422, "Unprocessable Entity"),  # Gov
    "42400": Code(424, "Processing Failed", True),
    "42900": Code(429, "Too many requests", True),
    "42901": Code(429, "Too many requests - rate exceeded", True),
    "42902": Code(429, "Too many requests - overloaded", True),
    "42903": Code(429, "Too many requests - image queue", True),
    "50000": Code(500, "Internal Server Error", True),
    "50100": Code(501, "Not yet implemented"),
    "50300": Code(503, "Service Unavailable", True),  # Gov
    "50400": Code(504, "Gateway timeout", True),
    "61002": Code(400, "Skill trainer error"),
    "61004": Code(400, "Skill trainer error"),
    "61005": Code(400, "Skill trainer error"),
    "62001": Code(400, "Skill trainer error"),
    "63001": Code(400, "Skill trainer error"),
    "63002": Code(400, "Skill trainer error"),
    "64000": Code(500, "Model unavailable", True),
    "64400": Code(400, "Skill trainer error"),
    "64424": Code(500, "Model generation failed", True),
    "64429": Code(429, "Too many requests", True),
    "64500": Code(500, "Model server error", True),
    "65001": Code(400, "Router error"),
    "65002": Code(500, "Response parsing failed", True),
    "65400": Code(400, "Router error"),
}
