"""MR shading by coil sensitivity, estimated and divided out (N4, Tustison 2010)."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from inference.transforms.geometry import grid_at_spacing, resample
from inference.volume import Grid, Spacing, Volume

WORKING_MM = 6.0  # shading is smooth: finer grids cost time and find nothing more
_ITERATIONS = (20, 20, 20)
_MAX_SHADING = 4.0  # what N4 says outside the head is extrapolation


def correct_bias(volume: Volume) -> Volume:
    """The volume without shading, float32; brightness is kept where the shading is average."""
    grid = volume.grid
    coarse = resample(volume, grid_at_spacing(grid, _working_spacing(grid)))
    log_field = _log_field(np.asarray(coarse.array, dtype=np.float32))
    if log_field is None:
        return volume.with_array(np.asarray(volume.array, dtype=np.float32))
    field = resample(coarse.with_array(log_field), grid)
    return volume.with_array(np.asarray(volume.array, dtype=np.float32) / np.exp(field.array))


def _working_spacing(grid: Grid) -> Spacing:
    return Spacing(*(max(WORKING_MM, step) for step in grid.spacing))


def _log_field(array: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """Logarithm of the shading, mean 0 over the object; None where nothing stands out from the background."""
    image = sitk.GetImageFromArray(array)
    mask = sitk.OtsuThreshold(image, 0, 1)
    inside = sitk.GetArrayViewFromImage(mask) > 0
    if np.ptp(array) == 0 or np.count_nonzero(inside) < 1000:
        return None
    corrector = sitk.N4BiasFieldCorrectionImageFilter()
    corrector.SetMaximumNumberOfIterations(list(_ITERATIONS))
    corrector.Execute(sitk.Maximum(image, 1e-3), mask)
    field = sitk.GetArrayFromImage(corrector.GetLogBiasFieldAsImage(image)).astype(np.float32)
    field -= field[inside].mean()
    limit = np.float32(np.log(_MAX_SHADING))
    return np.clip(field, -limit, limit)
