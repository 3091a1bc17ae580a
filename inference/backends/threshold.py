"""A model without weights: every voxel whose value lies in a band is found.

It serves commissioning and exact tests of geometry: what comes back from the archive must be these voxels
and no others, so the task neither judges its input nor cleans its answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from inference.backends.base import BackendSettings, Report, Segmented, Turn, at_once
from inference.findings import IntendedUse, ModelIdentity
from inference.tasks.card import TaskCard
from inference.volume import Volume


class Threshold(BackendSettings):
    """`lower` ≤ value ≤ `upper` of the primary role (HU for CT, signal for MR) becomes `label` of the task."""

    kind: Literal["threshold"] = "threshold"
    lower: float
    upper: float
    label: Annotated[int, Field(ge=1, le=255)] = 1

    @model_validator(mode="after")
    def _in_order(self) -> Threshold:
        if self.lower > self.upper:
            raise ValueError(f"lower {self.lower} is above upper {self.upper}")
        return self

    def identity(self) -> ModelIdentity:
        digest = hashlib.sha256(f"threshold {self.lower} {self.upper} {self.label}".encode()).hexdigest()
        return ModelIdentity("threshold", "1", digest, "Segnode", IntendedUse.DEMONSTRATION)

    def load(self, device: str) -> LoadedThreshold:
        del device  # it needs none
        return LoadedThreshold(self)


@dataclass(frozen=True)
class LoadedThreshold:
    """The same, ready to run; always on the CPU."""

    settings: Threshold
    device: str = "cpu"
    judged: bool = False

    @property
    def identity(self) -> ModelIdentity:
        return self.settings.identity()

    def segment(self, inputs: Mapping[str, Volume], card: TaskCard, report: Report, turn: Turn = at_once) -> Segmented:
        del turn  # it needs no device
        report(0.5, "threshold")
        values = np.asarray(inputs[card.primary].array, dtype=np.float32)
        found = (values >= self.settings.lower) & (values <= self.settings.upper)
        return Segmented(found.astype(np.uint8) * np.uint8(self.settings.label))
