"""Places that are shown again: what the network got wrong while it learnt, until it gets it right.

Looking at whole cases for hard places costs as much as learning from them. A patch that was just learnt from tells
for nothing whether its place is hard (a prioritised memory; Schaul et al. 2016, "Prioritized experience replay").
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from inference.recipe import Output
from inference.tasks import TASKS
from inference.training.cases import Case
from inference.training.config import TrainingSettings
from inference.training.mining import mistakes

FOUND = 0.5  # probability from which on a voxel counts as found
LEAST = 8  # voxels of a part that counts; less is the noise of a network that learns


class Replay:
    """The `replayed` places that went wrong last; the oldest are forgotten first."""

    def __init__(self, cases: Sequence[Case], settings: TrainingSettings) -> None:
        self.cases, self.most, self.output = cases, settings.replayed, settings.output
        self.lesions = TASKS[settings.task].lesions
        self._numbers = {id(case): number for number, case in enumerate(cases)}
        self._places: dict[tuple[int, int, int, int], None] = {}  # (case, z, y, x), in the order of their last mistake

    def __len__(self) -> int:
        return len(self._places)

    def choose(self, rng: np.random.Generator) -> tuple[Case, NDArray[np.int16]]:
        """A case and one of its places, each place as likely as another."""
        number, *place = list(self._places)[int(rng.integers(len(self)))]
        return self.cases[number], np.array(place, dtype=np.int16)

    def learnt(self, case: Case, place: NDArray[np.int16], logits: torch.Tensor, labels: torch.Tensor) -> None:
        """What the network said to the patch around a place: logits (channel, z, y, x) and labels (z, y, x)."""
        if not self.most:
            return
        z, y, x = (int(value) for value in place)
        key = (self._numbers[id(case)], z, y, x)
        self._places.pop(key, None)
        if went_wrong(logits, labels, self.output, self.lesions):
            self._places[key] = None
            while len(self._places) > self.most:
                del self._places[next(iter(self._places))]

    def state(self) -> torch.Tensor:
        """What a checkpoint keeps."""
        return torch.tensor(list(self._places), dtype=torch.int64).reshape(-1, 4)

    def restore(self, state: torch.Tensor) -> None:
        """Go on with a checkpoint's places."""
        self._places = {(int(n), int(z), int(y), int(x)): None for n, z, y, x in state}


def went_wrong(logits: torch.Tensor, labels: torch.Tensor, output: Output, lesions: Collection[int]) -> bool:
    """Whether a part of a lesion's region was found that is not there, or one that is there was missed."""
    chances = logits.sigmoid() if output.activation == "sigmoid" else logits.softmax(0)
    return bool(mistakes((chances > FOUND).cpu().numpy(), labels.cpu().numpy(), output, lesions, LEAST))
