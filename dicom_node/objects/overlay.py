"""Pictures of a delivered SEG on its source images, as a viewer would show them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from highdicom.color import CIELabColor
from numpy.typing import NDArray
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicom_node.objects.decode import masks
from dicom_node.objects.grey import Images, values_of, window_for
from dicom_node.objects.key_slices import key_slices
from dicom_node.objects.painting import (
    AMBER,
    WHITE,
    Lettering,
    Segment,
    Words,
    paint_segments,
    write_numbers,
    write_words,
)
from dicom_node.objects.planes import plane_of
from dicom_node.objects.source import Reference
from dicom_node.objects.wording import content_label
from inference.codes import ABNORMAL_STRUCTURE, LUNG
from inference.volume import SliceSource

LONG_SIDE = 900  # pixels of a picture
LETTERING = Lettering(text=18, letters=26, margin=12, stroke=2)
RIM = 2


class Overlay:
    """A SEG, decoded once, on its source images; `slices` are those that show something, in the order of the files."""

    def __init__(self, seg_path: Path, source_files: Iterable[Path]) -> None:
        self._seg = dcmread(seg_path)
        self._masks = masks(self._seg)
        self._images = Images(source_files)
        self._segments = {s.number: s for s in _segments(self._seg)}
        order = self._images.order
        self.slices = sorted(self._masks, key=lambda one: (order.get(one.sop_instance_uid, 0), one.frame or 0))

    @property
    def label(self) -> str:
        """What the SEG calls its content."""
        return content_label(str(self._seg.ContentLabel))

    def key_slices(self, count: int) -> list[Reference]:
        """At most `count` slices that show most; lesions' largest come first."""
        areas = {one: {n: int(m.sum()) for n, m in found.items()} for one, found in self._masks.items()}
        return key_slices(areas, self._segments.values(), count)

    def shows(self, reference: Reference) -> list[str]:
        """The labels of the segments that are seen on a slice."""
        return [self._segments[number].label for number in sorted(self._masks[reference])]

    def is_burned_in(self, reference: Reference) -> bool:
        """Whether the image says that it has words in its pixels, which may name the patient (PS3.3 C.7.6.1.1.7)."""
        image = self._images[reference.sop_instance_uid]
        return str(image.get("BurnedInAnnotation", "")).upper() == "YES"

    def paint(self, reference: Reference) -> Image.Image:
        """The slice with its segments, letters of orientation and a legend."""
        image = self._images[reference.sop_instance_uid]
        return _paint(image, reference, self._masks[reference], self._seg, self._segments)


def write_overlays(seg_path: Path, source_files: Iterable[Path], folder: Path, count: int = 4) -> list[Path]:
    """PNGs of at most `count` key slices, masks decoded from the SEG; lesions' largest slices come first."""
    overlay = Overlay(seg_path, source_files)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for rank, reference in enumerate(overlay.key_slices(count), start=1):
        path = folder / f"{overlay.label.lower()}-{rank}.png"
        overlay.paint(reference).save(path)
        written.append(path)
    return written


def _segments(seg: Dataset) -> list[Segment]:
    def is_lung(item: Dataset) -> bool:
        return any(region.CodeValue == LUNG.value for region in item.get("AnatomicRegionSequence") or ())

    return [Segment(
        int(item.SegmentNumber), str(item.SegmentLabel),
        CIELabColor.from_dicom_value(item.RecommendedDisplayCIELabValue).to_rgb(),
        item.SegmentedPropertyCategoryCodeSequence[0].CodeValue == ABNORMAL_STRUCTURE.value, is_lung(item),
    ) for item in seg.SegmentSequence]


def _paint(image: Dataset, reference: Reference, found: Mapping[int, NDArray[np.bool_]], seg: Dataset,
           segments: Mapping[int, Segment]) -> Image.Image:
    plane = plane_of(image, SliceSource(reference.sop_instance_uid, reference.frame), 1.0)
    values = values_of(image, reference.frame)
    window = window_for(str(image.Modality), values, lung=any(segments[n].in_lung for n in found))
    size = picture_size(plane)
    grey = np.asarray(Image.fromarray(window.grey(values)).resize(size, Image.Resampling.BICUBIC))
    enlarged = {number: enlarged_mask(mask, size) for number, mask in found.items()}
    picture = Image.fromarray(paint_segments(grey, enlarged, segments, RIM))
    write_numbers(picture, enlarged, segments, LETTERING)
    write_words(picture, plane, Words(
        lines=[(str(seg.SeriesDescription), WHITE), (str(seg.get("ContentDescription", "")), AMBER)],
        legend=[(segments[n].label, segments[n].rgb) for n in sorted(found)],
    ), LETTERING)
    return picture


def picture_size(plane: Dataset) -> tuple[int, int]:
    """Width and height in pixels of a picture that keeps the patient's proportions."""
    height = plane.Rows * plane.PixelSpacing[0]
    width = plane.Columns * plane.PixelSpacing[1]
    scale = LONG_SIDE / max(height, width)
    return max(1, round(width * scale)), max(1, round(height * scale))


def enlarged_mask(mask: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    """A mask (rows, columns) on a picture of `size` (width, height)."""
    grey = Image.fromarray(mask.astype(np.uint8) * 255).resize(size, Image.Resampling.BILINEAR)
    return np.asarray(grey) >= 128
