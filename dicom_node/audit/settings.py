"""The `audit:` part of node.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from dicom_node.network.peer import Host, Port
from dicom_node.written_off import OrFalse
from dicom_node.written_path import WrittenPath

Text = Annotated[str, Field(min_length=1, max_length=64)]


class SyslogSettings(BaseModel):
    """Where audit messages are sent: a collector that speaks RFC 5424."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: Host
    port: Port = 6514
    protocol: Literal["tls", "tcp", "udp"] = "tls"
    ca_file: WrittenPath | None = None
    cert_file: WrittenPath | None = None
    key_file: WrittenPath | None = None

    @model_validator(mode="after")
    def _key_with_its_certificate(self) -> SyslogSettings:
        if self.key_file is not None and self.cert_file is None:
            raise ValueError("key_file needs cert_file, the certificate that belongs to it")
        return self

    def below(self, base: Path) -> SyslogSettings:
        """With files named relative to `base`."""
        files = {name: getattr(self, name) for name in ("ca_file", "cert_file", "key_file")}
        return self.model_copy(update={name: base / p.expanduser() for name, p in files.items() if p is not None})


class AuditSettings(BaseModel):
    """Whether and how the audit trail is kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Annotated[Literal["off", "spool", "syslog"], OrFalse] = "spool"
    source_id: Text | None = None
    enterprise_site_id: Text | None = None
    keep_days: Annotated[float, Field(gt=0, le=36500)] = 3650
    max_bytes: Annotated[int, Field(ge=65536)] = 1_000_000_000
    listed_days: Annotated[float, Field(gt=0, le=3650)] = 90
    syslog: SyslogSettings | None = None

    def below(self, base: Path) -> AuditSettings:
        """With files named relative to `base`."""
        return self.model_copy(update={"syslog": self.syslog.below(base)}) if self.syslog else self

    @model_validator(mode="after")
    def _syslog_where_it_is_asked_for(self) -> AuditSettings:
        if self.mode == "syslog" and self.syslog is None:
            raise ValueError("mode syslog needs syslog: {host: …}")
        return self
