"""How the shipped bundles do on real images with labels, along the road that the node takes.

Four cases are too few to say how good a model is. They say whether images of real scanners are read and prepared as
the phantoms are that the weights learned from. Nothing is chosen by them: neither weights nor thresholds.
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from pydicom import dcmread

from inference.backends import build
from inference.errors import Unfit
from inference.evaluation.metrics import dice, precision, recall
from inference.evaluation.score import REGIONS, SHIPPED
from inference.findings import Result
from inference.predict import predict
from inference.readers import nifti
from inference.readers.dicom import read_series
from inference.request import Request, SeriesFiles
from inference.tasks import TASKS
from inference.volume import Grid, Volume
from inference.writers.dicom_series import Acquisition, StudyDetails, write_series

BRAINS = ("brain_tcga_fg6692", "brain_tcga_du7294")
BRAIN_FILES = {"T1": "t1", "T1ce": "t1c", "T2": "t2", "FLAIR": "fla"}
LIVER = 5  # TotalSegmentator's number of it
TUMOUR = "GTV-1"  # the name of the region of interest in the structure set

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class RealCase:
    """Series by role, and what is true of them: a mask (z, y, x) on the primary series' grid.

    `region` is the one that the truth shows; "" where a finding has to lie in it and its outline is not judged.
    """

    name: str
    task: str
    inputs: dict[str, SeriesFiles]
    truth: Mask
    grid: Grid
    region: str = ""
    wanted: float = 1.0


class Figure(NamedTuple):
    """A figure 0..1 of a case, the least that is wanted of it, and what helps to understand it."""

    case: str
    what: str
    value: float
    wanted: float
    remark: str

    @property
    def reached(self) -> bool:
        return self.value >= self.wanted


def brain(name: str) -> Callable[[Path, Path], RealCase]:
    """A glioma on four series (label 4 of BraTS 2020 is enhancing tumour; all that is labelled is whole tumour)."""

    def of(samples: Path, folder: Path) -> RealCase:
        study = StudyDetails.of(name)
        inputs = {role: _series(nifti.read(samples / name / f"{file}.nii.gz"), Acquisition.mr(study, role), folder)
                  for role, file in BRAIN_FILES.items()}
        truth = nifti.read(samples / name / "seg_mav.nii.gz")
        return RealCase(name, "brain_tumour", inputs, np.asarray(truth.array) > 0, truth.grid, "whole tumour", 0.75)

    return of


def liver(samples: Path, folder: Path) -> RealCase:
    """Thirty slices of 3 mm through a liver, hardly any contrast."""
    part = samples / "ct_totalsegmentator" / "example_ct_sm.nii.gz"
    truth = nifti.read(part.with_name("example_ct_sm_seg.nii.gz"))
    inputs = {"CT": _series(nifti.read(part, "HU"), Acquisition.ct(StudyDetails.of("example_ct_sm")), folder)}
    return RealCase("example_ct_sm", "liver_tumour", inputs, np.asarray(truth.array) == LIVER, truth.grid, "liver", 0.8)


def chest(samples: Path, folder: Path) -> RealCase:
    """A chest CT as its scanner sent it, with a lung tumour outlined by experts."""
    with tarfile.open(samples / "chest_ct_lung1-001.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    images = tuple(sorted(folder.rglob("image/*.dcm")))
    (structures,) = folder.rglob("mask_rtstruct/*.dcm")
    grid = read_series(images).grid
    inputs = {"CT": SeriesFiles("1.2", images, ())}
    return RealCase("chest_ct_lung1-001", "lung_nodule", inputs, _outlined(structures, TUMOUR, grid), grid)


CASES: dict[str, Callable[[Path, Path], RealCase]] = {
    **{name: brain(name) for name in BRAINS}, "example_ct_sm": liver, "chest_ct_lung1-001": chest,
}  # fmt: skip


def answered(case: RealCase, scratch: Path) -> Result:
    """What the shipped bundle of the case's task says; Unfit where the case is refused."""
    model = {"kind": "bundle", "path": str(SHIPPED / case.task)}
    request = Request("real", case.task, case.inputs, model, scratch)
    return predict(request, build(model).load("cpu"), lambda _done, _step: None)


def figure(case: RealCase, scratch: Path) -> Figure:
    """The case's figure; 0 with the reason where the case is refused."""
    what = f"{case.region}, Dice" if case.region else f"{TUMOUR} found"
    try:
        result = answered(case, scratch)
    except Unfit as fault:
        return Figure(case.name, what, 0.0, case.wanted, f"refused: {fault}")
    value, remark = _overlap(case, result) if case.region else _hit(case, result)
    return Figure(case.name, what, value, case.wanted, remark)


def table(figures: list[Figure]) -> str:
    """The figures, one a line."""
    lines = [f"{'case':<20} {'figure':<20} {'value':>6} {'wanted':>7}  remark"]
    lines += [f"{f.case:<20} {f.what:<20} {f.value:6.3f} {f.wanted:7.2f}  {f.remark}" for f in figures]
    return "\n".join(lines)


def as_json(figures: list[Figure]) -> list[dict[str, Any]]:
    """The same for a file."""
    return [{**f._asdict(), "value": round(f.value, 4), "reached": f.reached} for f in figures]


def labels_of(result: Result) -> NDArray[np.uint8]:
    """The labels of the task (z, y, x) from the numbers of the findings."""
    by_number = np.array([0, *(finding.structure.label for finding in result.findings)], dtype=np.uint8)
    return np.asarray(by_number[np.load(result.labelmap)])


def _overlap(case: RealCase, result: Result) -> tuple[float, str]:
    (region,) = (r for r in REGIONS[case.task] if r.name == case.region)
    found = np.isin(labels_of(result), region.members)
    ml = case.grid.voxel_ml
    return dice(found, case.truth), (
        f"{np.count_nonzero(found) * ml:.0f} ml found, {np.count_nonzero(case.truth) * ml:.0f} ml true; "
        f"precision {precision(found, case.truth):.2f}, recall {recall(found, case.truth):.2f}")


def _hit(case: RealCase, result: Result) -> tuple[float, str]:
    """Whether the centre of a lesion that was found lies in what is true."""
    lesions = TASKS[case.task].lesions
    centres = [f.place.centre for f in result.findings if f.structure.label in lesions and f.place]
    inside = [_holds(case, centre) for centre in centres]
    mass = np.count_nonzero(case.truth) * case.grid.voxel_ml
    touched = recall(np.load(result.labelmap) > 0, case.truth)
    return float(any(inside)), (f"{len(centres)} lesions found, {sum(inside)} with their centre in it; it has "
                                f"{mass:.0f} ml, of which {touched:.0%} were marked")


def _holds(case: RealCase, centre: tuple[float, float, float]) -> bool:
    at = np.rint(case.grid.to_index(centre)).astype(int)
    inside = bool(((at >= 0) & (at < case.grid.shape)).all())
    return inside and bool(case.truth[tuple(at)])


def _series(volume: Volume, acquisition: Acquisition, folder: Path) -> SeriesFiles:
    paths = write_series(volume, acquisition, folder / acquisition.series_instance_uid)
    return SeriesFiles(acquisition.series_instance_uid, tuple(paths), ())


def _outlined(structures: Path, name: str, grid: Grid) -> Mask:
    """A structure set's region of interest on a grid, slice by slice; a contour in a contour is a hole (C.8.8.6)."""
    ds = dcmread(structures)
    (number,) = (roi.ROINumber for roi in ds.StructureSetROISequence if roi.ROIName == name)
    (contours,) = (roi.ContourSequence for roi in ds.ROIContourSequence if roi.ReferencedROINumber == number)
    mask = np.zeros(grid.shape, dtype=bool)
    for k, polygon in _polygons(contours, grid):
        plane = Image.new("1", (grid.shape[2], grid.shape[1]))
        ImageDraw.Draw(plane).polygon(polygon, fill=1, outline=1)
        mask[k] ^= np.asarray(plane)
    return mask


def _polygons(contours: Any, grid: Grid) -> Iterator[tuple[int, list[tuple[float, float]]]]:
    for contour in contours:
        at = grid.to_index(np.array(contour.ContourData, dtype=float).reshape(-1, 3))
        yield round(float(at[:, 0].mean())), [(float(x), float(y)) for _, y, x in at]
