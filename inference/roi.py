"""Where to look: the body, the head or the lungs, found without a network on a coarse grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.errors import Unfit
from inference.fitness import COARSE_MM, head_mask, lung_mask
from inference.tasks.postprocess import bounding_box
from inference.transforms.geometry import canonical, grid_at_spacing, resample, uncrop
from inference.volume import Spacing, Volume

BODY_HU = -300.0
LUNG_CLOSING_MM = 40.0  # a mass of 80 mm on the pleura or at the hilum lies inside the closed lung


def find_region(volume: Volume, kind: str) -> Volume | None:
    """The region as bool on a canonical 4 mm grid; None for "all". Unfit where nothing is found."""
    if kind == "all":
        return None
    mask = {"body": _body, "head": head_mask, "lungs": _lungs}[kind](volume)
    if not mask.array.any():
        raise Unfit(f"The series does not show the {kind}.")
    return mask


def _body(volume: Volume) -> Volume:
    """The largest thing that is no air, with what it encloses in each slice; no table, no arms apart."""
    volume = canonical(volume)
    coarse = resample(volume, grid_at_spacing(volume.grid, Spacing(COARSE_MM, COARSE_MM, COARSE_MM)), fill=-1024.0)
    solid = ndimage.binary_opening(np.asarray(coarse.array) > BODY_HU)
    parts, count = ndimage.label(solid)
    if count == 0:
        return coarse.with_array(solid)
    body = parts == 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
    for k in range(body.shape[0]):
        body[k] = ndimage.binary_fill_holes(body[k])
    return coarse.with_array(body)


def _lungs(volume: Volume) -> Volume:
    """Aerated lung with the vessels, nodules, masses and pleura that lie in it or on it.

    Each lung is closed by itself: what parts the two is narrower than a large mass.
    """
    mask = lung_mask(volume)
    array = mask.array.astype(bool)
    across = np.flatnonzero(array.any(axis=(0, 1)))
    if not across.size:
        return mask
    middle = int(across[0] + across[-1] + 1) // 2
    for side in (slice(0, middle), slice(middle, None)):
        lung = np.zeros_like(array)
        lung[..., side] = mask.array[..., side]
        array |= closed(lung, LUNG_CLOSING_MM)
    return mask.with_array(array)


def closed(mask: NDArray[np.bool_], reach_mm: float) -> NDArray[np.bool_]:
    """A mask on the coarse grid with every place into which no ball of this radius fits beside it."""
    box = bounding_box(mask)
    if box is None:
        return mask
    room = round(reach_mm / COARSE_MM) + 1
    wide = grown(np.pad(mask[box], room), reach_mm)
    inner = ndimage.distance_transform_edt(wide) * COARSE_MM > reach_mm
    out = mask.copy()
    out[box] |= inner[room:-room, room:-room, room:-room]
    return out


def grown(mask: NDArray[np.bool_], margin_mm: float) -> NDArray[np.bool_]:
    """A mask on the coarse grid with everything that lies no farther from it than `margin_mm`."""
    box = bounding_box(mask, margin=int(margin_mm / COARSE_MM))
    if margin_mm <= 0 or box is None:
        return mask
    near: NDArray[np.bool_] = ndimage.distance_transform_edt(~mask[box]) * COARSE_MM <= margin_mm
    return uncrop(near, box, mask.shape)
