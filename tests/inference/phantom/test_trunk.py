import numpy as np
import pytest

from inference.phantom.ct_canvas import Box, Canvas, Point
from inference.phantom.trunk import Trunk, draw_physique


def trunk(seed=0, prone=False):
    rng = np.random.default_rng(seed)
    physique = draw_physique(rng)
    return Trunk(Canvas(Box(Point(-170, -150, -60), Point(170, 170, 90)), rng), physique, prone=prone)


def test_builds_vary_from_slim_to_heavy():
    widths = [draw_physique(np.random.default_rng(k)).width_mm for k in range(30)]
    assert min(widths) < 290
    assert max(widths) > 340


def test_lungs_lie_inside_the_hull_above_the_diaphragm_beside_the_spine():
    body = trunk()
    lung = body.paint_lungs(-850.0) > 0
    assert np.all(body.hull[lung] > 0)
    assert np.all(body.above_diaphragm[lung] > 0)
    assert np.all(body.spine[lung] < 0)
    for side in (-1, 1):
        assert (lung & (np.sign(body.canvas.x) == side)).sum() * 0.008 > 400, "a lung on either side, in ml"


def test_the_heart_lies_to_the_left_and_the_right_dome_stands_higher():
    body = trunk()
    lung = body.paint_lungs(-850.0) > 0
    left = np.broadcast_to(body.canvas.x > 0, lung.shape)
    low = np.broadcast_to((body.canvas.z > 15) & (body.canvas.z < 45), lung.shape)
    assert (lung & left & low).sum() < (lung & ~left & low).sum()


@pytest.mark.parametrize(("prone", "side"), [(False, 1), (True, -1)])
def test_the_couch_is_where_the_patient_falls(prone, side):
    body = trunk(prone=prone)
    body.paint_couch()
    drawn = body.canvas.hu > -500
    assert drawn.any()
    assert np.all(np.sign(body.canvas.ys[np.flatnonzero(drawn.any(axis=(0, 2)))]) == side)


def test_the_wall_has_fat_muscle_and_bone():
    body = trunk()
    body.paint_wall()
    body.paint_spine()
    body.paint_ribs()
    hu = body.canvas.hu
    for low, high in ((-125, -80), (35, 75), (400, 1200)):
        assert ((hu > low) & (hu < high)).mean() > 0.004
