"""How long and how broad a lesion is, in mm, from the faces of its voxels.

Points are the middles of voxel faces: a single voxel is as long as its edge, and a drawn sphere comes out
at its diameter, neither a voxel short (centres) nor a diagonal long (corners).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist, squareform

from inference.volume import Grid, Spacing


def in_plane_axes(mask: NDArray[np.bool_], spacing: Spacing) -> tuple[float, float]:
    """The longest diameter within any slice, and the breadth across it in that slice (RECIST 1.1, RANO).

    `mask` is bool (z, y, x) and not empty.
    """
    best = (-1.0, 0.0)
    for plane in mask:
        if not plane.any():
            continue
        corners = _hull(_face_middles(_line_ends(plane)) * np.array([spacing.y, spacing.x]))
        a, b = _farthest(corners)
        length = float(np.linalg.norm(a - b))
        if length > best[0] + 1e-9:
            across = np.array([-(b - a)[1], (b - a)[0]]) / length
            best = (length, float(np.ptp(corners @ across)))
    return best


def largest_diameter(mask: NDArray[np.bool_], grid: Grid) -> float:
    """The longest line between any two points of a mask, through whatever lies between."""
    a, b = _farthest(_hull(_face_middles(_line_ends(mask)) @ grid.affine[:3, :3].T))
    return float(np.linalg.norm(a - b))


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
