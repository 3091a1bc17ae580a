"""A node with a history, for the tests of its pages: Orthanc is its PACS, a viewer beside it understands no result yet.

One study has a result, which Orthanc has and the viewer refused; another lacks slices, so that its job was refused.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from ball_scan import ball
from browsing import PASSWORD
from pynetdicom.events import Event
from running_node import MakeNode, RunningNode

from dicom_node.network.embedded_archive import CANNOT_UNDERSTAND, EmbeddedArchive
from dicom_node.network.peer import Peer
from dicom_node.network.ports import free_port
from dicom_node.web.passwords import Passwords
from inference.writers.dicom_series import Acquisition, Patient, StudyDetails, write_localizer, write_series
from storage.people.users import Role

ROUTES = """# what this hospital has segmented
routes:
  - name: abdomen
    description: every CT but its scouts
    when:
      kind: all
      of:
        - {kind: modality, any_of: [CT]}  # PET/CT has its own
        - {kind: nature}
    select: {kind: one_series, role: CT}
    task: liver_tumour
    model: bright
    outputs: [seg, sr]
    destinations: [pacs, viewer]
"""
MODELS = """models:
  # in use since spring
  bright: {task: liver_tumour, kind: threshold, lower: 150, upper: 3000}
  dim: {task: liver_tumour, kind: threshold, lower: 50, upper: 3000}
"""
PAGES = "{document: true}"  # of the destinations: beside SEG and SR a page to read
JANE = Patient("P-4711", "Doe^Jane", "19700101", "F")
ROE = Patient("P-4712", "Roe^Richard", "19650203", "M")
MISSING = slice(12, 20)


class PickyViewer(EmbeddedArchive):
    """An archive that takes nothing until it `understands`."""

    understands = False

    def _store(self, event: Event) -> int:
        return super()._store(event) if self.understands else CANNOT_UNDERSTAND


class Scan(NamedTuple):
    """A study as files."""

    uid: str
    paths: list[Path]


def ct(name: str, folder: Path, patient: Patient = JANE) -> Scan:
    """The ball in a CT, and its scout."""
    study = StudyDetails.of(name, patient=patient, description="Abdomen", accession_number=f"A-{name}")
    images = write_series(ball(), Acquisition.ct(study, series_description="Abdomen 3.0"), folder / name)
    scout = Acquisition.ct(study, "scout", series_number=2, series_description="Scout")
    return Scan(study.study_instance_uid, [*images, *write_localizer(ball(), scout, folder / name)])


def mr(name: str, folder: Path) -> Scan:
    """The ball in an MR, which no route wants."""
    study = StudyDetails.of(name, patient=ROE, description="Pelvis")
    image = replace(ball(), array=np.maximum(ball().array, 0.0), units="signal")
    return Scan(study.study_instance_uid, write_series(image, Acquisition.mr(study, "T2", body_part=""), folder / name))


@dataclass(frozen=True)
class LivedIn:
    """The node, who is around it, and what it knows; `site` is where its pages are."""

    node: RunningNode
    orthanc: Any
    viewer: PickyViewer
    site: str
    whole: Scan
    holed: Scan

    def send(self, scan: Scan) -> None:
        """From the PACS, as its automation would."""
        self.orthanc.upload(scan.paths)
        self.orthanc.send("segnode", [self.orthanc.study(scan.uid)["ID"]])


@pytest.fixture(scope="module")
def lived_in(
    make_shared_node: MakeNode, make_shared_orthanc: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LivedIn]:
    """Its administrator is Ada."""
    place, port, orthanc = tmp_path_factory.mktemp("lived-in"), free_port(), make_shared_orthanc({})
    with PickyViewer(place / "viewer", "VIEWER") as viewer:
        beside = (
            f"  viewer: {{kind: dimse, ae_title: VIEWER, host: 127.0.0.1, port: {viewer.port}, "
            f"accepts: [demonstration], profile: {PAGES}}}  # reading room\n"
        )
        pacs = Peer(ae_title=orthanc.aet, host="127.0.0.1", port=orthanc.port)
        node = make_shared_node(routes=ROUTES, models=MODELS, pacs=pacs, profile=PAGES, beside=beside, web=port)
        with node.database.transaction() as tx:
            ada = tx.users.add("ada", Role.ADMIN, time.time())
            tx.users.set_password(ada.user_id, Passwords().hashed(PASSWORD, "ada"))
        orthanc.know("segnode", "SEGNODE", node.peer.port)
        holed = ct("holed", place, ROE)
        del holed.paths[MISSING]
        lived_in = LivedIn(node, orthanc, viewer, f"http://127.0.0.1:{port}", ct("whole", place), holed)
        lived_in.send(lived_in.whole)
        lived_in.send(lived_in.holed)
        node.until_delivered(lived_in.whole.uid)
        node.until_over(lived_in.holed.uid)
        yield lived_in
