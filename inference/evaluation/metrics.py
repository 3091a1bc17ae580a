"""How well a mask agrees with the truth, voxel by voxel (paper Table 5).

One rule for empty masks: where both are empty the agreement is complete (1), where one is empty there is none (0).
So a model that finds nothing gains nothing by it, in whatever column.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


def dice(found: Mask, truth: Mask) -> float:
    """Dice similarity coefficient 0..1; 1 where both are empty."""
    total = int(np.count_nonzero(found)) + int(np.count_nonzero(truth))
    return 1.0 if total == 0 else 2.0 * int(np.count_nonzero(found & truth)) / total


def iou(found: Mask, truth: Mask) -> float:
    """Intersection over union 0..1; 1 where both are empty."""
    union = int(np.count_nonzero(found | truth))
    return 1.0 if union == 0 else int(np.count_nonzero(found & truth)) / union


def precision(found: Mask, truth: Mask) -> float:
    """Share of the found voxels that are true; 1 where both masks are empty, 0 where one is."""
    size = int(np.count_nonzero(found))
    if size == 0:
        return 0.0 if truth.any() else 1.0
    return int(np.count_nonzero(found & truth)) / size


def recall(found: Mask, truth: Mask) -> float:
    """Share of the true voxels that were found (sensitivity); 1 where both masks are empty, 0 where one is."""
    return precision(truth, found)


def f1(found: Mask, truth: Mask) -> float:
    """Harmonic mean of precision and recall, 0 where both are 0; of voxels it is the Dice coefficient."""
    right, complete = precision(found, truth), recall(found, truth)
    return 2 * right * complete / (right + complete) if right + complete else 0.0


def volume_error(found: Mask, truth: Mask) -> float:
    """Volume found less the true volume, as a share of the true one; infinite where there is none."""
    real = int(np.count_nonzero(truth))
    extra = int(np.count_nonzero(found)) - real
    if real == 0:
        return 0.0 if extra == 0 else float("inf")
    return extra / real
