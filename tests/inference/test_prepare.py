"""Inputs become channels on one working grid that runs along the primary series' own axes."""

import re

import numpy as np
import pytest

from inference.prepare import average_blocks, prepare
from inference.recipe import Channel, Recipe
from inference.transforms.geometry import canonical
from inference.volume import Grid, Spacing, Volume, regular_affine


def recipe(**changes):
    window = Channel(role="CT", scale="window", low=-1000, high=1000)
    return Recipe(**{"primary": "CT", "channels": [window], "spacing_mm": (3.0, 0.7, 1.1)} | changes)


def ball(shape=(40, 48, 56), centre=(0.0, 0.0, 0.0), radius=20.0, inside=100.0):
    """A ball around `centre` in LPS mm, on a grid around the origin."""
    grid = Grid(shape, regular_affine((0, 0, 0), np.eye(3)[:, ::-1], Spacing(2, 2, 2)), "1.2.3")
    affine = grid.affine.copy()
    affine[:3, 3] = -grid.to_lps((np.array(shape) - 1) / 2)
    grid = Grid(shape, affine, "1.2.3")
    places = grid.to_lps(np.moveaxis(np.indices(shape), 0, -1))
    distance = np.linalg.norm(places - centre, axis=-1)
    return Volume((inside * np.clip(radius - distance + 0.5, 0, 1)).astype(np.float32), grid)


def test_at_its_own_spacing_nothing_is_interpolated(orientation, volume_of):
    volume = volume_of(orientation)
    prepared = prepare({"CT": volume}, recipe(spacing_mm=tuple(prepare_spacing(volume))))
    assert prepared.array.shape[0] == 1
    values = np.sort(prepared.array.ravel() * 2000 - 1000)
    assert values == pytest.approx(np.sort(volume.array.ravel()), abs=1e-3)


def prepare_spacing(volume):
    """The volume's spacing in the order in which the working grid has its axes."""
    return prepare({"CT": volume}, recipe(spacing_mm=(1, 1, 1))).canonical.spacing


def test_the_working_grid_is_nearest_to_lps_axial(orientation, volume_of):
    prepared = prepare({"CT": volume_of(orientation)}, recipe(spacing_mm=(2, 2, 2)))
    assert np.diag(prepared.grid.directions[::-1]).min() > 0.5
    assert prepared.grid.directions == pytest.approx(prepared.canonical.directions)
    assert prepared.grid.spacing == pytest.approx((2, 2, 2))


def test_a_window_is_0_to_1_and_a_role_may_show_in_several_channels(volume_of):
    channels = [Channel(role="CT", scale="window", low=low, high=high) for low, high in ((-1000, 0), (0, 50))]
    array = prepare({"CT": volume_of()}, recipe(channels=channels)).array
    assert array.dtype == np.float32
    assert array.shape[0] == 2
    assert (array.min(), array.max()) == (0, 1)
    assert (array[1][array[0] < 1] == 0).all()


def test_a_zscore_is_taken_inside_the_region():
    head = ball(radius=36, shape=(60, 60, 60))
    rng = np.random.default_rng(0)
    head = head.with_array(head.array * rng.uniform(0.8, 1.2, head.array.shape).astype(np.float32))
    prepared = prepare({"CT": head}, recipe(channels=[Channel(role="CT", scale="zscore")], roi="head",
                                            spacing_mm=(2, 2, 2), margin_mm=0))
    inside = prepared.array[0][prepared.foreground]
    assert (float(inside.mean()), float(inside.std())) == pytest.approx((0, 1), abs=0.05)
    assert not prepared.array[0][~prepared.foreground].any()
    assert prepared.grid.shape[0] < 45, "cropped to the head"


def test_the_margin_widens_the_region():
    body = ball(inside=1000.0)
    body = Volume(body.array - 1000, body.grid, "HU")
    narrow, wide = (prepare({"CT": body}, recipe(roi="body", spacing_mm=(4, 4, 4), margin_mm=mm)) for mm in (0, 12))
    assert [b - a for a, b in zip(narrow.grid.shape, wide.grid.shape, strict=True)] == [6, 6, 6]


def test_other_roles_are_laid_onto_the_primary_one_and_the_result_says_so():
    fixed, moving = ball(centre=(0, 0, 0), inside=500), ball(centre=(6, 0, 0), inside=500)
    for at in ((15, 4, 2), (-4, 14, -3), (3, -5, 14)):  # landmarks, as a ball alone does not show a turn
        fixed = fixed.with_array(fixed.array + ball(centre=at, radius=5).array)
        moving = moving.with_array(moving.array + ball(centre=np.add(at, (6, 0, 0)), radius=5).array)
    channels = [Channel(role=role, scale="window", low=0, high=1000) for role in ("T1ce", "T2")]
    settings = recipe(primary="T1ce", channels=channels, spacing_mm=(2, 2, 2), register_roles=True)
    prepared = prepare({"T1ce": fixed, "T2": moving}, settings)
    assert np.abs(prepared.array[0] - prepared.array[1]).mean() < 0.01
    moved = re.match(r"T2 was moved by (\S+) mm", prepared.notes[0])
    assert float(moved[1]) == pytest.approx(6, abs=0.3)


def test_coarser_voxels_are_means_and_keep_their_place():
    rng = np.random.default_rng(0)
    noisy = ball().with_array(rng.normal(0, 10, (40, 48, 56)).astype(np.float32))
    coarse = average_blocks(noisy, Grid((1, 1, 1), np.diag([8.0, 8, 8, 1])))
    assert coarse.grid.spacing == (8, 8, 8)
    assert coarse.array.std() == pytest.approx(10 / 8, rel=0.1)
    assert coarse.array[1, 2, 3] == pytest.approx(noisy.array[4:8, 8:12, 12:16].mean(), abs=1e-4)
    assert coarse.grid.to_lps((1, 2, 3)) == pytest.approx(noisy.grid.to_lps((5.5, 9.5, 13.5)))


def test_what_is_seen_of_a_place_does_not_hang_on_where_the_region_begins():
    """A body that begins at an odd voxel of a grid, two of which make a block along each axis."""
    array = np.full((41, 48, 56), -1000, np.float32)
    array[5:36, 9:40, 11:46] = np.random.default_rng(0).normal(40, 20, (31, 31, 35))
    volume = Volume(array, Grid(array.shape, regular_affine((0, 0, 0), np.eye(3)[:, ::-1], Spacing(2, 2, 2))), "HU")
    body, everywhere = (prepare({"CT": volume}, recipe(roi=roi, spacing_mm=(4.5, 4.5, 4.5), margin_mm=0))
                        for roi in ("body", "all"))
    start = np.rint(everywhere.grid.to_index(body.grid.origin)).astype(int)
    assert start.min() > 0
    box = tuple(slice(first, first + size) for first, size in zip(start, body.grid.shape, strict=True))
    assert np.abs(body.array[0] - everywhere.array[0][box]).max() < 1e-5


@pytest.mark.parametrize("noise", ["median", "gaussian"])
def test_noise_filters_are_switched_on_by_the_recipe(noise, volume_of):
    plain, filtered = (prepare({"CT": volume_of()}, recipe(denoise=kind)).array for kind in ("none", noise))
    assert filtered.shape == plain.shape
    assert filtered.std() < plain.std()


def test_truth_goes_to_the_working_grid_with_the_image():
    volume = ball()
    prepared = prepare({"CT": volume}, recipe(spacing_mm=(3, 3, 3), channels=[
        Channel(role="CT", scale="window", low=0, high=100)]))
    labels = prepared.labels((volume.array > 50).astype(np.uint8))
    found = prepared.array[0] > 0.5
    assert 2 * np.count_nonzero(found & (labels > 0)) / (found.sum() + labels.sum()) > 0.93


def test_a_channel_may_show_values_as_they_are(volume_of):
    volume = volume_of("coronal")
    recipe = Recipe(primary="CT", channels=[Channel(role="CT", scale="none")],
                    spacing_mm=tuple(canonical(volume).grid.spacing))
    assert np.array_equal(prepare({"CT": volume}, recipe).array[0], canonical(volume).array)
