"""A report of an evaluation: what was measured, its means with intervals, and all that a reader must know of it."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from inference.errors import Unscorable
from inference.evaluation.detection import Froc
from inference.evaluation.intervals import Interval, Resampling, mean_interval, ratio_interval
from inference.evaluation.lesions import LesionScore
from inference.evaluation.record import Record
from inference.evaluation.results import METRICS, DatasetResult, LossPoint
from inference.evaluation.rules import DIAMETER_BANDS


class BandSummary(Record):
    """True lesions of a band of diameter in all cases: how many, how many were hit, their mean Dice (0 if missed)."""

    band: str
    lesions: int
    hits: int
    dice: float


class LesionSummary(Record):
    """The lesions of all cases of a region; intervals by resampling cases."""

    lesions: int
    hits: int
    found: int
    false: int
    left_out: int  # too small to be judged
    sensitivity: Interval  # lesions hit of true ones
    precision: Interval  # lesions that hit of those found
    false_per_case: Interval
    bands: tuple[BandSummary, ...]


class RegionSummary(Record):
    """Means over the cases of a region by metric (a field of RegionScore), for the metrics that were measured."""

    dataset: str
    region: str
    cases: int
    without: int  # cases whose truth has none of it
    tolerance_mm: float  # of the surface Dice
    metrics: dict[str, Interval]
    lesions: LesionSummary | None = None


class ReportSettings(Record):
    """How means are taken. `penalty_mm` stands for an infinite distance, which is counted and left out where None."""

    resampling: Resampling = Field(default_factory=Resampling)
    penalty_mm: float | None = Field(default=None, gt=0)


class EvaluationReport(Record):
    """One model on any number of data sets; `created` is a date as text, `losses` those of its training."""

    title: str
    model: str
    created: str
    trained_on_phantoms: bool
    settings: ReportSettings
    datasets: tuple[DatasetResult, ...]
    summaries: tuple[RegionSummary, ...]
    losses: tuple[LossPoint, ...] = ()
    detections: tuple[Froc, ...] = ()
    detections_on_phantoms: bool = False

    @property
    def evaluated_on_phantoms(self) -> bool:
        """True where any of the images were synthetic."""
        return self.detections_on_phantoms or any(dataset.phantoms for dataset in self.datasets)

    def summary(self, dataset: str, region: str) -> RegionSummary:
        """The means of one region of one data set; KeyError where there are none."""
        for summary in self.summaries:
            if (summary.dataset, summary.region) == (dataset, region):
                return summary
        raise KeyError(f"{dataset}, {region}")

    def headlines(self) -> tuple[RegionSummary, ...]:
        """For each data set with a judged case the region that stands for it."""
        return tuple(self.summary(d.name, d.headline) for d in self.datasets if d.scores)


class ReportText(Record):
    """What a report says of itself."""

    title: str = Field(min_length=1)
    model: str = Field(min_length=1)
    created: str
    trained_on_phantoms: bool


def build_report(text: ReportText, datasets: Sequence[DatasetResult], settings: ReportSettings | None = None, *,
                 losses: Sequence[LossPoint] = (), detections: Sequence[Froc] = (),
                 detections_on_phantoms: bool = False) -> EvaluationReport:
    """Take the means of all data sets; Unscorable where two bear one name."""
    names = [dataset.name for dataset in datasets]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise Unscorable(f"two data sets are called {twice[0]}: give each its own name, or pool them as folds")
    chosen = settings or ReportSettings()
    return EvaluationReport(
        **text.model_dump(), settings=chosen, datasets=tuple(datasets), losses=tuple(losses),
        summaries=tuple(summarise(d, region, chosen) for d in datasets for region in d.regions),
        detections=tuple(detections), detections_on_phantoms=detections_on_phantoms,
    )


def summarise(dataset: DatasetResult, region: str, settings: ReportSettings) -> RegionSummary:
    """Means over the cases of one region, with intervals."""
    scores = list(dataset.of(region))
    means = {}
    for metric in METRICS:
        values = list(dataset.values(region, metric.name).values())
        if values:
            penalty = settings.penalty_mm if metric.unit == "mm" else None
            means[metric.name] = mean_interval(values, settings.resampling, penalty=penalty)
    return RegionSummary(
        dataset=dataset.name, region=region, cases=len(scores), without=sum(s.truth_ml == 0 for s in scores),
        tolerance_mm=max(s.tolerance_mm for s in scores), metrics=means,
        lesions=_lesions(dataset, region, settings.resampling),
    )


def _lesions(dataset: DatasetResult, region: str, resampling: Resampling) -> LesionSummary | None:
    cases = [score.lesions for score in dataset.of(region) if score.lesions is not None]
    if not cases:
        return None
    false = [case.false for case in cases]
    return LesionSummary(
        lesions=sum(len(case.lesions) for case in cases), hits=sum(case.hits for case in cases),
        found=sum(case.found for case in cases), false=sum(false), left_out=sum(case.left_out for case in cases),
        sensitivity=ratio_interval([case.hits for case in cases], [len(case.lesions) for case in cases], resampling),
        precision=ratio_interval([case.found - case.false for case in cases], [case.found for case in cases],
                                 resampling),
        false_per_case=mean_interval(false, resampling),
        bands=_bands([lesion for case in cases for lesion in case.lesions]),
    )


def _bands(lesions: Sequence[LesionScore]) -> tuple[BandSummary, ...]:
    """The bands that any lesion falls into."""
    rows = []
    for band in DIAMETER_BANDS:
        inside = [lesion for lesion in lesions if band.holds(lesion.diameter_mm)]
        if inside:
            rows.append(BandSummary(band=band.name, lesions=len(inside), hits=sum(lesion.hit for lesion in inside),
                                    dice=sum(lesion.dice for lesion in inside) / len(inside)))
    return tuple(rows)
