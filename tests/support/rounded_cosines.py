"""An oblique series whose scanner writes direction cosines with three decimals: they are no unit vectors any more."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from pydicom import dcmread

from inference.volume import Grid, Spacing, regular_affine

_YAW, _PITCH = np.radians((19, 6))
TURN = np.array([[np.cos(_YAW), -np.sin(_YAW), 0], [np.sin(_YAW), np.cos(_YAW), 0], [0, 0, 1]]) @ np.array(
    [[1, 0, 0], [0, np.cos(_PITCH), -np.sin(_PITCH)], [0, np.sin(_PITCH), np.cos(_PITCH)]]
)
# Rows of 1024 pixels, at whose end the rounding amounts to 0.6 of a pixel.
LONG_ROWS = Grid((9, 20, 1024), regular_affine((-200, 10, -140), TURN[:, ::-1], Spacing(3.0, 0.9, 0.4)))


def round_cosines(files: Iterable[Path]) -> None:
    """Write the files anew with three decimals."""
    for file in files:
        ds = dcmread(file)
        ds.ImageOrientationPatient = [round(float(cosine), 3) for cosine in ds.ImageOrientationPatient]
        ds.save_as(file)
