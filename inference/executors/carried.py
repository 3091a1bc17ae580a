"""Images that are read on one machine and brought to another, as arrays; masks that go back the same way."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.errors import Unfit
from inference.followup.follow import Before
from inference.material import OnDisk
from inference.request import Prior, Request, SeriesFiles
from inference.stopwatch import Stopwatch
from inference.tasks import task_card
from inference.tasks.card import TaskCard
from inference.volume import Volume

NOWHERE = SeriesFiles("", (), ())


@dataclass(frozen=True, eq=False)
class Carried:
    """What a request's files held; `past` is why the prior could not be read, where that is so. It can be pickled."""

    volumes: dict[str, Volume]
    notes: tuple[str, ...]
    past: Before | str | None
    asked: NDArray[np.bool_] | None
    seconds: dict[str, float]


@dataclass(frozen=True, eq=False)
class InHand:
    """The material of a request whose files are on another machine; `masks` are to be brought back there."""

    scratch: Path  # on that other machine
    carried: Carried
    masks: dict[str, NDArray[np.generic]] = field(default_factory=dict)

    def inputs(self, card: TaskCard) -> tuple[dict[str, Volume], tuple[str, ...]]:
        del card  # it was asked when they were read
        return self.carried.volumes, self.carried.notes

    def before(self, prior: Prior) -> Before:
        del prior  # the only one that there is
        if not isinstance(self.carried.past, Before):
            raise Unfit(self.carried.past or "they were not brought along")
        return self.carried.past

    def mask(self) -> NDArray[np.bool_] | None:
        return self.carried.asked

    def leave(self, name: str, array: NDArray[np.generic]) -> Path:
        self.masks[name] = array
        return self.scratch / f"{name}.npy"


def carry(request: Request) -> Carried:
    """Read all that a request's run needs; raises `Unfit` or `ModelError`."""
    material, watch = OnDisk(request), Stopwatch()
    with watch.time("read"):
        volumes, notes = material.inputs(task_card(request.task))
        past = _past(material, request.prior) if request.prior else None
    return Carried(volumes, notes, past, material.mask(), watch.seconds)


def without_files(request: Request) -> Request:
    """The same request for where its files are not: short, and without their names."""
    prior = request.prior and replace(request.prior, series=NOWHERE)
    return replace(request, inputs={}, prior=prior)


def _past(material: OnDisk, prior: Prior) -> Before | str:
    try:
        return material.before(prior)
    except Unfit as fault:
        return str(fault)
