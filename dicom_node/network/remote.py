"""An archive that is asked whether a study is here in full, and brings what is not.

Only images count: reports, presentation states and segmentations that an archive has gathered since are no gap.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from pydicom.uid import UID, CTImageStorage, EnhancedCTImageStorage, EnhancedMRImageStorage, MRImageStorage
from pynetdicom.association import Association

from dicom_node.network.contexts import STORAGE_CLASSES
from dicom_node.network.peer import Peer
from dicom_node.network.query import Asking, Brought, Parcel, SeriesAnswer, Told, asking, get, move
from dicom_node.network.receive import Receiver
from dicom_node.network.register import OpenAssociation, Register
from storage.database import Database
from storage.records import InstanceKind

UIDS_AT_ONCE = 100  # UIDs in one request; a data set element of explicit VR holds 64 KiB, and peers less
NO_IMAGES = frozenset(
    {"SEG", "SR", "PR", "KO", "DOC", "RTSTRUCT", "RTPLAN", "RTDOSE", "RTRECORD", "REG", "FID", "AU", "ECG", "PLAN"}
)
LIKELY_CLASSES = (CTImageStorage, MRImageStorage, EnhancedCTImageStorage, EnhancedMRImageStorage)


@dataclass(frozen=True)
class Held:
    """What is here of a study: its images by series, and every instance that is known, of whatever kind."""

    images: Mapping[str, Collection[str]] = field(default_factory=dict)
    known: Collection[str] = frozenset()


@dataclass(frozen=True)
class Gap:
    """Images of one series that are not here: their number, and each with its SOP class where the peer lists them."""

    series_instance_uid: str
    number: int
    here: int = 0  # images of the series that are here
    sop_class_uids: Mapping[str, str] = field(default_factory=dict)  # by SOP instance UID

    def after(self, held: Held) -> Gap:
        """What is left of it now that `held` is here."""
        here = len(held.images.get(self.series_instance_uid, ()))
        if not self.sop_class_uids:
            return replace(self, number=max(0, self.number + self.here - here), here=here)
        left = {uid: sop_class for uid, sop_class in self.sop_class_uids.items() if uid not in held.known}
        return replace(self, number=len(left), here=here, sop_class_uids=left)


@dataclass(frozen=True)
class Survey:
    """How many images a peer holds of a study, and what of them is not here."""

    expected: int
    gaps: tuple[Gap, ...] = ()

    @property
    def missing(self) -> int:
        return sum(gap.number for gap in self.gaps)

    def after(self, held: Held) -> Survey:
        """What is left of it now that `held` is here."""
        left = (gap.after(held) for gap in self.gaps)
        return replace(self, gaps=tuple(gap for gap in left if gap.number))


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
    """One peer, asked under our own AE title; what it sends by C-GET goes to `receiver`."""

    peer: Peer
    our_aet: str
    receiver: Receiver | None = None

    def __str__(self) -> str:
        return str(self.peer)

    def survey(self, study_uid: str, held: Held) -> Survey:
        """Compare a study with what is here; `Unreachable`, or `Refused` where the peer does not answer C-FIND.

        A series whose count agrees is not looked at further; of the others the instances are listed.
        """
        with asking(self.peer, self.our_aet) as ask:
            compared = [_compared(ask, study_uid, series, held) for series in ask.series(study_uid)]
        return Survey(sum(number for number, _ in compared), tuple(gap for _, gap in compared if gap))

    def retrieve(self, study_uid: str, survey: Survey, how: str, limit_s: float, told: Told) -> Brought:
        """Bring what `survey` found missing, `how` is move or get; `Unreachable` or `Refused`."""
        parcels = list(_parcels(study_uid, survey.gaps))
        if how == "move" or self.receiver is None:
            return move(self.peer, self.our_aet, parcels, limit_s, told)
        classes = dict.fromkeys(uid for gap in survey.gaps for uid in gap.sop_class_uids.values() if uid)
        keep = (tuple(classes) or LIKELY_CLASSES, self.receiver.store)
        return get(self.peer, self.our_aet, parcels, keep, limit_s, told)


def _compared(ask: Asking, study_uid: str, series: SeriesAnswer, held: Held) -> tuple[int, Gap | None]:
    """How many images the peer holds of a series, and which of them are not here."""
    uid = series.series_instance_uid
    here = len(held.images.get(uid, ()))
    if series.modality in NO_IMAGES:
        return 0, None
    if series.instances is not None and series.instances == here:
        return here, None
    listed = ask.instances(study_uid, uid)
    images = {one.sop_instance_uid: one.sop_class_uid for one in listed if _is_image(one.sop_class_uid)}
    if not listed:  # it counts, but does not list
        number = max(0, (series.instances or 0) - here)
        return series.instances or 0, Gap(uid, number, here) if number else None
    lacking = {sop: images[sop] for sop in images if sop not in held.known}
    return len(images), Gap(uid, len(lacking), here, lacking) if lacking else None


def _is_image(sop_class_uid: str) -> bool:
    return not sop_class_uid or STORAGE_CLASSES.get(UID(sop_class_uid)) is InstanceKind.IMAGE


def _parcels(study_uid: str, gaps: Iterable[Gap]) -> Iterator[Parcel]:
    """The requests that bring `gaps`: a series of which nothing is here as a whole, of others what is missing."""
    for gap in gaps:
        uids = list(gap.sop_class_uids)
        if not gap.here or not uids:
            yield Parcel(study_uid, gap.series_instance_uid)
            continue
        for start in range(0, len(uids), UIDS_AT_ONCE):
            yield Parcel(study_uid, gap.series_instance_uid, tuple(uids[start : start + UIDS_AT_ONCE]))
