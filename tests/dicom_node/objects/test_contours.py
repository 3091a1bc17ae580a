"""Outlines give back the mask that they were made of, pixel for pixel; what is drawn for the eye stays near it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from hypothesis.extra.numpy import arrays

from dicom_node.objects.contours import keyhole, outlines, simplified

masks = arrays(bool, some.tuples(some.integers(1, 12), some.integers(1, 12)))


def enclosed(polygons, shape: tuple[int, int]) -> np.ndarray:
    """The pixels whose centres lie inside, by counting crossings to the left (even-odd)."""
    rows, columns = np.indices(shape) + 0.5
    inside = np.zeros(shape, dtype=bool)
    for polygon in polygons:
        for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
            if y0 != y1:
                crosses = (np.minimum(y0, y1) <= rows) & (rows < np.maximum(y0, y1))
                inside ^= crosses & (x0 + (rows - y0) / (y1 - y0) * (x1 - x0) < columns)
    return inside


def wound(polygon: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """How often the polygon winds around each pixel's centre, for readers that fill by winding."""
    rows, columns = np.indices(shape) + 0.5
    winds = np.zeros(shape, dtype=int)
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if x0 == x1:
            winds += np.sign(y0 - y1).astype(int) * ((np.minimum(y0, y1) <= rows) & (rows < np.maximum(y0, y1))
                                                     & (x0 < columns))
    return np.abs(winds)


def area(polygon: np.ndarray) -> float:
    x, y = polygon.T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def test_the_first_pixel_lies_between_the_corners_0_and_1() -> None:
    """PS3.3 C.10.5.1.2: the top left corner of the top left pixel is 0\\0, its bottom right corner 1\\1."""
    (outline,) = outlines(np.array([[True, False], [False, False]]))
    assert {tuple(corner) for corner in outline.rim} == {(0, 0), (1, 0), (1, 1), (0, 1)}
    assert outline.holes == ()
    assert outline.pixels == 1


def test_points_are_columns_and_rows_in_this_order() -> None:
    mask = np.zeros((4, 9), dtype=bool)
    mask[1, 5:8] = True
    (outline,) = outlines(mask)
    assert outline.rim.min(axis=0).tolist() == [5, 1]
    assert outline.rim.max(axis=0).tolist() == [8, 2]
    assert len(outline.rim) == 4, "corners only"


def test_nothing_has_no_outline() -> None:
    assert outlines(np.zeros((3, 3), dtype=bool)) == []


def test_areas_come_largest_first_each_with_its_own_holes() -> None:
    mask = np.zeros((12, 20), dtype=bool)
    mask[1:10, 1:12] = True
    mask[3:8, 3:6] = mask[3:8, 7:10] = False
    mask[4, 4] = True  # an island in a hole
    mask[2:5, 14:17] = True
    large, small, island = outlines(mask)
    assert [len(o.holes) for o in (large, small, island)] == [2, 0, 0]
    assert [o.pixels for o in (large, small, island)] == [99 - 30, 9, 1]
    assert all(area(o.rim) > 0 for o in (large, small, island))
    assert all(area(hole) < 0 for hole in large.holes)


def test_pixels_that_touch_in_a_corner_are_apart() -> None:
    assert len(outlines(np.eye(3, dtype=bool))) == 3


@given(masks)
@settings(max_examples=150, deadline=None)
def test_rims_and_holes_enclose_exactly_the_mask(mask: np.ndarray) -> None:
    found = outlines(mask)
    assert np.array_equal(enclosed([p for o in found for p in (o.rim, *o.holes)], mask.shape), mask)
    assert sum(area(o.rim) + sum(map(area, o.holes)) for o in found) == mask.sum()


@given(masks)
@settings(max_examples=150, deadline=None)
def test_keyholes_enclose_exactly_the_mask_by_either_rule(mask: np.ndarray) -> None:
    found = [keyhole(outline) for outline in outlines(mask)]
    assert np.array_equal(enclosed(found, mask.shape), mask)
    assert np.array_equal(sum((wound(p, mask.shape) for p in found), np.zeros(mask.shape, int)), mask.astype(int))
    for polygon in found:
        assert (polygon != np.roll(polygon, 1, axis=0)).any(axis=1).all(), "no point follows itself"
        assert np.array_equal(polygon, np.rint(polygon)), "channels run along the pixels' edges"


def test_noise_is_enclosed_exactly() -> None:
    mask = np.random.default_rng(0).random((60, 80)) < 0.65
    found = outlines(mask)
    assert sum(len(o.holes) for o in found) > 50
    assert np.array_equal(enclosed([keyhole(o) for o in found], mask.shape), mask)
    for polygon in (p for o in found for p in (o.rim, *o.holes)):
        assert ((polygon != np.roll(polygon, 1, axis=0)).sum(axis=1) == 1).all(), "rows and columns in turn"
        steps = np.sign(polygon - np.roll(polygon, 1, axis=0))
        assert (steps != np.roll(steps, 1, axis=0)).any(axis=1).all(), "corners only"


def test_channels_that_pass_holes_side_by_side_stay_exact() -> None:
    mask = np.ones((9, 15), dtype=bool)
    for row, column in ((1, 2), (1, 5), (1, 8), (4, 4), (4, 6), (6, 1), (6, 12), (3, 10)):
        mask[row : row + 2, column] = False
    (outline,) = outlines(mask)
    assert np.array_equal(enclosed([keyhole(outline)], mask.shape), mask)


def to_line(point: np.ndarray, polygon: np.ndarray) -> float:
    start, end = polygon, np.roll(polygon, -1, axis=0)
    along = end - start
    share = np.clip(((point - start) * along).sum(1) / np.maximum((along**2).sum(1), 1e-12), 0, 1)
    return float(np.linalg.norm(start + share[:, None] * along - point, axis=1).min())


def test_a_drawn_line_has_fewer_points_and_stays_within_half_a_pixel() -> None:
    rows, columns = np.indices((120, 120))
    (outline,) = outlines((rows - 60.2) ** 2 + (columns - 58.7) ** 2 < 50**2)
    drawn = simplified(outline.rim)
    assert len(drawn) < len(outline.rim) / 3
    middles = (outline.rim + np.roll(outline.rim, -1, axis=0)) / 2
    ends = np.abs(outline.rim - np.roll(outline.rim, -1, axis=0)).sum(axis=1) == 1
    assert max(to_line(point, drawn) for point in middles[ends]) < 0.5
    assert abs(area(drawn) / area(outline.rim) - 1) < 0.01


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (3, 1), (2, 2)])
def test_the_smallest_areas_are_still_drawn_around(shape: tuple[int, int]) -> None:
    (outline,) = outlines(np.ones(shape, dtype=bool))
    assert area(simplified(outline.rim)) > 0


def test_a_crooked_line_keeps_to_the_limit() -> None:
    (outline, *_) = outlines(np.random.default_rng(0).random((80, 80)) < 0.7)
    assert len(simplified(outline.rim, 100_000)) > 200 >= len(simplified(outline.rim, 200)) >= 3


@given(masks)
@settings(max_examples=100, deadline=None)
def test_drawn_lines_stay_on_the_image(mask: np.ndarray) -> None:
    for outline in outlines(mask):
        drawn = simplified(outline.rim)
        assert drawn.min() >= 0
        assert (drawn <= mask.shape[::-1]).all()
