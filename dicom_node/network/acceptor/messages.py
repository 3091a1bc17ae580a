"""DIMSE messages out of the fragments that P-DATA-TF PDUs bring (PS3.7 6.3.1, PS3.8 annex E), bounded in memory."""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from pydicom.errors import BytesLengthException
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import C_STORE_RQ, DIMSEMessage
from pynetdicom.pdu_primitives import P_DATA

from dicom_node.network.acceptor.connection import AnnouncedQueue
from dicom_node.network.acceptor.spool import Bounded, Spool

log = logging.getLogger(__name__)

COMMAND, LAST = 1, 2  # bits of the message control header (PS3.8 E.2)
MAX_COMMAND_BYTES = 64 * 1024
MAX_IDENTIFIER_BYTES = 4 * 1024 * 1024  # a data set that belongs to no C-STORE

# What pynetdicom raises on PDUs and commands that are none, found by feeding it such bytes.
MALFORMED = (
    ValueError, TypeError, KeyError, IndexError, AttributeError, NotImplementedError, EOFError, OSError, OverflowError,
    RecursionError, BytesLengthException, struct.error,
)  # fmt: skip


@dataclass(frozen=True)
class Limits:
    """How much strangers may make us hold. Large data sets on their way in lie in `folder`."""

    max_connections: int = 256
    max_object_bytes: int = 4 * 1024**3
    folder: Path = field(default_factory=lambda: Path(gettempdir()))
    has_room: Callable[[], bool] = lambda: True


class BoundedMessages(DIMSEServiceProvider):
    """Messages out of fragments (PS3.8 annex E), a fragment at a time, and no message larger than is sensible."""

    def __init__(self, association: Association, limits: Limits) -> None:
        super().__init__(association)
        self.handed_over = 0  # messages that were whole and went to the association's thread
        self.msg_queue = AnnouncedQueue(self._handed)
        self._limits = limits

    def get_msg(self, block: bool = False) -> Any:
        """The next message, (None, None) where there is none; the next one may now be read."""
        message = super().get_msg(block)
        if message[1] is not None:
            self.dul.ring()
        return message

    def new_spool(self) -> Spool:
        """For the data set of a C-STORE request."""
        return Spool(self._limits.max_object_bytes, self._limits.folder, self._limits.has_room)

    def adopt(self, context_id: int, command: bytes, data_set: Spool) -> None:
        """Go on with a C-STORE request that was begun elsewhere: its whole command, and what has come of its data."""
        self._take((context_id, bytes([COMMAND | LAST]) + command))
        assert self.message is not None
        self.message.data_set = data_set

    def receive_primitive(self, primitive: P_DATA) -> None:
        """Take the fragments of one P-DATA-TF; what makes no message ends the association (Evt19)."""
        try:
            for fragment in primitive.presentation_data_value_list:
                self._take(fragment)
        except MALFORMED as error:
            log.warning("no DIMSE message (%s): aborted", type(error).__name__, extra=name_of(self.assoc))
            self.message = None
            self.dul.event_queue.put("Evt19")

    def _take(self, fragment: tuple[int, bytes]) -> None:
        if self.message is None:
            message = DIMSEMessage()
            message.encoded_command_set = Bounded(MAX_COMMAND_BYTES)
            message.data_set = Bounded(MAX_IDENTIFIER_BYTES)
            self.message = message
        alone = P_DATA()
        alone.presentation_data_value_list = [[*fragment]]
        super().receive_primitive(alone)
        if isinstance(self.message, C_STORE_RQ) and not isinstance(self.message.data_set, Spool):
            self.message.data_set = self.new_spool()

    def _handed(self) -> None:
        self.handed_over += 1
        self.assoc.news.set()


def name_of(association: Association) -> dict[str, str]:
    requestor = association.requestor
    return {"address": requestor.address, "calling_aet": requestor.ae_title}
