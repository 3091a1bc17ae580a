"""A scanner that sends until it was told that everything is kept, whatever becomes of the node meanwhile."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path

from pydicom import dcmread
from pynetdicom import AE, build_context
from pynetdicom.sop_class import CTImageStorage

from dicom_node.network.peer import Peer


class Scanner(threading.Thread):
    """Sends its images again and again until each has been acknowledged once."""

    def __init__(self, peer: Peer, images: list[Path]) -> None:
        super().__init__(daemon=True)
        self.peer, self.waiting = peer, images
        self.acknowledged: set[str] = set()
        self.attempts = 0

    def run(self) -> None:
        entity = AE(ae_title="SCANNER")
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 10
        while self.waiting:
            association = entity.associate(
                self.peer.host, self.peer.port, [build_context(CTImageStorage)], ae_title=self.peer.ae_title
            )
            while self.waiting and association.is_established:
                image = dcmread(self.waiting[0])
                self.attempts += 1
                try:
                    status = association.send_c_store(image).get("Status")
                except RuntimeError:  # it has ended since we looked
                    break
                if status != 0:
                    break
                self.acknowledged.add(image.SOPInstanceUID)
                self.waiting.pop(0)
            with contextlib.suppress(RuntimeError):
                association.release() if association.is_established else association.abort()
            if self.waiting:
                time.sleep(0.3)
