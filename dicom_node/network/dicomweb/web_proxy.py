"""The site's forward proxy: how servers outside are reached where the firewall lets nobody else out.

Named by HTTPS_PROXY and NO_PROXY of the environment, as for most programs. It connects us (CONNECT, RFC 9110 9.3.6),
and TLS begins behind that, with the server: a proxy hears the server's name and nothing else. So what is called by
http:// goes through none.
"""

from __future__ import annotations

import http.client
import socket
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies_environment

from dicom_node.errors import Unreachable

HTTPS, HTTP = 443, 80


@dataclass(frozen=True)
class Proxy:
    """Where it listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"the proxy {_joined(self.host, self.port)} of HTTPS_PROXY"

    def connected(self, host: str, port: int, patience_s: float) -> socket.socket:
        """A connection to that server; `Unreachable` where the proxy gives none, or is silent for so many seconds."""
        target, server = _joined(host, port), f"https://{host if port == HTTPS else _joined(host, port)}"
        with ExitStack() as undo:
            try:
                connection = socket.create_connection((self.host, self.port), patience_s)
                undo.callback(connection.close)
                connection.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
                answer = http.client.HTTPResponse(connection, method="CONNECT")
                undo.callback(answer.close)
                answer.begin()
            except (OSError, http.client.HTTPException) as error:
                raise Unreachable(f"{server}: {self} {_in_words(error)}") from error
            if answer.status == 407:
                raise Unreachable(f"{server}: {self} wants credentials, which it is not given: it must do without")
            if not 200 <= answer.status < 300:
                raise Unreachable(f"{server}: {self} does not connect us (HTTP {answer.status})")
            answer.close()
            undo.pop_all()
        return connection


def proxy_for(address: SplitResult) -> Proxy | None:
    """By which proxy that address is called, None by none; `Unreachable` where HTTPS_PROXY says what is none for us."""
    said = getproxies_environment()
    host, port = str(address.hostname), address.port or HTTPS
    if address.scheme != "https" or "https" not in said or _is_here(host) or _is_spared(host, port, said.get("no", "")):
        return None
    told = said["https"] if "://" in said["https"] else f"http://{said['https']}"
    try:
        parts = urlsplit(told)
        if parts.scheme == "http" and parts.hostname and parts.username is None:
            return Proxy(parts.hostname, parts.port or HTTP)
    except ValueError:
        pass
    raise Unreachable(f"https://{host}: HTTPS_PROXY is not of the form http://HOST:PORT, without user and password")


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_spared(host: str, port: int, no_proxy: str) -> bool:
    """Whether NO_PROXY names it: a name with all below it, an address, a network, or * for everybody."""
    for one in no_proxy.lower().replace(",", " ").split():
        name = one.removeprefix("*").removeprefix(".")
        if one == "*" or name in (host, _joined(host, port)) or (name and host.endswith(f".{name}")):
            return True
        try:
            if ip_address(host) in ip_network(one, strict=False):
                return True
        except ValueError:  # one of them is a name
            continue
    return False


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _in_words(error: OSError | http.client.HTTPException) -> str:
    if isinstance(error, TimeoutError):
        return "does not answer"
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return "ended the connection before its answer"
    if isinstance(error, OSError):
        return f"cannot be reached: {error.strerror or 'no such host'}"
    return "answers something that is no HTTP"
