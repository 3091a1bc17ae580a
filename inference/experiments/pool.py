"""Cases of several tasks learnt from together: one region, told by one label, each part's cases as often as another's.

The parts of a pool are runs that differ only in what their cases are: MR and CT, say, with the tumours of each as the
one region. To the training loop a pool is a run of its first part over more cases; in validation they are cleaned as
the first part's task does it. A model is judged on a part as that part's own: by its recipe, labels and task.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from inference.errors import DataError, ModelError
from inference.evaluation.results import DatasetResult
from inference.recipe import Output, Region
from inference.training.cases import Case
from inference.training.config import TrainingSettings
from inference.training.material import Material, gather

Parts = Mapping[str, TrainingSettings]  # by name, in order


def check_parts(parts: Parts) -> None:
    """ModelError where no one network could learn from all parts, or from some otherwise than from others."""
    first = next(iter(parts.values()))
    for name, part in parts.items():
        if len(part.output.regions) != 1:
            raise ModelError(f"{name} of the pool has {len(part.output.regions)} regions in its output: a pool learns "
                             "one, which may have several labels as members")
        if part.epochs is not None or part.implants is not None:
            raise ModelError(f"{name} of the pool has `epochs` or `implants`: a pool is counted in `steps`, and its "
                             "labels are not those that an implant lies amid")
    for what, value in _shared(first).items():
        for name, part in parts.items():
            if (other := _shared(part)[what]) != value:
                raise ModelError(f"the parts of a pool share the {what}: {name} has {other}, the first part {value}")


def as_one(parts: Parts) -> TrainingSettings:
    """The run over all parts' cases: the first part's, its region known by the label that it writes."""
    first = next(iter(parts.values()))
    region = _region(first)
    return _with_region(first, region.model_copy(update={"members": (region.label,)}))


def as_part(chosen: TrainingSettings, part: TrainingSettings) -> TrainingSettings:
    """The part's settings with the threshold, peak and temperature that were chosen for the pool."""
    found = _region(chosen)
    return _with_region(part, _region(part).model_copy(update={
        "threshold": found.threshold, "peak": found.peak, "temperature": found.temperature}))


def gather_parts(parts: Parts, cache: Path, *, workers: int = 2, beside: Path = Path()) -> Material:
    """Every part's cases with the labels of `as_one`; its `split` is a digest of all that the parts are.

    Labels are held in memory, a byte a voxel. Errors as of `gather`; DataError too where no training case of a part
    has the region.
    """
    own = {name: gather(part, cache, workers=workers, beside=beside) for name, part in parts.items()}
    label = _region(next(iter(parts.values()))).label
    training, validation = [], []
    for name, part in parts.items():
        members = _region(part).members
        training.append([relabelled(case, members, label) for case in own[name].training])
        if not any(label in case.places for case in training[-1]):
            raise DataError(f"none of the {len(training[-1])} training cases of {name} has the {_region(part).name}: "
                            "give that part more cases, or other ones")
        validation += [relabelled(case, members, label) for case in own[name].validation]
    content = " ".join(f"{part.model_dump_json()} {own[name].split}" for name, part in parts.items())
    return Material(
        evenly(training, label), validation, "; ".join(f"{name}: {one.origin}" for name, one in own.items()),
        tuple(failure for one in own.values() for failure in one.failures),
        hashlib.sha256(content.encode()).hexdigest(),
    )


def relabelled(case: Case, members: Sequence[int], label: int) -> Case:
    """The case with `label` where it has one of `members`, 0 elsewhere; places to look at likewise."""
    labels = np.isin(case.labels, members).astype(np.uint8) * np.uint8(label)
    found = [case.places[member] for member in members if member in case.places]
    places = {0: case.places[0]} | ({label: np.concatenate(found)} if found else {})
    return replace(case, labels=labels, places=places)


def evenly(parts: Sequence[Sequence[Case]], label: int) -> list[Case]:
    """The parts' cases in turn, as often as it takes for each part to come as often as another.

    So it is among cases with `label` and among those without, for a run draws from either; where a part has none of a
    kind, all of that kind are the others'.
    """
    with_it = [[case for case in part if label in case.places] for part in parts]
    without = [[case for case in part if label not in case.places] for part in parts]
    return [*_in_turn(with_it), *_in_turn(without)]


def joined(results: Sequence[DatasetResult]) -> DatasetResult:
    """Results on several parts as one, each with regions of its own; one alone is as it was."""
    first, *others = results
    if not others:
        return first
    return DatasetResult(
        name="; ".join(one.name for one in results), headline=first.headline,
        phantoms=any(one.phantoms for one in results),
        scores=tuple(score for one in results for score in one.scores),
        failures=tuple(failure for one in results for failure in one.failures),
    )


def _in_turn(groups: Sequence[Sequence[Case]]) -> list[Case]:
    some = [group for group in groups if group]
    turns = math.lcm(*map(len, some)) if some else 0
    return [group[turn % len(group)] for turn in range(turns) for group in some]


def _region(settings: TrainingSettings) -> Region:
    return settings.output.regions[0]


def _with_region(settings: TrainingSettings, region: Region) -> TrainingSettings:
    output = Output(activation=settings.output.activation, regions=(region,))
    return settings.model_copy(update={"output": output})


def _shared(part: TrainingSettings) -> dict[str, object]:
    """What is the same in all parts, in words."""
    return {"region": _region(part).name, "activation": part.output.activation,
            "number of channels": len(part.recipe.channels), "spacing_mm": part.recipe.spacing_mm}
