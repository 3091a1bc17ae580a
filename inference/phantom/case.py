"""A procedural patient: what the scanner would have sent, and the truth that nobody tells the model."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from inference.volume import Grid, Volume
from inference.writers.acquisition import Acquisition


@dataclass(frozen=True)
class Lesion:
    """One lesion as drawn: `label` in the truth, size along its longest axis, place in LPS mm."""

    label: int
    diameter_mm: float
    volume_ml: float
    centre: tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Decoy:
    """A series that belongs to the study and that no model may take: a derived map, a reformat, a thick slab."""

    volume: Volume
    acquisition: Acquisition


@dataclass(frozen=True, eq=False)
class PhantomCase:
    """One synthetic study of a task; the same task and seed always give the same voxels and UIDs.

    `volumes` and `acquisitions` are keyed by the task's roles. `truth` is the label map (z, y, x) on the
    grid of `volumes[primary]`. `motion` maps, a role, where the patient lay during the primary series to
    where the patient lay during that role's series (4x4, LPS mm); a role without entry did not move.
    """

    task: str
    seed: int
    primary: str
    volumes: dict[str, Volume]
    truth: NDArray[np.uint8]
    lesions: tuple[Lesion, ...]
    acquisitions: dict[str, Acquisition]
    decoys: tuple[Decoy, ...] = ()
    motion: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.truth.shape != self.grid.shape:
            raise ValueError(f"truth {self.truth.shape} does not lie on the primary grid {self.grid.shape}")

    @property
    def grid(self) -> Grid:
        """The primary series' grid, on which `truth` lies."""
        return self.volumes[self.primary].grid

    def aligned(self, slack_mm: float = 0.0) -> dict[str, Volume]:
        """The volumes by role as if the patient had lain still: grids moved back by `motion`, voxels untouched.

        This is what a perfect registration would know; training uses it and saves registering. `slack_mm` leaves
        each role shifted by up to that much along every axis, as real registration does; the same every time.
        """
        rng = np.random.default_rng([self.seed, 2])
        still = {}
        for role, volume in self.volumes.items():
            affine = np.linalg.inv(self.motion.get(role, np.eye(4))) @ volume.grid.affine
            if role in self.motion:
                affine[:3, 3] += rng.uniform(-slack_mm, slack_mm, 3)
            still[role] = replace(volume, grid=replace(volume.grid, affine=affine))
        return still
