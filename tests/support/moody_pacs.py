"""An archive with bad days: it refuses, hangs, aborts and vanishes, and keeps an index of what it took all the same."""

from __future__ import annotations

import hashlib
import random
import threading
import time
from enum import Enum

from pynetdicom import AE, evt
from pynetdicom.events import Event
from pynetdicom.sop_class import Verification

from dicom_node.network.contexts import STORAGE_CLASSES, TRANSFER_SYNTAXES

SUCCESS, OUT_OF_RESOURCES = 0x0000, 0xA700
HANG_S = 2.0


class Mood(Enum):
    """How it answers."""

    CALM = "takes everything"
    REFUSING = "out of resources"
    HANGING = "keeps silent, then aborts"
    ABORTING = "aborts, sometimes after it has stored"
    ABSENT = "does not listen"


class MoodyPacs:
    """`index` holds the digest of each SOP instance's data set; `repeated` counts those that came again."""

    aet = "MOODY"

    def __init__(self, port: int, seed: int) -> None:
        self.port = port
        self.mood = Mood.CALM
        self.index: dict[str, str] = {}
        self.repeated = 0
        self.changed: list[str] = []  # UIDs that came again with other content
        self._lock = threading.Lock()
        self._random = random.Random(seed)
        self._entity = AE(ae_title=self.aet)
        for sop_class in STORAGE_CLASSES:
            self._entity.add_supported_context(sop_class, list(TRANSFER_SYNTAXES))
        self._entity.add_supported_context(Verification)
        self._server = None

    def be(self, mood: Mood) -> None:
        """Change the mood; ABSENT stops listening, any other listens."""
        self.mood = mood
        if mood is Mood.ABSENT and self._server is not None:
            self._server.shutdown()
            self._server = None
        elif mood is not Mood.ABSENT and self._server is None:
            handlers = [(evt.EVT_C_STORE, self._store)]
            self._server = self._entity.start_server(("127.0.0.1", self.port), block=False, evt_handlers=handlers)

    def change(self) -> None:
        """Some other mood."""
        self.be(self._random.choice(list(Mood)))

    def _store(self, event: Event) -> int:
        mood = self.mood
        if mood is Mood.REFUSING:
            return OUT_OF_RESOURCES
        if mood is Mood.HANGING:
            time.sleep(HANG_S)
        keeps = mood is Mood.CALM or (mood is Mood.ABORTING and self._random.random() < 0.5)
        if keeps:
            self._keep(str(event.request.AffectedSOPInstanceUID), event.request.DataSet.getvalue())
        if mood is not Mood.CALM:
            event.assoc.abort()
        return SUCCESS

    def _keep(self, uid: str, data: bytes) -> None:
        digest = hashlib.sha256(data).hexdigest()
        with self._lock:
            if uid in self.index:
                self.repeated += 1
                if self.index[uid] != digest:
                    self.changed.append(uid)
            self.index.setdefault(uid, digest)
