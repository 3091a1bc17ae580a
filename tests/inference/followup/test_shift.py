"""Every shift at once."""

import numpy as np
import pytest

from inference.followup.coarse import coarse
from inference.followup.shift import best_shift
from inference.volume import Grid, Spacing, Volume


@pytest.mark.parametrize("by", [(0.0, 0.0, 0.0), (60.0, -48.0, 24.0), (-400.0, 300.0, 1000.0)])
def test_a_shift_is_found_to_within_its_step(abdomen, motion, by):
    elsewhere = Grid(abdomen.grid.shape, motion((0, 0, 0), by) @ abdomen.grid.affine)
    moved = Volume(abdomen.array, elsewhere, "HU")
    found = best_shift(coarse(abdomen), coarse(moved), 0.4)
    assert np.abs(found - by).max() <= 6.0


def test_a_part_is_found_in_the_whole(abdomen, scanned, make_grid):
    part = scanned(abdomen, np.eye(4), make_grid((-165.0, -125.0, -100.0), (330.0, 250.0, 90.0),
                                                 Spacing(2.0, 2.0, 2.0)))
    assert np.abs(best_shift(coarse(part), coarse(abdomen), 0.4)).max() <= 6.0


def test_more_overlap_than_there_is_cannot_be_had(abdomen):
    image = coarse(abdomen)
    assert best_shift(image, image, 1.1) is None
