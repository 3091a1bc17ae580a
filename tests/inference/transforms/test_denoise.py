import numpy as np
import pytest

from inference.transforms.denoise import gaussian, median


@pytest.fixture
def spiky(volume_of):
    volume = volume_of(shape=(5, 15, 15))
    array = np.zeros((5, 15, 15), dtype=np.float32)
    array[2, 7, 7] = 900
    return volume.with_array(array)


def test_a_median_removes_single_bright_voxels(spiky):
    assert median(spiky).array.max() == 0


def test_a_median_keeps_slices_apart(volume_of):
    volume = volume_of(shape=(5, 15, 15))
    array = np.zeros((5, 15, 15), dtype=np.float32)
    array[2] = 900
    assert np.array_equal(median(volume.with_array(array)).array, array)


def test_a_gaussian_spreads_by_millimetres_not_by_voxels(spiky):
    """Slices lie 3 mm apart, rows 0.7 mm: the neighbouring row gets more than the neighbouring slice."""
    out = gaussian(spiky, 1.0).array
    assert out[2, 8, 7] > 2 * out[3, 7, 7] > 0


def test_a_gaussian_keeps_a_constant(spiky):
    flat = spiky.with_array(np.full_like(spiky.array, 42))
    assert np.allclose(gaussian(flat, 2.0).array, 42, atol=1e-3)
