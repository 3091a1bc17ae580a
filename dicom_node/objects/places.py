"""Where a finding lies, and what to mind about its size, in a sentence for those who look at the images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydicom.dataset import Dataset

from dicom_node.objects.labelmap import is_lesion
from inference.findings import Finding, Result
from inference.volume import Grid

THICK_MM = 5.0
DIRECTIONS = (("R", "L"), ("A", "P"), ("F", "H"))  # towards minus and plus of x, y, z in LPS (PS3.3 C.7.6.1.1.1)
_ENDS = {"R": "right", "L": "left", "A": "front", "P": "back", "F": "feet", "H": "head"}


def place_sentence(finding: Finding, grid: Grid) -> str:
    """Such as "Nodule 1: centre at R 42.0, P 13.5, F 120.0 mm; slices 3 to 5 of 40 from the feet; is smaller than …"

    The centre is in patient coordinates (LPS), slices are counted from 1. Several lesions have no centre together.
    Empty where nothing is known.
    """
    parts = []
    if finding.place is not None:
        first, last = finding.place.first_slice + 1, finding.place.last_slice + 1
        span = f"slices {first} to {last}" if first < last else f"slice {first}"
        parts = [f"{span} of {grid.shape[0]} from the {_first_end(grid)}"]
        if finding.count == 1:  # the middle between several lesions is in none of them
            parts.insert(0, f"centre at {_coordinates(finding.place.centre)} mm")
    parts += finding.flags
    return f"{finding.label}: {'; '.join(parts)}." if parts else ""


def thick_slices_sentence(result: Result, planes: Sequence[Dataset]) -> str:
    """From which size lesions are measurable where the slices (`planes`) are thicker than 5 mm, or farther apart.

    Eisenhauer, Eur J Cancer 45:228 (2009), 3.1.1; Wen, J Clin Oncol 28:1963 (2010). Empty where they are thinner, and
    where no lesion is.
    """
    thickness = max(result.grid.slice_distance, *(float(plane.SliceThickness) for plane in planes))
    if thickness < THICK_MM + 0.01 or not any(map(is_lesion, result.findings)):
        return ""
    summed = result.trend is not None and bool(result.trend.sums)
    heeded = " The sum of target lesions takes them from 10 mm all the same." if summed else ""
    return (f"Slices are {thickness:.3g} mm thick or lie so far apart: RECIST 1.1 and RANO take a lesion for "
            f"measurable from twice that, {2 * thickness:.3g} mm, not from 10 mm.{heeded}")


def _coordinates(point: tuple[float, float, float]) -> str:
    """A point in LPS mm by the sides that it lies on, as viewers show it."""
    return ", ".join(f"{ends[value > 0]} {abs(value):.1f}" for value, ends in zip(point, DIRECTIONS, strict=True))


def _first_end(grid: Grid) -> str:
    """The end of the patient where the slices begin."""
    along = grid.directions[:, 0]
    axis = int(np.abs(along).argmax())
    minus, plus = DIRECTIONS[axis]
    return _ENDS[minus if along[axis] > 0 else plus]
