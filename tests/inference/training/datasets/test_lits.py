"""LiTS as it is published and as DICOM: every voxel where it was, image and truth together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from miniatures import SHAPE, SPACING, Miniature, draw, grid_of, write_image, write_lits, write_lits_series

from inference.errors import BadCase, WrongFolder
from inference.tasks import LIVER_TUMOUR
from inference.training.datasets.lits import NO_PLACE, UNKNOWN_SPACING, Lits
from inference.volume import Grid, Spacing
from inference.writers.training_layout import write_case


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize("directions", ["axial", "flipped", "oblique"])
def test_a_case_comes_back_voxel_for_voxel(directions: str, ending: str, tmp_path: Path) -> None:
    drawn = draw(LIVER_TUMOUR, 1, grid_of(directions))
    write_lits(tmp_path, {10: drawn, 9: drawn}, ending)
    data = Lits(tmp_path)
    refs = data.cases()
    assert [ref.case_id for ref in refs] == ["volume-9", "volume-10"]
    assert [ref.patient_id for ref in refs] == ["volume-9", "volume-10"]
    case = data.read(refs[1])
    np.testing.assert_array_equal(case.truth, drawn.truth)
    assert set(np.unique(case.truth)) == {0, 1, 2}
    np.testing.assert_array_equal(case.volumes["CT"].array, drawn.volumes["CT"].array)
    assert case.grid.matches(drawn.grid, 1e-3)
    assert case.volumes["CT"].units == "HU"
    assert case.notes == ()


def write_as_published(folder: Path, drawn: Miniature) -> None:
    """As about number 50: the CT's columns run to the left, the truth's header is an identity, their voxels agree."""
    for name, array, header in (("volume-48.nii", drawn.volumes["CT"].array.astype(np.int16),
                                 (SPACING[::-1], (-208.9, 213.2, -632.8), (1, 0, 0, 0, -1, 0, 0, 0, 1))),
                                ("segmentation-48.nii", drawn.truth,
                                 ((1, 1, 1), (-1, -1, 1), (-1, 0, 0, 0, -1, 0, 0, 0, 1)))):
        image = sitk.GetImageFromArray(array)
        for put, value in zip((image.SetSpacing, image.SetOrigin, image.SetDirection), header, strict=True):
            put(value)
        sitk.WriteImage(image, str(folder / name))


def test_a_truth_whose_header_tells_no_place_lies_on_its_image_voxel_by_voxel(tmp_path: Path) -> None:
    drawn = draw(LIVER_TUMOUR, 1, grid_of("axial"))
    write_as_published(tmp_path, drawn)
    data = Lits(tmp_path)
    case = data.read(data.cases()[0])
    np.testing.assert_array_equal(case.volumes["CT"].array[::-1], drawn.volumes["CT"].array)
    np.testing.assert_array_equal(case.truth[::-1], drawn.truth)
    assert case.grid.spacing == pytest.approx(SPACING)
    assert case.notes == (NO_PLACE,)


def test_a_truth_whose_header_tells_no_place_has_as_many_voxels_as_its_image(tmp_path: Path) -> None:
    drawn = draw(LIVER_TUMOUR, 1, grid_of("axial"))
    write_as_published(tmp_path, replace(drawn, truth=np.ascontiguousarray(drawn.truth[:, :, 1:])))
    data = Lits(tmp_path)
    with pytest.raises(BadCase, match=r"-48\.nii does not lie on its image \(12 x 24 x 21 and 12 x 24 x 22"):
        data.read(data.cases()[0])


def test_an_identity_is_believed_where_voxels_are_1_mm(tmp_path: Path) -> None:
    """As a converter turns axes: rows and columns of the truth run against the CT's, over the same millimetres."""
    drawn = draw(LIVER_TUMOUR, 1, grid_of("axial", spacing=Spacing(1, 1, 1)))
    identity = Grid(SHAPE, np.array([[0, 0, -1, 0], [0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1.0]]))
    turned = Grid(SHAPE, np.array([[0, 0, 1, 1.0 - SHAPE[2]], [0, 1, 0, 1.0 - SHAPE[1]], [1, 0, 0, 0], [0, 0, 0, 1]]))
    write_image(drawn.volumes["CT"].array.astype(np.int16), turned, tmp_path / "volume-0.nii")
    write_image(drawn.truth[:, ::-1, ::-1], identity, tmp_path / "segmentation-0.nii")
    data = Lits(tmp_path)
    np.testing.assert_array_equal(data.read(data.cases()[0]).truth, drawn.truth)


def test_our_own_export_is_read(tmp_path: Path) -> None:
    drawn = draw(LIVER_TUMOUR, 2)
    write_case(LIVER_TUMOUR, 3, drawn.volumes, drawn.truth, tmp_path)
    data = Lits(tmp_path)
    np.testing.assert_array_equal(data.read(data.cases()[0]).truth, drawn.truth)


def test_air_is_as_dark_as_the_nodes_reader_makes_it(tmp_path: Path) -> None:
    """Scanners mark what they did not measure with -3024 and the like."""
    drawn = draw(LIVER_TUMOUR, 1)
    write_lits(tmp_path, {0: drawn})
    array = drawn.volumes["CT"].array.copy()
    array[:, :3] = -3024
    ref = Lits(tmp_path).cases()[0]
    write_image(array.astype(np.int16), drawn.grid, ref.images["CT"])
    assert Lits(tmp_path).read(ref).volumes["CT"].array.min() == -1024


@pytest.mark.parametrize("directions", ["axial", "oblique"])
def test_a_dicom_series_goes_with_a_nifti_truth(directions: str, tmp_path: Path) -> None:
    """The truth's axes as converters write them: rows and columns the other way, slices from the head down."""
    drawn = draw(LIVER_TUMOUR, 1, grid_of(directions))
    write_lits_series(tmp_path, 4, drawn)
    grid, turned = drawn.grid, drawn.grid.affine.copy()
    turned[:3, 3] = grid.to_lps(np.array(grid.shape) - 1)
    turned[:3, :3] *= -1
    write_image(drawn.truth[::-1, ::-1, ::-1], type(grid)(grid.shape, turned), tmp_path / "segmentation-4.nii.gz")
    data = Lits(tmp_path)
    (ref,) = data.cases()
    case = data.read(ref)
    np.testing.assert_array_equal(case.truth, drawn.truth)
    np.testing.assert_array_equal(case.volumes["CT"].array, drawn.volumes["CT"].array)
    assert len(data.fingerprint(ref)) == 64


def test_both_batches_are_found_as_their_archives_unpack(tmp_path: Path) -> None:
    """Training_Batch1.zip and 2 hold media/nas/01_Datasets/CT/LITS/…; many unpack each into a folder of its name."""
    drawn = draw(LIVER_TUMOUR, 1)
    for n, folder in ((0, ""), (1, "Training_Batch2/media/nas/01_Datasets/CT/LITS")):
        write_lits(tmp_path / folder, {n: drawn})
    assert [ref.case_id for ref in Lits(tmp_path).cases()] == ["volume-0", "volume-1"]


def test_an_identity_affine_is_said(tmp_path: Path) -> None:
    drawn = draw(LIVER_TUMOUR, 1, grid_of("axial", spacing=Spacing(1, 1, 1)))
    write_lits(tmp_path, {28: drawn})
    data = Lits(tmp_path)
    assert data.read(data.cases()[0]).notes == (UNKNOWN_SPACING,)


@pytest.mark.parametrize(("gone", "sentence"), [("volume", "volume-0.nii (CT) is missing"),
                                                ("segmentation", "its truth segmentation-0.nii is missing")])
def test_what_a_case_lacks_is_named(gone: str, sentence: str, tmp_path: Path) -> None:
    write_lits(tmp_path, {0: draw(LIVER_TUMOUR, 1)})
    (tmp_path / "Training Batch 1" / f"{gone}-0.nii").unlink()
    data = Lits(tmp_path)
    with pytest.raises(BadCase) as caught:
        data.read(data.cases()[0])
    assert sentence in str(caught.value)


def test_a_truth_that_does_not_lie_on_its_image_is_refused(tmp_path: Path) -> None:
    drawn = draw(LIVER_TUMOUR, 1)
    for grid, sentence in ((grid_of("axial"), "their axes run different ways"),
                           (grid_of(spacing=Spacing(2.5, 1.2, 1.3)), "voxels of 2.5 x 1.2 x 1.3 and 2.5 x 1.2 x 1 mm"),
                           (grid_of(shape=(SHAPE[0], SHAPE[2], SHAPE[1])), "12 x 22 x 24 and 12 x 24 x 22 voxels")):
        write_lits(tmp_path, {0: drawn})
        ref = Lits(tmp_path).cases()[0]
        write_image(drawn.truth.reshape(grid.shape), grid, ref.truth)
        with pytest.raises(BadCase, match=r"segmentation-0\.nii does not lie on its image") as caught:
            Lits(tmp_path).read(ref)
        assert sentence in str(caught.value)


@pytest.mark.parametrize(("factor", "sentence"), [(3, "holds the labels 3, 6; it may hold 0, 1, 2"), (0, "is empty")])
def test_wrong_labels_are_named(factor: int, sentence: str, tmp_path: Path) -> None:
    drawn = draw(LIVER_TUMOUR, 1)
    write_lits(tmp_path, {0: drawn})
    ref = Lits(tmp_path).cases()[0]
    write_image(drawn.truth * np.uint8(factor), drawn.grid, ref.truth)
    with pytest.raises(BadCase, match=f"segmentation-0.nii {sentence}"):
        Lits(tmp_path).read(ref)


def test_a_case_without_tumour_is_a_case(tmp_path: Path) -> None:
    drawn = draw(LIVER_TUMOUR, 1)
    write_lits(tmp_path, {0: drawn})
    ref = Lits(tmp_path).cases()[0]
    write_image(np.minimum(drawn.truth, 1), drawn.grid, ref.truth)
    assert set(np.unique(Lits(tmp_path).read(ref).truth)) == {0, 1}


@pytest.mark.parametrize("other", ["volume-0.nii.gz", "copy/volume-0.nii", "volume-0/image.dcm", "volume-00.nii"])
def test_a_volume_that_is_there_twice_is_refused(other: str, tmp_path: Path) -> None:
    for name in ("volume-0.nii", other):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(WrongFolder, match="twice"):
        Lits(tmp_path).cases()
