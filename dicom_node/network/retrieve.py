"""Study Root C-MOVE and C-GET as a user: bringing images here that a peer holds (PS3.4 C.4.2, C.4.3)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.events import Event
from pynetdicom.sop_class import (
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from dicom_node.errors import PeerError, Refused, Unreachable
from dicom_node.network import proposals
from dicom_node.network.client import ANSWER_S, open_association
from dicom_node.network.peer import Peer
from dicom_node.network.query_statuses import goes_on


@dataclass(frozen=True)
class Parcel:
    """What one C-MOVE or C-GET asks for: instances of one series, or all of it where none are named."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uids: tuple[str, ...] = ()

    def identifier(self) -> Dataset:
        """The request's data set (PS3.4 C.4.2.1.4, unique keys by level)."""
        data = Dataset()
        data.QueryRetrieveLevel = "IMAGE" if self.sop_instance_uids else "SERIES"
        data.StudyInstanceUID = self.study_instance_uid
        data.SeriesInstanceUID = self.series_instance_uid
        if self.sop_instance_uids:
            data.SOPInstanceUID = list(self.sop_instance_uids)
        return data


@dataclass(frozen=True)
class Brought:
    """How many images a peer says it has sent, and how many it could not send."""

    completed: int = 0
    failed: int = 0

    def __add__(self, other: Brought) -> Brought:
        return Brought(self.completed + other.completed, self.failed + other.failed)


Told = Callable[[Brought], None]


def move(peer: Peer, our_aet: str, parcels: Sequence[Parcel], limit_s: float, told: Told = lambda _: None) -> Brought:
    """Have a peer send `parcels` to our own AE title by C-MOVE; it must know that title, with our host and port.

    `Unreachable` where it does not answer, cannot now, or is not done within `limit_s` seconds; `Refused` where
    it will not.
    """
    with open_association(peer, our_aet, proposals.move(), limit_s=limit_s) as association:
        if association is None:
            raise Refused(f"{peer} does not offer C-MOVE")

        def ask(parcel: Parcel) -> Iterator[tuple[Dataset, Dataset | None]]:
            return association.send_c_move(parcel.identifier(), our_aet, StudyRootQueryRetrieveInformationModelMove)

        return _Transfer(association, peer, "C-MOVE", limit_s, told).run(parcels, ask, silence_s=limit_s)


def get(
    peer: Peer,
    calling_aet: str,
    parcels: Sequence[Parcel],
    keep: tuple[Sequence[str], Callable[[Event], int]],
    limit_s: float,
    told: Told = lambda _: None,
) -> Brought:
    """Bring `parcels` here by C-GET, over the association that asks for them.

    `keep` says which SOP classes may come, and what answers each C-STORE with a status. Raises like `move`.
    """
    classes, store = keep
    model = StudyRootQueryRetrieveInformationModelGet
    with open_association(peer, calling_aet, proposals.get(classes), limit_s=limit_s) as association:
        if association is None or not any(cx.abstract_syntax == model for cx in association.accepted_contexts):
            raise Refused(f"{peer} does not offer C-GET")
        association.bind(evt.EVT_C_STORE, store)

        def ask(parcel: Parcel) -> Iterator[tuple[Dataset, Dataset | None]]:
            return association.send_c_get(parcel.identifier(), model)

        return _Transfer(association, peer, "C-GET", limit_s, told).run(parcels, ask, silence_s=ANSWER_S)


@dataclass(frozen=True)
class _Transfer:
    """The requests of one retrieval, one after the other."""

    association: Association
    peer: Peer
    service: str
    limit_s: float
    told: Told

    def run(
        self,
        parcels: Sequence[Parcel],
        ask: Callable[[Parcel], Iterator[tuple[Dataset, Dataset | None]]],
        silence_s: float,
    ) -> Brought:
        """What came of all parcels; one that the peer could send in part is no error, its caller counts anew.

        One that it cannot or will not send keeps no other from being asked for, and is raised in the end.
        """
        end, total = time.monotonic() + self.limit_s, Brought()
        troubles: list[PeerError] = []
        for parcel in parcels:
            rest = end - time.monotonic()
            if rest <= 0 or not self.association.is_established:
                raise Unreachable(f"{self.peer} has not sent everything within {self.limit_s:.0f} s")
            self.association.dimse_timeout = min(silence_s, rest)
            try:
                total += self._answers(ask(parcel), total, end)
            except PeerError as trouble:
                if not self.association.is_established:
                    raise
                troubles.append(trouble)
        if troubles:
            raise troubles[0]
        return total

    def _answers(self, given: Iterator[tuple[Dataset, Dataset | None]], before: Brought, end: float) -> Brought:
        """What came of one parcel."""
        so_far = Brought()
        for status, _ in given:
            more = goes_on(status, self.peer, self.service)
            so_far = Brought(_suboperations(status, "Completed", "Warning"), _suboperations(status, "Failed"))
            self.told(before + so_far)
            if more and time.monotonic() > end:
                self.association.abort()
                raise Unreachable(f"{self.peer} has not sent everything within {self.limit_s:.0f} s")
        return so_far


def _suboperations(status: Dataset, *kinds: str) -> int:
    return sum(int(status.get(f"NumberOf{kind}Suboperations", 0) or 0) for kind in kinds)
