"""A task's card: what goes in by role, what comes out by structure. Plain data, torch-free."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from inference import codes
from inference.findings import Structure
from inference.volume import Grid, Units, Volume


@dataclass(frozen=True)
class Role:
    """One input of a task: its name (T1, T1ce, CT…), what its voxels mean, and whether it may be missing."""

    name: str
    modality: str
    units: Units
    description: str


class Organ(NamedTuple):
    """Where a task's lesions lie: a structure of the task, by its label, or a region that `inference.roi` finds."""

    name: str
    label: int = 0
    region: str = ""


class Plausible(NamedTuple):
    """The volumes to be expected of a union of labels, or of each finding of them, and whose bounds these are."""

    name: str
    labels: tuple[int, ...]
    low_ml: float
    high_ml: float
    source: str
    each: bool = False


@dataclass(frozen=True)
class TaskCard:
    """A segmentation task.

    `roles` in channel order; `primary` is the role on whose source grid the answer lies.
    `fitness` looks at the voxels by role before any network runs and raises `Unfit` with the reason.
    `postprocess` takes the model's label map (z, y, x) on the primary grid and returns it cleaned.
    `totals` names unions of labels that are measured but are no segment (whole tumour, tumour core).
    `regions` are labels of which connected voxels are one lesion, whatever the label: each region of it is a finding.
    What lies outside `organ`, or has no `plausible` volume, is told as such.
    """

    name: str
    title: str
    roles: tuple[Role, ...]
    primary: str
    structures: tuple[Structure, ...]
    fitness: Callable[[dict[str, Volume]], None]
    postprocess: Callable[[NDArray[np.uint8], Grid], NDArray[np.uint8]]
    totals: tuple[tuple[str, tuple[int, ...]], ...] = ()
    regions: tuple[int, ...] = ()
    organ: Organ | None = None
    plausible: tuple[Plausible, ...] = ()

    @property
    def lesions(self) -> tuple[int, ...]:
        """Labels of what is no healthy anatomy."""
        return tuple(s.label for s in self.structures if s.category == codes.ABNORMAL_STRUCTURE)

    def structure(self, label: int) -> Structure:
        """The structure with this label; KeyError where the card has none."""
        for structure in self.structures:
            if structure.label == label:
                return structure
        raise KeyError(f"task {self.name} has no structure with label {label}")
