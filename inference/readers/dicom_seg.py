"""A DICOM segmentation as a label map on the series that it was drawn on; by its codes, never by its numbers.

BINARY segmentations whose frames lie on the series' slices (PS3.3 C.8.20); whoever made them. Nothing is interpolated.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import SegmentationStorage

from inference.errors import BadGeometry, Unfit
from inference.readers.faults import DICOM_FAULTS
from inference.tasks.card import TaskCard
from inference.volume import Grid, Volume, unit_axes

TOLERANCE = 0.1  # voxels that a frame may lie off its slice

_FAULTS = (*DICOM_FAULTS, OSError, OverflowError)


class _Frame(NamedTuple):
    """A mask (rows, columns) of 0 and 1, its label, and where it lies: LPS mm of its first pixel, and of the ends of
    first row and first column."""

    mask: NDArray[np.uint8]
    label: int
    corners: NDArray[np.float64]


def read_labels(path: Path, image: Volume, card: TaskCard) -> NDArray[np.uint8]:
    """The label map uint8 (z, y, x) on the image's grid, in the card's labels; a later label lies over an earlier one.

    Unfit where the file is no such segmentation, is of another series, or holds a segment that the card does not know;
    BadGeometry where a frame lies on no slice of the image.
    """
    try:
        seg = dcmread(path)
        if seg.SOPClassUID != SegmentationStorage or seg.SegmentationType != "BINARY":
            raise Unfit("It is no BINARY DICOM segmentation.")
        _same_series(seg, image)
        frames = list(_frames(seg, _labels_of(seg, card)))
    except _FAULTS as fault:
        raise Unfit(f"It cannot be read as a DICOM segmentation ({type(fault).__name__}).") from fault
    truth = np.zeros(image.grid.shape, dtype=np.uint8)
    for frame in sorted(frames, key=lambda frame: frame.label):
        truth[_slice(frame, image.grid)][frame.mask > 0] = frame.label
    return truth


def _same_series(seg: Dataset, image: Volume) -> None:
    named = {str(item.SeriesInstanceUID) for item in seg.get("ReferencedSeriesSequence") or []}
    if named and image.series_instance_uid not in named:
        raise Unfit("It was drawn on another series.")
    if seg.get("FrameOfReferenceUID", "") != image.grid.frame_of_reference_uid:
        raise Unfit("It has another frame of reference than its image.")


def _labels_of(seg: Dataset, card: TaskCard) -> dict[int, int]:
    """The card's label of every segment, by the code of its type (CID 7151)."""
    known = {(s.type.scheme, s.type.value): s.label for s in card.structures}
    labels = {}
    for segment in seg.SegmentSequence:
        code = segment.SegmentedPropertyTypeCodeSequence[0]
        key = (str(code.CodingSchemeDesignator), str(code.CodeValue))
        if key not in known:
            wanted = ", ".join(f"{s.name} {s.type.value}" for s in card.structures)
            raise Unfit(f"Its segment {segment.SegmentNumber} is of type {key[1]} ({key[0]}), which {card.name} does "
                        f"not know; it knows {wanted}.")
        labels[int(segment.SegmentNumber)] = known[key]
    return labels


def _frames(seg: Dataset, labels: dict[int, int]) -> Iterator[_Frame]:
    shared = (seg.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]
    masks = seg.pixel_array.reshape(-1, seg.Rows, seg.Columns)  # bits run on across frames: all at once
    for group, mask in zip(seg.PerFrameFunctionalGroupsSequence, masks, strict=True):
        segment = int(group.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
        along_row, along_column = unit_axes(_macro(group, shared, "PlaneOrientationSequence").ImageOrientationPatient)
        first = np.array(_macro(group, shared, "PlanePositionSequence").ImagePositionPatient, dtype=float)
        between_rows, between_columns = _macro(group, shared, "PixelMeasuresSequence").PixelSpacing
        row = along_row * float(between_columns) * (mask.shape[1] - 1)
        column = along_column * float(between_rows) * (mask.shape[0] - 1)
        yield _Frame(mask, labels[segment], first + np.stack([np.zeros(3), row, column]))


def _macro(group: Dataset, shared: Dataset, keyword: str) -> Dataset:
    return (group.get(keyword) or shared[keyword].value)[0]


def _slice(frame: _Frame, grid: Grid) -> int:
    """The slice of the grid on which a frame lies pixel by pixel."""
    found = grid.to_index(frame.corners)
    if frame.mask.shape == grid.shape[1:] and np.isfinite(found).all():
        k = round(float(found[0, 0]))
        wanted = [(k, 0, 0), (k, 0, grid.shape[2] - 1), (k, grid.shape[1] - 1, 0)]
        if 0 <= k < grid.shape[0] and np.abs(found - wanted).max() <= TOLERANCE:
            return k
    raise BadGeometry("One of its frames lies on no slice of its image.")
