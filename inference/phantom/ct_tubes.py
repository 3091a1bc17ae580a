"""Branching trees of vessels and airways, grown by random walk and drawn as cylinders."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from inference.phantom.ct_canvas import Array, Inside, Point
from inference.phantom.ct_scan import Detail, Offsets, Window


class Segment(NamedTuple):
    """A straight piece of a tube from `start` to `end`, in LPS mm."""

    start: Point
    end: Point
    radius: float


@dataclass(frozen=True)
class Growth:
    """How a tree grows: step in mm, chance of a fork a step, shrink of radius at a fork and a step, wander."""

    step_mm: float = 5.0
    fork: float = 0.25
    shrink: float = 0.78
    taper: float = 0.985
    wander: float = 0.25
    spread: float = 0.75
    thinnest_mm: float = 0.5
    most: int = 1500


def grow(roots: list[Segment], growth: Growth, inside: Inside, rng: np.random.Generator) -> list[Segment]:
    """Segments of the trees that start with `roots` and stay where `inside` says, all tips growing in step."""
    grown = list(roots)
    tips = np.array([root.end for root in roots], dtype=float)
    ways = np.array([np.subtract(root.end, root.start) for root in roots], dtype=float)
    radii = np.array([root.radius for root in roots], dtype=float)
    while len(tips) and len(grown) < growth.most:
        ways = _unit(_unit(ways) + growth.wander * rng.standard_normal(ways.shape))
        ends = tips + growth.step_mm * ways
        alive = inside(ends) & (radii > growth.thinnest_mm)
        tips, ends, ways, radii = tips[alive], ends[alive], ways[alive], radii[alive]
        grown += [Segment(Point(*a), Point(*b), float(r)) for a, b, r in zip(tips, ends, radii, strict=True)]
        forks = rng.random(len(ends)) < growth.fork
        aside = growth.spread * _unit(rng.standard_normal((int(forks.sum()), 3)))
        tips = np.concatenate([ends, ends[forks]])
        twins = ways[forks] - aside
        ways[forks] += aside
        ways = np.concatenate([ways, twins])
        radii = np.where(forks, radii * growth.shrink, radii * growth.taper)
        radii = np.concatenate([radii, radii[forks] * rng.uniform(0.7, 1.0, int(forks.sum()))])
    return grown


def draw_tubes(detail: Detail, segments: Iterable[Segment], hu: float, strength: float = 1.0) -> None:
    """Fills tubes with `hu`; `strength` below 1 lets what was there show through."""
    for segment in segments:
        window, share = tube_cover(detail, segment)
        there = detail.hu[window]
        there += strength * share * (hu - there)


def draw_walls(detail: Detail, segments: Iterable[Segment], hu: float, wall_mm: float) -> None:
    """Lays a wall of `hu` around tubes that run through air; what is denser stays."""
    for segment in segments:
        window, share = tube_cover(detail, segment, wall_mm)
        there = detail.hu[window]
        np.maximum(there, share * (hu + 900) - 900, out=there)


def tube_cover(detail: Detail, segment: Segment, wall_mm: float = 0.0) -> tuple[Window, Array]:
    """The voxels around one segment, and how much of each lies in it."""
    start, end, radius = segment
    soft = float(np.mean(detail.spacing))
    middle = Point(*(np.add(start, end) / 2))
    reach = float(np.linalg.norm(np.subtract(end, start))) / 2 + radius + wall_mm + soft
    window, offsets = detail.around(middle, reach)
    depth = radius + wall_mm - _distance(offsets, np.subtract(start, middle), np.subtract(end, middle))
    most = min(1.0, 2 * (radius + wall_mm) / soft)  # a tube thinner than a voxel never fills it
    return window, np.clip(depth / soft + 0.5, 0, most)


def _distance(offsets: Offsets, start: NDArray[np.float64], end: NDArray[np.float64]) -> Array:
    """Distance in mm from the piece between two points, at open-mesh (x, y, z) offsets."""
    way = (end - start).astype(np.float32)
    x, y, z = (o - np.float32(s) for o, s in zip(offsets, start, strict=True))
    share = np.clip((x * way[0] + y * way[1] + z * way[2]) / max(float(way @ way), 1e-6), 0, 1)
    return np.sqrt((x - share * way[0]) ** 2 + (y - share * way[1]) ** 2 + (z - share * way[2]) ** 2)


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9))
