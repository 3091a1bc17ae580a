"""What every task does to a mask: connected parts, least volumes, holes.

Masks are bool (z, y, x). Voxels are connected over faces, edges and corners (26 neighbours), so that a
lesion on thick slices stays one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy
from numpy.typing import NDArray

from inference.volume import Grid

Mask = NDArray[np.bool_]
Box = tuple[slice, slice, slice]

_NEIGHBOURS = np.ones((3, 3, 3), dtype=bool)


def bounding_box(mask: Mask, margin: int = 0) -> Box | None:
    """The smallest box around a mask, wider by `margin` voxels where the array allows; None where it is empty."""
    return box_of([np.asarray(mask.any(axis=others)) for others in ((1, 2), (0, 2), (0, 1))], margin)


def box_of(layers: Sequence[NDArray[np.bool_]], margin: int = 0) -> Box | None:
    """The same from which layers across each axis (z, y, x) a mask touches."""
    box = []
    for touched in layers:
        used = np.flatnonzero(touched)
        if used.size == 0:
            return None
        box.append(slice(max(int(used[0]) - margin, 0), int(used[-1]) + 1 + margin))
    return (box[0], box[1], box[2])


def boxes_of(numbers: NDArray[np.integer]) -> dict[int, Box]:
    """The smallest box around each number of a map (z, y, x), 0 left out.

    Most of a map is background, which is passed over at the speed of memory.
    """
    box = bounding_box(numbers > 0)
    if box is None:
        return {}
    inside = scipy.ndimage.find_objects(numbers[box])
    return {number: moved(found, box) for number, found in enumerate(inside, start=1) if found}


def moved(inner: Box, outer: Box) -> Box:
    """A box inside of another, as the array has it that the other lies in."""
    z, y, x = (slice(i.start + o.start, i.stop + o.start) for i, o in zip(inner, outer, strict=True))
    return (z, y, x)


def components(mask: Mask) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Connected parts numbered 1..n from the largest to the smallest, and their voxel counts."""
    labels = np.zeros(mask.shape, dtype=np.int32)
    box = bounding_box(mask)
    if box is None:
        return labels, np.zeros(0, dtype=np.int64)
    part, _ = scipy.ndimage.label(mask[box], structure=_NEIGHBOURS)
    counts = np.bincount(part.ravel())[1:]
    order = np.argsort(-counts, kind="stable")
    rank = np.zeros(counts.size + 1, dtype=np.int32)
    rank[order + 1] = np.arange(1, counts.size + 1)
    labels[box] = rank[part]
    return labels, counts[order]


def largest(mask: Mask) -> Mask:
    """The largest connected part."""
    labels, _ = components(mask)
    return labels == 1


def drop_small(mask: Mask, grid: Grid, minimum_ml: float) -> Mask:
    """The connected parts of at least `minimum_ml`."""
    labels, counts = components(mask)
    keep = int(np.count_nonzero(counts * grid.voxel_ml >= minimum_ml * (1 - 1e-9)))
    return (labels > 0) & (labels <= keep)


def fill_holes(mask: Mask) -> Mask:
    """The mask with every cavity that it encloses on all sides."""
    box = bounding_box(mask)
    if box is None:
        return mask
    filled = mask.copy()
    filled[box] = scipy.ndimage.binary_fill_holes(mask[box])
    return filled
