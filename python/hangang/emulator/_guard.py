"""Refuses requests that a web page could make: DNS rebinding, and posts from another origin.

A browser on this machine can be led to `http://127.0.0.1:8000` by any page. The page cannot read the answer
unless its own name resolves to this address (DNS rebinding), and then the Host header has that name. So the
name in Host must be one that belongs to the address that the emulator listens on; and an Origin, which
browsers add to every post, must be the Host's.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

# Nobody can register these or a name without a dot, so no stranger's page has such a name. Container
# networks use them.
_PRIVATE = (".localhost", ".local", ".internal", ".test", ".home.arpa")


class HostGuard:
    """The middleware. Where the state has no address that the server listens on, the ASGI scope has it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 403 to a request for another host, or from a page of another origin."""
        if scope["type"] == "http":
            request = Request(scope)
            listening = scope["app"].state.emulator.listening or (scope.get("server") or ("",))[0] or ""
            wrong = problem(request.headers.get("host", ""), request.headers.get("origin"), listening)
            if wrong is not None:
                await JSONResponse({"emulator": {"error": wrong}}, status_code=403)(scope, receive, send)
                return
        await self.app(scope, receive, send)


def problem(host: str, origin: str | None, listening: str) -> str | None:
    """What is wrong with a request's Host and Origin, as a sentence, or None; browsers always send Host."""
    if host and not _is_ours(_name(host), listening.lower()):
        return f"Host {host[:100]!r} is not this emulator's: it listens on {listening}"
    if origin is not None and origin.partition("://")[2].lower() != host.lower():
        return f"pages of other origins may not call this emulator: Origin is {origin[:100]!r}"
    return None


def _name(host: str) -> str:
    """The name or address in `host:port`."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _address(name: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(name.partition("%")[0])
    except ValueError:
        return None


def _is_ours(name: str, listening: str) -> bool:
    if name == listening or name == "localhost" or name.endswith(".localhost"):
        return True
    found, own = _address(name), _address("127.0.0.1" if listening == "localhost" else listening)
    if own is not None and own.is_loopback:
        return found is not None and found.is_loopback
    return bool(name) and (found is not None or "." not in name or name.endswith(_PRIVATE))
