"""Drawing tools that every phantom shares: coordinates, noise, blobs, tubes, rotations and MR noise.

Arrays are (z, y, x) and points are millimetres in the order (z, y, x), unless a name says LPS.
All randomness comes from the generator that is passed in.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float32]
Points = tuple[Array, Array, Array]
Box = tuple[slice, slice, slice]


def axes(shape: Sequence[int], spacing: float) -> Points:
    """Open-mesh coordinates in mm about the centre of a cubic-voxel canvas, one array an axis (z, y, x)."""
    z, y, x = (((np.arange(n) - (n - 1) / 2) * spacing).astype(np.float32) for n in shape)
    return z[:, None, None], y[None, :, None], x[None, None, :]


def smooth_noise(shape: Sequence[int], wavelength: float, rng: np.random.Generator) -> Array:
    """Zero-mean, unit-variance noise (z, y, x) that varies over about `wavelength` voxels (cubic B-spline lattice)."""
    bases = [_spline_basis(n, wavelength / 2) for n in shape]
    lattice = rng.standard_normal([b.shape[1] for b in bases]).astype(np.float32)
    noise = np.einsum("ai,ijk->ajk", bases[0], lattice)
    noise = np.einsum("bj,ajk->abk", bases[1], noise)
    noise = noise @ bases[2].T
    noise -= noise.mean()
    return np.asarray(noise / max(float(noise.std()), 1e-6), dtype=np.float32)


def _spline_basis(length: int, step: float) -> Array:
    """Weights (length, nodes) of cubic B-splines whose nodes lie `step` voxels apart."""
    nodes = int(np.ceil((length - 1) / step)) + 3
    distance = np.abs(np.arange(length)[:, None] / step + 1 - np.arange(nodes)[None, :])
    inner = 2 / 3 - distance**2 + distance**3 / 2
    outer = np.clip(2 - distance, 0, None) ** 3 / 6
    return np.where(distance < 1, inner, outer).astype(np.float32)


def ellipsoid(points: Sequence[Array], centre: ArrayLike, radii: ArrayLike) -> Array:
    """Normalised radius about `centre` at `points`: below 1 inside, 1 on the surface."""
    squares = [((p - c) / r) ** 2 for p, c, r in zip(points, np.asarray(centre, dtype=np.float32),
                                                     np.asarray(radii, dtype=np.float32), strict=True)]
    return np.asarray(np.sqrt(squares[0] + squares[1] + squares[2]), dtype=np.float32)


def lumpy_ellipsoid(points: Points, centre: ArrayLike, radii: ArrayLike, noise: Array, irregularity: float) -> Array:
    """As `ellipsoid`, its surface pushed in and out by up to `irregularity` of the radius, along `noise`."""
    return np.asarray(ellipsoid(points, centre, radii) * (1 + irregularity * np.tanh(noise)), dtype=np.float32)


def tube(points: Sequence[Array], line: ArrayLike, radii: Sequence[float]) -> Array:
    """Signed distance in mm to a tube along the polyline `line` (n, 3), `radii` at its nodes; negative inside."""
    nodes = np.asarray(line, dtype=np.float32)
    distance: Array | None = None
    for start, end, r0, r1 in zip(nodes, nodes[1:], radii, radii[1:], strict=False):
        along = end - start
        t = sum((p - s) * a for p, s, a in zip(points, start, along, strict=True)) / max(float(along @ along), 1e-6)
        t = np.clip(t, 0, 1)
        squares = [(p - s - t * a) ** 2 for p, s, a in zip(points, start, along, strict=True)]
        segment = np.sqrt(squares[0] + squares[1] + squares[2]) - (r0 + t * (r1 - r0))
        distance = segment if distance is None else np.minimum(distance, segment)
    if distance is None:
        raise ValueError("a tube needs a line of two nodes or more")
    return np.asarray(distance, dtype=np.float32)


def box_around(grid_axes: Points, low: ArrayLike, high: ArrayLike) -> Box:
    """The slices of an open-mesh canvas that hold all voxels from `low` to `high` mm, at least one voxel an axis."""
    slices = []
    for axis, lo, hi in zip(grid_axes, np.asarray(low), np.asarray(high), strict=True):
        values = axis.ravel()
        start, stop = np.searchsorted(values, [lo, hi])
        start = min(int(start), len(values) - 1)
        slices.append(slice(start, max(int(stop), start + 1)))
    return slices[0], slices[1], slices[2]


def rotation(angles_deg: ArrayLike) -> NDArray[np.float64]:
    """3x3 rotation by angles in degrees about the first, second and third axis, in that order."""
    a, b, c = np.deg2rad(np.asarray(angles_deg, dtype=np.float64))
    first = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    second = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    third = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return np.asarray(third @ second @ first)


def rician(signal: Array, sigma: float, rng: np.random.Generator) -> Array:
    """Magnitude of `signal` with complex Gaussian noise of `sigma`, as MR magnitude images have it."""
    real = signal + sigma * rng.standard_normal(signal.shape, dtype=np.float32)
    imaginary = sigma * rng.standard_normal(signal.shape, dtype=np.float32)
    return np.asarray(np.hypot(real, imaginary), dtype=np.float32)
