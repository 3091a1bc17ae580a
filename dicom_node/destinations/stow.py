"""An archive that takes results by DICOMweb (STOW-RS, PS3.18 10.5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from dicom_node.destinations.base import Destination, require_stored
from dicom_node.network.authentication import Authentication, require_https
from dicom_node.network.statuses import Status
from dicom_node.network.tls import ClientTls
from dicom_node.network.web_call import Line, WebAddress
from dicom_node.network.web_peer import WebPeer

Seconds = Annotated[float, Field(gt=0, le=3600)]


class StowDestination(Destination):
    """A DICOMweb server; `url` is the root of its services. Without `tls`, the system's authorities vouch for it.

    Objects go together as long as a request stays below `request_bytes`.
    """

    kind: Literal["stow"] = "stow"
    url: WebAddress
    authentication: Authentication | None = None
    tls: ClientTls | None = None
    connect_s: Seconds = 10.0
    answer_s: Seconds = 120.0
    request_bytes: Annotated[int, Field(ge=1)] = 64_000_000

    @model_validator(mode="after")
    def _tls_by_https(self) -> StowDestination:
        require_https(self.url, self.tls)
        return self

    @property
    def peer(self) -> WebPeer:
        """The server behind it."""
        return WebPeer(self.url, self.authentication, Line(self.tls, self.connect_s, self.answer_s))

    def deliver(self, files: Sequence[Path]) -> Mapping[str, Status]:
        from dicom_node.network.stow import send

        statuses = send(files, self.peer, self.request_bytes)
        require_stored(statuses, self.peer)
        return statuses
