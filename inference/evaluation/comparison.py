"""Several models on the same cases: each mean, and whether the difference to the first model is more than luck."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from pydantic import Field

from inference.errors import Unscorable
from inference.evaluation.intervals import Interval, mean_interval
from inference.evaluation.paired import Difference, average_seeds, holm, paired_difference
from inference.evaluation.record import Record
from inference.evaluation.report import ReportSettings
from inference.evaluation.results import METRIC, DatasetResult

COMPARED = ("dice", "hd95_mm")  # each further metric makes Holm's correction stricter for all


class ModelRuns(NamedTuple):
    """A model's results on one data set: one a training, where it was trained with several seeds."""

    name: str
    runs: Sequence[DatasetResult]
    parameters: int | None = None
    seconds_per_step: float | None = None


class ComparedModel(Record):
    """What else is told of a model."""

    name: str
    seeds: int = Field(ge=1)
    cases: int
    failures: int  # over all seeds
    parameters: int | None = None
    seconds_per_step: float | None = None


class ComparedRow(Record):
    """A model's mean of one metric over the cases of a region; the difference is to the first model, which has none."""

    model: str
    region: str
    metric: str
    mean: Interval
    difference: Difference | None = None


class ComparisonReport(Record):
    """Models by regions. Several seeds of a model were averaged case by case before anything else.

    The p of every difference is corrected by Holm for all differences in the table.
    """

    title: str
    dataset: str
    created: str
    trained_on_phantoms: bool
    evaluated_on_phantoms: bool
    settings: ReportSettings
    models: tuple[ComparedModel, ...]
    rows: tuple[ComparedRow, ...]

    def row(self, model: str, region: str, metric: str) -> ComparedRow:
        """The row of one model, region and metric; KeyError where there is none."""
        for row in self.rows:
            if (row.model, row.region, row.metric) == (model, region, metric):
                return row
        raise KeyError(f"{model}, {region}, {metric}")

    @property
    def regions(self) -> tuple[str, ...]:
        """The regions in the order of the rows."""
        return tuple(dict.fromkeys(row.region for row in self.rows))

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics in the order of the rows."""
        return tuple(dict.fromkeys(row.metric for row in self.rows))


class ComparisonText(Record):
    """What a comparison says of itself."""

    title: str = Field(min_length=1)
    created: str
    trained_on_phantoms: bool


def compare_models(text: ComparisonText, models: Sequence[ModelRuns], metrics: Sequence[str] = COMPARED,
                   settings: ReportSettings | None = None) -> ComparisonReport:
    """Compare every model with the first; Unscorable where they were not judged on one data set and its regions."""
    first = _one_data_set(models, metrics)
    chosen = settings or ReportSettings()
    rows = [_row(model, models[0], region, metric, chosen)
            for region in first.regions for metric in metrics if first.values(region, metric) for model in models]
    return ComparisonReport(
        **text.model_dump(), dataset=first.name, evaluated_on_phantoms=first.phantoms, settings=chosen,
        models=tuple(_told(model) for model in models), rows=_corrected(rows),
    )


def _one_data_set(models: Sequence[ModelRuns], metrics: Sequence[str]) -> DatasetResult:
    """The first result, after a look at all."""
    unknown = [metric for metric in metrics if metric not in METRIC]
    if unknown:
        raise Unscorable(f"no metric is called {unknown[0]}: there are {', '.join(METRIC)}")
    names = [model.name for model in models]
    if len(set(names)) != len(names) or len(names) < 2:
        raise Unscorable("a comparison takes two or more models, each with a name of its own")
    results = [run for model in models for run in model.runs]
    if not all(model.runs for model in models):
        raise Unscorable("a model without any result cannot be compared: evaluate it, or leave it out")
    for one, other in pairwise(results):
        if (one.name, one.regions, one.phantoms) != (other.name, other.regions, other.phantoms):
            raise Unscorable(f"{one.name} ({', '.join(one.regions)}) and {other.name} ({', '.join(other.regions)}) "
                             "are not one data set: evaluate all models on the same")
    return results[0]


def _told(model: ModelRuns) -> ComparedModel:
    return ComparedModel(name=model.name, seeds=len(model.runs), cases=len(model.runs[0].cases),
                         failures=sum(len(run.failures) for run in model.runs), parameters=model.parameters,
                         seconds_per_step=model.seconds_per_step)


def _by_case(model: ModelRuns, region: str, metric: str, settings: ReportSettings) -> dict[str, float]:
    """One value a case: the mean over seeds, after the penalty for what is infinite."""
    penalty = settings.penalty_mm if METRIC[metric].unit == "mm" else None

    def finite(value: float) -> float:
        return penalty if penalty is not None and value == float("inf") else value

    return average_seeds([{case: finite(value) for case, value in run.values(region, metric).items()}
                          for run in model.runs])


def _row(model: ModelRuns, first: ModelRuns, region: str, metric: str, settings: ReportSettings) -> ComparedRow:
    values = _by_case(model, region, metric, settings)
    difference = None
    if model.name != first.name:
        difference = paired_difference(values, _by_case(first, region, metric, settings), settings.resampling)
    return ComparedRow(model=model.name, region=region, metric=metric, difference=difference,
                       mean=mean_interval(list(values.values()), settings.resampling))


def _corrected(rows: Sequence[ComparedRow]) -> tuple[ComparedRow, ...]:
    """The same rows with Holm's p beside each p."""
    tested = [n for n, row in enumerate(rows) if row.difference is not None and row.difference.p is not None]
    p_values = [row.difference.p for row in rows if row.difference is not None and row.difference.p is not None]
    corrected = dict(zip(tested, holm(p_values), strict=True))

    def with_p(number: int, row: ComparedRow) -> ComparedRow:
        if number not in corrected or row.difference is None:
            return row
        difference = row.difference.model_copy(update={"p_holm": corrected[number]})
        return row.model_copy(update={"difference": difference})

    return tuple(with_p(number, row) for number, row in enumerate(rows))
