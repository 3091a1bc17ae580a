"""Parts, holes and crumbs of masks."""

import numpy as np
import pytest

from inference.tasks.postprocess import bounding_box, boxes_of, components, drop_small, fill_holes, largest
from inference.volume import Grid


@pytest.fixture
def three() -> np.ndarray:
    """Parts of 27, 8 and 1 voxels; the last touches nothing."""
    mask = np.zeros((10, 10, 10), dtype=bool)
    mask[1:4, 1:4, 1:4] = True
    mask[6:8, 6:8, 6:8] = True
    mask[0, 9, 9] = True
    return mask


def test_parts_are_numbered_by_size(three):
    labels, counts = components(three)
    assert counts.tolist() == [27, 8, 1]
    assert (labels[2, 2, 2], labels[7, 7, 7], labels[0, 9, 9], labels[5, 5, 5]) == (1, 2, 3, 0)


def test_voxels_that_share_a_corner_are_one_part():
    mask = np.zeros((3, 3, 3), dtype=bool)
    mask[0, 0, 0] = mask[1, 1, 1] = True
    assert components(mask)[1].tolist() == [2]


def test_an_empty_mask_has_no_parts_and_no_box():
    empty = np.zeros((3, 4, 5), dtype=bool)
    assert components(empty)[1].size == 0
    assert bounding_box(empty) is None
    assert not largest(empty).any()
    assert not fill_holes(empty).any()


def test_the_box_holds_the_mask_and_no_more(three):
    assert bounding_box(three) == (slice(0, 8), slice(1, 10), slice(1, 10))
    assert bounding_box(three, margin=2)[0] == slice(0, 10)


def test_each_number_of_a_map_has_its_box(three):
    numbers = np.zeros(three.shape, dtype=np.uint16)
    numbers[1:4, 1:4, 1:4] = 1
    numbers[6:8, 6:8, 6:8] = 300
    numbers[9, 6, 7] = 300
    assert boxes_of(numbers) == {1: (slice(1, 4),) * 3, 300: (slice(6, 10), slice(6, 8), slice(6, 8))}
    assert boxes_of(np.zeros_like(numbers)) == {}


def test_largest_keeps_one_part(three):
    assert np.count_nonzero(largest(three)) == 27


def test_small_goes_by_volume_not_by_voxels(three):
    one_mm, two_mm = Grid((10, 10, 10), np.eye(4)), Grid((10, 10, 10), np.diag([2.0, 2, 2, 1]))
    assert np.count_nonzero(drop_small(three, one_mm, 0.008)) == 35
    assert np.count_nonzero(drop_small(three, one_mm, 0.0081)) == 27
    assert np.count_nonzero(drop_small(three, two_mm, 0.0081)) == 35


def test_enclosed_holes_are_filled_and_open_ones_are_not():
    mask = np.zeros((7, 7, 7), dtype=bool)
    mask[1:6, 1:6, 1:6] = True
    mask[3, 3, 3] = False  # enclosed
    mask[5, 2, 2] = False  # open to the outside
    filled = fill_holes(mask)
    assert filled[3, 3, 3]
    assert not filled[5, 2, 2]
