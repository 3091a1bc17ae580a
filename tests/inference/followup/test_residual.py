"""Blocks tell in millimetres how far images are apart."""

import numpy as np
import pytest
from scipy import ndimage

from inference.followup.residual import Residual, residual_of
from inference.volume import Grid, Spacing, regular_affine

GRID = Grid((48, 48, 48), regular_affine((0, 0, 0), np.eye(3)[:, ::-1], Spacing(4.0, 4.0, 4.0)))
EVERYWHERE = np.ones(GRID.shape, dtype=bool)


def tissue(seed=0, grain=1.5):
    noise = np.random.default_rng(seed).standard_normal(GRID.shape)
    return ndimage.gaussian_filter(noise, grain).astype(np.float32)


def test_equal_images_are_not_apart():
    found = residual_of(tissue(), tissue(), EVERYWHERE, GRID)
    assert found.distances.size > 50
    assert found.median_mm == 0.0
    assert found.around((90, 90, 90), 5.0) == 0.0


@pytest.mark.parametrize(("voxels", "mm"), [((0, 0, 1), 4.0), ((1, 0, 2), 8.9), ((0.5, 0, 1), 4.5)])
def test_a_shift_is_told_in_millimetres(voxels, mm):
    moved = ndimage.shift(tissue(), voxels, order=1, mode="nearest")
    assert residual_of(tissue(), moved, EVERYWHERE, GRID).median_mm == pytest.approx(mm, abs=0.5)


def test_other_tissue_is_lost():
    assert residual_of(tissue(), tissue(1), EVERYWHERE, GRID).median_mm == pytest.approx(12.0)


def test_it_is_told_place_by_place():
    both = tissue()
    both[:, :, 24:] = tissue(1)[:, :, 24:]  # the left half is another's
    found = residual_of(tissue(), both, EVERYWHERE, GRID)
    assert found.around((40, 96, 96), 5.0) == 0.0
    assert found.around((160, 96, 96), 5.0) > 8.0
    assert found.around((1000, 0, 0), 5.0) == found.median_mm


def test_a_lesion_that_came_is_no_error_of_registration():
    before, after = tissue(), tissue()
    z, y, x = np.indices(GRID.shape)
    after[(z - 24) ** 2 + (y - 24) ** 2 + (x - 24) ** 2 < 6**2] = 3.0
    found = residual_of(before, after, EVERYWHERE, GRID)
    assert found.around((96, 96, 96), 1.0) > 5.0
    assert found.around((96, 96, 96), 24.0) == 0.0


def test_noise_and_contrast_do_not_count():
    noisy = 300 + 2 * tissue() + np.float32(0.05) * np.random.default_rng(2).standard_normal(GRID.shape)
    assert residual_of(tissue(), noisy.astype(np.float32), EVERYWHERE, GRID).median_mm == 0.0


def test_only_blocks_inside_are_asked():
    half = EVERYWHERE.copy()
    half[24:] = False
    assert residual_of(tissue(), tissue(), half, GRID).places[:, 2].max() < 96.0


def test_where_there_is_nothing_to_look_for_nothing_is_known():
    flat = np.zeros(GRID.shape, dtype=np.float32)
    assert residual_of(flat, flat, EVERYWHERE, GRID).median_mm == float("inf")
    assert residual_of(tissue(), tissue(), ~EVERYWHERE, GRID).median_mm == float("inf")
    assert Residual(np.zeros((0, 3)), np.zeros(0)).around((0, 0, 0), 5.0) == float("inf")
