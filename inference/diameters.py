"""How long and how broad a lesion is, in mm, from the faces of its voxels.

Points are the middles of voxel faces: a single voxel is as long as its edge, and a drawn sphere comes out
at its diameter, neither a voxel short (centres) nor a diagonal long (corners).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

from inference.findings import Axes, Point
from inference.volume import Grid, Spacing


class Diameters(NamedTuple):
    """Long and short axis in mm, and where they lie."""

    long_mm: float
    short_mm: float
    axes: Axes


def in_plane_axes(mask: NDArray[np.bool_], spacing: Spacing) -> Diameters:
    """The longest diameter within any slice, and the longest one at a right angle to it there (RECIST 1.1, RANO).

    `mask` is bool (z, y, x) and not empty; the axes are in its own indices.
    """
    best: Diameters | None = None
    in_mm = np.array([spacing.y, spacing.x])
    for z in np.flatnonzero(mask.any(axis=(1, 2))):
        corners = _hull(_face_middles(_line_ends(mask[z])) * in_mm)
        a, b = _farthest(corners)
        length = float(np.linalg.norm(a - b))
        if best is None or length > best.long_mm + 1e-9:
            breadth, c, d = _across(corners, (b - a) / length)
            best = Diameters(length, breadth, Axes(int(z), (_point(a / in_mm), _point(b / in_mm)),
                                                   (_point(c / in_mm), _point(d / in_mm))))
    if best is None:
        raise ValueError("an empty mask has no axes")
    return best


def largest_diameter(mask: NDArray[np.bool_], grid: Grid) -> float:
    """The longest line between any two points of a mask, through whatever lies between."""
    a, b = _farthest(_hull(_face_middles(_line_ends(mask)) @ grid.affine[:3, :3].T))
    return float(np.linalg.norm(a - b))


def _across(corners: NDArray[np.float64], along: NDArray[np.float64],
            ) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """The longest line through a hull at a right angle to the unit vector `along` of its diameter: length, ends.

    Where it is as long over a stretch, its middle.
    """
    across = np.array([-along[1], along[0]])
    order = np.argsort(corners @ along)
    places, heights = (corners @ along)[order], (corners @ across)[order]
    ends = np.interp(places, places[[0, -1]], heights[[0, -1]])
    above, below = heights >= ends - 1e-9, heights <= ends + 1e-9

    def height(place: float | NDArray[np.float64], side: NDArray[np.bool_]) -> NDArray[np.float64]:
        return np.asarray(np.interp(place, places[side], heights[side]))

    lengths = height(places, above) - height(places, below)
    longest = places[lengths >= lengths.max() - 1e-9]
    place = float(longest[0] + longest[-1]) / 2
    low, high = float(height(place, below)), float(height(place, above))
    return high - low, along * place + across * low, along * place + across * high


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
    corners: NDArray[np.float64] = points[scipy.spatial.ConvexHull(points).vertices]
    return corners


def _farthest(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The two points that lie farthest apart.

    From the outermost inwards: two points are no farther apart than their distances to the middle together, so that
    most need not be looked at, and a liver's ten thousand corners need no table of all pairs.
    """
    radii = np.linalg.norm(points - points.mean(axis=0), axis=1)
    points = points[np.argsort(-radii, kind="stable")]
    radii = np.sort(radii)[::-1]
    best, pair = -1.0, (0, 0)
    for number, point in enumerate(points):
        if radii[0] + radii[number] <= best:
            break
        distances = np.linalg.norm(points[: number + 1] - point, axis=1)
        other = int(np.argmax(distances))
        if distances[other] > best:
            best, pair = float(distances[other]), (other, number)
    return points[pair[0]], points[pair[1]]
