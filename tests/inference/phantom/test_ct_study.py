import numpy as np
import pytest

from inference.phantom.ct_canvas import Point
from inference.phantom.ct_study import Truth, coronal
from inference.volume import Grid, Spacing, Volume, regular_affine

WINDOW = (slice(1, 4), slice(2, 5), slice(2, 5))


def test_a_marked_lesion_leaves_its_facts():
    truth = Truth(np.ones((6, 8, 8), np.uint8))
    body = np.zeros((3, 3, 3), bool)
    body[1] = True
    assert truth.mark(body, WINDOW, 2, Point(1, 2, 3), Spacing(5.0, 1.0, 1.0))
    assert (truth.labels == 2).sum() == 9
    (lesion,) = truth.lesions
    assert (lesion.label, lesion.diameter_mm, lesion.centre) == (2, 5.0, (1, 2, 3))
    assert lesion.volume_ml == pytest.approx(9 * 5 / 1000)


def test_a_lesion_without_a_voxel_is_none():
    truth = Truth(np.zeros((6, 8, 8), np.uint8))
    assert not truth.mark(np.zeros((3, 3, 3), bool), WINDOW, 2, Point(0, 0, 0), Spacing(1.0, 1.0, 1.0))
    assert truth.lesions == []


def test_a_coronal_reformat_shows_the_same_places():
    affine = regular_affine((-30, -40, 10), np.eye(3)[:, ::-1], Spacing(4.0, 1.5, 1.5))
    grid = Grid((30, 40, 40), affine)
    z = grid.to_lps(np.argwhere(np.ones(grid.shape)))[:, 2].reshape(grid.shape)
    reformat = coronal(Volume(z.astype(np.float32), grid, "HU"))
    assert reformat.grid.spacing == pytest.approx((6.0, 1.5, 1.5))
    assert np.linalg.det(reformat.grid.affine[:3, :3][:, ::-1]) > 0
    places = reformat.grid.to_lps([[2, row, 5] for row in range(4, 70)])
    assert reformat.array[2, 4:70, 5] == pytest.approx(places[:, 2], abs=1.1)
