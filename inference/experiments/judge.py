"""A trained bundle on the cases that its run kept for the test, through the road that the node takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.backends.base import LoadedBackend
from inference.errors import Leak
from inference.evaluation.candidates import Nodule
from inference.evaluation.evaluate import TruthCase, evaluate, settings_for
from inference.evaluation.results import DatasetResult, Failure, LossPoint
from inference.evaluation.score import REGIONS
from inference.training.config import TrainingSettings
from inference.training.datasets import CaseRef, DataSet, LabelledCase, walk
from inference.training.datasets.phantoms import Phantoms
from inference.training.history import Judged
from inference.training.material import grouped

SCORED = range(9000, 9010)  # seeds of phantoms that no training uses

Tell = Callable[[int], None]  # called before each case with how many there are


@dataclass(frozen=True, eq=False)
class Shown(TruthCase):
    """A case of a data set as the model is shown it."""

    labelled: LabelledCase | None = None


@dataclass(frozen=True)
class Unseen:
    """The cases that a run never saw, and what they are called in a report."""

    data: DataSet
    refs: tuple[CaseRef, ...]
    name: str
    synthetic: bool
    split: str = ""  # the SHA-256 of the groups; phantoms have none


def unseen(settings: TrainingSettings, beside: Path = Path(), seeds: Sequence[int] = SCORED) -> Unseen:
    """The test cases of a run: of its split, or phantoms with these seeds.

    Leak where the run has seen such a phantom; DataError as `grouped` says.
    """
    if settings.cases is not None:
        if seen := {*seeds} & {*settings.cases.training, *settings.cases.validation}:
            raise Leak(f"phantom {min(seen)} is one that the run has seen: judge other seeds.")
        data = Phantoms(settings.task, seeds[0], len(seeds))
        return Unseen(data, tuple(data.cases()), f"phantoms, seeds {seeds[0]} to {seeds[-1]}", True)
    groups = grouped(settings, beside)
    return Unseen(groups.data, groups.test, groups.data.layout, settings.synthetic, groups.sha256)


def judge(test: Unseen, model: LoadedBackend, *, strict: bool = False, tell: Tell = lambda _: None) -> DatasetResult:
    """Every test case read, segmented, cleaned by its task and measured on its own grid.

    A case that cannot be read is counted with its reason; where `strict`, the first one ends it as BadCase.
    """
    card, unreadable = test.data.card, list[Failure]()

    def shown(ref: CaseRef) -> Shown:
        tell(len(test.refs))
        case = test.data.read(ref)
        irrelevant = tuple(Nodule(ref.case_id, mark.centre, mark.diameter_mm or -1.0) for mark in case.irrelevant)
        return Shown(ref.case_id, case.truth, case.grid, case.volumes[case.card.primary].array, irrelevant, case)

    def answer(case: Shown) -> NDArray[np.uint8]:
        assert case.labelled is not None
        labels = model.segment(case.labelled.volumes, card, lambda _done, _step: None).labels
        return card.postprocess(labels, case.grid) if model.judged else labels

    settings = settings_for(card.name, test.name, phantoms=test.synthetic)
    found = evaluate(walk(test.refs, shown, unreadable, strict=strict), answer, REGIONS[card.name], settings)
    return found.model_copy(update={"failures": (*unreadable, *found.failures)})


def losses(history: Sequence[Judged]) -> tuple[LossPoint, ...]:
    """The curves of a run as a report shows them (paper Figure 5)."""
    return tuple(LossPoint(epoch=number, training=point.training_loss, validation=point.validation_loss)
                 for number, point in enumerate((p for p in history if p.training_loss is not None), start=1)
                 if point.training_loss is not None)
