"""An archive that is asked by C-FIND whether a study is here in full, and brings what is not by C-MOVE or C-GET."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pynetdicom.association import Association

from dicom_node.network.contexts import STORAGE_CLASSES
from dicom_node.network.earlier import Earlier, Search, look_for
from dicom_node.network.peer import Peer
from dicom_node.network.query import Witness, asking
from dicom_node.network.receive import Receiver
from dicom_node.network.register import OpenAssociation, Register
from dicom_node.network.retrieve import Brought, Parcel, Told, get, move
from dicom_node.network.survey import Gap, Held, Survey, compare
from storage.database import Database
from storage.records import InstanceKind

UIDS_AT_ONCE = 100  # UIDs in one request; a data set element of explicit VR holds 64 KiB, and peers less
ASKED_FOR = (InstanceKind.IMAGE, InstanceKind.SEGMENTATION)


class Answering(Register):
    """Stands in for the server's register where we have asked: what comes by C-GET was sent by `peer`."""

    def __init__(self, database: Database, peer: Peer, our_aet: str, owner: str, term_s: float) -> None:
        super().__init__(database, owner, term_s)
        self._asked = (peer.ae_title, our_aet, peer.host)
        self._last: tuple[Association | None, OpenAssociation] = (None, OpenAssociation(*self._asked))

    def entry(self, association: Association) -> OpenAssociation:
        """What is known of `association`; its row ends with its lease."""
        if self._last[0] is not association:
            self._last = (association, OpenAssociation(*self._asked))
        return self._last[1]


@dataclass(frozen=True)
class Remote:
    """One peer, asked under our own AE title; what it sends by C-GET goes to `receiver`.

    `witness` hears of each C-FIND.
    """

    peer: Peer
    our_aet: str
    receiver: Receiver | None = None
    witness: Witness | None = None

    def __str__(self) -> str:
        return str(self.peer)

    def survey(self, study_uid: str, held: Held) -> Survey:
        """Compare a study with what is here; `Unreachable`, or `Refused` where the peer does not answer C-FIND."""
        with asking(self.peer, self.our_aet, self.witness) as ask:
            return compare(ask, study_uid, held)

    def earlier(self, search: Search, limit_s: float) -> Earlier:
        """Earlier studies of a patient that bear segmentations; raises like `survey`, and after `limit_s` seconds."""
        with asking(self.peer, self.our_aet, self.witness, limit_s) as ask:
            return look_for(ask, search)

    def retrieve(self, study_uid: str, survey: Survey, how: str, limit_s: float, told: Told) -> Brought:
        """Bring what `survey` found missing, `how` is move or get; `Unreachable` or `Refused`."""
        parcels = list(_parcels(study_uid, survey.gaps))
        if how == "move" or self.receiver is None:
            return move(self.peer, self.our_aet, parcels, limit_s, told)
        keep = (_classes(survey.gaps), self.receiver.store)
        return get(self.peer, self.our_aet, parcels, keep, limit_s, told)


def _classes(gaps: Iterable[Gap]) -> list[str]:
    """The SOP classes that may come by C-GET.

    Those that the peer lists; and all that are ever asked for where it leaves one out, since it need not tell them
    (PS3.4 Table C.6-4).
    """
    listed = [uid for gap in gaps for uid in gap.sop_class_uids.values() or [""]]
    likely = [uid for uid, kind in STORAGE_CLASSES.items() if kind in ASKED_FOR] if "" in listed else []
    return [uid for uid in dict.fromkeys([*listed, *likely]) if uid]


def _parcels(study_uid: str, gaps: Iterable[Gap]) -> Iterator[Parcel]:
    """The requests that bring `gaps`: a series of which nothing is here as a whole, of others what is missing."""
    for gap in gaps:
        uids = list(gap.sop_class_uids)
        if not gap.here or not uids:
            yield Parcel(study_uid, gap.series_instance_uid)
            continue
        for start in range(0, len(uids), UIDS_AT_ONCE):
            yield Parcel(study_uid, gap.series_instance_uid, tuple(uids[start : start + UIDS_AT_ONCE]))
