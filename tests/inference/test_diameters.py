"""Drawn shapes come out at the size at which they were drawn."""

import numpy as np
import pytest

from inference.diameters import in_plane_axes, largest_diameter
from inference.volume import Grid, Spacing


def test_a_single_voxel_is_as_long_as_its_edge():
    mask = np.ones((1, 1, 1), dtype=bool)
    assert in_plane_axes(mask, Spacing(5, 1, 2)) == (2, 1)
    assert largest_diameter(mask, Grid((1, 1, 1), np.diag([5.0, 1, 2, 1]))) == pytest.approx(5)


@pytest.mark.parametrize("spacing", [Spacing(1, 0.5, 0.5), Spacing(3, 0.8, 0.8), Spacing(0.7, 1.0, 0.6)])
def test_a_sphere_has_its_diameter_every_way(spacing):
    z, y, x = (axis * step for axis, step in zip(np.indices((80, 90, 110)), spacing, strict=True))
    middle = [40 * spacing.z, 45 * spacing.y, 55 * spacing.x]
    mask = (z - middle[0]) ** 2 + (y - middle[1]) ** 2 + (x - middle[2]) ** 2 <= 10**2
    affine = np.diag([*spacing, 1.0])
    long_axis, short_axis = in_plane_axes(mask, spacing)
    assert long_axis == pytest.approx(20, abs=1)
    assert short_axis == pytest.approx(20, abs=1)
    assert largest_diameter(mask, Grid(mask.shape, affine)) == pytest.approx(20, abs=max(1.0, spacing.z))


def test_the_short_axis_crosses_the_long_one_in_the_same_slice():
    mask = np.zeros((2, 40, 40), dtype=bool)
    mask[0, 5:35, 10:20] = True  # 30 x 10
    mask[1, 5:30, 5:30] = True  # 25 x 25: its diagonal is longer
    long_axis, short_axis = in_plane_axes(mask[:1], Spacing(1, 1, 1))
    assert long_axis == pytest.approx(np.hypot(30, 9), abs=0.5)
    assert short_axis < 20
    assert in_plane_axes(mask, Spacing(1, 1, 1))[0] > 34


def test_an_oblique_grid_has_no_other_diameter():
    mask = np.zeros((20, 20, 20), dtype=bool)
    mask[2:18, 9:11, 9:11] = True
    turn = np.array([[0.8, 0, 0.6], [0, 1, 0], [-0.6, 0, 0.8]])
    affine = np.eye(4)
    affine[:3, :3] = turn
    assert largest_diameter(mask, Grid(mask.shape, affine)) == pytest.approx(
        largest_diameter(mask, Grid(mask.shape, np.eye(4))))
