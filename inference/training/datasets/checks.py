"""From files to voxels that can be trusted: on one grid, finite, in labels that the data set may hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.errors import BadCase, Unfit
from inference.readers import metaimage, nifti
from inference.readers.dicom import AIR_HU, read_series
from inference.tasks.card import TaskCard
from inference.training.datasets.base import CaseRef
from inference.transforms.geometry import canonical, restore
from inference.volume import Grid, Units, Volume

SAME_PLACE_MM = 0.1  # headers hold float32, and some were written with few decimals

Reader = Callable[[Path, Units], Volume]


def read_images(card: TaskCard, ref: CaseRef, names: Mapping[str, str]) -> dict[str, Volume]:
    """The volumes of every role, float32; BadCase names the file. `names` are what files of a role are called."""
    missing = [f"{names[role.name]} ({role.name})" for role in card.roles if role.name not in ref.images]
    if missing:
        raise BadCase(ref.case_id, f"{', '.join(missing)} is missing.")
    return {role.name: read_image(ref.images[role.name], ref.case_id, role.units) for role in card.roles}


def read_image(path: Path, case_id: str, units: Units) -> Volume:
    """One image as the node's readers would give it: float32, HU not below that of air."""
    volume = read_volume(path, case_id, units)
    array = np.asarray(volume.array, dtype=np.float32)
    if not np.isfinite(array).all():
        raise BadCase(case_id, f"{path.name} holds voxels that are no numbers (NaN or infinite).")
    if units == "HU":
        array = np.maximum(array, np.float32(AIR_HU))
    return volume.with_array(array)


def read_volume(path: Path, case_id: str, units: Units, placed_as: Path | None = None) -> Volume:
    """A NIfTI file, a MetaImage file or a folder of one DICOM series; BadCase names it where it cannot be read.

    A NIfTI file whose own header tells no place may be `placed_as` another one.
    """
    try:
        if placed_as is not None:
            return nifti.read(path, units, placed_as)
        if path.is_dir():
            return read_series([file for file in sorted(path.iterdir()) if file.is_file() and file.name[0] != "."])
        return (metaimage if path.suffix in (".mhd", ".mha") else nifti).read(path, units)
    except Unfit as fault:
        raise BadCase(case_id, str(fault) if path.name in str(fault) else f"{path.name}: {fault}") from fault
    except OSError as fault:
        raise BadCase(case_id, f"{path.name} cannot be read: {fault.strerror}.") from fault


def one_grid(volumes: Mapping[str, Volume], ref: CaseRef, primary: str) -> None:
    """BadCase where a role's voxels do not lie where the primary role's do."""
    grid = volumes[primary].grid
    for role, volume in volumes.items():
        if not volume.grid.matches(grid, SAME_PLACE_MM):
            raise BadCase(ref.case_id, f"{ref.images[role].name} and {ref.images[primary].name} do not lie on one grid "
                                       f"({unlike(volume.grid, grid)}).")


def labels_on(truth: Volume, grid: Grid, path: Path, case_id: str) -> NDArray[np.generic]:
    """The truth's voxels in the order of `grid`; axes that run another way are turned, nothing is interpolated.

    BadCase where the truth does not cover the image voxel by voxel.
    """
    if truth.grid.matches(grid, SAME_PLACE_MM):
        return truth.array
    turned = canonical(truth)
    wanted = canonical(Volume(np.zeros(grid.shape, dtype=bool), grid)).grid
    if not turned.grid.matches(wanted, SAME_PLACE_MM):
        raise BadCase(case_id, f"{path.name} does not lie on its image ({unlike(truth.grid, grid)}).")
    return restore(turned.array, grid)


def labels_from(array: NDArray[np.generic], encoding: Mapping[int, int], path: Path, case_id: str) -> NDArray[np.uint8]:
    """A label map in the card's labels, from one in the data set's; BadCase names labels that it may not hold.

    `encoding` leads from the data set's labels but 0 to the card's.
    """
    if array.dtype.kind == "f" and not (np.isfinite(array).all() and (array == np.rint(array)).all()):
        raise BadCase(case_id, f"{path.name} is no label map: it holds NaN or broken numbers.")
    known = (0, *encoding)
    wrong = np.unique(array[~np.isin(array, known)])
    if wrong.size:
        named = ", ".join(f"{float(value):g}" for value in wrong[:6])
        raise BadCase(case_id, f"{path.name} holds the labels {named}{' …' if wrong.size > 6 else ''}; "
                               f"it may hold {', '.join(map(str, known))}.")
    table = np.zeros(max(known) + 1, dtype=np.uint8)
    table[list(encoding)] = list(encoding.values())
    return table[array.astype(np.uint8)]


def unlike(one: Grid, other: Grid) -> str:
    """In which way two grids differ, in words."""
    if one.shape != other.shape:
        return f"{_by(one.shape)} and {_by(other.shape)} voxels (z, y, x)"
    if not np.allclose(one.spacing, other.spacing, atol=1e-3):
        return f"voxels of {_by(one.spacing)} and {_by(other.spacing)} mm (z, y, x)"
    if not np.allclose(one.directions, other.directions, atol=1e-3):
        return "their axes run different ways"
    return f"they begin {float(np.linalg.norm(one.origin - other.origin)):.1f} mm apart"


def _by(numbers: tuple[float, ...]) -> str:
    return " x ".join(f"{number:g}" for number in numbers)
