"""Certificates and proxies for the libraries that leave both to their caller: aiohttp and urllib3.

httpx reads the environment itself. The others get the same from here: `SSL_CERT_FILE` and `SSL_CERT_DIR`
replace the certificates of the system (certifi's, if the system has none), `HTTPS_PROXY`, `HTTP_PROXY`,
`ALL_PROXY` and `NO_PROXY` name the proxies. Nothing in the environment switches verification off.

aiohttp's own `trust_env` is not used: it also sends credentials of `~/.netrc`.
"""

from __future__ import annotations

import base64
import functools
import os
import ssl
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from .interface import is_loopback

__all__ = ["Proxies", "Proxy", "tls_context"]


def tls_context() -> ssl.SSLContext:
    """The TLS context of all clients of the process: making one reads every trusted certificate.

    Nothing of a client is in it.
    """
    return _context(os.environ.get("SSL_CERT_FILE") or None, os.environ.get("SSL_CERT_DIR") or None)


@functools.lru_cache(maxsize=8)
def _context(file: str | None, folder: str | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=file, capath=folder)
    except OSError as error:
        error.add_note(f"SSL_CERT_FILE is {file!r}")  # the error itself names no file
        raise
    if file is None and folder is None and _has_no_certificates(context):
        with suppress(ImportError):
            import certifi

            context.load_verify_locations(certifi.where())
    context.set_alpn_protocols(["http/1.1"])
    return context


def _has_no_certificates(context: ssl.SSLContext) -> bool:
    """As in a bare container, or in python.org's Python on macOS before its certificates are installed.

    A folder may hold some although the context counts none: it is searched when a server is verified. It may
    also be empty: Debian's `openssl` without `ca-certificates` leaves such a one.
    """
    paths = ssl.get_default_verify_paths()
    if paths.cafile or context.cert_store_stats()["x509_ca"]:
        return False
    try:
        return not (paths.capath and os.listdir(paths.capath))
    except OSError:
        return False  # it cannot be listed, but OpenSSL asks for its files by name


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy: its address without a password, and the header that holds the password.

    Its repr shows neither.
    """

    url: str
    headers: dict[str, str]

    def __repr__(self) -> str:
        return "<Proxy>"


class Proxies:
    """The proxies that the environment names, read once."""

    def __init__(self) -> None:
        self._named = urllib.request.getproxies()
        self._of: dict[tuple[str, str], Proxy | None] = {}

    def for_url(self, url: str) -> Proxy | None:
        """The proxy for an address, or None. Loopback never has one: its requests may be plain http.

        Raises:
            ValueError: a kind of proxy that only httpx supports. Neither address nor password is shown.
        """
        parts = urlsplit(url)
        origin = parts.scheme, parts.netloc
        if origin not in self._of:
            self._of[origin] = self._find(parts.scheme, parts.hostname or "", parts.netloc)
        return self._of[origin]

    def _find(self, scheme: str, host: str, netloc: str) -> Proxy | None:
        named = self._named.get(scheme) or self._named.get("all")
        if not named or is_loopback(host) or urllib.request.proxy_bypass(netloc):
            return None
        parts = urlsplit(named if "://" in named else f"http://{named}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(
                f"the environment names a proxy of the kind {parts.scheme}: of the HTTP libraries only httpx "
                "may support it (http_client='httpx')"
            )
        headers: dict[str, str] = {}
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
            headers["proxy-authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        return Proxy(parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl(), headers)
