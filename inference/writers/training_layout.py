"""Cases with their truth, laid out as the data sets of each task publish theirs, for whatever trains on those.

    liver_tumour  LiTS        volume-N.nii, segmentation-N.nii (1 liver, 2 tumour)
    brain_tumour  BraTS 2023  CASE/CASE-t1n, -t1c, -t2w, -t2f, -seg.nii.gz (1 necrosis, 2 oedema, 3 enhancing)
    lung_nodule   LUNA16      subset0/N.mhd with N.raw; LUNA16 has no masks of nodules: here masks/N.mhd (1 nodule)

BraTS readers stack the four series as channels, so the others are resampled onto the primary series' grid, by what
their headers say of their place alone: no registration, no skull stripping, no atlas. Files hold voxels and geometry,
nothing that names anybody; but a head's voxels hold a face. A table beside them may say which cases are of one patient.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.errors import Unfit
from inference.tasks.card import TaskCard
from inference.transforms.geometry import resample
from inference.volume import Grid, Volume
from inference.writers.image_file import write_image

TRUTH = "truth"
TABLE, CASE, PATIENT = "cases.csv", "case", "patient"  # the table, and its columns that the data sets' readers know
LAYOUTS: Mapping[str, Mapping[str, str]] = {
    "liver_tumour": {"CT": "volume-{n}.nii", TRUTH: "segmentation-{n}.nii"},
    "brain_tumour": {
        "T1": "Segnode-{n:05d}-000/Segnode-{n:05d}-000-t1n.nii.gz",
        "T1ce": "Segnode-{n:05d}-000/Segnode-{n:05d}-000-t1c.nii.gz",
        "T2": "Segnode-{n:05d}-000/Segnode-{n:05d}-000-t2w.nii.gz",
        "FLAIR": "Segnode-{n:05d}-000/Segnode-{n:05d}-000-t2f.nii.gz",
        TRUTH: "Segnode-{n:05d}-000/Segnode-{n:05d}-000-seg.nii.gz",
    },
    "lung_nodule": {"CT": "subset0/{n:04d}.mhd", TRUTH: "masks/{n:04d}.mhd"},
}


def is_free(card: TaskCard, number: int, folder: Path) -> bool:
    """Whether no file of a case of this number is there."""
    return not any((folder / name.format(n=number)).exists() for name in LAYOUTS[card.name].values())


def write_case(
    card: TaskCard, number: int, volumes: Mapping[str, Volume], truth: NDArray[np.uint8], folder: Path
) -> list[Path]:
    """Write a case's images by role and its truth on the primary series' grid; all of its files, or none.

    Unfit where the series cannot lie on one grid; FileExistsError instead of overwriting; OSError.
    """
    grid = volumes[card.primary].grid
    images = {role: _on(volume, grid, role) for role, volume in volumes.items()}
    part = Path(tempfile.mkdtemp(prefix=".writing-", dir=folder))
    try:
        for role, name in LAYOUTS[card.name].items():
            path = part / name.format(n=number)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_image(truth if role == TRUTH else _stored(images[role]), grid, path)
        return [_moved(path, folder / path.relative_to(part)) for path in sorted(part.rglob("*.*")) if path.is_file()]
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _on(volume: Volume, grid: Grid, role: str) -> Volume:
    """The volume on the grid, by the headers' geometry alone."""
    frames = {volume.grid.frame_of_reference_uid, grid.frame_of_reference_uid}
    if len(frames) > 1 or ("" in frames and not volume.grid.matches(grid)):
        raise Unfit(f"The {role} series has another frame of reference: its headers do not say where it lies.")
    return resample(volume, grid)


def _stored(volume: Volume) -> NDArray[np.generic]:
    """Whole HU as CT data sets hold them; MR signal as it is."""
    if volume.units != "HU":
        return np.asarray(volume.array, dtype=np.float32)
    limits = np.iinfo(np.int16)
    return np.clip(np.rint(np.asarray(volume.array)), limits.min, limits.max).astype(np.int16)


def _moved(path: Path, final: Path) -> Path:
    if final.exists():
        raise FileExistsError(f"{final} is there already")
    final.parent.mkdir(parents=True, exist_ok=True)
    return path.rename(final)
