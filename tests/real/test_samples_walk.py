"""Real studies through a real node: routed, or refused for the reason that a radiographer would give."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pydicom
import pytest
from running_node import MakeNode, RunningNode
from samples import SAMPLES

from dicom_node.network.client import find_dicom, send

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not SAMPLES.is_dir(), reason="samples not here"),
    pytest.mark.timeout(600),
]


@pytest.fixture(scope="module")
def node(make_shared_node: MakeNode) -> RunningNode:
    return make_shared_node()


def images(name: str, folder: Path) -> list[Path]:
    with tarfile.open(SAMPLES / name) as archive:
        archive.extractall(folder, filter="data")
    return find_dicom(folder)


def study_of(paths: list[Path]) -> str:
    return str(pydicom.dcmread(paths[0], stop_before_pixels=True).StudyInstanceUID)


def test_a_chest_ct_with_its_structure_set(node: RunningNode, tmp_path: Path) -> None:
    paths = images("chest_ct_lung1-001.tar.xz", tmp_path / "chest")
    node.send(paths)
    view = node.until_over(study_of(paths))
    assert [(job["task"], job["state"]) for job in view["jobs"]] == [("lung_nodule", "DONE")], view["jobs"]
    assert sum(series["images"] for series in view["series"]) == 134
    reasons = [v["reason"] for v in node.explain(study_of(paths))["verdicts"] if v["route"] == "liver-tumour"]
    assert any("not abdomen" in reason for reason in reasons), reasons


def test_a_brain_mr_without_its_other_contrasts(node: RunningNode, tmp_path: Path) -> None:
    paths = images("brain_mr_t1_vs-seg-001.tar.xz", tmp_path / "brain")
    node.send(paths)
    view = node.until_over(study_of(paths))
    assert view["state"] == "NOT_ROUTED"
    (reason,) = [
        v["reason"]
        for v in node.explain(study_of(paths))["verdicts"]
        if v["route"] == "brain-tumour" and not v["series"]
    ]
    assert "FLAIR" in reason
    assert "T2" in reason


def test_slices_without_identifiers_are_refused_in_the_standards_words(node: RunningNode) -> None:
    before = node.command("status")["studies"]
    paths = sorted((SAMPLES / "ct_totalsegmentator" / "dicom20").iterdir())
    statuses = send(paths, node.peer, calling_aet="SCANNER")
    assert len(statuses) == len(paths)
    assert {status.code for status in statuses.values()} == {0xC000}
    assert node.command("status")["studies"] == before
