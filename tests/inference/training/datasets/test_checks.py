"""Labels and grids that may not be trusted are told in words (inference.training.datasets.checks)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from miniatures import SHAPE, grid_of

from inference.errors import BadCase
from inference.training.datasets.checks import labels_from, labels_on, unlike
from inference.transforms.geometry import canonical
from inference.volume import Grid, Spacing, Volume

FILE = Path("truth.nii")


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int64, np.float32, np.float64])
def test_labels_are_told_whatever_their_type(dtype: type) -> None:
    labels = labels_from(np.array([[[0, 1, 2, 4]]], dtype=dtype), {1: 1, 2: 2, 4: 3}, FILE, "a")
    assert labels.dtype == np.uint8
    assert labels.ravel().tolist() == [0, 1, 2, 3]


def test_many_wrong_labels_are_named_in_part() -> None:
    with pytest.raises(BadCase) as caught:
        labels_from(np.arange(12).reshape(1, 3, 4), {1: 1}, FILE, "a")
    assert str(caught.value) == "a: truth.nii holds the labels 2, 3, 4, 5, 6, 7 …; it may hold 0, 1."


def test_a_truth_is_turned_and_never_interpolated() -> None:
    rng = np.random.default_rng(0)
    image = Volume(rng.integers(0, 9, SHAPE).astype(np.uint8), grid_of("oblique"))
    turned = canonical(image)
    assert turned.grid.shape != image.grid.shape or not turned.grid.matches(image.grid)
    np.testing.assert_array_equal(labels_on(turned, image.grid, FILE, "a"), image.array)
    shifted = image.grid.affine.copy()
    shifted[:3, 3] += 0.6
    with pytest.raises(BadCase, match=r"truth\.nii does not lie on its image \(they begin 1\.0 mm apart\)"):
        labels_on(Volume(image.array, Grid(SHAPE, shifted)), image.grid, FILE, "a")


def test_grids_differ_in_words() -> None:
    one = grid_of("axial")
    assert unlike(one, grid_of("axial", (3, 4, 5))) == "12 x 24 x 22 and 3 x 4 x 5 voxels (z, y, x)"
    thicker = grid_of("axial", spacing=Spacing(3, 1.2, 1))
    assert unlike(one, thicker) == "voxels of 2.5 x 1.2 x 1 and 3 x 1.2 x 1 mm (z, y, x)"
    assert unlike(one, grid_of("flipped")) == "their axes run different ways"
