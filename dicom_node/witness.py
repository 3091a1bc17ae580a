"""Peers in the words of the audit trail, and what we ask of them by C-FIND (PS3.15 A.5.3.10), as it was sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dicom_node.audit.facts import Outcome, Participant
from dicom_node.audit.recorder import Recorder
from dicom_node.destinations import Destination, DimseDestination, FolderDestination, StowDestination

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


def participants(destinations: Mapping[str, Destination]) -> Mapping[str, Participant]:
    """Destinations, by name, in the words of the audit trail."""
    return {name: _participant(name, destination) for name, destination in destinations.items()}


def _participant(name: str, destination: Destination) -> Participant:
    if isinstance(destination, DimseDestination):
        return called(destination.peer)
    if isinstance(destination, StowDestination):
        return Participant(destination.url, address=destination.peer.host)
    return Participant(destination.path.as_uri() if isinstance(destination, FolderDestination) else name)
