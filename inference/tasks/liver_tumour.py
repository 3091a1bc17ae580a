"""Liver and liver tumours on an abdominal CT (labels of LiTS)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from inference import codes
from inference.findings import Structure
from inference.fitness import check_ct_units, check_liver
from inference.tasks.card import Organ, Plausible, Role, TaskCard
from inference.tasks.postprocess import bounding_box, drop_small, fill_holes, largest
from inference.volume import Grid, Volume

LIVER, TUMOUR = 1, 2
MINIMUM_TUMOUR_ML = 0.05  # a sphere of 4.6 mm
# Feng et al. 2017, doi 10.3748/wjg.v23.i27.4968: CT of 369 Chinese adults
_LIVERS = "our own bound, wide of the 594 to 2250 ml that adults' livers measured on CT (Feng et al. 2017)"


def fitness(volumes: dict[str, Volume]) -> None:
    """Unfit unless the CT is in Hounsfield units and shows most of a liver."""
    check_ct_units(volumes["CT"])
    check_liver(volumes["CT"])


def postprocess(labels: NDArray[np.uint8], grid: Grid) -> NDArray[np.uint8]:
    """One organ with its tumours: what lies apart from it goes, what it encloses belongs to it.

    Where no liver is marked at all the model is one that finds tumours only, and each of them stands for itself.
    """
    box = bounding_box(labels > 0)
    if box is None:
        return labels
    out = labels.copy()
    part = out[box]
    if not (part == LIVER).any():
        part[~drop_small(part == TUMOUR, grid, MINIMUM_TUMOUR_ML)] = 0
        return out
    organ = fill_holes(largest(part > 0))
    tumour = drop_small((part == TUMOUR) & organ, grid, MINIMUM_TUMOUR_ML)
    part[...] = organ
    part[tumour] = TUMOUR
    return out


LIVER_TUMOUR = TaskCard(
    name="liver_tumour",
    title="Liver and liver tumours on CT",
    roles=(Role("CT", "CT", "HU", "abdomen, best in the portal-venous phase"),),
    primary="CT",
    structures=(
        Structure(LIVER, "Liver", codes.ANATOMICAL_STRUCTURE, codes.LIVER, None, (221, 130, 101)),
        Structure(TUMOUR, "Liver tumour", codes.ABNORMAL_STRUCTURE, codes.NEOPLASM, codes.LIVER, (255, 0, 200),
                  per_lesion=True),
    ),
    fitness=fitness,
    postprocess=postprocess,
    organ=Organ("liver", label=LIVER),
    plausible=(Plausible("The liver with its tumours", (LIVER, TUMOUR), 400.0, 4500.0, _LIVERS),),
)
