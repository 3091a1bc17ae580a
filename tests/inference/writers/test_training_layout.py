"""Training cases lie where their data sets' readers look for them, and in the patient where they belong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from inference.errors import Unfit
from inference.readers import metaimage, nifti
from inference.tasks import BRAIN_TUMOUR, LIVER_TUMOUR, LUNG_NODULE, TASKS
from inference.volume import Grid, Spacing, Units, Volume, regular_affine
from inference.writers.training_layout import LAYOUTS, TRUTH, is_free, write_case

TURNED = np.linalg.qr(np.array([[0.2, 0.3, 0.9], [0.1, 0.9, -0.3], [-0.95, 0.2, 0.1]]))[0]
TURNED *= [-np.sign(np.linalg.det(TURNED)), 1, 1]  # slices along row × column, as readers give them
FINE = Spacing(3.0, 0.9, 0.7)


def grid(spacing: Spacing = FINE, frame: str = "1.2") -> Grid:
    return Grid((6, 12, 10), regular_affine((-31.5, 12.25, -140.0), TURNED, spacing), frame)


def volume(on: Grid, units: Units = "HU") -> Volume:
    array = np.arange(np.prod(on.shape), dtype=np.float32).reshape(on.shape) - 300.4
    return Volume(array, on, units)


def truth_on(on: Grid) -> np.ndarray:
    labels = np.zeros(on.shape, np.uint8)
    labels[1:3, 2:9, 3:5] = 1
    labels[2, 3:5, 3] = 2
    return labels


def test_every_task_has_a_layout_for_all_its_roles() -> None:
    assert {name: set(layout) for name, layout in LAYOUTS.items()} == {
        name: {TRUTH, *(role.name for role in card.roles)} for name, card in TASKS.items()
    }


@pytest.mark.parametrize(
    ("card", "image", "truth"),
    [(LIVER_TUMOUR, "volume-7.nii", "segmentation-7.nii"), (LUNG_NODULE, "subset0/0007.mhd", "masks/0007.mhd")],
)
def test_a_ct_comes_back_voxel_for_voxel(card, image: str, truth: str, tmp_path: Path) -> None:
    on, reader = grid(), nifti if image.endswith("nii") else metaimage
    written = write_case(card, 7, {"CT": volume(on)}, truth_on(on), tmp_path)
    assert {tmp_path / image, tmp_path / truth} <= set(written)
    assert all(path.is_file() for path in written)
    for name, expected in ((image, np.rint(volume(on).array)), (truth, truth_on(on))):
        back = reader.read(tmp_path / name)
        assert back.grid.matches(on, 1e-3)
        np.testing.assert_array_equal(back.array, expected)
    assert sitk.ReadImage(str(tmp_path / image)).GetPixelID() == sitk.sitkInt16
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_four_series_come_to_lie_on_the_primary_grid(tmp_path: Path) -> None:
    on, other = grid(), grid(Spacing(2.0, 1.1, 1.0))
    volumes = {role.name: volume(on if role.name == "T1ce" else other, "signal") for role in BRAIN_TUMOUR.roles}
    names = {path.name for path in write_case(BRAIN_TUMOUR, 1, volumes, truth_on(on), tmp_path)}
    assert names == {f"Segnode-00001-000-{end}.nii.gz" for end in ("t1n", "t1c", "t2w", "t2f", "seg")}
    folder = tmp_path / "Segnode-00001-000"
    assert all(nifti.read(folder / name).grid.matches(on, 1e-3) for name in names)
    np.testing.assert_array_equal(nifti.read(folder / "Segnode-00001-000-t1c.nii.gz").array, volumes["T1ce"].array)
    inside = nifti.read(folder / "Segnode-00001-000-t2w.nii.gz").array[0, 0, 0]
    assert inside == pytest.approx(volumes["T2"].array[0, 0, 0], abs=1e-2), "their first voxels lie at one place"


def test_what_lies_nowhere_known_is_refused(tmp_path: Path) -> None:
    volumes = {role.name: volume(grid(frame="1.2" if role.name == "T1ce" else "1.3"), "signal")
               for role in BRAIN_TUMOUR.roles}
    with pytest.raises(Unfit, match="frame of reference"):
        write_case(BRAIN_TUMOUR, 1, volumes, truth_on(grid()), tmp_path)
    leaning = grid().affine.copy()
    leaning[:3, 0] += leaning[:3, 1]
    tilted = Grid(grid().shape, leaning, "1.2")
    with pytest.raises(Unfit, match="lean"):
        write_case(LIVER_TUMOUR, 1, {"CT": volume(tilted)}, truth_on(tilted), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    assert is_free(LIVER_TUMOUR, 1, tmp_path)
    (tmp_path / "volume-1.nii").write_bytes(b"another's")
    assert not is_free(LIVER_TUMOUR, 1, tmp_path)
    assert is_free(LIVER_TUMOUR, 2, tmp_path)
    with pytest.raises(FileExistsError):
        write_case(LIVER_TUMOUR, 1, {"CT": volume(grid())}, truth_on(grid()), tmp_path)
    assert (tmp_path / "volume-1.nii").read_bytes() == b"another's"


def test_files_hold_no_text_but_geometry(tmp_path: Path) -> None:
    write_case(LUNG_NODULE, 1, {"CT": volume(grid())}, truth_on(grid()), tmp_path)
    keys = {line.split(" = ")[0] for line in (tmp_path / "subset0" / "0001.mhd").read_text().splitlines()}
    assert keys <= {"ObjectType", "NDims", "BinaryData", "BinaryDataByteOrderMSB", "CompressedData", "TransformMatrix",
                    "Offset", "CenterOfRotation", "AnatomicalOrientation", "ElementSpacing", "DimSize", "ElementType",
                    "ElementDataFile"}  # fmt: skip
