"""Weights are loaded once and stay; a changed model is another model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from inference.errors import BundleBroken
from inference.executors.residents import RESIDENT, Residents
from inference.request import Request


@pytest.fixture
def residents() -> Residents:
    return Residents("cpu")


def request_for(lower: float) -> Request:
    return Request("job", "liver_tumour", {}, {"kind": "threshold", "lower": lower, "upper": 500}, Path())


def test_the_same_settings_are_the_same_backend(residents: Residents) -> None:
    first = residents.backend(request_for(1))
    assert residents.backend(replace(request_for(1), job_id="another", task="lung_nodule")) is first


def test_other_settings_are_another_backend(residents: Residents) -> None:
    assert residents.backend(request_for(1)) is not residents.backend(request_for(2))


def test_the_one_not_used_for_longest_goes_first(residents: Residents) -> None:
    held = [residents.backend(request_for(lower)) for lower in range(RESIDENT)]
    assert residents.backend(request_for(0)) is held[0]
    residents.backend(request_for(RESIDENT))
    assert residents.backend(request_for(0)) is held[0]
    assert residents.backend(request_for(1)) is not held[1]


def test_cleared_they_are_loaded_anew(residents: Residents) -> None:
    first = residents.backend(request_for(1))
    residents.clear()
    assert residents.backend(request_for(1)) is not first


def test_wrong_settings_are_the_models_fault(residents: Residents) -> None:
    with pytest.raises(BundleBroken):
        residents.backend(replace(request_for(1), model={"kind": "threshold"}))
