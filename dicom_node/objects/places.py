"""Where a finding lies, and what to mind about its size, in a sentence for those who look at the images."""

from __future__ import annotations

import numpy as np

from inference.findings import Finding
from inference.volume import Grid

DIRECTIONS = (("R", "L"), ("A", "P"), ("F", "H"))  # towards minus and plus of x, y, z in LPS (PS3.3 C.7.6.1.1.1)
_ENDS = {"R": "right", "L": "left", "A": "front", "P": "back", "F": "feet", "H": "head"}


def place_sentence(finding: Finding, grid: Grid) -> str:
    """Such as "Nodule 1: centre at R 42.0, P 13.5, F 120.0 mm; slices 3 to 5 of 40 from the feet; is smaller than …"

    The centre is in patient coordinates (LPS), slices are counted from 1. Empty where nothing is known.
    """
    parts = []
    if finding.place is not None:
        first, last = finding.place.first_slice + 1, finding.place.last_slice + 1
        span = f"slices {first} to {last}" if first < last else f"slice {first}"
        parts = [f"centre at {_coordinates(finding.place.centre)} mm",
                 f"{span} of {grid.shape[0]} from the {_first_end(grid)}"]
    parts += finding.flags
    return f"{finding.label}: {'; '.join(parts)}." if parts else ""


def _coordinates(point: tuple[float, float, float]) -> str:
    """A point in LPS mm by the sides that it lies on, as viewers show it."""
    return ", ".join(f"{ends[value > 0]} {abs(value):.1f}" for value, ends in zip(point, DIRECTIONS, strict=True))


def _first_end(grid: Grid) -> str:
    """The end of the patient where the slices begin."""
    along = grid.directions[:, 0]
    axis = int(np.abs(along).argmax())
    minus, plus = DIRECTIONS[axis]
    return _ENDS[minus if along[axis] > 0 else plus]
