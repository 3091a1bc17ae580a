"""Hard places: where the network of a moment ago found what is not there, or missed what is.

Random patches show a network mostly what it knows already. A look at whole training cases is cheaper than learning
from them, and tells which few places are worth a step (hard example mining; Shrivastava et al. 2016).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from inference.recipe import Output
from inference.tasks import TASKS
from inference.tasks.postprocess import components
from inference.training.cases import Case
from inference.training.config import TrainingSettings
from inference.training.validation import Chances, look

FOUND = 0.3  # probability from which on a voxel counts as found
MOST_PARTS = 30  # places that one case gives at most


class HardPlaces:
    """The training cases' hard places; each look at a case replaces what was known of it."""

    def __init__(self, cases: Sequence[Case], settings: TrainingSettings) -> None:
        self.cases, self.settings = cases, settings
        self.lesions = TASKS[settings.task].lesions
        self.next = 0
        self.places: dict[int, NDArray[np.int16]] = {}  # by index of the case, (n, 3)
        self._index: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return len(self._index)

    def choose(self, rng: np.random.Generator) -> tuple[Case, NDArray[np.int16]]:
        """A case and one of its hard places, each place as likely as another."""
        case, number = self._index[int(rng.integers(len(self)))]
        return self.cases[case], self.places[case][number]

    def mine(self, network: torch.nn.Module, device: str) -> None:
        """Look at the next `mined_cases` cases."""
        for _ in range(self.settings.mined_cases):
            case = self.cases[self.next]
            self.places[self.next] = self._wrong(look(network, case, self.settings, device), case)
            self.next = (self.next + 1) % len(self.cases)
        self._count()

    def state(self) -> dict[str, object]:
        """What a checkpoint keeps."""
        return {"next": self.next, "places": {case: torch.from_numpy(p) for case, p in self.places.items()}}

    def restore(self, state: dict[str, object]) -> None:
        """Go on with a checkpoint's places."""
        self.next, kept = int(state["next"]), state["places"]  # type: ignore[call-overload]
        self.places = {case: p.numpy() for case, p in kept.items()}  # type: ignore[attr-defined]
        self._count()

    def _count(self) -> None:
        self._index = [(case, number) for case, p in sorted(self.places.items()) for number in range(len(p))]

    def _wrong(self, chances: Chances, case: Case) -> NDArray[np.int16]:
        """One voxel of each mistake in a case."""
        wrong = mistakes(chances > FOUND, case.labels, self.settings.output, self.lesions)
        return np.array(wrong[:MOST_PARTS], dtype=np.int16).reshape(-1, 3)


def mistakes(found: NDArray[np.bool_], labels: NDArray[np.uint8], output: Output, lesions: Collection[int],
             least: int = 1) -> list[NDArray[np.intp]]:
    """One voxel of every part of a lesion's region that was found and is not there, or is there and was missed.

    `found` (channel, z, y, x) is what the network found, `labels` (z, y, x) the truth. Parts of fewer than `least`
    voxels do not count.
    """
    wrong = []
    for channel, region in output.foreground():
        if set(region.members) <= set(lesions):
            truth = np.isin(labels, region.members)
            wrong += [*_apart(found[channel], truth, least), *_apart(truth, found[channel], least)]
    return wrong


def _apart(mask: NDArray[np.bool_], other: NDArray[np.bool_], least: int) -> list[NDArray[np.intp]]:
    """The middle voxel of each connected part of `mask` that `other` does not touch, largest part first."""
    if np.count_nonzero(mask) < least:
        return []
    numbered, voxels = components(mask)
    touched = np.bincount(numbered[other], minlength=voxels.size + 1)[1:] > 0
    alone = np.flatnonzero(~touched & (voxels >= least))[:MOST_PARTS] + 1
    places = []
    for part in alone:
        where = np.argwhere(numbered == part)
        places.append(where[len(where) // 2])
    return places
