"""A model that nnU-Net v2 trained: prepared and run by nnU-Net itself, read back by this program.

Of nnU-Net's own way one step is done otherwise: its logits are not brought to the full resolution by scikit-image,
which often takes longer than the network, but slice by slice where something was found. And each fold is asked by
itself, or each flip where there is one fold, so that the answer says how well they agree.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from inspect import signature
from itertools import combinations
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from inference.backends.base import Report, Segmented, Turn, at_once
from inference.backends.foreign import Foreign
from inference.backends.manifest import Described
from inference.backends.nnunet_folder import (
    ModelFolder,
    build_network,
    managers,
    read_checkpoint,
    read_folder,
)
from inference.backends.pins import digest_of
from inference.backends.present import present
from inference.engine import Engine, engaged, of_torch
from inference.errors import BundleBroken, Exhausted, ModelError
from inference.findings import Agreement, ModelIdentity
from inference.precision import compute_in
from inference.recipe import Output, Region
from inference.stopwatch import Stopwatch
from inference.tasks.card import TaskCard
from inference.volume import Grid, Volume

if TYPE_CHECKING:
    import torch
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
    from torch import nn

    from inference.explain.members import Masks
    from inference.prepare import Prepared

Weights = dict[str, Any]
T = TypeVar("T", bound=np.generic)

Lay = Literal["LPS", "RPS", "LAS", "RAS", "LPI", "RPI", "LAI", "RAI"]  # where x, y, z run to
RAS_READERS = ("NibabelIOWithReorient", "SimpleITKIOWithReorient")  # turn what they read
SECOND_STAGE = ("{} is the second stage of a cascade, which is not run here; take a configuration that stands alone "
                "(3d_fullres, 3d_lowres, 2d).")


class NnUNet(Foreign):
    """The trained-model folder `path` (TRAINER__PLANS__CONFIGURATION, with plans.json in it).

    `folds` are averaged; all that are there where none is named. `mirror` averages over every flip that the training
    allowed. `orientation` is how the training images lay in memory, which only some readers decide: those of BraTS are
    LPS (x to the left, y to the back, z to the head), what dcm2niix writes of axial slices is LAS, images made
    canonical by nibabel are RAS.
    """

    kind: Literal["nnunet"] = "nnunet"
    folds: tuple[int | Literal["all"], ...] = ()
    checkpoint: str = "checkpoint_final.pth"
    mirror: bool = False
    step: float = Field(default=0.5, gt=0, le=1)  # between windows, as a share of one
    orientation: Lay | None = None
    register_roles: bool = True
    engine: Engine = "torch"

    def describe(self) -> Described:
        folder, configuration = read_folder(self.path), self.path.name.rpartition("__")[2]
        if folder.plans["configurations"].get(configuration, {}).get("previous_stage"):
            raise BundleBroken(SECOND_STAGE.format(self.path.name))
        self._averaged(folder)
        dataset = str(folder.plans.get("dataset_name") or self.path.parent.name)
        return Described(name=f"{dataset} {configuration}", version=self._version(),
                         channels=folder.channels, finds=folder.finds)

    def load(self, device: str) -> LoadedNnUNet:
        identity, folder = self.identity(), read_folder(self.path)
        checkpoints = [read_checkpoint(path) for path in self._averaged(folder)]
        first = checkpoints[0]
        plans, configuration = managers(folder, first.configuration)
        if configuration.previous_stage_name is not None:
            raise BundleBroken(SECOND_STAGE.format(self.path.name))
        heads = plans.get_label_manager(folder.dataset).num_segmentation_heads
        network = build_network(folder, configuration, first, heads)
        network = engaged(network, self.engine, device, self.precision)
        if network is of_torch(network):
            compute_in(network, device, self.precision)
        predictor = _predictor(device, self.step, mirror=self.mirror and bool(first.mirror_axes))
        predictor.manual_initialization(network, plans, configuration, [one.weights for one in checkpoints],
                                        folder.dataset, first.trainer, first.mirror_axes)
        return LoadedNnUNet(self, identity, folder, predictor, device)

    def _averaged(self, folder: ModelFolder) -> list[Path]:
        """The checkpoints of the folds that are averaged; BundleBroken where a fold is not there, or not trained."""
        folds = [str(fold) for fold in self.folds] or list(folder.folds)
        if unknown := [fold for fold in folds if fold not in folder.folds] or ([] if folds else ["0"]):
            raise BundleBroken(f"{self.path.name} has no fold {', '.join(unknown)}; "
                               f"there are: {', '.join(folder.folds) or 'none'}.")
        paths = [self.path / f"fold_{fold}" / self.checkpoint for fold in folds]
        if missing := [path.parent.name for path in paths if not path.is_file()]:
            raise BundleBroken(f"{', '.join(missing)} of {self.path.name} has no {self.checkpoint}: say which `folds` "
                               "are trained, or another `checkpoint`.")
        return paths

    def _version(self) -> str:
        """The beginning of a hash over the weights."""
        return digest_of({name: sha for name, sha in self.sha256.items() if name.endswith(self.checkpoint)})[:12]


@dataclass(frozen=True, eq=False)
class LoadedNnUNet:
    """nnU-Net's predictor with the weights of the folds."""

    settings: NnUNet
    identity: ModelIdentity
    folder: ModelFolder
    predictor: nnUNetPredictor
    device: str
    judged: bool = True

    @property
    def network(self) -> nn.Module:
        """The network that the weights of each fold are put into."""
        return self.predictor.network

    def segment(self, inputs: Mapping[str, Volume], card: TaskCard, report: Report, turn: Turn = at_once) -> Segmented:
        names = self.settings.names
        roles = names.roles(self.folder.channels, card)
        output = _output(self.folder, names.labels(self.folder.finds, card))
        watch = Stopwatch()
        report(0.0, "prepare")
        with watch.time("prepare"):
            prepared = present(inputs, card, roles, register_roles=self.settings.register_roles)
            data, told = self._preprocessed(prepared)

        def look() -> tuple[NDArray[np.float32], Agreement | None]:
            with watch.time("network"), self._windows_told(data.shape[1:], report):
                return self._consensus(data, output)

        logits, agreed = turn(look, report)
        report(0.95, "back to the source grid")
        with watch.time("restore"):
            labels, chances, unsure = self._on_source(logits, told, prepared, output)
        return Segmented(labels, watch.seconds, prepared.notes, chances, unsure, agreed)

    @property
    def _backwards(self) -> tuple[int, ...]:
        """The axes of (z, y, x) along which the training images ran the other way than LPS."""
        reader = str(self.folder.plans.get("image_reader_writer"))
        lay = self.settings.orientation or ("RAS" if reader.startswith(RAS_READERS) else "LPS")
        return tuple(axis for axis, (theirs, ours) in enumerate(zip(lay[::-1], "SPL", strict=True)) if theirs != ours)

    def _turned(self, array: NDArray[np.float32]) -> NDArray[np.float32]:
        """(channel, z, y, x) from LPS to the training's orientation, or back."""
        return np.flip(array, tuple(axis + 1 for axis in self._backwards))

    def _preprocessed(self, prepared: Prepared) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """The network's input, and where nnU-Net cropped it; axes in the plans' order."""
        if self.predictor.configuration_manager.preprocessor_class is None:
            raise ModelError(f"The plans of {self.folder.path.name} name the preprocessor "
                             f"{self.predictor.configuration_manager.preprocessor_name!r}, which nnunetv2 lacks.")
        preprocessor = self.predictor.configuration_manager.preprocessor_class(verbose=False)
        data, _, told = preprocessor.run_case_npy(
            np.ascontiguousarray(self._turned(prepared.array)), None, {"spacing": list(prepared.grid.spacing)},
            self.predictor.plans_manager, self.predictor.configuration_manager, self.folder.dataset)
        return np.ascontiguousarray(data, dtype=np.float32), told

    def _consensus(self, data: NDArray[np.float32], output: Output) -> tuple[NDArray[np.float32], Agreement | None]:
        """The mean of the members' logits (channel, …), as nnU-Net takes it, and how well the members agree."""
        from inference.answer import activated, sound
        from inference.explain.members import agreement, found_by

        passes, total, found = self._passes(), None, list["Masks"]()
        for weights, axes in passes:
            logits = sound(self._member(data, weights, axes, mirrored=len(self.predictor.list_of_parameters) > 1))
            if len(passes) > 1:
                found.append(found_by(activated(logits, output), output))
            total = logits if total is None else np.add(total, logits, out=total)
        assert total is not None
        total /= len(passes)
        return total, agreement(found, (region.name for region in output.regions if region.label))

    def _passes(self) -> list[tuple[Weights, tuple[int, ...]]]:
        """Whose weights look, and along which axes of a window (batch, channel, …) it runs backwards."""
        folds: list[Weights] = self.predictor.list_of_parameters
        if len(folds) > 1 or not self.predictor.use_mirroring:
            return [(weights, ()) for weights in folds]
        axes = [2 + axis for axis in self.predictor.allowed_mirroring_axes or ()]
        return [(folds[0], some) for count in range(len(axes) + 1) for some in combinations(axes, count)]

    def _member(self, data: NDArray[np.float32], weights: Weights, axes: tuple[int, ...], *,
                mirrored: bool) -> NDArray[np.float32]:
        """Logits of one fold, or of one flip of every window; `mirrored`: nnU-Net averages over flips where asked."""
        predictor = self.predictor
        wanted = predictor.list_of_parameters, predictor.use_mirroring
        predictor.list_of_parameters, predictor.use_mirroring = [weights], mirrored and predictor.use_mirroring
        try:
            with _flipped(self.network, axes):
                return self._logits(data)
        finally:
            predictor.list_of_parameters, predictor.use_mirroring = wanted

    def _logits(self, data: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits (channel, …) of a preprocessed array; on the CPU where the device's memory does not suffice."""
        import torch

        predictor, tensor = self.predictor, torch.from_numpy(data)
        wanted = predictor.device, predictor.perform_everything_on_device
        try:
            try:
                return _array(predictor.predict_logits_from_preprocessed_data(tensor))
            except torch.OutOfMemoryError:
                predictor.device, predictor.perform_everything_on_device = torch.device("cpu"), False
                return _array(predictor.predict_logits_from_preprocessed_data(tensor))
        except (MemoryError, RuntimeError) as fault:
            if not isinstance(fault, MemoryError) and "allocate memory" not in str(fault):
                raise
            raise Exhausted("Memory does not suffice for this volume, not even on the CPU.") from fault
        finally:
            predictor.device, predictor.perform_everything_on_device = wanted

    @contextlib.contextmanager
    def _windows_told(self, shape: tuple[int, ...], report: Report) -> Iterator[None]:
        """Tell how far the network is, window by window."""
        from nnunetv2.inference.sliding_window_prediction import compute_steps_for_sliding_window

        window = self.predictor.configuration_manager.patch_size
        planes = prod(shape[:len(shape) - len(window)])
        inside = [max(size, wanted) for size, wanted in zip(shape[-len(window):], window, strict=True)]
        steps = compute_steps_for_sliding_window(inside, window, self.settings.step)
        flips = 2 ** len(self.predictor.allowed_mirroring_axes or ()) if self.predictor.use_mirroring else 1
        total, done = planes * prod(map(len, steps)) * flips * len(self.predictor.list_of_parameters), 0

        def count(*_: Any) -> None:
            nonlocal done
            done += 1
            report(0.3 + 0.65 * min(1.0, done / total), "network")

        hook = self.network.register_forward_hook(count)
        try:
            yield
        finally:
            hook.remove()

    def _on_source(self, logits: NDArray[np.float32], told: dict[str, Any], prepared: Prepared,
                   output: Output) -> tuple[NDArray[np.uint8], NDArray[np.float16], NDArray[np.float16]]:
        """Labels, their probability and the entropy on the source grid."""
        from inference.answer import activated, map_on_source, on_source
        from inference.explain.entropy import entropy
        from inference.transforms.geometry import crop_grid, restore, uncrop

        back = self.predictor.plans_manager.transpose_backward
        logits = self._turned(np.transpose(logits, (0, *(axis + 1 for axis in back))))
        edges = [tuple(told["bbox_used_for_cropping"][axis]) for axis in back]
        for axis in self._backwards:
            size, (low, high) = prepared.grid.shape[axis], edges[axis]
            edges[axis] = (size - high, size - low)
        box = (slice(*edges[0]), slice(*edges[1]), slice(*edges[2]))
        part = crop_grid(prepared.grid, box)
        shown = replace(prepared, grid=_stretched(part, logits.shape[1:]), canonical=part, source=part)
        nearest = self._apart(told["spacing"])
        answer = on_source(logits, shown, output, logits=True, nearest=nearest)
        unsure = map_on_source(entropy(activated(logits, output), output), shown, nearest)

        def whole(part: NDArray[T]) -> NDArray[T]:
            return np.asarray(restore(uncrop(part, box, prepared.grid.shape), prepared.source), dtype=part.dtype)

        return whole(answer.labels), whole(answer.probability), whole(unsure)

    def _apart(self, spacing: Sequence[float]) -> int | None:
        """The axis of (z, y, x) along which nnU-Net takes the nearest slice of logits: that of far thicker slices."""
        from nnunetv2.preprocessing.resampling.default_resampling import determine_do_sep_z_and_axis

        configuration, plans = self.predictor.configuration_manager, self.predictor.plans_manager
        by = configuration.resampling_fn_probabilities  # with what the plans say bound to it
        settings = {name: one.default for name, one in signature(by).parameters.items()}
        nearest = settings.get("order_z") == 0 or str(settings.get("aniso_axis_mode")).startswith("nearest")
        working, forward = list(configuration.spacing), plans.transpose_forward
        if not nearest or len(working) < len(forward):
            return None
        apart, axis = determine_do_sep_z_and_axis(
            settings["force_separate_z"], working, [spacing[axis] for axis in forward],
            settings["separate_z_anisotropy_threshold"])
        return int(forward[axis]) if apart else None


def _output(folder: ModelFolder, labels: Mapping[str, int]) -> Output:
    """The network's channels with the task's labels; 0 where the task has no place for them."""
    regions = tuple(Region(name=name, label=labels.get(name, 0), members=(1,)) for name in folder.finds)
    return Output(activation="sigmoid" if folder.regions else "softmax", regions=regions)


def _stretched(grid: Grid, shape: tuple[int, ...]) -> Grid:
    """The grid of `shape` that covers the same field of view, as nnU-Net's resampling has it."""
    old, new = np.array(grid.shape), np.array(shape)
    affine = grid.affine.copy()
    affine[:3, :3] *= old / new
    affine[:3, 3] = grid.to_lps((old - 1) / 2) - affine[:3, :3] @ ((new - 1) / 2)
    return Grid((shape[0], shape[1], shape[2]), affine, grid.frame_of_reference_uid)


def _predictor(device: str, step: float, *, mirror: bool) -> nnUNetPredictor:
    import torch

    with contextlib.redirect_stdout(io.StringIO()):  # it prints how it was set up
        from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

        return nnUNetPredictor(tile_step_size=step, use_mirroring=mirror, device=torch.device(device),
                               perform_everything_on_device=device != "cpu", allow_tqdm=False)


@contextlib.contextmanager
def _flipped(network: nn.Module, axes: tuple[int, ...]) -> Iterator[None]:
    """The network sees its windows (batch, channel, …) run backwards along `axes`, and its answers are turned back."""
    hooks = [network.register_forward_pre_hook(lambda _module, seen: (seen[0].flip(axes), *seen[1:])),
             network.register_forward_hook(lambda _module, _seen, answer: answer.flip(axes))] if axes else []
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _array(logits: torch.Tensor) -> NDArray[np.float32]:
    return np.asarray(logits.float().numpy())
