"""Several answers to one question, from flipped inputs or from several folds: their mean, and how well they agree.

Mean pairwise Dice of the members is a simple sign of a case that went wrong, and one of the best (Zenk et al. 2025,
arXiv 2406.03323). Flipped inputs are members where there is one network only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, combinations
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from inference.answer import convinced, decode, sound
from inference.evaluation.metrics import dice
from inference.findings import Agreement
from inference.recipe import Output

LITTLE = 0.8  # agreement below which a reader is asked to look with care; our own choice
AXES = {"z": 0, "y": 1, "x": 2}

Masks = list[NDArray[np.bool_]]
T = TypeVar("T", bound=np.generic)


class Consensus(NamedTuple):
    """Mean probabilities float32 (channel, z, y, x); how well the members agree, None where there is one only."""

    mean: NDArray[np.float32]
    agreement: Agreement | None


def consensus(members: Iterable[NDArray[np.float32]], output: Output) -> Consensus:
    """What members' probabilities (channel, z, y, x) say together; they are taken one by one. At least one.

    ModelError where a member's answer is no number.
    """
    members = map(sound, members)
    total = next(members)
    found: list[Masks] = []
    for member in members:
        if not found:
            found, total = [found_by(total, output)], total.copy()
        found.append(found_by(member, output))
        total += member
    if not found:
        return Consensus(total, None)
    total /= len(found)
    return Consensus(total, agreement(found, (region.name for region in output.regions if region.label)))


def agreement(found: Sequence[Masks], names: Iterable[str]) -> Agreement | None:
    """How well members agree, by what each found of the things that are named; None where there is one only."""
    if len(found) < 2:
        return None
    return Agreement(len(found), dict(zip(names, map(pairwise_dice, zip(*found, strict=True)), strict=True)))


def found_by(probabilities: NDArray[np.float32], output: Output) -> Masks:
    """Where a member by itself would find each region that has a label."""
    if output.activation == "softmax":
        labels = decode(probabilities, output)
        return [labels == region.label for region in output.regions if region.label]
    sure = convinced(probabilities, output)
    return [sure[channel] > region.threshold for channel, region in output.foreground()]


def pairwise_dice(masks: Iterable[NDArray[np.bool_]]) -> float:
    """Mean Dice over every pair of masks, 0..1; two empty ones agree."""
    return float(np.mean([dice(one, other) for one, other in combinations(masks, 2)]))


def flips(axes: Iterable[str]) -> Iterator[tuple[int, ...]]:
    """Every set of these axes ("z", "y", "x") as indices of (z, y, x), the empty one first: 2 ** n of them."""
    indices = [AXES[name] for name in axes]
    return chain.from_iterable(combinations(indices, count) for count in range(len(indices) + 1))


def flipped(array: NDArray[T], axes: tuple[int, ...]) -> NDArray[T]:
    """An array (…, z, y, x) run backwards along `axes` of (z, y, x); twice is as it was."""
    return np.flip(array, tuple(axis + array.ndim - 3 for axis in axes))


def in_words(agreement: Agreement) -> str:
    """A sentence for the report."""
    parts = ", ".join(f"{name} {value:.2f}" for name, value in agreement.dice.items())
    weak = [name for name, value in agreement.dice.items() if value < LITTLE]
    care = f" That is little for {', '.join(weak)}: look with care." if weak else ""
    return f"Agreement of {agreement.members} runs of the model (mean pairwise Dice, 1 at best): {parts}.{care}"
