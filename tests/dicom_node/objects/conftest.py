"""Small results on written series, and the tools that judge the objects made of them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from beside_prior import beside_prior

from dicom_node.objects.context import EncodeContext
from inference import codes
from inference.findings import Finding, IntendedUse, Measurement, ModelIdentity, Result, Structure
from inference.measure import measure_findings
from inference.readers.dicom import read_series
from inference.volume import Grid, Spacing, Volume, regular_affine
from inference.writers.dicom_series import Acquisition, Encoding, StudyDetails, write_series

LIVER = Structure(1, "Liver", codes.ANATOMICAL_STRUCTURE, codes.LIVER, None, (221, 130, 101))
TUMOUR = Structure(2, "Liver tumour", codes.ABNORMAL_STRUCTURE, codes.NEOPLASM, codes.LIVER, (255, 0, 200), True)
NODULE = Structure(1, "Nodule", codes.ABNORMAL_STRUCTURE, codes.NODULE, codes.LUNG, (255, 255, 0), True)
MODEL = ModelIdentity("liver-net", "2.1", "ab" * 32, "Segnode", IntendedUse.DEMONSTRATION)
SHAPE = (9, 20, 26)


@dataclass(frozen=True, eq=False)
class Case:
    """A result, its truth on the grid that the reader gave, and the files that it was read from."""

    result: Result
    labels: np.ndarray
    files: Mapping[str, list[Path]]
    context: EncodeContext


def finding(number: int, label: str, structure: Structure, voxels: int, **more: Any) -> Finding:
    measurements = (
        Measurement(codes.VOLUME, 1.25 * number, codes.MILLILITRE, method=codes.VOXEL_SUM),
        Measurement(codes.LONG_AXIS, 10.5 + number, codes.MILLIMETRE),
        Measurement(codes.ATTENUATION, 47.123 + number, codes.HOUNSFIELD, codes.MEAN),
        Measurement(codes.ATTENUATION, 12.5, codes.HOUNSFIELD, codes.STANDARD_DEVIATION),
    )
    return Finding(number, label, structure, measurements, voxels, 1.25 * number, **more)


def labelled(shape: tuple[int, int, int]) -> np.ndarray:
    """An organ with two lesions, nowhere symmetric, so that no flip or turn can go unseen; larger on larger slices."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[1:-1, 3:15, 4:19] = 1
    labels[2:4, 4:7, 5:10] = 2
    labels[5:7, 9:14, 11:13] = 3
    labels[5, 9, 13] = 3
    scaled = np.kron(labels, np.ones([n // least for n, least in zip(shape, SHAPE, strict=True)], np.uint8))
    return np.pad(scaled, [(0, n - reached) for n, reached in zip(shape, scaled.shape, strict=True)])


AXIAL = Grid(SHAPE, regular_affine((-31.5, 12.25, -140.0), np.eye(3)[:, ::-1], Spacing(3.0, 0.9, 0.7)))
PLAIN = Encoding()


def case_in(folder: Path, grid: Grid = AXIAL, encoding: Encoding = PLAIN, *, empty: bool = False,
            edit: Callable[[list[Path]], None] | None = None, **changes: Any) -> Case:
    """A case whose files lie in `folder`."""
    truth = labelled(grid.shape)
    volume = Volume((truth * 100.0 - 200.0).astype(np.float32), grid, "HU")
    study = StudyDetails.of("objects")
    files = write_series(volume, Acquisition.ct(study), folder / "source", encoding)
    if edit:
        edit(files)
    read = read_series(files)
    labels = np.rint((np.asarray(read.array) + 200.0) / 100.0).astype(np.uint8)
    findings = tuple(finding(n, name, structure, int((labels == n).sum()), lesion=n - 1) for n, name, structure in (
        (1, "Liver", LIVER), (2, "Liver tumour 1", TUMOUR), (3, "Liver tumour 2", TUMOUR)))
    if empty:
        labels, findings = np.zeros_like(labels), ()
    np.save(folder / "labels.npy", labels)
    fields: dict[str, Any] = {
        "task": "liver_tumour", "model": MODEL, "grid": read.grid, "primary_role": "CT",
        "labelmap": folder / "labels.npy", "findings": findings, "sources": {"CT": read.sources},
        "totals": (("Tumour burden", Measurement(codes.VOLUME, 6.25, codes.MILLILITRE)),),
        "notes": ("Two images were repeats and were left out.",),
    }
    context = EncodeContext(created_at=1_763_900_000.0, dciodvfy=False)
    return Case(Result(**(fields | changes)), labels, {"CT": files}, context)


@pytest.fixture
def make_case(tmp_path: Path) -> Callable[..., Case]:
    return partial(case_in, tmp_path)


@pytest.fixture(scope="module")
def make_shared_case(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Case]:
    """The same for a module whose tests change nothing of it."""
    return lambda *arguments, **changes: case_in(tmp_path_factory.mktemp("case"), *arguments, **changes)


def measured(case: Case) -> Case:
    """The same case with its findings as `inference.measure` gives them: axes, places and flags among them."""
    volume = read_series(case.files["CT"])
    found = measure_findings(np.minimum(case.labels, 2), (LIVER, TUMOUR), volume)
    assert np.array_equal(found.labelmap, case.labels)
    return replace(case, result=replace(case.result, findings=found.findings))


@pytest.fixture
def measured_case(make_case: Callable[..., Case]) -> Callable[..., Case]:
    return lambda *arguments, **changes: measured(make_case(*arguments, **changes))


@pytest.fixture
def followed_case(make_case: Callable[..., Case]) -> Callable[..., Case]:
    def make(*arguments: Any, **changes: Any) -> Case:
        case = make_case(*arguments, **changes)
        return replace(case, result=beside_prior(case.result))

    return make


@pytest.fixture(scope="session")
def tool() -> Callable[..., str]:
    """Run a checker and return what it says; its absence fails the test with what to install."""
    packages = {"dciodvfy": "the Debian package dicom3tools", "dsrdump": "the Debian package dcmtk",
                "segimage2itkimage": "dcmqi from PyPI", "tid1500reader": "dcmqi from PyPI"}

    def run(name: str, *arguments: object, succeeds: bool = True) -> str:
        beside = Path(sys.executable).parent / name
        program = str(beside) if beside.exists() else shutil.which(name)
        assert program, f"{name} is missing: install {packages[name]}"
        done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, errors="replace",
                              check=False)
        assert not succeeds or done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run
