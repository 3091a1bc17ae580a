"""Drawn shapes come out at the size at which they were drawn."""

import pickle

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from inference.diameters import in_plane_axes, largest_diameter
from inference.findings import Axes, Point
from inference.volume import Grid, Spacing


def test_a_single_voxel_is_as_long_as_its_edge():
    mask = np.ones((1, 1, 1), dtype=bool)
    assert in_plane_axes(mask, Spacing(5, 1, 2))[:2] == (2, 1)
    assert largest_diameter(mask, Grid((1, 1, 1), np.diag([5.0, 1, 2, 1]))) == pytest.approx(5)


@pytest.mark.parametrize("spacing", [Spacing(1, 0.5, 0.5), Spacing(3, 0.8, 0.8), Spacing(0.7, 1.0, 0.6)])
def test_a_sphere_has_its_diameter_every_way(spacing):
    z, y, x = (axis * step for axis, step in zip(np.indices((80, 90, 110)), spacing, strict=True))
    middle = [40 * spacing.z, 45 * spacing.y, 55 * spacing.x]
    mask = (z - middle[0]) ** 2 + (y - middle[1]) ** 2 + (x - middle[2]) ** 2 <= 10**2
    affine = np.diag([*spacing, 1.0])
    long_axis, short_axis, _ = in_plane_axes(mask, spacing)
    assert long_axis == pytest.approx(20, abs=1)
    assert short_axis == pytest.approx(20, abs=1)
    assert largest_diameter(mask, Grid(mask.shape, affine)) == pytest.approx(20, abs=max(1.0, spacing.z))


def test_the_short_axis_crosses_the_long_one_in_the_same_slice():
    mask = np.zeros((2, 40, 40), dtype=bool)
    mask[0, 5:35, 10:20] = True  # 30 x 10
    mask[1, 5:30, 5:30] = True  # 25 x 25: its diagonal is longer
    long_axis, short_axis, _ = in_plane_axes(mask[:1], Spacing(1, 1, 1))
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


def blob(seed: int) -> np.ndarray:
    """An irregular lesion of one piece, somewhere in (6, 18, 22)."""
    z, y, x = np.indices((6, 18, 22))
    rough = np.random.default_rng(seed).random((6, 18, 22)) * 0.8
    return ((z - 2.6) / 2.5) ** 2 + ((y - 8 - x / 5) / 5) ** 2 + ((x - 10) / 7) ** 2 + rough < 1.4


def face_middles(plane: np.ndarray) -> np.ndarray:
    """Every pixel's four face middles as (row, column), one by one."""
    return np.array([(r + dr, c + dc) for r, c in zip(*np.nonzero(plane), strict=True)
                     for dr, dc in ((0.5, 0), (-0.5, 0), (0, 0.5), (0, -0.5))])


def longest_across(points: np.ndarray, along: np.ndarray) -> float:
    """The longest line at a right angle to `along` between any two lines that join two points, tried one by one."""
    places, heights = points @ along, points @ np.array([-along[1], along[0]])
    longest = 0.0
    for place in places:
        before, after = places <= place + 1e-9, places >= place - 1e-9
        run = places[after] - places[before][:, None]
        share = np.divide(place - places[before][:, None], run, out=np.zeros_like(run), where=run > 1e-9)
        crossings = heights[before][:, None] * (1 - share) + heights[after] * share
        crossings = np.append(crossings, heights[before & after])
        longest = max(longest, crossings.max() - crossings.min())
    return longest


@pytest.mark.parametrize("spacing", [Spacing(1, 1, 1), Spacing(7.5, 0.4, 1.3), Spacing(3, 1.1, 0.7)])
@pytest.mark.parametrize("seed", range(3))
def test_lengths_are_those_of_a_search_through_all_points(seed: int, spacing: Spacing) -> None:
    mask = blob(seed)
    in_mm = np.array(spacing[1:])
    longest = [pdist(face_middles(plane) * in_mm).max() if plane.any() else 0.0 for plane in mask]
    found = in_plane_axes(mask, spacing)
    assert found.long_mm == pytest.approx(max(longest))
    assert longest[found.axes.slice] == pytest.approx(max(longest))
    a, b = (np.array(p) * in_mm for p in found.axes.long)
    points = face_middles(mask[found.axes.slice]) * in_mm
    assert found.short_mm == pytest.approx(longest_across(points, (b - a) / np.linalg.norm(b - a)))


@pytest.mark.parametrize("spacing", [Spacing(1, 1, 1), Spacing(7.5, 0.4, 1.3), Spacing(3, 1.1, 0.7)])
@pytest.mark.parametrize("seed", range(3))
def test_the_axes_end_where_the_lengths_say_and_cross_at_a_right_angle(seed: int, spacing: Spacing) -> None:
    mask = blob(seed)
    long_mm, short_mm, axes = in_plane_axes(mask, spacing)
    a, b, c, d = (np.array(p) * spacing[1:] for p in (*axes.long, *axes.short))
    assert np.linalg.norm(b - a) == pytest.approx(long_mm, abs=1e-9)
    assert np.linalg.norm(d - c) == pytest.approx(short_mm, abs=1e-9)
    assert (b - a) @ (d - c) == pytest.approx(0, abs=1e-9)
    on_long, on_short = np.linalg.solve(np.column_stack([b - a, c - d]), c - a)
    assert 0 <= on_long <= 1
    assert 0 <= on_short <= 1


def test_end_points_count_pixels_from_the_first_ones_centre() -> None:
    mask = np.zeros((3, 9, 9), dtype=bool)
    mask[1, 4, 2:7] = True  # five pixels in a row: from the left face of column 2 to the right face of column 6
    assert in_plane_axes(mask, Spacing(1, 1, 1)).axes == Axes(
        1, (Point(4, 1.5), Point(4, 6.5)), (Point(4.5, 4), Point(3.5, 4)))


def test_the_short_axis_lies_where_the_lesion_is_broadest() -> None:
    mask = np.zeros((1, 21, 41), dtype=bool)
    mask[0, 10, 1:40] = True
    mask[0, 6:15, 28:31] = True  # a crossbar right of the middle
    axes = in_plane_axes(mask, Spacing(1, 1, 1)).axes
    assert all(28 <= p.column <= 30 for p in axes.short)


def test_axes_move_with_the_corner_of_their_box_and_survive_pickling() -> None:
    mask, spacing = blob(0), Spacing(3, 1.1, 0.7)
    moved = in_plane_axes(mask, spacing).axes.moved(4, 5, 6)
    outer = in_plane_axes(np.pad(mask, ((4, 0), (5, 0), (6, 0))), spacing).axes
    assert moved.slice == outer.slice
    assert np.allclose([*moved.long, *moved.short], [*outer.long, *outer.short])
    assert pickle.loads(pickle.dumps(moved)) == moved


def test_an_empty_mask_has_no_axes() -> None:
    with pytest.raises(ValueError, match="empty"):
        in_plane_axes(np.zeros((2, 3, 3), dtype=bool), Spacing(1, 1, 1))


SLANT = np.array([[0.36, 0.48, -0.8], [-0.8, 0.6, 0.0], [0.48, 0.64, 0.6]])


@pytest.mark.parametrize("affine", [np.diag([7.5, 0.4, 1.3]), SLANT * [3, 1.1, 0.7]], ids=["anisotropic", "oblique"])
def test_the_largest_diameter_is_that_of_a_search_through_all_points(affine: np.ndarray) -> None:
    mask = blob(1)
    steps = np.concatenate([np.eye(3), -np.eye(3)]) / 2
    points = (np.argwhere(mask)[:, None] + steps).reshape(-1, 3) @ affine.T
    whole = np.eye(4)
    whole[:3, :3] = affine
    assert largest_diameter(mask, Grid(mask.shape, whole)) == pytest.approx(pdist(points).max())
