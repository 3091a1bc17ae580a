"""The overlay lies on the right voxels, however the series was acquired.

A body of known shape goes through a real node with the threshold backend; an independent reader (dcmqi)
turns the delivered SEG into an image, and that image must equal the truth voxel for voxel in patient space.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from bright_conf import MODELS, routes
from numpy.typing import NDArray

from inference.volume import Grid, Spacing, Volume, regular_affine
from inference.writers.dicom_series import Acquisition, Encoding, StudyDetails, write_series

AXIAL = ((0, 0, 1), (0, 1, 0), (1, 0, 0))  # unit vectors of (slice, row, column) steps in LPS
CORONAL = ((0, 1, 0), (0, 0, -1), (1, 0, 0))
SAGITTAL = ((-1, 0, 0), (0, 0, -1), (0, 1, 0))


def turned(directions: tuple[tuple[float, ...], ...], *degrees: float) -> tuple[tuple[float, ...], ...]:
    """The axes turned about x and then about y."""
    a, b = np.deg2rad(degrees)
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    return tuple(tuple(v) for v in (about_y @ about_x @ np.array(directions, dtype=float).T).T)


THREE_MM = Spacing(3.0, 1.5, 1.5)
PLAIN = Encoding()


@dataclass(frozen=True)
class Form:
    """One way to acquire the same body."""

    directions: tuple[tuple[float, ...], ...] = AXIAL
    spacing: Spacing = THREE_MM
    encoding: Encoding = PLAIN
    modality: str = "CT"


FORMS = {
    "axial": Form(),
    "coronal": Form(CORONAL),
    "sagittal": Form(SAGITTAL),
    "doubly oblique": Form(turned(AXIAL, 23.0, -17.0)),
    "reversed order": Form(encoding=Encoding(reverse=True)),
    "anisotropic": Form(spacing=Spacing(5.0, 0.9, 1.4)),
    "enhanced CT": Form(turned(AXIAL, 10.0, 5.0), encoding=Encoding(enhanced=True)),
    "enhanced MR": Form(CORONAL, encoding=Encoding(enhanced=True, reverse=True), modality="MR"),
}


def grid_of(form: Form) -> Grid:
    shape = np.array((24, 56, 48))
    directions = np.array(form.directions).T
    centre = np.array([12.0, -33.0, 410.0])
    origin = centre - directions @ (np.array(form.spacing) * (shape - 1) / 2)
    return Grid(tuple(shape), regular_affine(origin, directions, form.spacing), "1.2.826.0.1.77")


def body(grid: Grid) -> NDArray[np.bool_]:
    """A shape without any symmetry, defined in patient space: a slab with a horn and a bite."""
    x, y, z = np.moveaxis(grid.to_lps(np.moveaxis(np.indices(grid.shape), 0, -1)), -1, 0) - np.array(
        [12.0, -33.0, 410.0]
    ).reshape(3, 1, 1, 1)
    egg = (x / 22) ** 2 + (y / 15) ** 2 + (z / 18) ** 2 < 1
    horn = (np.hypot(x - 15, y - 6) < 5) & (z > 0) & (z < 24)
    bite = np.hypot(x + 14, z - 9) < 8
    return (egg | horn) & ~bite


def acquire(name: str, folder: Path) -> tuple[NDArray[np.bool_], Grid, list[Path], str]:
    form = FORMS[name]
    grid = grid_of(form)
    truth = body(grid)
    array = np.where(truth, 300, 20 if form.modality == "MR" else -50).astype(np.float32)
    study = StudyDetails.of(f"geometry {name}")
    acquisition = Acquisition.ct(study) if form.modality == "CT" else Acquisition.mr(study, "T2")
    units = "HU" if form.modality == "CT" else "signal"
    paths = write_series(Volume(array, grid, units), acquisition, folder, form.encoding)
    return truth, grid, paths, study.study_instance_uid


def read_with_dcmqi(seg: Path, folder: Path) -> sitk.Image:
    folder.mkdir()
    program = str(Path(sys.executable).with_name("segimage2itkimage"))
    command = [program, "--inputDICOM", str(seg), "--outputDirectory", str(folder), "--outputType", "nrrd"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads((folder / "meta.json").read_text())["segmentAttributes"]
    (image,) = folder.glob("*.nrrd")
    return sitk.ReadImage(str(image))


def places(image: sitk.Image) -> NDArray[np.float64]:
    """Centres in LPS mm of the voxels that are set, sorted."""
    indices = np.argwhere(sitk.GetArrayViewFromImage(image) > 0)[:, ::-1]
    direction = np.array(image.GetDirection()).reshape(3, 3)
    points = indices * np.array(image.GetSpacing()) @ direction.T + np.array(image.GetOrigin())
    return ordered(points)


def ordered(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return points[np.lexsort(np.round(points, 2).T)]


@pytest.mark.peer
def test_the_mask_comes_back_voxel_for_voxel(make_node: Any, tmp_path: Path) -> None:
    node = make_node(routes=routes("seg"), models=MODELS)
    sent = {name: acquire(name, tmp_path / "sent" / name.replace(" ", "-")) for name in FORMS}
    for _, _, paths, _ in sent.values():
        node.send(paths)
    for name, (truth, grid, paths, study) in sent.items():
        view = node.until_delivered(study)
        (job,) = view["jobs"]
        assert job["state"] == "DONE", f"{name}: {job['reason']}"
        (result,) = view["results"]
        seg = {kept.sop_instance_uid: kept.path for kept in node.archive.kept()}[result["sop_instance_uid"]]
        found = places(read_with_dcmqi(seg, tmp_path / f"dcmqi-{len(paths)}-{name.replace(' ', '-')}"))
        expected = ordered(grid.to_lps(np.argwhere(truth)))
        assert found.shape == expected.shape, name
        assert np.abs(found - expected).max() < 1e-2, name
