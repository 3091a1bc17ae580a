"""Settings of a training run: the fields are the keys of conf/training/*.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from inference.errors import ModelError
from inference.recipe import Output, Recipe
from inference.tasks import TASKS

Window = tuple[int, int, int]


class NetworkSettings(BaseModel):
    """Arguments of `HybridUNetTransformer` beside its channels."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    widths: tuple[int, ...] = (8, 16, 32, 64, 128)
    transformer_layers: int = Field(default=2, ge=1)
    heads: int = Field(default=4, ge=1)
    dropout: float = Field(default=0.1, ge=0, lt=1)


class CaseSettings(BaseModel):
    """Which phantoms are drawn; the seeds of training and validation never meet."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    first_seed: int
    count: int = Field(ge=1)
    validation_first_seed: int
    validation_count: int = Field(ge=1)

    @property
    def training(self) -> range:
        """Seeds to learn from."""
        return range(self.first_seed, self.first_seed + self.count)

    @property
    def validation(self) -> range:
        """Seeds to choose the best weights by."""
        return range(self.validation_first_seed, self.validation_first_seed + self.validation_count)

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if set(self.training) & set(self.validation):
            raise ValueError("a phantom is used for training or for validation, not for both")
        return self


class AugmentSettings(BaseModel):
    """How a patch is varied (paper Table 2); 0 switches a variation off."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    flip_axes: tuple[int, ...] = ()  # 0 z, 1 y, 2 x
    deform_share: float = Field(default=0.3, ge=0, le=1)  # share of the patches that are turned and bent
    rotation_deg: float = Field(default=15.0, ge=0)
    scaling: float = Field(default=0.1, ge=0, lt=1)
    elastic_voxels: float = Field(default=2.0, ge=0)
    gain: float = Field(default=0.1, ge=0, lt=1)
    offset: float = Field(default=0.1, ge=0)
    gamma: float = Field(default=0.2, ge=0, lt=1)
    noise: float = Field(default=0.05, ge=0)


class TrainingSettings(BaseModel):
    """One training run, from phantoms to a bundle."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: str
    version: str
    title: str
    recipe: Recipe
    output: Output
    network: NetworkSettings = NetworkSettings()
    start: Path | None = None  # bundle whose weights training goes on from
    cases: CaseSettings
    augment: AugmentSettings = AugmentSettings()
    patch: Window = (64, 64, 64)
    batch: int = Field(default=2, ge=1)
    steps: int = Field(default=1200, ge=1)
    learning_rate: float = Field(default=2e-3, gt=0)
    entropy_weight: float = Field(default=1.0, gt=0)
    entropy_weight_end: float | None = Field(default=None, gt=0)
    lesion_share: float = Field(default=0.6, ge=0, le=1)
    healthy_share: float = Field(default=0.0, ge=0, le=1)
    hard_share: float = Field(default=0.0, ge=0, le=1)
    mined_cases: int = Field(default=0, ge=0)
    validate_every: int = Field(default=200, ge=1)
    patience: int = Field(default=5, ge=1)
    average: bool = False  # try means of the weights that were first, best and last
    seed: int = 0
    threads: int = Field(default=1, ge=1)
    window: Window = (96, 96, 96)
    overlap: float = Field(default=0.25, ge=0, lt=1)

    @model_validator(mode="after")
    def _fits_the_task(self) -> Self:
        if self.task not in TASKS:
            raise ValueError(f"task is one of {', '.join(TASKS)}, not {self.task}")
        card = TASKS[self.task]
        unknown = set(self.recipe.roles) - {role.name for role in card.roles}
        if unknown or self.recipe.primary != card.primary:
            raise ValueError(f"the recipe's roles are those of the task, its primary one is {card.primary}")
        divisor = 2 ** (len(self.network.widths) - 1)
        if any(size % divisor for size in (*self.patch, *self.window)):
            raise ValueError(f"patch and window are multiples of {divisor}, as the network has that many halvings")
        return self

    @property
    def network_arguments(self) -> dict[str, Any]:
        """Every argument of the network's constructor, as a bundle's configuration names them."""
        return {"in_channels": len(self.recipe.channels), "out_channels": self.output.channels,
                **self.network.model_dump(mode="json")}


def load_settings(path: Path) -> TrainingSettings:
    """Settings from a YAML file, `start` taken from where it lies; ModelError names every key that is wrong."""
    try:
        settings = TrainingSettings.model_validate(YAML(typ="safe").load(path.read_text()))
    except (OSError, YAMLError) as fault:
        raise ModelError(f"{path.name} cannot be read: {fault}") from fault
    except ValidationError as fault:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg']}" for e in fault.errors())
        raise ModelError(f"{path.name}: {wrong}") from fault
    if settings.start is None:
        return settings
    return settings.model_copy(update={"start": path.parent / settings.start})
