"""The way of a network that does not prepare its own inputs: prepared by a recipe, run in windows, read back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from inference.backends.base import Report, Segmented, Turn, at_once
from inference.errors import ModelError
from inference.precision import Precision
from inference.recipe import Output, Recipe
from inference.stopwatch import Stopwatch
from inference.tasks.card import TaskCard
from inference.volume import Volume

if TYPE_CHECKING:
    from torch import nn

    from inference.explain.members import Consensus
    from inference.findings import Agreement
    from inference.on_device import Answer
    from inference.prepare import Layout
    from inference.sliding import Sliding, Voxels

NO_ROOM = "The GPU's memory did not suffice: the volume was {} on the CPU."


@dataclass(frozen=True)
class Plan:
    """How a network is run: what it sees, what its channels mean, windows (z, y, x) in working voxels.

    `flips`: axes along which it also sees its input run backwards, one by one and together. `organ`: the name of what
    everything that it finds lies in; it then looks closely only there, in windows that lie as if it looked everywhere.
    """

    recipe: Recipe
    output: Output
    window: tuple[int, int, int]
    overlap: float
    batch: int = 0  # windows at once; 0: as many as usual on the device
    fixed: bool = False  # it takes no other window than this
    precision: Precision = "auto"
    flips: tuple[str, ...] = ()
    organ: str = ""

    def within(self, card: TaskCard) -> Plan:
        """The same for a task of which all that is found lies in one organ, where the network finds that organ."""
        organ = card.organ
        if organ is None or organ.label not in {region.label for region in self.output.regions if region.label}:
            return self
        return replace(self, organ=organ.name, recipe=self.recipe.model_copy(update={"roi": "all"}))

    def sliding(self, device: str) -> Sliding:
        """How windows are laid on a device."""
        from inference.sliding import Sliding

        batch = self.batch or (8 if device.startswith("cuda") else 2)
        return Sliding(self.window, self.overlap, batch, device, precision=self.precision, fixed=self.fixed)


def segment_by_recipe(network: nn.Module, inputs: Mapping[str, Volume], plan: Plan, device: str,
                      report: Report, turn: Turn = at_once) -> Segmented:
    """A network's answer on the primary role's source grid; ModelError where it has other channels than the plan.

    What the CPU does before and after waits for no turn; a device that does that itself does all of it in one.
    """
    from inference.explain.members import consensus
    from inference.on_device import serves
    from inference.prepare import lay

    watch, notes = Stopwatch(), dict[str, None]()
    report(0.0, "prepare")
    with watch.time("prepare"):
        layout = lay(inputs[plan.recipe.primary], plan.recipe)
    on = device if serves(device, plan.recipe) else ""

    def shown() -> Voxels:
        with watch.time("prepare"):
            return _shown(inputs, layout, plan.recipe, on, notes)

    def look(array: Voxels) -> Consensus:
        with watch.time("network"):
            return consensus(_members(network, array, layout, plan, device, report, notes), plan.output)

    def restored(found: Consensus) -> tuple[Answer, Agreement | None]:
        report(0.95, "back to the source grid")
        with watch.time("restore"):
            return _restored(found.mean, layout, plan.output, on, notes), found.agreement

    if on:
        answer, agreement = turn(lambda: restored(look(shown())), report)
    else:
        array = shown()
        answer, agreement = restored(turn(lambda: look(array), report))
    return Segmented(answer.found.labels, watch.seconds, tuple(notes), answer.found.probability, answer.uncertainty,
                     agreement)


def _shown(inputs: Mapping[str, Volume], layout: Layout, recipe: Recipe, on: str,
           notes: dict[str, None]) -> Voxels:
    """The channels, made on the device `on` where one is named and its memory suffices, else on the CPU.

    `notes` are added.
    """
    import torch

    from inference.on_device import channels
    from inference.prepare import prepare

    if on:
        try:
            return channels(inputs[recipe.primary], layout, recipe, on)
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            notes.setdefault(NO_ROOM.format("prepared"))
    prepared = prepare(dict(inputs), recipe, layout)
    notes.update(dict.fromkeys(prepared.notes))
    return prepared.array


def _restored(mean: NDArray[np.float32], layout: Layout, output: Output, on: str, notes: dict[str, None]) -> Answer:
    """The answer on the source grid; by whom as in `_shown`."""
    import torch

    from inference.answer import convinced, map_on_source, on_source
    from inference.explain.entropy import entropy
    from inference.on_device import Answer, answer

    if on:
        try:
            return answer(mean, layout, output, on)
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            notes.setdefault(NO_ROOM.format("brought back"))
    uncertainty = map_on_source(entropy(mean, output), layout)
    return Answer(on_source(convinced(mean, output), layout, output), uncertainty)


def _members(network: nn.Module, array: Voxels, layout: Layout, plan: Plan, device: str,
             report: Report, notes: dict[str, None]) -> Iterator[NDArray[np.float32]]:
    """Probabilities (channel, z, y, x) on the working grid, 0 outside the region, of each pass; `notes` are added."""
    import torch

    from inference.explain.members import flipped, flips
    from inference.narrow import Narrow
    from inference.sliding import probabilities, slide

    passes, sliding = list(flips(plan.flips)), plan.sliding(device)
    narrow = Narrow(plan.organ, plan.output, layout.grid, notes.setdefault) if plan.organ else None
    for number, axes in enumerate(passes):
        def told(done: float, before: int = number) -> None:
            report(0.3 + 0.65 * (before + done) / len(passes), "network")

        foreground = flipped(layout.foreground, axes)
        if isinstance(array, torch.Tensor):
            seen: Voxels = array.flip([axis + 1 for axis in axes])
        else:
            seen = flipped(array, axes)
        logits = slide(network, seen, foreground, sliding, told, narrow)
        if logits.shape[0] != plan.output.channels:
            regions = ", ".join(region.name for region in plan.output.regions)
            raise ModelError(f"The network answers with {logits.shape[0]} channels; its output names "
                             f"{plan.output.channels} ({plan.output.activation}: {regions}).")
        yield flipped(probabilities(logits, foreground, plan.output), axes)
