"""Nodules on a chest CT."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from inference import codes
from inference.findings import Structure
from inference.fitness import check_ct_units, check_lungs
from inference.tasks.card import Organ, Plausible, Role, TaskCard
from inference.tasks.postprocess import bounding_box, drop_small
from inference.volume import Grid, Volume

NODULE = 1
MINIMUM_NODULE_ML = 0.014  # a sphere of 3 mm, the least that LUNA16 counts
LARGEST_NODULE_ML = 14.1  # a sphere of 30 mm
_NODULES = "a ball of 30 mm, beyond which it is no nodule but a mass (BTS guidelines 2015, table 1)"


def fitness(volumes: dict[str, Volume]) -> None:
    """Unfit unless the CT is in Hounsfield units and shows both lungs or nearly so."""
    check_ct_units(volumes["CT"])
    check_lungs(volumes["CT"])


def postprocess(labels: NDArray[np.uint8], grid: Grid) -> NDArray[np.uint8]:
    """No nodule smaller than 3 mm."""
    box = bounding_box(labels > 0)
    if box is None:
        return labels
    out = labels.copy()
    out[box] = np.where(drop_small(out[box] == NODULE, grid, MINIMUM_NODULE_ML), NODULE, 0)
    return out


LUNG_NODULE = TaskCard(
    name="lung_nodule",
    title="Lung nodules on CT",
    roles=(Role("CT", "CT", "HU", "chest, slices of 3 mm or less"),),
    primary="CT",
    structures=(
        Structure(NODULE, "Nodule", codes.ABNORMAL_STRUCTURE, codes.NODULE, codes.LUNG, (255, 255, 0),
                  per_lesion=True),
    ),
    fitness=fitness,
    postprocess=postprocess,
    organ=Organ("lungs", region="lungs"),
    plausible=(Plausible("A nodule", (NODULE,), 0.0, LARGEST_NODULE_ML, _NODULES, each=True),),
)
