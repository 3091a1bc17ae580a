"""The curves of a run are kept for reports, and for TensorBoard where it is installed."""

import sys
from pathlib import Path

from inference.training.history import Board, Judged, read_curves, write_curves

POINTS = [Judged(0, None, 1.5, {"core": 0.2, "whole": 0.4}), Judged(10, 0.7, 0.9, {"core": 0.5, "whole": 0.7})]


def test_curves_come_back_as_they_were(tmp_path: Path) -> None:
    write_curves(POINTS, tmp_path / "curves.json")
    assert read_curves(tmp_path / "curves.json") == POINTS
    assert POINTS[1].mean_dice == 0.6


def test_tensorboard_gets_every_curve(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = Board(tmp_path)
    board.step(1, 0.8, 0.01)
    for point in POINTS:
        board.judged(point)
    seen = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert set(seen.Tags()["scalars"]) == {
        "loss/step", "learning rate", "loss/training", "loss/validation", "Dice/core", "Dice/whole",
    }  # fmt: skip
    assert [event.step for event in seen.Scalars("loss/validation")] == [0, 10]


def test_without_tensorboard_a_run_goes_on(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    board = Board(tmp_path)
    board.step(1, 0.8, 0.01)
    board.judged(POINTS[0])
    assert list(tmp_path.iterdir()) == []
