"""NIfTI's RAS becomes LPS, voxel by voxel."""

import numpy as np
import pytest
import SimpleITK as sitk

from inference.errors import BadGeometry, Unfit
from inference.readers.nifti import read


def save(path, array, affine_lps):
    """Write (z, y, x) voxels whose (k, j, i) → LPS affine is given."""
    image = sitk.GetImageFromArray(array)
    spacing = np.linalg.norm(affine_lps[:3, :3], axis=0)
    image.SetSpacing(spacing[::-1].tolist())
    image.SetDirection((affine_lps[:3, :3] / spacing)[:, ::-1].ravel().tolist())
    image.SetOrigin(affine_lps[:3, 3].tolist())
    sitk.WriteImage(image, str(path))


def test_voxels_lie_where_they_did(tmp_path, volume_of, orientation):
    volume = volume_of(orientation)
    save(tmp_path / "v.nii.gz", volume.array, volume.grid.affine)
    read_back = read(tmp_path / "v.nii.gz", "HU")
    assert read_back.grid.matches(volume.grid, 1e-3)
    assert np.array_equal(read_back.array, volume.array)
    assert read_back.units == "HU"


def test_a_left_handed_file_is_turned_and_nothing_moves(tmp_path, volume_of):
    volume = volume_of("oblique")
    mirrored = volume.grid.affine.copy()
    mirrored[:3, 3] = volume.grid.to_lps((5, 0, 0))
    mirrored[:3, 0] *= -1
    save(tmp_path / "v.nii", volume.array[::-1].copy(), mirrored)
    read_back = read(tmp_path / "v.nii")
    assert read_back.grid.matches(volume.grid, 1e-3)
    assert np.array_equal(read_back.array, volume.array)


def test_a_time_series_is_refused(tmp_path):
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((2, 3, 4, 5), np.float32)), str(tmp_path / "v.nii"))
    with pytest.raises(BadGeometry, match="three-dimensional"):
        read(tmp_path / "v.nii")


def test_what_is_no_nifti_is_unfit(tmp_path):
    (tmp_path / "v.nii").write_bytes(b"nothing")
    with pytest.raises(Unfit, match="cannot be read"):
        read(tmp_path / "v.nii")
