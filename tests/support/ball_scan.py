"""A small CT to send in part: a bright ball on 40 slices."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from inference.volume import Grid, Spacing, Volume, regular_affine
from inference.writers.dicom_series import Acquisition, StudyDetails, write_series

IMAGES = 40


def scan(name: str, folder: Path) -> tuple[str, list[Path]]:
    """A small CT of a bright ball: its study UID and 40 files."""
    shape = (IMAGES, 32, 32)
    grid = Grid(shape, regular_affine(np.zeros(3), np.eye(3)[:, ::-1], Spacing(3.0, 1.5, 1.5)), "1.2.826.0.1.77")
    z, y, x = np.indices(shape)
    ball = (x - 16) ** 2 + (y - 16) ** 2 + 4 * (z - 20) ** 2 < 100
    study = StudyDetails.of(name)
    volume = Volume(np.where(ball, 300, -50).astype(np.float32), grid, "HU")
    return study.study_instance_uid, write_series(volume, Acquisition.ct(study), folder / name)
