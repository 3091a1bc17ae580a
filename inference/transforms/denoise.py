"""Less noise, same place: median and Gaussian filters (paper Table 2)."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk  # noqa: N813
from scipy import ndimage

from inference.volume import Volume


def median(volume: Volume) -> Volume:
    """Each voxel's median over itself and its eight neighbours in the slice."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(volume.array))
    return volume.with_array(sitk.GetArrayFromImage(sitk.Median(image, [1, 1, 0])))


def gaussian(volume: Volume, sigma_mm: float) -> Volume:
    """Gaussian smoothing of `sigma_mm` along every axis, float32."""
    sigmas = [sigma_mm / step for step in volume.grid.spacing]
    array = np.asarray(volume.array, dtype=np.float32)
    return volume.with_array(ndimage.gaussian_filter(array, sigmas, mode="nearest", truncate=3.0))
