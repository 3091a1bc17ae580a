import numpy as np
import pytest

from inference.phantom.abdomen import ARTERIAL, NATIVE, PORTAL, Abdomen, draw_phase
from inference.phantom.ct_canvas import Box, Canvas, Point
from inference.phantom.trunk import draw_physique


@pytest.fixture(scope="module")
def abdomen():
    rng = np.random.default_rng(4)
    abdomen = Abdomen(Canvas(Box(Point(-165, -140, -190), Point(165, 150, 10)), rng), draw_physique(rng), PORTAL,
                      prone=False)
    abdomen.paint()
    return abdomen


def test_most_scans_are_portal_venous():
    names = [draw_phase(np.random.default_rng(k)).name for k in range(200)]
    assert names.count(PORTAL.name) > 130
    assert names.count(ARTERIAL.name) > 8
    assert names.count(NATIVE.name) > 4


def test_the_liver_has_a_liver_s_size_and_lies_mostly_right(abdomen):
    liver = abdomen.liver > 0
    assert 700 < liver.sum() * 0.008 < 2600, "ml"
    assert (liver & (abdomen.canvas.x < 0)).sum() > 0.6 * liver.sum()


def test_the_liver_shares_no_room_with_its_neighbours(abdomen):
    liver = abdomen.liver > 0
    for other in (abdomen.right_kidney, abdomen.gallbladder, abdomen.trunk.spine):
        assert not (liver & (other > 0)).any()


def test_organs_have_the_attenuation_of_the_phase(abdomen):
    assert np.median(abdomen.canvas.hu[abdomen.liver > 3]) == pytest.approx(PORTAL.liver, abs=6)
    assert np.median(abdomen.canvas.hu[abdomen.gallbladder > 4]) < 30


def test_other_tissue_shares_the_liver_s_attenuation(abdomen):
    band = np.abs(abdomen.canvas.hu - PORTAL.liver) < 15
    assert (band & (abdomen.liver < -3)).sum() > 0.25 * (abdomen.liver > 0).sum()


def test_vessels_of_the_liver_branch_inside_it(abdomen):
    ends = np.array([segment.end for segment in abdomen.vessels()])
    assert len(ends) > 100
    assert abdomen.canvas.within(abdomen.liver, -9.0)(ends).mean() > 0.95
