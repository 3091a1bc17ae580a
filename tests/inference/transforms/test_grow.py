"""A lesion is grown inside its box by its contrast."""

import numpy as np
import pytest

from inference.transforms.grow import grow_in_box
from inference.volume import Spacing


def ball(volume, centre, radius, inside=40.0, outside=-850.0):
    places = volume.grid.to_lps(np.moveaxis(np.indices(volume.grid.shape), 0, -1))
    mask = np.linalg.norm(places - centre, axis=-1) <= radius
    return volume.with_array(np.where(mask, inside, outside).astype(np.float32)), mask


@pytest.fixture
def lung(volume_of):
    return volume_of("doubly oblique", Spacing(1.5, 1.0, 1.0), (24, 32, 30))


def whole(volume, grown):
    part, mask = grown
    out = np.zeros(volume.grid.shape, dtype=bool)
    out[part] = mask
    return out


def test_a_ball_in_lung_is_found_as_it_is(lung):
    centre = lung.grid.to_lps((12, 15, 14))
    volume, truth = ball(lung, centre, 6.0)
    assert np.array_equal(whole(volume, grow_in_box(volume, centre - 7, centre + 7)), truth)


def test_a_vessel_is_cut_where_it_leaves_the_box(lung):
    centre = lung.grid.to_lps((12, 15, 14))
    volume, truth = ball(lung, centre, 5.0)
    volume.array[12, 15, :] = 40.0
    found = whole(volume, grow_in_box(volume, centre - 6, centre + 6))
    assert (found & truth).sum() == truth.sum()
    assert (found & ~truth).sum() <= 4


def test_what_is_not_connected_to_the_middle_is_no_part_of_it(lung):
    centre = lung.grid.to_lps((12, 15, 14))
    volume, truth = ball(lung, centre, 4.0)
    beside = centre + np.array([0, 7, 0])
    volume.array[ball(lung, beside, 1.5)[1]] = 40.0
    assert np.array_equal(whole(volume, grow_in_box(volume, centre - 10, centre + 10)), truth)


def test_without_contrast_it_is_the_ellipsoid_of_the_box(lung):
    centre = lung.grid.to_lps((12, 15, 14))
    volume, _ = ball(lung, centre, 4.0, inside=40.0, outside=30.0)
    half = np.array([8, 4, 4])
    found = whole(volume, grow_in_box(volume, centre - half, centre + half))
    millilitres = found.sum() * volume.grid.voxel_ml
    assert millilitres == pytest.approx(4 / 3 * np.pi * 8 * 4 * 4 / 1000, rel=0.05)


def test_a_box_smaller_than_a_voxel_is_one_voxel(lung):
    centre = lung.grid.to_lps((12.4, 15.4, 14.4))
    volume, _ = ball(lung, centre, 4.0)
    assert whole(volume, grow_in_box(volume, centre - 0.01, centre + 0.01)).sum() >= 1


def test_a_box_beside_the_images_is_none(lung):
    volume, _ = ball(lung, lung.grid.to_lps((12, 15, 14)), 4.0)
    assert grow_in_box(volume, np.full(3, 9000.0), np.full(3, 9010.0)) is None
