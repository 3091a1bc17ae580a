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
LUNG_CLOSING_MM = 20.0  # a nodule on the pleura or a vessel at the hilum lies inside the closed lungs


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
    """Aerated lung with the vessels, nodules and pleura that lie in it or on it: closed by a ball."""
    mask = lung_mask(volume)
    lungs = mask.array.astype(bool)
    box = bounding_box(lungs)
    if box is None:
        return mask
    room = round(LUNG_CLOSING_MM / COARSE_MM) + 1
    wide = grown(np.pad(lungs[box], room), LUNG_CLOSING_MM)
    closed = ndimage.distance_transform_edt(wide) * COARSE_MM > LUNG_CLOSING_MM
    lungs[box] |= closed[room:-room, room:-room, room:-room]
    return mask.with_array(lungs)


def grown(mask: NDArray[np.bool_], margin_mm: float) -> NDArray[np.bool_]:
    """A mask on the coarse grid with everything that lies no farther from it than `margin_mm`."""
    box = bounding_box(mask, margin=int(margin_mm / COARSE_MM))
    if margin_mm <= 0 or box is None:
        return mask
    near: NDArray[np.bool_] = ndimage.distance_transform_edt(~mask[box]) * COARSE_MM <= margin_mm
    return uncrop(near, box, mask.shape)
