"""Patches of a step: from where as often as asked, the same whenever they are made."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from inference.training.batches import Patch

HEALTHY_TOO = {"first_seed": 5, "count": 4, "validation_first_seed": 1, "validation_count": 1}
HEALTHY = {"first_seed": 7, "count": 2, "validation_first_seed": 1, "validation_count": 1}


def test_patches_come_from_healthy_and_hard_cases_as_often_as_asked(trainer):
    run = trainer(cases=HEALTHY_TOO, healthy_share=0.3, hard_share=0.5)
    batches = run.batches
    assert [case.seed for case in batches.healthy] == [7, 8]
    rng = np.random.default_rng(0)
    healthy = sum(batches._where(rng)[0].seed >= 7 for _ in range(300))
    assert 60 < healthy < 120
    run.hard.places = {0: np.array([[1, 2, 3]], np.int16)}
    run.hard._count()
    hard = sum(tuple(batches._where(rng)[1]) == (1, 2, 3) for _ in range(300))
    assert 120 < hard < 180
    run.replay.restore(torch.tensor([[1, 4, 5, 6]]))
    chosen = [tuple(batches._where(rng)[1]) for _ in range(400)]
    assert 70 < chosen.count((4, 5, 6)) < 130
    assert 70 < chosen.count((1, 2, 3)) < 130


def test_patches_get_implants_as_often_as_asked(trainer):
    solid = {"label": 1, "tissue_hu": [-950, -650], "densities": [{"weight": 1, "hu": [40, 40]}]}
    for share in (0.25, 1.0):
        with trainer(implants={**solid, "share": share}, cases=HEALTHY, batch=40).batches as batches:
            patches = batches.take(0)
        assert [bool((patch.labels > 0).any()) for patch in patches] == [patch.implanted for patch in patches]
        assert np.mean([patch.implanted for patch in patches]) == pytest.approx(share, abs=0.2)


def test_patches_are_the_same_whether_they_were_begun_before_or_not(trainer):
    with trainer(batch=3).batches as ahead:
        ahead.begin(1)
        first, second = ahead.take(0), ahead.take(1)
    with trainer(batch=3).batches as late:
        assert_same(second, late.take(1))
        assert_same(first, late.take(0))
    assert not torch.equal(first[0].image, second[0].image)


def test_where_patches_lie_is_decided_when_they_are_begun(trainer):
    run = trainer(hard_share=1.0)
    with run.batches as batches:
        batches.begin(0)
        run.hard.places = {0: np.array([[1, 2, 3]], np.int16)}
        run.hard._count()
        before, after = batches.take(0), batches.take(1)
    assert any(tuple(patch.place) != (1, 2, 3) for patch in before)
    assert {tuple(patch.place) for patch in after} == {(1, 2, 3)}


def test_each_process_of_a_run_has_patches_of_its_own(trainer):
    run = trainer()
    others = type(run.batches)(run.settings, run.training, run.hard, run.replay, rank=1)
    with run.batches as batches, others:
        assert not torch.equal(batches.take(0)[0].image, others.take(0)[0].image)


def test_how_a_patch_is_varied_does_not_follow_from_where_it_lies(trainer, monkeypatch):
    """Else a case would be turned and brightened the same way whenever it comes."""
    before, variations = [], []
    with trainer(batch=3).batches as batches:
        where = batches._where

        def remember(rng):
            before.append(rng.bit_generator.state["state"])
            return where(rng)

        monkeypatch.setattr(batches, "_where", remember)
        monkeypatch.setattr(batches, "_make", lambda *given: variations.append(given[-1].bit_generator.state["state"]))
        batches.take(0)
    assert len(variations) == 3
    assert [state for state in variations if state in before] == []


def assert_same(some: list[Patch], others: list[Patch]) -> None:
    for one, other in zip(some, others, strict=True):
        assert torch.equal(one.image, other.image)
        assert torch.equal(one.labels, other.labels)
        assert tuple(one.place) == tuple(other.place)
