"""Bad cases are counted with their reasons, or the first one ends the walk."""

from __future__ import annotations

from pathlib import Path

import pytest
from miniatures import write_data_set

from inference.errors import BadCase, Unfit
from inference.evaluation.results import Failure
from inference.training.datasets.base import CaseRef, LabelledCase
from inference.training.datasets.lits import Lits
from inference.training.datasets.walk import walk


@pytest.fixture
def data(tmp_path: Path) -> Lits:
    write_data_set("lits", tmp_path)
    (tmp_path / "Training Batch 2" / "segmentation-1.nii").unlink()
    return Lits(tmp_path)


def test_it_goes_on_and_says_what_failed(data: Lits) -> None:
    failures: list[Failure] = []
    seen = [case.case_id for case in walk(data.cases(), data.read, failures, strict=False)]
    assert seen == ["volume-0", "volume-2"]
    assert failures == [Failure(case="volume-1", reason="its truth segmentation-1.nii is missing.")]


def test_it_stops_at_the_first_where_it_is_strict(data: Lits) -> None:
    seen: list[str] = []
    with pytest.raises(BadCase, match="volume-1: its truth"):
        seen.extend(case.case_id for case in walk(data.cases(), data.read, [], strict=True))
    assert seen == ["volume-0"]


def test_it_goes_through_the_cases_that_it_is_given(data: Lits) -> None:
    failures: list[Failure] = []
    assert len(list(walk(data.cases()[::2], data.read, failures, strict=True))) == 2
    assert failures == []


def test_what_is_found_unfit_is_a_failure_too(data: Lits) -> None:
    def refuse(ref: CaseRef) -> LabelledCase:
        raise Unfit("no liver")

    failures: list[Failure] = []
    assert list(walk(data.cases()[:1], refuse, failures, strict=False)) == []
    assert failures == [Failure(case="volume-0", reason="no liver")]
    with pytest.raises(BadCase, match="volume-0: no liver"):
        list(walk(data.cases()[:1], refuse, [], strict=True))
