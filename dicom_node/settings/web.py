"""`web:` in node.yaml: where the console listens, how long a sign-in lasts, who is shown whose study it is."""

from __future__ import annotations

import ipaddress
import socket
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from dicom_node.network.peer import Host, Port
from dicom_node.network.tls.settings import BrowserTls
from dicom_node.settings.oidc import OpenIdSettings, RoleName


def _address(text: str) -> str:
    ipaddress.ip_network(text)
    return text


class WebSettings(BaseModel):
    """The web console; without a `port` there is none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: Host = "127.0.0.1"
    port: Port | None = 8470
    tls: BrowserTls | None = None
    url: Annotated[str, Field(pattern=r"^https?://[^/?#\s]+$")] | None = None
    proxies: tuple[Annotated[str, AfterValidator(_address)], ...] = ()
    session_hours: Annotated[float, Field(gt=0, le=24 * 31)] = 10.0
    idle_minutes: Annotated[float, Field(gt=0, le=24 * 60)] = 60.0
    goal_minutes: Annotated[float, Field(gt=0, le=24 * 60)] = 15.0
    upload_bytes: Annotated[int, Field(ge=1024, le=1024**4)] = 4_000_000_000
    unpacked_bytes: Annotated[int, Field(ge=1024, le=1024**4)] = 16_000_000_000
    oidc: OpenIdSettings | None = None
    names_for: frozenset[RoleName] = frozenset({"operator", "admin"})

    @property
    def address(self) -> str:
        """Where people reach it."""
        if self.url:
            return self.url
        host = socket.gethostname() if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104 (compared)
        shown = f"[{host}]" if ":" in host else host
        return f"{'https' if self.tls else 'http'}://{shown}:{self.port}"

    @property
    def secure(self) -> bool:
        """Whether browsers speak TLS, with us or with a proxy before us."""
        return self.address.startswith("https://")

    @property
    def in_the_clear(self) -> bool:
        """Whether other machines reach it without TLS."""
        if self.port is None or self.tls:
            return False
        try:
            return not ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host != "localhost"

    @property
    def session_s(self) -> float:
        return self.session_hours * 3600.0

    @property
    def idle_s(self) -> float:
        return self.idle_minutes * 60.0
