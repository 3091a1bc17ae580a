"""A small archive that takes what it is sent and keeps it in a folder: the PACS of the demo and of tests."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from pydicom.uid import UID
from pynetdicom import AE, evt
from pynetdicom.events import Event
from pynetdicom.sop_class import Verification

from dicom_node.network.contexts import STORAGE_CLASSES, TRANSFER_SYNTAXES

SUCCESS = 0x0000
CANNOT_UNDERSTAND = 0xC000
UID_FORM = re.compile(r"[0-9]+(\.[0-9]+)*")


@dataclass(frozen=True)
class Kept:
    """One instance in the archive."""

    sop_class_uid: str
    sop_instance_uid: str
    path: Path


class EmbeddedArchive:
    """Storage SCP over a folder; a UID that comes again replaces its file and is counted."""

    def __init__(self, folder: Path, ae_title: str = "ARCHIVE", host: str = "127.0.0.1", port: int = 0) -> None:
        self._folder = folder
        self._ae = AE(ae_title=ae_title)
        for sop_class in STORAGE_CLASSES:
            self._ae.add_supported_context(sop_class, list(TRANSFER_SYNTAXES))
        self._ae.add_supported_context(Verification)
        self._host = host
        self._port = port
        self._lock = threading.Lock()
        self._kept: dict[str, Kept] = {}
        self.received = 0

    def __enter__(self) -> EmbeddedArchive:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._server = self._ae.start_server(
            (self._host, self._port), block=False, evt_handlers=[(evt.EVT_C_STORE, self._store)]
        )
        self._port = self._server.server_address[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()

    @property
    def port(self) -> int:
        """The TCP port that it listens on."""
        return int(self._port)

    def kept(self) -> list[Kept]:
        """What it holds, in the order of arrival."""
        with self._lock:
            return list(self._kept.values())

    def _store(self, event: Event) -> int:
        uid = UID(str(event.request.AffectedSOPInstanceUID))
        if not UID_FORM.fullmatch(uid) or len(uid) > 64:
            return CANNOT_UNDERSTAND
        path = self._folder / f"{uid}.dcm"
        path.write_bytes(event.encoded_dataset())
        with self._lock:
            self.received += 1
            self._kept[uid] = Kept(str(event.request.AffectedSOPClassUID), uid, path)
        return SUCCESS
