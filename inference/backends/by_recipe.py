"""The way of a network that does not prepare its own inputs: prepared by a recipe, run in windows, read back."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from inference.answer import convinced, map_on_source, on_source
from inference.backends.base import Report, Segmented
from inference.errors import ModelError
from inference.explain.entropy import entropy
from inference.precision import Precision
from inference.prepare import prepare
from inference.recipe import Output, Recipe
from inference.volume import Volume

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Plan:
    """How a network is run: what it sees, what its channels mean, windows (z, y, x) in working voxels."""

    recipe: Recipe
    output: Output
    window: tuple[int, int, int]
    overlap: float
    batch: int = 0  # windows at once; 0: as many as usual on the device
    fixed: bool = False  # it takes no other window than this
    precision: Precision = "auto"


def segment_by_recipe(network: nn.Module, inputs: Mapping[str, Volume], plan: Plan, device: str,
                      report: Report) -> Segmented:
    """A network's answer on the primary role's source grid; ModelError where it has other channels than the plan."""
    from inference.sliding import Sliding, probabilities, slide

    clock = [time.perf_counter()]
    report(0.0, "prepare")
    prepared = prepare(dict(inputs), plan.recipe)
    clock.append(time.perf_counter())
    batch = plan.batch or (8 if device.startswith("cuda") else 2)
    sliding = Sliding(plan.window, plan.overlap, batch, device, precision=plan.precision, fixed=plan.fixed)
    logits = slide(network, prepared.array, prepared.foreground, sliding,
                   lambda done: report(0.3 + 0.65 * done, "network"))
    if logits.shape[0] != plan.output.channels:
        raise ModelError(f"The network answers with {logits.shape[0]} channels; its output names {plan.output.channels}"
                         f" ({plan.output.activation}: {', '.join(region.name for region in plan.output.regions)}).")
    chances = probabilities(logits, prepared.foreground, plan.output)
    clock.append(time.perf_counter())
    report(0.95, "back to the source grid")
    uncertainty = map_on_source(entropy(chances, plan.output), prepared)
    answer = on_source(convinced(chances, plan.output), prepared, plan.output)
    clock.append(time.perf_counter())
    seconds = dict(zip(("prepare", "network", "restore"), np.diff(clock).tolist(), strict=True))
    return Segmented(answer.labels, seconds, prepared.notes, answer.probability, uncertainty)
