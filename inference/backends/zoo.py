"""A bundle of the MONAI Model Zoo, or one like it, as it came: it prepares, runs and reads back by its own steps."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from inference.backends.base import Flips, Report, Segmented, Turn, at_once
from inference.backends.foreign import Foreign
from inference.backends.json_file import json_object
from inference.backends.manifest import Described, translated
from inference.backends.present import present
from inference.backends.zoo_boxes import found_boxes, painted
from inference.backends.zoo_image import answer_of
from inference.errors import BundleBroken, ModelError
from inference.findings import Agreement, ModelIdentity
from inference.recipe import Output, Region
from inference.stopwatch import Stopwatch
from inference.tasks.card import TaskCard
from inference.volume import Grid, Volume

if TYPE_CHECKING:
    from torch import nn

    from inference.backends.zoo_workflow import BundleWorkflow
    from inference.prepare import Prepared

METADATA = "configs/metadata.json"


class BoxAnswer(BaseModel):
    """How a detector's boxes are written: keys, frame, form, and from which score (0..1) a box is a finding."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    box_key: str = "box"
    label_key: str = "label"
    score_key: str = "label_scores"
    frame: Literal["LPS", "RAS"] = "LPS"
    form: Literal["cccwhd", "xyzxyz"] = "cccwhd"
    threshold: float = Field(default=0.5, ge=0, lt=1)


class Zoo(Foreign):
    """The bundle folder `path`, unmodified.

    With `flips` it also runs on its input run backwards along these axes, one by one and together (z from the feet, y
    from the front, x from the patient's right): its answer stays the same, and tells how well those agree with it.
    `labels` are the numbers of its answer by name, where its metadata does not tell them. With `boxes` it is a
    detector. `overrides` are settings of the bundle's own, by MONAI's ids.
    """

    runs_code: ClassVar[bool] = True

    kind: Literal["zoo"] = "zoo"
    config: str = ""
    mode: Literal["auto", "memory", "file"] = "auto"
    image_key: str = "image"
    answer_key: str = "pred"
    labels: dict[str, int] = Field(default_factory=dict)
    boxes: BoxAnswer | None = None
    spacing_mm: tuple[float, float, float] | None = None
    register_roles: bool = True
    flips: Flips = frozenset()
    clamp_hu: tuple[float, float] = (-1024.0, 3071.0)
    overrides: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _masks_agree(self) -> Zoo:
        if self.flips and self.boxes is not None:
            raise ValueError("flips tell how well masks agree, and boxes have none: leave out one of both")
        return self

    def describe(self) -> Described:
        metadata = _metadata(self.path)
        channels = _channel_def(metadata, "inputs", self.image_key)
        finds = self.labels or _channel_def(metadata, "outputs", self.answer_key)
        names = [name for name in (finds if isinstance(finds, dict) else ()) if name.casefold() != "background"]
        if not names:
            raise BundleBroken(f"The metadata of {self.path.name} does not name what the bundle finds: say under "
                               "labels which number of its answer is what.")
        return Described(name=str(metadata.get("name") or self.path.name), version=str(metadata.get("version", "")),
                         channels=tuple(channels) or (self.image_key,), finds=tuple(names))

    def load(self, device: str) -> LoadedZoo:
        identity = self.identity()  # before any of its code runs
        from inference.backends.zoo_workflow import BundleWorkflow

        workflow = BundleWorkflow(self.path.resolve(), device, self.config, self.mode, self.precision, self.image_key,
                                  self.overrides)
        return LoadedZoo(self, identity, workflow, device)


@dataclass(frozen=True, eq=False)
class LoadedZoo:
    """A bundle's workflow, ready to run."""

    settings: Zoo
    identity: ModelIdentity
    workflow: BundleWorkflow
    device: str
    judged: bool = True

    @property
    def network(self) -> nn.Module:
        """The bundle's network."""
        return self.workflow.network

    @cached_property
    def _described(self) -> Described:
        return self.settings.describe()

    @property
    def _told(self) -> dict[str, int]:
        """What the bundle's metadata says of its answer: names with their numbers."""
        return _channel_def(_metadata(self.settings.path), "outputs", self.settings.answer_key)

    @property
    def _numbers(self) -> dict[str, int]:
        """The number of each thing that it finds, by name."""
        return self.settings.labels or self._told

    def segment(self, inputs: Mapping[str, Volume], card: TaskCard, report: Report, turn: Turn = at_once) -> Segmented:
        return turn(lambda: self._segmented(inputs, card, report), report)  # the workflow remembers what it last saw

    def _segmented(self, inputs: Mapping[str, Volume], card: TaskCard, report: Report) -> Segmented:
        from inference.transforms.geometry import resample_labels

        settings = self.settings
        roles = settings.names.roles(self._described.channels, card)
        labels = settings.names.labels(self._described.finds, card)
        watch = Stopwatch()
        report(0.0, "prepare")
        with watch.time("prepare"):
            prepared = present(inputs, card, roles, register_roles=settings.register_roles,
                               spacing_mm=settings.spacing_mm)
            channels = np.stack([np.clip(array, *settings.clamp_hu) if inputs[role].units == "HU" else array
                                 for array, role in zip(prepared.array, roles, strict=True)])
        report(0.3, "network")
        with ExitStack() as running:
            with watch.time("network"):
                item, folder = running.enter_context(self.workflow.run(channels, prepared.grid))
            report(0.6 if settings.flips else 0.95, "back to the source grid")
            with watch.time("restore"):
                if settings.boxes is not None:
                    boxes = found_boxes(item, folder, settings.boxes)
                    answer, chances = painted(boxes, inputs[card.primary], _named(self._numbers, labels))
                    return Segmented(answer, watch.seconds, prepared.notes, chances)
                labelled, grid = self._labelled(item, prepared.grid, labels)
                unsure = self._unsure(prepared)
        with watch.time("network"):
            agreed = self._agreement(resample_labels(labelled, grid, prepared.grid), channels, prepared.grid, labels)
        answer = np.asarray(resample_labels(labelled, grid, prepared.source), dtype=np.uint8)
        return Segmented(answer, watch.seconds, prepared.notes, None, unsure, agreed)

    def _unsure(self, prepared: Prepared) -> NDArray[np.float16] | None:
        """The entropy of the network's answer on the source grid, where the bundle says what makes it probabilities."""
        from inference.answer import activated
        from inference.explain.entropy import entropy
        from inference.transforms.geometry import resample

        logits, activation = self.workflow.logits, self.workflow.activation
        if logits is None or activation is None:
            return None
        array, grid = answer_of(logits[0], prepared.grid)
        if activation == "softmax" and len(array) < 2:
            return None
        output = Output(activation=activation, regions=(Region(name="any", label=1, members=(1,)),))
        values = Volume(entropy(activated(array, output), output), grid)
        return np.asarray(np.clip(resample(values, prepared.source).array, 0, 1), dtype=np.float16)

    def _agreement(self, plain: NDArray[np.generic], channels: NDArray[np.float32], grid: Grid,
                   labels: Mapping[str, int]) -> Agreement | None:
        """How well the answer (z, y, x) on the grid agrees with those to the channels run backwards."""
        from inference.explain.members import agreement, flipped, flips
        from inference.transforms.geometry import resample_labels

        found = [[plain == label for label in labels.values()]]
        for axes in list(flips(sorted(self.settings.flips)))[1:]:
            with self.workflow.run(np.ascontiguousarray(flipped(channels, axes)), grid) as (item, _):
                labelled, own = self._labelled(item, grid, labels)
            back = flipped(resample_labels(labelled, own, grid), axes)
            found.append([back == label for label in labels.values()])
        return agreement(found, labels)

    def _labelled(self, item: Mapping[str, Any], shown: Grid,
                  labels: Mapping[str, int]) -> tuple[NDArray[np.uint8], Grid]:
        """Labels (z, y, x) from a map of numbers, or from a mask a channel, and the grid that they lie on."""
        key = self.settings.answer_key
        if key not in item:
            raise ModelError(f"Bundle {self.settings.path.name} gave no {key!r}; it gave {', '.join(map(str, item))}.")
        array, grid = answer_of(item[key], shown)
        told, numbers = self._told, self._numbers
        if len(array) > 1 or (len(numbers) == 1 and not self.settings.labels):
            return _masks(array, numbers, labels), grid
        if self.settings.labels or next(iter(told), "").casefold() == "background":
            named = {number: name for name, number in numbers.items() if number}
            return translated(np.rint(array[0]), named, labels), grid
        raise ModelError(f"Bundle {self.settings.path.name} answers with one map of numbers, and its metadata "
                         f"names the network's channels ({', '.join(told)}) instead: say under labels which "
                         "number of its answer is what.")


def _masks(array: NDArray[Any], numbers: Mapping[str, int], labels: Mapping[str, int]) -> NDArray[np.uint8]:
    """One mask a channel as labels; the smaller is written over the larger, for regions lie in one another."""
    if (most := max(numbers.values())) >= len(array):
        raise ModelError(f"The bundle answers with {len(array)} channels, and its names count up to {most}.")
    masks = [(array[number] > 0.5, labels[name]) for name, number in numbers.items() if name in labels]
    labelled = np.zeros(array.shape[1:], dtype=np.uint8)
    for mask, label in sorted(masks, key=lambda one: -np.count_nonzero(one[0])):
        labelled[mask] = label
    return labelled


def _named(numbers: Mapping[str, int], labels: Mapping[str, int]) -> dict[int, int]:
    """The task's label for each of the bundle's numbers."""
    return {number: labels[name] for name, number in numbers.items() if name in labels}


def _metadata(root: Path) -> dict[str, Any]:
    return json_object(root, METADATA, f"bundle {root.name}")


def _channel_def(metadata: Mapping[str, Any], side: str, key: str) -> dict[str, int]:
    """The names that metadata.json gives to channels, in their order, with their number; empty where it gives none."""
    try:
        named = metadata["network_data_format"][side][key].get("channel_def", {})
        return {str(named[number]): int(number) for number in sorted(named, key=int)}
    except (KeyError, AttributeError, TypeError, ValueError):
        return {}
