"""One DIMSE message as a test words it, on an association that was negotiated for whatever the test says."""

from __future__ import annotations

from pynetdicom import AE, evt
from pynetdicom.dimse_primitives import DIMSEPrimitive
from pynetdicom.events import Event
from pynetdicom.presentation import PresentationContext

from dicom_node.network.acceptor.checkpoint import Checkpoint
from dicom_node.network.peer import Peer


def status_of(message: DIMSEPrimitive, peer: Peer, calling: str, context: PresentationContext) -> int:
    """What `peer` answers to `message` from the AE `calling`, in the one presentation context of the association."""
    association = AE(ae_title=calling).associate(
        peer.host, peer.port, [context], ae_title=peer.ae_title, evt_handlers=[(evt.EVT_CONN_OPEN, _lose_no_answer)]
    )
    assert association.is_established
    message.MessageID = 1
    association._reactor_checkpoint.clear()  # its own thread would take the answer
    association.dimse.send_msg(message, association.accepted_contexts[0].context_id)
    _, answer = association.dimse.get_msg(block=True)
    association._reactor_checkpoint.set()
    association.release()
    return int(answer.Status)


def _lose_no_answer(event: Event) -> None:
    event.assoc._reactor_checkpoint = Checkpoint(event.assoc)
