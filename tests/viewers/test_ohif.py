"""A radiologist opens what `profile: ohif` makes in OHIF: segments lie where the mask is, diameters are listed.

Each study is a phantom's slices about its lesions; the truth is the result, no network runs. `make viewers` runs this.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import ohif
import pytest
from numpy.typing import NDArray

from dicom_node.objects.bidirectional import crossed
from dicom_node.objects.context import EncodeContext
from dicom_node.objects.encode import encode
from dicom_node.objects.profile import Profile
from inference.findings import Finding, IntendedUse, ModelIdentity, Result
from inference.measure import measure_findings
from inference.phantom import PhantomCase, make_case
from inference.readers.dicom import read_series
from inference.tasks import TASKS
from inference.volume import Grid, Volume
from inference.writers.dicom_series import write_series

pytestmark = [pytest.mark.viewer, pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(1500)]

Matrix = tuple[int, int]

SEEDS = {"liver_tumour": 9000, "lung_nodule": 9000, "brain_tumour": 9001}
TRUTH = ModelIdentity("phantom-truth", "1", "ab" * 32, "Segnode", IntendedUse.DEMONSTRATION)
SLICES = 20
GOOD_IOU = 0.9
OHIF = Profile(preset="ohif")

phantom = functools.cache(lambda task: make_case(task, SEEDS[task]))


@pytest.fixture
def orthanc_settings() -> dict[str, Any]:
    return {"Plugins": [ohif.PACS_PLUGIN], "DicomWeb": {"Enable": True, "Root": "/dicom-web/"}}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with ohif.chromium() as browser:
        yield browser


@dataclass(frozen=True, eq=False)
class Study:
    """What the PACS holds, and what must be seen."""

    uid: str
    files: list[Path]
    labels: NDArray[Any]
    result: Result

    @property
    def lesions(self) -> tuple[Finding, ...]:
        lesions = TASKS[self.result.task].lesions
        return tuple(f for f in self.result.findings if f.structure.label in lesions)

    def instance(self, k: int) -> str:
        return self.result.sources[self.result.primary_role][k].sop_instance_uid

    def masks(self, k: int) -> dict[tuple[int, int, int], NDArray[np.bool_]]:
        """By colour what is to be seen on a slice; lesions of one kind share theirs."""
        numbers: dict[tuple[int, int, int], list[int]] = {}
        for finding in self.result.findings:
            numbers.setdefault(finding.structure.rgb, []).append(finding.number)
        return {rgb: np.isin(self.labels[k], of_colour) for rgb, of_colour in numbers.items()}

    def telling_slices(self) -> list[int]:
        """Five slices, first to last, that show a lesion."""
        shown = np.flatnonzero(np.isin(self.labels, [f.number for f in self.lesions]).any(axis=(1, 2)))
        return sorted({int(k) for k in shown[np.linspace(0, len(shown) - 1, 5).astype(int)]})


def some_slices(case: PhantomCase, matrix: Matrix) -> tuple[Volume, NDArray[np.uint8]]:
    """Volume and truth of SLICES slices about the one with most lesion, cut to so many rows and columns."""
    volume = case.volumes[case.primary]
    lesion = np.isin(case.truth, TASKS[case.task].lesions).sum(axis=(1, 2))
    first = int(np.clip(lesion.argmax() - SLICES // 2, 0, len(lesion) - SLICES))
    kept = (slice(first, first + SLICES), slice(matrix[0]), slice(matrix[1]))
    affine = volume.grid.affine.copy()
    affine[:3, 3] = volume.grid.to_lps((first, 0, 0))
    array = np.ascontiguousarray(volume.array[kept])
    grid = Grid(array.shape, affine, volume.grid.frame_of_reference_uid)
    return replace(volume, array=array, grid=grid), np.ascontiguousarray(case.truth[kept])


def make_study(task: str, matrix: Matrix, folder: Path, profile: Profile = OHIF) -> Study:
    case = phantom(task)
    volume, truth = some_slices(case, matrix)
    acquisition = case.acquisitions[case.primary]
    images = write_series(volume, acquisition, folder / "images")
    read = read_series(images)
    measured = measure_findings(truth, TASKS[task].structures, read)
    np.save(folder / "labels.npy", measured.labelmap)
    result = Result(task=task, model=TRUTH, grid=read.grid, primary_role=case.primary, labelmap=folder / "labels.npy",
                    findings=measured.findings, sources={case.primary: read.sources})
    context = EncodeContext(created_at=1_763_900_000.0, dciodvfy=False, profile=profile)
    objects = []
    for made in encode(result, task, {case.primary: images}, context):
        objects.append(folder / f"{made.kind}.dcm")
        objects[-1].write_bytes(made.part10)
    return Study(acquisition.study.study_instance_uid, images + objects, measured.labelmap, result)


@pytest.fixture
def reader(browser: Any, orthanc: Any) -> Iterator[Any]:
    """Gives a study opened in OHIF, from an Orthanc that holds it."""
    page = browser.new_page(viewport={"width": 1400, "height": 900}, service_workers="block")
    reader = ohif.Reader(page)
    with ohif.serving(orthanc.url) as site:

        def open_study(study: Study) -> ohif.Reader:
            orthanc.upload(study.files)
            reader.open(site, study.uid)
            return reader

        yield open_study
        page.close()


def iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return float((a & b).sum() / max(1, (a | b).sum()))


@pytest.mark.parametrize(("task", "matrix"), [
    ("liver_tumour", (383, 381)), ("lung_nodule", (384, 384)), ("brain_tumour", (198, 170)),
])
def test_the_result_is_seen_where_it_lies(task: str, matrix: Matrix, tmp_path: Path, reader: Any) -> None:
    study = make_study(task, matrix, tmp_path)
    screen = reader(study)
    kinds = sorted(re.match(r"\w+", entry)[0] for entry in screen.series())
    assert kinds == sorted([TASKS[task].roles[0].modality, "SEG", "SR", "DOC"])

    screen.load(", SEG")
    assert screen.segments() == [f.label for f in study.result.findings]

    slices = study.telling_slices()
    assert len(slices) >= 3
    screen.show(study.instance(slices[len(slices) // 2]))
    screen.keep(task)
    screen.opacity(1.0)
    for k in slices:
        found = overlaps(screen, study, k)
        print(f"{task}, slice {k}: IoU {', '.join(f'{value:.4f}' for value, _ in found)}")
        assert min(value for value, _ in found) >= GOOD_IOU, screen.complaints[-5:]
        assert max(mirrored for _, mirrored in found) < GOOD_IOU, "a mirrored overlay would be noticed"
    screen.opacity(0.5)

    screen.load(", diameters")
    listed = screen.measurements()
    lesions = crossed(study.result)
    assert f"Measurements ({len(lesions)})" in listed
    for lesion in lesions:
        # OHIF computes the lengths anew from the lines' ends.
        length, width = re.search(rf"{lesion.finding.label}\nL: ([\d.]+) mm\nW: ([\d.]+) mm", listed).groups()
        assert (float(length), float(width)) == pytest.approx((lesion.long_mm, lesion.short_mm), abs=0.06)
    screen.keep(f"{task}-diameters")


@pytest.mark.xfail(raises=AssertionError, strict=True, reason="OHIF 3.13.2 unpacks such frames in stripes")
def test_a_frame_may_begin_within_a_byte(tmp_path: Path, reader: Any) -> None:
    """dcmjs takes the first pixel from the wrong end of the byte where rows times columns is no multiple of 8.

    That is why `profile: ohif` has whole bytes; once this passes, it may have bits again.
    """
    study = make_study("brain_tumour", (198, 170), tmp_path, Profile(seg="binary", diameters=True))
    screen = reader(study)
    screen.load(", SEG")
    screen.segments()
    screen.opacity(1.0)
    assert min(value for k in (9, 10) for value, _ in overlaps(screen, study, k)) >= GOOD_IOU


def overlaps(screen: ohif.Reader, study: Study, k: int) -> list[tuple[float, float]]:
    """For each colour IoU of overlay and mask, and of overlay and mirrored mask; looks again while it is drawn."""
    masks = {rgb: mask for rgb, mask in study.masks(k).items() if mask.any()}
    for _ in range(8):
        shown = screen.show(study.instance(k))
        found = [(iou(shown.painted(rgb), shown.under(mask)), iou(shown.painted(rgb), shown.under(mask[:, ::-1])))
                 for rgb, mask in masks.items()]
        if all(value >= GOOD_IOU for value, _ in found):
            break
    return found
