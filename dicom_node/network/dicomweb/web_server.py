"""A DICOMweb server as the settings name it, be it to give or to take."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from dicom_node.network.dicomweb.authentication import Authentication, require_https
from dicom_node.network.dicomweb.web_call import Line, WebRoot
from dicom_node.network.dicomweb.web_peer import WebPeer
from dicom_node.network.peer import LONGEST_TITLE, AETitle
from dicom_node.network.tls.settings import ClientTls

Seconds = Annotated[float, Field(gt=0, le=3600)]


class WebServer(BaseModel):
    """`url` is the root of its services. Without `tls`, the system's authorities vouch for it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: WebRoot
    authentication: Authentication | None = None
    tls: ClientTls | None = None
    connect_s: Seconds = 10.0
    answer_s: Seconds = 120.0

    @model_validator(mode="after")
    def _tls_by_https(self) -> WebServer:
        require_https(self.url, self.tls)
        return self

    @property
    def peer(self) -> WebPeer:
        """The server behind it."""
        return self.known_as("")

    def known_as(self, ae_title: str) -> WebPeer:
        """The server, with the title under which what it gives us is known."""
        line = Line(self.tls, self.connect_s, self.answer_s)
        return WebPeer(self.url, self.authentication, line, ae_title[:LONGEST_TITLE])


class NamedWebServer(WebServer):
    """One of the peers. It has no AE title: to routes and sources it has `ae_title`, or else its name there."""

    kind: Literal["dicomweb"]
    ae_title: AETitle | None = None

    def known_as(self, ae_title: str) -> WebPeer:
        """The server, with its own title where the settings name one."""
        return super().known_as(self.ae_title or ae_title)
