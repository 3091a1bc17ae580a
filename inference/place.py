"""Where a finding lies, and what to mind about its measurements.

Both look at a finding's mask in its bounding box, bool (z, y, x) and not empty; `corner` is the index of the
box's first voxel on the source grid.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy
from numpy.typing import NDArray

from inference.findings import Place, Point
from inference.volume import Grid

GAP = "lies in several parts, and its long axis leads from one to another"
FEW_VOXELS = 27  # three voxels each way: below that, half-filled voxels are most of a lesion


def place_of(mask: NDArray[np.bool_], corner: Sequence[int], grid: Grid) -> Place:
    """The centre of gravity of a mask, and its slices."""
    counts = [_by_layer(mask, axis) for axis in range(3)]
    inside = [float(np.average(np.arange(len(count)), weights=count)) for count in counts]
    x, y, z = (float(v) for v in grid.to_lps(np.add(inside, corner)))
    slices = np.flatnonzero(counts[0]) + corner[0]
    return Place((x, y, z), int(slices[0]), int(slices[-1]))


def flags_of(mask: NDArray[np.bool_], corner: Sequence[int], shape: Sequence[int], *, several: bool) -> tuple[str, ...]:
    """Why a finding's size may be off, in words that follow its name; `shape` (z, y, x) is the source grid's."""
    flags = []
    if several:
        flags.append("is several small lesions together")
    if any(_reaches_end(mask, axis, corner[axis], shape[axis]) for axis in range(3)):
        flags.append("reaches the edge of the images and may go on beyond it")
    if np.count_nonzero(mask) < FEW_VOXELS:
        flags.append(f"is smaller than {FEW_VOXELS} voxels")
    if shape[0] > 1 and np.count_nonzero(_by_layer(mask, 0)) == 1:
        flags.append("is seen on one slice only")
    return tuple(flags)


def leads_across_a_gap(plane: NDArray[np.bool_], ends: Sequence[Point]) -> bool:
    """Whether a line from face to face of voxels ends in two parts of a slice (y, x) that do not hang together there.

    A diameter of two foci in one oedema is such a line: most of it is no tumour.
    """
    parts, count = scipy.ndimage.label(np.pad(plane, 1), np.ones((3, 3)))
    if count < 2:
        return False
    first, second = (max(parts[row, column] for row in _beside(end.row) for column in _beside(end.column))
                     for end in ends)
    return bool(first != second)


def _beside(place: float) -> tuple[int, int]:
    """Voxels of a layer padded by one that a middle or a face is of, however its last digit was rounded."""
    return int(np.floor(place + 0.25)) + 1, int(np.ceil(place - 0.25)) + 1


def _by_layer(mask: NDArray[np.bool_], axis: int) -> NDArray[np.intp]:
    """How many voxels lie in each layer across an axis."""
    return np.asarray(np.count_nonzero(mask, axis=tuple(a for a in range(3) if a != axis)))


def _reaches_end(mask: NDArray[np.bool_], axis: int, start: int, length: int) -> bool:
    """Whether there are voxels in the grid's first or last layer across an axis; an only layer is no end."""
    layers = np.flatnonzero(_by_layer(mask, axis)) + start
    return length > 1 and bool(layers[0] == 0 or layers[-1] == length - 1)
