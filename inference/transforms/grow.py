"""A lesion's mask from the box around it, by its contrast to what surrounds it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.tasks.postprocess import fill_holes
from inference.volume import Volume

Box = tuple[slice, slice, slice]
LEAST_CONTRAST = 100.0  # HU; below that what is in the box does not stand out, and the box's own form is taken


def grow_in_box(volume: Volume, low: NDArray[np.float64],
                high: NDArray[np.float64]) -> tuple[Box, NDArray[np.bool_]] | None:
    """The bright thing in a box whose corners are `low` and `high` in LPS mm: its part of the grid, and its mask there.

    Half of the contrast is its edge, as in measuring a width at half maximum: between the median in the middle of the
    box and the darkest tenth of it. From the middle everything above that is taken that is connected (26 neighbours)
    and lies in the ellipsoid that fills the box, so that vessels and pleura are cut where they leave it. Without
    contrast it is that ellipsoid. None where the box does not meet the grid.
    """
    middle, half = (low + high) / 2, np.maximum((high - low) / 2, min(volume.grid.spacing) / 2)
    part = _part(volume, middle - half, middle + half)
    if part is None:
        return None
    places = np.moveaxis(np.indices([side.stop - side.start for side in part]), 0, -1) + [side.start for side in part]
    reach = (((volume.grid.to_lps(places) - middle) / half) ** 2).sum(axis=-1)
    inside = reach <= 1.0
    if not inside.any():
        inside = reach == reach.min()  # a box smaller than a voxel
    values = np.asarray(volume.array[part], dtype=np.float32)
    core = inside & (reach <= max(0.25, float(reach[inside].min())))
    tissue, around = float(np.median(values[core])), float(np.percentile(values, 10))
    if tissue - around < LEAST_CONTRAST:
        return part, inside
    bright = inside & (values >= (tissue + around) / 2)
    grown = ndimage.binary_propagation(core & bright, structure=np.ones((3, 3, 3), dtype=bool), mask=bright)
    return part, fill_holes(np.asarray(grown))


def _part(volume: Volume, low: NDArray[np.float64], high: NDArray[np.float64]) -> Box | None:
    """The voxels around a box in LPS mm, as far as the grid goes."""
    ends = np.stack([low, high])
    corners = np.array([[ends[a, 0], ends[b, 1], ends[c, 2]] for a in (0, 1) for b in (0, 1) for c in (0, 1)])
    indices = volume.grid.to_index(corners)
    first = np.maximum(np.floor(indices.min(axis=0)).astype(int), 0)
    last = np.minimum(np.ceil(indices.max(axis=0)).astype(int) + 1, volume.grid.shape)
    if (first >= last).any():
        return None
    return (slice(first[0], last[0]), slice(first[1], last[1]), slice(first[2], last[2]))
