"""Judge a model on cases with known truth. Where the cases lie and how the model runs is the caller's business."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from inference.errors import InferenceError, ModelError, Unscorable
from inference.evaluation import metrics
from inference.evaluation.calibration import ReliabilityCounter
from inference.evaluation.candidates import Nodule
from inference.evaluation.irrelevant import relevant
from inference.evaluation.lesions import lesion_scores
from inference.evaluation.metrics import Mask
from inference.evaluation.overlays import Picture, picture
from inference.evaluation.record import Record
from inference.evaluation.results import DatasetResult, Failure, Overlay, RegionScore
from inference.evaluation.rules import HEADLINES, RULES, RegionRules
from inference.evaluation.score import ScoredRegion
from inference.evaluation.surface import surface_agreement
from inference.tasks.postprocess import bounding_box
from inference.volume import Grid

Labels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class TruthCase:
    """A case with its truth: labels uint8 (z, y, x) on `grid`; an image of the same shape, if pictures are wanted.

    What is found on `irrelevant` findings is neither right nor wrong.
    """

    case_id: str
    truth: Labels
    grid: Grid
    image: NDArray[np.generic] | None = None
    irrelevant: tuple[Nodule, ...] = ()


class Answer(NamedTuple):
    """A model's labels (z, y, x) on the case's grid, and the probabilities 0..1 of regions by name, if it tells them.

    `looked_at` is the part of the image in which probabilities are judged; all of it where None.
    """

    labels: Labels
    probabilities: Mapping[str, NDArray[np.floating]] = {}
    looked_at: Mask | None = None


Case = TypeVar("Case", bound=TruthCase)


class EvaluationSettings(Record):
    """What the data set is called, whether it is synthetic, and how each region of it is judged."""

    dataset: str = Field(min_length=1)
    phantoms: bool
    rules: dict[str, RegionRules] = Field(default_factory=dict)  # by region; plain rules for those not named
    headline: str = ""  # the region that stands for the data set; the last one where empty
    pictures: bool = True


def settings_for(task: str, dataset: str, *, phantoms: bool, pictures: bool = True) -> EvaluationSettings:
    """The rules and the headline of a task (a key of `REGIONS`)."""
    return EvaluationSettings(dataset=dataset, phantoms=phantoms, rules=RULES[task], headline=HEADLINES[task],
                              pictures=pictures)


@dataclass
class _Seen:
    """What is kept of the cases gone by."""

    scores: list[RegionScore] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    pictures: dict[str, Picture] = field(default_factory=dict)
    calibration: dict[str, ReliabilityCounter] = field(default_factory=dict)


def evaluate(cases: Iterable[Case], predict: Callable[[Case], Labels | Answer], regions: Sequence[ScoredRegion],
             settings: EvaluationSettings) -> DatasetResult:
    """Ask `predict` for the answer to each case, one after the other, and measure every region of it.

    A case that `predict` refuses or fails on (InferenceError) is counted with its reason and is in no mean. Any other
    exception ends the evaluation. Unscorable where a truth does not lie on its grid or a case comes twice.
    """
    headline = _headline(regions, settings)
    seen, names = _Seen(), set[str]()
    for case in cases:
        if case.case_id in names:
            raise Unscorable(f"case {case.case_id} comes twice: judge each case once")
        if case.truth.shape != case.grid.shape:
            raise Unscorable(f"the truth of case {case.case_id} has shape {case.truth.shape}, "
                             f"its grid {case.grid.shape}: read both from one file")
        names.add(case.case_id)
        try:
            answer = _checked(predict(case), case)
        except InferenceError as error:
            seen.failures.append(Failure(case=case.case_id, reason=str(error) or type(error).__name__))
            continue
        _measure(case, answer, regions, settings, seen)
        if settings.pictures and case.image is not None:
            found, truth = (np.isin(labels, headline.members) for labels in (answer.labels, case.truth))
            if found.any() or truth.any():
                seen.pictures[case.case_id] = picture(case.image, found, truth, case.grid.spacing)
    return DatasetResult(
        name=settings.dataset, headline=headline.name, phantoms=settings.phantoms, scores=tuple(seen.scores),
        failures=tuple(seen.failures), overlays=_overlays(seen, headline.name),
        calibration=tuple(counter.result(name) for name, counter in seen.calibration.items()),
    )


def score_region(case_id: str, region: str, found: Mask, truth: Mask, grid: Grid, rules: RegionRules) -> RegionScore:
    """Measure one region of one case from its two masks (z, y, x)."""
    truth_ml, found_ml = (float(np.count_nonzero(mask)) * grid.voxel_ml for mask in (truth, found))
    box = bounding_box(found | truth)
    if box is not None:
        found, truth = found[box], truth[box]
    surface = surface_agreement(found, truth, grid.spacing, rules.tolerance_mm)
    lesions = lesion_scores(found, truth, grid, rules.lesions) if rules.lesions else None
    return RegionScore(
        case=case_id, region=region,
        dice=metrics.dice(found, truth), iou=metrics.iou(found, truth),
        precision=metrics.precision(found, truth), recall=metrics.recall(found, truth), f1=metrics.f1(found, truth),
        **surface._asdict(), tolerance_mm=rules.tolerance_mm,
        volume_error=metrics.volume_error(found, truth), truth_ml=truth_ml, found_ml=found_ml,
        lesion_dice=lesions.dice if lesions else None,
        lesion_hd95_mm=lesions.hd95_mm(rules.lesions.penalty_mm) if lesions and rules.lesions else None,
        lesions=lesions,
    )


def _headline(regions: Sequence[ScoredRegion], settings: EvaluationSettings) -> ScoredRegion:
    by_name = {region.name: region for region in regions}
    unknown = sorted(({settings.headline} - {""} | set(settings.rules)) - set(by_name))
    if unknown or not regions:
        raise Unscorable(f"no region is called {unknown[0] if unknown else 'anything'}: "
                         f"there are {', '.join(by_name) or 'none'}")
    return by_name[settings.headline] if settings.headline else regions[-1]


def _checked(answer: Labels | Answer, case: TruthCase) -> Answer:
    """The answer with its labels; ModelError where they do not lie on the case's grid."""
    told = answer if isinstance(answer, Answer) else Answer(answer)
    if told.labels.shape != case.truth.shape:
        raise ModelError(f"the answer has shape {told.labels.shape}, the case {case.truth.shape}")
    return told


def _measure(case: TruthCase, answer: Answer, regions: Sequence[ScoredRegion], settings: EvaluationSettings,
             seen: _Seen) -> None:
    for region in regions:
        found, truth = (np.isin(labels, region.members) for labels in (answer.labels, case.truth))
        found = relevant(found, truth, case.grid, case.irrelevant)
        rules = settings.rules.get(region.name, RegionRules())
        seen.scores.append(score_region(case.case_id, region.name, found, truth, case.grid, rules))
        chances = answer.probabilities.get(region.name)
        if chances is not None:
            counter = seen.calibration.setdefault(region.name, ReliabilityCounter())
            counter.add(chances, truth, answer.looked_at)


def _overlays(seen: _Seen, region: str) -> tuple[Overlay, ...]:
    """Best, median and worst case by Dice, of those with a picture; fewer where there are fewer."""
    ranked = sorted((score for score in seen.scores if score.region == region and score.case in seen.pictures),
                    key=lambda score: (-score.dice, score.case))
    if not ranked:
        return ()
    chosen = {"best": ranked[0], "median": ranked[len(ranked) // 2], "worst": ranked[-1]}
    taken, overlays = set[str](), []
    for rank in ("best", "worst", "median"):
        score = chosen[rank]
        if score.case not in taken:
            taken.add(score.case)
            shown = seen.pictures[score.case]
            overlays.append(Overlay(case=score.case, rank=rank, region=region, dice=score.dice, png=shown.png,
                                    slice_number=shown.slice_number, slices=shown.slices))
    return tuple(sorted(overlays, key=lambda overlay: ("best", "median", "worst").index(overlay.rank)))
