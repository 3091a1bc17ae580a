"""Known motions are found again to a fraction of a voxel; what is another body, or no body, is refused."""

import pickle

import numpy as np
import pytest
from scipy import ndimage

from inference.followup.register import (
    LEAST_SIMILARITY,
    Agreement,
    NotRegistered,
    Registration,
    register_prior,
)
from inference.transforms.geometry import resample
from inference.volume import Grid, Spacing, Volume, regular_affine

STILL = np.eye(4)
PLACES = np.array([[0, 0, -100], [-70, 0, -60], [90, 30, -50], [60, -40, -150], [-60, 40, -170]], dtype=float)


def error_mm(found: Registration, truth: np.ndarray, places: np.ndarray = PLACES) -> float:
    """The largest distance between where the registration and the truth put places of the prior."""
    return float(np.linalg.norm(found.to_current(places) - (places @ truth[:3, :3].T + truth[:3, 3]), axis=1).max())


@pytest.fixture(scope="module")
def wide(make_grid) -> Grid:
    return make_grid((-165.0, -125.0, -215.0), (330.0, 250.0, 225.0), Spacing(3.0, 1.8, 1.8))


@pytest.mark.parametrize(("degrees", "shift"), [((4, -3, 6), (10, -8, 8)), ((-3, 2, -8), (-12, 6, -15))])
def test_a_known_motion_is_found(abdomen, scanned, motion, wide, degrees, shift):
    truth = motion(degrees, shift)
    found = register_prior(abdomen, scanned(abdomen, truth, wide))
    assert isinstance(found, Registration)
    assert found.kind == "rigid"
    assert error_mm(found, truth) < 1.0
    assert found.agreement.similarity > 0.9
    assert found.agreement.residual_mm < 1.0
    assert np.allclose(found.to_prior(found.to_current(PLACES)), PLACES)


def test_another_field_of_view_is_found_in_a_large_one(abdomen, scanned, motion, make_grid):
    """The upper half only, in a frame of reference that begins elsewhere."""
    truth = motion((3, 2, -4), (250.0, -180.0, 900.0))
    upper = make_grid((100.0, -290.0, 790.0), (300.0, 220.0, 125.0), Spacing(2.5, 2.0, 2.0))
    found = register_prior(abdomen, scanned(abdomen, truth, upper))
    assert isinstance(found, Registration)
    assert error_mm(found, truth, PLACES[:3]) < 1.5


def test_oblique_and_leaning_slices_are_no_hindrance(abdomen, scanned, motion, wide):
    affine = wide.affine.copy()
    affine[1, 0] = 0.25 * affine[2, 0]  # a gantry tilted by 14 degrees
    affine[1, 3] += 25.0
    truth = motion((2, 0, 3), (5, 5, 0))
    found = register_prior(abdomen, scanned(abdomen, truth, Grid(wide.shape, affine)))
    assert isinstance(found, Registration)
    assert error_mm(found, truth) < 1.0


def test_a_body_that_one_scanner_shows_longer_needs_more_than_a_rigid_map(abdomen, scanned, motion, wide):
    truth = motion((0, 0, 0), (4, 0, 0)) @ np.diag([1.05, 0.96, 1.04, 1.0])
    found = register_prior(abdomen, scanned(abdomen, truth, wide))
    assert isinstance(found, Registration)
    assert found.kind == "affine"
    assert 0.03 < found.agreement.stretch < 0.07
    assert error_mm(found, truth) < 2.0


def test_the_answer_is_the_same_every_time_and_travels(abdomen, scanned, motion, wide):
    current = scanned(abdomen, motion((2, 1, 3), (5, 0, 5)), wide)
    first, second = register_prior(abdomen, current), register_prior(abdomen, current)
    assert isinstance(first, Registration)
    assert isinstance(second, Registration)
    assert np.array_equal(first.matrix, second.matrix)
    assert first.agreement == second.agreement
    assert np.array_equal(pickle.loads(pickle.dumps(first)).matrix, first.matrix)


def test_another_body_is_refused_with_its_reason(abdomen, stranger):
    found = register_prior(stranger, abdomen)
    assert isinstance(found, NotRegistered)
    assert "do not look alike" in found.reason or "mm apart" in found.reason
    assert found.agreement is not None
    assert found.agreement.similarity < LEAST_SIMILARITY


def test_another_part_of_the_body_is_refused(abdomen, motion, make_grid):
    low, high = (resample(abdomen, make_grid((-165.0, -125.0, z), (330.0, 250.0, 80.0), Spacing(2.0, 2.0, 2.0)),
                          fill=-1024.0) for z in (-215.0, -75.0))
    assert isinstance(register_prior(low, high), NotRegistered)


def test_images_of_another_kind_or_of_nothing_are_refused(abdomen):
    signal = Volume(abdomen.array, abdomen.grid, "signal")
    assert register_prior(signal, abdomen) == NotRegistered("the prior's voxels are of another kind")
    air = abdomen.with_array(np.full_like(abdomen.array, -1000.0))
    assert register_prior(air, abdomen) == NotRegistered("one of the images shows no patient")
    flat = signal.with_array(np.ones_like(signal.array))
    assert isinstance(register_prior(flat, signal), NotRegistered)


def head(grid: Grid) -> Volume:
    """A lopsided head with folds, ventricles and an eye."""
    x, y, z = np.moveaxis(grid.to_lps(np.stack(np.indices(grid.shape), axis=-1)), -1, 0)
    radius = np.sqrt((x / 65) ** 2 + ((y - 5) / 85) ** 2 + (z / 70) ** 2)
    out = np.where(radius < 1, 600.0, 0.0)
    out = np.where(radius + 0.08 * np.sin(x / 6) * np.sin(y / 7 + 1) * np.sin(z / 5) < 0.8, 900.0, out)
    for side in (-1, 1):
        out = np.where(((x - side * 14) / 9) ** 2 + ((y + 8) / 30) ** 2 + ((z - 5) / 12) ** 2 < 1, 200.0, out)
    out = np.where((x - 28) ** 2 + (y + 60) ** 2 + (z + 30) ** 2 < 150, 200.0, out)
    return Volume(ndimage.gaussian_filter(out, 0.7).astype(np.float32), grid)


def test_mr_of_another_scale_and_shading_is_laid_on_as_well(scanned, motion):
    grid = Grid((90, 105, 90), regular_affine((-89, -104, -89), np.eye(3)[:, ::-1], Spacing(2.0, 2.0, 2.0)))
    prior = head(grid)
    truth = motion((5, -4, 8), (6.0, -8.0, 5.0), np.zeros(3))
    current = scanned(prior, truth, grid)
    shade = np.linspace(1.2, 1.5, grid.shape[2], dtype=np.float32)
    found = register_prior(prior, current.with_array(np.asarray(current.array) * shade))
    assert isinstance(found, Registration)
    assert error_mm(found, truth, np.array([[0, 0, 0], [50, 0, 0], [0, 60, 10], [-40, -30, 40.0]])) < 1.0


@pytest.mark.parametrize(("changes", "reason"), [
    ({}, ""),
    ({"overlap": 0.39}, "39% of the body in common"),
    ({"rotation_deg": 31.0}, "turned by 31 degrees"),
    ({"similarity": 0.7}, "do not look alike"),
    ({"residual_mm": 3.5}, "3.5 mm apart"),
])
def test_every_gate_names_its_reason(changes, reason):
    good = {"similarity": 0.95, "overlap": 0.8, "residual_mm": 0.5, "rotation_deg": 5.0}
    objection = Agreement(**{**good, **changes}).objection()
    assert reason in objection
    assert bool(objection) == bool(reason)
