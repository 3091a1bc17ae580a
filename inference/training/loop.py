"""The training loop: Adam, cosine annealing, half precision, early stopping (paper Table 4), resumable."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from inference.errors import Exhausted, ModelError
from inference.networks.planes import over_volumes
from inference.sliding import autocast
from inference.training import checkpoint
from inference.training.batches import Batches, Patch
from inference.training.cases import Case
from inference.training.config import TrainingSettings
from inference.training.distributed import World
from inference.training.history import Board, Judged
from inference.training.losses import HybridLoss, Logits
from inference.training.mining import HardPlaces
from inference.training.progress import progress
from inference.training.replay import Replay
from inference.training.start import begin
from inference.training.validation import validate

log = logging.getLogger(__name__)

WARM_UP_STEPS = 50
STEEPEST = 5.0  # norm of a step's gradients, at most

Weights = dict[str, torch.Tensor]


@dataclass
class Best:
    """The best validation so far: its score (mean Dice, or the loss negated), Dice by region, after which step."""

    score: float = -math.inf
    dice: dict[str, float] | None = None
    step: int = 0


class Trainer:
    """One run over cases in memory or on disk; `kept` is the checkpoint from which it goes on after an interruption."""

    def __init__(self, settings: TrainingSettings, training: Sequence[Case], validation: Sequence[Case], kept: Path,
                 world: World | None = None) -> None:
        torch.manual_seed(settings.seed)
        self.settings = settings
        self.training, self.validation = training, validation
        self.kept = kept
        self.world = world or World(device="cuda" if torch.cuda.is_available() else "cpu")
        self.device = self.world.device
        # Beside a GPU the CPU only makes patches, each in a thread of its own.
        torch.set_num_threads(1 if self.device.startswith("cuda") else settings.threads)
        channels = len(settings.recipe.channels), settings.output.channels
        self.network = settings.network.build(*channels, settings.dimensions).to(self.device)
        begin(self.network, settings)
        self.trained = self.world.wrapped(over_volumes(self.network))
        self.smoothed = _running_mean(self.network, settings.smoothing)
        self.judged = self.smoothed.module if self.smoothed else self.network  # what is validated and kept
        self.over_volumes = over_volumes(self.judged)
        self.optimizer = torch.optim.Adam(self.network.parameters(), settings.learning_rate)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, self._pace)
        self.scaler = torch.amp.GradScaler(enabled=_float16(self.device))
        self.loss = HybridLoss(settings.output, settings.entropy_weight, settings.dice_weight)
        self.hard, self.replay = HardPlaces(training, settings), Replay(training, settings)
        self.batches = Batches(settings, training, self.hard, self.replay, rank=self.world.rank, device=self.device)
        self.best = Best()
        self.best_weights: Weights = {}
        self.first_weights = copied(self.network) if settings.start else {}
        self.last_weights: Weights = {}
        self.step = 0
        self.history: list[Judged] = []
        self._lost: list[float] = []
        self._seconds: list[float] = []

    @property
    def seconds_per_step(self) -> float:
        """Median of the steps that this process made; 0 where it made none."""
        return float(np.median(self._seconds)) if self._seconds else 0.0

    def run(self, board: Board | None = None) -> Best:
        """Train to the end or until validation stands still; leaves the best weights in `network`.

        Exhausted where device memory does not suffice, ModelError where the loss is no number any more.
        """
        board = board or Board(None)
        self._resume()
        if not self.history and self.settings.start:
            self._judge(board)  # what comes must be better than this; its errors are the first hard places
        with self.batches, progress() as bars:
            bar = bars.add_task(self.settings.task, total=self.settings.steps, completed=self.step, note="")
            while self.step < self.settings.steps and not self._stands_still():
                began = time.perf_counter()
                self._lost.append(self._learn())
                self._seconds.append(time.perf_counter() - began)
                board.step(self.step, self._lost[-1], float(self.schedule.get_last_lr()[0]))
                note = f"loss {self._lost[-1]:.3f}  Dice {self.history[-1].mean_dice if self.history else 0:.3f}"
                bars.update(bar, advance=1, note=note)
                if self._is_judged(self.step):
                    self._judge(board)
        self.last_weights = copied(self.judged)
        for network in (self.network, self.judged):  # one and the same without `smoothing`
            network.load_state_dict(self.best_weights)
            network.eval()
        return self.best

    def _learn(self) -> float:
        """One step; the loss before it."""
        self.loss.entropy_weight = self._entropy_weight()
        self.trained.train()
        try:
            patches = self.batches.take(self.step)
            if not self._is_judged(self.step + 1):  # else what is found there decides where the next patches lie
                self.batches.begin(self.step + 1)
            image = torch.stack([patch.image for patch in patches]).contiguous(memory_format=torch.channels_last_3d)
            labels = torch.stack([patch.labels for patch in patches])
            with autocast(self.device):
                logits = self.trained(image)
            loss = self.loss(logits, labels)
            self.optimizer.zero_grad(set_to_none=True)
            self.scaler.scale(loss).backward()
        except torch.OutOfMemoryError as fault:
            patch = " x ".join(map(str, self.settings.patch))
            raise Exhausted(f"{self.device} has not enough memory for {self.settings.batch} patches of {patch} voxels: "
                            "lower `batch`, else `patch`, else the network's `widths`.") from fault
        self.scaler.unscale_(self.optimizer)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), STEEPEST)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.schedule.step()
        self.step += 1
        if self.smoothed:
            self.smoothed.update_parameters(self.network)
        self._remember(logits, patches)
        if not math.isfinite(value := float(loss.detach())):
            raise ModelError(f"the loss is {value} at step {self.step}: lower `learning_rate`.")
        return value

    def _remember(self, logits: Logits, patches: Sequence[Patch]) -> None:
        """Which places went wrong; one that went wrong for its implant would not show it again."""
        if not self.settings.replayed:
            return  # bringing the answers from the device takes as long as a step
        finest = (logits if isinstance(logits, torch.Tensor) else logits[0]).detach().float().cpu()
        for one, patch in zip(finest, patches, strict=True):
            if not patch.implanted:
                self.replay.learnt(patch.case, patch.place, one, patch.labels)

    def _is_judged(self, step: int) -> bool:
        """Whether the network is judged, and a checkpoint kept, after so many steps."""
        return step % self.settings.validate_every == 0 or step == self.settings.steps

    def _judge(self, board: Board) -> None:
        """Look at the validation cases, keep the weights if they are the best, look for hard places, keep it all."""
        if self.world.first:
            loss = float(np.mean(self._lost)) if self._lost else None
            found = validate(self.over_volumes, self.validation, self.settings, self.device, self.loss)
            point = Judged(self.step, loss, found.loss, found.dice)
            self.history.append(point)
            board.judged(point)
            log.info("step %d loss %s validation loss %.3f Dice %.3f %s", self.step,
                     "-" if loss is None else f"{loss:.3f}", found.loss, point.mean_dice,
                     " ".join(f"{name} {value:.3f}" for name, value in found.dice.items()))
            score = point.mean_dice if self.settings.watch == "dice" else -found.loss
            if score > self.best.score:
                self.best = Best(score, found.dice, self.step)
                self.best_weights = copied(self.judged)
            if self.step < self.settings.steps:  # what is found at the end would be of no use
                self.hard.mine(self.over_volumes, self.device)
            checkpoint.save(self.kept, self._state())
        self._lost = []
        own = (self.best, self.best_weights, self.hard.state(), self.replay.state())
        self.best, self.best_weights, hard, replay = self.world.decided(own)
        self.hard.restore(hard)
        self.replay.restore(replay)

    def _stands_still(self) -> bool:
        if self.step - self.best.step < self.settings.patience * self.settings.validate_every:
            return False
        log.info("validation stands still since step %d", self.best.step)
        return True

    def _state(self) -> dict[str, object]:
        return {"step": self.step, "network": self.network.state_dict(), "optimizer": self.optimizer.state_dict(),
                "schedule": self.schedule.state_dict(), "scaler": self.scaler.state_dict(), "best": asdict(self.best),
                "weights": self.best_weights, "hard": self.hard.state(), "replay": self.replay.state(),
                "smoothed": self.smoothed.state_dict() if self.smoothed else {},
                "history": [asdict(point) for point in self.history]}

    def _resume(self) -> None:
        if (state := checkpoint.load(self.kept)) is None:
            return
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.scaler.load_state_dict(state["scaler"])
        self.hard.restore(state["hard"])
        self.replay.restore(state["replay"])
        if self.smoothed:
            self.smoothed.load_state_dict(state["smoothed"])
        self.step, self.best, self.best_weights = state["step"], Best(**state["best"]), state["weights"]
        self.history = [Judged(**point) for point in state["history"]]
        log.info("going on at step %d", self.step)

    def _entropy_weight(self) -> float:
        """Goes evenly to its end: first learn what a lesion is, then what none is."""
        start, end = self.settings.entropy_weight, self.settings.entropy_weight_end
        return start if end is None else start + (end - start) * self.step / self.settings.steps

    def _pace(self, step: int) -> float:
        """Share of the learning rate: a short way up, then a cosine down to nothing."""
        warm_up = min(WARM_UP_STEPS, self.settings.steps // 10)
        if step < warm_up:
            return (step + 1) / warm_up
        return 0.5 * (1 + math.cos(math.pi * min(1.0, step / max(1, self.settings.steps))))


def copied(network: torch.nn.Module) -> Weights:
    """A network's weights as they are now."""
    return {name: value.cpu().clone() for name, value in network.state_dict().items()}


def _running_mean(network: torch.nn.Module, share: float) -> AveragedModel | None:
    """The exponential mean of the weights over the steps, less noisy than the last ones (Polyak & Juditsky 1992)."""
    return AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(share), use_buffers=True) if share else None


def _float16(device: str) -> bool:
    """Whether `autocast` computes in float16, whose small gradients vanish unless they are scaled up."""
    return device.startswith("cuda") and not torch.cuda.is_bf16_supported()
