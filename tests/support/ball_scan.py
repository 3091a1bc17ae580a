"""A small CT to send in part: a bright ball on 40 slices."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from inference.volume import Grid, Spacing, Volume, regular_affine
from inference.writers.dicom_series import Acquisition, StudyDetails, write_series

IMAGES = 40


def ball() -> Volume:
    """A bright ball in soft tissue."""
    shape = (IMAGES, 32, 32)
    grid = Grid(shape, regular_affine(np.zeros(3), np.eye(3)[:, ::-1], Spacing(3.0, 1.5, 1.5)), "1.2.826.0.1.77")
    z, y, x = np.indices(shape)
    inside = (x - 16) ** 2 + (y - 16) ** 2 + 4 * (z - 20) ** 2 < 100
    return Volume(np.where(inside, 300, -50).astype(np.float32), grid, "HU")


def scan(name: str, folder: Path) -> tuple[str, list[Path]]:
    """A CT of it: its study UID and 40 files."""
    study = StudyDetails.of(name)
    return study.study_instance_uid, write_series(ball(), Acquisition.ct(study), folder / name)
