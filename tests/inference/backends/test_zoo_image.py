"""Channels reach MONAI as reading them from files would have, and come back where they lie."""

import numpy as np
import pytest
from monai.transforms import LoadImage

from inference.backends.zoo_image import answer_of, as_files, in_memory
from inference.errors import Unfit
from inference.volume import Grid


@pytest.mark.parametrize("channels", [1, 4])
def test_memory_and_files_show_monai_the_same_image(tmp_path, volume_of, orientation, channels):
    grid = volume_of(orientation).grid
    array = np.random.default_rng(0).normal(size=(channels, *grid.shape)).astype(np.float32)
    memory = in_memory(array, grid, channel_first=False)
    read = LoadImage(image_only=True)(as_files(array, grid, tmp_path))
    assert np.array_equal(memory.numpy(), read.numpy())
    assert np.allclose(memory.affine, read.affine, atol=1e-3)
    kind = str(read.meta["original_channel_dim"])
    assert str(memory.meta["original_channel_dim"]) == (kind if channels > 1 else "no_channel")


def test_leaning_slices_are_given_to_no_bundle_as_files(tmp_path):
    affine = np.array([[0, 0, 0.7, -31], [0.6, 0.7, 0, 12], [2.4, 0, 0, -140], [0, 0, 0, 1.0]])
    grid = Grid((4, 10, 12), affine)
    with pytest.raises(Unfit, match="lean"):
        as_files(np.zeros((1, *grid.shape), np.float32), grid, tmp_path)
    assert np.allclose(in_memory(np.zeros((1, *grid.shape), np.float32), grid, channel_first=False).affine,
                       np.diag([-1, -1, 1, 1]) @ affine[:, [2, 1, 0, 3]])


def test_a_voxel_lies_at_the_same_place_in_ras(volume_of):
    grid = volume_of("doubly oblique").grid
    image = in_memory(np.zeros((1, *grid.shape), np.float32), grid, channel_first=True)
    k, j, i = 2, 11, 7
    assert np.allclose(image.affine.numpy() @ (i, j, k, 1), [*(grid.to_lps((k, j, i)) * (-1, -1, 1)), 1])
    assert image.shape == (1, *grid.shape[::-1])


def test_an_answer_comes_back_as_it_went(volume_of, orientation):
    grid = volume_of(orientation).grid
    array = np.arange(np.prod(grid.shape), dtype=np.float32).reshape(1, *grid.shape)
    back, lies = answer_of(in_memory(array, grid, channel_first=True), grid)
    assert np.array_equal(back, array)
    assert lies.matches(grid)


def test_an_answer_without_a_place_lies_where_the_input_was_shown(volume_of):
    grid = volume_of().grid
    back, lies = answer_of(np.zeros(grid.shape[::-1]), grid)
    assert back.shape == (1, *grid.shape)
    assert lies.matches(grid)
