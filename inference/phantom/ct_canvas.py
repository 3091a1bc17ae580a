"""The sheet that CT anatomy is drawn on: soft-edged shapes in HU on a cubic lattice in the patient frame.

Shapes are *depth fields*: millimetres below the surface, positive inside, negative outside. Coordinates are
LPS millimetres (x to the left, y to the back, z to the head) about the trunk's own origin: the mid-sagittal
plane, the middle of the chest, and the top of the right dome of the diaphragm.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Array = NDArray[np.floating[Any]]  # float32 throughout; numpy's types do not follow it

Inside = Callable[[NDArray[np.float64]], NDArray[np.bool_]]

STEP_MM = 2.0


class Point(NamedTuple):
    """A place, a size or a direction in LPS millimetres."""

    x: float
    y: float
    z: float


class Box(NamedTuple):
    """The stretch of the trunk that a scan covers, in LPS millimetres."""

    low: Point
    high: Point


def weights(sources: NDArray[np.float64], targets: NDArray[np.float64], *, smooth: bool = False) -> Array:
    """Matrix (targets, sources) that interpolates between evenly spaced `sources`: linear, or smooth-step."""
    step = sources[1] - sources[0]
    place = np.clip((targets - sources[0]) / step, 0, len(sources) - 1)
    low = np.minimum(place.astype(int), len(sources) - 2)
    share = place - low
    if smooth:
        share = share * share * (3 - 2 * share)
    matrix = np.zeros((len(targets), len(sources)), dtype=np.float32)
    rows = np.arange(len(targets))
    matrix[rows, low] = 1 - share
    matrix[rows, low + 1] = share
    return matrix


def spread(coarse: Array, wz: Array, wy: Array, wx: Array) -> Array:
    """A lattice (z, y, x) taken to another by one interpolation matrix an axis."""
    along_x = coarse @ wx.T
    along_y = np.matmul(wy, along_x)
    return np.asarray(np.tensordot(wz, along_y, axes=(1, 0)), dtype=np.float32)


class Canvas:
    """Voxels of `STEP_MM` over a box, with coordinates that a smooth random warp makes each patient's own."""

    def __init__(self, box: Box, rng: np.random.Generator, *, warp_mm: float = 3.5) -> None:
        self.rng = rng
        self.zs, self.ys, self.xs = (np.arange(box.low[axis], box.high[axis] + STEP_MM, STEP_MM)
                                     for axis in (2, 1, 0))
        self.shape = (len(self.zs), len(self.ys), len(self.xs))
        straight = (self.xs[None, None, :], self.ys[None, :, None], self.zs[:, None, None])
        self.x, self.y, self.z = (np.asarray(axis + warp_mm * self.noise(130.0), dtype=np.float32)
                                  for axis in straight)
        self.hu = np.full(self.shape, -1000.0, dtype=np.float32)

    def noise(self, wavelength_mm: float) -> Array:
        """Unit-variance noise (z, y, x) that varies over about `wavelength_mm`."""
        knots = [np.arange(axis[0] - wavelength_mm, axis[-1] + wavelength_mm, wavelength_mm / 2)
                 for axis in (self.zs, self.ys, self.xs)]
        coarse = self.rng.standard_normal([len(k) for k in knots], dtype=np.float32)
        matrices = [weights(k, axis, smooth=True) for k, axis in zip(knots, (self.zs, self.ys, self.xs), strict=True)]
        field = spread(coarse, *matrices)
        return field / float(field.std())

    def paint(self, depth: Array, hu: Array | float) -> Array:
        """Lays `hu` over what is there, with an edge one voxel wide; returns how much of each voxel is covered."""
        cover = coverage(depth)
        self.hu += cover * (hu - self.hu)
        return cover

    def within(self, depth: Array, least_mm: float) -> Inside:
        """A test, for points (n, 3) in LPS mm, of whether `depth` is at least `least_mm` there."""
        origin = np.array([self.zs[0], self.ys[0], self.xs[0]])

        def test(points: NDArray[np.float64]) -> NDArray[np.bool_]:
            index = np.rint((points[:, ::-1] - origin) / STEP_MM).astype(int)
            known = ((index >= 0) & (index < self.shape)).all(axis=1)
            z, y, x = np.clip(index, 0, np.array(self.shape) - 1).T
            return np.asarray(known & (depth[z, y, x] >= least_mm))

        return test

    def place_within(self, depth: Array, least_mm: float) -> Point | None:
        """A random point where `depth` is at least `least_mm`; None where there is none."""
        found = np.flatnonzero(depth >= least_mm)
        if not len(found):
            return None
        z, y, x = np.unravel_index(found[self.rng.integers(len(found))], self.shape)
        return Point(float(self.xs[x]), float(self.ys[y]), float(self.zs[z]))

    def ellipsoid(self, centre: Point, radii: Point, *, tilt_deg: float = 0.0) -> Array:
        """Depth field of an ellipsoid, turned about the x axis by `tilt_deg` (head end to the back)."""
        turn = np.deg2rad(tilt_deg)
        y, z = self.y - centre.y, self.z - centre.z
        u, v, w = self.x - centre.x, y * np.cos(turn) - z * np.sin(turn), z * np.cos(turn) + y * np.sin(turn)
        return ellipsoid_depth(u, v, w, radii)

    def column(self, centre_x: float, centre_y: float, radius_x: float, radius_y: float) -> Array:
        """Depth field of an upright elliptic cylinder."""
        return ellipse_depth(self.x - centre_x, self.y - centre_y, radius_x, radius_y)


def coverage(depth: Array) -> Array:
    """Share of a voxel that lies inside, from its centre's depth."""
    return np.clip(depth / STEP_MM + 0.5, 0.0, 1.0)


def ellipsoid_depth(u: Array, v: Array, w: Array, radii: Point) -> Array:
    """First-order depth below an ellipsoid's surface at offsets (u, v, w) from its centre."""
    first = np.sqrt((u / radii.x) ** 2 + (v / radii.y) ** 2 + (w / radii.z) ** 2)
    second = np.sqrt((u / radii.x**2) ** 2 + (v / radii.y**2) ** 2 + (w / radii.z**2) ** 2)
    return np.asarray(first * (1 - first) / np.maximum(second, 1e-6), dtype=np.float32)


def ellipse_depth(u: Array, v: Array, radius_u: float | Array, radius_v: float | Array) -> Array:
    """First-order depth below an ellipse's outline at offsets (u, v) from its centre."""
    first = np.sqrt((u / radius_u) ** 2 + (v / radius_v) ** 2)
    second = np.sqrt((u / radius_u**2) ** 2 + (v / radius_v**2) ** 2)
    return np.asarray(first * (1 - first) / np.maximum(second, 1e-6), dtype=np.float32)


def join(a: Array, b: Array, round_mm: float = 8.0) -> Array:
    """Union of two depth fields, with a rounded seam."""
    blend = np.clip(0.5 + (a - b) / (2 * round_mm), 0, 1)
    return np.asarray(b + (a - b) * blend + round_mm * blend * (1 - blend), dtype=np.float32)


def cut(a: Array, b: Array, round_mm: float = 0.0) -> Array:
    """`a` without `b`, with a rounded edge where `round_mm` asks for one."""
    return np.minimum(a, -b) if round_mm <= 0 else -join(-a, b, round_mm)


def largest_part(depth: Array) -> Array:
    """The depth field without the parts that do not hang together with the largest."""
    parts, _ = ndimage.label(depth > 0)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    stray = (parts > 0) & (parts != int(sizes.argmax()))
    return np.where(stray, np.minimum(-depth, -STEP_MM), depth)
