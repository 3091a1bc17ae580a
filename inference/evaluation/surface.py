"""How far the surface of a mask lies from the true one, in mm (paper Table 5: Hausdorff distance).

A mask's surface is its voxels that have a face outside it or lie on the border of the image; distances run between
their centres. Each surface voxel counts once, however large its face: on thick slices that weighs the sides of a
lesion more than its poles. Edges and distances are MONAI's.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from inference.errors import Unscorable
from inference.evaluation.metrics import Mask
from inference.tasks.postprocess import bounding_box
from inference.volume import Grid, Spacing

BRATS_2021_PENALTY_MM = 374.0  # the diagonal of its images of 240 × 240 × 155 mm, for a region that was not found
_ROUNDING_MM = 1e-4  # distances are float32


class SurfaceAgreement(NamedTuple):
    """Distances in mm between two surfaces, and the share of both that agrees.

    Both masks empty: 0 mm and 1. One empty: infinite and 0.
    """

    hausdorff_mm: float  # the greatest distance from either surface to the other
    hd95_mm: float  # the greater of the 95th percentiles of both directions
    assd_mm: float  # average over the voxels of both surfaces
    surface_dice: float  # normalised surface Dice: the share of both within the tolerance


def surface_agreement(found: Mask, truth: Mask, spacing: Spacing, tolerance_mm: float) -> SurfaceAgreement:
    """Compare the surfaces of two masks (z, y, x) whose voxels lie `spacing` mm apart."""
    if tolerance_mm < 0:
        raise Unscorable(f"a tolerance of {tolerance_mm} mm is none: give 0 or more")
    if not (found.any() and truth.any()):
        same = not (found.any() or truth.any())
        return SurfaceAgreement(0.0, 0.0, 0.0, 1.0) if same else SurfaceAgreement(np.inf, np.inf, np.inf, 0.0)
    there, back = _distances(found, truth, spacing)
    every = np.concatenate([there, back])
    return SurfaceAgreement(
        hausdorff_mm=float(every.max()),
        hd95_mm=max(float(np.percentile(one, 95)) for one in (there, back)),
        assd_mm=float(every.mean()),
        surface_dice=float(np.mean(every <= tolerance_mm + _ROUNDING_MM)),
    )


def _distances(found: Mask, truth: Mask, spacing: Spacing) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """From every surface voxel of the first to the surface of the second in mm, and the way back."""
    from monai.metrics import get_mask_edges, get_surface_distance

    box = bounding_box(found | truth)
    edges = get_mask_edges(found[box], truth[box], crop=False)
    ways = (edges, edges[::-1])
    there, back = (np.asarray(get_surface_distance(a, b, spacing=spacing), dtype=np.float64) for a, b in ways)
    return there, back


def diagonal_mm(grid: Grid) -> float:
    """The diagonal of an image in mm: no surface within it lies farther from another."""
    return float(np.linalg.norm(np.array(grid.shape) * np.array(grid.spacing)))
