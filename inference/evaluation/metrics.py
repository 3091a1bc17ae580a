"""How well a mask agrees with the truth (paper Table 5: DSC)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def dice(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Dice similarity coefficient 0..1; 1 where both are empty."""
    total = int(np.count_nonzero(found)) + int(np.count_nonzero(truth))
    return 1.0 if total == 0 else 2.0 * int(np.count_nonzero(found & truth)) / total


def volume_error(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Volume found less the true volume, as a share of the true one; infinite where there is none."""
    real = int(np.count_nonzero(truth))
    extra = int(np.count_nonzero(found)) - real
    if real == 0:
        return 0.0 if extra == 0 else float("inf")
    return extra / real
