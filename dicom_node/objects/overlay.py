"""Pictures of a delivered SEG on its source images, as a viewer would show them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from highdicom.color import CIELabColor
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.pixels import pixel_array

from dicom_node.objects.decode import masks
from dicom_node.objects.planes import find, functional_groups, plane_of
from dicom_node.objects.source import Reference
from dicom_node.objects.wording import content_label
from inference.codes import ABNORMAL_STRUCTURE, LUNG
from inference.volume import SliceSource

LONG_SIDE = 900  # pixels of a picture
_FILL = 0.22
_RESCALE = ("RescaleSlope", "RescaleIntercept")
_LUNG_WINDOW = (-600.0, 1500.0)  # centre and width in HU
_SOFT_TISSUE_WINDOW = (60.0, 400.0)
_AMBER = (255, 190, 60)
_WHITE = (235, 235, 235)
_DIRECTIONS = (("R", "L"), ("A", "P"), ("F", "H"))  # towards minus and plus of x, y, z in LPS


@dataclass(frozen=True)
class Segment:
    """How one segment is drawn and named."""

    number: int
    label: str
    rgb: tuple[int, int, int]
    lesion: bool
    in_lung: bool


def write_overlays(seg_path: Path, source_files: Iterable[Path], folder: Path, count: int = 4) -> list[Path]:
    """PNGs of at most `count` key slices, masks decoded from the SEG; lesions' largest slices come first."""
    seg = dcmread(seg_path)
    by_source = masks(seg)
    segments = {s.number: s for s in _segments(seg)}
    images = {str(dcmread(p, specific_tags=["SOPInstanceUID"], stop_before_pixels=True).SOPInstanceUID): p
              for p in source_files}
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for rank, reference in enumerate(key_slices(by_source, segments, count), start=1):
        picture = _paint(dcmread(images[reference.sop_instance_uid]), reference, by_source[reference], seg, segments)
        path = folder / f"{content_label(str(seg.ContentLabel)).lower()}-{rank}.png"
        picture.save(path)
        written.append(path)
    return written


def key_slices(by_source: Mapping[Reference, Mapping[int, NDArray[np.bool_]]], segments: Mapping[int, Segment],
               count: int) -> list[Reference]:
    """The slices that show most: each lesion's largest, each organ's largest, then those richest in segments."""
    area = {reference: {n: int(m.sum()) for n, m in found.items()} for reference, found in by_source.items()}
    chosen: list[Reference] = []
    largest_first = sorted(segments.values(), key=lambda s: (
        not s.lesion, -sum(areas.get(s.number, 0) for areas in area.values())))
    for segment in largest_first:
        best = max(area, key=lambda r: area[r].get(segment.number, 0))
        if best not in chosen:
            chosen.append(best)
    chosen += sorted((r for r in area if r not in chosen), key=lambda r: (-len(area[r]), -sum(area[r].values())))
    return chosen[:count]


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
    grey = _grey(image, reference.frame, lung=any(segments[n].in_lung for n in found))
    size = _picture_size(plane)
    picture = Image.fromarray(grey).resize(size, Image.Resampling.BICUBIC).convert("RGB")
    canvas = np.asarray(picture, dtype=np.float32)
    for number, mask in found.items():
        canvas = _tint(canvas, _enlarged(mask, size), segments[number].rgb)
    picture = Image.fromarray(canvas.astype(np.uint8))
    shown = [segments[n] for n in sorted(found)]
    _annotate(picture, plane, shown, [str(seg.SeriesDescription), str(seg.get("ContentDescription", ""))])
    return picture


def _grey(image: Dataset, frame: int | None, *, lung: bool) -> NDArray[np.uint8]:
    """Stored pixels as 0..255: CT by the organ's window, MR from its 1st to its 99.5th percentile."""
    stored = pixel_array(image, index=None if frame is None else frame - 1).astype(np.float32)
    groups = functional_groups(image, frame)
    slope, intercept = (find(groups, "PixelValueTransformationSequence", k) for k in _RESCALE)
    values = stored * float(str(1 if slope is None else slope)) + float(str(intercept or 0))
    if str(image.Modality) == "CT":
        centre, width = _LUNG_WINDOW if lung else _SOFT_TISSUE_WINDOW
        low, high = centre - width / 2, centre + width / 2
    else:
        low, high = (float(v) for v in np.percentile(values, (1.0, 99.5)))
    scaled = (values - low) / max(high - low, 1e-6)
    return np.asarray(np.clip(scaled, 0, 1) * 255, dtype=np.uint8)


def _picture_size(plane: Dataset) -> tuple[int, int]:
    """Width and height in pixels of a picture that keeps the patient's proportions."""
    height = plane.Rows * plane.PixelSpacing[0]
    width = plane.Columns * plane.PixelSpacing[1]
    scale = LONG_SIDE / max(height, width)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _enlarged(mask: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    grey = Image.fromarray(mask.astype(np.uint8) * 255).resize(size, Image.Resampling.BILINEAR)
    return np.asarray(grey) >= 128


def _tint(canvas: NDArray[np.float32], mask: NDArray[np.bool_], rgb: tuple[int, int, int]) -> NDArray[np.float32]:
    """A see-through fill with an opaque rim two pixels wide."""
    inner = mask.copy()
    for axis in (0, 1):
        for step in (-2, 2):
            inner &= np.roll(mask, step, axis)
    colour = np.array(rgb, dtype=np.float32)
    out = canvas.copy()
    out[mask] = (1 - _FILL) * canvas[mask] + _FILL * colour
    out[mask & ~inner] = colour
    return out


def _annotate(picture: Image.Image, plane: Dataset, shown: Sequence[Segment], lines: Sequence[str]) -> None:
    draw = ImageDraw.Draw(picture)
    small, large = ImageFont.load_default(18), ImageFont.load_default(26)
    width, height = picture.size
    left, right, top, bottom = sides(plane)
    for letter, place, anchor in ((left, (10, height / 2), "lm"), (right, (width - 10, height / 2), "rm"),
                                  (top, (width / 2, 64), "ma"), (bottom, (width / 2, height - 10), "md")):
        _text(draw, place, letter, _WHITE, large, anchor)
    for row, (line, colour) in enumerate(zip(lines, (_WHITE, _AMBER), strict=True)):
        _text(draw, (12, 12 + 24 * row), line, colour, small, "la")
    for row, segment in enumerate(reversed(shown)):
        y = height - 24 - 26 * row
        draw.rectangle((12, y - 8, 28, y + 8), fill=segment.rgb, outline=(0, 0, 0))
        _text(draw, (38, y), segment.label, _WHITE, small, "lm")


def _text(draw: ImageDraw.ImageDraw, place: tuple[float, float], text: str, colour: tuple[int, int, int],
          font: ImageFont.FreeTypeFont | ImageFont.ImageFont, anchor: str) -> None:
    draw.text(place, text, fill=colour, font=font, anchor=anchor, stroke_width=2, stroke_fill=(0, 0, 0))


def sides(plane: Dataset) -> tuple[str, str, str, str]:
    """What lies left, right, top and bottom of a picture: R, L, A, P, H or F (PS3.3 C.7.6.1.1.1)."""
    row, column = np.array(plane.ImageOrientationPatient, dtype=float).reshape(2, 3)
    (left, right), (top, bottom) = (_ends(direction) for direction in (row, column))
    return left, right, top, bottom


def _ends(direction: NDArray[np.float64]) -> tuple[str, str]:
    axis = int(np.abs(direction).argmax())
    minus, plus = _DIRECTIONS[axis]
    return (minus, plus) if direction[axis] > 0 else (plus, minus)
