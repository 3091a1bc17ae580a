"""By which addresses this machine can be called: by IPv4 alone where its kernel knows no IPv6."""

from __future__ import annotations

import socket

BOTH = socket.has_dualstack_ipv6()
EVERY = "::" if BOTH else "0.0.0.0"
LOOPBACK = ("127.0.0.1", "[::1]") if BOTH else ("127.0.0.1",)  # as they stand in a URL
