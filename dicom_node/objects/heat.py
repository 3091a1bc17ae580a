"""Pictures of a map on its source slices: how much, by colour; where a finding lies, by its outline."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset

from dicom_node.objects import wording
from dicom_node.objects.grey import Images, Window, values_of, window_for
from dicom_node.objects.overlay import LETTERING, RIM, enlarged_mask, picture_size
from dicom_node.objects.painting import AMBER, RGB, WHITE, Words, write_words
from dicom_node.objects.planes import plane_of
from inference.findings import ModelIdentity
from inference.volume import SliceSource

CAUTION = "where the network looked; no proof of anything"
_SHADES = np.array([(40, 20, 120), (200, 30, 80), (255, 140, 20), (255, 250, 160)], dtype=np.float32)  # 0 to 1
_DENSEST = 0.65  # share of the colour where a map is 1; the anatomy stays to be seen
_OUTLINE: RGB = (90, 255, 120)


@dataclass(frozen=True, eq=False)
class Heat:
    """A map (z, y, x), 0..1, on the slices `sources`; a finding's voxels on the same grid, where one is asked about.

    `title` is written on the pictures, `in_lung` chooses their window.
    """

    title: str
    values: NDArray[np.floating]
    sources: Sequence[SliceSource]
    model: ModelIdentity
    mask: NDArray[np.bool_] | None = None
    label: str = ""  # of the finding
    in_lung: bool = False


def write_heat(heat: Heat, source_files: Iterable[Path], folder: Path, name: str) -> list[Path]:
    """PNGs NAME-slice-NNN.png of the slices that show most; slices are counted from 1 along the grid."""
    images, written = Images(source_files), []
    for z in shown_slices(heat):
        source = heat.sources[z]
        image = images[source.sop_instance_uid]
        plane = plane_of(image, source, 1.0)
        values = values_of(image, source.frame)
        window = window_for(str(image.Modality), values, lung=heat.in_lung)
        path = folder / f"{name}-slice-{z + 1:03d}.png"
        _painted(heat, z, values, plane, window).save(path)
        written.append(path)
    return written


def shown_slices(heat: Heat) -> list[int]:
    """The slice on which the finding is largest, and the one on which the map shows most, each once, in order."""
    chosen = {int(np.argmax([float(np.sum(plane, dtype=np.float64)) for plane in heat.values]))}
    if heat.mask is not None and heat.mask.any():
        chosen.add(int(np.argmax(np.count_nonzero(heat.mask, axis=(1, 2)))))
    return sorted(chosen)


def paint_heat(grey: NDArray[np.uint8], heat: NDArray[np.floating], outline: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """RGB, shape (rows, columns, 3), of a grey slice, a map 0..1 and the pixels of an outline, all of one size."""
    canvas = np.repeat(grey[..., None], 3, axis=2).astype(np.float32)
    at = np.linspace(0, 1, len(_SHADES))
    colour = np.stack([np.interp(heat, at, shade) for shade in _SHADES.T], axis=-1)
    share = _DENSEST * np.clip(heat, 0, 1)[..., None]
    canvas = (1 - share) * canvas + share * colour
    canvas[outline] = _OUTLINE
    return canvas.astype(np.uint8)


def _painted(heat: Heat, z: int, values: NDArray[np.float32], plane: Dataset, window: Window) -> Image.Image:
    size = picture_size(plane)
    grey = np.asarray(Image.fromarray(window.grey(values)).resize(size, Image.Resampling.BICUBIC))
    warm = Image.fromarray(np.asarray(heat.values[z], dtype=np.float32)).resize(size, Image.Resampling.BILINEAR)
    mask = np.zeros(values.shape, dtype=bool) if heat.mask is None else heat.mask[z]
    picture = Image.fromarray(paint_heat(grey, np.asarray(warm), _rim(enlarged_mask(mask, size))))
    legend = [(wording.plain(heat.label), _OUTLINE)] if mask.any() else []
    write_words(picture, plane, Words(list(_lines(heat, z)), legend), LETTERING)
    return picture


def _lines(heat: Heat, z: int) -> Iterator[tuple[str, RGB]]:
    yield wording.plain(f"{heat.title}, slice {z + 1} of {len(heat.sources)}"), WHITE
    yield CAUTION, AMBER
    if mark := wording.mark(heat.model.intended_use):
        yield mark, AMBER


def _rim(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The outermost pixels of a mask, as wide as those of an overlay."""
    return np.asarray(mask & ~scipy.ndimage.binary_erosion(mask, iterations=RIM))
