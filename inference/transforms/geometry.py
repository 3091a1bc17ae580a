"""Volumes from grid to grid and labels back again.

Every grid may be oblique, anisotropic or sheared: resampling runs in index space, where the map from one
grid to the other is one affine. Where nothing has to be interpolated nothing is.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple, TypeVar

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from inference.volume import Grid, Spacing, Volume, regular_affine

Box = tuple[slice, slice, slice]
T = TypeVar("T", bound=np.generic)

_INTERPOLATORS = {0: sitk.sitkNearestNeighbor, 1: sitk.sitkLinear, 3: sitk.sitkBSpline}


class AxisMap(NamedTuple):
    """A pure change of axes: output axis a is input axis order[a], run backwards where flip[a]."""

    order: tuple[int, int, int]
    flip: tuple[bool, bool, bool]


class Along(NamedTuple):
    """Target voxels along an axis between a source's: each lies `share` (0..1) of the way from `below` to the next.

    `inside` is False where the source has no voxel.
    """

    below: NDArray[np.intp]
    share: NDArray[np.float32]
    inside: NDArray[np.bool_]


def resample(volume: Volume, grid: Grid, *, order: int = 1, fill: float = 0.0,
             motion: NDArray[np.float64] | None = None) -> Volume:
    """The volume on another grid; `order` 0 nearest, 1 linear, 3 cubic; `fill` where it has no voxel.

    `motion` (4x4) leads from LPS mm of `grid` to LPS mm of the volume, where the patient moved between them.
    Nearest keeps the voxels' type, else they become float32. On a matching grid the array is passed on as it
    is; otherwise the result has no slice sources, for its slices are no instance's any more.
    """
    if motion is None and volume.grid.matches(grid, 1e-6):
        return Volume(volume.array, grid, volume.units, volume.sources, volume.series_instance_uid)
    into_volume = np.linalg.inv(volume.grid.affine) @ (np.eye(4) if motion is None else motion) @ grid.affine
    if order == 1 and _thins_out(into_volume, volume.array.shape, grid.shape):
        out: NDArray[np.generic] = _thinned_out(volume.array, into_volume, grid.shape, fill)
    else:
        array = volume.array if order == 0 else np.asarray(volume.array, dtype=np.float32)
        out = _resample_array(array, into_volume, grid.shape, order, fill)
    return Volume(out, grid, volume.units, (), volume.series_instance_uid)


def resample_labels(labels: NDArray[np.generic], source: Grid, target: Grid) -> NDArray[np.generic]:
    """A label map from one grid to another by nearest neighbour; 0 outside."""
    if source.matches(target, 1e-6):
        return labels
    into_source = np.linalg.inv(source.affine) @ target.affine
    if _run_alike(into_source, target.shape):
        return _nearest(labels, into_source, target.shape)
    return _resample_array(labels, into_source, target.shape, 0, 0.0)


def grid_at_spacing(grid: Grid, spacing: Spacing) -> Grid:
    """The grid that covers the same field of view, around the same centre, with voxels of `spacing` mm."""
    old = np.array(grid.spacing)
    new = np.array(spacing, dtype=np.float64)
    if np.allclose(old, new, rtol=0, atol=1e-6):
        return grid
    shape = np.maximum(1, np.rint(np.array(grid.shape) * old / new)).astype(int)
    affine = regular_affine((0, 0, 0), grid.directions, spacing)
    middle = grid.to_lps((np.array(grid.shape) - 1) / 2)
    affine[:3, 3] = middle - affine[:3, :3] @ ((shape - 1) / 2)
    return Grid((int(shape[0]), int(shape[1]), int(shape[2])), affine, grid.frame_of_reference_uid)


def canonical_map(grid: Grid) -> AxisMap:
    """The change of axes that brings a grid closest to z to the head, y to the back, x to the left."""
    weights = np.abs(grid.directions)  # rows L P S, columns z y x
    best = max(_PERMUTATIONS, key=lambda p: weights[2, p[0]] + weights[1, p[1]] + weights[0, p[2]])
    signs = (grid.directions[2, best[0]], grid.directions[1, best[1]], grid.directions[0, best[2]])
    return AxisMap(best, (bool(signs[0] < 0), bool(signs[1] < 0), bool(signs[2] < 0)))


def canonical_grid(grid: Grid) -> Grid:
    """The grid of `canonical`."""
    axes = canonical_map(grid)
    return grid if axes == _IDENTITY else _reoriented(grid, axes)


def from_canonical(box: Box, original: Grid) -> Box:
    """A box of the canonical form of `original` as a box of `original` itself."""
    axes = canonical_map(original)
    out = {}
    for part, old, back in zip(box, axes.order, axes.flip, strict=True):
        size = original.shape[old]
        start, stop, _ = part.indices(size)
        out[old] = slice(size - stop, size - start) if back else slice(start, stop)
    return (out[0], out[1], out[2])


def canonical(volume: Volume) -> Volume:
    """The volume with its axes permuted and flipped nearest to LPS axial; no voxel value changes.

    `restore` takes an array on the result's grid back to the original's.
    """
    axes = canonical_map(volume.grid)
    if axes == _IDENTITY:
        return volume
    grid = _reoriented(volume.grid, axes)
    array = _flip(np.transpose(volume.array, axes.order), axes.flip)
    sources = volume.sources
    if axes.order[0] != 0:
        sources = ()
    elif axes.flip[0]:
        sources = sources[::-1]
    return Volume(np.ascontiguousarray(array), grid, volume.units, sources, volume.series_instance_uid)


def restore(array: NDArray[np.generic], original: Grid) -> NDArray[np.generic]:
    """An array on the canonical form of `original`, back on `original` itself; exact."""
    axes = canonical_map(original)
    inverse = np.argsort(axes.order)
    out = np.ascontiguousarray(np.transpose(_flip(array, axes.flip), inverse))
    if out.shape != original.shape:
        raise ValueError(f"an array of {array.shape} does not lie on the canonical form of {original.shape}")
    return out


def crop_grid(grid: Grid, box: Box) -> Grid:
    """The part of a grid inside a box of indices."""
    starts, shape = [], []
    for part, size in zip(box, grid.shape, strict=True):
        start, stop, step = part.indices(size)
        if step != 1 or stop <= start:
            raise ValueError(f"a box runs forward by whole voxels and is not empty: {part}")
        starts.append(start)
        shape.append(stop - start)
    affine = grid.affine.copy()
    affine[:3, 3] = grid.to_lps(starts)
    return Grid((shape[0], shape[1], shape[2]), affine, grid.frame_of_reference_uid)


def crop(volume: Volume, box: Box) -> Volume:
    """The part of a volume inside a box of indices, with the slice sources that it keeps."""
    grid = crop_grid(volume.grid, box)
    sources = volume.sources[box[0]] if volume.sources else ()
    return Volume(volume.array[box], grid, volume.units, sources, volume.series_instance_uid)


def uncrop(array: NDArray[T], box: Box, shape: tuple[int, ...]) -> NDArray[T]:
    """An array put back at its box in zeros of `shape`."""
    out = np.zeros(shape, dtype=array.dtype)
    out[box] = array
    return out


def neighbours(places: NDArray[np.float64], size: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """The voxel below each place along an axis of `size` voxels, and which share of the way to the next one it lies.

    What lies beyond an end is taken for that end.
    """
    inside = np.clip(places, 0, size - 1)
    below = np.minimum(inside.astype(np.intp), max(size - 2, 0))
    return below, (inside - below).astype(np.float32)


def along(into_source: NDArray[np.float64], source: tuple[int, ...], shape: tuple[int, int, int]) -> list[Along]:
    """Where the voxels of a target of `shape` lie in a source whose axes run alike, axis by axis (z, y, x).

    `into_source` leads from target indices to source indices.
    """
    at = [into_source[k, k] * np.arange(shape[k]) + into_source[k, 3] for k in range(3)]
    return [Along(*neighbours(place, size), (place >= -0.5) & (place <= size - 0.5))
            for place, size in zip(at, source, strict=True)]


def _resample_array(array: NDArray[np.generic], into_source: NDArray[np.float64], shape: tuple[int, int, int],
                    order: int, fill: float) -> NDArray[np.generic]:
    """`into_source` leads from target indices to source indices, both (z, y, x)."""
    reverse = np.eye(3)[::-1]  # SimpleITK counts x, y, z
    transform = sitk.AffineTransform(3)
    transform.SetMatrix((reverse @ into_source[:3, :3] @ reverse).ravel().tolist())
    transform.SetTranslation((reverse @ into_source[:3, 3]).tolist())
    image = sitk.GetImageFromArray(np.ascontiguousarray(array))
    resampler = sitk.ResampleImageFilter()
    resampler.SetSize([int(n) for n in shape[::-1]])
    resampler.SetTransform(transform)
    resampler.SetInterpolator(_INTERPOLATORS[order])
    resampler.SetDefaultPixelValue(float(fill))
    return sitk.GetArrayFromImage(resampler.Execute(image))


def _thins_out(into_source: NDArray[np.float64], source: tuple[int, ...], shape: tuple[int, int, int]) -> bool:
    """Whether the axes run alike and so few voxels are wanted that most of the source lies beside none of them."""
    return bool(_run_alike(into_source, shape) and 8 * np.prod(shape) < np.prod(source))


def _run_alike(into_source: NDArray[np.float64], shape: tuple[int, int, int]) -> bool:
    turned = into_source[:3, :3] - np.diag(np.diag(into_source[:3, :3]))
    return bool(np.abs(turned).max() * max(shape) < 1e-3)


def _nearest(array: NDArray[np.generic], into_source: NDArray[np.float64], shape: tuple[int, int, int],
             ) -> NDArray[np.generic]:
    """The nearest voxels of an array whose axes run alike; 0 where there is none."""
    out, box, chosen = np.zeros(shape, dtype=array.dtype), [], []
    for side, size in zip(along(into_source, array.shape, shape), array.shape, strict=True):
        used = np.flatnonzero(side.inside)
        box.append(slice(used[0], used[-1] + 1) if used.size else slice(0, 0))
        chosen.append(np.minimum(side.below + (side.share >= 0.5), size - 1)[box[-1]])
    z, y, x = chosen
    out[tuple(box)] = array.take(x, axis=2).take(y, axis=1).take(z, axis=0)
    return out


def _thinned_out(array: NDArray[np.generic], into_source: NDArray[np.float64], shape: tuple[int, int, int],
                 fill: float) -> NDArray[np.float32]:
    """What linear interpolation makes of a far finer array, of which only the eight neighbours are read."""
    sides = along(into_source, array.shape, shape)
    below, share, inside = zip(*sides, strict=True)
    out = np.zeros(shape, dtype=np.float32)
    for corner in itertools.product((0, 1), repeat=3):
        near = [np.minimum(low + up, size - 1) for low, up, size in zip(below, corner, array.shape, strict=True)]
        z, y, x = np.ix_(*(part if up else 1 - part for part, up in zip(share, corner, strict=True)))
        out += np.asarray(array[np.ix_(*near)], dtype=np.float32) * (z * y * x)
    for axis, seen in enumerate(inside):
        np.moveaxis(out, axis, 0)[~seen] = fill
    return out


def _reoriented(grid: Grid, axes: AxisMap) -> Grid:
    affine = np.eye(4)
    affine[:3, :3] = grid.affine[:3, axes.order]
    corner = np.zeros(3)
    for new, old in enumerate(axes.order):
        if axes.flip[new]:
            affine[:3, new] *= -1
            corner[old] = grid.shape[old] - 1
    affine[:3, 3] = grid.to_lps(corner)
    shape = (grid.shape[axes.order[0]], grid.shape[axes.order[1]], grid.shape[axes.order[2]])
    return Grid(shape, affine, grid.frame_of_reference_uid)


def _flip(array: NDArray[np.generic], flip: tuple[bool, bool, bool]) -> NDArray[np.generic]:
    return array[tuple(slice(None, None, -1 if back else 1) for back in flip)]


_IDENTITY = AxisMap((0, 1, 2), (False, False, False))
_PERMUTATIONS = ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))
