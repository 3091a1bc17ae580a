"""NIfTI's RAS becomes LPS, voxel by voxel."""

import struct

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


def test_another_files_header_says_where_voxels_lie(tmp_path, volume_of):
    volume = volume_of("oblique")
    mirrored = volume.grid.affine.copy()
    mirrored[:3, 3] = volume.grid.to_lps((5, 0, 0))
    mirrored[:3, 0] *= -1
    save(tmp_path / "image.nii", np.zeros_like(volume.array), mirrored)
    save(tmp_path / "v.nii", volume.array[::-1].copy(), np.eye(4)[:, [2, 1, 0, 3]])
    read_back = read(tmp_path / "v.nii", placed_as=tmp_path / "image.nii")
    assert read_back.grid.matches(volume.grid, 1e-3)
    assert np.array_equal(read_back.array, volume.array)
    save(tmp_path / "image.nii", volume.array[1:].copy(), mirrored)
    with pytest.raises(BadGeometry, match=r"v\.nii has not as many voxels"):
        read(tmp_path / "v.nii", placed_as=tmp_path / "image.nii")


def test_a_time_series_is_refused(tmp_path):
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((2, 3, 4, 5), np.float32)), str(tmp_path / "v.nii"))
    with pytest.raises(BadGeometry, match="three-dimensional"):
        read(tmp_path / "v.nii")


def test_axes_that_lean_are_told_and_no_damage(tmp_path, volume_of):
    """SimpleITK reads none: a header as tools of gantry-tilted CTs write it."""
    save(tmp_path / "v.nii", volume_of("axial").array, volume_of("axial").grid.affine)
    header = bytearray((tmp_path / "v.nii").read_bytes())
    struct.pack_into("<2h", header, 252, 0, 1)  # no quaternion: the rows below say where voxels lie
    struct.pack_into("<12f", header, 280, 1, 0, 0, 0, 0, 1, 0.3, 0, 0, 0, 2, 0)
    (tmp_path / "v.nii").write_bytes(header)
    with pytest.raises(BadGeometry, match=r"v\.nii do not stand at right angles"):
        read(tmp_path / "v.nii")


def test_what_is_no_nifti_is_unfit(tmp_path):
    (tmp_path / "v.nii").write_bytes(b"nothing")
    with pytest.raises(Unfit, match="cannot be read"):
        read(tmp_path / "v.nii")


@pytest.mark.parametrize("name", ["v.nii", "v.nii.gz"])
def test_missing_voxels_are_no_zeros(tmp_path, volume_of, name):
    volume = volume_of("oblique")
    noise = np.random.default_rng(0).normal(size=volume.array.shape)  # does not compress to nothing
    save(tmp_path / name, noise, volume.grid.affine)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(Unfit, match=f"{name} is cut short|{name} cannot be read"):
        read(tmp_path / name)


@pytest.mark.parametrize(("dtype", "value"), [(np.float32, np.nan), (np.float64, np.inf)])
def test_what_is_no_number_is_no_zero(tmp_path, volume_of, dtype, value):
    volume = volume_of("axial")
    array = volume.array.astype(dtype)
    array[2, 3, 4] = value
    save(tmp_path / "v.nii.gz", array, volume.grid.affine)
    with pytest.raises(Unfit, match="no numbers"):
        read(tmp_path / "v.nii.gz")


@pytest.mark.parametrize("order", ["<", ">"])
def test_either_byte_order_is_read(tmp_path, order):
    """A header written by hand, as NIfTI-1 has it."""
    header = bytearray(352)
    struct.pack_into(f"{order}i", header, 0, 348)
    struct.pack_into(f"{order}8h", header, 40, 3, 4, 3, 2, 1, 1, 1, 1)
    struct.pack_into(f"{order}2h", header, 70, 16, 32)
    struct.pack_into(f"{order}8f", header, 76, 1, 1, 1, 1, 1, 1, 1, 1)
    struct.pack_into(f"{order}f", header, 108, 352)
    header[344:348] = b"n+1\0"
    voxels = np.arange(24).astype(f"{order}f4").tobytes()
    (tmp_path / "v.nii").write_bytes(bytes(header) + voxels)
    assert sorted(read(tmp_path / "v.nii").array.ravel()) == list(range(24))
    for broken in (voxels[:-4], voxels[:-4] + np.array([np.nan]).astype(f"{order}f4").tobytes()):
        (tmp_path / "v.nii").write_bytes(bytes(header) + broken)
        with pytest.raises(Unfit):
            read(tmp_path / "v.nii")
