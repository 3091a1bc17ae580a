"""Patches of a step, made by threads while the device still computes the step before, and varied on that device.

Where a step's patches lie is decided one step ahead, so that it does not depend on how fast a machine is.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray

from inference.tasks import TASKS
from inference.training.augment import augment
from inference.training.cases import Case, choose_place, cut
from inference.training.config import TrainingSettings
from inference.training.implants import implant, place_for
from inference.training.mining import HardPlaces
from inference.training.replay import Replay

JITTER = 8  # voxels by which a patch lies beside its place, at most; no more than a quarter of it


class Patch(NamedTuple):
    """Image float32 (channel, z, y, x) and labels uint8 (z, y, x) on the device, the place that it was cut around, and
    whether a lesion was put into it."""

    image: torch.Tensor
    labels: torch.Tensor
    case: Case
    place: NDArray[np.int16]
    implanted: bool


class Batches:
    """The patches of each step: around lesions, anywhere, in cases without a lesion, and at hard places.

    `rank` makes one process's patches others than those of the first one; `device` computes the steps.
    """

    def __init__(self, settings: TrainingSettings, cases: Sequence[Case], hard: HardPlaces, replay: Replay, *,
                 rank: int = 0, device: str = "cpu") -> None:
        self.settings, self.rank, self.device = settings, rank, device
        self.hard_places = (hard, replay)
        lesions = set(TASKS[settings.task].lesions)
        self.healthy = [case for case in cases if not lesions & set(case.places)]
        self.diseased = [case for case in cases if lesions & set(case.places)]
        cores = len(os.sched_getaffinity(0)) if device.startswith("cuda") else 1  # a CPU has to compute the steps too
        self._makers = ThreadPoolExecutor(min(settings.batch, cores), thread_name_prefix="patches")
        self._begun: dict[int, list[Future[Patch]]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._makers.shutdown(cancel_futures=True)

    def begin(self, step: int) -> None:
        """Decide where the patches of a step lie, by what is known of hard places now, and have them made."""
        rng = np.random.default_rng((self.settings.seed, step, self.rank))
        jitter = np.minimum(JITTER, np.array(self.settings.patch) // 4)
        begun = []
        for number in range(self.settings.batch):
            case, place = self._where(rng)
            centre = place + rng.integers(-jitter, jitter + 1)
            # From 1 on: a zero at the end of a seed changes nothing, and this would be `rng` once more.
            own = np.random.default_rng((self.settings.seed, step, self.rank, 1 + number))
            begun.append(self._makers.submit(self._make, case, place, centre, own))
        self._begun[step] = begun

    def take(self, step: int) -> list[Patch]:
        """The patches of a step; it is begun now where it was not before."""
        if step not in self._begun:
            self.begin(step)
        return [patch.result() for patch in self._begun.pop(step)]

    def _where(self, rng: np.random.Generator) -> tuple[Case, NDArray[np.int16]]:
        """The case of the next patch and the voxel around which it is cut."""
        hard = [places for places in self.hard_places if len(places)]
        if hard and rng.random() < self.settings.hard_share:
            return hard[int(rng.integers(len(hard)))].choose(rng)
        healthy = self.healthy and (not self.diseased or rng.random() < self.settings.healthy_share)
        cases = self.healthy if healthy else self.diseased
        case = cases[int(rng.integers(len(cases)))]
        return case, choose_place(case, self.settings.lesion_share, rng)

    def _make(self, case: Case, place: NDArray[np.int16], centre: NDArray[np.integer],
              rng: np.random.Generator) -> Patch:
        image, labels = cut(case, centre, self.settings.patch)
        implanted = self._implant(image, labels, rng)
        shown, truth = (torch.from_numpy(one).to(self.device) for one in (image, labels))
        return Patch(*augment(shown, truth, self.settings.augment, rng), case, place, implanted)

    def _implant(self, image: NDArray[np.float32], labels: NDArray[np.uint8], rng: np.random.Generator) -> bool:
        """Put a lesion into a patch, as often as the settings say and where they allow one; whether that was done."""
        wanted, recipe = self.settings.implants, self.settings.recipe
        if wanted is None or rng.random() >= wanted.share:
            return False
        place = place_for(image, labels, recipe.channels, wanted, rng)
        if place is None:
            return False
        return implant(image, labels, place, recipe.channels, recipe.spacing_mm, wanted, rng)
