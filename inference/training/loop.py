"""The training loop: Adam, cosine annealing, half precision, early stopping (paper Table 4), resumable.

Patches are cut around lesions, anywhere, in cases without a lesion, and where the network of a moment ago was wrong,
each as often as the settings say.
"""

from __future__ import annotations

import hashlib
import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from inference.backends.bundle import build_network
from inference.backends.bundle_files import read_bundle
from inference.errors import ModelError
from inference.networks.hybrid_unet_transformer import HybridUNetTransformer
from inference.sliding import autocast
from inference.tasks import TASKS
from inference.training.augment import augment
from inference.training.calibration import tempered
from inference.training.cases import Case, choose_place, cut, draw_cases
from inference.training.config import TrainingSettings
from inference.training.losses import HybridLoss
from inference.training.mining import HardPlaces
from inference.training.validation import calibrate, chances_of, logits_of, look, mean_dice

log = logging.getLogger(__name__)

WARM_UP_STEPS = 50

Weights = dict[str, torch.Tensor]


@dataclass
class Best:
    """The best validation so far: mean Dice, Dice by region, at which step."""

    score: float = -1.0
    dice: dict[str, float] | None = None
    step: int = 0


class Trainer:
    """One run over cases in memory; `checkpoint` lets it go on after an interruption."""

    def __init__(self, settings: TrainingSettings, training: Sequence[Case], validation: Sequence[Case],
                 checkpoint: Path) -> None:
        torch.manual_seed(settings.seed)
        torch.set_num_threads(settings.threads)
        self.settings = settings
        self.training, self.validation = training, validation
        self.checkpoint = checkpoint
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        network = HybridUNetTransformer(**settings.network_arguments).to(self.device)
        if settings.start:
            network.load_state_dict(_start(settings.start, settings).state_dict())
        self.network = network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        self.optimizer = torch.optim.Adam(self.network.parameters(), settings.learning_rate)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, self._pace)
        self.loss = HybridLoss(settings.output, settings.entropy_weight)
        self.hard = HardPlaces(training, settings)
        lesions = set(TASKS[settings.task].lesions)
        self.healthy = [case for case in training if not lesions & set(case.places)]
        self.diseased = [case for case in training if lesions & set(case.places)]
        self.best = Best()
        self.best_weights: Weights = {}
        self.first_weights = _copied(self.network) if settings.start else {}
        self.last_weights: Weights = {}
        self.step = 0

    def run(self) -> Best:
        """Train to the end or until validation stands still; leaves the best weights in `network`."""
        self._resume()
        if self.step == 0 and self.settings.start:
            self._judge(math.nan)  # what comes must be better than this; its errors are the first hard places
        with _progress() as progress:
            bar = progress.add_task(self.settings.task, total=self.settings.steps, completed=self.step, note="")
            for loss in self._steps():
                progress.update(bar, advance=1, note=f"loss {loss:.3f}  Dice {max(self.best.score, 0):.3f}")
                if self.step % self.settings.validate_every == 0 or self.step == self.settings.steps:
                    self._judge(loss)
                    if self.step - self.best.step >= self.settings.patience * self.settings.validate_every:
                        log.info("validation stands still since step %d", self.best.step)
                        break
        self.last_weights = _copied(self.network)
        self.network.load_state_dict(self.best_weights)
        self.network.eval()
        return self.best

    def calibrate(self) -> Best:
        """Choose temperatures, thresholds and peaks by the validation cases, into `settings`; the scores into `best`.

        With `average` the weights as well, of those that were best and averages of them: the ones that do best then.
        """
        began, tried = self.settings, []
        for name, weights in self._averages():
            self.network.load_state_dict(weights)
            self.network.eval()
            logits = [logits_of(self.network, case, began, self.device).astype(np.float16) for case in self.validation]
            output = tempered(logits, self.validation, began.output)
            seen = [chances_of(logits.pop(0), case, output) for case in self.validation]  # no case is held twice
            output = calibrate(seen, self.validation, output)
            settings = began.model_copy(update={"output": output})
            found = mean_dice(seen, self.validation, settings)
            tried.append((float(np.mean(list(found.values()))), found, settings, weights))
            log.info("%s, calibrated: validation Dice %.3f %s", name, tried[-1][0],
                     " ".join(f"{r.name} above {r.threshold:g} with a peak of {r.peak:g}" for r in output.regions))
        score, found, self.settings, weights = max(tried, key=lambda one: one[0])
        self.network.load_state_dict(weights)
        self.best = replace(self.best, score=score, dice=found)
        return self.best

    def _averages(self) -> Iterator[tuple[str, Weights]]:
        """The best weights, and means of them with the last and the first: between good weights often lie better ones.

        Wortsman et al. 2022, "Model soups".
        """
        yield "best", self.best_weights
        if self.settings.average:
            if self.best.step != self.step:
                yield "mean of best and last", _mean([self.best_weights, self.last_weights])
            if self.first_weights:
                yield "mean of first, best and last", _mean([self.first_weights, self.best_weights, self.last_weights])

    def _steps(self) -> Iterator[float]:
        while self.step < self.settings.steps:
            self.loss.entropy_weight = self._entropy_weight()
            image, labels = self._batch(np.random.default_rng((self.settings.seed, self.step)))
            self.network.train()
            with autocast(self.device):
                logits = self.network(image)
            loss = self.loss(logits.float(), labels)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
            self.optimizer.step()
            self.schedule.step()
            self.step += 1
            yield float(loss.detach())

    def _batch(self, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        images, labels = [], []
        for _ in range(self.settings.batch):
            case, place = self._where(rng)
            image, label = cut(case, place + rng.integers(-8, 9, 3), self.settings.patch)
            varied = augment(torch.from_numpy(image), torch.from_numpy(label), self.settings.augment, rng)
            images.append(varied[0])
            labels.append(varied[1])
        image_batch = torch.stack(images).contiguous(memory_format=torch.channels_last_3d).to(self.device)
        return image_batch, torch.stack(labels).to(self.device)

    def _where(self, rng: np.random.Generator) -> tuple[Case, NDArray[np.int16]]:
        """The case of the next patch and the voxel around which it is cut."""
        if len(self.hard) and rng.random() < self.settings.hard_share:
            return self.hard.choose(rng)
        healthy = self.healthy and (not self.diseased or rng.random() < self.settings.healthy_share)
        cases = self.healthy if healthy else self.diseased
        case = cases[int(rng.integers(len(cases)))]
        return case, choose_place(case, self.settings.lesion_share, rng)

    def _judge(self, loss: float) -> None:
        found = validate(self.network, self.validation, self.settings, self.device)
        score = float(np.mean(list(found.values())))
        log.info("step %d loss %.3f validation Dice %.3f %s", self.step, loss, score,
                 " ".join(f"{name} {value:.3f}" for name, value in found.items()))
        if score > self.best.score:
            self.best = Best(score, found, self.step)
            self.best_weights = _copied(self.network)
        if self.step < self.settings.steps:  # what is found at the end would be of no use
            self.hard.mine(self.network, self.device)
        torch.save({"step": self.step, "network": self.network.state_dict(), "optimizer": self.optimizer.state_dict(),
                    "schedule": self.schedule.state_dict(), "best": vars(self.best), "weights": self.best_weights,
                    "hard": self.hard.state()},
                   self.checkpoint)

    def _resume(self) -> None:
        if not self.checkpoint.exists():
            return
        state = torch.load(self.checkpoint, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.hard.restore(state["hard"])
        self.step, self.best, self.best_weights = state["step"], Best(**state["best"]), state["weights"]
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
        return 0.5 * (1 + math.cos(math.pi * min(1.0, step / self.settings.steps)))


def _copied(network: torch.nn.Module) -> Weights:
    return {name: value.cpu().clone() for name, value in network.state_dict().items()}


def _mean(several: Sequence[Weights]) -> Weights:
    """Name by name; counters stay whole numbers."""
    first = several[0]
    return {name: torch.stack([one[name].float() for one in several]).mean(0).to(value.dtype)
            for name, value in first.items()}


def _start(bundle: Path, settings: TrainingSettings) -> torch.nn.Module:
    """The network of the bundle that training goes on from; ModelError where it is another one than is trained."""
    files = read_bundle(bundle)
    arguments = {key: value for key, value in files.network.items() if key != "_target_"}
    if files.card.task != settings.task or arguments != settings.network_arguments:
        raise ModelError(f"training cannot start from {files.root.name}: its task is {files.card.task} and its network "
                         f"{arguments}, the configuration says {settings.task} and {settings.network_arguments}")
    return build_network(files)


def validate(network: torch.nn.Module, cases: Sequence[Case], settings: TrainingSettings,
             device: str) -> dict[str, float]:
    """Mean Dice over whole cases for each region of the output, on the working grid."""
    seen = [look(network, case, settings, device) for case in cases]
    return mean_dice(seen, cases, settings)


def train(settings: TrainingSettings, cache: Path, *, workers: int = 2) -> tuple[Trainer, Best]:
    """Draw the cases, train, and return the trainer with its best weights; `cache` keeps cases and checkpoint."""
    training = _draw(settings, settings.cases.training, cache, workers)
    validation = _draw(settings, settings.cases.validation, cache, workers)
    run = hashlib.sha256(settings.model_dump_json().encode()).hexdigest()[:12]
    trainer = Trainer(settings, training, validation, cache / f"{settings.task}-{run}.pt")
    trainer.run()
    return trainer, trainer.calibrate()


def _draw(settings: TrainingSettings, seeds: range, cache: Path, workers: int) -> list[Case]:
    with _progress() as progress:
        bar = progress.add_task(f"{settings.task} phantoms", total=len(seeds), note="")

        def tell(done: int) -> None:
            progress.update(bar, completed=done)

        return draw_cases(settings.task, settings.recipe, seeds, cache, workers=workers, progress=tell)


def _progress() -> Progress:
    return Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
                    TextColumn("{task.fields[note]}"))
