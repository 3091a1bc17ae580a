"""An archive that takes results by DICOMweb (STOW-RS, PS3.18 10.5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from dicom_node.destinations.base import Destination, require_stored
from dicom_node.network.dicomweb.web_server import WebServer
from dicom_node.network.statuses import Status, Told


class StowDestination(WebServer, Destination):
    """A DICOMweb server. Objects go together as long as a request stays below `request_bytes`."""

    kind: Literal["stow"] = "stow"
    request_bytes: Annotated[int, Field(ge=1)] = 64_000_000

    def deliver(self, files: Sequence[Path], told: Told = lambda _: None) -> Mapping[str, Status]:
        from dicom_node.network.dicomweb.stow import send

        statuses = send(files, self.peer, self.request_bytes, told)
        require_stored(statuses, self.peer)
        return statuses
