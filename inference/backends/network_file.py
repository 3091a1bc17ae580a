"""A network in one file, of which models.yaml says what a bundle's card would: recipe, output, window, overlap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from inference.backends.base import Report, Segmented, Turn, at_once
from inference.backends.by_recipe import Plan, segment_by_recipe
from inference.backends.foreign import Foreign
from inference.backends.manifest import Described, Names
from inference.errors import BundleBroken
from inference.findings import ModelIdentity
from inference.recipe import Output, Recipe, Region
from inference.tasks.card import TaskCard
from inference.volume import Volume

if TYPE_CHECKING:
    from torch import nn


class NamedRegion(Region):
    """An output channel that is known by its name; a label, where one is said as well, must be that name's."""

    label: int = Field(default=0, ge=0, le=255)
    members: tuple[int, ...] = ()


class NamedOutput(BaseModel):
    """The network's channels in their order, as `inference.recipe.Output` has them, by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    activation: Literal["sigmoid", "softmax"]
    regions: tuple[NamedRegion, ...] = Field(min_length=1)

    def labelled(self, labels: Mapping[str, int]) -> Output:
        """The same with the labels of the task; BundleBroken where a region says another one."""
        regions = []
        for region in self.regions:
            label = labels.get(region.name, 0)
            if region.label not in (0, label):
                raise BundleBroken(f"Region {region.name!r} says label {region.label}; by its name it is {label}.")
            regions.append(Region.model_validate(region.model_dump() | {"label": label, "members": (label,)}))
        return Output(activation=self.activation, regions=tuple(regions))


class NetworkFile(Foreign):
    """What the kinds of one file have in common."""

    recipe: Recipe
    output: NamedOutput
    window: tuple[int, int, int]
    overlap: float = Field(default=0.25, ge=0, lt=1)
    batch: int = Field(default=0, ge=0)
    fixed: bool = False

    @model_validator(mode="after")
    def _names_roles_itself(self) -> NetworkFile:
        if self.inputs:
            raise ValueError("the channels of recipe name the task's roles themselves; inputs has nothing to map")
        return self

    def describe(self) -> Described:
        if not self.path.is_file():
            raise BundleBroken(f"There is no model at {self.path}.")
        finds = tuple(region.name for region in self.output.regions)
        return Described(name=self.path.stem, version=self.sha256.get(self.path.name, "")[:12],
                         channels=self.recipe.roles, finds=finds)

    def plan(self, card: TaskCard) -> Plan:
        """How it is run for a task; BundleBroken where a name is none of the task's."""
        Names(inputs={role: role for role in self.recipe.roles}, outputs=self.outputs).check_task(card)
        output = self.output.labelled(self.names.labels(self.describe().finds, card))
        return Plan(self.recipe, output, self.window, self.overlap, self.batch, self.fixed, self.precision)


@dataclass(frozen=True, eq=False)
class LoadedNetworkFile:
    """Such a network on its device."""

    settings: NetworkFile
    identity: ModelIdentity
    network: nn.Module
    device: str
    judged: bool = True

    def segment(self, inputs: Mapping[str, Volume], card: TaskCard, report: Report, turn: Turn = at_once) -> Segmented:
        plan = self.settings.plan(card).within(card)
        return segment_by_recipe(self.network, inputs, plan, self.device, report, turn)
