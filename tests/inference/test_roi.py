"""The region of interest is found on a coarse grid."""

import numpy as np
import pytest

from inference.errors import Unfit
from inference.roi import find_region
from inference.volume import Grid, Spacing, Volume, regular_affine


def ct(array):
    grid = Grid(array.shape, regular_affine((0, 0, 0), np.eye(3)[:, ::-1], Spacing(4, 4, 4)))
    return Volume(array.astype(np.float32), grid, "HU")


@pytest.fixture
def chest():
    """A box of a patient with two lungs and a nodule on the wall of the right one; a table below."""
    array = np.full((40, 60, 80), -1000.0)
    array[:, 10:50, 10:70] = 40
    array[:, 54:56, 5:75] = 200
    array[4:36, 16:44, 14:36] = array[4:36, 16:44, 44:66] = -850
    array[18:22, 28:32, 14:17] = 30
    return ct(array)


def test_all_is_no_region(chest):
    assert find_region(chest, "all") is None


def test_the_body_has_its_lungs_and_not_the_table(chest):
    body = find_region(chest, "body").array
    assert body[20, 30, 25]
    assert body[20, 30, 40]
    assert not body[:, 53:].any()
    assert not body[:, :, :9].any()


def test_a_nodule_on_the_pleura_lies_inside_the_lungs(chest):
    lungs = find_region(chest, "lungs").array
    assert lungs[20, 30, 15]
    assert lungs[20, 30, 25]
    assert not lungs[20, 5, 25]


def test_most_of_a_mass_of_70_mm_on_the_wall_lies_inside_its_lung_and_the_heart_does_not():
    array = np.full((60, 70, 90), -1000.0)
    array[:, 5:65, 5:85] = 40
    array[4:56, 10:60, 10:34] = array[4:56, 10:60, 56:80] = -850  # 88 mm of mediastinum between them
    z, y, x = np.ogrid[:60, :70, :90]
    mass = (z - 30) ** 2 + (y - 35) ** 2 + (x - 74) ** 2 < (35 / 4) ** 2
    array[mass & (array < 0)] = 40
    lungs = find_region(ct(array), "lungs").array
    inside = mass & (x < 80)
    assert lungs[inside].mean() > 0.7
    assert lungs[30, 35, 74]
    assert not lungs[:, :, 34:56].any()
    assert not lungs[:, :, 82:].any()


@pytest.mark.parametrize("kind", ["body", "lungs"])
def test_nothing_there_is_unfit(kind):
    with pytest.raises(Unfit, match=f"does not show the {kind}"):
        find_region(ct(np.full((20, 20, 20), -1000.0)), kind)
