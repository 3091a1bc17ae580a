"""How good a model is on phantoms, beside the best that one band of intensities could do.

The band is chosen with knowledge of the truth, cleaned by the same postprocessing, and told by the model where the
organ lies: what the network scores above it, it has learned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import inference
from inference.backends import BackendSettings, LoadedBackend, build
from inference.evaluation.metrics import dice, volume_error
from inference.phantom import PhantomCase, make_case
from inference.tasks import TASKS, TaskCard
from inference.transforms.registration import register_rigid, resample_onto
from inference.volume import Volume

SHIPPED = Path(inference.__file__).parent / "bundles"
BEST_BANDS = 3  # bands that look best before postprocessing are judged after it
_ENDS = ((5, 95), (10, 90), (25, 75), (5, None), (25, None), (50, None), (None, 50), (None, 75), (None, 95))


class ScoredRegion(NamedTuple):
    """What is compared: labels of the truth, the label that a band writes, labels that it must lie in."""

    name: str
    members: tuple[int, ...]
    label: int
    inside: tuple[int, ...] = ()


REGIONS: dict[str, tuple[ScoredRegion, ...]] = {
    "brain_tumour": (
        ScoredRegion("whole tumour", (1, 2, 3), 2),
        ScoredRegion("tumour core", (1, 3), 1),
        ScoredRegion("enhancing tumour", (3,), 3),
    ),
    "liver_tumour": (
        ScoredRegion("liver", (1, 2), 1),
        ScoredRegion("liver tumour", (2,), 2, inside=(1, 2)),
    ),
    "lung_nodule": (ScoredRegion("nodule", (1,), 1),),
}


class Band(NamedTuple):
    """All voxels of a role from `low` to `high`."""

    role: str
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Answered:
    """A phantom with the model's answer, cropped to what matters; images of every role on the primary grid."""

    case: PhantomCase
    found: NDArray[np.uint8]
    images: dict[str, NDArray[np.float32]]


def score(task: str, seeds: Iterable[int], model: BackendSettings | None = None, *,
          device: str = "cpu") -> list[dict[str, Any]]:
    """A row a region: Dice of the model (the shipped bundle by default), its volume error, the best band's Dice."""
    card = TASKS[task]
    backend = (model or build({"kind": "bundle", "path": str(SHIPPED / task)})).load(device)
    answers = [_answer(make_case(task, seed), card, backend) for seed in seeds]
    return [_row(card, region, answers) for region in REGIONS[task]]


def _answer(case: PhantomCase, card: TaskCard, backend: LoadedBackend) -> Answered:
    primary = case.volumes[case.primary]
    if backend.judged:
        card.fitness(case.volumes)
    found = backend.segment(case.volumes, card, lambda _done, _step: None).labels
    if backend.judged:
        found = card.postprocess(found, case.grid)
    images = {case.primary: _comparable(primary)}
    for role, volume in case.volumes.items():
        if role != case.primary:
            images[role] = _comparable(resample_onto(volume, case.grid, register_rigid(primary, volume, role)))
    return Answered(case, found, images)


def _comparable(volume: Volume) -> NDArray[np.float32]:
    """HU as they are; MR signal, which has no scale, as z-scores over what is brighter than average."""
    array = np.asarray(volume.array, dtype=np.float32)
    if volume.units == "HU":
        return array
    head = array[array > array.mean()]
    return (array - head.mean()) / (head.std() + np.float32(1e-6)) if head.size else array


def _row(card: TaskCard, region: ScoredRegion, answers: list[Answered]) -> dict[str, Any]:
    pairs = [(np.isin(a.found, region.members), np.isin(a.case.truth, region.members)) for a in answers]
    scores = [dice(found, truth) for found, truth in pairs]
    errors = [volume_error(found, truth) for found, truth in pairs if truth.any()]
    band, reached = best_band(card, region, answers)
    return {
        "task": card.name,
        "region": region.name,
        "cases": len(answers),
        "dice": float(np.mean(scores)),
        "worst_dice": float(np.min(scores)),
        "volume_error": float(np.mean(np.abs(errors))) if errors else 0.0,
        "threshold_dice": reached,
        "threshold": f"{band.role} {band.low:.3g} to {band.high:.3g}" if band else "",
    }


def best_band(card: TaskCard, region: ScoredRegion, answers: list[Answered]) -> tuple[Band | None, float]:
    """The band with the highest mean Dice over all answers, and that Dice; none where no truth has the region."""
    def plain(band: Band) -> float:
        return _mean(answers, lambda a: dice(_within(band, region, a), np.isin(a.case.truth, region.members)))

    def cleaned(band: Band) -> float:
        return _mean(answers, lambda a: dice(_cleaned(band, region, a, card), np.isin(a.case.truth, region.members)))

    promising = sorted(set(_bands(region, answers)), key=plain, reverse=True)[:BEST_BANDS]
    judged = [(cleaned(band), band) for band in promising]
    return (max(judged)[1], max(judged)[0]) if judged else (None, 0.0)


def _bands(region: ScoredRegion, answers: list[Answered]) -> Iterator[Band]:
    """Bands between percentiles of the region's own intensities, over all cases."""
    for role in answers[0].images:
        values = np.concatenate([a.images[role][np.isin(a.case.truth, region.members)] for a in answers])
        if values.size == 0:
            return
        for low, high in _ENDS:
            yield Band(role, -np.inf if low is None else float(np.percentile(values, low)),
                       np.inf if high is None else float(np.percentile(values, high)))


def _within(band: Band, region: ScoredRegion, answer: Answered) -> NDArray[np.bool_]:
    image = answer.images[band.role]
    mask = (image >= band.low) & (image <= band.high)
    return mask & np.isin(answer.found, region.inside) if region.inside else mask


def _cleaned(band: Band, region: ScoredRegion, answer: Answered, card: TaskCard) -> NDArray[np.bool_]:
    labels = np.zeros(answer.found.shape, dtype=np.uint8)
    if region.inside:
        labels[np.isin(answer.found, region.inside)] = region.inside[0]
    labels[_within(band, region, answer)] = region.label
    return np.isin(card.postprocess(labels, answer.case.grid), region.members)


def _mean(answers: list[Answered], measure: Callable[[Answered], float]) -> float:
    return float(np.mean([measure(answer) for answer in answers]))
