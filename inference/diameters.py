"""How long and how broad a lesion is, in mm, from the faces of its voxels.

Points are the middles of voxel faces: a single voxel is as long as its edge, and a drawn sphere comes out
at its diameter, neither a voxel short (centres) nor a diagonal long (corners).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist, squareform

from inference.findings import Axes, Point
from inference.volume import Grid, Spacing


class Diameters(NamedTuple):
    """Long and short axis in mm, and where they lie."""

    long_mm: float
    short_mm: float
    axes: Axes


def in_plane_axes(mask: NDArray[np.bool_], spacing: Spacing) -> Diameters:
    """The longest diameter within any slice, and the breadth across it in that slice (RECIST 1.1, RANO).

    `mask` is bool (z, y, x) and not empty; the axes are in its own indices.
    """
    best: Diameters | None = None
    in_mm = np.array([spacing.y, spacing.x])
    for z in np.flatnonzero(mask.any(axis=(1, 2))):
        corners = _hull(_face_middles(_line_ends(mask[z])) * in_mm)
        a, b = _farthest(corners)
        length = float(np.linalg.norm(a - b))
        if best is None or length > best.long_mm + 1e-9:
            breadth, c, d = _breadth(corners, (b - a) / length)
            best = Diameters(length, breadth, Axes(int(z), (_point(a / in_mm), _point(b / in_mm)),
                                                   (_point(c / in_mm), _point(d / in_mm))))
    if best is None:
        raise ValueError("an empty mask has no axes")
    return best


def largest_diameter(mask: NDArray[np.bool_], grid: Grid) -> float:
    """The longest line between any two points of a mask, through whatever lies between."""
    a, b = _farthest(_hull(_face_middles(_line_ends(mask)) @ grid.affine[:3, :3].T))
    return float(np.linalg.norm(a - b))


def _breadth(corners: NDArray[np.float64], along: NDArray[np.float64],
             ) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """How broad a hull is across the unit vector `along` of its diameter, and a line of that length.

    The breadth is a caliper's, between the outermost corners, which seldom face each other: the line lies
    where the hull is longest across, and goes beyond it by what is lacking there.
    """
    across = np.array([-along[1], along[0]])
    heights = corners @ across
    low, high = float(heights.min()), float(heights.max())
    middle = along * _widest(corners @ along, heights)
    return float(np.ptp(heights)), middle + across * low, middle + across * high


def _widest(places: NDArray[np.float64], heights: NDArray[np.float64]) -> float:
    """Where along its diameter a hull is longest across; the middle, where it is so over a stretch."""
    order = np.argsort(places)
    places, heights = places[order], heights[order]
    ends = np.interp(places, places[[0, -1]], heights[[0, -1]])
    upper, lower = heights >= ends - 1e-9, heights <= ends + 1e-9
    lengths = np.interp(places, places[upper], heights[upper]) - np.interp(places, places[lower], heights[lower])
    longest = places[lengths >= lengths.max() - 1e-9]
    return float(longest[0] + longest[-1]) / 2


def _point(indices: NDArray[np.float64]) -> Point:
    return Point(float(indices[0]), float(indices[1]))


def _line_ends(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Indices of the first and last voxel on every line along x: no other can be a corner of the hull."""
    lines = np.argwhere(mask.any(axis=-1))
    on_line = mask[tuple(lines.T)]
    first = on_line.argmax(axis=-1)
    last = mask.shape[-1] - 1 - on_line[:, ::-1].argmax(axis=-1)
    return np.concatenate([np.column_stack([lines, first]), np.column_stack([lines, last])])


def _face_middles(indices: NDArray[np.int64]) -> NDArray[np.float64]:
    """Middles of every voxel's faces, in index units: six a voxel, four a pixel."""
    dimensions = indices.shape[1]
    offsets = np.concatenate([np.eye(dimensions), -np.eye(dimensions)]) / 2
    return (indices[:, None, :] + offsets[None]).reshape(-1, dimensions)


def _hull(points: NDArray[np.float64]) -> NDArray[np.float64]:
    corners: NDArray[np.float64] = points[ConvexHull(points).vertices]
    return corners


def _farthest(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    distances = squareform(pdist(points))
    a, b = np.unravel_index(int(np.argmax(distances)), distances.shape)
    return points[a], points[b]
