"""Models compared on constructed results."""

from __future__ import annotations

import numpy as np
import pytest
from evaluated import QUICK, dataset, score

from inference.errors import Unscorable
from inference.evaluation.comparison import ComparisonText, ModelRuns, compare_models
from inference.evaluation.report import ReportSettings
from inference.evaluation.results import DatasetResult

TEXT = ComparisonText(title="t", created="2026-01-15", trained_on_phantoms=True)


def compared(*models: ModelRuns, **options):
    return compare_models(TEXT, models, **({"settings": QUICK} | options))


def test_a_row_a_model_region_and_metric_and_the_first_has_no_difference():
    got = compared(ModelRuns("unet", [dataset()], 100, 0.5), ModelRuns("hybrid", [dataset(offset=0.1)], 300))
    assert len(got.rows) == 2 * 2 * 2
    assert got.row("unet", "tumour", "dice").difference is None
    better = got.row("hybrid", "tumour", "dice").difference
    assert (better.mean, better.n) == (pytest.approx(0.1), 6)
    assert better.low == pytest.approx(0.1)
    assert [(m.parameters, m.seconds_per_step, m.failures) for m in got.models] == [(100, 0.5, 1), (300, None, 1)]
    with pytest.raises(KeyError, match="unet, organ, assd_mm"):
        got.row("unet", "organ", "assd_mm")


def test_p_is_corrected_for_all_differences_of_the_table():
    got = compared(ModelRuns("a", [dataset()]), ModelRuns("b", [dataset(offset=0.1)]), ModelRuns("c", [dataset()]),
                   metrics=("dice",))
    differences = {(row.model, row.region): row.difference for row in got.rows if row.difference}
    assert len(differences) == 4
    steady = differences["b", "tumour"]
    assert (steady.p, steady.p_holm) == (pytest.approx(2 / 2**6), pytest.approx(4 * 2 / 2**6))
    assert (differences["c", "tumour"].p, differences["c", "tumour"].p_holm) == (1.0, 1.0)


def test_seeds_are_averaged_by_case_before_anything_else():
    got = compared(ModelRuns("a", [dataset()]), ModelRuns("b", [dataset(offset=0.0), dataset(offset=0.2)]))
    row = got.row("b", "tumour", "dice")
    assert (row.mean.n, got.models[1].seeds, got.models[1].failures) == (6, 2, 2)
    assert row.difference.mean == pytest.approx(0.1)


def lost(*distances: float) -> DatasetResult:
    return DatasetResult(name="x", headline="tumour", phantoms=False, scores=tuple(
        score(f"case-{n}", hd95_mm=mm) for n, mm in enumerate(distances)))


def test_infinite_distances_leave_the_pair_or_take_the_penalty():
    models = ModelRuns("a", [lost(4.0, 4.0, 4.0)]), ModelRuns("b", [lost(2.0, 3.0, np.inf)])
    plain = compared(*models, metrics=("hd95_mm",)).row("b", "tumour", "hd95_mm")
    assert (plain.mean.infinite, plain.difference.n, plain.difference.unpaired) == (1, 2, 1)
    assert plain.difference.mean == -1.5
    settings = ReportSettings(resampling=QUICK.resampling, penalty_mm=374)
    penal = compared(*models, metrics=("hd95_mm",), settings=settings)
    assert penal.row("b", "tumour", "hd95_mm").difference.mean == pytest.approx((-2 - 1 + 370) / 3)


@pytest.mark.parametrize(("models", "metrics", "word"), [
    ((ModelRuns("a", [dataset()]),), ("dice",), "two or more models"),
    ((ModelRuns("a", [dataset()]), ModelRuns("a", [dataset()])), ("dice",), "a name of its own"),
    ((ModelRuns("a", [dataset()]), ModelRuns("b", [])), ("dice",), "without any result"),
    ((ModelRuns("a", [dataset()]), ModelRuns("b", [dataset("others")])), ("dice",), "are not one data set"),
    ((ModelRuns("a", [dataset()]), ModelRuns("b", [dataset()])), ("kappa",), "no metric is called kappa"),
    ((ModelRuns("a", [dataset()]), ModelRuns("b", [dataset(), dataset(cases=5)])), ("dice",), "training 2"),
])
def test_what_cannot_be_compared_is_refused(models, metrics, word):
    with pytest.raises(Unscorable, match=word):
        compared(*models, metrics=metrics)
