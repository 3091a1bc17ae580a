"""Small volumes on all kinds of grids, and DICOM series made of them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from inference.volume import Grid, Spacing, Units, Volume, regular_affine
from inference.writers.dicom_series import Acquisition, Encoding, StudyDetails, write_series

L, P, S = np.eye(3)
ANISOTROPIC = Spacing(3.0, 0.7, 1.1)
PLAIN = Encoding()


def _turned(degrees: tuple[float, float]) -> np.ndarray:
    a, b = np.radians(degrees)
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_z = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
    return about_z @ about_x


# Directions of row and column; the slice axis is row × column.
ORIENTATIONS = {
    "axial": (L, P),
    "coronal": (L, -S),
    "sagittal": (P, -S),
    "oblique": (_turned((20, 0)) @ L, _turned((20, 0)) @ P),
    "doubly oblique": (_turned((20, 33)) @ L, _turned((20, 33)) @ P),
}


@pytest.fixture(params=sorted(ORIENTATIONS))
def orientation(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def volume_of() -> Callable[..., Volume]:
    """Makes a volume of distinct whole numbers on a grid of the given orientation, spacing and shape."""

    def make(orientation: str = "axial", spacing: Spacing = ANISOTROPIC,
             shape: tuple[int, int, int] = (6, 20, 24), units: Units = "HU") -> Volume:
        row, column = ORIENTATIONS[orientation]
        directions = np.column_stack([np.cross(row, column), column, row])
        grid = Grid(shape, regular_affine((-10.123456, 20.2, -300.7), directions, spacing), "1.2.826.1")
        array = np.arange(np.prod(shape), dtype=np.float32).reshape(shape) % 2000
        return Volume(array - 1000 if units == "HU" else array, grid, units)

    return make


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., list[Path]]:
    """Writes a volume as a CT or MR series, whichever its units ask for; keywords change the acquisition."""
    study = StudyDetails.of("tests")

    def series(volume: Volume, encoding: Encoding = PLAIN, folder: str = "series", **changes) -> list[Path]:
        acquisition = Acquisition.ct(study, **changes) if volume.units == "HU" else Acquisition.mr(
            study, "T1", **changes)
        return write_series(volume, acquisition, tmp_path / folder, encoding)

    return series
