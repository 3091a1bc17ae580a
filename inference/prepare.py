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
from inference.transforms.geometry import Box, canonical, crop, crop_grid, grid_at_spacing, resample_labels
from inference.transforms.intensity import window, zscore
from inference.transforms.registration import RigidTransform, register_rigid, resample_onto
from inference.volume import Grid, Volume

STILL = RigidTransform(np.eye(4))


@dataclass(frozen=True, eq=False)
class Prepared:
    """What the network sees, and where that lies.

    `array` float32 (channel, z, y, x) and `foreground` bool (z, y, x) lie on `grid`, whose axes run parallel to
    those of `canonical`: the primary series' source grid with its axes in the order nearest to LPS.
    """

    array: NDArray[np.float32]
    foreground: NDArray[np.bool_]
    grid: Grid
    canonical: Grid
    source: Grid
    notes: tuple[str, ...] = ()

    def labels(self, truth: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A label map of the source grid on the working grid, for training."""
        return np.asarray(resample_labels(truth, self.source, self.grid), dtype=np.uint8)


def prepare(inputs: dict[str, Volume], recipe: Recipe) -> Prepared:
    """Channels on the working grid; Unfit where the region is not shown or series do not lie on each other."""
    source = inputs[recipe.primary]
    primary = canonical(source)
    whole = grid_at_spacing(primary.grid, recipe.spacing)
    region = find_region(source, recipe.roi)
    grid, foreground = _working_grid(whole, region, recipe)
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
    return Prepared(np.stack(channels), foreground, grid, primary.grid, source.grid, tuple(notes))


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
    fill = -1024.0 if volume.units == "HU" else 0.0
    if recipe.bias_field:
        volume = correct_bias(volume)
    volume = canonical(crop(volume, _needed(volume.grid, grid, motion)))
    if recipe.denoise == "median":
        volume = median(volume)
    elif recipe.denoise == "gaussian":
        volume = gaussian(volume, recipe.denoise_mm)
    volume = average_blocks(volume, grid)
    return np.asarray(resample_onto(volume, grid, motion, fill=fill).array, dtype=np.float32)


def _channel(array: NDArray[np.float32], channel: Channel, foreground: NDArray[np.bool_]) -> NDArray[np.float32]:
    if channel.scale == "none":
        return array
    if channel.scale == "window":
        return window(array, channel.low, channel.high)
    return zscore(array, foreground, clip=5.0)


def _needed(source: Grid, target: Grid, motion: RigidTransform, margin: int = 3) -> Box:
    """The box of source voxels that the target grid looks at; everything where they do not meet."""
    ends = [(0, n - 1) for n in target.shape]
    corners = target.to_lps([[z, y, x] for z in ends[0] for y in ends[1] for x in ends[2]])
    indices = source.to_index(corners @ motion.matrix[:3, :3].T + motion.matrix[:3, 3])
    low = np.clip(np.floor(indices.min(axis=0)).astype(int) - margin, 0, source.shape)
    high = np.clip(np.ceil(indices.max(axis=0)).astype(int) + margin + 1, 0, source.shape)
    if (high <= low).any():
        low, high = np.zeros(3, dtype=int), np.array(source.shape)
    return (slice(low[0], high[0]), slice(low[1], high[1]), slice(low[2], high[2]))


def average_blocks(volume: Volume, grid: Grid) -> Volume:
    """Whole blocks of voxels averaged until they are nearly as large as those of `grid`.

    Interpolation looks at eight voxels only; without this a coarser grid would keep the noise of the finer one.
    Axes of both are taken to run the same way.
    """
    ratio = np.array(grid.spacing) / np.array(volume.grid.spacing)
    factors = np.maximum(1, np.floor(ratio + 0.05).astype(int))
    if (factors == 1).all():
        return volume
    array = volume.array
    for axis, factor in enumerate(factors):
        array = _average_axis(array, axis, int(factor))
    affine = volume.grid.affine.copy()
    affine[:3, 3] = volume.grid.to_lps((factors - 1) / 2)
    affine[:3, :3] *= factors
    shape = (array.shape[0], array.shape[1], array.shape[2])
    return Volume(array, Grid(shape, affine, volume.grid.frame_of_reference_uid), volume.units)


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
