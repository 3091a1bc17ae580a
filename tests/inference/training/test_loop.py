"""Training learns, keeps the best weights, goes on after an interruption, and stops when nothing gets better."""

from unittest.mock import Mock

import pytest
import torch

from inference.errors import Exhausted, ModelError
from inference.training.choosing import candidates, choose
from inference.training.export import export
from inference.training.history import Board
from inference.training.loop import Best
from inference.training.losses import HybridLoss
from inference.training.material import Material, gather
from inference.training.run import trained
from inference.training.validation import validate

NOTHING = Material([], [], "nothing")


def test_a_ball_is_learned(balls, settings, cache):
    chosen = choose(trained(settings(), material := gather(settings(), cache, workers=1), cache))
    assert chosen.best.score > 0.8
    assert chosen.best.dice == {"nodule": chosen.best.score}
    assert not chosen.network.training
    found = validate(chosen.network, material.validation, chosen.settings, "cpu", HybridLoss(chosen.settings.output))
    assert found.dice["nodule"] == pytest.approx(chosen.best.score)


class Interruption(Exception):
    """Somebody ended the process."""


class Interrupting(Board):
    """Ends the run in the middle of its fifth step."""

    def __init__(self):
        super().__init__(None)

    def step(self, step, loss, rate):
        if step == 5:
            raise Interruption


DROPPING = {"widths": [4, 8, 8], "transformer_layers": 1, "heads": 2, "dropout": 0.3}


COARSE, FINE = ({"widths": widths, "transformer_layers": 0, "dropout": 0} for widths in ([4, 8, 8], [4, 8]))
BY_WINDOWS = {  # their places are drawn; with a smaller patch oneDNN's gradients on a grid of 2 x 2 x 2 would vary
    "network": {"kind": "coarse_to_fine", "window": [8, 8, 8], "coarse": COARSE, "fine": FINE}, "patch": [24, 24, 24],
}


@pytest.mark.parametrize("changes", [
    {"network": DROPPING}, BY_WINDOWS, {"smoothing": 0.8, "replayed": 20, "hard_share": 0.5},
])  # fmt: skip
def test_an_interrupted_run_goes_on_to_the_same_end(trainer, changes):
    changes = {"steps": 8, "validate_every": 2, **changes}
    whole = trainer(**changes)
    whole.run()
    whole.kept.unlink()
    with pytest.raises(Interruption):
        trainer(**changes).run(Interrupting())
    second = trainer(**changes)
    second.run()
    assert second.step == 8
    assert second.history == whole.history
    assert torch.equal(second.replay.state(), whole.replay.state())
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, second.network.state_dict()[name]), name


def test_the_same_seed_gives_the_same_weights(trainer):
    runs = []
    for _ in range(2):
        runs.append(trainer(steps=3, validate_every=3))
        runs[-1].run()
        runs[-1].kept.unlink()
    for name, value in runs[0].network.state_dict().items():
        assert torch.equal(value, runs[1].network.state_dict()[name]), name


def test_means_of_good_weights_are_tried_and_the_best_stay(trainer):
    run = trainer(steps=6, validate_every=2, average=True)
    run.run()
    run.best.step = 2
    run.best_weights, run.first_weights = {k: v * 0 for k, v in run.last_weights.items()}, dict(run.last_weights)
    tried = {one.name: one.weights for one in candidates(run)}
    assert list(tried) == ["best", "last", "mean of best and last", "mean of first, best and last"]
    for name, value in run.last_weights.items():
        assert tried["mean of best and last"][name].dtype == value.dtype
        if value.is_floating_point():
            assert torch.allclose(tried["mean of first, best and last"][name], value * 2 / 3, atol=1e-6), name
    assert [one.step for one in candidates(run)] == [2, 6, 6, 6]
    zero = trainer(steps=6, validate_every=2)
    zero.best_weights = run.best_weights
    assert choose(run).best.score >= choose(zero).best.score


def test_the_last_weights_are_kept_where_that_is_wished(trainer):
    run = trainer(steps=4, validate_every=2, keep="last")
    run.run()
    run.best_weights = {name: value * 0 for name, value in run.last_weights.items()}
    chosen = choose(run)
    assert chosen.best.step == 4
    for name, value in run.last_weights.items():
        assert torch.equal(chosen.network.state_dict()[name], value), name


def test_with_smoothing_the_mean_of_the_weights_is_judged_and_kept(trainer):
    run = trainer(steps=6, validate_every=3, smoothing=0.9)
    drawn = {name: value.clone() for name, value in run.network.state_dict().items()}
    run._learn()
    for name, value in run.network.state_dict().items():
        if value.is_floating_point():  # the first step is taken as it is, the mean begins with it
            assert torch.equal(value, run.judged.state_dict()[name]), name
    first = {name: value.clone() for name, value in run.network.state_dict().items()}
    run._learn()
    for name, value in run.network.state_dict().items():
        if value.is_floating_point():
            assert torch.allclose(run.judged.state_dict()[name], 0.9 * first[name] + 0.1 * value, atol=1e-5), name
    run.run()
    assert all(torch.equal(value, run.judged.state_dict()[name]) for name, value in run.best_weights.items())
    assert any(not torch.equal(value, drawn[name]) for name, value in run.best_weights.items())


def test_the_loss_may_decide_instead_of_dice(trainer):
    run = trainer(steps=4, validate_every=2, watch="loss")
    best = run.run()
    assert best.score == -min(point.validation_loss for point in run.history)


def test_memory_that_does_not_suffice_is_told_with_what_to_lower(trainer, monkeypatch):
    run = trainer(steps=4)
    monkeypatch.setattr(run, "loss", Mock(side_effect=torch.OutOfMemoryError))
    with pytest.raises(Exhausted, match=r"2 patches of 16 x 16 x 16 voxels: lower `batch`"):
        run.run()


def test_a_loss_that_is_no_number_ends_the_run(trainer):
    with pytest.raises(ModelError, match="lower `learning_rate`"):
        trainer(steps=40, learning_rate=1e30).run()


def test_the_curves_are_told(trainer):
    run = trainer(steps=4, validate_every=2)
    run.run()
    assert [point.step for point in run.history] == [2, 4]
    assert all(point.training_loss > 0 and point.validation_loss > 0 for point in run.history)


@pytest.mark.parametrize("network", [
    {"kind": "hybrid", "widths": [4, 8], "transformer_layers": 1, "heads": 2, "deep_supervision": True},
    {"kind": "unet", "widths": [4, 8]},
    {"kind": "segresnet", "width": 8, "blocks": [1, 1]},
])  # fmt: skip
@pytest.mark.parametrize("dimensions", [2, 3])
def test_any_network_learns_in_two_dimensions_and_in_three(trainer, network, dimensions):
    patch = [1, 16, 16] if dimensions == 2 else [16, 16, 16]
    run = trainer(steps=4, validate_every=2, network=network, dimensions=dimensions, patch=patch)
    run.run()
    assert [point.step for point in run.history] == [2, 4]


def test_it_stops_when_validation_stands_still(trainer):
    run = trainer(steps=40, validate_every=2, patience=2, learning_rate=1e-12)
    best = run.run()
    assert run.step == best.step + 4


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


def test_what_it_began_with_stays_where_nothing_better_is_found(trainer, settings, tmp_path):
    first = trainer()
    first.run()
    export(settings(), first.network, Best(), tmp_path / "bundle", NOTHING)
    first.kept.unlink()
    second = trainer(start=tmp_path / "bundle", steps=2, validate_every=2, learning_rate=10.0)
    best = second.run()
    assert (best.step, second.step) == (0, 2)
    assert best.score == pytest.approx(first.best.score, abs=0.02)


def test_what_it_began_with_is_judged_once_however_soon_it_is_stopped(trainer, settings, tmp_path):
    """The look at the beginning says where the first hard places are, and where the next look goes on."""
    export(settings(), trainer().network, Best(), tmp_path / "bundle", NOTHING)
    changes = {"start": tmp_path / "bundle", "steps": 8, "validate_every": 8, "mined_cases": 2, "hard_share": 0.5}
    whole = trainer(**changes)
    whole.run()
    whole.kept.unlink()
    with pytest.raises(Interruption):
        trainer(**changes).run(Interrupting())
    second = trainer(**changes)
    second.run()
    assert [point.step for point in second.history] == [0, 8]
    assert second.history == whole.history
