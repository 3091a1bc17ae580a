"""Drawing tools that every phantom shares: coordinates, noise, blobs, tubes, coil shading and MR noise.

Arrays are (z, y, x) and points are millimetres in the order (z, y, x), unless a name says LPS.
All randomness comes from the generator that is passed in.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

Array = NDArray[np.float32]


def axes(shape: Sequence[int], spacing: float) -> tuple[Array, Array, Array]:
    """Open-mesh coordinates in mm about the centre of a cubic-voxel canvas, one array an axis (z, y, x)."""
    z, y, x = (((np.arange(n) - (n - 1) / 2) * spacing).astype(np.float32) for n in shape)
    return z[:, None, None], y[None, :, None], x[None, None, :]


def smooth_noise(shape: Sequence[int], wavelength: float, rng: np.random.Generator) -> Array:
    """Unit-variance noise (z, y, x) that varies over about `wavelength` voxels: a coarse lattice, splined up."""
    lattice = [max(2, int(np.ceil(2 * n / wavelength)) + 1) for n in shape]
    coarse = rng.standard_normal(lattice).astype(np.float32)
    fine = ndimage.zoom(coarse, [n / c for n, c in zip(shape, lattice, strict=True)], order=1, grid_mode=True,
                        mode="nearest")
    fine -= fine.mean()
    return np.asarray(fine / max(float(fine.std()), 1e-6), dtype=np.float32)


def ellipsoid(points: Sequence[Array], centre: ArrayLike, radii: ArrayLike) -> Array:
    """Normalised radius about `centre` at `points`: below 1 inside, 1 on the surface."""
    squares = (((p - c) / r) ** 2 for p, c, r in zip(points, np.asarray(centre, dtype=np.float32),
                                                       np.asarray(radii, dtype=np.float32), strict=True))
    return np.sqrt(sum(squares), dtype=np.float32)


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
