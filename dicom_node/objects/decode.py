"""Reading a BINARY segmentation back, without the library that wrote it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from dicom_node.objects.source import Reference


def frames(seg: Dataset) -> Iterator[NDArray[np.bool_]]:
    """The frames of a BINARY segmentation, each of shape (rows, columns); bits run on across frames (PS3.5 8.1.1)."""
    packed = np.frombuffer(seg.PixelData, dtype=np.uint8)
    rows, columns = int(seg.Rows), int(seg.Columns)
    size = rows * columns
    for start in range(0, int(seg.NumberOfFrames) * size, size):
        first, end = start // 8, (start + size + 7) // 8
        bits = np.unpackbits(packed[first:end], bitorder="little")[start - 8 * first:][:size]
        yield bits.reshape(rows, columns).view(np.bool_)


def segment_of(group: Dataset) -> int:
    """The segment that a frame's functional groups name."""
    return int(group.SegmentIdentificationSequence[0].ReferencedSegmentNumber)


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
    for group, mask in zip(seg.PerFrameFunctionalGroupsSequence, frames(seg), strict=True):
        found.setdefault(source_of(group), {})[segment_of(group)] = mask
    return found
