"""The shift that lays one image onto another before anything turns: all shifts at once, by masked correlation.

Padfield, "Masked object registration in the Fourier domain", IEEE Trans Image Process 21 (2012). Masks let a chest
be found in a scan of chest and belly, where centres of mass would lie far apart.
"""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray

from inference.followup.coarse import Coarse

SHRINK = 3  # 12 mm at 4 mm: the optimiser takes over from there
BLUR = 1.5  # voxels; a turn of a few degrees must not matter


def best_shift(fixed: Coarse, moving: Coarse, least_overlap: float) -> NDArray[np.float64] | None:
    """Millimetres (x, y, z) from a point of `fixed` to the same point of `moving`, to within a few voxels.

    None where no shift makes them share `least_overlap` of the smaller patient. Both lie on lattices along LPS
    of the same step.
    """
    step = SHRINK * float(np.mean(fixed.grid.spacing))
    a, mask_a = _thinned(fixed)
    b, mask_b = _thinned(moving)
    count = _correlate(mask_a, mask_b)
    enough = count >= least_overlap * min(mask_a.sum(), mask_b.sum())
    if not enough.any():
        return None
    n = np.maximum(count, 1)
    sum_a, sum_b = _correlate(a, mask_b), _correlate(mask_a, b)
    spread_a = _correlate(a * a, mask_b) - sum_a**2 / n
    spread_b = _correlate(mask_a, b * b) - sum_b**2 / n
    score = (_correlate(a, b) - sum_a * sum_b / n) / np.sqrt(np.maximum(spread_a * spread_b, 1e-6))
    best = np.unravel_index(int(np.where(enough, score, -2).argmax()), score.shape)
    offset = np.array(best) - (np.array(b.shape) - 1)  # index in a less index in b
    return np.asarray(moving.grid.origin - fixed.grid.origin - offset[::-1] * step)


def _thinned(image: Coarse) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Every third voxel of the blurred image, 0 outside the patient and centred inside; and the patient."""
    every = (slice(None, None, SHRINK),) * 3
    mask = image.patient[every].astype(np.float64)
    smooth = scipy.ndimage.gaussian_filter(image.array, BLUR)[every].astype(np.float64)
    if mask.any():
        smooth -= smooth[mask > 0].mean()
    return smooth * mask, mask


def _correlate(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums of products at every shift; [i] is that of index i less b's last index."""
    full = [m + n - 1 for m, n in zip(a.shape, b.shape, strict=True)]
    fast = [scipy.fft.next_fast_len(n, real=True) for n in full]
    product = scipy.fft.irfftn(scipy.fft.rfftn(a, fast) * scipy.fft.rfftn(b[::-1, ::-1, ::-1], fast), fast)
    return np.asarray(product[tuple(slice(n) for n in full)])
