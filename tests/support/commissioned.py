"""A phantom that costs nothing to draw, as it lies in the scanner's files, and SEGs of it; what a commissioning saw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset
from reviewing import FOUND, OBLIQUE, Scene

from dicom_node.commissioning.record import Agreement, Check, Partner, SignOff, Study
from inference.phantom import PhantomCase
from inference.volume import Volume
from inference.writers.dicom_series import Acquisition, Patient, StudyDetails, write_series

PATIENT = Patient("PHANTOM-A7", "Phantom^Trunk7")


def small_case(seed: int = 7) -> PhantomCase:
    """An oblique liver with three bright tumours, 10 × 18 × 16 voxels."""
    study = StudyDetails.of(f"liver_tumour-{seed}", patient=PATIENT, description="CT Abdomen")
    volume = Volume(np.where(FOUND == 2, 300.0, 50.0 * FOUND).astype(np.float32), OBLIQUE, "HU")
    acquisition = Acquisition.ct(study, series_number=2)  # number 1 is the localizer
    return PhantomCase("liver_tumour", seed, "CT", {"CT": volume}, FOUND.copy(), (), {"CT": acquisition})


def seg_of(case: PhantomCase, labels: np.ndarray, folder: Path) -> Dataset:
    """What the node makes of it where its model finds `labels`."""
    acquisition = case.acquisitions["CT"]
    paths = write_series(case.volumes["CT"], acquisition, folder / "ct")
    uid = acquisition.study.study_instance_uid
    scene = Scene(None, None, folder, uid, {"CT": paths}, case.task)  # type: ignore[arg-type]
    return scene.seg(labels, job="c" * 64)


def written(seg: Dataset, path: Path) -> Path:
    """The SEG as a file."""
    seg.save_as(path, enforce_file_format=True)
    return path


def sign_off(*checks: Check) -> SignOff:
    """A commissioning of one study, with these checks of it."""
    steps = [{"step": "inferred", "of": "liver-tumour", "state": "done", "seconds": 12.5, "note": ""}]
    study = Study(
        "liver_tumour", 7, "1.2.3", "Phantom^Trunk7 (PHANTOM-A7)", 10, "liver-tumour", "bright", steps,
        {"network": 8.25}, "C-GET", [Agreement("Liver", 0.913, 12.25, 13.5, 0.976, 0.726)], list(checks),
        [Image.new("RGB", (90, 60), "navy")] * 3,
    )  # fmt: skip
    pacs = Partner("pacs", "destination, dimse", True, "fits", {"seg": ("explicit",)})
    model = {"model": "bright", "task": "liver_tumour", "version": "1", "intended_use": "demonstration"}
    return SignOff(
        "SEGNODE", "0.1.0", "Linux", 3, "ab" * 32, "pacs", 1_790_000_000.0, 1_790_000_060.0,
        {"node.yaml": "ae_title: SEGNODE\n"}, [pacs], [model | {"sha256": "cd" * 32}],
        [Check("every role is alive", passed=True, words="receive, pipeline")], [study],
    )  # fmt: skip
