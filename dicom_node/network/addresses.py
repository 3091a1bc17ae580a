"""Addresses of callers, as the settings name them."""

from __future__ import annotations

from ipaddress import IPv6Address


def unmapped(address: str) -> str:
    """An IPv4 address that a socket of IPv6 gives as ::ffff:10.1.2.3 (RFC 4291 2.5.5.2) as itself; others unchanged."""
    try:
        mapped = IPv6Address(address).ipv4_mapped
    except ValueError:
        return address
    return address if mapped is None else str(mapped)
