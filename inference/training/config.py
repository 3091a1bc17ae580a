"""Settings of a training run: the fields are the keys of conf/training/*.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from inference.errors import ModelError
from inference.networks.registry import AnyNetwork, CoarseToFine, Hybrid
from inference.phantom import VARIANTS
from inference.recipe import Output, Recipe
from inference.tasks import TASKS
from inference.training.cases import Window
from inference.training.datasets import AnyDataSet
from inference.training.implants import ImplantSettings


def _for_all_of_it(start: Any) -> Any:
    return {"": start} if isinstance(start, str | Path) else start


# A bundle by the part of the network that it is for; one alone is for all of it, which is "".
Start = Annotated[dict[str, Path], BeforeValidator(_for_all_of_it)]


class Seeds(BaseModel):
    """So many seeds from a first one on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    first_seed: int
    count: int = Field(ge=1)

    @property
    def all(self) -> range:
        """Each of them."""
        return range(self.first_seed, self.first_seed + self.count)


class CaseSettings(Seeds):
    """Which phantoms are drawn, to learn from unless it says validation; the two never meet."""

    count: int = Field(ge=0)  # none where a run has no steps
    validation_first_seed: int
    validation_count: int = Field(ge=1)
    variants: dict[str, Seeds] = {}  # more to learn from, by the name of the variant
    validation_variants: dict[str, Seeds] = {}

    @property
    def training(self) -> range:
        """Seeds to learn from."""
        return self.all

    @property
    def validation(self) -> range:
        """Seeds to choose the best weights by."""
        return Seeds(first_seed=self.validation_first_seed, count=self.validation_count).all

    @model_validator(mode="after")
    def _apart(self) -> Self:
        shared = [{*seeds.all} & {*self.validation_variants[name].all} for name, seeds in self.variants.items()
                  if name in self.validation_variants]
        if any(shared) or {*self.training} & {*self.validation}:
            raise ValueError("a phantom is used for training or for validation, not for both")
        return self


class SplitSettings(BaseModel):
    """Which cases of a data set are learnt from (paper III-A, III-E): 70/15/15, or a turn of five-fold validation.

    The split lies in `file` and is drawn by `seed` where that is not there yet. `fold`: the one that is tested.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: Path
    seed: int = 0
    fold: int | None = Field(default=None, ge=0, le=4)
    published: bool = False  # the folds that the data set publishes (LUNA16)


class AugmentSettings(BaseModel):
    """How a patch is varied (paper Table 2); 0 switches a variation off."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    flip_axes: tuple[int, ...] = ()  # 0 z, 1 y, 2 x
    deform_share: float = Field(default=0.3, ge=0, le=1)  # share of the patches that are turned and bent
    rotation_deg: float = Field(default=15.0, ge=0)
    scaling: float = Field(default=0.1, ge=0, lt=1)
    elastic_voxels: float = Field(default=2.0, ge=0)
    blur_share: float = Field(default=0.0, ge=0, le=1)  # share of the patches that are shown at a lower resolution
    blur_factor: float = Field(default=2.0, ge=1)  # by which their voxels are larger, at most
    gain: float = Field(default=0.1, ge=0, lt=1)
    offset: float = Field(default=0.1, ge=0)
    gamma: float = Field(default=0.2, ge=0, lt=1)
    noise: float = Field(default=0.05, ge=0)
    label_offset: float = Field(default=0.0, ge=0)  # brightness of each label's tissue in each channel, at most


class TrainingSettings(BaseModel):
    """One training run, from phantoms or a data set to a bundle.

    `cases` are phantoms by their seeds, `data` with `split` a data set in its published layout: one of the two. With
    `epochs`, `steps` and `validate_every` follow from how many cases there are.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: str
    version: str
    title: str
    recipe: Recipe
    output: Output
    dimensions: Literal[2, 3] = 3
    network: AnyNetwork = Hybrid()
    start: Start = {}  # bundles whose weights training goes on from
    cases: CaseSettings | None = None
    data: AnyDataSet | None = None
    split: SplitSettings | None = None
    strict: bool = False  # stop at the first case that cannot be used
    augment: AugmentSettings = AugmentSettings()
    implants: ImplantSettings | None = None  # lesions put into patches of CT
    patch: Window = (64, 64, 64)
    batch: int = Field(default=2, ge=1)
    epochs: int | None = Field(default=None, ge=1)
    patches_per_case: int = Field(default=8, ge=1)  # of an epoch
    steps: int = Field(default=1200, ge=0)  # 0: weights stay as they are, only thresholds are chosen
    learning_rate: float = Field(default=2e-3, gt=0)
    entropy_weight: float = Field(default=1.0, ge=0)
    entropy_weight_end: float | None = Field(default=None, ge=0)
    dice_weight: float = Field(default=1.0, ge=0)
    lesion_share: float = Field(default=0.6, ge=0, le=1)
    healthy_share: float = Field(default=0.0, ge=0, le=1)
    hard_share: float = Field(default=0.0, ge=0, le=1)
    mined_cases: int = Field(default=0, ge=0)
    replayed: int = Field(default=0, ge=0)  # places of wrong patches that are shown again
    validate_every: int = Field(default=200, ge=1)
    patience: int = Field(default=5, ge=1)
    watch: Literal["dice", "loss"] = "dice"  # what of the validation cases decides
    smoothing: float = Field(default=0.0, ge=0, lt=1)  # share of the weights' running mean that a step keeps
    keep: Literal["best", "last"] = "best"  # which weights a run leaves; the last whether or not they were the best
    average: bool = False  # try means of the weights that were first, best and last
    given_for_recall: dict[str, Annotated[float, Field(ge=0)]] = {}  # Dice, by region, for a lower threshold
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
        if strange := set(self.given_for_recall) - {region.name for region in self.output.regions}:
            raise ValueError(f"given_for_recall names {', '.join(sorted(strange))}, which the output lacks")
        if self.implants and any(channel.scale != "window" for channel in self.recipe.channels):
            raise ValueError("implants have densities in HU: every channel has to be a window")
        asked = {*self.cases.variants, *self.cases.validation_variants} if self.cases else set()
        if strange := asked - set(there := VARIANTS.get(self.task, {})):
            raise ValueError(f"{', '.join(sorted(strange))} is no variant of {self.task}, which has "
                             f"{', '.join(there) or 'none'}")
        divisor = self.network.divisor
        if any(size % divisor for window in (self.patch, self.window) for size in window[3 - self.dimensions:]):
            raise ValueError(f"patch and window are multiples of {divisor}, as the network halves its grid")
        if isinstance(self.network, CoarseToFine) and self.network.window:
            if any(inner > outer for inner, outer in zip(self.network.window, self.patch, strict=True)):
                raise ValueError(f"the network's window {self.network.window} is larger than the patch {self.patch}")
            if self.replayed:
                raise ValueError("`replayed` needs answers of whole patches, which the network's `window` takes away")
        return self

    @model_validator(mode="after")
    def _learns_from_something(self) -> Self:
        if (self.cases is None) == (self.data is None):
            raise ValueError("a run learns from phantoms (`cases`) or from a data set (`data`)")
        if (self.data is None) != (self.split is None):
            raise ValueError("`data` needs a `split`, and phantoms have none")
        if self.data is not None and self.data.answers != self.task:
            raise ValueError(f"{self.data.kind} has cases of {self.data.answers}, not of {self.task}")
        if self.cases and self.steps and not self.cases.count:
            raise ValueError("steps need cases to learn from: `count` is 0")
        if not self.entropy_weight and not self.dice_weight and not self.entropy_weight_end:
            raise ValueError("the loss is cross entropy, Dice or both; both weights are 0")
        return self

    @property
    def network_definition(self) -> dict[str, Any]:
        """The network as a bundle's configuration names it."""
        return self.network.definition(len(self.recipe.channels), self.output.channels, self.dimensions)

    @property
    def synthetic(self) -> bool:
        """Whether it learns from phantoms only."""
        return self.data is None or self.data.kind == "phantoms"

    def beside(self, folder: Path) -> TrainingSettings:
        """The same run; weights that it names by a path that is not absolute are taken from `folder`."""
        changes: dict[str, Any] = {"start": {part: folder / bundle for part, bundle in self.start.items()}}
        if pretrained := getattr(self.network, "pretrained", None):
            changes["network"] = self.network.model_copy(update={"pretrained": folder / pretrained})
        return self.model_copy(update=changes)

    def in_steps(self, cases: int) -> TrainingSettings:
        """The same run counted in steps: an epoch shows `patches_per_case` patches of each of so many cases."""
        if self.epochs is None:
            return self
        epoch = max(1, cases * self.patches_per_case // self.batch)
        return self.model_copy(update={"epochs": None, "steps": epoch * self.epochs, "validate_every": epoch})


def read_yaml(path: Path) -> Any:
    """What a YAML file in UTF-8 says; ModelError where it cannot be read."""
    try:
        return YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as fault:
        raise ModelError(f"{path.name} cannot be read: it is not written in UTF-8 (byte {fault.start})") from fault
    except (OSError, YAMLError) as fault:
        raise ModelError(f"{path.name} cannot be read: {fault}") from fault


def load_settings(path: Path) -> TrainingSettings:
    """Settings from a YAML file, weights taken from where it lies; ModelError names every key that is wrong."""
    content = read_yaml(path)
    try:
        settings = TrainingSettings.model_validate(content)
    except ValidationError as fault:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg']}" for e in fault.errors())
        raise ModelError(f"{path.name}: {wrong}") from fault
    return settings.beside(path.parent)
