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

        return _Transfer(association, peer, "C-MOVE", limit_s, told, silence_s=limit_s).run(parcels, ask)


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
        transfer = _Transfer(association, peer, "C-GET", limit_s, told, silence_s=ANSWER_S)

        def keep_in_time(event: Event) -> int:
            status = store(event)
            transfer.watch()  # here too: a peer need not say how far it is (PS3.4 C.4.3.2.2)
            return status

        association.bind(evt.EVT_C_STORE, keep_in_time)

        def ask(parcel: Parcel) -> Iterator[tuple[Dataset, Dataset | None]]:
            return association.send_c_get(parcel.identifier(), model)

        return transfer.run(parcels, ask)


class _Transfer:
    """The requests of one retrieval, one after the other; its time begins when it is made."""

    def __init__(
        self, association: Association, peer: Peer, service: str, limit_s: float, told: Told, *, silence_s: float
    ) -> None:
        self._association, self._peer, self._service = association, peer, service
        self._limit_s, self._silence_s, self._told = limit_s, silence_s, told
        self._end = time.monotonic() + limit_s

    def run(
        self, parcels: Sequence[Parcel], ask: Callable[[Parcel], Iterator[tuple[Dataset, Dataset | None]]]
    ) -> Brought:
        """What came of all parcels; one that the peer could send in part is no error, its caller counts anew.

        One that it cannot or will not send keeps no other from being asked for, and is raised in the end.
        """
        total = Brought()
        troubles: list[PeerError] = []
        for parcel in parcels:
            self.watch()
            if not self._association.is_established:
                raise self._late()
            try:
                total += self._answers(ask(parcel), total)
            except PeerError as trouble:
                if not self._association.is_established:
                    raise
                troubles.append(trouble)
        if troubles:
            raise troubles[0]
        return total

    def watch(self) -> None:
        """Let the peer be silent for no longer than there is time; end the association where there is none left."""
        left_s = self._end - time.monotonic()
        self._association.dimse_timeout = min(self._silence_s, max(left_s, 0.0))
        if left_s <= 0 and self._association.is_established:
            self._association.abort()

    def _answers(self, given: Iterator[tuple[Dataset, Dataset | None]], before: Brought) -> Brought:
        """What came of one parcel."""
        so_far = Brought()
        for status, _ in given:
            if "Status" not in status and time.monotonic() >= self._end:
                raise self._late()
            more = goes_on(status, self._peer, self._service)
            so_far = Brought(_suboperations(status, "Completed", "Warning"), _suboperations(status, "Failed"))
            self._told(before + so_far)
            if more:
                self.watch()
        return so_far

    def _late(self) -> Unreachable:
        return Unreachable(f"{self._peer} has not sent everything within {self._limit_s:.0f} s")


def _suboperations(status: Dataset, *kinds: str) -> int:
    return sum(int(status.get(f"NumberOf{kind}Suboperations", 0) or 0) for kind in kinds)
