"""What was found on findings that the readers did not agree on: neither right nor wrong, as LUNA16 has it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from inference.evaluation.candidates import Nodule
from inference.evaluation.detection import within
from inference.evaluation.metrics import Mask
from inference.tasks.postprocess import bounding_box, components
from inference.volume import Grid


def relevant(found: Mask, truth: Mask, grid: Grid, irrelevant: Sequence[Nodule]) -> Mask:
    """What was found (z, y, x), without the parts that touch no truth and have their middle on an irrelevant finding.

    Parts are connected voxels (26 neighbours); what lies on a finding is told as of a candidate (detection.py).
    """
    box = bounding_box(found) if irrelevant else None
    if box is None:
        return found
    parts, counts = components(found[box])
    numbers = np.arange(1, counts.size + 1)
    middles = np.array(ndimage.center_of_mass(parts > 0, parts, numbers)) + [side.start for side in box]
    on_finding = within(grid.to_lps(middles), irrelevant).any(axis=1)
    beside = numbers[on_finding & ~np.isin(numbers, parts[truth[box]])]
    kept = found.copy()
    kept[box] &= ~np.isin(parts, beside)
    return kept
