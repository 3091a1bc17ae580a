"""A radiologist's corrected report comes home: edited from the node's own SR, and as a viewer writes it anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bright_conf import routes
from pydicom import dcmread
from pydicom.dataset import Dataset
from reporting import child, code, drawn_group, edited, measure, remove_group, viewers_report
from reviewing import FOUND, OBLIQUE

from dicom_node.objects.validate import groups
from inference.volume import Volume
from inference.writers.dicom_series import Acquisition, StudyDetails, write_series

pytestmark = [pytest.mark.timeout(600)]

MODELS = "models:\n  bright: {task: liver_tumour, kind: threshold, lower: 150, upper: 3000, label: 2}\n"
LONG_AXIS = "103339001"
NONE = {"kept": 0, "remeasured": 0, "retyped": 0, "added": 0, "removed": 0}


def test_a_corrected_report_comes_back_as_a_review(make_node: Any, tmp_path: Path) -> None:
    node = make_node(routes=routes("seg", "sr"), models=MODELS)

    def send(ds: Dataset) -> None:
        ds.save_as(tmp_path / f"{ds.SOPInstanceUID}.dcm", enforce_file_format=True)
        node.send([tmp_path / f"{ds.SOPInstanceUID}.dcm"], calling_aet="READER")

    def reviews(number: int) -> list[dict[str, Any]]:
        node.until(study, lambda view: len(view["reviews"]) == number)
        found: list[dict[str, Any]] = node.command("study", study)["reviews"]
        return found

    details = StudyDetails.of("reported walk")
    image = Volume(np.where(FOUND == 2, 300, 60).astype(np.float32), OBLIQUE, "HU")
    slices = write_series(image, Acquisition.ct(details), tmp_path / "ct")
    study = details.study_instance_uid
    node.send(slices)
    (job,) = node.until_delivered(study)["jobs"]
    assert (job["state"], len(job["findings"])) == ("DONE", 3)
    kept = node.archive.kept()
    node.send([one.path for one in kept])  # what a PACS does that sends back all that it gets
    uid = next(one["sop_instance_uid"] for one in node.study(study)["results"] if one["kind"] == "sr")
    ours = next(ds for ds in (dcmread(one.path) for one in kept) if ds.SOPInstanceUID == uid)
    before = float(child(groups(ours)[1], LONG_AXIS).MeasuredValueSequence[0].NumericValue)

    corrected = edited(ours, verified=True)
    measure(groups(corrected)[1], LONG_AXIS, "14.0")
    remove_group(corrected, 2)
    assert corrected.ContributingEquipmentSequence == ours.ContributingEquipmentSequence, "it is not told by that"
    send(corrected)
    (review,) = reviews(1)
    assert (review["kind"], review["job"], review["counts"]) == ("sr", job["job"], True)
    assert review["recognised_by"] == "predecessor"
    assert review["findings"] == NONE | {"kept": 1, "remeasured": 1, "removed": 1}
    words = (
        f"report {corrected.SOPInstanceUID} is reviewed: 1 finding kept, "
        f"1 remeasured (Long Axis {before:.1f} -> 14.0 mm), 1 removed; the result is modified"
    )
    assert words in " ".join(node.run("study", study).stdout.split())
    assert words in node.journal(study, "reviewed")

    tracking = str(child(groups(ours)[0], "112040").UID)
    first = dcmread(slices[0])
    value = str(child(groups(ours)[0], LONG_AXIS).MeasuredValueSequence[0].NumericValue)
    send(viewers_report(first, [drawn_group(tracking, first, value)], [first]))
    older, newer = reviews(2)
    assert (older["counts"], newer["counts"], newer["recognised_by"]) == (False, True, "tracking")
    assert newer["findings"] == NONE | {"kept": 1}, "who measures one finding removes no other"
    assert [(one["assessment"], one["counts"]) for one in node.study(study)["assessments"]] == [
        ("modified", False), ("accepted", True)]  # fmt: skip

    dose = viewers_report(first, [], [first])
    dose.ConceptNameCodeSequence = [code("113701", "DCM", "X-Ray Radiation Dose Report")]
    send(dose)
    send(viewers_report(first, [drawn_group("2.25.1", first, "5")], [first]))
    node.until(study, lambda view: bool(node.journal(study, "no review")))
    (told,) = node.journal(study, "no review")
    assert "it refers to no result of ours" in told, "of the dose report nothing is told"
    assert "Roentgen" not in json.dumps(node.explain(study))
    view = node.study(study)
    assert (view["state"], len(view["jobs"]), len(node.archive.kept())) == ("DISPATCHED", 1, len(kept)), "no new work"
    assert node.command("export-reviewed", str(tmp_path / "training"), ok=(1,)) == []
