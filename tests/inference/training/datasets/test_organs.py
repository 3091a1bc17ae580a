"""CTs with masks of an organ: each gets lesions of its own, inside the organ and nowhere else, the same every time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from miniatures import SMALL_LESIONS, draw, grid_of, write_image, write_organs

from inference.errors import BadCase, WrongFolder
from inference.tasks import LIVER_TUMOUR, LUNG_NODULE
from inference.training.datasets import DataSet, build
from inference.volume import Grid, Spacing

ORGANS = {"kind": "organs", "task": "liver_tumour", "folder": ".", "lesions": SMALL_LESIONS}


def opened(folder: Path, lesions: dict[str, object] | None = None, **changes: object) -> DataSet:
    return build(ORGANS | {"lesions": SMALL_LESIONS | (lesions or {})} | changes).open(folder)


@pytest.mark.parametrize("ending", [".nii.gz", ".nii", ".mhd", ".mha"])
def test_a_scan_gets_lesions_in_its_organ_and_stays_as_it_was_elsewhere(ending: str, tmp_path: Path) -> None:
    drawn = {n: draw(LIVER_TUMOUR, n) for n in (0, 1)}
    write_organs(tmp_path, drawn, ending)
    data = opened(tmp_path)
    assert [ref.case_id for ref in data.cases()] == ["scan-0", "scan-1"]
    for ref, one in zip(data.cases(), drawn.values(), strict=True):
        case, organ = data.read(ref), one.truth > 0
        np.testing.assert_array_equal(case.truth > 0, organ)
        assert set(np.unique(case.truth[organ])) == {1, 2}
        assert case.grid.matches(one.grid, 1e-3)
        hu = case.volumes["CT"].array
        np.testing.assert_array_equal(hu[~organ], one.volumes["CT"].array[~organ])
        assert np.median(hu[case.truth == 2]) < np.median(hu[case.truth == 1]) - 40
        assert case.notes[0].startswith("Its lesions are procedural: ")


def test_no_two_scans_get_the_same_lesions(tmp_path: Path) -> None:
    twin = draw(LIVER_TUMOUR, 0)
    write_organs(tmp_path, {0: twin, 2: twin})
    one, other = (opened(tmp_path).read(ref).truth for ref in opened(tmp_path).cases())
    assert not np.array_equal(one, other)


def test_some_scans_stay_healthy(tmp_path: Path) -> None:
    drawn = draw(LIVER_TUMOUR, 0)
    write_organs(tmp_path, dict.fromkeys(range(0, 20, 2), drawn))
    data = opened(tmp_path, {"share": 0.5})
    diseased = [bool((data.read(ref).truth == 2).any()) for ref in data.cases()]
    assert 1 < sum(diseased) < 9


def test_an_organ_that_the_task_has_no_label_for_is_no_truth(tmp_path: Path) -> None:
    drawn = draw(LUNG_NODULE, 0)
    write_image(np.full(drawn.grid.shape, -850, np.int16), drawn.grid, tmp_path / "chest.nii.gz")
    write_image(drawn.truth, drawn.grid, tmp_path / "chest_lungs.nii.gz")
    data = opened(tmp_path, {"label": 1, "within": None}, task="lung_nodule")
    case = data.read(data.cases()[0])
    assert set(np.unique(case.truth)) == {0, 1}
    assert not case.truth[drawn.truth == 0].any()


def test_an_organ_is_found_by_its_name_and_number_among_others(tmp_path: Path) -> None:
    drawn = draw(LIVER_TUMOUR, 1)
    write_organs(tmp_path, {1: drawn})
    scan = tmp_path / "scan-1"
    organs = np.where(drawn.truth > 0, 5, 1).astype(np.uint8)
    write_image(organs, drawn.grid, scan / "segmentations" / "abdomen.nii.gz")
    data = opened(tmp_path, organ="abdomen", organ_labels=[5, 6])
    np.testing.assert_array_equal(data.read(data.cases()[0]).truth > 0, drawn.truth > 0)
    with pytest.raises(BadCase, match=r"abdomen\.nii\.gz holds no voxel of the labels 7: it shows no abdomen"):
        opened(tmp_path, organ="abdomen", organ_labels=[7]).read(data.cases()[0])


def test_what_a_case_lacks_is_named(tmp_path: Path) -> None:
    write_organs(tmp_path, {n: draw(LIVER_TUMOUR, n) for n in range(3)})
    (tmp_path / "scan-0_liver.nii.gz").unlink()
    (tmp_path / "scan-1" / "ct.nii.gz").unlink()
    data = opened(tmp_path)
    refs = {ref.case_id: ref for ref in data.cases()}
    with pytest.raises(BadCase, match="the mask of its liver is missing"):
        data.read(refs["scan-0"])
    write_organs(tmp_path, {4: draw(LIVER_TUMOUR, 4)})
    (tmp_path / "scan-4.nii.gz").unlink()
    with pytest.raises(BadCase, match=r"scan-4\.nii\.gz \(CT\) is missing"):
        data.read(next(ref for ref in data.cases() if ref.case_id == "scan-4"))


@pytest.mark.parametrize(("grid", "mask", "sentence"), [
    (grid_of(spacing=Spacing(2.5, 1.2, 1.3)), 1, r"scan-0_liver\.nii\.gz does not lie on its image"),
    (grid_of(), 0, r"holds no voxel but 0: it shows no liver"),
    (grid_of(), np.nan, "NaN"),
])  # fmt: skip
def test_a_mask_that_is_none_is_refused(grid: Grid, mask: float, sentence: str, tmp_path: Path) -> None:
    write_organs(tmp_path, {0: draw(LIVER_TUMOUR, 0)})
    write_image(np.full(grid.shape, mask, np.float32), grid, tmp_path / "scan-0_liver.nii.gz")
    data = opened(tmp_path)
    with pytest.raises(BadCase, match=sentence):
        data.read(data.cases()[0])


def test_lesions_that_find_no_room_are_told(tmp_path: Path) -> None:
    write_organs(tmp_path, {0: draw(LIVER_TUMOUR, 0)})
    data = opened(tmp_path, {"tissue_hu": [-900, -800]})
    with pytest.raises(BadCase, match="no lesion found room in its liver"):
        data.read(data.cases()[0])


def test_other_lesions_are_another_truth(tmp_path: Path) -> None:
    write_organs(tmp_path, {0: draw(LIVER_TUMOUR, 0)})
    ref = opened(tmp_path).cases()[0]
    changes = ({}, {"lesions": {"median_mm": 4}}, {"lesions_per_case": [2, 2]}, {"organ_labels": [1]})
    assert len({opened(tmp_path, **change).fingerprint(ref) for change in changes}) == len(changes)


def test_a_folder_without_masks_is_said(tmp_path: Path) -> None:
    write_image(np.zeros(grid_of().shape, np.int16), grid_of(), tmp_path / "volume-3.nii")
    with pytest.raises(WrongFolder, match=r"looked for CASE\.nii\.gz with CASE_liver\.nii\.gz.*LiTS's layout"):
        opened(tmp_path).cases()


def test_a_mask_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    write_organs(tmp_path, {1: draw(LIVER_TUMOUR, 1)})
    write_image(np.zeros(grid_of().shape, np.int16), grid_of(), tmp_path / "scan-1" / "liver.nii")
    with pytest.raises(WrongFolder, match="twice"):
        opened(tmp_path).cases()
