"""Corrected headers, other pixels under a known UID, and rejection notes both ways, through a real node."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bright_conf import MODELS, routes
from highdicom.ko import KeyObjectSelection, KeyObjectSelectionDocument
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import KeyObjectSelectionDocumentStorage, generate_uid
from running_node import MakeNode, RunningNode

from dicom_node.network.embedded_archive import EmbeddedArchive
from dicom_node.network.peer import Peer
from dicom_node.network.ports import free_port
from dicom_node.objects.checker import dciodvfy
from inference.volume import Grid, Spacing, Volume, regular_affine
from inference.writers.dicom_series import Acquisition, StudyDetails, write_series

pytestmark = pytest.mark.timeout(600)

ROUTES = routes("seg", "sr")
GRID = Grid((12, 24, 20), regular_affine((0, 0, 0), np.eye(3)[:, ::-1], Spacing(3.0, 1.5, 1.5)))
SR = "1.2.840.10008.5.1.4.1.1.88.34"
SEG = "1.2.840.10008.5.1.4.1.1.66.4"
NEW = {"PatientID": "CORRECT-1", "PatientName": "Right^Person", "AccessionNumber": "A-2"}


@pytest.fixture(scope="module")
def node(make_shared_node: MakeNode) -> RunningNode:
    """For those that look at their study alone."""
    return make_shared_node(routes=ROUTES, models=MODELS)


def scan(name: str, folder: Path) -> tuple[str, list[Path]]:
    """A small CT with a bright body; its study and its files."""
    array = np.full(GRID.shape, -50.0, np.float32)
    array[3:9, 6:15, 5:12] = 300.0
    study = StudyDetails.of(f"corrections {name}")
    return study.study_instance_uid, write_series(Volume(array, GRID, "HU"), Acquisition.ct(study), folder)


def edited(paths: list[Path], folder: Path, **changes: Any) -> list[Path]:
    """The same images with other values in their headers."""
    folder.mkdir()
    for path in paths:
        image = dcmread(path)
        for keyword, value in changes.items():
            setattr(image, keyword, value)
        image.save_as(folder / path.name)
    return [folder / path.name for path in paths]


def held(node: Any) -> dict[str, Dataset]:
    """What the archive holds, by SOP Instance UID."""
    return {kept.sop_instance_uid: dcmread(kept.path) for kept in node.archive.kept()}


def generation(number: int) -> Callable[[dict[str, Any]], bool]:
    """The study's results of this generation have been delivered."""

    def delivered(view: dict[str, Any]) -> bool:
        jobs = {job["job"] for job in view["jobs"] if job["generation"] == number and job["state"] == "DONE"}
        states = [d["state"] for d in view["deliveries"] if d["job"] in jobs]
        return view["state"] == "DISPATCHED" and bool(states) and set(states) == {"SENT"}

    return delivered


def results_of(node: Any, study: str, number: int) -> list[Dataset]:
    view, found = node.study(study), held(node)
    jobs = {job["job"] for job in view["jobs"] if job["generation"] == number and not job["rejects"]}
    return [found[r["sop_instance_uid"]] for r in view["results"] if r["job"] in jobs]


def predecessors(report: Dataset) -> set[str]:
    return {
        str(sop.ReferencedSOPInstanceUID)
        for study in report.get("PredecessorDocumentsSequence") or ()
        for series in study.ReferencedSeriesSequence
        for sop in series.ReferencedSOPSequence
    }


@pytest.mark.peer
def test_a_correction_after_delivery_waits_for_a_person_who_re_issues(node: RunningNode, tmp_path: Path) -> None:
    study, paths = scan("after", tmp_path / "sent")
    node.send(paths)
    node.until(study, generation(1))
    first = results_of(node, study, 1)
    assert {str(one.SOPClassUID) for one in first} == {SEG, SR}
    delivered = len(node.archive.kept())

    node.send(edited(paths, tmp_path / "corrected", **NEW))
    settled = lambda view: view["corrected"] == len(paths) and view["state"] == "DISPATCHED"  # noqa: E731
    view = node.until(study, settled)
    (job,) = view["jobs"]
    assert (job["state"], job["mark"], job["generation"]) == ("DONE", "stale", 1)
    assert node.command("status")["marks"] == {"stale": 1}
    assert f"segnode reissue {study}" in " ".join(node.command("status")["needs_a_person"])
    assert len(node.archive.kept()) == delivered, "nothing leaves by itself"
    assert "CORRECT-1" not in str(node.explain(study)), "the journal names no patient"

    assert node.exit_code("reissue", study) == 0
    view = node.until(study, generation(2))
    assert [job["state"] for job in view["jobs"]] == ["SUPERSEDED", "DONE"], "one correction, not one an image"
    second = results_of(node, study, 2)
    old_uids = {str(one.SOPInstanceUID) for one in first}
    assert len(second) == len(first)
    for one in second:
        assert (one.PatientID, one.PatientName, one.AccessionNumber) == tuple(NEW.values())
        assert str(one.SOPInstanceUID) not in old_uids
        if one.SOPClassUID == SR:
            assert predecessors(one) < old_uids
            assert {str(o.SOPInstanceUID) for o in first if o.SOPClassUID == SEG} < predecessors(one)
    assert node.exit_code("reissue", study) == 1, "nothing is stale any more"


def test_a_correction_before_delivery_is_encoded_anew_by_itself(make_node: Any, tmp_path: Path) -> None:
    pacs = Peer(ae_title="ARCHIVE", host="127.0.0.1", port=free_port())
    often = "delivery: {attempts: 1000, backoff_base_s: 0.5, backoff_max_s: 0.5}"
    node = make_node(routes=ROUTES, models=MODELS, pacs=pacs, node=often)
    study, paths = scan("before", tmp_path / "sent")
    node.send(paths)
    node.until(study, lambda view: bool(view["deliveries"]))

    node.send(edited(paths, tmp_path / "corrected", **NEW))
    view = node.until(study, lambda view: [d["state"] for d in view["deliveries"]] == ["SUPERSEDED", "PENDING"])
    assert [job["state"] for job in view["jobs"]] == ["SUPERSEDED", "DONE"]
    with EmbeddedArchive(tmp_path / "archive", port=pacs.port) as archive:
        node.archive = archive
        node.until(study, generation(2))
        found = list(held(node).values())
    assert {one.PatientID for one in found} == {"CORRECT-1"}
    assert [predecessors(one) for one in found] == [set()] * 3, "nobody holds what never left"


def test_a_correction_of_what_results_do_not_copy_changes_the_index_only(node: RunningNode, tmp_path: Path) -> None:
    study, paths = scan("series", tmp_path / "sent")
    node.send(paths)
    node.until(study, generation(1))
    node.send(edited(paths, tmp_path / "corrected", SeriesDescription="a better name"))
    view = node.until(study, lambda view: view["corrected"] == len(paths) and view["state"] == "DISPATCHED")
    assert [series["description"] for series in view["series"]] == ["a better name"]
    assert [(job["state"], job["mark"], job["generation"]) for job in view["jobs"]] == [("DONE", "", 1)]


def test_other_pixels_stay_a_conflict(node: RunningNode, tmp_path: Path) -> None:
    study, paths = scan("pixels", tmp_path / "sent")
    node.send(paths)
    node.until(study, generation(1))
    pixels = dcmread(paths[0]).PixelData
    node.send(edited(paths[:1], tmp_path / "other", PixelData=bytes(len(pixels)), **NEW))
    node.until(study, lambda view: view["conflicts"] == 1)
    node.until(study, lambda _: len(node.journal(study, "conflict")) == 2)
    assert "they differ in the pixels" in node.journal(study, "conflict")[-1]
    view = node.study(study)
    assert (view["corrected"], [job["mark"] for job in view["jobs"]]) == (0, [""])


def rejection_of(images: list[Path], folder: Path, title: Any = codes.DCM.RejectedForQualityReasons) -> Path:
    """A rejection note as an Image Manager sends it."""
    evidence = [dcmread(path, stop_before_pixels=True) for path in images]
    note = KeyObjectSelectionDocument(
        evidence, KeyObjectSelection(title, evidence), generate_uid(), 900, generate_uid(), 1, "PACS",
        manufacturer_model_name="P", software_versions="1", device_serial_number="1",
    )  # fmt: skip
    folder.mkdir(exist_ok=True)
    note.save_as(folder / "note.dcm")
    return folder / "note.dcm"


@pytest.mark.peer
def test_rejection_notes_both_ways(make_node: Any, tmp_path: Path) -> None:
    node = make_node(routes=ROUTES, models=MODELS, iocm=True)
    study, paths = scan("rejected", tmp_path / "sent")
    node.send(paths)
    node.until(study, generation(1))
    results = {str(one.SOPInstanceUID) for one in results_of(node, study, 1)}

    node.send([rejection_of(paths, tmp_path / "note")])
    view = node.until(study, lambda view: any(job["rejects"] for job in view["jobs"]) and node_quiet(view))
    old, note = view["jobs"]
    assert (old["state"], old["mark"]) == ("SUPERSEDED", "withdrawn")
    assert note["rejects"] == old["job"]
    assert len(view["rejected"]) == len(paths)
    (out,) = [one for one in held(node).values() if one.SOPClassUID == KeyObjectSelectionDocumentStorage]
    assert out.ConceptNameCodeSequence[0].CodeValue == "113001"
    assert {str(i.ReferencedSOPSequence[0].ReferencedSOPInstanceUID) for i in out.ContentSequence[1:]} == results
    assert node.command("status")["marks"] == {"withdrawn": 1}
    assert dciodvfy_is_content(node, out)


def test_a_note_holds_for_what_comes_after_it(node: RunningNode, tmp_path: Path) -> None:
    study, paths = scan("later", tmp_path / "sent")
    node.send([rejection_of(paths, tmp_path / "note", codes.DCM.IncorrectModalityWorklistEntry)])
    node.until(study, lambda view: len(view["rejected"]) == len(paths))
    node.send(paths)
    view = node.until(study, lambda view: view["images"] == len(paths) and view["state"] == "NOT_ROUTED")
    assert view["jobs"] == []


def node_quiet(view: dict[str, Any]) -> bool:
    return view["state"] in ("DISPATCHED", "NOT_ROUTED") and all(d["state"] != "PENDING" for d in view["deliveries"])


def dciodvfy_is_content(node: Any, note: Dataset) -> bool:
    (path,) = [k.path for k in node.archive.kept() if k.sop_instance_uid == note.SOPInstanceUID]
    return not [remark for remark in dciodvfy(path.read_bytes()) if remark.startswith("Error")]
