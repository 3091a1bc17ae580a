"""A radiologist's correction comes home: made with dcmqi, sent with DCMTK, compared, shown and exported."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from bright_conf import routes
from numpy.typing import NDArray
from pydicom import dcmread

from inference.volume import Grid, Spacing, Volume, regular_affine
from inference.writers.dicom_series import Acquisition, StudyDetails, write_series

pytestmark = [pytest.mark.timeout(600), pytest.mark.peer]

MODELS = "models:\n  bright: {task: liver_tumour, kind: threshold, lower: 150, upper: 3000, label: 2}\n"
TURNED = np.linalg.qr(np.array([[0.2, 0.3, 0.9], [0.1, 0.9, -0.3], [-0.95, 0.2, 0.1]]))[0]
OBLIQUE = Grid((14, 40, 36), regular_affine((-31.5, 12.25, -140.0), TURNED, Spacing(3.0, 1.1, 0.9)))
KEPT, GROWN, GONE = np.s_[2:5, 4:9, 4:9], np.s_[2:5, 25:31, 6:11], np.s_[8:11, 5:9, 24:30]
GROWN_BY, NEW = np.s_[5:7, 25:31, 6:11], np.s_[9:12, 28:35, 25:29]


def mask(*places: Any) -> NDArray[np.uint8]:
    labels = np.zeros(OBLIQUE.shape, np.uint8)
    for place in places:
        labels[place] = 1
    return labels


FOUND, CORRECTED = mask(KEPT, GROWN, GONE), mask(KEPT, GROWN, GROWN_BY, NEW)


def scan(folder: Path) -> str:
    array = np.where(FOUND, 300, 60).astype(np.float32)
    study = StudyDetails.of("review walk")
    write_series(Volume(array, OBLIQUE, "HU"), Acquisition.ct(study), folder)
    return study.study_instance_uid


def with_dcmqi(labels: NDArray[np.uint8], images: Path, out: Path, form: str = "binary") -> Path:
    """The SEG that a reader's workstation makes of a mask drawn on these images."""
    out.mkdir()
    image = sitk.GetImageFromArray(labels)
    image.SetSpacing(OBLIQUE.spacing[::-1])
    image.SetOrigin(OBLIQUE.origin.tolist())
    image.SetDirection(OBLIQUE.directions[:, ::-1].ravel().tolist())
    sitk.WriteImage(image, str(out / "mask.nrrd"))
    segment = {
        "labelID": 1, "SegmentLabel": "my lesions", "SegmentDescription": "by hand", "SegmentAlgorithmType": "MANUAL",
        "SegmentedPropertyCategoryCodeSequence": {
            "CodeValue": "49755003", "CodingSchemeDesignator": "SCT", "CodeMeaning": "Morphologically Altered"},
        "SegmentedPropertyTypeCodeSequence": {
            "CodeValue": "108369006", "CodingSchemeDesignator": "SCT", "CodeMeaning": "Neoplasm"},
        "recommendedDisplayRGBValue": [255, 0, 0],
    }  # fmt: skip
    (out / "meta.json").write_text(json.dumps({
        "ContentCreatorName": "Roentgen^Wilhelm", "ClinicalTrialSeriesID": "1", "ClinicalTrialTimePointID": "1",
        "SeriesDescription": "corrected", "SeriesNumber": "300", "InstanceNumber": "1", "BodyPartExamined": "ABDOMEN",
        "segmentAttributes": [[segment]],
    }))  # fmt: skip
    program = str(Path(sys.executable).with_name("itkimage2segimage"))
    command = [program, "--inputImageList", str(out / "mask.nrrd"), "--inputDICOMDirectory", str(images), "--skip", "1",
               "--inputMetadata", str(out / "meta.json"), "--outputDICOM", str(out / "seg.dcm"),
               "--segmentationType", form]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return out / "seg.dcm"


def places(image: sitk.Image) -> NDArray[np.float64]:
    """Centres in LPS mm of the voxels that are set, sorted."""
    indices = np.argwhere(sitk.GetArrayViewFromImage(image) > 0)[:, ::-1]
    direction = np.array(image.GetDirection()).reshape(3, 3)
    return ordered(indices * np.array(image.GetSpacing()) @ direction.T + np.array(image.GetOrigin()))


def ordered(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return points[np.lexsort(np.round(points, 1).T)]


def by_hand(truth: NDArray[np.uint8]) -> float:
    return round(2 * int((FOUND & truth).sum()) / int(FOUND.sum() + truth.sum()), 4)


def test_a_corrected_seg_comes_back_as_reviewed_truth(make_node: Any, dcmtk: Any, tmp_path: Path) -> None:
    node = make_node(routes=routes("seg", "sr"), models=MODELS)

    def storescu(*what: Path) -> None:
        place = ("-aet", "READER", "-aec", "SEGNODE", "127.0.0.1", node.peer.port)
        done = dcmtk.run("storescu", "-R", "+sd", *place, *what)
        assert done.returncode == 0, done.stdout

    study = scan(tmp_path / "ct")
    storescu(tmp_path / "ct")
    view = node.until_delivered(study)
    (job,) = view["jobs"]
    assert (job["state"], len(job["findings"])) == ("DONE", 3)
    ours = [kept for kept in node.archive.kept() if dcmread(kept.path, stop_before_pixels=True).Modality == "SEG"]
    assert len(ours) == 1
    delivered = len(node.archive.kept())
    storescu(ours[0].path)  # what a PACS does that sends back all that it gets

    storescu(with_dcmqi(CORRECTED, tmp_path / "ct", tmp_path / "first"))
    node.until(study, lambda view: bool(view["reviews"]))
    (review,) = node.command("study", study)["reviews"]
    assert (review["job"], review["counts"], review["recognised_by"]) == (job["job"], True, "images")
    (tumour,) = review["structures"]
    assert (tumour["structure"], tumour["dice"]) == ("Liver tumour", by_hand(CORRECTED))
    assert tumour["reviewed_ml"] == pytest.approx(CORRECTED.sum() * OBLIQUE.voxel_ml, abs=1e-3)
    assert review["lesions"] == {"added": 1, "removed": 1, "changed": 1, "same": 1}
    assert "reviewed" in node.run("explain", study).stdout
    assert "Roentgen" not in json.dumps(node.explain(study))
    view = node.study(study)
    assert (view["state"], len(view["jobs"]), len(node.archive.kept())) == ("DISPATCHED", 1, delivered), "no new work"

    exported = tmp_path / "training"
    (line,) = node.command("export-reviewed", str(exported))
    assert (line["task"], line["case"], line["reason"]) == ("liver_tumour", 1, "")
    files = (exported / "liver_tumour" / f"{name}-1.nii" for name in ("segmentation", "volume"))
    truth, image = (sitk.ReadImage(str(file)) for file in files)
    found, expected = places(truth), ordered(OBLIQUE.to_lps(np.argwhere(CORRECTED)))
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 1e-2
    bright = places(image > 150)
    assert np.abs(bright - ordered(OBLIQUE.to_lps(np.argwhere(FOUND)))).max() < 1e-2, "the image lies as the mask does"
    (row,) = csv.DictReader((exported / "liver_tumour" / "cases.csv").open())
    assert (row["case"], row["job"], row["labels"]) == ("1", job["job"], "2")

    node.send([with_dcmqi(FOUND, tmp_path / "ct", tmp_path / "second", "labelmap")])  # DCMTK 3.6.7 knows none
    node.until(study, lambda view: len(view["reviews"]) == 2)
    older, newer = node.command("study", study)["reviews"]
    assert (older["counts"], newer["counts"], newer["structures"][0]["dice"]) == (False, True, 1.0)
    (line,) = node.command("export-reviewed", str(exported))
    assert "it is case 1 already from an older review" in line["reason"]
    assert node.command("status")["reviewed_jobs"] == 1
