"""Glioma on four MR series: necrotic core, oedema and enhancing tumour (labels of BraTS 2023)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from inference import codes
from inference.findings import Structure
from inference.fitness import check_brain
from inference.tasks.card import Organ, Plausible, Role, TaskCard
from inference.tasks.postprocess import bounding_box, drop_small, fill_holes
from inference.volume import Grid, Volume

NECROTIC_CORE, OEDEMA, ENHANCING = 1, 2, 3
MINIMUM_TUMOUR_ML = 0.2
_TUMOURS = "our own bound, about a third of a brain"
MINIMUM_ENHANCING_ML = 0.05  # fewer voxels are vessels or noise more often than tumour


def fitness(volumes: dict[str, Volume]) -> None:
    """Unfit unless every series shows a head."""
    for role, volume in volumes.items():
        check_brain(volume, role)


def postprocess(labels: NDArray[np.uint8], grid: Grid) -> NDArray[np.uint8]:
    """Nested regions: no crumbs of tumour, no speck of enhancement, no hole in the core."""
    box = bounding_box(labels > 0)
    if box is None:
        return labels
    out = labels.copy()
    part = out[box]
    part[~drop_small(part > 0, grid, MINIMUM_TUMOUR_ML)] = 0
    specks = (part == ENHANCING) & ~drop_small(part == ENHANCING, grid, MINIMUM_ENHANCING_ML)
    part[specks] = NECROTIC_CORE
    core = (part == NECROTIC_CORE) | (part == ENHANCING)
    part[fill_holes(core) & (part == 0)] = NECROTIC_CORE
    return out


BRAIN_TUMOUR = TaskCard(
    name="brain_tumour",
    title="Brain tumour (glioma) on MR",
    roles=(
        Role("T1", "MR", "signal", "T1-weighted before contrast"),
        Role("T1ce", "MR", "signal", "T1-weighted after contrast"),
        Role("T2", "MR", "signal", "T2-weighted"),
        Role("FLAIR", "MR", "signal", "T2-weighted with suppressed fluid"),
    ),
    primary="T1ce",
    structures=(
        Structure(NECROTIC_CORE, "Necrotic core", codes.ABNORMAL_STRUCTURE, codes.NECROSIS, codes.BRAIN,
                  (216, 191, 216)),
        Structure(OEDEMA, "Oedema", codes.ABNORMAL_STRUCTURE, codes.EDEMA, codes.BRAIN, (140, 224, 228)),
        Structure(ENHANCING, "Enhancing tumour", codes.ABNORMAL_STRUCTURE, codes.ENHANCING_LESION, codes.BRAIN,
                  (255, 0, 0)),
    ),
    fitness=fitness,
    postprocess=postprocess,
    totals=(
        ("Whole tumour", (NECROTIC_CORE, OEDEMA, ENHANCING)),
        ("Tumour core", (NECROTIC_CORE, ENHANCING)),
    ),
    regions=(NECROTIC_CORE, OEDEMA, ENHANCING),
    organ=Organ("head", region="head"),
    plausible=(Plausible("The whole tumour", (NECROTIC_CORE, OEDEMA, ENHANCING), 0.0, 500.0, _TUMOURS),),
)
