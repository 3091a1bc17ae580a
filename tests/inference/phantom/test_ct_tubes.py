import numpy as np
import pytest

from inference.phantom.ct_canvas import Box, Canvas, Point
from inference.phantom.ct_scan import SOFT, Detail, Scan
from inference.phantom.ct_tubes import Growth, Segment, draw_tubes, draw_walls, grow
from inference.volume import Spacing

ROOT = Segment(Point(0, 0, 0), Point(0, 0, 4), 4.0)


@pytest.fixture
def detail():
    scan = Scan(Box(Point(-20, -20, 0), Point(20, 20, 40)), 41, 41, Spacing(1.0, 1.0, 1.0), SOFT[0], 0.0, prone=False)
    detail = Detail(Canvas(scan.box, np.random.default_rng(0)), scan)
    detail.hu[:] = -850
    return detail


def inside(points):
    return np.linalg.norm(points, axis=1) < 60


def test_trees_fork_thin_out_and_stay_inside():
    tree = grow([ROOT], Growth(step_mm=3.0, fork=0.35, most=400), inside, np.random.default_rng(1))
    assert len(tree) > 50
    assert inside(np.array([s.end for s in tree])).all()
    assert min(s.radius for s in tree) < 0.5 * ROOT.radius
    assert all(s.radius <= ROOT.radius for s in tree)


def test_growth_ends_near_its_limit():
    assert len(grow([ROOT], Growth(most=60, fork=1.0), inside, np.random.default_rng(1))) < 120


def test_a_tube_fills_its_cylinder(detail):
    draw_tubes(detail, [Segment(Point(0, 0, 5), Point(0, 0, 35), 4.0)], 150.0)
    middle = detail.hu[20]
    assert middle.max() == pytest.approx(150)
    assert ((middle + 850) / 1000).sum() == pytest.approx(np.pi * 16, rel=0.08)
    assert detail.hu[0].max() == pytest.approx(-850)


def test_a_tube_thinner_than_a_voxel_never_fills_it(detail):
    draw_tubes(detail, [Segment(Point(0, 0, 5), Point(0, 0, 35), 0.3)], 150.0)
    assert -850 < detail.hu.max() < -100


def test_a_wall_keeps_what_is_denser(detail):
    bronchus = [Segment(Point(0, 0, 5), Point(0, 0, 35), 3.0)]
    draw_tubes(detail, [Segment(Point(-10, 0, 20), Point(10, 0, 20), 1.5)], 200.0)
    draw_walls(detail, bronchus, 30.0, 1.2)
    draw_tubes(detail, bronchus, -995.0)
    assert detail.hu[10, 20, 20] < -980
    assert detail.hu[10, 20, 16:18].max() > -400
    assert detail.hu[20, 20, 12] == pytest.approx(200)
