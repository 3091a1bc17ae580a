"""Who is on the other end of an association."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from dicom_node.network.tls.settings import ClientTls

# PS3.8 9.3.2: ISO 646 without backslash and control characters; spaces at the ends do not count.
AE_TITLE_FORM = re.compile(r"[!-\[\]-~]([ -\[\]-~]{0,14}[!-\[\]-~])?")
LONGEST_TITLE = 16


def _ae_title(text: str) -> str:
    if not AE_TITLE_FORM.fullmatch(text):
        raise ValueError("an AE title is 1 to 16 plain characters, no backslash, no space at either end")
    return text


def _host(text: str) -> str:
    try:
        text.encode("idna")  # what every connection does with it, where nobody awaits that it fails
    except UnicodeError:
        raise ValueError("no host has this name: a part between dots is empty, or longer than 63 letters") from None
    return text


AETitle = Annotated[str, AfterValidator(_ae_title)]
Host = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_host)]
Port = Annotated[int, Field(ge=1, le=65535)]


class Peer(BaseModel):
    """A DICOM application entity that we may call; by TLS where `tls` says how."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["dimse"] = "dimse"
    ae_title: AETitle
    host: Host
    port: Port
    tls: ClientTls | None = None

    def __str__(self) -> str:
        return f"{self.ae_title}@{self.host}:{self.port}"
