"""The steps that a bundle of ours names in `configs/inference.json`, for MONAI's own engine.

    python -m monai.bundle run --config_file configs/inference.json --bundle_root . --dataset_dir IMAGES

The answer is the node's, voxel by voxel, as `CASE.nii.gz` in `output_dir`. IMAGES holds a folder a case with a file
a role (T1.nii.gz, CT.mhd; a DICOM series is a folder of that name), or, where the task has one role, its files
themselves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference.answer import convinced, on_source
from inference.backends.bundle import plan_of
from inference.backends.bundle_files import BundleCard, read_bundle
from inference.errors import Unfit
from inference.narrow import Narrow
from inference.prepare import Prepared, prepare
from inference.readers import dicom, metaimage, nifti
from inference.tasks import TASKS
from inference.volume import Units, Volume
from inference.writers.image_file import write_image

if TYPE_CHECKING:
    import torch
    from torch import nn

_ENDINGS = (".nii.gz", ".nii", ".mhd", ".mha")


def cases(dataset_dir: str) -> list[dict[str, str]]:
    """Every case of a folder, in order; Unfit where there is none, or where two would have one answer's file."""
    found = [path for path in sorted(Path(dataset_dir).iterdir()) if path.is_dir() or path.name.endswith(_ENDINGS)]
    if not found:
        raise Unfit(f"{dataset_dir} holds no case: neither a folder nor a file of {', '.join(_ENDINGS)}.")
    name, count = Counter(map(_name, found)).most_common(1)[0]
    if count > 1:
        raise Unfit(f"{dataset_dir} holds two cases called {name}: give each a name of its own.")
    return [{"case": str(path)} for path in found]


class Show:
    """A case as the network sees it (MONAI's preprocessing); one at a time."""

    def __init__(self, bundle_root: str) -> None:
        self.card: BundleCard = read_bundle(Path(bundle_root).resolve()).card
        self.plan = plan_of(self.card).within(TASKS[self.card.task])
        self.shown: Prepared | None = None

    def __call__(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """`image` float32 (channel, z, y, x) of the case beside its name."""
        import torch

        self.shown = prepare(self._volumes(Path(item["case"])), self.plan.recipe)
        return {"case": item["case"], "image": torch.from_numpy(self.shown.array)}

    def _volumes(self, case: Path) -> dict[str, Volume]:
        roles = [role for role in TASKS[self.card.task].roles if role.name in self.card.recipe.roles]
        if not _is_series_of(case, [role.name for role in roles]):
            return {role.name: _read(_file_of(case, role.name), role.units) for role in roles}
        if len(roles) > 1:
            raise Unfit(f"{case.name} has to be a folder with {', '.join(role.name for role in roles)}.")
        return {roles[0].name: _read(case, roles[0].units)}


class Slide:
    """The node's windows (MONAI's inferer): logits of the whole case."""

    def __init__(self, show: Show) -> None:
        self.show = show

    def __call__(self, inputs: torch.Tensor, network: nn.Module, *_args: Any, **_options: Any) -> torch.Tensor:
        """Logits (1, channel, z, y, x) of inputs (1, channel, z, y, x)."""
        import torch

        from inference.sliding import slide

        shown, plan = self.show.shown, self.show.plan
        assert shown is not None
        narrow = Narrow(plan.organ, plan.output, shown.grid, lambda _: None) if plan.organ else None
        sliding = plan.sliding(str(inputs.device))
        return torch.from_numpy(slide(network, shown.array, shown.foreground, sliding, narrow=narrow))[None]


class Answer:
    """Logits as labels on the case's own grid, written as NIfTI (MONAI's postprocessing)."""

    def __init__(self, show: Show, output_dir: str) -> None:
        self.show, self.folder = show, Path(output_dir)

    def __call__(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """`pred` becomes labels uint8 (z, y, x)."""
        import torch

        from inference.sliding import probabilities

        prepared, card = self.show.shown, self.show.card
        assert prepared is not None
        chances = probabilities(item["pred"].cpu().numpy(), prepared.foreground, card.output)
        labels = on_source(convinced(chances, card.output), prepared, card.output).labels
        labels = TASKS[card.task].postprocess(labels, prepared.source)
        self.folder.mkdir(parents=True, exist_ok=True)
        write_image(labels, prepared.source, self.folder / f"{_name(Path(item['case']))}.nii.gz")
        return {**item, "pred": torch.from_numpy(labels)}


def _is_series_of(case: Path, roles: list[str]) -> bool:
    """Whether the case is an image itself, and no folder with one for each role."""
    return case.is_file() or not any(_name(path) in roles for path in case.iterdir())


def _file_of(case: Path, role: str) -> Path:
    for path in sorted(case.iterdir()):
        if _name(path) == role:
            return path
    raise Unfit(f"{case.name} has no {role}: a file {role}.nii.gz, or a folder {role} with a DICOM series.")


def _read(path: Path, units: Units) -> Volume:
    if path.is_dir():
        return dicom.read_series(sorted(file for file in path.iterdir() if file.is_file()))
    return metaimage.read(path, units) if path.name.endswith((".mhd", ".mha")) else nifti.read(path, units)


def _name(path: Path) -> str:
    ending = next((ending for ending in _ENDINGS if path.name.endswith(ending)), "")
    return path.name.removesuffix(ending) if path.is_file() else path.name
