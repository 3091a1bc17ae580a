"""A picture of a case: the slice that shows most of it, with the outlines of truth and answer."""

from __future__ import annotations

import base64
import io
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference.evaluation.metrics import Mask
from inference.tasks.postprocess import bounding_box
from inference.volume import Spacing

TRUTH_COLOUR = (86, 180, 233)  # sky blue, a solid line
FOUND_COLOUR = (255, 176, 0)  # amber, a dashed line: the two differ without colour, too
_SIDE = 360  # pixels of the longer side
_CONTEXT_MM = 80.0  # seen at least, so that a nodule has a chest around it
_WIDER = 2.2  # times what is outlined
_DASH = 10  # pixels


class Picture(NamedTuple):
    """A PNG as base64, and which slice it is (from 1) of how many."""

    png: str
    slice_number: int
    slices: int


def picture(image: NDArray[np.generic], found: Mask, truth: Mask, spacing: Spacing) -> Picture:
    """Draw the slice of `image` (z, y, x) with most truth, or where there is none most found, and both outlines."""
    shown = truth if truth.any() else found
    z = int(np.argmax(np.count_nonzero(shown, axis=(1, 2))))
    rows, columns = _window(found[z] | truth[z], spacing)
    grey = _grey(np.asarray(image[z], dtype=np.float32)[rows, columns])
    height, width = grey.shape
    scale = _SIDE / max(height * spacing.y, width * spacing.x)
    size = (max(round(width * spacing.x * scale), 1), max(round(height * spacing.y * scale), 1))
    pixels = np.array(Image.fromarray(grey).resize(size, Image.Resampling.BILINEAR).convert("RGB"))
    pixels[_outline(truth[z][rows, columns], size)] = TRUTH_COLOUR
    across, down = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    dashes = (across + down) // _DASH % 2 == 0
    pixels[_outline(found[z][rows, columns], size) & dashes] = FOUND_COLOUR
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    return Picture(base64.b64encode(file.getvalue()).decode("ascii"), z + 1, image.shape[0])


def _window(outlined: Mask, spacing: Spacing) -> tuple[slice, slice]:
    """A square around what is outlined, with room; all of the slice where nothing is, or it is no larger."""
    box = bounding_box(outlined[None])
    if box is None:
        return slice(None), slice(None)
    extents = [(b.stop - b.start) * mm for b, mm in zip(box[1:], spacing[1:], strict=True)]
    half = max(_CONTEXT_MM, _WIDER * max(extents)) / 2
    cut = []
    for b, mm, size in zip(box[1:], spacing[1:], outlined.shape, strict=True):
        middle, reach = (b.start + b.stop) / 2, half / mm
        cut.append(slice(max(int(middle - reach), 0), min(int(np.ceil(middle + reach)), size)))
    return cut[0], cut[1]


def _grey(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """From the 1st to the 99th percentile as black to white."""
    low, high = np.percentile(values, (1, 99))
    return np.asarray(np.clip((values - low) / max(float(high - low), 1e-6), 0, 1) * 255, dtype=np.uint8)


def _outline(mask: Mask, size: tuple[int, int]) -> Mask:
    """The edge of a mask, two pixels thick, inside it, on the enlarged picture of `size` (width, height)."""
    from scipy import ndimage

    large = np.asarray(Image.fromarray(mask.astype(np.uint8) * 255).resize(size, Image.Resampling.NEAREST)) > 0
    return large & ~np.asarray(ndimage.binary_erosion(large, iterations=2))
