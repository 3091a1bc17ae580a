"""A delivered SEG as a task's label map again: what an independent eye would count."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread

from dicom_node.objects.decode import segments_seen
from inference.findings import Structure
from inference.volume import Grid


def read_labels(path: Path, grid: Grid, structures: Sequence[Structure]) -> NDArray[np.uint8]:
    """Labels (z, y, x) on `grid`, which is the source series' grid; segments are told by their type code.

    Each frame goes where its Image Position (Patient) lies; ValueError where that is on no slice of the grid.
    """
    seg = dcmread(path)
    label_by_type = {structure.type.value: structure.label for structure in structures}
    label = {
        int(item.SegmentNumber): label_by_type[item.SegmentedPropertyTypeCodeSequence[0].CodeValue]
        for item in seg.SegmentSequence
        if int(item.SegmentNumber)  # a LABELMAP describes its background too
    }
    labels = np.zeros(grid.shape, dtype=np.uint8)
    for group, segment, mask in segments_seen(seg):
        labels[_slice_of(group.PlanePositionSequence[0].ImagePositionPatient, grid)][mask] = label[segment]
    return labels


def _slice_of(position: Sequence[float], grid: Grid) -> int:
    index = grid.to_index([float(v) for v in position])
    nearest = np.rint(index)
    if np.abs(index - nearest).max() > 0.05 or nearest[1:].any() or not 0 <= nearest[0] < grid.shape[0]:
        raise ValueError(f"a frame at {list(position)} lies on no slice of the series")
    return int(nearest[0])
