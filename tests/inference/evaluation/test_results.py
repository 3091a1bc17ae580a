"""Rows of an evaluation."""

from __future__ import annotations

import pytest
from evaluated import dataset, organ, score
from pydantic import ValidationError

from inference.errors import Unscorable
from inference.evaluation.record import Record
from inference.evaluation.results import METRICS, DatasetResult, RegionScore


def test_every_metric_is_a_field_of_a_row():
    assert {metric.name for metric in METRICS} <= set(RegionScore.model_fields)


def test_values_of_a_metric_by_case_and_none_where_it_was_not_measured():
    result = dataset(cases=2)
    assert result.values("tumour", "dice") == {"case-0": 0.5, "case-1": 0.56}
    assert result.values("organ", "lesion_dice") == {}
    assert (result.cases, result.regions) == (("case-0", "case-1"), ("organ", "tumour"))


def test_a_case_stands_once():
    with pytest.raises(Unscorable, match=r"case a stands twice in x \(organ\)"):
        DatasetResult(name="x", headline="organ", phantoms=False, scores=(organ("a"), organ("a")))


def test_figures_are_frozen_closed_and_the_same_after_json():
    row = score("a", hausdorff_mm=float("inf"))
    assert RegionScore.model_validate_json(row.model_dump_json()) == row
    assert '"hausdorff_mm":"Infinity"' in row.model_dump_json()
    with pytest.raises(ValidationError):
        row.dice = 1.0
    with pytest.raises(ValidationError):
        RegionScore.model_validate(row.model_dump() | {"kappa": 1.0})
    assert issubclass(RegionScore, Record)
