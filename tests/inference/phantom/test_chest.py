import numpy as np
import pytest

from inference.phantom.chest import Aeration, Chest, draw_aeration
from inference.phantom.ct_canvas import Box, Canvas, Point
from inference.phantom.trunk import draw_physique

AERATION = Aeration(lung_hu=-850, blood_hu=150, emphysema=False, dependent=0.0, plaques=True)


@pytest.fixture(scope="module")
def chest():
    rng = np.random.default_rng(2)
    chest = Chest(Canvas(Box(Point(-165, -140, -90), Point(165, 150, 200)), rng), draw_physique(rng), AERATION,
                  prone=False)
    chest.paint()
    return chest


def test_lungs_hold_several_litres_of_air(chest):
    assert 2500 < (chest.lung > 0).sum() * 0.008 < 7000, "ml"


def test_lung_tissue_is_denser_to_the_back(chest):
    y = np.broadcast_to(chest.canvas.ys[None, :, None], chest.lung.shape)
    front, back = (np.median(chest.canvas.hu[(chest.lung > 5) & part]) for part in (y < -40, y > 40))
    assert 20 < back - front < 80
    assert front == pytest.approx(-870, abs=25)


def test_vessels_reach_far_into_both_lungs(chest):
    ends = np.array([segment.end for segment in chest.vessels()])
    assert (ends[:, 0] < -80).sum() > 20
    assert (ends[:, 0] > 80).sum() > 20
    radii = np.array([segment.radius for segment in chest.vessels()])
    assert radii.min() < 0.8
    assert radii.max() > 1.9


def test_airways_begin_at_the_trachea_and_thin_out(chest):
    airways = chest.airways()
    assert airways[0].start.x == 0
    assert airways[0].radius > 7
    assert min(segment.radius for segment in airways) < 2


def test_patients_differ_in_contrast_and_disease():
    drawn = [draw_aeration(np.random.default_rng(k)) for k in range(60)]
    assert any(a.blood_hu < 60 for a in drawn)
    assert any(a.blood_hu > 150 for a in drawn)
    assert any(a.emphysema for a in drawn)
    assert any(a.dependent for a in drawn)
    assert any(a.plaques for a in drawn)
