"""The figures of an evaluation: one row a case and region, what failed and why, pictures of a few cases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from pydantic import model_validator

from inference.errors import Unscorable
from inference.evaluation.calibration import Reliability
from inference.evaluation.lesions import LesionScores
from inference.evaluation.record import Record


class Metric(NamedTuple):
    """A column: its field in `RegionScore`, how it is called, its unit, and whether more is better."""

    name: str
    title: str
    unit: Literal["%", "mm"]
    more_is_better: bool = True


METRICS = (
    Metric("dice", "Dice", "%"),
    Metric("iou", "IoU", "%"),
    Metric("precision", "Precision", "%"),
    Metric("recall", "Recall", "%"),
    Metric("f1", "F1", "%"),
    Metric("hausdorff_mm", "Hausdorff", "mm", more_is_better=False),
    Metric("hd95_mm", "HD95", "mm", more_is_better=False),
    Metric("assd_mm", "ASSD", "mm", more_is_better=False),
    Metric("surface_dice", "Surface Dice", "%"),
    Metric("volume_error", "Volume error", "%", more_is_better=False),
    Metric("lesion_dice", "Lesion-wise Dice", "%"),
    Metric("lesion_hd95_mm", "Lesion-wise HD95", "mm", more_is_better=False),
)
METRIC = {metric.name: metric for metric in METRICS}


class RegionScore(Record):
    """One region of one case. Shares are 0..1, distances mm, volumes ml; infinite where only one mask is empty.

    `volume_error` is signed: found less true, as a share of the true volume. Lesion figures are None for an organ.
    """

    case: str
    region: str
    dice: float
    iou: float
    precision: float
    recall: float
    f1: float
    hausdorff_mm: float
    hd95_mm: float
    assd_mm: float
    surface_dice: float
    tolerance_mm: float  # of the surface Dice
    volume_error: float
    truth_ml: float
    found_ml: float
    lesion_dice: float | None = None
    lesion_hd95_mm: float | None = None
    lesions: LesionScores | None = None

    def value(self, metric: str) -> float | None:
        """The metric of this name; the volume error without its sign, since errors must not cancel out in a mean."""
        value = getattr(self, metric)
        if value is None:
            return None
        return abs(float(value)) if metric == "volume_error" else float(value)


class Failure(Record):
    """A case that could not be used, and why; it is in no mean."""

    case: str
    reason: str


class Overlay(Record):
    """A slice of a case with the outlines of truth and answer."""

    case: str
    rank: str  # best, median, worst
    region: str
    dice: float
    slice_number: int  # from 1
    slices: int
    png: str  # base64


class DatasetResult(Record):
    """All that was measured on one data set; `headline` is the region that stands for it in short tables."""

    name: str
    headline: str
    phantoms: bool  # synthetic images, not patients
    scores: tuple[RegionScore, ...]
    failures: tuple[Failure, ...] = ()
    folds: int = 1  # of a cross-validation, whose held-out cases these are
    calibration: tuple[Reliability, ...] = ()
    overlays: tuple[Overlay, ...] = ()

    @model_validator(mode="after")
    def _each_case_once(self) -> DatasetResult:
        seen = set[tuple[str, str]]()
        for score in self.scores:
            key = score.case, score.region
            if key in seen:
                raise Unscorable(f"case {score.case} stands twice in {self.name} ({score.region}): judge it once")
            seen.add(key)
        return self

    @property
    def regions(self) -> tuple[str, ...]:
        """Names of the regions in the order of the scores."""
        return tuple(dict.fromkeys(score.region for score in self.scores))

    @property
    def cases(self) -> tuple[str, ...]:
        """The cases that were judged."""
        return tuple(dict.fromkeys(score.case for score in self.scores))

    def of(self, region: str) -> Iterator[RegionScore]:
        """The scores of one region, by case."""
        return (score for score in self.scores if score.region == region)

    def values(self, region: str, metric: str) -> dict[str, float]:
        """A metric by case, without the cases in which it was not measured."""
        found = {score.case: score.value(metric) for score in self.of(region)}
        return {case: value for case, value in found.items() if value is not None}


class LossPoint(Record):
    """The loss after an epoch, in training and on the validation cases (paper Figure 5)."""

    epoch: int
    training: float
    validation: float | None = None
