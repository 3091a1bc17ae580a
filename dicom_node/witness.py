"""What we ask of peers by C-FIND is told to the audit trail, with its identifier as it was sent (PS3.15 A.5.3.10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicom_node.audit.facts import Outcome, Participant
from dicom_node.audit.recorder import Recorder

if TYPE_CHECKING:
    from dicom_node.network.peer import Peer
    from dicom_node.network.query import Question, Witness


def witness(audit: Recorder) -> Witness:
    """Who hears of each question, for `audit`."""

    def hear(asked: Question) -> None:
        audit.queried(
            called(asked.peer),
            asked.sop_class_uid,
            asked.identifier,
            asked.transfer_syntax_uid,
            Outcome.MINOR_FAILURE if asked.trouble else Outcome.SUCCESS,
            asked.trouble,
        )

    return hear


def called(peer: Peer) -> Participant:
    """A peer in the words of the audit trail."""
    return Participant(str(peer), ae_title=peer.ae_title, address=peer.host)
