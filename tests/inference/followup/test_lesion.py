"""Lesions from label maps."""

import numpy as np
import pytest

from inference import codes
from inference.followup.lesion import Identity, lesions_of
from inference.volume import Grid, Spacing

CUBE = (slice(2, 6), slice(3, 9), slice(4, 12))


@pytest.fixture
def grid(make_grid) -> Grid:
    return make_grid((-10.0, 5.0, 100.0), (40.0, 20.0, 30.0), Spacing(2.5, 1.0, 2.0))


def who(uid):
    return Identity(uid, codes.NODULE)


def drawn(grid, box=CUBE, number=1):
    labels = np.zeros(grid.shape, dtype=np.uint8)
    labels[box] = number
    return labels


def test_size_and_place(grid):
    (lesion,) = lesions_of(drawn(grid), grid, {1: who("A")})
    assert lesion.size.volume_ml == pytest.approx(4 * 6 * 8 * 5.0 / 1000)
    assert lesion.size.long_mm == pytest.approx(np.hypot(16, 5), abs=0.1)  # between the middles of voxel faces
    assert lesion.size.whole
    assert lesion.centre == pytest.approx((-10 + 7.5 * 2.0, 5 + 5.5, 100 + 3.5 * 2.5))
    assert lesion.radius_mm == pytest.approx((960 * 3 / (4 * np.pi)) ** (1 / 3))
    assert lesion.mask.shape == lesion.grid.shape == (4, 6, 8)


def test_it_holds_its_own_points_and_no_others(grid):
    (lesion,) = lesions_of(drawn(grid), grid, {1: who("A")})
    assert lesion.points.shape == (192, 3)
    assert lesion.holds(lesion.points).all()
    assert not lesion.holds(np.add(lesion.points, (16.0, 0.0, 0.0))).any()


def test_a_large_lesion_is_known_by_some_thousand_points(make_grid):
    grid = make_grid((0.0, 0.0, 0.0), (60.0, 60.0, 60.0), Spacing(1.0, 1.0, 1.0))
    (lesion,) = lesions_of(np.ones(grid.shape, dtype=np.uint8), grid, {1: who("A")})
    assert 2000 < len(lesion.points) <= 4000
    assert np.abs(lesion.points.mean(axis=0) - lesion.centre).max() < 1.0


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("end", ["first", "last"])
def test_a_lesion_at_the_edge_is_not_whole(grid, axis, end):
    box = list(CUBE)
    box[axis] = slice(0, 4) if end == "first" else slice(grid.shape[axis] - 4, grid.shape[axis])
    (lesion,) = lesions_of(drawn(grid, tuple(box)), grid, {1: who("A")})
    assert not lesion.size.whole


def test_numbers_without_voxels_give_none(grid):
    lesions = lesions_of(drawn(grid, number=2), grid, {1: who("A"), 2: who("B"), 3: who("C")})
    assert [lesion.uid for lesion in lesions] == ["B"]
    assert lesions_of(drawn(grid), grid, {}) == ()


def test_voxels_without_an_identity_are_nobody(grid):
    assert lesions_of(drawn(grid, number=7), grid, {1: who("A")}) == ()


def test_two_lesions_of_one_name_are_refused(grid):
    with pytest.raises(ValueError, match="same identity"):
        lesions_of(drawn(grid), grid, {1: who("A"), 2: who("A")})


def test_a_label_map_lies_on_its_grid(grid):
    with pytest.raises(ValueError, match="does not lie"):
        lesions_of(drawn(grid)[1:], grid, {1: who("A")})
