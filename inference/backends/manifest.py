"""A model's own words for what goes in and what comes out, and the task's: mapped by name, never by position.

Data sets that look alike number alike things differently (the oedema of BraTS is 2 in one year's labels, 1 in
another's conversion), so that a number says nothing without the name that the model gives it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from inference.errors import BundleBroken, ModelError
from inference.tasks.card import TaskCard


class Described(BaseModel):
    """What a model's files say of it: name, version, input channels in their order, and what it finds, by name."""

    model_config = ConfigDict(frozen=True)

    name: str
    version: str
    channels: tuple[str, ...]
    finds: tuple[str, ...]


class Names(BaseModel):
    """From a model's words to the task's: `inputs` channel → role, `outputs` finding → structure.

    Empty where the model speaks as the task does, or where there is one channel and one role. What the model finds
    beyond `outputs` is left out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    inputs: dict[str, str] = Field(default_factory=dict)
    outputs: dict[str, str] = Field(default_factory=dict)

    def check_model(self, described: Described) -> None:
        """BundleBroken where a name is none of the model's, or one of its channels is not mapped."""
        told = f"Model {described.name}"
        for channel in self.inputs:
            _known(channel, described.channels, f"{told} has no input", "It has")
        for found in self.outputs:
            _known(found, described.finds, f"{told} does not find", "It finds")
        if self.inputs and (missing := [one for one in described.channels if one not in self.inputs]):
            raise BundleBroken(f"{told} needs {_listed(missing)} as well: say under inputs which role that is.")

    def check_task(self, card: TaskCard) -> None:
        """BundleBroken where a name is none of the task's."""
        for role in self.inputs.values():
            _known(role, [one.name for one in card.roles], f"Task {card.name} has no role", "It has")
        for structure in self.outputs.values():
            _known(structure, [one.name for one in card.structures], f"Task {card.name} has no structure", "It has")

    def roles(self, channels: Iterable[str], card: TaskCard) -> tuple[str, ...]:
        """The role that each of the model's channels shows, in the channels' order."""
        self.check_task(card)
        known, channels = [one.name for one in card.roles], tuple(channels)
        if not self.inputs and len(known) == len(channels) == 1:
            return (known[0],)
        return tuple(self.inputs.get(channel) or _alike(channel, known, "input", "inputs") for channel in channels)

    def labels(self, finds: Iterable[str], card: TaskCard) -> dict[str, int]:
        """The task's label for each thing that the model finds; without those that are left out."""
        self.check_task(card)
        numbers = {one.name: one.label for one in card.structures}
        if not self.outputs:
            return {name: numbers[_alike(name, list(numbers), "finding", "outputs")] for name in finds}
        return {name: numbers[self.outputs[name]] for name in finds if name in self.outputs}


def translated(answer: NDArray[np.generic], values: Mapping[int, str],
               labels: Mapping[str, int]) -> NDArray[np.uint8]:
    """A model's map of its own numbers as the task's labels; 0 for what is left out.

    `values` names the model's numbers but 0. ModelError where the map has a number without a name.
    """
    numbers = np.asarray(answer).astype(np.int64)
    table = np.zeros(max(int(numbers.max(initial=0)), *values, 0) + 1, dtype=np.uint8)
    present = {int(value) for value in np.unique(numbers)} - {0}
    if nameless := sorted(present - values.keys()):
        raise ModelError(f"The model answered with {', '.join(map(str, nameless))}, which none of its names stands "
                         f"for. It names {', '.join(f'{value}: {name}' for value, name in values.items())}.")
    for value, name in values.items():
        table[value] = labels.get(name, 0)
    return np.asarray(table[numbers])


def _known(name: str, there: Iterable[str], fault: str, otherwise: str) -> None:
    names = list(there)
    if name not in names:
        raise BundleBroken(f"{fault} {name!r}. {otherwise}: {_listed(names)}.")


def _alike(name: str, there: list[str], what: str, key: str) -> str:
    """The task's name that is the model's, but for capitals."""
    for one in there:
        if one.casefold() == name.casefold():
            return one
    raise BundleBroken(f"Which of {_listed(there)} is the model's {what} {name!r}? Say so under {key}.")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "nothing"
