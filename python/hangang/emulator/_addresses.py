"""Addresses as people and clients write them."""

from __future__ import annotations

from ipaddress import ip_address


def joined(host: str, port: int | str) -> str:
    """`host:port`, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def url_of(host: str, port: int) -> str:
    """The URL by which clients on this machine reach a socket that listens on this address.

    One that listens on every address (`0.0.0.0`, `::`) is reached by the loopback address: not
    every system connects to `0.0.0.0`, and clients send no key to it without TLS.
    """
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://{joined(host, port)}"


def warning(host: str, url: str) -> str | None:
    """A sentence for an address that other machines may reach, else None."""
    try:
        is_open = not ip_address(host).is_loopback
    except ValueError:
        is_open = host != "localhost"
    port = url.rpartition(":")[2]
    return f"listening on {joined(host, port)}: other machines can reach it" if is_open else None
