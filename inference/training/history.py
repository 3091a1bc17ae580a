"""The curves of a run: what was lost in training and on the validation cases, and how well those were found."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

LOG = "tensorboard"


@dataclass(frozen=True)
class Judged:
    """One look at the validation cases: after which step, mean loss of training since the last, loss, Dice by region.

    Before the first step there is no loss of training: None.
    """

    step: int
    training_loss: float | None
    validation_loss: float
    dice: dict[str, float]

    @property
    def mean_dice(self) -> float:
        """Mean of all regions."""
        return sum(self.dice.values()) / len(self.dice)


def write_curves(points: Sequence[Judged], path: Path) -> None:
    """The points as JSON, for reports (paper Figure 5)."""
    path.write_text(json.dumps([asdict(point) for point in points], indent=1) + "\n")


def read_curves(path: Path) -> list[Judged]:
    """The points of `write_curves`."""
    return [Judged(**point) for point in json.loads(path.read_text())]


class Board:
    """TensorBoard's log of a run, where the library is installed; else nothing."""

    def __init__(self, folder: Path | None) -> None:
        self._writer = None
        if folder is not None and (kind := _writer_class()) is not None:
            self._writer = kind(str(folder / LOG))

    def step(self, step: int, loss: float, rate: float) -> None:
        """One step of training."""
        if self._writer is not None:
            self._writer.add_scalar("loss/step", loss, step)
            self._writer.add_scalar("learning rate", rate, step)

    def judged(self, point: Judged) -> None:
        """One look at the validation cases."""
        if self._writer is None:
            return
        if point.training_loss is not None:
            self._writer.add_scalar("loss/training", point.training_loss, point.step)
        self._writer.add_scalar("loss/validation", point.validation_loss, point.step)
        for name, value in point.dice.items():
            self._writer.add_scalar(f"Dice/{name}", value, point.step)
        self._writer.flush()


def _writer_class() -> type[SummaryWriter] | None:
    """TensorBoard's writer; None where it is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter
