"""What a kind of model promises: settings that identify and load, and a loaded thing that segments."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal, NamedTuple, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, PlainSerializer

from inference.findings import Agreement, ModelIdentity
from inference.tasks.card import TaskCard
from inference.volume import Volume

T = TypeVar("T")
Report = Callable[[float, str], None]
Flips = Annotated[frozenset[Literal["x", "y", "z"]], PlainSerializer(sorted)]  # axes along which a model looks again


class Turn(Protocol):
    """Has a piece of work done when its turn at the device has come; what it gives, or raises."""

    def __call__(self, work: Callable[[], T], report: Report) -> T:
        """`report` is told where that takes waiting."""
        ...


def at_once(work: Callable[[], T], report: Report) -> T:
    """The turn of who has the device to himself."""
    del report
    return work()


@dataclass(frozen=True, eq=False)
class Segmented:
    """A model's answer: labels (z, y, x) of the task on the primary role's source grid, at full resolution.

    `probability` and `uncertainty` (entropy, 0..1), where a backend gives them, are float16 on the same grid.
    `agreement` is that of several passes or folds.
    """

    labels: NDArray[np.uint8]
    seconds: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    probability: NDArray[np.float16] | None = None
    uncertainty: NDArray[np.float16] | None = None
    agreement: Agreement | None = None


class LoadedBackend(Protocol):
    """A model that is ready to run on its device."""

    @property
    def identity(self) -> ModelIdentity:
        """Who it is."""
        ...

    @property
    def device(self) -> str:
        """Where it runs: "cpu", "cuda:0"…"""
        ...

    @property
    def judged(self) -> bool:
        """Whether the task looks at the voxels first and cleans the answer; commissioning models are exact instead."""
        ...

    def segment(self, inputs: Mapping[str, Volume], card: TaskCard, report: Report, turn: Turn = at_once) -> Segmented:
        """Segment volumes by role, on the device in its turn only; raises `Unfit` or `ModelError`."""
        ...


class Target(NamedTuple):
    """A finding that is asked about: its voxels, bool (z, y, x) on the primary role's source grid, and its label."""

    mask: NDArray[np.bool_]
    label: int


@runtime_checkable
class Explainable(Protocol):
    """A model whose network can be looked into."""

    def maps(self, inputs: Mapping[str, Volume], card: TaskCard, target: Target | None, report: Report,
             ) -> dict[str, NDArray[np.float16]]:
        """Maps by name, (z, y, x) and 0..1 on the primary role's source grid; raises `Unfit` or `ModelError`."""
        ...


class BackendSettings(BaseModel, ABC):
    """Settings of one kind; the fields are the YAML in models.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @abstractmethod
    def identity(self) -> ModelIdentity:
        """Who the model is, from its files and settings, without loading weights; `BundleBroken` where it cannot."""

    @abstractmethod
    def load(self, device: str) -> LoadedBackend:
        """Make the model ready on a device; raises `ModelError`."""
