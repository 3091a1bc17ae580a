"""Reading a segmentation back, BINARY, LABELMAP or FRACTIONAL, without the library that wrote it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels import iter_pixels
from pydicom.uid import UID, SegmentationStorage

import inference.readers.codecs  # noqa: F401 (pydicom then decodes with them)
from dicom_node.objects.source import Reference

LABELMAP_SEGMENTATION = UID("1.2.840.10008.5.1.4.1.1.66.7")  # pydicom's dictionary has no keyword for it
SEGMENTATIONS = frozenset({SegmentationStorage, LABELMAP_SEGMENTATION})


class Seen(NamedTuple):
    """What a frame shows of one segment: its functional groups, the segment, the mask (rows, columns)."""

    group: Dataset
    segment: int
    mask: NDArray[np.bool_]


def frames(seg: Dataset) -> Iterator[NDArray[np.bool_]]:
    """The frames of a BINARY segmentation, each of shape (rows, columns); bits run on across frames (PS3.5 8.1.1)."""
    packed = np.frombuffer(seg.PixelData, dtype=np.uint8)
    rows, columns = int(seg.Rows), int(seg.Columns)
    size = rows * columns
    for start in range(0, int(seg.NumberOfFrames) * size, size):
        first, end = start // 8, (start + size + 7) // 8
        bits = np.unpackbits(packed[first:end], bitorder="little")[start - 8 * first:][:size]
        yield bits.reshape(rows, columns).view(np.bool_)


def segments_seen(seg: Dataset) -> Iterator[Seen]:
    """Frame by frame, the segments that are seen; a LABELMAP's background is none, and one without voxels is not.

    In a FRACTIONAL segmentation every voxel above 0 is seen; `all_or_nothing` tells whether that is all it says.
    """
    groups = seg.PerFrameFunctionalGroupsSequence
    if seg.SegmentationType == "LABELMAP":
        for group, labels in zip(groups, iter_pixels(seg), strict=True):
            for number in np.unique(labels[labels > 0]):
                yield Seen(group, int(number), labels == number)
        return
    fractional = seg.SegmentationType == "FRACTIONAL"
    masks = (values > 0 for values in iter_pixels(seg)) if fractional else frames(seg)
    for group, mask in zip(groups, masks, strict=True):
        yield Seen(group, int(group.SegmentIdentificationSequence[0].ReferencedSegmentNumber), mask)


def all_or_nothing(seg: Dataset) -> bool:
    """Whether a FRACTIONAL segmentation's voxels are 0 or the maximum, so that it is a mask as a BINARY one is."""
    most = int(seg.MaximumFractionalValue)
    return all(bool(np.isin(values, (0, most)).all()) for values in iter_pixels(seg))


def source_of(group: Dataset) -> Reference:
    """The source image that a frame's functional groups name."""
    return reference_in(group.DerivationImageSequence[0].SourceImageSequence[0])


def reference_in(item: Dataset) -> Reference:
    """Where a reference item (PS3.3 Table 10-3) points."""
    frame = item.get("ReferencedFrameNumber")
    return Reference(str(item.ReferencedSOPClassUID), str(item.ReferencedSOPInstanceUID),
                     None if frame is None else int(frame))


def masks(seg: Dataset) -> dict[Reference, dict[int, NDArray[np.bool_]]]:
    """By source image, the masks of the segments that are seen on it, by segment number."""
    found: dict[Reference, dict[int, NDArray[np.bool_]]] = {}
    for group, segment, mask in segments_seen(seg):
        if mask.any():
            found.setdefault(source_of(group), {})[segment] = mask
    return found
