"""Who is on the other end of an association."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

# PS3.8 9.3.2: ISO 646 without backslash and control characters, at most 16, spaces at the ends do not count.
AETitle = Annotated[str, Field(min_length=1, max_length=16, pattern=r"^[!-\[\]-~]([ -\[\]-~]*[!-\[\]-~])?$")]
Port = Annotated[int, Field(ge=1, le=65535)]


class Peer(BaseModel):
    """A DICOM application entity that we may call."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ae_title: AETitle
    host: Annotated[str, Field(min_length=1, max_length=255)]
    port: Port

    def __str__(self) -> str:
        return f"{self.ae_title}@{self.host}:{self.port}"
