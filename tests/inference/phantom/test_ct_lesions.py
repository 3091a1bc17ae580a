import numpy as np
import pytest

from inference.phantom.ct_canvas import Point
from inference.phantom.ct_lesions import Ripple, draw_lump, spikes

STEP = 0.5
AXIS = np.arange(-12, 12, STEP, dtype=np.float32)
OFFSETS = (AXIS[None, None, :], AXIS[None, :, None], AXIS[:, None, None])


def test_a_smooth_lump_is_its_ellipsoid():
    lump = draw_lump(Point(0, 0, 0), 8.0, 0.0, np.random.default_rng(0))
    assert all(6 <= r <= 10 for r in lump.radii)
    assert (lump.depth(OFFSETS) > 0).sum() * STEP**3 == pytest.approx(4 / 3 * np.pi * np.prod(lump.radii), rel=0.03)


def test_a_rough_lump_stays_within_its_reach():
    lump = draw_lump(Point(0, 0, 0), 5.0, 0.2, np.random.default_rng(1))
    inside = np.argwhere(lump.depth(OFFSETS) > 0) * STEP - 12
    assert np.abs(inside).max() < lump.reach_mm


def test_ripples_have_unit_variance_and_the_wavelength_asked_for():
    fine, coarse = (np.concatenate([Ripple(length, np.random.default_rng(k))(OFFSETS).ravel() for k in range(8)])
                    for length in (4.0, 12.0))
    assert fine.std() == pytest.approx(1, abs=0.15)
    assert np.abs(np.diff(fine)).mean() > 2 * np.abs(np.diff(coarse)).mean()


def test_spikes_leave_the_surface_outwards_by_2_to_6_mm():
    lump = draw_lump(Point(10, 20, 30), 6.0, 0.1, np.random.default_rng(2))
    pairs = spikes(lump, np.random.default_rng(3))
    assert 3 <= len(pairs) <= 12
    for start, end in pairs:
        assert 2 <= np.linalg.norm(np.subtract(end, start)) <= 6
        assert np.linalg.norm(np.subtract(end, lump.centre)) > np.linalg.norm(np.subtract(start, lump.centre))
