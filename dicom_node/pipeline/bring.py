"""What one earlier study holds of ours is brought here: its segmentations, and then the images that they were made of.

What is here already is not brought twice. The rest comes as a prior: it is kept, and nothing is made of it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from dicom_node.errors import Unreachable
from dicom_node.network.earlier import EarlierStudy
from dicom_node.network.retrieve import Brought, Told
from dicom_node.network.survey import Gap, Survey
from dicom_node.objects.corrected import BadSegmentation, Segmentation, read_segmentation
from dicom_node.pipeline.priors import contradictions
from dicom_node.pipeline.provenance import provenance_of
from dicom_node.routing.geometry import geometry_of
from storage.archive import Archive as Files
from storage.arriving.recalls import Prior
from storage.database import Database
from storage.errors import BadIdentifier
from storage.identifiers import check_uid
from storage.lifecycle import StudyState
from storage.records import Instance, InstanceKind

log = logging.getLogger(__name__)

MAX_CITED = 20_000  # images of one segmentation; more are not believed


class Sender(Protocol):
    """Who sends what we ask for; `Unreachable` and `Refused` as everywhere."""

    def retrieve(self, study_uid: str, survey: Survey, how: str, limit_s: float, told: Told) -> Brought: ...


@dataclass(frozen=True)
class Gathered:
    """What one study gave: priors, why others were left out, and how many of its objects name another patient.

    `failed` is how many objects the sender says that it could not send.
    """

    priors: tuple[Prior, ...] = ()
    left_out: tuple[str, ...] = ()
    strangers: int = 0
    failed: int = 0

    @property
    def wants(self) -> bool:
        """Whether another attempt may give what this one has not."""
        return self.failed > 0 and (not self.priors or bool(self.left_out))


@dataclass(frozen=True)
class _Seg:
    """A segmentation of ours that is here, and what it says that it was made of."""

    uid: str
    task: str
    made: str
    series: str
    cited: frozenset[str]


@dataclass(frozen=True)
class Bring:
    """Brings what `sender`, whom node.yaml calls `peer`, holds of the patient, until the clock strikes `until`.

    `header` is that of the study that is to be compared. What comes must name the same patient as surely as it has to
    when results are compared, whatever the sender said of it before. `device_uids` are those of our models.
    """

    database: Database
    files: Files
    sender: Sender
    peer: str
    how: str
    header: Mapping[str, Any] = field(repr=False)
    until: float
    device_uids: frozenset[str] = frozenset()
    revision: int = 0
    clock: Callable[[], float] = time.time

    def of(self, study: EarlierStudy) -> Gathered:
        """The results of ours in `study`, of each task the newest; PeerError where it cannot be asked for them."""
        uid = study.study_instance_uid
        failed = self._fetch(uid, self._segmentation_gaps(study))
        here = self._here(uid)
        segs, left_out, strangers = self._ours(study, here)
        failed += self._fetch(uid, _image_gaps(segs, here))
        here, priors = self._here(uid), []
        for seg in segs:
            try:
                instances = _ordered(seg, here, self.peer)
            except BadSegmentation as bad:
                left_out.append(str(bad))
            else:
                priors.append(Prior(uid, seg.uid, seg.series, instances, seg.task, study.date, seg.made))
        return Gathered(tuple(priors), tuple(left_out), strangers, failed)

    def _segmentation_gaps(self, study: EarlierStudy) -> list[Gap]:
        """Segmentations that are not here; what this node made and still holds is found without an archive."""
        with self.database.reading() as tx:
            known = {instance for _, instance, _ in tx.studies.known(study.study_instance_uid)}
            for uid in {uid for listed in study.segmentations.values() for uid in listed} - known:
                result = tx.results.find(uid)
                if result is not None and result.removed_at is None:
                    known.add(uid)
        gaps = []
        for series, listed in study.segmentations.items():
            lacking = {uid: sop_class for uid, sop_class in listed.items() if uid not in known}
            if lacking:
                gaps.append(Gap(series, len(lacking), len(listed) - len(lacking), lacking))
        return gaps

    def _fetch(self, study_uid: str, gaps: Sequence[Gap]) -> int:
        """Have the sender send what is lacking; how many it could not, the rest is for others to look at."""
        if not gaps:
            return 0
        left_s = self.until - self.clock()
        if left_s <= 0:
            raise Unreachable(f"{self.peer} was not asked for everything in time")
        with self.database.transaction() as tx:
            before = tx.studies.find(study_uid)
            tx.fetches.mark_prior(study_uid, self.peer, self.clock())
        try:
            survey = Survey(sum(gap.number for gap in gaps), tuple(gaps))
            return self.sender.retrieve(study_uid, survey, self.how, left_s, lambda _: None).failed
        finally:
            if before is None or before.state is StudyState.REMOVED:
                self._tell_kept(study_uid)

    def _tell_kept(self, study_uid: str) -> None:
        with self.database.transaction() as tx:
            study = tx.studies.find(study_uid)
            if study is not None and study.state is StudyState.NOT_ROUTED:
                text = "kept as a prior of another study; it is not routed"
                tx.journal.add(self.clock(), "kept as prior", text, study=study_uid, revision=self.revision)

    def _here(self, study_uid: str) -> Mapping[str, Instance]:
        """What is held of the study by UID, without what a rejection note names."""
        with self.database.reading() as tx:
            found = tx.studies.instances(study_uid=study_uid, rejected=False)
        return {instance.sop_instance_uid: instance for instance in found}

    def _ours(self, study: EarlierStudy, here: Mapping[str, Instance]) -> tuple[list[_Seg], list[str], int]:
        """The newest segmentations of ours of each task; why others were left out; how many are of a stranger."""
        segs: list[_Seg] = []
        left_out: list[str] = []
        strangers = 0
        listed = [uid for uids in study.segmentations.values() for uid in uids if uid in here]
        for instance in (here[uid] for uid in listed):
            known = instance.kind is InstanceKind.RESULT
            with self.files.local([instance.file]) as (path,):
                said = provenance_of(path, instance.transfer_syntax_uid, known=known, device_uids=self.device_uids)
                if not said.task or said.probabilities:
                    continue
                same_id = said.patient.get("PatientID", "") == str(self.header.get("PatientID") or "").strip()
                if not same_id or contradictions(self.header, said.patient):
                    strangers += 1
                    continue
                try:
                    series, cited = _sources(read_segmentation(path), study.series)
                    segs.append(_Seg(instance.sop_instance_uid, said.task, said.made, series, cited))
                except BadSegmentation as bad:
                    left_out.append(str(bad))
        newest = {seg.task: max(one.made for one in segs if one.task == seg.task) for seg in segs}
        return [seg for seg in segs if seg.made == newest[seg.task]], left_out, strangers


def _sources(seg: Segmentation, series: frozenset[str]) -> tuple[str, frozenset[str]]:
    """The one series of the study that a machine's segmentation cites, and its instances; BadSegmentation."""
    if not seg.automatic:
        raise BadSegmentation("a person has had a hand in it")
    named = sorted(seg.cites & series)
    if len(named) != 1:
        raise BadSegmentation(f"it was made of {len(named)} series of its study, not of one")
    cited = frozenset(uid for uid in seg.cites - series if _is_uid(uid))
    if not cited or len(cited) > MAX_CITED:
        raise BadSegmentation(f"it cites {len(cited)} images")
    return named[0], cited


def _image_gaps(segs: Sequence[_Seg], here: Mapping[str, Instance]) -> list[Gap]:
    cited: dict[str, set[str]] = {}
    for seg in segs:
        cited.setdefault(seg.series, set()).update(seg.cited)
    gaps = []
    for series, uids in cited.items():
        lacking = dict.fromkeys(sorted(uids - here.keys()), "")
        if lacking:
            held = sum(instance.series_instance_uid == series for instance in here.values())
            gaps.append(Gap(series, len(lacking), held, lacking))
    return gaps


def _ordered(seg: _Seg, here: Mapping[str, Instance], peer: str) -> tuple[str, ...]:
    """The images that a segmentation was made of, in slice order as the index tells it."""
    images = [
        here[uid]
        for uid in sorted(seg.cited & here.keys())
        if here[uid].series_instance_uid == seg.series and here[uid].kind is InstanceKind.IMAGE
    ]
    if len(images) < len(seg.cited):
        lacking = len(seg.cited) - len(images)
        raise BadSegmentation(f"{peer} has not sent {lacking} of the {len(seg.cited)} images that it was made of")
    geometry = geometry_of([image.header | {"SOPInstanceUID": image.sop_instance_uid} for image in images])
    if set(geometry.sop_instance_uids) != seg.cited:
        raise BadSegmentation("the images that it was made of make no volume")
    return geometry.sop_instance_uids


def _is_uid(text: str) -> bool:
    try:
        check_uid(text)
    except BadIdentifier:
        return False
    return True
