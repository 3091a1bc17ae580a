"""Outlines of masks as polygons along the pixels' edges.

Coordinates are (column, row) of an image, sub-pixel: 0\\0 is the top left corner of the first pixel, whose
centre is 0.5\\0.5, and Columns\\Rows the bottom right corner of the last (PS3.3 C.10.5.1.2, units PIXEL). An
outline runs between pixels, never through their centres, so the pixels whose centres it encloses are the
mask again, and its area is the mask's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import scipy
from numpy.typing import NDArray

Polygon: TypeAlias = NDArray[np.float64]  # corners (column, row), shape (n, 2); the last joins the first

NEAR = 0.49  # pixels; just below a half, so that a single pixel keeps four corners
_STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))  # (column, row): right, down, left, up


@dataclass(frozen=True, eq=False)
class Outline:
    """One connected area: its rim clockwise on the screen, the rims of its holes counter-clockwise."""

    rim: Polygon
    holes: tuple[Polygon, ...]
    pixels: int


def outlines(mask: NDArray[np.bool_]) -> list[Outline]:
    """The areas of a mask of shape (row, column), largest first; pixels that touch in a corner only are apart."""
    areas, count = scipy.ndimage.label(mask)
    rims: list[list[Polygon]] = [[] for _ in range(count)]
    holes: list[list[Polygon]] = [[] for _ in range(count)]
    for pixel, polygon in _loops(mask):
        of = areas[pixel] - 1
        (rims if _doubled_area(polygon) > 0 else holes)[of].append(polygon)
    sizes = np.bincount(areas.ravel(), minlength=count + 1)[1:]
    found = [Outline(rim, tuple(inner), int(size)) for (rim,), inner, size in zip(rims, holes, sizes, strict=True)]
    return sorted(found, key=lambda outline: -outline.pixels)


def keyhole(outline: Outline) -> Polygon:
    """Rim and holes as one polygon: a channel without width leads into each hole and back (PS3.3 C.8.8.6.3).

    Channels run along the pixels' edges, so they enclose no pixel's centre. Each leads left from its hole's
    leftmost corner, to the rim or to a hole that lies further left and is already joined.
    """
    joined = outline.rim
    for hole in sorted(outline.holes, key=lambda h: tuple(h[_leftmost(h)])):
        start = _leftmost(hole)
        column, row = hole[start]
        before, after = joined, np.roll(joined, -1, axis=0)
        low, high = np.minimum(before[:, 1], after[:, 1]), np.maximum(before[:, 1], after[:, 1])
        met = (before[:, 0] == after[:, 0]) & (before[:, 0] < column) & (low <= row) & (row <= high)
        edge = int(np.where(met, before[:, 0], -np.inf).argmax())
        door = np.array([[before[edge, 0], row]])
        inner = np.roll(hole, -start, axis=0)
        joined = np.concatenate([joined[: edge + 1], door, inner, inner[:1], door, joined[edge + 1 :]])
    return joined[(joined != np.roll(joined, 1, axis=0)).any(axis=1)]


def simplified(polygon: Polygon, limit: int = 1000) -> Polygon:
    """For the eye: fewer corners, each edge's middle less than half a pixel away; at most `limit` of them.

    Stairs become slopes, since the line leads through the middles of the pixels' edges. Where that leaves more
    corners than `limit`, the line may lie further away.
    """
    middles = _middles(polygon)
    near = NEAR
    while len(kept := _thinned(middles, near)) > limit:
        near *= 2
    return kept


def _loops(mask: NDArray[np.bool_]) -> list[tuple[tuple[int, int], Polygon]]:
    """Every closed path along the mask's edges, the mask on its right, with a pixel (row, column) beside it."""
    padded = np.pad(mask.astype(bool), 1)
    inside = padded[1:-1, 1:-1]
    neighbours = (padded[:-2, 1:-1], padded[1:-1, 2:], padded[2:, 1:-1], padded[1:-1, :-2])  # above, right, below, left
    starts = ((0, 0), (1, 0), (1, 1), (0, 1))  # the corner (column, row) of a pixel where its side begins
    edges: dict[tuple[int, int, int], tuple[int, int]] = {}
    for way, (neighbour, (right, down)) in enumerate(zip(neighbours, starts, strict=True)):
        for row, column in np.argwhere(inside & ~neighbour).tolist():
            edges[column + right, row + down, way] = (row, column)
    loops, left = [], dict.fromkeys(edges)
    while left:
        column, row, way = first = next(iter(left))
        corners = []
        while (column, row, way) in left:
            del left[column, row, way]
            column, row = column + _STEPS[way][0], row + _STEPS[way][1]
            # Right first: where pixels touch in a corner, the path stays with its own.
            turned = next(w for w in ((way + 1) % 4, way, (way + 3) % 4) if (column, row, w) in edges)
            if turned != way:
                corners.append((column, row))
            way = turned
        loops.append((edges[first], np.array(corners, dtype=np.float64)))
    return loops


def _doubled_area(polygon: Polygon) -> float:
    """Positive where the polygon runs clockwise on the screen (the shoelace formula, rows downwards)."""
    x, y = polygon.T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1))


def _leftmost(polygon: Polygon) -> int:
    return int(np.lexsort((polygon[:, 1], polygon[:, 0]))[0])


def _middles(polygon: Polygon) -> Polygon:
    """The middle of every pixel's edge along the polygon."""
    steps = np.roll(polygon, -1, axis=0) - polygon
    lengths = np.abs(steps).sum(axis=1).astype(int)
    along = np.concatenate([np.arange(n) for n in lengths]) + 0.5
    each = np.repeat(np.arange(len(polygon)), lengths)
    return np.asarray(polygon[each] + (steps / lengths[:, None])[each] * along[:, None])


def _thinned(points: Polygon, near: float) -> Polygon:
    """The closed line through as few of its points as keep every other one within `near` (Ramer, Douglas, Peucker)."""
    ring = points[:, 0] + 1j * points[:, 1]  # complex numbers: one array operation where pairs take several
    far = int(np.abs(ring - ring[0]).argmax())
    ring = np.append(ring, ring[0])
    kept = np.zeros(len(points), dtype=bool)
    kept[[0, far]] = True
    parts = [(0, far), (far, len(points))]
    while parts:
        first, last = parts.pop()
        if last - first < 2:
            continue
        distances = _distances(ring[first + 1 : last], ring[first], ring[last])
        furthest = int(distances.argmax())
        if distances[furthest] > near:
            middle = first + 1 + furthest
            kept[middle] = True
            parts += [(first, middle), (middle, last)]
    return points[kept]


def _distances(points: NDArray[np.complex128], start: complex, end: complex) -> NDArray[np.float64]:
    """From each point to the line piece between two others."""
    if start == end:
        return np.abs(points - start)
    along = (points - start) / (end - start)
    beyond = along.real - np.minimum(np.maximum(along.real, 0), 1)
    return np.hypot(beyond, along.imag) * abs(end - start)
