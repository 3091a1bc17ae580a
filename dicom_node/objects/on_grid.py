"""A segmentation of any maker as a task's label map on its source series' grid.

Frames go where they say that they lie (PS3.3 C.7.6.2.1.1), whatever their order: any turn and crop is right as long as
every pixel is a voxel of the grid. Segments are told by their type codes (CID 7150 and its like).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.pixels import iter_pixels

from dicom_node.objects.corrected import FAULTS, BadSegmentation, Coded, Frame, Segment, Segmentation
from dicom_node.objects.decode import frames
from inference.findings import Structure
from inference.tasks.card import TaskCard
from inference.volume import Grid, unit_axes

OFF_GRID = 0.1  # share of a voxel that a pixel may lie off its voxel: decimals are rounded
_UNDESCRIBED = 255

Labels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Laid:
    """A label map on a grid, the structures that its segments describe, and the types of those that are none."""

    labels: Labels
    described: frozenset[int]
    unknown: tuple[Coded, ...]

    def judged(self, card: TaskCard) -> frozenset[int]:
        """The labels that it speaks of. Who draws a lesion says of all lesions of the task what they are.

        Of an organ that it does not describe, or of lesions where it describes none, it says nothing.
        """
        lesions = frozenset(card.lesions)
        return self.described | lesions if self.described & lesions else self.described


def lay_on(seg: Segmentation, grid: Grid, card: TaskCard) -> Laid:
    """The segmentation on the grid, in the task's labels. A lesion lies over the organ that it is drawn in.

    BadSegmentation where it does not lie on that grid, none of its segments is a structure of the task, or two
    structures claim one voxel and neither is an organ.
    """
    uid = grid.frame_of_reference_uid
    if uid and seg.frame_of_reference_uid and uid != seg.frame_of_reference_uid:
        raise BadSegmentation("its frame of reference is not the series'")
    if max(int(seg.pixels.Rows), int(seg.pixels.Columns)) > max(grid.shape):
        raise BadSegmentation("its frames are larger than the series")
    structures = {segment.number: structure_of(segment, card) for segment in seg.segments}
    label = {number: structure.label if structure else 0 for number, structure in structures.items()}
    unknown = tuple(s.type for s in seg.segments if structures[s.number] is None)
    if not any(label.values()):
        kinds = ", ".join(str(kind) for kind in sorted(set(unknown))[:5])
        raise BadSegmentation(f"none of its segments is a structure of {card.name}: {kinds}")
    laid = np.zeros(grid.shape, np.uint8)
    try:
        for frame, seen in zip(seg.frames, _labelled(seg, label), strict=True):
            _paint(laid, frame, seen, grid, card)
    except FAULTS as fault:
        raise BadSegmentation(f"its pixels cannot be decoded ({type(fault).__name__})") from None
    return Laid(laid, frozenset(label.values()) - {0}, unknown)


def lay_numbers_on(seg: Segmentation, grid: Grid, numbers: Mapping[int, int]) -> Labels:
    """Segments on the grid under other numbers (1..255) by their own; those that have none are left out.

    BadSegmentation where it does not lie on that grid, or two of them claim one voxel.
    """
    laid = np.zeros(grid.shape, np.uint8)
    label = {segment.number: numbers.get(segment.number, 0) for segment in seg.segments}
    try:
        for frame, seen in zip(seg.frames, _labelled(seg, label), strict=True):
            at, new = _voxels(frame, seen, grid)
            if ((laid[at] > 0) & (laid[at] != new)).any():
                raise BadSegmentation("two structures claim the same voxel")
            laid[at] = new
    except FAULTS as fault:
        raise BadSegmentation(f"its pixels cannot be decoded ({type(fault).__name__})") from None
    return laid


def structure_of(segment: Segment, card: TaskCard) -> Structure | None:
    """The structure that a segment is: by its type, of several by its region; else the one that it is named like."""
    found = [s for s in card.structures if s.type[:2] == segment.type]
    if len(found) > 1:
        found = [s for s in found if s.region and s.region[:2] == segment.region]
    if not found:
        name = re.sub(r"\s*\d+$", "", segment.label).casefold()  # "Nodule 2" is a nodule
        found = [s for s in card.structures if s.name.casefold() == name]
    return found[0] if len(found) == 1 else None


def _labelled(seg: Segmentation, label: Mapping[int, int]) -> Iterator[Labels]:
    """Frame by frame, the task's labels (rows, columns)."""
    if seg.form != "LABELMAP":
        for frame, mask in zip(seg.frames, _masks(seg), strict=True):
            if frame.segment not in label:
                raise BadSegmentation("a frame shows a segment that is not described")
            yield mask.view(np.uint8) * np.uint8(label[frame.segment])
        return
    table = np.full(2 ** int(seg.pixels.BitsAllocated), _UNDESCRIBED, np.uint8)
    table[0] = 0
    for number, value in label.items():
        table[number] = value
    for values in iter_pixels(seg.pixels, raw=True):
        found = table[values]
        if (found == _UNDESCRIBED).any():
            raise BadSegmentation("a frame shows a segment that is not described")
        yield found


def _masks(seg: Segmentation) -> Iterator[NDArray[np.bool_]]:
    """The frames of what is BINARY, or FRACTIONAL and all or nothing; where a fraction becomes a mask, nobody said."""
    if seg.form == "BINARY":
        yield from frames(seg.pixels)
        return
    for values in iter_pixels(seg.pixels, raw=True):
        mask = values > 0
        if (values[mask] != seg.most).any():
            raise BadSegmentation("it holds fractions, which are no mask")
        yield mask


def _paint(laid: Labels, frame: Frame, seen: Labels, grid: Grid, card: TaskCard) -> None:
    """Put a frame's labels where they lie on the grid."""
    at, new = _voxels(frame, seen, grid)
    old = laid[at]
    lesion_new, lesion_old = np.isin(new, card.lesions), np.isin(old, card.lesions)
    if ((old > 0) & (old != new) & (lesion_new == lesion_old)).any():
        raise BadSegmentation("two structures claim the same voxel")
    laid[at] = np.where(lesion_old & ~lesion_new, old, new)


def _voxels(frame: Frame, seen: Labels, grid: Grid) -> tuple[tuple[NDArray[np.int64], ...], Labels]:
    """The voxels (z, y, x) that a frame marks, and with what."""
    first, per_row, per_column = _steps(frame, seen.shape, grid)
    pixels = np.argwhere(seen)
    voxels = first + pixels @ np.stack([per_row, per_column])
    if (voxels < 0).any() or (voxels >= grid.shape).any():
        raise BadSegmentation("it marks voxels outside the series")
    return tuple(voxels.T), seen[tuple(pixels.T)]


def _steps(frame: Frame, shape: tuple[int, ...], grid: Grid) -> tuple[NDArray[np.int64], ...]:
    """The first pixel's voxel (z, y, x), and the steps from row to row and from column to column."""
    along_row, along_column = unit_axes(frame.orientation)
    down, right = along_column * frame.spacing[0], along_row * frame.spacing[1]
    far = frame.position + down * (shape[0] - 1), frame.position + right * (shape[1] - 1)
    exact = grid.to_index([frame.position, frame.position + down, frame.position + right, *far])
    if not np.isfinite(exact).all() or np.abs(exact).max() > 1e6:
        raise BadSegmentation("a frame lies nowhere near the series")
    first, below, beside = np.rint(exact[:3]).astype(np.int64)
    per_row, per_column = below - first, beside - first
    expected = first + per_row * (shape[0] - 1), first + per_column * (shape[1] - 1)
    off = np.abs(exact[[0, 3, 4]] - [first, *expected]).max()
    along_axes = [int(np.abs(step).sum()) for step in (per_row, per_column)] == [1, 1] and not per_row @ per_column
    if not along_axes or off > OFF_GRID:
        raise BadSegmentation("its frames do not lie on the series' voxels")
    return first, per_row, per_column
