"""From the inputs of a task to the channels of its network; one way for training and for inference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.recipe import Channel, Recipe
from inference.roi import find_region, grown
from inference.tasks.postprocess import bounding_box
from inference.transforms.bias_field import correct_bias
from inference.transforms.denoise import gaussian, median
from inference.transforms.geometry import (
    Box,
    canonical,
    canonical_grid,
    crop,
    crop_grid,
    from_canonical,
    grid_at_spacing,
    resample_labels,
)
from inference.transforms.intensity import window, zscore
from inference.transforms.registration import RigidTransform, register_rigid, resample_onto
from inference.volume import Grid, Volume

STILL = RigidTransform(np.eye(4))

Factors = tuple[int, int, int]  # voxels of a block along (z, y, x)


@dataclass(frozen=True, eq=False)
class Layout:
    """Where lies what the network sees.

    `foreground` bool (z, y, x) lies on `grid`, whose axes run parallel to those of `canonical`: the primary series'
    source grid with its axes in the order nearest to LPS.
    """

    foreground: NDArray[np.bool_]
    grid: Grid
    canonical: Grid
    source: Grid

    def labels(self, truth: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A label map of the source grid on the working grid, for training."""
        return np.asarray(resample_labels(truth, self.source, self.grid), dtype=np.uint8)


@dataclass(frozen=True, eq=False)
class Prepared(Layout):
    """What the network sees, and where that lies: `array` float32 (channel, z, y, x) on `grid`."""

    array: NDArray[np.float32]
    notes: tuple[str, ...] = ()


def lay(source: Volume, recipe: Recipe) -> Layout:
    """Where the network looks in the primary role's volume; Unfit where the region is not shown."""
    own = canonical_grid(source.grid)
    grid, foreground = _working_grid(grid_at_spacing(own, recipe.spacing), find_region(source, recipe.roi), recipe)
    return Layout(foreground, grid, own, source.grid)


def prepare(inputs: dict[str, Volume], recipe: Recipe, layout: Layout | None = None) -> Prepared:
    """Channels on the working grid; Unfit where the region is not shown or series do not lie on each other.

    `layout` is what `lay` gave, where that has been asked already.
    """
    source = inputs[recipe.primary]
    layout = layout or lay(source, recipe)
    grid, foreground = layout.grid, layout.foreground
    shown, notes = {}, []
    for role in recipe.roles:
        motion = STILL
        if recipe.register_roles and role != recipe.primary:
            motion = register_rigid(source, inputs[role], role)
            if not motion.is_identity:
                notes.append(f"{role} was moved by {motion.translation_mm:.1f} mm and turned by "
                             f"{motion.rotation_deg:.1f} degrees onto {recipe.primary}.")
        shown[role] = _on_grid(inputs[role], grid, motion, recipe)
    channels = [_channel(shown[channel.role], channel, foreground) for channel in recipe.channels]
    return Prepared(foreground, grid, layout.canonical, layout.source, np.stack(channels), tuple(notes))


def fill_of(volume: Volume) -> float:
    """The value of what lies outside a volume: air on a CT."""
    return -1024.0 if volume.units == "HU" else 0.0


def _working_grid(whole: Grid, region: Volume | None, recipe: Recipe) -> tuple[Grid, NDArray[np.bool_]]:
    """The part of `whole` that shows the region with its margin, and the region on it."""
    if region is None:
        return whole, np.ones(whole.shape, dtype=bool)
    wide = grown(region.array.astype(bool), recipe.margin_mm)
    mask = np.asarray(resample_labels(wide.astype(np.uint8), region.grid, whole)) > 0
    box = bounding_box(mask)
    if box is None:
        return whole, mask
    return crop_grid(whole, box), np.ascontiguousarray(mask[box])


def _on_grid(volume: Volume, grid: Grid, motion: RigidTransform, recipe: Recipe) -> NDArray[np.float32]:
    """A role's voxels on the working grid: shading out, noise out, averaged where the grid is coarser."""
    if recipe.bias_field:
        volume = correct_bias(volume)
    volume = canonical(crop(volume, from_canonical(needed(canonical_grid(volume.grid), grid, motion), volume.grid)))
    if recipe.denoise == "median":
        volume = median(volume)
    elif recipe.denoise == "gaussian":
        volume = gaussian(volume, recipe.denoise_mm)
    volume = average_blocks(volume, grid)
    return np.asarray(resample_onto(volume, grid, motion, fill=fill_of(volume)).array, dtype=np.float32)


def _channel(array: NDArray[np.float32], channel: Channel, foreground: NDArray[np.bool_]) -> NDArray[np.float32]:
    if channel.scale == "none":
        return array
    if channel.scale == "window":
        return window(array, channel.low, channel.high)
    return zscore(array, foreground, clip=5.0)


def needed(source: Grid, target: Grid, motion: RigidTransform = STILL, margin: int = 3) -> Box:
    """The box of whole blocks of source voxels that the target grid looks at; everything where they do not meet.

    Blocks are counted from the source's first voxel, so that what a network sees of a place does not hang on where
    its region begins.
    """
    factors = block_factors(source, target)
    ends = [(0, n - 1) for n in target.shape]
    corners = target.to_lps([[z, y, x] for z in ends[0] for y in ends[1] for x in ends[2]])
    indices = source.to_index(corners @ motion.matrix[:3, :3].T + motion.matrix[:3, 3])
    low = np.clip(np.floor(indices.min(axis=0)).astype(int) - margin, 0, source.shape) // factors * factors
    high = -(-(np.ceil(indices.max(axis=0)).astype(int) + margin + 1) // factors) * factors
    high = np.clip(high, 0, source.shape)
    if (high <= low).any():
        low, high = np.zeros(3, dtype=int), np.array(source.shape)
    return (slice(low[0], high[0]), slice(low[1], high[1]), slice(low[2], high[2]))


def average_blocks(volume: Volume, grid: Grid) -> Volume:
    """Whole blocks of voxels averaged until they are nearly as large as those of `grid`.

    Interpolation looks at eight voxels only; without this a coarser grid would keep the noise of the finer one.
    Axes of both are taken to run the same way.
    """
    factors = block_factors(volume.grid, grid)
    if factors == (1, 1, 1):
        return volume
    array = volume.array
    for axis, factor in enumerate(factors):
        array = _average_axis(array, axis, factor)
    return Volume(array, block_grid(volume.grid, factors), volume.units)


def block_factors(source: Grid, target: Grid) -> Factors:
    """How many source voxels along each axis make a block that is nearly as large as a voxel of `target`."""
    ratio = np.array(target.spacing) / np.array(source.spacing)
    z, y, x = (int(factor) for factor in np.maximum(1, np.floor(ratio + 0.05)))
    return (z, y, x)


def block_grid(grid: Grid, factors: Factors) -> Grid:
    """The grid of a grid's blocks; the last one along an axis may reach beyond it."""
    affine = grid.affine.copy()
    affine[:3, 3] = grid.to_lps((np.array(factors) - 1) / 2)
    affine[:3, :3] *= factors
    z, y, x = (-(-size // factor) for size, factor in zip(grid.shape, factors, strict=True))
    return Grid((z, y, x), affine, grid.frame_of_reference_uid)


def _average_axis(array: NDArray[np.generic], axis: int, factor: int) -> NDArray[np.generic]:
    if factor == 1:
        return array
    array = np.moveaxis(array, axis, 0)
    missing = -array.shape[0] % factor
    if missing:
        array = np.concatenate([array, np.repeat(array[-1:], missing, axis=0)])
    total = array[::factor].astype(np.float32)
    for offset in range(1, factor):
        total += np.asarray(array[offset::factor], dtype=np.float32)
    total /= factor
    return np.moveaxis(total, 0, axis)
