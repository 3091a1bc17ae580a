"""An archive that takes results by C-STORE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

from dicom_node.destinations.base import Destination, Heard, require_stored
from dicom_node.network.peer import AETitle, Host, Peer, Port
from dicom_node.network.statuses import Status, Told
from dicom_node.network.tls.settings import ClientTls
from dicom_node.written_off import OrFalse
from storage.records import Reference


class DimseDestination(Destination):
    """A storage SCP. `calling_ae_title` is how we name ourselves; the node's own title where it is not given.

    `commitment`: auto asks for it and is content where the peer offers none; required is not; off does not ask.
    """

    kind: Literal["dimse"] = "dimse"
    ae_title: AETitle
    host: Host
    port: Port
    calling_ae_title: AETitle = "SEGNODE"
    tls: ClientTls | None = None
    commitment: Annotated[Literal["auto", "required", "off"], OrFalse] = "auto"

    @property
    def peer(self) -> Peer:
        """The application entity behind it."""
        return Peer(ae_title=self.ae_title, host=self.host, port=self.port, tls=self.tls)

    @property
    def asks_commitment(self) -> bool:
        return self.commitment != "off"

    @property
    def requires_commitment(self) -> bool:
        return self.commitment == "required"

    def ask_commitment(
        self, transaction_uid: str, references: Sequence[Reference], *, heard: Heard, wait_s: float
    ) -> None:
        from dicom_node.network.commitment import ask

        ask(self.peer, self.calling_ae_title, transaction_uid, references, heard=heard, wait_s=wait_s)

    def deliver(self, files: Sequence[Path], told: Told = lambda _: None) -> Mapping[str, Status]:
        from dicom_node.network.client import send  # who only reads settings loads no pynetdicom

        statuses = send(files, self.peer, calling_aet=self.calling_ae_title, told=told)
        require_stored(statuses, self.peer)
        return statuses
