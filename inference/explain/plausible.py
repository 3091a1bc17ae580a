"""What speaks against an answer by itself, without looking at the model: lesions outside their organ, odd volumes.

That a finding reaches the edge of the images, or has few voxels, its flags say already (`inference.place`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import scipy
from numpy.typing import NDArray

from inference import codes
from inference.findings import Finding
from inference.measure import Measured
from inference.roi import find_region
from inference.tasks.card import Organ, Plausible, TaskCard
from inference.tasks.postprocess import boxes_of
from inference.volume import Grid, Volume

_TOUCH = np.ones((3, 3, 3), dtype=bool)


def with_checks(measured: Measured, labels: NDArray[np.uint8], volume: Volume, card: TaskCard) -> Measured:
    """The findings with what speaks against them as flags, the study with what does as notes.

    `labels` (z, y, x) are the task's, on `volume`, which is the primary role's.
    """
    if card.organ and any(_is_lesion(finding) for finding in measured.findings):
        measured = _with_flags(measured, _outside(measured, labels, volume, card.organ))
    for bounds in card.plausible:
        if bounds.each:
            measured = _with_flags(measured, _odd_findings(measured, bounds))
        else:
            measured = measured._replace(notes=(*measured.notes, *_odd_union(labels, volume.grid, bounds)))
    return measured


def _is_lesion(finding: Finding) -> bool:
    return finding.structure.category == codes.ABNORMAL_STRUCTURE


def _with_flags(measured: Measured, flags: Iterator[tuple[int, str]]) -> Measured:
    """`flags`: by a finding's number."""
    by_number = dict(flags)
    return measured._replace(findings=tuple(
        replace(f, flags=(*f.flags, by_number[f.number])) if f.number in by_number else f for f in measured.findings))


def _outside(measured: Measured, labels: NDArray[np.uint8], volume: Volume, organ: Organ) -> Iterator[tuple[int, str]]:
    region = None if organ.label else find_region(volume, organ.region)
    boxes = boxes_of(measured.labelmap)
    for finding in measured.findings:
        if not _is_lesion(finding):
            continue
        box = tuple(slice(max(side.start - 1, 0), side.stop + 1) for side in boxes[finding.number])
        mask = measured.labelmap[box] == finding.number
        if region is None:
            if not (scipy.ndimage.binary_dilation(mask, _TOUCH) & (labels[box] == organ.label)).any():
                yield finding.number, f"lies apart from the {organ.name}"
        elif _share_in(region, mask, box, volume.grid) < 0.5:
            yield finding.number, f"lies for the most part outside the {organ.name}"


def _share_in(region: Volume, mask: NDArray[np.bool_], box: tuple[slice, ...], grid: Grid) -> float:
    """Share of a finding's voxels that lie in a region of another grid."""
    places = grid.to_lps(np.argwhere(mask) + [side.start for side in box])
    at = np.rint(region.grid.to_index(places)).astype(int)
    shown = ((at >= 0) & (at < region.grid.shape)).all(axis=1)
    return float(np.count_nonzero(np.asarray(region.array)[tuple(at[shown].T)])) / len(at)


def _odd_findings(measured: Measured, bounds: Plausible) -> Iterator[tuple[int, str]]:
    for finding in measured.findings:
        if finding.structure.label in bounds.labels and finding.axes and (odd := _odd(finding.volume_ml, bounds)):
            yield finding.number, odd


def _odd_union(labels: NDArray[np.uint8], grid: Grid, bounds: Plausible) -> Iterator[str]:
    millilitres = sum(int(np.count_nonzero(labels == label)) for label in bounds.labels) * grid.voxel_ml
    if odd := _odd(millilitres, bounds):
        yield f"{bounds.name} {odd}."


def _odd(millilitres: float, bounds: Plausible) -> str:
    """What is odd about a volume, to follow a name; "" where nothing is."""
    for beyond, word, limit in ((millilitres < bounds.low_ml, "less", bounds.low_ml),
                                (millilitres > bounds.high_ml, "more", bounds.high_ml)):
        if beyond:
            return f"measures {millilitres:.4g} ml, {word} than is plausible: {limit:g} ml, {bounds.source}"
    return ""
