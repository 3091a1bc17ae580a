"""Training learns, keeps the best weights, goes on after an interruption, and stops when nothing gets better."""

import numpy as np
import pytest
import torch

from inference.errors import ModelError
from inference.training.cases import draw_cases
from inference.training.export import export
from inference.training.loop import Best, Trainer, train, validate


@pytest.fixture
def trainer(balls, settings, cache):
    def make(**changes):
        chosen = settings(**changes)
        training = draw_cases(chosen.task, chosen.recipe, chosen.cases.training, cache, workers=1)
        validation = draw_cases(chosen.task, chosen.recipe, chosen.cases.validation, cache, workers=1)
        return Trainer(chosen, training, validation, cache / "run.pt")

    return make


def test_a_ball_is_learned(balls, settings, cache):
    trainer, best = train(settings(), cache, workers=1)
    assert best.score > 0.8
    assert best.dice == {"nodule": best.score}
    assert not trainer.network.training
    assert validate(trainer.network, trainer.validation, trainer.settings, "cpu")["nodule"] == pytest.approx(best.score)


def test_an_interrupted_run_goes_on_to_the_same_end(trainer, cache):
    whole = trainer(steps=8, validate_every=2)
    whole.run()
    (cache / "run.pt").unlink()
    first = trainer(steps=8, validate_every=2)
    steps = first._steps()
    for _ in range(4):
        loss = next(steps)
        if first.step % 2 == 0:
            first._judge(loss)
    second = trainer(steps=8, validate_every=2)
    second.run()
    assert second.step == 8
    for name, value in whole.network.state_dict().items():
        assert torch.allclose(value, second.network.state_dict()[name], atol=1e-5), name


def test_means_of_good_weights_are_tried_and_the_best_stay(trainer):
    run = trainer(steps=6, validate_every=2, average=True)
    run.run()
    run.best.step = 2
    run.best_weights, run.first_weights = {k: v * 0 for k, v in run.last_weights.items()}, dict(run.last_weights)
    tried = dict(run._averages())
    assert list(tried) == ["best", "mean of best and last", "mean of first, best and last"]
    for name, value in run.last_weights.items():
        assert tried["mean of best and last"][name].dtype == value.dtype
        if value.is_floating_point():
            assert torch.allclose(tried["mean of first, best and last"][name], value * 2 / 3, atol=1e-6), name
    best = run.calibrate()
    zero = trainer(steps=6, validate_every=2)
    zero.best_weights = run.best_weights
    assert best.score >= zero.calibrate().score


def test_it_stops_when_validation_stands_still(trainer):
    run = trainer(steps=40, validate_every=2, patience=2, learning_rate=1e-12)
    best = run.run()
    assert run.step == best.step + 4


def test_patches_come_from_healthy_and_hard_cases_as_often_as_asked(trainer):
    run = trainer(cases={"first_seed": 5, "count": 4, "validation_first_seed": 1, "validation_count": 1},
                  healthy_share=0.3, hard_share=0.5)
    assert [case.seed for case in run.healthy] == [7, 8]
    rng = np.random.default_rng(0)
    healthy = sum(run._where(rng)[0].seed >= 7 for _ in range(300))
    assert 60 < healthy < 120
    run.hard.places = {0: np.array([[1, 2, 3]], np.int16)}
    run.hard._count()
    hard = sum(tuple(run._where(rng)[1]) == (1, 2, 3) for _ in range(300))
    assert 120 < hard < 180


def test_the_learning_rate_rises_and_then_falls_along_a_cosine(trainer):
    pace = [trainer(steps=200)._pace(step) for step in (0, 10, 20, 110, 200)]
    assert pace[0] < pace[1] < pace[2]
    assert pace[2] > pace[3] > pace[4] == pytest.approx(0)


def test_the_weight_of_cross_entropy_goes_evenly_to_its_end(trainer):
    run = trainer(steps=10, entropy_weight=2.0, entropy_weight_end=12.0)
    weights = []
    for step in (0, 5, 10):
        run.step = step
        weights.append(run._entropy_weight())
    assert weights == [2.0, 7.0, 12.0]


def test_the_weight_of_cross_entropy_stays_where_no_end_is_given(trainer):
    run = trainer(steps=10, entropy_weight=2.0)
    run.step = 7
    assert run._entropy_weight() == 2.0


def test_training_goes_on_from_a_bundle(trainer, settings, tmp_path):
    first = trainer(seed=3)
    export(settings(), first.network, Best(), tmp_path / "bundle")
    second = trainer(start=tmp_path / "bundle")
    for name, value in first.network.state_dict().items():
        assert torch.allclose(value, second.network.state_dict()[name], atol=1e-3), name


def test_what_it_began_with_stays_where_nothing_better_is_found(trainer, settings, tmp_path):
    first = trainer()
    first.run()
    export(settings(), first.network, Best(), tmp_path / "bundle")
    first.checkpoint.unlink()
    second = trainer(start=tmp_path / "bundle", steps=2, validate_every=2, learning_rate=10.0)
    best = second.run()
    assert (best.step, second.step) == (0, 2)
    assert best.score == pytest.approx(first.best.score, abs=0.02)


def test_a_bundle_of_another_network_cannot_be_gone_on_from(trainer, settings, tmp_path):
    export(settings(), trainer().network, Best(), tmp_path / "bundle")
    wider = {"widths": [8, 16], "transformer_layers": 1, "heads": 2, "dropout": 0}
    with pytest.raises(ModelError, match="training cannot start from bundle"):
        trainer(start=tmp_path / "bundle", network=wider)
