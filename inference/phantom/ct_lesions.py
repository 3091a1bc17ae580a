"""Lesions with uneven outlines and patchy insides, drawn on the scan's own voxels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from inference.phantom.ct_canvas import Array, Point, ellipsoid_depth
from inference.phantom.ct_scan import Detail, Offsets


class Ripple:
    """Unit-variance smooth noise in space: a sum of plane waves, so that it needs no lattice."""

    def __init__(self, wavelength_mm: float, rng: np.random.Generator, waves: int = 9) -> None:
        ways = rng.standard_normal((waves, 3))
        ways /= np.linalg.norm(ways, axis=1, keepdims=True)
        self._k = (ways * 2 * np.pi / (wavelength_mm * rng.uniform(0.6, 1.6, (waves, 1)))).astype(np.float32)
        self._phase = rng.uniform(0, 2 * np.pi, waves).astype(np.float32)

    def __call__(self, offsets: Offsets) -> Array:
        x, y, z = offsets
        waves = (np.cos(k[0] * x + k[1] * y + k[2] * z + phase)
                 for k, phase in zip(self._k, self._phase, strict=True))
        return np.asarray(sum(waves) * np.float32(np.sqrt(2 / len(self._phase))), dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Lump:
    """An ellipsoid whose surface goes up and down by `roughness` of its radius."""

    centre: Point
    radii: Point
    roughness: float
    surface: Ripple

    @property
    def reach_mm(self) -> float:
        """Half-width of a cube around the centre that holds the whole lump."""
        return max(self.radii) * (1 + 2.5 * self.roughness) + 2.5

    def depth(self, offsets: Offsets) -> Array:
        """Millimetres below the lump's surface at (x, y, z) offsets from its centre."""
        smooth = ellipsoid_depth(*offsets, self.radii)
        return smooth + np.float32(self.roughness * min(self.radii)) * np.clip(self.surface(offsets), -2, 2)


def draw_lump(centre: Point, radius_mm: float, roughness: float, rng: np.random.Generator) -> Lump:
    """A lump of about this radius, each axis longer or shorter by up to a quarter."""
    radii = Point(*(radius_mm * rng.uniform(0.75, 1.25, 3)))
    return Lump(centre, radii, roughness, Ripple(1.8 * radius_mm, rng))


def edge(depth: Array, detail: Detail, softness_mm: float = 0.0) -> Array:
    """Share of each of the detail's voxels that is inside, over an edge at least one voxel wide."""
    width = float(np.mean(detail.spacing)) + softness_mm
    return np.clip(depth / width + 0.5, 0, 1)


def spikes(lump: Lump, rng: np.random.Generator) -> list[tuple[Point, Point]]:
    """Three to twelve strands that leave a lump's surface outwards, 2 to 6 mm long, as pairs of points."""
    ways = rng.standard_normal((int(rng.integers(3, 13)), 3))
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    lengths = rng.uniform(2, 6, (len(ways), 1))
    centre, radii = np.array(lump.centre), np.array(lump.radii)
    roots = centre + 0.8 * radii * ways
    return [(Point(*a), Point(*b)) for a, b in zip(roots, roots + lengths * ways, strict=True)]
