"""A CT's channels, and its answer on the source grid, made on the network's device.

Beside a GPU the network is done in a fraction of the time that a CPU needs for what comes before and after it. The
rules are those of `inference.prepare` and `inference.answer`, whose places and weights are taken; where the two do
not say the same, those are right. Voxels go to the device and come back by slabs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from inference.answer import LEAST, OnSource, between, convinced
from inference.explain.entropy import entropy
from inference.prepare import Factors, Layout, block_factors, block_grid, fill_of, needed
from inference.recipe import Channel, Output, Recipe
from inference.tasks.postprocess import Box, box_of
from inference.transforms.geometry import AxisMap, along, canonical_map, crop_grid, from_canonical
from inference.volume import Volume

SLAB = 2**24  # voxels that are thought of at once


class Answer(NamedTuple):
    """Labels and their probability, and the entropy float16 0..1, on the source grid (z, y, x)."""

    found: OnSource
    uncertainty: NDArray[np.float16]


def serves(device: str, recipe: Recipe) -> bool:
    """Whether a device is worth the way, and the recipe asks for nothing that only the CPU does."""
    plain = not recipe.bias_field and recipe.denoise == "none" and recipe.roles == (recipe.primary,)
    return device.startswith("cuda") and plain and all(channel.scale != "zscore" for channel in recipe.channels)


@torch.inference_mode()
def channels(volume: Volume, layout: Layout, recipe: Recipe, device: str) -> torch.Tensor:
    """What `prepare` has as `array`, float32 (channel, z, y, x) on the device, of the primary role's volume alone."""
    factors = block_factors(layout.canonical, layout.grid)
    box = needed(layout.canonical, layout.grid)
    blocks = block_grid(crop_grid(layout.canonical, box), factors)
    shown = _averaged(volume.array[from_canonical(box, volume.grid)], canonical_map(volume.grid), factors, device)
    sides = along(np.linalg.inv(blocks.affine) @ layout.grid.affine, blocks.shape, layout.grid.shape)
    for axis, side in enumerate(sides):
        shown = _interpolated(shown, axis, side.below, side.share)
    for axis, side in enumerate(sides):
        shown.index_fill_(axis, torch.from_numpy(np.flatnonzero(~side.inside)).to(device), fill_of(volume))
    return torch.stack([_channel(shown, channel) for channel in recipe.channels])


@torch.inference_mode()
def answer(mean: NDArray[np.float32], layout: Layout, output: Output, device: str) -> Answer:
    """What `on_source` makes of convinced probabilities (channel, z, y, x), and `map_on_source` of their entropy."""
    unsure = np.zeros(layout.source.shape, dtype=np.float16)
    doubt = torch.from_numpy(np.ascontiguousarray(entropy(mean, output))).to(device)
    for at, (values,) in _on_source(doubt[None], layout, _box(doubt > LEAST)):
        _put(values.half(), unsure, at, layout)
    sure = torch.from_numpy(np.ascontiguousarray(convinced(mean, output))).to(device)
    labels = np.zeros(layout.source.shape, dtype=np.uint8)
    probability = np.zeros(layout.source.shape, dtype=np.float16)
    for at, values in _on_source(sure, layout, _box(_decoded(sure, output)[0] > 0)):
        found, chance = _decoded(values, output)
        _put(found, labels, at, layout)
        _put(chance.half(), probability, at, layout)
    return Answer(OnSource(labels, probability), unsure)


def _averaged(array: NDArray[np.generic], axes: AxisMap, factors: Factors, device: str) -> torch.Tensor:
    """Blocks of source voxels, averaged on the device, with their axes in canonical order."""
    axis, size = axes.order.index(0), len(array)
    step = factors[axis] * max(1, SLAB // (factors[axis] * array[0].size))
    pieces = []
    for start in range(0, size, step):
        stop = min(start + step, size)
        at = slice(size - stop, size - start) if axes.flip[axis] else slice(start, stop)
        piece = _sent(array[at], device).float().permute(axes.order).flip(_back(axes))
        for along_axis, factor in enumerate(factors):
            piece = _average_axis(piece, along_axis, factor)
        pieces.append(piece)
    return torch.cat(pieces, axis)


def _average_axis(array: torch.Tensor, axis: int, factor: int) -> torch.Tensor:
    """The last voxel stands for those that miss in the last block."""
    if factor == 1:
        return array
    size = array.shape[axis]
    if missing := -size % factor:
        array = torch.cat([array, array.narrow(axis, size - 1, 1).repeat_interleave(missing, axis)], axis)
    return array.unflatten(axis, (-1, factor)).mean(axis + 1)


def _channel(array: torch.Tensor, channel: Channel) -> torch.Tensor:
    if channel.scale == "none":
        return array
    return ((array - channel.low) / (channel.high - channel.low)).clamp_(0, 1)


def _interpolated(array: torch.Tensor, axis: int, below: NDArray[np.intp], share: NDArray[np.float32]) -> torch.Tensor:
    """Linear interpolation along one axis, counted from the end where it is negative."""
    low = torch.from_numpy(below).to(array.device)
    weight = torch.from_numpy(share).to(array.device).reshape([-1] + [1] * (array.ndim - 1 - axis % array.ndim))
    above = (low + 1).clamp_max(array.shape[axis] - 1)
    return torch.lerp(array.index_select(axis, low), array.index_select(axis, above), weight)


def _on_source(values: torch.Tensor, layout: Layout, box: Box | None) -> Iterator[tuple[Box, torch.Tensor]]:
    """Values (channel, z, y, x) inside a box of the working grid, interpolated: slabs of the canonical source grid."""
    if box is None:
        return
    z, y, x = (between(layout.canonical, layout.grid, axis, part) for axis, part in enumerate(box))
    near = values[(slice(None), *box)]
    step = max(1, SLAB // max(1, len(values) * len(y.below) * len(x.below)))
    for start in range(0, len(z.below), step):
        part = slice(start, start + step)
        slab = _interpolated(near, -3, z.below[part], z.share[part])
        for axis, side in ((-2, y), (-1, x)):
            slab = _interpolated(slab, axis, side.below, side.share)
        yield (slice(z.at.start + start, z.at.start + start + slab.shape[1]), y.at, x.at), slab


def _box(mask: torch.Tensor) -> Box | None:
    """The box around a mask with a voxel more at each side."""
    return box_of([mask.any(dim=others).cpu().numpy() for others in ((1, 2), (0, 2), (0, 1))], margin=1)


def _decoded(chances: torch.Tensor, output: Output) -> tuple[torch.Tensor, torch.Tensor]:
    """Labels uint8, and the probability of the region that each voxel was given."""
    best = torch.zeros_like(chances[0]) if output.activation == "sigmoid" else chances[0].clone()
    labels = torch.zeros_like(best, dtype=torch.uint8)
    for channel, region in output.foreground():
        wins = chances[channel] > (region.threshold if output.activation == "sigmoid" else best)
        labels.masked_fill_(wins, region.label)
        best = torch.where(wins, chances[channel], best)
    return labels, best.masked_fill_(labels == 0, 0)


def _sent(array: NDArray[np.generic], device: str) -> torch.Tensor:
    """Voxels on the device."""
    tensor = torch.from_numpy(array if array.flags.writeable else array.copy())
    return _pinned(tensor).to(device, non_blocking=True) if device.startswith("cuda") else tensor.to(device)


def _pinned(values: torch.Tensor) -> torch.Tensor:
    """The same in main memory, in pages that a GPU reads and writes itself."""
    return torch.empty(values.shape, dtype=values.dtype, pin_memory=True).copy_(values)


def _put(values: torch.Tensor, out: NDArray[np.generic], at: Box, layout: Layout) -> None:
    """Values of a box of the canonical grid, written where they belong on the source grid."""
    axes = canonical_map(layout.source)
    z, y, x = (int(axis) for axis in np.argsort(axes.order))
    values = values.flip(_back(axes)).permute(z, y, x)
    if values.is_cuda:
        values = _pinned(values)
    torch.from_numpy(out)[from_canonical(at, layout.source)].copy_(values)


def _back(axes: AxisMap) -> list[int]:
    """The canonical axes that run backwards in the source."""
    return [axis for axis, back in enumerate(axes.flip) if back]
