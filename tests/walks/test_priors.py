"""One patient at three dates: the node compares each study with the one before, and says what became of every lesion.

So it does where two of them are sent together: the later one waits for the earlier.

The drawn patient is moved, turned and scanned otherwise between the dates; one lesion grows, one shrinks, one comes,
one goes, and two neighbours lie where a nearest-place match would swap them.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from bright_conf import routes
from drawn_patient import DATES, LESIONS, PATIENT, THRESHOLD_HU, Visit, body_of, drawn_at, true_ml, visit_of
from pydicom import dcmread
from pydicom.dataset import Dataset
from running_node import MakeNode, RunningNode

from inference.followup.history import from_plain
from inference.transforms.geometry import crop
from inference.writers.dicom_series import Acquisition, Patient, StudyDetails, write_series

pytestmark = [pytest.mark.timeout(1200), pytest.mark.slow]

MODELS = f"models:\n  bright: {{task: liver_tumour, kind: threshold, lower: {THRESHOLD_HU}, upper: 3000, label: 2}}\n"
QUIET_HU = 4.0  # noise so low that no bone passes the threshold
ADA = Patient("A-1", "Lovelace^Ada", "18151210", "F")
ADAS_SON = Patient("A-3", "Noel^Byron", "18360512", "M")
ADAS_DAUGHTER = Patient("A-2", "Noel^Anne", "18370922", "F")


class Seen(NamedTuple):
    """One study as it came back."""

    uid: str
    seg: Dataset
    visit: Visit

    def tracked(self) -> dict[str, str]:
        """Tracking UID by segment label."""
        return {str(s.SegmentLabel): str(s.TrackingUID) for s in self.seg.SegmentSequence}

    def drawn(self) -> dict[str, str]:
        """Which lesion was drawn where each segment lies, by tracking UID."""
        names = {}
        for number, segment in enumerate(self.seg.SegmentSequence, start=1):
            names[str(segment.TrackingUID)] = drawn_at(self._centre(number), self.visit.motion)
        return names

    def _centre(self, segment: int) -> np.ndarray:
        grid, found = self.visit.volume.grid, []
        for group, frame in zip(self.seg.PerFrameFunctionalGroupsSequence, self.seg.pixel_array, strict=True):
            if group.SegmentIdentificationSequence[0].ReferencedSegmentNumber == segment:
                z = grid.to_index([float(v) for v in group.PlanePositionSequence[0].ImagePositionPatient])[0]
                found += [(z, y, x) for y, x in np.argwhere(frame)]
        return np.asarray(grid.to_lps(np.array(found)).mean(axis=0))


@pytest.fixture(scope="module")
def visits() -> list[Visit]:
    body = body_of(1, PATIENT)
    return [visit_of(number, body, QUIET_HU) for number in range(len(DATES))]


@pytest.fixture(scope="module")
def node(make_shared_node: MakeNode) -> RunningNode:
    return make_shared_node(routes=routes("seg", "sr"), models=MODELS)


def send(node: RunningNode, visit: Visit, number: int, folder: Path, patient: Patient = ADA) -> str:
    study = StudyDetails.of(f"visit {number} {patient.name}", patient=patient, date=DATES[number].strftime("%Y%m%d"))
    node.send(write_series(visit.volume, Acquisition.ct(study), folder))
    return study.study_instance_uid


def test_lesions_are_followed_over_three_dates(node: RunningNode, visits: list[Visit], tmp_path: Path) -> None:
    seen = []
    for number, visit in enumerate(visits):
        uid = send(node, visit, number, tmp_path / str(number))
        view = node.until_delivered(uid)
        made = {result["kind"]: result["sop_instance_uid"] for result in view["results"]}
        kept = {one.sop_instance_uid: one.path for one in node.archive.kept()}
        seen.append(Seen(uid, dcmread(kept[made["seg"]]), visit))

    # Every match is right: one tracking UID is one lesion at all dates, and the twins are not swapped.
    names: dict[str, set[str]] = {}
    for one in seen:
        for uid, name in one.drawn().items():
            names.setdefault(uid, set()).add(name)
    assert len(names) == len(LESIONS)
    assert sorted(name for found in names.values() for name in found) == sorted(LESIONS)

    # A lesion keeps its number; who comes later gets one that nobody had.
    label_of = [{uid: label for label, uid in one.tracked().items()} for one in seen]
    for before, after in ((0, 1), (1, 2), (0, 2)):
        shared = label_of[before].keys() & label_of[after].keys()
        assert {label_of[before][uid] for uid in shared} == {label_of[after][uid] for uid in shared}
        assert all(label_of[before][uid] == label_of[after][uid] for uid in shared)
    assert len({label for one in label_of for label in one.values()}) == len(LESIONS)

    # New, vanished, volumes: as the last job keeps them for the next.
    drawn = {uid: next(iter(found)) for uid, found in names.items()}
    with node.database.reading() as tx:
        (job,) = tx.jobs.of_study(seen[-1].uid)
    points = from_plain(job.summary["trend"]["history"])
    assert [point.taken for point in points] == list(DATES)
    assert [{drawn[uid] for uid in point.new} for point in points] == [set(), {"appears"}, set()]
    assert [{drawn[uid] for uid in point.vanished} for point in points] == [set(), set(), {"vanishes"}]
    for number, point in enumerate(points):
        assert {drawn[uid] for uid in point.seen} == {name for name, (_, radii) in LESIONS.items() if radii[number]}
        for uid, lesion in point.seen.items():
            assert lesion.size.volume_ml == pytest.approx(true_ml(drawn[uid], number), rel=0.03)

    # Said where a person looks, with its evidence.
    assert node.journal(seen[0].uid, "compared") == []
    assert [node.journal(one.uid, "compared")[0].rpartition("lesions: ")[2] for one in seen[1:]] == [
        "6 matched, 1 new",
        "6 matched, 1 vanished",
    ]


def test_two_dates_that_are_sent_together_are_compared_all_the_same(
    node: RunningNode, visits: list[Visit], tmp_path: Path
) -> None:
    few = [one._replace(volume=crop(one.volume, np.s_[100:130, :, :])) for one in visits[:2]]
    before, now = (send(node, one, number, tmp_path / str(number), ADAS_SON) for number, one in enumerate(few))
    node.until_delivered(now)
    assert len(node.journal(now, "compared")) == 1
    assert node.journal(now, "prior not used") == []
    with node.database.reading() as tx:
        (job,) = tx.jobs.of_study(now)
    assert job.parameters["prior"]["study"] == before


def test_a_patient_of_the_same_id_and_another_birth_date_is_nobodys_prior(
    node: RunningNode, visits: list[Visit], tmp_path: Path
) -> None:
    few = visits[0]._replace(volume=crop(visits[0].volume, np.s_[100:130, :, :]))  # with lesions in them
    node.until_delivered(send(node, few, 0, tmp_path / "other", replace(ADAS_DAUGHTER, birth_date="18370923")))
    uid = send(node, few, 1, tmp_path / "own", ADAS_DAUGHTER)
    node.until_delivered(uid)
    assert node.journal(uid, "compared") == []
    (refusal,) = node.journal(uid, "prior refused")
    assert "birth date" in refusal
