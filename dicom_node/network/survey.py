"""What an archive holds of a study, compared with what is here; how it is asked makes no difference.

Only images count: reports, presentation states and segmentations that an archive has gathered since are no gap.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from dicom_node.network.contexts import STORAGE_CLASSES
from dicom_node.network.query import InstanceAnswer, SeriesAnswer
from storage.records import InstanceKind

NO_IMAGES = frozenset(
    {"SEG", "SR", "PR", "KO", "DOC", "RTSTRUCT", "RTPLAN", "RTDOSE", "RTRECORD", "REG", "FID", "AU", "ECG", "PLAN"}
)


@dataclass(frozen=True)
class Held:
    """What is here of a study: its images by series, and every instance that is known, of whatever kind."""

    images: Mapping[str, Collection[str]] = field(default_factory=dict)
    known: Collection[str] = frozenset()


@dataclass(frozen=True)
class Gap:
    """Images of one series that are not here: their number, each with its SOP class where all are listed."""

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


class Lists(Protocol):
    """Who tells what an archive holds."""

    def series(self, study_uid: str) -> list[SeriesAnswer]: ...

    def instances(self, study_uid: str, series_uid: str) -> list[InstanceAnswer]: ...


def compare(ask: Lists, study_uid: str, held: Held) -> Survey:
    """Compare a study with what is here.

    A series whose count agrees is not looked at further; of the others the instances are listed.
    """
    compared = [_compared(ask, study_uid, series, held) for series in ask.series(study_uid)]
    return Survey(sum(number for number, _ in compared), tuple(gap for _, gap in compared if gap))


def _compared(ask: Lists, study_uid: str, series: SeriesAnswer, held: Held) -> tuple[int, Gap | None]:
    """How many images the peer holds of a series, and which of them are not here."""
    uid = series.series_instance_uid
    here = len(held.images.get(uid, ()))
    if series.modality in NO_IMAGES:
        return 0, None
    if series.instances is not None and series.instances == here:
        return here, None
    listed = ask.instances(study_uid, uid)
    images = {one.sop_instance_uid: one.sop_class_uid for one in listed if _is_image(one.sop_class_uid)}
    lacking = {sop: images[sop] for sop in images if sop not in held.known}
    told = {one.sop_instance_uid for one in listed}
    untold = max(0, (series.instances or 0) - len(told))
    besides = len(set(held.images.get(uid, ())) - told)
    # Many an archive ends a long list early and says that it is whole (or lists nothing). What lacks, or is here
    # besides, shows that; else its count may be one of frames, and is not waited for.
    unseen = max(0, untold - besides) if lacking or besides or not told else 0
    number = len(lacking) + unseen
    expected = len(images) + min(untold, besides) + unseen
    return expected, Gap(uid, number, here, {} if unseen else lacking) if number else None


def _is_image(sop_class_uid: str) -> bool:
    return not sop_class_uid or STORAGE_CLASSES.get(sop_class_uid) is InstanceKind.IMAGE
