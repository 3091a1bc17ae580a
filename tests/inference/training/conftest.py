"""A training run that takes seconds: bright balls in grey cubes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from inference.phantom import PhantomCase
from inference.training import cases
from inference.training.config import TrainingSettings
from inference.volume import Grid, Spacing, Volume, regular_affine

SIZE = 24


def ball_case(task: str, seed: int) -> PhantomCase:
    """One bright ball somewhere in a noisy cube, in HU; seeds 7 and above have none."""
    rng = np.random.default_rng(seed)
    places = np.moveaxis(np.indices((SIZE, SIZE, SIZE)), 0, -1)
    distance = np.linalg.norm(places - rng.uniform(8, 16, 3), axis=-1)
    truth = (distance < rng.uniform(4, 6)) & (seed < 7)
    array = np.where(truth, 100, -800) + rng.normal(0, 60, truth.shape)
    grid = Grid(truth.shape, regular_affine((0, 0, 0), np.eye(3)[:, ::-1], Spacing(2, 2, 2)))
    volume = Volume(array.astype(np.float32), grid, "HU")
    return PhantomCase(task, seed, "CT", {"CT": volume}, truth.astype(np.uint8), (), {})


@pytest.fixture
def balls(monkeypatch) -> list[int]:
    """Draws balls instead of chests; the list fills with the seeds that were drawn."""
    drawn = []

    def make(task: str, seed: int) -> PhantomCase:
        drawn.append(seed)
        return ball_case(task, seed)

    monkeypatch.setattr(cases, "make_case", make)
    return drawn


@pytest.fixture
def settings() -> Callable[..., TrainingSettings]:
    """Settings of a tiny run; keywords change them."""

    def make(**changes) -> TrainingSettings:
        return TrainingSettings.model_validate({
            "task": "lung_nodule", "title": "Balls", "version": "0.0.1",
            "recipe": {"primary": "CT", "channels": [{"role": "CT", "scale": "window", "low": -1000, "high": 400}],
                       "spacing_mm": [2, 2, 2]},
            "output": {"activation": "sigmoid", "regions": [{"name": "nodule", "label": 1, "members": [1]}]},
            "network": {"widths": [4, 8], "transformer_layers": 1, "heads": 2, "dropout": 0},
            "cases": {"first_seed": 1, "count": 3, "validation_first_seed": 5, "validation_count": 1},
            "augment": {"flip_axes": [0, 1, 2], "deform_share": 0},
            "patch": [16, 16, 16], "window": [24, 24, 24], "batch": 2, "steps": 60, "validate_every": 20,
            "learning_rate": 0.01,
        } | changes)

    return make


@pytest.fixture
def cache(tmp_path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def trainer(balls, settings, cache):
    """A tiny run that has not begun; keywords change its settings."""
    from inference.training.loop import Trainer  # loads torch, which most tests here can do without

    def make(**changes) -> Trainer:
        chosen = settings(**changes)
        training = cases.draw_cases(chosen.task, chosen.recipe, chosen.cases.training, cache, workers=1)
        validation = cases.draw_cases(chosen.task, chosen.recipe, chosen.cases.validation, cache, workers=1)
        return Trainer(chosen, training, validation, cache / "run.pt")

    return make
