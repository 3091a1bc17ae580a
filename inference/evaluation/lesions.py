"""Lesion by lesion: which were hit and how well, which were missed, what was found where there is none.

The way of BraTS 2023: a score of each true lesion against all that was found on it, so that one large lesion does not
outvote five small ones, and a score of 0 for each false one.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from inference.diameters import largest_diameter
from inference.evaluation.metrics import Mask, dice
from inference.evaluation.record import Record
from inference.evaluation.rules import LesionRules
from inference.evaluation.surface import surface_agreement
from inference.tasks.postprocess import Box, bounding_box, components
from inference.volume import Grid

_GROWTH = ndimage.generate_binary_structure(3, 2)


class LesionScore(Record):
    """A true lesion: its longest diameter in mm and volume in ml, whether it was hit, and how well."""

    diameter_mm: float
    volume_ml: float
    hit: bool
    dice: float  # 0 where missed
    hd95_mm: float  # infinite where missed


class LesionScores(Record):
    """All lesions of a region in one case."""

    lesions: tuple[LesionScore, ...] = ()
    found: int = 0  # lesions found, the right and the false ones
    false: int = 0  # of these, what touches no true lesion
    left_out: int = 0  # true lesions too small to be judged

    @property
    def hits(self) -> int:
        """How many true lesions were hit."""
        return sum(lesion.hit for lesion in self.lesions)

    @property
    def dice(self) -> float:
        """Mean over true and false lesions, 0 for each false one; 1 where there is neither."""
        judged = len(self.lesions) + self.false
        return sum(lesion.dice for lesion in self.lesions) / judged if judged else 1.0

    def hd95_mm(self, penalty_mm: float) -> float:
        """Mean over true and false lesions, `penalty_mm` for each missed and each false one; 0 where there is none."""
        judged = len(self.lesions) + self.false
        known = sum(min(lesion.hd95_mm, penalty_mm) for lesion in self.lesions)
        return (known + penalty_mm * self.false) / judged if judged else 0.0


def lesion_scores(found: Mask, truth: Mask, grid: Grid, rules: LesionRules) -> LesionScores:
    """Match the lesions of two masks (z, y, x) of one region."""
    box = bounding_box(found | truth, margin=rules.dilation)
    if box is None:
        return LesionScores()
    found, truth = found[box], truth[box]
    parts, counts = components(found)
    part_boxes = ndimage.find_objects(parts)
    places, _ = components(_grown(truth, rules.dilation))
    lesions, met, left_out = [], set[int](), 0
    for number, box in enumerate(ndimage.find_objects(places), start=1):
        on_it = [int(n) for n in np.unique(parts[box][places[box] == number]) if n]
        met.update(on_it)
        view = _hull([box, *(part_boxes[n - 1] for n in on_it)])
        real = truth[view] & (places[view] == number)
        if np.count_nonzero(real) * grid.voxel_ml * 1000 <= rules.minimum_mm3:
            left_out += 1
        else:
            lesions.append(_lesion(np.isin(parts[view], on_it), real, grid))
    return LesionScores(lesions=tuple(lesions), found=len(counts), false=len(counts) - len(met), left_out=left_out)


def _grown(mask: Mask, voxels: int) -> Mask:
    return np.asarray(ndimage.binary_dilation(mask, _GROWTH, iterations=voxels)) if voxels else mask


def _hull(boxes: list[Box]) -> Box:
    """The smallest box that holds all of these."""
    z, y, x = (slice(min(box[axis].start for box in boxes), max(box[axis].stop for box in boxes)) for axis in range(3))
    return z, y, x


def _lesion(found: Mask, real: Mask, grid: Grid) -> LesionScore:
    surface = surface_agreement(found, real, grid.spacing, 0.0)
    return LesionScore(
        diameter_mm=largest_diameter(real, grid),
        volume_ml=float(np.count_nonzero(real)) * grid.voxel_ml,
        hit=bool(found.any()),
        dice=dice(found, real),
        hd95_mm=surface.hd95_mm,
    )
