"""Known motions are found again, to a fraction of a voxel; what is no motion of a head is refused."""

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from inference.errors import Unfit
from inference.transforms import registration
from inference.transforms.geometry import resample
from inference.transforms.registration import RigidTransform, register_rigid, resample_onto
from inference.volume import Grid, Spacing, Volume

THICK = Spacing(5.0, 3.0, 3.0)


def head(grid: Grid, white: float, grey: float, fluid: float) -> np.ndarray:
    """A lopsided head: skull of nothing, grey and white matter with folds, two ventricles, an eye."""
    x, y, z = np.moveaxis(grid.to_lps(np.stack(np.indices(grid.shape), axis=-1)), -1, 0)
    radius = np.sqrt((x / 65) ** 2 + ((y - 5) / 85) ** 2 + (z / 70) ** 2)
    folds = 0.08 * np.sin(x / 6) * np.sin(y / 7 + 1) * np.sin(z / 5)
    out = np.where(radius < 1, grey, 0.0)
    out = np.where(radius + folds < 0.8, white, out)
    for side in (-1, 1):
        out = np.where(((x - side * 14) / 9) ** 2 + ((y + 8) / 30) ** 2 + ((z - 5) / 12) ** 2 < 1, fluid, out)
    out = np.where((x - 28) ** 2 + (y + 60) ** 2 + (z + 30) ** 2 < 150, fluid, out)
    return ndimage.gaussian_filter(out, 0.7).astype(np.float32)


def motion_of(degrees: float, shift: tuple[float, float, float]) -> np.ndarray:
    a = np.radians(degrees)
    matrix = np.eye(4)
    matrix[:2, :2] = [[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]
    matrix[:3, 3] = shift
    return matrix


def grid_around(spacing: Spacing, uid: str = "1.2") -> Grid:
    shape = tuple(int(190 / s) for s in spacing)
    affine = np.zeros((4, 4))
    affine[[2, 1, 0, 3], [0, 1, 2, 3]] = (*spacing, 1)
    affine[:3, 3] = [-(n - 1) * s / 2 for n, s in zip(shape[::-1], spacing[::-1], strict=True)]
    return Grid(shape, affine, uid)


@pytest.fixture(scope="module")
def fixed() -> Volume:
    grid = grid_around(Spacing(3.0, 3.0, 3.0))
    return Volume(head(grid, 900, 600, 200), grid)


def moved(motion: np.ndarray, uid: str = "1.2", spacing: Spacing = THICK) -> Volume:
    """The same head in another contrast, after the patient moved."""
    grid = grid_around(spacing, uid)
    return resample(Volume(head(grid, 400, 600, 1000), grid), grid, motion=np.linalg.inv(motion))


def error_mm(found: RigidTransform, truth: np.ndarray) -> float:
    """Largest distance between where the transform and the truth put points of the brain."""
    points = np.array([[0, 0, 0, 1], [50, 0, 0, 1], [0, 60, 10, 1], [-40, -30, 40, 1], [10, 20, -50, 1]])
    return float(np.linalg.norm(points @ (found.matrix - truth).T, axis=1).max())


@pytest.mark.parametrize(("degrees", "shift"), [(4.0, (3.0, -2.0, 1.0)), (-8.0, (-6.0, 5.0, 4.0))])
def test_a_known_motion_is_found(fixed, degrees, shift):
    truth = motion_of(degrees, shift)
    assert error_mm(register_rigid(fixed, moved(truth)), truth) < 1.0


def test_the_answer_is_the_same_every_time(fixed):
    moving = moved(motion_of(3.0, (2.0, 1.0, 0.0)))
    first, second = register_rigid(fixed, moving), register_rigid(fixed, moving)
    assert np.array_equal(first.matrix, second.matrix)


def test_a_patient_who_lay_still_is_left_alone(fixed):
    assert register_rigid(fixed, fixed).is_identity


def shifted_by(mm: float) -> sitk.Euler3DTransform:
    transform = sitk.Euler3DTransform()
    transform.SetTranslation((0.0, mm, 0.0))
    return transform


@pytest.mark.parametrize("mm", [6.0, 60.0])
def test_a_search_that_ends_where_the_series_agree_less_moves_nothing(fixed, monkeypatch, mm):
    still = moved(np.eye(4))
    monkeypatch.setattr(registration, "_optimise", lambda *_: shifted_by(mm))
    assert register_rigid(fixed, still, "T2").is_identity


def test_a_search_that_ends_nearer_is_believed(fixed, monkeypatch):
    monkeypatch.setattr(registration, "_optimise", lambda *_: shifted_by(6.0))
    found = register_rigid(fixed, moved(motion_of(0.0, (0.0, 6.0, 0.0))))
    assert found.translation_mm == pytest.approx(6.0)


def test_another_frame_of_reference_starts_from_the_centres(fixed):
    truth = motion_of(5.0, (70.0, -60.0, 55.0))
    moving = moved(motion_of(5.0, (0.0, 0.0, 0.0)), uid="9.9")
    shifted = moving.grid.affine.copy()
    shifted[:3, 3] += (70.0, -60.0, 55.0)
    found = register_rigid(fixed, Volume(moving.array, Grid(moving.grid.shape, shifted, "9.9")))
    assert error_mm(found, truth) < 1.0
    assert found.rotation_deg == pytest.approx(5.0, abs=1.0)


def test_what_would_have_to_move_too_far_is_refused(fixed):
    far = fixed.grid.affine.copy()
    far[0, 3] += 60.0
    with pytest.raises(Unfit, match=r"T2 series does not lie on the others|hardly overlap"):
        register_rigid(fixed, Volume(fixed.array, Grid(fixed.grid.shape, far, "1.2")), "T2")


def test_resampling_onto_the_fixed_grid_undoes_the_motion(fixed):
    truth = motion_of(6.0, (4.0, -3.0, 2.0))
    still = moved(np.eye(4), spacing=Spacing(3, 3, 3))
    back = resample_onto(moved(truth, spacing=Spacing(3, 3, 3)), fixed.grid, RigidTransform(truth))
    assert back.grid is fixed.grid
    assert np.corrcoef(back.array.ravel(), still.array.ravel())[0, 1] > 0.97


def test_leaning_slices_are_refused(fixed):
    affine = fixed.grid.affine.copy()
    affine[1, 0] = 0.7
    with pytest.raises(Unfit, match="leaning"):
        register_rigid(fixed, Volume(fixed.array, Grid(fixed.grid.shape, affine, "1.2")))
