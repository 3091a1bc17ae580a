"""Patients to follow: a drawn abdomen that moves between scans, and lesions on an empty grid."""

from collections.abc import Callable, Mapping

import numpy as np
import pytest
from drawn_patient import PATIENT, body_of, grid_of, motion_of, scanned_by

from inference import codes
from inference.codes import Code
from inference.followup.lesion import Identity, Lesion, lesions_of
from inference.followup.register import Agreement, Registration
from inference.followup.residual import Residual
from inference.phantom.trunk import Physique
from inference.volume import Grid, Spacing, Volume


@pytest.fixture(scope="session")
def motion() -> Callable[..., np.ndarray]:
    """4x4: turned by degrees about x, y, z through the abdomen's middle, then shifted by mm."""
    return motion_of


@pytest.fixture(scope="session")
def abdomen() -> Volume:
    """A patient's abdomen without lesions; bones stay below 600 HU."""
    return body_of(1, PATIENT)


@pytest.fixture(scope="session")
def stranger() -> Volume:
    """Another patient's abdomen."""
    return body_of(2, Physique(118, 92, 14, 20, 165, bone_hu=0.9, muscle_hu=50, fat_hu=-98))


@pytest.fixture(scope="session")
def scanned() -> Callable[[Volume, np.ndarray, Grid], Volume]:
    """A body as a scanner sees it after it moved (4x4, LPS mm)."""
    return scanned_by


@pytest.fixture(scope="session")
def make_grid() -> Callable[..., Grid]:
    return grid_of


GROUND = grid_of((0.0, 0.0, 0.0), (160.0, 120.0, 100.0), Spacing(1.0, 1.0, 1.0))


@pytest.fixture(scope="session")
def ground() -> Grid:
    """An empty field of view: 160 x 120 x 100 mm (x, y, z) from the origin, voxels of 1 mm."""
    return GROUND


def _ball(centre: tuple, radii: tuple, grid: Grid) -> np.ndarray:
    """The voxels of an ellipsoid with `radii` (x, y, z) on a grid along LPS."""
    first = grid.origin[::-1]
    z, y, x = (((start + step * np.arange(n) - c) / r) ** 2 for start, step, n, c, r in
               zip(first, grid.spacing, grid.shape, centre[::-1], radii[::-1], strict=True))
    return z[:, None, None] + y[:, None] + x <= 1


def _balls(drawn: Mapping[str, tuple], grid: Grid = GROUND, kind: Code = codes.NODULE) -> tuple[Lesion, ...]:
    labels = np.zeros(grid.shape, dtype=np.uint8)
    for number, (centre, radius) in enumerate(drawn.values(), start=1):
        labels[_ball(centre, (radius,) * 3, grid)] = number
    return lesions_of(labels, grid, {n: Identity(uid, kind, codes.LUNG) for n, uid in enumerate(drawn, start=1)})


@pytest.fixture(scope="session")
def balls() -> Callable[..., tuple[Lesion, ...]]:
    """Lesions drawn as balls: by uid, centre (x, y, z) and radius in mm."""
    return _balls


@pytest.fixture(scope="session")
def laid() -> Callable[..., Registration]:
    """A registration that shifts by mm, and says that images are off by `residual_mm` everywhere."""

    def make(shift: tuple[float, float, float] = (0, 0, 0), residual_mm: float = 0.0) -> Registration:
        matrix = np.eye(4)
        matrix[:3, 3] = shift
        agreement = Agreement(similarity=0.98, overlap=0.9, residual_mm=residual_mm, rotation_deg=0.0)
        return Registration(matrix, "rigid", agreement, Residual(np.zeros((1, 3)), np.array([residual_mm])))

    return make
