"""From probabilities on the working grid to labels on the primary series' own grid.

Probabilities, not labels, are interpolated, so that a mask's edge follows the source voxels. The working grid
runs along the same axes, so interpolation is a small matrix for each axis, and one slice is done at a time: memory
does not grow with the scan. Where background wins at all eight neighbours it wins between them, so that only
the box around the rest is computed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from inference.prepare import Prepared
from inference.recipe import Output
from inference.tasks.postprocess import bounding_box
from inference.transforms.geometry import restore
from inference.volume import Grid


def labels_on_source(probabilities: NDArray[np.floating], prepared: Prepared, output: Output) -> NDArray[np.uint8]:
    """Label map uint8 (z, y, x) on `prepared.source` from probabilities (channel, z, y, x) on `prepared.grid`."""
    labels = np.zeros(prepared.canonical.shape, dtype=np.uint8)
    box = bounding_box(_candidates(probabilities, output), margin=1)
    if box is not None:
        spans = [_weights(prepared.canonical, prepared.grid, axis, box[axis]) for axis in range(3)]
        (z_at, z_weights), (y_at, y_weights), (x_at, x_weights) = spans
        near = np.asarray(probabilities[(slice(None), *box)], dtype=np.float32)
        for k, weights in zip(range(z_at.start, z_at.stop), z_weights, strict=True):
            used = np.flatnonzero(weights)
            between = np.tensordot(near[:, used], weights[used], axes=(1, 0))
            labels[k, y_at, x_at] = decode(y_weights @ between @ x_weights.T, output)
    return np.asarray(restore(labels, prepared.source), dtype=np.uint8)


def decode(probabilities: NDArray[np.floating], output: Output) -> NDArray[np.uint8]:
    """Labels uint8 from probabilities (channel, …): thresholds over one another, or the largest."""
    labels = np.zeros(probabilities.shape[1:], dtype=np.uint8)
    if output.activation == "sigmoid":
        for channel, region in output.foreground():
            labels[probabilities[channel] > region.threshold] = region.label
        return labels
    best = probabilities[0].copy()
    for channel, region in output.foreground():
        wins = probabilities[channel] > best
        labels[wins] = region.label
        np.maximum(best, probabilities[channel], out=best)
    return labels


def _candidates(probabilities: NDArray[np.floating], output: Output) -> NDArray[np.bool_]:
    """Working voxels where something other than background wins."""
    return decode(probabilities, output) > 0


def _weights(source: Grid, working: Grid, axis: int, part: slice) -> tuple[slice, NDArray[np.float32]]:
    """Along one axis: the source voxels that lie in `part` of the working grid, and how they mix its voxels.

    The matrix has a row a source voxel and a column a working voxel; each row holds two weights that add to 1.
    """
    step = source.spacing[axis] / working.spacing[axis]
    start = float(working.to_index(source.origin)[axis])
    at = start + step * np.arange(source.shape[axis])
    low, high = part.start, min(part.stop, working.shape[axis])
    # A working grid is a whole number of voxels: its ends may lie up to a quarter voxel inside the source's.
    inside = np.flatnonzero((at > low - 0.8) & (at < high - 0.2))
    if inside.size == 0:
        return slice(0, 0), np.zeros((0, high - low), dtype=np.float32)
    place = np.clip(at[inside] - low, 0, high - low - 1)
    below = np.minimum(np.floor(place).astype(int), max(high - low - 2, 0))
    weights = np.zeros((inside.size, high - low), dtype=np.float32)
    rows = np.arange(inside.size)
    weights[rows, below] = 1 - (place - below)
    if high - low > 1:
        weights[rows, below + 1] += (place - below).astype(np.float32)
    return slice(int(inside[0]), int(inside[-1]) + 1), weights
