"""What a peer answers to a request for an association (PS3.8 7.1).

pynetdicom reads on a thread of its own. Where a peer answers and hangs up before the thread that asked looks, it takes
the connection for one that never came about, and the answer is lost. Here it is kept as it comes.
"""

from __future__ import annotations

import time

from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.events import Event, EventHandlerType
from pynetdicom.pdu import A_ASSOCIATE_RJ

from dicom_node.errors import Rejected, Unreachable
from dicom_node.network.peer import Peer

TRANSIENT = 0x02  # A-ASSOCIATE-RJ result (PS3.8 9.3.4)


class Answer:
    """Listens to one association from before it is asked for; `explain` says why it did not come about."""

    def __init__(self, peer: Peer, limit_s: float) -> None:
        self._peer = peer
        self._limit_s = limit_s  # seconds in which the peer has to answer
        self._opened_s: float | None = None
        self._pdu: object = None

    @property
    def handlers(self) -> list[EventHandlerType]:
        """For `AE.associate`."""
        return [(evt.EVT_CONN_OPEN, self._hear_opened), (evt.EVT_PDU_RECV, self._hear_pdu)]

    @property
    def came(self) -> bool:
        """Whether the peer has said anything."""
        return self._pdu is not None

    def stop(self, association: Association) -> None:
        """Listen no longer: what an established association carries is another's."""
        association.unbind(evt.EVT_PDU_RECV, self._hear_pdu)

    def explain(self, association: Association) -> None:
        """Raise what became of the request; return where only the contexts were declined, all of them.

        `Rejected` where the peer will not have it, `Unreachable` where it may be asked again.
        """
        if isinstance(self._pdu, A_ASSOCIATE_RJ):
            said = self._pdu.to_primitive()
            words = f"{self._peer} rejects the association: {said.reason_str.lower()} ({said.result_str.lower()})"
            raise (Unreachable if said.result == TRANSIENT else Rejected)(words)
        if association.rejected_contexts and not association.accepted_contexts:
            return
        if self.came:
            raise Unreachable(f"{self._peer} aborted the association")
        if self._opened_s is None:
            raise Unreachable(f"{self._peer} cannot be reached")
        if time.monotonic() - self._opened_s >= self._limit_s:
            raise Unreachable(f"{self._peer} takes the connection, but gives no answer within {self._limit_s:g} s")
        raise Unreachable(f"{self._peer} ended the connection without an answer")

    def _hear_opened(self, _event: Event) -> None:
        self._opened_s = time.monotonic()

    def _hear_pdu(self, event: Event) -> None:
        self._pdu = event.pdu
