"""Pictures for archives and viewers that show no SEG: the key images, and the source series painted from end to end."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset

from dicom_node.objects import wording
from dicom_node.objects.caption import Caption, caption
from dicom_node.objects.context import EncodeContext
from dicom_node.objects.grey import Images, Window, values_of, window_for
from dicom_node.objects.key_slices import key_slices
from dicom_node.objects.labelmap import is_lesion, load_labels
from dicom_node.objects.painting import Segment, paint_segments, write_numbers, write_words
from dicom_node.objects.secondary_capture import Picture, secondary_capture
from dicom_node.objects.source import Sources
from inference.codes import LUNG
from inference.findings import Finding, Result

KEY_IMAGES = "capture"
OVERLAY_SERIES = "overlay"
_TITLES = {KEY_IMAGES: "key images", OVERLAY_SERIES: "overlay"}
_SAMPLED_SLICES, _SAMPLED_STEP = 16, 4  # of the series, and of rows and columns: enough for a window
_SIDE_OF_RIM = 512  # rows or columns for each pixel of a rim's width


def encode_key_images(result: Result, sources: Sources, images: Mapping[str, Sequence[Path]], context: EncodeContext,
                      count: int = 12) -> list[Dataset]:
    """The slices that show most, at most `count`, in slice order; none where nothing was found.

    `images`: each role's files, as `encode` gets them.
    """
    painter = _Painter(result, sources, Images(images[result.primary_role]))
    chosen = key_slices(painter.areas, painter.segments.values(), count)
    return _encode(KEY_IMAGES, painter, chosen, context)


def encode_overlay_series(result: Result, sources: Sources, images: Mapping[str, Sequence[Path]],
                          context: EncodeContext, *, every_slice: bool = True) -> list[Dataset]:
    """The whole primary series painted, or only the slices that show a finding; none where nothing was found.

    `images`: each role's files, as `encode` gets them.
    """
    painter = _Painter(result, sources, Images(images[result.primary_role]))
    found = painter.areas
    return _encode(OVERLAY_SERIES, painter, range(len(sources.planes)) if every_slice and found else found, context)


def paint_key_images(result: Result, sources: Sources, images: Mapping[str, Sequence[Path]], context: EncodeContext,
                     count: int) -> list[Image.Image]:
    """The pictures of `encode_key_images` as they are, for a page."""
    painter = _Painter(result, sources, Images(images[result.primary_role]))
    words = caption(result, "", context.incomplete, painter.labels.shape[1:])
    chosen = key_slices(painter.areas, painter.segments.values(), count)
    return [Image.fromarray(painter.paint(z, words)) for z in sorted(chosen)]


def _encode(kind: str, painter: _Painter, slices: Collection[int], context: EncodeContext) -> list[Dataset]:
    """The slices' pictures, numbered from the end from which the scanner numbered its images."""
    if not slices:
        return []
    description = wording.series_description(painter.result, _TITLES[kind], context.incomplete)
    words = caption(painter.result, description, context.incomplete, painter.labels.shape[1:])
    shown = f"grey from {painter.window.low:.0f} to {painter.window.high:.0f}"
    return [
        secondary_capture(Picture(kind, description, number, z, painter.paint(z, words), shown), painter.result,
                          painter.sources, context)
        for number, z in enumerate(sorted(slices, reverse=painter.numbered_downwards), start=1)
    ]


class _Painter:
    """Paints the findings of a result on its source slices, each at its own matrix size."""

    def __init__(self, result: Result, sources: Sources, images: Images) -> None:
        self.result, self.sources = result, sources
        self.segments = {f.number: _segment(f) for f in result.findings}
        self.labels = load_labels(result, sources)  # (z, y, x)
        self._images = images

    @cached_property
    def areas(self) -> dict[int, dict[int, int]]:
        """Pixels of each finding by slice, of the slices that show any."""
        areas = {}
        for z, labels in enumerate(self.labels):
            numbers, pixels = np.unique(labels[labels > 0], return_counts=True)
            if numbers.size:
                areas[z] = dict(zip(numbers.tolist(), pixels.tolist(), strict=True))
        return areas

    @cached_property
    def window(self) -> Window:
        """One for the whole series: brightness must not jump from slice to slice."""
        sampled = np.unique(np.linspace(0, len(self.labels) - 1, _SAMPLED_SLICES).round().astype(int))
        values = np.stack([self._values(z)[::_SAMPLED_STEP, ::_SAMPLED_STEP] for z in sampled])
        return window_for(self.sources.modality, values, lung=any(s.in_lung for s in self.segments.values()))

    @cached_property
    def numbered_downwards(self) -> bool:
        """Whether the scanner numbered its images against the slices' order, from row × column's end."""
        ends = [self.sources.references[z] for z in (0, -1)]
        first, last = ((_number_of(self._images[r.sop_instance_uid]), r.frame or 0) for r in ends)
        return first > last

    def paint(self, z: int, words: Caption) -> NDArray[np.uint8]:
        """RGB, shape (rows, columns, 3)."""
        labels = self.labels[z]
        masks = {number: labels == number for number in self.areas.get(z, ())}
        rim = max(1, round(min(labels.shape) / _SIDE_OF_RIM))
        picture = Image.fromarray(paint_segments(self.window.grey(self._values(z)), masks, self.segments, rim))
        said = words.beside([self.segments[n] for n in masks])
        if said.legend:
            write_numbers(picture, masks, self.segments, words.lettering)
        write_words(picture, self.sources.planes[z], said, words.lettering)
        return np.asarray(picture)

    def _values(self, z: int) -> NDArray[np.float32]:
        reference = self.sources.references[z]
        return values_of(self._images[reference.sop_instance_uid], reference.frame)


def _number_of(image: Dataset) -> int:
    """The scanner's own for an image; 0 where it has none, or writes what is no number."""
    try:
        return int(image.get("InstanceNumber") or 0)
    except ValueError:
        return 0


def _segment(finding: Finding) -> Segment:
    structure = finding.structure
    return Segment(finding.number, wording.plain(finding.label), structure.rgb,
                   is_lesion(finding), structure.region == LUNG)
