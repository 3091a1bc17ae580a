"""How far two images that lie on one another are still apart, place by place: block matching, in millimetres.

A correlation says that two images agree; it does not say to how many millimetres. Blocks do: each looks for itself
in the other image around where it should be, and how far it has to go is what the registration left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from inference.volume import Grid

HALF = 4  # voxels from a block's middle to its faces: 9 x 9 x 9, 36 mm at 4 mm
SEARCH = 3  # voxels that a block looks around, 12 mm at 4 mm
STRIDE = 8  # voxels from block to block
GAIN = 0.03  # a shift that raises the correlation by less is noise, or a slide along an edge
LOST = 0.5  # a block that correlates less wherever it looks is not found
NEAREST = 7  # blocks asked about a place
REACH_MM = 80.0  # ones farther off know nothing of it
OWN_RADII = 2.5  # from the middle of a lesion to the blocks that it hardly touches


@dataclass(frozen=True, eq=False)
class Residual:
    """What blocks say: their middles in LPS mm (n, 3) of the fixed image, and how far they are off in mm (n,).

    A block that is found nowhere counts as the whole search range off.
    """

    places: NDArray[np.float64]
    distances: NDArray[np.float64]

    @property
    def median_mm(self) -> float:
        """The middle of all blocks; infinite where no block had anything to look for."""
        return float(np.median(self.distances)) if self.distances.size else float("inf")

    def around(self, point: ArrayLike, radius_mm: float) -> float:
        """The same of the blocks next to a lesion of this radius; that of all where none is near.

        Blocks that it fills are not asked: what grew, came or went is no error of the registration.
        """
        away = np.linalg.norm(self.places - np.array(point), axis=1)
        near = np.argsort(np.where(away < OWN_RADII * radius_mm, np.inf, away), kind="stable")[:NEAREST]
        near = near[(away[near] >= OWN_RADII * radius_mm) & (away[near] <= REACH_MM + radius_mm)]
        return float(np.median(self.distances[near])) if near.size else self.median_mm


def residual_of(fixed: NDArray[np.float32], moved: NDArray[np.float32], inside: NDArray[np.bool_],
                grid: Grid) -> Residual:
    """Of two images (z, y, x) on one isotropic grid, over the blocks that lie `inside` with all their search range."""
    step = float(np.mean(grid.spacing))
    contrast = _least_contrast(fixed, inside)
    found = [(middle, distance * step) for middle in _middles(inside)
             if (distance := _distance(fixed, moved, middle, contrast)) is not None]
    places = grid.to_lps(np.array([middle for middle, _ in found], dtype=np.float64).reshape(-1, 3))
    return Residual(places, np.array([distance for _, distance in found], dtype=np.float64))


def _middles(inside: NDArray[np.bool_]) -> NDArray[np.intp]:
    reach = HALF + SEARCH
    clear = scipy.ndimage.minimum_filter(inside.astype(np.uint8), 2 * SEARCH + 1, mode="constant") > 0
    lattice = np.zeros(inside.shape, dtype=bool)
    lattice[tuple(slice(reach, -reach, STRIDE) for _ in range(3))] = True
    return np.argwhere(clear & lattice)


def _least_contrast(fixed: NDArray[np.float32], inside: NDArray[np.bool_]) -> float:
    """Blocks plainer than a quarter of the whole image's spread have nothing to be known by."""
    return 0.25 * float(fixed[inside].std()) if inside.any() else float("inf")


def _distance(fixed: NDArray[np.float32], moved: NDArray[np.float32], middle: NDArray[np.intp],
              contrast: float) -> float | None:
    """Voxels from a block's place to where it is found, to a fraction; None for a plain block."""
    block = fixed[_around(middle, HALF)].astype(np.float64)
    if block.std() <= contrast:
        return None
    windows = np.lib.stride_tricks.sliding_window_view(moved[_around(middle, HALF + SEARCH)], block.shape)
    others = windows.reshape(-1, block.size).astype(np.float64)
    others -= others.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(others, axis=1) * np.linalg.norm(block - block.mean())
    scores = (others @ (block - block.mean()).ravel()) / np.maximum(norms, 1e-6)
    scores = scores.reshape(windows.shape[:3])
    if scores.max() < LOST:
        return float(SEARCH)
    if scores.max() < scores[SEARCH, SEARCH, SEARCH] + GAIN:
        return 0.0
    best = np.unravel_index(int(scores.argmax()), scores.shape)
    return float(np.linalg.norm([_vertex(scores, best, axis) - SEARCH for axis in range(3)]))


def _vertex(scores: NDArray[np.float64], best: tuple[np.intp, ...], axis: int) -> float:
    """The top of the parabola through the best score and its two neighbours along an axis."""
    line = np.moveaxis(scores, axis, -1)[tuple(b for a, b in enumerate(best) if a != axis)]
    at = int(best[axis])
    if at in {0, line.size - 1}:
        return float(at)
    before, top, after = (float(v) for v in line[at - 1:at + 2])
    bend = before - 2 * top + after
    return at if bend >= 0 else at + 0.5 * (before - after) / bend


def _around(middle: NDArray[np.intp], reach: int) -> tuple[slice, ...]:
    return tuple(slice(int(m) - reach, int(m) + reach + 1) for m in middle)
