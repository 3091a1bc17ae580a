"""What came back, judged: is it the patient's, does it lie in the right place, is it what was sent, how good is it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicom_node.commissioning.expected import least
from dicom_node.commissioning.record import Agreement, Check
from dicom_node.objects.decode import segments_seen
from dicom_node.phantoms.against_truth import labels_in, scores
from inference.phantom import PhantomCase
from inference.tasks import TASKS

TOLERANCE_MM = 0.05  # decimal strings hold 16 characters (PS3.5 6.2)


@dataclass(frozen=True)
class Expected:
    """Mean Dice of the model by region, and how far below it one phantom may lie."""

    means: dict[str, float]
    tolerance: float


def judged(segs: Sequence[Path], sent: Sequence[Path], case: PhantomCase) -> list[Check]:
    """Checks of the SEGs that came back, beside what the node has sent and what the scanner has."""
    back, ours = [dcmread(path) for path in segs], [dcmread(path) for path in sent]
    checks = [_patient(back, case), _names(back, ours, case), _place(back, case)]
    if all(check.passed for check in checks):
        checks.append(_unchanged(segs, sent, case))
    return checks


def agreement(segs: Sequence[Path], case: PhantomCase, expected: Expected) -> list[Agreement]:
    """Each region of the task beside the truth; without a SEG nothing was found."""
    return [
        Agreement(*one, *least(expected.means, one.region, expected.tolerance))
        for one in scores(labels_in(segs, case), case)
    ]


def agreed(found: Sequence[Agreement]) -> Check:
    """Whether every region reaches the least that is expected of it."""
    low = [f"{one.region} {one.dice:.3f}, expected at least {one.least:.3f}" for one in found if not one.enough]
    known = [one for one in found if one.least is not None]
    if low:
        return Check("agrees with the truth", passed=False, words="; ".join(low))
    if not known:
        return Check("agrees with the truth", passed=True, words="measured; nothing is known of this model to expect")
    return Check("agrees with the truth", passed=True, words="every region reaches what is expected of it")


def _patient(segs: Sequence[Dataset], case: PhantomCase) -> Check:
    first = case.acquisitions[case.primary]
    wanted = {
        "Patient ID": first.study.patient.patient_id,
        "study": first.study.study_instance_uid,
        "frame of reference": case.grid.frame_of_reference_uid or first.frame_of_reference_uid,
        "series of images": first.series_instance_uid,
    }
    wrong = set()
    for seg in segs:
        told = {
            "Patient ID": str(seg.PatientID),
            "study": str(seg.StudyInstanceUID),
            "frame of reference": str(seg.get("FrameOfReferenceUID", "")),
            "series of images": _series_of(seg),
        }
        wrong |= {name for name in wanted if told[name] != wanted[name]}
    right = f"the phantom's {', '.join(wanted)}"
    words = f"another {', another '.join(sorted(wrong))}" if wrong else right
    return Check("belongs to the images", not wrong, words)


def _series_of(seg: Dataset) -> str:
    series = seg.get("ReferencedSeriesSequence") or ()
    return str(series[0].SeriesInstanceUID) if series else ""


def _names(segs: Sequence[Dataset], ours: Sequence[Dataset], case: PhantomCase) -> Check:
    known = {structure.type.value for structure in TASKS[case.task].structures}
    names = sorted(name for seg in segs for name, _ in _segments(seg))
    foreign = sorted(name for seg in segs for name, code in _segments(seg) if code not in known)
    sent = sorted(name for seg in ours for name, _ in _segments(seg))
    if foreign:
        return Check("names of segments", passed=False, words=f"no structure of the task: {', '.join(foreign)}")
    if names != sent:
        words = f"the node named {', '.join(sent)}; what came back names {', '.join(names)}"
        return Check("names of segments", passed=False, words=words)
    return Check("names of segments", passed=True, words=", ".join(names))


def _segments(seg: Dataset) -> Iterator[tuple[str, str]]:
    """Label and type code of each segment; a LABELMAP's background is none."""
    for item in seg.SegmentSequence:
        if int(item.SegmentNumber):
            yield str(item.SegmentLabel), str(item.SegmentedPropertyTypeCodeSequence[0].CodeValue)


def _place(segs: Sequence[Dataset], case: PhantomCase) -> Check:
    """The corners of every frame, in the patient, beside those of the slice that it lies on (PS3.3 C.7.6.2.1.1)."""
    name = "lies where it was drawn"
    if sizes := {(int(seg.Rows), int(seg.Columns)) for seg in segs} - {case.grid.shape[1:]}:
        return Check(name, passed=False, words=f"frames of {sorted(sizes)} on images of {case.grid.shape[1:]}")
    off = [_off_mm(corners, case) for seg in segs for corners in _corners(seg)]
    worst = max(off, default=0.0)
    words = f"corners of {len(off)} frames lie within {worst:.4f} mm of the images'"
    return Check(name, worst <= TOLERANCE_MM, words)


def _corners(seg: Dataset) -> Iterator[np.ndarray]:
    """Three corners of each frame in LPS mm: the first voxel, the last of its row, the last of its column."""
    shared = seg.SharedFunctionalGroupsSequence[0]
    for group in seg.PerFrameFunctionalGroupsSequence:
        measures = (group.get("PixelMeasuresSequence") or shared.PixelMeasuresSequence)[0]
        orientation = (group.get("PlaneOrientationSequence") or shared.PlaneOrientationSequence)[0]
        row_mm, column_mm = (float(v) for v in measures.PixelSpacing)
        cosines = np.array([float(v) for v in orientation.ImageOrientationPatient])
        origin = np.array([float(v) for v in group.PlanePositionSequence[0].ImagePositionPatient])
        along, down = cosines[:3] * column_mm * (seg.Columns - 1), cosines[3:] * row_mm * (seg.Rows - 1)
        yield np.stack([origin, origin + along, origin + down])


def _off_mm(corners: np.ndarray, case: PhantomCase) -> float:
    """How far the corners lie from those of the nearest slice of the phantom, in mm."""
    slices, rows, columns = case.grid.shape
    nearest = int(np.clip(np.rint(case.grid.to_index(corners[0])[0]), 0, slices - 1))
    there = case.grid.to_lps([(nearest, 0, 0), (nearest, 0, columns - 1), (nearest, rows - 1, 0)])
    return float(np.linalg.norm(corners - there, axis=1).max())


def _unchanged(segs: Sequence[Path], sent: Sequence[Path], case: PhantomCase) -> Check:
    """Voxel for voxel in the patient: what the archive gives back, beside what the node made."""
    back, ours = labels_in(segs, case), labels_in(sent, case)
    different = int(np.count_nonzero(back != ours))
    seen = sum(1 for path in segs for _ in segments_seen(dcmread(path)))
    if different:
        words = f"{different} voxels are not what the node has sent"
        return Check("voxels as they were sent", passed=False, words=words)
    words = f"{int(np.count_nonzero(back))} voxels in {seen} frames, each as the node has sent it"
    return Check("voxels as they were sent", passed=True, words=words)
