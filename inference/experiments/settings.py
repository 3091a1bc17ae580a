"""Settings of a comparison: the fields are the keys of conf/training/compare*.yaml."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from inference.errors import ModelError
from inference.experiments.pool import check_parts
from inference.training.config import TrainingSettings, read_yaml

PART = frozenset({"task", "recipe", "output", "cases", "data", "split"})  # keys that say what cases are
WHOLE = frozenset({"start", "network", "recipe", "output"})  # keys that a variant does not change in part


class ExperimentSettings(BaseModel):
    """Several trainings that differ in what is named and in nothing else, judged on the same cases.

    `base` is a training configuration; each variant changes some of its keys (a mapping key by key, but `start`,
    `network`, `recipe` and `output` as a whole) and is trained once for each seed. `test_seeds` are phantoms that are
    never learnt from; a data set brings its own test cases. What is named by a path lies where `base` says.

    With a `pool` (by name, keys of `PART` that are other there than in `base`) a variant learns from the cases of all
    its parts in one training, or with the key `apart: true` from each part in a training of its own.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    base: Path
    seeds: tuple[int, ...] = Field(default=(0,), min_length=1)
    test_seeds: tuple[int, int] = (9000, 9019)  # first and last
    pool: dict[str, dict[str, Any]] = Field(default_factory=dict)
    variants: dict[str, dict[str, Any]] = Field(min_length=2)

    @model_validator(mode="after")
    def _names_are_file_names(self) -> ExperimentSettings:
        for name in self.variants:
            if not name or set(name) & set("/\\\0") or name.startswith("."):
                raise ValueError(f"a variant's name becomes a folder's; {name!r} cannot be one")
        return self

    @model_validator(mode="after")
    def _parts_differ_in_their_cases(self) -> ExperimentSettings:
        if len(self.pool) == 1 or "" in self.pool:
            raise ValueError("a pool has two or more parts, each with a name")
        for name, changes in self.pool.items():
            if foreign := sorted(set(changes) - PART):
                raise ValueError(f"part {name} says {', '.join(foreign)}: the parts of a pool differ in what their "
                                 f"cases are, by {', '.join(sorted(PART))}")
        return self

    @property
    def tested(self) -> range:
        """Seeds of the phantoms that are judged."""
        return range(self.test_seeds[0], self.test_seeds[1] + 1)


class Run(BaseModel):
    """One variant with one seed: its trainings, each by the name of the parts that it learns from.

    Without a pool that is one training of one part, named "".
    """

    model_config = ConfigDict(frozen=True)

    variant: str
    seed: int
    trainings: tuple[dict[str, TrainingSettings], ...]

    @property
    def settings(self) -> TrainingSettings:
        """Of its first training's first part: in all but its cases that of every other."""
        return next(iter(self.trainings[0].values()))

    @property
    def synthetic(self) -> bool:
        """Whether it learns from phantoms only."""
        return all(part.synthetic for training in self.trainings for part in training.values())


def load_experiment(path: Path) -> ExperimentSettings:
    """Settings from a YAML file; ModelError names every key that is wrong."""
    content = read_yaml(path)
    try:
        return ExperimentSettings.model_validate(content)
    except ValidationError as fault:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg']}" for e in fault.errors())
        raise ModelError(f"{path.name}: {wrong}") from fault


def runs(experiment: ExperimentSettings, beside: Path) -> Iterator[Run]:
    """Every training, the variants of one seed after one another; ModelError where a variant is no configuration."""
    file = beside / experiment.base
    base = read_yaml(file)
    for seed in experiment.seeds:
        for variant, changes in experiment.variants.items():
            try:
                made = _trainings(experiment, base, changes, seed)
            except (ValidationError, ModelError) as fault:
                raise ModelError(f"variant {variant} is no configuration: {fault}") from fault
            trainings = tuple({name: part.beside(file.parent) for name, part in parts.items()} for parts in made)
            yield Run(variant=variant, seed=seed, trainings=trainings)


def _trainings(experiment: ExperimentSettings, base: Mapping[str, Any], changes: Mapping[str, Any],
               seed: int) -> tuple[dict[str, TrainingSettings], ...]:
    """The trainings of a variant; ModelError where the parts of its pool do not fit together."""
    own = dict(changes)
    apart = bool(experiment.pool) and own.pop("apart", False)
    parts = {name: TrainingSettings.model_validate({**changed(changed(base, part), own), "seed": seed})
             for name, part in (experiment.pool or {"": {}}).items()}
    if experiment.pool:
        check_parts(parts)
    return tuple({name: part} for name, part in parts.items()) if apart else (parts,)


def changed(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration with changes: a mapping is changed key by key, those of `WHOLE` as a whole."""
    result = dict(base)
    for key, value in changes.items():
        whole = key in WHOLE or not isinstance(value, Mapping)
        result[key] = value if whole else {**(base.get(key) or {}), **value}
    return result
