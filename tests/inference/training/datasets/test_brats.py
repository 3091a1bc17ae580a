"""BraTS in the names of every release: roles, labels, patients, and what is wrong with a case."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from miniatures import BRATS_CASES, draw, grid_of, write_brats, write_image, write_lits

from inference.errors import BadCase, WrongFolder
from inference.tasks import BRAIN_TUMOUR, LIVER_TUMOUR
from inference.training.datasets.brats import Brats
from inference.volume import Spacing
from inference.writers.training_layout import write_case


@pytest.mark.parametrize("release", sorted(BRATS_CASES))
def test_a_case_comes_back_voxel_for_voxel(release: str, tmp_path: Path) -> None:
    drawn = draw(BRAIN_TUMOUR, 1)
    write_brats(tmp_path / "MICCAI" / "Training", {7: drawn}, release, ".nii" if release == "2020" else ".nii.gz")
    data = Brats(tmp_path)
    (ref,) = data.cases()
    case = data.read(ref)
    assert ref.case_id == BRATS_CASES[release].format(n=7)
    np.testing.assert_array_equal(case.truth, drawn.truth)
    assert set(np.unique(case.truth)) == {0, 1, 2, 3}
    assert case.registered
    for role, volume in drawn.volumes.items():
        np.testing.assert_array_equal(case.volumes[role].array, volume.array)
        assert case.volumes[role].grid.matches(drawn.grid, 1e-3)


@pytest.mark.parametrize(
    ("names", "patients"),
    [
        (["BraTS-GLI-00005-000", "BraTS-GLI-00005-001"], ["BraTS-GLI-00005"] * 2),
        (["BraTS19_TCIA01_131_1", "BraTS19_TCIA01_131_2"], ["BraTS19_TCIA01_131"] * 2),
        (["BraTS20_Training_001", "BraTS20_Training_002"], ["BraTS20_Training_001", "BraTS20_Training_002"]),
        (["BraTS2021_00000", "BraTS2021_00002"], ["BraTS2021_00000", "BraTS2021_00002"]),
    ],
)  # fmt: skip
def test_time_points_are_of_one_patient(names: list[str], patients: list[str], tmp_path: Path) -> None:
    for name in names:
        (tmp_path / f"{name}{'-t1c' if '-' in name else '_t1ce'}.nii.gz").touch()
    refs = Brats(tmp_path).cases()
    assert [ref.case_id for ref in refs] == names
    assert [ref.patient_id for ref in refs] == patients


def test_a_resection_cavity_is_background_and_is_said(tmp_path: Path) -> None:
    drawn = draw(BRAIN_TUMOUR, 1)
    write_brats(tmp_path, {7: drawn}, "2024")
    cavity = np.where(drawn.truth == 1, 4, drawn.truth)
    write_image(cavity, drawn.grid, tmp_path / "BraTS-GLI-00007-100" / "BraTS-GLI-00007-100-seg.nii.gz")
    data = Brats(tmp_path)
    case = data.read(data.cases()[0])
    np.testing.assert_array_equal(case.truth, np.where(drawn.truth == 1, 0, drawn.truth))
    voxels = np.count_nonzero(drawn.truth == 1)
    assert case.notes == (f"{voxels} voxels of a resection cavity (label 4) are background.",)


@pytest.mark.parametrize(
    ("release", "label", "allowed"),
    [("2023", 4, "0, 1, 2, 3"), ("2021", 3, "0, 1, 2, 4"), ("2020", 3, "0, 1, 2, 4"), ("2024", 5, "0, 1, 2, 3, 4"),
     ("2023", 260, "0, 1, 2, 3"), ("2023", -1, "0, 1, 2, 3"), ("2023", 1.5, None)],
)  # fmt: skip
def test_labels_that_a_release_does_not_have_are_named(release: str, label: float, allowed: str | None,
                                                       tmp_path: Path) -> None:
    """1/2/4 under a name of 2023, or 1/2/3 under an older one, would be enhancing tumour taken for something else."""
    drawn = draw(BRAIN_TUMOUR, 1)
    write_brats(tmp_path, {0: drawn}, release)
    ref = Brats(tmp_path).cases()[0]
    wrong = np.where(drawn.truth == 2, label, drawn.truth == 1).astype(np.float32 if label == 1.5 else np.int16)
    write_image(wrong, drawn.grid, ref.truth)
    sentence = f"labels {label}; it may hold {allowed}" if allowed else "no label map"
    with pytest.raises(BadCase, match=sentence) as caught:
        Brats(tmp_path).read(ref)
    assert ref.truth.name in str(caught.value)


def test_the_truth_that_was_published_under_a_wrong_name_is_found(tmp_path: Path) -> None:
    drawn = draw(BRAIN_TUMOUR, 1)
    write_brats(tmp_path, {355: drawn}, "2020", ".nii")
    folder = tmp_path / "BraTS20_Training_355"
    (folder / "BraTS20_Training_355_seg.nii").rename(folder / "W39_1998.09.19_Segm.nii")
    data = Brats(tmp_path)
    np.testing.assert_array_equal(data.read(data.cases()[0]).truth, drawn.truth)


def test_our_own_export_is_read(tmp_path: Path) -> None:
    drawn = draw(BRAIN_TUMOUR, 2)
    write_case(BRAIN_TUMOUR, 3, drawn.volumes, drawn.truth, tmp_path)
    data = Brats(tmp_path)
    case = data.read(data.cases()[0])
    assert (case.case_id, case.patient_id) == ("Segnode-00003-000", "Segnode-00003")
    np.testing.assert_array_equal(case.truth, drawn.truth)


@pytest.mark.parametrize(
    ("end", "sentence"),
    [("-t2w", "BraTS-GLI-00000-000-t2w (T2) is missing"), ("-seg", "its truth BraTS-GLI-00000-000-seg is missing")],
)
def test_what_a_case_lacks_is_named(end: str, sentence: str, tmp_path: Path) -> None:
    write_brats(tmp_path, {0: draw(BRAIN_TUMOUR, 1)})
    (tmp_path / "BraTS-GLI-00000-000" / f"BraTS-GLI-00000-000{end}.nii.gz").unlink()
    data = Brats(tmp_path)
    with pytest.raises(BadCase, match="BraTS-GLI-00000-000: ") as caught:
        data.read(data.cases()[0])
    assert sentence in str(caught.value)


def with_nan(array: np.ndarray) -> np.ndarray:
    array = array.astype(np.float32)
    array[3, 4, 5] = np.nan
    return array


WIDER = grid_of(spacing=Spacing(2.5, 1.2, 1.1))
SHORTER = grid_of(shape=(11, 24, 22))
SPOILS = {
    "NaN": ("-t2f", lambda array, on, path: write_image(with_nan(array), on, path), "no numbers"),
    "NaN in the truth": ("-seg", lambda array, on, path: write_image(with_nan(array), on, path), "no numbers"),
    "other voxels": ("-t1n", lambda array, on, path: write_image(array, WIDER, path), "one grid .voxels of"),
    "another shape": ("-t2w", lambda array, on, path: write_image(array[1:], SHORTER, path), "one grid .11 x 24 x 22"),
    "truth elsewhere": ("-seg", lambda array, on, path: write_image(array, WIDER, path), "does not lie on its image"),
    "no image": ("-t1c", lambda array, on, path: path.write_bytes(b"no image"), "cannot be read"),
    "cut short": ("-t1c", lambda array, on, path: path.write_bytes(path.read_bytes()[:3000]), "cut short"),
    "empty": ("-seg", lambda array, on, path: write_image(array * 0, on, path), "is empty"),
    "four dimensions": ("-t1n", lambda array, on, path: sitk.WriteImage(sitk.JoinSeries(
        [sitk.GetImageFromArray(array)] * 2), str(path)), "three-dimensional"),
}  # fmt: skip


@pytest.mark.parametrize("spoil", sorted(SPOILS))
def test_broken_files_are_named(spoil: str, tmp_path: Path) -> None:
    drawn = draw(BRAIN_TUMOUR, 1)
    end, change, sentence = SPOILS[spoil]
    write_brats(tmp_path, {0: drawn})
    path = tmp_path / "BraTS-GLI-00000-000" / f"BraTS-GLI-00000-000{end}.nii.gz"
    change(drawn.truth if end == "-seg" else drawn.volumes["T1"].array, drawn.grid, path)
    data = Brats(tmp_path)
    with pytest.raises(BadCase, match=sentence) as caught:
        data.read(data.cases()[0])
    assert path.name in str(caught.value)


def test_a_truth_whose_axes_run_another_way_is_turned_onto_its_images(tmp_path: Path) -> None:
    drawn = draw(BRAIN_TUMOUR, 1)
    write_brats(tmp_path, {0: drawn})
    ref = Brats(tmp_path).cases()[0]
    image = sitk.Flip(sitk.PermuteAxes(sitk.ReadImage(str(ref.truth)), [1, 2, 0]), [True, False, True])
    sitk.WriteImage(image, str(ref.truth))
    np.testing.assert_array_equal(Brats(tmp_path).read(ref).truth, drawn.truth)


def test_other_challenges_are_refused(tmp_path: Path) -> None:
    (tmp_path / "BraTS-PED-00001-000-t1c.nii.gz").touch()
    with pytest.raises(WrongFolder, match="BraTS-PED is a challenge of other tumours"):
        Brats(tmp_path).cases()


def test_releases_are_not_mixed(tmp_path: Path) -> None:
    for name in ("BraTS20_Training_001_t1.nii", "BraTS2021_00001_t1.nii.gz"):
        (tmp_path / name).touch()
    with pytest.raises(WrongFolder, match=r"2 releases of BraTS \(BraTS20, BraTS2021\)"):
        Brats(tmp_path).cases()


def test_a_file_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    for name in ("a/BraTS2021_00001_seg.nii.gz", "b/BraTS2021_00001_seg.nii.gz"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    with pytest.raises(WrongFolder, match=r"twice: a/BraTS2021_00001_seg\.nii\.gz and b/"):
        Brats(tmp_path).cases()


def test_another_data_set_is_called_by_its_name(tmp_path: Path) -> None:
    write_lits(tmp_path, {n: draw(LIVER_TUMOUR, n) for n in range(2)})
    with pytest.raises(WrongFolder) as caught:
        Brats(tmp_path).cases()
    assert str(caught.value).endswith("found 4 files such as volume-N.nii, which is LiTS's layout.")
    assert "looked for CASE_t1ce.nii.gz" in str(caught.value)
