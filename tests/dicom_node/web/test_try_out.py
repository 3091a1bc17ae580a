"""Try: what a person or a program brings, what is skipped and why, and results as files.

dicom_node.web.pages.try_out, dicom_node.web.uploading, dicom_node.web.results; dicom_node.acts.bringing,
dicom_node.network.bringing
"""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
import pytest
from browsing import Browser
from pydicom import dcmread

from dicom_node.assembly import Parts, stages
from dicom_node.network.bringing import ZIP
from inference.executors.inline import Inline
from storage.archive import INCOMING
from storage.lifecycle import JobState

MakeBrowser = Callable[[str], Browser]


def zipped(files: list[Path], **others: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in others.items():
            archive.writestr(name, data)
        for file in files:
            archive.write(file, f"study/{file.name}")
    return content.getvalue()


def study_of(files: list[Path]) -> str:
    return str(dcmread(files[0], stop_before_pixels=True).StudyInstanceUID)


def bring(browser: Browser, *files: tuple[str, bytes], token: str | None = None, task: str = ""):
    """Send the form as a browser does: token and task, then the files."""
    token = browser.form_token("/try") if token is None else token
    sent = [("file", (name, data)) for name, data in files]
    return browser.post("/try", data={"csrf": token, "task": task}, files=sent)


def test_a_folder_is_received_settles_at_once_and_leads_to_its_page(
    parts: Parts, signed_in: MakeBrowser, ct_series: list[Path], audited: Callable[[], list[Element]]
) -> None:
    otto = signed_in("otto")
    answer = bring(otto, *((f"Doe/{file.name}", file.read_bytes()) for file in ct_series))
    uid = study_of(ct_series)
    assert (answer.status_code, answer.headers.get("Location")) == (303, f"/studies/{uid}")
    page = otto.get(f"/studies/{uid}").text
    assert "Nothing is sent unless you ask." in page
    assert f'action="/studies/{uid}/send"' in page
    with parts.database.reading() as tx:
        study = tx.studies.get(uid)
        settled = tx.studies.settled(study.changed_at, parts.settings.node.quiet_s)
    assert (study.images, study.by_hand, study.calling_aets) == (3, True, ("console",))
    assert [one.study_instance_uid for one in settled] == [uid]
    kinds = [m.find("EventIdentification/EventTypeCode") for m in audited()]
    assert "bring" in [kind.get("csd-code") for kind in kinds if kind is not None]


def test_what_is_no_dicom_is_named_and_the_rest_is_taken(
    parts: Parts, signed_in: MakeBrowser, ct_series: list[Path]
) -> None:
    content = zipped(ct_series, **{"README.txt": b"hello", "../evil.dcm": ct_series[0].read_bytes(), "empty": b""})
    page = bring(signed_in("otto"), ("study.zip", content), ("cut.zip", ZIP + b"xx")).text
    assert f"/studies/{study_of(ct_series)}" in page
    assert "3 objects of study" in page
    for name, reason in (("README.txt", "It is no DICOM file"), ("../evil.dcm", "Its name leads out of the zip"),
                         ("cut.zip", "It is no zip that can be read")):  # fmt: skip
        assert name in page
        assert reason in page
    assert list((parts.archive.root / INCOMING).iterdir()) == []


def test_a_file_in_a_field_of_another_name_is_named_with_the_right_one(
    program: MakeBrowser, ct_series: list[Path]
) -> None:
    sent = [("files", ("one.dcm", ct_series[0].read_bytes())), ("other", ("", b""))]
    answer = program("otto").post("/api/v1/studies", files=sent).json()
    assert answer["studies"] == []
    assert [one["name"] for one in answer["skipped"]] == ["one.dcm"]
    assert "'files'" in answer["skipped"][0]["reason"]
    assert "file or folder" in answer["skipped"][0]["reason"]


def test_a_picked_task_is_kept_and_an_unknown_one_is_refused(
    parts: Parts, signed_in: MakeBrowser, ct_series: list[Path]
) -> None:
    otto, files = signed_in("otto"), [(file.name, file.read_bytes()) for file in ct_series]
    assert bring(otto, *files, task="liver_tumour").status_code == 303
    with parts.database.reading() as tx:
        assert tx.studies.get(study_of(ct_series)).wanted_task == "liver_tumour"
    assert bring(otto, *files, task="telepathy").status_code == 400


def test_a_study_that_a_peer_has_sent_is_not_touched(story: Parts, program: MakeBrowser, make_slices) -> None:
    files = make_slices(1, StudyInstanceUID="1.2.3")
    answer = program("otto").post("/api/v1/studies", content=files[0].read_bytes(),
                                  headers={"Content-Type": "application/dicom"})
    assert answer.json()["studies"] == []
    assert "is here already" in answer.json()["skipped"][0]["reason"]
    with story.database.reading() as tx:
        assert tx.studies.get("1.2.3").images == 1


def test_a_form_that_is_not_ours_brings_nothing(parts: Parts, signed_in: MakeBrowser, ct_series: list[Path]) -> None:
    otto = signed_in("otto")
    file = (ct_series[0].name, ct_series[0].read_bytes())
    assert bring(otto, file, token="guessed").status_code == 403
    assert otto.post("/try", files=[("file", file)]).status_code == 403
    kind = {"Content-Type": "application/dicom"}
    assert otto.post("/api/v1/studies", content=file[1], headers=kind).status_code == 403
    assert bring(signed_in("vera"), file, token=signed_in("vera").form_token()).status_code == 403
    with parts.database.reading() as tx:
        assert tx.studies.counts() == {}


@pytest.mark.parametrize(("content", "kind", "status"), [
    (b"--b\r\n", "multipart/form-data; boundary=b", 400), (b"", "multipart/form-data", 400), (b"x", "text/plain", 400),
    (b"x", "application/dicom", 200), (b"--b--", f"multipart/form-data; boundary={'b' * 5000}", 400),
])
def test_what_cannot_be_tried_is_a_problem_in_words(
    parts: Parts, program: MakeBrowser, content: bytes, kind: str, status: int
) -> None:
    answer = program("otto").post("/api/v1/studies", content=content, headers={"Content-Type": kind})
    assert answer.status_code == status
    assert answer.json().get("detail") or answer.json()["skipped"]


def test_more_than_is_allowed_is_not_taken(conf: Path, request: pytest.FixtureRequest, ct_series: list[Path]) -> None:
    with (conf / "node.yaml").open("a") as file:
        file.write("web: {upload_bytes: 4000, unpacked_bytes: 4000}\n")
    otto = request.getfixturevalue("program")("otto")
    kind = {"Content-Type": "application/zip"}
    assert otto.post("/api/v1/studies", content=bytes(4001), headers=kind).status_code == 413
    content = zipped(ct_series[:1], bomb=bytes(100_000))
    answer = otto.post("/api/v1/studies", content=content, headers=kind)
    assert answer.status_code == 200, answer.text
    assert "unpacks to more than" in answer.json()["skipped"][0]["reason"]
    assert answer.json()["studies"] == []


class TestResults:
    def test_a_segmentation_is_taken_away_as_it_was_made(
        self, parts: Parts, place: str, signed_in: MakeBrowser, audited: Callable[[], list[Element]]
    ) -> None:
        _, _, study, _, sop = place.split("/")
        got = signed_in("otto").get(f"/studies/{study}/results/{sop}")
        assert got.headers["Content-Type"] == "application/dicom"
        assert "attachment" in got.headers["Content-Disposition"]
        assert str(dcmread(io.BytesIO(got.content)).SOPInstanceUID) == sop
        assert signed_in("otto").get(f"/studies/{study}/results/{sop}/pdf").status_code == 404
        assert signed_in("vera").get(f"/studies/{study}/results/{sop}").status_code == 403
        kinds = [m.find("EventIdentification/EventTypeCode").get("csd-code") for m in audited()]
        assert kinds == ["download", "download"]

    def test_of_another_study_is_none(self, place: str, program: MakeBrowser) -> None:
        sop = place.rpartition("/")[2]
        assert program("otto").get(f"/api/v1/studies/1.2.9/results/{sop}").status_code == 404


def test_sending_is_an_act_of_its_own(parts: Parts, program: MakeBrowser, ct_series: list[Path]) -> None:
    otto, uid = program("otto"), study_of(ct_series)
    otto.post("/api/v1/studies", content=zipped(ct_series), headers={"Content-Type": "application/zip"})
    assert otto.post(f"/api/v1/studies/{uid}/send").json() == {"deliveries": 0}
    with parts.database.reading() as tx:
        assert not tx.studies.get(uid).by_hand
    assert otto.post("/api/v1/studies/1.2.9/send").status_code == 404


@pytest.mark.slow
def test_from_the_drop_to_the_results_and_only_then_away(
    parts: Parts, signed_in: MakeBrowser, make_slices: Callable[..., list[Path]]
) -> None:
    """The stages as they run in the pipeline, with a model in this process."""
    pixels = np.full((32, 32), 1000, np.uint16)
    pixels[8:16, 8:16] = 1300  # in HU 276, which the model takes for the liver
    otto, files = signed_in("otto"), make_slices(4, BodyPartExamined="ABDOMEN", PixelData=pixels.tobytes())
    uid = study_of(files)
    bring(otto, ("study.zip", zipped(files)), task="liver_tumour")
    model = Inline()
    model.start()
    for stage in stages(parts, model):
        if stage.name in ("complete", "dispatch", "infer-0"):
            assert stage.step(time.time()), stage.name
    with parts.database.reading() as tx:
        (job,) = tx.jobs.of_study(uid)
        assert (job.state, job.reason) == (JobState.DONE, "")
        made = {one.kind: one.sop_instance_uid for one in tx.results.of_job(job.job_id)}
        assert tx.deliveries.of_study(uid) == []
    assert {"seg", "document"} <= made.keys()
    pdf = otto.get(f"/studies/{uid}/results/{made['document']}/pdf")
    assert (pdf.headers["Content-Type"], pdf.content[:5]) == ("application/pdf", b"%PDF-")
    assert f"/studies/{uid}/results/{made['seg']}" in otto.get(f"/studies/{uid}").text
    answer = otto.fill_in(f"/studies/{uid}/send", f"/studies/{uid}")
    assert answer.headers["Location"] == f"/studies/{uid}"
    with parts.database.reading() as tx:
        assert [one.destination for one in tx.deliveries.of_study(uid)] == ["share"]
