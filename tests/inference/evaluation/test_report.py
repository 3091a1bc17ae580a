"""Means of a report, worked out again from its rows."""

from __future__ import annotations

import numpy as np
import pytest
from evaluated import QUICK, dataset, report, score

from inference.errors import Unscorable
from inference.evaluation.report import ReportSettings, ReportText, build_report, summarise
from inference.evaluation.results import METRICS, DatasetResult

TEXT = ReportText(title="t", model="m", created="2026-01-15", trained_on_phantoms=False)


def test_every_metric_of_every_region_has_its_mean_and_interval():
    made = report()
    assert [(s.dataset, s.region) for s in made.summaries] == [
        (name, region) for name in ("phantom livers", "real livers") for region in ("organ", "tumour")]
    tumour = made.summary("phantom livers", "tumour")
    assert set(tumour.metrics) == {metric.name for metric in METRICS}
    assert tumour.metrics["dice"].mean == pytest.approx(np.mean([0.5 + 0.06 * n for n in range(6)]))
    assert tumour.metrics["dice"].low < tumour.metrics["dice"].mean < tumour.metrics["dice"].high
    assert "lesion_dice" not in made.summary("phantom livers", "organ").metrics
    assert [s.region for s in made.headlines()] == ["tumour", "tumour"]


def test_volume_errors_do_not_cancel_out():
    both = DatasetResult(name="x", headline="tumour", phantoms=False,
                         scores=(score("a", volume_error=0.2), score("b", volume_error=-0.2)))
    assert summarise(both, "tumour", QUICK).metrics["volume_error"].mean == pytest.approx(0.2)


def test_infinite_distances_are_counted_or_take_the_penalty_but_volume_errors_take_none():
    lost = DatasetResult(name="x", headline="tumour", phantoms=False, scores=(
        score("a", hausdorff_mm=6.0), score("b", hausdorff_mm=np.inf, volume_error=np.inf, truth_ml=0.0)))
    plain = summarise(lost, "tumour", QUICK)
    assert (plain.metrics["hausdorff_mm"].mean, plain.metrics["hausdorff_mm"].infinite) == (6.0, 1)
    assert plain.without == 1
    penal = summarise(lost, "tumour", ReportSettings(resampling=QUICK.resampling, penalty_mm=374.0))
    assert (penal.metrics["hausdorff_mm"].mean, penal.metrics["hausdorff_mm"].infinite) == (190.0, 0)
    assert penal.metrics["volume_error"].infinite == 1


def test_lesions_of_all_cases_are_pooled_also_by_diameter():
    lesions = report().summary("phantom livers", "tumour").lesions
    assert (lesions.lesions, lesions.hits, lesions.found, lesions.false) == (12, 6, 12, 6)
    assert (lesions.sensitivity.mean, lesions.precision.mean, lesions.false_per_case.mean) == (0.5, 0.5, 1.0)
    assert [(band.band, band.lesions, band.hits) for band in lesions.bands] == [("3–6 mm", 6, 0), ("≥ 10 mm", 6, 6)]
    assert lesions.bands[0].dice == 0.0


@pytest.mark.parametrize(("trained", "data", "evaluated"), [(True, False, False), (False, True, True)])
def test_a_report_knows_what_was_synthetic(trained, data, evaluated):
    text = TEXT.model_copy(update={"trained_on_phantoms": trained})
    made = build_report(text, [dataset(phantoms=data, cases=2)], QUICK)
    assert (made.trained_on_phantoms, made.evaluated_on_phantoms) == (trained, evaluated)


def test_two_data_sets_of_one_name_are_refused():
    with pytest.raises(Unscorable, match="two data sets are called phantom livers"):
        build_report(TEXT, [dataset(cases=1), dataset(cases=1)])


def test_where_every_case_failed_there_is_no_mean():
    none = dataset(cases=0)
    made = build_report(TEXT, [none])
    assert made.summaries == made.headlines() == ()
    with pytest.raises(KeyError, match="phantom livers, tumour"):
        made.summary("phantom livers", "tumour")
