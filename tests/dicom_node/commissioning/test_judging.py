"""A SEG that came back, and everything that may be wrong with it.

dicom_node.phantoms.against_truth measures, dicom_node.commissioning.record is what is found.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from commissioned import seg_of, small_case, written
from pydicom.dataset import Dataset
from reviewing import FOUND, GONE

from dicom_node.commissioning.judging import Expected, agreed, agreement, judged
from dicom_node.commissioning.record import Check

CASE = small_case()


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, Path]:
    """The SEG as the node has made it, and its file."""
    folder = tmp_path_factory.mktemp("ours")
    seg = seg_of(CASE, FOUND, folder)
    return seg, written(seg, folder / "seg.dcm")


def of(checks: list[Check], name: str) -> Check:
    (found,) = [check for check in checks if check.name == name]
    return found


def test_what_comes_back_as_it_was_sent_passes_every_check(ours: tuple[Dataset, Path]) -> None:
    checks = judged([ours[1]], [ours[1]], CASE)
    assert [check.passed for check in checks] == [True] * 4, checks
    assert "Liver tumour 1" in of(checks, "names of segments").words
    assert f"{np.count_nonzero(FOUND)} voxels" in of(checks, "voxels as they were sent").words


def renamed(seg: Dataset) -> None:
    seg.SegmentSequence[0].SegmentLabel = "Spleen"


def moved(seg: Dataset) -> None:
    for group in seg.PerFrameFunctionalGroupsSequence:
        place = group.PlanePositionSequence[0]
        place.ImagePositionPatient = [float(v) + 0.4 for v in place.ImagePositionPatient]


def mirrored(seg: Dataset) -> None:
    orientation = seg.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0]
    orientation.ImageOrientationPatient = [-float(v) for v in orientation.ImageOrientationPatient]


def of_somebody_else(seg: Dataset) -> None:
    seg.PatientID = "P-1845"


def in_another_frame(seg: Dataset) -> None:
    seg.FrameOfReferenceUID = "1.2.3"


def with_a_voxel_more(seg: Dataset) -> None:
    seg.PixelData = bytes([seg.PixelData[0] ^ 1, *seg.PixelData[1:]])


@pytest.mark.parametrize(
    ("harm", "name", "words"),
    [
        (renamed, "names of segments", "what came back names"),
        (moved, "lies where it was drawn", "within 0.6928 mm"),
        (mirrored, "lies where it was drawn", "mm of the images'"),
        (of_somebody_else, "belongs to the images", "another Patient ID"),
        (in_another_frame, "belongs to the images", "another frame of reference"),
        (with_a_voxel_more, "voxels as they were sent", "1 voxels are not what the node has sent"),
    ],
)
def test_what_was_changed_on_the_way_is_told(
    ours: tuple[Dataset, Path], tmp_path: Path, harm: Callable[[Dataset], None], name: str, words: str
) -> None:
    seg = seg_of(CASE, FOUND, tmp_path)
    harm(seg)
    check = of(judged([written(seg, tmp_path / "back.dcm")], [ours[1]], CASE), name)
    assert not check.passed
    assert words in check.words


def test_each_region_is_compared_with_the_truth_and_with_what_the_model_reaches(tmp_path: Path) -> None:
    lacking = FOUND.copy()
    lacking[GONE] = 1
    path = written(seg_of(CASE, lacking, tmp_path), tmp_path / "seg.dcm")
    liver, tumour = agreement([path], CASE, Expected({"liver": 0.97, "liver tumour": 0.95}, 0.1))
    assert (liver.region, liver.mean, liver.least) == ("Liver", 0.97, 0.87)
    true, found = np.count_nonzero(FOUND == 2), np.count_nonzero(lacking == 2)
    assert tumour.dice == pytest.approx(2 * found / (true + found))
    check = agreed([liver, tumour])
    assert not check.passed
    assert check.words == f"Liver tumour {tumour.dice:.3f}, expected at least 0.850"
    assert agreed(agreement([path], CASE, Expected({}, 0.1))).passed, "of another model nobody knows what to expect"


def test_nothing_found_is_compared_as_well() -> None:
    liver, _ = agreement([], CASE, Expected({"liver": 0.97}, 0.25))
    assert liver.dice == 0.0


def test_a_segment_of_another_task_is_told_and_compared_no_further(ours: tuple[Dataset, Path], tmp_path: Path) -> None:
    seg = seg_of(CASE, FOUND, tmp_path)
    seg.SegmentSequence[1].SegmentedPropertyTypeCodeSequence[0].CodeValue = "78961009"  # spleen
    checks = judged([written(seg, tmp_path / "back.dcm")], [ours[1]], CASE)
    assert "no structure of the task: Liver tumour 1" in of(checks, "names of segments").words
    assert "voxels as they were sent" not in {check.name for check in checks}
