from types import SimpleNamespace

import numpy as np
import pytest

from inference.fitness import check_ct_units, check_lungs, lung_volume_ml
from inference.phantom.ct_canvas import Box, Canvas, Point
from inference.phantom.lung_nodule import _mass, _nodule


def test_the_case_passes_for_a_chest(chest_case):
    check_ct_units(chest_case.volumes["CT"])
    check_lungs(chest_case.volumes["CT"])
    assert 2000 < lung_volume_ml(chest_case.volumes["CT"]) < 8000, "of an adult"


def test_truth_holds_the_nodules_and_nothing_else(chest_case):
    assert set(np.unique(chest_case.truth)) == {0, 1}
    assert 1 <= len(chest_case.lesions) <= 6
    total = (chest_case.truth > 0).sum() * chest_case.grid.voxel_ml
    assert sum(lesion.volume_ml for lesion in chest_case.lesions) == pytest.approx(total)
    assert max(lesion.diameter_mm for lesion in chest_case.lesions) >= 5


def test_nodules_are_denser_than_the_lung_around_them(chest_case):
    hu = chest_case.volumes["CT"].array
    assert np.median(hu[chest_case.truth == 1]) > -700


def test_vessels_and_wall_share_the_nodules_attenuation(chest_case):
    hu, truth = chest_case.volumes["CT"].array, chest_case.truth
    assert (hu[truth == 0] > np.median(hu[truth == 1])).sum() > 100 * truth.sum()


def test_nodules_are_solid_part_solid_or_ground_glass():
    nodules = [_nodule(Point(0, 0, 0), 5.0, np.random.default_rng(k)) for k in range(80)]
    solid = [n for n in nodules if n.body_hu >= -50]
    glass = [n for n in nodules if n.body_hu <= -350]
    assert len(solid) + len(glass) == 80
    assert all(n.core == 0 for n in solid)
    assert {n.core > 0 for n in glass} == {True, False}
    assert any(n.strands for n in nodules)


def test_a_chest_with_a_mass_is_another_patient_and_its_mass_is_larger_than_any_nodule(drawn_case):
    with_mass = drawn_case("lung_mass", 4)
    assert with_mass.task == "lung_nodule"
    assert with_mass.acquisitions["CT"].study.patient.patient_id == "PHANTOM-lung_mass4"
    assert max(lesion.diameter_mm for lesion in with_mass.lesions) > 30
    check_lungs(with_mass.volumes["CT"])


def test_a_mass_is_solid_around_its_core_and_lies_where_lung_is():
    canvas = Canvas(Box(Point(-60, -60, 0), Point(60, 60, 120)), np.random.default_rng(0))
    chest = SimpleNamespace(canvas=canvas, lung=50 - np.abs(canvas.x))
    masses = [_mass(chest, np.random.default_rng(k)) for k in range(80)]
    assert all(11 <= min(m.lump.radii) <= max(m.lump.radii) <= 57 for m in masses)
    assert all(0 <= m.body_hu <= 80 for m in masses)
    assert {m.core_hu < -900 for m in masses if m.core} == {True, False}, "some hold air, some died off"
    assert all(abs(m.lump.centre.x) < 50 for m in masses)
