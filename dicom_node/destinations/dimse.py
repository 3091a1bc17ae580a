"""An archive that takes results by C-STORE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from dicom_node.destinations.base import Destination
from dicom_node.errors import Refused, Unreachable
from dicom_node.network.peer import AETitle, Peer, Port
from dicom_node.network.statuses import Outcome, Status
from dicom_node.network.tls import ClientTls


class DimseDestination(Destination):
    """A storage SCP. `calling_ae_title` is how we name ourselves; the node's own title where it is not given."""

    kind: Literal["dimse"] = "dimse"
    ae_title: AETitle
    host: Annotated[str, Field(min_length=1, max_length=255)]
    port: Port
    calling_ae_title: AETitle = "SEGNODE"
    tls: ClientTls | None = None

    @property
    def peer(self) -> Peer:
        """The application entity behind it."""
        return Peer(ae_title=self.ae_title, host=self.host, port=self.port, tls=self.tls)

    def deliver(self, files: Sequence[Path]) -> Mapping[str, Status]:
        from dicom_node.network.client import send  # who only reads settings loads no pynetdicom

        statuses = send(files, self.peer, calling_aet=self.calling_ae_title)
        require_stored(statuses, self.peer)
        return statuses


def require_stored(statuses: Mapping[str, Status], peer: Peer) -> None:
    """Raise unless every instance is kept. Trouble that may pass comes first: a later attempt tells the rest."""
    failed = {uid: status for uid, status in statuses.items() if not status.stored}
    if not failed:
        return
    answers = "; ".join(sorted({str(status) for status in failed.values()}))
    sentence = f"{peer} did not keep {len(failed)} of {len(statuses)} objects: {answers}"
    if any(status.outcome is Outcome.TRY_AGAIN for status in failed.values()):
        raise Unreachable(sentence)
    raise Refused(sentence)
