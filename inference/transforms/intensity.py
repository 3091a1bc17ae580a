"""Voxel values as networks want them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def window(array: NDArray[np.generic], low: float, high: float) -> NDArray[np.float32]:
    """Values of low..high as 0..1, clipped (a CT window given by its ends in HU)."""
    if high <= low:
        raise ValueError(f"a window's upper end {high} lies above its lower end {low}")
    out = np.asarray(array, dtype=np.float32) - np.float32(low)
    out /= np.float32(high - low)
    return np.clip(out, 0.0, 1.0, out=out)


def zscore(array: NDArray[np.generic], mask: NDArray[np.bool_] | None = None,
           clip: float = 0.0) -> NDArray[np.float32]:
    """Values less their mean in units of their standard deviation, both taken inside `mask`.

    Outside the mask the result is 0. `clip` > 0 bounds the result to ±clip. A constant gives zeros.
    """
    values = np.asarray(array, dtype=np.float32)
    inside = values[mask] if mask is not None else values
    if inside.size == 0:
        return np.zeros_like(values)
    mean = float(inside.mean(dtype=np.float64))
    spread = float(inside.std(dtype=np.float64))
    out = (values - np.float32(mean)) / np.float32(spread) if spread > 1e-8 else np.zeros_like(values)
    if clip > 0:
        np.clip(out, -clip, clip, out=out)
    if mask is not None:
        out[~mask] = 0.0
    return out
