"""No patient's name, ID or birth date in logs, journal, reasons, states, file names or what the commands print.

One node goes through all that writes sentences: arrivals good and malformed, refusals, jobs done, refused and
failed, deliveries sent, held and dead, an archive whose answers quote the patient, retries. They may stand in
the DICOM files, in the database's header columns, and in the audit trail (its files, and the copies of its messages
that the console lists), and there they do.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from audit_schema import code, read
from pydicom import Dataset, dcmread
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom import AE, build_context, evt
from pynetdicom.presentation import AllStoragePresentationContexts
from running_node import RunningNode

from dicom_node.assembly import audit_spool
from dicom_node.errors import Refused
from dicom_node.network.client import echo, send
from dicom_node.network.embedded_archive import EmbeddedArchive
from dicom_node.network.peer import Peer
from dicom_node.network.ports import free_port
from dicom_node.settings import load
from inference.volume import Grid, Spacing, Volume, regular_affine
from inference.writers.dicom_series import Acquisition, StudyDetails, write_series
from storage.arriving.headers import HEADER_COLUMNS

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore:.*(Invalid value for VR|exceeds the maximum):UserWarning"),
]

NAME, ID, BIRTH = "QUASIMODO^ZEBEDEE", "XZ-771144-Q", "19010203"
AUDIT_COPY = ("audit_records", "message")
NEEDLES = re.compile(r"quasimodo|zebedee|XZ.?771144|19010203|1901.02.03", re.IGNORECASE)
OUTLANDISH = {  # values that break the standard's rules, and that libraries like to quote in warnings
    "PatientName": NAME + "^" + "Quasimodo" * 30,
    "PatientID": ID * 10,
    "PatientBirthDate": "1901-02-03 at noon",
}

ROUTES = """
routes:
  - {name: good, when: {kind: volume}, select: {kind: one_series, role: CT}, task: liver_tumour, model: bright,
     outputs: [seg, sr], destinations: [pacs, down, clinic, talker]}
  - {name: broken, when: {kind: volume}, select: {kind: one_series, role: CT}, task: lung_nodule, model: gone,
     outputs: [seg], destinations: [pacs]}
"""
MODELS = """
models:
  bright: {task: liver_tumour, kind: threshold, lower: 150, upper: 3000, label: 1}
  gone: {task: lung_nodule, kind: bundle, path: nowhere}
"""


def settings(port: int, pacs: int, down: int, talker: int) -> str:
    return (
        f"host: 127.0.0.1\nport: {port}\ndata_folder: ../data\nquiet_s: 1\nlease_term_s: 30\n"
        "accept_calling_aets: [SCANNER, TESTER]\n"
        "delivery: {attempts: 2, backoff_base_s: 0.2, backoff_max_s: 0.2}\n"
        "destinations:\n"
        f"  pacs: {{kind: dimse, ae_title: ARCHIVE, host: 127.0.0.1, port: {pacs}, accepts: [demonstration]}}\n"
        f"  down: {{kind: dimse, ae_title: DOWN, host: 127.0.0.1, port: {down}, accepts: [demonstration]}}\n"
        f"  talker: {{kind: dimse, ae_title: TALKER, host: 127.0.0.1, port: {talker}, accepts: [demonstration]}}\n"
        "  clinic: {kind: folder, path: ../clinic}\n"
    )


@pytest.fixture
def node(tmp_path: Path, talker: int) -> Iterator[RunningNode]:
    """A node with an archive that takes results, one that is down, one that refuses, and one for clinical results."""
    folder = tmp_path / "node"
    with EmbeddedArchive(folder / "archive") as archive:
        node = RunningNode(folder, Peer(ae_title="SEGNODE", host="127.0.0.1", port=free_port()), archive)
        node.conf.mkdir()
        texts = {
            "node": settings(node.peer.port, archive.port, free_port(), talker),
            "routes": ROUTES,
            "models": MODELS,
        }
        for name, text in texts.items():
            (node.conf / f"{name}.yaml").write_text(text)
        try:
            node.start()
            yield node
        finally:
            node.stop()


@pytest.fixture
def talker() -> Iterator[int]:
    """An archive that refuses and explains itself with the patient's name and ID."""

    def refuse(_: evt.Event) -> Dataset:
        answer = Dataset()
        answer.Status = 0xC000
        answer.ErrorComment = f"{ID} is not Zebedee Quasimodo, born 1901-02-03"
        return answer

    entity = AE("TALKER")
    entity.supported_contexts = AllStoragePresentationContexts
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, refuse)])
    yield server.server_address[1]
    server.shutdown()


def series(name: str, folder: Path, images: int = 12, **changes: Any) -> tuple[str, list[Path]]:
    """A small CT with something bright in it, of our patient."""
    grid = Grid((images, 40, 40), regular_affine((0, 0, 0), np.eye(3)[:, ::-1], Spacing(3.0, 2.0, 2.0)), "1.2.9")
    array = np.full(grid.shape, -50, dtype=np.float32)
    array[3:7, 10:20, 12:22] = 300
    study = StudyDetails.of(name)
    paths = write_series(Volume(array, grid, "HU"), Acquisition.ct(study), folder / name)
    for path in paths:
        data = dcmread(path)
        data.PatientName, data.PatientID, data.PatientBirthDate = NAME, ID, BIRTH
        for keyword, value in changes.items():
            setattr(data, keyword, value)
        data.save_as(path)
    return study.study_instance_uid, paths


def offer_nonsense(node: RunningNode, path: Path) -> None:
    """Instances that the node must not keep, each naming the patient."""
    association = AE("SCANNER").associate(
        node.peer.host, node.peer.port, [build_context(CTImageStorage, ExplicitVRLittleEndian)], ae_title="SEGNODE"
    )
    for keyword, value in (("SeriesInstanceUID", NAME), ("StudyInstanceUID", ID)):
        data = dcmread(path)
        setattr(data, keyword, value)
        assert association.send_c_store(data).Status == 0xC000
    association.release()


def database_texts(path: Path) -> Iterator[str]:
    """Every value of every table but the header columns (the header, and what a patient's studies are found by) and
    the copies of audit messages.
    """
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        assert {"studies", "journal", "jobs", "deliveries"} <= set(tables)
        for table in tables:
            rows = database.execute(f"SELECT * FROM {table}")
            names = [column[0] for column in rows.description]
            for row in rows:
                for name, value in zip(names, row, strict=True):
                    if name not in HEADER_COLUMNS and (table, name) != AUDIT_COPY:
                        yield f"{table}.{name}: {value}"


def leaks(node: RunningNode, printed: list[str]) -> list[str]:
    """Every line outside its place that tells of the patient."""
    data = node.folder / "data"
    texts = [*database_texts(data / "segnode.sqlite"), *(node.folder / "node.log").read_text().splitlines()]
    texts += [line for text in printed for line in text.splitlines()]
    for path in sorted(node.folder.rglob("*")):
        texts.append(f"file name {path.relative_to(node.folder)}")
        inside = path.relative_to(node.folder).parts
        dicom = inside[0] in ("archive", "clinic") or inside[:2] == ("data", "archive")
        audit = inside[:2] == ("data", "audit")
        if path.is_file() and not (dicom or audit or path.name.startswith("segnode.sqlite")):
            texts.append(path.read_bytes().decode("latin-1"))
    return [text[:300] for text in texts if NEEDLES.search(text)]


def commands(node: RunningNode, uids: list[str]) -> Iterator[str]:
    """What a person can ask, printed and as JSON."""
    asked = [("status",), *(("study", uid) for uid in uids), *(("explain", uid) for uid in uids)]
    looks = node.run_all(*asked, *((*words, "--json") for words in asked))
    assert looks.returncode == 0, looks.stderr
    again = node.run_all(*(("retry", uid, "--resend", "--release") for uid in uids))
    for done in (looks, again):
        yield done.stdout + done.stderr


def until_still(node: RunningNode, uid: str) -> dict[str, Any]:
    """The study's view when all has ended but what waits for the archive that is down."""

    def is_still(view: dict[str, Any]) -> bool:
        work = [*view["jobs"], *(one for one in view["deliveries"] if one["destination"] != "down")]
        over = all(one["state"] not in ("PENDING", "RUNNING") for one in work)
        return view["state"] == "NOT_ROUTED" or (view["state"] == "DISPATCHED" and over)

    return node.until(uid, is_still)


def test_patients_stand_in_their_images_and_the_audit_trail_only(node: RunningNode, tmp_path: Path) -> None:
    good, images = series("good", tmp_path)
    odd, odd_images = series("odd", tmp_path, **OUTLANDISH)
    gap, with_gap = series("gap", tmp_path)
    unfit, unfit_images = series("unfit", tmp_path, RescaleType="US")
    node.send(images)
    node.send(odd_images)
    node.send(with_gap[:5] + with_gap[6:])
    node.send(unfit_images)
    _, again = series("good", tmp_path / "again", PatientName=f"{NAME}^Corrected")
    node.send(again)
    offer_nonsense(node, images[0])
    with pytest.raises(Refused):
        echo(node.peer, calling_aet="STRANGER")
    send(images[:1], node.peer, calling_aet="SCANNER")

    uids = [good, odd, gap, unfit]
    views = {uid: until_still(node, uid) for uid in uids}
    newest = [job for job in views[good]["jobs"] if job["generation"] == views[good]["generation"]]  # it came twice
    assert {job["task"]: job["state"] for job in newest} == {"liver_tumour": "DONE", "lung_nodule": "FAILED"}
    deliveries = [d for d in views[good]["deliveries"] if d["job"] in {job["job"] for job in newest}]
    ended = {d["destination"]: (d["state"], d["reason"]) for d in deliveries}
    assert {name: state for name, (state, _) in ended.items()} == {
        "pacs": "SENT", "down": "PENDING", "clinic": "HELD", "talker": "DEAD",
    }  # fmt: skip
    assert "0xC000" in ended["talker"][1]
    assert views[gap]["state"] == "NOT_ROUTED"
    assert node.journal(good, "conflict")
    printed = list(commands(node, uids))
    until_still(node, good)
    time.sleep(2.5)  # one more heartbeat
    node.stop()

    assert leaks(node, printed) == []

    spool = audit_spool(load(node.conf))
    messages = [read(message.path.read_bytes()) for message in spool.waiting()]
    told = {code(root.find("EventIdentification/EventID"))[2] for root in messages}
    assert told == {
        "Application Activity", "Begin Transferring DICOM Instances", "DICOM Instances Accessed",
        "DICOM Instances Transferred", "Security Alert",
    }  # fmt: skip
    outcomes = {
        root.find("EventIdentification").get("EventOutcomeIndicator")
        for root in messages
        if code(root.find("EventIdentification/EventID"))[2] == "DICOM Instances Transferred"
    }
    assert outcomes == {"0", "4", "8"}
    patients = {
        item.get("ParticipantObjectID")
        for root in messages
        for item in root.findall("ParticipantObjectIdentification")
        if item.get("ParticipantObjectTypeCode") == "1"
    }
    assert ID in patients
    with closing(sqlite3.connect(node.folder / "data" / "segnode.sqlite")) as copies:
        listed = {message for (message,) in copies.execute("SELECT message FROM audit_records")}
    assert listed == {message.path.read_text() for message in spool.waiting()}
