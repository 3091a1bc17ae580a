"""From probabilities on the working grid to labels on the primary series' own grid.

Probabilities, not labels, are interpolated, so that a mask's edge follows the source voxels. The working grid
runs along the same axes, so they are interpolated along one axis after the other, and one slice is done at a time:
memory does not grow with the scan. Where background wins at all eight neighbours it wins between them, so that only
the box around the rest is computed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, TypeVar

import numpy as np
import scipy
from numpy.typing import NDArray

from inference.errors import ModelError
from inference.prepare import Layout
from inference.recipe import Output
from inference.tasks.postprocess import Box, bounding_box, components
from inference.transforms.geometry import neighbours, restore
from inference.volume import Grid

F = TypeVar("F", bound=np.floating)

LEAST = 0.01  # of a map 0..1: what is smaller everywhere around is left 0


class Between(NamedTuple):
    """Source voxels `at` along an axis: each lies `share` (0..1) of the way from working voxel `below` to the next."""

    at: slice
    below: NDArray[np.intp]
    share: NDArray[np.float32]


class OnSource(NamedTuple):
    """An answer on the source grid: labels uint8 (z, y, x), and as float16 the probability of each voxel's label.

    The probability of background is not told: it is 0 there.
    """

    labels: NDArray[np.uint8]
    probability: NDArray[np.float16]


def on_source(probabilities: NDArray[np.floating], layout: Layout, output: Output, *,
              logits: bool = False, nearest: int | None = None) -> OnSource:
    """The answer on `layout.source` from probabilities (channel, z, y, x) on `layout.grid`.

    With `logits` those are interpolated, as nnU-Net does, and become probabilities on the source grid only.
    Along the axis `nearest` of the canonical grid, where one is named, the nearest voxel is taken instead.
    """
    labels = np.zeros(layout.canonical.shape, dtype=np.uint8)
    chances = np.zeros(layout.canonical.shape, dtype=np.float16)
    box = bounding_box(decode(activated(probabilities, output) if logits else probabilities, output) > 0, margin=1)
    for at, mixed in _interpolated(probabilities, layout, box, nearest):
        chance = activated(mixed, output) if logits else mixed
        labels[at] = found = decode(chance, output)
        chances[at] = _half(chance_of(found, chance, output))
    return OnSource(np.asarray(restore(labels, layout.source), dtype=np.uint8),
                    np.asarray(restore(chances, layout.source), dtype=np.float16))


def map_on_source(values: NDArray[np.floating], layout: Layout, nearest: int | None = None,
                  ) -> NDArray[np.float16]:
    """A map (z, y, x) of `layout.grid`, at least 0, on `layout.source`; 0 where that shows more."""
    out = np.zeros(layout.canonical.shape, dtype=np.float16)
    box = bounding_box(values > LEAST, margin=1)
    for at, (mixed,) in _interpolated(values[None], layout, box, nearest):
        out[at] = _half(mixed)
    return np.asarray(restore(out, layout.source), dtype=np.float16)


def sound(values: NDArray[F]) -> NDArray[F]:
    """A network's answer as it is; ModelError where some of it is NaN.

    NaN is above no threshold: it would pass for healthy tissue, and the study for one in which nothing was found.
    """
    if np.isnan(values.min()):
        raise ModelError("The network's answer is no number (NaN) in some places: nothing can be said of these images. "
                         "In half precision a network may overflow; precision fp32 then helps.")
    return values


def chance_of(labels: NDArray[np.uint8], probabilities: NDArray[np.floating], output: Output) -> NDArray[np.floating]:
    """The probability of the region that each voxel was given, from probabilities (channel, …); 0 in background."""
    chances = np.zeros(labels.shape, dtype=probabilities.dtype)
    for channel, region in output.foreground():
        if region.label:
            np.copyto(chances, probabilities[channel], where=labels == region.label)
    return chances


def activated(logits: NDArray[np.floating], output: Output) -> NDArray[np.float32]:
    """Sigmoid or softmax of logits (channel, …)."""
    values = np.asarray(logits, dtype=np.float32)
    if output.activation == "sigmoid":
        return np.asarray(scipy.special.expit(values), dtype=np.float32)
    return np.asarray(scipy.special.softmax(values, axis=0), dtype=np.float32)


def convinced(probabilities: NDArray[np.floating], output: Output) -> NDArray[np.floating]:
    """Probabilities (channel, z, y, x) without the connected parts of a region that nowhere reach its `peak`."""
    kept = probabilities
    for channel, region in output.foreground():
        if output.activation == "softmax" or region.peak <= region.threshold:
            continue
        parts, _ = components(probabilities[channel] > region.threshold)
        sure = np.unique(parts[probabilities[channel] >= region.peak])
        doubtful = (parts > 0) & ~np.isin(parts, sure)
        if doubtful.any():
            kept = kept.copy() if kept is probabilities else kept
            kept[channel][doubtful] = 0.0
    return kept


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


def _interpolated(channels: NDArray[np.floating], layout: Layout, box: Box | None, nearest: int | None,
                  ) -> Iterator[tuple[tuple[int, slice, slice], NDArray[np.float32]]]:
    """Channels (channel, z, y, x) inside a box of the working grid, interpolated onto the canonical source grid.

    Slice by slice: where in the source, and the values (channel, y, x) there.
    """
    if box is None:
        return
    sides = [between(layout.canonical, layout.grid, axis, box[axis]) for axis in range(3)]
    if nearest is not None:
        side = sides[nearest]
        sides[nearest] = side._replace(share=np.floor(side.share + 0.5))
    z, y, x = sides
    near = np.asarray(channels[(slice(None), *box)], dtype=np.float32)
    of_y, of_x = (_matrix(side, size) for side, size in zip(sides[1:], near.shape[2:], strict=True))
    count, _, rows, columns = near.shape
    for n, k in enumerate(range(z.at.start, z.at.stop)):
        low, share = int(z.below[n]), z.share[n]
        flat = (1 - share) * near[:, low] + share * near[:, min(low + 1, near.shape[1] - 1)]
        wide = (of_x @ flat.reshape(-1, columns).T).reshape(-1, count, rows)
        tall = of_y @ wide.transpose(2, 1, 0).reshape(rows, -1)
        yield (k, y.at, x.at), tall.reshape(len(y.below), count, -1).transpose(1, 0, 2)


def between(source: Grid, working: Grid, axis: int, part: slice) -> Between:
    """Along one axis: the source voxels that lie in `part` of the working grid, and where between its voxels."""
    step = source.spacing[axis] / working.spacing[axis]
    start = float(working.to_index(source.origin)[axis])
    at = start + step * np.arange(source.shape[axis])
    low, high = part.start, min(part.stop, working.shape[axis])
    # A working grid is a whole number of voxels: its ends may lie up to a quarter voxel inside the source's.
    inside = np.flatnonzero((at > low - 0.8) & (at < high - 0.2))
    if inside.size == 0:
        return Between(slice(0, 0), inside, np.zeros(0, dtype=np.float32))
    return Between(slice(int(inside[0]), int(inside[-1]) + 1), *neighbours(at[inside] - low, high - low))


def _half(values: NDArray[np.floating]) -> NDArray[np.float16]:
    """The same in half precision; by torch, which is ten times as fast at it as numpy."""
    import torch

    return np.asarray(torch.from_numpy(np.ascontiguousarray(values)).half().numpy(), dtype=np.float16)


def _matrix(side: Between, size: int) -> scipy.sparse.csr_array:
    """Linear interpolation along one axis of `size` working voxels, as the weights (source voxel, working voxel).

    It has two in a row, and is multiplied in one thread: those of a dense product wait for each other where others
    compute as well.
    """
    rows = np.arange(len(side.below))
    columns = np.concatenate([side.below, np.minimum(side.below + 1, size - 1)])
    weights = np.concatenate([1 - side.share, side.share]).astype(np.float32)
    return scipy.sparse.csr_array((weights, (np.tile(rows, 2), columns)), shape=(len(rows), size))
