"""Who is on the other end of an association."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from dicom_node.network.tls import ClientTls

# PS3.8 9.3.2: ISO 646 without backslash and control characters; spaces at the ends do not count.
AE_TITLE_FORM = re.compile(r"[!-\[\]-~]([ -\[\]-~]{0,14}[!-\[\]-~])?")
LONGEST_TITLE = 16


def _ae_title(text: str) -> str:
    if not AE_TITLE_FORM.fullmatch(text):
        raise ValueError("an AE title is 1 to 16 plain characters, no backslash, no space at either end")
    return text


AETitle = Annotated[str, AfterValidator(_ae_title)]
Port = Annotated[int, Field(ge=1, le=65535)]


class Peer(BaseModel):
    """A DICOM application entity that we may call; by TLS where `tls` says how."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["dimse"] = "dimse"
    ae_title: AETitle
    host: Annotated[str, Field(min_length=1, max_length=255)]
    port: Port
    tls: ClientTls | None = None

    def __str__(self) -> str:
        return f"{self.ae_title}@{self.host}:{self.port}"
